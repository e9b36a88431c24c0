//! Random hospitals: wards, pairs, spares, freezes, staff, limits, other approvals.

use crate::chance::Chance;
use patchward_protocol::approval::Urgency;
use patchward_protocol::id::{DeviceId, FamilyId, FreezeId, KindId, WardId};
use patchward_protocol::inventory::{
    Attendance, Freeze, FreezeScope, Hardness, MinInService, SiteRules, Usage,
};
use patchward_protocol::key::{PublicKey, SecretKey, Signer};
use patchward_protocol::plan::{
    Availability, Busy, Candidate, Hours, Management, Request, WardRules, Wish,
};
use patchward_protocol::slot::Slot;
use patchward_protocol::time::Timestamp;
use std::sync::OnceLock;

pub(crate) const MINUTE_S: i64 = 60;
pub(crate) const HOUR_S: i64 = 3600;
pub(crate) const DAY_S: i64 = 24 * 3600;

/// Monday, 2026-11-30, midnight in Tokyo.
pub(crate) fn monday() -> Timestamp {
    "2026-11-29T15:00:00Z".parse().unwrap()
}

pub(crate) fn family(name: &str) -> FamilyId {
    FamilyId::new(name).unwrap()
}

/// One of 64 keys.
pub(crate) fn key(n: u64) -> PublicKey {
    static KEYS: OnceLock<Vec<PublicKey>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        let key = |n: u8| SecretKey::from_seed(&[n; 32]).public();
        (0..64).map(key).collect()
    });
    keys[usize::try_from(n).unwrap() % keys.len()]
}

pub(crate) fn slot(start: Timestamp, minutes: i64) -> Slot {
    Slot::new(start, start.plus_seconds(minutes * MINUTE_S)).unwrap()
}

/// The same hours on these days after Monday.
pub(crate) fn daily(days: impl Iterator<Item = i64>, minute: i64, minutes: i64) -> Vec<Slot> {
    days.map(|day| slot(monday().plus_seconds(day * DAY_S + minute * MINUTE_S), minutes)).collect()
}

pub(crate) fn ward(name: &str) -> Option<WardId> {
    Some(WardId::new(name).unwrap())
}

pub(crate) fn kind(name: &str) -> KindId {
    KindId::new(name).unwrap()
}

/// A pump with an agent, in use, to be updated.
pub(crate) fn pump(id: &str, n: u64, stands_in: &str) -> Candidate {
    Candidate {
        id: DeviceId::new(id).unwrap(),
        key: Some(key(n)),
        ward: ward(stands_in),
        kind: kind("pump"),
        pair: None,
        usage: Usage::InService,
        attended: Attendance::Unattended,
        management: Management::Agent,
        family: Some(family("acme.pump")),
        availability: Availability::Working,
        wish: Wish::Update,
    }
}

/// Nothing in it: 20 minutes need, two weeks, 48 h of soak.
pub(crate) fn quiet() -> Request {
    Request {
        families: vec![family("acme.pump")],
        need_s: 20 * 60,
        wait_s: 30 * 60,
        attended: Attendance::Unattended,
        urgency: Urgency::Routine,
        hours: Hours::Usual,
        alternatives: 3,
        now: monday(),
        until: monday().plus_seconds(14 * DAY_S),
        devices: Vec::new(),
        strangers: Vec::new(),
        wards: Vec::new(),
        rules: SiteRules::default(),
        freezes: Vec::new(),
        busy: Vec::new(),
    }
}

/// A ward with a nightly window of two hours, 02:00.
pub(crate) fn nights(name: &str, days: i64) -> WardRules {
    WardRules {
        id: ward(name),
        min_in_service: Vec::new(),
        max_parallel: None,
        windows: daily(0..days, 2 * 60, 120),
        staff: Vec::new(),
    }
}

/// A hospital nobody thought of.
pub(crate) fn random(chance: &mut Chance) -> Request {
    let days = chance.pick(&[3, 14, 14, 30, 30]);
    let mut request = quiet();
    request.now = monday().plus_seconds(chance.pick(&[0, 0, 7, 3601, 40_000]));
    request.until = monday().plus_seconds(days * DAY_S);
    request.need_s = chance.pick(&[300, 1200, 1230, 3600, 5400]);
    request.wait_s = chance.pick(&[0, 1800]);
    request.alternatives = usize::try_from(chance.pick(&[1, 2, 3, 8])).unwrap();
    request.rules.soak_s = chance.pick(&[&[0][..], &[3600], &[86_400, 3600], &[172_800]]).to_vec();
    request.rules.emergency_soak_s = chance.pick(&[0, 600, 3600]);
    request.rules.canary_per_ward = u32::try_from(chance.pick(&[1, 1, 1, 2])).unwrap();
    request.rules.max_parallel = chance.pick(&[None, None, None, Some(1), Some(3)]);
    request.rules.min_updated_permille = chance.pick(&[0, 500, 1000]);
    request.rules.min_clinical_use_h = vec![chance.pick(&[0, 24])];
    if chance.one_in(12) {
        request.urgency = Urgency::Emergency;
        request.hours = chance.pick(&[Hours::Usual, Hours::Any]);
        request.until = request.now.plus_seconds(DAY_S);
    }
    if chance.one_in(10) {
        request.attended = Attendance::Attended;
    }
    for n in 0..1 + chance.below(5) {
        add_ward(&mut request, chance, &format!("ward-{n}"), days);
    }
    if chance.one_in(4) {
        add_freeze(&mut request, chance, days);
    }
    if chance.one_in(4) {
        add_busy(&mut request, chance, days);
    }
    request
}

fn add_ward(request: &mut Request, chance: &mut Chance, name: &str, days: i64) {
    let step = usize::try_from(chance.pick(&[1, 1, 1, 2, 7])).unwrap();
    let minute = i64::try_from(chance.below(1440)).unwrap();
    let length = chance.pick(&[15, 60, 120, 120, 240, 240, 720, 1440]);
    let kinds = ["pump", "monitor"];
    let count = 1 + chance.below(8);
    let mut members: Vec<Candidate> = Vec::new();
    while (members.len() as u64) < count {
        let device = random_device(chance, request.devices.len() + members.len(), name, &kinds);
        members.push(device.clone());
        if chance.one_in(5) && (members.len() as u64) < count {
            let at = request.devices.len() + members.len();
            let mut other = random_device(chance, at, name, &kinds);
            other.pair = Some(device.id.clone());
            members.last_mut().unwrap().pair = Some(other.id.clone());
            members.push(other);
        }
    }
    let min = |chance: &mut Chance| u32::try_from(chance.below(1 + count / 3)).unwrap();
    let mut min_in_service = Vec::new();
    for name in kinds {
        let count = min(chance);
        min_in_service.push(MinInService { kind: kind(name), count });
    }
    request.wards.push(WardRules {
        id: ward(name),
        min_in_service,
        max_parallel: chance.pick(&[None, None, Some(1), Some(2)]),
        windows: daily((0..days).step_by(step), minute, length),
        staff: match chance.below(3) {
            0 => Vec::new(),
            1 => daily(0..days, 8 * 60, 9 * 60),
            _ => daily(0..days, minute + 10, 120),
        },
    });
    request.devices.extend(members);
}

fn random_device(chance: &mut Chance, at: usize, stands_in: &str, kinds: &[&str]) -> Candidate {
    let mut device = pump(&format!("d-{at:03}"), at as u64, stands_in);
    device.kind = kind(chance.pick(kinds));
    device.usage = match chance.below(20) {
        0 => Usage::Spare,
        1 => Usage::Bench,
        _ => Usage::InService,
    };
    if chance.one_in(8) {
        device.attended = Attendance::Attended;
    }
    if chance.one_in(20) {
        device.management = chance.pick(&[Management::Manual, Management::Observed]);
    }
    if chance.one_in(20) {
        device.family = chance.pick(&[0, 1]).eq(&0).then(|| family("acme.other"));
    }
    if chance.one_in(30) {
        device.key = None;
    }
    if chance.one_in(15) {
        device.availability = Availability::OutOfService;
    }
    if chance.one_in(15) {
        device.wish = Wish::Leave;
    }
    device
}

fn add_freeze(request: &mut Request, chance: &mut Chance, days: i64) {
    let from = i64::try_from(chance.below(u64::try_from(days).unwrap())).unwrap();
    let scope = match chance.below(4) {
        0 => FreezeScope::Site {},
        1 => FreezeScope::Ward { ward: WardId::new("ward-0").unwrap() },
        2 => FreezeScope::Family { family: family("acme.pump") },
        _ => FreezeScope::Kind { equipment: kind("pump") },
    };
    let from = request.now.plus_seconds(from * DAY_S - 3601);
    request.freezes.push(Freeze {
        id: FreezeId::new("freeze").unwrap(),
        from,
        to: from.plus_seconds(chance.pick(&[3 * HOUR_S, 2 * DAY_S + 61, 40 * DAY_S])),
        scope,
        hardness: chance.pick(&[Hardness::Hard, Hardness::Soft]),
        why: "audit".to_owned(),
    });
}

fn add_busy(request: &mut Request, chance: &mut Chance, days: i64) {
    for _ in 0..1 + chance.below(4) {
        let at = usize::try_from(chance.below(request.devices.len() as u64)).unwrap();
        let minute = i64::try_from(chance.below(u64::try_from(days * 1440).unwrap())).unwrap();
        let start = monday().plus_seconds(minute * MINUTE_S);
        let device = request.devices[at].id.clone();
        // Twice the same device at once would say nothing new.
        if !request.busy.iter().any(|busy| busy.device == device) {
            request.busy.push(Busy { device, slot: slot(start, chance.pick(&[30, 600])) });
        }
    }
}
