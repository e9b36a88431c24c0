//! What the server may say to a device: little, and nothing that starts anything by itself.
//!
//! A directive is not signed. It can hold a device back; where it says that a wave is open, the
//! device still needs the signed approval, the slot and its own permit. Absence means wait.

use crate::digest::Sha256Digest;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The server's word to one device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Directive {
    /// Waves that are open for this device; good for [`crate::limits::OPEN_VALID_S`] seconds.
    #[serde(default)]
    pub open: Vec<WaveOpen>,
    /// Holds that stand for this device.
    #[serde(default)]
    pub holds: Vec<HoldNotice>,
}

/// One open wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WaveOpen {
    /// The approval, by the digest of its bytes.
    pub approval_sha256: Sha256Digest,
    /// The wave. Wave 0 needs no proof; later ones are not yet accepted by devices.
    pub wave: u32,
}

/// One hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HoldNotice {
    /// How far it reaches.
    pub scope: HoldScope,
    /// Why, in the words of who set it.
    pub reason: String,
    /// When somebody must look at it again; it never lifts by itself.
    pub review_at: Timestamp,
}

/// How far a hold reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum HoldScope {
    /// One device.
    Device,
    /// A ward.
    Ward,
    /// The whole site.
    Site,
    /// A release, everywhere.
    Release,
}
