//! Freshness is signed again before it runs out.
//!
//! The decision is pure; it is taken again under the write lock, so that of two servers one signs.
//! Not here: the loop ([`crate::worker`]). Invariant: a refresh changes no offline document, and
//! what it stores has passed the same proof as a publish.

use super::candidate::{Held, Judge};
use super::commit;
use super::deltas::{self, DeltasKey};
use super::online::OnlineKeys;
use crate::app::App;
use crate::config::Refresh;
use crate::db::Connection;
use crate::db::act::{self, Act};
use crate::db::repository::{self, StoredDocument};
use crate::error::ApiError;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::{Document, Targets};
use patchward_protocol::tuf::stage::Staged;
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
    /// The list of deltas, and so the snapshot and the timestamp.
    All,
}

/// A document's age and life, as far as the decision needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// When it was published, by the server's clock then.
    pub published: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
}

/// The lives of what is signed online.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lives {
    /// Of the timestamp.
    pub timestamp: Life,
    /// Of the snapshot.
    pub snapshot: Life,
    /// Of the list of deltas, where the targets delegate it to this server.
    pub deltas: Option<Life>,
}

/// Decides what is due at `at`.
#[must_use]
pub fn due(lives: Lives, rule: &Refresh, at: Timestamp) -> Due {
    let Lives { timestamp, snapshot, deltas } = lives;
    if deltas.is_some_and(|deltas| is_short(deltas, rule, at)) {
        return Due::All;
    }
    if is_short(snapshot, rule, at) {
        return Due::Both;
    }
    let age_s = at.millis_since(timestamp.published) / 1000;
    let is_old = age_s >= rule.timestamp_every_s
        || left_s(timestamp, at) < rule.timestamp_life_s / 2
        || is_from_the_future(timestamp, rule, at);
    if is_old { Due::Timestamp } else { Due::Nothing }
}

/// Whether a snapshot or a list of deltas is to be signed again.
#[must_use]
pub fn is_short(life: Life, rule: &Refresh, at: Timestamp) -> bool {
    left_s(life, at) < rule.snapshot_left_s || is_from_the_future(life, rule, at)
}

fn left_s(life: Life, at: Timestamp) -> i64 {
    life.expires.millis_since(at) / 1000
}

/// Published in the future: the clock was ahead once, and what it dated may outlive sense.
fn is_from_the_future(life: Life, rule: &Refresh, at: Timestamp) -> bool {
    life.published > at.plus_seconds(rule.timestamp_every_s)
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
            let deltas = documents.deltas.as_ref().filter(|_| current.delegated);
            let lives = Lives {
                timestamp: (&documents.timestamp).into(),
                snapshot: (&documents.snapshot).into(),
                deltas: deltas.map(Life::from),
            };
            due(lives, rule, at) != Due::Nothing
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
    let key = DeltasKey::held(&app.keys, id);
    let lives = Lives {
        timestamp: (&held.timestamp).into(),
        snapshot: (&held.snapshot).into(),
        deltas: delegated(&held, key.as_ref())?.map(Life::from),
    };
    let due = due(lives, rule, at);
    if due == Due::Nothing {
        return Ok(due);
    }
    let keys = OnlineKeys::of(&app.keys, id)?;
    let (deltas, mode) = (key.as_ref(), app.mode);
    let judge = Judge { repository: id, keys: &keys, deltas, lives: rule, mode, at };
    let accepted = judge.renew(&held, due)?;
    commit::store(conn, id, &heads, &accepted)?;
    let detail = json!({
        "deltas": accepted.next.deltas.filter(|_| due == Due::All).map(|deltas| deltas.version),
        "snapshot": (due != Due::Timestamp).then_some(accepted.next.snapshot.version),
        "timestamp": accepted.next.timestamp.version,
    });
    let (scope, who) = (id.to_string(), "server".to_owned());
    act::append(conn, &Act { at, scope, who, act: "refresh", detail })?;
    Ok(due)
}

/// The list of deltas, if the targets delegate it to this server.
fn delegated<'a>(
    held: &'a Held,
    key: Option<&DeltasKey>,
) -> Result<Option<&'a StoredDocument>, ApiError> {
    let (Some(deltas), Some(key)) = (&held.deltas, key) else { return Ok(None) };
    let targets = Staged::read(Role::Targets, &held.targets.bytes).and_then(|it| it.typed());
    let targets: Document<Targets> = targets.map_err(ApiError::failed)?;
    Ok(deltas::is_delegated(&targets.signed, key).then_some(deltas))
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
            let (timestamp, snapshot) =
                (life((now - DAY_S).max(0) + 1, 7 * DAY_S), life(0, 30 * DAY_S));
            due(Lives { timestamp, snapshot, deltas: None }, &rule, at(now))
        };
        assert_eq!(of(DAY_S), Due::Nothing);
        let (timestamp, snapshot) = (life(0, 7 * DAY_S), life(0, 30 * DAY_S));
        let lives = Lives { timestamp, snapshot, deltas: None };
        assert_eq!(due(lives, &rule, at(DAY_S)), Due::Timestamp);
        assert_eq!(of(10 * DAY_S), Due::Nothing);
        assert_eq!(of(10 * DAY_S + 1), Due::Both);
    }

    #[test]
    fn what_a_clock_that_was_ahead_has_dated_is_signed_again() {
        let rule = Refresh::default();
        let ahead = life(400 * DAY_S, 7 * DAY_S);
        let of = |snapshot: Life| {
            due(Lives { timestamp: ahead, snapshot, deltas: None }, &rule, at(DAY_S))
        };
        assert_eq!(of(life(0, 30 * DAY_S)), Due::Timestamp);
        assert_eq!(of(life(400 * DAY_S, 30 * DAY_S)), Due::Both);
    }

    #[test]
    fn a_list_of_deltas_that_runs_out_is_signed_again_with_all_that_names_it() {
        let rule = Refresh::default();
        let fresh = at(11 * DAY_S);
        let of = |deltas: Option<Life>| {
            let (timestamp, snapshot) = (life(11 * DAY_S, 7 * DAY_S), life(11 * DAY_S, 30 * DAY_S));
            due(Lives { timestamp, snapshot, deltas }, &rule, fresh)
        };
        assert_eq!(of(None), Due::Nothing);
        assert_eq!(of(Some(life(5 * DAY_S, 30 * DAY_S))), Due::Nothing);
        assert_eq!(of(Some(life(0, 30 * DAY_S))), Due::All);
        assert_eq!(of(Some(life(400 * DAY_S, 30 * DAY_S))), Due::All);
    }
}
