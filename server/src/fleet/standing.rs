//! A poll stands: it is answered as soon as the device would be told something else.
//!
//! That is how a stop arrives within two seconds where a poll stands. What is compared is the digest of
//! the directive; standing costs no database statement, and how many stand is bounded: one more is
//! answered at once. Not here: the answer (`check_in`). Invariant: nobody stands beyond the time asked
//! for, and nobody once the server is ending.

use super::check_in::{other_timestamp, told};
use super::table::Known;
use crate::app::App;
use crate::consent::directive::next_edge;
use crate::views::News;
use patchward_protocol::api::device::Poll;
use patchward_protocol::canonical;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::limits::POLL_WAIT_S_MAX;
use patchward_protocol::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Whether a poll stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stood {
    /// It is answered at once.
    Not,
    /// It stood until this moment.
    Until(Timestamp),
}

/// Waits as long as the device asked for and is told nothing new.
pub(super) async fn stand(
    app: &App,
    mut bell: watch::Receiver<News>,
    known: &Known,
    poll: &Poll,
) -> Stood {
    let wait_s = poll.wait_s.unwrap_or(0).min(POLL_WAIT_S_MAX);
    // First the bell, then the look: what changes in between rings again.
    if wait_s == 0 || *bell.borrow_and_update() == News::Ending || has_news(app, known, poll) {
        return Stood::Not;
    }
    // Held while it stands.
    let Ok(_place) = Arc::clone(&app.standing).try_acquire_owned() else { return Stood::Not };
    let end = tokio::time::sleep(Duration::from_secs(u64::from(wait_s)));
    tokio::pin!(end);
    loop {
        let edge = edge(app, poll);
        tokio::select! {
            () = &mut end => break,
            changed = bell.changed() => {
                if changed.is_err() || *bell.borrow_and_update() == News::Ending {
                    break;
                }
            }
            () = tokio::time::sleep(edge) => {}
        }
        if has_news(app, known, poll) {
            break;
        }
    }
    Stood::Until(app.clock.now())
}

/// When time alone may change what the device is told.
fn edge(app: &App, poll: &Poll) -> Duration {
    let at = app.clock.now();
    let edge = next_edge(&app.snapshot(), &app.views.consent(), &poll.site, at);
    let rest_ms = edge.map_or(i64::from(POLL_WAIT_S_MAX) * 1000, |edge| edge.millis_since(at));
    let most_ms = u64::from(POLL_WAIT_S_MAX) * 1000;
    let rest_ms = u64::try_from(rest_ms).unwrap_or(0).clamp(1, most_ms);
    Duration::from_millis(rest_ms)
}

/// Whether the device would be told something else than it heard last.
fn has_news(app: &App, known: &Known, poll: &Poll) -> bool {
    let (snapshot, directive) = told(app, known, poll, app.clock.now());
    let told = canonical::write(&directive).map(|bytes| Sha256Digest::of(&bytes));
    let other = |id: RepositoryId, held: u64| {
        snapshot.get(&id).and_then(|current| other_timestamp(current, held)).is_some()
    };
    told.ok() != poll.directive_sha256
        || other(RepositoryId::Site(poll.site.clone()), poll.site_timestamp)
        || other(RepositoryId::Family(known.family.clone()), poll.family_timestamp)
}
