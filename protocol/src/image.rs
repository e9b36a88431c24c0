//! How everyone names an image: by family, rank and digest; the version is for people.

use crate::digest::Sha256Digest;
use crate::id::{FamilyId, Seq, Version};
use serde::{Deserialize, Serialize};
use std::fmt;

/// An image, as approvals, ledgers and reports name it.
///
/// Two images with the same version text are different images when their digests differ.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ImageRef {
    /// Device family.
    pub family: FamilyId,
    /// Version for people.
    pub version: Version,
    /// Rank.
    pub seq: Seq,
    /// Digest of what stands in the slot.
    pub image_sha256: Sha256Digest,
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (seq {})", self.family, self.version, self.seq)
    }
}
