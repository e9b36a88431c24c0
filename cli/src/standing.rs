//! `approve standing`: a policy signed once, for releases that nobody knows yet.
//!
//! The device compares each release with the policy by what the manufacturer signed of it. Slots come
//! from the usual windows until the policy ends; waves have no order in time, each device asks for
//! the proof of the wave before. Not here: which releases will come.
//! Invariant: what the policy does not name is not permitted; it lives at most 90 days.

use crate::approvals::{self, Drafted};
use crate::approve::{Terms, conditions};
use crate::base::{Against, Base};
use crate::error::{Code, Failure, Outcome};
use crate::here::{Here, Language};
use crate::plan::{Known, PlanWords, Planned, need_s};
use crate::release::{Life, next};
use crate::said::Said;
use crate::{approval_text, inventory, login, plan_text, repository, ward_rules};
use patchward_protocol::approval::{
    Action, Approval, ApprovalState, KnownExploited, RollbackTerms, StandingPolicy, Urgency,
};
use patchward_protocol::check::WaveOrder;
use patchward_protocol::id::{ApprovalId, FamilyId, RepositoryId, SiteId};
use patchward_protocol::inventory::Attendance;
use patchward_protocol::limits::SLOT_RESERVE_S;
use patchward_protocol::plan::{Ask, Hours, Request, Wanted, plan_standing};
use patchward_protocol::tuf::build::TargetsSpec;
use patchward_protocol::tuf::custom::{Class, Severity};
use std::path::PathBuf;

/// Seconds of a day.
const DAY_S: i64 = 24 * 3600;
/// What a slot must hold when no release of the families is known yet, in seconds.
const NEED_S_MIN: u64 = 1800;

/// Arguments of `approve standing`.
#[derive(Debug, clap::Args)]
pub struct Standing {
    /// The site
    #[arg(long, value_name = "SITE")]
    pub site: SiteId,
    /// A family (repeat)
    #[arg(long, value_name = "MAKER.NAME", required = true)]
    pub family: Vec<FamilyId>,
    /// A kind of change that it permits (repeat)
    #[arg(long, value_enum, required = true)]
    pub class: Vec<ClassWord>,
    /// Least severity of what a release closes
    #[arg(long, value_enum, default_value = "high")]
    pub severity_min: SeverityWord,
    /// A hole that is known to be exploited counts whatever its severity
    #[arg(long)]
    pub exploited_always: bool,
    /// Days until it ends
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(i64).range(1..=90))]
    pub days: i64,
    /// Slots for each device over that time, 1 to 32
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = slots)]
    pub slots: usize,
    /// The approval's id (default: standing-v and the version of the targets)
    #[arg(long)]
    pub id: Option<ApprovalId>,
    /// The approval that this one replaces
    #[arg(long, value_name = "ID")]
    pub supersedes: Option<ApprovalId>,
    /// Which devices and hours
    #[command(flatten)]
    pub which: Which,
    /// What must hold on the device
    #[command(flatten)]
    pub terms: StandingTerms,
    /// When and until when the targets are signed
    #[command(flatten)]
    pub life: Life,
    /// Folder to make, with the staged file and the approval
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// What is published
    #[command(flatten)]
    pub against: Against,
}

/// Which devices and hours a policy is for.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// Only devices of this ward (repeat)
    #[arg(long, value_name = "WARD")]
    pub ward: Vec<patchward_protocol::id::WardId>,
    /// A device that is broken, lost or away (repeat)
    #[arg(long, value_name = "DEVICE")]
    pub out_of_service: Vec<patchward_protocol::id::DeviceId>,
    /// Inventory from this file instead of the server's
    #[arg(long, value_name = "FILE")]
    pub inventory: Option<PathBuf>,
    /// Devices from a file that `devices --json` wrote
    #[arg(long, value_name = "FILE")]
    pub devices_file: Option<PathBuf>,
}

/// What must hold on the device.
#[derive(Debug, clap::Args)]
pub struct StandingTerms {
    /// A person must be at each device
    #[arg(long)]
    pub attended: bool,
    /// Seconds that the device must have been free without a break
    #[arg(long, value_name = "S", default_value_t = 300)]
    pub settle_s: u64,
    /// It must run from the mains
    #[arg(long)]
    pub mains: bool,
    /// Least battery charge in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 0)]
    pub battery_min: u8,
    /// A person must release each device afterwards
    #[arg(long)]
    pub acceptance: bool,
}

/// Kinds of change on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ClassWord {
    /// Closes security holes and changes nothing else
    Security,
    /// Closes security holes and corrects faults
    #[value(name = "security+fix")]
    SecurityAndFix,
    /// Brings something new
    Feature,
}

/// Severities on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[allow(missing_docs)]
pub enum SeverityWord {
    None,
    Low,
    Medium,
    High,
    Critical,
}

impl From<ClassWord> for Class {
    fn from(word: ClassWord) -> Self {
        match word {
            ClassWord::Security => Self::Security,
            ClassWord::SecurityAndFix => Self::SecurityAndFix,
            ClassWord::Feature => Self::Feature,
        }
    }
}

impl From<SeverityWord> for Severity {
    fn from(word: SeverityWord) -> Self {
        match word {
            SeverityWord::None => Self::None,
            SeverityWord::Low => Self::Low,
            SeverityWord::Medium => Self::Medium,
            SeverityWord::High => Self::High,
            SeverityWord::Critical => Self::Critical,
        }
    }
}

fn slots(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=32).contains(count));
    count.ok_or_else(|| "1 to 32".to_owned())
}

/// `approve standing`.
///
/// # Errors
/// [`Code::InventoryUnknown`], [`Code::PlanRefused`], [`Code::PlanViolates`],
/// [`Code::ApprovalRefused`], and failures of the base, the server and writing.
pub fn standing(here: &Here, standing: &Standing) -> Outcome<Said> {
    let server = login::connect(here, &standing.against.reach)?;
    let id = RepositoryId::Site(standing.site.clone());
    let base = Base::current(here, &id, &standing.against)?;
    let mut spec = next(here, &id, &base, &standing.life)?;
    let known = Known::of(here, &server, &standing.site, &standing.which.words())?;
    let (mut need, mut attended) = (NEED_S_MIN, standing.terms.attended);
    for family in &standing.family {
        let set = repository::refresh(here, &server, &RepositoryId::Family(family.clone()))?;
        for image in set.images().into_iter().filter_map(Result::ok) {
            need = need.max(need_s(&image.firmware, known.inventory.as_ref()));
            attended |= image.firmware.therapy;
        }
    }
    let attended = if attended { Attendance::Attended } else { Attendance::Unattended };
    let planned = plan(standing, &known, &spec, need, attended)?;
    ward_rules::must_hold(here.language, &planned, WaveOrder::ByProof)?;
    let approval = draw_up(standing, &known, &planned, &spec)?;
    let more = |language: Language, _: &Approval| plan_text::not_planned(language, &planned);
    let drafted = [Drafted { approval, more: &more }];
    approvals::drop_past(&approvals::listed(here, &server, &id)?, &mut spec);
    approvals::put(here, &id, spec, &drafted, known.grounds(), &standing.out)
}

impl Which {
    fn words(&self) -> PlanWords {
        PlanWords {
            horizon_days: None,
            not_before: None,
            ward: self.ward.clone(),
            any_hours: false,
            out_of_service: self.out_of_service.clone(),
            alternatives: 1,
            wait_s: 0,
            again: true,
            inventory: self.inventory.clone(),
            devices_file: self.devices_file.clone(),
        }
    }
}

fn plan(
    standing: &Standing,
    known: &Known,
    spec: &TargetsSpec,
    need_s: u64,
    attended: Attendance,
) -> Outcome<Planned> {
    let site = &standing.site;
    let inventory = known.inventory.as_ref().ok_or_else(|| inventory::unknown(site))?;
    let superseded = |approval: &Approval| standing.supersedes.as_ref() == Some(&approval.id);
    let ask = Ask {
        families: standing.family.clone(),
        need_s,
        wait_s: SLOT_RESERVE_S,
        attended,
        urgency: Urgency::Routine,
        hours: Hours::Usual,
        alternatives: standing.slots,
        now: spec.issued,
        until: spec.issued.plus_seconds(standing.days * DAY_S),
        wanted: match standing.which.ward.is_empty() {
            true => Wanted::All,
            false => Wanted::Wards(standing.which.ward.clone()),
        },
        out_of_service: standing.which.out_of_service.clone(),
        busy: known.busy(spec.issued, superseded),
    };
    let request = Request::of(inventory, &known.views, &ask);
    let request = request.map_err(|error| Failure::because(Code::PlanRefused, site, &error))?;
    let part = plan_standing(&request);
    let planned = Planned { request, parts: vec![part], left: Vec::new() };
    if planned.parts.iter().all(|part| part.devices.is_empty()) {
        let lines = plan_text::not_planned(Language::En, &planned);
        let lines = lines.iter().map(|line| line.trim().to_owned()).collect();
        let what = format!("{site}: no device got a slot");
        return Err(Failure::with_problems(Code::PlanRefused, what, lines));
    }
    Ok(planned)
}

fn draw_up(
    standing: &Standing,
    known: &Known,
    planned: &Planned,
    spec: &TargetsSpec,
) -> Outcome<Approval> {
    let none = || Failure::new(Code::PlanRefused, "no plan");
    let part = planned.parts.first().ok_or_else(none)?;
    let terms = Terms {
        settle_s: standing.terms.settle_s,
        mains: standing.terms.mains,
        battery_min: standing.terms.battery_min,
        acceptance: standing.terms.acceptance,
        ..Terms::default()
    };
    let id = standing
        .id
        .clone()
        .map_or_else(|| ApprovalId::new(&format!("standing-v{}", spec.version)), Ok);
    let tz = known.inventory.as_ref().map(|inventory| inventory.tz.clone());
    let tz = tz.unwrap_or_else(|| "Asia/Tokyo".to_owned());
    approval_text::zone(&tz)?;
    let approval = Approval {
        v: 1,
        id: id.map_err(|error| Failure::new(Code::NameBad, error))?,
        site: standing.site.clone(),
        serial: spec.version,
        issued: spec.issued,
        valid_until: spec.issued.plus_seconds(standing.days * DAY_S),
        action: Action::Standing,
        urgency: Urgency::Routine,
        state: ApprovalState::Active,
        release: None,
        standing: Some(StandingPolicy {
            families: standing.family.clone(),
            classes: standing.class.iter().map(|class| (*class).into()).collect(),
            severity_min: standing.severity_min.into(),
            known_exploited: match standing.exploited_always {
                true => KnownExploited::Always,
                false => KnownExploited::BySeverity,
            },
        }),
        devices: part.devices.clone(),
        conditions: conditions(&terms),
        waves: part.waves.clone(),
        gates: part.gates.clone(),
        rollback: RollbackTerms { automatic: true, to: Vec::new() },
        tz,
        supersedes: standing.supersedes.clone(),
        snapshot: None,
    };
    approval.check().map_err(|error| approvals::refused(&approval, &error))?;
    Ok(approval)
}
