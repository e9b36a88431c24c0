//! The sheet of one approval: its canonical text, who signed and in which way, the record; for paper too.
//!
//! Invariant: the text is the protocol's own, from the published bytes.

use super::{kind, plan, subject, way};
use crate::consent::draft::facts::Facts;
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::when::When;
use crate::console::words::Words;
use crate::db::person_act;
use crate::people::role::SitePower;
use askama::Template;
use patchward_protocol::act::{Act as Said, Subject};
use patchward_protocol::approval::ApprovalState;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::draft::statement::Stated;
use patchward_protocol::id::ApprovalId;
use patchward_protocol::key::PublicKey;
use patchward_protocol::language::Language;
use patchward_protocol::tuf::schema::Method;

/// The page.
#[derive(Template)]
#[template(path = "approvals/sheet.html")]
struct Sheet {
    frame: Frame,
    w: Words,
    base: String,
    what: String,
    kind: String,
    id: String,
    statement: String,
    fingerprint: String,
    wards: Vec<plan::WardSlots>,
    acts: Vec<Act>,
    may_withdraw: bool,
}

/// What somebody said, as it stands in the record.
pub(super) struct Act {
    /// Its place in the record.
    pub(super) record_n: u64,
    /// What it is about.
    pub(super) subject: Subject,
    /// Printed name.
    pub(super) name: String,
    /// Role.
    pub(super) role: String,
    /// What the signature means.
    pub(super) meaning: String,
    /// When.
    pub(super) at: When,
    /// In which way it was signed, as the site's root says of the key.
    pub(super) way: String,
    /// Why.
    pub(super) reason: String,
    /// What stands in for the patch.
    pub(super) control: Option<String>,
}

/// Acts about what.
#[derive(Debug, Clone)]
pub(super) enum SheetOf {
    /// An approval by its digest.
    Approval(Sha256Digest),
    /// A version of the targets.
    Targets(u64),
}

/// Adds the routes.
pub(super) fn routes(routes: &mut Routes) {
    let path = "/console/sites/{site}/approvals/sheet/{approval}";
    routes.get::<AtSite, _, _>(path, SitePower::See, show);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let id: ApprovalId = visit.asked.part("approval")?;
    let facts = Facts::of(&visit.app, &visit.entry.site).await?;
    let all = facts.current.approvals.all();
    let published = all.iter().find(|published| published.approval.id == id);
    let published = published.ok_or_else(not_found)?;
    let approval = &published.approval;
    let (words, snapshot) = (visit.words, visit.app.snapshot());
    let stated = Stated {
        approval: approval.clone(),
        sha256: published.sha256,
        release: facts.firmware(approval),
        cves: facts.reexposed(approval),
    };
    let language = match words.language() {
        crate::people::who::Language::En => Language::En,
        crate::people::who::Language::Ja => Language::Ja,
    };
    let active = approval.state == ApprovalState::Active && approval.valid_until > visit.at;
    let one = std::slice::from_ref(approval);
    Answer::page(&Sheet {
        frame: visit.frame(Nav::Approvals, words.t("approvals-sheet-title")),
        w: words,
        base: visit.entry.path("approvals"),
        what: subject(&snapshot, words, approval),
        kind: kind(words, approval),
        id: id.to_string(),
        statement: stated.lines(language).join("\n"),
        fingerprint: published.sha256.fingerprint(),
        wards: plan::wards(words, &visit.entry.inventory, one),
        acts: acts(&visit, &facts, SheetOf::Approval(published.sha256)).await?,
        may_withdraw: active && visit.entry.may(SitePower::Plan),
    })
}

/// The acts about an approval or a version of the targets, oldest first.
///
/// # Errors
/// A failure of ours.
pub(super) async fn acts(
    visit: &Visit<AtSite>,
    facts: &Facts,
    of: SheetOf,
) -> Result<Vec<Act>, Turned> {
    let site = visit.entry.site.clone();
    let piece = match &of {
        SheetOf::Approval(sha256) => sha256.to_string(),
        SheetOf::Targets(version) => format!("\"targets_version\":{version},"),
    };
    let read = move |conn: &mut crate::db::Connection| person_act::mentioning(conn, &site, &piece);
    let filed = visit.app.db.read(read).await?;
    let keys: Vec<_> = [&facts.root_spec.targets, &facts.root_spec.root]
        .into_iter()
        .flat_map(|role| &role.keys)
        .map(|key| (key.public, key.method.unwrap_or(Method::Custodial)))
        .collect();
    let about = |act: &Said| match (&act.subject, &of) {
        (Subject::Approval { approval_sha256, .. }, SheetOf::Approval(sha256)) => {
            approval_sha256 == sha256
        }
        (Subject::Approval { targets_version, .. }, SheetOf::Targets(version)) => {
            targets_version == version
        }
        (Subject::Wave { .. } | Subject::Hold { .. } | Subject::Device { .. }, _) => false,
    };
    let shown = filed.into_iter().filter(|filed| about(&filed.act)).map(|filed| {
        let publics: Vec<PublicKey> = keys.iter().map(|(public, _)| *public).collect();
        let by = filed
            .envelope
            .verify_any(patchward_protocol::envelope::PayloadType::Act, &publics)
            .ok();
        let method = by.and_then(|(_, key)| keys.iter().find(|(public, _)| *public == key));
        act(visit.words, &filed.act, filed.record_n, method.map(|(_, method)| *method))
    });
    Ok(shown.collect())
}

fn act(words: Words, said: &Said, record_n: u64, method: Option<Method>) -> Act {
    let (en, ja) = said.meaning.words();
    let control = said.compensating.as_ref().map(|control| {
        let due = words.day(control.due, &said.tz);
        words.say(
            "approvals-control-line",
            &[
                ("control", control.control.clone().into()),
                ("owner", control.owner.clone().into()),
                ("due", due.words().to_owned().into()),
            ],
        )
    });
    Act {
        record_n,
        subject: said.subject.clone(),
        name: said.name.clone(),
        role: said.role.clone(),
        meaning: words.pick(en, ja).to_owned(),
        at: words.instant(said.at, &said.tz),
        way: method.map_or_else(|| words.t("approvals-way-earlier"), |method| way(words, method)),
        reason: said.reason.clone(),
        control,
    }
}

#[cfg(test)]
pub(super) fn sample_acts(words: Words) -> Vec<Act> {
    use crate::console::sample::noon;
    let subject = Subject::Approval {
        approval: ApprovalId::new("infusor-a-7-v9").unwrap(),
        approval_sha256: Sha256Digest::of(b"approval"),
        targets_version: 9,
        targets_sha256: Sha256Digest::of(b"targets"),
    };
    vec![Act {
        record_n: 481,
        subject,
        name: words.pick("Tanaka Yuki", "田中 由紀").to_owned(),
        role: words.pick("clinical engineer", "臨床工学技士").to_owned(),
        meaning: words.pick("approved", "承認").to_owned(),
        at: words.instant(noon(), "Asia/Tokyo"),
        way: way(words, Method::Console),
        reason: words.pick("Reviewed with ward 5 East.", "5階東病棟と確認済み。").to_owned(),
        control: Some(words.say(
            "approvals-control-line",
            &[
                ("control", words.pick("isolated", "隔離").to_owned().into()),
                ("owner", words.pick("Sato Ken", "佐藤 健").to_owned().into()),
                ("due", words.day(noon(), "Asia/Tokyo").words().to_owned().into()),
            ],
        )),
    }]
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, site_frame};
    let page = Sheet {
        frame: site_frame(words, Nav::Approvals, "approvals-sheet-title"),
        w: words,
        base: "/console/sites/city-hospital/approvals".to_owned(),
        what: words.t2("approvals-of-release", "family", "Infusor A", "version", "2.4.1"),
        kind: words.t("approvals-kind-routine"),
        id: "infusor-a-7-v9".to_owned(),
        statement: words.pick("Approval infusor-a-7-v9", "承認 infusor-a-7-v9").to_owned(),
        fingerprint: "4821 0937 6650".to_owned(),
        wards: super::draft::sample_wards(words),
        acts: sample_acts(words),
        may_withdraw: true,
    };
    vec![Sample::of("approvals/sheet.html", "active", &page)]
}
