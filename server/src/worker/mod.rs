//! What the server does without being asked: follow the database, move waves by time, write last-seen
//! times, refresh, recount, plan and build deltas, tell people.
//!
//! Not here: the decisions. Each worker is a loop that ends with the server; any number of servers
//! may run them on one database. Invariant: a worker that fails says so once a round and goes on.

mod deltas;
mod gates;
mod notices;
mod refresh;
mod watch;

use crate::app::App;
use crate::delta::build::Builder;
use crate::error::Chain;
use crate::fleet::flush;
use crate::notify::send::Post;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// The workers of a running server.
#[derive(Debug)]
pub struct Workers {
    running: Vec<JoinHandle<()>>,
    builder: Option<Builder>,
}

/// Starts them.
pub fn start(app: &Arc<App>, builder: Option<Builder>, post: Option<Post>) -> Workers {
    let mut running = vec![
        tokio::spawn(watch::follow(Arc::clone(app))),
        tokio::spawn(refresh::keep_fresh(Arc::clone(app))),
        tokio::spawn(flush::keep_flushing(Arc::clone(app))),
        tokio::spawn(gates::keep_ticking(Arc::clone(app))),
        tokio::spawn(gates::keep_recounting(Arc::clone(app))),
        tokio::spawn(deltas::keep_planning(Arc::clone(app))),
    ];
    running.extend(post.map(|post| tokio::spawn(notices::keep_telling(Arc::clone(app), post))));
    running.extend(builder.clone().map(|builder| tokio::spawn(builder.keep_building())));
    Workers { running, builder }
}

impl Workers {
    /// Ends them where they wait; a transaction under way is finished by its own thread, and a delta
    /// that is being built waits for the next one who builds.
    pub async fn stop(self) {
        self.running.iter().for_each(JoinHandle::abort);
        for ended in self.running {
            // Ended because it was told to.
            let _ = ended.await;
        }
        if let Some(builder) = &self.builder
            && let Err(error) = builder.give_back().await
        {
            tracing::warn!(error = %Chain(&error), "A delta that was being built waits for its claim");
        }
    }
}
