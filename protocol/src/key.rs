//! Ed25519 keys: what signs and what checks.
//!
//! Verification is `verify_strict` (no small-order keys, no malleable signatures; RFC 8032 with the
//! stricter checks of ed25519-dalek). Not here: key files and passphrases (the command line), and
//! counting signatures (`tuf::threshold`, the only place that does).
//! Invariant: a [`PublicKey`] is a valid curve point.

use crate::canonical;
use crate::digest::Sha256Digest;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An Ed25519 public key. Text form: 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PublicKey(VerifyingKey);

/// An Ed25519 signature, 64 bytes. Text form: 128 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Signature([u8; 64]);

/// Why something is no key or no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Not 64 hexadecimal digits that are a curve point.
    #[error("an Ed25519 public key is 64 lower-case hexadecimal digits that name a curve point")]
    PublicKey,
    /// Not 128 hexadecimal digits.
    #[error("an Ed25519 signature is 128 lower-case hexadecimal digits")]
    Signature,
}

/// A signature does not belong to these bytes and this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct WrongSignature;

/// The signing side could not sign.
#[derive(Debug, thiserror::Error)]
#[error("the key could not sign: {0}")]
pub struct SignError(pub String);

/// Something that holds a secret key: a key in memory, or later a token.
pub trait Signer {
    /// The public half.
    fn public(&self) -> PublicKey;

    /// Signs `message`.
    ///
    /// # Errors
    /// [`SignError`] when the holder of the key cannot or will not sign.
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError>;
}

impl PublicKey {
    /// From its 32 bytes.
    ///
    /// # Errors
    /// [`BadKey::PublicKey`] when they are no curve point, or a point of small order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, BadKey> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| BadKey::PublicKey)?;
        if key.is_weak() { Err(BadKey::PublicKey) } else { Ok(Self(key)) }
    }

    /// Its 32 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Checks a signature over `message`, strictly.
    ///
    /// # Errors
    /// [`WrongSignature`].
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), WrongSignature> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0.verify_strict(message, &signature).map_err(|_| WrongSignature)
    }

    /// The TUF key id of this key without further fields: SHA-256 of the canonical key object
    /// (TUF specification 4.2). Envelopes name keys by it too.
    #[must_use]
    pub fn key_id(&self) -> Sha256Digest {
        let object = serde_json::json!({
            "keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": self.to_string()},
        });
        Sha256Digest::of(&canonical::write(&object).unwrap_or_default())
    }

    /// Twelve digits that people compare: the fingerprint of the 32 bytes.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        Sha256Digest::of(&self.to_bytes()).fingerprint()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519:{self}")
    }
}

impl std::hash::Hash for PublicKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.as_bytes().hash(state);
    }
}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.as_bytes().cmp(other.0.as_bytes())
    }
}

impl FromStr for PublicKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let mut bytes = [0; 32];
        decode_lower(text, &mut bytes).ok_or(BadKey::PublicKey)?;
        Self::from_bytes(&bytes)
    }
}

impl TryFrom<String> for PublicKey {
    type Error = BadKey;

    fn try_from(text: String) -> Result<Self, BadKey> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

impl Signature {
    /// From its 64 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// Its 64 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Signature {
    type Error = BadKey;

    fn try_from(text: String) -> Result<Self, BadKey> {
        let mut bytes = [0; 64];
        decode_lower(&text, &mut bytes).ok_or(BadKey::Signature)?;
        Ok(Self(bytes))
    }
}

impl From<Signature> for String {
    fn from(signature: Signature) -> Self {
        signature.to_string()
    }
}

fn decode_lower(text: &str, bytes: &mut [u8]) -> Option<()> {
    let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    (lower && hex::decode_to_slice(text, bytes).is_ok()).then_some(())
}

/// A secret key in memory; wiped when dropped, never printed.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// From a 32-byte seed (RFC 8032 private key), which must come from a good random source.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed, for writing the key to its file.
    #[must_use]
    pub fn seed(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.0.to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public())
    }
}

impl Signer for SecretKey {
    fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        Ok(Signature(self.0.sign(message).to_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_message_and_key_only() {
        let (one, two) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        let signature = one.sign(b"message").unwrap();
        assert_eq!(one.public().verify(b"message", &signature), Ok(()));
        assert_eq!(one.public().verify(b"massage", &signature), Err(WrongSignature));
        assert_eq!(two.public().verify(b"message", &signature), Err(WrongSignature));
    }

    #[test]
    fn weak_keys_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(PublicKey::from_bytes(&identity), Err(BadKey::PublicKey));
        assert_eq!("00".repeat(32).parse::<PublicKey>(), Err(BadKey::PublicKey));
    }

    #[test]
    fn secret_keys_do_not_print_themselves() {
        let key = SecretKey::from_seed(&[7; 32]);
        assert!(!format!("{key:?}").contains(&hex::encode([7_u8; 32])));
    }
}
