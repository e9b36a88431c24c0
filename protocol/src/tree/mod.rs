//! The tree archive: a folder as one file, with exactly one spelling per tree.
//!
//! It is an uncompressed pax tar that every `tar` unpacks. Its digest names an image of kind
//! `tree`, so the archive can be rebuilt from the installed folder and must come out byte for byte
//! the same: paths in byte order, parents before children, owner 0, time 0, modes 0644 and 0755,
//! nothing but folders, files and symbolic links that stay inside. A pax record stands only where
//! the plain header cannot say it (path or link over 100 bytes or not ASCII, file of 8 GiB or more).
//!
//! Not here: disks. Floor 1 walks folders in the order of [`visits`] and feeds [`TreeWriter`], or
//! takes entries from [`TreeReader`] and makes files of them. Memory is constant in both.
//! Invariant: what [`TreeReader`] accepts, [`TreeWriter`] writes again with the same bytes.

mod header;
mod name;
mod order;
mod read;
mod write;

pub use name::{LinkTarget, TreePath};
pub use order::{Child, Visit, visits};
pub use read::TreeReader;
pub use write::TreeWriter;

use crate::limits::{TREE_ENTRIES_MAX, TREE_PATH_BYTES_MAX};

/// One thing in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// Where it stands.
    pub path: TreePath,
    /// What it is.
    pub kind: EntryKind,
}

/// What a thing in a tree is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A folder, mode 0755.
    Folder,
    /// A file; its bytes follow.
    File {
        /// Its mode.
        mode: FileMode,
        /// Its length in bytes.
        size_bytes: u64,
    },
    /// A symbolic link that stays inside the tree.
    Link {
        /// Where it points, seen from its own folder.
        target: LinkTarget,
    },
}

/// The two modes a file can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileMode {
    /// 0644.
    Plain,
    /// 0755.
    Executable,
}

impl FileMode {
    /// From permission bits: executable when the owner may execute.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        if bits & 0o100 == 0 { Self::Plain } else { Self::Executable }
    }

    /// The permission bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Plain => 0o644,
            Self::Executable => 0o755,
        }
    }
}

/// Why a tree is refused, or could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The source of bytes failed (not the archive's fault).
    #[error("the tree archive could not be read")]
    Read(#[source] std::io::Error),
    /// The sink of bytes failed (not the archive's fault).
    #[error("the tree archive could not be written")]
    Write(#[source] std::io::Error),
    /// A file's bytes could not be read while it was put into an archive.
    #[error("the file {path} could not be read")]
    Content {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A path or a link target breaks a rule.
    #[error("{text:?}: {rule}")]
    Name {
        /// The path or target, shortened.
        text: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// An entry stands where it must not.
    #[error("{path:?}: {rule}")]
    Order {
        /// The entry.
        path: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// The bytes are not the one spelling of any tree.
    #[error("the tree archive is malformed at byte {at_byte}: {rule}")]
    Malformed {
        /// Start of the entry or block.
        at_byte: u64,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// A file had another length than was said.
    #[error("the file {path} changed while it was read")]
    Changed {
        /// The file.
        path: String,
    },
    /// More entries or bytes than allowed.
    #[error("the tree has too many {what}; the limit is {limit}")]
    TooMany {
        /// `entries` or `bytes`.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
}

impl TreeError {
    /// Whether the disk or the network failed, rather than the archive being wrong.
    #[must_use]
    pub const fn is_io(&self) -> bool {
        match self {
            Self::Read(_) | Self::Write(_) | Self::Content { .. } => true,
            Self::Name { .. }
            | Self::Order { .. }
            | Self::Malformed { .. }
            | Self::Changed { .. }
            | Self::TooMany { .. } => false,
        }
    }

    pub(crate) fn name(text: &str, rule: &'static str) -> Self {
        Self::Name { text: text.chars().take(TREE_PATH_BYTES_MAX.min(120)).collect(), rule }
    }

    pub(crate) const fn too_many_entries() -> Self {
        Self::TooMany { what: "entries", limit: TREE_ENTRIES_MAX }
    }
}
