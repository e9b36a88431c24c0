//! What the server may say to a device: little, and nothing that starts anything by itself.
//!
//! A directive is not signed. It can hold a device back; where it says that a wave is open, the
//! device still needs the signed approval, the slot, its own permit, and for every wave but the first
//! a proof signed by the devices of the wave before. Absence means wait.

use crate::digest::Sha256Digest;
use crate::envelope::Envelope;
use crate::id::{DeviceId, FamilyId, HoldId, WardId};
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
    /// Signed acts that lift holds of the site which this device may have seen
    /// ([`crate::act::Subject::Hold`]); those of the last 30 days.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lifts: Vec<Envelope>,
}

/// One open wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WaveOpen {
    /// The approval, by the digest of its bytes.
    pub approval_sha256: Sha256Digest,
    /// The image, for a standing approval, under which several releases may be on their way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_sha256: Option<Sha256Digest>,
    /// The wave.
    pub wave: u32,
    /// Digest of the wave's proof ([`crate::proof`]), fetched once by
    /// [`crate::api::device::ReadWaveProof`]. Wave 0 of a device without a partner needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Sha256Digest>,
}

/// One hold, as a device is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HoldNotice {
    /// Its id.
    pub id: HoldId,
    /// What it holds.
    pub target: HoldTarget,
    /// Whose hold it is, which says how it is lifted.
    pub by: HoldBy,
    /// Why, in the words of who set it.
    pub reason: String,
    /// When somebody must look at it again; it never lifts by itself.
    pub review_at: Timestamp,
}

/// What a hold holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "scope", rename_all = "kebab-case", deny_unknown_fields)]
pub enum HoldTarget {
    /// One device.
    Device {
        /// Its id.
        device: DeviceId,
    },
    /// A ward.
    Ward {
        /// Its id.
        ward: WardId,
    },
    /// The whole site: everything stops.
    Site,
    /// A release: by the site, there; by the manufacturer, everywhere.
    Release {
        /// Its family.
        family: FamilyId,
        /// Its image.
        image_sha256: Sha256Digest,
    },
}

/// Whose hold it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum HoldBy {
    /// The hospital's. Set without a key, lifted by a signed act of the site.
    Site,
    /// The manufacturer's. Lifted by the manufacturer; does not block a hospital's rollback.
    Maker,
    /// Whoever runs the server. Lifted by them; does not block a hospital's rollback.
    Operator,
    /// A freeze entered after the approval was signed; ends with the freeze.
    Freeze,
}
