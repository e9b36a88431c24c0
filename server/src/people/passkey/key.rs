//! Public keys of passkeys: P-256 with SHA-256 (ES256) and Ed25519 (EdDSA), as SPKI in DER.
//!
//! Not here: what is signed. Invariant: a value holds a key of its algorithm, in the one spelling of
//! its prefix; a signature in another form is no signature.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use ed25519_dalek::{Signature, VerifyingKey};

/// SPKI of a P-256 key up to its 65 bytes: id-ecPublicKey, prime256v1, BIT STRING (RFC 5480).
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// SPKI of an Ed25519 key up to its 32 bytes (RFC 8410).
const ED25519_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// Begins a point that is not compressed (SEC 1, 2.3.3).
const UNCOMPRESSED: u8 = 0x04;

/// How a passkey signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA over P-256 with SHA-256: COSE -7.
    Es256,
    /// Ed25519: COSE -8.
    EdDsa,
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// A point of P-256, not compressed.
    P256(Box<[u8; 65]>),
    /// An Ed25519 key that is a point of its curve and not a weak one.
    Ed25519(Box<VerifyingKey>),
}

impl Algorithm {
    /// Both, the more frequent one first.
    pub const ALL: [Self; 2] = [Self::Es256, Self::EdDsa];

    /// The number of IANA's COSE registry.
    #[must_use]
    pub const fn cose(self) -> i32 {
        match self {
            Self::Es256 => -7,
            Self::EdDsa => -8,
        }
    }

    /// The word in the database.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Es256 => "es256",
            Self::EdDsa => "eddsa",
        }
    }

    /// The algorithm of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.word() == word)
    }
}

impl PublicKey {
    /// Reads a key as a browser's `getPublicKey()` gives it.
    #[must_use]
    pub fn from_spki(der: &[u8]) -> Option<Self> {
        if let Some(point) = der.strip_prefix(&P256_PREFIX) {
            let point: [u8; 65] = point.try_into().ok()?;
            return (point.first() == Some(&UNCOMPRESSED)).then(|| Self::P256(Box::new(point)));
        }
        let bytes: [u8; 32] = der.strip_prefix(&ED25519_PREFIX)?.try_into().ok()?;
        let key = VerifyingKey::from_bytes(&bytes).ok()?;
        (!key.is_weak()).then(|| Self::Ed25519(Box::new(key)))
    }

    /// Reads a stored key.
    #[must_use]
    pub fn from_text(algorithm: Algorithm, text: &str) -> Option<Self> {
        let key = Self::from_spki(&hex::decode(text).ok()?)?;
        (key.algorithm() == algorithm).then_some(key)
    }

    /// The key as it is stored: its SPKI in hexadecimal digits.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::P256(point) => hex::encode([P256_PREFIX.as_slice(), point.as_slice()].concat()),
            Self::Ed25519(key) => {
                hex::encode([ED25519_PREFIX.as_slice(), key.as_bytes().as_slice()].concat())
            }
        }
    }

    /// How it signs.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::P256(_) => Algorithm::Es256,
            Self::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    /// Whether this key signed these bytes.
    #[must_use]
    pub fn signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::P256(point) => {
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point.as_slice());
                key.verify(bytes, signature).is_ok()
            }
            Self::Ed25519(key) => Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(bytes, &signature).is_ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_another_form_is_no_key() {
        let ed = [ED25519_PREFIX.as_slice(), &hex::decode(ED).unwrap()].concat();
        let key = PublicKey::from_spki(&ed).unwrap();
        assert_eq!(PublicKey::from_text(Algorithm::EdDsa, &key.text()), Some(key.clone()));
        assert_eq!(PublicKey::from_text(Algorithm::Es256, &key.text()), None);
        assert_eq!(PublicKey::from_spki(&ed[..43]), None);
        assert_eq!(PublicKey::from_spki(&[ed.as_slice(), &[0]].concat()), None);
        let compressed = [P256_PREFIX.as_slice(), &[2; 65]].concat();
        assert_eq!(PublicKey::from_spki(&compressed), None);
        let weak = [ED25519_PREFIX.as_slice(), &[1], &[0; 31]].concat();
        assert_eq!(PublicKey::from_spki(&weak), None, "the neutral element signs everything");
        assert_eq!(PublicKey::from_spki(&[]), None);
    }

    /// RFC 8032, 7.1, test 1.
    const ED: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
}
