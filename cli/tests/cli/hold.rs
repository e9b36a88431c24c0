//! STOP without a key, lifting with one; the manufacturer's campaign; why a device waits.

use crate::approval::hospital;
use crate::double::Double;
use crate::place::Place;
use patchward_protocol::act::{Meaning, Subject};
use serde_json::json;

const SITE: &str = "--site city-hospital";

fn quoted(place: &Place, words: &str, more: &[&str]) -> crate::place::Run {
    let words: Vec<_> = words.split_whitespace().chain(more.iter().copied()).collect();
    place.run_words(&words)
}

fn ward_hold(place: &Place) -> crate::place::Run {
    let words = format!("hold set {SITE} --ward icu --review-hours 5");
    let run = quoted(place, &words, &["--reason", "alarm test", "--owner", "Suzuki"]);
    assert_eq!(run.status, 0, "{}", run.err);
    run
}

fn bare() -> (Place, Double) {
    let (place, server) = (Place::new(), Double::start());
    place.login(&server);
    (place, server)
}

#[test]
fn a_ward_is_stopped_without_a_key_and_the_answer_says_how_many_devices() {
    let (place, server) = bare();
    let run = ward_hold(&place);
    for word in ["HELD: ward icu", "3 devices", "id h-1"] {
        assert!(run.out.contains(word), "{word}\n{}", run.out);
    }
    let listed = place.good(&format!("hold list {SITE} --lang ja"));
    for word in ["病棟 icu", "医療機関の保留", "理由: alarm test", "担当 Suzuki"] {
        assert!(listed.out.contains(word), "{word}\n{}", listed.out);
    }
    assert_eq!(server.state.lock().unwrap().consent.holds[0]["target"]["ward"], "icu");
    let both = format!("hold set {SITE} --ward icu --device pump-01 --reason R --owner O");
    place.refused("usage", &both);
    place.refused("usage", "hold set --reason R --owner O");
    place.refused(
        "usage",
        &format!("hold set {SITE} --ward icu --by operator --reason R --owner O"),
    );
    place.refused("usage", "hold set --by maker --reason R --owner O");
}

#[test]
fn device_site_and_everything_are_scopes_too() {
    let (place, server) = bare();
    let more = "--reason R --owner O";
    place.good(&format!("hold set {SITE} --device pump-01 {more}"));
    place.good(&format!("hold set {SITE} {more}"));
    place.good(&format!("hold set --by operator {more}"));
    let held = place.json(&format!("hold list {SITE}"));
    let scopes: Vec<_> =
        held.as_array().unwrap().iter().map(|hold| hold["target"]["scope"].clone()).collect();
    assert_eq!(scopes, ["device", "site", "site"]);
    place.good("hold end h-3");
    place.refused("hold_unknown", "hold end h-9");
    assert!(!server.state.lock().unwrap().consent.holds[2]["lifted_at"].is_null());
}

#[test]
fn a_hospitals_hold_is_lifted_by_a_signed_act_and_only_its_own() {
    let (place, server) = bare();
    place.key("ta");
    ward_hold(&place);
    place.good("hold set --by operator --reason R --owner O");
    let lift = |id: &str| {
        let words = format!("hold lift {id} {SITE} --key ta.key --passphrase-file pass");
        quoted(&place, &words, &["--name", "田中花子", "--role", "ME", "--reason", "finished"])
    };
    let bare = format!("hold lift h-1 {SITE} --key ta.key --passphrase-file pass");
    let run = place.refused("value_bad", &bare);
    assert!(run.err.contains("--name") && run.err.contains("--role"), "{}", run.err);
    assert!(lift("h-2").err.contains("error[hold_unknown]"));
    let unknown = lift("h-7");
    assert!(unknown.err.contains("error[hold_unknown]") && unknown.err.contains("- h-1"));
    let run = lift("h-1");
    assert!(run.out.contains("lifted: h-1 — ward icu"), "{}{}", run.out, run.err);
    let state = server.state.lock().unwrap();
    let act = &state.consent.acts[0];
    let Subject::Hold { hold } = &act.subject else { panic!("a hold: {:?}", act.subject) };
    assert_eq!((hold.as_str(), act.meaning), ("h-1", Meaning::HoldLifted));
    assert_eq!((act.name.as_str(), act.reason.as_str()), ("田中花子", "finished"));
}

#[test]
fn a_manufacturer_pauses_a_release_everywhere_and_narrows_its_campaign() {
    let (place, server) = hospital();
    let of = "--family acme.infusion-a --release 2.4.1";
    place.good(&format!("hold set --by maker {of} --reason R --owner PSIRT"));
    let state = server.state.lock().unwrap().consent.holds[0].clone();
    assert_eq!(
        (state["by"].as_str(), state["target"]["scope"].as_str()),
        (Some("maker"), Some("release"))
    );
    place.refused(
        "release_unknown",
        "hold set --by maker --family acme.infusion-a --release 9.9 --reason R --owner O",
    );
    let run = place.good(&format!(
        "campaign set {of} --sites city-hospital,north-clinic --sites-open 1 --percent 25"
    ));
    for word in ["city-hospital: may go", "north-clinic: waits", "every other site: waits", "25 %"]
    {
        assert!(run.out.contains(word), "{word}\n{}", run.out);
    }
    let paused = place.good(&format!("campaign pause {of} --lang ja"));
    assert!(paused.out.contains("一時停止中") && paused.out.contains("25 %"), "{}", paused.out);
    let shown = place.json(&format!("campaign show {of}"));
    assert_eq!((&shown["state"], &shown["revision"]), (&json!("paused"), &json!(2)));
    place.good(&format!("campaign resume {of}"));
    server.state.lock().unwrap().consent.overtaken = true;
    place.refused("campaign_conflict", &format!("campaign set {of} --percent 50"));
}

#[test]
fn the_hospital_holds_a_release_by_its_version() {
    let (place, server) = hospital();
    let words = "--family acme.infusion-a --release 2.4.1 --reason R --owner O";
    let run = place.good(&format!("hold set {SITE} {words}"));
    assert!(run.out.contains("release acme.infusion-a ("), "{}", run.out);
    assert_eq!(server.state.lock().unwrap().consent.holds[0]["by"], "site");
}

#[test]
fn why_a_device_waits_is_one_sentence_in_either_language() {
    let (place, _server) = bare();
    let run = place.good(&format!("why pump-01 {SITE}"));
    assert!(run.out.starts_with("pump-01: It is in use on a patient."), "{}", run.out);
    assert!(run.out.contains("nobody approved for it: acme.infusion-a"), "{}", run.out);
    let run = place.good(&format!("why pump-01 {SITE} --lang ja"));
    assert!(run.out.starts_with("pump-01: 患者に使用中です。"), "{}", run.out);
    assert!(run.out.contains("16:00:00 Asia/Tokyo"), "{}", run.out);
}
