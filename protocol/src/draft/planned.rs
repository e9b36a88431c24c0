//! What is known of a hospital, what somebody wants of it, and the plan that comes of it.
//!
//! Not here: planning itself ([`crate::plan`](mod@crate::plan)), judging ([`super::rules`]), drawing up ([`super::draw`]).
//! Invariant: every device of the family is planned, listed with a reason, or counted as left out.

use super::back;
use super::error::BadDraft;
use super::left_out::{Left, LeftOut};
use crate::api::site::{DeviceView, Management};
use crate::approval::{Approval, ApprovalState, Urgency};
use crate::id::{ApprovalId, DeviceId, SiteId, WardId};
use crate::inventory::{Attendance, Inventory};
use crate::limits::{EMERGENCY_LIFE_S_MAX, SLOT_RESERVE_S};
use crate::plan::{ALTERNATIVES, Ask, Busy, Hours, Plan, Request, WAIT_S, Wanted, plan_parts};
use crate::time::Timestamp;
use crate::tuf::custom::Firmware;
use serde::{Deserialize, Serialize};

/// Seconds of a day.
const DAY_S: i64 = 24 * 3600;
/// Days over which slots are planned unless somebody says otherwise.
const HORIZON_DAYS: i64 = 28;

/// What is known of a hospital when something is planned or checked.
#[derive(Debug, Clone)]
pub struct Known {
    /// What it says of itself; nothing when it never did.
    pub inventory: Option<Inventory>,
    /// Its devices as the server sees them.
    pub views: Vec<DeviceView>,
    /// Approvals that are listed.
    pub approvals: Vec<Approval>,
}

/// What somebody wants planned, besides the release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wishes {
    /// Days over which slots are planned, 1 to 30; 28 when absent. An emergency has one.
    pub horizon_days: Option<i64>,
    /// No slot before this instant.
    pub not_before: Option<Timestamp>,
    /// Only devices of these wards; all when empty.
    pub wards: Vec<WardId>,
    /// Only these devices; all when absent.
    pub devices: Option<Vec<DeviceId>>,
    /// Whether usual windows and soft freezes count.
    pub hours: Hours,
    /// Devices that are broken, lost or away, and count for nobody.
    pub out_of_service: Vec<DeviceId>,
    /// Slots wanted for each device.
    pub alternatives: usize,
    /// Seconds kept in each slot for waiting until the device is free.
    pub wait_s: u64,
    /// What happens to devices that an approval in force names already.
    pub named: Named,
}

/// What happens to devices that an approval in force names already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Named {
    /// They are left out.
    LeftOut,
    /// They are planned again.
    PlannedAgain,
}

/// What is to run, and how.
#[derive(Debug, Clone)]
pub struct Aim<'a> {
    /// The release.
    pub firmware: &'a Firmware,
    /// Every release of its family, withdrawn ones too.
    pub releases: &'a [Firmware],
    /// Routine or emergency.
    pub urgency: Urgency,
    /// Whether it is a way back.
    pub direction: Direction,
    /// Whether a person must be at each device.
    pub attended: Attendance,
    /// The approval that this one replaces.
    pub supersedes: Option<&'a ApprovalId>,
    /// When it is drawn up.
    pub issued: Timestamp,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// To a newer release.
    Forward,
    /// Back to an older one.
    Back,
}

/// What came out.
#[derive(Debug, Clone)]
pub struct Planned {
    /// What was asked.
    pub request: Request,
    /// The parts, one approval each.
    pub parts: Vec<Plan>,
    /// Devices that were not asked for.
    pub left: Vec<Left>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            horizon_days: None,
            not_before: None,
            wards: Vec::new(),
            devices: None,
            hours: Hours::Usual,
            out_of_service: Vec::new(),
            alternatives: ALTERNATIVES,
            wait_s: WAIT_S,
            named: Named::LeftOut,
        }
    }
}

/// Whether a release needs a person at each device.
#[must_use]
pub const fn attended(firmware: &Firmware, wanted: Attendance) -> Attendance {
    if firmware.therapy { Attendance::Attended } else { wanted }
}

/// Seconds that an update needs with the way back and the reserve of the site's rules.
#[must_use]
pub fn need_s(firmware: &Firmware, inventory: Option<&Inventory>) -> u64 {
    let reserve_s = inventory.map_or(SLOT_RESERVE_S, |inventory| inventory.rules.reserve_s);
    firmware.est.worst_s().saturating_add(reserve_s)
}

impl Planned {
    /// The refusal of a plan in which no device got a slot.
    #[must_use]
    pub fn nobody_placed(self, site: &SiteId) -> BadDraft {
        let unplaced = self.parts.into_iter().flat_map(|part| part.unplaced).collect();
        BadDraft::NobodyPlaced { site: site.clone(), unplaced, left: self.left }
    }
}

impl Known {
    /// Slots that approvals in force gave, but for these.
    #[must_use]
    pub fn busy(&self, at: Timestamp, but: impl Fn(&Approval) -> bool) -> Vec<Busy> {
        let mut busy = Vec::new();
        for approval in self.in_force(at).filter(|approval| !but(approval)) {
            for device in &approval.devices {
                let slot = |slot: &_| Busy { device: device.id.clone(), slot: *slot };
                busy.extend(device.slots.iter().map(slot));
            }
        }
        busy
    }

    fn in_force(&self, at: Timestamp) -> impl Iterator<Item = &Approval> {
        let lives = move |approval: &&Approval| {
            approval.state == ApprovalState::Active && approval.valid_until > at
        };
        self.approvals.iter().filter(lives)
    }

    /// Plans.
    ///
    /// # Errors
    /// [`BadDraft`]: no inventory, an unknown ward, no device left to plan, what makes no sense.
    pub fn plan(&self, site: &SiteId, words: &Wishes, aim: &Aim<'_>) -> Result<Planned, BadDraft> {
        let inventory = self.inventory.as_ref();
        let inventory = inventory.ok_or_else(|| BadDraft::NoInventory(site.clone()))?;
        if words.hours == Hours::Any && aim.urgency == Urgency::Routine {
            return Err(BadDraft::AnyHours);
        }
        if let Some(ward) = words.wards.iter().find(|ward| inventory.ward(ward).is_none()) {
            return Err(BadDraft::Ward { site: site.clone(), ward: ward.clone() });
        }
        let (wanted, left) = self.wanted(inventory, words, aim);
        if wanted.is_empty() {
            return Err(BadDraft::NobodyWanted { site: site.clone(), left });
        }
        let days = words.horizon_days.unwrap_or(HORIZON_DAYS);
        let until = match aim.urgency {
            Urgency::Routine => aim.issued.plus_seconds(days * DAY_S),
            Urgency::Emergency => aim.issued.plus_seconds(EMERGENCY_LIFE_S_MAX),
        };
        let superseded = |approval: &Approval| aim.supersedes == Some(&approval.id);
        let ask = Ask {
            families: vec![aim.firmware.family.clone()],
            need_s: need_s(aim.firmware, Some(inventory)),
            wait_s: words.wait_s,
            attended: aim.attended,
            urgency: aim.urgency,
            hours: words.hours,
            alternatives: words.alternatives,
            now: words.not_before.unwrap_or(aim.issued).max(aim.issued),
            until,
            wanted: Wanted::Devices(wanted),
            out_of_service: words.out_of_service.clone(),
            busy: self.busy(aim.issued, superseded),
        };
        let request = Request::of(inventory, &self.views, &ask).map_err(BadDraft::Ask)?;
        let parts = plan_parts(&request);
        Ok(Planned { request, parts, left })
    }

    /// Devices of the family that the release is for and that do not run it yet.
    fn wanted(
        &self,
        inventory: &Inventory,
        words: &Wishes,
        aim: &Aim<'_>,
    ) -> (Vec<DeviceId>, Vec<Left>) {
        let (mut wanted, mut left) = (Vec::new(), Vec::new());
        let family = self.views.iter().filter(|view| view.family == aim.firmware.family);
        for view in family {
            let ward = inventory.device(&view.device).and_then(|device| device.ward.as_ref());
            if !words.wards.is_empty() && !ward.is_some_and(|ward| words.wards.contains(ward)) {
                continue;
            }
            if words.devices.as_ref().is_some_and(|devices| !devices.contains(&view.device)) {
                continue;
            }
            match self.why_left(view, words, aim) {
                Some(why) => left.push(why),
                None => wanted.push(view.device.clone()),
            }
        }
        (wanted, left)
    }

    fn why_left(&self, view: &DeviceView, words: &Wishes, aim: &Aim<'_>) -> Option<Left> {
        let because = |reason| Some(Left::new(view.device.clone(), reason));
        if view.hardware.as_ref().is_some_and(|hw| !aim.firmware.hw.contains(hw)) {
            return because(LeftOut::OtherHardware);
        }
        if view.forked {
            return because(LeftOut::LedgerForked);
        }
        let installed = view.installed.as_ref();
        match aim.direction {
            Direction::Forward if installed.is_some_and(|image| image.seq >= aim.firmware.seq) => {
                return because(LeftOut::RunsIt);
            }
            Direction::Forward => {}
            Direction::Back if view.management != Management::Agent => {}
            Direction::Back => {
                if let Some(left) = back::not_permitted(aim.releases, aim.firmware, view) {
                    return Some(left);
                }
            }
        }
        let names = |approval: &&Approval| {
            let image = approval.release.as_ref().map(|release| release.image_sha256);
            image == Some(aim.firmware.payload.image_sha256)
                && aim.supersedes != Some(&approval.id)
                && approval.devices.iter().any(|device| device.id == view.device)
        };
        let named =
            self.in_force(aim.issued).find(names).filter(|_| words.named == Named::LeftOut)?;
        Some(Left::new(view.device.clone(), LeftOut::ApprovedAlready).about(&named.id))
    }
}
