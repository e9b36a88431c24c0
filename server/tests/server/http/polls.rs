//! Check-ins: what a poll gets, and what a replayed or forged one does not.

use crate::http::device::Device;
use crate::http::house::{House, now};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use patchward_protocol::api::repository::RepositoryView;
use patchward_protocol::api::site::DeviceView;
use patchward_protocol::approval::{
    Action, Approval, ApprovalState, ApprovedDevice, ApprovedRelease, ClinicalCondition,
    Conditions, Gates, Need, NeededTime, RollbackTerms, Urgency, Wave,
};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::id::Seq;
use patchward_protocol::key::Signer as _;
use patchward_protocol::receipt::TimeAnswer;
use patchward_protocol::slot::Slot;
use std::collections::HashSet;

#[test]
fn a_poll_gets_time_token_timestamps_and_its_next_moment() {
    let house = House::furnished();
    let device = Device::joined(&house, "north", "pump-1", 1);
    let view: RepositoryView =
        house.get("/v1/repositories/site/north", &house.administrator).read();
    let reply = device.check_in(&house, 1, 1);
    let time = reply.time.open::<TimeAnswer>(PayloadType::TimeAnswer, &view.timestamp_key).unwrap();
    assert_eq!((time.nonce, time.utc), (device.poll(1, 1).nonce, now()));
    assert_eq!(reply.token_s, 600);
    assert!((900..=990).contains(&reply.poll_after_s));
    assert!(reply.directive.open.is_empty() && reply.directive.holds.is_empty());
    assert_eq!(reply.family_timestamp, None, "nothing is published there");
    let timestamp = STANDARD.decode(reply.site_timestamp.unwrap()).unwrap();
    let served = house.get("/tuf/site/north/metadata/timestamp.json", &reply.token);
    assert_eq!((served.status, served.body), (200, timestamp));

    let head = view.heads.iter().find(|head| head.role == "timestamp").unwrap();
    let mut poll = device.poll(1, 2);
    poll.site_timestamp = head.version;
    let reply: patchward_protocol::api::device::CheckInReply =
        house.say("/v1/check-in", &device.sealed(&poll)).read();
    assert_eq!(reply.site_timestamp, None, "the device has it");
    let mut ahead = device.poll(1, 3);
    ahead.site_timestamp = head.version + 1_000;
    let reply: patchward_protocol::api::device::CheckInReply =
        house.say("/v1/check-in", &device.sealed(&ahead)).read();
    assert!(reply.site_timestamp.is_some(), "one that is ahead is shown what stands here");
}

#[test]
fn a_replayed_poll_is_refused_and_changes_nothing() {
    let house = House::furnished();
    let device = Device::joined(&house, "north", "pump-1", 1);
    let (first, second) = (device.sealed(&device.poll(3, 7)), device.sealed(&device.poll(3, 8)));
    assert_eq!(house.say("/v1/check-in", &first).code(), "ok");
    assert_eq!(house.say("/v1/check-in", &first).code(), "poll_replayed");
    assert_eq!(house.say("/v1/check-in", &second).code(), "ok");
    house.clock.set(now().plus_seconds(60));
    assert_eq!(house.say("/v1/check-in", &first).code(), "poll_replayed");
    let devices: Vec<DeviceView> =
        house.get("/v1/sites/north/devices", &house.site_token("north")).read();
    assert_eq!(devices[0].last_seen, Some(now()));
    assert_eq!(device.ask(&house, 2, 99).code(), "poll_replayed", "an earlier boot");
    assert_eq!(device.ask(&house, 4, 0).code(), "ok", "a later boot begins anew");
}

#[test]
fn a_poll_counts_only_from_the_link_key_of_the_device_it_names() {
    let house = House::furnished();
    let north = Device::joined(&house, "north", "pump-1", 1);
    let south = Device::joined(&house, "south", "pump-1", 2);
    let poll = south.poll(1, 1);
    let by = |key| Envelope::seal(PayloadType::Poll, &poll, key).unwrap();
    assert_eq!(house.say("/v1/check-in", &by(&north.link_key)).code(), "signature_invalid");
    assert_eq!(house.say("/v1/check-in", &by(&south.device_key)).code(), "signature_invalid");
    let relabelled = Envelope::seal(PayloadType::LedgerEntry, &poll, &south.link_key).unwrap();
    assert_eq!(house.say("/v1/check-in", &relabelled).code(), "body_malformed");
    assert_eq!(house.say("/v1/check-in", &by(&south.link_key)).code(), "ok");
    let mut wrong = south.poll(1, 2);
    wrong.state = "Tanaka, room 5".to_owned();
    assert_eq!(house.say("/v1/check-in", &south.sealed(&wrong)).code(), "request_invalid");
    wrong = south.poll(1, 2);
    wrong.boot_count = u64::MAX;
    assert_eq!(house.say("/v1/check-in", &south.sealed(&wrong)).code(), "request_invalid");
}

#[test]
fn a_poll_without_news_costs_no_database_statement() {
    let house = House::furnished();
    let device = Device::joined(&house, "north", "pump-1", 1);
    device.check_in(&house, 1, 1);
    let before = house.db.asked();
    for n in 2..200 {
        device.check_in(&house, 1, n);
    }
    assert_eq!(house.db.asked(), before);
    house.get("/v1/sites/north/devices", &house.site_token("north"));
    assert!(house.db.asked() > before, "the count counts");
}

#[test]
fn devices_do_not_all_come_back_at_once() {
    let house = House::furnished();
    let device = Device::joined(&house, "north", "pump-1", 1);
    let moments: HashSet<_> = (1..40).map(|n| device.check_in(&house, 1, n).poll_after_s).collect();
    assert!(moments.len() > 10, "{moments:?}");
}

#[test]
fn a_device_token_opens_its_own_site_for_ten_minutes() {
    let house = House::furnished();
    let device = Device::joined(&house, "north", "pump-1", 1);
    let token = device.check_in(&house, 1, 1).token;
    let read =
        |site: &str| house.get(&format!("/tuf/site/{site}/metadata/timestamp.json"), &token).status;
    assert_eq!((read("north"), read("south")), (200, 404));
    house.clock.set(now().plus_seconds(599));
    assert_eq!(read("north"), 200);
    house.clock.set(now().plus_seconds(600));
    assert_eq!(read("north"), 404);
}

#[test]
fn the_first_wave_of_an_approval_in_force_is_open_for_the_devices_it_names() {
    let house = House::furnished();
    let named = Device::joined(&house, "north", "pump-1", 1);
    let beside = Device::joined(&house, "north", "pump-2", 2);
    let later = Device::joined(&house, "north", "pump-3", 3);
    let mut active = approval(1, "first", &[(&named, 0), (&later, 1)]);
    // The name of pump-2 with the key of another device is not pump-2.
    let mut foreign = approval(2, "second", &[(&beside, 0)]);
    foreign.devices[0].key = Device::new("north", "pump-2", 99).device_key.public();
    house.publish_site("north", 2, &[&active, &foreign]);
    let open = |device: &Device, n| {
        let directive = device.check_in(&house, 1, n).directive;
        directive.open.into_iter().map(|open| (open.approval_sha256, open.wave)).collect::<Vec<_>>()
    };
    let sha256 = Sha256Digest::of(&active.write().unwrap());
    assert_eq!(open(&named, 1), [(sha256, 0)]);
    assert_eq!(open(&beside, 1), []);
    assert_eq!(open(&later, 1), [], "a later wave needs proof");
    house.clock.set(active.valid_until);
    assert_eq!(open(&named, 2), [], "it has ended");
    house.clock.set(now());
    active.state = ApprovalState::Withdrawn;
    house.publish_site("north", 3, &[&active, &foreign]);
    assert_eq!(open(&named, 3), [], "it was withdrawn");
}

pub(crate) fn approval(serial: u64, id: &str, devices: &[(&Device, u32)]) -> Approval {
    let slot = Slot::new(now().plus_seconds(3600), now().plus_seconds(7200)).unwrap();
    let device = |(device, wave): &(&Device, u32)| ApprovedDevice {
        id: device.device.clone(),
        key: device.device_key.public(),
        wave: *wave,
        slots: vec![slot],
        attended: false,
        pair: None,
    };
    let wave = |n| Wave { n, not_before: now(), soak_s: 0, min_updated: n, min_clinical_use_h: 0 };
    Approval {
        v: 1,
        id: id.parse().unwrap(),
        site: devices[0].0.site.clone(),
        serial,
        issued: now(),
        valid_until: now().plus_seconds(86_400),
        action: Action::Install,
        urgency: Urgency::Routine,
        state: ApprovalState::Active,
        release: Some(ApprovedRelease {
            family: "acme.a".parse().unwrap(),
            version: "2.0.0".parse().unwrap(),
            seq: Seq(2),
            path: "img/a-2.0.0.tar".parse().unwrap(),
            image_sha256: Sha256Digest::of(b"image"),
            image_length: 5,
            dossier_sha256: Sha256Digest::of(b"dossier"),
        }),
        standing: None,
        devices: devices.iter().map(device).collect(),
        conditions: Conditions {
            clinical_state: ClinicalCondition::Idle,
            settle_s: 1,
            mains: Need::Advisory,
            battery_min: 0,
            acceptance: Need::Advisory,
            time: NeededTime::Attested,
            offline_ok: false,
        },
        waves: vec![wave(0), wave(1)],
        gates: Gates { halt_permille: vec![0], silent_after_s: 3600 },
        rollback: RollbackTerms { automatic: true, to: vec![] },
        tz: "Asia/Tokyo".into(),
        supersedes: None,
        snapshot: None,
    }
}
