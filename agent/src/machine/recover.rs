//! What follows from a crash or a restart: pure, and enumerated over every state, observation and
//! boot.
//!
//! The journal says what was intended, the installer what is there; the second decides. Not here:
//! verifying documents again, which the driver does before it goes on.
//! Invariant: recovery never activates anything. From the write of no return on it finishes what
//! runs, or goes back.

use super::after::{call_service, go_back};
use super::effect::Effect;
use super::state::{Attempt, Goal, RECOVERIES_MAX, State, Written};
use super::step::{Step, about, because, of};
use crate::edge::{Content, Observed};
use crate::journal::Journal;
use patchward_protocol::ledger::Kind;
use patchward_protocol::reason::Reason;

/// What follows from finding `journal` and `observed` at start, at `boot_ms` on the boot clock.
#[must_use]
pub fn recover(journal: &Journal, observed: Observed, boot_id: &str, boot_ms: u64) -> Step {
    let seen = Seen { observed, boot: boot(journal, boot_id), boot_ms };
    let state = &journal.state;
    match state {
        State::Idle | State::NeedsService { .. } => stay(state.clone()),
        State::Approved { goal, .. }
        | State::Fetching { goal, .. }
        | State::Staged { goal }
        | State::Holding { goal, .. }
        | State::Preparing { goal, .. }
        | State::Armed { goal, .. } => nothing_changed_yet(state, goal, &seen),
        State::Abandoned { goal, .. } => {
            stay(state.clone()).then(Effect::Discard { goal: goal.clone() })
        }
        State::RolledBack { attempt, .. } => {
            stay(state.clone()).then(Effect::Discard { goal: attempt.goal.clone() })
        }
        State::Activating { attempt } => again(attempt, |next| activating(next, &seen)),
        State::Restarting { attempt } => again(attempt, |next| restarting(next, &seen)),
        State::Trial { attempt } => again(attempt, |next| on_trial(next, &seen)),
        State::AwaitingAcceptance { attempt, reason } => awaiting(attempt, *reason, &seen),
        State::Committed { attempt, accepted_by } => {
            again(attempt, |next| match seen.runs(&next) {
                Runs::New => Step {
                    state: State::Committed {
                        attempt: next.clone(),
                        accepted_by: accepted_by.clone(),
                    },
                    facts: vec![],
                    effect: Some(Effect::Keep { attempt: next }),
                },
                Runs::Other | Runs::Unknown => go_back(&next, Reason::RestartFailed, None),
            })
        }
        State::RollingBack { attempt, reason } => {
            let attempt = counted(attempt);
            if attempt.recoveries > RECOVERIES_MAX.saturating_mul(2) {
                return call_service(&attempt, Reason::RollbackFailed, None);
            }
            stay(State::RollingBack { attempt: attempt.clone(), reason: *reason })
                .then(Effect::GoBack { attempt })
        }
    }
}

/// Whether the machine was booted since the journal was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BootSince {
    Same,
    New,
}

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runs {
    New,
    Other,
    Unknown,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    observed: Observed,
    boot: BootSince,
    boot_ms: u64,
}

/// Whether the latest start of an attempt has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    InTime,
    Late,
}

impl Seen {
    fn runs(&self, attempt: &Attempt) -> Runs {
        what(self.observed.running, &attempt.goal)
    }

    const fn moment(&self, attempt: &Attempt) -> Moment {
        if self.boot_ms > attempt.start_by_boot_ms { Moment::Late } else { Moment::InTime }
    }
}

fn what(content: Content, goal: &Goal) -> Runs {
    match content {
        Content::Image(digest) if digest == goal.image.image_sha256 => Runs::New,
        Content::Image(_) => Runs::Other,
        Content::Unknown => Runs::Unknown,
    }
}

fn boot(journal: &Journal, boot_id: &str) -> BootSince {
    if journal.boot.id == boot_id { BootSince::Same } else { BootSince::New }
}

fn stay(state: State) -> Step {
    Step { state, facts: vec![], effect: None }
}

fn counted(attempt: &Attempt) -> Attempt {
    Attempt { recoveries: attempt.recoveries.saturating_add(1), ..attempt.clone() }
}

/// Counts the restart; too many, and the new image is given up.
fn again(attempt: &Attempt, then: impl FnOnce(Attempt) -> Step) -> Step {
    let attempt = counted(attempt);
    if attempt.recoveries > RECOVERIES_MAX {
        return go_back(&attempt, Reason::PowerLost, None);
    }
    let mut step = then(attempt.clone());
    step.facts.insert(0, because(of(Kind::Recovered, &attempt), Reason::PowerLost));
    step
}

fn nothing_changed_yet(state: &State, goal: &Goal, seen: &Seen) -> Step {
    let next_is_new = what(seen.observed.next, goal) == Runs::New;
    if next_is_new && what(seen.observed.running, goal) != Runs::New {
        // The image would start with the next boot, and this journal did not do that.
        let fact = because(about(Kind::NeedsService, goal), Reason::InstallFailed);
        let image = goal.image.clone();
        return Step::to(State::NeedsService { reason: Reason::InstallFailed, image }, fact);
    }
    match state {
        State::Fetching { blocked, .. } => {
            stay(State::Approved { goal: goal.clone(), blocked: *blocked })
        }
        State::Preparing { .. } | State::Armed { .. } => {
            let fact = because(about(Kind::Recovered, goal), Reason::PowerLost);
            let reason = Reason::PowerLost;
            Step::to(State::Holding { goal: goal.clone(), reason }, fact)
        }
        State::Idle
        | State::Approved { .. }
        | State::Staged { .. }
        | State::Holding { .. }
        | State::Activating { .. }
        | State::Restarting { .. }
        | State::Trial { .. }
        | State::AwaitingAcceptance { .. }
        | State::Committed { .. }
        | State::Abandoned { .. }
        | State::RollingBack { .. }
        | State::RolledBack { .. }
        | State::NeedsService { .. } => stay(state.clone()),
    }
}

/// The write was intended. Not made: it is not made now, because slot and permit were for another
/// moment. Made, in this boot: it goes on while the latest start has not passed; later the write is
/// taken back, and what runs is not disturbed. Made, and the machine was booted since: that boot was
/// the restart, and nobody is disturbed by a second one.
fn activating(attempt: Attempt, seen: &Seen) -> Step {
    let next = what(seen.observed.next, &attempt.goal);
    let written = match next {
        Runs::New => Written::Yes,
        Runs::Other | Runs::Unknown => attempt.written,
    };
    let attempt = Attempt { written, ..attempt };
    match (next, seen.boot, seen.runs(&attempt)) {
        (Runs::New, BootSince::Same, Runs::New | Runs::Other | Runs::Unknown) => {
            match seen.moment(&attempt) {
                Moment::InTime => restart(attempt, vec![Kind::Restarting]),
                Moment::Late => too_late(&attempt),
            }
        }
        (Runs::New, BootSince::New, Runs::New) => super::after::try_out(attempt),
        (Runs::New, BootSince::New, Runs::Other | Runs::Unknown) => {
            go_back(&attempt, Reason::RestartFailed, None)
        }
        (Runs::Other | Runs::Unknown, BootSince::Same | BootSince::New, _) => {
            go_back(&attempt, Reason::PowerLost, None)
        }
    }
}

fn restart(attempt: Attempt, kinds: Vec<Kind>) -> Step {
    Step {
        state: State::Restarting { attempt: attempt.clone() },
        facts: kinds.into_iter().map(|kind| of(kind, &attempt)).collect(),
        effect: Some(Effect::Restart { attempt }),
    }
}

/// The way back restarts nothing where the image before still runs.
fn too_late(attempt: &Attempt) -> Step {
    let detail = "the agent was away until the latest start had passed".to_owned();
    go_back(attempt, Reason::PowerLost, Some(detail))
}

/// The restart was intended. Where the installer says that the image before still runs, it was not
/// made; where nothing can be told, it was begun.
fn restarting(attempt: Attempt, seen: &Seen) -> Step {
    let next = what(seen.observed.next, &attempt.goal);
    match (seen.boot, seen.runs(&attempt), next) {
        (BootSince::New, Runs::New, Runs::New | Runs::Other | Runs::Unknown) => {
            super::after::try_out(attempt)
        }
        // It is made again; but what runs late is not disturbed a second time.
        (BootSince::Same, Runs::New, Runs::New | Runs::Other | Runs::Unknown) => {
            match seen.moment(&attempt) {
                Moment::InTime => restart(attempt, vec![]),
                Moment::Late => super::after::try_out(attempt),
            }
        }
        (BootSince::Same, Runs::Other | Runs::Unknown, Runs::New) => match seen.moment(&attempt) {
            Moment::InTime => restart(attempt, vec![]),
            Moment::Late => too_late(&attempt),
        },
        (BootSince::New, Runs::Other | Runs::Unknown, Runs::New | Runs::Other | Runs::Unknown)
        | (BootSince::Same, Runs::Other | Runs::Unknown, Runs::Other | Runs::Unknown) => {
            go_back(&attempt, Reason::RestartFailed, None)
        }
    }
}

fn on_trial(attempt: Attempt, seen: &Seen) -> Step {
    match seen.runs(&attempt) {
        Runs::New => Step {
            state: State::Trial { attempt: attempt.clone() },
            facts: vec![],
            effect: Some(Effect::CheckHealth { attempt }),
        },
        Runs::Other | Runs::Unknown => go_back(&attempt, Reason::RestartFailed, None),
    }
}

/// A person may take days; restarts in between do not count.
fn awaiting(attempt: &Attempt, reason: Option<Reason>, seen: &Seen) -> Step {
    match seen.runs(attempt) {
        Runs::New => stay(State::AwaitingAcceptance { attempt: attempt.clone(), reason }),
        Runs::Other | Runs::Unknown => go_back(attempt, Reason::RestartFailed, None),
    }
}
