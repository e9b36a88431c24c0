//! Cases that a person can follow, and cases that other systems fail.

use crate::hospital::{
    DAY_S, HOUR_S, MINUTE_S, daily, family, kind, monday, nights, pump, quiet, slot, ward,
};
use patchward_protocol::approval::Urgency;
use patchward_protocol::check::{WaveOrder, check};
use patchward_protocol::id::{DeviceId, FreezeId};
use patchward_protocol::inventory::{
    Attendance, Freeze, FreezeScope, Hardness, MinInService, Usage,
};
use patchward_protocol::plan::{
    Availability, Busy, Candidate, Hours, Management, Plan, Reason, Request, Unplaced, Wish, plan,
};
use patchward_protocol::slot::Slot;
use patchward_protocol::time::Timestamp;

fn min(count: u32) -> Vec<MinInService> {
    vec![MinInService { kind: kind("pump"), count }]
}

fn pumps(request: &mut Request, ward: &str, count: u64) {
    for _ in 0..count {
        let n = request.devices.len() as u64;
        request.devices.push(pump(&format!("pump-{n:02}"), n, ward));
    }
}

fn planned(request: &Request) -> Plan {
    let plan = plan(request);
    assert_eq!(check(request, WaveOrder::InTime, &plan.waves, &plan.devices), []);
    plan
}

fn wave_of(plan: &Plan, id: &str) -> u32 {
    plan.devices.iter().find(|device| device.id.as_str() == id).unwrap().wave
}

fn waves(plan: &Plan) -> Vec<usize> {
    let of = |n: u32| plan.devices.iter().filter(move |device| device.wave == n).count();
    plan.waves.iter().map(|wave| of(wave.n)).collect()
}

fn reason(plan: &Plan, id: &str) -> Unplaced {
    plan.unplaced.iter().find(|one| one.device.as_str() == id).unwrap().clone()
}

fn by_id<'a>(request: &'a mut Request, id: &str) -> &'a mut Candidate {
    request.devices.iter_mut().find(|device| device.id.as_str() == id).unwrap()
}

fn freeze(hardness: Hardness, from: Timestamp, to: Timestamp) -> Freeze {
    Freeze {
        id: FreezeId::new("audit").unwrap(),
        from,
        to,
        scope: FreezeScope::Site {},
        hardness,
        why: "audit".to_owned(),
    }
}

/// Two wards of eight pumps with nightly windows; each ward needs six pumps.
fn two_wards() -> Request {
    let mut request = quiet();
    for name in ["east", "west"] {
        pumps(&mut request, name, 8);
        let mut rules = nights(name, 14);
        rules.min_in_service = min(6);
        request.wards.push(rules);
    }
    request
}

#[test]
fn one_device_goes_first_then_one_of_each_ward_then_half_then_the_rest() {
    let request = two_wards();
    let plan = planned(&request);
    assert_eq!(plan.unplaced, []);
    // 16 = 1, then 2 wards, then half of 6 and of 7, then the rest.
    assert_eq!(waves(&plan), [1, 2, 7, 6]);
    assert_eq!(plan.waves[0].min_updated, 0);
    assert_eq!([1, 2, 3].map(|n: usize| plan.waves[n].min_updated), [1, 1, 4]);
    assert_eq!(plan.gates, request.rules.gates());
}

#[test]
fn bench_and_spare_devices_go_before_anybody_in_use() {
    let mut request = two_wards();
    by_id(&mut request, "pump-03").usage = Usage::Bench;
    by_id(&mut request, "pump-11").usage = Usage::Spare;
    request.rules.min_clinical_use_h = vec![24];
    let plan = planned(&request);
    assert_eq!((wave_of(&plan, "pump-03"), wave_of(&plan, "pump-11")), (0, 0));
    assert_eq!(waves(&plan)[0], 2);
    // No patient meets them, so no clinical use can be asked of them.
    assert_eq!([1, 2].map(|n: usize| plan.waves[n].min_clinical_use_h), [0, 24]);
}

#[test]
fn partners_are_never_out_together_and_never_the_canaries() {
    let mut request = two_wards();
    for (one, other) in [("pump-00", "pump-01"), ("pump-08", "pump-09")] {
        by_id(&mut request, one).pair = Some(DeviceId::new(other).unwrap());
        by_id(&mut request, other).pair = Some(DeviceId::new(one).unwrap());
    }
    let plan = planned(&request);
    assert_eq!(plan.unplaced, []);
    for (one, other) in [("pump-00", "pump-01"), ("pump-08", "pump-09")] {
        assert!(wave_of(&plan, one) >= 2 && wave_of(&plan, one) != wave_of(&plan, other));
    }
}

#[test]
fn the_sole_device_of_its_kind_is_no_canary() {
    let mut request = two_wards();
    by_id(&mut request, "pump-00").kind = kind("monitor");
    let plan = planned(&request);
    assert!(wave_of(&plan, "pump-00") >= 2);
}

#[test]
fn devices_that_need_a_person_go_last_and_only_when_staff_is_there() {
    let mut request = two_wards();
    request.wards[0].windows = daily(0..14, 6 * 60, 6 * 60);
    request.wards[0].staff = daily(0..14, 8 * 60, 9 * 60);
    by_id(&mut request, "pump-00").attended = Attendance::Attended;
    by_id(&mut request, "pump-15").attended = Attendance::Attended;
    let plan = planned(&request);
    assert_eq!(wave_of(&plan, "pump-00"), 4);
    let device = plan.devices.iter().find(|device| device.id.as_str() == "pump-00").unwrap();
    assert!(device.attended);
    for slot in &device.slots {
        let minute = slot.start().millis_since(monday()) / 60_000 % 1440;
        assert!((8 * 60..12 * 60).contains(&minute), "{slot}");
    }
    assert_eq!(reason(&plan, "pump-15").reason, Reason::NeedsAttendedSlot);
}

#[test]
fn a_ward_without_a_device_to_spare_needs_a_loaner_and_a_broken_device_counts_for_nobody() {
    let mut request = two_wards();
    request.wards[0].min_in_service = min(8);
    by_id(&mut request, "pump-08").availability = Availability::OutOfService;
    by_id(&mut request, "pump-09").availability = Availability::OutOfService;
    let plan = planned(&request);
    for n in 0..8 {
        assert_eq!(reason(&plan, &format!("pump-{n:02}")).reason, Reason::NeedsLoaner);
    }
    // In the west six work and six are needed: only what is broken anyway can be updated.
    let placed: Vec<_> = plan.devices.iter().map(|device| device.id.as_str()).collect();
    assert_eq!(placed, ["pump-08", "pump-09"]);
}

#[test]
fn slots_of_other_approvals_count_as_out() {
    let mut request = two_wards();
    request.wards[0].min_in_service = min(7);
    // Another approval may take pump-07 in every window but the last two.
    request.busy = daily(0..12, 2 * 60, 120)
        .into_iter()
        .map(|slot| Busy { device: DeviceId::new("pump-07").unwrap(), slot })
        .collect();
    let plan = planned(&request);
    let late = monday().plus_seconds(12 * DAY_S);
    let east = plan.devices.iter().filter(|device| device.id.as_str() < "pump-08");
    for device in east.filter(|device| device.id.as_str() != "pump-07") {
        assert!(device.slots.iter().all(|slot| slot.start() >= late), "{device:?}");
    }
}

#[test]
fn whoever_cannot_be_updated_is_listed_with_the_reason() {
    let mut request = two_wards();
    by_id(&mut request, "pump-00").management = Management::Manual;
    by_id(&mut request, "pump-01").family = Some(family("acme.other"));
    by_id(&mut request, "pump-02").key = None;
    by_id(&mut request, "pump-03").pair = Some(DeviceId::new("gone").unwrap());
    by_id(&mut request, "pump-04").wish = Wish::Leave;
    by_id(&mut request, "pump-05").ward = ward("nowhere");
    request.strangers = vec![DeviceId::new("pump-99").unwrap()];
    let plan = planned(&request);
    let reasons = [
        ("pump-00", Reason::NoAgent),
        ("pump-01", Reason::OtherFamily),
        ("pump-02", Reason::NoKey),
        ("pump-03", Reason::PartnerUnknown),
        ("pump-05", Reason::NoWindow),
        ("pump-99", Reason::NotInInventory),
    ];
    let found: Vec<_> = plan.unplaced.iter().map(|one| (one.device.as_str(), one.reason)).collect();
    assert_eq!(found, reasons);
    assert!(plan.devices.iter().all(|device| device.id.as_str() != "pump-04"));
}

#[test]
fn nobody_checks_that_update_and_rollback_fit_a_window_that_is_too_short_is_not_used() {
    let mut request = two_wards();
    request.wait_s = 0;
    request.need_s = 2 * 3600 + 1;
    let plan = planned(&request);
    assert_eq!(plan.devices, []);
    assert!(plan.unplaced.iter().all(|one| one.reason == Reason::WindowTooShort));
    request.need_s = 2 * 3600;
    let plan = planned(&request);
    let slots = plan.devices.iter().flat_map(|device| &device.slots);
    assert!(slots.clone().count() > 0);
    assert!(slots.clone().all(|slot| slot.end().millis_since(slot.start()) == 7_200_000));
}

#[test]
fn a_slot_leaves_time_to_begin_even_where_room_is_scarce() {
    let mut request = two_wards();
    request.alternatives = 1;
    request.until = request.now.plus_seconds(4 * DAY_S);
    request.rules.soak_s = vec![0];
    request.wards.iter_mut().for_each(|rules| rules.min_in_service = min(7));
    let plan = planned(&request);
    for slot in plan.devices.iter().flat_map(|device| &device.slots) {
        let length_s = slot.end().millis_since(slot.start()) / 1000;
        assert!(length_s >= 20 * 60 + 300, "{slot}");
    }
}

#[test]
fn a_frozen_device_names_the_freeze_and_its_end_in_both_languages() {
    let mut request = two_wards();
    let end = monday().plus_seconds(40 * DAY_S);
    request.freezes.push(freeze(Hardness::Soft, monday(), end));
    let plan = planned(&request);
    let one = reason(&plan, "pump-00");
    assert_eq!((one.reason, one.until), (Reason::Frozen, Some(end)));
    assert!(one.en().ends_with("(audit, until 2027-01-08T15:00:00Z)"), "{}", one.en());
    assert!(one.ja().ends_with("(audit、2027-01-08T15:00:00Zまで)"), "{}", one.ja());
}

fn emergency(request: &mut Request) {
    request.urgency = Urgency::Emergency;
    request.hours = Hours::Any;
    request.now = monday().plus_seconds(10 * HOUR_S);
    request.until = request.now.plus_seconds(DAY_S);
}

#[test]
fn an_emergency_passes_windows_and_soft_freezes() {
    let mut request = two_wards();
    emergency(&mut request);
    request.freezes.push(freeze(Hardness::Soft, monday(), monday().plus_seconds(40 * DAY_S)));
    let plan = planned(&request);
    assert_eq!(plan.unplaced, []);
    assert_eq!(plan.waves[0].soak_s, request.rules.emergency_soak_s);
    // What is routine may not, whatever it asks for.
    request.urgency = Urgency::Routine;
    assert_eq!(plan_reasons(&request), vec![Reason::Frozen; 16]);
}

fn plan_reasons(request: &Request) -> Vec<Reason> {
    planned(request).unplaced.iter().map(|one| one.reason).collect()
}

#[test]
fn an_emergency_never_passes_pairs_minimum_in_service_or_hard_freezes() {
    let mut request = two_wards();
    emergency(&mut request);
    request.wards[0].min_in_service = min(8);
    by_id(&mut request, "pump-08").pair = Some(DeviceId::new("pump-09").unwrap());
    by_id(&mut request, "pump-09").pair = Some(DeviceId::new("pump-08").unwrap());
    let plan = planned(&request);
    assert_eq!(reason(&plan, "pump-00").reason, Reason::NeedsLoaner);
    let slots = |id: &str| {
        plan.devices.iter().find(|device| device.id.as_str() == id).unwrap().slots.clone()
    };
    let apart = |a: &Slot, b: &Slot| {
        let soak_ms = i64::try_from(request.rules.emergency_soak_s * 1000).unwrap();
        b.start().millis_since(a.end()) >= soak_ms || a.start().millis_since(b.end()) >= soak_ms
    };
    for one in slots("pump-08") {
        assert!(slots("pump-09").iter().all(|other| apart(&one, other)));
    }
    request.freezes.push(freeze(Hardness::Hard, monday(), monday().plus_seconds(40 * DAY_S)));
    let frozen = planned(&request);
    assert_eq!(frozen.devices, []);
    assert_eq!(reason(&frozen, "pump-08").reason, Reason::Frozen);
}

#[test]
fn alternatives_lie_on_other_nights_and_never_beyond_eight() {
    let mut request = two_wards();
    request.until = monday().plus_seconds(30 * DAY_S);
    for rules in &mut request.wards {
        rules.windows = daily(0..30, 120, 120);
    }
    let plan = planned(&request);
    assert_eq!(plan.unplaced, []);
    assert!(plan.devices.iter().all(|device| device.slots.len() == 3));
    for device in &plan.devices {
        let nights: Vec<_> =
            device.slots.iter().map(|slot| slot.start().to_string()[..10].to_owned()).collect();
        assert!(nights.windows(2).all(|two| two[0] < two[1]), "{device:?}");
    }
    request.alternatives = 100;
    assert!(planned(&request).devices.iter().all(|device| device.slots.len() <= 8));
}

#[test]
fn a_ward_that_opens_once_late_does_not_hold_up_the_others() {
    let mut request = two_wards();
    request.until = monday().plus_seconds(30 * DAY_S);
    request.wards[0].windows = daily(0..30, 120, 120);
    request.wards[1].windows = vec![slot(monday().plus_seconds(25 * DAY_S), 480)];
    let plan = planned(&request);
    let late = monday().plus_seconds(20 * DAY_S);
    let east = plan.devices.iter().filter(|device| device.id.as_str() < "pump-08");
    assert_eq!(east.clone().count(), 8);
    assert!(east.clone().all(|device| device.slots[0].start() < late), "{plan:#?}");
    assert!(plan.devices.iter().any(|device| device.id.as_str() >= "pump-08"));
}

#[test]
fn bottlerocket_waves_readiness_is_linear_over_a_window_and_nobody_bunches_at_its_end() {
    let mut request = quiet();
    pumps(&mut request, "east", 50);
    let mut rules = nights("east", 14);
    rules.windows = daily(0..14, 22 * 60, 8 * 60);
    rules.min_in_service = min(45);
    request.wards.push(rules);
    request.alternatives = 1;
    let plan = planned(&request);
    assert_eq!(plan.unplaced, []);
    // The largest wave: five at a time, one group after the other over the whole window.
    let of = |n: u32| plan.devices.iter().filter(move |device| device.wave == n);
    let largest = (0..4).max_by_key(|n| of(*n).count()).unwrap();
    let mut slots: Vec<Slot> = of(largest).map(|device| device.slots[0]).collect();
    slots.sort_unstable();
    let (first, last) = (slots[0].start(), slots[slots.len() - 1].end());
    let length_ms = last.millis_since(first);
    assert!(length_ms > 7 * HOUR_S * 1000, "{slots:?}");
    for (n, slot) in slots.iter().enumerate() {
        let share = i64::try_from(n).unwrap() * length_ms / i64::try_from(slots.len()).unwrap();
        let off_ms = (slot.start().millis_since(first) - share).abs();
        assert!(off_ms <= length_ms / 5, "{n}: {slot} is {off_ms} ms off");
    }
}

#[test]
fn hawkbit_thundering_herd_devices_that_wait_for_nobody_share_the_whole_window() {
    let mut request = quiet();
    pumps(&mut request, "east", 40);
    request.wards.push(nights("east", 14));
    let plan = planned(&request);
    // Each may begin at a time of its own choice within the two hours.
    let slots = plan.devices.iter().flat_map(|device| &device.slots);
    assert!(
        slots.clone().all(|slot| slot.end().millis_since(slot.start()) == 120 * MINUTE_S * 1000)
    );
}

#[test]
fn windows_of_every_hour_of_one_day_are_enough_for_all_waves() {
    let mut request = two_wards();
    request.until = request.now.plus_seconds(DAY_S);
    request.rules.soak_s = vec![0];
    for ward in &mut request.wards {
        ward.windows = vec![slot(monday(), 24 * 60)];
    }
    let plan = planned(&request);
    assert_eq!(plan.unplaced, []);
    assert!(plan.waves.len() > 2, "{:?}", plan.waves);
}
