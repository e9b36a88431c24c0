//! House rules: what Patchward asks of metadata beyond the TUF specification.
//!
//! [`Profile::Patchward`] everywhere; [`Profile::Plain`] only in the conformance client, which must
//! read repositories of any maker. Checked on documents whose signatures hold already.
//! Invariant: metadata of one Patchward repository is never accepted as that of another, though the
//! same keys sign both (TUF metadata does not name its repository).

use super::error::TufError;
use super::role::{Naming, Role};
use super::schema::{
    self, Delegations, Freshness, Key, Method, Part, PathSet, Root, Snapshot, Targets, TopLevel,
};
use crate::canonical::Charset;
use crate::id::{RepositoryId, TargetPath};
use crate::key::PublicKey;
use crate::limits::{DELEGATIONS_MAX, KEYS_MAX, TARGETS_MAX};
use crate::time::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Field that names the repository, in every signed part.
pub const X_REPOSITORY: &str = "x-repository";
/// Field that says when a part was signed: in root, targets and timestamp.
pub const X_ISSUED: &str = "x-issued";
/// Field of a site's root: the weakest method that its approvals may be signed with.
pub const X_WEAKEST: &str = "x-weakest";
/// Field of a site's root: keys whose signed time counts as a source of its own.
pub const X_TIME_KEYS: &str = "x-time-keys";
/// Where a delegated role of a family may list files.
pub const DELEGATED_DIR: &str = "delta/";

/// Which rules hold beyond TUF's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Profile {
    /// Bound to one repository, Ed25519 only, ASCII only, limits on every count.
    Patchward {
        /// The only repository whose metadata is accepted.
        repository: RepositoryId,
    },
    /// TUF as it is specified. For the conformance client only.
    Plain,
}

impl Profile {
    /// Which characters metadata may hold.
    #[must_use]
    pub const fn charset(&self) -> Charset {
        match self {
            Self::Patchward { .. } => Charset::Ascii,
            Self::Plain => Charset::Unicode,
        }
    }

    /// The repository, if there is one that metadata is bound to.
    #[must_use]
    pub const fn repository(&self) -> Option<&RepositoryId> {
        match self {
            Self::Patchward { repository } => Some(repository),
            Self::Plain => None,
        }
    }

    /// How files are named under this root.
    #[must_use]
    pub const fn naming(root: &Root) -> Naming {
        if root.consistent_snapshot { Naming::Consistent } else { Naming::Plain }
    }

    /// Checks a root.
    ///
    /// # Errors
    /// [`TufError::WrongRepository`] or [`TufError::HouseRule`].
    pub fn check_root(&self, root: &Root) -> Result<(), TufError> {
        let Self::Patchward { repository } = self else { return Ok(()) };
        let must = Must(&Role::Root);
        bound(repository, &Role::Root, root)?;
        must.hold(issued(root).is_some(), "x-issued is missing or no instant")?;
        must.hold(root.consistent_snapshot, "consistent_snapshot is not true")?;
        must.hold(root.keys.len() <= KEYS_MAX, "more keys than the limit")?;
        must.hold(root.keys.values().all(is_ours), "a key that is not a sound Ed25519 key")?;
        must.hold(root.roles.len() == TopLevel::ALL.len(), "other roles than the four")?;
        for role in TopLevel::ALL {
            check_authority(must, &schema::authority(root, role)?)?;
        }
        must.hold(reads::<Method>(root, X_WEAKEST), "x-weakest is no known method")?;
        must.hold(reads::<Vec<PublicKey>>(root, X_TIME_KEYS), "x-time-keys is no list of keys")?;
        let times = time_keys(root).len();
        must.hold(times <= KEYS_MAX, "more x-time-keys than the limit")
    }

    /// Checks a timestamp.
    ///
    /// # Errors
    /// [`TufError::WrongRepository`] or [`TufError::HouseRule`].
    pub fn check_timestamp(&self, timestamp: &Freshness) -> Result<(), TufError> {
        let Self::Patchward { repository } = self else { return Ok(()) };
        let must = Must(&Role::Timestamp);
        bound(repository, &Role::Timestamp, timestamp)?;
        must.hold(issued(timestamp).is_some(), "x-issued is missing or no instant")?;
        must.hold(timestamp.meta.len() == 1, "lists other files than the snapshot")?;
        must.hold(timestamp.meta.values().all(is_exact), "a listing without length or digest")
    }

    /// Checks a snapshot.
    ///
    /// # Errors
    /// [`TufError::WrongRepository`] or [`TufError::HouseRule`].
    pub fn check_snapshot(&self, snapshot: &Snapshot) -> Result<(), TufError> {
        let Self::Patchward { repository } = self else { return Ok(()) };
        let must = Must(&Role::Snapshot);
        bound(repository, &Role::Snapshot, snapshot)?;
        must.hold(snapshot.meta.len() <= 1 + DELEGATIONS_MAX, "lists more roles than the limit")?;
        must.hold(snapshot.meta.values().all(is_exact), "a listing without length or digest")
    }

    /// Checks targets, or a delegated role.
    ///
    /// # Errors
    /// [`TufError::WrongRepository`] or [`TufError::HouseRule`].
    pub fn check_targets(&self, role: &Role, targets: &Targets) -> Result<(), TufError> {
        let Self::Patchward { repository } = self else { return Ok(()) };
        let must = Must(role);
        bound(repository, role, targets)?;
        must.hold(targets.targets.len() <= TARGETS_MAX, "more targets than the limit")?;
        let named = targets.targets.keys().all(|name| TargetPath::new(name.raw()).is_ok());
        must.hold(named, "a target that is not named DIR/NAME in a-z 0-9 . _ -")?;
        let hashed =
            targets.targets.values().all(|entry| schema::listed_sha256(&entry.hashes).is_some());
        must.hold(hashed, "a target without a SHA-256 digest")?;
        let none = Delegations::default();
        let delegations = targets.delegations.as_ref().unwrap_or(&none);
        if *role != Role::Targets {
            return must.hold(delegations.roles.is_empty(), "a delegated role delegates further");
        }
        must.hold(issued(targets).is_some(), "x-issued is missing or no instant")?;
        match repository {
            RepositoryId::Site(_) => {
                must.hold(delegations.roles.is_empty(), "a site delegates nothing")
            }
            RepositoryId::Family(_) => check_delegations(must, delegations),
        }
    }
}

/// `x-issued` of a part.
#[must_use]
pub fn issued(part: &impl Part) -> Option<Timestamp> {
    part.extra(X_ISSUED).and_then(|value| Timestamp::deserialize(value).ok())
}

/// `x-time-keys` of a root; empty when there are none.
#[must_use]
pub fn time_keys(root: &Root) -> Vec<PublicKey> {
    root.extra(X_TIME_KEYS).and_then(|value| Vec::deserialize(value).ok()).unwrap_or_default()
}

/// `x-weakest` of a root; the strongest where it says nothing.
#[must_use]
pub fn weakest(root: &Root) -> Method {
    root.extra(X_WEAKEST)
        .and_then(|value| Method::deserialize(value).ok())
        .unwrap_or(Method::Offline)
}

/// Names of delegated roles: they stand in URLs and file names.
fn is_role_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&name.len())
        && name.bytes().all(good)
        && matches!(Role::named(name), Role::Delegated(_))
}

#[derive(Clone, Copy)]
struct Must<'a>(&'a Role);

impl Must<'_> {
    fn hold(self, holds: bool, rule: &'static str) -> Result<(), TufError> {
        if holds { Ok(()) } else { Err(TufError::HouseRule { role: self.0.clone(), rule }) }
    }
}

fn bound(repository: &RepositoryId, role: &Role, part: &impl Part) -> Result<(), TufError> {
    let found = part.extra(X_REPOSITORY).and_then(|value| value.as_str()).unwrap_or("none");
    if found == repository.to_string() {
        return Ok(());
    }
    let (expected, found) = (repository.to_string(), found.chars().take(120).collect());
    Err(TufError::WrongRepository { role: role.clone(), expected, found })
}

fn check_authority(
    must: Must<'_>,
    authority: &super::threshold::Authority,
) -> Result<(), TufError> {
    let distinct = u64::try_from(authority.materials().len()).unwrap_or(0);
    must.hold(authority.missing == 0, "a role lists a key id without a key")?;
    must.hold(authority.keys.len() <= KEYS_MAX, "a role lists more keys than the limit")?;
    must.hold(authority.threshold >= 1, "a threshold of 0")?;
    must.hold(authority.threshold <= distinct, "a threshold above the number of distinct keys")
}

fn check_delegations(must: Must<'_>, delegations: &Delegations) -> Result<(), TufError> {
    let roles = &delegations.roles;
    must.hold(roles.len() <= DELEGATIONS_MAX, "more delegations than the limit")?;
    must.hold(delegations.keys.len() <= KEYS_MAX, "more keys than the limit")?;
    must.hold(delegations.keys.values().all(is_ours), "a key that is not a sound Ed25519 key")?;
    for delegated in roles {
        must.hold(is_role_name(&delegated.name), "a delegated role with an odd name")?;
        let only_delta = match &delegated.paths {
            PathSet::Paths(paths) => {
                paths.iter().all(|path| path.value().starts_with(DELEGATED_DIR))
            }
            PathSet::PathHashPrefixes(_) => false,
        };
        must.hold(only_delta, "a delegation beyond delta/")?;
        check_authority(must, &schema::delegated_authority(delegations, &delegated.name)?)?;
    }
    let distinct: std::collections::BTreeSet<_> = roles.iter().map(|role| &role.name).collect();
    must.hold(distinct.len() == roles.len(), "a role delegated to twice")
}

fn is_ours(key: &Key) -> bool {
    schema::is_sound_ed25519(key) && schema::key_fields_read(key)
}

fn is_exact(listing: &schema::Metafile) -> bool {
    let digest = listing.hashes.as_ref().and_then(schema::listed_sha256);
    listing.length.is_some() && digest.is_some()
}

fn reads<T: DeserializeOwned>(root: &Root, field: &str) -> bool {
    root.extra(field).is_none_or(|value| T::deserialize(value).is_ok())
}
