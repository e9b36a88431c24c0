//! Time passes for rollouts: soaks end, slots end, devices stay silent; and each night the counters are
//! compared with what devices signed.
//!
//! Invariant: any number of servers may run this on one database; each wave is moved once.

use crate::app::App;
use crate::clock;
use crate::error::Chain;
use crate::rollout::{recount, tick};
use std::sync::Arc;
use std::time::Duration;

/// Ticks for ever.
pub(super) async fn keep_ticking(app: Arc<App>) {
    loop {
        tokio::time::sleep(Duration::from_secs(app.config.gate_check_s)).await;
        if let Err(error) = tick::tick(&app).await {
            tracing::error!(error = %Chain(&error), "Waves cannot be moved");
        }
    }
}

/// Recounts for ever, with jitter so that replicas do not meet.
pub(super) async fn keep_recounting(app: Arc<App>) {
    loop {
        let every_s = app.config.recount_s;
        let wait_s = every_s.saturating_add(clock::jitter(&*app.rng, every_s / 10));
        tokio::time::sleep(Duration::from_secs(wait_s)).await;
        if let Err(error) = recount::recount(&app).await {
            tracing::error!(error = %Chain(&error), "Counters cannot be compared with the ledgers");
        }
    }
}
