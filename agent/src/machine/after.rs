//! The steps from the write of no return on: finish, or go back.
//!
//! Not here: what a crash in between means ([`super::recover`]).
//! Invariant: every way ends in one of `Idle` with the new image, `Idle` with the one before, or
//! `NeedsService`.

use super::effect::Effect;
use super::event::Event;
use super::state::{ATTEMPTS_MAX, Acceptance, Attempt, State, Written};
use super::step::{Illegal, Step, because, illegal, of};
use patchward_protocol::id::PersonId;
use patchward_protocol::image::ImageRef;
use patchward_protocol::ledger::{Fact, Kind};
use patchward_protocol::reason::Reason;

pub(super) fn activating(attempt: &Attempt, event: Event) -> Result<Step, Illegal> {
    match event {
        Event::Activated => {
            let attempt = Attempt { written: Written::Yes, ..attempt.clone() };
            let fact = of(Kind::Restarting, &attempt);
            Ok(Step::to(State::Restarting { attempt: attempt.clone() }, fact)
                .then(Effect::Restart { attempt }))
        }
        Event::ActivationFailed { reason } => Ok(go_back(attempt, reason, None)),
        documents!() | staging!() | gate!() | restart!() | health!() | persons!() | endings!() => {
            Err(illegal("activating", &event))
        }
    }
}

pub(super) fn restarting(attempt: &Attempt, event: Event) -> Result<Step, Illegal> {
    match event {
        Event::Restarted => Ok(try_out(attempt.clone())),
        Event::RestartFailed { reason } => Ok(go_back(attempt, reason, None)),
        documents!()
        | staging!()
        | gate!()
        | activation!()
        | health!()
        | persons!()
        | endings!() => Err(illegal("restarting", &event)),
    }
}

pub(super) fn trial(attempt: &Attempt, event: Event) -> Result<Step, Illegal> {
    match event {
        Event::Healthy { settings_after } => {
            // What could not be read before or after counts as changed.
            let changed = attempt.terms.settings_before != settings_after;
            let attempt = Attempt { settings_after, ..attempt.clone() };
            Ok(match (changed, attempt.terms.acceptance) {
                (true, Acceptance::ByChecks | Acceptance::ByPerson) => {
                    ask_a_person(attempt, Some(Reason::SettingsChanged))
                }
                (false, Acceptance::ByPerson) => ask_a_person(attempt, None),
                (false, Acceptance::ByChecks) => keep(&attempt, None),
            })
        }
        Event::Unhealthy { reason, detail } => Ok(go_back(attempt, reason, Some(detail))),
        documents!()
        | staging!()
        | gate!()
        | activation!()
        | restart!()
        | persons!()
        | endings!() => Err(illegal("trial", &event)),
    }
}

pub(super) fn awaiting(attempt: &Attempt, event: Event) -> Result<Step, Illegal> {
    match event {
        Event::Accepted { person } => Ok(keep(attempt, Some(person))),
        Event::Rejected { person } => {
            let mut step = go_back(attempt, Reason::NotAccepted, None);
            for fact in &mut step.facts {
                fact.person = Some(person.clone());
            }
            Ok(step)
        }
        documents!()
        | staging!()
        | gate!()
        | activation!()
        | restart!()
        | health!()
        | Event::Serviced { .. }
        | endings!() => Err(illegal("awaiting-acceptance", &event)),
    }
}

pub(super) fn committed(
    attempt: &Attempt,
    accepted_by: Option<&PersonId>,
    event: Event,
) -> Result<Step, Illegal> {
    match event {
        Event::Kept => {
            let mut fact = of(Kind::Committed, attempt);
            fact.person = accepted_by.cloned();
            Ok(Step::to(State::Idle, fact))
        }
        Event::KeepFailed { reason } => Ok(go_back(attempt, reason, None)),
        documents!()
        | staging!()
        | gate!()
        | activation!()
        | restart!()
        | health!()
        | persons!()
        | Event::WentBack
        | Event::GoingBackFailed { .. }
        | Event::Discarded => Err(illegal("committed", &event)),
    }
}

pub(super) fn rolling_back(
    attempt: &Attempt,
    reason: Reason,
    event: Event,
) -> Result<Step, Illegal> {
    match event {
        Event::WentBack => {
            let fact = because(of(Kind::RolledBack, attempt), reason);
            let state = State::RolledBack { attempt: attempt.clone(), reason };
            Ok(Step::to(state, fact).then(Effect::Discard { goal: attempt.goal.clone() }))
        }
        Event::GoingBackFailed { reason, detail } => {
            Ok(call_service(attempt, reason, Some(detail)))
        }
        documents!()
        | staging!()
        | gate!()
        | activation!()
        | restart!()
        | health!()
        | persons!()
        | Event::Kept
        | Event::KeepFailed { .. }
        | Event::Discarded => Err(illegal("rolling-back", &event)),
    }
}

pub(super) fn rolled_back(attempt: &Attempt, event: Event) -> Result<Step, Illegal> {
    match event {
        Event::Discarded if attempt.goal.attempts_before.saturating_add(1) >= ATTEMPTS_MAX => {
            Ok(call_service(attempt, Reason::AttemptsSpent, None))
        }
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
        | Event::GoingBackFailed { .. } => Err(illegal("rolled-back", &event)),
    }
}

pub(super) fn needs_service(image: &ImageRef, event: Event) -> Result<Step, Illegal> {
    match event {
        Event::Serviced { person } => {
            let mut fact = Fact::new(Kind::Recovered);
            fact.release = Some(image.clone());
            fact.person = Some(person);
            Ok(Step::to(State::Idle, fact))
        }
        documents!()
        | staging!()
        | gate!()
        | activation!()
        | restart!()
        | health!()
        | Event::Accepted { .. }
        | Event::Rejected { .. }
        | endings!() => Err(illegal("needs-service", &event)),
    }
}

/// The new image runs: check it.
pub(super) fn try_out(attempt: Attempt) -> Step {
    let fact = of(Kind::Trial, &attempt);
    Step::to(State::Trial { attempt: attempt.clone() }, fact).then(Effect::CheckHealth { attempt })
}

/// The checks are good; a person says whether the device may be used.
fn ask_a_person(attempt: Attempt, reason: Option<Reason>) -> Step {
    let mut fact = of(Kind::AwaitingAcceptance, &attempt);
    fact.reason = reason;
    Step::to(State::AwaitingAcceptance { attempt, reason }, fact)
}

/// The new image is good: make it stay. The ledger says so when it is done.
fn keep(attempt: &Attempt, accepted_by: Option<PersonId>) -> Step {
    Step {
        state: State::Committed { attempt: attempt.clone(), accepted_by },
        facts: vec![],
        effect: Some(Effect::Keep { attempt: attempt.clone() }),
    }
}

/// The way back.
pub(super) fn go_back(attempt: &Attempt, reason: Reason, detail: Option<String>) -> Step {
    let mut fact = because(of(Kind::RollingBack, attempt), reason);
    fact.detail = detail;
    Step::to(State::RollingBack { attempt: attempt.clone(), reason }, fact)
        .then(Effect::GoBack { attempt: attempt.clone() })
}

/// Neither forward nor back: a person must look.
pub(super) fn call_service(attempt: &Attempt, reason: Reason, detail: Option<String>) -> Step {
    let mut fact = because(of(Kind::NeedsService, attempt), reason);
    fact.detail = detail;
    Step::to(State::NeedsService { reason, image: attempt.goal.image.clone() }, fact)
}
