//! Looks at what families list and what their devices run, and queues the pairs of the plan.
//!
//! Not here: which pairs ([`super::plan`]). Invariant: planning reads the database only when releases or
//! devices have changed, and any number of servers may plan: a pair is stored once.

use super::attempt;
use super::plan::{self, Known, Rank};
use super::tally::Tally;
use crate::app::App;
use crate::db::delta::{self, Outcome, StoredPair};
use crate::db::{Connection, DbError};
use crate::publish::current::Current;
use patchward_protocol::api::delta::DeltaState;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::time::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;

/// What was looked at last, by family: the revision of its head and the change number of its devices.
#[derive(Debug, Default)]
pub struct Seen(HashMap<RepositoryId, (u64, u64)>);

/// Plans every family in which something changed; returns how many pairs are new in the queue.
///
/// # Errors
/// [`DbError`].
pub async fn survey(app: &Arc<App>, seen: &mut Seen) -> Result<usize, DbError> {
    if !app.config.delta.enabled {
        return Ok(0);
    }
    let mut queued = 0_usize;
    let families: Vec<_> = app.snapshot().all().filter(|it| it.delegated).cloned().collect();
    for current in families {
        let RepositoryId::Family(family) = &current.id else { continue };
        let now = (current.heads.revision, app.fleet.moved(family));
        if seen.0.get(&current.id) == Some(&now) {
            continue;
        }
        let id = current.id.clone();
        queued = queued.saturating_add(plan_one(app, current).await?);
        seen.0.insert(id, now);
    }
    if queued > 0 {
        app.desk.ring();
    }
    Ok(queued)
}

/// Whether a family lists other things than when it was planned last.
#[must_use]
pub fn is_due(app: &App, seen: &Seen) -> bool {
    let is_new = |current: &&Arc<Current>| {
        seen.0.get(&current.id).map(|(revision, _)| *revision) != Some(current.heads.revision)
    };
    app.config.delta.enabled
        && app.snapshot().all().filter(|current| current.delegated).any(|it| is_new(&it))
}

/// Counts anew what [`super::Desk::tally`] tells.
///
/// # Errors
/// [`DbError`].
pub async fn count(app: &Arc<App>) -> Result<(), DbError> {
    let tally = app.db.read(Tally::of).await?;
    app.desk.show(tally);
    Ok(())
}

async fn plan_one(app: &Arc<App>, current: Arc<Current>) -> Result<usize, DbError> {
    let RepositoryId::Family(family) = &current.id else { return Ok(0) };
    let fleet = app.fleet.installed(family);
    let (id, budget) = (current.id.clone(), app.config.delta.memory_bytes);
    let stored = app.db.read(move |conn| delta::of_repository(conn, &id)).await?;
    let known: Known = stored
        .iter()
        .filter(|stored| !fits_now(stored, budget) && !is_of_another_time(stored))
        .map(|stored| ((stored.pair.from, stored.pair.to), stored.state))
        .collect();
    let pairs = plan::plan(&fleet, &current.releases, &known);
    if pairs.is_empty() {
        return Ok(0);
    }
    let (at, id) = (app.clock.now(), current.id.clone());
    let rows: Vec<StoredPair> = pairs
        .into_iter()
        .map(|pair| {
            let full_bytes = full_bytes(&current, &pair.to);
            let state = match pair.rank {
                Rank::Unknown => DeltaState::BaseUnknown,
                Rank::Cover | Rank::Previous | Rank::Reported => DeltaState::Queued,
            };
            let outcome = Outcome { full_bytes, ..Outcome::default() };
            let (repository, claim) = (id.clone(), None);
            StoredPair { repository, pair, state, tries: 0, claim, since: at, outcome }
        })
        .collect();
    let queued = rows.iter().filter(|row| row.state == DeltaState::Queued).count();
    app.db.write(move |conn| store(conn, &rows, &stored)).await?;
    tracing::info!(repository.id = %current.id, pairs = queued, "Deltas are to be built");
    Ok(queued)
}

/// Stores what is planned, where nobody has stored anything else meanwhile.
fn store(
    conn: &mut Connection,
    planned: &[StoredPair],
    read: &[StoredPair],
) -> Result<(), DbError> {
    let key = |stored: &StoredPair| (stored.pair.from, stored.pair.to);
    let Some(first) = planned.first() else { return Ok(()) };
    let now = delta::of_repository(conn, &first.repository)?;
    for row in planned {
        let of = |all: &[StoredPair]| {
            let found = all.iter().find(|stored| key(stored) == key(row));
            found.map(|stored| (stored.state, stored.since))
        };
        if of(&now) == of(read) {
            delta::put(conn, row)?;
        }
    }
    Ok(())
}

/// Whether a pair was left out for memory that there is now.
fn fits_now(stored: &StoredPair, budget_bytes: u64) -> bool {
    stored.state == DeltaState::OverBudget
        && stored.outcome.budget_bytes.is_some_and(|before| before < budget_bytes)
}

/// Whether another version of this program gave the pair up.
fn is_of_another_time(stored: &StoredPair) -> bool {
    let by = stored.outcome.given_up_by.as_deref();
    stored.state == DeltaState::Failed && by.is_some_and(|by| by != attempt::VERSION)
}

/// Length of the file that carries an image, in bytes.
fn full_bytes(current: &Current, image: &Sha256Digest) -> Option<u64> {
    let mut releases = current.releases.iter();
    let carries = releases.find(|release| release.firmware.payload.image_sha256 == *image);
    carries.map(|release| release.length)
}

/// Retires what the targets of a family, as they become current, lead to no more; in the transaction
/// that publishes them.
///
/// # Errors
/// [`DbError`].
pub fn retire(
    conn: &mut Connection,
    repository: &RepositoryId,
    is_offered: impl Fn(&Sha256Digest) -> bool,
    is_released: impl Fn(&Sha256Digest) -> bool,
    at: Timestamp,
) -> Result<(), DbError> {
    for stored in delta::of_repository(conn, repository)? {
        let offered = stored.outcome.sha256.as_ref().is_some_and(&is_offered);
        let stands = match stored.state {
            DeltaState::Retired => true,
            DeltaState::Published => offered,
            DeltaState::Queued
            | DeltaState::Building
            | DeltaState::TooLarge
            | DeltaState::BaseUnknown
            | DeltaState::OverBudget
            | DeltaState::Failed => is_released(&stored.pair.to),
        };
        if !stands {
            let (state, claim, since) = (DeltaState::Retired, None, at);
            delta::put(conn, &StoredPair { state, claim, since, ..stored })?;
        }
    }
    Ok(())
}
