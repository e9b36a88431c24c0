//! Holds of a hospital: which stand, whose they are, when somebody must look, how they are lifted.
//!
//! Not here: setting one ([`super::stop`]), the signed act that lifts one. Invariant: an overdue hold
//! says so in words, and none is shown as lifted before its act was filed.

use crate::app::App;
use crate::consent::hold;
use crate::consent::reach::{Reached, target_reaches};
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::when::When;
use crate::console::words::Words;
use crate::people::role::SitePower;
use crate::publish::current::Snapshot;
use askama::Template;
use patchward_protocol::api::consent::HoldView;
use patchward_protocol::directive::{HoldBy, HoldTarget};
use patchward_protocol::id::{RepositoryId, SiteId, WardId};
use patchward_protocol::inventory::Inventory;

/// A hold as a page shows it.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its id.
    pub id: String,
    /// Its own page.
    pub to: String,
    /// What is held, in words.
    pub what: String,
    /// Whose it is, in words.
    pub whose: String,
    /// Why.
    pub reason: String,
    /// Who sees to it.
    pub owner: String,
    /// Who set it.
    pub set_by: String,
    /// When.
    pub set_at: When,
    /// When somebody must look.
    pub review_at: When,
    /// Whether that has passed.
    pub overdue: bool,
    /// When it was lifted.
    pub lifted_at: Option<When>,
    /// How many devices it holds now.
    pub devices: u32,
    /// Where the person signs that it ends, when it is the hospital's.
    pub lift: Option<String>,
}

/// A device in the middle of an update when it was stopped.
#[derive(Debug, Clone)]
pub struct UnderWay {
    /// Its id.
    pub device: String,
    /// Its page.
    pub to: String,
    /// Its state in words.
    pub state: String,
    /// Whether it had passed the point of no return.
    pub passed: bool,
}

/// The list.
#[derive(Template)]
#[template(path = "stop/holds.html")]
struct HoldsPage {
    frame: Frame,
    w: Words,
    standing: Vec<Line>,
    lifted: Vec<Line>,
    stop: Option<String>,
}

/// One hold.
#[derive(Template)]
#[template(path = "stop/hold.html")]
struct HoldPage {
    frame: Frame,
    w: Words,
    line: Line,
    back: String,
    board: String,
    passed: Vec<UnderWay>,
    caught: Vec<UnderWay>,
}

/// What turns ids into words.
#[derive(Clone, Copy)]
pub(in crate::console) struct Names<'a> {
    /// The texts.
    pub w: Words,
    /// The hospital.
    pub inventory: &'a Inventory,
    /// The repositories.
    pub snapshot: &'a Snapshot,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>("/console/sites/{site}/holds", SitePower::See, list);
    routes.get::<AtSite, _, _>("/console/sites/{site}/holds/{hold}", SitePower::See, show);
}

async fn list(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let all = hold::list(&visit.app, &visit.entry.site).await?;
    let snapshot = visit.app.snapshot();
    let names = Names { w: visit.words, inventory: &visit.entry.inventory, snapshot: &snapshot };
    let lines = all.into_iter().map(|hold| line(names, &visit.entry, hold));
    let frame = visit.frame(Nav::Rollouts, visit.words.t("stop-holds-title"));
    Answer::page(&holds_page(frame, visit.words, &visit.entry, lines.collect()))
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let id: String = visit.asked.part("hold")?;
    let all = hold::list(&visit.app, &visit.entry.site).await?;
    let found = all.into_iter().find(|hold| hold.id.as_str() == id);
    let hold = found.ok_or_else(not_found)?;
    let snapshot = visit.app.snapshot();
    let names = Names { w: visit.words, inventory: &visit.entry.inventory, snapshot: &snapshot };
    let devices = under_way(&visit.app, &visit.entry, visit.words, &hold.target);
    let frame = visit.frame(Nav::Rollouts, visit.words.t("stop-hold-title"));
    Answer::page(&hold_page(frame, names, &visit.entry, hold, devices))
}

fn holds_page(frame: Frame, w: Words, at: &AtSite, lines: Vec<Line>) -> HoldsPage {
    let (standing, lifted) = lines.into_iter().partition(|line| line.lifted_at.is_none());
    let stop = at.may(SitePower::Stop).then(|| at.path("stop"));
    HoldsPage { frame, w, standing, lifted, stop }
}

fn hold_page(
    frame: Frame,
    names: Names<'_>,
    at: &AtSite,
    hold: HoldView,
    devices: Vec<UnderWay>,
) -> HoldPage {
    let (passed, caught) = devices.into_iter().partition(|device| device.passed);
    let (back, board) = (at.path("holds"), at.path("rollouts"));
    HoldPage { frame, w: names.w, line: line(names, at, hold), back, board, passed, caught }
}

/// A hold as a page shows it.
pub(in crate::console) fn line(names: Names<'_>, at: &AtSite, hold: HoldView) -> Line {
    let (w, tz) = (names.w, at.tz());
    let whose = match hold.by {
        HoldBy::Site => "stop-by-site",
        HoldBy::Maker => "stop-by-maker",
        HoldBy::Operator => "stop-by-operator",
        HoldBy::Freeze => "stop-by-freeze",
    };
    let ours = hold.by == HoldBy::Site && hold.lifted_at.is_none() && at.may(SitePower::Sign);
    Line {
        to: at.path(&format!("holds/{}", hold.id)),
        what: target_words(names, &hold.target),
        whose: w.t(whose),
        lift: ours.then(|| at.path(&format!("act?do=lift&hold={}", hold.id))),
        id: hold.id.to_string(),
        reason: hold.reason,
        owner: hold.owner,
        set_by: hold.set_by,
        set_at: w.instant(hold.set_at, tz),
        review_at: w.instant(hold.review_at, tz),
        overdue: hold.overdue,
        lifted_at: hold.lifted_at.map(|at| w.instant(at, tz)),
        devices: hold.devices,
    }
}

/// What a hold holds, in words.
pub(in crate::console) fn target_words(names: Names<'_>, target: &HoldTarget) -> String {
    let w = names.w;
    match target {
        HoldTarget::Site => w.t("stop-what-site"),
        HoldTarget::Ward { ward } => {
            w.t1("stop-what-ward", "ward", ward_name(w, names.inventory, ward))
        }
        HoldTarget::Device { device } => w.t1("stop-what-device", "device", device.as_str()),
        HoldTarget::Release { family, image_sha256 } => {
            let current = names.snapshot.get(&RepositoryId::Family(family.clone()));
            let title = current.map_or(family.as_str(), |at| w.pick(&at.title_en, &at.title_ja));
            let image = current.and_then(|current| current.images.get(image_sha256));
            let version = image.map(|image| image.version.to_string());
            let short = || image_sha256.to_string().chars().take(12).collect();
            let version = version.unwrap_or_else(short);
            w.t2("stop-what-release", "family", title, "version", version)
        }
    }
}

/// The name of a ward; its id when the inventory has none.
pub(in crate::console) fn ward_name(w: Words, inventory: &Inventory, ward: &WardId) -> String {
    let found = inventory.wards.iter().find(|known| known.id == *ward);
    found.map_or(ward.as_str(), |ward| w.pick(&ward.name_en, &ward.name_ja)).to_owned()
}

/// Devices that a target reaches and that are in the middle of an update.
pub(super) fn under_way(app: &App, at: &AtSite, w: Words, target: &HoldTarget) -> Vec<UnderWay> {
    let mut found = Vec::new();
    for present in reached(app, &at.site, target) {
        let state = present.words.state.as_deref().unwrap_or_default();
        let passed = matches!(state, "activating" | "restarting" | "trial" | "rolling-back");
        if passed || matches!(state, "preparing" | "armed") {
            found.push(UnderWay {
                to: at.path(&format!("devices/{}", present.device)),
                device: present.device.to_string(),
                state: w.t(&format!("stop-state-{state}")),
                passed,
            });
        }
    }
    found.sort_by(|a, b| a.device.cmp(&b.device));
    found
}

/// Devices that a target reaches.
pub(super) fn reached(
    app: &App,
    site: &SiteId,
    target: &HoldTarget,
) -> Vec<crate::fleet::table::Present> {
    let consent = app.views.consent();
    let layout = consent.site(site).map(|consent| &consent.layout);
    let mut all = app.fleet.of_site(site);
    all.retain(|present| {
        let place = layout.and_then(|layout| layout.place(&present.device));
        let of = Reached { device: &present.device, family: &present.family, place };
        target_reaches(target, of)
    });
    all
}

#[cfg(test)]
pub(in crate::console) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, at_site, noon, site_frame};
    use patchward_protocol::id::{DeviceId, HoldId};
    let at = at_site(words);
    let snapshot = Snapshot::default();
    let names = Names { w: words, inventory: &at.inventory, snapshot: &snapshot };
    let hold = |n: u32, target: HoldTarget, by: HoldBy, since_h: i64, lifted: bool| HoldView {
        id: HoldId::new(&format!("city-hospital-2026-12-05-{n}")).unwrap(),
        target,
        by,
        set_by: words.pick("Tanaka Yuki", "田中 由紀").to_owned(),
        reason: words
            .pick("Two pumps restarted during the night", "夜間にポンプ2台が再起動した")
            .to_owned(),
        owner: words.pick("Tanaka Yuki", "田中 由紀").to_owned(),
        set_at: noon().plus_seconds(-since_h * 3600),
        review_at: noon().plus_seconds((72 - since_h) * 3600),
        overdue: since_h > 72,
        lifted_at: lifted.then(noon),
        devices: 42,
    };
    let ward = HoldTarget::Ward { ward: WardId::new("ward-5e").unwrap() };
    let device = HoldTarget::Device { device: DeviceId::new("pump-07").unwrap() };
    let all = vec![
        hold(1, HoldTarget::Site, HoldBy::Site, 1, false),
        hold(2, ward.clone(), HoldBy::Site, 100, false),
        hold(3, HoldTarget::Site, HoldBy::Operator, 2, false),
        hold(4, device, HoldBy::Site, 300, true),
    ];
    let under_way = |n: u32, state: &str, passed: bool| UnderWay {
        device: format!("pump-{n:02}"),
        to: "#".to_owned(),
        state: words.t(&format!("stop-state-{state}")),
        passed,
    };
    let devices = vec![under_way(3, "trial", true), under_way(4, "armed", false)];
    let frame = || site_frame(words, Nav::Rollouts, "stop-holds-title");
    let lines = all.clone().into_iter().map(|hold| line(names, &at, hold)).collect();
    let one = |n: usize, devices| {
        let frame = site_frame(words, Nav::Rollouts, "stop-hold-title");
        hold_page(frame, names, &at, all[n].clone(), devices)
    };
    vec![
        Sample::of("stop/holds.html", "some", &holds_page(frame(), words, &at, lines)),
        Sample::of("stop/holds.html", "none", &holds_page(frame(), words, &at, Vec::new())),
        Sample::of("stop/hold.html", "standing", &one(0, devices)),
        Sample::of("stop/hold.html", "overdue", &one(1, Vec::new())),
        Sample::of("stop/hold.html", "lifted", &one(3, Vec::new())),
    ]
}
