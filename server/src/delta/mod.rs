//! Deltas of families that delegate them to this server: planned, built by a process of their own,
//! rebuilt and compared, listed, shown.
//!
//! [`plan`] and [`attempt`] decide; [`survey`] and [`build`] do. [`order`] is what goes to the worker
//! process ([`worker`]) and comes back. Not here: the signed list ([`crate::publish::deltas`]) and the
//! container (`protocol::delta`). Invariant: nothing here is waited for by a request, a publish or a
//! check-in, and what is listed gave the offline-signed image in a process of its own first.

pub mod attempt;
pub mod build;
pub mod child;
pub mod offer;
pub mod order;
pub mod plan;
pub mod status;
pub mod survey;
pub mod tally;
pub mod worker;

use arc_swap::ArcSwap;
use std::sync::Arc;
use tally::Tally;
use tokio::sync::Notify;

/// What planning and building share with the rest of the program.
#[derive(Debug, Default)]
pub struct Desk {
    bell: Notify,
    tally: ArcSwap<Tally>,
}

impl Desk {
    /// Wakes the builder: there are new pairs.
    pub fn ring(&self) {
        self.bell.notify_one();
    }

    /// Returns when somebody rang.
    pub async fn rung(&self) {
        self.bell.notified().await;
    }

    /// What was counted last.
    #[must_use]
    pub fn tally(&self) -> Arc<Tally> {
        self.tally.load_full()
    }

    /// Shows new numbers.
    pub fn show(&self, tally: Tally) {
        self.tally.store(Arc::new(tally));
    }
}
