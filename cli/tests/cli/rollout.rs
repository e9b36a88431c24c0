//! Watching a rollout, letting a halted wave go on, and acts on their way to the record.

use crate::approval::{APPROVE, hospital, signed};
use crate::double::Double;
use crate::place::{Place, Run};
use patchward_protocol::act::{Meaning, Subject};
use patchward_protocol::digest::Sha256Digest;
use serde_json::{Value, json};

const SITE: &str = "--site city-hospital";

fn wave(n: u32, state: &str, updated: u32, failed: u32) -> Value {
    json!({
        "wave": n, "state": state, "devices": 4, "activated": updated + failed, "updated": updated,
        "failed": failed, "silent": 0, "clinical_use_h": 12, "opened_at": null,
        "soak_until": "2026-11-24T17:00:00Z", "halts": failed,
        "halted_because": (failed > 0).then_some("pump-07: health check failed"),
    })
}

fn watched() -> (Place, Double) {
    let (place, server) = (Place::new(), Double::start());
    place.login(&server);
    place.key("ta");
    server.state.lock().unwrap().consent.rollouts = vec![json!({
        "approval": "infusion-a-12-v2", "approval_sha256": Sha256Digest::of(b"approval"),
        "image": {"family": "acme.infusion-a", "version": "2.4.1", "seq": 12,
                  "image_sha256": Sha256Digest::of(b"image")},
        "valid_until": "2026-12-05T06:30:00Z",
        "waves": [wave(0, "soaking", 4, 0), wave(1, "halted", 1, 2), wave(2, "planned", 0, 0)],
        "look_at": ["pump-07"], "reason": null,
    })];
    (place, server)
}

fn resume(place: &Place, more: &str) -> Run {
    let words = format!(
        "rollout resume {SITE} --approval infusion-a-12-v2 --key ta.key --passphrase-file pass {more}"
    );
    let given = ["--name", "田中花子", "--role", "ME", "--reason", "cable replaced"];
    place.run_words(&words.split_whitespace().chain(given).collect::<Vec<_>>())
}

#[test]
fn waves_counters_and_the_device_to_look_at_are_shown_in_both_languages() {
    let (place, _server) = watched();
    let list = place.good(&format!("rollout list {SITE}"));
    assert!(list.out.contains("5/12 updated — wave 1 HALTED"), "{}", list.out);
    let shown = place.good(&format!("rollout show {SITE}"));
    for word in [
        "wave 0: being watched — 4 devices, 4 activated, 4 updated, 0 failed",
        "watched at least until 2026-11-25 02:00:00 Asia/Tokyo (2026-11-24T17:00:00Z)",
        "HALTED because: pump-07: health check failed",
        "pump-07: It is in use on a patient.",
    ] {
        assert!(shown.out.contains(word), "{word}\n{}", shown.out);
    }
    let shown = place.good(&format!("rollout show {SITE} --lang ja"));
    for word in ["第0段階: 経過観察中", "停止の理由:", "確認が必要な機器 1 台"]
    {
        assert!(shown.out.contains(word), "{word}\n{}", shown.out);
    }
    let run = place.refused("rollout_unknown", &format!("rollout show {SITE} --approval other"));
    assert!(run.err.contains("- infusion-a-12-v2"), "{}", run.err);
}

#[test]
fn a_halted_wave_goes_on_by_a_signature_that_counts_for_this_halt() {
    let (place, server) = watched();
    let run = resume(&place, "--wave 1");
    assert!(run.err.contains("error[not_confirmed]"), "{}", run.err);
    assert!(run.err.contains("HALTED because: pump-07"), "failures come first: {}", run.err);
    assert!(resume(&place, "--wave 1 --yes-wave 2").err.contains("error[not_confirmed]"));
    assert!(resume(&place, "--wave 0 --yes-wave 0").err.contains("error[wave_not_halted]"));
    assert!(resume(&place, "--wave 7 --yes-wave 7").err.contains("error[rollout_unknown]"));
    assert!(server.state.lock().unwrap().consent.acts.is_empty());
    let run = resume(&place, "--wave 1 --yes-wave 1");
    assert!(run.out.contains("may go on after its halt no. 2"), "{}{}", run.out, run.err);
    let state = server.state.lock().unwrap();
    let act = &state.consent.acts[0];
    let Subject::Wave { approval_sha256, wave, halts } = act.subject else {
        panic!("a wave: {:?}", act.subject)
    };
    assert_eq!((approval_sha256, wave, halts), (Sha256Digest::of(b"approval"), 1, 2));
    assert_eq!(act.meaning, Meaning::Resumed);
}

#[test]
fn publishing_an_approval_files_the_acts_of_both_signers_once() {
    let (place, server) = hospital();
    place.good(&format!("{APPROVE} --device pump-01 --out a1"));
    let staged = "a1/targets-v2.stage.json";
    signed(&place, staged, 2);
    // An act on other content is left alone.
    place.write("a1/acts/note.txt", "no act");
    let run = place.good(&format!("stage publish {staged}"));
    assert!(run.out.contains("in the record: 田中花子 (ta) — approved, entry 0"), "{}", run.out);
    let acts = "a1/acts/infusion-a-12-v2.v2.ta.act.json a1/acts/infusion-a-12-v2.v2.tb.act.json";
    let again = place.json(&format!("act file {acts}"));
    assert_eq!(again["filed"][1]["record_index"], 1);
    assert_eq!(server.state.lock().unwrap().consent.acts.len(), 2);
    place.write("bad.act.json", "{}");
    place.refused("act_bad", &format!("act file {acts} bad.act.json"));
}

#[test]
fn acts_that_the_server_refuses_do_not_undo_the_publication() {
    let (place, server) = hospital();
    place.good(&format!("{APPROVE} --device pump-01 --out a1"));
    signed(&place, "a1/targets-v2.stage.json", 2);
    server.state.lock().unwrap().consent.refuses_acts = true;
    let run = place.run("stage publish a1/targets-v2.stage.json");
    assert!(run.err.contains("error[acts_not_filed]") && run.err.contains("ta.act.json"));
    server.state.lock().unwrap().consent.refuses_acts = false;
    place.good("act file a1/acts/infusion-a-12-v2.v2.ta.act.json");
}

#[test]
fn merging_a_copy_takes_its_act_along() {
    let (place, server) = hospital();
    place.good(&format!("{APPROVE} --device pump-01 --out a1"));
    crate::stage::copy_folder(&place, "a1", "a2");
    let sign = |folder: &str, person: &str| {
        let words = format!(
            "stage sign {folder}/targets-v2.stage.json --key {person}.key --passphrase-file pass \
             --yes-version 2 --name {person} --role R --reason R"
        );
        place.good(&words);
    };
    sign("a1", "ta");
    sign("a2", "tb");
    place.good("stage merge a1/targets-v2.stage.json a2/targets-v2.stage.json");
    place.good("stage publish a1/targets-v2.stage.json");
    let acts = server.state.lock().unwrap();
    let people: Vec<_> = acts.consent.acts.iter().map(|act| act.name.as_str()).collect();
    assert_eq!(people, ["ta", "tb"]);
}
