//! Faults planted in good plans: the checker finds every kind, every time.

use crate::chance::Chance;
use crate::hospital::{DAY_S, key, random};
use patchward_protocol::check::{Broken, WaveOrder, check};
use patchward_protocol::id::{DeviceId, FamilyId, FreezeId};
use patchward_protocol::inventory::{
    Attendance, Freeze, FreezeScope, Hardness, MinInService, Usage,
};
use patchward_protocol::plan::{Availability, Busy, Candidate, Plan, Request, plan};
use patchward_protocol::slot::Slot;
use std::collections::BTreeMap;

/// How often each kind is planted at least.
const EACH: u32 = 100;
/// Random hospitals in which faults are planted.
const HOSPITALS: u64 = 7_000;

fn candidate<'a>(request: &'a mut Request, id: &DeviceId) -> &'a mut Candidate {
    request.devices.iter_mut().find(|device| device.id == *id).unwrap()
}

fn used(request: &Request, id: &DeviceId) -> bool {
    request.devices.iter().any(|device| device.id == *id && device.usage == Usage::InService)
}

fn sole(request: &Request, id: &DeviceId) -> bool {
    let device = request.devices.iter().find(|device| device.id == *id).unwrap();
    let alike = |other: &&Candidate| {
        other.ward == device.ward && other.kind == device.kind && other.serves()
    };
    request.devices.iter().filter(alike).count() <= 1
}

fn shifted(slot: Slot, seconds: i64) -> Slot {
    Slot::new(slot.start().plus_seconds(seconds), slot.end().plus_seconds(seconds)).unwrap()
}

/// Plants one fault; false where this hospital has no place for it.
fn plant(rule: Broken, chance: &mut Chance, request: &mut Request, plan: &mut Plan) -> bool {
    if plan.devices.is_empty() {
        return false;
    }
    let at = usize::try_from(chance.below(plan.devices.len() as u64)).unwrap();
    match rule {
        Broken::UnknownDevice
        | Broken::DeviceTwice
        | Broken::NotForDevice
        | Broken::OtherKey
        | Broken::PairDiffers
        | Broken::PersonMissing => plant_name(rule, at, request, plan),
        Broken::NoSlot
        | Broken::TooManySlots
        | Broken::SlotsDisordered
        | Broken::SlotTooShort
        | Broken::OutsideSpan
        | Broken::OutsideWindow
        | Broken::InFreeze
        | Broken::NoStaff
        | Broken::SlotTaken => plant_hours(rule, at, request, plan),
        Broken::BelowMinimum
        | Broken::WardParallel
        | Broken::SiteParallel
        | Broken::PairTogether
        | Broken::PartnerOut => plant_crowd(rule, at, request, plan),
        Broken::WaveUnknown
        | Broken::WavesDisordered
        | Broken::WaveTooEarly
        | Broken::SoakTooShort
        | Broken::ProofTooWeak => plant_wave(rule, at, request, plan),
        Broken::FirstTooWide
        | Broken::TooManyCanaries
        | Broken::SoleCanary
        | Broken::PairCanary
        | Broken::MoreThanHalf => plant_order(rule, at, request, plan),
    }
}

fn plant_name(rule: Broken, at: usize, request: &mut Request, plan: &mut Plan) -> bool {
    let device = &mut plan.devices[at];
    match rule {
        Broken::UnknownDevice => device.id = DeviceId::new("stranger").unwrap(),
        Broken::DeviceTwice => {
            let twin = device.clone();
            plan.devices.push(twin);
        }
        Broken::NotForDevice => {
            let id = device.id.clone();
            candidate(request, &id).family = Some(FamilyId::new("acme.other").unwrap());
        }
        Broken::OtherKey => device.key = key(63),
        Broken::PairDiffers => {
            device.pair = if device.pair.is_some() { None } else { Some(device.id.clone()) };
        }
        Broken::PersonMissing => {
            let had = device.attended;
            device.attended = false;
            return had;
        }
        _ => unreachable!(),
    }
    true
}

fn plant_hours(rule: Broken, at: usize, request: &mut Request, plan: &mut Plan) -> bool {
    let device = &mut plan.devices[at];
    let first = device.slots[0];
    match rule {
        Broken::NoSlot => device.slots.clear(),
        Broken::TooManySlots => {
            let days = (0..9).map(|day| shifted(first, day * DAY_S));
            device.slots = days.collect();
        }
        Broken::SlotsDisordered => device.slots.insert(0, shifted(first, 1)),
        Broken::SlotTooShort => {
            let need_s = i64::try_from(request.need_s).unwrap();
            let end = first.start().plus_seconds(need_s).plus_millis(-1);
            device.slots[0] = Slot::new(first.start(), end).unwrap();
        }
        Broken::OutsideSpan => {
            let last = device.slots.last_mut().unwrap();
            let late = request.until.millis_since(last.end()) / 1000 + 1;
            *last = shifted(*last, late);
        }
        Broken::OutsideWindow => {
            if request.skips_windows() {
                return false;
            }
            let id = device.id.clone();
            let ward = candidate(request, &id).ward.clone();
            let ward = request.wards.iter_mut().find(|rules| rules.id == ward).unwrap();
            // The window that held the slot now opens a second later.
            let held = ward.windows.iter_mut().find(|window| window.contains(first.start()));
            let Some(held) = held.filter(|held| held.end() > first.start().plus_seconds(1)) else {
                return false;
            };
            *held = Slot::new(first.start().plus_seconds(1), held.end()).unwrap();
        }
        Broken::InFreeze => request.freezes.push(Freeze {
            id: FreezeId::new("planted").unwrap(),
            from: first.end().plus_millis(-1),
            to: first.end().plus_seconds(1),
            scope: FreezeScope::Site {},
            hardness: Hardness::Hard,
            why: "planted".to_owned(),
        }),
        Broken::NoStaff => {
            device.attended = true;
            let id = device.id.clone();
            candidate(request, &id).attended = Attendance::Attended;
            request.wards.iter_mut().for_each(|ward| ward.staff.clear());
        }
        Broken::SlotTaken => {
            let slot = shifted(first, 1 - first.end().millis_since(first.start()) / 1000);
            request.busy.push(Busy { device: device.id.clone(), slot });
        }
        _ => unreachable!(),
    }
    true
}

/// Another device of the plan that stands in the same ward; of the same kind where asked.
fn neighbour(request: &Request, plan: &Plan, at: usize, same_kind: bool) -> Option<usize> {
    let of = |id: &DeviceId| request.devices.iter().find(|device| device.id == *id).unwrap();
    let one = of(&plan.devices[at].id);
    plan.devices.iter().position(|device| {
        let other = of(&device.id);
        other.id != one.id && other.ward == one.ward && (!same_kind || other.kind == one.kind)
    })
}

fn plant_crowd(rule: Broken, at: usize, request: &mut Request, plan: &mut Plan) -> bool {
    let slot = plan.devices[at].slots[0];
    let id = plan.devices[at].id.clone();
    let one = candidate(request, &id).clone();
    match rule {
        Broken::BelowMinimum => {
            let Some(other) = neighbour(request, plan, at, true) else { return false };
            let other_id = plan.devices[other].id.clone();
            if !one.serves() || !candidate(request, &other_id).serves() {
                return false;
            }
            // One may be missing; now two are.
            plan.devices[other].slots = vec![slot];
            let alike = |device: &&Candidate| {
                device.ward == one.ward && device.kind == one.kind && device.serves()
            };
            let there = u32::try_from(request.devices.iter().filter(alike).count()).unwrap();
            let ward = request.wards.iter_mut().find(|ward| ward.id == one.ward).unwrap();
            ward.min_in_service.retain(|min| min.kind != one.kind);
            ward.min_in_service.push(MinInService { kind: one.kind.clone(), count: there - 1 });
        }
        Broken::WardParallel => {
            let Some(other) = neighbour(request, plan, at, false) else { return false };
            plan.devices[other].slots = vec![slot];
            let ward = request.wards.iter_mut().find(|ward| ward.id == one.ward).unwrap();
            ward.max_parallel = Some(1);
        }
        Broken::SiteParallel => {
            let Some(other) = plan.devices.iter().position(|device| device.id != id) else {
                return false;
            };
            plan.devices[other].slots = vec![slot];
            request.rules.max_parallel = Some(1);
        }
        Broken::PairTogether => {
            let other = plan.devices.iter().position(|other| Some(&other.id) == one.pair.as_ref());
            let Some(other) = other else { return false };
            let soak_s = request.rules.pair_soak_s(request.urgency);
            let length_s = slot.end().millis_since(slot.start()) / 1000;
            // A second too early after its partner.
            let wait_s = length_s + i64::try_from(soak_s).unwrap() - 1;
            plan.devices[other].slots = vec![shifted(slot, wait_s)];
        }
        Broken::PartnerOut => {
            let Some(pair) = one.pair else { return false };
            candidate(request, &pair).availability = Availability::OutOfService;
        }
        _ => unreachable!(),
    }
    true
}

fn plant_wave(rule: Broken, at: usize, request: &mut Request, plan: &mut Plan) -> bool {
    let wave = usize::try_from(plan.devices[at].wave).unwrap();
    match rule {
        Broken::WaveUnknown => plan.devices[at].wave = 99,
        Broken::WavesDisordered => {
            let mut more = plan.waves[wave].clone();
            more.n = u32::try_from(plan.waves.len()).unwrap();
            plan.waves.push(more);
        }
        Broken::WaveTooEarly => {
            if wave == 0 {
                return false;
            }
            let before = plan.devices.iter().filter(|d| d.wave + 1 == plan.devices[at].wave);
            let end = before.flat_map(|device| &device.slots).map(Slot::end).max().unwrap();
            let soak_s = request.rules.soak_s_of(plan.devices[at].wave - 1, request.urgency);
            let ready = end.plus_seconds(i64::try_from(soak_s).unwrap());
            let slot = plan.devices[at].slots[0];
            let early_s = ready.millis_since(slot.start()) / 1000 - 1;
            plan.devices[at].slots[0] = shifted(slot, early_s);
            plan.waves[wave].not_before = ready.plus_seconds(-1);
        }
        Broken::SoakTooShort => {
            if plan.waves[wave].soak_s == 0 {
                return false;
            }
            plan.waves[wave].soak_s -= 1;
        }
        Broken::ProofTooWeak => {
            if wave == 0 {
                return false;
            }
            plan.waves[wave].min_updated = 0;
        }
        _ => unreachable!(),
    }
    true
}

fn plant_order(rule: Broken, at: usize, request: &mut Request, plan: &mut Plan) -> bool {
    let id = plan.devices[at].id.clone();
    let ward = candidate(request, &id).ward.clone();
    let in_ward = |request: &Request, id: &DeviceId| {
        request.devices.iter().any(|device| device.id == *id && device.ward == ward)
    };
    match rule {
        Broken::FirstTooWide => {
            if plan.devices[at].wave == 0 || !used(request, &id) {
                return false;
            }
            plan.devices[at].wave = 0;
        }
        Broken::TooManyCanaries | Broken::MoreThanHalf => {
            let to = if rule == Broken::TooManyCanaries { 1 } else { 2 };
            let mut moved = 0;
            for device in &mut plan.devices {
                let here = in_ward(request, &device.id) && used(request, &device.id);
                if here && device.wave >= to {
                    device.wave = to;
                    moved += 1;
                }
            }
            let all = request.devices.iter().filter(|device| {
                device.ward == ward && used(request, &device.id) && request.concerns(device)
            });
            let first = plan.devices.iter().filter(|device| {
                device.wave < 2 && in_ward(request, &device.id) && used(request, &device.id)
            });
            let half = (all.count() - first.count()).div_ceil(2).max(1);
            return match rule {
                Broken::TooManyCanaries => moved > request.rules.canary_per_ward,
                _ => usize::try_from(moved).unwrap() > half,
            };
        }
        Broken::SoleCanary | Broken::PairCanary => {
            let one = &plan.devices[at];
            let bad = match rule {
                Broken::SoleCanary => sole(request, &id),
                _ => one.pair.is_some() && !sole(request, &id),
            };
            let attended = one.attended;
            let plain = |request: &Request, id: &DeviceId| used(request, id) && !sole(request, id);
            let canary = plan.devices.iter().position(|other| {
                other.wave == 1
                    && other.pair.is_none()
                    && other.attended == attended
                    && (rule == Broken::SoleCanary || in_ward(request, &other.id))
                    && plain(request, &other.id)
            });
            let Some(canary) = canary.filter(|_| bad && one.wave > 1 && used(request, &id)) else {
                return false;
            };
            let wave = one.wave;
            plan.devices[canary].wave = wave;
            plan.devices[at].wave = 1;
        }
        _ => unreachable!(),
    }
    true
}

#[test]
fn the_checker_finds_every_planted_fault() {
    let mut planted: BTreeMap<Broken, u32> = BTreeMap::new();
    for seed in 0..HOSPITALS {
        let mut chance = Chance::new(seed);
        let request = random(&mut chance);
        let good = plan(&request);
        for rule in Broken::ALL {
            let (mut request, mut plan) = (request.clone(), good.clone());
            if planted.get(rule).is_some_and(|count| *count >= 3 * EACH) {
                continue;
            }
            if !plant(*rule, &mut chance, &mut request, &mut plan) {
                continue;
            }
            let found = check(&request, WaveOrder::InTime, &plan.waves, &plan.devices);
            assert!(found.iter().any(|one| one.rule == *rule), "seed {seed}: {rule:?}: {found:?}");
            *planted.entry(*rule).or_default() += 1;
        }
    }
    println!("{planted:?}");
    for rule in Broken::ALL {
        let count = planted.get(rule).copied().unwrap_or(0);
        assert!(count >= EACH, "{rule:?} was planted {count} times");
    }
}
