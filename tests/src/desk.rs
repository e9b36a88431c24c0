//! A person's desk: the real command line with a folder of its own, and keys made with it.
//!
//! Used by [`crate::maker`] and [`crate::hospital`]. Not here: anything that the command line could do
//! itself. Invariant: every step is a command that a person could type.

use crate::bin::Programs;
use crate::image::put;
use crate::running::{Said, run, succeed};
use anyhow::{Context as _, Result};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::RepositoryId;
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A folder, and the command line in it.
#[derive(Debug, Clone)]
pub struct Desk {
    cli: PathBuf,
    folder: PathBuf,
}

/// A key that was made with the command line.
#[derive(Debug, Clone)]
pub struct KeyFile {
    /// Whose it is.
    pub person: String,
    /// `NAME.key`.
    pub key: PathBuf,
    /// `NAME.pub`.
    pub public: PathBuf,
    /// File with its passphrase.
    pub passphrase: PathBuf,
}

/// How the keys sign that stand in a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// On the signer's own machine.
    Offline,
    /// In the page; the root of a site says that it permits that.
    Console,
    /// By the server, which keeps the key; the root of a site says that it permits that.
    Custodial,
}

/// How a repository is called.
#[derive(Debug, Clone)]
pub struct Title {
    /// In English.
    pub en: String,
    /// In Japanese.
    pub ja: String,
}

/// The offline keys of one repository: three for the root, three for the targets.
#[derive(Debug, Clone)]
pub struct Hierarchy {
    /// Root keys, two of which must sign.
    pub root: Vec<KeyFile>,
    /// Targets keys, two of which must sign.
    pub targets: Vec<KeyFile>,
}

impl Desk {
    /// A desk in a folder of its own.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn new(programs: &Programs, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        Ok(Self { cli: programs.cli(), folder: folder.to_owned() })
    }

    /// A path on the desk.
    #[must_use]
    pub fn place(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A command of the command line.
    #[must_use]
    pub fn command<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(&self.cli);
        command.arg("--config-dir").arg(self.place("config")).args(["--lang", "en", "--json"]);
        command.args(words);
        command
    }

    /// Runs a command that must succeed; gives what it says for machines.
    ///
    /// # Errors
    /// When it fails, with everything it said.
    pub fn say(&self, command: &mut Command) -> Result<Value> {
        let said = succeed(command)?;
        serde_json::from_str(&said.out).with_context(|| format!("{command:?}: {}", said.out))
    }

    /// Runs a command whatever comes of it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn attempt(&self, command: &mut Command) -> Result<Said> {
        run(command)
    }

    /// Keeps a token for a server, by exchanging a one-time token or as given.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn enter(&self, verb: &str, server: &str, token: &str) -> Result<()> {
        let file = self.place("token.txt");
        put(&file, format!("{token}\n").as_bytes())?;
        let mut command = self.command([verb, "--server", server, "--token-file"]);
        self.say(command.arg(&file)).map(|_| ())
    }

    /// Makes a key.
    ///
    /// # Errors
    /// When the command line refuses.
    pub fn make_key(&self, person: &str, name: &str) -> Result<KeyFile> {
        self.make_key_as(person, name, Signing::Offline)
    }

    /// Makes a key that signs in this way.
    ///
    /// # Errors
    /// When the command line refuses.
    pub fn make_key_as(&self, person: &str, name: &str, signing: Signing) -> Result<KeyFile> {
        let key = self.place(&format!("{name}-{person}.key"));
        let passphrase = self.place(&format!("{name}-{person}.passphrase"));
        put(&passphrase, format!("correct horse {name} {person}\n").as_bytes())?;
        let mut command = self.command(["key", "new", "--person", person]);
        // A key that the server keeps is made by the server: never here.
        if signing != Signing::Offline {
            command.args(["--method", "console"]);
        }
        command.arg("--passphrase-file").arg(&passphrase).arg("--out").arg(&key);
        self.say(&mut command)?;
        let public = key.with_extension("pub");
        Ok(KeyFile { person: person.to_owned(), key, public, passphrase })
    }

    /// Makes the six offline keys of a repository.
    ///
    /// # Errors
    /// When the command line refuses.
    pub fn make_hierarchy(&self) -> Result<Hierarchy> {
        self.make_hierarchy_as(Signing::Offline)
    }

    /// The same with two targets keys that sign in this way; the third stays with its owner, for an
    /// emergency needs one that neither a server nor a page ever held.
    ///
    /// # Errors
    /// When the command line refuses.
    pub fn make_hierarchy_as(&self, signing: Signing) -> Result<Hierarchy> {
        let three = |role: &str, signing| {
            let people = [("tanaka", signing), ("sato", signing), ("suzuki", Signing::Offline)];
            let keys = people.into_iter().map(|(who, way)| self.make_key_as(who, role, way));
            keys.collect::<Result<Vec<_>>>()
        };
        // Opening key files is slow on purpose; both halves at once.
        std::thread::scope(|scope| {
            let root = scope.spawn(|| three("root", Signing::Offline));
            let targets = three("targets", signing)?;
            let root = root.join().map_err(|_| anyhow::anyhow!("making keys panicked"))??;
            Ok(Hierarchy { root, targets })
        })
    }

    /// Opens a repository, has its first root and targets signed by two people each, publishes.
    ///
    /// # Errors
    /// When any step is refused.
    pub fn open_repository(&self, id: &RepositoryId, keys: &Hierarchy) -> Result<PathBuf> {
        let title = Title { en: format!("Test {id}"), ja: format!("試験 {id}") };
        self.open_repository_as(id, keys, (&title, Signing::Offline))
    }

    /// The same under a title, with a root that permits this way of signing.
    ///
    /// # Errors
    /// When any step is refused.
    pub fn open_repository_as(
        &self,
        id: &RepositoryId,
        keys: &Hierarchy,
        (title, signing): (&Title, Signing),
    ) -> Result<PathBuf> {
        let out = self.place("first");
        let name = id.to_string();
        let mut command = self.command(["repo", "init", &name]);
        command.args(["--title-en", &title.en, "--title-ja", &title.ja]);
        match signing {
            Signing::Offline => {}
            Signing::Console => {
                command.args(["--weakest", "console"]);
            }
            Signing::Custodial => {
                command.args(["--weakest", "custodial"]);
            }
        }
        for key in &keys.root {
            command.arg("--root-key").arg(&key.public);
        }
        for key in &keys.targets {
            command.arg("--targets-key").arg(&key.public);
        }
        self.say(command.arg("--out").arg(&out))?;
        let root = out.join("root-v1.stage.json");
        let targets = out.join("targets-v1.stage.json");
        for key in keys.root.iter().take(2) {
            self.sign(&root, key, 1, &[])?;
        }
        for key in keys.targets.iter().take(2) {
            let root = root.to_string_lossy().into_owned();
            self.sign(&targets, key, 1, &["--root", &root])?;
        }
        self.publish(&[&root, &targets])?;
        Ok(root)
    }

    /// Signs a draft.
    ///
    /// # Errors
    /// When the command line refuses.
    pub fn sign(&self, file: &Path, key: &KeyFile, version: u64, more: &[&str]) -> Result<Value> {
        self.say(&mut self.signing(file, key, version, more))
    }

    /// The command that signs a draft.
    #[must_use]
    pub fn signing(&self, file: &Path, key: &KeyFile, version: u64, more: &[&str]) -> Command {
        let mut command = self.command(["stage", "sign"]);
        command.arg(file).arg("--key").arg(&key.key);
        command.arg("--passphrase-file").arg(&key.passphrase);
        command.args(["--yes-version", &version.to_string()]).args(more);
        command
    }

    /// Trusts a repository's first root, whose fingerprint its owner told by a trusted way.
    ///
    /// # Errors
    /// When the command line refuses.
    pub fn trust(&self, repository: &RepositoryId, root: &Path) -> Result<()> {
        let bytes = std::fs::read(root).with_context(|| format!("read {}", root.display()))?;
        let fingerprint = Sha256Digest::of(&bytes).fingerprint();
        let mut command = self.command(["repo", "trust", &repository.to_string(), "--root"]);
        command.arg(root).args(["--fingerprint", &fingerprint]);
        self.say(&mut command).map(|_| ())
    }

    /// Adds a key and its passphrase to a command.
    pub fn with_key<'a>(&self, command: &'a mut Command, key: &KeyFile) -> &'a mut Command {
        command.arg("--key").arg(&key.key).arg("--passphrase-file").arg(&key.passphrase)
    }

    /// STOP: holds a site, or what `scope` says of it; gives the hold's id. Needs no key.
    ///
    /// # Errors
    /// When the command line refuses.
    pub fn hold(&self, site: &str, scope: &[&str]) -> Result<String> {
        let mut command = self.command(["hold", "set", "--site", site]);
        command.args(["--reason", "Alarm in theatre 3", "--owner", "ME center"]).args(scope);
        Ok(text(&self.say(&mut command)?, "id")?.to_owned())
    }

    /// Publishes signed drafts.
    ///
    /// # Errors
    /// When the command line or the server refuses.
    pub fn publish(&self, files: &[&Path]) -> Result<Value> {
        let mut command = self.command(["stage", "publish"]);
        self.say(command.args(files))
    }
}

/// A text field of an answer.
///
/// # Errors
/// When there is none.
pub fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value.get(field).and_then(Value::as_str).with_context(|| format!("no {field} in {value}"))
}

/// A number of an answer.
///
/// # Errors
/// When there is none.
pub fn number(value: &Value, field: &str) -> Result<u64> {
    value.get(field).and_then(Value::as_u64).with_context(|| format!("no {field} in {value}"))
}
