//! A staged file: the TUF file itself, whose signatures grow as people sign.
//!
//! It travels between machines as `{"signed":…,"signatures":[…]}`; merging two copies is the union
//! of their valid signatures, and two copies with different content never merge. Not here: the
//! readable difference ([`super::difference`]), what a signer remembers ([`super::memory`]), and what
//! the server checks ([`super::publish`]).
//! Invariant: signatures belong to the content; a changed document is another [`Staged`] without any.

use super::error::TufError;
use super::role::Role;
use super::schema::{
    self, Document, Envelope, Material, Part, RoleKey, Root, SignatureEntry, TopLevel,
};
use super::threshold::{self, Authority, Signers};
use crate::canonical::{self, Charset};
use crate::digest::Sha256Digest;
use crate::key::{PublicKey, SignError, Signer};
use serde_json::{Value, json};

/// Why a staged file was not signed or merged.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The key is not listed for the role.
    #[error("the key {0} may not sign {1}")]
    NotASigner(Box<PublicKey>, Role),
    /// The key could not sign.
    #[error("{0} could not be signed")]
    Sign(Role, #[source] SignError),
    /// Two copies that say different things.
    #[error("the copies differ: {ours} and {theirs}; signatures of one do not hold for the other")]
    OtherContent {
        /// Digest of what is signed here.
        ours: Sha256Digest,
        /// Digest of what is signed there.
        theirs: Sha256Digest,
    },
    /// The file itself.
    #[error(transparent)]
    Tuf(#[from] TufError),
}

/// A document on its way to enough signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    role: Role,
    signed: Value,
    signatures: Vec<SignatureEntry>,
    message: Vec<u8>,
}

/// Under which keys a signature is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The keys of the published root.
    Published,
    /// The keys that this new root itself names.
    Own,
}

/// How far signing has come under one set of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Which set of keys.
    pub standing: Standing,
    /// How many must sign.
    pub threshold: u64,
    /// Who signed.
    pub signers: Signers,
    /// Whose signature is not there.
    pub missing: Vec<RoleKey>,
}

impl Status {
    /// Whether enough have signed.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.threshold > 0 && self.signers.count() >= self.threshold
    }
}

/// Who must sign a staged file: one or, for a root that follows another, two sets of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked(Vec<(Standing, Authority)>);

impl Staged {
    /// A document that nobody has signed yet.
    ///
    /// # Errors
    /// [`TufError::NotStrictJson`] when it cannot be written canonically, or is not ASCII.
    pub fn unsigned(role: Role, signed: Value) -> Result<Self, TufError> {
        let broken = |source| TufError::NotStrictJson { role: role.clone(), source };
        let message = canonical::write(&signed).map_err(broken)?;
        canonical::check(&message, role.bytes_max(), Charset::Ascii)
            .map_err(|error| TufError::from_read(&role, error))?;
        Ok(Self { role, signed, signatures: Vec::new(), message })
    }

    /// Reads a staged or published file of `role`.
    ///
    /// # Errors
    /// [`TufError::TooLong`], [`TufError::NotStrictJson`] or [`TufError::Shape`].
    pub fn read(role: Role, bytes: &[u8]) -> Result<Self, TufError> {
        let envelope = Envelope::read(&role, bytes, Charset::Ascii)?;
        let (signed, signatures) = (envelope.signed().clone(), envelope.signatures().to_vec());
        Ok(Self { role, signed, signatures, message: envelope.message().to_vec() })
    }

    /// Reads a staged or published file, of the role that it says it is (`_type`).
    ///
    /// # Errors
    /// As [`Staged::read`].
    pub fn read_any(bytes: &[u8]) -> Result<Self, TufError> {
        let guess = Envelope::read(&Role::Targets, bytes, Charset::Ascii)?;
        let kind = guess.signed().get("_type").and_then(Value::as_str).unwrap_or_default();
        Self::read(Role::named(kind), bytes)
    }

    /// Its role.
    #[must_use]
    pub const fn role(&self) -> &Role {
        &self.role
    }

    /// Its version; 0 if it says none.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.signed.get("version").and_then(Value::as_u64).unwrap_or(0)
    }

    /// The bytes that are signed.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The digest of what is signed: what signers compare before they sign.
    #[must_use]
    pub fn message_sha256(&self) -> Sha256Digest {
        Sha256Digest::of(&self.message)
    }

    /// The file: canonical JSON, so that equal content has equal bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut signatures = self.signatures.clone();
        signatures.sort_by(|a, b| a.keyid.cmp(&b.keyid));
        let file = json!({ "signed": self.signed, "signatures": signatures });
        canonical::write(&file).unwrap_or_default()
    }

    /// Reads the document as its type.
    ///
    /// # Errors
    /// As [`Envelope::typed`].
    pub fn typed<T: Part>(&self) -> Result<Document<T>, TufError> {
        Envelope::read(&self.role, &self.to_bytes(), Charset::Ascii)?.typed()
    }

    /// Who must sign: for a root its own keys and those of the published one, else the keys that
    /// `root` names. A first root has no published one.
    ///
    /// # Errors
    /// [`TufError::UnknownRole`] when no keys are named.
    pub fn asked(&self, root: Option<&Root>) -> Result<Asked, TufError> {
        let top = match &self.role {
            Role::Root => TopLevel::Root,
            Role::Timestamp => TopLevel::Timestamp,
            Role::Snapshot => TopLevel::Snapshot,
            Role::Targets => TopLevel::Targets,
            Role::Delegated(_) => return Err(TufError::UnknownRole { role: self.role.clone() }),
        };
        let published = root.map(|root| schema::authority(root, top)).transpose()?;
        let mut asked: Vec<_> =
            published.map(|authority| (Standing::Published, authority)).into_iter().collect();
        if self.role == Role::Root {
            let own = schema::authority(&self.typed::<Root>()?.signed, TopLevel::Root)?;
            asked.push((Standing::Own, own));
        }
        if asked.is_empty() {
            return Err(TufError::UnknownRole { role: self.role.clone() });
        }
        Ok(Asked(asked))
    }

    /// Signs, under each key id that the key has among those asked.
    ///
    /// # Errors
    /// [`StageError::NotASigner`] or [`StageError::Sign`].
    pub fn sign(&mut self, signer: &dyn Signer, asked: &Asked) -> Result<(), StageError> {
        let public = Material::Ed25519(signer.public());
        let keys = asked.0.iter().flat_map(|(_, authority)| &authority.keys);
        let mut ids: Vec<String> =
            keys.filter(|key| key.material == public).map(|key| key.id.clone()).collect();
        ids.sort();
        ids.dedup();
        if ids.is_empty() {
            return Err(StageError::NotASigner(Box::new(signer.public()), self.role.clone()));
        }
        let signature = signer.sign(&self.message);
        let sig =
            signature.map_err(|error| StageError::Sign(self.role.clone(), error))?.to_string();
        for keyid in ids {
            self.signatures.retain(|entry| entry.keyid != keyid);
            self.signatures.push(SignatureEntry { keyid, sig: sig.clone() });
        }
        Ok(())
    }

    /// Signs as the one key of a delegated or online role, without a root at hand.
    ///
    /// # Errors
    /// [`StageError::NotASigner`] or [`StageError::Sign`].
    pub fn sign_for(&mut self, signer: &dyn Signer, role: Authority) -> Result<(), StageError> {
        self.sign(signer, &Asked(vec![(Standing::Published, role)]))
    }

    /// Takes the valid signatures of another copy; returns how many were new.
    ///
    /// # Errors
    /// [`StageError::OtherContent`] when the copies say different things.
    pub fn merge(&mut self, other: &Self, asked: &Asked) -> Result<usize, StageError> {
        if self.message != other.message {
            let (ours, theirs) = (self.message_sha256(), other.message_sha256());
            return Err(StageError::OtherContent { ours, theirs });
        }
        let (mut kept, mut new) = (Vec::new(), 0);
        for (entry, from_other) in self
            .signatures
            .iter()
            .map(|entry| (entry, false))
            .chain(other.signatures.iter().map(|entry| (entry, true)))
        {
            let known = kept.iter().any(|held: &SignatureEntry| held.keyid == entry.keyid);
            if !known && self.is_valid(entry, asked)? {
                kept.push(entry.clone());
                new += usize::from(from_other);
            }
        }
        self.signatures = kept;
        Ok(new)
    }

    /// Who signed and who is missing, under each set of keys.
    ///
    /// # Errors
    /// [`TufError::DuplicateSignature`] or [`TufError::TooManySignatures`].
    pub fn status(&self, asked: &Asked) -> Result<Vec<Status>, TufError> {
        let of = |(standing, authority): &(Standing, Authority)| {
            let signers = threshold::count(authority, &self.message, &self.signatures)?;
            let signed = signers.materials();
            let missing =
                authority.keys.iter().filter(|key| !signed.contains(&key.material)).cloned();
            let (threshold, missing) = (authority.threshold, missing.collect());
            Ok(Status { standing: *standing, threshold, signers, missing })
        };
        asked.0.iter().map(of).collect()
    }

    fn is_valid(&self, entry: &SignatureEntry, asked: &Asked) -> Result<bool, TufError> {
        for (_, authority) in &asked.0 {
            let one = std::slice::from_ref(entry);
            if threshold::count(authority, &self.message, one)?.count() > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
