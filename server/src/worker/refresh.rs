//! Keeps freshness fresh: looks now and then, with jitter, and signs what is due.
//!
//! Invariant: any number of servers may run this on one database; each thing is signed once.

use crate::app::App;
use crate::clock;
use crate::error::Chain;
use crate::publish::refresh::{Due, all_due, refresh};
use std::sync::Arc;
use std::time::Duration;

/// Refreshes for ever. The first look is at once: a server that was off may have much to do.
pub(super) async fn keep_fresh(app: Arc<App>) {
    loop {
        round(&app).await;
        let rule = &app.config.refresh;
        let wait_s = rule.check_s.saturating_add(clock::jitter(&*app.rng, rule.jitter_s));
        tokio::time::sleep(Duration::from_secs(wait_s)).await;
    }
}

async fn round(app: &Arc<App>) {
    let mut signed = 0_usize;
    for id in all_due(app) {
        match refresh(app, id.clone()).await {
            Ok(Due::Nothing) => {}
            Ok(Due::Timestamp | Due::Both | Due::All) => signed = signed.saturating_add(1),
            Err(error) => {
                tracing::error!(
                    repository.id = %id, error = %Chain(&error), "A repository was not refreshed"
                );
            }
        }
    }
    if let Err(error) = app.reload().await {
        tracing::error!(error = %Chain(&error), "Repositories cannot be loaded");
    }
    if signed > 0 {
        tracing::info!(repositories = signed, "Freshness was signed again");
    }
}
