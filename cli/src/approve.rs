//! `approve` and `withdraw`: a hospital's plan, drafted to be signed.
//!
//! Without `--device` the planner chooses slots from the inventory; with it, devices and hours are
//! those that are given. Either way the result is judged by a second function. The release comes from
//! the verified family repository, keys from the server's list. Not here: signing, policies
//! ([`crate::standing`]).
//! Invariant: what is drafted passes the same check that the device makes.

use crate::approvals::{self, Drafted, Grounds};
use crate::base::{Against, Base};
use crate::devices::{self, NamedDevice, SlotWord};
use crate::error::{Code, Failure, Outcome};
use crate::here::{Here, Language};
use crate::plan;
use crate::release::{Life, next};
use crate::said::Said;
use crate::server::Server;
use crate::standing::Standing;
use crate::ward_rules;
use crate::{login, repository, rollback};
use clap::Subcommand as _;
use patchward_protocol::approval::{
    Approval, ApprovedDevice, Need, NeededTime, SnapshotRef, Urgency,
};
use patchward_protocol::check::{Violation, WaveOrder};
use patchward_protocol::dossier::Dossier;
use patchward_protocol::draft::draw::{self, Frame};
use patchward_protocol::draft::planned::{self, Aim, Direction, Known};
use patchward_protocol::draft::rules::{self, Needs};
use patchward_protocol::draft::{BadDraft, approval_text, back, next as draft_next, plan_text};
use patchward_protocol::id::{ApprovalId, FamilyId, RepositoryId, SiteId, Version};
use patchward_protocol::inventory::Attendance;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::custom::{Firmware, ReleaseState};
use patchward_protocol::tuf::lookup::ImageTarget;
use patchward_protocol::tuf::trusted_set::TrustedSet;
use patchward_protocol::verified::Verified;
use serde_json::json;
use std::path::PathBuf;

/// `approve`, or `approve standing`.
#[derive(Debug)]
pub enum ApproveArgs {
    /// One release.
    One(Box<Approve>),
    /// A policy.
    Standing(Box<Standing>),
}

/// Kinds of approval with a verb of their own.
#[derive(Debug, clap::Subcommand)]
enum Kind {
    /// Sign once what may come: a policy for at most 90 days
    Standing(Box<Standing>),
}

// By hand, because clap's derive cannot say "these arguments, or a verb".
impl clap::Args for ApproveArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        let command = Kind::augment_subcommands(Approve::augment_args(command));
        command
            .subcommand_required(false)
            .arg_required_else_help(false)
            .args_conflicts_with_subcommands(true)
            .subcommand_negates_reqs(true)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for ApproveArgs {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        match matches.subcommand_name() {
            Some(_) => Kind::from_arg_matches(matches).map(|Kind::Standing(it)| Self::Standing(it)),
            None => Approve::from_arg_matches(matches).map(|it| Self::One(Box::new(it))),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Arguments of `approve`.
#[derive(Debug, clap::Args)]
pub struct Approve {
    /// The site
    #[arg(long, value_name = "SITE")]
    pub site: SiteId,
    /// The family of the release
    #[arg(long, value_name = "MAKER.NAME")]
    pub family: FamilyId,
    /// The version of the release
    #[arg(long, value_name = "VERSION")]
    pub release: Version,
    /// A device, or DEVICE=START/END[,START/END] with slots of its own (repeat; default: planned)
    #[arg(long, value_name = "DEVICE")]
    pub device: Vec<NamedDevice>,
    /// Slot START/END in UTC for devices without their own (repeat for alternatives)
    #[arg(long, value_name = "START/END", requires = "device")]
    pub slot: Vec<SlotWord>,
    /// Draft it although it breaks this rule of the inventory (with --device; repeat)
    #[arg(long, value_name = "CODE", requires = "device")]
    pub accept_violation: Vec<String>,
    /// What to plan, without --device
    #[command(flatten)]
    pub words: plan::PlanWords,
    /// Zone in which people read the hours (default: of the inventory, else Asia/Tokyo)
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    /// The approval's id (default: from family, seq and version of the targets)
    #[arg(long)]
    pub id: Option<ApprovalId>,
    /// Last instant of validity, with --device (default: the end of the last slot)
    #[arg(long, value_name = "UTC")]
    pub valid_until: Option<Timestamp>,
    /// The approval that this one replaces
    #[arg(long, value_name = "ID")]
    pub supersedes: Option<ApprovalId>,
    /// What must hold on the device
    #[command(flatten)]
    pub terms: Terms,
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

/// What an approval permits and what must hold on the device.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Terms {
    /// Lives at most 24 hours, signed by two persons
    #[arg(long)]
    pub emergency: bool,
    /// Go back to this older release
    #[arg(long)]
    pub rollback: bool,
    /// A person must be at each device
    #[arg(long)]
    pub attended: bool,
    /// One time source is enough (the summary says what that risks)
    #[arg(long)]
    pub time_plausible: bool,
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
    /// It may act without having reached the server shortly before
    #[arg(long)]
    pub offline_ok: bool,
    /// It does not go back by itself when its health checks fail
    #[arg(long)]
    pub no_automatic_rollback: bool,
    /// Seconds after which a device silent since activation counts as failed
    #[arg(long, value_name = "S", default_value_t = 3600)]
    pub silent_after_s: u64,
    /// Name the family's snapshot, for an offline bundle
    #[arg(long)]
    pub for_bundle: bool,
}

/// Arguments of `withdraw`.
#[derive(Debug, clap::Args)]
pub struct Withdraw {
    /// The site
    #[arg(long, value_name = "SITE")]
    pub site: SiteId,
    /// The approval
    pub id: ApprovalId,
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

/// `approve …`.
///
/// # Errors
/// As [`one`] and [`crate::standing::standing`].
pub fn approve(here: &Here, args: &ApproveArgs) -> Outcome<Said> {
    match args {
        ApproveArgs::One(approve) => one(here, approve),
        ApproveArgs::Standing(standing) => crate::standing::standing(here, standing),
    }
}

impl Terms {
    /// The same in the protocol's words.
    #[must_use]
    pub const fn plain(&self) -> draw::Terms {
        const fn need(required: bool) -> Need {
            if required { Need::Required } else { Need::Advisory }
        }
        draw::Terms {
            urgency: if self.emergency { Urgency::Emergency } else { Urgency::Routine },
            direction: if self.rollback { Direction::Back } else { Direction::Forward },
            attended: attendance(self.attended),
            time: if self.time_plausible { NeededTime::Plausible } else { NeededTime::Attested },
            settle_s: self.settle_s,
            mains: need(self.mains),
            battery_min: self.battery_min,
            acceptance: need(self.acceptance),
            offline_ok: self.offline_ok,
            automatic_rollback: !self.no_automatic_rollback,
            silent_after_s: self.silent_after_s,
        }
    }
}

const fn attendance(attended: bool) -> Attendance {
    if attended { Attendance::Attended } else { Attendance::Unattended }
}

/// What an approval of one release is made of.
struct Draft<'a> {
    approve: &'a Approve,
    frame: Frame<'a>,
    releases: &'a [Firmware],
}

/// `approve`: one release.
///
/// # Errors
/// [`Code::ReleaseUnknown`], [`Code::DeviceUnknown`], [`Code::PlanRefused`], [`Code::PlanViolates`],
/// [`Code::RollbackNotPermitted`], [`Code::ApprovalRefused`], and failures of the base, the server
/// and writing.
pub fn one(here: &Here, approve: &Approve) -> Outcome<Said> {
    if let Some(tz) = &approve.tz {
        crate::approval_text::zone(tz)?;
    }
    let server = login::connect(here, &approve.against.reach)?;
    let family = RepositoryId::Family(approve.family.clone());
    let set = repository::refresh(here, &server, &family)?;
    let image = release_of(&set, &approve.release, offered)?;
    let id = RepositoryId::Site(approve.site.clone());
    let base = Base::current(here, &id, &approve.against)?;
    let mut spec = next(here, &id, &base, &approve.life)?;
    let known = plan::known(here, &server, &approve.site, &approve.words)?;
    let zone = known.inventory.as_ref().map(|inventory| inventory.tz.clone());
    let tz = approve.tz.clone().or(zone).unwrap_or_else(|| "Asia/Tokyo".to_owned());
    let (terms, releases) = (approve.terms.plain(), rollback::releases(&set));
    let frame = Frame {
        site: &approve.site,
        id: approve.id.as_ref(),
        version: spec.version,
        serial: draft_next::serial(spec.version, known.approvals.iter()),
        issued: spec.issued,
        valid_until: approve.valid_until,
        tz: &tz,
        supersedes: approve.supersedes.as_ref(),
        snapshot: approve.terms.for_bundle.then(|| snapshot_of(&set)).flatten(),
        image: &image,
        terms: &terms,
    };
    let draft = Draft { approve, frame, releases: &releases };
    let (approvals, notes) = if approve.device.is_empty() {
        draft.planned(here, &known)?
    } else {
        draft.explicit(here, &known)?
    };
    let dossier = dossier(&server, &family, &set, &image)?;
    let first = approvals.first().map(|approval| approval.id.clone());
    let more = |language: Language, approval: &Approval| {
        let mut lines = Vec::new();
        if Some(&approval.id) == first.as_ref() {
            lines.extend(approval_text::dossier_lines(language, &dossier));
            lines.extend(approval_text::release_lines(language, Some(&image.firmware)));
            lines.extend(notes.lines(language));
        }
        lines.extend(draw::short_slots(language, approval, &image.firmware));
        lines
    };
    let drafted: Vec<_> =
        approvals.into_iter().map(|approval| Drafted { approval, more: &more }).collect();
    approvals::drop_past(&approvals::listed(here, &server, &id)?, &mut spec);
    approvals::put(here, &id, spec, &drafted, Grounds::of(&known), &approve.out)
}

/// What stands in a summary beside the approval itself.
struct Notes {
    en: Vec<String>,
    ja: Vec<String>,
}

impl Notes {
    fn of(lines: impl Fn(Language) -> Vec<String>) -> Self {
        Self { en: lines(Language::En), ja: lines(Language::Ja) }
    }

    fn lines(&self, language: Language) -> Vec<String> {
        match language {
            Language::En => self.en.clone(),
            Language::Ja => self.ja.clone(),
        }
    }
}

impl Draft<'_> {
    /// Slots from the planner.
    fn planned(&self, here: &Here, known: &Known) -> Outcome<(Vec<Approval>, Notes)> {
        let (approve, frame) = (self.approve, &self.frame);
        let aim = Aim {
            firmware: &frame.image.firmware,
            releases: self.releases,
            urgency: frame.terms.urgency,
            direction: frame.terms.direction,
            attended: planned::attended(&frame.image.firmware, frame.terms.attended),
            supersedes: frame.supersedes,
            issued: frame.issued,
        };
        let refused = |error| plan::not_drafted(here.language, error);
        let wishes = approve.words.wishes(known)?;
        let planned = known.plan(&approve.site, &wishes, &aim).map_err(refused)?;
        ward_rules::must_hold(here.language, &planned, WaveOrder::InTime)?;
        if planned.parts.iter().all(|part| part.devices.is_empty()) {
            return Err(refused(planned.nobody_placed(&approve.site)));
        }
        let notes = Notes::of(|language| {
            let mut lines = plan_text::not_planned(language, &planned);
            for part in &planned.parts {
                lines.extend(plan_text::detection(language, &part.waves, &part.devices));
            }
            lines.extend(self.rollback_lines(language, known));
            lines
        });
        Ok((frame.of_plan(&planned).map_err(refused)?, notes))
    }

    /// Devices and slots as they were given; judged by the rules where there is an inventory.
    fn explicit(&self, here: &Here, known: &Known) -> Outcome<(Vec<Approval>, Notes)> {
        let (approve, frame) = (self.approve, &self.frame);
        let firmware = &frame.image.firmware;
        let accepted = ward_rules::named(&approve.accept_violation)?;
        let picked = devices::pick(&known.views, &approve.device, firmware)?;
        if approve.terms.rollback {
            let named = known
                .views
                .iter()
                .filter(|view| picked.iter().any(|(device, _)| device.id == view.device));
            rollback::must_be_permitted(here.language, self.releases, firmware, named)?;
        }
        let sorted = |slots: &[SlotWord]| {
            let mut slots: Vec<_> = slots.iter().map(|slot| slot.0).collect();
            slots.sort_unstable_by_key(|slot| slot.start());
            slots
        };
        let given = sorted(&approve.slot);
        let devices = picked.into_iter().map(|(device, key)| {
            let own = sorted(&device.slots);
            let inventory = known.inventory.as_ref();
            let held = inventory.and_then(|inventory| inventory.device(&device.id)).cloned();
            ApprovedDevice {
                key,
                wave: 0,
                slots: if own.is_empty() { given.clone() } else { own },
                attended: approve.terms.attended
                    || firmware.therapy
                    || held.as_ref().is_some_and(|held| held.attended == Attendance::Attended),
                pair: held.and_then(|held| held.pair.clone()),
                id: device.id,
            }
        });
        let rules = known.inventory.as_ref().map(|inventory| &inventory.rules);
        let approval = frame.draw_up(frame.one_wave(devices.collect(), rules));
        let approval = approval.map_err(|error| plan::not_drafted(here.language, error))?;
        let needs = Needs {
            need_s: planned::need_s(firmware, known.inventory.as_ref()),
            attended: planned::attended(firmware, frame.terms.attended),
        };
        let found: Vec<Violation> = match &known.inventory {
            Some(inventory) => rules::of_approval(known, inventory, &approval, needs, &[])
                .map_err(|error| plan::not_drafted(here.language, BadDraft::Ask(error)))?,
            None => Vec::new(),
        };
        ward_rules::refuse(here.language, approval.id.as_str(), &found, &accepted)?;
        let notes = Notes::of(|language| {
            let mut lines = rules::accepted_lines(language, &found);
            lines.extend(self.rollback_lines(language, known));
            lines
        });
        Ok((vec![approval], notes))
    }

    fn rollback_lines(&self, language: Language, known: &Known) -> Vec<String> {
        let firmware = &self.frame.image.firmware;
        match self.approve.terms.rollback {
            true => back::lines(language, self.releases, firmware, &known.views),
            false => Vec::new(),
        }
    }
}

/// The dossier that the release lists, verified: what a person reads before approving.
fn dossier(
    server: &Server,
    family: &RepositoryId,
    set: &TrustedSet,
    image: &ImageTarget,
) -> Outcome<Dossier> {
    let document = &image.firmware.docs.dossier;
    let target = set.target(&document.path).filter(|target| target.sha256 == document.sha256);
    let target = target.ok_or_else(|| {
        Failure::new(Code::ReleaseUnknown, format!("{}: not listed", document.path))
    })?;
    let bytes = repository::fetch(server, family, set, &target)?;
    Dossier::read(&bytes)
        .map_err(|error| Failure::because(Code::ReleaseUnknown, document.path.as_str(), &error))
}

/// `withdraw`: the approval stays listed, says that it is withdrawn, and devices remember it.
///
/// # Errors
/// [`Code::ApprovalUnknown`], and failures of the base, the server and writing.
pub fn withdraw(here: &Here, withdraw: &Withdraw) -> Outcome<Said> {
    let server = login::connect(here, &withdraw.against.reach)?;
    let id = RepositoryId::Site(withdraw.site.clone());
    let base = Base::current(here, &id, &withdraw.against)?;
    let spec = next(here, &id, &base, &withdraw.life)?;
    let listed = approvals::listed(here, &server, &id)?;
    let approvals = || listed.iter().map(|(_, approval)| approval);
    if approvals().all(|approval| approval.id != withdraw.id) {
        let names = approvals().map(|approval| approval.id.to_string()).collect();
        let what = format!("{id}: no approval {}", withdraw.id);
        return Err(Failure::with_problems(Code::ApprovalUnknown, what, names));
    }
    let approval = draft_next::withdrawn(approvals(), &withdraw.id);
    let approval = approval.map_err(|error| {
        if let BadDraft::NotListed(id) = error {
            return Failure::new(Code::ApprovalUnknown, format!("{id} is withdrawn already"));
        }
        plan::not_drafted(here.language, error)
    })?;
    let drafted = [Drafted { approval, more: &|_, _| Vec::new() }];
    approvals::put(here, &id, spec, &drafted, None, &withdraw.out)
}

/// A release that the manufacturer still offers.
#[must_use]
pub fn offered(state: ReleaseState) -> bool {
    state == ReleaseState::Released
}

/// A release of this version, offered or taken back.
///
/// # Errors
/// [`Code::ReleaseUnknown`] with every release that there is.
pub fn any_release(set: &TrustedSet, version: &Version) -> Outcome<Verified<ImageTarget>> {
    release_of(set, version, |_| true)
}

/// A release of this version in a wanted state.
///
/// # Errors
/// [`Code::ReleaseUnknown`] with every release that there is.
pub fn release_of(
    set: &TrustedSet,
    version: &Version,
    wanted: impl Fn(ReleaseState) -> bool,
) -> Outcome<Verified<ImageTarget>> {
    let usable = || set.images().into_iter().filter_map(Result::ok);
    let found =
        usable().find(|image| image.firmware.version == *version && wanted(image.firmware.state));
    found.ok_or_else(|| {
        let name = |image: &ImageTarget| {
            let state = json!(image.firmware.state);
            let state = state.as_str().unwrap_or_default().to_owned();
            format!("{} (seq {}) {state}", image.firmware.version, image.firmware.seq)
        };
        let names = usable().map(|image| name(&image)).collect();
        Failure::with_problems(Code::ReleaseUnknown, format!("no release {version}"), names)
    })
}

fn snapshot_of(set: &TrustedSet) -> Option<SnapshotRef> {
    let snapshot = set.snapshot()?;
    Some(SnapshotRef { version: snapshot.signed.version.get(), sha256: snapshot.sha256() })
}
