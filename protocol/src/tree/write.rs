//! Writes a tree archive, entry by entry, in constant memory.
//!
//! The caller brings entries in the order of the archive; anything else is refused, so that a
//! caller cannot write a second spelling. Invariant: a finished archive is one a reader accepts.

use super::header::{BLOCK, encode};
use super::order::Order;
use super::{EntryKind, FileMode, LinkTarget, TreeEntry, TreeError, TreePath};
use crate::limits::IMAGE_BYTES_MAX;
use std::io::{Read, Write};

/// Writes a tree archive to `W`.
#[derive(Debug)]
pub struct TreeWriter<W: Write> {
    sink: W,
    order: Order,
    written_bytes: u64,
}

impl<W: Write> TreeWriter<W> {
    /// Begins an archive.
    pub fn new(sink: W) -> Self {
        Self { sink, order: Order::default(), written_bytes: 0 }
    }

    /// Adds a folder.
    ///
    /// # Errors
    /// [`TreeError`] when it is out of order or cannot be written.
    pub fn dir(&mut self, path: &TreePath) -> Result<(), TreeError> {
        self.entry(&TreeEntry { path: path.clone(), kind: EntryKind::Folder })
    }

    /// Adds a file of `size_bytes` bytes, read from `content` to its end.
    ///
    /// # Errors
    /// [`TreeError`] when it is out of order, has another length, or cannot be read or written.
    pub fn file(
        &mut self,
        path: &TreePath,
        mode: FileMode,
        size_bytes: u64,
        content: &mut impl Read,
    ) -> Result<(), TreeError> {
        let kind = EntryKind::File { mode, size_bytes };
        self.entry(&TreeEntry { path: path.clone(), kind })?;
        let failed = |source| TreeError::Content { path: path.to_string(), source };
        let changed = || TreeError::Changed { path: path.to_string() };
        let mut buffer = vec![0; 64 * 1024];
        let mut left = size_bytes;
        loop {
            let count = match content.read(&mut buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                count => count.map_err(failed)?,
            };
            let piece = buffer.get(..count).unwrap_or_default();
            let length = u64::try_from(count).unwrap_or(u64::MAX);
            left = left.checked_sub(length).ok_or_else(changed)?;
            if count == 0 {
                break;
            }
            self.put(piece)?;
        }
        if left > 0 {
            return Err(changed());
        }
        self.put(padding(size_bytes))
    }

    /// Adds a symbolic link.
    ///
    /// # Errors
    /// [`TreeError`] when it is out of order or cannot be written.
    pub fn symlink(&mut self, path: &TreePath, target: &LinkTarget) -> Result<(), TreeError> {
        let kind = EntryKind::Link { target: target.clone() };
        self.entry(&TreeEntry { path: path.clone(), kind })
    }

    /// Ends the archive; gives the sink back and the archive's length in bytes.
    ///
    /// # Errors
    /// [`TreeError::Write`] when the end cannot be written.
    pub fn finish(mut self) -> Result<(W, u64), TreeError> {
        self.put(&[0; 2 * BLOCK])?;
        self.sink.flush().map_err(TreeError::Write)?;
        Ok((self.sink, self.written_bytes))
    }

    fn entry(&mut self, entry: &TreeEntry) -> Result<(), TreeError> {
        self.order.admit(entry)?;
        self.put(&encode(entry))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), TreeError> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.written_bytes = self.written_bytes.saturating_add(length);
        if self.written_bytes > IMAGE_BYTES_MAX {
            return Err(TreeError::TooMany { what: "bytes", limit: IMAGE_BYTES_MAX });
        }
        self.sink.write_all(bytes).map_err(TreeError::Write)
    }
}

/// The zeros after a content of this length.
pub(super) fn padding(size_bytes: u64) -> &'static [u8] {
    static ZEROS: [u8; BLOCK] = [0; BLOCK];
    let over = usize::try_from(size_bytes % 512).unwrap_or_default();
    if over == 0 { &[] } else { ZEROS.get(over..).unwrap_or_default() }
}
