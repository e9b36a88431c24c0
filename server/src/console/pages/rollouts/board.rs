//! The wave board: where every device of a rollout stands, what must be true before the next wave
//! opens, why it halted and what to do.
//!
//! What moves has an element of its own with an id; [`BoardPage::cells`] says what stands in each, so
//! that the page and the stream of events cannot disagree. Not here: counting
//! (`crate::rollout::board`). Invariant: the page is whole without a script.

use super::known::{self, Known};
use super::{State, action_id, image_title, left, wave_state_id};
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::pages::stop::stop_path;
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::when::When;
use crate::console::words::Words;
use crate::people::role::SitePower;
use crate::publish::current::Snapshot;
use crate::rollout::board::{Condition, Phase, Placed, conditions};
use askama::Template;
use patchward_protocol::approval::Action;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::directive::HoldTarget;
use patchward_protocol::draft::plan_text;
use patchward_protocol::gate::{Halt, WaveCounters, WaveState};
use patchward_protocol::time::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Most devices of a wave that the board lists; the others stand among the devices.
const LISTED_MAX: usize = 200;
/// Most reasons of a wave that are told.
const REASONS_MAX: usize = 4;

/// The page.
#[derive(Template)]
#[template(path = "rollouts/board.html")]
pub(super) struct BoardPage {
    frame: Frame,
    w: Words,
    approval: String,
    approval_to: String,
    rollouts: Vec<RolloutView>,
    events: String,
    seen: String,
    holds: String,
}

/// One image of the approval.
#[derive(Debug, Clone)]
pub(super) struct RolloutView {
    key: String,
    title: String,
    action: String,
    until: When,
    state: Cell,
    done: u32,
    devices: u32,
    done_words: String,
    waves: Vec<WaveView>,
    detection: Vec<String>,
    stop: Option<String>,
    rollback: Option<String>,
    sheets: Option<String>,
}

/// One wave.
#[derive(Debug, Clone)]
struct WaveView {
    key: String,
    n: u32,
    state: Cell,
    clock: Cell,
    why: Cell,
    done: u32,
    devices: u32,
    counts: Vec<Count>,
    conditions: Vec<ConditionView>,
    conditions_id: String,
    opened: bool,
    halt: HaltView,
    listed: Vec<DeviceView>,
    more: usize,
    all: String,
}

/// Text that may change while the page is open.
#[derive(Debug, Clone)]
struct Cell {
    id: String,
    text: String,
    class: &'static str,
}

/// How many devices stand somewhere.
#[derive(Debug, Clone)]
struct Count {
    cell: Cell,
    label: String,
}

/// Something that must be so before the wave opens.
#[derive(Debug, Clone)]
struct ConditionView {
    badge: Cell,
    text: Cell,
}

/// Why a wave halted, and what to do.
#[derive(Debug, Clone)]
struct HaltView {
    id: String,
    hidden: bool,
    text: Cell,
    resume: Option<String>,
    look: String,
}

/// A device in the fold.
#[derive(Debug, Clone)]
struct DeviceView {
    device: String,
    to: String,
    phase: Cell,
    reason: Cell,
    sheet: Option<String>,
}

/// Around a board: whose it is, and when it is looked at.
pub(super) struct Scene<'a> {
    /// The texts.
    pub w: Words,
    /// The visitor.
    pub entry: &'a AtSite,
    /// The repositories.
    pub snapshot: &'a Snapshot,
    /// The moment.
    pub at: Timestamp,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>("/console/sites/{site}/rollouts/{approval}", SitePower::See, show);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let name: String = visit.asked.part("approval")?;
    let known = known::read(&visit.app, &visit.entry.site, &name).await?;
    let snapshot = visit.app.snapshot();
    let scene = Scene { w: visit.words, entry: &visit.entry, snapshot: &snapshot, at: visit.at };
    let frame = visit.frame(Nav::Rollouts, visit.words.t("rollouts-board-title"));
    Answer::page(&view(frame, &scene, &known))
}

/// The page of these rollouts of one approval.
pub(super) fn view(frame: Frame, scene: &Scene<'_>, known: &[Known]) -> BoardPage {
    let entry = scene.entry;
    let first = known.first().map(|known| &known.running);
    let approval = first.map(|running| running.terms.id.to_string()).unwrap_or_default();
    let sha256 = first.map(|running| running.key.approval.to_string()).unwrap_or_default();
    let rollouts = (0..).zip(known).map(|(n, known)| rollout(scene, n, known)).collect();
    let title = first.map(|running| image_title(scene.w, scene.snapshot, &running.image));
    let title = title.filter(|_| known.len() == 1).unwrap_or_else(|| frame.title.clone());
    let mut page = BoardPage {
        frame: Frame { title, ..frame }.script("live.js"),
        w: scene.w,
        approval_to: entry.path(&format!("approvals/sheet/{approval}")),
        approval,
        rollouts,
        events: entry.path(&format!("rollouts/{sha256}/events")),
        seen: String::new(),
        holds: entry.path("holds"),
    };
    page.seen = digest(&page.cells());
    page
}

fn rollout(scene: &Scene<'_>, index: usize, known: &Known) -> RolloutView {
    let (w, entry, running) = (scene.w, scene.entry, &known.running);
    let key = format!("r{index}");
    let state = State::of(&running.waves);
    let sum = |of: fn(&WaveCounters) -> u32| {
        running.waves.iter().map(of).fold(0_u32, u32::saturating_add)
    };
    let (done, devices) = (sum(|wave| wave.updated), sum(|wave| wave.devices));
    let target = HoldTarget::Release {
        family: running.image.family.clone(),
        image_sha256: running.image.image_sha256,
    };
    let back = format!("rollback?family={}&from={}", running.image.family, running.image.version);
    let installs = running.action != Action::Rollback;
    let devices_of = known.approved.as_slice();
    RolloutView {
        title: image_title(w, scene.snapshot, &running.image),
        action: w.t(action_id(running.action)),
        until: w.instant(running.terms.valid_until, entry.tz()),
        state: Cell::new(format!("{key}-state"), w.t(state.id()), state.class()),
        done,
        devices,
        done_words: w.t2("rollouts-done-of", "done", done, "all", devices),
        waves: running.waves.iter().map(|wave| wave_view(scene, &key, known, wave)).collect(),
        detection: plan_text::detection(w.language(), &running.terms.waves, devices_of),
        stop: entry.may(SitePower::Stop).then(|| entry.path(&stop_path(&target))),
        rollback: (entry.may(SitePower::See) && installs).then(|| entry.path(&back)),
        sheets: sheets(entry, known),
        key,
    }
}

/// Where the sheets of its rollbacks are: it is a rollback itself, or a device of it went back.
fn sheets(entry: &AtSite, known: &Known) -> Option<String> {
    let went_back = known.devices.iter().any(|placed| placed.phase == Phase::RolledBack);
    let some = went_back || known.running.action == Action::Rollback;
    (some && entry.may(SitePower::Records)).then(|| entry.path("records?kind=rollbacks"))
}

fn wave_view(scene: &Scene<'_>, rollout: &str, known: &Known, wave: &WaveCounters) -> WaveView {
    let (w, n) = (scene.w, wave.wave);
    let key = format!("{rollout}w{n}");
    let tally = known.tally(n);
    let count = |phase: Phase| Count {
        cell: Cell::new(
            format!("{key}-{}", phase.word()),
            tally.get(&phase).copied().unwrap_or(0).to_string(),
            "",
        ),
        label: w.t(&format!("rollouts-phase-{}", phase.word())),
    };
    let class = match wave.state {
        WaveState::Halted(halt) if halt.needs_act() => "badge bad",
        WaveState::Halted(_) => "badge warn",
        WaveState::Open | WaveState::Soaking => "badge info",
        WaveState::Passed => "badge good",
        WaveState::Planned | WaveState::Cancelled => "badge",
    };
    let (listed, more) = devices(scene, &key, known, n);
    let opened = !matches!(wave.state, WaveState::Planned | WaveState::Halted(_));
    WaveView {
        n,
        state: Cell::new(format!("{key}-state"), w.t(wave_state_id(wave.state)), class),
        clock: Cell::new(format!("{key}-clock"), clock(scene, known, wave), ""),
        why: Cell::new(format!("{key}-why"), why(w, known, n), ""),
        done: wave.updated,
        devices: wave.devices,
        counts: Phase::ALL.into_iter().map(count).collect(),
        conditions: condition_views(scene, &key, known, n),
        conditions_id: format!("{key}-conditions"),
        opened,
        halt: halt_view(scene, &key, known, wave),
        listed,
        more,
        all: scene.entry.path("devices"),
        key,
    }
}

/// What time has to do with the wave now.
fn clock(scene: &Scene<'_>, known: &Known, wave: &WaveCounters) -> String {
    let (w, at, tz) = (scene.w, scene.at, scene.entry.tz());
    let terms = &known.running.terms;
    match wave.state {
        WaveState::Soaking => match wave.soak_until(terms) {
            Some(until) => match left(w, until, at) {
                Some(left) => {
                    w.t2("rollouts-clock-soak", "left", left, "until", w.instant(until, tz))
                }
                None => w.t("rollouts-clock-soaked"),
            },
            None => String::new(),
        },
        WaveState::Open => w.t1("rollouts-clock-open", "until", w.instant(wave.slots_end, tz)),
        WaveState::Planned => {
            let from = terms.waves.iter().find(|terms| terms.n == wave.wave);
            let from = from.map(|terms| w.instant(terms.not_before, tz));
            from.map(|from| w.t1("rollouts-clock-planned", "from", from)).unwrap_or_default()
        }
        WaveState::Passed | WaveState::Halted(_) | WaveState::Cancelled => String::new(),
    }
}

/// Why devices of the wave wait, the most frequent reason first.
fn why(w: Words, known: &Known, n: u32) -> String {
    let mut reasons: BTreeMap<&'static str, (u32, &'static str)> = BTreeMap::new();
    for placed in known.devices.iter().filter(|placed| placed.wave == n) {
        if let Some(reason) = placed.reason {
            let text = w.pick(reason.en(), reason.ja());
            let entry = reasons.entry(reason.code()).or_insert((0, text));
            entry.0 = entry.0.saturating_add(1);
        }
    }
    let mut reasons: Vec<_> = reasons.into_values().collect();
    reasons.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let told = reasons.into_iter().take(REASONS_MAX);
    let told: Vec<_> = told.map(|(n, text)| w.t2("rollouts-why", "n", n, "reason", text)).collect();
    told.join(" ")
}

fn condition_views(scene: &Scene<'_>, key: &str, known: &Known, n: u32) -> Vec<ConditionView> {
    let running = &known.running;
    let all = conditions(&running.terms, &running.waves, n);
    let view = |(i, condition): (usize, Condition)| {
        let met = condition.is_met(scene.at);
        let (id, class) = match met {
            true => ("rollouts-met", "badge good"),
            false => ("rollouts-missing", "badge warn"),
        };
        ConditionView {
            badge: Cell::new(format!("{key}-m{i}"), scene.w.t(id), class),
            text: Cell::new(format!("{key}-q{i}"), condition_words(scene, condition, n), ""),
        }
    };
    (0..).zip(all).map(view).collect()
}

fn condition_words(scene: &Scene<'_>, condition: Condition, n: u32) -> String {
    let (w, tz) = (scene.w, scene.entry.tz());
    let before = n.saturating_sub(1);
    match condition {
        Condition::NotBefore(from) => w.t1("rollouts-cond-from", "from", w.instant(from, tz)),
        Condition::Updated(have, asked) => w.say(
            "rollouts-cond-updated",
            &[("n", before.into()), ("have", have.into()), ("asked", asked.into())],
        ),
        Condition::Used(have, asked) => w.say(
            "rollouts-cond-used",
            &[("n", before.into()), ("have", have.into()), ("asked", asked.into())],
        ),
        Condition::Watched(Some(until)) if until.millis() > 0 => {
            w.t2("rollouts-cond-watched", "n", before, "until", w.instant(until, tz))
        }
        Condition::Watched(_) => w.t1("rollouts-cond-watch", "n", before),
        Condition::Failures(have, allowed) => w.say(
            "rollouts-cond-failures",
            &[("n", before.into()), ("have", have.into()), ("allowed", allowed.into())],
        ),
        Condition::Free(None) => w.t("rollouts-cond-free"),
        Condition::Free(Some(halt)) => w.t(halt_id(halt)),
    }
}

const fn halt_id(halt: Halt) -> &'static str {
    match halt {
        Halt::Failed => "rollouts-halt-failed",
        Halt::Silent => "rollouts-halt-silent",
        Halt::SettingsChanged => "rollouts-halt-settings-changed",
        Halt::Held => "rollouts-halt-held",
        Halt::Paused => "rollouts-halt-paused",
    }
}

fn halt_view(scene: &Scene<'_>, key: &str, known: &Known, wave: &WaveCounters) -> HaltView {
    let halt = wave.state.halted_because();
    let text = halt.map(|halt| scene.w.t(halt_id(halt))).unwrap_or_default();
    let may = scene.entry.may(SitePower::Sign) && halt.is_none_or(Halt::needs_act);
    let (approval, n) = (known.running.key.approval, wave.wave);
    HaltView {
        id: format!("{key}-halt"),
        hidden: halt.is_none(),
        text: Cell::new(format!("{key}-halt-text"), text, ""),
        resume: may
            .then(|| scene.entry.path(&format!("act?do=resume&approval={approval}&wave={n}"))),
        look: format!("#{key}-devices"),
    }
}

/// The devices of a wave, those in trouble first.
fn devices(scene: &Scene<'_>, key: &str, known: &Known, n: u32) -> (Vec<DeviceView>, usize) {
    let mut of_wave: Vec<&Placed> =
        known.devices.iter().filter(|placed| placed.wave == n).collect();
    of_wave.sort_by_key(|placed| std::cmp::Reverse(urgency(placed.phase)));
    let more = of_wave.len().saturating_sub(LISTED_MAX);
    let view = |placed: &&Placed| {
        let reason = placed.reason.map(|reason| scene.w.pick(reason.en(), reason.ja()));
        let seen = || {
            let at = placed.last_seen?;
            Some(scene.w.t1("rollouts-last-seen", "at", scene.w.instant(at, scene.entry.tz())))
        };
        let not_seen = placed.phase == Phase::NotSeen;
        let reason = reason.map(str::to_owned).or_else(|| not_seen.then(seen).flatten());
        let phase = scene.w.t(&format!("rollouts-phase-{}", placed.phase.word()));
        let id = &placed.device;
        DeviceView {
            device: id.to_string(),
            to: scene.entry.path(&format!("devices/{id}")),
            phase: Cell::new(format!("{key}-d-{id}"), phase, phase_class(placed.phase)),
            reason: Cell::new(format!("{key}-r-{id}"), reason.unwrap_or_default(), ""),
            sheet: (placed.phase == Phase::RolledBack && scene.entry.may(SitePower::Records))
                .then(|| scene.entry.path(&format!("records?kind=rollbacks&device={id}"))),
        }
    };
    (of_wave.iter().take(LISTED_MAX).map(view).collect(), more)
}

const fn urgency(phase: Phase) -> u8 {
    match phase {
        Phase::Failed => 9,
        Phase::RolledBack => 8,
        Phase::NotSeen => 7,
        Phase::Acceptance => 6,
        Phase::Applying | Phase::Verifying => 5,
        Phase::Waiting => 4,
        Phase::Staged => 3,
        Phase::Planned => 2,
        Phase::Done => 1,
    }
}

const fn phase_class(phase: Phase) -> &'static str {
    match phase {
        Phase::Failed | Phase::RolledBack => "badge bad",
        Phase::NotSeen | Phase::Acceptance => "badge warn",
        Phase::Applying | Phase::Verifying | Phase::Waiting => "badge info",
        Phase::Done => "badge good",
        Phase::Planned | Phase::Staged => "badge",
    }
}

impl Cell {
    const fn new(id: String, text: String, class: &'static str) -> Self {
        Self { id, text, class }
    }

    fn put(&self, cells: &mut Cells) {
        cells.insert((self.id.clone(), "text"), json!(self.text));
        if !self.class.is_empty() {
            cells.insert((self.id.clone(), "class"), json!(self.class));
        }
    }
}

/// What stands in the elements that may change: by id and what of it.
pub(super) type Cells = BTreeMap<(String, &'static str), Value>;

/// A short name of what a page shows.
pub(super) fn digest(cells: &Cells) -> String {
    let all: Vec<_> = cells.iter().collect();
    let bytes = serde_json::to_vec(&all).unwrap_or_default();
    Sha256Digest::of(&bytes).to_string().chars().take(16).collect()
}

/// The cells of `now` that are other than before, as the script reads them.
pub(super) fn changed(before: &Cells, now: &Cells) -> Vec<Value> {
    let other = |(key, value): &(&(String, &str), &Value)| before.get(*key) != Some(*value);
    now.iter().filter(other).map(|((id, what), value)| json!([id, what, value])).collect()
}

/// Whether a page of the one has the elements of the other, but for the listed devices: otherwise it
/// must be loaded again.
pub(super) fn same_elements(before: &Cells, now: &Cells) -> bool {
    fn ids(cells: &Cells) -> BTreeSet<&str> {
        let ids = cells.keys().map(|(id, _)| id.as_str());
        ids.filter(|id| !id.contains("-d-") && !id.contains("-r-")).collect()
    }
    ids(before) == ids(now)
}

impl BoardPage {
    /// What stands in every element that may change.
    pub(super) fn cells(&self) -> Cells {
        let mut cells = Cells::new();
        for rollout in &self.rollouts {
            rollout.state.put(&mut cells);
            let key = &rollout.key;
            cells.insert((format!("{key}-bar"), "value"), json!(rollout.done));
            cells.insert((format!("{key}-done"), "text"), json!(rollout.done_words));
            for wave in &rollout.waves {
                wave.put(&mut cells);
            }
        }
        cells
    }
}

impl WaveView {
    fn put(&self, cells: &mut Cells) {
        let key = &self.key;
        cells.insert((format!("{key}-bar"), "value"), json!(self.done));
        cells.insert((self.halt.id.clone(), "hidden"), json!(self.halt.hidden));
        cells.insert((self.conditions_id.clone(), "hidden"), json!(self.opened));
        for cell in [&self.state, &self.clock, &self.why, &self.halt.text] {
            cell.put(cells);
        }
        self.counts.iter().for_each(|count| count.cell.put(cells));
        for condition in &self.conditions {
            condition.badge.put(cells);
            condition.text.put(cells);
        }
        for device in &self.listed {
            device.phase.put(cells);
            device.reason.put(cells);
        }
    }
}

#[cfg(test)]
pub(super) fn sample(words: Words, known: &[Known]) -> BoardPage {
    use crate::console::sample::{at_site, noon, site_frame};
    let (entry, snapshot) = (at_site(words), Snapshot::default());
    let scene = Scene { w: words, entry: &entry, snapshot: &snapshot, at: noon() };
    view(site_frame(words, Nav::Rollouts, "rollouts-board-title"), &scene, known)
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::Sample;
    use known::tests::{halted, many, soaking};
    vec![
        Sample::of("rollouts/board.html", "soaking", &sample(words, &[soaking()])),
        Sample::of("rollouts/board.html", "halted", &sample(words, &[halted()])),
        Sample::of("rollouts/board.html", "many", &sample(words, &[many(), soaking()])),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::who::Language;
    use known::tests::{halted, soaking};

    #[test]
    fn every_cell_is_an_element_of_the_page_and_says_the_same() {
        for known in [soaking(), halted()] {
            let page = sample(Words::of(Language::En), &[known]);
            let html = page.render().unwrap();
            for ((id, what), value) in page.cells() {
                let at = html.find(&format!(" id=\"{id}\""));
                let rest = &html[at.unwrap_or_else(|| panic!("no element {id}"))..];
                let tag = &rest[..rest.find('>').unwrap()];
                match (what, value) {
                    ("text", Value::String(text)) => {
                        let inside = &rest[tag.len() + 1..];
                        let inside = inside.split("</").next().unwrap();
                        let plain = inside.replace("&#39;", "'").replace("&#x27;", "'");
                        assert_eq!(plain, text, "{id}");
                    }
                    ("class", Value::String(class)) => {
                        assert!(tag.contains(&format!("class=\"{class}\"")), "{id}: {tag}");
                    }
                    ("value", value) => {
                        assert!(tag.contains(&format!("value=\"{value}\"")), "{id}: {tag}");
                    }
                    ("hidden", value) => {
                        assert_eq!(tag.ends_with(" hidden"), value == json!(true), "{id}: {tag}");
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    #[test]
    fn only_what_changed_is_told() {
        let page = |known| sample(Words::of(Language::En), &[known]).cells();
        let (before, after) = (page(soaking()), page(halted()));
        assert!(changed(&before, &before).is_empty());
        let told = changed(&before, &after);
        assert!(told.contains(&json!(["r0w1-halt", "hidden", false])), "{told:?}");
        assert!(!told.iter().any(|cell| cell[0] == "r0w0-state"), "{told:?}");
        assert_ne!(digest(&before), digest(&after));
        assert_eq!(digest(&before), digest(&page(soaking())));
    }
}
