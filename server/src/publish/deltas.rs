//! The list of deltas of a family: a role that its targets delegate to this server's own key.
//!
//! The key is loaded here and nowhere else, and signs nothing but this list. What a list says can waste
//! bandwidth and install nothing: devices compare every window with the offline-signed image. Not here:
//! building deltas ([`crate::delta`]). Invariant: a listed delta leads to an image that the current
//! targets list as released.

use super::candidate::Held;
use super::online::{Signing, stored};
use crate::clock::Rng;
use crate::db::repository::{Heads, StoredDocument};
use crate::error::{ApiError, Chain};
use crate::keys::{KeyError, Keyring, OnlineRole};
use crate::limits::DELTAS_LISTED_MAX;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{RepositoryId, TargetPath};
use patchward_protocol::key::{PublicKey, SecretKey, Signer as _};
use patchward_protocol::tuf::build::{TargetSpec, TargetsSpec};
use patchward_protocol::tuf::custom::{Firmware, ReleaseState};
use patchward_protocol::tuf::delta_target::{DELTA_DIR, DELTAS_ROLE, DeltaFacts, DeltaTarget};
use patchward_protocol::tuf::error::TufError;
use patchward_protocol::tuf::lookup::{IMAGE_DIR, ImageTarget, TargetFile};
use patchward_protocol::tuf::profile::Profile;
use patchward_protocol::tuf::publish::next_online_version;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::{self, Delegations, Envelope, PathSet, Targets};
use patchward_protocol::tuf::stage::{StageError, Staged};
use patchward_protocol::tuf::threshold;
use serde::Deserialize as _;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The key that signs a family's list of deltas.
#[derive(Debug, Clone)]
pub struct DeltasKey(Arc<SecretKey>);

impl DeltasKey {
    /// Reads it; a site has none. Blocks its thread.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn of(keyring: &Keyring, repository: &RepositoryId) -> Result<Option<Self>, KeyError> {
        match repository {
            RepositoryId::Family(_) => {
                keyring.online(repository, OnlineRole::Deltas).map(Self).map(Some)
            }
            RepositoryId::Site(_) => Ok(None),
        }
    }

    /// The same where nothing may fail for want of it: a family without the key has no new deltas.
    #[must_use]
    pub fn held(keyring: &Keyring, repository: &RepositoryId) -> Option<Self> {
        let read = Self::of(keyring, repository).inspect_err(|error| {
            let chain = Chain(error).to_string();
            tracing::warn!(repository.id = %repository, error = %chain, "There is no key for deltas");
        });
        read.ok().flatten()
    }

    /// Makes the key for a family that an earlier version of this program opened. A key that has signed
    /// and is lost is not replaced in silence: the family's signers would have to delegate anew. Blocks
    /// its thread.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn make(
        keyring: &Keyring,
        repository: &RepositoryId,
        heads: &Heads,
        rng: &dyn Rng,
    ) -> Result<(), KeyError> {
        match repository {
            RepositoryId::Family(_) if heads.deltas == 0 => {
                keyring.make(repository, OnlineRole::Deltas, rng)
            }
            RepositoryId::Family(_) | RepositoryId::Site(_) => Ok(()),
        }
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.0.public()
    }
}

/// The delegation to the role, if targets have one.
#[must_use]
pub fn delegation(targets: &Targets) -> Option<&Delegations> {
    let delegations = targets.delegations.as_ref()?;
    delegations.roles.iter().any(|role| role.name == DELTAS_ROLE).then_some(delegations)
}

/// What is wrong with a delegation to the role; nothing where there is none.
#[must_use]
pub fn against(targets: &Targets, ours: Option<&DeltasKey>) -> Option<String> {
    let delegations = delegation(targets)?;
    if ours.is_some_and(|ours| is_ours(delegations, &ours.public())) {
        return None;
    }
    let Some(ours) = ours else {
        return Some(format!(
            "targets: they delegate to {DELTAS_ROLE}, and this server has lost its deltas key; it must \
             be restored, or there must be no delegation"
        ));
    };
    let key = ours.public();
    Some(format!(
        "targets: a delegation to {DELTAS_ROLE} must name this server's deltas key {key} alone, \
         threshold 1, paths {DELTA_DIR}/*, terminating; or there must be none"
    ))
}

/// Whether targets delegate to the role with this key, in the one way that is served.
#[must_use]
pub fn is_delegated(targets: &Targets, ours: &DeltasKey) -> bool {
    delegation(targets).is_some_and(|delegations| is_ours(delegations, &ours.public()))
}

fn is_ours(delegations: &Delegations, ours: &PublicKey) -> bool {
    let Some(role) = delegations.roles.iter().find(|role| role.name == DELTAS_ROLE) else {
        return false;
    };
    let PathSet::Paths(paths) = &role.paths else { return false };
    let alone = schema::delegated_authority(delegations, DELTAS_ROLE).is_ok_and(|authority| {
        let keys = authority.public_keys();
        authority.missing == 0
            && keys.len() == 1
            && keys.contains(ours)
            && authority.keys.len() == 1
    });
    let wanted = format!("{DELTA_DIR}/*");
    let covered = paths.len() == 1 && paths.iter().all(|path| path.value() == wanted);
    alone && covered && role.threshold.get() == 1 && role.terminating
}

/// The list with its files, as it stands in a signed document.
///
/// # Errors
/// [`TufError`] when it does not read.
pub fn listed(
    document: Option<&StoredDocument>,
) -> Result<BTreeMap<TargetPath, TargetSpec>, TufError> {
    let Some(document) = document else { return Ok(BTreeMap::new()) };
    let role = Role::Delegated(DELTAS_ROLE.to_owned());
    let targets = Staged::read(role.clone(), &document.bytes)?.typed::<Targets>()?;
    Ok(TargetsSpec::of(&role, &targets.signed)?.targets)
}

/// The entry of a delta.
///
/// # Errors
/// A failure of ours.
pub fn entry(delta: &DeltaTarget) -> Result<TargetSpec, ApiError> {
    let facts = serde_json::to_value(&delta.facts).map_err(ApiError::failed)?;
    let mut spec = TargetSpec::plain(delta.file.length, delta.file.sha256);
    spec.custom.insert(DELTA_DIR.to_owned(), facts);
    Ok(spec)
}

/// What an entry says; nothing where it says what this program does not know.
#[must_use]
pub fn read_entry(path: &TargetPath, spec: &TargetSpec) -> Option<DeltaTarget> {
    let facts = DeltaFacts::deserialize(spec.custom.get(DELTA_DIR)?).ok()?;
    let file = TargetFile { path: path.clone(), length: spec.length, sha256: spec.sha256 };
    Some(DeltaTarget { file, facts })
}

/// Every image that targets list, in the order of their names; those with a fault are left out, as
/// devices leave them out.
#[must_use]
pub fn images(targets: &TargetsSpec) -> Vec<ImageTarget> {
    let listed = targets.targets.iter().filter(|(path, _)| path.parts().0 == IMAGE_DIR);
    let image = |(path, spec): (&TargetPath, &TargetSpec)| {
        let firmware = Firmware::from_custom(spec.custom.get("fw")?).ok()?;
        let (path, TargetSpec { length, sha256, .. }) = (path.clone(), spec);
        Some(ImageTarget { path, length: *length, sha256: *sha256, firmware })
    };
    listed.filter_map(image).collect()
}

/// What stands in the slot of every image that devices may take.
pub fn released(targets: &TargetsSpec) -> impl Iterator<Item = Sha256Digest> {
    let released = |image: &ImageTarget| image.firmware.state == ReleaseState::Released;
    images(targets).into_iter().filter(released).map(|image| image.firmware.payload.image_sha256)
}

/// The deltas of a list that still lead to an image that devices may take; at most
/// [`DELTAS_LISTED_MAX`], those to the newest images first.
#[must_use]
pub fn kept(
    list: BTreeMap<TargetPath, TargetSpec>,
    targets: &TargetsSpec,
) -> BTreeMap<TargetPath, TargetSpec> {
    let images = images(targets);
    let mut leading: Vec<_> = list
        .into_iter()
        .filter_map(|(path, spec)| read_entry(&path, &spec).map(|delta| (path, spec, delta)))
        .filter(|(_, _, delta)| images.iter().any(|image| delta.leads_to(image)))
        .collect();
    leading
        .sort_by_key(|(_, _, delta)| std::cmp::Reverse((delta.facts.to.seq, delta.facts.from.seq)));
    leading.truncate(DELTAS_LISTED_MAX);
    leading.into_iter().map(|(path, spec, _)| (path, spec)).collect()
}

/// Whether the list must be signed though nothing in it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It is fresh enough.
    Fresh,
    /// It runs out.
    Due,
}

/// The list as it will be current under `targets`: the held one where it still says what it should,
/// else one that is signed now. Where nothing is delegated the held one stays, for a snapshot never
/// drops what it has listed.
///
/// # Errors
/// A failure of ours.
pub fn next(
    signing: &Signing<'_>,
    key: Option<&DeltasKey>,
    held: Option<&Held>,
    targets: (&Targets, &TargetsSpec),
    change: (Freshness, Option<&DeltaTarget>),
) -> Result<Option<StoredDocument>, ApiError> {
    let (targets, spec) = targets;
    let (freshness, added) = change;
    let held = held.and_then(|held| held.deltas.as_ref());
    let (Some(key), Some(delegations)) = (key, delegation(targets)) else {
        return Ok(held.cloned());
    };
    let before = listed(held).map_err(ApiError::failed)?;
    let mut list = before.clone();
    if let Some(added) = added {
        list.insert(added.file.path.clone(), entry(added)?);
    }
    let list = kept(list, spec);
    if let Some(held) = held
        && freshness == Freshness::Fresh
        && list == before
        && is_signed(held, delegations, signing.repository)
    {
        return Ok(Some(held.clone()));
    }
    let version = next_online_version(held.map_or(0, |held| held.version), signing.at);
    let expires = signing.at.plus_seconds(signing.lives.snapshot_life_s).whole_second();
    let (repository, issued) = (signing.repository.clone(), signing.at);
    let delegated = Vec::new();
    let spec =
        TargetsSpec { repository, version, issued, expires, targets: list, delegations: delegated };
    let role = Role::Delegated(DELTAS_ROLE.to_owned());
    let mut staged = spec.staged(role).map_err(ApiError::failed)?;
    let authority =
        schema::delegated_authority(delegations, DELTAS_ROLE).map_err(ApiError::failed)?;
    let signed: Result<(), StageError> = staged.sign_for(&*key.0, authority);
    signed.map_err(ApiError::failed)?;
    Ok(Some(stored(version, staged.to_bytes(), expires, signing.at)))
}

/// Whether a held list is signed by the key that the delegation names now.
fn is_signed(held: &StoredDocument, delegations: &Delegations, repository: &RepositoryId) -> bool {
    let role = Role::Delegated(DELTAS_ROLE.to_owned());
    let profile = Profile::Patchward { repository: repository.clone() };
    let Ok(authority) = schema::delegated_authority(delegations, DELTAS_ROLE) else { return false };
    Envelope::read(&role, &held.bytes, profile.charset()).is_ok_and(|envelope| {
        threshold::verify(&authority, envelope.message(), envelope.signatures()).is_ok()
    })
}
