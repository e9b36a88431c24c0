//! A hospital's side: from the verified release to a signed approval, its withdrawal, and packs.

use crate::double::Double;
use crate::place::{PREPARE, Place, dated};
use base64::Engine as _;
use patchward_protocol::act::{Act, Meaning, Subject};
use patchward_protocol::approval::{Approval, ApprovalState};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::key::{PublicKey, SecretKey, Signer as _};
use patchward_protocol::pack::EnrolmentPack;
use serde_json::json;

const FAMILY: &str = "family:acme.infusion-a";
const SITE: &str = "site:city-hospital";
pub(crate) const APPROVE: &str = "approve --site city-hospital --family acme.infusion-a --release 2.4.1 \
    --slot @13T04:30:00Z/@13T06:30:00Z --issued @0T06:00:00Z";

fn device_key() -> PublicKey {
    SecretKey::from_seed(&[7; 32]).public()
}

pub(crate) fn hospital() -> (Place, Double) {
    let (place, server) = (Place::new(), Double::start());
    place.login(&server);
    place.publish_first(FAMILY);
    place.release_inputs();
    place.good(&format!("{PREPARE} --out r1"));
    for person in ["ta", "tb"] {
        place.sign("r1/targets-v2.stage.json", person, 2, "");
    }
    place.good("stage publish r1/targets-v2.stage.json");
    place.publish_first(SITE);
    let device = |id: &str, hardware: &str, key: serde_json::Value| {
        json!({
            "device": id, "management": if key.is_null() { "manual" } else { "agent" },
            "family": "acme.infusion-a", "hardware": hardware, "device_key": key,
            "fingerprint": null, "installed": null, "state": null, "reason": null,
            "last_seen": null, "ledger_id": null, "ledger_seq": 0, "forked": false,
        })
    };
    server.state.lock().unwrap().devices = json!([
        device("pump-01", "infusion-a.rev2", json!(device_key())),
        device("pump-old", "infusion-a.rev1", json!(SecretKey::from_seed(&[8; 32]).public())),
        device("pump-manual", "infusion-a.rev2", json!(null)),
    ]);
    (place, server)
}

pub(crate) fn signed(place: &Place, staged: &str, version: u64) {
    for (person, name) in [("ta", "田中花子"), ("tb", "鈴木一郎")] {
        let version = version.to_string();
        let key = format!("{person}.key");
        let run = place.run_words(&[
            "stage",
            "sign",
            staged,
            "--key",
            &key,
            "--passphrase-file",
            "pass",
            "--yes-version",
            &version,
            "--name",
            name,
            "--role",
            "臨床工学技士",
            "--reason",
            "脆弱性への対応",
        ]);
        assert_eq!(run.status, 0, "{}", run.err);
    }
}

#[test]
fn an_approval_names_device_hours_and_image_and_is_published() {
    let (place, _server) = hospital();
    let run = place.good(&format!("{APPROVE} --device pump-01 --out a1"));
    for word in [
        "acme.infusion-a 2.4.1 (seq 12)",
        &device_key().fingerprint(),
        "@13 13:30:00 Asia/Tokyo (@13T04:30:00Z)",
    ] {
        assert!(run.out.contains(&dated(word)), "{word}\n{}", run.out);
    }
    assert!(run.out.contains("downtime: about 125 s; 323 s at worst"), "{}", run.out);
    let summary = String::from_utf8(place.read("a1/summary-ja.txt")).unwrap();
    for word in ["使用できない時間: 通常 6 分、最大 15 分", "攻撃が確認されているため"]
    {
        assert!(summary.contains(word), "{word}\n{summary}");
    }
    let bytes = place.read("a1/targets/approval/infusion-a-12-v2.json");
    let approval = Approval::read(&bytes).unwrap();
    assert_eq!((approval.serial, approval.devices[0].key), (2, device_key()));
    let staged = "a1/targets-v2.stage.json";
    let shown = place.good(&format!("stage show {staged} --lang ja"));
    assert!(shown.out.contains("対象機器 1 台"), "{}", shown.out);
    signed(&place, staged, 2);
    place.good(&format!("stage publish {staged}"));
    let taken = place.refused(
        "approval_refused",
        &format!("{APPROVE} --device pump-01 --id infusion-a-12-v2 --out a2"),
    );
    assert!(taken.err.contains("is taken"));
}

#[test]
fn the_signed_act_names_the_approval_the_targets_and_the_person() {
    let (place, _server) = hospital();
    place.good(&format!("{APPROVE} --device pump-01 --out a1"));
    let staged = "a1/targets-v2.stage.json";
    let bare = format!("stage sign {staged} --key ta.key --passphrase-file pass --yes-version 2");
    let run = place.refused("value_bad", &bare);
    assert!(run.err.contains("--name") && run.err.contains("--reason"), "{}", run.err);
    signed(&place, staged, 2);
    let public: PublicKey =
        place.json("key show ta.key")["public"].as_str().unwrap().parse().unwrap();
    let sealed =
        Envelope::read(&compact(&place.read("a1/acts/infusion-a-12-v2.v2.ta.act.json"))).unwrap();
    let act: Act = sealed.open::<Act>(PayloadType::Act, &public).unwrap().into_inner();
    let approval = place.read("a1/targets/approval/infusion-a-12-v2.json");
    let Subject::Approval { approval_sha256, targets_sha256, .. } = act.subject else {
        panic!("an act on an approval: {:?}", act.subject)
    };
    assert_eq!(approval_sha256, Sha256Digest::of(&approval));
    assert_eq!((act.meaning, act.name.as_str()), (Meaning::Approved, "田中花子"));
    let shown = place.json(&format!("stage show {staged}"));
    assert_eq!(shown["signed_sha256"], json!(targets_sha256));
}

#[test]
fn a_withdrawn_approval_stays_listed_and_says_so() {
    let (place, _server) = hospital();
    place.good(&format!("{APPROVE} --device pump-01 --out a1"));
    signed(&place, "a1/targets-v2.stage.json", 2);
    place.good("stage publish a1/targets-v2.stage.json");
    let withdraw = "withdraw --site city-hospital --issued @0T07:00:00Z";
    let run = place.refused("approval_unknown", &format!("{withdraw} other --out w1"));
    assert!(run.err.contains("infusion-a-12-v2"));
    place.good(&format!("{withdraw} infusion-a-12-v2 --out w1"));
    let bytes = place.read("w1/targets/approval/infusion-a-12-v2.json");
    assert_eq!(Approval::read(&bytes).unwrap().state, ApprovalState::Withdrawn);
    signed(&place, "w1/targets-v3.stage.json", 3);
    place.good("stage publish w1/targets-v3.stage.json");
    // The way back to the approval is closed by the signers' own memory (attack 32).
    let text = String::from_utf8(place.read("a1/targets-v2.stage.json")).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    value["signed"]["version"] = json!(4);
    value["signatures"] = json!([]);
    place.write("a1/targets-v4.stage.json", value.to_string());
    let sign =
        "stage sign a1/targets-v4.stage.json --key ta.key --passphrase-file pass --yes-version 4";
    let words: Vec<_> =
        sign.split(' ').chain(["--name", "N", "--role", "R", "--reason", "R"]).collect();
    let run = place.refused_words("readded_entries", &words);
    assert!(run.err.contains("approval/infusion-a-12-v2.json"), "{}", run.err);
}

#[test]
fn devices_that_do_not_fit_are_all_named() {
    let (place, _server) = hospital();
    let words = "--device pump-01 --device pump-old --device pump-manual --device pump-99 --out a1";
    let run = place.refused("device_unknown", &format!("{APPROVE} {words}"));
    for line in
        ["pump-old: hardware infusion-a.rev1", "pump-manual: has no agent", "pump-99: not in"]
    {
        assert!(run.err.contains(line), "{line}\n{}", run.err);
    }
    assert!(!run.err.contains("- pump-01"));
    assert!(!place.path("a1").exists());
}

#[test]
fn hours_and_lives_outside_the_rules_are_refused() {
    let (place, _server) = hospital();
    let run = place
        .refused("approval_refused", &format!("{APPROVE} --device pump-01 --emergency --out a1"));
    assert!(run.err.contains("24 hours"), "{}", run.err);
    let overlap = "--slot @13T05:30:00Z/@13T07:30:00Z";
    place.refused("approval_refused", &format!("{APPROVE} {overlap} --device pump-01 --out a1"));
    place.refused("value_bad", &format!("{APPROVE} --tz Asia/Edo --device pump-01 --out a1"));
    place.refused("usage", &format!("{APPROVE} --slot tomorrow --device pump-01 --out a1"));
    let other = APPROVE.replace("2.4.1", "9.9.9");
    let run = place.refused("release_unknown", &format!("{other} --device pump-01 --out a1"));
    assert!(run.err.contains("2.4.1 (seq 12) released"), "{}", run.err);
}

#[test]
fn a_slot_too_short_for_the_worst_case_is_pointed_out() {
    let (place, _server) = hospital();
    let short = "--device pump-01=@13T04:30:00Z/@13T04:31:00Z --out a1";
    let run = place.good(&format!("{APPROVE} {short}"));
    assert!(run.out.contains("the device will wait: pump-01"), "{}", run.out);
}

#[test]
fn a_pack_carries_the_root_of_this_machine_and_not_the_servers_word() {
    let (place, server) = hospital();
    place.good("site pack city-hospital --family acme.infusion-a --device pump-02 --out pump.pack");
    let pack = EnrolmentPack::read(&place.read("pump.pack")).unwrap();
    let root = base64::engine::general_purpose::STANDARD.decode(&pack.site_root).unwrap();
    assert_eq!(root, place.read("first-site:city-hospital/root-v1.stage.json"));
    assert_eq!((pack.url, pack.token.as_str()), (server.url(), "pe_once"));
    place
        .refused("file_exists", "site pack city-hospital --family acme.infusion-a --out pump.pack");
    place.refused("root_unknown", "site pack other-hospital --family acme.infusion-a --out x.pack");
}

/// Envelopes are read strictly; white space between tokens is allowed by JSON.
fn compact(bytes: &[u8]) -> Vec<u8> {
    serde_json::to_vec(&serde_json::from_slice::<serde_json::Value>(bytes).unwrap()).unwrap()
}
