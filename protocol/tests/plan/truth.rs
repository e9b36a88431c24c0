//! Every reason for no slot is true: tried again from outside, with the checker as the only judge.

use crate::chance::Chance;
use crate::hospital::random;
use patchward_protocol::approval::{ApprovedDevice, Wave};
use patchward_protocol::check::{Broken, Violation, WaveOrder, check};
use patchward_protocol::inventory::Usage;
use patchward_protocol::plan::{
    Availability, Candidate, Management, Plan, Reason, Request, Unplaced, plan,
};
use patchward_protocol::slot::Slot;
use patchward_protocol::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Hospitals tried; trying every minute that matters takes time.
const HOSPITALS: u64 = 1_200;

const MINUTE_MS: i64 = 60_000;

fn minute_up(at: Timestamp) -> Timestamp {
    Timestamp::from_millis((at.millis() + MINUTE_MS - 1) / MINUTE_MS * MINUTE_MS)
}

/// Every start that could be the first possible one: something begins or ends there.
fn starts(request: &Request, plan: &Plan) -> BTreeSet<Timestamp> {
    let mut starts = BTreeSet::from([request.now]);
    let soaks = request.rules.soak_s.iter().copied();
    let soaks: Vec<u64> = soaks.chain([0, request.rules.emergency_soak_s]).collect();
    for ward in &request.wards {
        starts.extend(ward.windows.iter().chain(&ward.staff).map(|slot| slot.start()));
    }
    starts.extend(request.freezes.iter().map(|freeze| freeze.to));
    let given = plan.devices.iter().flat_map(|device| &device.slots);
    for slot in given.chain(request.busy.iter().map(|busy| &busy.slot)) {
        let after = |soak_s: &u64| slot.end().plus_seconds(i64::try_from(*soak_s).unwrap());
        starts.extend(soaks.iter().map(after));
    }
    starts.into_iter().map(minute_up).collect()
}

fn entry(device: &Candidate, wave: u32, slot: Slot, request: &Request) -> ApprovedDevice {
    ApprovedDevice {
        id: device.id.clone(),
        key: device.key.unwrap(),
        wave,
        slots: vec![slot],
        attended: request.needs_person(device),
        pair: device.pair.clone(),
    }
}

/// What the checker says of hours when the device stands alone in a plan.
fn alone(request: &Request, device: &Candidate, slot: Slot) -> Vec<Violation> {
    let entry = entry(device, 0, slot, request);
    let wave = Wave {
        n: 0,
        not_before: slot.start(),
        soak_s: u64::MAX / 4000,
        min_updated: 0,
        min_clinical_use_h: 0,
    };
    check(request, WaveOrder::ByProof, &[wave], &[entry])
}

/// The plan with the device in this wave at this time.
fn joined(request: &Request, plan: &Plan, device: &Candidate, wave: u32, slot: Slot) -> Plan {
    let mut plan = plan.clone();
    let last = u32::try_from(plan.waves.len()).unwrap();
    if wave == last {
        plan.waves.push(Wave {
            n: wave,
            not_before: slot.start(),
            soak_s: request.rules.soak_s_of(wave, request.urgency),
            min_updated: 0,
            min_clinical_use_h: request.rules.min_clinical_use_h_of(wave),
        });
    }
    plan.devices.push(entry(device, wave, slot, request));
    for at in 0..plan.waves.len() {
        let n = u32::try_from(at).unwrap();
        let members = |n: u32| plan.devices.iter().filter(move |device| device.wave == n);
        let before = n.checked_sub(1).map_or(0, |n| members(n).count());
        let first = members(n).flat_map(|device| &device.slots).map(Slot::start).min();
        plan.waves[at].not_before = first.unwrap();
        plan.waves[at].min_updated = u32::try_from(before).unwrap();
        plan.waves[at].min_clinical_use_h = request.rules.min_clinical_use_h_of(n);
    }
    plan
}

fn fits_somewhere(request: &Request, plan: &Plan, device: &Candidate) -> Option<(u32, Slot)> {
    let need_s = i64::try_from(request.shortest_s().div_ceil(60) * 60).unwrap();
    for start in starts(request, plan) {
        let slot = Slot::new(start, start.plus_seconds(need_s)).unwrap();
        if !alone(request, device, slot).is_empty() {
            continue;
        }
        for wave in 0..=u32::try_from(plan.waves.len()).unwrap() {
            let plan = joined(request, plan, device, wave, slot);
            if check(request, WaveOrder::InTime, &plan.waves, &plan.devices).is_empty() {
                return Some((wave, slot));
            }
        }
    }
    None
}

/// What the checker says at every start, of the device alone.
fn said_alone(request: &Request, plan: &Plan, device: &Candidate) -> Vec<BTreeSet<Broken>> {
    let need_s = i64::try_from(request.shortest_s().div_ceil(60) * 60).unwrap();
    let slot = |start: Timestamp| Slot::new(start, start.plus_seconds(need_s)).unwrap();
    let rules = |found: Vec<Violation>| found.into_iter().map(|one| one.rule).collect();
    let all = starts(request, plan).into_iter();
    all.map(|start| rules(alone(request, device, slot(start)))).collect()
}

fn is_true(request: &Request, plan: &Plan, unplaced: &Unplaced) -> bool {
    let device = request.devices.iter().find(|device| device.id == unplaced.device).unwrap();
    let partner = device.pair.as_ref();
    let partner = partner.and_then(|id| request.devices.iter().find(|other| other.id == *id));
    let hours = |wanted: &[Broken], never: &[Broken]| {
        let said = said_alone(request, plan, device);
        let closed = said.iter().all(|said| wanted.iter().any(|rule| said.contains(rule)));
        let shown = wanted.last().unwrap();
        let only = |said: &BTreeSet<Broken>| {
            said.contains(shown) && never.iter().all(|rule| !said.contains(rule))
        };
        closed && (never.is_empty() || said.iter().any(only))
    };
    let outside = [Broken::OutsideWindow, Broken::OutsideSpan];
    match unplaced.reason {
        Reason::NoAgent => device.management != Management::Agent,
        Reason::OtherFamily => {
            device.family.as_ref().is_none_or(|family| !request.families.contains(family))
        }
        Reason::NoKey => device.key.is_none(),
        Reason::NotInInventory => false,
        Reason::PartnerUnknown => device.pair.is_some() && partner.is_none(),
        Reason::PartnerOut => {
            partner.is_some_and(|other| other.availability == Availability::OutOfService)
        }
        Reason::NeedsLoaner => {
            let serves = |other: &&Candidate| {
                other.ward == device.ward
                    && other.kind == device.kind
                    && other.usage != Usage::Bench
                    && other.availability == Availability::Working
            };
            let serving = request.devices.iter().filter(serves).count();
            let ward = request.wards.iter().find(|ward| ward.id == device.ward).unwrap();
            serves(&device) && serving <= usize::try_from(ward.min_of(&device.kind)).unwrap()
        }
        Reason::NoWindow | Reason::WindowTooShort => hours(&outside, &[]),
        Reason::NeedsAttendedSlot => {
            let rules = [outside[0], outside[1], Broken::NoStaff];
            request.needs_person(device) && hours(&rules, &outside)
        }
        Reason::Frozen => {
            let rules = [outside[0], outside[1], Broken::NoStaff, Broken::InFreeze];
            let never = [outside[0], outside[1], Broken::NoStaff];
            unplaced.freeze.is_some() && hours(&rules, &never)
        }
        Reason::NoTimeLeft | Reason::NoRoom => fits_somewhere(request, plan, device).is_none(),
    }
}

#[test]
fn every_device_without_a_slot_has_a_true_reason() {
    let mut seen: BTreeMap<Reason, u32> = BTreeMap::new();
    for seed in 0..HOSPITALS {
        let request = random(&mut Chance::new(seed));
        let plan = plan(&request);
        for unplaced in &plan.unplaced {
            assert!(is_true(&request, &plan, unplaced), "seed {seed}: {unplaced:?}");
            *seen.entry(unplaced.reason).or_default() += 1;
        }
    }
    println!("{seen:?}");
    let untried = [Reason::NotInInventory, Reason::PartnerUnknown];
    for reason in Reason::ALL.iter().filter(|reason| !untried.contains(reason)) {
        assert!(
            seen.get(reason).copied().unwrap_or(0) >= 10,
            "{reason:?} was hardly tried: {seen:?}"
        );
    }
}
