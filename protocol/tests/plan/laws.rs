//! What holds in every hospital.

use crate::chance::Chance;
use crate::hospital::{DAY_S, daily, random};
use patchward_protocol::approval::Urgency;
use patchward_protocol::check::{WaveOrder, check};
use patchward_protocol::id::DeviceId;
use patchward_protocol::plan::{
    Busy, Candidate, Plan, Request, Wish, plan, plan_parts_of, plan_standing,
};
use std::collections::BTreeSet;

/// Random hospitals in one run.
const HOSPITALS: u64 = 20_000;

fn wanted(request: &Request) -> BTreeSet<&DeviceId> {
    let wanted = request.devices.iter().filter(|device| device.wish == Wish::Update);
    wanted.map(|device| &device.id).collect()
}

/// Every device that is wanted stands in the plans once, with slots or with a reason.
fn complete(request: &Request, plans: &[Plan]) {
    let placed = plans.iter().flat_map(|plan| &plan.devices).map(|device| &device.id);
    let unplaced = plans.iter().flat_map(|plan| &plan.unplaced).map(|unplaced| &unplaced.device);
    let listed: Vec<_> = placed.chain(unplaced).collect();
    assert_eq!(listed.len(), wanted(request).len());
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), wanted(request));
}

#[test]
fn twenty_thousand_hospitals_get_plans_without_a_violation_and_no_device_is_forgotten() {
    let (mut devices, mut unplaced) = (0, 0);
    for seed in 0..HOSPITALS {
        let request = random(&mut Chance::new(seed));
        let plan = plan(&request);
        complete(&request, std::slice::from_ref(&plan));
        let found = check(&request, WaveOrder::InTime, &plan.waves, &plan.devices);
        assert!(found.is_empty(), "seed {seed}: {found:?}");
        devices += plan.devices.len();
        unplaced += plan.unplaced.len();
    }
    println!("{devices} devices placed, {unplaced} not");
    assert!(devices > 80_000 && unplaced > 20_000, "{devices} {unplaced}");
}

#[test]
fn the_same_request_gives_the_same_plan_whatever_the_order_of_its_devices() {
    for seed in 0..300 {
        let request = random(&mut Chance::new(seed));
        let mut turned = request.clone();
        turned.devices.reverse();
        turned.wards.reverse();
        assert_eq!(plan(&request), plan(&turned), "seed {seed}");
    }
}

#[test]
fn standing_approvals_keep_every_ward_whichever_lanes_the_devices_use() {
    let (mut lanes, mut devices) = (0, 0);
    for seed in 0..2_000 {
        let mut chance = Chance::new(seed);
        let mut request = random(&mut chance);
        request.urgency = Urgency::Routine;
        request.until = request.now.plus_seconds(chance.pick(&[30, 89]) * DAY_S);
        request.alternatives = usize::try_from(chance.pick(&[4, 32])).unwrap();
        for ward in &mut request.wards {
            let minute = i64::try_from(chance.below(1440)).unwrap();
            let step = usize::try_from(chance.pick(&[1, 7])).unwrap();
            ward.windows = daily((0..90).step_by(step), minute, chance.pick(&[60, 240]));
        }
        let plan = plan_standing(&request);
        complete(&request, std::slice::from_ref(&plan));
        let found = check(&request, WaveOrder::ByProof, &plan.waves, &plan.devices);
        assert!(found.is_empty(), "seed {seed}: {found:?}");
        devices += plan.devices.len();
        lanes += plan.devices.iter().map(|device| device.slots.len()).sum::<usize>();
    }
    println!("{devices} devices with {lanes} lanes");
    assert!(lanes > 4 * devices, "{lanes} lanes of {devices} devices");
}

#[test]
fn parts_of_a_large_site_keep_the_rules_together() {
    for seed in 0..1_500 {
        let request = random(&mut Chance::new(seed));
        let plans = plan_parts_of(&request, 5);
        complete(&request, &plans);
        for (n, plan) in plans.iter().enumerate() {
            assert!(plan.devices.len() <= 5, "seed {seed}");
            let others = plans.iter().enumerate().filter(|(m, _)| *m != n);
            let given = others.flat_map(|(_, plan)| &plan.devices).flat_map(|device| {
                device.slots.iter().map(|slot| Busy { device: device.id.clone(), slot: *slot })
            });
            let own: BTreeSet<_> = plan.devices.iter().map(|device| &device.id).collect();
            let unplaced: BTreeSet<_> = plan.unplaced.iter().map(|one| &one.device).collect();
            let wish = |device: &Candidate| {
                let asked = own.contains(&device.id) || unplaced.contains(&device.id);
                if asked { device.wish } else { Wish::Leave }
            };
            let devices = request.devices.iter();
            let devices = devices.map(|device| Candidate { wish: wish(device), ..device.clone() });
            let judged = Request {
                busy: request.busy.iter().cloned().chain(given).collect(),
                devices: devices.collect(),
                ..request.clone()
            };
            let found = check(&judged, WaveOrder::InTime, &plan.waves, &plan.devices);
            assert!(found.is_empty(), "seed {seed}: {found:?}");
        }
    }
}
