//! What holds in every hospital.

use crate::chance::Chance;
use crate::hospital::{DAY_S, daily, random};
use patchward_protocol::approval::{
    Action, Approval, ApprovalState, ApprovedRelease, ClinicalCondition, Conditions,
    KnownExploited, Need, NeededTime, RollbackTerms, StandingPolicy, Urgency,
};
use patchward_protocol::check::{WaveOrder, check};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{ApprovalId, DeviceId, FamilyId, Seq, SiteId, TargetPath, Version};
use patchward_protocol::plan::{
    Busy, Candidate, Plan, Request, Wish, plan, plan_parts_of, plan_standing,
};
use patchward_protocol::tuf::custom::{Class, Severity};
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

/// The parts of a plan, in an approval as it would be signed.
fn approval(request: &Request, plan: &Plan, action: Action) -> Approval {
    let digest = Sha256Digest::of(b"image");
    let release = ApprovedRelease {
        family: FamilyId::new("acme.pump").unwrap(),
        version: Version::new("2.0.0").unwrap(),
        seq: Seq(2),
        image_sha256: digest,
        path: TargetPath::new("img/pump.tar").unwrap(),
        image_length: 5,
        dossier_sha256: digest,
    };
    let policy = StandingPolicy {
        families: request.families.clone(),
        classes: vec![Class::Security],
        severity_min: Severity::High,
        known_exploited: KnownExploited::Always,
    };
    let standing = action == Action::Standing;
    Approval {
        v: 1,
        id: ApprovalId::new("pumps").unwrap(),
        site: SiteId::new("city-hospital").unwrap(),
        serial: 1,
        issued: request.now,
        valid_until: request.until,
        action,
        urgency: request.urgency,
        state: ApprovalState::Active,
        release: (!standing).then_some(release),
        standing: standing.then_some(policy),
        devices: plan.devices.clone(),
        conditions: Conditions {
            clinical_state: ClinicalCondition::Idle,
            settle_s: 300,
            mains: Need::Required,
            battery_min: 50,
            acceptance: Need::Advisory,
            time: NeededTime::Attested,
            offline_ok: false,
        },
        waves: plan.waves.clone(),
        gates: plan.gates.clone(),
        rollback: RollbackTerms { automatic: true, to: vec![Seq(1)] },
        tz: "Asia/Tokyo".to_owned(),
        supersedes: None,
        snapshot: None,
    }
}

#[test]
fn what_is_planned_is_an_approval_that_devices_take() {
    let mut count = 0;
    for seed in 0..1_000 {
        let request = random(&mut Chance::new(seed));
        let one = plan(&request);
        if one.devices.is_empty() {
            continue;
        }
        approval(&request, &one, Action::Install).check().unwrap();
        let routine = Request { urgency: Urgency::Routine, alternatives: 32, ..request };
        let standing = plan_standing(&routine);
        if !standing.devices.is_empty() {
            approval(&routine, &standing, Action::Standing).check().unwrap();
            count += 1;
        }
    }
    assert!(count > 500, "{count}");
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
