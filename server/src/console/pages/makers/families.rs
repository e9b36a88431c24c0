//! Families: a list with how long each is supported, and a page for each with what runs, its releases,
//! its deltas and its holds.
//!
//! Not here: opening one, the days of its life. Invariant: what runs comes from counters; no device is
//! named.

use super::lifecycle::{Line as Life, line as life_line, stage_words};
use super::{families_of, family_of, newest, newest_first, title, tz, version};
use crate::app::App;
use crate::console::answer::Answer;
use crate::console::door::{AtMaker, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::when::When;
use crate::console::words::Words;
use crate::db::{DbError, delta, hold};
use crate::fleet::table::Spread;
use crate::lifecycle::{self, Said, Stage};
use crate::limits::HOLD_LISTED_S;
use crate::people::role::MakerPower;
use crate::publish::current::Current;
use askama::Template;
use patchward_protocol::api::delta::DeltaState;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::FamilyId;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::custom::ReleaseState;
use std::collections::BTreeMap;

/// A family in the list.
#[derive(Debug, Clone)]
struct Row {
    family: FamilyId,
    title: String,
    to: String,
    newest: Option<String>,
    releases: usize,
    devices: u32,
    up_to_date: u32,
    stage: String,
    class: &'static str,
    until: Option<String>,
    lifecycle: String,
}

#[derive(Template)]
#[template(path = "makers/families.html")]
struct ListPage {
    frame: Frame,
    w: Words,
    rows: Vec<Row>,
    open: Option<String>,
}

/// What runs, and how often.
#[derive(Debug, Clone)]
pub struct Runs {
    /// Version, or how the digest begins.
    pub version: String,
    /// Devices.
    pub devices: u32,
    /// Sites.
    pub sites: u32,
}

/// A release in a list.
#[derive(Debug, Clone)]
pub struct ReleaseRow {
    /// Version.
    pub version: String,
    /// Its page.
    pub to: String,
    /// Rank.
    pub seq: String,
    /// Devices that run it.
    pub devices: u32,
    /// Whether it was taken back.
    pub withdrawn: bool,
    /// Deltas to it: built and offered, and planned at all.
    pub deltas: (u32, u32),
    /// Deltas that are still to be built.
    pub deltas_left: u32,
}

/// A hold of the manufacturer.
#[derive(Debug, Clone)]
pub struct HoldRow {
    /// Its name.
    pub id: String,
    /// The version that it holds.
    pub version: String,
    /// Why.
    pub reason: String,
    /// Who set it, and when.
    pub by: String,
    /// When.
    pub at: When,
    /// When it was lifted.
    pub lifted: Option<When>,
}

#[derive(Template)]
#[template(path = "makers/family.html")]
struct FamilyPage {
    frame: Frame,
    w: Words,
    family: FamilyId,
    life: Option<Life>,
    lifecycle: String,
    field: String,
    runs: Vec<Runs>,
    devices: u32,
    releases: Vec<ReleaseRow>,
    delegated: bool,
    holds: Vec<HoldRow>,
    published: bool,
    commands: Vec<(String, String)>,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtMaker, _, _>("/console/makers/{maker}/families", MakerPower::See, list);
    routes.get::<AtMaker, _, _>("/console/makers/{maker}/families/{family}", MakerPower::See, show);
}

async fn list(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let (w, at) = (visit.words, visit.at);
    let snapshot = visit.app.snapshot();
    let said = visit.app.db.read(lifecycle::current).await?;
    let all = families_of(&snapshot, &visit.entry.maker);
    let rows = all.iter().map(|(family, current)| {
        let runs = visit.app.fleet.spread(family);
        let to = visit.entry.path(&format!("families/{family}"));
        row(w, (family, current), to, &runs, said.get(family), at)
    });
    let open = visit.entry.may(MakerPower::Administer).then(|| visit.entry.path("families/new"));
    let frame = visit.frame(Nav::Families, w.t("families-title"));
    Answer::page(&ListPage { frame, w, rows: rows.collect(), open })
}

async fn show(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let (family, current) = family_of(&visit.app, &visit.entry, &visit.asked)?;
    let (w, at) = (visit.words, visit.at);
    let (of, id) = (family.clone(), current.id.clone());
    let (said, pairs, holds) = visit
        .app
        .db
        .read(move |conn| {
            let said = lifecycle::history(conn, &of)?.into_iter().next();
            let pairs = delta::of_repository(conn, &id)?;
            let holds = hold::of_family(conn, &of, at.plus_seconds(-HOLD_LISTED_S))?;
            Ok::<_, DbError>((said, pairs, holds))
        })
        .await?;
    let runs = visit.app.fleet.spread(&family);
    let mut deltas: Deltas = BTreeMap::new();
    for stored in &pairs {
        deltas.entry(stored.pair.to).or_default().add(stored.state);
    }
    let holds = holds.into_iter().map(|hold| hold_row(w, &current, hold)).collect();
    let frame = visit.frame(Nav::Families, title(w, &current));
    let path = |rest: &str| visit.entry.path(rest);
    let page = FamilyPage {
        frame,
        w,
        life: said.as_ref().map(|said| life_line(w, said, at)),
        lifecycle: path(&format!("families/{family}/lifecycle")),
        field: path(&format!("field?family={family}")),
        devices: runs.iter().map(|some| some.devices).sum(),
        releases: release_rows(&current, &runs, &deltas, |image| {
            path(&format!("releases/{family}/{image}"))
        }),
        runs: versions(w, &current, &runs),
        delegated: current.delegated,
        holds,
        published: current.documents.is_some(),
        commands: commands(w, &visit.app, &family),
        family,
    };
    Answer::page(&page)
}

/// Deltas to each image.
pub(super) type Deltas = BTreeMap<Sha256Digest, DeltaCount>;

/// How far deltas to an image are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeltaCount {
    /// Built and offered.
    pub published: u32,
    /// Still to be built.
    pub left: u32,
    /// Planned at all.
    pub all: u32,
}

impl DeltaCount {
    pub(super) const fn add(&mut self, state: DeltaState) {
        self.all = self.all.saturating_add(1);
        match state {
            DeltaState::Published => self.published = self.published.saturating_add(1),
            DeltaState::Queued | DeltaState::Building => self.left = self.left.saturating_add(1),
            DeltaState::TooLarge
            | DeltaState::BaseUnknown
            | DeltaState::OverBudget
            | DeltaState::Failed
            | DeltaState::Retired => {}
        }
    }
}

fn row(
    w: Words,
    (family, current): (&FamilyId, &Current),
    to: String,
    runs: &[Spread],
    said: Option<&Said>,
    at: Timestamp,
) -> Row {
    let newest = newest(current);
    let image = newest.map(|firmware| firmware.payload.image_sha256);
    let stage = said.map_or(Stage::Unsaid, |said| said.lifecycle.stage(at));
    let overdue = said.is_some_and(|said| said.lifecycle.is_overdue(at));
    let until = said.and_then(|said| life_line(w, said, at).days.into_iter().nth(2));
    Row {
        family: family.clone(),
        title: title(w, current),
        lifecycle: format!("{to}/lifecycle"),
        to,
        newest: newest.map(|firmware| firmware.version.to_string()),
        releases: current.releases.len(),
        devices: runs.iter().map(|some| some.devices).sum(),
        up_to_date: runs
            .iter()
            .filter(|some| some.image == image && image.is_some())
            .map(|some| some.devices)
            .sum(),
        stage: stage_words(w, stage),
        class: class(stage, overdue),
        until: until.map(|(_, day)| day),
    }
}

const fn class(stage: Stage, overdue: bool) -> &'static str {
    match stage {
        Stage::Supported => "good",
        Stage::Undecided if overdue => "bad",
        Stage::Limited | Stage::Undecided => "warn",
        Stage::Unsaid | Stage::Ended => "bad",
    }
}

/// What runs, the newest release first, unknown images last.
pub(super) fn versions(w: Words, current: &Current, runs: &[Spread]) -> Vec<Runs> {
    let mut all: BTreeMap<Option<Sha256Digest>, (u32, u32)> = BTreeMap::new();
    for some in runs {
        let (devices, sites) = all.entry(some.image).or_default();
        *devices = devices.saturating_add(some.devices);
        *sites = sites.saturating_add(1);
    }
    let rank = |image: &Option<Sha256Digest>| {
        let firmware = image.and_then(|image| current.images.get(&image));
        firmware.map(|firmware| firmware.seq)
    };
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by_key(|(image, _)| std::cmp::Reverse(rank(image)));
    let each = all.into_iter().map(|(image, (devices, sites))| Runs {
        version: image.map_or_else(|| w.t("families-not-said"), |image| version(current, &image)),
        devices,
        sites,
    });
    each.collect()
}

pub(super) fn release_rows(
    current: &Current,
    runs: &[Spread],
    deltas: &Deltas,
    path: impl Fn(&Sha256Digest) -> String,
) -> Vec<ReleaseRow> {
    let each = newest_first(current).into_iter().map(|release| {
        let firmware = &release.firmware;
        let image = firmware.payload.image_sha256;
        let runs = runs.iter().filter(|some| some.image == Some(image));
        let count = deltas.get(&image).copied().unwrap_or_default();
        ReleaseRow {
            version: firmware.version.to_string(),
            to: path(&image),
            seq: firmware.seq.to_string(),
            devices: runs.map(|some| some.devices).sum(),
            withdrawn: firmware.state == ReleaseState::Withdrawn,
            deltas: (count.published, count.all),
            deltas_left: count.left,
        }
    });
    each.collect()
}

pub(super) fn hold_row(w: Words, current: &Current, hold: hold::Hold) -> HoldRow {
    use patchward_protocol::directive::HoldTarget;
    let version = match &hold.target {
        HoldTarget::Release { image_sha256, .. } => version(current, image_sha256),
        HoldTarget::Device { .. } | HoldTarget::Ward { .. } | HoldTarget::Site => String::new(),
    };
    HoldRow {
        id: hold.id.to_string(),
        version,
        reason: hold.reason,
        by: hold.set_by,
        at: w.instant(hold.set_at, tz(w)),
        lifted: hold.lifted_at.map(|at| w.instant(at, tz(w))),
    }
}

/// What is done next at the command line, step by step: words and the command.
fn commands(w: Words, app: &App, family: &FamilyId) -> Vec<(String, String)> {
    let server = app.config.public_url.as_deref().unwrap_or("https://SERVER");
    let step = |id: &str, command: String| (w.t(id), command);
    vec![
        step("families-step-login", format!("patchward login --server {server}")),
        step(
            "families-step-init",
            format!(
                "patchward repo init family:{family} --root-key A.pub --root-key B.pub --root-key C.pub \
                 --targets-key D.pub --targets-key E.pub --targets-key F.pub --title-en … --title-ja … --out draft"
            ),
        ),
        step("families-step-sign", "patchward stage sign draft/root-v1.stage.json --key A.key".to_owned()),
        step(
            "families-step-publish",
            "patchward stage publish draft/root-v1.stage.json draft/targets-v1.stage.json".to_owned(),
        ),
        step(
            "families-step-prepare",
            "patchward release prepare --image … --dossier dossier.toml --sbom sbom.json --notes-ja … --notes-en … --out draft".to_owned(),
        ),
    ]
}

#[cfg(test)]
#[expect(clippy::too_many_lines, reason = "one sample after the other")]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use super::lifecycle::sample_history;
    use crate::console::sample::{Sample, maker_frame, noon};
    let family: FamilyId = "acme.infusion-a".parse().unwrap();
    let row = |n: u32, stage, until: Option<&str>| Row {
        family: family.clone(),
        title: format!("{} {n}", w.pick("Infusion pump", "輸液ポンプ")),
        to: "/console".to_owned(),
        newest: (n > 0).then(|| "2.4.1".to_owned()),
        releases: 7,
        devices: 4_811 * n,
        up_to_date: 4_000 * n,
        stage: stage_words(w, stage),
        class: class(stage, false),
        until: until.map(str::to_owned),
        lifecycle: "/console".to_owned(),
    };
    let mut rows: Vec<Row> = Stage::ALL
        .into_iter()
        .zip(1..)
        .map(|(stage, n)| row(n, stage, Some("2033-03-31").filter(|_| n < 3)))
        .collect();
    rows.extend((6..24).map(|n| row(n, Stage::Supported, Some("2033-03-31"))));
    let list = |rows: Vec<Row>| ListPage {
        frame: maker_frame(w, Nav::Families, "families-title"),
        w,
        rows,
        open: Some("/console".to_owned()),
    };
    let runs = |version: &str, devices, sites| Runs { version: version.to_owned(), devices, sites };
    let release = |seq: u64, withdrawn| ReleaseRow {
        version: format!("2.{seq}.1"),
        to: "/console".to_owned(),
        seq: seq.to_string(),
        devices: 312,
        withdrawn,
        deltas: (3, 5),
        deltas_left: 2,
    };
    let hold = HoldRow {
        id: "acme-infusion-a-20261204-1".to_owned(),
        version: "2.4.0".to_owned(),
        reason: w
            .pick("Alarm volume falls after the restart", "再起動後にアラーム音量が低下する")
            .to_owned(),
        by: w.pick("Ito Hana", "伊藤 花").to_owned(),
        at: w.instant(noon(), tz(w)),
        lifted: None,
    };
    let page = |published: bool| FamilyPage {
        frame: maker_frame(w, Nav::Families, "families-title"),
        w,
        family: family.clone(),
        life: published.then(|| life_line(w, &sample_history(w)[0], noon())),
        lifecycle: "/console".to_owned(),
        field: "/console".to_owned(),
        runs: if published { vec![runs("2.4.1", 38, 9), runs("2.3.9", 4, 2)] } else { Vec::new() },
        devices: if published { 42 } else { 0 },
        releases: if published { vec![release(4, false), release(3, true)] } else { Vec::new() },
        delegated: published,
        holds: if published { vec![hold.clone()] } else { Vec::new() },
        published,
        commands: vec![(
            w.t("families-step-login"),
            "patchward login --server https://example".to_owned(),
        )],
    };
    vec![
        Sample::of("makers/families.html", "many", &list(rows)),
        Sample::of("makers/families.html", "empty", &list(Vec::new())),
        Sample::of("makers/family.html", "published", &page(true)),
        Sample::of("makers/family.html", "new", &page(false)),
    ]
}
