//! What this machine trusts of each repository: a pinned root and everything verified since.
//!
//! The root comes by hand (`repo trust`) or was signed here (`stage publish` of a first root), never
//! from the server alone; it moves only by the TUF root walk. State is one file per repository,
//! replaced whole. Not here: the workflow itself (the protocol's refresh).
//! Invariant: what is returned has been verified in this run, from bytes.

use crate::disk::{self, Place, Readers};
use crate::error::{Code, Failure, Outcome};
use crate::here::Here;
use crate::limits::STATE_BYTES_MAX;
use crate::server::Server;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::error::TufError;
use patchward_protocol::tuf::floors::Floors;
use patchward_protocol::tuf::lookup::{TargetFile, check_bytes};
use patchward_protocol::tuf::profile::Profile;
use patchward_protocol::tuf::refresh::{Held, Refresh, Step};
use patchward_protocol::tuf::trusted_set::{Expiry, TrustedSet};
use patchward_protocol::verified::Verified;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The state file of a repository; documents are base64 of the bytes as received.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    v: u32,
    repository: RepositoryId,
    /// When it was last refreshed.
    at: Timestamp,
    root: String,
    timestamp: Option<String>,
    snapshot: Option<String>,
    targets: Option<String>,
    floors: Floors,
}

/// Pins the first root of a repository.
///
/// # Errors
/// [`Code::RootDiffers`] when another is pinned; [`Code::MetadataUntrusted`] when it does not hold.
pub fn pin(here: &Here, repository: &RepositoryId, root: Vec<u8>) -> Outcome<TrustedSet> {
    let set = from_root(here, repository, &root)?;
    if let Some((held, ..)) = load(here, repository)? {
        if held.root == root {
            return Ok(set);
        }
        let what = format!("{repository}: a root is trusted already");
        return Err(Failure::new(Code::RootDiffers, what));
    }
    save(here, repository, &Held::pinned(root), set.floors())?;
    Ok(set)
}

/// Verifies a root by itself.
///
/// # Errors
/// [`Code::MetadataUntrusted`].
pub fn from_root(here: &Here, repository: &RepositoryId, root: &[u8]) -> Outcome<TrustedSet> {
    let expiry = Expiry::Enforce(here.at);
    TrustedSet::new(root, Floors::default(), profile(repository), expiry)
        .map_err(|error| untrusted(repository, &error))
}

/// Fetches what is new from the server, verifies it and keeps it.
///
/// # Errors
/// [`Code::RootUnknown`], [`Code::MetadataUntrusted`], and failures of reaching the server.
pub fn refresh(here: &Here, server: &Server, repository: &RepositoryId) -> Outcome<TrustedSet> {
    let (held, floors, _) = load(here, repository)?.ok_or_else(|| unknown(repository))?;
    let bad = |error: TufError| untrusted(repository, &error);
    let mut refresh =
        Refresh::begin(held, floors, profile(repository), Expiry::Enforce(here.at)).map_err(bad)?;
    let outcome = drive(&mut refresh, server, repository);
    // What was trusted before an error stays trusted: floors must not be lost.
    save(here, repository, refresh.held(), refresh.floors())?;
    outcome?;
    refresh.finish().map(|(set, ..)| set).map_err(bad)
}

/// Verifies again what was last refreshed, without a server; nothing when there never was one.
///
/// # Errors
/// [`Code::RootUnknown`] and [`Code::MetadataUntrusted`].
pub fn stored(here: &Here, repository: &RepositoryId) -> Outcome<Option<TrustedSet>> {
    let (held, floors, at) = load(here, repository)?.ok_or_else(|| unknown(repository))?;
    if held.targets.is_none() {
        return Ok(None);
    }
    Refresh::reload(held, floors, profile(repository), Expiry::AsStaged(at))
        .map(Some)
        .map_err(|error| untrusted(repository, &error))
}

/// The trusted root of a repository, when one is pinned: its bytes.
///
/// # Errors
/// Failures of reading the state.
pub fn root(here: &Here, repository: &RepositoryId) -> Outcome<Option<Vec<u8>>> {
    Ok(load(here, repository)?.map(|(held, ..)| held.root))
}

/// Fetches a file that trusted targets list, and checks it.
///
/// # Errors
/// [`Code::MetadataUntrusted`] and failures of reaching the server.
pub fn fetch(
    server: &Server,
    repository: &RepositoryId,
    set: &TrustedSet,
    target: &Verified<TargetFile>,
) -> Outcome<Verified<Vec<u8>>> {
    let bytes = server.target(repository, &set.file_of(target), target.length)?;
    check_bytes(target, bytes).map_err(|error| untrusted(repository, &error))
}

/// The failure for metadata that does not hold.
#[must_use]
pub fn untrusted(repository: &RepositoryId, error: &TufError) -> Failure {
    Failure::because(Code::MetadataUntrusted, format!("{repository}: {}", error.code()), error)
}

/// The failure for a repository without a pinned root.
#[must_use]
pub fn unknown(repository: &RepositoryId) -> Failure {
    Failure::new(Code::RootUnknown, repository)
}

/// The house rules of a repository.
#[must_use]
pub fn profile(repository: &RepositoryId) -> Profile {
    Profile::Patchward { repository: repository.clone() }
}

fn drive(refresh: &mut Refresh, server: &Server, repository: &RepositoryId) -> Outcome<()> {
    while let Step::Fetch { file, bytes_max } = refresh.next() {
        let answer = server.metadata(repository, &file, bytes_max)?;
        refresh.supply(answer).map_err(|error| untrusted(repository, &error))?;
    }
    Ok(())
}

fn path(here: &Here, repository: &RepositoryId) -> PathBuf {
    let (kind, name) = repository.parts();
    here.config_dir.join("trust").join(format!("{kind}-{name}.json"))
}

fn load(here: &Here, repository: &RepositoryId) -> Outcome<Option<(Held, Floors, Timestamp)>> {
    let path = path(here, repository);
    let Some(bytes) = disk::read_if_there(&path, STATE_BYTES_MAX)? else { return Ok(None) };
    let bad =
        |what: String| Failure::new(Code::MetadataUntrusted, format!("{}: {what}", path.display()));
    let state: State = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
    if state.v != 1 || state.repository != *repository {
        return Err(bad("another version or repository".to_owned()));
    }
    let document = |text: String| STANDARD.decode(text).map_err(|error| bad(error.to_string()));
    let held = Held {
        root: document(state.root)?,
        timestamp: state.timestamp.map(document).transpose()?,
        snapshot: state.snapshot.map(document).transpose()?,
        targets: state.targets.map(document).transpose()?,
        delegated: BTreeMap::new(),
    };
    Ok(Some((held, state.floors, state.at)))
}

fn save(here: &Here, repository: &RepositoryId, held: &Held, floors: &Floors) -> Outcome<()> {
    let text = |bytes: &Vec<u8>| STANDARD.encode(bytes);
    let state = State {
        v: 1,
        repository: repository.clone(),
        at: here.at,
        root: text(&held.root),
        timestamp: held.timestamp.as_ref().map(text),
        snapshot: held.snapshot.as_ref().map(text),
        targets: held.targets.as_ref().map(text),
        floors: floors.clone(),
    };
    let path = path(here, repository);
    let bytes = serde_json::to_vec_pretty(&state)
        .map_err(|error| Failure::new(Code::WriteFailed, error))?;
    if let Some(folder) = path.parent() {
        disk::make_folder(folder)?;
    }
    disk::write(&path, &bytes, Readers::Owner, Place::Replace)
}
