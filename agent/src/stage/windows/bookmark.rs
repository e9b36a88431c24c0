//! Where a staging by windows stopped: which windows are surely on the medium, and what it cost.
//!
//! One small file in the spool, replaced after each flush of the place that is written. It is a hint
//! and proves nothing: the whole place is read back in the end. One that does not read, or is of
//! another image, means to begin anew. Invariant: a window that is noted was flushed before.

use super::Progress;
use crate::journal::write_durably;
use crate::stage::FetchError;
use crate::stage::resume::Remote;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use patchward_protocol::delta::format::Whole;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::reason::Reason;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// What a staging remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bookmark {
    /// Schema version; this code writes 1.
    v: u32,
    /// What is staged, and where.
    pub of: Subject,
    /// Which file brings windows now.
    pub way: Way,
    /// The delta that brought at least one window.
    pub delta_sha256: Option<Sha256Digest>,
    /// Why not, or not only, by a delta.
    pub why_not: Option<Reason>,
    /// Looks for windows of the delta, one after the other, that brought none.
    pub tries: u32,
    /// The first window that the present way has not come to.
    pub next: u32,
    /// Bytes fetched so far.
    pub fetched_bytes: u64,
    /// Bytes of the delta that were of no use.
    pub wasted_bytes: u64,
    /// Windows that the full file brought.
    pub windows_full: u32,
    /// Windows that stand at their place.
    pub done: WindowSet,
}

/// What is staged, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Subject {
    /// The image.
    pub image_sha256: Sha256Digest,
    /// Header and table of its full container.
    pub table_sha256: Sha256Digest,
    /// The place that is written.
    pub place: PathBuf,
    /// Windows of the image.
    pub windows: u32,
    /// Length of the full file in bytes.
    pub full_bytes: u64,
}

/// Which file brings windows now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Way {
    /// It was not looked for a delta yet.
    Open,
    /// A delta, as far as it goes.
    Delta(Chosen),
    /// The full file.
    Full,
}

/// A delta that was chosen. What it says is checked against the signed release again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// Path below the server's address.
    url_path: String,
    length: u64,
    sha256: Sha256Digest,
    /// Digest of its header and table.
    pub table_sha256: Sha256Digest,
    /// The image that it starts from.
    pub from_sha256: Sha256Digest,
    /// Length of that in bytes.
    pub from_length: u64,
}

impl Chosen {
    /// A delta by its file, the digest of its head, and its old image.
    #[must_use]
    pub fn new(remote: Remote, table_sha256: Sha256Digest, from: Whole) -> Self {
        let Remote { url_path, length, sha256 } = remote;
        let (from_sha256, from_length) = (from.sha256, from.length);
        Self { url_path, length, sha256, table_sha256, from_sha256, from_length }
    }

    /// The file.
    #[must_use]
    pub fn remote(&self) -> Remote {
        Remote { url_path: self.url_path.clone(), length: self.length, sha256: self.sha256 }
    }
}

impl Bookmark {
    /// Nothing is there yet.
    pub(super) fn begin(of: Subject) -> Self {
        Self {
            v: 1,
            done: WindowSet::none_of(of.windows),
            of,
            way: Way::Open,
            delta_sha256: None,
            why_not: None,
            tries: 0,
            next: 0,
            fetched_bytes: 0,
            wasted_bytes: 0,
            windows_full: 0,
        }
    }

    /// What was kept of this very staging; none of anything else, and of anything odd.
    pub(super) fn read(path: &Path, of: &Subject) -> Option<Self> {
        Self::peek(path).filter(|found| found.of == *of)
    }

    /// What was kept, of whatever image.
    pub(super) fn peek(path: &Path) -> Option<Self> {
        let found: Self = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        (found.v == 1 && found.done.fits(found.of.windows)).then_some(found)
    }

    /// How far the staging is.
    pub(super) fn progress(&self) -> Progress {
        Progress {
            windows: self.of.windows,
            windows_done: self.done.count(),
            fetched_bytes: self.fetched_bytes,
            full_bytes: self.of.full_bytes,
        }
    }

    /// Keeps it, durably.
    pub(super) fn write(&self, path: &Path) -> Result<(), FetchError> {
        let json = serde_json::to_vec(self).map_err(io::Error::other);
        json.and_then(|json| write_durably(path, &json)).map_err(|source| FetchError::Spool {
            during: "noting what is staged in",
            path: path.to_owned(),
            source,
        })
    }

    /// The first reason is the one that is told.
    pub(super) fn because(&mut self, reason: Reason) {
        self.why_not.get_or_insert(reason);
    }
}

/// A set of windows: one bit for each, 128 KiB for the largest image with the smallest windows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(super) struct WindowSet {
    bits: Vec<u8>,
}

impl WindowSet {
    /// None of so many.
    pub(super) fn none_of(windows: u32) -> Self {
        Self { bits: vec![0; bytes_for(windows)] }
    }

    fn fits(&self, windows: u32) -> bool {
        self.bits.len() == bytes_for(windows)
    }

    /// Whether a window is in it.
    pub(super) fn has(&self, index: u32) -> bool {
        let (byte, bit) = place(index);
        self.bits.get(byte).is_some_and(|byte| byte & bit != 0)
    }

    /// Adds a window.
    pub(super) fn add(&mut self, index: u32) {
        let (byte, bit) = place(index);
        if let Some(byte) = self.bits.get_mut(byte) {
            *byte |= bit;
        }
    }

    /// Takes a window out.
    pub(super) fn remove(&mut self, index: u32) {
        let (byte, bit) = place(index);
        if let Some(byte) = self.bits.get_mut(byte) {
            *byte &= !bit;
        }
    }

    /// How many are in it.
    pub(super) fn count(&self) -> u32 {
        self.bits.iter().map(|byte| byte.count_ones()).sum()
    }
}

impl From<WindowSet> for String {
    fn from(windows: WindowSet) -> Self {
        STANDARD.encode(windows.bits)
    }
}

impl TryFrom<String> for WindowSet {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Ok(Self { bits: STANDARD.decode(text)? })
    }
}

fn bytes_for(windows: u32) -> usize {
    usize::try_from(windows.div_ceil(8)).unwrap_or(usize::MAX)
}

fn place(index: u32) -> (usize, u8) {
    (usize::try_from(index / 8).unwrap_or(usize::MAX), 1 << (index % 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        let (image_sha256, table_sha256) = (Sha256Digest::of(b"image"), Sha256Digest::of(b"table"));
        Subject { image_sha256, table_sha256, place: "/slot".into(), windows: 9, full_bytes: 100 }
    }

    #[test]
    fn a_set_of_windows_is_what_was_put_in_and_not_taken_out() {
        let mut set = WindowSet::none_of(20);
        for index in [0, 7, 8, 19] {
            set.add(index);
        }
        set.remove(7);
        let there: Vec<_> = (0..24).filter(|index| set.has(*index)).collect();
        assert_eq!((there, set.count()), (vec![0, 8, 19], 3));
    }

    #[test]
    fn a_bookmark_is_read_back_and_one_that_is_torn_or_of_another_image_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bookmark");
        let mut bookmark = Bookmark::begin(subject());
        bookmark.done.add(8);
        bookmark.because(Reason::DeltaNone);
        bookmark.because(Reason::DeltaOff);
        bookmark.write(&path).unwrap();
        assert_eq!(bookmark.why_not, Some(Reason::DeltaNone));
        assert_eq!(Bookmark::read(&path, &subject()), Some(bookmark));
        let other = Subject { place: "/other".into(), ..subject() };
        assert_eq!(Bookmark::read(&path, &other), None);
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            write_durably(&path, &whole[..length]).unwrap();
            assert_eq!(Bookmark::read(&path, &subject()), None, "{length} bytes");
        }
    }
}
