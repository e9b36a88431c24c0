//! The first screen of a hospital: what needs somebody, this week, what is under way, and the devices
//! as numbers that are links. Never a chart first.
//!
//! Not here: what is a matter ([`crate::notify`]). Invariant: an empty hospital is told what to do next.

use super::holds::ward_name;
use crate::app::App;
use crate::consent::week::{self, Group};
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::when::{Day, When};
use crate::console::words::Words;
use crate::db::notice::Notice;
use crate::fleet::condition::Condition;
use crate::fleet::roster::Roster;
use crate::notify::said::{self, Names};
use crate::notify::subject::Severity;
use crate::people::role::{Place, SitePower};
use askama::Template;
use patchward_protocol::approval::Action;
use patchward_protocol::gate::WaveState;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::inventory::Inventory;
use patchward_protocol::time::Timestamp;

/// How far ahead the week reaches, in seconds.
const WEEK_S: i64 = 7 * 24 * 3600;
/// Most lines of a list on this page; the rest is on its own page.
const LINES_MAX: usize = 12;

/// The page.
#[derive(Template)]
#[template(path = "today/today.html")]
struct Today {
    frame: Frame,
    w: Words,
    next: Vec<Next>,
    matters: Vec<Matter>,
    matters_more: usize,
    inbox: String,
    week: Vec<Slot>,
    week_more: usize,
    calendar: String,
    under_way: Vec<Wave>,
    rollouts: String,
    tiles: Vec<Tile>,
    devices: String,
}

/// What to do first where nothing is there yet.
#[derive(Debug, Clone)]
struct Next {
    text: String,
    button: String,
    to: String,
}

#[derive(Debug, Clone)]
struct Matter {
    class: &'static str,
    badge: String,
    title: String,
    left: Option<String>,
    due: Option<When>,
    to: String,
    button: String,
}

#[derive(Debug, Clone)]
struct Slot {
    day: Day,
    from: When,
    to: When,
    ward: String,
    what: String,
    devices: String,
    in_service: Option<String>,
    link: String,
}

#[derive(Debug, Clone)]
struct Wave {
    class: &'static str,
    state: String,
    what: String,
    numbers: String,
    left: Option<String>,
    link: String,
}

#[derive(Debug, Clone)]
struct Tile {
    class: &'static str,
    n: usize,
    text: String,
    to: String,
}

/// What the page is made of.
struct Known<'a> {
    matters: &'a [Notice],
    week: &'a [Group],
    waves: Vec<RunningWave>,
    roster: &'a Roster,
    inventory: &'a Inventory,
    names: Names<'a>,
    at: Timestamp,
}

/// A wave that is under way.
struct RunningWave {
    what: String,
    wave: u32,
    state: WaveState,
    updated: u32,
    devices: u32,
    failed: u32,
    soak_until: Option<Timestamp>,
    link: String,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>("/console/sites/{site}", SitePower::See, show);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (app, entry) = (&visit.app, &visit.entry);
    let place = Place::Site(entry.site.clone());
    let matters = app.db.read(move |conn| crate::notify::open_matters(conn, &place)).await?;
    let roster = Roster::of(app, &entry.site, &entry.inventory).await?;
    let snapshot = app.snapshot();
    let none = crate::publish::approvals::Approvals::default();
    let site = snapshot.get(&RepositoryId::Site(entry.site.clone()));
    let approvals = site.map_or(&none, |site| &site.approvals);
    let span = (visit.at, visit.at.plus_seconds(WEEK_S));
    let week = week::ahead(approvals, &entry.inventory, span, |device, image| {
        let said = app.fleet.said(&entry.site, device);
        let runs = said.and_then(|(words, _)| Some(words.installed.as_ref()?.image_sha256));
        runs == Some(*image)
    });
    let names = Names(&snapshot);
    let known = Known {
        matters: &matters,
        week: &week,
        waves: waves(app, entry, visit.words, names),
        roster: &roster,
        inventory: &entry.inventory,
        names,
        at: visit.at,
    };
    let frame = visit.frame(Nav::Today, visit.words.t("today-title"));
    Answer::page(&view(frame, visit.words, entry, known))
}

/// The waves that run, are watched, or have halted.
fn waves(app: &App, entry: &AtSite, w: Words, names: Names<'_>) -> Vec<RunningWave> {
    let consent = app.views.consent();
    let Some(site) = consent.site(&entry.site) else { return Vec::new() };
    let mut found = Vec::new();
    for running in site.all_rollouts() {
        let what = release_words(w, names, &running.image.family, running.image.version.as_str());
        for wave in &running.waves {
            let shown =
                matches!(wave.state, WaveState::Open | WaveState::Soaking | WaveState::Halted(_));
            if shown {
                let soaks = matches!(wave.state, WaveState::Soaking);
                found.push(RunningWave {
                    what: what.clone(),
                    wave: wave.wave,
                    state: wave.state,
                    updated: wave.updated,
                    devices: wave.devices,
                    failed: wave.failed.saturating_add(wave.silent),
                    soak_until: wave.soak_until(&running.terms).filter(|_| soaks),
                    link: entry.path(&format!("rollouts/{}", running.key.approval)),
                });
            }
        }
    }
    found.sort_by_key(|wave| (!matches!(wave.state, WaveState::Halted(_)), wave.what.clone()));
    found
}

fn release_words(
    w: Words,
    names: Names<'_>,
    family: &patchward_protocol::id::FamilyId,
    version: &str,
) -> String {
    w.t2("today-release", "family", names.family(w, family), "version", version)
}

fn view(frame: Frame, w: Words, at: &AtSite, known: Known<'_>) -> Today {
    let shown = known.matters.iter().take(LINES_MAX);
    Today {
        next: next(w, at, &known),
        matters: shown.map(|notice| matter(w, at, &known, notice)).collect(),
        matters_more: known.matters.len().saturating_sub(LINES_MAX),
        inbox: at.path("inbox"),
        week: known.week.iter().take(LINES_MAX).map(|it| slot(w, at, &known, it)).collect(),
        week_more: known.week.len().saturating_sub(LINES_MAX),
        calendar: at.path("calendar"),
        under_way: known.waves.iter().map(|it| wave(w, known.at, it)).collect(),
        rollouts: at.path("rollouts"),
        tiles: if known.roster.members.is_empty() {
            Vec::new()
        } else {
            tiles(w, at, known.roster)
        },
        devices: at.path("devices"),
        frame,
        w,
    }
}

/// The first things to do in a hospital that has none of them.
fn next(w: Words, at: &AtSite, known: &Known<'_>) -> Vec<Next> {
    let step = |id: &str, to: &str| Next {
        text: w.t(&format!("today-next-{id}")),
        button: w.t(&format!("today-next-{id}-button")),
        to: at.path(to),
    };
    let mut steps = Vec::new();
    let may = at.may(SitePower::Administer);
    if known.inventory.wards.is_empty() && may {
        steps.push(step("wards", "settings/wards"));
    }
    if known.roster.members.is_empty() {
        steps.push(if may { step("enrol", "enrol") } else { step("ask", "devices") });
    }
    steps
}

fn matter(w: Words, at: &AtSite, known: &Known<'_>, notice: &Notice) -> Matter {
    let (class, button) = match notice.severity {
        Severity::Urgent => ("bad", "today-see-now"),
        Severity::Important => ("warn", "today-see"),
        Severity::Normal => ("info", "today-see"),
    };
    let left = |due: Timestamp| {
        let left_s = due.millis_since(known.at) / 1000;
        if left_s > 0 {
            w.t1("today-left", "left", w.span(left_s))
        } else {
            w.t1("today-over", "by", w.span(left_s.saturating_neg()))
        }
    };
    Matter {
        class,
        badge: w.t(&format!("today-severity-{}", notice.severity.word())),
        title: said::headline(w, &known.names, &notice.subject),
        left: notice.due.map(left),
        due: notice.due.map(|due| w.instant(due, at.tz())),
        to: said::path(notice),
        button: w.t(button),
    }
}

fn slot(w: Words, at: &AtSite, known: &Known<'_>, group: &Group) -> Slot {
    let tz = at.tz();
    let ward = group.ward.as_ref().map(|ward| ward_name(w, known.inventory, ward));
    let release = &group.release;
    let what = release_words(w, known.names, &release.family, release.version.as_str());
    let what = match group.action {
        Action::Rollback => w.t1("today-back", "what", what),
        Action::Install | Action::Standing => what,
    };
    Slot {
        day: w.day(group.start, tz),
        from: w.clock(group.start, tz),
        to: w.end(group.start, group.end, tz),
        ward: ward.unwrap_or_else(|| w.t("today-no-ward")),
        what,
        devices: w.t2("today-slot", "wave", group.wave, "n", group.devices.len()),
        in_service: group
            .in_service
            .map(|(stay, all)| w.t2("today-stay", "stay", stay, "all", all)),
        link: at.path(&format!("rollouts/{}", group.approval_sha256)),
    }
}

fn wave(w: Words, at: Timestamp, wave: &RunningWave) -> Wave {
    let (class, code) = match wave.state {
        WaveState::Halted(_) => ("bad", "halted"),
        WaveState::Soaking => ("warn", "soaking"),
        WaveState::Open => ("info", "open"),
        WaveState::Planned => ("", "planned"),
        WaveState::Passed => ("good", "passed"),
        WaveState::Cancelled => ("", "cancelled"),
    };
    let left = |until: Timestamp| {
        let left_s = until.millis_since(at) / 1000;
        (left_s > 0).then(|| w.t1("today-soak", "left", w.span(left_s)))
    };
    Wave {
        class,
        state: w.t(&format!("today-wave-{code}")),
        what: w.t2("today-wave", "what", wave.what.as_str(), "n", wave.wave),
        numbers: w.say(
            "today-numbers",
            &[
                ("updated", wave.updated.into()),
                ("devices", wave.devices.into()),
                ("failed", wave.failed.into()),
            ],
        ),
        left: wave.soak_until.and_then(left),
        link: wave.link.clone(),
    }
}

/// The numbers: those that are bad even when they are nought are left out when they are.
fn tiles(w: Words, at: &AtSite, roster: &Roster) -> Vec<Tile> {
    let of = |condition: Condition, class: &'static str| Tile {
        class,
        n: roster.count(|member| member.condition == condition),
        text: w.t(&format!("devices-condition-{}", condition.word())),
        to: at.path(&format!("devices?state={}", condition.word())),
    };
    let also = |word: &str, class: &'static str, n: usize| Tile {
        class,
        n,
        text: w.t(&format!("devices-also-{word}")),
        to: at.path(&format!("devices?also={word}")),
    };
    let always = [of(Condition::Current, ""), of(Condition::Behind, "warn")];
    let sometimes = [
        of(Condition::Waiting, ""),
        of(Condition::Updating, ""),
        of(Condition::Acceptance, "warn"),
        of(Condition::Attention, "bad"),
        also("compensated", "", roster.count(|member| member.compensated)),
        also("unsupported", "warn", roster.count(|member| member.unsupported)),
        of(Condition::Silent, "bad"),
        of(Condition::Unknown, "warn"),
    ];
    let some = sometimes.into_iter().filter(|tile| tile.n > 0);
    let mut tiles: Vec<Tile> = always.into_iter().collect();
    tiles.extend(some);
    tiles
}

#[cfg(test)]
#[path = "today_samples.rs"]
mod today_samples;

#[cfg(test)]
pub(in crate::console) use today_samples::samples;
