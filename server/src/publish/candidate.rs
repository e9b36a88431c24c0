//! What was sent for publishing is checked as a device would check it, and a little more.
//!
//! Pure: documents in, verdict out. Signatures and version order first; then snapshot and timestamp
//! are signed; then the whole goes through the same trusted set that devices use. Not here: blobs and
//! rows ([`super::publish`]).
//! Invariant: a device that trusts the repository's root trusts what passes here.

use super::online::{OnlineKeys, Signing, stored};
use super::refresh::Due;
use crate::app::Mode;
use crate::config::Refresh;
use crate::db::repository::{ListedTarget, StoredDocument};
use crate::error::{ApiError, Chain};
use crate::keys::OnlineRole;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::example_keys;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::build::{RootSpec, TargetsSpec};
use patchward_protocol::tuf::error::TufError;
use patchward_protocol::tuf::floors::Floors;
use patchward_protocol::tuf::profile::Profile;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::{Document, Envelope, Part as _, Root, Targets};
use patchward_protocol::tuf::stage::Staged;
use patchward_protocol::tuf::trusted_set::{Expiry, TrustedSet};
use std::collections::BTreeMap;

/// How far ahead of the server's clock a document may say it was signed, in seconds. More would
/// raise the devices' sense of time beyond repair.
const AHEAD_S_MAX: i64 = 600;

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

impl Judge<'_> {
    /// Checks and completes what was sent. `None`: it is what is published already.
    ///
    /// # Errors
    /// `publish_refused`, `publish_conflict`, `repository_empty`, `example_keys`, or a failure of ours.
    pub fn judge(&self, held: Option<&Held>, sent: &Sent) -> Result<Option<Accepted>, ApiError> {
        let sent = fresh(held, sent);
        let (Some(root), Some(targets)) = (
            sent.root.as_ref().or(held.map(|held| &held.root.bytes)),
            sent.targets.as_ref().or(held.map(|held| &held.targets.bytes)),
        ) else {
            return Err(ApiError::of(ErrorCode::RepositoryEmpty));
        };
        if sent.root.is_none() && sent.targets.is_none() {
            return Ok(None);
        }
        let mut set = self.trusted_root(held, sent.root.as_deref(), root)?;
        let root = set.root().clone();
        self.check_root(&root)?;
        let read = self.check_targets(held, &root.signed, targets, sent.targets.is_some())?;
        let next = self.complete(held, &root, &read)?;
        self.prove(&mut set, held, &next)?;
        Ok(Some(Accepted {
            next,
            root_is_new: sent.root.is_some(),
            targets_are_new: sent.targets.is_some(),
            listed: TargetsSpec::of(&Role::Targets, &read.signed).map_err(refuse)?,
        }))
    }

    /// The held root, moved one step where a new one was sent.
    fn trusted_root(
        &self,
        held: Option<&Held>,
        sent: Option<&[u8]>,
        root: &[u8],
    ) -> Result<TrustedSet, ApiError> {
        let profile = Profile::Patchward { repository: self.repository.clone() };
        let expiry = Expiry::Enforce(self.at);
        let pinned = held.map_or(root, |held| &held.root.bytes);
        let set = TrustedSet::new(pinned, Floors::default(), profile, expiry);
        let mut set = set.map_err(refuse)?;
        match (held, sent) {
            (None, _) if set.root().signed.version() != 1 => {
                return Err(rule("root", "the first root of a repository has version 1"));
            }
            (Some(held), Some(sent)) => set.update_root(sent).map_err(|error| match &error {
                TufError::RootGap { found, .. } if *found <= held.root.version => conflict(held),
                _ => refuse(error),
            })?,
            (None, _) | (Some(_), None) => {}
        }
        Ok(set)
    }

    fn check_root(&self, root: &Document<Root>) -> Result<(), ApiError> {
        let spec = RootSpec::of(&root.signed).map_err(refuse)?;
        self.not_ahead("root", spec.issued)?;
        for (role, of) in [
            (OnlineRole::Snapshot, &spec.snapshot),
            (OnlineRole::Timestamp, &spec.timestamp),
        ] {
            let ours = self.keys.public(role);
            if of.threshold != 1 || !of.keys.iter().any(|key| key.public == ours) {
                let name = role.name();
                let detail = format!(
                    "root: {name} must list this server's key {ours} with threshold 1 (`show` says it)"
                );
                return Err(ApiError::with(ErrorCode::PublishRefused, detail));
            }
        }
        let keys = spec.roles().into_iter().flat_map(|(_, role)| &role.keys);
        let example = keys.map(|key| key.public).find(example_keys::is_example);
        match (self.mode, example) {
            (Mode::Production, Some(key)) => {
                Err(ApiError::with(ErrorCode::ExampleKeys, key.to_string()))
            }
            (Mode::Production, None) | (Mode::InsecureDemo, _) => Ok(()),
        }
    }

    /// Signatures, shape and order of the targets, new or held.
    fn check_targets(
        &self,
        held: Option<&Held>,
        root: &Root,
        bytes: &[u8],
        is_new: bool,
    ) -> Result<Document<Targets>, ApiError> {
        let staged = Staged::read(Role::Targets, bytes).map_err(refuse)?;
        let asked = staged.asked(Some(root)).map_err(refuse)?;
        for status in staged.status(&asked).map_err(refuse)? {
            if !status.is_met() {
                let (needed, valid) = (status.threshold, status.signers.count());
                let role = Role::Targets;
                return Err(refuse(TufError::SignatureThreshold { role, needed, valid }));
            }
        }
        // The bytes as they came, not as they would be written again: their digest is what counts.
        let profile = Profile::Patchward { repository: self.repository.clone() };
        let envelope = Envelope::read(&Role::Targets, bytes, profile.charset());
        let read: Document<Targets> = envelope.and_then(|read| read.typed()).map_err(refuse)?;
        let spec = TargetsSpec::of(&Role::Targets, &read.signed).map_err(refuse)?;
        self.not_ahead("targets", spec.issued)?;
        match held {
            Some(held) if is_new && spec.version <= held.targets.version => Err(conflict(held)),
            _ => Ok(read),
        }
    }

    /// Signs what the server signs.
    fn complete(
        &self,
        held: Option<&Held>,
        root: &Document<Root>,
        targets: &Document<Targets>,
    ) -> Result<Held, ApiError> {
        let previous = |of: fn(&Held) -> u64| held.map_or(0, of);
        let keep = |new: StoredDocument, held: Option<&StoredDocument>| match held {
            Some(held) if held.sha256 == new.sha256 => held.clone(),
            _ => new,
        };
        let (at, Self { repository, keys, lives, .. }) = (self.at, *self);
        let signing = Signing { repository, root: &root.signed, keys, lives, at };
        let of_root = &root.signed;
        let root = stored(of_root.version(), root.raw().to_vec(), of_root.expires(), at);
        let of_targets = &targets.signed;
        let targets =
            stored(of_targets.version(), targets.raw().to_vec(), of_targets.expires(), at);
        let snapshot = signing.snapshot(&targets, previous(|held| held.snapshot.version))?;
        let timestamp = signing.timestamp(&snapshot, previous(|held| held.timestamp.version))?;
        Ok(Held {
            root: keep(root, held.map(|held| &held.root)),
            targets: keep(targets, held.map(|held| &held.targets)),
            snapshot,
            timestamp,
        })
    }

    /// Goes through what a device goes through, coming from what is published now.
    fn prove(
        &self,
        set: &mut TrustedSet,
        held: Option<&Held>,
        next: &Held,
    ) -> Result<(), ApiError> {
        let earlier = held.map(|held| (&held.timestamp.bytes, &held.snapshot.bytes));
        let (timestamp, snapshot) = earlier.unzip();
        set.end_roots(timestamp.map(Vec::as_slice), snapshot.map(Vec::as_slice))
            .and_then(|()| set.update_timestamp(&next.timestamp.bytes))
            .and_then(|_| set.update_snapshot(&next.snapshot.bytes))
            .and_then(|()| set.update_targets(&next.targets.bytes))
            .map_err(refuse)?;
        if let RepositoryId::Family(_) = self.repository {
            check_images(set)?;
        }
        Ok(())
    }

    /// The held documents with what is due signed again.
    ///
    /// # Errors
    /// A failure of ours.
    pub(super) fn renewed(&self, held: &Held, due: Due) -> Result<Held, ApiError> {
        let root = Staged::read(Role::Root, &held.root.bytes).and_then(|root| root.typed::<Root>());
        let root = root.map_err(ApiError::failed)?.signed;
        let Self { repository, keys, lives, at, .. } = *self;
        let signing = Signing { repository, root: &root, keys, lives, at };
        let mut next = held.clone();
        if due == Due::Both {
            next.snapshot = signing.snapshot(&held.targets, held.snapshot.version)?;
        }
        next.timestamp = signing.timestamp(&next.snapshot, held.timestamp.version)?;
        Ok(next)
    }

    /// Proves renewed documents; the offline ones may have expired, which only their owners mend.
    ///
    /// # Errors
    /// A failure of ours.
    pub(super) fn proven(&self, held: &Held, next: &Held) -> Result<TargetsSpec, ApiError> {
        let profile = Profile::Patchward { repository: self.repository.clone() };
        let expiry = Expiry::AsStaged(Timestamp::EPOCH);
        let set = TrustedSet::new(&held.root.bytes, Floors::default(), profile, expiry);
        let mut set = set.map_err(ApiError::failed)?;
        self.prove(&mut set, Some(held), next)?;
        let targets = set.targets().ok_or_else(|| ApiError::of(ErrorCode::RepositoryEmpty))?;
        TargetsSpec::of(&Role::Targets, &targets.signed).map_err(ApiError::failed)
    }

    fn not_ahead(&self, role: &str, issued: Timestamp) -> Result<(), ApiError> {
        match issued <= self.at.plus_seconds(AHEAD_S_MAX) {
            true => Ok(()),
            false => {
                let detail = format!("{role}: x-issued is {issued}, and it is {} here", self.at);
                Err(ApiError::with(ErrorCode::PublishRefused, detail))
            }
        }
    }
}

/// What was sent without what is published already: sending it twice is harmless.
fn fresh(held: Option<&Held>, sent: &Sent) -> Sent {
    let new = |sent: &Option<Vec<u8>>, held: Option<&StoredDocument>| {
        sent.clone().filter(|bytes| held.is_none_or(|held| held.bytes != *bytes))
    };
    Sent {
        root: new(&sent.root, held.map(|held| &held.root)),
        targets: new(&sent.targets, held.map(|held| &held.targets)),
    }
}

/// Every image says what it is, ranks are distinct, and each image's documents stand beside it.
fn check_images(set: &TrustedSet) -> Result<(), ApiError> {
    let mut faults = Vec::new();
    let mut ranks = BTreeMap::new();
    for image in set.images() {
        let image = match image {
            Ok(image) => image.into_inner(),
            Err(error) => {
                faults.push(Chain(&error).to_string());
                continue;
            }
        };
        let path = image.path.as_str();
        let firmware = &image.firmware;
        if let Some(other) = ranks.insert(firmware.seq, image.path.clone()) {
            faults.push(format!("{path}: seq {} is also that of {other}", firmware.seq));
        }
        for (name, document) in firmware.docs.each() {
            let beside = set.target(&document.path);
            if !beside.is_some_and(|target| target.sha256 == document.sha256) {
                faults.push(format!("{path}: its {name} {} is not listed so", document.path));
            }
        }
    }
    match faults.is_empty() {
        true => Ok(()),
        false => Err(ApiError::with(ErrorCode::PublishRefused, faults.join("; "))),
    }
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

fn rule(role: &str, rule: &str) -> ApiError {
    ApiError::with(ErrorCode::PublishRefused, format!("{role}: {rule}"))
}

fn conflict(held: &Held) -> ApiError {
    let (root, targets) = (held.root.version, held.targets.version);
    let detail = format!("published are root {root} and targets {targets}");
    ApiError::with(ErrorCode::PublishConflict, detail)
}
