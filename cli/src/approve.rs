//! `approve` and `withdraw`: a hospital's plan for named devices and hours, drafted to be signed.
//!
//! The release comes from the verified family repository, the keys of devices from the inventory.
//! An approval becomes a target of the next version of the site's targets. Not here: signing, and
//! rules of wards (explicit devices and slots only).
//! Invariant: what is drafted passes the same check that the device makes.

use crate::approval_text;
use crate::base::{Against, Base};
use crate::devices::{self, NamedDevice, SlotWord};
use crate::error::{Code, Failure, Outcome};
use crate::folder::Folder;
use crate::here::{Here, Language};
use crate::release::{Life, next};
use crate::said::Said;
use crate::server::Server;
use crate::{login, repository};
use patchward_protocol::approval::{
    Action, Approval, ApprovalState, ApprovedDevice, ApprovedRelease, ClinicalCondition,
    Conditions, Gates, Need, NeededTime, RollbackTerms, SnapshotRef, Urgency, Wave,
};
use patchward_protocol::dossier::Dossier;
use patchward_protocol::id::{
    ApprovalId, FamilyId, RepositoryId, Seq, SiteId, TargetPath, Version,
};
use patchward_protocol::limits::SLOT_RESERVE_S;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::build::TargetsSpec;
use patchward_protocol::tuf::custom::{Firmware, ReleaseState};
use patchward_protocol::tuf::lookup::{APPROVAL_DIR, ImageTarget};
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::trusted_set::TrustedSet;
use patchward_protocol::verified::Verified;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Seconds of an hour.
const HOUR_S: i64 = 3600;

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
    /// A device, or DEVICE=START/END[,START/END] with slots of its own (repeat)
    #[arg(long, value_name = "DEVICE", required = true)]
    pub device: Vec<NamedDevice>,
    /// Slot START/END in UTC for devices without their own (repeat for alternatives)
    #[arg(long, value_name = "START/END")]
    pub slot: Vec<SlotWord>,
    /// Inventory that `devices --json` wrote (default: asked of the server)
    #[arg(long, value_name = "FILE")]
    pub devices_file: Option<PathBuf>,
    /// Zone in which people read the hours
    #[arg(long, value_name = "ZONE", default_value = "Asia/Tokyo")]
    pub tz: String,
    /// The approval's id (default: from family, seq and version of the targets)
    #[arg(long)]
    pub id: Option<ApprovalId>,
    /// Last instant of validity (default: the end of the last slot)
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
#[derive(Debug, Clone, clap::Args)]
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

/// `approve`.
///
/// # Errors
/// [`Code::ReleaseUnknown`], [`Code::DeviceUnknown`], [`Code::ApprovalRefused`], and failures of the
/// base, the server and writing.
pub fn approve(here: &Here, approve: &Approve) -> Outcome<Said> {
    approval_text::zone(&approve.tz)?;
    let server = login::connect(here, &approve.against.reach)?;
    let family = RepositoryId::Family(approve.family.clone());
    let family_set = repository::refresh(here, &server, &family)?;
    let image = release(&family_set, &approve.release)?;
    let inventory = match &approve.devices_file {
        Some(path) => devices::from_file(path)?,
        None => devices::from_server(&server, &approve.site)?,
    };
    let picked = devices::pick(&inventory, &approve.device, &image.firmware)?;
    let id = RepositoryId::Site(approve.site.clone());
    let base = Base::current(here, &id, &approve.against)?;
    let mut spec = next(here, &id, &base, &approve.life)?;
    let mut given: Vec<_> = approve.slot.iter().map(|slot| slot.0).collect();
    given.sort_unstable_by_key(|slot| slot.start());
    let mut approved = Vec::new();
    for (device, key) in picked {
        let mut slots: Vec<_> = device.slots.iter().map(|slot| slot.0).collect();
        slots.sort_unstable_by_key(|slot| slot.start());
        let slots = if slots.is_empty() { given.clone() } else { slots };
        let (attended, wave) = (approve.terms.attended, 0);
        approved.push(ApprovedDevice { id: device.id, key, wave, slots, attended, pair: None });
    }
    let snapshot = approve.terms.for_bundle.then(|| snapshot_of(&family_set)).flatten();
    let approval = draw_up(approve, &image, &spec, approved, snapshot)?;
    drop_past(here, &server, &id, &mut spec)?;
    let dossier = dossier(&server, &family, &family_set, &image)?;
    let summary = |language| {
        let mut lines = approval_text::dossier_lines(language, &dossier);
        if let Some(release) = &approval.release {
            lines.extend(approval_text::release_lines(language, release, Some(&family_set)));
        }
        lines.extend(short_slots(language, &approval, &image.firmware));
        lines
    };
    put(here, &id, spec, &approval, &approve.out, &summary)
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
    let listed = listed(here, &server, &id)?;
    let found = listed.iter().find(|(_, approval)| approval.id == withdraw.id);
    let Some((_, approval)) = found else {
        let names = listed.iter().map(|(_, approval)| approval.id.to_string()).collect();
        let what = format!("{id}: no approval {}", withdraw.id);
        return Err(Failure::with_problems(Code::ApprovalUnknown, what, names));
    };
    if approval.state == ApprovalState::Withdrawn {
        let what = format!("{} is withdrawn already", withdraw.id);
        return Err(Failure::new(Code::ApprovalUnknown, what));
    }
    let approval = Approval { state: ApprovalState::Withdrawn, ..approval.clone() };
    put(here, &id, spec, &approval, &withdraw.out, &|_| Vec::new())
}

/// The offered release of this version.
fn release(set: &TrustedSet, version: &Version) -> Outcome<Verified<ImageTarget>> {
    named(set, version, |state| state == ReleaseState::Released)
}

/// The release of this version, offered or taken back.
///
/// # Errors
/// [`Code::ReleaseUnknown`] with every release that there is.
pub fn any_release(set: &TrustedSet, version: &Version) -> Outcome<Verified<ImageTarget>> {
    named(set, version, |_| true)
}

fn named(
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

fn draw_up(
    approve: &Approve,
    image: &ImageTarget,
    spec: &TargetsSpec,
    devices: Vec<ApprovedDevice>,
    snapshot: Option<SnapshotRef>,
) -> Outcome<Approval> {
    let (firmware, terms) = (&image.firmware, &approve.terms);
    let last = devices.iter().flat_map(|device| &device.slots).map(|slot| slot.end()).max();
    let valid_until = approve.valid_until.or(last).unwrap_or(spec.issued);
    let need = |required| if required { Need::Required } else { Need::Advisory };
    let name = approve.family.as_str().split_once('.').map_or("", |(_, name)| name);
    let id = match &approve.id {
        Some(id) => id.clone(),
        None => ApprovalId::new(&format!("{name}-{}-v{}", firmware.seq, spec.version))
            .map_err(|error| Failure::new(Code::NameBad, error))?,
    };
    let approval = Approval {
        v: 1,
        id,
        site: approve.site.clone(),
        // Versions of the targets rise with every approval, so serials do, whatever is dropped.
        serial: spec.version,
        issued: spec.issued,
        valid_until,
        action: if terms.rollback { Action::Rollback } else { Action::Install },
        urgency: if terms.emergency { Urgency::Emergency } else { Urgency::Routine },
        state: ApprovalState::Active,
        release: Some(ApprovedRelease {
            family: firmware.family.clone(),
            version: firmware.version.clone(),
            seq: firmware.seq,
            image_sha256: firmware.payload.image_sha256,
            path: image.path.clone(),
            image_length: firmware.payload.image_length,
            dossier_sha256: firmware.docs.dossier.sha256,
        }),
        standing: None,
        devices,
        conditions: Conditions {
            clinical_state: ClinicalCondition::Idle,
            settle_s: terms.settle_s,
            mains: need(terms.mains),
            battery_min: terms.battery_min,
            acceptance: need(terms.acceptance),
            time: if terms.time_plausible { NeededTime::Plausible } else { NeededTime::Attested },
            offline_ok: terms.offline_ok,
        },
        waves: vec![Wave {
            n: 0,
            not_before: spec.issued,
            soak_s: u64::try_from(24 * HOUR_S).unwrap_or(0),
            min_updated: 0,
            min_clinical_use_h: 0,
        }],
        gates: Gates { halt_permille: vec![0], silent_after_s: terms.silent_after_s },
        rollback: rollback_terms(terms, firmware),
        tz: approve.tz.clone(),
        supersedes: approve.supersedes.clone(),
        snapshot,
    };
    approval
        .check()
        .map_err(|error| Failure::because(Code::ApprovalRefused, approval.id.as_str(), &error))?;
    Ok(approval)
}

fn rollback_terms(terms: &Terms, firmware: &Firmware) -> RollbackTerms {
    let to: Vec<Seq> = firmware.rollback_ok.clone();
    RollbackTerms { automatic: !terms.no_automatic_rollback, to }
}

/// The verified approvals that the site lists.
fn listed(here: &Here, server: &Server, id: &RepositoryId) -> Outcome<Vec<(TargetPath, Approval)>> {
    let set = repository::refresh(here, server, id)?;
    let files = set.files(APPROVAL_DIR);
    let read = |file: &Verified<patchward_protocol::tuf::lookup::TargetFile>| {
        let bytes = repository::fetch(server, id, &set, file)?;
        Ok((file.path.clone(), approval_text::read(&file.path, &bytes)?))
    };
    files.iter().map(read).collect()
}

/// Approvals whose `valid_until` has passed permit nothing and need not be listed any more.
fn drop_past(
    here: &Here,
    server: &Server,
    id: &RepositoryId,
    spec: &mut TargetsSpec,
) -> Outcome<()> {
    for (path, approval) in listed(here, server, id)? {
        if approval.valid_until < spec.issued {
            spec.targets.remove(&path);
        }
    }
    Ok(())
}

fn put(
    here: &Here,
    id: &RepositoryId,
    mut spec: TargetsSpec,
    approval: &Approval,
    out: &Path,
    more: &dyn Fn(Language) -> Vec<String>,
) -> Outcome<Said> {
    let path = TargetPath::new(&format!("{APPROVAL_DIR}/{}.json", approval.id))
        .map_err(|error| Failure::new(Code::NameBad, error))?;
    if approval.state == ApprovalState::Active && spec.targets.contains_key(&path) {
        let what = format!("{} is taken; choose another --id", approval.id);
        return Err(Failure::new(Code::ApprovalRefused, what));
    }
    let bytes = approval
        .write()
        .map_err(|error| Failure::because(Code::ApprovalRefused, approval.id.as_str(), &error))?;
    let folder = Folder::begin(out)?;
    let target = folder.add(&path, &bytes)?;
    let sha256 = target.sha256;
    spec.targets.insert(path, target);
    let staged = spec.staged(Role::Targets);
    let staged = staged.map_err(|error| Failure::because(Code::StageRules, id, &error))?;
    let text = |language| {
        let mut lines = approval_text::lines(language, approval, sha256);
        lines.extend(more(language));
        lines
    };
    for (name, language) in [("summary-en.txt", Language::En), ("summary-ja.txt", Language::Ja)] {
        folder.note(name, &text(language))?;
    }
    let file = folder.finish(&staged)?;
    let word = here.language.pick("to be signed:", "署名待ち:");
    Ok(Said::new(json!({
        "approval": approval.id, "sha256": sha256, "fingerprint": sha256.fingerprint(),
        "version": spec.version, "staged": file, "signed_sha256": staged.message_sha256(),
    }))
    .lines(text(here.language))
    .line(format!("{word} {}", file.display())))
}

/// A slot that is too short for the signed worst case would only ever be waited out.
fn short_slots(language: Language, approval: &Approval, firmware: &Firmware) -> Vec<String> {
    let need_s = firmware.est.worst_s().saturating_add(SLOT_RESERVE_S);
    let need_ms = i64::try_from(need_s.saturating_mul(1000)).unwrap_or(i64::MAX);
    let too_short = approval.devices.iter().flat_map(|device| {
        let slots =
            device.slots.iter().filter(move |slot| slot.end().millis_since(slot.start()) < need_ms);
        slots.map(|slot| (device.id.clone(), *slot))
    });
    let word = language.pick(
        "! this slot is shorter than update, way back and reserve need; the device will wait:",
        "! この適用枠は適用・復帰・予備に必要な時間より短く、機器は待機します:",
    );
    too_short.map(|(id, slot)| format!("{word} {id} {slot} ({need_s} s)")).collect()
}
