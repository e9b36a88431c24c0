//! TUF's document types, as `tough` defines them, and how bytes become one of them.
//!
//! The ONLY file that names `tough`. From it come the types, the check that a key id belongs to its
//! key, and nothing else: workflow, threshold, storage and signing are ours (docs/decisions/0004).
//! Reading has two steps, so that nothing is parsed into a type before its signatures hold: an
//! [`Envelope`] is strict JSON with signatures, a [`Document`] is one that was read as its role.
//! Invariant: what signatures are checked over is the canonical form of exactly the bytes received.

use super::error::TufError;
use super::role::Role;
use super::threshold::Authority;
use crate::canonical::{self, Charset};
use crate::digest::Sha256Digest;
use crate::id::PersonId;
use crate::key::PublicKey;
use crate::time::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;

use tough::TargetName;
pub use tough::schema::key::Key;
pub use tough::schema::{
    DelegatedRole, Delegations, Hashes, Metafile, PathSet, Root, Snapshot, Target, Targets,
    Timestamp as Freshness,
};
use tough::schema::{RoleKeys, RoleType};

/// What the four documents have in common.
pub trait Part: DeserializeOwned {
    /// What `_type` must say. `tough`'s types do not look at it when they are read.
    const TYPE: &'static str;
    /// Its version.
    fn version(&self) -> u64;
    /// When it stops being valid.
    fn expires(&self) -> Timestamp;
    /// A field that TUF does not define, e.g. `x-repository`.
    fn extra(&self, field: &str) -> Option<&Value>;
}

macro_rules! part {
    ($($kind:ty = $name:literal),*) => { $(
        impl Part for $kind {
            const TYPE: &'static str = $name;

            fn version(&self) -> u64 {
                self.version.get()
            }

            fn expires(&self) -> Timestamp {
                Timestamp::from_jiff(self.expires)
            }

            fn extra(&self, field: &str) -> Option<&Value> {
                self._extra.get(field)
            }
        }
    )* };
}
part!(Root = "root", Targets = "targets", Snapshot = "snapshot", Freshness = "timestamp");

/// One signature of a document. What it says about itself is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureEntry {
    /// Which key is said to have signed.
    pub keyid: String,
    /// The signature in hexadecimal digits; anything else counts as no signature.
    pub sig: String,
}

#[derive(Deserialize)]
struct Wire {
    signed: Value,
    signatures: Vec<SignatureEntry>,
}

/// Strict JSON with signatures that nobody has checked yet.
#[derive(Debug, Clone)]
pub struct Envelope {
    role: Role,
    signed: Value,
    signatures: Vec<SignatureEntry>,
    message: Vec<u8>,
    raw: Vec<u8>,
}

impl Envelope {
    /// Reads bytes as the file of `role`.
    ///
    /// # Errors
    /// [`TufError::TooLong`], [`TufError::NotStrictJson`] or [`TufError::Shape`].
    pub fn read(role: &Role, bytes: &[u8], charset: Charset) -> Result<Self, TufError> {
        let wire: Wire = canonical::read(bytes, role.bytes_max(), charset)
            .map_err(|error| TufError::from_read(role, error))?;
        let message = canonical::write(&wire.signed)
            .map_err(|source| TufError::NotStrictJson { role: role.clone(), source })?;
        let Wire { signed, signatures } = wire;
        Ok(Self { role: role.clone(), signed, signatures, message, raw: bytes.to_vec() })
    }

    /// The signed part as it was read.
    #[must_use]
    pub const fn signed(&self) -> &Value {
        &self.signed
    }

    /// The bytes that signatures are made over.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The signatures as they stand in the file.
    #[must_use]
    pub fn signatures(&self) -> &[SignatureEntry] {
        &self.signatures
    }

    /// The version it says it has; not trusted before the signatures are checked.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.signed.get("version").and_then(Value::as_u64)
    }

    /// Reads the signed part as its type; the key ids of a root or delegation are checked here.
    ///
    /// # Errors
    /// [`TufError::Shape`].
    pub fn typed<T: Part>(self) -> Result<Document<T>, TufError> {
        let shape = |source| TufError::Shape { role: self.role.clone(), source };
        let kind = self.signed.get("_type").and_then(Value::as_str).unwrap_or_default();
        if kind != T::TYPE {
            let told = format!("_type is {kind:?}, not {:?}", T::TYPE);
            return Err(shape(serde::de::Error::custom(told)));
        }
        let spec = self.signed.get("spec_version").and_then(Value::as_str).unwrap_or_default();
        if spec.split('.').next() != Some("1") {
            let told = format!("spec_version is {spec:?}; this software knows 1");
            return Err(shape(serde::de::Error::custom(told)));
        }
        let signed = T::deserialize(&self.signed).map_err(shape)?;
        let Self { role, signatures, message, raw, .. } = self;
        Ok(Document { role, signed, signatures, message, sha256: Sha256Digest::of(&raw), raw })
    }
}

/// A document of its role, with the bytes it came from.
#[derive(Debug, Clone)]
pub struct Document<T> {
    /// Which role it is read as.
    pub role: Role,
    /// The signed part.
    pub signed: T,
    signatures: Vec<SignatureEntry>,
    message: Vec<u8>,
    raw: Vec<u8>,
    sha256: Sha256Digest,
}

impl<T> Document<T> {
    /// The bytes that signatures are made over.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The signatures as they stand in the file.
    #[must_use]
    pub fn signatures(&self) -> &[SignatureEntry] {
        &self.signatures
    }

    /// The file as it was received.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The digest of the file as it was received.
    #[must_use]
    pub const fn sha256(&self) -> Sha256Digest {
        self.sha256
    }
}

/// How a key was used to sign, from strongest to weakest: what the hospital had to trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// On the signer's own machine.
    Offline,
    /// In the page, with a key file that is never sent; trusts the page.
    Console,
    /// By the server, which holds the key.
    Custodial,
}

/// A public key, whatever it is called and whatever else stands beside it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Material {
    /// Ed25519: the only kind in Patchward repositories.
    Ed25519(PublicKey),
    /// ECDSA on P-256, the curve point ([`super::profile::Profile::Plain`] only).
    EcdsaP256(Vec<u8>),
    /// RSA-PSS, the PKCS#1 key ([`super::profile::Profile::Plain`] only).
    Rsa(Vec<u8>),
    /// Not a usable key; nothing verifies under it.
    Unusable(Vec<u8>),
}

/// A key as a root or a delegation lists it for a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleKey {
    /// Its TUF key id.
    pub id: String,
    /// The public key itself; two ids may name the same one.
    pub material: Material,
    /// `x-person`: whose key it is.
    pub person: Option<PersonId>,
    /// `x-method`: how it signs.
    pub method: Option<Method>,
}

impl RoleKey {
    fn new(id: String, key: &Key) -> Self {
        let (material, extra) = match key {
            Key::Ed25519 { keyval, _extra, .. } => (ed25519(&keyval.public), _extra),
            Key::Ecdsa { keyval, _extra, .. } | Key::EcdsaOld { keyval, _extra, .. } => {
                (Material::EcdsaP256(keyval.public.to_vec()), _extra)
            }
            Key::Rsa { keyval, _extra, .. } => (Material::Rsa(keyval.public.to_vec()), _extra),
        };
        Self { id, material, person: field(extra, "x-person"), method: field(extra, "x-method") }
    }

    /// The Ed25519 key, if it is one.
    #[must_use]
    pub const fn public(&self) -> Option<PublicKey> {
        match &self.material {
            Material::Ed25519(key) => Some(*key),
            Material::EcdsaP256(_) | Material::Rsa(_) | Material::Unusable(_) => None,
        }
    }
}

/// Whether `x-person` and `x-method` of a key read, where they stand.
pub(crate) fn key_fields_read(key: &Key) -> bool {
    let (Key::Ed25519 { _extra, .. }
    | Key::Ecdsa { _extra, .. }
    | Key::EcdsaOld { _extra, .. }
    | Key::Rsa { _extra, .. }) = key;
    let unread = |name: &str, read: bool| _extra.contains_key(name) && !read;
    !unread("x-person", field::<PersonId>(_extra, "x-person").is_some())
        && !unread("x-method", field::<Method>(_extra, "x-method").is_some())
}

/// Whether a key is Ed25519 and a point that can sign.
pub(crate) fn is_sound_ed25519(key: &Key) -> bool {
    match key {
        Key::Ed25519 { keyval, .. } => matches!(ed25519(&keyval.public), Material::Ed25519(_)),
        Key::Ecdsa { .. } | Key::EcdsaOld { .. } | Key::Rsa { .. } => false,
    }
}

fn ed25519(bytes: &[u8]) -> Material {
    <[u8; 32]>::try_from(bytes)
        .ok()
        .and_then(|bytes| PublicKey::from_bytes(&bytes).ok())
        .map_or_else(|| Material::Unusable(bytes.to_vec()), Material::Ed25519)
}

fn field<T: DeserializeOwned>(extra: &HashMap<String, Value>, name: &str) -> Option<T> {
    extra.get(name).and_then(|value| T::deserialize(value).ok())
}

/// The four roles that a root names keys for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopLevel {
    /// The next root.
    Root,
    /// The timestamp.
    Timestamp,
    /// The snapshot.
    Snapshot,
    /// The top-level targets.
    Targets,
}

impl TopLevel {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Root, Self::Timestamp, Self::Snapshot, Self::Targets];

    /// The role itself.
    #[must_use]
    pub const fn role(self) -> Role {
        match self {
            Self::Root => Role::Root,
            Self::Timestamp => Role::Timestamp,
            Self::Snapshot => Role::Snapshot,
            Self::Targets => Role::Targets,
        }
    }

    const fn tough(self) -> RoleType {
        match self {
            Self::Root => RoleType::Root,
            Self::Timestamp => RoleType::Timestamp,
            Self::Snapshot => RoleType::Snapshot,
            Self::Targets => RoleType::Targets,
        }
    }
}

/// Who may sign for a top-level role under this root.
///
/// # Errors
/// [`TufError::UnknownRole`] when the root does not name the role.
pub fn authority(root: &Root, role: TopLevel) -> Result<Authority, TufError> {
    let RoleKeys { keyids, threshold, .. } =
        root.roles.get(&role.tough()).ok_or_else(|| TufError::UnknownRole { role: role.role() })?;
    let ids = keyids.iter().map(|id| (hex::encode(id), root.keys.get(id)));
    Ok(collect(role.role(), ids, threshold.get()))
}

/// Who may sign for a delegated role under these delegations.
///
/// # Errors
/// [`TufError::UnknownRole`] when they do not name the role.
pub fn delegated_authority(delegations: &Delegations, name: &str) -> Result<Authority, TufError> {
    let role = Role::Delegated(name.to_owned());
    let found = delegations.roles.iter().find(|delegated| delegated.name == name);
    let Some(delegated) = found else { return Err(TufError::UnknownRole { role }) };
    let ids = delegated.keyids.iter().map(|id| (hex::encode(id), delegations.keys.get(id)));
    Ok(collect(role, ids, delegated.threshold.get()))
}

/// What targets say of a name.
#[must_use]
pub fn entry<'a>(targets: &'a Targets, name: &str) -> Option<&'a Target> {
    TargetName::new(name).ok().and_then(|name| targets.targets.get(&name))
}

/// The SHA-256 digest that a listing gives, if it is one.
pub(crate) fn listed_sha256(hashes: &Hashes) -> Option<Sha256Digest> {
    <[u8; 32]>::try_from(hashes.sha256.to_vec()).ok().map(Sha256Digest::from_bytes)
}

fn collect<'a>(
    role: Role,
    ids: impl Iterator<Item = (String, Option<&'a Key>)>,
    threshold: u64,
) -> Authority {
    let (mut keys, mut missing): (Vec<RoleKey>, _) = (Vec::new(), 0);
    for (id, key) in ids {
        match key {
            Some(key) => keys.push(RoleKey::new(id, key)),
            None => missing += 1,
        }
    }
    Authority { role, keys, missing, threshold }
}
