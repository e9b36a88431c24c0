//! Proofs that waves are open, put together from what devices signed.
//!
//! The approval in full comes from the views; where this server does not have it yet, the next tick
//! makes the proof. Not here: what makes a proof good (`protocol::proof`). Invariant: a wave beyond the
//! first is told to nobody as open before its proof is stored.

use super::settle::{Heard, Scene};
use super::world::published;
use crate::app::App;
use crate::db::mark::{self, StoredMark};
use crate::db::rollout::{StoredRollout, StoredWave};
use crate::db::{Connection, DbError, ledger, person_act};
use crate::error::ApiError;
use patchward_protocol::act::{Meaning, Subject};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::approval::Approval;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::gate::count::{Rollout, Stage};
use patchward_protocol::gate::{Move, WaveCounters, WaveState};
use patchward_protocol::id::{DeviceId, SiteId};
use patchward_protocol::ledger::SealedEntry;
use patchward_protocol::limits::WAVE_PROOF_BYTES_MAX;
use patchward_protocol::proof::{assemble, partner_first};
use std::collections::BTreeSet;

/// Most acts that a proof carries for the record.
const ACTS_MAX: usize = 16;

/// The waves whose proofs must be made now: those that have just opened or lack one, and those in
/// which a device waits for a partner that has just been heard.
#[must_use]
pub fn due(
    scene: &Scene<'_>,
    stored: &StoredRollout,
    waves: &[WaveCounters],
    before: &[StoredWave],
    events: &[Move],
    heard: &[Heard],
) -> BTreeSet<u32> {
    let is_open =
        |counters: &&WaveCounters| matches!(counters.state, WaveState::Open | WaveState::Soaking);
    let Some(published) = published(scene.snapshot, &stored.key) else { return BTreeSet::new() };
    let opened: BTreeSet<u32> = events
        .iter()
        .filter_map(|event| match event {
            Move::Open(wave) => Some(*wave),
            Move::Soak(_)
            | Move::Pass(_)
            | Move::Halt(..)
            | Move::Release(_)
            | Move::Close(_)
            | Move::Cancel(_) => None,
        })
        .collect();
    let committed: BTreeSet<&DeviceId> = heard
        .iter()
        .filter(|heard| heard.change.committed_at.is_some())
        .map(|heard| &heard.device)
        .collect();
    let partners = waves_of_partners(&published.approval, &committed);
    let lacks = |wave: u32| {
        before.iter().any(|stored| stored.counters.wave == wave && stored.proof.is_none())
    };
    let needs = |wave: u32| {
        (wave > 0 && (opened.contains(&wave) || lacks(wave))) || partners.contains(&wave)
    };
    waves.iter().filter(is_open).map(|counters| counters.wave).filter(|wave| needs(*wave)).collect()
}

/// Waves with a device whose partner goes first and is one of these.
fn waves_of_partners(approval: &Approval, committed: &BTreeSet<&DeviceId>) -> BTreeSet<u32> {
    if committed.is_empty() {
        return BTreeSet::new();
    }
    let paired = approval
        .devices
        .iter()
        .filter(|device| device.pair.as_ref().is_some_and(|pair| committed.contains(pair)));
    let waits = paired.filter(|device| partner_first(approval, device).is_some());
    waits.map(|device| device.wave).collect()
}

/// Makes and stores the proof of a wave; none when what was heard does not prove it.
///
/// # Errors
/// [`DbError`].
pub fn make(
    conn: &mut Connection,
    scene: &Scene<'_>,
    stored: &StoredRollout,
    wave: u32,
) -> Result<Option<Sha256Digest>, DbError> {
    let Some(published) = published(scene.snapshot, &stored.key) else { return Ok(None) };
    let key = &stored.key;
    let rollout = Rollout { approval_sha256: key.approval, image_sha256: key.image };
    let all = mark::of_rollout(conn, key)?;
    let partners = partners_of(&published.approval, wave);
    let (of_partners, mut before): (Vec<_>, Vec<_>) = all
        .into_iter()
        .filter(|mark| mark.mark.stage == Stage::Updated)
        .filter(|mark| mark.wave.checked_add(1) == Some(wave) || partners.contains(&mark.device))
        .partition(|mark| partners.contains(&mark.device));
    // As little as is enough: those with most use first, more only when they do not do.
    before.sort_by_key(|mark| std::cmp::Reverse(mark.mark.clinical_use_s));
    let asked = published.approval.waves.iter().find(|terms| terms.n == wave);
    let mut take = asked.map_or(1, |terms| usize::try_from(terms.min_updated).unwrap_or(1)).max(1);
    let mut known = entries(conn, &key.site, &of_partners)?;
    let mut rest = before.as_slice();
    loop {
        let (some, more) = rest.split_at(take.min(rest.len()));
        known.extend(entries(conn, &key.site, some)?);
        let found = assemble(&published.approval, &rollout, wave, &known);
        if found.is_none() && !more.is_empty() {
            (rest, take) = (more, take.saturating_mul(2));
            continue;
        }
        let Some(mut proof) = found else { return Ok(None) };
        proof.acts = acts(conn, stored, wave)?;
        let wrong = |_| DbError::Column {
            column: "wave_proofs.document",
            kind: "proof",
            value: String::new(),
        };
        let bytes = proof.write().map_err(wrong)?;
        if bytes.len() > WAVE_PROOF_BYTES_MAX {
            return Ok(None);
        }
        let sha256 = Sha256Digest::of(&bytes);
        mark::put_proof(conn, &key.site, &sha256, &bytes, scene.at)?;
        return Ok(Some(sha256));
    }
}

fn partners_of(approval: &Approval, wave: u32) -> BTreeSet<DeviceId> {
    let of_wave = approval.devices.iter().filter(|device| device.wave == wave);
    of_wave.filter_map(|device| partner_first(approval, device)).map(|d| d.id.clone()).collect()
}

/// The entries `committed` and `used` that stand behind marks.
fn entries(
    conn: &mut Connection,
    site: &SiteId,
    marks: &[StoredMark],
) -> Result<Vec<SealedEntry>, DbError> {
    let mut entries = Vec::new();
    for StoredMark { device, ledger_id, committed_seq, used_seq, .. } in marks {
        for seq in committed_seq.iter().chain(used_seq) {
            entries.extend(ledger::at(conn, site, device, *ledger_id, *seq)?);
        }
    }
    Ok(entries)
}

/// The acts that let waves before this one go on.
fn acts(
    conn: &mut Connection,
    stored: &StoredRollout,
    wave: u32,
) -> Result<Vec<patchward_protocol::envelope::Envelope>, DbError> {
    let resumed = person_act::of_meaning(conn, &stored.key.site, Meaning::Resumed)?;
    let about = |subject: &Subject| match subject {
        Subject::Wave { approval_sha256, wave: of, .. } => {
            *approval_sha256 == stored.key.approval && *of <= wave
        }
        Subject::Approval { .. } | Subject::Hold { .. } | Subject::Device { .. } => false,
    };
    let acts = resumed.into_iter().filter(|(subject, _)| about(subject));
    Ok(acts.map(|(_, envelope)| envelope).take(ACTS_MAX).collect())
}

/// The bytes of a proof.
///
/// # Errors
/// `not_found`, or a failure of ours.
pub async fn read(app: &App, site: &SiteId, sha256: Sha256Digest) -> Result<Vec<u8>, ApiError> {
    let site = site.clone();
    let found = app.db.read(move |conn| mark::proof(conn, &site, &sha256)).await?;
    found.ok_or_else(|| ApiError::of(ErrorCode::NotFound))
}
