//! The steps before the write of no return: nothing on the device has changed yet.
//!
//! Everything here can be cancelled. Not here: the gate itself; its word comes as an event.

use super::effect::Effect;
use super::event::Event;
use super::state::{Attempt, Goal, State, Written};
use super::step::{Begun, Illegal, Stamp, Step, about, because, illegal, of};
use patchward_protocol::ledger::{ClinicalState, Fact, Kind};
use patchward_protocol::reason::Reason;

pub(super) fn idle(event: Event) -> Result<Step, Illegal> {
    match event {
        Event::Offered { goal } => Ok(begin(*goal)),
        Event::Withdrawn { .. }
        | staging!()
        | gate!()
        | activation!()
        | restart!()
        | health!()
        | persons!()
        | endings!() => Err(illegal("idle", &event)),
    }
}

pub(super) fn approved(
    goal: &Goal,
    blocked: Option<Reason>,
    event: Event,
) -> Result<Step, Illegal> {
    match event {
        Event::Offered { goal: better } => Ok(supersede(goal, *better, StagedYet::No)),
        Event::Withdrawn { reason } => Ok(abandon(goal, reason)),
        Event::FetchDue => Ok(Step {
            state: State::Fetching { goal: goal.clone(), blocked },
            facts: vec![],
            effect: Some(Effect::Stage { goal: goal.clone() }),
        }),
        Event::Staged { .. } | Event::StageFailed { .. } | Event::StageLost { .. } => {
            Err(illegal("approved", &event))
        }
        gate!() | activation!() | restart!() | health!() | persons!() | endings!() => {
            Err(illegal("approved", &event))
        }
    }
}

pub(super) fn fetching(
    goal: &Goal,
    blocked: Option<Reason>,
    event: Event,
) -> Result<Step, Illegal> {
    match event {
        Event::Offered { goal: better } => Ok(supersede(goal, *better, StagedYet::No)),
        Event::Withdrawn { reason } => Ok(abandon(goal, reason)),
        Event::Staged { carried, reason } => {
            let fact = Fact { carried, reason, ..about(Kind::Staged, goal) };
            Ok(Step::to(State::Staged { goal: goal.clone() }, fact))
        }
        Event::StageFailed { reason } => {
            // Fetching in pieces is no news; anything else is, once.
            let news = reason != Reason::NotStagedYet && blocked != Some(reason);
            let facts = if news { vec![held(goal, reason, None)] } else { vec![] };
            let blocked = if reason == Reason::NotStagedYet { blocked } else { Some(reason) };
            Ok(Step { state: State::Approved { goal: goal.clone(), blocked }, facts, effect: None })
        }
        Event::FetchDue | Event::StageLost { .. } => Err(illegal("fetching", &event)),
        gate!() | activation!() | restart!() | health!() | persons!() | endings!() => {
            Err(illegal("fetching", &event))
        }
    }
}

/// Staged and Holding: the image is ready, the moment may not be.
pub(super) fn waiting(
    state: &State,
    goal: &Goal,
    shown: Option<Reason>,
    event: Event,
) -> Result<Step, Illegal> {
    match event {
        Event::Offered { goal: better } => Ok(supersede(goal, *better, StagedYet::Yes)),
        Event::Withdrawn { reason } => Ok(abandon(goal, reason)),
        Event::StageLost { reason } => Ok(unstaged(goal, reason)),
        Event::Blocked { reason, clinical_state } => {
            Ok(hold(goal, shown, reason, Some(clinical_state)))
        }
        Event::Go { slot, start_by_boot_ms, clinical_state, terms } => {
            let mut fact = about(Kind::Preparing, goal);
            fact.from = terms.from;
            fact.slot = Some(slot);
            fact.clinical_state = Some(clinical_state);
            Ok(Step {
                state: State::Preparing { goal: goal.clone(), slot, start_by_boot_ms },
                facts: vec![fact],
                effect: Some(Effect::AskAgain { goal: goal.clone() }),
            })
        }
        Event::FetchDue | Event::Staged { .. } | Event::StageFailed { .. } => {
            Err(illegal(state.name(), &event))
        }
        activation!() | restart!() | health!() | persons!() | endings!() => {
            Err(illegal(state.name(), &event))
        }
    }
}

pub(super) fn preparing(
    goal: &Goal,
    begun: Begun,
    event: Event,
    at: &Stamp,
) -> Result<Step, Illegal> {
    match event {
        Event::Withdrawn { reason } => Ok(abandon(goal, reason)),
        Event::StageLost { reason } => Ok(unstaged(goal, reason)),
        Event::Blocked { reason, clinical_state } => {
            Ok(hold(goal, None, reason, Some(clinical_state)))
        }
        Event::Go { slot, start_by_boot_ms, clinical_state, terms } => {
            // The earlier of the two: a clock set back inside a slot must not lengthen it.
            let start_by_boot_ms = start_by_boot_ms.min(begun.start_by_boot_ms);
            if slot != begun.slot || at.boot_ms > start_by_boot_ms {
                return Ok(hold(goal, None, Reason::SlotTooShort, Some(clinical_state)));
            }
            let mut fact = about(Kind::Armed, goal);
            fact.from = terms.from;
            fact.slot = Some(slot);
            fact.clinical_state = Some(clinical_state);
            Ok(Step {
                state: State::Armed { goal: goal.clone(), slot, start_by_boot_ms },
                facts: vec![fact],
                effect: Some(Effect::Arm { goal: goal.clone() }),
            })
        }
        Event::Offered { .. }
        | Event::FetchDue
        | Event::Staged { .. }
        | Event::StageFailed { .. }
        | activation!()
        | restart!()
        | health!()
        | persons!()
        | endings!() => Err(illegal("preparing", &event)),
    }
}

pub(super) fn armed(goal: &Goal, begun: Begun, event: Event, at: &Stamp) -> Result<Step, Illegal> {
    match event {
        Event::Withdrawn { reason } => Ok(abandon(goal, reason)),
        Event::StageLost { reason } => Ok(unstaged(goal, reason)),
        Event::Blocked { reason, clinical_state } => {
            Ok(hold(goal, None, reason, Some(clinical_state)))
        }
        Event::Go { slot, start_by_boot_ms, clinical_state, terms } => {
            let start_by_boot_ms = start_by_boot_ms.min(begun.start_by_boot_ms);
            if slot != begun.slot || at.boot_ms > start_by_boot_ms {
                return Ok(hold(goal, None, Reason::SlotTooShort, Some(clinical_state)));
            }
            let attempt = Attempt {
                goal: goal.clone(),
                slot,
                terms: *terms,
                written: Written::NotSeen,
                settings_after: None,
                recoveries: 0,
                start_by_boot_ms,
            };
            let mut fact = of(Kind::Activating, &attempt);
            fact.clinical_state = Some(clinical_state);
            fact.person.clone_from(&attempt.terms.attended_by);
            Ok(Step {
                state: State::Activating { attempt: attempt.clone() },
                facts: vec![fact],
                effect: Some(Effect::Activate { attempt }),
            })
        }
        Event::Offered { .. }
        | Event::FetchDue
        | Event::Staged { .. }
        | Event::StageFailed { .. }
        | activation!()
        | restart!()
        | health!()
        | persons!()
        | endings!() => Err(illegal("armed", &event)),
    }
}

pub(super) fn abandoned(event: Event) -> Result<Step, Illegal> {
    match event {
        Event::Discarded => Ok(Step { state: State::Idle, facts: vec![], effect: None }),
        documents!()
        | staging!()
        | gate!()
        | activation!()
        | restart!()
        | health!()
        | persons!()
        | Event::Kept
        | Event::KeepFailed { .. }
        | Event::WentBack
        | Event::GoingBackFailed { .. } => Err(illegal("abandoned", &event)),
    }
}

#[derive(Clone, Copy)]
enum StagedYet {
    No,
    Yes,
}

fn begin(goal: Goal) -> Step {
    let fact = about(Kind::Approved, &goal);
    Step::to(State::Approved { goal, blocked: None }, fact)
}

/// Another approval for the same image keeps what is staged; another image starts afresh.
fn supersede(goal: &Goal, better: Goal, staged: StagedYet) -> Step {
    if better.image != goal.image || better.path != goal.path {
        return abandon(goal, Reason::Superseded);
    }
    let fact = about(Kind::Approved, &better);
    match staged {
        StagedYet::No => Step::to(State::Approved { goal: better, blocked: None }, fact),
        StagedYet::Yes => Step::to(State::Staged { goal: better }, fact),
    }
}

fn abandon(goal: &Goal, reason: Reason) -> Step {
    let fact = because(about(Kind::Abandoned, goal), reason);
    Step::to(State::Abandoned { goal: goal.clone(), reason }, fact)
        .then(Effect::Discard { goal: goal.clone() })
}

fn unstaged(goal: &Goal, reason: Reason) -> Step {
    Step::to(
        State::Approved { goal: goal.clone(), blocked: Some(reason) },
        held(goal, reason, None),
    )
}

fn hold(
    goal: &Goal,
    shown: Option<Reason>,
    reason: Reason,
    clinical_state: Option<ClinicalState>,
) -> Step {
    let state = State::Holding { goal: goal.clone(), reason };
    if shown == Some(reason) {
        return Step { state, facts: vec![], effect: None };
    }
    Step::to(state, held(goal, reason, clinical_state))
}

fn held(goal: &Goal, reason: Reason, clinical_state: Option<ClinicalState>) -> Fact {
    let mut fact = because(about(Kind::Held, goal), reason);
    fact.clinical_state = clinical_state;
    fact
}
