//! `approve standing`: a policy signed once, for releases that nobody knows yet.
//!
//! The device compares each release with the policy by what the manufacturer signed of it. Slots come
//! from the usual windows until the policy ends; waves have no order in time, each device asks for
//! the proof of the wave before. Not here: which releases will come.
//! Invariant: what the policy does not name is not permitted; it lives at most 90 days.

use crate::approvals::{self, Drafted, Grounds};
use crate::approve::Terms;
use crate::base::{Against, Base};
use crate::error::Outcome;
use crate::here::{Here, Language};
use crate::plan::{self, PlanWords};
use crate::release::{Life, next};
use crate::said::Said;
use crate::{login, repository, rollback, ward_rules};
use patchward_protocol::approval::{Approval, KnownExploited, StandingPolicy};
use patchward_protocol::check::WaveOrder;
use patchward_protocol::draft::standing::{self as policy, Wanting};
use patchward_protocol::draft::{next as draft_next, plan_text};
use patchward_protocol::id::{ApprovalId, FamilyId, RepositoryId, SiteId};
use patchward_protocol::tuf::custom::{Class, Severity};
use std::path::PathBuf;

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
/// As [`crate::approve::one`], and failures of the base, the server and writing.
pub fn standing(here: &Here, standing: &Standing) -> Outcome<Said> {
    let server = login::connect(here, &standing.against.reach)?;
    let id = RepositoryId::Site(standing.site.clone());
    let base = Base::current(here, &id, &standing.against)?;
    let mut spec = next(here, &id, &base, &standing.life)?;
    let known = plan::known(here, &server, &standing.site, &standing.which.words())?;
    let mut releases = Vec::new();
    for family in &standing.family {
        let set = repository::refresh(here, &server, &RepositoryId::Family(family.clone()))?;
        releases.extend(rollback::releases(&set));
    }
    let wanting = standing.wanting();
    let refused = |error| plan::not_drafted(here.language, error);
    let asks = policy::asks(releases.iter(), &known, wanting.terms.attended);
    let planned = policy::plan(&wanting, &standing.site, &known, spec.issued, asks);
    let planned = planned.map_err(refused)?;
    ward_rules::must_hold(here.language, &planned, WaveOrder::ByProof)?;
    let serial = draft_next::serial(spec.version, known.approvals.iter());
    let under = (spec.version, serial, spec.issued);
    let approval = policy::draw_up(&wanting, &standing.site, &known, &planned, under);
    let approval = approval.map_err(refused)?;
    let more = |language: Language, _: &Approval| plan_text::not_planned(language, &planned);
    let drafted = [Drafted { approval, more: &more }];
    approvals::drop_past(&approvals::listed(here, &server, &id)?, &mut spec);
    approvals::put(here, &id, spec, &drafted, Grounds::of(&known), &standing.out)
}

impl Standing {
    /// The same in the protocol's words.
    fn wanting(&self) -> Wanting {
        let terms = Terms {
            attended: self.terms.attended,
            settle_s: self.terms.settle_s,
            mains: self.terms.mains,
            battery_min: self.terms.battery_min,
            acceptance: self.terms.acceptance,
            ..Terms::default()
        };
        Wanting {
            policy: StandingPolicy {
                families: self.family.clone(),
                classes: self.class.iter().map(|class| (*class).into()).collect(),
                severity_min: self.severity_min.into(),
                known_exploited: match self.exploited_always {
                    true => KnownExploited::Always,
                    false => KnownExploited::BySeverity,
                },
            },
            days: self.days,
            slots: self.slots,
            wards: self.which.ward.clone(),
            out_of_service: self.which.out_of_service.clone(),
            terms: terms.plain(),
            id: self.id.clone(),
            supersedes: self.supersedes.clone(),
        }
    }
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
