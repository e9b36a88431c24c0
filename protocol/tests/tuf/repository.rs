//! A tiny repository in memory, a server that is a map of files, and a device that refreshes from it.

use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{RepositoryId, TargetPath};
use patchward_protocol::key::{SecretKey, Signer as _};
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::build::{
    DelegationSpec, FileSpec, KeySpec, RoleSpec, RootSpec, SnapshotSpec, TargetSpec, TargetsSpec,
    TimestampSpec,
};
use patchward_protocol::tuf::error::TufError;
use patchward_protocol::tuf::floors::Floors;
use patchward_protocol::tuf::profile::Profile;
use patchward_protocol::tuf::refresh::{Answer, Held, Refresh, Step};
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::{Part as _, Root};
use patchward_protocol::tuf::stage::Staged;
use patchward_protocol::tuf::trusted_set::{Expiry, TrustedSet};
use std::collections::BTreeMap;

pub type Files = BTreeMap<String, Vec<u8>>;

/// Seeds of the keys of each role.
pub const ROOT: [u8; 3] = [1, 2, 3];
pub const TARGETS: [u8; 3] = [11, 12, 13];
pub const SNAPSHOT: u8 = 21;
pub const TIMESTAMP: u8 = 31;
pub const DELTAS: u8 = 41;

pub fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

pub fn key_spec(seed: u8) -> KeySpec {
    KeySpec { public: key(seed).public(), person: None, method: None }
}

pub fn role(seeds: &[u8], threshold: u64) -> RoleSpec {
    RoleSpec { keys: seeds.iter().copied().map(key_spec).collect(), threshold }
}

/// Day `days` after the repository was made.
pub fn day(days: i64) -> Timestamp {
    "2026-11-01T00:00:00Z".parse::<Timestamp>().unwrap().plus_seconds(days * 24 * 3600)
}

pub fn path(text: &str) -> TargetPath {
    TargetPath::new(text).unwrap()
}

pub struct Repository {
    pub root: RootSpec,
    pub targets: TargetsSpec,
    /// The delegated `deltas` role, where there is one.
    pub deltas: Option<TargetsSpec>,
    pub snapshot_version: u64,
    pub timestamp_version: u64,
    pub files: Files,
    /// What is signed is signed now.
    pub at: Timestamp,
}

impl Repository {
    /// A repository with root, targets (one document), snapshot and timestamp, all version 1.
    pub fn new(id: &str) -> Self {
        let repository: RepositoryId = id.parse().unwrap();
        let at = day(0);
        let root = RootSpec {
            repository: repository.clone(),
            version: 1,
            issued: at,
            expires: day(700),
            root: role(&ROOT, 2),
            targets: role(&TARGETS, 2),
            snapshot: role(&[SNAPSHOT], 1),
            timestamp: role(&[TIMESTAMP], 1),
            weakest: None,
            time_keys: Vec::new(),
        };
        let targets = TargetsSpec {
            repository,
            version: 0,
            issued: at,
            expires: day(360),
            targets: BTreeMap::from([(path("doc/readme.txt"), content(b"read me"))]),
            delegations: Vec::new(),
        };
        let (deltas, files) = (None, Files::new());
        let (snapshot_version, timestamp_version) = (0, 0);
        let mut made =
            Self { root, targets, deltas, snapshot_version, timestamp_version, files, at };
        made.publish_root(&ROOT[..2]);
        made.publish(&TARGETS[..2]);
        made
    }

    pub fn with_deltas(id: &str) -> Self {
        let mut made = Self::new(id);
        let keys = role(&[DELTAS], 1);
        made.targets.delegations =
            vec![DelegationSpec { name: "deltas".into(), keys, paths: vec!["delta/*".into()] }];
        let deltas = TargetsSpec {
            version: 0,
            targets: BTreeMap::from([(path("delta/a-b"), content(b"difference"))]),
            delegations: Vec::new(),
            ..made.targets.clone()
        };
        made.deltas = Some(deltas);
        made.publish(&TARGETS[..2]);
        made
    }

    /// Signs the root as it stands and serves it.
    pub fn publish_root(&mut self, signers: &[u8]) {
        self.root.issued = self.at;
        let bytes = signed(self.root.staged().unwrap(), signers, &self.root);
        self.files.insert(format!("{}.root.json", self.root.version), bytes);
    }

    /// Makes the next root from the present one, changed by `change`, signed by `signers`.
    pub fn next_root(&mut self, signers: &[u8], change: impl FnOnce(&mut RootSpec)) {
        let old = self.root.clone();
        change(&mut self.root);
        self.root.version += 1;
        self.root.issued = self.at;
        let staged = self.root.staged().unwrap();
        let bytes = signed_under(staged, signers, &[&old, &self.root]);
        self.files.insert(format!("{}.root.json", self.root.version), bytes);
    }

    /// Publishes the next versions of targets, deltas, snapshot and timestamp.
    pub fn publish(&mut self, signers: &[u8]) {
        self.targets.version += 1;
        self.targets.issued = self.at;
        let bytes = signed(self.targets.staged(Role::Targets).unwrap(), signers, &self.root);
        let mut listed =
            BTreeMap::from([("targets".to_owned(), FileSpec::of(self.targets.version, &bytes))]);
        self.files.insert(format!("{}.targets.json", self.targets.version), bytes);
        if let Some(deltas) = &mut self.deltas {
            deltas.version += 1;
            let role = Role::named("deltas");
            let mut staged = deltas.staged(role.clone()).unwrap();
            sign_as(&mut staged, DELTAS, &role);
            let bytes = staged.to_bytes();
            listed.insert("deltas".to_owned(), FileSpec::of(deltas.version, &bytes));
            self.files.insert(format!("{}.deltas.json", deltas.version), bytes);
        }
        self.publish_snapshot(listed);
    }

    pub fn publish_snapshot(&mut self, listed: BTreeMap<String, FileSpec>) {
        self.snapshot_version += 1;
        let spec = SnapshotSpec {
            repository: self.root.repository.clone(),
            version: self.snapshot_version,
            expires: self.at.plus_seconds(30 * 24 * 3600),
            files: listed,
        };
        let bytes = signed(spec.staged().unwrap(), &self.online(SNAPSHOT), &self.root);
        let file = FileSpec::of(self.snapshot_version, &bytes);
        self.files.insert(format!("{}.snapshot.json", self.snapshot_version), bytes);
        self.publish_timestamp(file);
    }

    pub fn publish_timestamp(&mut self, snapshot: FileSpec) {
        self.timestamp_version += 1;
        let bytes = self.timestamp(self.timestamp_version, snapshot);
        self.files.insert("timestamp.json".to_owned(), bytes);
    }

    pub fn timestamp(&self, version: u64, snapshot: FileSpec) -> Vec<u8> {
        let spec = TimestampSpec {
            repository: self.root.repository.clone(),
            version,
            issued: self.at,
            expires: self.at.plus_seconds(7 * 24 * 3600),
            snapshot,
        };
        signed(spec.staged().unwrap(), &self.online(TIMESTAMP), &self.root)
    }

    /// What the present snapshot's entry in a timestamp is.
    pub fn snapshot_file(&self) -> FileSpec {
        let name = format!("{}.snapshot.json", self.snapshot_version);
        FileSpec::of(self.snapshot_version, &self.files[&name])
    }

    /// What the present targets' entry in a snapshot is.
    pub fn targets_file(&self) -> FileSpec {
        let name = format!("{}.targets.json", self.targets.version);
        FileSpec::of(self.targets.version, &self.files[&name])
    }

    /// Seeds 21.. are the snapshot's, 31.. the timestamp's: the ones that the root lists now.
    fn online(&self, first: u8) -> Vec<u8> {
        let roles = [&self.root.snapshot, &self.root.timestamp];
        (first..first + 9)
            .filter(|seed| {
                let public = key(*seed).public();
                roles.iter().any(|role| role.keys.iter().any(|key| key.public == public))
            })
            .collect()
    }

    pub fn id(&self) -> RepositoryId {
        self.root.repository.clone()
    }
}

pub fn content(bytes: &[u8]) -> TargetSpec {
    let length = u64::try_from(bytes.len()).unwrap();
    TargetSpec::plain(length, Sha256Digest::of(bytes))
}

/// Signs with the keys that `root` lists.
pub fn signed(staged: Staged, seeds: &[u8], root: &RootSpec) -> Vec<u8> {
    signed_under(staged, seeds, &[root])
}

/// Signs with each key under every key id that any of the roots gives it, in whatever role.
pub fn signed_under(mut staged: Staged, seeds: &[u8], roots: &[&RootSpec]) -> Vec<u8> {
    for seed in seeds {
        for root in roots {
            let typed = root.staged().unwrap().typed::<Root>().unwrap().signed;
            // A key of another role may be asked for on purpose; then it signs under its own id.
            match staged.asked(Some(&typed)).map(|asked| staged.sign(&key(*seed), &asked)) {
                Ok(Ok(())) => {}
                _ => sign_as(&mut staged, *seed, &Role::named("anybody")),
            }
        }
    }
    staged.to_bytes()
}

/// Signs with a key under the id that it has without further fields, listed or not.
pub fn sign_as(staged: &mut Staged, seed: u8, role: &Role) {
    let only = RootSpec {
        repository: "site:nowhere".parse().unwrap(),
        version: 1,
        issued: day(0),
        expires: day(1),
        root: self::role(&[seed], 1),
        targets: self::role(&[seed], 1),
        snapshot: self::role(&[seed], 1),
        timestamp: self::role(&[seed], 1),
        weakest: None,
        time_keys: Vec::new(),
    };
    let root = only.staged().unwrap().typed::<Root>().unwrap().signed;
    let top = patchward_protocol::tuf::schema::TopLevel::Root;
    let mut authority = patchward_protocol::tuf::schema::authority(&root, top).unwrap();
    authority.role = role.clone();
    staged.sign_for(&key(seed), authority).unwrap();
}

/// A device: what it holds, its floors, and its clock.
pub struct Device {
    pub held: Held,
    pub floors: Floors,
    pub profile: Profile,
    pub clock: Timestamp,
}

impl Device {
    pub fn of(repository: &Repository) -> Self {
        Self {
            held: Held::pinned(repository.files["1.root.json"].clone()),
            floors: Floors::default(),
            profile: Profile::Patchward { repository: repository.id() },
            clock: day(1),
        }
    }

    /// Refreshes from a server that serves these files.
    pub fn refresh(&mut self, files: &Files) -> Result<TrustedSet, TufError> {
        self.refresh_at(Expiry::Enforce(self.clock), files)
    }

    /// The same with what is known of the time.
    pub fn refresh_at(&mut self, expiry: Expiry, files: &Files) -> Result<TrustedSet, TufError> {
        let (held, floors) = (self.held.clone(), self.floors.clone());
        let mut refresh = Refresh::begin(held, floors, self.profile.clone(), expiry)?;
        let outcome = serve(&mut refresh, files);
        self.held = refresh.held().clone();
        self.floors = refresh.floors().clone();
        outcome?;
        refresh.finish().map(|(set, ..)| set)
    }

    /// Refreshes and returns the code of the refusal.
    pub fn refused(&mut self, files: &Files) -> &'static str {
        self.refresh(files).map(|_| "accepted").unwrap_or_else(|error| error.code())
    }

    pub fn versions(&self) -> [u64; 4] {
        let version = |bytes: &Option<Vec<u8>>| {
            let value: Option<serde_json::Value> =
                bytes.as_ref().map(|bytes| serde_json::from_slice(bytes).unwrap());
            value.map_or(0, |value| value["signed"]["version"].as_u64().unwrap())
        };
        let held = &self.held;
        let root = Some(held.root.clone());
        [&root, &held.timestamp, &held.snapshot, &held.targets].map(version)
    }
}

pub fn serve(refresh: &mut Refresh, files: &Files) -> Result<(), TufError> {
    while let Step::Fetch { file, bytes_max } = refresh.next() {
        match files.get(&file) {
            // What is longer than allowed is never read to its end.
            Some(bytes) if bytes.len() > bytes_max => {
                return Err(TufError::TooLong {
                    role: Role::Root,
                    length: u64::try_from(bytes.len()).unwrap(),
                    length_max: u64::try_from(bytes_max).unwrap(),
                });
            }
            Some(bytes) => refresh.supply(Answer::Bytes(bytes.clone()))?,
            None => refresh.supply(Answer::NotFound)?,
        }
    }
    Ok(())
}

/// Changes the text of a served file without signing it anew.
pub fn tamper(files: &mut Files, name: &str, from: &str, to: &str) {
    let text = String::from_utf8(files[name].clone()).unwrap();
    assert!(text.contains(from), "{name} holds {from}: {text}");
    files.insert(name.to_owned(), text.replacen(from, to, 1).into_bytes());
}

pub fn targets_version(set: &TrustedSet) -> u64 {
    set.targets().unwrap().signed.version()
}
