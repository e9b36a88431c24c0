//! Preparing a release: the same inputs give the same bytes, and everything wrong is said at once.

use crate::double::Double;
use crate::place::{PREPARE, Place, names};

const FAMILY: &str = "family:acme.infusion-a";

fn ready() -> (Place, Double) {
    let (place, server) = (Place::new(), Double::start());
    place.login(&server);
    place.publish_first(FAMILY);
    place.release_inputs();
    (place, server)
}

#[test]
fn the_same_inputs_give_the_same_bytes_whatever_the_order_on_disk() {
    let (place, _server) = ready();
    place.good(&format!("{PREPARE} --out one"));
    let content = [("etc/pump.conf", &b"rate=1\n"[..]), ("bin/pump", b"#!/bin/sh\nexit 0\n")];
    std::fs::rename(place.path("image"), place.path("gone")).unwrap();
    for (name, bytes) in content {
        place.write(&format!("image/{name}"), bytes);
    }
    place.good(&format!("{PREPARE} --out two"));
    for name in [
        "targets-v2.stage.json",
        "targets/img/infusion-a-2.4.1.pwd",
        "targets/doc/infusion-a-2.4.1.dossier.toml",
        "targets/doc/infusion-a-2.4.1.sbom.cdx.json",
        "targets/doc/infusion-a-2.4.1.notes-ja.md",
        "targets/doc/infusion-a-2.4.1.notes-en.md",
    ] {
        assert_eq!(
            place.read(&format!("one/{name}")),
            place.read(&format!("two/{name}")),
            "{name}"
        );
    }
    assert_eq!(
        place.read("one/targets/doc/infusion-a-2.4.1.dossier.toml"),
        place.read("dossier.toml")
    );
}

#[test]
fn an_archive_made_here_is_unpacked_by_tar() {
    let (place, _server) = ready();
    std::os::unix::fs::symlink("bin/pump", place.path("image/start")).unwrap();
    place.good(&format!("{PREPARE} --format plain --out one"));
    let listed = std::process::Command::new("tar")
        .args(["-tf", "one/targets/img/infusion-a-2.4.1.tar"])
        .current_dir(place.path(""))
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(
        listed.lines().collect::<Vec<_>>(),
        ["bin/", "bin/pump", "etc/", "etc/pump.conf", "start"]
    );
}

#[test]
fn every_missing_field_is_named_with_what_it_must_contain_in_both_languages() {
    let (place, _server) = ready();
    let text = String::from_utf8(place.read("dossier.toml")).unwrap();
    let text =
        text.replace("severity = \"high\"", "sevarity = \"high\"").replace("therapy = true", "");
    place.write("dossier.toml", text);
    let words = format!("{PREPARE} --out one");
    let run = place.refused("dossier_incomplete", &words);
    for line in [
        "severity: missing: worst CVSS severity",
        "therapy: missing: true when the device gives therapy",
        "sevarity: unknown field:",
    ] {
        assert!(run.err.contains(line), "{line}\n{}", run.err);
    }
    let run = place.run(&format!("{words} --lang ja"));
    assert!(run.err.contains("therapy: 未記入: 治療を行う機器なら"), "{}", run.err);
    assert!(!place.path("one").exists());
}

#[test]
fn problems_of_every_input_are_said_at_once_and_nothing_is_written() {
    let (place, _server) = ready();
    place.write("dossier.toml", "v = 1\n");
    place.write("sbom.json", "{}");
    place.write("notes-ja.md", "English only\n");
    let before = names(&place.path(""));
    let run = place.refused("release_refused", &format!("{PREPARE} --out one"));
    for word in ["contacts.ja", "neither bomFormat", "notes in Japanese"] {
        assert!(run.err.contains(word), "{word}\n{}", run.err);
    }
    assert_eq!(names(&place.path("")), before);
}

#[test]
fn a_raw_image_goes_with_slots_and_an_empty_one_is_refused() {
    let (place, _server) = ready();
    place.write("disk.img", [7; 4096]);
    let words = PREPARE.replace("--image image", "--image disk.img");
    let run = place.refused("release_refused", &format!("{words} --out one"));
    assert!(run.err.contains("kind: the dossier says"), "{}", run.err);
    let text = String::from_utf8(place.read("dossier.toml")).unwrap();
    place.write("dossier.toml", text.replace("kind = \"tree\"", "kind = \"slots\""));
    place.good(&format!("{words} --format plain --out one"));
    assert_eq!(place.read("one/targets/img/infusion-a-2.4.1.img"), [7; 4096]);
    place.write("disk.img", []);
    let run = place.refused("release_refused", &format!("{words} --out two"));
    assert!(run.err.contains("an image has 1 to"), "{}", run.err);
}

#[test]
fn seq_must_rise_and_a_version_is_used_once() {
    let (place, _server) = ready();
    place.good(&format!("{PREPARE} --out r1"));
    for person in ["ta", "tb"] {
        place.sign("r1/targets-v2.stage.json", person, 2, "");
    }
    place.good("stage publish r1/targets-v2.stage.json");
    let run = place.refused("release_refused", &format!("{PREPARE} --out r2"));
    assert!(run.err.contains("seq: 12 is not above 12"), "{}", run.err);
    assert!(run.err.contains("version: 2.4.1 is published already"), "{}", run.err);
    assert!(!place.path("r2").exists());
}

#[test]
fn hostile_trees_are_refused() {
    let (place, _server) = ready();
    std::os::unix::fs::symlink("/etc/passwd", place.path("image/out")).unwrap();
    place.refused("release_refused", &format!("{PREPARE} --out one"));
    std::fs::remove_file(place.path("image/out")).unwrap();
    let pipe = place.path("image/pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    place.refused("release_refused", &format!("{PREPARE} --out one"));
    assert!(!place.path("one").exists());
}
