//! Follows the database: what another server published, or anybody decided, is told here soon after;
//! at once where this server stored it.
//!
//! Invariant: a round without news costs one statement; views that cannot be followed say so, and no
//! wave is called open from them ([`crate::views::Views::is_blind`]).

use crate::app::{App, LoadError};
use crate::db::repository::ChangeSeq;
use crate::error::Chain;
use std::sync::Arc;
use std::time::Duration;

/// A look that takes longer has failed, in seconds.
const LOOK_S_MAX: u64 = 30;

/// Looks for news for ever.
pub(super) async fn follow(app: Arc<App>) {
    let every = Duration::from_millis(app.config.watch_ms);
    let mut known = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = app.views.asked_to_look() => {}
        }
        let look = look(&app, &mut known);
        match tokio::time::timeout(Duration::from_secs(LOOK_S_MAX), look).await {
            Ok(Ok(())) => app.views.seen(),
            // What was decided is followed; the repository is tried again.
            Ok(Err(error @ LoadError::Partly(_))) => {
                tracing::error!(error = %Chain(&error), "A repository cannot be loaded");
                app.views.seen();
            }
            Ok(Err(error)) => {
                tracing::error!(error = %Chain(&error), "The database cannot be followed");
                app.views.unseen(app.clock.now());
            }
            Err(_) => {
                tracing::error!("The database does not answer");
                app.views.unseen(app.clock.now());
            }
        }
    }
}

async fn look(app: &Arc<App>, known: &mut Option<ChangeSeq>) -> Result<(), LoadError> {
    let seen = app.change_seq().await?;
    if *known != Some(seen) {
        app.reload().await?;
        *known = Some(seen);
    }
    Ok(())
}
