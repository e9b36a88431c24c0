//! SHA-256 digests: the only hash with which Patchward names bytes.
//!
//! A digest is a value of its own and never a loose string, so that a path, a version or a key id
//! cannot stand where a digest is meant. Not here: reading files (floor 1 feeds [`Sha256Hasher`]).
//! Invariant: the text form is exactly 64 lower-case hexadecimal digits.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// A SHA-256 digest (FIPS 180-4). Text form: 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Sha256Digest([u8; 32]);

/// Why a text is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 digest is 64 lower-case hexadecimal digits, got {length} characters")]
pub struct NotADigest {
    length: usize,
}

impl Sha256Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Takes 32 bytes that already are a digest.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What people compare: twelve decimal digits in groups of four, e.g. `0417 9923 1180`.
    ///
    /// The first eight bytes as a big-endian number, modulo 10^12 (40 bits). It is for reading
    /// aloud and comparing on paper; machines always compare the whole digest.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let head = self.0.iter().take(8).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        let digits = head % 1_000_000_000_000;
        let (a, b, c) = (digits / 100_000_000, digits / 10_000 % 10_000, digits % 10_000);
        format!("{a:04} {b:04} {c:04}")
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self}")
    }
}

impl FromStr for Sha256Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let wrong = NotADigest { length: text.len() };
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(wrong);
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| wrong)?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Sha256Digest {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, NotADigest> {
        text.parse()
    }
}

impl From<Sha256Digest> for String {
    fn from(digest: Sha256Digest) -> Self {
        digest.to_string()
    }
}

/// Computes a digest piece by piece, in constant memory.
#[derive(Debug, Clone, Default)]
pub struct Sha256Hasher(Sha256);

impl Sha256Hasher {
    /// An empty hasher.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything added.
    #[must_use]
    pub fn finish(self) -> Sha256Digest {
        Sha256Digest(self.0.finalize().into())
    }
}

impl std::io::Write for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_read_back_and_upper_case_is_refused() {
        let digest = Sha256Digest::of(b"");
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.parse(), Ok(digest));
        assert!(text.to_uppercase().parse::<Sha256Digest>().is_err());
        assert!("e3b0".parse::<Sha256Digest>().is_err());
    }

    #[test]
    fn fingerprint_is_twelve_digits_in_groups_of_four() {
        let text = Sha256Digest::of(b"patchward").fingerprint();
        assert_eq!(text.len(), 14);
        assert!(text.split(' ').all(|group| group.len() == 4));
    }

    #[test]
    fn pieces_give_the_same_digest_as_the_whole() {
        let mut hasher = Sha256Hasher::new();
        hasher.update(b"patch");
        hasher.update(b"ward");
        assert_eq!(hasher.finish(), Sha256Digest::of(b"patchward"));
    }
}
