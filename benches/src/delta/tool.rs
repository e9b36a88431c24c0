//! The tools that are compared, by name.

use serde::{Deserialize, Serialize};

/// One way from an old image to a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    /// Ours, matches by suffix array.
    Suffix,
    /// Ours, matches by sampled hashes.
    Sampled,
    /// bsdiff 4.3.
    Bsdiff,
    /// HDiffPatch with zstd at level 22.
    Hdiff,
    /// xdelta3 at level 9.
    Xdelta,
    /// zstd at level 19 with the old image as dictionary.
    ZstdFrom,
    /// OSTree static delta between the trees.
    Ostree,
    /// casync chunks that the old image does not have.
    Casync,
    /// zchunk chunks that the old image does not have.
    Zchunk,
    /// The whole new image by zstd at level 19.
    Zstd,
}

impl Tool {
    /// Every tool, in the order of the tables.
    pub const ALL: [Self; 10] = [
        Self::Suffix,
        Self::Sampled,
        Self::Bsdiff,
        Self::Hdiff,
        Self::Xdelta,
        Self::ZstdFrom,
        Self::Ostree,
        Self::Casync,
        Self::Zchunk,
        Self::Zstd,
    ];

    /// What readers call it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Suffix => "ours, suffix array",
            Self::Sampled => "ours, sampled",
            Self::Bsdiff => "bsdiff 4.3",
            Self::Hdiff => "HDiffPatch, zstd-22",
            Self::Xdelta => "xdelta3 -9",
            Self::ZstdFrom => "zstd -19 --patch-from",
            Self::Ostree => "OSTree static delta",
            Self::Casync => "casync",
            Self::Zchunk => "zchunk",
            Self::Zstd => "full zstd -19",
        }
    }

    /// The program that it needs beside this one.
    #[must_use]
    pub const fn program(self) -> Option<&'static str> {
        match self {
            Self::Suffix | Self::Sampled => None,
            Self::Bsdiff => Some("bsdiff"),
            Self::Hdiff => Some("python"),
            Self::Xdelta => Some("xdelta3"),
            Self::ZstdFrom | Self::Zstd => Some("zstd"),
            Self::Ostree => Some("ostree"),
            Self::Casync => Some("casync"),
            Self::Zchunk => Some("zck"),
        }
    }

    /// Is it ours?
    #[must_use]
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Suffix | Self::Sampled)
    }
}
