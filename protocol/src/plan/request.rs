//! What the planner is asked: facts, rules and hours as values.
//!
//! The words that planner and checker share; neither reads the other's code. Not here: where the
//! values come from ([`super::Ask`]). Invariant: none; the checker judges what is made of it.

use crate::approval::Urgency;
use crate::id::{DeviceId, FamilyId, KindId, WardId};
use crate::inventory::{Attendance, Freeze, FreezeScope, Hardness, MinInService, SiteRules, Usage};
use crate::key::PublicKey;
use crate::slot::Slot;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::api::site::Management;

/// Alternative slots of a device unless somebody says otherwise.
pub const ALTERNATIVES: usize = 3;
/// Time kept in a slot for waiting until the device is free, unless somebody says otherwise, in seconds.
pub const WAIT_S: u64 = 1800;
/// Of that time, what is kept even where room is scarce, in seconds: a device that asks once a minute
/// and must have been free for a while never begins in the first second of a slot.
pub const START_S: u64 = 300;

/// What is to be planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Families of the release, or of the policy of a standing approval.
    pub families: Vec<FamilyId>,
    /// Seconds that the update needs with the way back and the reserve: no slot may be shorter.
    pub need_s: u64,
    /// Seconds kept in a slot beyond that, where there is room, for waiting until the device is free.
    pub wait_s: u64,
    /// Whether the release itself asks for a person at every device.
    pub attended: Attendance,
    /// Routine or emergency.
    pub urgency: Urgency,
    /// Whether usual windows and soft freezes count; only an emergency may skip them.
    pub hours: Hours,
    /// Slots wanted for each device, 1 to 8 (standing: 32).
    pub alternatives: usize,
    /// No slot starts before.
    pub now: Timestamp,
    /// No slot ends later.
    pub until: Timestamp,
    /// All devices of the site, those that nobody wants to update, too: they count in their ward.
    pub devices: Vec<Candidate>,
    /// Devices that are to be updated and stand in no inventory: listed with that reason.
    pub strangers: Vec<DeviceId>,
    /// Rules and hours of each ward, and of devices that stand in none.
    pub wards: Vec<WardRules>,
    /// Rules of the site.
    pub rules: SiteRules,
    /// Periods without changes.
    pub freezes: Vec<Freeze>,
    /// Slots that other approvals in force gave.
    pub busy: Vec<Busy>,
}

/// Whether usual windows and soft freezes count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hours {
    /// They count.
    Usual,
    /// Any hour that no hard freeze forbids; heeded in an emergency only.
    Any,
}

/// A device as the planner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: DeviceId,
    /// Its device key; none when it has not enrolled.
    pub key: Option<PublicKey>,
    /// Where it stands.
    pub ward: Option<WardId>,
    /// What its ward counts it as.
    pub kind: KindId,
    /// Its partner.
    pub pair: Option<DeviceId>,
    /// What it is there for.
    pub usage: Usage,
    /// Whether a person must be at it, as its hospital says.
    pub attended: Attendance,
    /// How it is looked after.
    pub management: Management,
    /// Its family; none when nobody knows.
    pub family: Option<FamilyId>,
    /// Whether it works now.
    pub availability: Availability,
    /// Whether it is to be updated.
    pub wish: Wish,
}

/// Whether a device works now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Availability {
    /// It does.
    Working,
    /// It is broken, lost or away, and counts for nobody.
    OutOfService,
}

/// Whether a device is to be updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wish {
    /// It gets slots, or a reason why not.
    Update,
    /// It only counts in its ward.
    Leave,
}

/// Rules and hours of a ward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WardRules {
    /// The ward; none for devices that stand in no ward.
    pub id: Option<WardId>,
    /// How many devices of a kind must stay in service.
    pub min_in_service: Vec<MinInService>,
    /// Most devices that are updated at once.
    pub max_parallel: Option<u32>,
    /// Its windows as slots, in order, disjoint.
    pub windows: Vec<Slot>,
    /// When staff is there, in order, disjoint.
    pub staff: Vec<Slot>,
}

/// A slot that another approval in force gave to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Busy {
    /// The device.
    pub device: DeviceId,
    /// The slot.
    pub slot: Slot,
}

impl Request {
    /// Whether usual windows and soft freezes are skipped.
    #[must_use]
    pub fn skips_windows(&self) -> bool {
        self.urgency == Urgency::Emergency && self.hours == Hours::Any
    }

    /// Seconds of the shortest slot that is planned: the need, with a little time to begin.
    #[must_use]
    pub fn shortest_s(&self) -> u64 {
        self.need_s.saturating_add(self.wait_s.min(START_S))
    }

    /// Whether a freeze stands against this device.
    #[must_use]
    pub fn freezes(&self, freeze: &Freeze, device: &Candidate) -> bool {
        let heeded = freeze.hardness == Hardness::Hard || !self.skips_windows();
        heeded
            && match &freeze.scope {
                FreezeScope::Site {} => true,
                FreezeScope::Ward { ward } => device.ward.as_ref() == Some(ward),
                FreezeScope::Family { family } => device.family.as_ref() == Some(family),
                FreezeScope::Kind { equipment } => device.kind == *equipment,
            }
    }

    /// Whether the release is for this device, it is wanted there, and it has an agent with a key.
    #[must_use]
    pub fn concerns(&self, device: &Candidate) -> bool {
        device.wish == Wish::Update
            && device.management == Management::Agent
            && device.key.is_some()
            && device.family.as_ref().is_some_and(|family| self.families.contains(family))
    }

    /// Whether a person must be at this device for this update.
    #[must_use]
    pub fn needs_person(&self, device: &Candidate) -> bool {
        self.attended == Attendance::Attended || device.attended == Attendance::Attended
    }
}

impl Candidate {
    /// Whether its ward counts on it now.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.usage != Usage::Bench && self.availability == Availability::Working
    }
}

impl WardRules {
    /// How many devices of a kind must stay in service.
    #[must_use]
    pub fn min_of(&self, kind: &KindId) -> u32 {
        let found = self.min_in_service.iter().find(|min| min.kind == *kind);
        found.map_or(0, |min| min.count)
    }
}
