//! The blob store: a folder, `blobs/ab/abcdef…`, written once and never changed.
//!
//! An upload streams into `blobs/tmp`, is hashed on the way, fsynced, linked to its name, and the
//! folder fsynced. All calls block their thread. Invariant: a name appears only after its bytes are
//! durable and have been found to have that digest.

use crate::durable;
use patchward_protocol::digest::{Sha256Digest, Sha256Hasher};
use patchward_protocol::time::Timestamp;
use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder of blobs.
#[derive(Debug, Clone)]
pub struct BlobDir {
    folder: PathBuf,
    reserve_bytes: u64,
}

/// Why bytes were not stored or not read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The disk is full, or would go below the reserve.
    #[error("the disk under the blobs is full")]
    StorageFull,
    /// More bytes than are allowed.
    #[error("more than {bytes_max} bytes")]
    TooLong {
        /// The limit.
        bytes_max: u64,
    },
    /// Not the bytes that were announced.
    #[error("the bytes have digest {found}, not {expected}")]
    WrongDigest {
        /// The name they came under.
        expected: Sha256Digest,
        /// What they are.
        found: Sha256Digest,
    },
    /// A stored file is shorter than it was.
    #[error("the blob {0} is damaged")]
    Damaged(Sha256Digest),
    /// The sender stopped sending.
    #[error("the sender stopped")]
    Stalled,
    /// The file system failed.
    #[error("the blob folder failed at {}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl BlobError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| {
            let is_full =
                matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
            if is_full { Self::StorageFull } else { Self::Io { path, source } }
        }
    }
}

/// An open blob.
#[derive(Debug, Clone)]
pub struct Blob {
    sha256: Sha256Digest,
    file: Arc<File>,
    length: u64,
}

/// An upload under way; its temporary file goes when this is dropped.
#[derive(Debug)]
pub struct Upload {
    blobs: BlobDir,
    expected: Sha256Digest,
    bytes_max: u64,
    temporary: PathBuf,
    file: File,
    hasher: Sha256Hasher,
    length: u64,
}

/// An upload without a byte for so long was broken off, in seconds.
const ABANDONED_S: i64 = 24 * 3600;
/// How often free space is looked at during an upload, in bytes.
const SPACE_CHECK_BYTES: u64 = 16 * 1024 * 1024;

impl BlobDir {
    /// Opens the folder, and makes it when it is not there.
    ///
    /// `reserve_bytes` stay free on the disk.
    ///
    /// # Errors
    /// [`BlobError`].
    pub fn open(folder: &Path, reserve_bytes: u64) -> Result<Self, BlobError> {
        // Workers that are told of files run elsewhere.
        let folder = std::path::absolute(folder).map_err(BlobError::io(folder))?;
        let blobs = Self { folder, reserve_bytes };
        let temporary = blobs.temporary();
        durable::make_private_folder(&temporary).map_err(BlobError::io(&temporary))?;
        Ok(blobs)
    }

    /// Begins an upload of at most `bytes_max` bytes; `unique` tells it from others of its digest.
    ///
    /// # Errors
    /// [`BlobError::StorageFull`] and the like.
    pub fn begin(
        &self,
        expected: Sha256Digest,
        bytes_max: u64,
        unique: [u8; 8],
    ) -> Result<Upload, BlobError> {
        self.check_space()?;
        let temporary = self.temporary().join(format!("{expected}.{}", hex::encode(unique)));
        let mut options = File::options();
        let file = options.write(true).create_new(true).mode(0o600).open(&temporary);
        let file = file.map_err(BlobError::io(&temporary))?;
        let (blobs, hasher) = (self.clone(), Sha256Hasher::new());
        Ok(Upload { blobs, expected, bytes_max, temporary, file, hasher, length: 0 })
    }

    /// Opens a blob.
    ///
    /// # Errors
    /// [`BlobError::Io`]; a blob that is not there is `None`.
    pub fn get(&self, sha256: &Sha256Digest) -> Result<Option<Blob>, BlobError> {
        let path = self.path(sha256);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(BlobError::io(&path)(error)),
        };
        let length = file.metadata().map_err(BlobError::io(&path))?.len();
        Ok(Some(Blob { sha256: *sha256, file: Arc::new(file), length }))
    }

    /// Reads a small blob whole and checks its digest.
    ///
    /// # Errors
    /// [`BlobError`]; a blob that is not there is `None`.
    pub fn read(
        &self,
        sha256: &Sha256Digest,
        bytes_max: usize,
    ) -> Result<Option<Vec<u8>>, BlobError> {
        let Some(blob) = self.get(sha256)? else { return Ok(None) };
        let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
        if blob.length > limit {
            return Err(BlobError::TooLong { bytes_max: limit });
        }
        let length = usize::try_from(blob.length).unwrap_or(bytes_max);
        let bytes = blob.read_at(0, length)?;
        let found = Sha256Digest::of(&bytes);
        if found != *sha256 {
            return Err(BlobError::WrongDigest { expected: *sha256, found });
        }
        Ok(Some(bytes))
    }

    /// Whether bytes can be written now: for readiness.
    ///
    /// # Errors
    /// [`BlobError`].
    pub fn check(&self) -> Result<(), BlobError> {
        self.check_space()?;
        let temporary = self.temporary();
        std::fs::metadata(&temporary).map(drop).map_err(BlobError::io(&temporary))
    }

    /// Removes what uploads left behind when the program was killed; returns how many. Another
    /// server's uploads under way are younger than a day since their last byte.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn sweep(&self, at: Timestamp) -> Result<usize, BlobError> {
        let temporary = self.temporary();
        let entries = std::fs::read_dir(&temporary).map_err(BlobError::io(&temporary))?;
        let oldest = at.plus_seconds(-ABANDONED_S).seconds();
        let mut swept = 0_usize;
        for entry in entries {
            let path = entry.map_err(BlobError::io(&temporary))?.path();
            // Gone meanwhile: its own upload, or another server's sweep, was quicker.
            let Ok(found) = std::fs::metadata(&path) else { continue };
            if found.mtime() < oldest && std::fs::remove_file(&path).is_ok() {
                swept = swept.saturating_add(1);
            }
        }
        Ok(swept)
    }

    fn check_space(&self) -> Result<(), BlobError> {
        let told = rustix::fs::statvfs(&self.folder);
        let told = told.map_err(|error| BlobError::io(&self.folder)(error.into()))?;
        if told.f_bavail.saturating_mul(told.f_frsize) < self.reserve_bytes {
            return Err(BlobError::StorageFull);
        }
        Ok(())
    }

    /// Where a blob is, or would be.
    #[must_use]
    pub fn path_of(&self, sha256: &Sha256Digest) -> PathBuf {
        self.path(sha256)
    }

    /// Where folders for files on their way are.
    pub(super) fn scratches(&self) -> PathBuf {
        self.folder.join("scratch")
    }

    fn temporary(&self) -> PathBuf {
        self.folder.join("tmp")
    }

    fn path(&self, sha256: &Sha256Digest) -> PathBuf {
        let name = sha256.to_string();
        self.folder.join(name.get(..2).unwrap_or_default()).join(name)
    }
}

impl Upload {
    /// Adds the next bytes.
    ///
    /// # Errors
    /// [`BlobError::TooLong`], [`BlobError::StorageFull`] and the like.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        let before = self.length;
        self.length = before.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if self.length > self.bytes_max {
            return Err(BlobError::TooLong { bytes_max: self.bytes_max });
        }
        if before / SPACE_CHECK_BYTES != self.length / SPACE_CHECK_BYTES {
            self.blobs.check_space()?;
        }
        self.hasher.update(bytes);
        self.file.write_all(bytes).map_err(BlobError::io(&self.temporary))
    }

    /// Ends the upload; returns the length. After this the blob is durable under its name.
    ///
    /// # Errors
    /// [`BlobError::WrongDigest`] and the like; nothing is left then.
    pub fn finish(mut self) -> Result<u64, BlobError> {
        let found = std::mem::take(&mut self.hasher).finish();
        let expected = self.expected;
        if found != expected {
            return Err(BlobError::WrongDigest { expected, found });
        }
        self.file.sync_all().map_err(BlobError::io(&self.temporary))?;
        let path = self.blobs.path(&expected);
        let folder = path.parent().unwrap_or(&self.blobs.folder);
        if !folder.is_dir() {
            durable::make_private_folder(folder).map_err(BlobError::io(folder))?;
            durable::sync_folder(&self.blobs.folder).map_err(BlobError::io(folder))?;
        }
        match std::fs::hard_link(&self.temporary, &path) {
            // The same bytes came before: the names are digests.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            linked => linked.map_err(BlobError::io(&path))?,
        }
        durable::sync_folder(folder).map_err(BlobError::io(folder))?;
        Ok(self.length)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // What cannot be removed now is only lost space.
        let _ = std::fs::remove_file(&self.temporary);
    }
}

impl Blob {
    /// Its length in bytes.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Reads `length` bytes from `offset`.
    ///
    /// # Errors
    /// [`BlobError::Damaged`] when the file has become shorter, [`BlobError::Io`].
    pub fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, BlobError> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset).map_err(|error| {
            if error.kind() == ErrorKind::UnexpectedEof {
                return BlobError::Damaged(self.sha256);
            }
            BlobError::io(Path::new(&self.sha256.to_string()))(error)
        })?;
        Ok(bytes)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests damage files on purpose")]
mod tests {
    use super::*;

    fn blobs(reserve_bytes: u64) -> (tempfile::TempDir, BlobDir) {
        let folder = tempfile::tempdir().unwrap();
        let blobs = BlobDir::open(folder.path(), reserve_bytes).unwrap();
        (folder, blobs)
    }

    fn temporaries(blobs: &BlobDir) -> usize {
        std::fs::read_dir(blobs.temporary()).unwrap().count()
    }

    #[test]
    fn an_upload_appears_whole_and_may_be_repeated() {
        let (_folder, blobs) = blobs(0);
        let digest = Sha256Digest::of(b"image");
        for unique in [[1; 8], [2; 8]] {
            let mut upload = blobs.begin(digest, 5, unique).unwrap();
            upload.write(b"ima").unwrap();
            upload.write(b"ge").unwrap();
            assert_eq!(upload.finish().unwrap(), 5);
        }
        assert_eq!(blobs.read(&digest, 5).unwrap().unwrap(), b"image");
        assert_eq!(temporaries(&blobs), 0);
    }

    #[test]
    fn wrong_bytes_too_many_bytes_and_broken_off_uploads_leave_nothing() {
        let (_folder, blobs) = blobs(0);
        let digest = Sha256Digest::of(b"image");
        let mut wrong = blobs.begin(digest, 5, [1; 8]).unwrap();
        wrong.write(b"imagE").unwrap();
        assert!(matches!(wrong.finish(), Err(BlobError::WrongDigest { .. })));
        let mut long = blobs.begin(digest, 4, [2; 8]).unwrap();
        assert!(matches!(long.write(b"image"), Err(BlobError::TooLong { bytes_max: 4 })));
        drop(long);
        drop(blobs.begin(digest, 5, [3; 8]).unwrap());
        assert!(blobs.get(&digest).unwrap().is_none());
        assert_eq!(temporaries(&blobs), 0);
    }

    #[test]
    fn what_a_killed_server_left_behind_is_removed_after_a_day() {
        let (_folder, blobs) = blobs(0);
        std::fs::write(blobs.temporary().join("left"), b"half").unwrap();
        let modified = std::fs::metadata(blobs.temporary().join("left")).unwrap().mtime();
        let after = |seconds| Timestamp::from_millis(modified * 1000).plus_seconds(seconds);
        assert_eq!(blobs.sweep(after(ABANDONED_S - 1)).unwrap(), 0);
        assert_eq!(blobs.sweep(after(ABANDONED_S + 1)).unwrap(), 1);
        assert_eq!(temporaries(&blobs), 0);
    }

    #[test]
    fn a_full_disk_is_told_before_and_during_an_upload() {
        let (folder, full) = blobs(u64::MAX);
        let digest = Sha256Digest::of(b"image");
        assert!(matches!(full.begin(digest, 5, [1; 8]), Err(BlobError::StorageFull)));
        assert!(matches!(full.check(), Err(BlobError::StorageFull)));
        let roomy = BlobDir::open(folder.path(), 0).unwrap();
        let mut upload = roomy.begin(digest, u64::MAX, [1; 8]).unwrap();
        upload.file = File::options().write(true).open("/dev/full").unwrap();
        assert!(matches!(upload.write(b"image"), Err(BlobError::StorageFull)));
    }

    #[test]
    fn a_blob_that_was_changed_on_disk_is_not_given_out_as_whole() {
        let (_folder, blobs) = blobs(0);
        let digest = Sha256Digest::of(b"image");
        let mut upload = blobs.begin(digest, 5, [1; 8]).unwrap();
        upload.write(b"image").unwrap();
        upload.finish().unwrap();
        std::fs::write(blobs.path(&digest), b"imagE").unwrap();
        assert!(matches!(blobs.read(&digest, 5), Err(BlobError::WrongDigest { .. })));
        let open = blobs.get(&digest).unwrap().unwrap();
        std::fs::write(blobs.path(&digest), b"im").unwrap();
        assert!(matches!(open.read_at(0, 5), Err(BlobError::Damaged(_))));
    }
}
