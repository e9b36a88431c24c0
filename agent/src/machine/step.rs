//! What follows from an event: the next state, what the ledger says of it, and one effect.
//!
//! Pure and total: what stands before the write of no return is in [`super::before`], what stands
//! after it in [`super::after`]. Every state answers every event, and what must not happen is [`Illegal`].
//! Not here: crashes ([`super::recover`]) and deciding whether a moment is right
//! (`protocol::decision`, asked by the gatekeeper).
//! Invariant: [`State::Activating`] is reached from [`State::Armed`] by [`Event::Go`] only, before
//! the frozen latest start.

use super::effect::Effect;
use super::event::Event;
use super::state::{Attempt, Goal, State};
use super::{after, before};
use patchward_protocol::ledger::{Fact, Kind};
use patchward_protocol::reason::Reason;
use patchward_protocol::slot::Slot;
use patchward_protocol::time::{TimeQuality, Timestamp};

/// An instant as the device knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Milliseconds on the boot clock.
    pub boot_ms: u64,
    /// The time, when known.
    pub utc: Option<Timestamp>,
    /// How well it is known.
    pub quality: TimeQuality,
    /// How often the machine has booted.
    pub boot_count: u64,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The next state.
    pub state: State,
    /// What the ledger says of it, in order.
    pub facts: Vec<Fact>,
    /// What is to be done, after state and facts are durable.
    pub effect: Option<Effect>,
}

/// An event that cannot happen in this state; nothing changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("state {state} does not take the event {event}")]
pub struct Illegal {
    /// The state.
    pub state: &'static str,
    /// The event, as it prints.
    pub event: String,
}

/// What follows from `event` in `state` at `at`.
///
/// # Errors
/// [`Illegal`] when the state does not take the event.
pub fn step(state: &State, event: Event, at: &Stamp) -> Result<Step, Illegal> {
    match state {
        State::Idle => before::idle(event),
        State::Approved { goal, blocked } => before::approved(goal, *blocked, event),
        State::Fetching { goal, blocked } => before::fetching(goal, *blocked, event),
        State::Staged { goal } => before::waiting(state, goal, None, event),
        State::Holding { goal, reason } => before::waiting(state, goal, Some(*reason), event),
        State::Preparing { goal, slot, start_by_boot_ms } => {
            let begun = Begun { slot: *slot, start_by_boot_ms: *start_by_boot_ms };
            before::preparing(goal, begun, event, at)
        }
        State::Armed { goal, slot, start_by_boot_ms } => {
            let begun = Begun { slot: *slot, start_by_boot_ms: *start_by_boot_ms };
            before::armed(goal, begun, event, at)
        }
        State::Abandoned { .. } => before::abandoned(event),
        State::Activating { attempt } => after::activating(attempt, event),
        State::Restarting { attempt } => after::restarting(attempt, event),
        State::Trial { attempt } => after::trial(attempt, event),
        State::AwaitingAcceptance { attempt, .. } => after::awaiting(attempt, event),
        State::Committed { attempt, accepted_by } => {
            after::committed(attempt, accepted_by.as_ref(), event)
        }
        State::RollingBack { attempt, reason } => after::rolling_back(attempt, *reason, event),
        State::RolledBack { attempt, .. } => after::rolled_back(attempt, event),
        State::NeedsService { image, .. } => after::needs_service(image, event),
    }
}

/// When a started update had its slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    pub(super) slot: Slot,
    pub(super) start_by_boot_ms: u64,
}

impl Step {
    /// A state with one fact, and nothing to do.
    pub(super) fn to(state: State, fact: Fact) -> Self {
        Self { state, facts: vec![fact], effect: None }
    }

    /// With something to do.
    pub(super) fn then(mut self, effect: Effect) -> Self {
        self.effect = Some(effect);
        self
    }
}

/// A fact about a goal.
pub(super) fn about(kind: Kind, goal: &Goal) -> Fact {
    let mut fact = Fact::new(kind);
    fact.release = Some(goal.image.clone());
    fact.approval = Some(goal.approval.clone());
    fact.action = goal.recorded_action();
    fact
}

/// A fact about an attempt.
pub(super) fn of(kind: Kind, attempt: &Attempt) -> Fact {
    let mut fact = about(kind, &attempt.goal);
    fact.from.clone_from(&attempt.terms.from);
    fact.slot = Some(attempt.slot);
    fact.settings_before = attempt.terms.settings_before;
    fact.settings_after = attempt.settings_after;
    fact
}

/// A fact with its reason.
pub(super) fn because(mut fact: Fact, reason: Reason) -> Fact {
    fact.reason = Some(reason);
    fact
}

pub(super) fn illegal(state: &'static str, event: &Event) -> Illegal {
    Illegal { state, event: format!("{event:?}").chars().take(80).collect() }
}
