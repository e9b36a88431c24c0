//! Follows the database: what another server published, or anybody decided, is told here soon after;
//! at once where this server stored it.
//!
//! Invariant: a round without news costs one statement.

use crate::app::App;
use crate::error::Chain;
use std::sync::Arc;
use std::time::Duration;

/// Looks for news for ever.
pub(super) async fn follow(app: Arc<App>) {
    let every = Duration::from_millis(app.config.watch_ms);
    let mut known = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = app.views.asked_to_look() => {}
        }
        let seen = match app.change_seq().await {
            Ok(seen) => seen,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "The database does not answer");
                continue;
            }
        };
        if known == Some(seen) {
            continue;
        }
        match app.reload().await {
            Ok(()) => known = Some(seen),
            Err(error) => {
                tracing::error!(error = %Chain(&error), "Repositories cannot be loaded");
            }
        }
    }
}
