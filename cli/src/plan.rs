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
use crate::{approvals, login, repository, rollback, ward_rules};
use patchward_protocol::approval::Urgency;
use patchward_protocol::check::WaveOrder;
use patchward_protocol::draft::planned::{Aim, Direction, Known, Named, Wishes, attended};
use patchward_protocol::draft::{BadDraft, back, plan_text};
use patchward_protocol::id::{DeviceId, FamilyId, RepositoryId, SiteId, Version, WardId};
use patchward_protocol::inventory::Attendance;
use patchward_protocol::plan::{ALTERNATIVES, Hours, WAIT_S};
use std::path::PathBuf;

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
    let known = known(here, &server, &args.site, &args.words)?;
    let releases = rollback::releases(&set);
    let wanted = if args.attended { Attendance::Attended } else { Attendance::Unattended };
    let aim = Aim {
        firmware: &image.firmware,
        releases: &releases,
        urgency: if args.emergency { Urgency::Emergency } else { Urgency::Routine },
        direction: if args.rollback { Direction::Back } else { Direction::Forward },
        attended: attended(&image.firmware, wanted),
        supersedes: None,
        issued: here.at.whole_second(),
    };
    let wishes = args.words.wishes(&known)?;
    let planned = known.plan(&args.site, &wishes, &aim);
    let planned = planned.map_err(|error| not_drafted(here.language, error))?;
    let inventory = known.inventory.as_ref().ok_or_else(|| inventory::unknown(&args.site))?;
    ward_rules::must_hold(here.language, &planned, WaveOrder::InTime)?;
    let mut lines = plan_text::lines(here.language, inventory, &planned);
    if aim.direction == Direction::Back {
        lines.extend(back::lines(here.language, &releases, &image.firmware, &known.views));
    }
    Ok(Said::new(plan_text::value(&planned)).lines(lines))
}

/// What is known of a site: from files where they are named, else from the server.
///
/// # Errors
/// Failures of reading and of the server.
pub fn known(here: &Here, server: &Server, site: &SiteId, words: &PlanWords) -> Outcome<Known> {
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
    Ok(Known { inventory, views, approvals })
}

impl PlanWords {
    /// What is wanted, with days as instants of the site's zone.
    ///
    /// # Errors
    /// [`Code::ValueBad`] when there is no such zone.
    pub fn wishes(&self, known: &Known) -> Outcome<Wishes> {
        let zone = known.inventory.as_ref().map(|inventory| inventory.tz.as_str());
        let begin = |day: Day| day.begin(zone.unwrap_or("Etc/UTC"));
        Ok(Wishes {
            horizon_days: self.horizon_days,
            not_before: self.not_before.map(begin).transpose()?,
            wards: self.ward.clone(),
            devices: None,
            hours: if self.any_hours { Hours::Any } else { Hours::Usual },
            out_of_service: self.out_of_service.clone(),
            alternatives: self.alternatives,
            wait_s: self.wait_s,
            named: if self.again { Named::PlannedAgain } else { Named::LeftOut },
        })
    }
}

/// The failure for a draft that could not be made.
#[must_use]
pub fn not_drafted(language: Language, error: BadDraft) -> Failure {
    match error {
        BadDraft::NoInventory(site) => inventory::unknown(&site),
        BadDraft::AnyHours => {
            let what = "--any-hours: only an --emergency may skip windows and soft freezes";
            Failure::new(Code::Usage, what)
        }
        BadDraft::NobodyWanted { .. } | BadDraft::NobodyPlaced { .. } => {
            let problems = error.particulars(language);
            let problems = problems.iter().map(|line| line.trim().to_owned()).collect();
            Failure::with_problems(Code::PlanRefused, &error, problems)
        }
        BadDraft::Violates(_) => {
            Failure::with_problems(Code::PlanViolates, "the plan", error.particulars(language))
        }
        BadDraft::Ask(ref source) => Failure::because(Code::PlanRefused, "the plan", source),
        BadDraft::Ward { .. } => Failure::new(Code::PlanRefused, error),
        BadDraft::Approval { ref id, ref source } => {
            Failure::because(Code::ApprovalRefused, id, source)
        }
        BadDraft::TooLong { .. } => Failure::new(Code::ApprovalRefused, error),
        BadDraft::Taken(id) => {
            Failure::new(Code::ApprovalRefused, format!("{id} is taken; choose another --id"))
        }
        BadDraft::NotListed(_) => Failure::new(Code::ApprovalUnknown, error),
        BadDraft::Name(_) => Failure::new(Code::NameBad, error),
        BadDraft::IssuedBefore { .. } => Failure::new(Code::ValueBad, error),
        BadDraft::Tuf(ref source) => Failure::because(Code::StageRules, "the draft", source),
    }
}
