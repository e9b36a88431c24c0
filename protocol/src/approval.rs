//! An approval: the hospital's signed plan for one release, or its way back.
//!
//! It is a target of the site repository (`approval/…`), so that version order, expiry, threshold
//! and replay protection come from TUF. Who signed, and in which words, stands in the signed acts
//! beside it. Unknown fields, actions and conditions are refused: unknown means no.
//! Invariant: a value made by [`Approval::read`] has passed [`Approval::check`].

use crate::canonical::{self, Charset, ReadJson};
use crate::digest::Sha256Digest;
use crate::id::{ApprovalId, DeviceId, FamilyId, Seq, SiteId, TargetPath, Version};
use crate::image::ImageRef;
use crate::key::PublicKey;
use crate::limits::{
    APPROVAL_BYTES_MAX, APPROVAL_DEVICES_MAX, EMERGENCY_LIFE_S_MAX, ROUTINE_LIFE_S_MAX,
    SLOTS_PER_DEVICE_MAX, STANDING_LIFE_S_MAX, STANDING_SLOTS_PER_DEVICE_MAX, WAVES_MAX,
};
use crate::slot::Slot;
use crate::time::{TimeQuality, Timestamp};
use crate::tuf::custom::{Class, Firmware, Severity};
use crate::verified::Verified;
use serde::{Deserialize, Serialize};

/// An approval as it is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Schema version; this code knows 1.
    pub v: u32,
    /// Its name within the site.
    pub id: ApprovalId,
    /// The site whose repository it stands in.
    pub site: SiteId,
    /// Rises with every approval of the site; a device never goes back below the highest it acted on.
    pub serial: u64,
    /// When it was drawn up.
    pub issued: Timestamp,
    /// After this instant it permits nothing.
    pub valid_until: Timestamp,
    /// What it permits.
    pub action: Action,
    /// How pressing it is; bounds its life.
    pub urgency: Urgency,
    /// In force, or withdrawn and listed until `valid_until`.
    pub state: ApprovalState,
    /// The image it permits, and the dossier that was read; none in a standing approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ApprovedRelease>,
    /// Which releases it permits, in a standing approval; none in every other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<StandingPolicy>,
    /// The devices, each with its own slots.
    pub devices: Vec<ApprovedDevice>,
    /// What must hold on the device.
    pub conditions: Conditions,
    /// The order in which groups of devices go.
    pub waves: Vec<Wave>,
    /// When the rollout halts by itself.
    pub gates: Gates,
    /// What may be gone back to, and how.
    pub rollback: RollbackTerms,
    /// IANA zone in which people read the slots, e.g. `Asia/Tokyo`.
    pub tz: String,
    /// The approval that this one replaces.
    pub supersedes: Option<ApprovalId>,
    /// Snapshot of the family repository that an offline bundle carries.
    pub snapshot: Option<SnapshotRef>,
}

/// What an approval permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Install a newer image.
    Install,
    /// Go back to an older one that the manufacturer still permits.
    Rollback,
    /// A policy signed once.
    Standing,
}

/// How pressing an approval is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    /// Lives at most 30 days (standing: 90).
    Routine,
    /// Lives at most 24 hours, keys of two persons.
    Emergency,
}

/// Whether an approval is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalState {
    /// In force.
    Active,
    /// Taken back; devices remember its id.
    Withdrawn,
}

/// The image that an approval names, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovedRelease {
    /// Device family.
    pub family: FamilyId,
    /// Version for people; never compared.
    pub version: Version,
    /// Rank.
    pub seq: Seq,
    /// Digest of what stands in the slot.
    pub image_sha256: Sha256Digest,
    /// Where the image stands among the family's targets.
    pub path: TargetPath,
    /// Its length in bytes.
    pub image_length: u64,
    /// The dossier that was read before signing.
    pub dossier_sha256: Sha256Digest,
}

/// Which releases a standing approval permits. A device compares it with what the manufacturer
/// signed of a release; what is not named is not permitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandingPolicy {
    /// Families, 1 to 64.
    pub families: Vec<FamilyId>,
    /// Kinds of change, at least one.
    pub classes: Vec<Class>,
    /// Least severity of what the release closes.
    pub severity_min: Severity,
    /// What counts when a hole is known to be exploited.
    pub known_exploited: KnownExploited,
}

/// What counts when a release closes a hole that is known to be exploited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KnownExploited {
    /// The severity, as for every other.
    BySeverity,
    /// It is permitted whatever its severity.
    Always,
}

impl StandingPolicy {
    /// Whether the policy permits what the manufacturer says of a release.
    #[must_use]
    pub fn permits(&self, firmware: &Firmware) -> bool {
        let exploited = firmware.known_exploited && self.known_exploited == KnownExploited::Always;
        self.families.contains(&firmware.family)
            && self.classes.contains(&firmware.class)
            && (exploited || firmware.severity >= self.severity_min)
    }
}

impl ApprovedRelease {
    /// The image, as ledgers and reports name it.
    #[must_use]
    pub fn image(&self) -> ImageRef {
        ImageRef {
            family: self.family.clone(),
            version: self.version.clone(),
            seq: self.seq,
            image_sha256: self.image_sha256,
        }
    }
}

/// One device of an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovedDevice {
    /// Its id.
    pub id: DeviceId,
    /// Its device key: an approval is for this very device, not for another with its name.
    pub key: PublicKey,
    /// Its wave.
    pub wave: u32,
    /// One to eight alternative slots (standing: 32), in order of time, not overlapping.
    pub slots: Vec<Slot>,
    /// A person must be at the device.
    pub attended: bool,
    /// The partner that must be working when this one is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<DeviceId>,
}

/// What must hold on the device when it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    /// What the interlock must say.
    pub clinical_state: ClinicalCondition,
    /// How long the device must have been free without a break, in seconds.
    pub settle_s: u64,
    /// Whether it must run from the mains.
    pub mains: Need,
    /// Least battery charge in percent; 0 asks for nothing.
    pub battery_min: u8,
    /// A person must release the device after the update even where the manufacturer asks for none.
    pub acceptance: Need,
    /// How well the device must know the time.
    pub time: NeededTime,
    /// It may act without having reached the server shortly before.
    pub offline_ok: bool,
}

/// What the interlock must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClinicalCondition {
    /// Not in use on a patient.
    Idle,
}

/// Whether something is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// It must hold; unknown counts as not.
    Required,
    /// It is recorded and does not hold anything up.
    Advisory,
}

/// How well the device must know the time before a slot counts as open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NeededTime {
    /// Two independent sources agree.
    Attested,
    /// One source is enough.
    Plausible,
}

/// One wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wave {
    /// Its number; waves are listed as 0, 1, 2, …
    pub n: u32,
    /// It does not open before.
    pub not_before: Timestamp,
    /// How long it is watched after its last device, in seconds.
    pub soak_s: u64,
    /// How many devices of the wave before must have been updated.
    pub min_updated: u32,
    /// How many hours of clinical use those must have seen.
    pub min_clinical_use_h: u32,
}

/// When a rollout halts by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gates {
    /// Failures allowed per wave, in thousandths; the last value holds for all later waves.
    pub halt_permille: Vec<u32>,
    /// A device silent this long after activation counts as failed, in seconds.
    pub silent_after_s: u64,
}

/// What may be gone back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollbackTerms {
    /// The device goes back by itself when its health checks fail.
    pub automatic: bool,
    /// Ranks that it may go back to.
    pub to: Vec<Seq>,
}

/// A version of the family's snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotRef {
    /// Its version.
    pub version: u64,
    /// Its digest.
    pub sha256: Sha256Digest,
}

/// Why an approval was refused.
#[derive(Debug, thiserror::Error)]
pub enum BadApproval {
    /// Not strict JSON of this shape.
    #[error("the approval cannot be read")]
    Read(#[source] ReadJson),
    /// A field breaks a rule.
    #[error("approval field {field}: {rule}")]
    Rule {
        /// Dotted name of the field.
        field: &'static str,
        /// What it must be.
        rule: &'static str,
    },
}

impl Approval {
    /// Reads and checks an approval. Its signature is checked by TUF, not here.
    ///
    /// # Errors
    /// [`BadApproval`] with the first rule that it breaks.
    pub fn read(bytes: &[u8]) -> Result<Self, BadApproval> {
        let approval: Self = canonical::read(bytes, APPROVAL_BYTES_MAX, Charset::Ascii)
            .map_err(BadApproval::Read)?;
        approval.check()?;
        Ok(approval)
    }

    /// Reads and checks an approval whose bytes were verified; the proof goes on to the value.
    ///
    /// # Errors
    /// [`BadApproval`] with the first rule that it breaks.
    pub fn read_verified(bytes: Verified<Vec<u8>>) -> Result<Verified<Self>, BadApproval> {
        bytes.try_map(|bytes| Self::read(&bytes))
    }

    /// The bytes that become the target file.
    ///
    /// # Errors
    /// [`BadApproval`] when it breaks a rule.
    pub fn write(&self) -> Result<Vec<u8>, BadApproval> {
        self.check()?;
        let bad = |error| BadApproval::Read(ReadJson::Shape(error));
        canonical::write(self).map_err(bad)
    }

    /// Checks what types cannot say.
    ///
    /// # Errors
    /// [`BadApproval::Rule`] with the first field that breaks a rule.
    pub fn check(&self) -> Result<(), BadApproval> {
        must(self.v == 1, "v", "this software knows version 1 only")?;
        must(self.serial > 0, "serial", "at least 1")?;
        let life_ms = self.valid_until.millis_since(self.issued);
        must(life_ms > 0, "valid_until", "later than issued")?;
        must(life_ms <= self.life_s_max() * 1000, "valid_until", self.life_rule())?;
        must(self.conditions.battery_min <= 100, "conditions.battery_min", "0 to 100 percent")?;
        must(!self.tz.is_empty() && self.tz.len() <= 64, "tz", "an IANA zone name")?;
        self.check_subject()?;
        self.check_waves()?;
        self.check_devices()
    }

    /// The families whose devices it may concern.
    #[must_use]
    pub fn families(&self) -> Vec<&FamilyId> {
        let named = self.release.iter().map(|release| &release.family);
        named.chain(self.standing.iter().flat_map(|policy| &policy.families)).collect()
    }

    /// Most alternative slots of one device.
    #[must_use]
    pub const fn slots_max(&self) -> usize {
        match self.action {
            Action::Install | Action::Rollback => SLOTS_PER_DEVICE_MAX,
            Action::Standing => STANDING_SLOTS_PER_DEVICE_MAX,
        }
    }

    fn check_subject(&self) -> Result<(), BadApproval> {
        let standing = self.action == Action::Standing;
        must(
            self.release.is_some() != standing,
            "release",
            "named, except in a standing approval",
        )?;
        must(self.standing.is_some() == standing, "standing", "in a standing approval only")?;
        let Some(policy) = &self.standing else { return Ok(()) };
        must((1..=64).contains(&policy.families.len()), "standing.families", "1 to 64 families")?;
        must(!policy.classes.is_empty(), "standing.classes", "at least one")?;
        must(self.urgency == Urgency::Routine, "urgency", "a standing approval is routine")
    }

    /// The entry for a device, by id and key together.
    #[must_use]
    pub fn device(&self, id: &DeviceId, key: &PublicKey) -> Option<&ApprovedDevice> {
        self.devices.iter().find(|device| device.id == *id && device.key == *key)
    }

    /// Most seconds between `issued` and `valid_until`; the device enforces it too.
    #[must_use]
    pub const fn life_s_max(&self) -> i64 {
        match (self.urgency, self.action) {
            (Urgency::Emergency, _) => EMERGENCY_LIFE_S_MAX,
            (Urgency::Routine, Action::Standing) => STANDING_LIFE_S_MAX,
            (Urgency::Routine, Action::Install | Action::Rollback) => ROUTINE_LIFE_S_MAX,
        }
    }

    const fn life_rule(&self) -> &'static str {
        match (self.urgency, self.action) {
            (Urgency::Emergency, _) => "at most 24 hours after issued (emergency)",
            (Urgency::Routine, Action::Standing) => "at most 90 days after issued (standing)",
            (Urgency::Routine, _) => "at most 30 days after issued (routine)",
        }
    }

    fn check_waves(&self) -> Result<(), BadApproval> {
        let count = self.waves.len();
        must((1..=WAVES_MAX).contains(&count), "waves", "1 to 32 waves")?;
        let numbered = self.waves.iter().zip(0_u32..).all(|(wave, n)| wave.n == n);
        must(numbered, "waves.n", "numbered 0, 1, 2, … in order")?;
        // A wave that asks nothing of the one before would open on the server's word alone.
        let proven = self.waves.iter().skip(1).all(|wave| wave.min_updated > 0);
        must(proven, "waves.min_updated", "at least 1 device of the wave before, after wave 0")?;
        let permille = &self.gates.halt_permille;
        must(
            !permille.is_empty() && permille.len() <= WAVES_MAX,
            "gates.halt_permille",
            "1 to 32 values",
        )?;
        must(permille.iter().all(|p| *p <= 1000), "gates.halt_permille", "each 0 to 1000")
    }

    fn check_devices(&self) -> Result<(), BadApproval> {
        let count = self.devices.len();
        must((1..=APPROVAL_DEVICES_MAX).contains(&count), "devices", "1 to 2000 devices")?;
        let mut ids: Vec<_> = self.devices.iter().map(|device| &device.id).collect();
        ids.sort_unstable();
        ids.dedup();
        must(ids.len() == count, "devices.id", "each device once")?;
        let mut keys: Vec<_> = self.devices.iter().map(|device| device.key).collect();
        keys.sort_unstable();
        keys.dedup();
        must(keys.len() == count, "devices.key", "each device key once")?;
        self.devices.iter().try_for_each(|device| self.check_device(device))
    }

    fn check_device(&self, device: &ApprovedDevice) -> Result<(), BadApproval> {
        let wave = usize::try_from(device.wave).unwrap_or(usize::MAX);
        must(wave < self.waves.len(), "devices.wave", "one of the waves")?;
        let count = device.slots.len();
        let rule = "1 to 8 slots (standing: 1 to 32)";
        must((1..=self.slots_max()).contains(&count), "devices.slots", rule)?;
        let apart = device.slots.iter().zip(device.slots.iter().skip(1));
        must(
            apart.clone().all(|(a, b)| a.end() <= b.start()),
            "devices.slots",
            "in order, not overlapping",
        )?;
        let inside = |slot: &Slot| slot.end() <= self.valid_until;
        must(device.slots.iter().all(inside), "devices.slots", "all end by valid_until")
    }
}

impl NeededTime {
    /// Whether time of this quality is good enough.
    #[must_use]
    pub const fn met_by(self, quality: TimeQuality) -> bool {
        match (self, quality) {
            (_, TimeQuality::Unknown) | (Self::Attested, TimeQuality::Plausible) => false,
            (_, TimeQuality::Attested) | (Self::Plausible, TimeQuality::Plausible) => true,
        }
    }
}

const fn must(holds: bool, field: &'static str, rule: &'static str) -> Result<(), BadApproval> {
    if holds { Ok(()) } else { Err(BadApproval::Rule { field, rule }) }
}
