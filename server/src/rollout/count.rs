//! A device's new entries are weighed for the rollouts that name it, in the transaction that stores
//! them.
//!
//! Not here: what an entry means (`protocol::gate::count`). Invariant: an entry counts only where the
//! approval names the very key that signed it.

use super::settle::{self, Heard, Scene, Settled};
use crate::db::mark::{self, StoredMark};
use crate::db::rollout::{self, NamedDevice, StoredRollout};
use crate::db::{Connection, DbError};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::gate::count::{Mark, Moved, Rollout, Stage, on_entry};
use patchward_protocol::id::{DeviceId, SiteId};
use patchward_protocol::key::PublicKey;
use patchward_protocol::ledger::{Kind, SealedEntry};

/// Whose entries they are.
#[derive(Debug, Clone, Copy)]
pub struct Reporter<'a> {
    /// The site.
    pub site: &'a SiteId,
    /// The device.
    pub device: &'a DeviceId,
    /// The key that signed them.
    pub key: &'a PublicKey,
}

/// Weighs new entries and moves what follows.
///
/// # Errors
/// [`DbError`].
pub fn weigh(
    conn: &mut Connection,
    scene: &Scene<'_>,
    by: Reporter<'_>,
    entries: &[&SealedEntry],
) -> Result<Settled, DbError> {
    let mut images: Vec<Sha256Digest> = entries
        .iter()
        .filter(|sealed| counts(sealed.entry.fact.kind))
        .flat_map(|sealed| [&sealed.entry.fact.release, &sealed.entry.fact.from])
        .flatten()
        .map(|image| image.image_sha256)
        .collect();
    images.sort_unstable();
    images.dedup();
    if images.is_empty() {
        return Ok(Settled::Same);
    }
    let mut settled = Settled::Same;
    for (stored, named) in rollout::of_device(conn, by.site, by.device, &images)? {
        if named.key == *by.key
            && weigh_for(conn, scene, &stored, &named, entries)? == Settled::Moved
        {
            settled = Settled::Moved;
        }
    }
    Ok(settled)
}

fn weigh_for(
    conn: &mut Connection,
    scene: &Scene<'_>,
    stored: &StoredRollout,
    named: &NamedDevice,
    entries: &[&SealedEntry],
) -> Result<Settled, DbError> {
    let key = &stored.key;
    let mut kept = mark::find(conn, key, &named.device)?;
    let mut heard = Vec::new();
    for sealed in entries {
        let Some((next, moved)) = step(stored, named, kept.as_ref(), sealed, scene) else {
            continue;
        };
        kept = Some(next);
        let change = moved.change;
        heard.push(Heard { device: named.device.clone(), wave: named.wave, change });
    }
    let Some(mark) = kept.filter(|_| !heard.is_empty()) else { return Ok(Settled::Same) };
    mark::put(conn, key, &mark)?;
    settle::settle_stored(conn, scene, stored, &heard)
}

fn step(
    stored: &StoredRollout,
    named: &NamedDevice,
    kept: Option<&StoredMark>,
    sealed: &SealedEntry,
    scene: &Scene<'_>,
) -> Option<(StoredMark, Moved)> {
    let entry = &sealed.entry;
    let same_ledger = kept.filter(|kept| kept.ledger_id == entry.ledger_id);
    let mut before = kept.map_or(Mark::BEGIN, |kept| kept.mark.clone());
    if same_ledger.is_none() {
        // A new ledger counts from 1 again.
        before.seq = 0;
    }
    let rollout = Rollout { approval_sha256: stored.key.approval, image_sha256: stored.key.image };
    let moved = on_entry(&rollout, &before, entry, scene.at)?;
    let updated = moved.mark.stage == Stage::Updated;
    let kept = same_ledger.filter(|_| updated);
    let mut committed_seq = kept.and_then(|kept| kept.committed_seq);
    let mut used_seq = kept.and_then(|kept| kept.used_seq);
    if updated && entry.fact.kind == Kind::Committed {
        (committed_seq, used_seq) = (Some(entry.seq), None);
    } else if updated && entry.fact.kind == Kind::Used {
        used_seq = Some(entry.seq);
    }
    let next = StoredMark {
        device: named.device.clone(),
        wave: named.wave,
        silent_at: moved.mark.silent_at(&stored.terms.gates),
        mark: moved.mark.clone(),
        ledger_id: entry.ledger_id,
        committed_seq,
        used_seq,
    };
    Some((next, moved))
}

/// Kinds that may change a rollout's numbers.
const fn counts(kind: Kind) -> bool {
    match kind {
        Kind::Held
        | Kind::Preparing
        | Kind::Armed
        | Kind::Activating
        | Kind::Restarting
        | Kind::Trial
        | Kind::AwaitingAcceptance
        | Kind::Committed
        | Kind::Used
        | Kind::Abandoned
        | Kind::RollingBack
        | Kind::RolledBack
        | Kind::NeedsService
        | Kind::Recovered => true,
        Kind::Enrolled
        | Kind::Approved
        | Kind::Staged
        | Kind::Refused
        | Kind::HoldSet
        | Kind::HoldLifted => false,
    }
}
