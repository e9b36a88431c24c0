//! Deciding over HTTP: inventory, holds, acts, rollouts, proofs, reasons, and a poll that stands.

use crate::http::device::Device;
use crate::http::house::{House, now};
use crate::http::polls::approval;
use crate::http::wire;
use patchward_protocol::act::{Act, Meaning, Subject};
use patchward_protocol::api::consent::{ActFiled, HoldView, RolloutView, WhyView};
use patchward_protocol::api::device::CheckInReply;
use patchward_protocol::canonical;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::directive::Directive;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::inventory::Inventory;
use patchward_protocol::key::SecretKey;
use patchward_protocol::ledger::{ApprovalRef, Kind, SealedEntry, SigningMethod};
use patchward_protocol::proof::WaveProof;
use patchward_protocol::time::TimeQuality;
use serde_json::json;

#[test]
fn an_inventory_goes_in_and_out_over_http() {
    let house = House::furnished();
    let token = house.site_token("north");
    let path = "/v1/sites/north/inventory";
    let first: Inventory = house.get(path, &token).read();
    assert_eq!((first.revision, first.devices.len()), (0, 0));
    let mut next = first;
    next.tz = "Asia/Tokyo".to_owned();
    let put = |inventory: &Inventory| {
        house.send("PUT", path, &token, &serde_json::to_vec(inventory).unwrap())
    };
    let stored: Inventory = put(&next).read();
    assert_eq!(stored.revision, 1);
    assert_eq!(put(&next).code(), "inventory_conflict");
    let mut broken = stored.clone();
    broken.tz = String::new();
    let refused = put(&broken);
    assert_eq!(refused.code(), "inventory_invalid");
    assert!(String::from_utf8(refused.body).unwrap().contains("tz"));
    let held: Inventory = house.get(path, &token).read();
    assert_eq!(held, stored);
}

#[test]
fn a_hold_is_set_by_a_token_and_lifted_by_a_signature() {
    let house = House::furnished();
    let token = house.site_token("north");
    let device = Device::joined(&house, "north", "pump-1", 1);
    let stop = json!({ "target": { "scope": "site" }, "reason": "smoke", "owner": "night shift" });
    let view: HoldView = house.post("/v1/sites/north/holds", &token, &stop).read();
    assert_eq!((view.set_by.as_str(), view.devices), ("a test", 1));
    assert_eq!(device.check_in(&house, 1, 1).directive.holds.len(), 1);
    let act = Act {
        v: 1,
        site: device.site.clone(),
        subject: Subject::Hold { hold: view.id.clone() },
        person: "person-5".parse().unwrap(),
        name: "Tanaka".to_owned(),
        role: "clinical engineer".to_owned(),
        meaning: Meaning::HoldLifted,
        reason: "no fire".to_owned(),
        at: now(),
        tz: "Asia/Tokyo".to_owned(),
        compensating: None,
        log_size: None,
        log_root: None,
    };
    let sealed = |seed: u8| {
        let key = SecretKey::from_seed(&[seed; 32]);
        Envelope::seal(PayloadType::Act, &act, &key).unwrap()
    };
    let file = |seed| house.post("/v1/sites/north/acts", &token, &sealed(seed));
    assert_eq!(file(6).code(), "act_refused", "the key of somebody else");
    assert_eq!(file(99).code(), "act_refused");
    let filed: ActFiled = file(5).read();
    assert_eq!(file(5).read::<ActFiled>(), filed);
    assert!(device.check_in(&house, 1, 2).directive.holds.is_empty());
    let listed: Vec<HoldView> = house.get("/v1/sites/north/holds", &token).read();
    assert_eq!(listed[0].lifted_at, Some(now()));
    assert_eq!(house.post("/v1/sites/north/acts", &token, &json!({})).code(), "body_malformed");
    let poll = device.sealed(&device.poll(1, 3));
    assert_eq!(house.post("/v1/sites/north/acts", &token, &poll).code(), "body_malformed");
}

#[test]
fn a_proof_is_served_as_the_bytes_of_its_digest_and_for_its_site_only() {
    let house = House::furnished();
    let mut first = Device::joined(&house, "north", "pump-1", 1);
    let second = Device::joined(&house, "north", "pump-2", 2);
    let approval = approval(1, "first", &[(&first, 0), (&second, 1)]);
    house.publish_site("north", 2, &[&approval]);
    let sha256 = Sha256Digest::of(&approval.write().unwrap());
    let mut entries: Vec<SealedEntry> = Vec::new();
    for kind in [Kind::Activating, Kind::Committed] {
        let mut entry = first.entry_after(entries.last(), kind, "as it was").entry;
        entry.at = Some(now());
        entry.time_quality = TimeQuality::Attested;
        entry.fact.release = approval.release.as_ref().map(|release| release.image());
        let weakest_method = SigningMethod::Offline;
        entry.fact.approval = Some(ApprovalRef { sha256, id: approval.id.clone(), weakest_method });
        entries.push(SealedEntry::seal(entry, &first.device_key).unwrap());
    }
    first.entries.clone_from(&entries);
    assert_eq!(first.report(&house, &entries).code(), "ok");
    let token = house.site_token("north");
    // The report asked the watcher to look; a poll may be quicker.
    let mut n = 0;
    let proof = loop {
        n += 1;
        let rollouts: Vec<RolloutView> = house.get("/v1/sites/north/rollouts", &token).read();
        assert_eq!(rollouts[0].waves[0].state, "passed");
        let open = second.check_in(&house, 1, n).directive.open;
        if let Some(proof) = open.first().and_then(|open| open.proof) {
            break proof;
        }
    };
    let path = format!("/v1/sites/north/wave-proofs/{proof}");
    let bearer = second.check_in(&house, 2, 1).token;
    for bearer in [&bearer, &token] {
        let answer = house.get(&path, bearer);
        assert_eq!((answer.status, Sha256Digest::of(&answer.body)), (200, proof));
        assert!(answer.header("cache-control").unwrap().contains("immutable"));
        assert_eq!(WaveProof::read(&answer.body).unwrap().entries.len(), 1);
    }
    let south = Device::joined(&house, "south", "pump-1", 3);
    let theirs = south.check_in(&house, 1, 1).token;
    for (path, bearer) in [
        (path.clone(), Some(theirs)),
        (path.replace("north", "south"), Some(house.site_token("south"))),
        (path.clone(), None),
        (format!("/v1/sites/north/wave-proofs/{}", "0".repeat(64)), Some(token)),
    ] {
        let answer = wire::send(house.address, "GET", &path, bearer.as_deref(), b"");
        assert_eq!(answer.code(), "not_found", "{path}");
    }
}

#[test]
fn a_standing_poll_is_answered_by_a_stop_over_http() {
    let house = House::furnished();
    let device = Device::joined(&house, "north", "pump-1", 1);
    let first = device.check_in(&house, 1, 1);
    let timestamps = |reply: &CheckInReply| reply.site_timestamp.is_some();
    assert!(timestamps(&first));
    let view: patchward_protocol::api::repository::RepositoryView =
        house.get("/v1/repositories/site/north", &house.administrator).read();
    let mut poll = device.poll(1, 2);
    poll.site_timestamp = view.heads.iter().find(|head| head.role == "timestamp").unwrap().version;
    poll.wait_s = Some(60);
    let nothing = canonical::write(&Directive::default()).unwrap();
    poll.directive_sha256 = Some(Sha256Digest::of(&nothing));
    let sealed = device.sealed(&poll);
    let token = house.site_token("north");
    let reply: CheckInReply = std::thread::scope(|scope| {
        let stands = scope.spawn(|| house.say("/v1/check-in", &sealed).read());
        // Whether it stands already or not: it is told of the stop, at once or as soon as it stands.
        let stop = json!({ "target": { "scope": "site" }, "reason": "s", "owner": "o" });
        assert_eq!(house.post("/v1/sites/north/holds", &token, &stop).code(), "ok");
        stands.join().unwrap()
    });
    assert_eq!(reply.directive.holds.len(), 1);
}

#[test]
fn why_says_one_sentence_for_each_device_of_the_own_site() {
    let house = House::furnished();
    let token = house.site_token("north");
    let device = Device::joined(&house, "north", "pump-1", 1);
    let path = "/v1/sites/north/devices/pump-1/why";
    let never: WhyView = house.get(path, &token).read();
    assert!(never.ja.contains("通信がまだありません"), "{}", never.ja);
    device.check_in(&house, 1, 1);
    let idle: WhyView = house.get(path, &token).read();
    assert!(idle.en.contains("Nothing is waiting"), "{}", idle.en);
    assert_eq!(house.get("/v1/sites/north/devices/ghost/why", &token).code(), "not_found");
    assert_eq!(house.get("/v1/sites/north/devices/%20/why", &token).code(), "path_malformed");
}
