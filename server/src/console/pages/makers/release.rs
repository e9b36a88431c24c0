//! One release: what the manufacturer said of it, how far it is in the field, and stopping it.
//!
//! Pausing stops what has not begun; a hold stops everything before the point of no return; taking a
//! release back needs signatures. Not here: hospitals' answers one by one. Invariant: stopping asks for
//! a reason, and who sees to it, and nothing else.

use super::families::{DeltaCount, HoldRow, hold_row};
use super::field::{BoundLine, bound_line};
use super::{family_of, release_of, size, title};
use crate::consent::{campaign, hold};
use crate::console::answer::Answer;
use crate::console::door::{AtMaker, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::pages::stop::words_of_a_stop;
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::db::{DbError, answer, delta, field as hours, hold as holds};
use crate::limits::HOLD_LISTED_S;
use crate::notify::answer::Answer as Given;
use crate::people::role::MakerPower;
use crate::rollout::field::{Flight, flights};
use askama::Template;
use patchward_protocol::api::consent::{Campaign, CampaignState, SetHoldRequest};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::directive::HoldTarget;
use patchward_protocol::dossier::Dossier;
use patchward_protocol::id::{FamilyId, SiteId};
use patchward_protocol::tuf::custom::{Firmware, ReleaseState, Severity};
use patchward_protocol::tuf::lookup::ImageTarget;
use std::collections::BTreeMap;

/// A wave over all sites.
#[derive(Debug, Clone)]
pub struct WaveRow {
    /// Its number.
    pub wave: u32,
    /// Devices named, updated, failed or silent.
    pub devices: (u32, u32, u32),
    /// Sites where it is open, passed, halted.
    pub sites: (u32, u32, u32),
}

/// What hospitals answered, in numbers of sites.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answers {
    /// Acknowledged.
    pub acknowledged: usize,
    /// Put off.
    pub deferred: usize,
    /// Declined.
    pub declined: usize,
}

#[derive(Template)]
#[template(path = "makers/release.html")]
struct Page {
    frame: Frame,
    w: Words,
    family: FamilyId,
    family_to: String,
    family_title: String,
    facts: Vec<(String, String)>,
    withdrawn: bool,
    why: Vec<String>,
    said: Vec<(String, String)>,
    bound: BoundLine,
    waves: Vec<WaveRow>,
    answers: Answers,
    field: String,
    sites: String,
    deltas: DeltaCount,
    paused: bool,
    revision: u64,
    percent: u32,
    holds: Vec<HoldRow>,
    may_stop: bool,
    to: String,
    withdraw: String,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    let path = "/console/makers/{maker}/releases/{family}/{image}";
    let campaign = "/console/makers/{maker}/releases/{family}/{image}/campaign";
    let set = "/console/makers/{maker}/releases/{family}/{image}/hold";
    let lift = "/console/makers/{maker}/releases/{family}/{image}/lift";
    routes.get::<AtMaker, _, _>(path, MakerPower::See, show);
    routes.post::<AtMaker, _, _>(campaign, MakerPower::Stop, switch);
    routes.post::<AtMaker, _, _>(set, MakerPower::Stop, set_hold);
    routes.post::<AtMaker, _, _>(lift, MakerPower::Stop, lift_hold);
}

async fn show(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let (family, current) = family_of(&visit.app, &visit.entry, &visit.asked)?;
    let image: Sha256Digest = visit.asked.part("image")?;
    let release = release_of(&current, &image)?;
    let (w, at) = (visit.words, visit.at);
    let campaign = campaign::read(&visit.app, &family, &image.to_string()).await?;
    let (of, id) = (family.clone(), current.id.clone());
    let read = visit.app.db.read(move |conn| {
        let held = holds::of_family(conn, &of, at.plus_seconds(-HOLD_LISTED_S))?;
        let mut count = DeltaCount::default();
        let pairs = delta::of_repository(conn, &id)?;
        pairs.iter().filter(|it| it.pair.to == image).for_each(|it| count.add(it.state));
        let given = answer::of_images(conn, &[image])?;
        let total = hours::totals(conn, &of)?.remove(&image).unwrap_or_default();
        Ok::<_, DbError>((held, count, given, total))
    });
    let (held, deltas, given, total) = read.await?;
    let ours = held.into_iter().filter(|hold| reaches(&hold.target, &image));
    let holds = ours.map(|hold| hold_row(w, &current, hold)).collect();
    let consent = visit.app.views.consent();
    let flight = flights(&consent, &visit.entry.maker)
        .into_iter()
        .find(|flight| flight.image.family == family && flight.image.image_sha256 == image);
    let given: BTreeMap<SiteId, Given> =
        given.into_iter().map(|given| (given.site, given.answer)).collect();
    let version = release.firmware.version.to_string();
    let dossier = release.firmware.docs.dossier.sha256;
    let dossier = visit.app.dossiers.dossier(&visit.app, dossier).await?;
    let frame = visit.frame(Nav::Releases, format!("{} {version}", title(w, &current)));
    let path = |rest: &str| visit.entry.path(rest);
    Answer::page(&Page {
        family_to: path(&format!("families/{family}")),
        family_title: title(w, &current),
        facts: facts(w, release),
        withdrawn: release.firmware.state == ReleaseState::Withdrawn,
        why: dossier.as_deref().map(|it| why(w, it)).unwrap_or_default(),
        said: dossier.as_deref().map(|it| said(w, it)).unwrap_or_default(),
        bound: bound_line(w, total.troubled(), total.seen()),
        waves: flight.as_ref().map(waves).unwrap_or_default(),
        answers: answers(&given),
        field: path(&format!("field?family={family}&image={image}")),
        sites: path("sites"),
        deltas,
        paused: campaign.state == CampaignState::Paused,
        revision: campaign.revision,
        percent: u32::from(campaign.percent),
        holds,
        may_stop: visit.entry.may(MakerPower::Stop),
        to: path(&format!("releases/{family}/{image}")),
        withdraw: withdraw(&family, &release.firmware),
        frame,
        w,
        family,
    })
}

async fn switch(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let (family, current) = family_of(&visit.app, &visit.entry, &visit.asked)?;
    let image: Sha256Digest = visit.asked.part("image")?;
    release_of(&current, &image)?;
    let (state, done) = match visit.form.need("state")? {
        "paused" => (CampaignState::Paused, "releases-paused-done"),
        _ => (CampaignState::Running, "releases-resumed-done"),
    };
    let revision = visit.form.read("revision")?;
    let image = image.to_string();
    let now = campaign::read(&visit.app, &family, &image).await?;
    let next = Campaign { state, revision, ..now };
    campaign::write(&visit.app, &family, &image, next, &visit.entry.who).await?;
    Ok(Answer::done(&visit.entry.path(&format!("releases/{family}/{image}")), done))
}

async fn set_hold(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let (family, current) = family_of(&visit.app, &visit.entry, &visit.asked)?;
    let image_sha256: Sha256Digest = visit.asked.part("image")?;
    release_of(&current, &image_sha256)?;
    let request = SetHoldRequest {
        target: HoldTarget::Release { family: family.clone(), image_sha256 },
        reason: words_of_a_stop(&visit.form, "reason")
            .unwrap_or_else(|| visit.words.t("stop-reason-default")),
        owner: words_of_a_stop(&visit.form, "owner")
            .unwrap_or_else(|| visit.entry.who.name.clone()),
        review_at: None,
    };
    hold::set_by_maker(&visit.app, &family, request, &visit.entry.who).await?;
    let to = visit.entry.path(&format!("releases/{family}/{image_sha256}"));
    Ok(Answer::done(&to, "releases-held-done"))
}

async fn lift_hold(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let (family, _) = family_of(&visit.app, &visit.entry, &visit.asked)?;
    let image: Sha256Digest = visit.asked.part("image")?;
    let id = visit.form.need("hold")?;
    hold::lift_by_maker(&visit.app, &family, id, &visit.entry.who).await?;
    let to = visit.entry.path(&format!("releases/{family}/{image}"));
    Ok(Answer::done(&to, "releases-lifted-done"))
}

fn reaches(target: &HoldTarget, image: &Sha256Digest) -> bool {
    matches!(target, HoldTarget::Release { image_sha256, .. } if image_sha256 == image)
}

fn withdraw(family: &FamilyId, firmware: &Firmware) -> String {
    format!("patchward release withdraw {family} --seq {} --out draft", firmware.seq)
}

/// The waves of a release over all sites.
pub(super) fn waves(flight: &Flight) -> Vec<WaveRow> {
    let each = flight.waves.iter().map(|(wave, sum)| WaveRow {
        wave: *wave,
        devices: (sum.devices, sum.updated, sum.troubled()),
        sites: (sum.open, sum.passed, sum.halted),
    });
    each.collect()
}

/// The last answer of each site, counted.
fn answers(given: &BTreeMap<SiteId, Given>) -> Answers {
    let count = |is: fn(&Given) -> bool| given.values().filter(|answer| is(answer)).count();
    Answers {
        acknowledged: count(|answer| matches!(answer, Given::Acknowledged)),
        deferred: count(|answer| matches!(answer, Given::Deferred { .. })),
        declined: count(|answer| matches!(answer, Given::Declined)),
    }
}

/// Why hospitals should install it, in the dossier's own sentences.
fn why(w: Words, dossier: &Dossier) -> Vec<String> {
    dossier.why(w.tag()).into_iter().map(str::to_owned).collect()
}

/// What the dossier says, under the headings that hospitals read it under.
fn said(w: Words, dossier: &Dossier) -> Vec<(String, String)> {
    let parts = [
        ("dossier-patients-applied", "patients.applied"),
        ("dossier-patients-not", "patients.not_applied"),
        ("dossier-meanwhile", "compensating_controls"),
        ("dossier-changes", "changes"),
        ("dossier-settings", "settings_kept"),
    ];
    parts.map(|(id, path)| (w.t(id), dossier.said(path, w.tag()).trim().to_owned())).to_vec()
}

fn facts(w: Words, release: &ImageTarget) -> Vec<(String, String)> {
    let firmware = &release.firmware;
    let severity = match firmware.severity {
        Severity::None => "none",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    };
    let cves =
        if firmware.cves.is_empty() { w.t("releases-no-cves") } else { firmware.cves.join(", ") };
    let exploited = if firmware.known_exploited { "releases-yes" } else { "releases-no" };
    let seconds = i64::try_from(firmware.est.worst_s()).unwrap_or(i64::MAX);
    vec![
        (w.t("releases-seq"), firmware.seq.to_string()),
        (w.t("releases-severity"), w.t(&format!("releases-severity-{severity}"))),
        (w.t("releases-cves"), cves),
        (w.t("releases-exploited"), w.t(exploited)),
        (w.t("releases-worst"), w.span(seconds)),
        (w.t("releases-size"), size(release.length)),
        (w.t("releases-image"), firmware.payload.image_sha256.to_string()),
    ]
}

#[cfg(test)]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, maker_frame, noon};
    let hold = HoldRow {
        id: "acme-infusion-a-20261204-1".to_owned(),
        version: "2.4.1".to_owned(),
        reason: w
            .pick("Alarm volume falls after the restart", "再起動後にアラーム音量が低下する")
            .to_owned(),
        by: w.pick("Ito Hana", "伊藤 花").to_owned(),
        at: w.instant(noon(), super::tz(w)),
        lifted: None,
    };
    let wave = |wave, devices, sites| WaveRow { wave, devices, sites };
    let page = |halted: bool, waves: Vec<WaveRow>| Page {
        frame: maker_frame(w, Nav::Releases, "releases-title"),
        w,
        family: "acme.infusion-a".parse().unwrap(),
        family_to: "/console".to_owned(),
        family_title: w.pick("Infusion pump A", "輸液ポンプA").to_owned(),
        facts: vec![
            (w.t("releases-seq"), "41".to_owned()),
            (w.t("releases-severity"), w.t("releases-severity-critical")),
            (w.t("releases-cves"), "CVE-2026-1234, CVE-2026-1240".to_owned()),
            (w.t("releases-exploited"), w.t("releases-yes")),
            (w.t("releases-worst"), w.span(480)),
            (w.t("releases-image"), "8f".repeat(32)),
        ],
        withdrawn: halted,
        why: vec![
            w.pick(
                "A stranger in the network could change the rate.",
                "ネットワーク上の第三者が流量を変更できる問題を修正します。",
            )
            .to_owned(),
        ],
        said: ["dossier-patients-applied", "dossier-patients-not", "dossier-meanwhile"]
            .map(|id| {
                (w.t(id), w.pick("Said in the dossier.", "リリース説明書の記載です。").to_owned())
            })
            .to_vec(),
        bound: bound_line(w, u32::from(halted), if waves.is_empty() { 0 } else { 311 }),
        waves,
        answers: Answers { acknowledged: 12, deferred: 2, declined: 1 },
        field: "/console".to_owned(),
        sites: "/console".to_owned(),
        deltas: DeltaCount { published: 3, left: 2, all: 6 },
        paused: halted,
        revision: 3,
        percent: 100,
        holds: if halted { vec![hold.clone()] } else { Vec::new() },
        may_stop: true,
        to: "/console".to_owned(),
        withdraw: "patchward release withdraw acme.infusion-a --seq 41 --out draft".to_owned(),
    };
    let going = vec![wave(0, (12, 12, 0), (0, 9, 0)), wave(1, (300, 298, 1), (6, 2, 1))];
    vec![
        Sample::of("makers/release.html", "going", &page(false, going.clone())),
        Sample::of("makers/release.html", "halted", &page(true, going)),
        Sample::of("makers/release.html", "new", &page(false, Vec::new())),
    ]
}
