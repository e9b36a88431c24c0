//! What was sent for publishing is judged: the protocol's rules, all of them at once, and the
//! server's own.
//!
//! Pure: documents in, verdict out. First signatures, order, key rules; then snapshot and timestamp are
//! signed; then the whole goes through the trusted set that devices use. Not here: blobs and rows
//! ([`super::commit`]).
//! Invariant: a device that trusts the repository's root trusts what passes here.

use super::online::{OnlineKeys, Signing, stored};
use super::refresh::Due;
use crate::app::Mode;
use crate::config::Refresh;
use crate::db::repository::{ListedTarget, StoredDocument};
use crate::error::{ApiError, Chain};
use crate::keys::OnlineRole;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::build::{RootSpec, TargetsSpec};
use patchward_protocol::tuf::error::TufError;
use patchward_protocol::tuf::floors::Floors;
use patchward_protocol::tuf::profile::Profile;
use patchward_protocol::tuf::publish::{self, Violation};
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::rules::{self, BrokenRule, Exception};
use patchward_protocol::tuf::schema::{Document, Envelope, Part, Root, Targets};
use patchward_protocol::tuf::trusted_set::{Expiry, TrustedSet};
use std::collections::BTreeSet;

/// What is published now.
#[derive(Debug, Clone)]
pub struct Held {
    /// `root.json`.
    pub root: StoredDocument,
    /// `targets.json`.
    pub targets: StoredDocument,
    /// `snapshot.json`.
    pub snapshot: StoredDocument,
    /// `timestamp.json`.
    pub timestamp: StoredDocument,
}

/// What was sent.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// A new root.
    pub root: Option<Vec<u8>>,
    /// New targets.
    pub targets: Option<Vec<u8>>,
}

/// Under which rules it is judged.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// The repository.
    pub repository: &'a RepositoryId,
    /// The server's keys for it.
    pub keys: &'a OnlineKeys,
    /// How long online documents live.
    pub lives: &'a Refresh,
    /// Whether example keys are let in.
    pub mode: Mode,
    /// The moment.
    pub at: Timestamp,
}

/// What may be published.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// All four documents as they will be current.
    pub next: Held,
    /// Whether the root is a new one.
    pub root_is_new: bool,
    /// Whether the targets are new ones.
    pub targets_are_new: bool,
    /// What the targets say.
    pub listed: TargetsSpec,
}

/// What stands against publishing.
#[derive(Debug, Default)]
struct Against {
    violations: Vec<Violation>,
    rules: Vec<BrokenRule>,
    online: Vec<String>,
}

impl Judge<'_> {
    /// Checks and completes what was sent. `None`: it is what is published already.
    ///
    /// # Errors
    /// `publish_refused`, `publish_conflict`, `repository_empty`, `example_keys`, or a failure of ours.
    pub fn judge(&self, held: Option<&Held>, sent: &Sent) -> Result<Option<Accepted>, ApiError> {
        let (Some(root), Some(targets)) = (
            sent.root.as_ref().or(held.map(|held| &held.root.bytes)),
            sent.targets.as_ref().or(held.map(|held| &held.targets.bytes)),
        ) else {
            return Err(ApiError::of(ErrorCode::RepositoryEmpty));
        };
        let is_new =
            |sent: &[u8], held: Option<&StoredDocument>| held.is_none_or(|held| held.bytes != sent);
        let root_is_new = is_new(root, held.map(|held| &held.root));
        let targets_are_new = is_new(targets, held.map(|held| &held.targets));
        if !root_is_new && !targets_are_new {
            return Ok(None);
        }
        let root: Document<Root> = self.read(&Role::Root, root)?;
        let targets: Document<Targets> = self.read(&Role::Targets, targets)?;
        let root_held = held.map(|held| self.read::<Root>(&Role::Root, &held.root.bytes));
        let root_held = root_held.transpose()?.map(|document| document.signed);
        let targets_held = held.map(|held| self.read(&Role::Targets, &held.targets.bytes));
        let targets_held = targets_held.transpose()?.map(|document| document.signed);
        let listed = TargetsSpec::of(&Role::Targets, &targets.signed).map_err(refuse)?;
        let mut against = Against::default();
        if root_is_new {
            let published = root_held.as_ref();
            against.violations =
                publish::check_root(self.repository, published, root.raw(), self.at);
        }
        self.check_keys(&root.signed, &listed, &mut against)?;
        if targets_are_new {
            let published = targets_held.as_ref();
            let found = publish::check_targets(&root.signed, published, targets.raw(), self.at);
            against.violations.extend(found);
        }
        against.verdict(held)?;
        let next = self.complete(held, &root, &targets)?;
        self.prove(held, &next, Expiry::Enforce(self.at)).map_err(refuse)?;
        Ok(Some(Accepted { next, root_is_new, targets_are_new, listed }))
    }

    /// The held documents with what is due signed again, proven as a publish is. The offline ones may
    /// have expired, which only their owners mend.
    ///
    /// # Errors
    /// A failure of ours.
    pub fn renew(&self, held: &Held, due: Due) -> Result<Accepted, ApiError> {
        let root: Document<Root> = self.read(&Role::Root, &held.root.bytes)?;
        let targets: Document<Targets> = self.read(&Role::Targets, &held.targets.bytes)?;
        let signing = self.signing(&root.signed);
        let mut next = held.clone();
        if due == Due::Both {
            next.snapshot = signing.snapshot(&held.targets, held.snapshot.version)?;
        }
        next.timestamp = signing.timestamp(&next.snapshot, held.timestamp.version)?;
        let whenever = Expiry::AsStaged(Timestamp::EPOCH);
        self.prove(Some(held), &next, whenever).map_err(ApiError::failed)?;
        let listed = TargetsSpec::of(&Role::Targets, &targets.signed).map_err(ApiError::failed)?;
        Ok(Accepted { next, root_is_new: false, targets_are_new: false, listed })
    }

    fn read<T: Part>(&self, role: &Role, bytes: &[u8]) -> Result<Document<T>, ApiError> {
        let envelope = Envelope::read(role, bytes, self.profile().charset());
        envelope.and_then(Envelope::typed).map_err(refuse)
    }

    fn check_keys(
        &self,
        root: &Root,
        targets: &TargetsSpec,
        against: &mut Against,
    ) -> Result<(), ApiError> {
        let spec = RootSpec::of(root).map_err(refuse)?;
        let exceptions: BTreeSet<Exception> = match self.mode {
            Mode::Production => BTreeSet::new(),
            Mode::InsecureDemo => BTreeSet::from([Exception::InsecureDemoKeys]),
        };
        against.rules = rules::check_root(&spec, &exceptions);
        against.rules.extend(rules::check_targets(&spec, targets, &exceptions));
        let online =
            [(OnlineRole::Snapshot, &spec.snapshot), (OnlineRole::Timestamp, &spec.timestamp)];
        for (role, listed) in online {
            let ours = self.keys.public(role);
            if listed.threshold != 1 || !listed.keys.iter().any(|key| key.public == ours) {
                let name = role.name();
                let rule = format!("root: {name} must list this server's key {ours}, threshold 1");
                against.online.push(rule);
            }
        }
        Ok(())
    }

    /// Signs what the server signs.
    fn complete(
        &self,
        held: Option<&Held>,
        root: &Document<Root>,
        targets: &Document<Targets>,
    ) -> Result<Held, ApiError> {
        let previous = |of: fn(&Held) -> u64| held.map_or(0, of);
        let signing = self.signing(&root.signed);
        let root = self.as_stored(root, held.map(|held| &held.root));
        let targets = self.as_stored(targets, held.map(|held| &held.targets));
        let snapshot = signing.snapshot(&targets, previous(|held| held.snapshot.version))?;
        let timestamp = signing.timestamp(&snapshot, previous(|held| held.timestamp.version))?;
        Ok(Held { root, targets, snapshot, timestamp })
    }

    /// The bytes as they came: their digest is what counts. Unchanged ones keep their date.
    fn as_stored<T: Part>(
        &self,
        document: &Document<T>,
        held: Option<&StoredDocument>,
    ) -> StoredDocument {
        let part = &document.signed;
        match held {
            Some(held) if held.sha256 == document.sha256() => held.clone(),
            Some(_) | None => {
                stored(part.version(), document.raw().to_vec(), part.expires(), self.at)
            }
        }
    }

    /// Goes through what a device goes through, coming from what is published now.
    fn prove(&self, held: Option<&Held>, next: &Held, expiry: Expiry) -> Result<(), TufError> {
        let pinned = held.map_or(&next.root, |held| &held.root);
        let floors = Floors::default();
        let mut set = TrustedSet::new(&pinned.bytes, floors, self.profile(), expiry)?;
        if next.root.version > pinned.version {
            set.update_root(&next.root.bytes)?;
        }
        let earlier = held.map(|held| (&held.timestamp.bytes, &held.snapshot.bytes));
        let (timestamp, snapshot) = earlier.unzip();
        set.end_roots(timestamp.map(Vec::as_slice), snapshot.map(Vec::as_slice))?;
        set.update_timestamp(&next.timestamp.bytes)?;
        set.update_snapshot(&next.snapshot.bytes)?;
        set.update_targets(&next.targets.bytes)
    }

    const fn signing<'a>(&'a self, root: &'a Root) -> Signing<'a> {
        let Self { repository, keys, lives, at, .. } = *self;
        Signing { repository, root, keys, lives, at }
    }

    fn profile(&self) -> Profile {
        Profile::Patchward { repository: self.repository.clone() }
    }
}

impl Against {
    /// An error that names everything, under the code that helps most.
    fn verdict(self, held: Option<&Held>) -> Result<(), ApiError> {
        let Self { violations, rules, online } = self;
        if violations.is_empty() && rules.is_empty() && online.is_empty() {
            return Ok(());
        }
        if let Some(held) = held
            && violations.iter().any(|violation| is_overtaken(violation, held))
        {
            let (root, targets) = (held.root.version, held.targets.version);
            let detail = format!("published are root {root} and targets {targets}");
            return Err(ApiError::with(ErrorCode::PublishConflict, detail));
        }
        let is_example = |rule: &BrokenRule| matches!(rule, BrokenRule::ExampleKey { .. });
        let code = match rules.iter().any(is_example) {
            true => ErrorCode::ExampleKeys,
            false => ErrorCode::PublishRefused,
        };
        let of_violations = violations.iter().map(|error| (error.code(), Chain(error).to_string()));
        let of_rules = rules.iter().map(|error| (error.code(), error.to_string()));
        let named = of_violations.chain(of_rules).map(|(code, text)| format!("{code}: {text}"));
        let all: Vec<String> = named.chain(online).collect();
        Err(ApiError::with(code, all.join("; ")))
    }
}

/// Whether a version was sent that is published already, with other content.
fn is_overtaken(violation: &Violation, held: &Held) -> bool {
    let Violation::NotNext { role, found, .. } = violation else { return false };
    let published = if *role == Role::Root { &held.root } else { &held.targets };
    *found <= published.version
}

/// Every target as the index of what may be fetched holds it.
#[must_use]
pub fn targets_of(listed: &TargetsSpec) -> Vec<ListedTarget> {
    let targets = listed.targets.iter();
    targets
        .map(|(path, target)| ListedTarget {
            path: path.to_string(),
            sha256: target.sha256,
            length: target.length,
        })
        .collect()
}

fn refuse(error: TufError) -> ApiError {
    let detail = format!("{}: {}", error.code(), Chain(&error));
    ApiError::with(ErrorCode::PublishRefused, detail)
}
