//! What may be published: what a device checks, and what only the publisher can know.
//!
//! Pure: bytes in, list of violations out, so that a person sees all of them at once. The server
//! checks this in the transaction that points to a document; the command line before it sends one.
//! Not here: key rules ([`super::rules`]), approvals' contents, whether the files are there.
//! Invariant: what passes here is trusted by a device that trusts the published root.

use super::error::TufError;
use super::lookup::{self, DOCUMENT_DIR, IMAGE_DIR, ImageTarget, RefusedImage};
use super::profile::{self, Profile};
use super::role::Role;
use super::schema::{self, Document, Envelope, Part, Root, Targets, TopLevel};
use super::threshold;
use crate::id::{RepositoryId, Seq, TargetPath};
use crate::limits::{
    FAMILY_TARGETS_LIFE_S_MAX, ISSUED_AHEAD_S_MAX, ROOT_LIFE_S_MAX, SITE_TARGETS_LIFE_S_MAX,
};
use crate::time::Timestamp;
use crate::tuf::custom::ReleaseState;
use std::collections::BTreeMap;

/// Why something may not be published.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the texts say what the fields are")]
pub enum Violation {
    /// A device would not trust it.
    #[error(transparent)]
    Tuf(#[from] TufError),
    /// Not the version that follows.
    #[error("{role}: version {found}, but version {expected} must follow")]
    NotNext { role: Role, expected: u64, found: u64 },
    /// Expired already.
    #[error("{role}: expired {expires}")]
    Expired { role: Role, expires: Timestamp },
    /// Good for longer than this role may be.
    #[error("{role}: expires {expires}; the latest allowed is {latest}")]
    ExpiresLate { role: Role, expires: Timestamp, latest: Timestamp },
    /// Signed in the future: it would raise every device's sense of time beyond repair.
    #[error("{role}: x-issued is {issued}, and it is {at}")]
    IssuedAhead { role: Role, issued: Timestamp, at: Timestamp },
    /// An image breaks a rule of its own.
    #[error(transparent)]
    Image(#[from] RefusedImage),
    /// Two images of one rank.
    #[error("{path}: seq {seq} is also that of {other}")]
    SeqTwice { path: TargetPath, seq: Seq, other: TargetPath },
    /// A new image that is not above all published ones.
    #[error("{path}: seq {seq} must be above {newest}, the highest that is published")]
    SeqNotRising { path: TargetPath, seq: Seq, newest: Seq },
    /// A published image became another one.
    #[error("{path}: is published with other content; give the new image a name of its own")]
    ImageReplaced { path: TargetPath },
    /// A withdrawn image is offered again.
    #[error("{path}: was withdrawn; release it again under a new name and seq")]
    WithdrawnAgainReleased { path: TargetPath },
    /// A document of an image is not a target, or another one.
    #[error("{path}: its {name} {document} is not listed with that digest")]
    DocumentNotListed { path: TargetPath, name: &'static str, document: TargetPath },
}

impl Violation {
    /// The stable name of the reason.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Tuf(error) => error.code(),
            Self::NotNext { .. } => "publish_not_next",
            Self::Expired { .. } => "publish_expired",
            Self::ExpiresLate { .. } => "publish_expires_late",
            Self::IssuedAhead { .. } => "publish_issued_ahead",
            Self::Image(_) => "publish_image",
            Self::SeqTwice { .. } => "publish_seq_twice",
            Self::SeqNotRising { .. } => "publish_seq_not_rising",
            Self::ImageReplaced { .. } => "publish_image_replaced",
            Self::WithdrawnAgainReleased { .. } => "publish_withdrawn_again_released",
            Self::DocumentNotListed { .. } => "publish_document_not_listed",
        }
    }
}

/// Checks a root that follows `published`, or begins the repository.
#[must_use]
pub fn check_root(
    repository: &RepositoryId,
    published: Option<&Root>,
    bytes: &[u8],
    at: Timestamp,
) -> Vec<Violation> {
    let root = match read_root(repository, published, bytes) {
        Ok(root) => root,
        Err(error) => return vec![error.into()],
    };
    let previous = published.map_or(0, Part::version);
    check_times(&Role::Root, &root.signed, previous, ROOT_LIFE_S_MAX, at)
}

/// Checks targets that follow `published`, or are the first, under the root that will be current.
#[must_use]
pub fn check_targets(
    root: &Root,
    published: Option<&Targets>,
    bytes: &[u8],
    at: Timestamp,
) -> Vec<Violation> {
    let read = super::build::repository_of(&Role::Root, root)
        .and_then(|id| read_targets(&id, root, bytes).map(|targets| (id, targets)));
    let (repository, targets) = match read {
        Ok(read) => read,
        Err(error) => return vec![error.into()],
    };
    let life = match repository {
        RepositoryId::Family(_) => FAMILY_TARGETS_LIFE_S_MAX,
        RepositoryId::Site(_) => SITE_TARGETS_LIFE_S_MAX,
    };
    let previous = published.map_or(0, Part::version);
    let mut violations = check_times(&Role::Targets, &targets.signed, previous, life, at);
    check_images(&repository, published, &targets.signed, &mut violations);
    violations
}

/// The version of the next snapshot or timestamp: rises even after the database was restored from
/// an older backup.
#[must_use]
pub fn next_online_version(previous: u64, at: Timestamp) -> u64 {
    let minutes = u64::try_from(at.seconds() / 60).unwrap_or(0);
    previous.saturating_add(1).max(minutes)
}

fn read_root(
    repository: &RepositoryId,
    published: Option<&Root>,
    bytes: &[u8],
) -> Result<Document<Root>, TufError> {
    let profile = Profile::Patchward { repository: repository.clone() };
    let envelope = Envelope::read(&Role::Root, bytes, profile.charset())?;
    if let Some(published) = published {
        let old = schema::authority(published, TopLevel::Root)?;
        threshold::verify(&old, envelope.message(), envelope.signatures())?;
    }
    let root: Document<Root> = envelope.typed()?;
    let own = schema::authority(&root.signed, TopLevel::Root)?;
    threshold::verify(&own, root.message(), root.signatures())?;
    profile.check_root(&root.signed)?;
    Ok(root)
}

fn read_targets(
    repository: &RepositoryId,
    root: &Root,
    bytes: &[u8],
) -> Result<Document<Targets>, TufError> {
    let profile = Profile::Patchward { repository: repository.clone() };
    let envelope = Envelope::read(&Role::Targets, bytes, profile.charset())?;
    let keys = schema::authority(root, TopLevel::Targets)?;
    threshold::verify(&keys, envelope.message(), envelope.signatures())?;
    let targets: Document<Targets> = envelope.typed()?;
    profile.check_targets(&Role::Targets, &targets.signed)?;
    Ok(targets)
}

fn check_times(
    role: &Role,
    part: &impl Part,
    previous: u64,
    life_s_max: i64,
    at: Timestamp,
) -> Vec<Violation> {
    let mut violations = Vec::new();
    let role = || role.clone();
    let (expected, found) = (previous.saturating_add(1), part.version());
    if found != expected {
        violations.push(Violation::NotNext { role: role(), expected, found });
    }
    let expires = part.expires();
    if expires <= at {
        violations.push(Violation::Expired { role: role(), expires });
    }
    let issued = profile::issued(part).unwrap_or(at);
    let latest = issued.plus_seconds(life_s_max);
    if expires > latest {
        violations.push(Violation::ExpiresLate { role: role(), expires, latest });
    }
    if issued > at.plus_seconds(ISSUED_AHEAD_S_MAX) {
        violations.push(Violation::IssuedAhead { role: role(), issued, at });
    }
    violations
}

fn check_images(
    repository: &RepositoryId,
    published: Option<&Targets>,
    targets: &Targets,
    violations: &mut Vec<Violation>,
) {
    let before = published.map(|old| images(repository, old, &mut Vec::new())).unwrap_or_default();
    let newest = before.values().map(|image| image.firmware.seq).max();
    let mut ranks: BTreeMap<Seq, TargetPath> = BTreeMap::new();
    for (path, image) in images(repository, targets, violations) {
        let seq = image.firmware.seq;
        if let Some(other) = ranks.insert(seq, path.clone()) {
            violations.push(Violation::SeqTwice { path: path.clone(), seq, other });
        }
        let state = image.firmware.state;
        match before.get(&path) {
            Some(old)
                if old.sha256 != image.sha256
                    || old.firmware.seq != seq
                    || old.firmware.payload != image.firmware.payload =>
            {
                violations.push(Violation::ImageReplaced { path: path.clone() });
            }
            Some(old)
                if old.firmware.state == ReleaseState::Withdrawn && state != old.firmware.state =>
            {
                violations.push(Violation::WithdrawnAgainReleased { path: path.clone() });
            }
            None => {
                if let Some(newest) = newest.filter(|newest| seq <= *newest) {
                    violations.push(Violation::SeqNotRising { path: path.clone(), seq, newest });
                }
            }
            Some(_) => {}
        }
        for (name, document) in image.firmware.docs.each() {
            let entry = schema::entry(targets, document.path.as_str());
            let sha256 = entry.and_then(|entry| schema::listed_sha256(&entry.hashes));
            if sha256 != Some(document.sha256) || document.path.parts().0 != DOCUMENT_DIR {
                let (path, document) = (path.clone(), document.path.clone());
                violations.push(Violation::DocumentNotListed { path, name, document });
            }
        }
    }
}

fn images(
    repository: &RepositoryId,
    targets: &Targets,
    violations: &mut Vec<Violation>,
) -> BTreeMap<TargetPath, ImageTarget> {
    let mut found = BTreeMap::new();
    for (path, entry) in lookup::entries(targets).filter(|(path, _)| path.parts().0 == IMAGE_DIR) {
        match lookup::read_image(Some(repository), path.clone(), entry) {
            Ok(image) => drop(found.insert(path, image)),
            Err(refused) => violations.push(refused.into()),
        }
    }
    found
}
