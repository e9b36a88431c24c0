//! Whose keys count for what people sign: those of the site's current root.
//!
//! Not here: what an act does. Invariant: a key counts only in the role that the published root gives
//! it, and only for the person whom the root names beside it.

use crate::error::ApiError;
use crate::publish::current::Current;
use patchward_protocol::act::Act;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::key::PublicKey;
use patchward_protocol::tuf::build::{KeySpec, RootSpec};
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::Root;
use patchward_protocol::tuf::stage::Staged;

/// In which role of the site's root a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Office {
    /// It signs targets: approvals.
    Targets,
    /// It signs the root.
    Root,
}

/// An act whose signature was checked with a key of the site's current root.
#[derive(Debug, Clone)]
pub struct Signed {
    /// What it says.
    pub act: Act,
    /// Digest of what was signed: how the act is named.
    pub sha256: Sha256Digest,
    /// Its signed form.
    pub envelope: Envelope,
    /// The role of the key.
    pub office: Office,
}

/// Checks a signed act with the keys of the site's current root.
///
/// # Errors
/// `body_malformed` for what is no act, `act_refused` for a signer who does not count,
/// `repository_empty` before the first root, or a failure of ours.
pub fn check(site: &Current, envelope: Envelope) -> Result<Signed, ApiError> {
    let malformed =
        |error: &dyn std::error::Error| ApiError::because(ErrorCode::BodyMalformed, error);
    let claimed: Act = envelope.insecure_peek().map_err(|error| malformed(&error))?;
    let keys = keys(site)?;
    let public: Vec<PublicKey> = keys.iter().map(|(_, key)| key.public).collect();
    let (_, key) = envelope
        .verify_any(PayloadType::Act, &public)
        .map_err(|error| ApiError::because(ErrorCode::ActRefused, &error))?;
    let act = envelope.open::<Act>(PayloadType::Act, &key).map_err(|error| malformed(&error))?;
    let act = act.into_inner();
    let of_person = |(_, listed): &&(Office, KeySpec)| {
        listed.public == key && listed.person.as_ref() == Some(&claimed.person)
    };
    let Some((office, _)) = keys.iter().find(of_person) else {
        let rule = format!("person: the root gives this key to somebody else than {}", act.person);
        return Err(ApiError::with(ErrorCode::ActRefused, rule));
    };
    let sha256 = envelope.payload_sha256().map_err(|error| malformed(&error))?;
    Ok(Signed { act, sha256, envelope, office: *office })
}

/// The keys of people in the site's current root; those that sign targets first.
fn keys(site: &Current) -> Result<Vec<(Office, KeySpec)>, ApiError> {
    let documents = site.documents.as_ref();
    let documents = documents.ok_or_else(|| ApiError::of(ErrorCode::RepositoryEmpty))?;
    let root = Staged::read(Role::Root, &documents.root.bytes).map_err(ApiError::failed)?;
    let root = root.typed::<Root>().map_err(ApiError::failed)?;
    let spec = RootSpec::of(&root.signed).map_err(ApiError::failed)?;
    let targets = spec.targets.keys.into_iter().map(|key| (Office::Targets, key));
    let root = spec.root.keys.into_iter().map(|key| (Office::Root, key));
    Ok(targets.chain(root).collect())
}
