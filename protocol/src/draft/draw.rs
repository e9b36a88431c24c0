//! Drawing up approvals of one release: from a plan, or from devices and slots that were given.
//!
//! Not here: choosing slots, judging them, policies ([`super::standing`]).
//! Invariant: what is drawn up has passed [`Approval::check`].

use super::error::BadDraft;
use super::planned::{Direction, Planned};
use crate::approval::{
    Action, Approval, ApprovalState, ApprovedDevice, ApprovedRelease, ClinicalCondition,
    Conditions, Gates, Need, NeededTime, RollbackTerms, SnapshotRef, Urgency, Wave,
};
use crate::id::{ApprovalId, SiteId};
use crate::inventory::{Attendance, SiteRules};
use crate::limits::SLOT_RESERVE_S;
use crate::plan::Plan;
use crate::time::Timestamp;
use crate::tuf::custom::Firmware;
use crate::tuf::lookup::ImageTarget;
use serde::{Deserialize, Serialize};

/// Seconds of an hour.
const HOUR_S: u64 = 3600;
/// Seconds that a device must have been free unless somebody says otherwise.
pub const SETTLE_S: u64 = 300;
/// Seconds after which a silent device counts as failed unless somebody says otherwise.
pub const SILENT_AFTER_S: u64 = 3600;

/// What an approval permits and what must hold on the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Routine, or an emergency of at most 24 hours.
    pub urgency: Urgency,
    /// To a newer release, or back to an older one.
    pub direction: Direction,
    /// Whether a person must be at each device.
    pub attended: Attendance,
    /// How well a device must know the time.
    pub time: NeededTime,
    /// Seconds that the device must have been free without a break.
    pub settle_s: u64,
    /// Whether it must run from the mains.
    pub mains: Need,
    /// Least battery charge in percent.
    pub battery_min: u8,
    /// Whether a person must release each device afterwards.
    pub acceptance: Need,
    /// It may act without having reached the server shortly before.
    pub offline_ok: bool,
    /// It goes back by itself when its health checks fail.
    pub automatic_rollback: bool,
    /// Seconds after which a device silent since activation counts as failed.
    pub silent_after_s: u64,
}

/// What an approval of one release is made of, besides the devices.
#[derive(Debug, Clone)]
pub struct Frame<'a> {
    /// The site.
    pub site: &'a SiteId,
    /// Its id; made from family, rank and version of the targets when absent.
    pub id: Option<&'a ApprovalId>,
    /// Version of the targets that will list it.
    pub version: u64,
    /// Its serial, or that of the first part.
    pub serial: u64,
    /// When it is drawn up.
    pub issued: Timestamp,
    /// Last instant; the end of the last slot when absent.
    pub valid_until: Option<Timestamp>,
    /// Zone in which people read the hours.
    pub tz: &'a str,
    /// The approval that this one replaces.
    pub supersedes: Option<&'a ApprovalId>,
    /// The family's snapshot, for an offline bundle.
    pub snapshot: Option<SnapshotRef>,
    /// The release.
    pub image: &'a ImageTarget,
    /// What it permits.
    pub terms: &'a Terms,
}

/// The devices of one approval, and how they go.
#[derive(Debug, Clone)]
pub struct Who {
    /// The devices.
    pub devices: Vec<ApprovedDevice>,
    /// Their waves.
    pub waves: Vec<Wave>,
    /// When the rollout halts.
    pub gates: Gates,
    /// 0, or which further part of a large site.
    pub part: usize,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            urgency: Urgency::Routine,
            direction: Direction::Forward,
            attended: Attendance::Unattended,
            time: NeededTime::Attested,
            settle_s: SETTLE_S,
            mains: Need::Advisory,
            battery_min: 0,
            acceptance: Need::Advisory,
            offline_ok: false,
            automatic_rollback: true,
            silent_after_s: SILENT_AFTER_S,
        }
    }
}

impl Terms {
    /// What must hold on the device.
    #[must_use]
    pub const fn conditions(&self) -> Conditions {
        Conditions {
            clinical_state: ClinicalCondition::Idle,
            settle_s: self.settle_s,
            mains: self.mains,
            battery_min: self.battery_min,
            acceptance: self.acceptance,
            time: self.time,
            offline_ok: self.offline_ok,
        }
    }
}

impl Frame<'_> {
    /// One approval for each part of a plan that has devices.
    ///
    /// # Errors
    /// [`BadDraft::Approval`], [`BadDraft::Name`].
    pub fn of_plan(&self, planned: &Planned) -> Result<Vec<Approval>, BadDraft> {
        let filled = planned.parts.iter().filter(|part| !part.devices.is_empty()).enumerate();
        let draw = |(part, plan): (usize, &Plan)| {
            let Plan { devices, waves, gates, .. } = plan.clone();
            self.draw_up(Who { devices, waves, gates, part })
        };
        filled.map(draw).collect()
    }

    /// One approval.
    ///
    /// # Errors
    /// [`BadDraft::Approval`], [`BadDraft::Name`].
    pub fn draw_up(&self, who: Who) -> Result<Approval, BadDraft> {
        let (terms, firmware) = (self.terms, &self.image.firmware);
        let last = who.devices.iter().flat_map(|device| &device.slots).map(|slot| slot.end()).max();
        let name = firmware.family.as_str().split_once('.').map_or("", |(_, name)| name);
        let id = self.id.map_or_else(
            || format!("{name}-{}-v{}", firmware.seq, self.version),
            ToString::to_string,
        );
        let id = if who.part == 0 { id } else { format!("{id}-part{}", who.part + 1) };
        let approval = Approval {
            v: 1,
            id: ApprovalId::new(&id).map_err(|_| BadDraft::Name(id))?,
            site: self.site.clone(),
            serial: self.serial.saturating_add(u64::try_from(who.part).unwrap_or(u64::MAX)),
            issued: self.issued,
            valid_until: self.valid_until.or(last).unwrap_or(self.issued),
            action: match terms.direction {
                Direction::Forward => Action::Install,
                Direction::Back => Action::Rollback,
            },
            urgency: terms.urgency,
            state: ApprovalState::Active,
            release: Some(release(self.image)),
            standing: None,
            devices: who.devices,
            conditions: terms.conditions(),
            waves: who.waves,
            gates: who.gates,
            rollback: RollbackTerms {
                automatic: terms.automatic_rollback,
                to: firmware.rollback_ok.clone(),
            },
            tz: self.tz.to_owned(),
            supersedes: self.supersedes.cloned(),
            snapshot: self.snapshot.clone(),
        };
        match approval.check() {
            Ok(()) => Ok(approval),
            Err(source) => Err(BadDraft::Approval { id: approval.id, source }),
        }
    }

    /// Devices with given slots, all in one wave, watched as the rules of the site say.
    #[must_use]
    pub fn one_wave(&self, devices: Vec<ApprovedDevice>, rules: Option<&SiteRules>) -> Who {
        let urgency = self.terms.urgency;
        let soak_s = rules.map_or(24 * HOUR_S, |rules| rules.soak_s_of(0, urgency));
        let silent_after_s = self.terms.silent_after_s;
        let gates = Gates { halt_permille: vec![0], silent_after_s };
        let not_before = self.issued;
        let wave = Wave { n: 0, not_before, soak_s, min_updated: 0, min_clinical_use_h: 0 };
        Who { devices, waves: vec![wave], gates, part: 0 }
    }
}

/// A release as an approval names it.
#[must_use]
pub fn release(image: &ImageTarget) -> ApprovedRelease {
    let firmware = &image.firmware;
    ApprovedRelease {
        family: firmware.family.clone(),
        version: firmware.version.clone(),
        seq: firmware.seq,
        image_sha256: firmware.payload.image_sha256,
        path: image.path.clone(),
        image_length: firmware.payload.image_length,
        dossier_sha256: firmware.docs.dossier.sha256,
    }
}

/// Devices whose slots are too short for the signed worst case: they would only ever be waited out.
#[must_use]
pub fn short_slots(
    language: crate::language::Language,
    approval: &Approval,
    firmware: &Firmware,
) -> Vec<String> {
    let need_s = firmware.est.worst_s().saturating_add(SLOT_RESERVE_S);
    let need_ms = i64::try_from(need_s.saturating_mul(1000)).unwrap_or(i64::MAX);
    let too_short = approval.devices.iter().flat_map(|device| {
        let slots =
            device.slots.iter().filter(move |slot| slot.end().millis_since(slot.start()) < need_ms);
        slots.map(|slot| (device.id.clone(), *slot))
    });
    let word = language.pick(
        "! this slot is shorter than update, way back and reserve need; the device will wait:",
        "! この適用枠は適用・復帰・予備に必要な時間より短く、機器は待機します:",
    );
    too_short.map(|(id, slot)| format!("{word} {id} {slot} ({need_s} s)")).collect()
}
