//! A folder of one test, and runs of the real program in it.

#![allow(clippy::disallowed_methods, reason = "files of a test need not survive a power cut")]

use crate::double::Double;
use patchward_protocol::time::Timestamp;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock};

pub(crate) const PASSPHRASE: &str = "five random words for testing";
pub(crate) const ISSUED: &str = "@0T04:00:00Z";

pub(crate) struct Place {
    folder: tempfile::TempDir,
    pub(crate) config: &'static str,
}

/// What a run said.
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pass"), format!("{PASSPHRASE}\n")).unwrap();
        std::fs::write(folder.path().join("token"), "pw_test\n").unwrap();
        Self { folder, config: "config" }
    }

    /// The same folder, seen from a machine with another memory of what it trusts.
    pub(crate) fn with_config(self, config: &'static str) -> Self {
        Self { config, ..self }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Runs `patchward` with these words.
    pub(crate) fn run(&self, words: &str) -> Run {
        self.run_words(&words.split_whitespace().collect::<Vec<_>>())
    }

    pub(crate) fn run_words(&self, words: &[&str]) -> Run {
        let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_patchward"))
            .args(words.iter().map(|word| dated(word)))
            .args(["--config-dir", self.config])
            .current_dir(self.folder.path())
            .env("LANG", "C.UTF-8")
            .env_remove("LC_ALL")
            .env_remove("LC_MESSAGES")
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run { status: status.code().unwrap(), out: text(stdout), err: text(stderr) }
    }

    /// Runs and expects success.
    pub(crate) fn good(&self, words: &str) -> Run {
        let run = self.run(words);
        assert_eq!(run.status, 0, "{words}\n{}{}", run.out, run.err);
        run
    }

    /// Runs and expects success, answering JSON.
    pub(crate) fn json(&self, words: &str) -> Value {
        let run = self.good(&format!("{words} --json"));
        serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{words}: {error}"))
    }

    /// Runs and expects this code, with its hint in both languages.
    pub(crate) fn refused(&self, code: &str, words: &str) -> Run {
        let words: Vec<_> = words.split_whitespace().collect();
        self.refused_words(code, &words)
    }

    pub(crate) fn refused_words(&self, code: &str, words: &[&str]) -> Run {
        let known = patchward_cli::error::Code::ALL.iter().find(|known| known.code() == code);
        let known = known.unwrap_or_else(|| panic!("no code {code}"));
        let run = self.run_words(words);
        assert!(run.err.contains(&format!("error[{code}]")), "{words:?}\n{}{}", run.out, run.err);
        assert_eq!(run.status, i32::from(known.exit()), "{words:?}");
        assert!(run.err.contains(known.en()), "{}", run.err);
        let japanese = self.run_words(&[words, &["--lang", "ja"]].concat());
        assert!(japanese.err.contains(known.ja()), "{}", japanese.err);
        run
    }

    /// A key of this person. Each is made once for all tests, because making one takes long.
    pub(crate) fn key(&self, person: &str) {
        static MADE: OnceLock<Mutex<Place>> = OnceLock::new();
        let made = MADE.get_or_init(|| Mutex::new(Self::new())).lock().unwrap();
        if !made.path(&format!("{person}.key")).exists() {
            made.good(&format!(
                "key new --person {person} --out {person}.key --passphrase-file pass"
            ));
        }
        for end in ["key", "pub"] {
            let name = format!("{person}.{end}");
            std::fs::copy(made.path(&name), self.path(&name)).unwrap();
        }
    }

    pub(crate) fn sign(&self, file: &str, person: &str, version: u64, more: &str) -> Run {
        self.good(&format!(
            "stage sign {file} --key {person}.key --passphrase-file pass --yes-version {version} {more}"
        ))
    }

    pub(crate) fn login(&self, server: &Double) {
        self.good(&format!("login --server {} --token-file token", server.url()));
    }

    /// Six keys, an open and published repository.
    pub(crate) fn publish_first(&self, id: &str) {
        for person in ["ra", "rb", "rc", "ta", "tb", "tc"] {
            if !self.path(&format!("{person}.key")).exists() {
                self.key(person);
            }
        }
        self.good(&format!(
            "repo init {id} --title-en Pump --title-ja ポンプ --root-key ra.pub --root-key rb.pub \
             --root-key rc.pub --targets-key ta.pub --targets-key tb.pub --targets-key tc.pub \
             --issued {ISSUED} --out first-{id}"
        ));
        let (root, targets) =
            (format!("first-{id}/root-v1.stage.json"), format!("first-{id}/targets-v1.stage.json"));
        for person in ["ra", "rb"] {
            self.sign(&root, person, 1, "");
        }
        for person in ["ta", "tb"] {
            self.sign(&targets, person, 1, "");
        }
        self.good(&format!("stage publish {root} {targets}"));
    }

    /// A release folder's inputs: a tree image, dossier, SBOM, notes.
    pub(crate) fn release_inputs(&self) {
        self.write("image/bin/pump", b"#!/bin/sh\nexit 0\n");
        self.write("image/etc/pump.conf", b"rate=1\n");
        self.write("dossier.toml", include_bytes!("../../../keys-example/dossier.toml"));
        self.write(
            "sbom.json",
            br#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[]}"#,
        );
        self.write("notes-ja.md", "通信処理を修正しました。\n");
        self.write("notes-en.md", "Corrects the network code.\n");
    }
}

pub(crate) const PREPARE: &str = "release prepare --image image --dossier dossier.toml --sbom sbom.json \
     --notes-ja notes-ja.md --notes-en notes-en.md --issued @0T05:00:00Z";

/// Days stand as `@0`, `@13` in the words of a test: `@0` is yesterday, so that hours of that day
/// have passed whenever the test runs.
pub(crate) fn dated(text: &str) -> String {
    let mut parts = text.split('@');
    let mut dated = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let days: i64 = part[..end].parse().unwrap();
        let day = yesterday().plus_seconds(days * 24 * 3600).to_string();
        dated.push_str(&day[..10]);
        dated.push_str(&part[end..]);
    }
    dated
}

#[allow(clippy::disallowed_methods, reason = "the program under test asks the real clock too")]
pub(crate) fn yesterday() -> Timestamp {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(now.as_millis()).unwrap()).plus_seconds(-24 * 3600)
}

/// The names of the files in a folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
