//! The proof that a wave is open: what the devices of the wave before signed themselves.
//!
//! A server can hide failures; it cannot invent successes, because it has no device key. Every entry
//! is an envelope of a device's own ledger. Not here: the server's word that the wave is open, which is
//! good for two minutes only and may be taken back although the proof holds.
//! Invariant: a proof counts only entries signed by keys that the approval itself names, about this
//! approval and this image; a [`Proven`] comes out of [`check`] and nowhere else.

use crate::approval::{Approval, ApprovedDevice, Wave};
use crate::canonical::{self, Charset};
use crate::digest::Sha256Digest;
use crate::envelope::{Envelope, PayloadType};
use crate::gate::count::Rollout;
use crate::id::DeviceId;
use crate::ledger::{Entry, Kind, SealedEntry};
use crate::limits::WAVE_PROOF_BYTES_MAX;
use crate::reason::Reason;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A wave proof, as it is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WaveProof {
    /// Schema version; this code knows 1.
    pub v: u32,
    /// The approval.
    pub approval_sha256: Sha256Digest,
    /// The image.
    pub image_sha256: Sha256Digest,
    /// The wave that it opens.
    pub wave: u32,
    /// Ledger entries `committed` and `used` about that image, signed by devices that the approval
    /// names: for the wave before, and for partners.
    pub entries: Vec<Envelope>,
    /// Signed acts that let a halted wave go on ([`crate::act::Subject::Wave`]), for the record.
    pub acts: Vec<Envelope>,
}

/// What a device has checked of a proof. Whether its soak is over is asked at every instant anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proven {
    rollout: Rollout,
    wave: u32,
    soaked_from: Timestamp,
    partner: Partner,
}

/// Whether the partner that goes first is proven to work again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partner {
    /// No partner goes first.
    None,
    /// One does, and its entry is not in the proof.
    Unproven,
    /// It has committed the image.
    Committed,
}

impl Proven {
    /// The approval and the image that it is about.
    #[must_use]
    pub const fn rollout(&self) -> Rollout {
        self.rollout
    }

    /// The wave that it opens.
    #[must_use]
    pub const fn wave(&self) -> u32 {
        self.wave
    }

    /// From when on enough devices of the wave before have soaked.
    #[must_use]
    pub const fn soaked_from(&self) -> Timestamp {
        self.soaked_from
    }

    /// Whether the partner is proven.
    #[must_use]
    pub const fn partner(&self) -> Partner {
        self.partner
    }
}

impl WaveProof {
    /// Reads the bytes of a proof; nothing in it is believed yet.
    ///
    /// # Errors
    /// [`Reason::WaveUnproven`] when they are too many or none of this shape.
    pub fn read(bytes: &[u8]) -> Result<Self, Reason> {
        let proof = canonical::read(bytes, WAVE_PROOF_BYTES_MAX, Charset::Ascii);
        proof.map_err(|_| Reason::WaveUnproven)
    }

    /// The bytes that are served and whose digest the directive names.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which does not happen with entries that were read.
    pub fn write(&self) -> Result<Vec<u8>, serde_json::Error> {
        canonical::write(self)
    }
}

/// The partner that must have committed before this device goes: the one of the pair whose first slot
/// is earlier (of two that start together, the one with the lesser id), where the approval names it.
#[must_use]
pub fn partner_first<'a>(
    approval: &'a Approval,
    own: &ApprovedDevice,
) -> Option<&'a ApprovedDevice> {
    let start = |device: &ApprovedDevice| device.slots.first().map(|slot| slot.start());
    let pair = own.pair.as_ref()?;
    let partner = approval.devices.iter().find(|device| device.id == *pair)?;
    ((start(partner), &partner.id) < (start(own), &own.id)).then_some(partner)
}

/// Checks a proof for one device of an approval that it has verified.
///
/// Work is bounded: at most one signature check for each entry, two entries for each device.
///
/// # Errors
/// [`Reason::WaveUnproven`] when it is about something else, holds an entry that does not belong in it,
/// or proves too few devices or hours.
pub fn check(
    proof: &WaveProof,
    approval: &Approval,
    rollout: &Rollout,
    own: &DeviceId,
) -> Result<Proven, Reason> {
    let unproven = Reason::WaveUnproven;
    let own = approval.devices.iter().find(|device| device.id == *own).ok_or(unproven)?;
    let about = proof.approval_sha256 == rollout.approval_sha256
        && proof.image_sha256 == rollout.image_sha256;
    let twice = approval.devices.len().saturating_mul(2);
    if proof.v != 1 || !about || proof.wave != own.wave || proof.entries.len() > twice {
        return Err(unproven);
    }
    let named = approval.devices.iter().map(|device| (&device.id, device)).collect();
    let said = said(&proof.entries, &named, rollout)?;
    let committed =
        |device: &ApprovedDevice| said.get(&device.id).is_some_and(|said| said.committed.is_some());
    let partner = match partner_first(approval, own) {
        None => Partner::None,
        Some(partner) if committed(partner) => Partner::Committed,
        Some(_) => Partner::Unproven,
    };
    let soaked_from = match own.wave.checked_sub(1) {
        None => Timestamp::EPOCH,
        Some(before) => enough(approval, before, &named, &said).ok_or(unproven)?,
    };
    Ok(Proven { rollout: *rollout, wave: own.wave, soaked_from, partner })
}

/// Puts together what proves a wave open, as little as is enough; none while it is not enough.
///
/// `known` are entries of devices that the approval names, whose signatures were checked when they
/// were stored.
#[must_use]
pub fn assemble(
    approval: &Approval,
    rollout: &Rollout,
    wave: u32,
    known: &[SealedEntry],
) -> Option<WaveProof> {
    let mut best: BTreeMap<&DeviceId, Chosen<'_>> = BTreeMap::new();
    for sealed in known {
        let chosen = best.entry(&sealed.entry.device).or_default();
        match reading(&sealed.entry, rollout) {
            Some(Said::Committed(at)) => chosen.committed = Some((at, sealed)),
            Some(Said::Used(use_s)) if chosen.used.is_none_or(|(most_s, _)| most_s < use_s) => {
                chosen.used = Some((use_s, sealed));
            }
            Some(Said::Used(_) | Said::CommittedSomeTime) | None => {}
        }
    }
    let mut devices = match wave.checked_sub(1) {
        None => BTreeSet::new(),
        Some(before) => predecessors(approval, before, &best)?,
    };
    let of_wave = approval.devices.iter().filter(|device| device.wave == wave);
    devices.extend(of_wave.filter_map(|device| partner_first(approval, device)).map(|d| &d.id));
    let chosen = devices.into_iter().filter_map(|id| best.get(id));
    let entries = chosen.flat_map(|chosen| {
        let committed = chosen.committed.map(|(_, sealed)| sealed);
        // Use without a commit proves nothing.
        let used = chosen.used.map(|(_, sealed)| sealed).filter(|_| committed.is_some());
        committed.into_iter().chain(used).map(|sealed| sealed.envelope.clone())
    });
    Some(WaveProof {
        v: 1,
        approval_sha256: rollout.approval_sha256,
        image_sha256: rollout.image_sha256,
        wave,
        entries: entries.collect(),
        acts: vec![],
    })
}

/// What one device is proven to have said.
#[derive(Debug, Clone, Copy, Default)]
struct Device {
    committed: Option<Timestamp>,
    used_s: Option<u64>,
    committed_some_time: bool,
}

/// One entry, read for a rollout.
#[derive(Debug, Clone, Copy)]
enum Said {
    Committed(Timestamp),
    /// The device did not know when: it counts for nothing, and is no lie.
    CommittedSomeTime,
    Used(u64),
}

/// The entries of a device that [`assemble`] would take.
#[derive(Debug, Clone, Copy, Default)]
struct Chosen<'a> {
    committed: Option<(Timestamp, &'a SealedEntry)>,
    used: Option<(u64, &'a SealedEntry)>,
}

/// Only to learn whose key to check with.
#[derive(Deserialize)]
struct Whose {
    device: DeviceId,
}

type Named<'a> = BTreeMap<&'a DeviceId, &'a ApprovedDevice>;

fn said<'a>(
    entries: &[Envelope],
    named: &Named<'a>,
    rollout: &Rollout,
) -> Result<BTreeMap<&'a DeviceId, Device>, Reason> {
    let mut all: BTreeMap<&DeviceId, Device> = BTreeMap::new();
    for envelope in entries {
        let whose: Whose = envelope.insecure_peek().map_err(|_| Reason::WaveUnproven)?;
        let (id, device) = named.get_key_value(&whose.device).ok_or(Reason::WaveUnproven)?;
        let entry = envelope.open::<Entry>(PayloadType::LedgerEntry, &device.key);
        let entry = entry.map_err(|_| Reason::WaveUnproven)?;
        let said = all.entry(id).or_default();
        let is_first = match reading(&entry, rollout).ok_or(Reason::WaveUnproven)? {
            Said::Committed(at) if !said.committed_some_time => {
                said.committed_some_time = true;
                said.committed.replace(at).is_none()
            }
            Said::CommittedSomeTime if !said.committed_some_time => {
                said.committed_some_time = true;
                true
            }
            Said::Committed(_) | Said::CommittedSomeTime => false,
            Said::Used(use_s) => said.used_s.replace(use_s).is_none(),
        };
        if !is_first {
            return Err(Reason::WaveUnproven);
        }
    }
    Ok(all)
}

/// What an entry says of a rollout; none when it belongs in no proof of it.
fn reading(entry: &Entry, rollout: &Rollout) -> Option<Said> {
    let fact = &entry.fact;
    let image = fact.release.as_ref().map(|image| image.image_sha256);
    let approval = fact.approval.as_ref().map(|approval| approval.sha256);
    if image != Some(rollout.image_sha256) {
        return None;
    }
    let own = approval == Some(rollout.approval_sha256);
    if fact.kind == Kind::Committed && own {
        return Some(entry.at.map_or(Said::CommittedSomeTime, Said::Committed));
    }
    let used = fact.kind == Kind::Used && (own || approval.is_none());
    fact.clinical_use_s.filter(|_| used).map(Said::Used)
}

/// From when on enough devices of wave `before` have soaked; none when they are too few.
fn enough(
    approval: &Approval,
    before: u32,
    named: &Named<'_>,
    said: &BTreeMap<&DeviceId, Device>,
) -> Option<Timestamp> {
    let (soak_s, asked) = terms(approval, before)?;
    let of_wave =
        said.iter().filter(|(id, _)| named.get(**id).is_some_and(|device| device.wave == before));
    let committed: Vec<_> = of_wave.filter_map(|(_, said)| Some((said.committed?, said))).collect();
    let use_s = committed.iter().filter_map(|(_, said)| said.used_s);
    let use_s = use_s.fold(0, u64::saturating_add);
    if use_s < use_s_min(asked) {
        return None;
    }
    let Some(nth) = usize::try_from(asked.min_updated).ok()?.checked_sub(1) else {
        return Some(Timestamp::EPOCH);
    };
    let mut soaked: Vec<_> = committed.iter().map(|(at, _)| at.plus_seconds(soak_s)).collect();
    soaked.sort_unstable();
    soaked.get(nth).copied()
}

fn predecessors<'a>(
    approval: &'a Approval,
    before: u32,
    best: &BTreeMap<&DeviceId, Chosen<'_>>,
) -> Option<BTreeSet<&'a DeviceId>> {
    let (_, asked) = terms(approval, before)?;
    let of_wave = approval.devices.iter().filter(|device| device.wave == before);
    let mut committed: Vec<_> = of_wave
        .filter_map(|device| {
            let chosen = best.get(&device.id)?;
            let use_s = chosen.used.map_or(0, |(use_s, _)| use_s);
            Some((chosen.committed?.0, use_s, &device.id))
        })
        .collect();
    committed.sort_unstable_by_key(|(at, _, id)| (*at, *id));
    let count = usize::try_from(asked.min_updated).ok()?;
    let mut spare = committed.split_off(count.min(committed.len()));
    if committed.len() < count {
        return None;
    }
    spare.sort_unstable_by_key(|(_, use_s, id)| (std::cmp::Reverse(*use_s), *id));
    let mut use_s = committed.iter().fold(0_u64, |sum, (_, use_s, _)| sum.saturating_add(*use_s));
    for more in spare {
        if use_s >= use_s_min(asked) {
            break;
        }
        use_s = use_s.saturating_add(more.1);
        committed.push(more);
    }
    (use_s >= use_s_min(asked)).then(|| committed.into_iter().map(|(_, _, id)| id).collect())
}

/// How long wave `before` soaks, in seconds, and what the next asks of it.
fn terms(approval: &Approval, before: u32) -> Option<(i64, &Wave)> {
    let wave = |n: u32| approval.waves.iter().find(|wave| wave.n == n);
    let soak_s = i64::try_from(wave(before)?.soak_s).ok()?;
    Some((soak_s, wave(before.checked_add(1)?)?))
}

fn use_s_min(asked: &Wave) -> u64 {
    u64::from(asked.min_clinical_use_h).saturating_mul(3600)
}
