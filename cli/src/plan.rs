//! `plan`: who may be updated when, and who may not and why; what `approve` then drafts.
//!
//! Plans with the protocol's planner from the site's inventory, the server's list of devices and the
//! approvals in force. Not here: judging a plan ([`crate::ward_rules`]), drafting.
//! Invariant: every device of the family is planned, listed with a reason, or counted as left out.

use crate::approve::{offered, release_of};
use crate::day::Day;
use crate::devices;
use crate::error::{Code, Failure, Outcome};
use crate::here::{Here, Language};
use crate::inventory;
use crate::said::Said;
use crate::server::{Reach, Server};
use crate::{approvals, login, plan_text, repository, rollback, ward_rules};
use patchward_protocol::api::site::{DeviceView, Management};
use patchward_protocol::approval::{Approval, ApprovalState, Urgency};
use patchward_protocol::check::WaveOrder;
use patchward_protocol::id::{
    ApprovalId, DeviceId, FamilyId, RepositoryId, SiteId, Version, WardId,
};
use patchward_protocol::inventory::{Attendance, Inventory};
use patchward_protocol::limits::{EMERGENCY_LIFE_S_MAX, SLOT_RESERVE_S};
use patchward_protocol::plan::{
    ALTERNATIVES, Ask, Busy, Hours, Plan, Request, WAIT_S, Wanted, plan_parts,
};
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::custom::Firmware;
use patchward_protocol::tuf::trusted_set::TrustedSet;
use serde_json::json;
use std::path::PathBuf;

/// Seconds of a day.
const DAY_S: i64 = 24 * 3600;

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    /// The site
    #[arg(long, value_name = "SITE")]
    pub site: SiteId,
    /// The family of the release
    #[arg(long, value_name = "MAKER.NAME")]
    pub family: FamilyId,
    /// The version of the release
    #[arg(long, value_name = "VERSION")]
    pub release: Version,
    /// An emergency: at most 24 hours
    #[arg(long)]
    pub emergency: bool,
    /// Go back to this older release
    #[arg(long)]
    pub rollback: bool,
    /// A person must be at each device
    #[arg(long)]
    pub attended: bool,
    /// What to plan
    #[command(flatten)]
    pub words: PlanWords,
    /// How to reach the server
    #[command(flatten)]
    pub reach: Reach,
}

/// What to plan, for `plan` and `approve`.
#[derive(Debug, Clone, clap::Args)]
pub struct PlanWords {
    /// Days over which slots are planned (default: 28; emergency: 1)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=30))]
    pub horizon_days: Option<i64>,
    /// No slot before this day or instant (default: now)
    #[arg(long, value_name = "DATE|UTC")]
    pub not_before: Option<Day>,
    /// Only devices of this ward (repeat)
    #[arg(long, value_name = "WARD")]
    pub ward: Vec<WardId>,
    /// In an emergency: skip usual windows and soft freezes
    #[arg(long)]
    pub any_hours: bool,
    /// A device that is broken, lost or away, and counts for nobody (repeat)
    #[arg(long, value_name = "DEVICE")]
    pub out_of_service: Vec<DeviceId>,
    /// Slots wanted for each device
    #[arg(long, value_name = "N", default_value_t = ALTERNATIVES, value_parser = alternatives)]
    pub alternatives: usize,
    /// Seconds kept in each slot for waiting until the device is free
    #[arg(long, value_name = "S", default_value_t = WAIT_S)]
    pub wait_s: u64,
    /// Plan devices again that an approval in force names already
    #[arg(long)]
    pub again: bool,
    /// Inventory from this file instead of the server's
    #[arg(long, value_name = "FILE")]
    pub inventory: Option<PathBuf>,
    /// Devices from a file that `devices --json` wrote (default: asked of the server)
    #[arg(long, value_name = "FILE")]
    pub devices_file: Option<PathBuf>,
}

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

/// What is to run, and how.
#[derive(Debug, Clone)]
pub struct Aim<'a> {
    /// The release.
    pub firmware: &'a Firmware,
    /// Its family's repository.
    pub set: &'a TrustedSet,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To a newer release.
    Forward,
    /// Back to an older one.
    Back,
}

/// A device that is not planned at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The device.
    pub device: DeviceId,
    /// Why, in English and Japanese.
    pub why: (String, String),
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

fn alternatives(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=8).contains(count));
    count.ok_or_else(|| "1 to 8".to_owned())
}

/// `plan`.
///
/// # Errors
/// [`Code::InventoryUnknown`], [`Code::ReleaseUnknown`], [`Code::PlanViolates`], failures of the
/// server.
pub fn plan(here: &Here, args: &PlanArgs) -> Outcome<Said> {
    let server = login::connect(here, &args.reach)?;
    let id = RepositoryId::Family(args.family.clone());
    let set = repository::refresh(here, &server, &id)?;
    let image = release_of(&set, &args.release, offered)?;
    let known = Known::of(here, &server, &args.site, &args.words)?;
    let aim = Aim {
        firmware: &image.firmware,
        set: &set,
        urgency: if args.emergency { Urgency::Emergency } else { Urgency::Routine },
        direction: if args.rollback { Direction::Back } else { Direction::Forward },
        attended: attended(&image.firmware, args.attended),
        supersedes: None,
        issued: here.at.whole_second(),
    };
    let planned = known.plan(&args.site, &args.words, &aim)?;
    let inventory = known.inventory.as_ref().ok_or_else(|| inventory::unknown(&args.site))?;
    ward_rules::must_hold(here.language, &planned, WaveOrder::InTime)?;
    let mut lines = plan_text::lines(here.language, inventory, &planned);
    if aim.direction == Direction::Back {
        lines.extend(rollback::lines(here.language, &set, &image.firmware, &known.views));
    }
    Ok(Said::new(plan_text::value(&planned)).lines(lines))
}

/// Whether a release needs a person at each device.
#[must_use]
pub const fn attended(firmware: &Firmware, wanted: bool) -> Attendance {
    if firmware.therapy || wanted { Attendance::Attended } else { Attendance::Unattended }
}

/// Seconds that an update needs with the way back and the reserve of the site's rules.
#[must_use]
pub fn need_s(firmware: &Firmware, inventory: Option<&Inventory>) -> u64 {
    let reserve_s = inventory.map_or(SLOT_RESERVE_S, |inventory| inventory.rules.reserve_s);
    firmware.est.worst_s().saturating_add(reserve_s)
}

impl Known {
    /// From files where they are named, else from the server.
    ///
    /// # Errors
    /// Failures of reading and of the server.
    pub fn of(here: &Here, server: &Server, site: &SiteId, words: &PlanWords) -> Outcome<Self> {
        let inventory = match &words.inventory {
            Some(path) => Some(inventory::open(path)?),
            None => inventory::read(server, site)?,
        };
        let views = match &words.devices_file {
            Some(path) => devices::from_file(path)?,
            None => devices::from_server(server, site)?,
        };
        let listed = approvals::listed(here, server, &RepositoryId::Site(site.clone()))?;
        let approvals = listed.into_iter().map(|(_, approval)| approval).collect();
        Ok(Self { inventory, views, approvals })
    }

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

    /// What travels with a draft: what the planner saw.
    #[must_use]
    pub fn grounds(&self) -> Option<approvals::Grounds<'_>> {
        let inventory = self.inventory.as_ref()?;
        Some(approvals::Grounds { inventory, views: &self.views })
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
    /// [`Code::InventoryUnknown`], [`Code::PlanRefused`].
    pub fn plan(&self, site: &SiteId, words: &PlanWords, aim: &Aim<'_>) -> Outcome<Planned> {
        let inventory = self.inventory.as_ref().ok_or_else(|| inventory::unknown(site))?;
        if words.any_hours && aim.urgency == Urgency::Routine {
            let what = "--any-hours: only an --emergency may skip windows and soft freezes";
            return Err(Failure::new(Code::Usage, what));
        }
        if let Some(ward) = words.ward.iter().find(|ward| inventory.ward(ward).is_none()) {
            let what = format!("{site}: ward {ward} is not in the inventory");
            return Err(Failure::new(Code::PlanRefused, what));
        }
        let (wanted, left) = self.wanted(inventory, words, aim);
        if wanted.is_empty() {
            let left = left.iter().map(|left| format!("{}: {}", left.device, left.why.0)).collect();
            let what = format!("{site}: no device is to be planned");
            return Err(Failure::with_problems(Code::PlanRefused, what, left));
        }
        let from = words.not_before.map(|day| day.begin(&inventory.tz)).transpose()?;
        let days = words.horizon_days.unwrap_or(28);
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
            hours: if words.any_hours { Hours::Any } else { Hours::Usual },
            alternatives: words.alternatives,
            now: from.unwrap_or(aim.issued).max(aim.issued),
            until,
            wanted: Wanted::Devices(wanted),
            out_of_service: words.out_of_service.clone(),
            busy: self.busy(aim.issued, superseded),
        };
        let request = Request::of(inventory, &self.views, &ask)
            .map_err(|error| Failure::because(Code::PlanRefused, site, &error))?;
        let parts = plan_parts(&request);
        Ok(Planned { request, parts, left })
    }

    /// Devices of the family that the release is for and that do not run it yet.
    fn wanted(
        &self,
        inventory: &Inventory,
        words: &PlanWords,
        aim: &Aim<'_>,
    ) -> (Vec<DeviceId>, Vec<Left>) {
        let (mut wanted, mut left) = (Vec::new(), Vec::new());
        let family = self.views.iter().filter(|view| view.family == aim.firmware.family);
        for view in family {
            let ward = inventory.device(&view.device).and_then(|device| device.ward.as_ref());
            if !words.ward.is_empty() && !ward.is_some_and(|ward| words.ward.contains(ward)) {
                continue;
            }
            match self.why_left(view, words, aim) {
                Some(why) => left.push(Left { device: view.device.clone(), why }),
                None => wanted.push(view.device.clone()),
            }
        }
        (wanted, left)
    }

    fn why_left(
        &self,
        view: &DeviceView,
        words: &PlanWords,
        aim: &Aim<'_>,
    ) -> Option<(String, String)> {
        let both = |en: &str, ja: &str| Some((en.to_owned(), ja.to_owned()));
        if view.hardware.as_ref().is_some_and(|hw| !aim.firmware.hw.contains(hw)) {
            return both(
                "the release is for other hardware",
                "このリリースの対象外のハードウェアです",
            );
        }
        if view.forked {
            return both(
                "its ledger forked: a cloned or restored device, look at it first",
                "機器記録が分岐しています(複製または復元された機器)。先に確認してください",
            );
        }
        let installed = view.installed.as_ref();
        match aim.direction {
            Direction::Forward if installed.is_some_and(|image| image.seq >= aim.firmware.seq) => {
                return both("it runs it already, or a newer one", "適用済みか、より新しい版です");
            }
            Direction::Forward => {}
            Direction::Back if view.management != Management::Agent => {}
            Direction::Back => {
                if let Some(why) = rollback::not_permitted(aim.set, aim.firmware, view) {
                    return Some(why);
                }
            }
        }
        let names = |approval: &&Approval| {
            let image = approval.release.as_ref().map(|release| release.image_sha256);
            image == Some(aim.firmware.payload.image_sha256)
                && aim.supersedes != Some(&approval.id)
                && approval.devices.iter().any(|device| device.id == view.device)
        };
        let named = self.in_force(aim.issued).find(names).filter(|_| !words.again)?;
        Some((
            format!("{} names it already (--again plans it anew)", named.id),
            format!("{} で承認済みです(--again で計画し直せます)", named.id),
        ))
    }
}

impl Left {
    /// Why, in a language.
    #[must_use]
    pub fn words(&self, language: Language) -> &str {
        language.pick(&self.why.0, &self.why.1)
    }

    /// For machines.
    #[must_use]
    pub fn value(&self) -> serde_json::Value {
        json!({"device": self.device, "en": self.why.0, "ja": self.why.1})
    }
}
