//! Counters are compared with what devices signed, entry by entry; a difference is an alarm.
//!
//! Nothing is corrected: a counter that is wrong is a fault that somebody must understand. Not here:
//! when (a worker each night, and `patchward-server recount`). Invariant: a recount changes no counter.

use crate::app::App;
use crate::db::act::{self, Act};
use crate::db::mark::{self, StoredMark};
use crate::db::rollout::{self, RolloutKey, StoredRollout};
use crate::db::{self, Connection, DatabaseUrl, DbError, ledger};
use patchward_protocol::approval::Gates;
use patchward_protocol::gate::WaveCounters;
use patchward_protocol::gate::count::{Mark, Rollout, Stage, on_entry, on_silence};
use patchward_protocol::id::{DeviceId, LedgerId, RepositoryId};
use patchward_protocol::key::PublicKey;
use patchward_protocol::ledger::SealedEntry;
use patchward_protocol::time::Timestamp;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;

/// Rollouts are recounted for this long after their approval has ended, in seconds: 7 days.
const RECOUNTED_S: i64 = 7 * 24 * 3600;

/// A number of a wave that is not what devices signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The rollout.
    pub key: RolloutKey,
    /// The wave.
    pub wave: u32,
    /// What the counters say.
    pub counted: Numbers,
    /// What the entries say.
    pub signed: Numbers,
}

/// What is compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Numbers {
    /// Devices that were ever activated.
    pub activated: u32,
    /// Devices without an outcome yet.
    pub running: u32,
    /// Devices that committed.
    pub updated: u32,
    /// Devices that failed or went back.
    pub failed: u32,
    /// Devices that were silent for too long.
    pub silent: u32,
    /// Clinical use, in seconds.
    pub clinical_use_s: u64,
}

/// Recounts everything, one rollout at a time, and raises an alarm for each difference.
///
/// # Errors
/// [`DbError`].
pub async fn recount(app: &App) -> Result<Vec<Difference>, DbError> {
    let at = app.clock.now();
    let live = app.db.read(move |conn| rollout::live(conn, at.plus_seconds(-RECOUNTED_S))).await?;
    let mut all = Vec::new();
    for stored in live {
        let found = app.db.read(move |conn| differences(conn, &stored)).await?;
        for difference in &found {
            alarm(difference);
        }
        if !found.is_empty() {
            let told = found.clone();
            app.db.write(move |conn| told.iter().try_for_each(|d| record(conn, d, at))).await?;
        }
        all.extend(found);
    }
    Ok(all)
}

/// Recounts everything in a database that no server needs to be running on; raises no alarm. Blocks
/// its thread.
///
/// # Errors
/// [`DbError`].
pub fn offline(url: &DatabaseUrl, at: Timestamp) -> Result<Vec<Difference>, DbError> {
    let since = at.plus_seconds(-RECOUNTED_S);
    db::once(url, |conn| {
        let mut all = Vec::new();
        for stored in rollout::live(conn, since)? {
            all.extend(differences(conn, &stored)?);
        }
        Ok(all)
    })
}

/// The differences of one rollout.
///
/// # Errors
/// [`DbError`].
pub fn differences(
    conn: &mut Connection,
    stored: &StoredRollout,
) -> Result<Vec<Difference>, DbError> {
    let key = &stored.key;
    let marks: BTreeMap<DeviceId, StoredMark> =
        mark::of_rollout(conn, key)?.into_iter().map(|mark| (mark.device.clone(), mark)).collect();
    let mut signed: BTreeMap<u32, Numbers> = BTreeMap::new();
    for named in rollout::devices(conn, &key.site, &key.approval)? {
        let entries = ledger::all_of(conn, &key.site, &named.device)?;
        let kept = marks.get(&named.device).map_or(Stage::None, |kept| kept.mark.stage);
        let mark = replay(stored, &named.key, &entries, kept);
        signed.entry(named.wave).or_default().add(&mark);
    }
    let waves = rollout::waves(conn, key)?.into_iter();
    let differs = waves.filter_map(|wave| {
        let counted = Numbers::of(&wave.counters);
        let signed = signed.get(&wave.counters.wave).copied().unwrap_or_default();
        let (key, wave) = (key.clone(), wave.counters.wave);
        (counted != signed).then_some(Difference { key, wave, counted, signed })
    });
    Ok(differs.collect())
}

/// A device's mark from its entries. No entry tells whether a clock counted it as silent in between,
/// so both are tried; what is kept decides which of the two it was, and nothing else.
fn replay(
    stored: &StoredRollout,
    device_key: &PublicKey,
    entries: &[(SealedEntry, Timestamp)],
    kept: Stage,
) -> Mark {
    let plain = replay_with(stored, device_key, entries, None);
    let gates = Some(&stored.terms.gates);
    let mut with_silence = replay_with(stored, device_key, entries, gates);
    if kept == Stage::Silent && with_silence.waiting_since.is_some() {
        with_silence.stage = Stage::Silent;
    }
    if plain.stage != kept && with_silence.stage == kept { with_silence } else { plain }
}

fn replay_with(
    stored: &StoredRollout,
    device_key: &PublicKey,
    entries: &[(SealedEntry, Timestamp)],
    gates: Option<&Gates>,
) -> Mark {
    let key = &stored.key;
    let rollout = Rollout { approval_sha256: key.approval, image_sha256: key.image };
    let mut mark = Mark::BEGIN;
    let mut ledger: Option<LedgerId> = None;
    for (sealed, received) in entries {
        // Checked here too: this scan trusts nothing that the counting trusted.
        let Ok(checked) = SealedEntry::open(sealed.envelope.clone(), device_key) else { continue };
        if ledger.replace(checked.entry.ledger_id) != Some(checked.entry.ledger_id) {
            mark.seq = 0;
        }
        if let Some(moved) = gates.and_then(|gates| on_silence(gates, &mark, *received)) {
            mark = moved.mark;
        }
        if let Some(moved) = on_entry(&rollout, &mark, &checked.entry, *received) {
            mark = moved.mark;
        }
    }
    mark
}

fn alarm(difference: &Difference) {
    let Difference { key, wave, counted, signed } = difference;
    tracing::error!(
        site.id = %key.site, approval.sha256 = %key.approval, wave,
        counted = ?counted, signed = ?signed,
        "The counters of a wave are not what devices signed"
    );
}

fn record(conn: &mut Connection, difference: &Difference, at: Timestamp) -> Result<(), DbError> {
    let Difference { key, wave, counted, signed } = difference;
    let scope = RepositoryId::Site(key.site.clone()).to_string();
    let detail = json!({
        "approval_sha256": key.approval, "image_sha256": key.image, "wave": wave,
        "counted": counted, "signed": signed,
    });
    act::append(conn, &Act { at, scope, who: "server".to_owned(), act: "recount-differs", detail })
}

impl Numbers {
    const fn of(counters: &WaveCounters) -> Self {
        Self {
            activated: counters.activated,
            running: counters.running,
            updated: counters.updated,
            failed: counters.failed,
            silent: counters.silent,
            clinical_use_s: counters.clinical_use_s,
        }
    }

    fn add(&mut self, mark: &Mark) {
        let step = |number: &mut u32, is: bool| *number = number.saturating_add(u32::from(is));
        step(&mut self.activated, mark.activations > 0);
        step(&mut self.running, mark.stage == Stage::Activated);
        step(&mut self.updated, mark.stage == Stage::Updated);
        step(&mut self.failed, mark.stage == Stage::Failed);
        step(&mut self.silent, mark.stage == Stage::Silent);
        self.clinical_use_s = self.clinical_use_s.saturating_add(mark.clinical_use_s);
    }
}
