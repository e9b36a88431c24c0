//! Review and sign: the canonical text of exactly what is signed, who has signed and who is missing, and
//! the ways of signing with what each costs.
//!
//! Not here: checking signatures (`consent::draft::sign`). Invariant: a key file and its passphrase are
//! read by the visitor's browser and never sent.

use super::draft::{Signer, needs, seen, signers};
use super::ways::{self, Way};
use super::{person, plan, steps};
use crate::consent::draft::acts::Words as Said;
use crate::consent::draft::facts::Facts;
use crate::consent::draft::sign::{After, MadeElsewhere, Saw};
use crate::consent::draft::status::{self, BaseState, SignerKey, Standing};
use crate::consent::draft::{Draft, carry, custodial, make, sign};
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::form::one_line;
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::when::When;
use crate::console::words::Words;
use crate::error::ApiError;
use crate::people::enter;
use crate::people::password::Password;
use crate::people::role::SitePower;
use askama::Template;
use patchward_protocol::act::{Act, Subject};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::civil::CivilDate;
use patchward_protocol::draft::carried::CarriedDraft;
use patchward_protocol::key::{PublicKey, Signature};
use patchward_protocol::tuf::schema::Method;
use zeroize::Zeroizing;

/// The page.
#[derive(Template)]
#[template(path = "approvals/sign.html")]
struct Sign {
    frame: Frame,
    w: Words,
    base: String,
    steps: Vec<(String, &'static str)>,
    statement: String,
    fingerprint: String,
    sha256: String,
    repository: String,
    signers: Vec<Signer>,
    needs: Vec<String>,
    weakest: String,
    ways: Vec<Way>,
    cves: Vec<String>,
    consequence: String,
    file: String,
    command: String,
    may_keep: bool,
    me: Me,
}

/// What the visitor may do here.
enum Me {
    /// Nothing: no person of the root, or not allowed to sign.
    Nobody,
    /// Has signed.
    Signed,
    /// Says why first.
    SaysWhy { name: String, role: String },
    /// Signs.
    Signs(Box<Ready>),
}

struct Ready {
    message: String,
    approvals: Vec<String>,
    acts: Vec<String>,
    said: Vec<SaidBeside>,
    saw: String,
    keys: String,
    custodial: bool,
}

/// What is signed beside the approvals, for people.
struct SaidBeside {
    what: String,
    name: String,
    role: String,
    reason: String,
    control: Option<String>,
    at: When,
}

/// Adds the routes.
pub(super) fn routes(routes: &mut Routes) {
    let sign = SitePower::Sign;
    routes.get::<AtSite, _, _>("/console/sites/{site}/approvals/draft/sign", SitePower::See, show);
    routes.post::<AtSite, _, _>("/console/sites/{site}/approvals/draft/reason", sign, reason);
    routes.post::<AtSite, _, _>("/console/sites/{site}/approvals/draft/signature", sign, in_page);
    routes.post::<AtSite, _, _>("/console/sites/{site}/approvals/draft/custodial", sign, by_server);
    routes.get::<AtSite, _, _>(
        "/console/sites/{site}/approvals/draft/file",
        SitePower::See,
        download,
    );
    routes.post::<AtSite, _, _>(
        "/console/sites/{site}/approvals/draft/upload",
        SitePower::Plan,
        upload,
    );
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (app, site) = (&visit.app, &visit.entry.site);
    let Some(draft) = make::find(app, site).await? else {
        return Ok(Answer::go(visit.entry.path("approvals")));
    };
    let facts = Facts::of(app, site).await?;
    if status::base(&draft, &facts) != BaseState::Current {
        return Ok(Answer::go(visit.entry.path("approvals/draft")));
    }
    Answer::page(&view(&visit, &draft, &facts)?)
}

async fn reason(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (form, who) = (&visit.form, &visit.entry.who);
    let due = form.maybe::<CivilDate>("due")?;
    let due =
        due.map(|day| super::new::midnight(day.plus_days(1), visit.entry.tz())).transpose()?;
    let control = match (form.get("control"), form.get("owner"), due) {
        (Some(control), Some(owner), Some(due)) => Some((one_line(control), one_line(owner), due)),
        _ => None,
    };
    let words = Said {
        person: person(&visit)?,
        name: who.name.clone(),
        role: who.title.clone(),
        reason: form.line("reason")?,
        tz: visit.entry.tz().to_owned(),
        control,
    };
    sign::prepare(&visit.app, &visit.entry.site, seen(&visit)?, &words).await?;
    Ok(Answer::go(format!("{}#sign-now", visit.entry.path("approvals/draft/sign"))))
}

async fn in_page(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let signer = made_elsewhere(&visit)?;
    let person = person(&visit)?;
    let after = sign::take(
        &visit.app,
        &visit.entry.site,
        seen(&visit)?,
        (&person, Method::Console),
        &signer,
    );
    Ok(on_from(&visit, &after.await?))
}

async fn by_server(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let key = open_custodial(&visit).await?;
    let person = person(&visit)?;
    let how = (&person, Method::Custodial);
    let saw = Saw { targets: seen(&visit)?, acts: Some(visit.form.read("said")?) };
    let after = sign::take(&visit.app, &visit.entry.site, saw, how, &key).await?;
    Ok(on_from(&visit, &after))
}

async fn download(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let draft = make::open(&visit.app, &visit.entry.site).await?;
    let facts = Facts::of(&visit.app, &visit.entry.site).await?;
    let bytes = carry::carried(&draft, &facts)?.write().map_err(ApiError::failed)?;
    Ok(Answer::file(&carry::file_name(&draft), "application/json", bytes))
}

async fn upload(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let missing = || ApiError::with(ErrorCode::RequestInvalid, "signed: choose the signed file");
    let sent = visit.form.file("signed").ok_or_else(missing)?;
    let carried = CarriedDraft::read(&sent.bytes)
        .map_err(|error| ApiError::because(ErrorCode::BodyMalformed, &error))?;
    let after = carry::take(&visit.app, &visit.entry.site, carried).await?;
    Ok(on_from(&visit, &after))
}

/// Signatures that the page made: the public key and one signature for each message.
///
/// # Errors
/// `request_invalid`.
pub(in crate::console::pages) fn made_elsewhere(
    visit: &Visit<AtSite>,
) -> Result<MadeElsewhere, ApiError> {
    let public: PublicKey = visit.form.read("public")?;
    let read = |text: &str| {
        Signature::try_from(text.to_owned())
            .map_err(|error| ApiError::because(ErrorCode::RequestInvalid, &error))
    };
    let signatures = visit.form.all("signature").map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(MadeElsewhere { public, signatures })
}

/// The visitor's key that the server keeps, opened with password and one-time code.
///
/// # Errors
/// `login_failed`, `code_wrong`, `login_delayed`, and as [`custodial::open`].
pub(in crate::console::pages) async fn open_custodial(
    visit: &Visit<AtSite>,
) -> Result<patchward_protocol::key::SecretKey, ApiError> {
    let (app, site, who) = (&visit.app, &visit.entry.site, &visit.entry.who);
    let person = person(visit)?;
    let typed = visit.form.raw("password").unwrap_or_default();
    let code = visit.form.need("code")?;
    enter::confirm_both(app, &visit.asked.knock, who, Password::typed(typed), code).await?;
    custodial::open(app, site, &person, Zeroizing::new(typed.to_owned())).await
}

fn on_from(visit: &Visit<AtSite>, after: &After) -> Answer {
    match after {
        After::Published(version) => {
            Answer::go(visit.entry.path(&format!("approvals/done/{version}")))
        }
        After::Open(_) => {
            Answer::done(&visit.entry.path("approvals/draft/sign"), "approvals-signature-done")
        }
    }
}

fn view(visit: &Visit<AtSite>, draft: &Draft, facts: &Facts) -> Result<Sign, Turned> {
    let words = visit.words;
    let standing = Standing::of(draft, facts)?;
    let stated = status::stated(draft, facts)?;
    let shown = draft.shown(Some(&facts.published), &stated)?;
    let approvals = draft.read_approvals()?;
    let mut cves: Vec<String> = stated.iter().flat_map(|it| it.cves.iter().cloned()).collect();
    cves.sort();
    cves.dedup();
    let person = visit.entry.who.person_at(&visit.entry.site);
    let may = visit.entry.may(SitePower::Sign);
    let language = words.language();
    let lines = match language {
        crate::people::who::Language::En => &shown.en,
        crate::people::who::Language::Ja => &shown.ja,
    };
    Ok(Sign {
        frame: visit.frame(Nav::Approvals, words.t("approvals-sign-title")).script("sign.js"),
        w: words,
        base: visit.entry.path("approvals"),
        steps: steps(words, 2),
        statement: lines.join("\n"),
        fingerprint: shown.fingerprint.clone(),
        sha256: draft.staged.message_sha256().to_string(),
        repository: draft.repository().to_string(),
        signers: signers(words, &draft.inventory, &standing),
        needs: needs(words, &standing),
        weakest: ways::weakest(words, facts.weakest()),
        ways: ways::ways(words, &standing.keys, person),
        cves,
        consequence: plan::consequence(words, &approvals),
        file: carry::file_name(draft),
        command: format!("patchward stage sign {} --key NAME.key", carry::file_name(draft)),
        may_keep: may && person.is_some() && facts.weakest() == Method::Custodial,
        me: person.filter(|_| may).map_or(Me::Nobody, |person| me(visit, draft, &standing, person)),
    })
}

fn me(
    visit: &Visit<AtSite>,
    draft: &Draft,
    standing: &Standing,
    person: &patchward_protocol::id::PersonId,
) -> Me {
    let mine: Vec<&SignerKey> = standing.keys_of(person).collect();
    if mine.is_empty() {
        return Me::Nobody;
    }
    if mine.iter().any(|key| key.signed == status::Signed::Yes) {
        return Me::Signed;
    }
    let prepared = draft.prepared.iter().find(|prepared| prepared.person == *person);
    let fresh = prepared.filter(|prepared| prepared.is_fresh(visit.at));
    let Some(prepared) = fresh else {
        let who = &visit.entry.who;
        return Me::SaysWhy { name: who.name.clone(), role: who.title.clone() };
    };
    Me::Signs(Box::new(Ready {
        message: String::from_utf8_lossy(draft.staged.message()).into_owned(),
        approvals: draft.approvals.iter().map(|file| file.text.clone()).collect(),
        acts: prepared.payloads.clone(),
        said: prepared.acts().unwrap_or_default().iter().map(|act| beside(visit, act)).collect(),
        saw: prepared.sha256().to_string(),
        keys: ways::keys_of(standing, person),
        custodial: mine.iter().any(|key| key.method == Method::Custodial),
    }))
}

fn beside(visit: &Visit<AtSite>, act: &Act) -> SaidBeside {
    let words = visit.words;
    let (en, ja) = act.meaning.words();
    let approval = match &act.subject {
        Subject::Approval { approval, .. } => approval.to_string(),
        Subject::Wave { .. } | Subject::Hold { .. } | Subject::Device { .. } => String::new(),
    };
    let control = act.compensating.as_ref().map(|control| {
        let due = words.day(control.due, &act.tz);
        words.say(
            "approvals-control-line",
            &[
                ("control", control.control.clone().into()),
                ("owner", control.owner.clone().into()),
                ("due", due.words().to_owned().into()),
            ],
        )
    });
    SaidBeside {
        what: format!("{} — {approval}", words.pick(en, ja)),
        name: act.name.clone(),
        role: act.role.clone(),
        reason: act.reason.clone(),
        control,
        at: words.instant(act.at, &act.tz),
    }
}

/// An approval of twelve pumps, as a sample.
#[cfg(test)]
fn sample_approval() -> patchward_protocol::approval::Approval {
    use crate::console::sample::noon;
    use patchward_protocol::approval::{ApprovedDevice, ApprovedRelease, Gates, Wave};
    use patchward_protocol::digest::Sha256Digest;
    use patchward_protocol::draft::draw::Terms;
    use patchward_protocol::id::Seq;
    use patchward_protocol::key::{SecretKey, Signer as _};
    use patchward_protocol::slot::Slot;
    let at = |hours: i64| noon().plus_seconds(hours * 3600);
    let device = |n: u8| ApprovedDevice {
        id: format!("pump-{n:02}").parse().unwrap(),
        key: SecretKey::from_seed(&[n; 32]).public(),
        wave: u32::from(n > 1),
        slots: vec![
            Slot::new(at(24 * i64::from(n)), at(24 * i64::from(n) + 2)).unwrap(),
            Slot::new(at(24 * i64::from(n) + 6), at(24 * i64::from(n) + 8)).unwrap(),
        ],
        attended: n == 3,
        pair: None,
    };
    let wave = |n: u32| Wave {
        n,
        not_before: at(24),
        soak_s: 86_400,
        min_updated: n,
        min_clinical_use_h: 4 * n,
    };
    patchward_protocol::approval::Approval {
        v: 1,
        id: "infusor-a-7-v9".parse().unwrap(),
        site: "city-hospital".parse().unwrap(),
        serial: 9,
        issued: noon(),
        valid_until: at(24 * 14),
        action: patchward_protocol::approval::Action::Install,
        urgency: patchward_protocol::approval::Urgency::Routine,
        state: patchward_protocol::approval::ApprovalState::Active,
        release: Some(ApprovedRelease {
            family: "acme.infusor-a".parse().unwrap(),
            version: "2.4.1".parse().unwrap(),
            seq: Seq(7),
            image_sha256: Sha256Digest::of(b"image"),
            path: "img/a-7.pwd".parse().unwrap(),
            image_length: 48 << 20,
            dossier_sha256: Sha256Digest::of(b"dossier"),
        }),
        standing: None,
        devices: (1..=12).map(device).collect(),
        conditions: Terms::default().conditions(),
        waves: vec![wave(0), wave(1)],
        gates: Gates { halt_permille: vec![0, 20], silent_after_s: 3600 },
        rollback: patchward_protocol::approval::RollbackTerms { automatic: true, to: vec![Seq(6)] },
        tz: "Asia/Tokyo".to_owned(),
        supersedes: None,
        snapshot: None,
    }
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, site_frame};
    use patchward_protocol::draft::statement::Stated;
    let language = match words.language() {
        crate::people::who::Language::En => patchward_protocol::language::Language::En,
        crate::people::who::Language::Ja => patchward_protocol::language::Language::Ja,
    };
    let approval = sample_approval();
    let bytes = approval.write().unwrap();
    let stated = Stated {
        sha256: patchward_protocol::digest::Sha256Digest::of(&bytes),
        release: None,
        cves: std::collections::BTreeSet::new(),
        approval,
    };
    let page = |me: Me, cves: &[&str]| Sign {
        frame: site_frame(words, Nav::Approvals, "approvals-sign-title").script("sign.js"),
        w: words,
        base: "/console/sites/city-hospital/approvals".to_owned(),
        steps: steps(words, 2),
        statement: stated.lines(language).join("\n"),
        fingerprint: "4821 0937 6650".to_owned(),
        sha256: "00".repeat(32),
        repository: "site:city-hospital".to_owned(),
        signers: super::draft::sample_signers(words),
        needs: vec![words.t1("approvals-need-signatures", "n", 1)],
        weakest: ways::weakest(words, Method::Console),
        ways: ways::ways(words, &[], None),
        cves: cves.iter().map(|cve| (*cve).to_owned()).collect(),
        consequence: plan::consequence(words, std::slice::from_ref(&stated.approval)),
        file: "city-hospital-v9.draft.json".to_owned(),
        command: "patchward stage sign city-hospital-v9.draft.json --key NAME.key".to_owned(),
        may_keep: cves.is_empty(),
        me,
    };
    let why = || Me::SaysWhy {
        name: words.pick("Tanaka Yuki", "田中 由紀").to_owned(),
        role: words.pick("clinical engineer", "臨床工学技士").to_owned(),
    };
    let ready = |custodial| {
        Me::Signs(Box::new(Ready {
            message: "{}".to_owned(),
            approvals: vec!["{}".to_owned()],
            acts: vec!["{}".to_owned()],
            said: vec![SaidBeside {
                what: format!("{} — infusor-a-7-v9", words.pick("approved", "承認")),
                name: words.pick("Tanaka Yuki", "田中 由紀").to_owned(),
                role: words.pick("clinical engineer", "臨床工学技士").to_owned(),
                reason: words
                    .pick("Reviewed with ward 5 East.", "5階東病棟と確認済み。")
                    .to_owned(),
                control: None,
                at: words.instant(crate::console::sample::noon(), "Asia/Tokyo"),
            }],
            saw: "00".repeat(32),
            keys: String::new(),
            custodial,
        }))
    };
    vec![
        Sample::of("approvals/sign.html", "reason", &page(why(), &[])),
        Sample::of("approvals/sign.html", "rollback", &page(why(), &["CVE-2026-1234"])),
        Sample::of("approvals/sign.html", "console", &page(ready(false), &[])),
        Sample::of("approvals/sign.html", "custodial", &page(ready(true), &[])),
        Sample::of("approvals/sign.html", "signed", &page(Me::Signed, &[])),
        Sample::of("approvals/sign.html", "nobody", &page(Me::Nobody, &[])),
    ]
}
