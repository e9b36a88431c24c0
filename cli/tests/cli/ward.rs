//! Planning by ward rules, judging twice, going back, policies, emergencies, drafts that are given up.

use crate::approval::hospital;
use crate::double::Double;
use crate::place::{PREPARE, Place, Run};
use patchward_protocol::approval::{Action, Approval, Urgency};
use patchward_protocol::key::{SecretKey, Signer as _};
use serde_json::{Value, json};

const AT: &str = "--site city-hospital";
const RELEASE: &str = "--site city-hospital --family acme.infusion-a --release 2.4.1";
const WORDS: [&str; 6] = ["--name", "田中花子", "--role", "臨床工学技士", "--reason", "CVE"];

fn device(n: u8, installed: Value) -> Value {
    let key = SecretKey::from_seed(&[n; 32]).public();
    json!({
        "device": format!("pump-{n:02}"), "management": "agent", "family": "acme.infusion-a",
        "hardware": "infusion-a.rev2", "device_key": key, "fingerprint": key.fingerprint(),
        "installed": installed, "state": null, "reason": null, "last_seen": null,
        "ledger_id": null, "ledger_seq": 0, "forked": false,
    })
}

/// Two wards of pumps, one spare, one without an agent; a window every night.
fn wards() -> (Place, Double) {
    let (place, server) = hospital();
    let mut devices: Vec<_> = (1..=9).map(|n| device(n, json!(null))).collect();
    let mut manual = device(10, json!(null));
    manual["management"] = json!("manual");
    manual["device_key"] = json!(null);
    devices.push(manual);
    devices.push(device(
        11,
        json!({
            "family": "acme.infusion-a", "version": "2.4.1", "seq": 12,
            "image_sha256": patchward_protocol::digest::Sha256Digest::of(b"x"),
        }),
    ));
    let every_night = "mon tue wed thu fri sat sun".split(' ').collect::<Vec<_>>();
    let listed: Vec<_> = (1..=11)
        .map(|n| {
            let ward = if n <= 6 { "icu" } else { "er" };
            let usage = if n == 9 { "spare" } else { "in-service" };
            json!({"id": format!("pump-{n:02}"), "ward": ward, "kind": "infusion-pump", "usage": usage})
        })
        .collect();
    let inventory = json!({
        "v": 1, "site": "city-hospital", "revision": 1, "tz": "Asia/Tokyo",
        "wards": [
            {"id": "icu", "name_en": "Intensive care", "name_ja": "集中治療室",
             "min_in_service": [{"kind": "infusion-pump", "count": 4}]},
            {"id": "er", "name_en": "Emergency room", "name_ja": "救急外来"},
        ],
        "devices": listed,
        "rules": {
            "windows": ["night"], "soak_s": [86400],
            "staff_on_site": [{"days": every_night, "start": "00:00", "minutes": 1440}],
        },
        "windows": [{"id": "night", "name_en": "Night", "name_ja": "夜間",
            "rule": {"kind": "weekly", "days": every_night, "start": "02:00", "minutes": 120}}],
    });
    let mut state = server.state.lock().unwrap();
    state.devices = json!(devices);
    state.consent.inventory = Some(inventory);
    drop(state);
    (place, server)
}

fn sign(place: &Place, staged: &str, person: &str, version: u64, more: &str) -> Run {
    let words = format!(
        "stage sign {staged} --key {person}.key --passphrase-file pass --yes-version {version} {more}"
    );
    let words: Vec<_> = words.split_whitespace().chain(WORDS).collect();
    place.run_words(&words)
}

fn refuses(run: &Run, code: &str, words: &[&str]) {
    assert!(run.err.contains(&format!("error[{code}]")), "{code}\n{}{}", run.out, run.err);
    for word in words {
        assert!(run.err.contains(word), "{word}\n{}", run.err);
    }
}

fn set_ward(server: &Double, field: &str, value: Value) {
    let mut state = server.state.lock().unwrap();
    let inventory = state.consent.inventory.as_mut().unwrap();
    inventory["wards"][0][field] = value;
    inventory["revision"] = json!(inventory["revision"].as_u64().unwrap() + 1);
}

fn approval(place: &Place, path: &str) -> Approval {
    Approval::read(&place.read(path)).unwrap()
}

#[test]
fn a_plan_shows_waves_wards_hours_reasons_and_what_canaries_can_find() {
    let (place, server) = wards();
    let run = place.good(&format!("plan {RELEASE}"));
    for word in [
        "wave 0: 1 devices, then watched for 24 h",
        "  pump-09  er  ",
        "02:00:00 Asia/Tokyo (",
        "T17:00:00Z)",
        "pump-10: It has no agent; update it by hand and record it. [no_agent]",
        "pump-11: It runs it already, or a newer one. [runs_it]",
        "find a fault of one device in twenty with a probability of 5 %",
    ] {
        assert!(run.out.contains(word), "{word}\n{}", run.out);
    }
    let run = place.good(&format!("plan {RELEASE} --lang ja"));
    for word in [
        "第0段階: 1 台",
        "エージェントがないため",
        "適用済みか、より新しい版です",
        "5 % の確率で発見",
    ] {
        assert!(run.out.contains(word), "{word}\n{}", run.out);
    }
    let value = place.json(&format!("plan {RELEASE} --ward icu"));
    let part = &value["parts"][0];
    assert_eq!(part["devices"].as_array().unwrap().len(), 6);
    assert!(part["devices"][0]["slots"][0][0].as_str().unwrap().ends_with("Z"));
    place.refused("plan_refused", &format!("plan {RELEASE} --ward nowhere"));
    place.refused("usage", &format!("plan {RELEASE} --any-hours"));
    place.refused("release_unknown", &format!("plan {RELEASE}9"));
    server.state.lock().unwrap().consent.inventory = None;
    place.refused("inventory_unknown", &format!("plan {RELEASE}"));
}

#[test]
fn an_approval_without_devices_is_planned_judged_signed_and_published() {
    let (place, server) = wards();
    let run = place.good(&format!("approve {RELEASE} --out a1"));
    assert!(
        run.out.contains("wave 1: ") && run.out.contains("pump-10: It has no agent"),
        "{}",
        run.out
    );
    let drafted = approval(&place, "a1/targets/approval/infusion-a-12-v2.json");
    assert_eq!(drafted.devices.len(), 9);
    assert!(drafted.waves.len() > 2 && drafted.gates.halt_permille == [0, 0, 20]);
    let staged = "a1/targets-v2.stage.json";
    let run = sign(&place, staged, "ta", 2, "");
    assert!(run.err.contains("this key signs by them for the first time"), "{}", run.err);
    assert!(sign(&place, staged, "tb", 2, "").status == 0);
    let status = place.json(&format!("stage status {staged}"));
    assert_eq!(status["approvals"][0]["complete"], true);
    place.good(&format!("stage publish {staged}"));
    // What is approved is not planned again, unless somebody asks for it.
    let run = place.refused("plan_refused", &format!("approve {RELEASE} --out a2"));
    assert!(
        run.err.contains("names it already; ask for it to be planned again. (infusion-a-12-v2)"),
        "{}",
        run.err
    );
    let again = place.json(&format!("plan {RELEASE} --again"));
    assert!(!again["parts"][0]["devices"].as_array().unwrap().is_empty());
    drop(server);
}

#[test]
fn a_signer_is_shown_what_changed_and_refuses_a_plan_that_no_longer_holds() {
    let (place, server) = wards();
    place.good(&format!("approve {RELEASE} --out a1"));
    let staged = "a1/targets-v2.stage.json";
    assert_eq!(sign(&place, staged, "ta", 2, "").status, 0);
    // Somebody loosens a rule between two signatures: this key sees it.
    set_ward(&server, "min_in_service", json!([{"kind": "infusion-pump", "count": 1}]));
    let run = sign(&place, staged, "ta", 2, "");
    assert!(run.err.contains("CHANGED IN THE INVENTORY SINCE THIS KEY LAST SIGNED"), "{}", run.err);
    assert!(run.err.contains("! ward icu: min_in_service:"), "{}", run.err);
    // The ward needs all of its pumps now: the plan breaks the rule, and nobody signs in silence.
    set_ward(&server, "min_in_service", json!([{"kind": "infusion-pump", "count": 6}]));
    let run = sign(&place, staged, "tb", 2, "");
    refuses(&run, "plan_violates", &["below_minimum: Too few devices"]);
    let run = sign(&place, staged, "tb", 2, "--lang ja");
    refuses(&run, "plan_violates", &["病棟の最低稼働台数を下回ります"]);
    refuses(&sign(&place, staged, "tb", 2, "--accept-violation nonsense"), "value_bad", &[]);
    let run = sign(&place, staged, "tb", 2, "--accept-violation below_minimum");
    assert_eq!(run.status, 0, "{}", run.err);
    assert!(run.err.contains("ACCEPTED although it breaks a rule: below_minimum"), "{}", run.err);
    place.good(&format!("stage publish {staged}"));
    let state = server.state.lock().unwrap();
    let reasons: Vec<_> = state.consent.acts.iter().map(|act| act.reason.as_str()).collect();
    assert_eq!(reasons, ["CVE", "CVE [accepted: below_minimum]"]);
}

#[test]
fn a_machine_without_network_judges_by_what_travelled_with_the_draft() {
    let (place, server) = wards();
    place.good(&format!("approve {RELEASE} --out a1"));
    let staged = "a1/targets-v2.stage.json";
    let run = sign(&place, staged, "ta", 2, "--against stored");
    assert_eq!(run.status, 0, "{}", run.err);
    assert!(run.err.contains("for the first time"), "{}", run.err);
    std::fs::remove_file(place.path("a1/inventory.json")).unwrap();
    let run = sign(&place, staged, "ta", 2, "--against stored");
    refuses(&run, "inventory_unseen", &["revision 1"]);
    place.good(&format!("inventory export {AT} --out inv.json"));
    let devices = server.state.lock().unwrap().devices.to_string();
    place.write("dev.json", devices);
    let run = sign(
        &place,
        staged,
        "ta",
        2,
        "--against stored --inventory inv.json --devices-file dev.json",
    );
    assert!(run.err.contains("unchanged since this key last signed"), "{}", run.err);
}

#[test]
fn devices_and_hours_given_by_hand_are_judged_and_each_broken_rule_is_accepted_by_name() {
    let (place, _server) = wards();
    let by_hand = format!(
        "approve {RELEASE} --device pump-01 --device pump-02 --slot @13T04:30:00Z/@13T06:30:00Z --out a1"
    );
    let run = place.refused("plan_violates", &by_hand);
    for code in ["outside_window: A slot leaves the windows", "first_too_wide:"] {
        assert!(run.err.contains(code), "{code}\n{}", run.err);
    }
    let accepted = "--accept-violation outside_window --accept-violation first_too_wide";
    let run = place.good(&format!("{by_hand} {accepted}"));
    assert!(run.out.contains("ACCEPTED although it breaks a rule: outside_window"), "{}", run.out);
    let summary = String::from_utf8(place.read("a1/summary-ja.txt")).unwrap();
    assert!(summary.contains("規則違反を承知のうえで承認: first_too_wide"), "{summary}");
    // The signer's own machine asks again.
    let staged = "a1/targets-v2.stage.json";
    refuses(&sign(&place, staged, "ta", 2, ""), "plan_violates", &["outside_window"]);
    assert_eq!(sign(&place, staged, "ta", 2, accepted).status, 0);
}

/// A newer release runs on two pumps; its maker permits the way back to 2.4.1.
fn newer() -> (Place, Double) {
    let (place, server) = wards();
    let dossier = String::from_utf8(place.read("dossier.toml")).unwrap();
    let dossier = dossier
        .replace("version = \"2.4.1\"", "version = \"2.5.0\"")
        .replace("seq = 12", "seq = 13")
        .replace("rollback_ok = [10, 11]", "rollback_ok = [12]")
        .replace("CVE-2026-1234", "CVE-2026-9999");
    place.write("dossier.toml", dossier);
    place.write("image/bin/pump", b"#!/bin/sh\nexit 1\n");
    place.good(&format!("{PREPARE} --out r2"));
    for person in ["ta", "tb"] {
        place.sign("r2/targets-v3.stage.json", person, 3, "");
    }
    place.good("stage publish r2/targets-v3.stage.json");
    let staged: Value = serde_json::from_slice(&place.read("r2/targets-v3.stage.json")).unwrap();
    let fw = &staged["signed"]["targets"]["img/infusion-a-2.5.0.pwd"]["custom"]["fw"];
    let installed = json!({
        "family": "acme.infusion-a", "version": "2.5.0", "seq": 13,
        "image_sha256": fw["payload"]["image_sha256"],
    });
    let mut state = server.state.lock().unwrap();
    for n in [0, 1] {
        state.devices[n]["installed"] = installed.clone();
    }
    drop(state);
    (place, server)
}

#[test]
fn going_back_names_the_holes_and_asks_for_a_control_an_owner_and_a_day() {
    let (place, server) = newer();
    let back = format!("approve {RELEASE} --rollback");
    let slot = "--slot @13T17:00:00Z/@13T19:00:00Z --accept-violation first_too_wide";
    let run = place.refused(
        "rollback_not_permitted",
        &format!("{back} --device pump-01 --device pump-03 {slot} --out b0"),
    );
    assert!(run.err.contains("- pump-03: It does not say what runs on it."), "{}", run.err);
    assert!(!run.err.contains("- pump-01"), "{}", run.err);
    let run = place.good(&format!("plan {RELEASE} --rollback"));
    assert!(run.out.contains("GOING BACK OPENS AGAIN: CVE-2026-9999"), "{}", run.out);
    let run = place.good(&format!("{back} --out b1"));
    assert!(run.out.contains("pump-03: It does not say what runs on it."), "{}", run.out);
    let drafted = approval(&place, "b1/targets/approval/infusion-a-12-v2.json");
    assert_eq!((drafted.action, drafted.devices.len()), (Action::Rollback, 2));
    let staged = "b1/targets-v2.stage.json";
    refuses(&sign(&place, staged, "ta", 2, ""), "control_missing", &["- CVE-2026-9999"]);
    refuses(
        &sign(&place, staged, "ta", 2, "--control isolated --owner IT --due 2020-01-01"),
        "control_missing",
        &["a day to come"],
    );
    for person in ["ta", "tb"] {
        let run =
            sign(&place, staged, person, 2, "--control isolated --owner IT --due @20T00:00:00Z");
        assert_eq!(run.status, 0, "{}", run.err);
    }
    place.good(&format!("stage publish {staged}"));
    let state = server.state.lock().unwrap();
    let control = state.consent.acts[0].compensating.as_ref().unwrap();
    assert_eq!(control.cves, ["CVE-2026-9999"]);
    assert_eq!((control.control.as_str(), control.owner.as_str()), ("isolated", "IT"));
}

#[test]
fn a_policy_is_signed_once_by_as_many_persons_as_the_hospital_says() {
    let (place, _server) = wards();
    let policy = format!(
        "approve standing {AT} --family acme.infusion-a --class security --class security+fix \
         --severity-min high --exploited-always --days 60 --out s1"
    );
    let run = place.good(&policy);
    for word in ["EVERY RELEASE of acme.infusion-a", "of the kinds security, security+fix"] {
        assert!(run.out.contains(word), "{word}\n{}", run.out);
    }
    let drafted = approval(&place, "s1/targets/approval/standing-v2.json");
    assert_eq!(drafted.action, Action::Standing);
    assert!(drafted.devices.iter().all(|device| device.slots.len() > 3));
    let summary = String::from_utf8(place.read("s1/summary-ja.txt")).unwrap();
    assert!(summary.contains("悪用が確認された脆弱性は深刻度によらず対象"), "{summary}");
    let staged = "s1/targets-v2.stage.json";
    assert_eq!(sign(&place, staged, "ta", 2, "").status, 0);
    let status = place.good(&format!("stage status {staged}"));
    assert!(status.out.contains("standing-v2: 1 of 2 persons (ta), 1 MISSING"), "{}", status.out);
    place.refused("signatures_missing", &format!("stage publish {staged}"));
    assert_eq!(sign(&place, staged, "tb", 2, "").status, 0);
    place.good(&format!("stage publish {staged}"));
    place.refused("usage", &policy.replace("--days 60", "--days 91"));
}

#[test]
fn an_emergency_is_over_within_a_day_and_says_who_is_missing() {
    let (place, _server) = wards();
    place.good(&format!("approve {RELEASE} --emergency --any-hours --out e1"));
    let drafted = approval(&place, "e1/targets/approval/infusion-a-12-v2.json");
    assert_eq!(drafted.urgency, Urgency::Emergency);
    assert!(drafted.valid_until.millis_since(drafted.issued) <= 24 * 3600 * 1000);
    let staged = "e1/targets-v2.stage.json";
    let run = sign(&place, staged, "ta", 2, "");
    assert_eq!(run.status, 0, "{}", run.err);
    let status = place.good(&format!("stage status {staged} --lang ja"));
    assert!(
        status.out.contains("署名者 1 / 2 名(ta)、1 名不足、offline 以上の署名: あり"),
        "{}",
        status.out
    );
    assert_eq!(place.json(&format!("stage status {staged}"))["complete"], false);
}

#[test]
fn a_draft_that_was_given_up_makes_room_for_another_and_is_never_signed_again() {
    let (place, _server) = wards();
    place.good(&format!("approve {RELEASE} --out a1"));
    place.good(&format!("approve {RELEASE} --ward icu --out a2"));
    let (old, new) = ("a1/targets-v2.stage.json", "a2/targets-v2.stage.json");
    assert_eq!(sign(&place, old, "ta", 2, "").status, 0);
    refuses(&sign(&place, new, "ta", 2, ""), "signer_saw_other", &[]);
    refuses(&sign(&place, new, "ta", 2, "--abandoned 3"), "not_abandoned", &["another version"]);
    refuses(&sign(&place, new, "tb", 2, "--abandoned 2"), "not_abandoned", &["not signed here"]);
    refuses(&sign(&place, old, "ta", 2, "--abandoned 2"), "not_abandoned", &["this very draft"]);
    let run = sign(&place, new, "ta", 2, "--abandoned 2");
    assert_eq!(run.status, 0, "{}", run.err);
    assert!(run.err.contains("Its signatures must never be used"), "{}", run.err);
    refuses(&sign(&place, old, "ta", 2, ""), "signer_saw_other", &["was given up here"]);
    assert_eq!(sign(&place, new, "ta", 2, "").status, 0);
}

#[test]
fn a_site_of_more_than_two_thousand_devices_gets_several_approvals_in_one_draft() {
    let (place, server) = wards();
    let key = |n: u32| {
        let mut seed = [9; 32];
        seed[..4].copy_from_slice(&n.to_be_bytes());
        SecretKey::from_seed(&seed).public()
    };
    let (mut devices, mut listed) = (Vec::new(), Vec::new());
    for n in 0..2_100_u32 {
        let id = format!("lamp-{n:04}");
        let mut view = device(1, json!(null));
        view["device"] = json!(id);
        view["device_key"] = json!(key(n));
        devices.push(view);
        listed.push(json!({"id": id, "ward": format!("w{}", n / 700), "kind": "lamp"}));
    }
    let mut state = server.state.lock().unwrap();
    state.devices = json!(devices);
    let inventory = state.consent.inventory.as_mut().unwrap();
    inventory["devices"] = json!(listed);
    inventory["wards"] =
        (0..3).map(|n| json!({"id": format!("w{n}"), "name_en": "W", "name_ja": "病棟"})).collect();
    drop(state);
    let said = place.json(&format!("approve {RELEASE} --out a1"));
    assert_eq!(said["approvals"], json!(["infusion-a-12-v2", "infusion-a-12-v2-part2"]));
    let count =
        |id: &str| approval(&place, &format!("a1/targets/approval/{id}.json")).devices.len();
    let counts = [count("infusion-a-12-v2"), count("infusion-a-12-v2-part2")];
    assert_eq!(counts, [1400, 700]);
    let run = sign(&place, "a1/targets-v2.stage.json", "ta", 2, "");
    assert_eq!(run.status, 0, "{}", run.err);
}
