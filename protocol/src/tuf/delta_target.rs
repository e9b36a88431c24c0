//! `custom.delta`: what the online `deltas` role says of a delta file. Hints, and nothing more.
//!
//! Everything about an image is taken from its offline-signed target; a delta that disagrees with
//! that is refused before it is fetched ([`DeltaTarget::leads_to`]). Whatever is wrong here costs
//! bandwidth and never installs anything. Invariant: a listed delta with a fault is left out by
//! itself and spoils no other.

use super::custom::{Format, ReleaseState};
use super::error::TufError;
use super::lookup::{ImageTarget, TargetFile};
use super::trusted_set::TrustedSet;
use crate::digest::Sha256Digest;
use crate::id::{Seq, TargetPath};
use crate::verified::Verified;
use serde::{Deserialize, Serialize};

/// Directory of deltas, without the slash.
pub const DELTA_DIR: &str = "delta";
/// The delegated role that lists deltas.
pub const DELTAS_ROLE: &str = "deltas";

/// `custom.delta` of a target in `delta/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeltaFacts {
    /// Schema version; this code knows 1.
    pub v: u32,
    /// The image that it starts from.
    pub from: DeltaFrom,
    /// The image that comes out.
    pub to: DeltaTo,
    /// The container; `pwd1`.
    pub format: Format,
    /// Memory that unpacking claims, in bytes ([`crate::delta::format::Header::memory_bytes`]).
    pub mem_bytes: u64,
    /// Digest of the file's header and table.
    pub table_sha256: Sha256Digest,
}

/// The image that a delta starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeltaFrom {
    /// What stands in the slot (for a tree: the archive).
    pub image_sha256: Sha256Digest,
    /// Its length in bytes.
    pub length: u64,
    /// Its rank.
    pub seq: Seq,
}

/// The image that a delta makes: a pointer to an image target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeltaTo {
    /// The image target.
    pub path: TargetPath,
    /// What will stand in the slot.
    pub image_sha256: Sha256Digest,
    /// Its length in bytes.
    pub length: u64,
    /// Its rank.
    pub seq: Seq,
}

/// A delta that the `deltas` role lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaTarget {
    /// The file.
    pub file: TargetFile,
    /// What the role says of it.
    pub facts: DeltaFacts,
}

impl DeltaTarget {
    /// Whether it says of the image what the offline-signed target says. Unknown means no.
    #[must_use]
    pub fn leads_to(&self, image: &ImageTarget) -> bool {
        let (to, firmware) = (&self.facts.to, &image.firmware);
        let payload = &firmware.payload;
        self.facts.v == 1
            && self.facts.format == Format::Pwd1
            && payload.format == Format::Pwd1
            && firmware.state == ReleaseState::Released
            && to.path == image.path
            && to.image_sha256 == payload.image_sha256
            && to.length == payload.image_length
            && to.seq == firmware.seq
    }
}

impl TrustedSet {
    /// All deltas that the role [`DELTAS_ROLE`] lists in a form that this code knows, by name. Take
    /// the role first ([`TrustedSet::delegated_file`], [`TrustedSet::take_delegated`]).
    ///
    /// # Errors
    /// [`TufError::OutOfTurn`] before it was taken; any reason not to trust it.
    pub fn deltas(&self) -> Result<Vec<Verified<DeltaTarget>>, TufError> {
        let files = self.delegated_files(DELTAS_ROLE)?;
        let read = |file: Verified<TargetFile>| {
            let custom = self.delegated_custom(DELTAS_ROLE, &file.path, DELTA_DIR)?;
            let facts = DeltaFacts::deserialize(custom).ok()?;
            Some(Verified::new(DeltaTarget { file: file.into_inner(), facts }))
        };
        Ok(files.into_iter().filter_map(read).collect())
    }

    /// Whether the targets delegate to the role at all.
    #[must_use]
    pub fn has_deltas(&self) -> bool {
        self.delegates_to(DELTAS_ROLE)
    }
}
