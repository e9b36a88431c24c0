//! Rollouts of a hospital: what is on its way, and how it stands.
//!
//! From memory alone. Not here: one rollout ([`board`]). Invariant: a halt that needs a person stands
//! first.

pub mod back;
pub mod board;
pub mod events;
pub mod known;

use crate::consent::state::Running;
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::when::When;
use crate::console::words::Words;
use crate::people::role::SitePower;
use crate::publish::current::Snapshot;
use askama::Template;
use patchward_protocol::approval::Action;
use patchward_protocol::gate::{Halt, WaveCounters, WaveState};
use patchward_protocol::id::RepositoryId;
use patchward_protocol::image::ImageRef;
use patchward_protocol::time::Timestamp;

/// A rollout in a list.
#[derive(Debug, Clone)]
pub(in crate::console) struct Line {
    /// Its board.
    pub to: String,
    /// Family and version.
    pub title: String,
    /// The approval's id.
    pub approval: String,
    /// What is done: install, go back, by standing approval.
    pub action: String,
    /// How it stands.
    pub state: State,
    /// The state in words.
    pub words: String,
    /// The wave that matters now, in words.
    pub now: String,
    /// Devices that are done.
    pub updated: u32,
    /// Devices that failed, went back or fell silent.
    pub troubled: u32,
    /// All devices.
    pub devices: u32,
    /// Until when the approval counts.
    pub until: When,
}

/// How a rollout stands, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::console) enum State {
    /// A person must look.
    Halted,
    /// A hold or a pause.
    Held,
    /// Devices go.
    Running,
    /// Watched before the next wave.
    Soaking,
    /// Nothing began.
    Planned,
    /// All waves passed.
    Done,
    /// It will not go on.
    Cancelled,
}

/// The page.
#[derive(Template)]
#[template(path = "rollouts/list.html")]
struct RolloutsPage {
    frame: Frame,
    w: Words,
    live: Vec<Line>,
    ended: Vec<Line>,
    approvals: String,
    holds: String,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>("/console/sites/{site}/rollouts", SitePower::See, list);
    back::routes(routes);
    board::routes(routes);
    events::routes(routes);
}

async fn list(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let lines = lines(&visit.app, &visit.entry, visit.words);
    let frame = visit.frame(Nav::Rollouts, visit.words.t("rollouts-title"));
    Answer::page(&view(frame, visit.words, &visit.entry, lines))
}

/// The rollouts of a site, those that need somebody first.
pub(in crate::console) fn lines(app: &crate::app::App, at: &AtSite, w: Words) -> Vec<Line> {
    let (snapshot, consent) = (app.snapshot(), app.views.consent());
    let Some(site) = consent.site(&at.site) else { return Vec::new() };
    let mut lines: Vec<Line> =
        site.all_rollouts().map(|running| line(w, &snapshot, at, running)).collect();
    lines.sort_by(|a, b| (a.state, &a.title, &a.to).cmp(&(b.state, &b.title, &b.to)));
    lines
}

fn view(frame: Frame, w: Words, at: &AtSite, lines: Vec<Line>) -> RolloutsPage {
    let (ended, live) =
        lines.into_iter().partition(|line| matches!(line.state, State::Done | State::Cancelled));
    let (approvals, holds) = (at.path("approvals"), at.path("holds"));
    RolloutsPage { frame, w, live, ended, approvals, holds }
}

fn line(w: Words, snapshot: &Snapshot, at: &AtSite, running: &Running) -> Line {
    let state = State::of(&running.waves);
    let sum = |of: fn(&WaveCounters) -> u32| {
        running.waves.iter().map(of).fold(0_u32, u32::saturating_add)
    };
    Line {
        to: at.path(&format!("rollouts/{}", running.key.approval)),
        title: image_title(w, snapshot, &running.image),
        approval: running.terms.id.to_string(),
        action: w.t(action_id(running.action)),
        state,
        words: w.t(state.id()),
        now: now(w, &running.waves),
        updated: sum(|wave| wave.updated),
        troubled: sum(|wave| wave.failed.saturating_add(wave.silent)),
        devices: sum(|wave| wave.devices),
        until: w.instant(running.terms.valid_until, at.tz()),
    }
}

/// Family and version for people.
pub(in crate::console) fn image_title(w: Words, snapshot: &Snapshot, image: &ImageRef) -> String {
    let current = snapshot.get(&RepositoryId::Family(image.family.clone()));
    let title = current.map_or(image.family.as_str(), |at| w.pick(&at.title_en, &at.title_ja));
    format!("{title} {}", image.version)
}

/// What an action is called.
pub(in crate::console) const fn action_id(action: Action) -> &'static str {
    match action {
        Action::Install => "rollouts-action-install",
        Action::Rollback => "rollouts-action-rollback",
        Action::Standing => "rollouts-action-standing",
    }
}

/// The wave that matters now: the first that has not ended.
fn now(w: Words, waves: &[WaveCounters]) -> String {
    let ended = |state: WaveState| matches!(state, WaveState::Passed | WaveState::Cancelled);
    let Some(wave) = waves.iter().find(|wave| !ended(wave.state)) else { return String::new() };
    let state = w.t(wave_state_id(wave.state));
    w.say("rollouts-now", &[("n", wave.wave.into()), ("state", state.into())])
}

/// What a state of a wave is called.
pub(in crate::console) const fn wave_state_id(state: WaveState) -> &'static str {
    match state {
        WaveState::Planned => "rollouts-wave-planned",
        WaveState::Open => "rollouts-wave-open",
        WaveState::Soaking => "rollouts-wave-soaking",
        WaveState::Passed => "rollouts-wave-passed",
        WaveState::Halted(Halt::Held) => "rollouts-wave-held",
        WaveState::Halted(Halt::Paused) => "rollouts-wave-paused",
        WaveState::Halted(Halt::Failed | Halt::Silent | Halt::SettingsChanged) => {
            "rollouts-wave-halted"
        }
        WaveState::Cancelled => "rollouts-wave-cancelled",
    }
}

impl State {
    /// Of its waves.
    pub(in crate::console) fn of(waves: &[WaveCounters]) -> Self {
        let any = |is: fn(WaveState) -> bool| waves.iter().any(|wave| is(wave.state));
        if any(|state| state.halted_because().is_some_and(Halt::needs_act)) {
            Self::Halted
        } else if any(|state| state.halted_because().is_some()) {
            Self::Held
        } else if any(|state| state == WaveState::Open) {
            Self::Running
        } else if any(|state| state == WaveState::Soaking) {
            Self::Soaking
        } else if any(|state| state == WaveState::Cancelled) {
            Self::Cancelled
        } else if !any(|state| state != WaveState::Passed) {
            Self::Done
        } else {
            Self::Planned
        }
    }

    /// What it is called.
    pub(in crate::console) const fn id(self) -> &'static str {
        match self {
            Self::Halted => "rollouts-state-halted",
            Self::Held => "rollouts-state-held",
            Self::Running => "rollouts-state-running",
            Self::Soaking => "rollouts-state-soaking",
            Self::Planned => "rollouts-state-planned",
            Self::Done => "rollouts-state-done",
            Self::Cancelled => "rollouts-state-cancelled",
        }
    }

    /// The badge's class.
    pub(in crate::console) const fn class(self) -> &'static str {
        match self {
            Self::Halted => "badge bad",
            Self::Held => "badge warn",
            Self::Running | Self::Soaking => "badge info",
            Self::Done => "badge good",
            Self::Planned | Self::Cancelled => "badge",
        }
    }
}

/// A stretch until an instant, in words; nothing when it has passed.
pub(in crate::console) fn left(w: Words, until: Timestamp, at: Timestamp) -> Option<String> {
    let left_s = until.millis_since(at) / 1000;
    (left_s > 0).then(|| w.span(left_s))
}

#[cfg(test)]
pub(in crate::console) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, at_site, noon, site_frame};
    let at = at_site(words);
    let line = |n: u32, state: State| Line {
        to: "#".to_owned(),
        title: format!("{} 2.4.{n}", words.pick("Infusion pump X", "輸液ポンプX")),
        approval: format!("2026-12-05-pump-{n}"),
        action: words.t(action_id(Action::Install)),
        state,
        words: words.t(state.id()),
        now: now(words, &known::tests::counters()),
        updated: 12 * n,
        troubled: u32::from(state == State::Halted),
        devices: 42,
        until: words.instant(noon(), at.tz()),
    };
    let all = [State::Halted, State::Held, State::Running, State::Done, State::Cancelled];
    let lines = (1..).zip(all).map(|(n, state)| line(n, state)).collect();
    let frame = || site_frame(words, Nav::Rollouts, "rollouts-title");
    let mut samples = vec![
        Sample::of("rollouts/list.html", "some", &view(frame(), words, &at, lines)),
        Sample::of("rollouts/list.html", "none", &view(frame(), words, &at, Vec::new())),
    ];
    samples.extend(back::samples(words));
    samples.extend(board::samples(words));
    samples
}
