//! Deltas: what was built, what was not, and how each device got its image.
//!
//! Nothing here changes anything: the server plans and builds by itself. Not here: the files, which
//! are targets of the family's repository like any other.

use super::endpoint::{Description, Endpoint, Method, caller};
use crate::digest::Sha256Digest;
use crate::id::{DeviceId, Seq, Version};
use crate::ledger::Carried;
use crate::reason::Reason;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Deltas of a family, by target and base, and how each device got its present image.
#[derive(Debug)]
pub struct ListDeltas;

impl Endpoint for ListDeltas {
    type Caller = caller::Publisher;
    type Path = (String, String);
    type Body = ();
    type Reply = DeltasView;
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/repositories/{kind}/{name}/deltas";
    const SUMMARY: &'static str =
        "Deltas of a family: built, not built and why, and what devices used";
}

/// Reply of [`ListDeltas`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeltasView {
    /// Whether the targets delegate to the role `deltas` with this server's key.
    pub delegated: bool,
    /// Every pair that was planned, newest target first.
    pub pairs: Vec<DeltaView>,
    /// Every device that ever reported a staged image, by id.
    pub devices: Vec<DeltaUse>,
}

/// A pair of images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeltaView {
    /// The image that it starts from.
    pub from: Side,
    /// The image that it makes.
    pub to: Side,
    /// Devices of which it is known that they have the base.
    pub devices: u32,
    /// How far it is.
    pub state: DeltaState,
    /// Length of the delta file, in bytes, once built.
    pub bytes: Option<u64>,
    /// Length of the full file, in bytes.
    pub full_bytes: u64,
    /// Digest of the delta file, once built.
    pub sha256: Option<Sha256Digest>,
    /// How the base was searched: `suffix-array`, `sampled`.
    pub index: Option<String>,
    /// Processor time of the build, in milliseconds.
    pub cpu_ms: Option<u64>,
    /// Most memory of the build, in KiB.
    pub memory_kib: Option<u64>,
    /// When this state began.
    pub since: Timestamp,
    /// Technical detail in English of the last failure.
    pub detail: Option<String>,
}

/// An image of a pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Side {
    /// Its digest.
    pub image_sha256: Sha256Digest,
    /// Its version, where it is a release of the family.
    pub version: Option<Version>,
    /// Its rank.
    pub seq: Option<Seq>,
}

/// How far a delta is. Everything but `published` means that devices take the full image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DeltaState {
    /// Waits for its turn.
    Queued,
    /// Is being built.
    Building,
    /// Signed and offered to devices.
    Published,
    /// More than 0.6 of the full file: not worth its place.
    TooLarge,
    /// The base is no published container of this family, so there is nothing to build from.
    BaseUnknown,
    /// It would take more memory or time than the budget.
    OverBudget,
    /// The build failed, or did not give the signed image; it is tried again later.
    Failed,
    /// Its target is withdrawn or no longer listed.
    Retired,
}

/// How a device got the image that it staged last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeltaUse {
    /// The device.
    pub device: DeviceId,
    /// The image that it staged.
    pub image_sha256: Sha256Digest,
    /// How it came.
    pub carried: Carried,
    /// Why not, or not only, as a delta.
    pub reason: Option<Reason>,
    /// When, as well as the device knew.
    pub at: Option<Timestamp>,
}

/// The endpoints of this file.
#[must_use]
pub fn endpoints() -> Vec<Description> {
    vec![Description::of::<ListDeltas>("ListDeltas")]
}
