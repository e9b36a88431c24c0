//! What the server does without being asked: follow the database, move waves by time, write last-seen
//! times, refresh, recount.
//!
//! Not here: the decisions. Each worker is a loop that ends with the server; any number of servers
//! may run them on one database. Invariant: a worker that fails says so once a round and goes on.

mod gates;
mod refresh;
mod watch;

use crate::app::App;
use crate::fleet::flush;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// The workers of a running server.
#[derive(Debug)]
pub struct Workers(Vec<JoinHandle<()>>);

/// Starts them.
pub fn start(app: &Arc<App>) -> Workers {
    Workers(vec![
        tokio::spawn(watch::follow(Arc::clone(app))),
        tokio::spawn(refresh::keep_fresh(Arc::clone(app))),
        tokio::spawn(flush::keep_flushing(Arc::clone(app))),
        tokio::spawn(gates::keep_ticking(Arc::clone(app))),
        tokio::spawn(gates::keep_recounting(Arc::clone(app))),
    ])
}

impl Workers {
    /// Ends them where they wait; a transaction under way is finished by its own thread.
    pub fn stop(self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}
