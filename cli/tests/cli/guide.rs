//! The hospital's guide: its commands run as they stand, in order, and are the same in both languages.
//!
//! Added are only what a person would type: passphrase and version. The record of the last section is
//! tried by `record`.

use crate::approval::hospital;
use crate::double::Double;
use crate::place::{PREPARE, Place, dated};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::key::{SecretKey, Signer as _};
use serde_json::{Value, json};

const EN: &str = include_str!("../../../docs/guide/en/hospital.md");
const JA: &str = include_str!("../../../docs/guide/ja/hospital.md");

fn commands(page: &str) -> Vec<&str> {
    page.lines().filter_map(|line| line.strip_prefix("    patchward ")).collect()
}

/// The tables of a page, by file name.
fn tables(page: &str) -> Vec<(&str, &str)> {
    let fenced = page.split("```csv ").skip(1);
    fenced.map(|part| part.split("```").next().unwrap().split_once('\n').unwrap()).collect()
}

/// Words as a shell splits them: white space, double quotes.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('"').enumerate();
    let words = parts.flat_map(|(n, part)| match n % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

#[test]
fn both_languages_show_the_same_commands_and_tables() {
    assert_eq!(commands(EN), commands(JA));
    assert_eq!(tables(EN), tables(JA));
    assert!(commands(EN).len() > 35, "{}", commands(EN).len());
}

/// A second release that may go back to the first, and the six pumps of the page.
fn scene() -> (Place, Double, [Value; 2]) {
    let (place, server) = hospital();
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
    let installed = |version: &str| {
        let path = format!("img/infusion-a-{version}.pwd");
        let fw = &staged["signed"]["targets"][path]["custom"]["fw"];
        json!({"family": fw["family"], "version": fw["version"], "seq": fw["seq"],
               "image_sha256": fw["payload"]["image_sha256"]})
    };
    let both = [installed("2.4.1"), installed("2.5.0")];
    let halted = json!({
        "wave": 1, "state": "halted", "devices": 2, "activated": 1, "updated": 0, "failed": 1,
        "silent": 0, "clinical_use_h": 0, "opened_at": null, "soak_until": null, "halts": 1,
        "halted_because": "pump-04: health check failed",
    });
    server.state.lock().unwrap().consent.rollouts = vec![json!({
        "approval": "infusion-a-13-v2", "approval_sha256": Sha256Digest::of(b"approval"),
        "image": both[1], "valid_until": "2027-01-05T06:30:00Z", "waves": [halted],
        "look_at": ["pump-04"], "reason": null,
    })];
    (place, server, both)
}

fn run_on_pumps(server: &Double, image: &Value) {
    let device = |n: u8| {
        let key = SecretKey::from_seed(&[n; 32]).public();
        json!({
            "device": format!("pump-{n:02}"), "management": "agent", "family": "acme.infusion-a",
            "hardware": "infusion-a.rev2", "device_key": key, "fingerprint": key.fingerprint(),
            "installed": image, "state": null, "reason": null, "last_seen": null,
            "ledger_id": null, "ledger_seq": 0, "forked": false,
        })
    };
    server.state.lock().unwrap().devices = (1..=6).map(device).collect();
}

#[test]
fn the_commands_of_the_page_run_as_they_stand() {
    let (place, server, [older, newer]) = scene();
    for (name, table) in tables(EN) {
        place.write(name, table);
    }
    run_on_pumps(&server, &older);
    for line in commands(EN).into_iter().filter(|line| !line.starts_with("record ")) {
        if line.contains("--rollback") {
            run_on_pumps(&server, &newer);
        } else if line.contains("approve ") {
            run_on_pumps(&server, &older);
        }
        let line = line.replace("tanaka.key", "ta.key").replace("suzuki.key", "tb.key");
        let line = line.replace("city-hospital-2026-12-05-1", "h-1");
        let mut words = words(&line.replace("2026-12-31", &dated("@20")));
        if line.contains("--key") {
            words.extend(["--passphrase-file", "pass"].map(str::to_owned));
        }
        if let Some((_, version)) = line.split_once("targets-v").filter(|_| line.contains(" sign "))
        {
            let version = version.split('.').next().unwrap();
            words.extend(["--yes-version", version].map(str::to_owned));
        }
        if line.starts_with("rollout resume") {
            words.extend(["--yes-wave", "1"].map(str::to_owned));
        }
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let run = place.run_words(&words);
        assert_eq!(run.status, 0, "{line}\n{}{}", run.out, run.err);
    }
    let state = server.state.lock().unwrap();
    // Two signers on five versions, one lift, one resume.
    assert_eq!(state.consent.acts.len(), 12);
    assert!(!state.consent.holds[0]["lifted_at"].is_null());
}
