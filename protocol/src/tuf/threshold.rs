//! Who signed: the one threshold function of the workspace.
//!
//! It counts distinct **public keys**, not key ids: one public key with one more field beside it has
//! a second id, and must still count once. Not here: what a signature is made over
//! ([`super::schema::Envelope::message`]).
//! Invariant: a [`Signers`] names only keys whose signature was checked over the given message.

use super::error::TufError;
use super::role::Role;
use super::schema::{Material, Method, RoleKey, SignatureEntry};
use crate::id::PersonId;
use crate::key::{PublicKey, Signature};
use crate::limits::SIGNATURES_MAX;
use std::collections::{BTreeMap, BTreeSet};

/// Who may sign for a role, and how many must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// The role.
    pub role: Role,
    /// The listed keys.
    pub keys: Vec<RoleKey>,
    /// How many listed key ids name no key.
    pub missing: usize,
    /// How many distinct public keys must sign.
    pub threshold: u64,
}

impl Authority {
    /// The distinct public keys.
    #[must_use]
    pub fn materials(&self) -> BTreeSet<&Material> {
        self.keys.iter().map(|key| &key.material).collect()
    }

    /// Whether `keys` alone would meet the threshold.
    #[must_use]
    pub fn is_met_by(&self, keys: &BTreeSet<Material>) -> bool {
        let count = self.materials().into_iter().filter(|key| keys.contains(key)).count();
        u64::try_from(count).is_ok_and(|count| count >= self.threshold)
    }

    /// The Ed25519 public keys.
    #[must_use]
    pub fn public_keys(&self) -> BTreeSet<PublicKey> {
        self.keys.iter().filter_map(RoleKey::public).collect()
    }
}

/// The distinct public keys that signed, in a fixed order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signers(Vec<RoleKey>);

impl Signers {
    /// One entry for each public key that signed.
    #[must_use]
    pub fn keys(&self) -> &[RoleKey] {
        &self.0
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap_or(u64::MAX)
    }

    /// The public keys.
    #[must_use]
    pub fn materials(&self) -> BTreeSet<Material> {
        self.0.iter().map(|key| key.material.clone()).collect()
    }

    /// The persons that are named beside the keys that signed.
    #[must_use]
    pub fn persons(&self) -> BTreeSet<&PersonId> {
        self.0.iter().filter_map(|key| key.person.as_ref()).collect()
    }

    /// How many keys of each method signed; a key without `x-method` counts as the weakest.
    #[must_use]
    pub fn methods(&self) -> BTreeMap<Method, u64> {
        self.0.iter().fold(BTreeMap::new(), |mut counts, key| {
            *counts.entry(key.method.unwrap_or(Method::Custodial)).or_default() += 1;
            counts
        })
    }

    /// The strongest method that was used.
    #[must_use]
    pub fn strongest(&self) -> Option<Method> {
        self.methods().into_keys().next()
    }

    /// The weakest method that was used.
    #[must_use]
    pub fn weakest(&self) -> Option<Method> {
        self.methods().into_keys().next_back()
    }
}

/// Which distinct public keys of `authority` signed `message`, whether or not they are enough.
///
/// A signature that does not verify, or is by a key that is not listed, is no signature.
///
/// # Errors
/// [`TufError::DuplicateSignature`] and [`TufError::TooManySignatures`]: such a list is not read.
pub fn count(
    authority: &Authority,
    message: &[u8],
    signatures: &[SignatureEntry],
) -> Result<Signers, TufError> {
    let role = &authority.role;
    if signatures.len() > SIGNATURES_MAX {
        let (count, count_max) = (signatures.len(), SIGNATURES_MAX);
        return Err(TufError::TooManySignatures { role: role.clone(), count, count_max });
    }
    let mut seen = BTreeSet::new();
    let mut signers: BTreeMap<&Material, &RoleKey> = BTreeMap::new();
    for entry in signatures {
        if !seen.insert(&entry.keyid) {
            let key_id = entry.keyid.clone();
            return Err(TufError::DuplicateSignature { role: role.clone(), key_id });
        }
        let listed = authority.keys.iter().find(|key| key.id == entry.keyid);
        if let Some(key) = listed.filter(|key| holds(&key.material, message, &entry.sig)) {
            signers.entry(&key.material).or_insert(key);
        }
    }
    Ok(Signers(signers.into_values().cloned().collect()))
}

/// Checks that enough distinct public keys of `authority` signed `message`, and says which.
///
/// # Errors
/// [`TufError::SignatureThreshold`], and what [`count`] returns.
pub fn verify(
    authority: &Authority,
    message: &[u8],
    signatures: &[SignatureEntry],
) -> Result<Signers, TufError> {
    let signers = count(authority, message, signatures)?;
    let (needed, valid) = (authority.threshold, signers.count());
    if needed == 0 || valid < needed {
        return Err(TufError::SignatureThreshold { role: authority.role.clone(), needed, valid });
    }
    Ok(signers)
}

fn holds(key: &Material, message: &[u8], signature: &str) -> bool {
    match key {
        Material::Ed25519(key) => Signature::try_from(signature.to_owned())
            .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
        Material::EcdsaP256(_) | Material::Rsa(_) => other_kinds(key, message, signature),
        Material::Unusable(_) => false,
    }
}

#[cfg(not(feature = "plain"))]
const fn other_kinds(_: &Material, _: &[u8], _: &str) -> bool {
    false
}

#[cfg(feature = "plain")]
fn other_kinds(key: &Material, message: &[u8], signature: &str) -> bool {
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey,
    };
    let Ok(signature) = hex::decode(signature) else { return false };
    match key {
        Material::EcdsaP256(bytes) => {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, bytes).verify(message, &signature)
        }
        Material::Rsa(bytes) => {
            UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, bytes).verify(message, &signature)
        }
        Material::Ed25519(_) | Material::Unusable(_) => return false,
    }
    .is_ok()
}
