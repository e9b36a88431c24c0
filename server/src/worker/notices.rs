//! Looks for what needs a person, passes on what nobody acknowledges, and sends messages.
//!
//! Invariant: any number of servers may run this on one database; a failure is told once a round, and
//! nothing else waits for it.

use crate::app::App;
use crate::error::Chain;
use crate::notify::look::look;
use crate::notify::raise::{Rules, pass_on};
use crate::notify::send::{Post, round};
use std::sync::Arc;
use std::time::Duration;

/// Between two looks, however much changes, in milliseconds.
const CALM_MS: u64 = 1000;

/// Looks and sends for ever.
pub(super) async fn keep_telling(app: Arc<App>, post: Post) {
    let mut news = app.views.listen();
    loop {
        news.mark_unchanged();
        tell(&app, &post).await;
        tokio::time::sleep(Duration::from_millis(CALM_MS)).await;
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(app.config.notify.check_s)) => {}
            () = app.notices.rung() => {}
            changed = news.changed() => if changed.is_err() { return },
        }
    }
}

async fn tell(app: &Arc<App>, post: &Post) {
    if let Err(error) = look(app).await {
        tracing::error!(error = %Chain(&error), "It cannot be looked what needs a person");
    }
    let (rules, at) = (Rules::of(&app.config.notify), app.clock.now());
    let due = app.db.read(move |conn| crate::db::notice::steps_due(conn, at, 1)).await;
    if due.is_ok_and(|due| !due.is_empty())
        && let Err(error) = app.db.write(move |conn| pass_on(conn, &rules, at)).await
    {
        tracing::error!(error = %Chain(&error), "Notices cannot be passed on");
    }
    loop {
        match round(app, post).await {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                tracing::error!(error = %Chain(&error), "Messages cannot be sent");
                return;
            }
        }
    }
}
