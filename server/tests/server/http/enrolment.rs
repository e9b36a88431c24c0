//! Joining: who gets in, once, and who does not.

use crate::http::device::Device;
use crate::http::house::{House, now};
use patchward_protocol::api::device::EnrolReply;
use patchward_protocol::api::site::DeviceView;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::id::LedgerId;
use patchward_protocol::key::{SecretKey, Signer as _};
use patchward_protocol::pack::EnrolmentPack;
use serde_json::json;

#[test]
fn a_pack_brings_one_device_in_and_no_second_one() {
    let house = House::furnished();
    let pack = house.pack("north");
    assert_eq!(pack.url, format!("http://{}", house.address));
    let one = Device::new("north", "pump-1", 1);
    let reply: EnrolReply = one.enrol(&house, &pack.token).read();
    assert_eq!(reply.record_key, pack.record_key);
    let two = Device::new("north", "pump-2", 2);
    assert_eq!(two.enrol(&house, &pack.token).code(), "enrolment_token");
    let devices: Vec<DeviceView> =
        house.get("/v1/sites/north/devices", &house.site_token("north")).read();
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0].device_key, Some(one.device_key.public()));
}

#[test]
fn repeating_an_enrolment_with_the_same_keys_gives_the_same_reply() {
    let house = House::furnished();
    let token = house.pack("north").token;
    let device = Device::new("north", "pump-1", 1);
    let first: EnrolReply = device.enrol(&house, &token).read();
    let again: EnrolReply = device.enrol(&house, &token).read();
    assert_eq!(first, again);
    // Even when the token has ended meanwhile: the first answer may have been lost on the way.
    house.clock.set(now().plus_seconds(86_400));
    let later: EnrolReply = device.enrol(&house, &token).read();
    assert_eq!(first, later);
}

#[test]
fn an_id_belongs_to_the_key_that_has_it() {
    let house = House::furnished();
    Device::joined(&house, "north", "pump-1", 1);
    let thief = Device::new("north", "pump-1", 66);
    let token = house.pack("north").token;
    assert_eq!(thief.enrol(&house, &token).code(), "device_taken");
    // The refusal did not use the token up.
    assert_eq!(Device::new("north", "pump-2", 2).enrol(&house, &token).code(), "ok");
}

#[test]
fn a_device_takes_a_newer_link_key_with_a_new_token_and_no_older_one() {
    let house = House::furnished();
    let mut device = Device::joined(&house, "north", "pump-1", 1);
    device.check_in(&house, 1, 1);
    let old = std::mem::replace(&mut device.link_key, SecretKey::from_seed(&[200; 32]));
    let token = house.pack("north").token;
    assert_eq!(device.enrol(&house, &token).code(), "device_taken", "n did not rise");
    device.link_n = 2;
    assert_eq!(device.enrol(&house, &token).code(), "ok");
    assert_eq!(device.ask(&house, 1, 1).code(), "poll_replayed");
    device.check_in(&house, 1, 2);
    device.link_key = old;
    assert_eq!(device.ask(&house, 1, 3).code(), "signature_invalid");
}

#[test]
fn a_token_is_good_for_its_site_family_device_and_time_only() {
    let house = House::furnished();
    let token = house.pack("north").token;
    let south = Device::new("south", "pump-1", 1);
    assert_eq!(south.enrol(&house, &token).code(), "enrolment_token");
    let north = Device::new("north", "pump-1", 1);
    let mut other_family = north.enrolment(&token);
    other_family.family = "beta.b".parse().unwrap();
    let answer = house.say("/v1/enrol", &north.request(&other_family));
    assert_eq!(answer.code(), "enrolment_token");

    let body = json!({ "families": ["acme.a"], "device": "pump-7", "life_s": 60 });
    let scoped: EnrolmentPack =
        house.post("/v1/sites/north/packs", &house.site_token("north"), &body).read();
    assert_eq!(north.enrol(&house, &scoped.token).code(), "enrolment_token");
    house.clock.set(now().plus_seconds(60));
    let named = Device::new("north", "pump-7", 7);
    assert_eq!(named.enrol(&house, &scoped.token).code(), "enrolment_token");
    house.clock.set(now().plus_seconds(59));
    assert_eq!(named.enrol(&house, &scoped.token).code(), "ok");
    assert_eq!(north.enrol(&house, &token).code(), "ok");
}

#[test]
fn what_is_not_signed_by_the_device_key_does_not_join() {
    let house = House::furnished();
    let token = house.pack("north").token;
    let device = Device::new("north", "pump-1", 1);
    let other = Device::new("north", "pump-1", 2);
    let good = device.request(&device.enrolment(&token));

    let mut swapped = good.clone();
    swapped.link_certificate = other.request(&other.enrolment(&token)).link_certificate;
    assert_eq!(house.say("/v1/enrol", &swapped).code(), "signature_invalid");

    let claims = device.enrolment(&token);
    let mut foreign = good.clone();
    foreign.enrolment = Envelope::seal(PayloadType::Enrolment, &claims, &other.device_key).unwrap();
    assert_eq!(house.say("/v1/enrol", &foreign).code(), "signature_invalid");

    let mut relabelled = good.clone();
    relabelled.enrolment = good.link_certificate.clone();
    assert_eq!(house.say("/v1/enrol", &relabelled).code(), "body_malformed");

    let mut same_key = Device::new("north", "pump-1", 1);
    same_key.link_key = SecretKey::from_seed(&[1; 32]);
    assert_eq!(same_key.enrol(&house, &token).code(), "request_invalid");
    assert_eq!(house.say("/v1/enrol", &good).code(), "ok");
}

#[test]
fn a_device_of_the_inventory_may_get_an_agent_later() {
    let house = House::furnished();
    let token = house.site_token("north");
    for (device, family) in [("pump-1", "acme.a"), ("ct-1", "legacy.ct")] {
        let body = json!({
            "device": device, "management": "manual", "family": family, "hardware": null,
        });
        assert_eq!(house.post("/v1/sites/north/devices", &token, &body).code(), "ok");
    }
    assert_eq!(Device::new("north", "pump-1", 1).ask(&house, 1, 1).code(), "device_unknown");
    let device = Device::joined(&house, "north", "pump-1", 1);
    device.check_in(&house, 1, 1);
    let other = Device::new("north", "ct-1", 2);
    assert_eq!(other.enrol(&house, &house.pack("north").token).code(), "device_taken");
}

#[test]
fn a_new_ledger_begins_at_its_first_entry_and_the_old_one_stays() {
    let house = House::furnished();
    let mut device = Device::joined(&house, "north", "pump-1", 1);
    let first = device.write(patchward_protocol::ledger::Kind::Enrolled);
    assert_eq!(device.report(&house, &[first]).code(), "ok");
    device.ledger_id = LedgerId::from_random([42; 16]);
    device.entries.clear();
    let token = house.pack("north").token;
    assert_eq!(device.enrol(&house, &token).code(), "ok");
    let first = device.write(patchward_protocol::ledger::Kind::Enrolled);
    let answer = device.report(&house, &[first]);
    assert_eq!(device.receipt(&house, &answer).upto_seq, 1);
}

#[test]
fn a_pack_needs_an_open_family_a_published_site_and_a_sensible_life() {
    let house = House::furnished();
    house.open("site/empty", "restricted");
    let ask = |site: &str, families: &[&str], life_s: u32| {
        let body = json!({ "families": families, "device": null, "life_s": life_s });
        house.post(&format!("/v1/sites/{site}/packs"), &house.administrator, &body).code()
    };
    assert_eq!(ask("north", &["acme.a"], 600), "ok");
    assert_eq!(ask("north", &["acme.zzz"], 600), "family_unknown");
    assert_eq!(ask("north", &[], 600), "request_invalid");
    assert_eq!(ask("north", &["acme.a"], 59), "request_invalid");
    assert_eq!(ask("north", &["acme.a"], 31 * 86_400), "request_invalid");
    assert_eq!(ask("empty", &["acme.a"], 600), "repository_empty");
    assert_eq!(ask("nowhere", &["acme.a"], 600), "not_found");
}
