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

const WARDS: &str = "\u{feff}id,name_en,name_ja,min_in_service,max_parallel,windows,staff_on_site\r
icu,Intensive care,集中治療室,infusion-pump=2;monitor=1,2,night,mon+tue+wed+thu+fri 08:30 510\r
er,Emergency room,救急外来,,,,\r
";
const DEVICES: &str = "id,ward,kind,pair,usage,attended,udi,serial_number\n\
    pump-01,icu,infusion-pump,pump-02,in-service,unattended,,\n\
    pump-02,icu,infusion-pump,pump-01,in-service,unattended,,SN-2\n\
    pump-03,,infusion-pump,,spare,unattended,,\n\
    scope-1,er,monitor,,in-service,attended,,\n";

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
    let manual = "inventory manual scope-1 --family acme.infusion-a";
    let run = place.good(&format!("{manual} {AT} --lang ja"));
    assert!(run.out.contains("エージェントのない機器: scope-1"), "{}", run.out);
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
    let header = "id,ward,kind,pair,usage,attended,udi,serial_number";
    let row = "in-service,unattended,,";
    place.write(
        "bad.csv",
        format!("{header}\nPump 5,icu,infusion-pump,,{row}\npump-06,icu,infusion-pump,,often,unattended,,\n"),
    );
    let run = place.refused("inventory_bad", &format!("inventory import bad.csv {AT} --replace"));
    for line in ["line 2, id \"Pump 5\"", "line 3, usage \"often\""] {
        assert!(run.err.contains(line), "{line}\n{}", run.err);
    }
    let whole = DEVICES.to_owned() + &format!("pump-04,nowhere,infusion-pump,pump-01,{row}\n");
    place.write("whole.csv", whole);
    let run = place.refused("inventory_bad", &format!("inventory import whole.csv {AT}"));
    for line in
        ["line 6, ward \"nowhere\": There is no ward", "line 6, pair \"pump-01\": The partner"]
    {
        assert!(run.err.contains(line), "{line}\n{}", run.err);
    }
    place.write("sjis.csv", b"id,name_en,name_ja\nicu,ICU,\x8f\x57\x92\x86\n");
    let run = place.refused("inventory_bad", &format!("inventory import sjis.csv {AT}"));
    assert!(run.err.contains("Save the file as CSV UTF-8"), "{}", run.err);
    place.write("fewer.csv", DEVICES.replace("pump-03,,infusion-pump,,spare,unattended,,\n", ""));
    let run = place.refused("inventory_bad", &format!("inventory import fewer.csv {AT}"));
    assert!(run.err.contains("- device pump-03"), "{}", run.err);
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
fn windows_come_from_a_calendar_all_or_none() {
    let (place, server) = filled();
    let calendar = |zone: &str| {
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Sunday\r\n\
             DTSTART;TZID={zone}:20261206T023000\r\nDTEND;TZID={zone}:20261206T043000\r\n\
             RRULE:FREQ=WEEKLY;BYDAY=SU\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
    };
    place.write("good.ics", calendar("Tokyo Standard Time"));
    place.write("bad.ics", calendar("My Office"));
    let import = |file: &str| format!("inventory windows import {file} --name sunday --usual {AT}");
    let run = place.refused("calendar_bad", &import("bad.ics"));
    assert!(
        run.err.contains("line 7:") && run.err.contains("TZID must be an IANA name"),
        "{}",
        run.err
    );
    place.good(&import("good.ics"));
    let inventory = held(&server);
    let found = inventory["windows"].as_array().unwrap().iter().any(|window| {
        window["id"].as_str().unwrap().starts_with("sunday") && window["tz"] == "Asia/Tokyo"
    });
    assert!(found, "{inventory}");
    let again = place.good(&import("good.ics"));
    assert!(again.out.contains("nothing changes"), "{}", again.out);
}

#[test]
fn a_site_without_an_inventory_is_told_so() {
    let (place, _server) = ready();
    place.refused("inventory_unknown", &format!("inventory show {AT}"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let (place, _server) = filled();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_patchward"))
        .args(["inventory", "show", "--site", "city-hospital", "--config-dir", "config"])
        .current_dir(place.path(""))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let run = child.wait_with_output().unwrap();
    let err = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.success() && !err.contains("panicked"), "{err}");
}
