//! Links that say which version is meant: `current`, `previous`.
//!
//! Invariant: a link points to the old or the new place at every instant, and durably to the new one
//! when [`point`] returns.

use crate::journal::{remove_durably, sync_dir};
use std::io;
use std::path::{Path, PathBuf};

/// Where a link points; none when there is no link.
///
/// # Errors
/// What the disk says; something else than a link stands there.
pub fn read(link: &Path) -> io::Result<Option<PathBuf>> {
    match std::fs::read_link(link) {
        Ok(target) => Ok(Some(target)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a link point to `target`, in one atomic step (a new link takes the old one's name).
///
/// # Errors
/// What the disk says; the link is as it was.
pub fn point(link: &Path, target: &Path) -> io::Result<()> {
    let mut beside = link.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    remove_durably(&beside)?;
    std::os::unix::fs::symlink(target, &beside)?;
    std::fs::rename(&beside, link)?;
    sync_dir(link.parent().unwrap_or(Path::new("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_made_moved_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("current");
        assert_eq!(read(&link).unwrap(), None);
        for target in ["versions/a", "versions/b"] {
            point(&link, Path::new(target)).unwrap();
            assert_eq!(read(&link).unwrap(), Some(PathBuf::from(target)));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_crash_left_beside_does_not_stop_it() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("current");
        std::os::unix::fs::symlink("rubbish", folder.path().join("current.new")).unwrap();
        point(&link, Path::new("versions/a")).unwrap();
        assert_eq!(read(&link).unwrap(), Some(PathBuf::from("versions/a")));
    }

    #[test]
    fn a_file_in_place_of_a_link_is_an_error_and_not_absence() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("current");
        std::fs::File::create(&link).unwrap();
        assert!(read(&link).is_err());
    }
}
