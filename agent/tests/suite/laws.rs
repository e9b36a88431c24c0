//! Laws of the update machine, tried on every state with every event, and on every state with every
//! observation after a crash.

use patchward_agent::edge::{Content, Observed};
use patchward_agent::journal::{Boot, Journal, Tries};
use patchward_agent::machine::effect::Effect;
use patchward_agent::machine::event::Event;
use patchward_agent::machine::recover::recover;
use patchward_agent::machine::state::{
    ATTEMPTS_MAX, Acceptance, Attempt, Goal, RECOVERIES_MAX, State, Terms, Written,
};
use patchward_agent::machine::step::{Stamp, Step, step};
use patchward_protocol::approval::Action;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{ApprovalId, FamilyId, PersonId, Seq, TargetPath, Version};
use patchward_protocol::image::ImageRef;
use patchward_protocol::ledger::{ApprovalRef, Carried, ClinicalState, Kind, SigningMethod};
use patchward_protocol::reason::Reason;
use patchward_protocol::slot::Slot;
use patchward_protocol::time::{TimeQuality, Timestamp};

const START_BY_MS: u64 = 5_000;

fn image(version: &str, seq: u64) -> ImageRef {
    ImageRef {
        family: FamilyId::new("acme.pump").unwrap(),
        version: Version::new(version).unwrap(),
        seq: Seq(seq),
        image_sha256: Sha256Digest::of(version.as_bytes()),
    }
}

fn goal(version: &str, seq: u64) -> Goal {
    Goal {
        image: image(version, seq),
        path: TargetPath::new(&format!("img/pump-{version}.img")).unwrap(),
        approval: ApprovalRef {
            sha256: Sha256Digest::of(b"approval"),
            id: ApprovalId::new("a-1").unwrap(),
            weakest_method: SigningMethod::Offline,
        },
        serial: 1,
        attempts_before: 0,
        action: Action::Install,
        spent_key: None,
    }
}

fn slot() -> Slot {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    Slot::new(at("2026-12-05T04:00:00Z"), at("2026-12-05T06:00:00Z")).unwrap()
}

fn terms() -> Terms {
    let (from, settings_before) = (Some(image("1.0", 1)), None);
    let acceptance = Acceptance::ByChecks;
    Terms { from, acceptance, image_floor: Seq(2), settings_before, attended_by: None }
}

fn attempt(recoveries: u32) -> Attempt {
    Attempt {
        goal: goal("2.0", 2),
        slot: slot(),
        terms: terms(),
        written: Written::NotSeen,
        settings_after: None,
        recoveries,
        start_by_boot_ms: START_BY_MS,
    }
}

fn states() -> Vec<State> {
    let (goal, reason) = (goal("2.0", 2), Reason::InUse);
    let start_by_boot_ms = START_BY_MS;
    let slot = slot();
    let mut states = vec![
        State::Idle,
        State::Approved { goal: goal.clone(), blocked: None },
        State::Fetching { goal: goal.clone(), blocked: None },
        State::Staged { goal: goal.clone() },
        State::Holding { goal: goal.clone(), reason },
        State::Preparing { goal: goal.clone(), slot, start_by_boot_ms },
        State::Armed { goal: goal.clone(), slot, start_by_boot_ms },
        State::Abandoned { goal: goal.clone(), reason },
        State::NeedsService { reason, image: goal.image },
    ];
    for recoveries in [0, RECOVERIES_MAX, 2 * RECOVERIES_MAX] {
        let attempt = || attempt(recoveries);
        states.extend([
            State::Activating { attempt: attempt() },
            State::Restarting { attempt: attempt() },
            State::Trial { attempt: attempt() },
            State::AwaitingAcceptance { attempt: attempt(), reason: None },
            State::Committed { attempt: attempt(), accepted_by: None },
            State::RollingBack { attempt: attempt(), reason },
            State::RolledBack { attempt: attempt(), reason },
        ]);
    }
    states
}

fn carried() -> Carried {
    Carried {
        delta_sha256: Some(Sha256Digest::of(b"delta")),
        fetched_bytes: 70_000,
        full_bytes: 1_000_000,
        windows: 16,
        windows_full: 1,
    }
}

fn events() -> Vec<Event> {
    let reason = Reason::SlotNotOpen;
    let person = || PersonId::new("tanaka").unwrap();
    vec![
        Event::Offered { goal: Box::new(goal("3.0", 3)) },
        Event::Withdrawn { reason },
        Event::FetchDue,
        Event::Staged { carried: None, reason: None },
        Event::Staged { carried: Some(carried()), reason: Some(Reason::DeltaOutput) },
        Event::StageFailed { reason },
        Event::StageLost { reason },
        Event::Blocked { reason, clinical_state: ClinicalState::InUse },
        go(),
        Event::Activated,
        Event::ActivationFailed { reason },
        Event::Restarted,
        Event::RestartFailed { reason },
        Event::Healthy { settings_after: None },
        Event::Unhealthy { reason, detail: "exit 1".into() },
        Event::Accepted { person: person() },
        Event::Rejected { person: person() },
        Event::Kept,
        Event::KeepFailed { reason },
        Event::WentBack,
        Event::GoingBackFailed { reason, detail: "link".into() },
        Event::Discarded,
        Event::Serviced { person: person() },
    ]
}

fn go() -> Event {
    Event::Go {
        slot: slot(),
        start_by_boot_ms: START_BY_MS,
        clinical_state: ClinicalState::Idle,
        terms: Box::new(terms()),
    }
}

fn stamp(boot_ms: u64) -> Stamp {
    let utc = Some(slot().start());
    Stamp { boot_ms, utc, quality: TimeQuality::Attested, boot_count: 1 }
}

fn activates(step: &Step) -> bool {
    matches!(step.effect, Some(Effect::Activate { .. }))
}

#[test]
fn only_an_armed_device_that_is_told_go_in_time_activates() {
    for state in states() {
        for event in events() {
            for boot_ms in [0, START_BY_MS, START_BY_MS + 1] {
                let Ok(next) = step(&state, event.clone(), &stamp(boot_ms)) else { continue };
                let right = matches!(state, State::Armed { .. })
                    && matches!(event, Event::Go { .. })
                    && boot_ms <= START_BY_MS;
                assert_eq!(activates(&next), right, "{state:?} {event:?} {boot_ms}");
                let recorded = next.facts.iter().any(|fact| fact.kind == Kind::Activating);
                assert_eq!(recorded, right, "{state:?} {event:?} {boot_ms}");
            }
        }
    }
}

#[test]
fn whatever_waits_can_be_withdrawn_and_nothing_else_can() {
    for state in states() {
        let next = step(&state, Event::Withdrawn { reason: Reason::ApprovalWithdrawn }, &stamp(0));
        let waits = state.goal().is_some()
            && state.attempt().is_none()
            && !matches!(state, State::Abandoned { .. });
        match next {
            Ok(step) => {
                assert!(waits, "{state:?}");
                assert!(matches!(step.state, State::Abandoned { .. }));
            }
            Err(_) => assert!(!waits, "{state:?}"),
        }
    }
}

#[test]
fn a_newer_release_takes_the_place_of_a_staged_one() {
    let staged = State::Staged { goal: goal("2.0", 2) };
    let newer = Event::Offered { goal: Box::new(goal("3.0", 3)) };
    let Step { state, facts, .. } = step(&staged, newer, &stamp(0)).unwrap();
    assert!(matches!(state, State::Abandoned { reason: Reason::Superseded, .. }));
    assert_eq!(facts[0].reason, Some(Reason::Superseded));
    let gone = step(&state, Event::Discarded, &stamp(0)).unwrap();
    assert_eq!(gone.state, State::Idle);
}

#[test]
fn the_latest_start_of_a_slot_is_never_moved_later() {
    let preparing =
        State::Preparing { goal: goal("2.0", 2), slot: slot(), start_by_boot_ms: START_BY_MS };
    // The clock was set back inside the slot: the gate would now allow an hour more.
    let Event::Go { slot, clinical_state, terms, .. } = go() else { unreachable!() };
    let later =
        Event::Go { slot, start_by_boot_ms: START_BY_MS + 3_600_000, clinical_state, terms };
    let Step { state, .. } = step(&preparing, later.clone(), &stamp(0)).unwrap();
    assert!(matches!(state, State::Armed { start_by_boot_ms: START_BY_MS, .. }), "{state:?}");
    let Step { state, .. } = step(&preparing, later, &stamp(START_BY_MS + 1)).unwrap();
    assert!(matches!(state, State::Holding { reason: Reason::SlotTooShort, .. }));
}

#[test]
fn the_third_failed_attempt_calls_for_service_and_stays_so_until_a_person_has_looked() {
    for attempts_before in 0..ATTEMPTS_MAX {
        let mut attempt = attempt(0);
        attempt.goal.attempts_before = attempts_before;
        let state = State::RolledBack { attempt, reason: Reason::HealthFailed };
        let next = step(&state, Event::Discarded, &stamp(0)).unwrap().state;
        let last = attempts_before + 1 == ATTEMPTS_MAX;
        assert_eq!(matches!(next, State::NeedsService { .. }), last, "{attempts_before}");
        if last {
            let taken = events().into_iter().filter(|e| step(&next, e.clone(), &stamp(0)).is_ok());
            assert!(taken.into_iter().all(|event| matches!(event, Event::Serviced { .. })));
        }
    }
}

fn observations() -> Vec<Observed> {
    let old = Content::Image(image("1.0", 1).image_sha256);
    let new = Content::Image(image("2.0", 2).image_sha256);
    let all = [old, new, Content::Unknown];
    all.into_iter()
        .flat_map(|running| all.into_iter().map(move |next| Observed { running, next }))
        .collect()
}

fn journal(state: State) -> Journal {
    let mut journal = Journal::begin(Some(image("1.0", 1)));
    journal.state = state;
    journal.boot = Boot { id: "this".into(), count: 7 };
    journal
}

/// In the same boot in time, in the same boot when the latest start has passed, in another boot.
const STARTS: [(&str, u64); 3] = [("this", START_BY_MS), ("this", START_BY_MS + 1), ("another", 0)];

#[test]
fn recovery_after_the_latest_start_disturbs_nothing_that_runs() {
    let old = Content::Image(image("1.0", 1).image_sha256);
    let new = Content::Image(image("2.0", 2).image_sha256);
    let begun =
        [State::Activating { attempt: attempt(0) }, State::Restarting { attempt: attempt(0) }];
    for state in begun {
        for (boot_ms, restarts) in [(START_BY_MS, true), (START_BY_MS + 1, false)] {
            let observed = Observed { running: old, next: new };
            let next = recover(&journal(state.clone()), observed, "this", boot_ms);
            let restarted = matches!(next.effect, Some(Effect::Restart { .. }));
            assert_eq!(restarted, restarts, "{state:?} {boot_ms}");
            let goes_back = matches!(next.effect, Some(Effect::GoBack { .. }));
            assert_eq!(goes_back, !restarts, "{state:?} {boot_ms}");
        }
    }
}

#[test]
fn settings_that_differ_after_the_update_wait_for_a_person() {
    let (one, two) = (Sha256Digest::of(b"one"), Sha256Digest::of(b"two"));
    let all = [None, Some(one), Some(two)];
    for (before, after) in all.iter().flat_map(|b| all.iter().map(move |a| (*b, *a))) {
        for acceptance in [Acceptance::ByChecks, Acceptance::ByPerson] {
            let mut attempt = attempt(0);
            attempt.terms.settings_before = before;
            attempt.terms.acceptance = acceptance;
            let healthy = Event::Healthy { settings_after: after };
            let next = step(&State::Trial { attempt }, healthy, &stamp(0)).unwrap();
            let (waits, why) = match &next.state {
                State::AwaitingAcceptance { reason, .. } => (true, *reason),
                _ => (false, None),
            };
            assert_eq!(waits, before != after || acceptance == Acceptance::ByPerson);
            assert_eq!(why, (before != after).then_some(Reason::SettingsChanged));
            if waits {
                let fact = &next.facts[0];
                assert_eq!((fact.settings_before, fact.settings_after), (before, after));
            }
        }
    }
}

#[test]
fn recovery_never_activates_and_never_leaves_a_started_attempt_without_an_end() {
    for state in states() {
        for observed in observations() {
            for (boot, boot_ms) in STARTS {
                let next = recover(&journal(state.clone()), observed, boot, boot_ms);
                assert!(!activates(&next), "{state:?} {observed:?} {boot}");
                let begun = state.attempt().is_some();
                let goes_on = next.state.attempt().is_some()
                    || matches!(next.state, State::NeedsService { .. });
                assert!(!begun || goes_on, "{state:?} {observed:?} {boot}");
                assert!(begun || next.state.attempt().is_none(), "{state:?} {observed:?} {boot}");
            }
        }
    }
}

#[test]
fn recovery_keeps_the_new_image_only_where_it_runs() {
    let new = Content::Image(image("2.0", 2).image_sha256);
    for state in states().into_iter().filter(|state| state.attempt().is_some()) {
        for observed in observations().into_iter().filter(|seen| seen.running != new) {
            let next = recover(&journal(state.clone()), observed, "another", 0);
            let keeps =
                matches!(next.effect, Some(Effect::Keep { .. } | Effect::CheckHealth { .. }));
            assert!(!keeps, "{state:?} {observed:?}");
        }
    }
}

#[test]
fn restarting_for_ever_ends_in_going_back_and_then_in_service() {
    let new = Content::Image(image("2.0", 2).image_sha256);
    let observed = Observed { running: new, next: new };
    let mut journal = journal(State::Trial { attempt: attempt(0) });
    let (mut went_back, mut starts) = (false, 0);
    while !matches!(journal.state, State::NeedsService { .. }) {
        let next = recover(&journal, observed, "this", 0);
        went_back |= matches!(next.effect, Some(Effect::GoBack { .. }));
        journal.state = next.state;
        starts += 1;
        assert!(starts < 100, "{:?}", journal.state);
    }
    assert!(went_back);
}

#[test]
fn an_approval_is_spent_once_the_write_was_made_and_not_by_its_intent_alone() {
    let old = Content::Image(image("1.0", 1).image_sha256);
    let new = Content::Image(image("2.0", 2).image_sha256);
    let approval = goal("2.0", 2).approval.sha256;
    let state = State::Activating { attempt: attempt(0) };
    for (next, spent) in [(old, false), (Content::Unknown, false), (new, true)] {
        for boot in ["this", "another"] {
            let before = journal(state.clone());
            let step = recover(&before, Observed { running: old, next }, boot, 0);
            let after = before.after(&step, 0, &stamp(0));
            assert_eq!(after.spent.contains(&approval), spent, "{next:?} {boot}");
        }
    }
    let before = journal(state.clone());
    let done = step(&state, Event::Activated, &stamp(0)).unwrap();
    assert!(before.after(&done, 0, &stamp(0)).spent.contains(&approval));
    let failed = Event::ActivationFailed { reason: Reason::HeldHere };
    let failed = step(&state, failed, &stamp(0)).unwrap();
    assert!(!before.after(&failed, 0, &stamp(0)).spent.contains(&approval));
}

#[test]
fn every_activation_counts_as_an_attempt_from_its_intent_on() {
    let armed = State::Armed { goal: goal("2.0", 2), slot: slot(), start_by_boot_ms: START_BY_MS };
    let begun = step(&armed, go(), &stamp(0)).unwrap();
    let after = journal(armed).after(&begun, 0, &stamp(0));
    assert_eq!(after.attempts_of(image("2.0", 2).image_sha256), 1);
}

#[test]
fn every_entry_of_a_rollback_says_that_it_is_one() {
    let back = |mut goal: Goal| {
        goal.action = Action::Rollback;
        goal
    };
    let states = states().into_iter().filter_map(|state| {
        let mut state = state;
        match &mut state {
            State::Approved { goal, .. }
            | State::Fetching { goal, .. }
            | State::Staged { goal }
            | State::Holding { goal, .. }
            | State::Preparing { goal, .. }
            | State::Armed { goal, .. }
            | State::Abandoned { goal, .. } => *goal = back(goal.clone()),
            State::Activating { attempt }
            | State::Restarting { attempt }
            | State::Trial { attempt }
            | State::AwaitingAcceptance { attempt, .. }
            | State::Committed { attempt, .. }
            | State::RollingBack { attempt, .. }
            | State::RolledBack { attempt, .. } => attempt.goal = back(attempt.goal.clone()),
            State::Idle | State::NeedsService { .. } => return None,
        }
        Some(state)
    });
    let mut entries = 0;
    for state in states {
        let taken = events().into_iter().filter_map(|e| step(&state, e, &stamp(0)).ok());
        let found = observations().into_iter().flat_map(|seen| {
            STARTS.map(|(boot, boot_ms)| recover(&journal(state.clone()), seen, boot, boot_ms))
        });
        for fact in taken.chain(found).flat_map(|step| step.facts) {
            // A better offer is a goal of its own.
            if fact.release == Some(image("2.0", 2)) {
                assert_eq!(fact.action, Some(Action::Rollback), "{state:?} {fact:?}");
                entries += 1;
            }
        }
    }
    assert!(entries > 100, "only {entries}");
}

#[test]
fn an_image_that_was_made_to_stay_begins_its_hours_of_use_and_its_attempts_are_forgiven() {
    let committed = State::Committed { attempt: attempt(0), accepted_by: None };
    let mut before = journal(committed.clone());
    before.attempts = vec![Tries { image_sha256: image("2.0", 2).image_sha256, count: 2 }];
    let kept = step(&committed, Event::Kept, &stamp(0)).unwrap();
    let after = before.after(&kept, 0, &stamp(0));
    assert_eq!(after.attempts_of(image("2.0", 2).image_sha256), 0);
    let usage = after.usage.unwrap();
    assert_eq!((usage.image, usage.used_ms, usage.told_h), (image("2.0", 2), 0, 0));
}

#[test]
fn after_a_person_has_looked_a_new_approval_may_try_the_image_again() {
    let image = image("2.0", 2);
    let state = State::NeedsService { reason: Reason::AttemptsSpent, image: image.clone() };
    let mut before = journal(state.clone());
    before.attempts = vec![Tries { image_sha256: image.image_sha256, count: ATTEMPTS_MAX }];
    let person = PersonId::new("tanaka").unwrap();
    let serviced = step(&state, Event::Serviced { person }, &stamp(0)).unwrap();
    let after = before.after(&serviced, 0, &stamp(0));
    assert_eq!(after.attempts_of(image.image_sha256), 0);
}

#[test]
fn under_a_standing_approval_each_release_is_spent_by_itself() {
    let mut attempt = attempt(0);
    attempt.goal.action = Action::Standing;
    attempt.goal.spent_key = Some(Sha256Digest::of(b"approval and image"));
    let state = State::Activating { attempt: attempt.clone() };
    let done = step(&state, Event::Activated, &stamp(0)).unwrap();
    let after = journal(state).after(&done, 0, &stamp(0));
    assert_eq!(after.spent, [Sha256Digest::of(b"approval and image")]);
}

#[test]
fn the_entry_of_a_staged_image_says_how_it_came_and_the_journal_remembers_it() {
    let fetching = State::Fetching { goal: goal("2.0", 2), blocked: None };
    let reason = Some(Reason::DeltaOutput);
    let staged = Event::Staged { carried: Some(carried()), reason };
    let next = step(&fetching, staged, &stamp(1)).unwrap();
    let [fact] = next.facts.as_slice() else { panic!("one entry") };
    assert_eq!(
        (fact.kind, fact.carried.clone(), fact.reason),
        (Kind::Staged, Some(carried()), reason)
    );
    let journal = Journal::begin(None).after(&next, 0, &stamp(1));
    let brought = journal.brought.clone().unwrap();
    assert_eq!((brought.carried, brought.reason), (carried(), reason));
    assert_eq!(brought.image_sha256, image("2.0", 2).image_sha256);
    // Another step forgets nothing of it.
    let quiet = Step { facts: vec![], ..next };
    assert_eq!(journal.after(&quiet, 1, &stamp(1)).brought, journal.brought);
}
