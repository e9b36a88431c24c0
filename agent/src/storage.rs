//! Files on real storage: paced writing, free space, reading back from the medium.
//!
//! A device has little memory and a slow disk: written bytes are flushed every
//! [`FLUSH_BYTES`], so that never more is dirty, and read back after the cache was dropped, so that
//! the medium is checked and not the memory. Not here: small files, which
//! [`crate::journal::write_durably`] replaces as a whole. Invariant: after [`Paced::finish`] every
//! byte is on the medium.

use patchward_protocol::digest::{Sha256Digest, Sha256Hasher};
use rustix::fs::Advice;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Most bytes written and not yet flushed.
pub const FLUSH_BYTES: u64 = 8 * 1024 * 1024;
/// Bytes read at once.
pub const READ_BYTES: usize = 64 * 1024;
/// Space that downloads and images leave free, in bytes.
pub const SPARE_BYTES: u64 = 4 * 1024 * 1024;

/// A file that is flushed every [`FLUSH_BYTES`].
#[derive(Debug)]
pub struct Paced {
    file: File,
    dirty_bytes: u64,
    flush_bytes: u64,
}

/// Whether a write flushed everything written so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// Everything is on the medium.
    Done,
    /// Something is not yet.
    Due,
}

impl Paced {
    /// Writes from the file's present position on.
    #[must_use]
    pub const fn new(file: File) -> Self {
        Self::every(file, FLUSH_BYTES)
    }

    /// The same, flushed every `flush_bytes`.
    #[must_use]
    pub const fn every(file: File, flush_bytes: u64) -> Self {
        Self { file, dirty_bytes: 0, flush_bytes }
    }

    /// Writes bytes, and flushes when it is time.
    ///
    /// # Errors
    /// What the disk says.
    pub fn put(&mut self, bytes: &[u8]) -> io::Result<Flush> {
        self.file.write_all(bytes)?;
        self.wrote(bytes)
    }

    /// Writes bytes at a place of their own, and flushes when it is time.
    ///
    /// # Errors
    /// What the disk says.
    pub fn put_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<Flush> {
        self.file.write_all_at(bytes, offset)?;
        self.wrote(bytes)
    }

    fn wrote(&mut self, bytes: &[u8]) -> io::Result<Flush> {
        self.dirty_bytes = self.dirty_bytes.saturating_add(length(bytes));
        if self.dirty_bytes < self.flush_bytes {
            return Ok(Flush::Due);
        }
        self.flush()?;
        Ok(Flush::Done)
    }

    /// Flushes everything written so far.
    ///
    /// # Errors
    /// What the disk says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.dirty_bytes = 0;
        Ok(())
    }

    /// Whether something was written and not flushed.
    #[must_use]
    pub const fn is_dirty(&self) -> bool {
        self.dirty_bytes > 0
    }

    /// Flushes everything, length included, and forgets the cached bytes.
    ///
    /// # Errors
    /// What the disk says.
    pub fn finish(self) -> io::Result<File> {
        self.file.sync_all()?;
        forget_cache(&self.file);
        Ok(self.file)
    }

    /// The file.
    pub const fn file(&mut self) -> &mut File {
        &mut self.file
    }
}

/// Drops what the kernel keeps in memory of a file, so that it is read from the medium.
///
/// Only clean pages go; flush before. Failure means that memory is read, which is no error.
pub fn forget_cache(file: &File) {
    let _kept = rustix::fs::fadvise(file, 0, None, Advice::DontNeed);
}

/// Adds the next `bytes` bytes of a file to a hasher, in constant memory.
///
/// # Errors
/// What the disk says; [`io::ErrorKind::UnexpectedEof`] when there are fewer.
pub fn hash_next(file: &mut File, bytes: u64, hasher: &mut Sha256Hasher) -> io::Result<()> {
    let mut buffer = vec![0; READ_BYTES];
    let mut left = bytes;
    let mut source = file.take(bytes);
    while left > 0 {
        let count = match source.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count?,
        };
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let piece = buffer.get(..count).unwrap_or_default();
        hasher.update(piece);
        left = left.saturating_sub(length(piece));
    }
    Ok(())
}

/// The digest of the first `bytes` bytes of a file, read from the medium.
///
/// # Errors
/// What the disk says.
pub fn read_back(path: &Path, bytes: u64) -> io::Result<Sha256Digest> {
    let mut file = File::open(path)?;
    forget_cache(&file);
    let mut hasher = Sha256Hasher::new();
    hash_next(&mut file, bytes, &mut hasher)?;
    forget_cache(&file);
    Ok(hasher.finish())
}

/// Checks that `bytes` more bytes fit where `folder` is, and [`SPARE_BYTES`] stay free.
///
/// # Errors
/// [`io::ErrorKind::StorageFull`], or what the disk says.
pub fn need_space(folder: &Path, bytes: u64) -> io::Result<()> {
    let stat = rustix::fs::statvfs(folder)?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free < bytes.saturating_add(SPARE_BYTES) {
        return Err(io::ErrorKind::StorageFull.into());
    }
    Ok(())
}

/// The length of a slice as the number it is on disk and wire.
#[must_use]
pub fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Runs work that blocks beside the event loop.
///
/// # Errors
/// A panic in the work is an error of the kind `Other`.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_flushed_every_eight_mebibytes_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        let mut paced = Paced::new(File::create(&path).unwrap());
        let piece = vec![7; 1024 * 1024];
        let flushes: Vec<_> = (0..17).map(|_| paced.put(&piece).unwrap()).collect();
        let done = flushes.iter().filter(|flush| **flush == Flush::Done).count();
        assert_eq!((done, flushes[7], flushes[15]), (2, Flush::Done, Flush::Done));
        paced.finish().unwrap();
        let digest = read_back(&path, 17 * 1024 * 1024).unwrap();
        assert_eq!(digest, Sha256Digest::of(&vec![7; 17 * 1024 * 1024]));
        assert!(read_back(&path, 17 * 1024 * 1024 + 1).is_err());
    }

    #[test]
    fn a_full_disk_says_so_before_and_during() {
        let folder = tempfile::tempdir().unwrap();
        let before = need_space(folder.path(), u64::MAX / 2).unwrap_err();
        assert_eq!(before.kind(), io::ErrorKind::StorageFull);
        need_space(folder.path(), 0).unwrap();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let during = Paced::new(full).put(b"image").unwrap_err();
        assert_eq!(during.kind(), io::ErrorKind::StorageFull);
    }
}
