//! Laws of the gate.

use crate::rollout::{DAY, Gate, HOUR, approval, device, image, start};
use patchward_protocol::act::Act;
use patchward_protocol::approval::{Action, Approval, ApprovalState};
use patchward_protocol::gate::count::{Change, Stage};
use patchward_protocol::gate::{
    Campaign, Consent, Halt, Move, NotResumed, WaveState, evaluate, failures_allowed, may_go,
};
use patchward_protocol::ledger::Kind;
use patchward_protocol::reason::Reason;
use patchward_protocol::time::Timestamp;
use proptest::prelude::*;
use std::sync::LazyLock;

fn day(n: i64) -> Timestamp {
    start().plus_seconds(n * DAY)
}

#[test]
fn waves_open_one_after_the_other_each_after_its_soak() {
    let mut gate = Gate::new(approval(&[1, 2, 4]));
    assert_eq!(gate.at(start()), [Move::Open(0)]);
    assert_eq!(gate.at(start()), []);
    let done = start().plus_seconds(3 * HOUR);
    gate.update(0, done);
    assert_eq!(gate.at(done), [Move::Soak(0)]);
    assert_eq!(gate.at(done.plus_seconds(DAY).plus_millis(-1)), []);
    assert_eq!(gate.at(done.plus_seconds(DAY)), [Move::Pass(0)]);
    assert_eq!(may_go(&gate.waves, 1), Err(Reason::WaveNotOpen));
    assert_eq!(gate.at(day(3)), [Move::Open(1)], "not before its day");
    assert_eq!(may_go(&gate.waves, 1), Ok(()));
    gate.update(1, day(3).plus_seconds(3 * HOUR));
    gate.update(2, day(3).plus_seconds(4 * HOUR));
    assert_eq!(gate.at(day(5)), [Move::Soak(1), Move::Pass(1)]);
    assert_eq!(gate.at(day(6)), [Move::Open(2)]);
    assert_eq!(gate.at(day(20)), [Move::Soak(2), Move::Pass(2)], "the last owes nobody anything");
}

#[test]
fn enough_devices_and_enough_hours_of_clinical_use_are_asked_for() {
    let mut plan = approval(&[2, 2]);
    plan.waves[1].min_updated = 2;
    plan.waves[1].min_clinical_use_h = 10;
    let mut gate = Gate::new(plan);
    gate.at(start());
    gate.update(0, start().plus_seconds(2 * HOUR));
    assert_eq!(gate.at(day(5)), [Move::Soak(0)], "one of two is not enough");
    gate.update(1, day(5));
    assert_eq!(gate.at(day(7)), [], "nobody has used them");
    let mut used = |n: u32, seq: u64, hours: u64| {
        let mut entry = gate.entry(n, seq, Kind::Used, Some(day(7)));
        entry.fact.clinical_use_s = Some(hours * 3600);
        gate.hear_entry(n, &entry, day(7));
        gate.waves[0].clinical_use_s
    };
    assert_eq!(used(0, 10, 4), 4 * 3600);
    assert_eq!(used(0, 11, 6), 6 * 3600, "use is cumulative for each device");
    assert_eq!(used(0, 11, 9), 6 * 3600, "an entry counts once");
    assert_eq!(used(0, 12, 2), 6 * 3600, "and never falls");
    assert_eq!(used(1, 10, 4), 10 * 3600);
    assert_eq!(gate.at(day(7)), [Move::Pass(0), Move::Open(1), Move::Soak(1)]);
}

#[test]
fn one_failure_halts_the_first_two_waves_and_the_gates_share_halts_later_ones() {
    for (wave, size, halts_at) in [(0, 50, 1), (1, 50, 1), (2, 50, 2), (2, 199, 4), (3, 400, 9)] {
        let mut sizes = [1, 1, 1, 1];
        sizes[wave] = size;
        let mut gate = Gate::new(approval(&sizes));
        let first = u32::try_from(wave).unwrap();
        for failures in 1..=halts_at {
            let n = first + failures - 1;
            gate.hear(n, Kind::Activating, day(1));
            let halt = gate.hear(n, Kind::RollingBack, day(1));
            assert_eq!(halt.is_some(), failures == halts_at, "wave {wave} failure {failures}");
        }
        assert_eq!(gate.waves[wave].state, WaveState::Halted(Halt::Failed));
        assert_eq!(may_go(&gate.waves, 3), Err(Reason::RolloutHalted));
    }
}

#[test]
fn the_gates_own_share_counts_where_it_is_stricter_or_wider() {
    let mut plan = approval(&[1, 1, 100, 100]);
    plan.gates.halt_permille = vec![500, 500, 0, 100];
    assert_eq!(failures_allowed(&plan, 0, 100), 0, "never in the first two");
    assert_eq!(failures_allowed(&plan, 1, 100), 0);
    assert_eq!(failures_allowed(&plan, 2, 100), 0, "zero means zero");
    assert_eq!(failures_allowed(&plan, 3, 100), 10);
    assert_eq!(failures_allowed(&plan, 9, 100), 10, "the last value holds for later ones");
    assert_eq!(failures_allowed(&plan, 3, 5), 1, "at least one");
}

#[test]
fn a_device_that_is_silent_for_too_long_counts_as_lost_until_it_speaks() {
    let mut gate = Gate::new(approval(&[2, 2]));
    gate.at(start());
    let begun = start().plus_seconds(2 * HOUR);
    gate.hear(0, Kind::Preparing, begun);
    gate.hear(1, Kind::Activating, begun);
    gate.listen(begun.plus_seconds(2 * HOUR).plus_millis(-1));
    assert_eq!(gate.waves[0].silent, 0);
    gate.listen(begun.plus_seconds(2 * HOUR));
    assert_eq!((gate.waves[0].silent, gate.waves[0].running), (2, 0));
    assert_eq!(gate.waves[0].state, WaveState::Halted(Halt::Silent));
    gate.hear(0, Kind::Held, day(1));
    gate.hear(1, Kind::Committed, day(1));
    assert_eq!((gate.waves[0].silent, gate.waves[0].updated), (0, 1));
    assert_eq!(gate.at(day(2)), [], "a person must look all the same");
}

#[test]
fn a_device_that_waits_for_a_person_is_not_silent() {
    let mut gate = Gate::new(approval(&[1]));
    gate.at(start());
    for kind in [Kind::Activating, Kind::Trial, Kind::AwaitingAcceptance] {
        gate.hear(0, kind, day(1));
    }
    gate.listen(day(9));
    assert_eq!((gate.waves[0].silent, gate.waves[0].running), (0, 1));
    assert_eq!(gate.at(day(9)), [], "nor has the wave ended");
}

#[test]
fn changed_settings_halt_any_wave_once() {
    let changed = |entry: &mut patchward_protocol::ledger::Entry| {
        entry.fact.settings_before = Some(image(1).image_sha256);
        entry.fact.settings_after = Some(image(2).image_sha256);
    };
    let mut gate = Gate::new(approval(&[1, 1, 100]));
    gate.hear(5, Kind::Activating, day(6));
    let mut asks = gate.entry(5, 2, Kind::AwaitingAcceptance, Some(day(6)));
    changed(&mut asks);
    assert_eq!(gate.hear_entry(5, &asks, day(6)), Some(Halt::SettingsChanged));
    let mut committed = gate.entry(5, 3, Kind::Committed, Some(day(6)));
    changed(&mut committed);
    assert_eq!(gate.hear_entry(5, &committed, day(6)), None, "a person has looked");
    let mut other = gate.entry(6, 1, Kind::Committed, Some(day(6)));
    changed(&mut other);
    assert_eq!(gate.hear_entry(6, &other, day(6)), Some(Halt::SettingsChanged));
    assert_eq!((gate.waves[2].halts, gate.waves[2].updated), (2, 2));
}

#[test]
fn a_halt_ends_only_by_an_act_that_was_signed_after_it() {
    let mut gate = Gate::new(approval(&[2, 2]));
    let sha256 = gate.rollout.approval_sha256;
    gate.at(start());
    let resume = gate.resume(0, 1);
    let refused = |gate: &mut Gate, act: &Act| gate.waves[0].resume(sha256, act).unwrap_err();
    assert_eq!(refused(&mut gate, &resume), NotResumed::NotHalted);
    gate.hear(0, Kind::RolledBack, day(0));
    assert_eq!(gate.at(day(9)), [], "time heals nothing");
    gate.hear(1, Kind::RolledBack, day(0));
    let older = NotResumed::OtherHalt { signed_for: 1, halts: 2 };
    assert_eq!(refused(&mut gate, &resume), older, "the person had not seen the second failure");
    let elsewhere = gate.resume(1, 2);
    assert_eq!(refused(&mut gate, &elsewhere), NotResumed::OtherSubject);
    let mut noted = gate.resume(0, 2);
    noted.meaning = patchward_protocol::act::Meaning::Acknowledged;
    assert_eq!(refused(&mut gate, &noted), NotResumed::OtherSubject);
    let resume = gate.resume(0, 2);
    gate.waves[0].resume(sha256, &resume).unwrap();
    assert_eq!(gate.at(day(9)), [Move::Open(0), Move::Soak(0)]);
}

#[test]
fn a_device_that_goes_back_later_closes_the_wave_that_stood_on_it() {
    let mut gate = Gate::new(approval(&[1, 1, 200, 10]));
    gate.at(start());
    gate.update(0, start().plus_seconds(2 * HOUR));
    gate.at(day(2));
    gate.at(day(3));
    assert_eq!(gate.waves[1].state, WaveState::Open);
    gate.hear(0, Kind::RolledBack, day(3));
    assert_eq!(gate.waves[0].state, WaveState::Halted(Halt::Failed));
    assert_eq!(gate.at(day(3)), [Move::Close(1)]);
    assert_eq!(may_go(&gate.waves, 1), Err(Reason::RolloutHalted));
}

#[test]
fn a_passed_wave_soaks_again_when_too_few_of_it_are_left() {
    let mut plan = approval(&[1, 1, 100, 10]);
    plan.waves[3].min_updated = 100;
    let mut gate = Gate::new(plan);
    for n in 0..102 {
        gate.update(n, day(6));
    }
    gate.at(day(9));
    assert_eq!(gate.waves[3].state, WaveState::Open);
    assert_eq!(gate.hear(50, Kind::RolledBack, day(9)), None, "one of a hundred halts nothing");
    assert_eq!(gate.at(day(9)), [Move::Soak(2), Move::Close(3)]);
}

#[test]
fn a_rollback_that_the_hospital_ordered_takes_the_device_out_of_the_updated() {
    let mut gate = Gate::new(approval(&[1, 1]));
    gate.update(0, day(0));
    let mut entry = gate.entry(0, 30, Kind::Committed, Some(day(1)));
    entry.fact.release = Some(image(6));
    entry.fact.from = Some(image(7));
    entry.fact.approval.as_mut().unwrap().sha256 = image(1).image_sha256;
    assert_eq!(gate.hear_entry(0, &entry, day(1)), None, "a newer release is no way back");
    entry.fact.action = Some(Action::Rollback);
    assert_eq!(gate.hear_entry(0, &entry, day(1)), Some(Halt::Failed));
    assert_eq!((gate.waves[0].updated, gate.waves[0].failed), (0, 1));
}

#[test]
fn holds_and_pauses_end_by_themselves_and_failures_under_them_do_not() {
    let mut gate = Gate::new(approval(&[2, 2]));
    gate.at(start());
    gate.world.held_waves = vec![0, 1];
    assert_eq!(gate.at(start()), [Move::Halt(0, Halt::Held)]);
    assert_eq!(may_go(&gate.waves, 0), Err(Reason::HeldByServer));
    gate.world.held_waves = vec![1];
    assert_eq!(gate.at(start()), [Move::Release(0), Move::Open(0)]);
    gate.world.campaign = Campaign::Paused;
    assert_eq!(gate.at(start()), [Move::Halt(0, Halt::Paused)]);
    gate.hear(0, Kind::RollingBack, day(0));
    gate.world.campaign = Campaign::Running;
    assert_eq!(gate.at(start()), []);
    assert_eq!(gate.waves[0].state, WaveState::Halted(Halt::Failed));
}

#[test]
fn a_makers_pause_does_not_stop_a_rollback() {
    let mut plan = approval(&[1]);
    plan.action = Action::Rollback;
    let mut gate = Gate::new(plan);
    gate.world.campaign = Campaign::Paused;
    assert_eq!(gate.at(start()), [Move::Open(0)]);
}

#[test]
fn a_withdrawal_cancels_what_has_not_passed_and_the_end_of_the_approval_what_has_not_begun() {
    let mut gate = Gate::new(approval(&[1, 1, 1]));
    gate.at(start());
    gate.update(0, start());
    gate.at(day(1));
    let mut over = gate.clone();
    gate.world.consent = Consent::Withdrawn;
    assert_eq!(gate.at(day(1)), [Move::Cancel(1), Move::Cancel(2)]);
    gate.world.consent = Consent::Stands;
    assert_eq!(gate.at(day(4)), [], "cancelled is cancelled");
    let end = over.approval.valid_until;
    assert_eq!(over.at(end), [Move::Cancel(1), Move::Cancel(2)]);
    assert_eq!(over.waves[0].state, WaveState::Passed);
}

#[test]
fn states_are_read_back_from_their_codes() {
    let states = [
        WaveState::Planned,
        WaveState::Open,
        WaveState::Soaking,
        WaveState::Passed,
        WaveState::Cancelled,
        WaveState::Halted(Halt::Failed),
        WaveState::Halted(Halt::Silent),
        WaveState::Halted(Halt::SettingsChanged),
        WaveState::Halted(Halt::Held),
        WaveState::Halted(Halt::Paused),
    ];
    for state in states {
        let because = state.halted_because().map(Halt::code);
        assert_eq!(WaveState::from_codes(state.code(), because), Some(state));
    }
    assert_eq!(WaveState::from_codes("halted", None), None);
    assert_eq!(WaveState::from_codes("open", Some("failed")), None);
    for stage in
        [Stage::None, Stage::Begun, Stage::Activated, Stage::Updated, Stage::Failed, Stage::Silent]
    {
        assert_eq!(Stage::from_code(stage.code()), Some(stage));
    }
}

/// One thing that a rollout may hear: an entry of a device, silence, or time.
#[derive(Debug, Clone)]
enum News {
    Entry(u32, Kind, u64),
    Listen,
    Hold(Vec<u32>),
    Pause(bool),
    Resume(u32),
}

fn any_news() -> impl Strategy<Value = News> {
    let often = prop::sample::select(vec![Kind::Activating, Kind::Committed, Kind::Used]);
    let kind = prop_oneof![3 => often, 2 => prop::sample::select(Kind::ALL.to_vec())];
    prop_oneof![
        20 => (0_u32..12, kind, 0_u64..90_000).prop_map(|(n, kind, s)| News::Entry(n, kind, s)),
        2 => Just(News::Listen),
        1 => prop::collection::vec(0_u32..4, 0..2).prop_map(News::Hold),
        1 => any::<bool>().prop_map(News::Pause),
        3 => (0_u32..4).prop_map(News::Resume),
    ]
}

fn take(gate: &mut Gate, news: &News, at: Timestamp) {
    match news {
        News::Entry(n, kind, use_s) => {
            let seq = gate.marks[*n as usize].seq + 1;
            let mut entry = gate.entry(*n, seq, *kind, Some(at));
            entry.fact.clinical_use_s = (*kind == Kind::Used).then_some(*use_s);
            gate.hear_entry(*n, &entry, at);
        }
        News::Listen => gate.listen(at),
        News::Hold(waves) => gate.world.held_waves.clone_from(waves),
        News::Pause(true) => gate.world.campaign = Campaign::Paused,
        News::Pause(false) => gate.world.campaign = Campaign::Running,
        News::Resume(wave) => {
            let act = gate.resume(*wave, gate.waves[*wave as usize].halts);
            let _ = gate.waves[*wave as usize].resume(gate.rollout.approval_sha256, &act);
        }
    }
}

/// What the numbers of every wave must be, counted anew from the marks.
fn recounted(gate: &Gate) {
    for wave in &gate.waves {
        let of_wave = || {
            let marks = gate.approval.devices.iter().zip(&gate.marks);
            marks.filter(|(device, _)| device.wave == wave.wave).map(|(_, mark)| mark)
        };
        let count = |stage| u32::try_from(of_wave().filter(|m| m.stage == stage).count()).unwrap();
        assert_eq!(wave.running, count(Stage::Activated));
        assert_eq!(wave.updated, count(Stage::Updated));
        assert_eq!(wave.failed, count(Stage::Failed));
        assert_eq!(wave.silent, count(Stage::Silent));
        assert_eq!(wave.clinical_use_s, of_wave().map(|mark| mark.clinical_use_s).sum::<u64>());
        let activated = of_wave().filter(|mark| mark.activations > 0).count();
        assert_eq!(wave.activated as usize, activated);
    }
}

/// No wave is open unless all before it have passed, and nothing goes where a halt stands.
fn in_order(gate: &Gate) {
    let mut before_passed = true;
    for wave in &gate.waves {
        let is_open = matches!(wave.state, WaveState::Open | WaveState::Soaking);
        assert!(!is_open || before_passed, "{:?}", gate.waves);
        let goes = may_go(&gate.waves, wave.wave).is_ok();
        assert_eq!(goes, before_passed && (is_open || wave.state == WaveState::Passed));
        before_passed = before_passed && wave.state == WaveState::Passed;
    }
}

/// Twelve devices in four waves.
static TWELVE: LazyLock<Gate> = LazyLock::new(|| Gate::new(approval(&[1, 2, 4, 5])));
/// Many devices, to be put in any wave.
static MANY: LazyLock<Approval> = LazyLock::new(|| approval(&[1, 1, 1, 320]));

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn waves_are_open_in_order_only_and_numbers_never_drift(
        news in prop::collection::vec((any_news(), 0_i64..8 * HOUR), 0..80),
    ) {
        let mut gate = TWELVE.clone();
        let mut now = start();
        for (news, later_s) in &news {
            now = now.plus_seconds(*later_s);
            take(&mut gate, news, now);
            gate.at(now);
            prop_assert_eq!(evaluate(&gate.approval, &gate.waves, &gate.world, now), []);
            recounted(&gate);
            in_order(&gate);
        }
    }

    #[test]
    fn numbers_do_not_depend_on_the_order_in_which_devices_are_heard(
        stories in prop::collection::vec(prop::collection::vec(prop::sample::select(Kind::ALL.to_vec()), 0..8), 12),
        order in prop::collection::vec(0_usize..12, 0..200),
    ) {
        let (mut one, mut other) = (TWELVE.clone(), TWELVE.clone());
        for (n, story) in (0..).zip(&stories) {
            for kind in story {
                one.hear(n, *kind, day(1));
            }
        }
        let mut next = vec![0; stories.len()];
        for n in order.into_iter().chain((0..12).flat_map(|n| [n; 8])) {
            if let Some(kind) = stories[n].get(next[n]) {
                next[n] += 1;
                let entry = other.entry(n as u32, next[n] as u64, *kind, Some(day(1)));
                other.hear_entry(n as u32, &entry, day(1));
                // Heard twice, counted once.
                prop_assert_eq!(other.hear_entry(n as u32, &entry, day(1)), None);
            }
        }
        for (one, other) in one.waves.iter().zip(&other.waves) {
            let numbers = |w: &patchward_protocol::gate::WaveCounters| {
                (w.activated, w.running, w.updated, w.failed, w.silent, w.clinical_use_s)
            };
            prop_assert_eq!(numbers(one), numbers(other));
            // In later waves a device may make good before the next one fails.
            let halted = |state| matches!(state, WaveState::Halted(_));
            prop_assert!(one.wave > 1 || halted(one.state) == halted(other.state));
        }
    }

    #[test]
    fn a_wave_halts_exactly_when_more_fail_than_the_gate_allows(
        size in 1_u32..300, wave in 0_u32..4, failures in 0_u32..20, permille in 0_u32..200,
    ) {
        let mut plan = MANY.clone();
        plan.devices.truncate(3 + size as usize);
        for device in &mut plan.devices {
            device.wave = if device.wave == 3 { wave } else { (wave + 1) % 4 };
        }
        plan.gates.halt_permille = vec![0, 0, permille];
        let mut gate = Gate::new(plan);
        let failures = failures.min(size);
        for n in 3..3 + failures {
            gate.hear(n, Kind::Activating, day(1));
            gate.hear(n, Kind::NeedsService, day(1));
        }
        let allowed = match (wave, permille) {
            (0 | 1, _) | (_, 0) => 0,
            _ => (size * permille / 1000).max(1),
        };
        let halted = gate.waves[wave as usize].state == WaveState::Halted(Halt::Failed);
        prop_assert_eq!(halted, failures > allowed);
        prop_assert_eq!(gate.waves[wave as usize].halts, u64::from(failures.saturating_sub(allowed)));
    }
}

#[test]
fn the_fixture_is_a_sound_approval() {
    let plan = approval(&[1, 2, 4]);
    assert!(plan.check().is_ok());
    assert_eq!(plan.state, ApprovalState::Active);
    assert_eq!(plan.devices[3].id, device(3));
    assert_eq!(Change::default().trouble, None);
}
