//! The record of a site: exported, checked offline, bent in every way, and shown differently to
//! different readers (attack 24).
#![allow(clippy::as_conversions, clippy::disallowed_methods, reason = "tests count and read files")]

use crate::double::Double;
use crate::log::{Log, ODD, SITE, approval, bent, key, record_key, root, site, under};
use crate::place::{Place, names};
use patchward_cli::error::Code;
use patchward_cli::here::{ExampleKeys, Here, Language, Watcher};
use patchward_cli::record::archive::{self, File};
use patchward_cli::record::{kept, verify};
use patchward_cli::server::{Address, PlainHttp, Server};
use patchward_protocol::act::Meaning;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::key::Signer as _;
use patchward_protocol::ledger::{Fact, Kind};
use patchward_protocol::record::checkpoint::{Checkpoint, verifier_key};
use patchward_protocol::record::entry::RecordEntry;
use std::process::Command;
use zeroize::Zeroizing;

const EXPORT: &str = "record export --site city-hospital --out";

/// A machine that trusts the site's root, and a server that shows this record.
fn shown(log: &Log) -> (Place, Double) {
    let (place, server) = (Place::new(), Double::start());
    log.serve(&server);
    place.login(&server);
    place.write("root.json", root());
    let digits = Sha256Digest::of(&root()).fingerprint().replace(' ', "");
    place.good(&format!("repo trust site:{SITE} --root root.json --fingerprint {digits}"));
    (place, server)
}

fn exported(log: &Log) -> (Place, Vec<File>) {
    let (place, _server) = shown(log);
    place.good(&format!("{EXPORT} r.zip"));
    let files = archive::read(&place.read("r.zip")).unwrap();
    (place, files)
}

/// The files with one of them changed.
fn with(files: &[File], name: &str, bytes: Vec<u8>) -> Vec<u8> {
    let mut files = files.to_vec();
    files.iter_mut().find(|(known, _)| known == name).unwrap().1 = bytes;
    archive::write(&files).unwrap()
}

fn joined(lines: &[Vec<u8>]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect()
}

/// What is found wrong with these entries.
fn found(files: &[File], lines: &[Vec<u8>]) -> String {
    refusal(&with(files, "entries.jsonl", joined(lines)), "the entries")
}

/// Why an export is refused; a bent one must be.
fn refusal(bytes: &[u8], what: &str) -> String {
    let Err(failure) = verify::check(bytes) else { panic!("bent and passed: {what}") };
    assert_eq!(failure.code, Code::RecordBad, "{what}: {failure}");
    failure.detail
}

fn names_entry(found: &str, n: usize) -> bool {
    found.starts_with(&format!("entry {n} "))
}

#[test]
fn a_record_is_exported_and_checked_without_the_server() {
    let (place, _server) = shown(&Log::year());
    let told = place.json(&format!("{EXPORT} r.zip"));
    let size = Log::year().lines.len() as u64;
    assert_eq!((told["size"].as_u64(), told["acts"].as_u64()), (Some(size), Some(3)));
    assert_eq!(told["rollbacks"].as_u64(), Some(2));
    // Another machine, which has never seen the server.
    let other = place.with_config("elsewhere");
    let said = other.good("record verify r.zip");
    for word in [record_key().public().fingerprint(), Sha256Digest::of(&root()).fingerprint()] {
        assert!(said.out.contains(&word), "{}", said.out);
    }
    let public = record_key().public();
    let pinned = format!("--record-key {public} --site-root root.json");
    let value = other.json(&format!("record verify r.zip {pinned}"));
    assert_eq!(value["root"], told["root"]);
    other.refused("file_exists", &format!("{EXPORT} r.zip"));
}

#[test]
fn a_bent_entry_is_named_whatever_was_done_to_it() {
    let log = Log::year();
    let (_place, files) = exported(&log);
    let lines = log.lines;
    assert!(verify::check(&with(&files, "entries.jsonl", joined(&lines))).is_ok());
    for n in 0..lines.len() {
        // Here and there, so that signed and unsigned fields all have their turn.
        for byte in (n % 41..lines[n].len()).step_by(41) {
            let mut flipped = lines.clone();
            flipped[n][byte] ^= 1;
            let found = found(&files, &flipped);
            assert!(names_entry(&found, n), "entry {n}, byte {byte} flipped: {found}");
        }
        let mut dropped = lines.clone();
        dropped.remove(n);
        let said = found(&files, &dropped);
        assert!(names_entry(&said, n), "entry {n} dropped: {said}");
        let mut doubled = lines.clone();
        doubled.insert(n, lines[n].clone());
        let said = found(&files, &doubled);
        assert!(names_entry(&said, n + 1), "entry {n} doubled: {said}");
        if n + 1 < lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(n, n + 1);
            let said = found(&files, &swapped);
            assert!(names_entry(&said, n), "entry {n} swapped: {said}");
        }
    }
}

#[test]
fn an_entry_that_was_written_anew_with_its_place_corrected_is_named() {
    let log = Log::year();
    let (_place, files) = exported(&log);
    // Dropping one and renumbering the rest: places are right, hashes are not.
    for n in 0..log.lines.len() - 1 {
        let mut lines = log.lines.clone();
        lines.remove(n);
        for (place, line) in lines.iter_mut().enumerate().skip(n) {
            let mut entry = RecordEntry::read(line).unwrap();
            entry.n = place as u64;
            *line = entry.to_bytes().unwrap();
        }
        let said = found(&files, &lines);
        assert!(names_entry(&said, n), "entry {n}: {said}");
    }
}

#[test]
fn every_other_file_of_an_export_is_checked_too() {
    let (_place, files) = exported(&Log::year());
    for (name, bytes) in &files {
        if name == "entries.jsonl" {
            continue;
        }
        for at in [0, bytes.len() / 3, bytes.len() - 2] {
            let mut bent = bytes.clone();
            bent[at] ^= 1;
            refusal(&with(&files, name, bent), name);
        }
        // Approvals stand there for reading, as far as the server still had them.
        if !name.starts_with("approvals/") {
            let rest: Vec<_> = files.iter().filter(|(other, _)| other != name).cloned().collect();
            refusal(&archive::write(&rest).unwrap(), name);
        }
    }
    let more: Vec<_> = files.iter().cloned().chain([("x.txt".to_owned(), vec![1])]).collect();
    assert!(refusal(&archive::write(&more).unwrap(), "x.txt").starts_with("x.txt"));
}

#[test]
fn a_record_that_claims_to_be_endless_is_refused_at_once() {
    let log = Log::year();
    let (place, server) = shown(&log);
    place.good(&format!("{EXPORT} r.zip"));
    let files = archive::read(&place.read("r.zip")).unwrap();
    let root = log.tree().root();
    for size in [log.lines.len() as u64 + 1, 1 << 60, u64::MAX] {
        let note = Checkpoint { site: site(), size, root }.sign(&record_key()).unwrap();
        let found = refusal(&with(&files, "checkpoint.txt", note.clone().into_bytes()), "size");
        assert!(names_entry(&found, log.lines.len()), "{found}");
        let path = format!("/v1/sites/{SITE}/record/checkpoint");
        server.state.lock().unwrap().raw.insert(path, note.into_bytes());
        let code = if size < 1 << 20 { "server_refused" } else { "record_too_long" };
        place.refused(code, &format!("{EXPORT} x.zip"));
    }
}

#[test]
fn a_server_that_forges_entries_of_devices_or_people_is_found_at_the_export() {
    let honest = Log::year();
    let bend_last = |kind: &str| {
        // The server makes a record of its own and signs it: root and checkpoint are good.
        let mut log = honest.clone();
        let text = |line: &[u8]| String::from_utf8(line.to_vec()).unwrap();
        let is_kind = |line: &Vec<u8>| text(line).contains(&format!("\"kind\":\"{kind}\""));
        let n = log.lines.iter().rposition(is_kind).unwrap();
        let mut value: serde_json::Value = serde_json::from_slice(&log.lines[n]).unwrap();
        value["body"] = bent(&value["body"]);
        log.lines[n] = patchward_protocol::canonical::write(&value).unwrap();
        (log, n)
    };
    for kind in ["ledger", "act"] {
        let (log, n) = bend_last(kind);
        let (place, _server) = shown(&log);
        let run = place.refused("record_bad", &format!("{EXPORT} r.zip"));
        assert!(run.err.contains(&format!("entry {n} ")), "{}", run.err);
        assert!(!place.path("r.zip").exists());
    }
    // A success that no device signed; a device that never joined; an entry left out of a ledger.
    let mut stranger = honest.clone();
    stranger.device(77, "pump-9", Fact::new(Kind::Enrolled));
    let mut gap = Log::year();
    let mut other = Log::year();
    other.device(31, "pump-1", Fact::new(Kind::Held));
    other.device(31, "pump-1", Fact::new(Kind::Held));
    let skipped = RecordEntry::read(other.lines.last().unwrap()).unwrap();
    gap.add(skipped.body);
    for log in [stranger, gap] {
        let (place, _server) = shown(&log);
        let n = log.lines.len() - 1;
        let run = place.refused("record_bad", &format!("{EXPORT} r.zip"));
        assert!(run.err.contains(&format!("entry {n} ")), "{}", run.err);
    }
}

#[test]
fn a_device_that_the_hospital_did_not_approve_cannot_have_succeeded() {
    let bytes = approval("pump-1", 31).write().unwrap();
    let other = approval("pump-1", 77).write().unwrap();
    let mut good = Log::year();
    good.device(31, "pump-1", under(Kind::Committed, &bytes));
    // A device that the server invented, and one whose key is not the one that was approved.
    let (mut invented, mut exchanged) = (Log::year(), Log::year());
    invented.device(32, "pump-2", under(Kind::Committed, &bytes));
    exchanged.device(31, "pump-1", under(Kind::Committed, &other));
    for (log, approval, is_good) in
        [(good, &bytes, true), (invented, &bytes, false), (exchanged, &other, false)]
    {
        let (place, server) = shown(&log);
        let name = format!("approval/{}.install-9.json", Sha256Digest::of(approval));
        let path = format!("site/{SITE}/targets/{name}");
        server.state.lock().unwrap().files.insert(path, approval.clone());
        if is_good {
            place.good(&format!("{EXPORT} r.zip"));
            continue;
        }
        let run = place.refused("record_bad", &format!("{EXPORT} r.zip"));
        let n = log.lines.len() - 1;
        assert!(run.err.contains(&format!("entry {n} ")), "{}", run.err);
    }
}

#[test]
fn a_record_that_grew_is_exported_with_its_proof_and_one_that_was_rewritten_is_refused() {
    let mut log = Log::year();
    let (place, server) = shown(&log);
    place.good(&format!("{EXPORT} r1.zip"));
    log.device(31, "pump-1", Fact::new(Kind::Held));
    log.serve(&server);
    let told = place.json(&format!("{EXPORT} r2.zip"));
    assert_eq!(told["seen_before"]["size"].as_u64(), Some(log.lines.len() as u64 - 1));
    place.good("record verify r1.zip");
    // The hold that somebody would rather not have set.
    let mut rewritten = Log::empty();
    rewritten.server("publish", serde_json::json!({"targets": 1}));
    for _ in 0..40 {
        rewritten.server("add-device", serde_json::json!({}));
    }
    let mut shorter = log.clone();
    shorter.lines.pop();
    for bad in [rewritten, shorter] {
        bad.serve(&server);
        let run = place.refused("record_rewritten", &format!("{EXPORT} r3.zip"));
        let evidence = names(&place.path("config/record"));
        assert!(evidence.iter().any(|name| name.contains("contradiction")), "{evidence:?}");
        assert!(run.err.contains("contradiction"), "{}", run.err);
        assert!(!place.path("r3.zip").exists());
    }
    // What was kept is still the honest record.
    log.serve(&server);
    place.good(&format!("{EXPORT} r4.zip"));
}

fn machine(place: &Place) -> Here {
    Here {
        at: crate::place::yesterday(),
        random: |_| Ok(()),
        config_dir: place.path("config"),
        language: Language::En,
        example_keys: ExampleKeys::Refused,
        clock: || std::time::Duration::ZERO,
        watcher: Watcher::Nobody,
    }
}

fn connected(server: &Double) -> Server {
    let address = Address::read(&server.url(), PlainHttp::LoopbackOnly).unwrap();
    Server::new(address, None, Some(Zeroizing::new("pw_test".to_owned()))).unwrap()
}

#[test]
fn who_signs_looks_at_the_record_first_and_takes_a_rewritten_one_for_what_it_is() {
    let mut log = Log::year();
    let (place, double) = shown(&log);
    let (here, server) = (machine(&place), connected(&double));
    let first = kept::look(&here, &server, &site()).unwrap();
    assert_eq!(first.size, log.lines.len() as u64);
    for n in 0..600 {
        log.server("hold", serde_json::json!({ "n": n }));
    }
    log.serve(&double);
    let second = kept::look(&here, &server, &site()).unwrap();
    assert_eq!((second.size, second.root), (log.tree().size(), log.tree().root()));
    let mut other = Log::year();
    for n in 0..700 {
        other.server("hold", serde_json::json!({ "m": n }));
    }
    other.serve(&double);
    let refused = kept::look(&here, &server, &site()).unwrap_err();
    assert_eq!(refused.code, Code::RecordRewritten);
    assert_eq!(kept::last(&here, &site()).unwrap().unwrap().seen, second);
}

/// Attack 24: hospital and device are shown different records by the same server.
#[test]
fn a_split_view_is_found_when_readers_compare_what_they_keep() {
    let (mut for_hospital, mut for_device) = (Log::year(), Log::year());
    for_hospital.server("hold", serde_json::json!({"reason": "shown to the hospital"}));
    for_device.server("hold", serde_json::json!({"reason": "shown to the device"}));
    let (place, server) = shown(&for_hospital);
    place.good(&format!("{EXPORT} r.zip"));
    // By itself each view is sound; the checkpoint that the device keeps is not of this record.
    place.write("device.txt", for_device.checkpoint());
    place.write("earlier.txt", Log::year().checkpoint());
    place.good("record verify r.zip --checkpoint earlier.txt");
    let compared = "record verify r.zip --checkpoint device.txt";
    place.refused("record_rewritten", compared);
    // And the other way round: an export of the device's view against what this machine keeps.
    for_device.serve(&server);
    let stranger = place.with_config("elsewhere");
    let digits = Sha256Digest::of(&root()).fingerprint().replace(' ', "");
    stranger.login(&server);
    stranger.good(&format!("repo trust site:{SITE} --root root.json --fingerprint {digits}"));
    stranger.good(&format!("{EXPORT} other.zip"));
    let hospital = stranger.with_config("config");
    hospital.refused("record_rewritten", "record verify other.zip");
    // What a person signed after seeing the other record gives the split away by itself.
    let seen = (for_hospital.tree().size(), for_hospital.tree().root());
    for_device.approve_after(5, "install-2", Meaning::Approved, None, seen);
    for_device.serve(&server);
    let third = hospital.with_config("third");
    third.login(&server);
    third.good(&format!("repo trust site:{SITE} --root root.json --fingerprint {digits}"));
    let run = third.refused("record_bad", &format!("{EXPORT} third.zip"));
    let n = for_device.lines.len() - 1;
    assert!(run.err.contains(&format!("entry {n} ")), "{}", run.err);
    assert!(run.err.contains("saw another record"), "{}", run.err);
}

#[test]
fn keys_that_are_not_those_of_the_hospital_are_refused() {
    let (place, _server) = shown(&Log::year());
    let other = key(98).public();
    place.refused("record_untrusted", &format!("{EXPORT} r.zip --record-key {other}"));
    place.good(&format!("{EXPORT} r.zip"));
    place.refused("record_untrusted", &format!("record verify r.zip --record-key {other}"));
    place.write("other.json", b"{}");
    place.refused("root_differs", "record verify r.zip --site-root other.json");
    place.write("no.zip", b"PK");
    place.refused("record_file", "record verify no.zip");
    let stranger = place.with_config("elsewhere");
    stranger.write("config2/x", b"");
    stranger.refused("not_logged_in", &format!("{EXPORT} x.zip"));
}

#[test]
fn the_pages_show_signatures_and_rollbacks_and_run_nothing() {
    let (_place, files) = exported(&Log::year());
    let text = |name: &str| {
        let (_, bytes) = files.iter().find(|(known, _)| known == name).unwrap();
        String::from_utf8(bytes.clone()).unwrap()
    };
    for name in ["record-ja.html", "record-en.html"] {
        let page = text(name);
        assert!(!page.contains("<script") && !page.contains("<i>") && !page.contains('\u{202e}'));
        assert!(page.contains("default-src 'none'"));
        // Printed name, role, meaning, date and time with zone, reason: 21 CFR 11.50.
        for word in
            ["田中 花子", "臨床工学技士", "Asia/Tokyo (UTC+09:00)", "alert(1)&lt;/script&gt;"]
        {
            assert!(page.contains(word), "{word} in {name}");
        }
        for word in [
            "(01)04912345678904(21)7",
            "SN-7",
            "CVE-2026-1111",
            "network isolation",
            "acme.infusion-a 2.0.0 (seq 2)",
            "health_failed",
            "probe ended with 3",
        ] {
            assert!(page.contains(word), "{word} in {name}");
        }
    }
    assert!(
        text("record-ja.html").contains("五階東")
            && text("record-ja.html").contains("ロールバック許可")
    );
    assert!(text("record-en.html").contains("5 East &lt;b&gt;"));
    assert!(text("record-en.html").contains("rollback authorised"));
    let table = text("record.csv");
    assert!(table.starts_with('\u{feff}') && table.ends_with("\r\n"));
    assert_eq!(table.lines().count(), Log::year().lines.len() + 1);
    assert!(table.contains(&format!("\"'{}", &ODD[..4])), "a formula is made text");
}

#[test]
fn what_the_manufacturer_signed_of_a_way_back_is_in_the_export_and_checked_with_it() {
    let (place, server) = shown(&Log::year());
    let told = place.good(&format!("{EXPORT} without.zip"));
    assert!(told.out.contains("is left out"), "{}", told.out);
    let maker = crate::family::serve(&server);
    place.write("maker.json", &maker);
    let digits = Sha256Digest::of(&maker).fingerprint().replace(' ', "");
    let family = crate::family::FAMILY;
    place.good(&format!("repo trust family:{family} --root maker.json --fingerprint {digits}"));
    let told = place.good(&format!("{EXPORT} r.zip"));
    assert!(!told.out.contains("is left out"), "{}", told.out);
    let stranger = place.with_config("elsewhere");
    stranger.good("record verify r.zip");
    let files = archive::read(&stranger.read("r.zip")).unwrap();
    let text = |name: &str| {
        let (_, bytes) = files.iter().find(|(known, _)| known == name).unwrap();
        String::from_utf8(bytes.clone()).unwrap()
    };
    let page = text("record-en.html");
    for word in [crate::family::CVE, "rollback_ok: seq 1, seq 2"] {
        assert!(page.contains(word), "{word}");
    }
    let name = format!("families/{family}.json");
    let other = text(&name).replace("\"at\": \"2", "\"at\": \"3");
    let said = refusal(&with(&files, &name, other.into_bytes()), &name);
    assert!(said.starts_with(&name), "{said}");
    // What the manufacturer did not sign does not count, whoever packed it.
    let mut value: serde_json::Value = serde_json::from_str(&text(&name)).unwrap();
    value["targets"] = value["root"].clone();
    let mut bytes = serde_json::to_vec_pretty(&value).unwrap();
    bytes.push(b'\n');
    assert!(refusal(&with(&files, &name, bytes), &name).starts_with(&name));
}

#[test]
fn an_implementation_written_from_the_standards_alone_agrees() {
    let python = std::env::var("PATCHWARD_PYTHON").expect(
        "PATCHWARD_PYTHON names no Python with `cryptography`: run `cargo xtask test`, \
         or `python3 -m venv v && v/bin/pip install cryptography` and set it to v/bin/python",
    );
    let mut log = Log::year();
    let (place, server) = shown(&log);
    place.good(&format!("{EXPORT} first.zip"));
    for n in 0..700 {
        log.server("hold", serde_json::json!({ "n": n }));
    }
    log.approve(6, "install-2", Meaning::Approved, None);
    log.serve(&server);
    place.good(&format!("{EXPORT} second.zip"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/python/record_check.py");
    let check = |file: &str, key: &str| {
        let ran =
            Command::new(&python).arg(script).arg(place.path(file)).arg(key).output().unwrap();
        (ran.status.success(), String::from_utf8(ran.stdout).unwrap(), ran.stderr)
    };
    let key_text = verifier_key(&site(), &record_key().public());
    let (good, told, err) = check("second.zip", &key_text);
    assert!(good, "{told}{}", String::from_utf8_lossy(&err));
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let ledger = log
        .lines
        .iter()
        .filter(|line| line.starts_with(b"{\"at\"") && contains(line, "\"kind\":\"ledger\""));
    assert_eq!(told["size"].as_u64(), Some(log.lines.len() as u64));
    assert_eq!(told["ledger"].as_u64(), Some(ledger.count() as u64));
    assert_eq!((told["inclusion"].as_u64(), told["consistency"].as_bool()), (Some(4), Some(true)));
    assert_eq!(told["tiles"].as_u64(), Some(log.lines.len().div_ceil(256) as u64 + 1));
    // It can fail: another key, a bent export.
    assert!(!check("second.zip", &verifier_key(&site(), &key(98).public())).0);
    let mut files = archive::read(&place.read("second.zip")).unwrap();
    let entries = files.iter_mut().find(|(name, _)| name == "entries.jsonl").unwrap();
    let at = entries.1.len() / 2;
    entries.1[at] = if entries.1[at] == b'A' { b'B' } else { b'A' };
    place.write("bent.zip", archive::write(&files).unwrap());
    assert!(!check("bent.zip", &key_text).0);
}

fn contains(line: &[u8], word: &str) -> bool {
    String::from_utf8_lossy(line).contains(word)
}
