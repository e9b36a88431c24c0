//! Folders beside the blobs for files on their way: what is unpacked and built there is as large as
//! images are, and ends on the same disk.
//!
//! Not here: what is done in them. Invariant: a folder goes when its owner drops it, and one whose owner
//! was killed goes at a later start.

use super::dir::{BlobDir, BlobError};
use crate::durable;
use patchward_protocol::time::Timestamp;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A folder without a change for so long was left behind, in seconds.
const ABANDONED_S: i64 = 24 * 3600;

/// A folder of one's own.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl BlobDir {
    /// Makes a folder; `unique` tells it from others.
    ///
    /// # Errors
    /// [`BlobError::StorageFull`] and the like.
    pub fn scratch(&self, unique: [u8; 8]) -> Result<Scratch, BlobError> {
        self.check()?;
        let path = self.scratches().join(hex::encode(unique));
        durable::make_private_folder(&path).map_err(BlobError::io(&path))?;
        Ok(Scratch(path))
    }

    /// Removes folders that were left behind; returns how many.
    pub fn sweep_scratches(&self, at: Timestamp) -> usize {
        let Ok(entries) = std::fs::read_dir(self.scratches()) else { return 0 };
        let oldest = at.plus_seconds(-ABANDONED_S).seconds();
        let is_old =
            |path: &PathBuf| std::fs::metadata(path).is_ok_and(|found| found.mtime() < oldest);
        let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
        paths.filter(is_old).filter(|path| std::fs::remove_dir_all(path).is_ok()).count()
    }
}

impl Scratch {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is only lost space, until a later start.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test leaves files behind on purpose")]
mod tests {
    use super::*;
    use patchward_protocol::digest::Sha256Digest;

    #[test]
    fn whoever_runs_elsewhere_finds_the_files_of_a_relative_data_folder() {
        let outer = tempfile::tempdir().unwrap();
        let here = std::env::current_dir().unwrap();
        let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
        let relative = up.join(outer.path().strip_prefix("/").unwrap());
        let blobs = BlobDir::open(&relative, 0).unwrap();
        let scratch = blobs.scratch([1; 8]).unwrap();
        assert!(relative.is_relative() && scratch.path().is_absolute());
        assert!(blobs.path_of(&Sha256Digest::of(b"image")).is_absolute());
        assert_eq!(std::fs::read_dir(outer.path().join("scratch")).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_goes_with_its_owner_and_one_that_was_left_behind_goes_a_day_later() {
        let outer = tempfile::tempdir().unwrap();
        let blobs = BlobDir::open(outer.path(), 0).unwrap();
        let path = {
            let scratch = blobs.scratch([1; 8]).unwrap();
            std::fs::write(scratch.path().join("old"), b"x").unwrap();
            scratch.path().to_owned()
        };
        assert!(!path.exists());
        let left = blobs.scratch([2; 8]).unwrap();
        let path = left.path().to_owned();
        std::mem::forget(left);
        let made = std::fs::metadata(&path).unwrap().mtime();
        let made = Timestamp::EPOCH.plus_seconds(made);
        assert_eq!(blobs.sweep_scratches(made.plus_seconds(3600)), 0);
        assert_eq!(blobs.sweep_scratches(made.plus_seconds(2 * ABANDONED_S)), 1);
        assert!(!path.exists());
    }
}
