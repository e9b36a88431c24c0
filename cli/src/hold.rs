//! `hold set|list|lift`: stopping needs no key; a hospital's hold is lifted by a signature.
//!
//! Three parties hold: the hospital (`--by site`), the manufacturer, and whoever runs the server.
//! Each lifts its own. Not here: holding at the device itself, which needs no server.
//! Invariant: setting a hold asks for nothing but scope, reason and owner.

use crate::act::{self, Statement, With, Words};
use crate::error::{Code, Failure, Outcome};
use crate::here::{Here, Language};
use crate::said::Said;
use crate::server::{Reach, Server};
use crate::{approve, key, login, repository};
use patchward_protocol::act::{Meaning, Subject};
use patchward_protocol::api::consent::{
    HoldView, LiftMakerHold, LiftOperatorHold, ListHolds, ListRollouts, SetHold, SetHoldRequest,
    SetMakerHold, SetOperatorHold, SetOperatorHoldRequest,
};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::directive::{HoldBy, HoldTarget};
use patchward_protocol::draft::approval_text::in_zone;
use patchward_protocol::id::{DeviceId, FamilyId, HoldId, RepositoryId, SiteId, Version, WardId};
use serde_json::json;

/// Seconds of an hour.
const HOUR_S: i64 = 3600;

/// Whose hold it is, as written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ByWord {
    /// The hospital's
    Site,
    /// The manufacturer's
    Maker,
    /// Of whoever runs the server
    Operator,
}

/// Arguments of `hold set`.
#[derive(Debug, clap::Args)]
pub struct Set {
    /// The site (with `--by operator`: every site when absent)
    #[arg(long, value_name = "SITE")]
    pub site: Option<SiteId>,
    /// Hold this ward
    #[arg(long, value_name = "WARD", conflicts_with_all = ["device", "release"])]
    pub ward: Option<WardId>,
    /// Hold this device
    #[arg(long, value_name = "DEVICE", conflicts_with = "release")]
    pub device: Option<DeviceId>,
    /// Hold this release (with --family)
    #[arg(long, value_name = "VERSION", requires = "family")]
    pub release: Option<Version>,
    /// The family of the release
    #[arg(long, value_name = "MAKER.NAME")]
    pub family: Option<FamilyId>,
    /// Why; never a patient's name
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Who sees to it: name or function
    #[arg(long, value_name = "TEXT")]
    pub owner: String,
    /// Hours after which somebody must look at it again; it never lifts by itself (default: 72)
    #[arg(long, value_name = "H", value_parser = clap::value_parser!(i64).range(1..=2160))]
    pub review_hours: Option<i64>,
    /// Whose hold it is
    #[arg(long, value_enum, default_value = "site")]
    pub by: ByWord,
    /// How to reach the server
    #[command(flatten)]
    pub reach: Reach,
}

/// Arguments of `hold list`.
#[derive(Debug, clap::Args)]
pub struct List {
    /// The site
    #[arg(long, value_name = "SITE")]
    pub site: SiteId,
    /// Show lifted ones of the last 90 days too
    #[arg(long)]
    pub lifted: bool,
    /// Zone in which people read the hours
    #[arg(long, value_name = "ZONE", default_value = "Asia/Tokyo")]
    pub tz: String,
    /// How to reach the server
    #[command(flatten)]
    pub reach: Reach,
}

/// Arguments of `hold lift`: a hospital's hold.
#[derive(Debug, clap::Args)]
pub struct Lift {
    /// The hold, as `hold list` shows it
    pub id: HoldId,
    /// The site
    #[arg(long, value_name = "SITE")]
    pub site: SiteId,
    /// The key that signs it
    #[command(flatten)]
    pub with: With,
    /// Who signs and why
    #[command(flatten)]
    pub words: Words,
    /// How to reach the server
    #[command(flatten)]
    pub reach: Reach,
}

/// Arguments of `hold end`: a hold of the manufacturer or of whoever runs the server.
#[derive(Debug, clap::Args)]
pub struct End {
    /// The hold
    pub id: HoldId,
    /// The manufacturer's family; without it, a hold of whoever runs the server
    #[arg(long, value_name = "MAKER.NAME")]
    pub family: Option<FamilyId>,
    /// How to reach the server
    #[command(flatten)]
    pub reach: Reach,
}

/// `hold set`.
///
/// # Errors
/// [`Code::Usage`] for a scope that the party has not; [`Code::ReleaseUnknown`]; failures of the
/// server.
pub fn set(here: &Here, set: &Set) -> Outcome<Said> {
    let server = login::connect(here, &set.reach)?;
    let usage = |what: &str| Failure::new(Code::Usage, what);
    let review_at = set.review_hours.map(|hours| here.at.plus_seconds(hours * HOUR_S));
    let request = |target| SetHoldRequest {
        target,
        reason: set.reason.clone(),
        owner: set.owner.clone(),
        review_at,
    };
    let scoped = set.ward.is_some() || set.device.is_some() || set.release.is_some();
    let view = match (set.by, &set.site) {
        (ByWord::Site, Some(site)) => {
            let target = target(here, &server, site, set)?;
            server.call::<SetHold>(&[site.as_str()], &request(target))?
        }
        (ByWord::Site, None) => return Err(usage("a hospital's hold names its --site")),
        (ByWord::Maker, _) => {
            let (Some(family), Some(version)) = (&set.family, &set.release) else {
                return Err(usage("a manufacturer's hold names --family and --release"));
            };
            let image_sha256 = of_repository(here, &server, family, version)?;
            let target = HoldTarget::Release { family: family.clone(), image_sha256 };
            server.call::<SetMakerHold>(&[family.as_str()], &request(target))?
        }
        (ByWord::Operator, _) if scoped => {
            return Err(usage("whoever runs the server holds a whole --site, or every site"));
        }
        (ByWord::Operator, site) => {
            let (reason, owner) = (set.reason.clone(), set.owner.clone());
            let request = SetOperatorHoldRequest { site: site.clone(), reason, owner };
            server.call::<SetOperatorHold>(&[], &request)?
        }
    };
    let held = match here.language {
        Language::En => format!(
            "HELD: {} — {} devices; it reaches each with its next poll and stays until it is lifted",
            target_words(here.language, &view.target),
            view.devices
        ),
        Language::Ja => format!(
            "保留しました: {} — {} 台。各機器の次回通信時に有効になり、解除まで続きます",
            target_words(here.language, &view.target),
            view.devices
        ),
    };
    let review = here.language.pick("look at it again by", "見直し期限");
    Ok(Said::new(json!(view))
        .line(held)
        .line(format!("  id {}", view.id))
        .line(format!("  {review} {}", in_zone("Asia/Tokyo", view.review_at))))
}

/// `hold list`.
///
/// # Errors
/// Failures of the server.
pub fn list(here: &Here, list: &List) -> Outcome<Said> {
    let server = login::connect(here, &list.reach)?;
    let mut holds = server.call::<ListHolds>(&[list.site.as_str()], &())?;
    holds.retain(|hold| list.lifted || hold.lifted_at.is_none());
    let mut said = Said::new(json!(holds));
    if holds.is_empty() {
        said = said.line(here.language.pick("nothing is held", "保留はありません"));
    }
    Ok(said.lines(holds.iter().flat_map(|hold| lines(here.language, &list.tz, hold))))
}

/// `hold lift`: signs that the hospital's hold ends, and files it.
///
/// # Errors
/// [`Code::HoldUnknown`]; failures of key and server.
pub fn lift(here: &Here, lift: &Lift) -> Outcome<Said> {
    let words = lift.words.given("a lifted hold")?;
    let server = login::connect(here, &lift.reach)?;
    let holds = server.call::<ListHolds>(&[lift.site.as_str()], &())?;
    let found = holds.iter().find(|hold| hold.id == lift.id && hold.lifted_at.is_none());
    let hold = found.ok_or_else(|| {
        let standing = holds.iter().filter(|hold| hold.lifted_at.is_none());
        let names = standing.map(|hold| hold.id.to_string()).collect();
        Failure::with_problems(Code::HoldUnknown, &lift.id, names)
    })?;
    if hold.by != HoldBy::Site {
        let what = format!("{}: {}", hold.id, by_words(Language::En, hold.by));
        return Err(Failure::new(Code::HoldUnknown, what));
    }
    lines(here.language, &lift.with.tz, hold).iter().for_each(|line| here.tell(line));
    let key = key::open(here, &lift.with.key, lift.with.passphrase_file.as_deref())?;
    let statement = Statement {
        site: lift.site.clone(),
        subject: Subject::Hold { hold: lift.id.clone() },
        meaning: Meaning::HoldLifted,
        tz: lift.with.tz.clone(),
        compensating: None,
    };
    let sealed = act::seal(here, &key, &words, Some(&server), statement)?;
    let filed = act::file_one(&server, &lift.site, &sealed).map_err(known)?;
    Ok(Said::new(json!({"hold": lift.id, "record_index": filed.record_index})).line(format!(
        "{} {} — {}",
        here.language.pick("lifted:", "解除しました:"),
        lift.id,
        target_words(here.language, &hold.target)
    )))
}

/// `hold end`: the manufacturer or the operator ends its own hold; the hospitals' holds stay.
///
/// # Errors
/// [`Code::HoldUnknown`]; failures of the server.
pub fn end(here: &Here, end: &End) -> Outcome<Said> {
    let server = login::connect(here, &end.reach)?;
    let view = match &end.family {
        Some(family) => {
            server.call::<LiftMakerHold>(&[family.as_str(), end.id.as_str()], &()).map_err(known)?
        }
        None => server.call::<LiftOperatorHold>(&[end.id.as_str()], &()).map_err(known)?,
    };
    Ok(Said::new(json!(view)).line(format!(
        "{} {} — {}",
        here.language.pick("lifted:", "解除しました:"),
        view.id,
        target_words(here.language, &view.target)
    )))
}

/// The server's word for an unknown or ended hold, as this program's own.
fn known(failure: Failure) -> Failure {
    let code = failure.server.as_ref().map(|problem| problem.code);
    match code {
        Some(ErrorCode::HoldUnknown | ErrorCode::HoldLifted) => {
            Failure { code: Code::HoldUnknown, ..failure }
        }
        _ => failure,
    }
}

fn target(here: &Here, server: &Server, site: &SiteId, set: &Set) -> Outcome<HoldTarget> {
    if let Some(ward) = &set.ward {
        return Ok(HoldTarget::Ward { ward: ward.clone() });
    }
    if let Some(device) = &set.device {
        return Ok(HoldTarget::Device { device: device.clone() });
    }
    let (Some(family), Some(version)) = (&set.family, &set.release) else {
        return Ok(HoldTarget::Site);
    };
    // Stopping must not wait for a pinned root: what is on its way here names its image, too.
    let rollouts = server.call::<ListRollouts>(&[site.as_str()], &())?;
    let image = rollouts.iter().map(|rollout| &rollout.image);
    let found = image.clone().find(|image| image.family == *family && image.version == *version);
    let image_sha256 = match found {
        Some(image) => image.image_sha256,
        None => of_repository(here, server, family, version)?,
    };
    Ok(HoldTarget::Release { family: family.clone(), image_sha256 })
}

/// The image of a release, from the verified repository of its family.
fn of_repository(
    here: &Here,
    server: &Server,
    family: &FamilyId,
    version: &Version,
) -> Outcome<Sha256Digest> {
    let set = repository::refresh(here, server, &RepositoryId::Family(family.clone()))?;
    approve::any_release(&set, version).map(|image| image.firmware.payload.image_sha256)
}

fn lines(language: Language, tz: &str, hold: &HoldView) -> Vec<String> {
    let word = |en, ja| language.pick(en, ja);
    let overdue = if hold.overdue { word(" OVERDUE", " 期限超過") } else { "" };
    let mut lines = vec![
        format!(
            "{}  {}  ({}, {} {})",
            hold.id,
            target_words(language, &hold.target),
            by_words(language, hold.by),
            hold.devices,
            word("devices", "台")
        ),
        format!("  {} {}", word("why:", "理由:"), hold.reason),
        format!(
            "  {} {}, {} {}",
            word("set by", "設定者"),
            hold.set_by,
            word("owner", "担当"),
            hold.owner
        ),
        format!("  {} {}", word("since", "設定日時"), in_zone(tz, hold.set_at)),
        format!("  {} {}{overdue}", word("review by", "見直し期限"), in_zone(tz, hold.review_at)),
    ];
    if let Some(at) = hold.lifted_at {
        lines.push(format!("  {} {}", word("lifted", "解除"), in_zone(tz, at)));
    }
    lines
}

/// What a hold holds, in words.
#[must_use]
pub fn target_words(language: Language, target: &HoldTarget) -> String {
    match target {
        HoldTarget::Device { device } => format!("{} {device}", language.pick("device", "機器")),
        HoldTarget::Ward { ward } => format!("{} {ward}", language.pick("ward", "病棟")),
        HoldTarget::Site => language.pick("the whole site", "施設全体").to_owned(),
        HoldTarget::Release { family, image_sha256 } => format!(
            "{} {family} ({})",
            language.pick("release", "リリース"),
            image_sha256.fingerprint()
        ),
    }
}

fn by_words(language: Language, by: HoldBy) -> &'static str {
    match by {
        HoldBy::Site => language.pick("of the hospital", "医療機関の保留"),
        HoldBy::Maker => language.pick("of the manufacturer", "製造販売業者の保留"),
        HoldBy::Operator => language.pick("of whoever runs the server", "サーバー運用者の保留"),
        HoldBy::Freeze => language.pick("of a freeze; it ends with it", "変更凍結期間による保留"),
    }
}
