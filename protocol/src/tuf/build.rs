//! Making unsigned documents from plain values, for the command line and the server.
//!
//! A value of this file says what a document shall say; [`RootSpec::staged`] and its likes write it as
//! TUF metadata (specification version 1.0.31) and read it back under the house rules, so that
//! nothing is ever signed that a device would refuse for its form. Not here: signing
//! ([`super::stage`]), key rules ([`super::rules`]), what may be published ([`super::publish`]).
//! Invariant: instants in metadata are whole seconds, as other TUF clients ask.

use super::error::TufError;
use super::profile::{
    self, Profile, X_ISSUED, X_REPOSITORY, X_TIME_KEYS, X_WEAKEST, issued, time_keys,
};
use super::role::Role;
use super::schema::{self, Delegations, Method, Part, PathSet, RoleKey, Root, Targets, TopLevel};
use super::stage::Staged;
use super::threshold::Authority;
use crate::canonical;
use crate::digest::Sha256Digest;
use crate::id::{PersonId, RepositoryId, TargetPath};
use crate::key::PublicKey;
use crate::time::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The version of the TUF specification that is written.
pub const SPEC_VERSION: &str = "1.0.31";

/// A key as a root or delegation lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySpec {
    /// The public key.
    pub public: PublicKey,
    /// Whose it is.
    pub person: Option<PersonId>,
    /// How it signs (site keys).
    pub method: Option<Method>,
}

/// The keys of a role and how many of them must sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSpec {
    /// The keys.
    pub keys: Vec<KeySpec>,
    /// How many distinct keys must sign.
    pub threshold: u64,
}

/// What a root shall say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the words of the TUF specification")]
pub struct RootSpec {
    pub repository: RepositoryId,
    pub version: u64,
    pub issued: Timestamp,
    pub expires: Timestamp,
    pub root: RoleSpec,
    pub targets: RoleSpec,
    pub snapshot: RoleSpec,
    pub timestamp: RoleSpec,
    /// Weakest method that a site's approvals may be signed with; the strongest where it is absent.
    pub weakest: Option<Method>,
    /// Keys whose signed time counts as a source of its own.
    pub time_keys: Vec<PublicKey>,
}

/// What targets shall say of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetSpec {
    /// Its length in bytes.
    pub length: u64,
    /// Its digest.
    pub sha256: Sha256Digest,
    /// `custom`: integers and ASCII only.
    pub custom: Map<String, Value>,
}

/// A role that lists files below `delta/` on behalf of the targets; it always terminates a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegationSpec {
    /// Its name, e.g. `deltas`.
    pub name: String,
    /// Its keys.
    pub keys: RoleSpec,
    /// Patterns of what it may list, e.g. `delta/*`.
    pub paths: Vec<String>,
}

/// What targets, or a delegated role, shall say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the words of the TUF specification")]
pub struct TargetsSpec {
    pub repository: RepositoryId,
    pub version: u64,
    pub issued: Timestamp,
    pub expires: Timestamp,
    pub targets: BTreeMap<TargetPath, TargetSpec>,
    pub delegations: Vec<DelegationSpec>,
}

/// What a listing says of a metadata file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSpec {
    /// Its version.
    pub version: u64,
    /// Its length in bytes.
    pub length: u64,
    /// Its digest.
    pub sha256: Sha256Digest,
}

/// What a snapshot shall say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the words of the TUF specification")]
pub struct SnapshotSpec {
    pub repository: RepositoryId,
    pub version: u64,
    pub expires: Timestamp,
    /// Targets and delegated roles, by name (`targets`, `deltas`).
    pub files: BTreeMap<String, FileSpec>,
}

/// What a timestamp shall say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the words of the TUF specification")]
pub struct TimestampSpec {
    pub repository: RepositoryId,
    pub version: u64,
    pub issued: Timestamp,
    pub expires: Timestamp,
    pub snapshot: FileSpec,
}

impl KeySpec {
    /// The key object as it stands in metadata.
    #[must_use]
    pub fn object(&self) -> Value {
        let mut object = Map::new();
        object.insert("keytype".to_owned(), json!("ed25519"));
        object.insert("scheme".to_owned(), json!("ed25519"));
        object.insert("keyval".to_owned(), json!({ "public": self.public.to_string() }));
        if let Some(person) = &self.person {
            object.insert("x-person".to_owned(), json!(person));
        }
        if let Some(method) = self.method {
            object.insert("x-method".to_owned(), json!(method));
        }
        Value::Object(object)
    }

    /// Its TUF key id: the digest of the canonical key object, further fields included.
    #[must_use]
    pub fn id(&self) -> String {
        Sha256Digest::of(&canonical::write(&self.object()).unwrap_or_default()).to_string()
    }

    fn of(key: &RoleKey) -> Option<Self> {
        let (person, method) = (key.person.clone(), key.method);
        key.public().map(|public| Self { public, person, method })
    }
}

impl RoleSpec {
    fn of(authority: &Authority) -> Self {
        let keys = authority.keys.iter().filter_map(KeySpec::of).collect();
        Self { keys, threshold: authority.threshold }
    }

    fn object(&self) -> Value {
        json!({ "keyids": self.ids(), "threshold": self.threshold })
    }

    fn ids(&self) -> Vec<String> {
        self.keys.iter().map(KeySpec::id).collect()
    }
}

impl RootSpec {
    /// The four roles with their names.
    #[must_use]
    pub const fn roles(&self) -> [(TopLevel, &RoleSpec); 4] {
        [
            (TopLevel::Root, &self.root),
            (TopLevel::Timestamp, &self.timestamp),
            (TopLevel::Snapshot, &self.snapshot),
            (TopLevel::Targets, &self.targets),
        ]
    }

    /// What an existing root says, to begin the next one from.
    ///
    /// # Errors
    /// When it is no root of a Patchward repository.
    pub fn of(root: &Root) -> Result<Self, TufError> {
        let role = |role| schema::authority(root, role).map(|authority| RoleSpec::of(&authority));
        Ok(Self {
            repository: repository_of(&Role::Root, root)?,
            version: root.version(),
            issued: issued(root).unwrap_or(Timestamp::EPOCH),
            expires: root.expires(),
            root: role(TopLevel::Root)?,
            targets: role(TopLevel::Targets)?,
            snapshot: role(TopLevel::Snapshot)?,
            timestamp: role(TopLevel::Timestamp)?,
            weakest: root.extra(X_WEAKEST).map(|_| profile::weakest(root)),
            time_keys: time_keys(root),
        })
    }

    /// The unsigned document.
    ///
    /// # Errors
    /// When a device would refuse it for its form.
    pub fn staged(&self) -> Result<Staged, TufError> {
        let mut part = head("root", &self.repository, self.version, self.expires);
        let keys: Map<String, Value> = self
            .roles()
            .into_iter()
            .flat_map(|(_, role)| &role.keys)
            .map(|key| (key.id(), key.object()))
            .collect();
        let roles: Map<String, Value> = self
            .roles()
            .into_iter()
            .map(|(name, role)| (name.role().to_string(), role.object()))
            .collect();
        part.insert(X_ISSUED.to_owned(), json!(self.issued.whole_second()));
        part.insert("consistent_snapshot".to_owned(), json!(true));
        part.insert("keys".to_owned(), Value::Object(keys));
        part.insert("roles".to_owned(), Value::Object(roles));
        if let Some(weakest) = self.weakest {
            part.insert(X_WEAKEST.to_owned(), json!(weakest));
        }
        if !self.time_keys.is_empty() {
            part.insert(X_TIME_KEYS.to_owned(), json!(self.time_keys));
        }
        let staged = Staged::unsigned(Role::Root, Value::Object(part))?;
        bound_to(&self.repository).check_root(&staged.typed::<Root>()?.signed)?;
        Ok(staged)
    }
}

impl TargetsSpec {
    /// What existing targets say, to begin the next ones from.
    ///
    /// # Errors
    /// When they are no targets of a Patchward repository.
    pub fn of(role: &Role, targets: &Targets) -> Result<Self, TufError> {
        let repository = repository_of(role, targets)?;
        bound_to(&repository).check_targets(role, targets)?;
        let none = Delegations::default();
        let from = targets.delegations.as_ref().unwrap_or(&none);
        let delegations = from.roles.iter().map(|delegated| {
            let authority = schema::delegated_authority(from, &delegated.name)?;
            let PathSet::Paths(patterns) = &delegated.paths else {
                return Err(TufError::UnknownRole { role: authority.role });
            };
            let paths = patterns.iter().map(|pattern| pattern.value().to_owned()).collect();
            let (name, keys) = (delegated.name.clone(), RoleSpec::of(&authority));
            Ok(DelegationSpec { name, keys, paths })
        });
        Ok(Self {
            repository,
            version: targets.version(),
            issued: issued(targets).unwrap_or(Timestamp::EPOCH),
            expires: targets.expires(),
            targets: super::lookup::entries(targets)
                .filter_map(|(path, entry)| TargetSpec::of(entry).map(|spec| (path, spec)))
                .collect(),
            delegations: delegations.collect::<Result<_, _>>()?,
        })
    }

    /// The unsigned document, of the top-level targets or of a delegated role.
    ///
    /// # Errors
    /// When a device would refuse it for its form.
    pub fn staged(&self, role: Role) -> Result<Staged, TufError> {
        let mut part = head("targets", &self.repository, self.version, self.expires);
        part.insert(X_ISSUED.to_owned(), json!(self.issued.whole_second()));
        let targets: Map<String, Value> =
            self.targets.iter().map(|(path, target)| (path.to_string(), target.object())).collect();
        part.insert("targets".to_owned(), Value::Object(targets));
        if !self.delegations.is_empty() {
            let keys = self.delegations.iter().flat_map(|delegation| &delegation.keys.keys);
            let keys: Map<String, Value> = keys.map(|key| (key.id(), key.object())).collect();
            let roles: Vec<Value> = self.delegations.iter().map(DelegationSpec::object).collect();
            part.insert("delegations".to_owned(), json!({ "keys": keys, "roles": roles }));
        }
        let staged = Staged::unsigned(role.clone(), Value::Object(part))?;
        bound_to(&self.repository).check_targets(&role, &staged.typed::<Targets>()?.signed)?;
        Ok(staged)
    }
}

impl TargetSpec {
    /// A file without `custom`.
    #[must_use]
    pub fn plain(length: u64, sha256: Sha256Digest) -> Self {
        Self { length, sha256, custom: Map::new() }
    }

    fn of(entry: &schema::Target) -> Option<Self> {
        let custom = entry.custom.clone().into_iter().collect();
        let sha256 = schema::listed_sha256(&entry.hashes)?;
        Some(Self { length: entry.length, sha256, custom })
    }

    fn object(&self) -> Value {
        let mut object = Map::new();
        object.insert("length".to_owned(), json!(self.length));
        object.insert("hashes".to_owned(), json!({ "sha256": self.sha256 }));
        if !self.custom.is_empty() {
            object.insert("custom".to_owned(), Value::Object(self.custom.clone()));
        }
        Value::Object(object)
    }
}

impl DelegationSpec {
    fn object(&self) -> Value {
        json!({
            "name": self.name,
            "keyids": self.keys.ids(),
            "threshold": self.keys.threshold,
            "paths": self.paths,
            "terminating": true,
        })
    }
}

impl FileSpec {
    /// What a listing says of these bytes.
    #[must_use]
    pub fn of(version: u64, bytes: &[u8]) -> Self {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self { version, length, sha256: Sha256Digest::of(bytes) }
    }

    fn object(&self) -> Value {
        json!({
            "version": self.version,
            "length": self.length,
            "hashes": { "sha256": self.sha256 },
        })
    }
}

impl SnapshotSpec {
    /// The unsigned document.
    ///
    /// # Errors
    /// When a device would refuse it for its form.
    pub fn staged(&self) -> Result<Staged, TufError> {
        let mut part = head("snapshot", &self.repository, self.version, self.expires);
        let meta: Map<String, Value> = self
            .files
            .iter()
            .map(|(name, file)| (Role::named(name).meta_name(), file.object()))
            .collect();
        part.insert("meta".to_owned(), Value::Object(meta));
        let staged = Staged::unsigned(Role::Snapshot, Value::Object(part))?;
        bound_to(&self.repository).check_snapshot(&staged.typed()?.signed)?;
        Ok(staged)
    }
}

impl TimestampSpec {
    /// The unsigned document.
    ///
    /// # Errors
    /// When a device would refuse it for its form.
    pub fn staged(&self) -> Result<Staged, TufError> {
        let mut part = head("timestamp", &self.repository, self.version, self.expires);
        part.insert(X_ISSUED.to_owned(), json!(self.issued.whole_second()));
        part.insert("meta".to_owned(), json!({ "snapshot.json": self.snapshot.object() }));
        let staged = Staged::unsigned(Role::Timestamp, Value::Object(part))?;
        bound_to(&self.repository).check_timestamp(&staged.typed()?.signed)?;
        Ok(staged)
    }
}

fn head(
    kind: &str,
    repository: &RepositoryId,
    version: u64,
    expires: Timestamp,
) -> Map<String, Value> {
    let mut part = Map::new();
    part.insert("_type".to_owned(), json!(kind));
    part.insert("spec_version".to_owned(), json!(SPEC_VERSION));
    part.insert("version".to_owned(), json!(version));
    part.insert("expires".to_owned(), json!(expires.whole_second()));
    part.insert(X_REPOSITORY.to_owned(), json!(repository));
    part
}

fn bound_to(repository: &RepositoryId) -> Profile {
    Profile::Patchward { repository: repository.clone() }
}

/// The repository that a part says it is for.
///
/// # Errors
/// [`TufError::WrongRepository`] when it names none.
pub fn repository_of(role: &Role, part: &impl Part) -> Result<RepositoryId, TufError> {
    let named = part.extra(X_REPOSITORY).and_then(Value::as_str).unwrap_or("none");
    named.parse().map_err(|_| TufError::WrongRepository {
        role: role.clone(),
        expected: "a repository".to_owned(),
        found: named.chars().take(120).collect(),
    })
}
