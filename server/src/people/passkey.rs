//! Passkeys for signing in: WebAuthn assertions, checked here (docs/decisions/0011).
//!
//! Registration takes what the browser's own functions give (`getAuthenticatorData`, `getPublicKey`)
//! with attestation `none`, so that no CBOR is read. Not here: rows, pages, and keys that sign
//! approvals: a passkey opens a session and signs nothing for a device.
//! Invariant: an assertion counts only for this origin, this challenge, once, with the person verified
//! by their device.

pub mod answer;
pub mod challenge;
pub mod client;
pub mod key;

pub use answer::{Asserted, BadAnswer, Made, Site};
pub use challenge::Challenge;
pub use key::{Algorithm, PublicKey};

use super::who::AccountId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use patchward_protocol::time::Timestamp;
use std::fmt;
use std::str::FromStr;

/// Most bytes of a credential id (WebAuthn 3, 4: at most 1023).
const CREDENTIAL_BYTES_MAX: usize = 1023;

/// The name of a passkey: what the authenticator chose.
#[derive(Clone, PartialEq, Eq)]
pub struct CredentialId(Vec<u8>);

/// A passkey of an account.
#[derive(Debug, Clone)]
pub struct Passkey {
    /// Its name.
    pub id: CredentialId,
    /// Whose it is.
    pub account: AccountId,
    /// What its owner calls it.
    pub label: String,
    /// Its public key.
    pub key: PublicKey,
    /// The newest counter seen; 0 where the authenticator has none.
    pub counter: u32,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last used.
    pub used: Option<Timestamp>,
}

/// No base64url of 1 to 1023 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no credential id")]
pub struct BadCredentialId;

impl CredentialId {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for CredentialId {
    type Err = BadCredentialId;

    fn from_str(text: &str) -> Result<Self, BadCredentialId> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadCredentialId)?;
        let good = (1..=CREDENTIAL_BYTES_MAX).contains(&bytes.len());
        if good { Ok(Self(bytes)) } else { Err(BadCredentialId) }
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
