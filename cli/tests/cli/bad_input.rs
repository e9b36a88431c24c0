//! Bad input: wrong passphrase, damaged key, wrong TOML, dead server, full disk: each with its code.

use crate::double::Double;
use crate::place::{PREPARE, Place};
use std::os::unix::fs::PermissionsExt as _;

const FAMILY: &str = "family:acme.infusion-a";

fn staged() -> (Place, Double, String) {
    let (place, server) = (Place::new(), Double::start());
    place.login(&server);
    place.publish_first(FAMILY);
    place.release_inputs();
    place.good(&format!("{PREPARE} --out r1"));
    let sign = "stage sign r1/targets-v2.stage.json --key ta.key --yes-version 2 --passphrase-file";
    (place, server, sign.to_owned())
}

#[test]
fn a_wrong_passphrase_and_a_damaged_key_file_are_told_apart() {
    let (place, _server, sign) = staged();
    place.write("wrong", "five other words for testing\n");
    place.refused("passphrase_wrong", &format!("{sign} wrong"));
    let whole = String::from_utf8(place.read("ta.key")).unwrap();
    let lines: Vec<_> = whole.lines().collect();
    let last = lines[lines.len() - 2];
    let flipped = if last.starts_with('A') { "B" } else { "A" };
    let damaged = whole.replace(last, &format!("{flipped}{}", &last[1..]));
    for bad in [damaged.as_str(), &whole[..whole.len() / 2], "no key at all\n", ""] {
        std::fs::remove_file(place.path("ta.key")).unwrap();
        place.write("ta.key", bad);
        place.refused("key_file_corrupt", &format!("{sign} pass"));
    }
}

#[test]
fn a_key_exchanged_for_another_is_noticed() {
    let (place, _server, sign) = staged();
    std::fs::rename(place.path("tb.key"), place.path("ta.key")).unwrap();
    place.refused("key_mismatch", &format!("{sign} pass"));
    place.write("ta.pub", "{}");
    place.refused("public_file_bad", &format!("{sign} pass"));
    std::fs::remove_file(place.path("ta.pub")).unwrap();
    place.refused("file_missing", &format!("{sign} pass"));
}

#[test]
fn a_memory_that_does_not_read_is_never_taken_for_empty() {
    let (place, _server, sign) = staged();
    place.write("ta.memory.json", "{\"v\":1,");
    place.refused("file_unreadable", &format!("{sign} pass"));
}

#[test]
fn broken_toml_is_named_by_its_line() {
    let (place, _server, _) = staged();
    let text = String::from_utf8(place.read("dossier.toml")).unwrap();
    place.write("dossier.toml", text.replacen("seq = 12", "seq = = 12", 1));
    let run = place.refused("dossier_unreadable", &format!("{PREPARE} --out r2"));
    let line = text.lines().position(|line| line.starts_with("seq = 12")).unwrap() + 1;
    assert!(run.err.contains(&format!("line {line}")), "{}", run.err);
    std::fs::remove_file(place.path("dossier.toml")).unwrap();
    place.refused("file_missing", &format!("{PREPARE} --out r2"));
}

#[test]
fn servers_that_are_unknown_dead_or_plain_are_told_apart() {
    let place = Place::new();
    place.refused("not_logged_in", "token list");
    place.refused("plain_http", "login --server http://patchward.example --token-file token");
    place.refused("value_bad", "login --server patchward.example --token-file token");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    place.refused("server_unreachable", &format!("login --server {dead} --token-file token"));
    let server = Double::start();
    place.write("old", "pw_expired\n");
    let run = place
        .refused("server_refused", &format!("login --server {} --token-file old", server.url()));
    assert!(run.err.contains("server[token_invalid]"), "{}", run.err);
    assert!(run.err.contains("request id: request-1"), "{}", run.err);
    assert!(!place.path("config/tokens").exists());
}

#[test]
fn a_login_is_readable_by_its_owner_only_and_serves_the_next_verbs() {
    let (place, server) = (Place::new(), Double::start());
    place.login(&server);
    let folder = place.path("config/tokens");
    let file = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    place.good("devices city-hospital");
}

#[test]
fn metadata_that_was_changed_on_the_way_is_not_believed() {
    let (place, server, _) = staged();
    let name = "family/acme.infusion-a/metadata/1.targets.json";
    let mut state = server.state.lock().unwrap();
    let text = String::from_utf8(state.files[name].clone()).unwrap();
    let changed = text.replacen("T04:00:00Z", "T05:00:00Z", 1);
    state.files.insert(name.to_owned(), changed.into_bytes());
    drop(state);
    std::fs::remove_dir_all(place.path("config/trust")).unwrap();
    let root = place.read("first-family:acme.infusion-a/root-v1.stage.json");
    place.write("1.root.json", &root);
    let fingerprint =
        patchward_protocol::digest::Sha256Digest::of(&root).fingerprint().replace(' ', "");
    place.good(&format!("repo trust {FAMILY} --root 1.root.json --fingerprint {fingerprint}"));
    let run = place.refused("metadata_untrusted", &format!("repo fetch {FAMILY} --out x"));
    assert!(run.err.contains("tuf_"), "{}", run.err);
}

#[test]
fn another_root_is_never_taken_for_a_trusted_one() {
    let (place, _server, _) = staged();
    place.refused("root_unknown", "repo fetch family:acme.other --out x");
    let mut root: serde_json::Value =
        serde_json::from_slice(&place.read("first-family:acme.infusion-a/root-v1.stage.json"))
            .unwrap();
    root["signed"]["version"] = serde_json::json!(2);
    place.write("forged.json", root.to_string());
    place.refused(
        "metadata_untrusted",
        &format!("repo trust {FAMILY} --root forged.json --fingerprint 1"),
    );
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let place = Place::new();
    let new = "key new --person a --out /proc/none/a.key --passphrase-file pass";
    let run = place.refused("write_failed", new);
    assert!(run.err.contains("/proc/none"), "{}", run.err);
}

#[test]
fn a_draft_issued_in_the_future_or_before_the_published_one_goes_nowhere() {
    let (place, _server, _) = staged();
    let future = PREPARE.replace("@0T", "@20T");
    place.good(&format!("{future} --out r2"));
    for person in ["tb", "tc"] {
        place.sign("r2/targets-v2.stage.json", person, 2, "");
    }
    let run = place.refused("stage_rules", "stage publish r2/targets-v2.stage.json");
    assert!(run.err.contains("publish_issued_ahead"), "{}", run.err);
    let past = PREPARE.replace("@0T05", "@0T03");
    place.refused("value_bad", &format!("{past} --out r3"));
}

#[test]
fn an_oversized_dossier_is_not_read() {
    let (place, _server, _) = staged();
    place.write("dossier.toml", "#".repeat(256 * 1024 + 1));
    place.refused("file_too_long", &format!("{PREPARE} --out r2"));
}
