//! The proof that a wave is open: what the devices of the wave before signed themselves.
//!
//! A server can hide failures; it cannot invent successes, because it has no device key. Every entry
//! is an envelope of a device's own ledger. Not here: the server's word that the wave is open, which is
//! good for two minutes only and may be taken back although the proof holds.
//! Invariant: a proof counts only entries signed by keys that the approval itself names.

use crate::digest::Sha256Digest;
use crate::envelope::Envelope;
use serde::{Deserialize, Serialize};

/// A wave proof, as it is served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WaveProof {
    /// Schema version; this code knows 1.
    pub v: u32,
    /// The approval.
    pub approval_sha256: Sha256Digest,
    /// The image.
    pub image_sha256: Sha256Digest,
    /// The wave that it opens.
    pub wave: u32,
    /// Ledger entries `committed` and `used` about that image, signed by devices that the approval
    /// names: for the wave before, and for partners.
    pub entries: Vec<Envelope>,
    /// Signed acts that let a halted wave go on ([`crate::act::Subject::Wave`]), for the record.
    pub acts: Vec<Envelope>,
}
