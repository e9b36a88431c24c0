//! API tokens for people and machines: `pw_` and 256 random bits.
//!
//! The server keeps the SHA-256 only; a token of 256 random bits needs no slow hash. Not here: the
//! rows (`db::token`) and what a token covers (`covers`).
//! Invariant: a secret is shown once, by [`TokenSecret::reveal`], and never logged.

use patchward_protocol::api::token::Scope;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::time::Timestamp;
use std::fmt;
use subtle::ConstantTimeEq as _;

/// The secret of a token, as its holder has it.
#[derive(Clone)]
pub struct TokenSecret([u8; 32]);

/// What the server keeps of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenDigest(Sha256Digest);

/// A token that was presented, found, not expired and not revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its name in lists.
    pub id: String,
    /// What it is for.
    pub label: String,
    /// What it covers.
    pub scope: Scope,
    /// When it ends.
    pub expires: Timestamp,
}

impl TokenSecret {
    /// From 32 random bytes.
    #[must_use]
    pub const fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads `pw_` and 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("pw_")?;
        let lower = !digits.bytes().any(|byte| byte.is_ascii_uppercase());
        let mut bytes = [0; 32];
        (lower && hex::decode_to_slice(digits, &mut bytes).is_ok()).then_some(Self(bytes))
    }

    /// The text that the holder keeps. Shown once.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("pw_{}", hex::encode(self.0))
    }

    /// What the server keeps.
    #[must_use]
    pub fn digest(&self) -> TokenDigest {
        TokenDigest(Sha256Digest::of(&self.0))
    }
}

impl TokenDigest {
    /// The digest as the database has it.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.to_string()
    }

    /// Whether a stored digest is this one, in a time that does not depend on where they differ.
    #[must_use]
    pub fn is(&self, stored: &str) -> bool {
        let same = stored
            .parse::<Sha256Digest>()
            .map(|stored| stored.as_bytes().ct_eq(self.0.as_bytes()).into());
        same.unwrap_or(false)
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_back_and_kept_as_a_digest_only() {
        let secret = TokenSecret::from_random([0xa5; 32]);
        let again = TokenSecret::read(&secret.reveal()).unwrap();
        assert_eq!(again.digest(), secret.digest());
        assert!(!secret.digest().text().contains(&hex::encode([0xa5_u8; 32])));
        assert!(secret.digest().is(&secret.digest().text()));
        assert!(!secret.digest().is(&TokenSecret::from_random([1; 32]).digest().text()));
        assert!(!secret.digest().is(""));
    }

    #[test]
    fn a_secret_does_not_print_itself() {
        let secret = TokenSecret::from_random([0xa5; 32]);
        assert_eq!(format!("{secret:?}"), "TokenSecret(…)");
    }
}
