//! Freshness is signed again before it runs out.
//!
//! The decision is pure; it is taken again under the write lock, so that of two servers one signs.
//! Not here: the loop ([`crate::worker`]). Invariant: a refresh changes no offline document, and
//! what it stores has passed the same proof as a publish.

use super::candidate::Judge;
use super::commit;
use super::online::OnlineKeys;
use crate::app::App;
use crate::config::Refresh;
use crate::db::Connection;
use crate::db::act::{self, Act};
use crate::db::repository;
use crate::error::ApiError;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::time::Timestamp;
use serde_json::json;
use std::sync::Arc;

/// What must be signed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// The timestamp.
    Timestamp,
    /// The snapshot, and so the timestamp.
    Both,
}

/// A document's age and life, as far as the decision needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// When it was published, by the server's clock then.
    pub published: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
}

/// Decides what is due at `at`.
#[must_use]
pub fn due(snapshot: Life, timestamp: Life, rule: &Refresh, at: Timestamp) -> Due {
    let left_s = |life: Life| life.expires.millis_since(at) / 1000;
    // Published in the future: the clock was ahead once, and what it dated may outlive sense.
    let from_the_future = |life: Life| life.published > at.plus_seconds(rule.timestamp_every_s);
    if left_s(snapshot) < rule.snapshot_left_s || from_the_future(snapshot) {
        return Due::Both;
    }
    let age_s = at.millis_since(timestamp.published) / 1000;
    let is_old = age_s >= rule.timestamp_every_s
        || left_s(timestamp) < rule.timestamp_life_s / 2
        || from_the_future(timestamp);
    if is_old { Due::Timestamp } else { Due::Nothing }
}

impl From<&crate::db::repository::StoredDocument> for Life {
    fn from(document: &crate::db::repository::StoredDocument) -> Self {
        Self { published: document.published, expires: document.expires }
    }
}

impl From<&super::current::Served> for Life {
    fn from(served: &super::current::Served) -> Self {
        Self { published: served.published, expires: served.expires }
    }
}

/// The repositories in which something is due, by the state in memory.
#[must_use]
pub fn all_due(app: &App) -> Vec<RepositoryId> {
    let (at, rule) = (app.clock.now(), &app.config.refresh);
    let is_due = |current: &&Arc<super::current::Current>| {
        current.documents.as_ref().is_some_and(|documents| {
            let (snapshot, timestamp) = (&documents.snapshot, &documents.timestamp);
            due(snapshot.into(), timestamp.into(), rule, at) != Due::Nothing
        })
    };
    app.snapshot().all().filter(is_due).map(|current| current.id.clone()).collect()
}

/// Signs again what is due in a repository; says what was.
///
/// # Errors
/// A failure of ours; the documents stay as they were.
pub async fn refresh(app: &Arc<App>, id: RepositoryId) -> Result<Due, ApiError> {
    let shared = Arc::clone(app);
    app.db.write(move |conn| in_transaction(&shared, conn, &id)).await
}

fn in_transaction(app: &App, conn: &mut Connection, id: &RepositoryId) -> Result<Due, ApiError> {
    let Some((_, heads)) = repository::find(conn, id)? else { return Ok(Due::Nothing) };
    let Some(held) = commit::held(conn, id, &heads)? else { return Ok(Due::Nothing) };
    let (rule, at) = (&app.config.refresh, app.clock.now());
    let due = due((&held.snapshot).into(), (&held.timestamp).into(), rule, at);
    if due == Due::Nothing {
        return Ok(due);
    }
    let keys = OnlineKeys::of(&app.keys, id)?;
    let judge = Judge { repository: id, keys: &keys, lives: rule, mode: app.mode, at };
    let accepted = judge.renew(&held, due)?;
    commit::store(conn, id, &heads, &accepted)?;
    let detail = json!({
        "snapshot": (due == Due::Both).then_some(accepted.next.snapshot.version),
        "timestamp": accepted.next.timestamp.version,
    });
    let (scope, who) = (id.to_string(), "server".to_owned());
    act::append(conn, &Act { at, scope, who, act: "refresh", detail })?;
    Ok(due)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_S: i64 = 86_400;

    fn life(published_s: i64, life_s: i64) -> Life {
        let published = Timestamp::EPOCH.plus_seconds(published_s);
        Life { published, expires: published.plus_seconds(life_s) }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::EPOCH.plus_seconds(seconds)
    }

    #[test]
    fn timestamp_is_due_after_a_day_and_snapshot_when_twenty_days_are_left() {
        let rule = Refresh::default();
        let of = |now: i64| {
            due(life(0, 30 * DAY_S), life((now - DAY_S).max(0) + 1, 7 * DAY_S), &rule, at(now))
        };
        assert_eq!(of(DAY_S), Due::Nothing);
        assert_eq!(due(life(0, 30 * DAY_S), life(0, 7 * DAY_S), &rule, at(DAY_S)), Due::Timestamp);
        assert_eq!(of(10 * DAY_S), Due::Nothing);
        assert_eq!(of(10 * DAY_S + 1), Due::Both);
    }

    #[test]
    fn what_a_clock_that_was_ahead_has_dated_is_signed_again() {
        let rule = Refresh::default();
        let ahead = life(400 * DAY_S, 7 * DAY_S);
        assert_eq!(due(life(0, 30 * DAY_S), ahead, &rule, at(DAY_S)), Due::Timestamp);
        assert_eq!(due(life(400 * DAY_S, 30 * DAY_S), ahead, &rule, at(DAY_S)), Due::Both);
    }
}
