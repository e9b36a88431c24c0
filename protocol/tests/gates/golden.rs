//! What other systems got wrong about success: each case is a test with the name of its thread.

use crate::rollout::{DAY, Gate, HOUR, approval, image, start};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::gate::count::Stage;
use patchward_protocol::gate::{Halt, Move, WaveState};
use patchward_protocol::ledger::Kind;

#[test]
fn hawkbit_3185_no_wave_passes_before_the_restart_and_the_health_checks() {
    let mut gate = Gate::new(approval(&[1, 1]));
    gate.at(start());
    let at = start().plus_seconds(2 * HOUR);
    for kind in [Kind::Staged, Kind::Activating, Kind::Restarting, Kind::Trial] {
        gate.hear(0, kind, at);
        assert_eq!(gate.waves[0].updated, 0, "{kind:?} is not success");
        gate.at(at.plus_seconds(5 * DAY));
        assert_ne!(gate.waves[0].state, WaveState::Passed, "{kind:?} opens nothing");
        assert_eq!(gate.waves[1].state, WaveState::Planned);
    }
    gate.hear(0, Kind::Committed, at);
    assert_eq!(gate.waves[0].updated, 1);
}

#[test]
fn rauc_hawkbit_updater_161_a_fallback_long_after_success_is_noticed_and_halts() {
    let mut gate = Gate::new(approval(&[1, 1]));
    gate.at(start());
    gate.update(0, start());
    assert_eq!(
        gate.at(start().plus_seconds(3 * DAY)),
        [Move::Soak(0), Move::Pass(0), Move::Open(1)]
    );
    // The device finds itself on the old image, days later and without an approval in mind.
    let late = start().plus_seconds(4 * DAY);
    let mut entry = gate.entry(0, 40, Kind::RolledBack, Some(late));
    entry.fact.approval = None;
    assert_eq!(gate.hear_entry(0, &entry, late), Some(Halt::Failed));
    assert_eq!(gate.at(late), [Move::Close(1)]);
}

#[test]
fn hawkbit_446_661_the_same_version_can_be_approved_again_after_a_fallback() {
    let mut first = Gate::new(approval(&[1]));
    first.at(start());
    first.hear(0, Kind::Activating, start());
    first.hear(0, Kind::RolledBack, start());
    assert_eq!(first.marks[0].stage, Stage::Failed);
    let mut plan = approval(&[1]);
    plan.serial += 1;
    let mut second = Gate::new(plan);
    assert_ne!(first.rollout, second.rollout);
    second.at(start());
    // What the device said under the first approval counts for nothing under the second.
    let old = first.entry(0, 9, Kind::Committed, Some(start()));
    assert_eq!(second.hear_entry(0, &old, start()), None);
    assert_eq!(second.marks[0].stage, Stage::None);
    second.update(0, start());
    assert_eq!((second.waves[0].updated, second.waves[0].failed), (1, 0));
}

#[test]
fn hawkbit_finished_none_does_not_count_as_success() {
    let mut gate = Gate::new(approval(&[1, 1]));
    gate.at(start());
    gate.hear(0, Kind::Activating, start());
    for kind in [Kind::Refused, Kind::Recovered, Kind::Used, Kind::HoldSet, Kind::Abandoned] {
        gate.hear(0, kind, start());
        assert_eq!(gate.waves[0].updated, 0, "{kind:?}");
    }
    // An outcome about another image is none about this one.
    let mut entry = gate.entry(0, 50, Kind::Committed, Some(start()));
    entry.fact.release.as_mut().unwrap().image_sha256 = Sha256Digest::of(b"other");
    gate.hear_entry(0, &entry, start());
    assert_eq!((gate.waves[0].updated, gate.waves[0].running), (0, 1));
    assert_eq!(image(7).image_sha256, gate.rollout.image_sha256);
}

#[test]
fn nerves_hub_1617_failed_and_lost_devices_hold_no_places() {
    let mut plan = approval(&[1, 1, 120, 10]);
    plan.gates.halt_permille = vec![0, 0, 50];
    let mut gate = Gate::new(plan);
    for n in 0..2 {
        gate.update(n, start());
    }
    for n in 2..116 {
        gate.update(n, start().plus_seconds(6 * DAY));
    }
    for n in 116..119 {
        gate.hear(n, Kind::Activating, start().plus_seconds(6 * DAY));
        gate.hear(n, Kind::RolledBack, start().plus_seconds(6 * DAY));
    }
    // One is lost in the middle of it, one was never heard of at all.
    gate.hear(119, Kind::Activating, start().plus_seconds(6 * DAY));
    gate.at(start().plus_seconds(6 * DAY + HOUR));
    assert_eq!(gate.waves[2].state, WaveState::Open, "the lost one still owes an outcome");
    gate.listen(start().plus_seconds(6 * DAY + 3 * HOUR));
    gate.at(start().plus_seconds(6 * DAY + 7 * HOUR));
    assert_eq!(gate.waves[2].state, WaveState::Soaking);
    gate.at(start().plus_seconds(9 * DAY));
    assert_eq!(gate.waves[3].state, WaveState::Open);
}
