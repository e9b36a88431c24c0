//! Who may list deltas: delegated at the beginning, later, to another key, and taken back; in words.

use crate::double::Double;
use crate::place::{PREPARE, Place};
use serde_json::{Value, json};

const FAMILY: &str = "family:acme.infusion-a";
const EN: &str = "the server may list deltas; it cannot list images";
const JA: &str = "サーバーは差分を掲載できますが、更新イメージは掲載できません";

fn opened() -> (Place, Double) {
    opened_by(Double::start())
}

fn opened_by(server: Double) -> (Place, Double) {
    let place = Place::new();
    place.login(&server);
    place.publish_first(FAMILY);
    (place, server)
}

fn publish(place: &Place, folder: &str, version: u64) {
    let staged = format!("{folder}/targets-v{version}.stage.json");
    for person in ["ta", "tb"] {
        place.sign(&staged, person, version, "");
    }
    place.good(&format!("stage publish {staged}"));
}

fn staged(place: &Place, name: &str) -> Value {
    serde_json::from_slice(&place.read(name)).unwrap()
}

#[test]
fn a_new_family_lets_the_server_list_deltas_and_nothing_else() {
    let (place, _server) = opened();
    let first = staged(&place, &format!("first-{FAMILY}/targets-v1.stage.json"));
    let role = &first["signed"]["delegations"]["roles"][0];
    assert_eq!(role["name"], "deltas");
    assert_eq!(role["paths"], json!(["delta/*"]));
    assert_eq!((&role["threshold"], &role["terminating"]), (&json!(1), &json!(true)));
    place.release_inputs();
    place.good(&format!("{PREPARE} --out r1"));
    let next = staged(&place, "r1/targets-v2.stage.json");
    assert_eq!(next["signed"]["delegations"], first["signed"]["delegations"]);
    let shown = place.good("stage show r1/targets-v2.stage.json");
    assert!(!shown.out.contains("deltas"), "what does not change is not shown\n{}", shown.out);
    place.refused("deltas_unchanged", "repo deltas acme.infusion-a --out d1");
    assert!(!place.path("d1").exists());
}

#[test]
fn a_site_never_delegates() {
    let (place, server) = (Place::new(), Double::start());
    place.login(&server);
    place.publish_first("site:city-hospital");
    let first = staged(&place, "first-site:city-hospital/targets-v1.stage.json");
    assert!(first["signed"]["delegations"].is_null());
}

#[test]
fn a_family_of_an_earlier_time_delegates_later_and_the_signer_reads_what_it_means() {
    let server = Double::start();
    server.state.lock().unwrap().before_deltas = true;
    let (place, server) = opened_by(server);
    let first = staged(&place, &format!("first-{FAMILY}/targets-v1.stage.json"));
    assert!(first["signed"]["delegations"].is_null());
    place
        .refused("deltas_key_absent", "repo deltas acme.infusion-a --issued @0T05:00:00Z --out d1");
    server.state.lock().unwrap().before_deltas = false;
    let said = place.good("repo deltas acme.infusion-a --issued @0T05:00:00Z --out d1");
    assert!(said.out.contains("+ delegated role added: deltas") && said.out.contains(EN));
    let shown = place.good("stage show d1/targets-v2.stage.json");
    assert!(shown.out.contains(EN), "{}", shown.out);
    let japanese = place.good("stage show d1/targets-v2.stage.json --lang ja");
    assert!(japanese.out.contains(JA), "{}", japanese.out);
    let signed = place.sign("d1/targets-v2.stage.json", "ta", 2, "");
    assert!(signed.err.contains(EN), "{}", signed.err);
    publish(&place, "d1", 2);
}

#[test]
fn another_key_and_the_end_of_deltas_are_shown() {
    let (place, server) = opened();
    server.state.lock().unwrap().deltas_seed = Some(204);
    place.good("repo deltas acme.infusion-a --issued @0T05:00:00Z --out d1");
    let shown = place.good("stage show d1/targets-v2.stage.json");
    assert!(shown.out.contains("~ delegated role changed: deltas"), "{}", shown.out);
    assert!(shown.out.contains("key before:") && shown.out.contains(EN), "{}", shown.out);
    publish(&place, "d1", 2);
    place.good("repo deltas acme.infusion-a --remove --issued @0T06:00:00Z --out d2");
    let shown = place.good("stage show d2/targets-v3.stage.json");
    assert!(shown.out.contains("- delegated role removed: deltas"), "{}", shown.out);
    assert!(shown.out.contains("devices take full images"), "{}", shown.out);
    publish(&place, "d2", 3);
}

/// A delegation of somebody's own making: below `delta/` it is shown as strange, beyond it is refused.
#[test]
fn a_delegation_that_is_not_the_house_s_is_named_or_refused() {
    let (place, _server) = opened();
    place.good("repo deltas acme.infusion-a --remove --issued @0T05:00:00Z --out d1");
    let mut draft = staged(&place, &format!("first-{FAMILY}/targets-v1.stage.json"));
    draft["signed"]["version"] = json!(2);
    draft["signatures"] = json!([]);
    draft["signed"]["delegations"]["roles"][0]["name"] = json!("other");
    place.write("odd/targets-v2.stage.json", draft.to_string());
    let shown = place.good("stage show odd/targets-v2.stage.json");
    assert!(shown.out.contains("NOT the delegation that `repo deltas` makes"), "{}", shown.out);
    draft["signed"]["delegations"]["roles"][0]["paths"] = json!(["img/*"]);
    place.write("odd/targets-v2.stage.json", draft.to_string());
    let sign = "--key ta.key --passphrase-file pass --yes-version 2";
    for words in [
        "stage show odd/targets-v2.stage.json".to_owned(),
        format!("stage sign odd/targets-v2.stage.json {sign}"),
    ] {
        let run = place.refused("stage_unreadable", &words);
        assert!(run.err.contains("beyond delta/"), "{}", run.err);
    }
}
