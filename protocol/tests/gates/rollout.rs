//! A rollout of three or more waves in memory: an approval, what its devices sign, and the gate.

use patchward_protocol::act::{Act, Meaning, Subject};
use patchward_protocol::approval::{
    Action, Approval, ApprovalState, ApprovedDevice, ApprovedRelease, ClinicalCondition,
    Conditions, Gates, Need, NeededTime, RollbackTerms, Urgency, Wave,
};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::gate::count::{Mark, Rollout, on_entry, on_silence};
use patchward_protocol::gate::{Campaign, Consent, Halt, Move, WaveCounters, World, evaluate};
use patchward_protocol::id::{
    ApprovalId, DeviceId, FamilyId, LedgerId, PersonId, Seq, SiteId, TargetPath, Version,
};
use patchward_protocol::image::ImageRef;
use patchward_protocol::key::{SecretKey, Signer as _};
use patchward_protocol::ledger::{ApprovalRef, Entry, Fact, Kind, SealedEntry, SigningMethod};
use patchward_protocol::slot::Slot;
use patchward_protocol::time::{TimeQuality, Timestamp};

pub const HOUR: i64 = 3600;
pub const DAY: i64 = 24 * HOUR;

/// The first instant of the rollout.
pub fn start() -> Timestamp {
    "2026-12-01T00:00:00Z".parse().unwrap()
}

pub fn key(n: u32) -> SecretKey {
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&n.to_be_bytes());
    SecretKey::from_seed(&seed)
}

pub fn device(n: u32) -> DeviceId {
    DeviceId::new(&format!("pump-{n:04}")).unwrap()
}

pub fn image(seq: u64) -> ImageRef {
    ImageRef {
        family: FamilyId::new("acme.infusion-a").unwrap(),
        version: Version::new(&format!("2.{seq}")).unwrap(),
        seq: Seq(seq),
        image_sha256: Sha256Digest::of(&seq.to_be_bytes()),
    }
}

/// An approval with so many devices in each wave. Wave `n` has its slots on day `3 n`, four hours
/// from 02:00; it soaks a day and asks for half of the wave before, at least one.
pub fn approval(sizes: &[u32]) -> Approval {
    let mut devices = Vec::new();
    for (wave, size) in (0..).zip(sizes) {
        let begin = start().plus_seconds(i64::from(wave) * 3 * DAY + 2 * HOUR);
        for _ in 0..*size {
            let n = u32::try_from(devices.len()).unwrap();
            devices.push(ApprovedDevice {
                id: device(n),
                key: key(n).public(),
                wave,
                slots: vec![Slot::new(begin, begin.plus_seconds(4 * HOUR)).unwrap()],
                attended: false,
                pair: None,
            });
        }
    }
    let before = |n: usize| n.checked_sub(1).map_or(0, |before| sizes[before].div_ceil(2).max(1));
    let waves = (0..sizes.len()).map(|n| Wave {
        n: u32::try_from(n).unwrap(),
        not_before: start().plus_seconds(i64::try_from(n).unwrap() * 3 * DAY),
        soak_s: 24 * 3600,
        min_updated: before(n),
        min_clinical_use_h: 0,
    });
    let release = image(7);
    Approval {
        v: 1,
        id: ApprovalId::new("plan-1").unwrap(),
        site: SiteId::new("city").unwrap(),
        serial: 4,
        issued: start(),
        valid_until: start().plus_seconds(29 * DAY),
        action: Action::Install,
        urgency: Urgency::Routine,
        state: ApprovalState::Active,
        release: Some(ApprovedRelease {
            family: release.family,
            version: release.version,
            seq: release.seq,
            image_sha256: release.image_sha256,
            path: TargetPath::new("img/infusion-a-2.7.tar").unwrap(),
            image_length: 5,
            dossier_sha256: Sha256Digest::of(b"dossier"),
        }),
        standing: None,
        conditions: Conditions {
            clinical_state: ClinicalCondition::Idle,
            settle_s: 60,
            mains: Need::Advisory,
            battery_min: 0,
            acceptance: Need::Advisory,
            time: NeededTime::Attested,
            offline_ok: false,
        },
        waves: waves.collect(),
        gates: Gates { halt_permille: vec![0, 0, 20], silent_after_s: 2 * 3600 },
        rollback: RollbackTerms { automatic: true, to: vec![] },
        tz: "Asia/Tokyo".into(),
        supersedes: None,
        snapshot: None,
        devices,
    }
}

/// The server's side of one rollout.
#[derive(Debug, Clone)]
pub struct Gate {
    pub approval: Approval,
    pub rollout: Rollout,
    pub waves: Vec<WaveCounters>,
    pub marks: Vec<Mark>,
    pub world: World,
}

impl Gate {
    pub fn new(approval: Approval) -> Self {
        let rollout = Rollout {
            approval_sha256: Sha256Digest::of(&approval.write().unwrap()),
            image_sha256: image(7).image_sha256,
        };
        Self {
            waves: WaveCounters::of(&approval),
            marks: vec![Mark::BEGIN; approval.devices.len()],
            world: World {
                held_waves: vec![],
                campaign: Campaign::Running,
                consent: Consent::Stands,
            },
            rollout,
            approval,
        }
    }

    /// What follows at an instant, carried out.
    pub fn at(&mut self, at: Timestamp) -> Vec<Move> {
        let moves = evaluate(&self.approval, &self.waves, &self.world, at);
        for what in &moves {
            self.waves[what.wave() as usize].take(*what, at);
        }
        moves
    }

    /// An entry about the image, stored at the instant at which the device signed it.
    pub fn hear(&mut self, n: u32, kind: Kind, at: Timestamp) -> Option<Halt> {
        let seq = self.marks[n as usize].seq + 1;
        self.hear_entry(n, &self.entry(n, seq, kind, Some(at)), at)
    }

    pub fn hear_entry(&mut self, n: u32, entry: &Entry, stored_at: Timestamp) -> Option<Halt> {
        let moved = on_entry(&self.rollout, &self.marks[n as usize], entry, stored_at)?;
        self.marks[n as usize] = moved.mark;
        let wave = self.approval.devices[n as usize].wave;
        self.waves[wave as usize].count(&self.approval, &moved.change)
    }

    /// Whoever owes an outcome for too long counts as silent.
    pub fn listen(&mut self, at: Timestamp) {
        for n in 0..self.marks.len() {
            if let Some(moved) = on_silence(&self.approval.gates, &self.marks[n], at) {
                self.marks[n] = moved.mark;
                let wave = self.approval.devices[n].wave;
                self.waves[wave as usize].count(&self.approval, &moved.change);
            }
        }
    }

    /// A whole good update of a device.
    pub fn update(&mut self, n: u32, at: Timestamp) {
        for kind in [Kind::Preparing, Kind::Armed, Kind::Activating, Kind::Trial, Kind::Committed] {
            self.hear(n, kind, at);
        }
    }

    pub fn entry(&self, n: u32, seq: u64, kind: Kind, at: Option<Timestamp>) -> Entry {
        let mut fact = Fact::new(kind);
        fact.release = Some(image(7));
        fact.from = Some(image(6));
        fact.approval = Some(ApprovalRef {
            sha256: self.rollout.approval_sha256,
            id: self.approval.id.clone(),
            weakest_method: SigningMethod::Offline,
        });
        Entry {
            v: 1,
            device: device(n),
            ledger_id: LedgerId::from_random([7; 16]),
            seq,
            prev_sha256: Some(Sha256Digest::of(b"before")),
            at,
            time_quality: TimeQuality::Attested,
            boot_count: 1,
            fact,
        }
    }

    pub fn sealed(&self, n: u32, kind: Kind, at: Timestamp) -> SealedEntry {
        self.sealed_after(n, kind, at, |_| ())
    }

    pub fn sealed_after(
        &self,
        n: u32,
        kind: Kind,
        at: Timestamp,
        change: impl FnOnce(&mut Entry),
    ) -> SealedEntry {
        let mut entry = self.entry(n, 20, kind, Some(at));
        change(&mut entry);
        SealedEntry::seal(entry, &key(n)).unwrap()
    }

    pub fn resume(&self, wave: u32, halts: u64) -> Act {
        Act {
            v: 1,
            site: self.approval.site.clone(),
            subject: Subject::Wave { approval_sha256: self.rollout.approval_sha256, wave, halts },
            person: PersonId::new("tanaka").unwrap(),
            name: "Tanaka".into(),
            role: "clinical engineer".into(),
            meaning: Meaning::Resumed,
            reason: "a loose cable".into(),
            at: start(),
            tz: "Asia/Tokyo".into(),
            compensating: None,
            log_size: None,
            log_root: None,
        }
    }
}
