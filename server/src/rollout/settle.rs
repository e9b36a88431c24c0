//! The waves of one rollout are moved as far as they go: what changed is counted, then the gates are
//! asked, in one transaction.
//!
//! Each row is written by compare-and-swap, each move is an entry of the site's record. Not here: the
//! rules (`protocol::gate`). Invariant: settling twice changes nothing.

use super::proof;
use super::world::world;
use crate::app::{App, LoadError};
use crate::consent::state::Consent;
use crate::db::act::{self, Act};
use crate::db::change::{self, Scope};
use crate::db::field;
use crate::db::rollout::{self, RolloutKey, StoredRollout, StoredWave};
use crate::db::{Connection, DbError};
use crate::error::ApiError;
use crate::publish::current::Snapshot;
use patchward_protocol::gate::count::Change;
use patchward_protocol::gate::{self, Halt, Move, WaveCounters, WaveState};
use patchward_protocol::id::{DeviceId, RepositoryId};
use patchward_protocol::time::Timestamp;
use serde_json::json;
use std::sync::Arc;

/// What moving waves looks at: the views and the moment.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The repositories.
    pub snapshot: &'a Snapshot,
    /// What was decided.
    pub consent: &'a Consent,
    /// The moment.
    pub at: Timestamp,
}

/// What a device changes in its wave.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The device.
    pub device: DeviceId,
    /// Its wave.
    pub wave: u32,
    /// What is counted.
    pub change: Change,
}

/// Whether servers must look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Devices may be told something else now.
    Moved,
    /// They are told the same.
    Same,
}

/// Counts what was heard and moves the waves of a rollout.
///
/// # Errors
/// [`DbError`], also when somebody else has moved a wave meanwhile.
pub fn settle(
    conn: &mut Connection,
    scene: &Scene<'_>,
    key: &RolloutKey,
    heard: &[Heard],
) -> Result<Settled, DbError> {
    match rollout::find(conn, key)? {
        Some(stored) => settle_stored(conn, scene, &stored, heard),
        None => Ok(Settled::Same),
    }
}

/// The same for a rollout that was read in this transaction.
///
/// # Errors
/// [`DbError`], also when somebody else has moved a wave meanwhile.
pub fn settle_stored(
    conn: &mut Connection,
    scene: &Scene<'_>,
    stored: &StoredRollout,
    heard: &[Heard],
) -> Result<Settled, DbError> {
    let key = &stored.key;
    let mut before = rollout::waves(conn, key)?;
    let mut events = Vec::new();
    let mut now: Vec<WaveCounters> = before.iter().map(|wave| wave.counters.clone()).collect();
    for Heard { wave, change, .. } in heard {
        let Some(counters) = now.iter_mut().find(|counters| counters.wave == *wave) else {
            continue;
        };
        if let Some(halt) = counters.count(&stored.terms, change) {
            events.push(Move::Halt(*wave, halt));
        }
        field::count(conn, &stored.image, *wave, change, scene.at)?;
    }
    finish(conn, scene, stored, &mut before, now, events, heard)
}

/// Moves the waves of a rollout after `now` was changed by hand, and stores everything.
///
/// # Errors
/// [`DbError`], also when somebody else has moved a wave meanwhile.
pub(super) fn finish(
    conn: &mut Connection,
    scene: &Scene<'_>,
    stored: &StoredRollout,
    before: &mut [StoredWave],
    mut now: Vec<WaveCounters>,
    mut events: Vec<Move>,
    heard: &[Heard],
) -> Result<Settled, DbError> {
    let (at, key) = (scene.at, &stored.key);
    let world = world(scene.snapshot, scene.consent, stored.into(), at);
    for next in gate::evaluate(&stored.terms, &now, &world, at) {
        if let Some(counters) = now.iter_mut().find(|counters| counters.wave == next.wave()) {
            counters.take(next, at);
        }
        events.push(next);
    }
    for event in &events {
        record(conn, stored, &now, *event, at)?;
    }
    let mut moved = !events.is_empty();
    let due = due(scene, stored, &now);
    if due != stored.due {
        rollout::set_due(conn, key, due)?;
        moved = true;
    }
    let proofs = proof::due(scene, stored, &now, before, &events, heard);
    for (wave, counters) in before.iter_mut().zip(now) {
        let mut proof = wave.proof;
        if proofs.contains(&counters.wave) {
            proof = proof::make(conn, scene, stored, counters.wave)?.or(proof);
            if proof.is_none() && counters.wave > 0 && events.contains(&Move::Open(counters.wave)) {
                tracing::warn!(
                    site.id = %key.site, approval.id = %stored.terms.id, wave = counters.wave,
                    "What devices signed does not prove the wave that the counters open: it waits"
                );
            }
        }
        let state = (counters.state, proof) != (wave.counters.state, wave.proof);
        moved |= state;
        if state || counters != wave.counters {
            let from = wave.revision;
            *wave = StoredWave { revision: from.saturating_add(1), counters, proof };
            if !rollout::swap_wave(conn, key, wave, from)? {
                return Err(DbError::Overtaken { table: "waves" });
            }
        }
    }
    if !moved {
        return Ok(Settled::Same);
    }
    change::mark(conn, &Scope::Site(key.site.clone()))?;
    Ok(Settled::Moved)
}

/// The next instant at which time alone may move a wave.
fn due(scene: &Scene<'_>, stored: &StoredRollout, waves: &[WaveCounters]) -> Option<Timestamp> {
    let terms = &stored.terms;
    let of_wave = |counters: &WaveCounters| match counters.state {
        WaveState::Planned => {
            terms.waves.iter().find(|wave| wave.n == counters.wave).map(|wave| wave.not_before)
        }
        WaveState::Open => Some(counters.slots_end),
        WaveState::Soaking => counters.soak_until(terms),
        WaveState::Passed | WaveState::Halted(_) | WaveState::Cancelled => None,
    };
    let ended = |counters: &WaveCounters| {
        matches!(counters.state, WaveState::Passed | WaveState::Cancelled)
    };
    if waves.iter().all(ended) {
        return None;
    }
    let site = scene.consent.site(&stored.key.site);
    let freezes = site.map(|site| site.layout.freezes()).unwrap_or_default().iter();
    let edges = freezes.flat_map(|freeze| [freeze.from, freeze.to]);
    let all = waves.iter().filter_map(of_wave).chain(edges).chain([terms.valid_until]);
    all.filter(|edge| *edge > scene.at).min()
}

/// Every move is an entry of the site's record.
fn record(
    conn: &mut Connection,
    stored: &StoredRollout,
    waves: &[WaveCounters],
    event: Move,
    at: Timestamp,
) -> Result<(), DbError> {
    let (name, because) = match event {
        Move::Open(_) => ("wave-opened", None),
        Move::Soak(_) => ("wave-soaking", None),
        Move::Pass(_) => ("wave-passed", None),
        Move::Halt(_, halt) => ("wave-halted", Some(halt)),
        Move::Release(_) => ("wave-released", None),
        Move::Close(_) => ("wave-closed", None),
        Move::Cancel(_) => ("wave-cancelled", None),
    };
    let counters = waves.iter().find(|counters| counters.wave == event.wave());
    let detail = json!({
        "approval": stored.terms.id, "approval_sha256": stored.key.approval,
        "image_sha256": stored.key.image, "wave": event.wave(),
        "because": because.map(Halt::code), "counters": counters,
    });
    let scope = RepositoryId::Site(stored.key.site.clone()).to_string();
    if because.is_some_and(Halt::needs_act) {
        tracing::error!(
            site.id = %stored.key.site, approval.id = %stored.terms.id, wave = event.wave(),
            because = because.map(Halt::code), "A rollout has halted: somebody must look at it"
        );
    }
    act::append(conn, &Act { at, scope, who: "server".to_owned(), act: name, detail })
}

/// After somebody decided something: the views follow, and so do the waves of the site concerned.
/// Waves of many sites follow with the next tick; their devices are told from the views at once.
///
/// # Errors
/// A failure of ours; what was decided is stored.
pub async fn after_decision(app: &Arc<App>, scope: &Scope) -> Result<(), ApiError> {
    app.follow().await.map_err(failed)?;
    if let Scope::Site(site) = scope {
        super::tick::sweep(app, Some(site)).await.map_err(failed)?;
    }
    Ok(())
}

fn failed(error: LoadError) -> ApiError {
    match error {
        LoadError::Db(error) => error.into(),
        error @ (LoadError::Blob(_)
        | LoadError::Document { .. }
        | LoadError::Partly(_)
        | LoadError::Chance(_)
        | LoadError::Ending) => ApiError::failed(error),
    }
}
