//! What was sent for publishing is judged: the protocol's rules, all of them at once, and the
//! server's own.
//!
//! Pure: documents in, verdict out. First signatures, order, key rules; then snapshot and timestamp are
//! signed; then the whole goes through the trusted set that devices use. Not here: blobs and rows
//! ([`super::commit`]).
//! Invariant: a device that trusts the repository's root trusts what passes here.

use super::deltas::{self, DeltasKey, Freshness};
use super::online::{OnlineKeys, Signing, stored};
use super::refresh::{self, Due};
use crate::app::Mode;
use crate::config::Refresh;
use crate::db::repository::{ListedTarget, StoredDocument};
use crate::error::{ApiError, Chain};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::id::{RepositoryId, TargetPath};
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::build::{RootSpec, TargetSpec, TargetsSpec};
use patchward_protocol::tuf::delta_target::{DELTAS_ROLE, DeltaTarget};
use patchward_protocol::tuf::error::TufError;
use patchward_protocol::tuf::floors::Floors;
use patchward_protocol::tuf::profile::Profile;
use patchward_protocol::tuf::publish::{self, Violation};
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::rules::{self, BrokenRule, Exception};
use patchward_protocol::tuf::schema::{Document, Envelope, Method, Part, Root, Targets};
use patchward_protocol::tuf::trusted_set::{Expiry, TrustedSet};
use std::collections::{BTreeMap, BTreeSet};

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
    /// `deltas.json`; none while the targets have never delegated to it.
    pub deltas: Option<StoredDocument>,
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
    /// The server's key for its list of deltas; families only.
    pub deltas: Option<&'a DeltasKey>,
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
    /// All documents as they will be current.
    pub next: Held,
    /// Whether the root is a new one.
    pub root_is_new: bool,
    /// Whether the targets are new ones.
    pub targets_are_new: bool,
    /// What the targets say.
    pub listed: TargetsSpec,
    /// What the list of deltas says.
    pub deltas: BTreeMap<TargetPath, TargetSpec>,
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
        against.online.extend(deltas::against(&targets.signed, self.deltas));
        if targets_are_new {
            let published = targets_held.as_ref();
            let found = publish::check_targets(&root.signed, published, targets.raw(), self.at);
            against.violations.extend(found);
        }
        against.verdict(held)?;
        let due = match held.and_then(|held| held.deltas.as_ref()) {
            Some(held) if refresh::is_short(held.into(), self.lives, self.at) => Freshness::Due,
            Some(_) | None => Freshness::Fresh,
        };
        let next = self.complete(held, &root, &targets, (&listed, due))?;
        self.prove(held, &next, Expiry::Enforce(self.at)).map_err(refuse)?;
        let deltas = deltas::listed(next.deltas.as_ref()).map_err(ApiError::failed)?;
        Ok(Some(Accepted { next, root_is_new, targets_are_new, listed, deltas }))
    }

    /// The held documents with what is due signed again, proven as a publish is. The offline ones may
    /// have expired, which only their owners mend.
    ///
    /// # Errors
    /// A failure of ours.
    pub fn renew(&self, held: &Held, due: Due) -> Result<Accepted, ApiError> {
        let root: Document<Root> = self.read(&Role::Root, &held.root.bytes)?;
        let targets: Document<Targets> = self.read(&Role::Targets, &held.targets.bytes)?;
        let listed = TargetsSpec::of(&Role::Targets, &targets.signed).map_err(ApiError::failed)?;
        let change = match due {
            Due::All => Some((Freshness::Due, None)),
            Due::Nothing | Due::Timestamp | Due::Both => None,
        };
        self.sign_again(held, &root, (&targets, listed), (due, change))
    }

    /// The held documents with one more delta in the list, proven as a publish is. `None`: the targets
    /// do not delegate to this server's key, or the delta leads to no image that devices may take.
    ///
    /// # Errors
    /// A failure of ours.
    pub fn list(&self, held: &Held, delta: &DeltaTarget) -> Result<Option<Accepted>, ApiError> {
        let root: Document<Root> = self.read(&Role::Root, &held.root.bytes)?;
        let targets: Document<Targets> = self.read(&Role::Targets, &held.targets.bytes)?;
        if !self.deltas.is_some_and(|key| deltas::is_delegated(&targets.signed, key)) {
            return Ok(None);
        }
        let listed = TargetsSpec::of(&Role::Targets, &targets.signed).map_err(ApiError::failed)?;
        let change = Some((Freshness::Fresh, Some(delta)));
        let accepted = self.sign_again(held, &root, (&targets, listed), (Due::All, change))?;
        Ok(accepted.deltas.contains_key(&delta.file.path).then_some(accepted))
    }

    fn sign_again(
        &self,
        held: &Held,
        root: &Document<Root>,
        (targets, listed): (&Document<Targets>, TargetsSpec),
        (due, change): (Due, Option<(Freshness, Option<&DeltaTarget>)>),
    ) -> Result<Accepted, ApiError> {
        let signing = self.signing(&root.signed);
        let mut next = held.clone();
        if let Some(change) = change {
            let targets = (&targets.signed, &listed);
            next.deltas = deltas::next(&signing, self.deltas, Some(held), targets, change)?;
        }
        if matches!(due, Due::Both | Due::All) {
            let deltas = next.deltas.as_ref();
            next.snapshot = signing.snapshot(&held.targets, deltas, held.snapshot.version)?;
        }
        next.timestamp = signing.timestamp(&next.snapshot, held.timestamp.version)?;
        let whenever = Expiry::AsStaged(Timestamp::EPOCH);
        self.prove(Some(held), &next, whenever).map_err(ApiError::failed)?;
        let deltas = deltas::listed(next.deltas.as_ref()).map_err(ApiError::failed)?;
        Ok(Accepted { next, root_is_new: false, targets_are_new: false, listed, deltas })
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
        let mut exceptions: BTreeSet<Exception> = match self.mode {
            Mode::Production => BTreeSet::new(),
            Mode::InsecureDemo => BTreeSet::from([Exception::InsecureDemoKeys]),
        };
        // A clinic that wants no keys says so in its own root, which its administrators signed.
        if spec.weakest == Some(Method::Custodial) {
            exceptions.insert(Exception::CustodialSite);
        }
        against.rules = rules::check_root(&spec, &exceptions);
        against.rules.extend(rules::check_targets(&spec, targets, &exceptions));
        let online = [
            ("snapshot", self.keys.snapshot(), &spec.snapshot),
            ("timestamp", self.keys.timestamp(), &spec.timestamp),
        ];
        for (name, ours, listed) in online {
            if listed.threshold != 1 || !listed.keys.iter().any(|key| key.public == ours) {
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
        (listed, freshness): (&TargetsSpec, Freshness),
    ) -> Result<Held, ApiError> {
        let previous = |of: fn(&Held) -> u64| held.map_or(0, of);
        let signing = self.signing(&root.signed);
        let says = (&targets.signed, listed);
        let deltas = deltas::next(&signing, self.deltas, held, says, (freshness, None))?;
        let root = self.as_stored(root, held.map(|held| &held.root));
        let targets = self.as_stored(targets, held.map(|held| &held.targets));
        let before = previous(|held| held.snapshot.version);
        let snapshot = signing.snapshot(&targets, deltas.as_ref(), before)?;
        let timestamp = signing.timestamp(&snapshot, previous(|held| held.timestamp.version))?;
        Ok(Held { root, targets, snapshot, timestamp, deltas })
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
        set.update_targets(&next.targets.bytes)?;
        // A device asks for the role by name, and only where the targets delegate to it.
        match &next.deltas {
            Some(deltas) if set.has_deltas() => set.take_delegated(DELTAS_ROLE, &deltas.bytes),
            Some(_) | None => Ok(()),
        }
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
pub fn targets_of(targets: &BTreeMap<TargetPath, TargetSpec>) -> Vec<ListedTarget> {
    targets
        .iter()
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
