//! What `status` and `why` show: a picture that the running agent leaves in its state folder.
//!
//! The shape of the JSON is stable: fields are added, never renamed. Not here: printing.

use crate::driver::device::Device;
use crate::edge::Clock as _;
use crate::holds::{Memory, concerns};
use crate::journal::{Brought, write_durably};
use crate::ledger::Room;
use crate::outbox::Outbox;
use crate::permit::conditions::{Found, Met};
use crate::permit::interlock::clinical_state;
use crate::stage::windows::Progress;
use patchward_protocol::approval::{Conditions, Need};
use patchward_protocol::clinical::{AppId, Why};
use patchward_protocol::decision::{ClockAgreement, Held};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::directive::HoldNotice;
use patchward_protocol::id::{ApprovalId, DeviceId, FamilyId, LedgerId, PersonId, SiteId, Version};
use patchward_protocol::image::ImageRef;
use patchward_protocol::key::Signer as _;
use patchward_protocol::ledger::{ClinicalState, SigningMethod};
use patchward_protocol::reason::Reason;
use patchward_protocol::slot::Slot;
use patchward_protocol::time::{TimeQuality, Timestamp};
use patchward_protocol::tuf::schema::Part as _;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// A picture of the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Shape; this code writes 1.
    pub v: u32,
    /// Version of the agent.
    pub agent_version: String,
    /// Site.
    pub site: SiteId,
    /// Device.
    pub device: DeviceId,
    /// Family.
    pub family: FamilyId,
    /// What people compare: the fingerprint of the device key.
    pub fingerprint: String,
    /// The device key.
    pub device_key: String,
    /// State of the update.
    pub state: String,
    /// Why it waits or failed.
    pub reason: Option<Reason>,
    /// Every reason of the gate's last word.
    pub reasons: Vec<Reason>,
    /// The image that runs; none when it cannot be told.
    pub installed: Option<ImageRef>,
    /// The image that is wanted.
    pub wanted: Option<ImageRef>,
    /// The approval that permits it.
    pub approval: Option<ShownApproval>,
    /// The time.
    pub time: ShownTime,
    /// A hold at the device.
    pub held_here: bool,
    /// A deferral at the device.
    #[serde(default)]
    pub deferred: Option<ShownUntil>,
    /// The person who is at the device.
    #[serde(default)]
    pub present: Option<ShownUntil>,
    /// The clinical interlock.
    #[serde(default)]
    pub interlock: ShownInterlock,
    /// What else must hold on this device.
    #[serde(default)]
    pub conditions: Vec<ShownCondition>,
    /// A hold that the server passed on.
    pub held_by_server: bool,
    /// Those holds, with what was remembered of earlier ones.
    #[serde(default)]
    pub holds: Vec<ShownHold>,
    /// How the image that was last staged came.
    #[serde(default)]
    pub brought: Option<Brought>,
    /// How far fetching is, while an image is fetched; read when it is shown.
    #[serde(default)]
    pub staging: Option<Progress>,
    /// The open or next slot of what is wanted.
    #[serde(default)]
    pub slot: Option<Slot>,
    /// What the device has seen of its site's record.
    #[serde(default)]
    pub record: Option<ShownRecord>,
    /// The server.
    pub server: ShownServer,
    /// The ledger.
    pub ledger: ShownLedger,
    /// Versions of what is trusted.
    pub trusted: ShownTrust,
    /// What was refused of the approvals that name this device.
    pub refused: Vec<ShownRefusal>,
    /// Boot in which this was written.
    pub boot_id: String,
    /// When, on the boot clock.
    pub boot_ms: u64,
    /// Network code and installer share one process.
    pub one_process: bool,
}

/// A word of a person, with its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownUntil {
    /// Who; none when it cannot be read.
    pub by: Option<PersonId>,
    /// Its end on the boot clock, in milliseconds.
    pub until_boot_ms: u64,
}

/// The clinical interlock.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ShownInterlock {
    /// What it last said to an update that waits.
    pub said: Option<ClinicalState>,
    /// In more words, in English.
    pub detail: String,
    /// What each application on the clinical socket says.
    pub apps: Vec<ShownApp>,
}

/// An application on the clinical socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownApp {
    /// Its name.
    pub app: AppId,
    /// Its version, while it is connected.
    pub version: Option<Version>,
    /// `idle`, `ready`, `busy`, `refused`, `silent` or `absent`.
    pub said: String,
    /// Its own words.
    pub why: Option<Why>,
}

/// A condition of this device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownCondition {
    /// What is told when it is not met.
    pub reason: Reason,
    /// Whether an update waits for it.
    pub need: Need,
    /// Whether it is met.
    pub met: Met,
    /// What was found.
    pub value: String,
}

/// A hold that stands for this device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownHold {
    /// The hold, as the server told it.
    #[serde(flatten)]
    pub notice: HoldNotice,
    /// The server does not tell it any more; only a signed act of the hospital lifts it.
    pub only_remembered: bool,
}

/// What this device has seen of its site's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownRecord {
    /// How many entries it had.
    pub size: u64,
    /// The root over them.
    pub root: Sha256Digest,
    /// The server once showed another record; the evidence is kept in the state folder.
    pub contradicted: Option<Reason>,
}

/// The approval at hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownApproval {
    /// Its name.
    pub id: ApprovalId,
    /// Digest of its bytes.
    pub sha256: Sha256Digest,
    /// What people compare.
    pub fingerprint: String,
    /// Weakest method among the signatures that counted.
    pub weakest_method: SigningMethod,
    /// Its end.
    pub valid_until: Option<Timestamp>,
    /// The slots of this device.
    pub slots: Vec<Slot>,
    /// Its conditions.
    pub conditions: Option<Conditions>,
}

/// The time, as the device knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownTime {
    /// The time.
    pub utc: Option<Timestamp>,
    /// How well it is known.
    pub quality: TimeQuality,
    /// The sources contradict each other.
    pub disagrees: bool,
}

/// The server, as the device sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownServer {
    /// Its address.
    pub url: String,
    /// Why the last contact failed.
    pub failed: Option<Reason>,
    /// It was reached since the agent started.
    pub reached: bool,
}

/// The ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownLedger {
    /// Its name.
    pub id: LedgerId,
    /// Last entry.
    pub seq: u64,
    /// Last entry that a receipt covers.
    pub receipted_seq: u64,
    /// Only the reserve is left.
    pub full: bool,
}

/// Versions of what is trusted; none before the first whole refresh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownTrust {
    /// Targets of the site.
    pub site_targets: Option<u64>,
    /// Targets of the family.
    pub family_targets: Option<u64>,
    /// When the first document of either expires.
    pub expires: Option<Timestamp>,
}

/// An approval that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownRefusal {
    /// Its name.
    pub approval: ApprovalId,
    /// Why.
    pub reason: Reason,
}

impl Status {
    /// The picture now.
    #[must_use]
    pub fn of(device: &mut Device, boot_id: &str, outbox: &Outbox) -> Self {
        let slot = device.next_slot();
        let holds = holds(device);
        let (judged, boot_ms) = (device.judged(), device.clock.boot_ms());
        let state = device.known.journal.state.clone();
        let goal = state.goal();
        let waits = matches!(state.name(), "staged" | "holding");
        Self {
            v: 1,
            agent_version: crate::driver::contact::AGENT_VERSION.to_owned(),
            site: device.membership.site.clone(),
            device: device.membership.device.clone(),
            family: device.config.identity.family.clone(),
            fingerprint: device.keys.device.public().fingerprint(),
            device_key: device.keys.device.public().to_string(),
            state: state.name().to_owned(),
            reason: state.reason(),
            reasons: if waits { device.reasons.clone() } else { Vec::new() },
            installed: device.known.running.clone(),
            wanted: goal.map(|goal| goal.image.clone()),
            approval: goal.map(|goal| shown(device, goal)),
            time: ShownTime {
                utc: judged.utc,
                quality: judged.quality,
                disagrees: judged.agreement == ClockAgreement::Disagree,
            },
            held_here: device.held_here() == Held::Yes,
            deferred: device.local.deferral(boot_ms).map(|deferral| ShownUntil {
                by: deferral.by,
                until_boot_ms: deferral.until_boot_ms,
            }),
            present: device.local.present(boot_ms).map(|present| ShownUntil {
                by: Some(present.by),
                until_boot_ms: present.until_boot_ms,
            }),
            interlock: interlock(device),
            conditions: device.conditions.iter().map(condition).collect(),
            held_by_server: !holds.is_empty() || device.holds.memory() == Memory::Unreadable,
            holds,
            brought: device.known.journal.brought.clone(),
            staging: None,
            slot,
            record: record(outbox),
            server: ShownServer {
                url: device.membership.url.clone(),
                failed: device.contact_failed,
                reached: device.word.is_some(),
            },
            ledger: ShownLedger {
                id: device.keys.ledger_id,
                seq: device.known.ledger_seq,
                receipted_seq: outbox.receipted_seq(),
                full: device.known.room == Room::Full,
            },
            trusted: trusted(device),
            refused: device
                .offers
                .refused
                .iter()
                .map(|(id, refusal)| ShownRefusal { approval: id.clone(), reason: refusal.reason })
                .collect(),
            boot_id: boot_id.to_owned(),
            boot_ms,
            one_process: true,
        }
    }

    /// Whether another picture says the same, the passing of time aside.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let still = |status: &Self| {
            let mut status = status.clone();
            status.boot_ms = 0;
            status.time.utc = None;
            for condition in &mut status.conditions {
                condition.value.clear();
            }
            status
        };
        still(self) == still(other)
    }

    /// Leaves the picture in a file.
    ///
    /// # Errors
    /// What the disk says.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        write_durably(path, &serde_json::to_vec_pretty(self).map_err(io::Error::other)?)
    }

    /// The last picture; none when the agent never ran.
    ///
    /// # Errors
    /// What the disk says, also when the file does not read.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn shown(device: &Device, goal: &crate::machine::state::Goal) -> ShownApproval {
    let admitted = device.offers.of(goal).map(|offered| &offered.admitted);
    ShownApproval {
        id: goal.approval.id.clone(),
        sha256: goal.approval.sha256,
        fingerprint: goal.approval.sha256.fingerprint(),
        weakest_method: goal.approval.weakest_method,
        valid_until: admitted.map(|admitted| admitted.valid_until),
        slots: admitted.map(|admitted| admitted.slots.clone()).unwrap_or_default(),
        conditions: admitted.map(|admitted| admitted.conditions.clone()),
    }
}

fn interlock(device: &Device) -> ShownInterlock {
    let last = device.interlock.last_said();
    let apps = last.apps.into_iter().map(|shown| ShownApp {
        app: shown.app,
        version: shown.version,
        said: shown.said.to_owned(),
        why: shown.why,
    });
    let said = last.heard.map(clinical_state);
    ShownInterlock { said, detail: last.detail, apps: apps.collect() }
}

fn condition(found: &Found) -> ShownCondition {
    let Found { reason, need, met, value } = found.clone();
    ShownCondition { reason, need, met, value }
}

fn holds(device: &Device) -> Vec<ShownHold> {
    let wanted = device.known.journal.state.goal().map(|goal| &goal.image);
    let concerning = |hold: &&HoldNotice| concerns(hold, &device.membership.device, wanted);
    let shown = device.holds.standing().filter(concerning).map(|hold| ShownHold {
        notice: hold.clone(),
        only_remembered: device.holds.is_only_remembered(hold),
    });
    shown.collect()
}

fn record(outbox: &Outbox) -> Option<ShownRecord> {
    let witness = outbox.witness();
    let contradicted = witness.split().map(|split| split.reason);
    witness.seen().map(|seen| ShownRecord { size: seen.size, root: seen.root, contradicted })
}

fn trusted(device: &Device) -> ShownTrust {
    let (site, family) = (device.site.set(), device.family.set());
    let version = |set: &patchward_protocol::tuf::trusted_set::TrustedSet| {
        set.targets().map(|document| document.signed.version())
    };
    let expires = [site, family].into_iter().flatten().map(|set| set.expires()).min();
    ShownTrust {
        site_targets: site.and_then(version),
        family_targets: family.and_then(version),
        expires,
    }
}
