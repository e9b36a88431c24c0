//! What a worker process is told, and what it answers: one JSON document each way.
//!
//! Not here: doing it ([`super::worker`]) and asking for it ([`super::child`]). Invariant: an order names
//! files of this machine that this server wrote; no worker opens a connection or a database.

use patchward_protocol::delta::build::Index;
use patchward_protocol::digest::Sha256Digest;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Most bytes of an order or an answer.
pub const ORDER_BYTES_MAX: usize = 64 * 1024;

/// A full container in the store, with what its offline-signed target says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Container {
    /// The file.
    pub path: PathBuf,
    /// Digest of header and table.
    pub table_sha256: Sha256Digest,
    /// What stands in the slot.
    pub image_sha256: Sha256Digest,
    /// Its length, in bytes.
    pub image_length: u64,
}

/// What a worker shall do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Which step.
    pub step: Step,
    /// The image that the delta starts from.
    pub from: Container,
    /// The image that it makes.
    pub to: Container,
    /// The delta.
    pub delta: PathBuf,
    /// A folder for what is unpacked; its owner removes it.
    pub scratch: PathBuf,
    /// Most address space, in bytes.
    pub address_bytes: u64,
    /// Most processor time, in seconds.
    pub cpu_s: u64,
    /// The process that asks; a worker whose asker is gone ends.
    pub asker: u32,
}

/// The steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// Unpack both images and write the delta.
    Build {
        /// How matches are found.
        index: IndexName,
        /// Threads.
        threads: u32,
    },
    /// Unpack the old image, apply the delta with the decoder of devices, and compare every window with
    /// the offline-signed container and the whole with the offline-signed digest.
    Check,
}

/// An index in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are those of the index")]
pub enum IndexName {
    SuffixArray,
    Sampled,
}

/// What a worker answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Answer {
    /// The delta is written.
    Built {
        /// Its length, in bytes.
        bytes: u64,
        /// What it took.
        used: Used,
    },
    /// The delta makes the image.
    Checked(Checked),
    /// There was not enough memory.
    Memory,
    /// Why not.
    Failed {
        /// Technical detail in English.
        detail: String,
    },
}

/// A delta that was applied and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checked {
    /// Digest of the file.
    pub sha256: Sha256Digest,
    /// Its length, in bytes.
    pub bytes: u64,
    /// Digest of its header and table.
    pub table_sha256: Sha256Digest,
    /// Memory that unpacking claims, in bytes.
    pub mem_bytes: u64,
    /// What checking took.
    pub used: Used,
}

/// What a worker took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Used {
    /// Processor time, in milliseconds.
    pub cpu_ms: u64,
    /// Most memory, in KiB.
    pub memory_kib: u64,
}

impl From<Index> for IndexName {
    fn from(index: Index) -> Self {
        match index {
            Index::SuffixArray => Self::SuffixArray,
            Index::Sampled => Self::Sampled,
        }
    }
}

impl From<IndexName> for Index {
    fn from(name: IndexName) -> Self {
        match name {
            IndexName::SuffixArray => Self::SuffixArray,
            IndexName::Sampled => Self::Sampled,
        }
    }
}
