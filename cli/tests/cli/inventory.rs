//! The hospital's own document: tables, whole files, single changes, and two people at once.

use crate::double::Double;
use crate::place::{Place, Run};
use serde_json::{Value, json};

const AT: &str = "--site city-hospital";

fn ready() -> (Place, Double) {
    let (place, server) = (Place::new(), Double::start());
    place.login(&server);
    (place, server)
}

fn held(server: &Double) -> Value {
    server.state.lock().unwrap().consent.inventory.clone().unwrap()
}

fn spoken(place: &Place, words: &str, more: &[&str]) -> Run {
    let words: Vec<_> = words.split_whitespace().chain(more.iter().copied()).collect();
    let run = place.run_words(&words);
    assert_eq!(run.status, 0, "{words:?}\n{}{}", run.out, run.err);
    run
}

const WARDS: &str =
    "\u{feff}ward,name_en,name_ja,max_parallel,min_in_service,windows,staff_on_site\r
icu,Intensive care,集中治療室,2,infusion-pump=2;monitor=1,night,mon tue wed thu fri 08:30/510\r
er,Emergency room,救急外来,,,,\r
";
const DEVICES: &str = "device,ward,kind,pair,usage,attended,management,family\n\
    pump-01,icu,infusion-pump,pump-02,,,,\n\
    pump-02,icu,infusion-pump,pump-01,,,agent,acme.infusion-a\n\
    pump-03,,infusion-pump,,spare,,,\n\
    scope-1,er,monitor,,,attended,manual,acme.infusion-a\n";

fn filled() -> (Place, Double) {
    let (place, server) = ready();
    let window =
        "inventory windows add night --days mon,wed,日 --start 02:00 --minutes 120 --usual";
    spoken(&place, &format!("{window} {AT}"), &["--name-en", "Night", "--name-ja", "夜間"]);
    place.write("wards.csv", WARDS);
    place.write("devices.csv", DEVICES);
    place.good(&format!("inventory import wards.csv {AT}"));
    place.good(&format!("inventory import devices.csv {AT}"));
    (place, server)
}

#[test]
fn wards_and_devices_come_from_spreadsheets_and_go_back_as_they_were() {
    let (place, server) = filled();
    let inventory = held(&server);
    assert_eq!(inventory["wards"][0]["name_ja"], "集中治療室");
    assert_eq!(inventory["wards"][0]["min_in_service"][1], json!({"kind": "monitor", "count": 1}));
    assert_eq!(inventory["devices"][2]["usage"], "spare");
    assert_eq!(server.state.lock().unwrap().consent.added[0]["management"], "manual");
    let words = "--wards w.csv --devices d.csv";
    place.good(&format!("inventory export {AT} {words}"));
    let wards = String::from_utf8(place.read("w.csv")).unwrap();
    assert_eq!(wards, WARDS);
    for file in ["w.csv", "d.csv"] {
        let run = place.good(&format!("inventory import {file} {AT} --replace"));
        assert!(run.out.contains("nothing changes"), "{file}: {}", run.out);
    }
    let shown = place.good(&format!("inventory show {AT} --lang ja"));
    for word in ["集中治療室: 2 台; 稼働を維持: infusion-pump >= 2", "夜間: 月 水 日 02:00 +120"]
    {
        assert!(shown.out.contains(word), "{word}\n{}", shown.out);
    }
    place.refused("file_exists", &format!("inventory export {AT} {words}"));
    place.refused("usage", &format!("inventory export {AT}"));
}

#[test]
fn every_bad_row_is_named_with_its_line_and_nothing_is_half_imported() {
    let (place, server) = filled();
    let before = held(&server);
    place.write(
        "bad.csv",
        "device,ward,kind,pair,colour\npump-04,nowhere,infusion-pump,,red\nPump 5,icu,x,,\n\
         pump-06,icu,,,\npump-07,icu,infusion-pump,pump-07,\n",
    );
    let run = place.refused("inventory_bad", &format!("inventory import bad.csv {AT}"));
    for line in ["line 1: no column \"colour\"", "line 3, device:", "line 4, kind:"] {
        assert!(run.err.contains(line), "{line}\n{}", run.err);
    }
    place.write(
        "whole.csv",
        "device,ward,kind,pair\npump-08,icu,infusion-pump,\npump-04,nowhere,infusion-pump,pump-01\n",
    );
    let run = place.refused("inventory_bad", &format!("inventory import whole.csv {AT}"));
    for line in
        ["line 3, ward \"nowhere\": There is no ward", "line 3, pair \"pump-01\": The partner"]
    {
        assert!(run.err.contains(line), "{line}\n{}", run.err);
    }
    place.write("sjis.csv", b"ward,name_en,name_ja\nicu,ICU,\x8f\x57\x92\x86\n");
    let run = place.refused("inventory_bad", &format!("inventory import sjis.csv {AT}"));
    assert!(run.err.contains("line 2: not UTF-8"), "{}", run.err);
    place.write("known.csv", "device,ward,kind,management,family\nscope-2,er,monitor,observed,\n");
    let run = place.refused("inventory_bad", &format!("inventory import known.csv {AT}"));
    assert!(run.err.contains("line 2, family: something must be written"), "{}", run.err);
    place.refused("usage", &format!("inventory import pass {AT}"));
    assert_eq!(held(&server), before);
}

#[test]
fn a_file_is_edited_and_taken_back_and_a_change_meanwhile_is_explained() {
    let (place, server) = filled();
    place.good(&format!("inventory export {AT} --out inv.toml"));
    place.good(&format!("inventory export {AT} --out inv.json"));
    let run = place.good(&format!("inventory import inv.json {AT}"));
    assert!(run.out.contains("nothing changes"), "{}", run.out);
    let text = String::from_utf8(place.read("inv.toml")).unwrap();
    assert!(text.contains("max_parallel = 2"), "{text}");
    place.write("inv.toml", text.replace("max_parallel = 2", "max_parallel = 1"));
    let dry = place.good(&format!("inventory import inv.toml {AT} --dry-run"));
    assert!(
        dry.out.contains("would change") && dry.out.contains("! ward icu: max_parallel: 2 -> 1")
    );
    let revision = held(&server)["revision"].clone();
    let run = place.good(&format!("inventory import inv.toml {AT} --lang ja"));
    assert!(run.out.contains("! 病棟 icu: max_parallel: 2 -> 1"), "{}", run.out);
    assert_eq!(held(&server)["revision"].as_u64(), revision.as_u64().map(|n| n + 1));
    // The file that was exported before is of the old revision now.
    let run = place.refused("inventory_conflict", &format!("inventory import inv.json {AT}"));
    assert!(run.err.contains("ward icu: max_parallel: 1 -> 2"), "{}", run.err);
    place.write("inv.toml", text.replace("name_ja = \"救急外来\"", "name_ja = 7"));
    let run = place.refused("inventory_bad", &format!("inventory import inv.toml {AT}"));
    assert!(run.err.contains("line "), "{}", run.err);
    place.refused("inventory_bad", "inventory import inv.json --site other-hospital");
}

#[test]
fn somebody_who_is_faster_is_not_overwritten() {
    let (place, server) = filled();
    server.state.lock().unwrap().consent.overtaken = true;
    let run = place
        .refused("inventory_conflict", &format!("inventory set {AT} --ward icu --max-parallel 1"));
    assert!(run.err.contains("max_parallel: 2 -> 1"), "{}", run.err);
    assert_eq!(held(&server)["wards"][0]["max_parallel"], 2);
}

#[test]
fn rules_freezes_windows_and_people_are_changed_one_at_a_time() {
    let (place, server) = filled();
    let rules = "--max-parallel 20 --soak-h 24,48 --halt-permille 0,0,10 --persons 1,2,2,2";
    place.good(&format!("inventory set {AT} {rules}"));
    place.good(&format!("inventory set {AT} --ward icu --min monitor=0 --min infusion-pump=3"));
    let freeze = "inventory freezes add new-year --from 2026-12-28 --to 2027-01-04";
    spoken(&place, &format!("{freeze} {AT}"), &["--why", "few people"]);
    let person = format!("inventory people add ta {AT}");
    spoken(&place, &person, &["--name", "田中花子", "--role", "臨床工学技士"]);
    let inventory = held(&server);
    assert_eq!(inventory["rules"]["soak_s"], json!([86400, 172800]));
    assert_eq!(inventory["policy"]["rollback_persons"], 2);
    assert_eq!(inventory["freezes"][0]["from"], "2026-12-27T15:00:00Z");
    assert_eq!(
        inventory["wards"][0]["min_in_service"],
        json!([{"kind": "infusion-pump", "count": 3}])
    );
    let shown = place.good(&format!("inventory show {AT}"));
    for word in [
        "2026-12-28 00:00:00 Asia/Tokyo (2026-12-27T15:00:00Z)",
        "ta  田中花子, 臨床工学技士",
        "persons who sign: routine 1, standing 2, emergency 2, rollback 2",
    ] {
        assert!(shown.out.contains(word), "{word}\n{}", shown.out);
    }
    place.good(&format!("inventory freezes remove new-year {AT}"));
    place.good(&format!("inventory people remove ta {AT}"));
    place.refused("value_bad", &format!("inventory people remove ta {AT}"));
    let run = place.refused("inventory_bad", &format!("inventory windows remove night {AT}"));
    assert!(run.err.contains("wards[0].windows[0]"), "still used: {}", run.err);
    place.refused("value_bad", &format!("inventory set {AT} --persons 1,2"));
    place.refused("inventory_bad", &format!("inventory set {AT} --tz Asia/Edo"));
    place.refused("inventory_bad", &format!("inventory set {AT} --persons 1,1,1,1"));
}

#[test]
fn a_site_without_an_inventory_is_told_so() {
    let (place, _server) = ready();
    place.refused("inventory_unknown", &format!("inventory show {AT}"));
}
