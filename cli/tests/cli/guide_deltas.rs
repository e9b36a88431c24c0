//! The part of the release guide on deltas: its commands run as they stand, in order, and are the
//! same in both languages. Added is only what a person would type: passphrase and version.

use crate::double::Double;
use crate::place::{PREPARE, Place};
use serde_json::json;

const EN: &str = include_str!("../../../docs/guide/en/release.md");
const JA: &str = include_str!("../../../docs/guide/ja/release.md");

/// The commands of section 5.
fn commands(page: &str) -> Vec<&str> {
    let section = page.split("\n## ").find(|section| section.starts_with("5. ")).unwrap();
    section.lines().filter_map(|line| line.strip_prefix("    patchward ")).collect()
}

fn release(place: &Place, folder: &str, version: u64) {
    place.good(&format!("{PREPARE} --out {folder}"));
    let staged = format!("{folder}/targets-v{version}.stage.json");
    for person in ["ta", "tb"] {
        place.sign(&staged, person, version, "");
    }
    place.good(&format!("stage publish {staged}"));
}

#[test]
fn both_languages_show_the_same_commands_on_deltas() {
    assert_eq!(commands(EN), commands(JA));
    assert!(commands(EN).len() >= 9, "{:?}", commands(EN));
}

#[test]
fn the_commands_on_deltas_run_as_they_stand() {
    let (place, server) = (Place::new(), Double::start());
    // A family from before deltas, with two releases.
    server.state.lock().unwrap().before_deltas = true;
    place.login(&server);
    place.publish_first("family:acme.infusion-a");
    place.release_inputs();
    release(&place, "r12", 2);
    let dossier = String::from_utf8(place.read("dossier.toml")).unwrap();
    let dossier = dossier
        .replace("version = \"2.4.1\"", "version = \"2.5.0\"")
        .replace("seq = 12", "seq = 13")
        .replace("rollback_ok = [10, 11]", "rollback_ok = [12]");
    place.write("dossier.toml", dossier);
    place.write("image/bin/pump", b"#!/bin/sh\nexit 1\n");
    release(&place, "r13", 3);
    {
        let mut state = server.state.lock().unwrap();
        state.before_deltas = false;
        let none = json!({"delegated": true, "pairs": [], "devices": []});
        let path = "/v1/repositories/family/acme.infusion-a/deltas".to_owned();
        state.raw.insert(path, serde_json::to_vec(&none).unwrap());
    }
    for line in commands(EN) {
        let typed = match line.contains(" sign ") {
            true => " --passphrase-file pass --yes-version 4",
            false => "",
        };
        let run = place.good(&format!("{line}{typed}"));
        if line.starts_with("repo deltas") || line.contains(" sign ") {
            let words = "the server may list deltas; it cannot list images";
            assert!(run.out.contains(words) || run.err.contains(words), "{line}\n{}", run.out);
        }
    }
    place.good("delta apply r13/targets/img/infusion-a-2.5.0.pwd --out signed.tar");
    assert_eq!(place.read("infusion-a-2.5.0.tar"), place.read("signed.tar"));
}
