//! Receipts and time answers: the two things a server signs for a device.
//!
//! A receipt lets the device prove delivery; a time answer is one source among others. Neither
//! permits anything. Invariant: a receipt counts only for the ledger and digest that it names.

use crate::digest::Sha256Digest;
use crate::id::{DeviceId, LedgerId, SiteId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The server has stored a device's ledger up to an entry. Signed by the server's record key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Receipt {
    /// Schema version; this code writes 1.
    pub v: u32,
    /// The device's site.
    pub site: SiteId,
    /// The device.
    pub device: DeviceId,
    /// Its ledger.
    pub ledger_id: LedgerId,
    /// Position of the last entry that is stored.
    pub upto_seq: u64,
    /// Digest of that entry.
    pub chain_sha256: Sha256Digest,
    /// When, by the server's clock.
    pub at: Timestamp,
}

/// The server's time for a device's nonce. Signed by a timestamp key of the site repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TimeAnswer {
    /// Schema version; this code writes 1.
    pub v: u32,
    /// The nonce of the question.
    pub nonce: Nonce,
    /// The server's clock.
    pub utc: Timestamp,
}

/// Sixteen random bytes; 32 hexadecimal digits as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Nonce([u8; 16]);

/// The text is no nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a nonce is 32 hexadecimal digits")]
pub struct BadNonce;

impl Nonce {
    /// From 16 random bytes.
    #[must_use]
    pub const fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Debug for Nonce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl TryFrom<String> for Nonce {
    type Error = BadNonce;

    fn try_from(text: String) -> Result<Self, BadNonce> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(&text, &mut bytes).map_err(|_| BadNonce)?;
        Ok(Self(bytes))
    }
}

impl From<Nonce> for String {
    fn from(nonce: Nonce) -> Self {
        hex::encode(nonce.0)
    }
}
