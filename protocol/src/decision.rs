//! May this device act on this approval: once for good ([`admit`]), and at this instant ([`decide`]).
//!
//! Both are pure functions over verified documents and what the device observes; agent, simulator
//! and command line call the same ones. Deliberately absent: anything that acts. A server's word
//! stands here only where it can hold a device back.
//! Invariant: [`Decision::Go`] needs a signed slot that contains the instant, a fresh word that the
//! wave is open (unless the approval waives it for wave 0), for every later wave the proof that the
//! device checked itself, and an interlock that says free; anything unknown is a reason to wait.

use crate::approval::{
    Action, Approval, ApprovalState, ApprovedDevice, ApprovedRelease, ClinicalCondition, Need,
    Urgency,
};
use crate::digest::Sha256Digest;
use crate::directive::HoldBy;
use crate::id::{ApprovalId, DeviceId, FamilyId, HardwareId, PersonId, Seq, SiteId, TargetPath};
use crate::image::ImageRef;
use crate::key::PublicKey;
use crate::ledger::SigningMethod;
use crate::limits::OPEN_VALID_S;
use crate::proof::{Partner, Proven, partner_first};
use crate::reason::Reason;
use crate::slot::Slot;
use crate::time::{TimeQuality, Timestamp};
use crate::tuf::custom::{Firmware, Kind, ReleaseState};

/// What a device knows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Site.
    pub site: SiteId,
    /// Id.
    pub device: DeviceId,
    /// Device key.
    pub key: PublicKey,
    /// Family.
    pub family: FamilyId,
    /// Hardware.
    pub hardware: HardwareId,
    /// Installer.
    pub kind: Kind,
    /// What runs; none when it cannot be told.
    pub installed: Option<ImageRef>,
    /// Hard floor of image ranks.
    pub image_floor: Seq,
    /// Highest approval serial acted on.
    pub serial_floor: u64,
    /// Approvals known to be withdrawn.
    pub withdrawn: Vec<ApprovalId>,
    /// What led to an activation already, by [`spent_key`].
    pub spent: Vec<Sha256Digest>,
}

/// An approval and the release it names, both verified by the caller.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// The approval.
    pub approval: &'a Approval,
    /// Digest of its bytes.
    pub approval_sha256: Sha256Digest,
    /// Who signed it, as far as the signatures counted.
    pub signers: &'a [SignedBy],
    /// Weakest signing method that the site root allows.
    pub weakest_allowed: SigningMethod,
    /// The image target that stands under the approval's path in the family repository.
    pub path: &'a TargetPath,
    /// What the manufacturer says of it.
    pub firmware: &'a Firmware,
    /// What the manufacturer says of the installed image, when it is still listed among the family's
    /// targets; only a rollback asks for it.
    pub installed: Option<&'a Firmware>,
}

/// One counted signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// The person named in the site root.
    pub person: PersonId,
    /// How the key signs.
    pub method: SigningMethod,
}

/// The part of an approval that concerns this device, after [`admit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The image.
    pub image: ImageRef,
    /// The approval's digest.
    pub approval_sha256: Sha256Digest,
    /// The approval's name.
    pub approval_id: ApprovalId,
    /// The approval's serial.
    pub serial: u64,
    /// What it permits.
    pub action: Action,
    /// What is spent by the write of no return.
    pub spent_key: Sha256Digest,
    /// Weakest method among the signatures that counted.
    pub weakest_method: SigningMethod,
    /// Wave of this device.
    pub wave: u32,
    /// The partner that must be proven to work again before this device goes.
    pub partner_first: Option<DeviceId>,
    /// Its slots.
    pub slots: Vec<Slot>,
    /// A person must be at the device.
    pub attended: bool,
    /// The approval's end.
    pub valid_until: Timestamp,
    /// Earliest start of the wave.
    pub not_before: Timestamp,
    /// The approval's conditions.
    pub conditions: crate::approval::Conditions,
    /// Signed estimate of the disruptive part with the way back, in seconds.
    pub worst_s: u64,
}

/// Whether an offer concerns this device at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It may be fetched, staged and, at the right moment, activated.
    Admitted(Box<Admitted>),
    /// The image is what runs already.
    Installed,
    /// Not for this device, or not any more.
    Refused(Reason),
}

/// Whether this device may ever act on this offer.
#[must_use]
pub fn admit(own: &Own, offer: &Offer<'_>) -> Admission {
    let entry = match entry_for(own, offer) {
        Ok(entry) => entry,
        Err(reason) => return Admission::Refused(reason),
    };
    if let Err(reason) = same_image(own, offer) {
        return Admission::Refused(reason);
    }
    let running = own.installed.as_ref().map(|image| image.image_sha256);
    if running == Some(offer.firmware.payload.image_sha256) {
        return Admission::Installed;
    }
    let direction = || match offer.approval.action {
        Action::Install | Action::Standing => newer(own, offer.firmware),
        Action::Rollback => older(own, offer),
    };
    let checked = withdrawn_or_spent(own, offer)
        .and_then(|()| signed_well_enough(offer))
        .and_then(|()| direction());
    match checked {
        Ok(()) => Admission::Admitted(Box::new(admitted(offer, entry))),
        Err(reason) => Admission::Refused(reason),
    }
}

/// What an activation under an approval spends: the approval itself; of a standing one, which permits
/// each release once, the approval together with the image.
#[must_use]
pub fn spent_key(
    approval: &Approval,
    approval_sha256: Sha256Digest,
    image_sha256: Sha256Digest,
) -> Sha256Digest {
    match approval.action {
        Action::Install | Action::Rollback => approval_sha256,
        Action::Standing => {
            let both = [approval_sha256.as_bytes().as_slice(), image_sha256.as_bytes()].concat();
            Sha256Digest::of(&both)
        }
    }
}

fn entry_for<'a>(own: &Own, offer: &Offer<'a>) -> Result<&'a ApprovedDevice, Reason> {
    let approval = offer.approval;
    if approval.site != own.site {
        return Err(Reason::ApprovalOtherSite);
    }
    if approval.check().is_err() {
        return Err(Reason::ApprovalMalformed);
    }
    let entry = approval.devices.iter().find(|entry| entry.id == own.device);
    let entry = entry.ok_or(Reason::NoApproval)?;
    if entry.key == own.key { Ok(entry) } else { Err(Reason::ApprovalOtherDevice) }
}

fn same_image(own: &Own, offer: &Offer<'_>) -> Result<(), Reason> {
    let firmware = offer.firmware;
    match (&offer.approval.release, &offer.approval.standing) {
        (Some(release), _) => named(own, release, offer)?,
        (None, Some(policy)) => {
            if firmware.family != own.family {
                return Err(Reason::OtherFamily);
            }
            if !policy.permits(firmware) {
                return Err(Reason::StandingNoMatch);
            }
        }
        (None, None) => return Err(Reason::ApprovalMalformed),
    }
    if !firmware.hw.contains(&own.hardware) {
        return Err(Reason::OtherHardware);
    }
    if firmware.payload.kind == own.kind { Ok(()) } else { Err(Reason::OtherInstaller) }
}

fn named(own: &Own, release: &ApprovedRelease, offer: &Offer<'_>) -> Result<(), Reason> {
    let firmware = offer.firmware;
    if release.family != own.family {
        return Err(Reason::OtherFamily);
    }
    let same = release.path == *offer.path
        && release.family == firmware.family
        && release.seq == firmware.seq
        && release.version == firmware.version
        && release.image_sha256 == firmware.payload.image_sha256
        && release.image_length == firmware.payload.image_length
        && release.dossier_sha256 == firmware.docs.dossier.sha256;
    if same { Ok(()) } else { Err(Reason::ApprovalOtherImage) }
}

fn withdrawn_or_spent(own: &Own, offer: &Offer<'_>) -> Result<(), Reason> {
    let approval = offer.approval;
    if approval.state == ApprovalState::Withdrawn {
        return Err(Reason::ApprovalWithdrawn);
    }
    let key = spent_key(approval, offer.approval_sha256, offer.firmware.payload.image_sha256);
    let replayed = own.withdrawn.contains(&approval.id)
        || own.spent.contains(&key)
        || approval.serial < own.serial_floor;
    if replayed {
        return Err(Reason::ApprovalReplayed);
    }
    match offer.firmware.state {
        ReleaseState::Released => Ok(()),
        ReleaseState::Withdrawn => Err(Reason::ReleaseWithdrawn),
    }
}

fn signed_well_enough(offer: &Offer<'_>) -> Result<(), Reason> {
    let best = offer.signers.iter().map(|signer| signer.method).max();
    if best.is_none_or(|best| best < offer.weakest_allowed) {
        return Err(Reason::ApprovalTooWeak);
    }
    if offer.approval.urgency == Urgency::Emergency {
        let mut persons: Vec<_> = offer.signers.iter().map(|signer| &signer.person).collect();
        persons.sort_unstable();
        persons.dedup();
        if persons.len() < 2 || best != Some(SigningMethod::Offline) {
            return Err(Reason::ApprovalTooWeak);
        }
    }
    Ok(())
}

fn newer(own: &Own, firmware: &Firmware) -> Result<(), Reason> {
    if firmware.seq < own.image_floor {
        return Err(Reason::BelowFloor);
    }
    let installed = own.installed.as_ref().map(|image| image.seq);
    if installed.is_some_and(|installed| firmware.seq <= installed) {
        return Err(Reason::NotNewer);
    }
    if firmware.min_seq > installed.unwrap_or(Seq(0)) {
        return Err(Reason::MustPassThrough);
    }
    Ok(())
}

/// Going back: only from an image whose manufacturer names this older one as still permitted.
fn older(own: &Own, offer: &Offer<'_>) -> Result<(), Reason> {
    let (Some(installed), Some(running)) = (&own.installed, offer.installed) else {
        return Err(Reason::RollbackNotPermitted);
    };
    let seq = offer.firmware.seq;
    let permitted = running.payload.image_sha256 == installed.image_sha256
        && running.family == own.family
        && running.rollback_ok.contains(&seq)
        && seq < installed.seq;
    if !permitted {
        return Err(Reason::RollbackNotPermitted);
    }
    if seq < own.image_floor { Err(Reason::BelowFloor) } else { Ok(()) }
}

fn admitted(offer: &Offer<'_>, entry: &ApprovedDevice) -> Admitted {
    let approval = offer.approval;
    let wave = approval.waves.iter().find(|wave| wave.n == entry.wave);
    Admitted {
        image: offer.firmware.image(),
        approval_sha256: offer.approval_sha256,
        approval_id: approval.id.clone(),
        serial: approval.serial,
        action: approval.action,
        spent_key: spent_key(approval, offer.approval_sha256, offer.firmware.payload.image_sha256),
        weakest_method: offer
            .signers
            .iter()
            .map(|signer| signer.method)
            .min()
            .unwrap_or(SigningMethod::Custodial),
        wave: entry.wave,
        partner_first: partner_first(approval, entry).map(|partner| partner.id.clone()),
        slots: entry.slots.clone(),
        attended: entry.attended || offer.firmware.therapy,
        valid_until: approval.valid_until,
        not_before: wave.map_or(approval.issued, |wave| wave.not_before),
        conditions: approval.conditions.clone(),
        worst_s: offer.firmware.est.worst_s(),
    }
}

/// What the device observes at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// The time, when known.
    pub at: Option<Timestamp>,
    /// How well it is known.
    pub quality: TimeQuality,
    /// Its sources contradict each other.
    pub clock: ClockAgreement,
    /// The freshest word of the server that a wave of this approval is open.
    pub open: Option<Heard>,
    /// What the device checked of the wave's proof.
    pub proof: Option<Proven>,
    /// Holds that stand for this device, as the server told or as the device remembers.
    pub held_by_server: HeldByServer,
    /// Somebody at the device said not now.
    pub held_here: Held,
    /// What the interlock says.
    pub interlock: Interlock,
    /// Worst case of the disruptive part measured on this device times 1.5, in seconds.
    pub own_worst_s: u64,
    /// What is kept free at the end of the slot, in seconds; [`Slot::RESERVE_S`] by default.
    pub reserve_s: u64,
    /// Running from the mains; none when unknown.
    pub mains: Option<bool>,
    /// Battery charge in percent; none when unknown.
    pub battery_percent: Option<u8>,
    /// The image is staged and read back.
    pub staging: Staging,
    /// The ledger has room for an update.
    pub ledger: LedgerRoom,
    /// The person who is at the device and said so.
    pub person: Option<PersonId>,
}

/// Whether the time sources agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockAgreement {
    /// They agree, or there is at most one.
    Agree,
    /// They do not.
    Disagree,
}

/// Whether a hold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// No hold.
    No,
    /// A hold.
    Yes,
}

/// Whose holds stand for a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeldByServer {
    /// Nobody's.
    No,
    /// Only the manufacturer's or the operator's: a hospital's rollback goes on.
    ByOthers,
    /// The hospital's own, or a freeze.
    BySite,
}

impl HeldByServer {
    /// What holds of these people amount to.
    #[must_use]
    pub fn of(holds: impl IntoIterator<Item = HoldBy>) -> Self {
        let each = holds.into_iter().map(|by| match by {
            HoldBy::Site | HoldBy::Freeze => Self::BySite,
            HoldBy::Maker | HoldBy::Operator => Self::ByOthers,
        });
        each.max().unwrap_or(Self::No)
    }

    /// Whether they block an approval of this action.
    #[must_use]
    pub const fn blocks(self, action: Action) -> bool {
        match (self, action) {
            (Self::No, _) | (Self::ByOthers, Action::Rollback) => false,
            (Self::ByOthers, Action::Install | Action::Standing) | (Self::BySite, _) => true,
        }
    }
}

/// Whether the image is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staging {
    /// Not yet.
    Underway,
    /// Staged, read back, equal to the signed digest.
    Ready,
}

/// Whether the ledger can take the entries of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerRoom {
    /// It can.
    Enough,
    /// It is full up to the reserve.
    Full,
}

/// The server's word that a wave is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// For which approval.
    pub approval_sha256: Sha256Digest,
    /// For which image; a word about a standing approval counts only when it says so.
    pub image_sha256: Option<Sha256Digest>,
    /// Which wave.
    pub wave: u32,
    /// Seconds on the boot clock since the question was sent.
    pub age_s: u64,
}

/// What the clinical interlock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interlock {
    /// Free without a break for this many seconds.
    Free {
        /// Seconds.
        for_s: u64,
    },
    /// In use.
    InUse,
    /// No valid answer.
    Silent,
    /// Only a person at the device can say that it is free, and none has.
    NobodyHere,
    /// None is configured.
    Missing,
    /// The device's owner states in its configuration that none is needed, and why.
    NotNeeded,
}

/// Start now, or the reasons why not; the first is the one to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Start, in this slot.
    Go {
        /// The slot that contains the instant.
        slot: Slot,
    },
    /// Wait.
    Wait(Vec<Reason>),
}

/// Whether the disruptive part may start at this instant.
#[must_use]
pub fn decide(admitted: &Admitted, moment: &Moment) -> Decision {
    let mut reasons = Vec::new();
    let mut hold = |blocked: bool, reason: Reason| {
        if blocked {
            reasons.push(reason);
        }
    };
    hold(moment.held_here == Held::Yes, Reason::HeldHere);
    hold(moment.held_by_server.blocks(admitted.action), Reason::HeldByServer);
    hold(moment.staging == Staging::Underway, Reason::NotStagedYet);
    hold(moment.ledger == LedgerRoom::Full, Reason::LedgerFull);
    let slot = open_slot(admitted, moment);
    if let Err(reason) = slot {
        hold(true, reason);
    }
    if let Err(reason) = wave_open(admitted, moment) {
        hold(true, reason);
    }
    if let Some(reason) = interlock(admitted, moment) {
        hold(true, reason);
    }
    hold(admitted.attended && moment.person.is_none(), Reason::NeedsPerson);
    let mains_needed = admitted.conditions.mains == Need::Required;
    hold(mains_needed && moment.mains != Some(true), Reason::MainsUnknown);
    let battery_min = admitted.conditions.battery_min;
    let charged = moment.battery_percent.is_some_and(|percent| percent >= battery_min);
    hold(battery_min > 0 && !charged, Reason::BatteryLow);
    match slot {
        Ok(slot) if reasons.is_empty() => Decision::Go { slot },
        Ok(_) | Err(_) => Decision::Wait(reasons),
    }
}

fn open_slot(admitted: &Admitted, moment: &Moment) -> Result<Slot, Reason> {
    if moment.clock == ClockAgreement::Disagree {
        return Err(Reason::ClockDisagrees);
    }
    let at = moment.at.ok_or(Reason::ClockUnknown)?;
    if moment.quality == TimeQuality::Unknown {
        return Err(Reason::ClockUnknown);
    }
    if !admitted.conditions.time.met_by(moment.quality) {
        return Err(Reason::ClockNotAttested);
    }
    if at >= admitted.valid_until {
        return Err(Reason::ApprovalOver);
    }
    let Some(slot) = admitted.slots.iter().find(|slot| slot.contains(at)) else {
        let over = admitted.slots.iter().all(|slot| slot.end() <= at);
        return Err(if over { Reason::SlotsOver } else { Reason::SlotNotOpen });
    };
    let worst_s = admitted.worst_s.max(moment.own_worst_s);
    if slot.fits(at, worst_s, moment.reserve_s) { Ok(*slot) } else { Err(Reason::SlotTooShort) }
}

fn wave_open(admitted: &Admitted, moment: &Moment) -> Result<(), Reason> {
    if moment.at.is_some_and(|at| at < admitted.not_before) {
        return Err(Reason::WaveNotOpen);
    }
    let waived = admitted.conditions.offline_ok && admitted.wave == 0;
    if !waived && !moment.open.is_some_and(|heard| about(admitted, &heard)) {
        return Err(Reason::WaveNotOpen);
    }
    let proof = moment.proof.filter(|proof| {
        proof.rollout().approval_sha256 == admitted.approval_sha256
            && proof.rollout().image_sha256 == admitted.image.image_sha256
            && proof.wave() == admitted.wave
    });
    if admitted.wave > 0 {
        let proof = proof.ok_or(Reason::WaveUnproven)?;
        if moment.at.is_none_or(|at| at < proof.soaked_from()) {
            return Err(Reason::WaveNotOpen);
        }
    }
    let partner = proof.map(|proof| proof.partner());
    if admitted.partner_first.is_some() && partner != Some(Partner::Committed) {
        return Err(Reason::PartnerUnproven);
    }
    Ok(())
}

fn about(admitted: &Admitted, heard: &Heard) -> bool {
    let image = match (heard.image_sha256, admitted.action) {
        (Some(image), _) => image == admitted.image.image_sha256,
        (None, Action::Install | Action::Rollback) => true,
        (None, Action::Standing) => false,
    };
    image
        && heard.approval_sha256 == admitted.approval_sha256
        && heard.wave == admitted.wave
        && heard.age_s <= u64::from(OPEN_VALID_S)
}

fn interlock(admitted: &Admitted, moment: &Moment) -> Option<Reason> {
    let ClinicalCondition::Idle = admitted.conditions.clinical_state;
    match moment.interlock {
        Interlock::Free { for_s } if for_s >= admitted.conditions.settle_s => None,
        Interlock::Free { .. } => Some(Reason::Settling),
        Interlock::InUse => Some(Reason::InUse),
        Interlock::Silent => Some(Reason::InterlockSilent),
        Interlock::NobodyHere => Some(Reason::NeedsPerson),
        Interlock::Missing => Some(Reason::InterlockMissing),
        Interlock::NotNeeded => None,
    }
}
