//! The example hierarchy: its public keys are the listed ones, and nobody may use them.

use crate::place::Place;
use patchward_cli::public_file::PublicFile;
use patchward_protocol::example_keys::EXAMPLE_KEYS;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../keys-example")
}

fn public_files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "pub")).collect()
}

#[test]
fn the_list_in_the_protocol_is_the_folder() {
    let keys: BTreeSet<_> = public_files()
        .iter()
        .map(|path| PublicFile::read(path).unwrap().public.to_string())
        .collect();
    assert_eq!(keys.len(), 12);
    assert_eq!(keys, EXAMPLE_KEYS.iter().map(|key| (*key).to_owned()).collect());
}

#[test]
fn the_readme_gives_the_passphrase_that_opens_every_example_key() {
    let readme = std::fs::read_to_string(folder().join("README.md")).unwrap();
    let passphrase = std::fs::read_to_string(folder().join("passphrase")).unwrap();
    assert!(readme.contains(passphrase.trim()) && readme.contains("never in production"));
    for path in public_files() {
        let text = std::fs::read_to_string(path.with_extension("key")).unwrap();
        let strength = patchward_cli::key_file::Strength::House;
        patchward_cli::key_file::open(&text, passphrase.trim(), strength).unwrap();
    }
}

#[test]
fn example_keys_are_refused_unless_an_option_named_insecure_says_so() {
    let place = Place::new();
    let path = |name: &str| folder().join(name).display().to_string();
    let init = |more: &str| {
        let keys = ["root-a", "root-b", "root-c"].map(|name| path(&format!("family-{name}.pub")));
        let targets =
            ["targets-a", "targets-b", "targets-c"].map(|name| path(&format!("family-{name}.pub")));
        let list = |flag: &str, keys: &[String]| {
            keys.iter().map(|key| format!("--{flag} {key} ")).collect::<String>()
        };
        format!(
            "repo init family:acme.infusion-a --title-en P --title-ja ポ --out x {} {} {more}",
            list("root-key", &keys),
            list("targets-key", &targets)
        )
    };
    place.refused("example_keys", &init(""));
    let server = crate::double::Double::start();
    place.login(&server);
    place.good(&init("--insecure-demo-keys"));
    let staged = "x/root-v1.stage.json --yes-version 1";
    let key = path("family-root-a.key");
    let words = format!("stage sign {staged} --key {key} --passphrase-file {}", path("passphrase"));
    place.refused("example_keys", &words);
}
