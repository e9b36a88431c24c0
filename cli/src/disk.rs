//! Files of the command line: read up to a limit, written whole or not at all.
//!
//! A write is a temporary file in the same folder, fsync, a link or rename to the name, fsync of
//! the folder. Invariant: a file that appears under its name is complete; nothing that existed is
//! overwritten unless the caller says [`Place::Replace`].

use crate::error::{Code, Failure, Outcome};
use crate::here::Here;
use crate::progress::Progress;
use patchward_protocol::digest::{Sha256Digest, Sha256Hasher};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// The owner (0600): keys, tokens, memories.
    Owner,
    /// Everybody (0644): what is published anyway.
    Everybody,
}

/// What happens when the name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It is an error.
    New,
    /// The old file is replaced at once.
    Replace,
}

/// Reads a whole file of at most `bytes_max` bytes.
///
/// # Errors
/// [`Code::FileMissing`], [`Code::FileUnreadable`] or [`Code::FileTooLong`].
pub fn read(path: &Path, bytes_max: u64) -> Outcome<Vec<u8>> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    let taken = file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes);
    taken.map_err(|error| unreadable(path, &error))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > bytes_max {
        let detail = format!("{}: more than {bytes_max} bytes", path.display());
        return Err(Failure::new(Code::FileTooLong, detail));
    }
    Ok(bytes)
}

/// Reads a file if there is one.
///
/// # Errors
/// As [`read`], without [`Code::FileMissing`].
pub fn read_if_there(path: &Path, bytes_max: u64) -> Outcome<Option<Vec<u8>>> {
    match read(path, bytes_max) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(failure) if failure.code == Code::FileMissing => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Opens a file for reading.
///
/// # Errors
/// [`Code::FileMissing`] or [`Code::FileUnreadable`].
pub fn open(path: &Path) -> Outcome<File> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let kind = file.metadata().map_err(|error| unreadable(path, &error))?;
    if kind.is_dir() {
        return Err(Failure::new(Code::FileMissing, format!("{}: is a folder", path.display())));
    }
    Ok(file)
}

/// Length and digest of a file, in constant memory.
///
/// # Errors
/// [`Code::FileMissing`] or [`Code::FileUnreadable`].
pub fn digest(here: &Here, path: &Path) -> Outcome<(u64, Sha256Digest)> {
    let failed = |error: &io::Error| unreadable(path, error);
    let file = open(path)?;
    let length = file.metadata().map_err(|error| failed(&error))?.len();
    let word = here.language.pick("hashing", "ハッシュ計算中");
    let progress = Progress::begin(here, word, Some(length));
    let mut hasher = Sha256Hasher::new();
    let length = io::copy(&mut progress.reader(file), &mut hasher);
    Ok((length.map_err(|error| failed(&error))?, hasher.finish()))
}

/// A file to write and read again that has no name and is gone with this run.
///
/// # Errors
/// [`Code::DiskFull`] or [`Code::WriteFailed`].
pub fn scratch(folder: &Path) -> Outcome<File> {
    let path = beside(&folder.join("scratch"));
    let failed = |error: &io::Error| failed(&path, error);
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path);
    let file = file.map_err(|error| failed(&error))?;
    fs::remove_file(&path).map_err(|error| failed(&error))?;
    Ok(file)
}

/// Writes bytes under a name.
///
/// # Errors
/// [`Code::FileExists`], [`Code::DiskFull`] or [`Code::WriteFailed`].
pub fn write(path: &Path, bytes: &[u8], readers: Readers, place: Place) -> Outcome<()> {
    write_with(path, readers, place, |file| file.write_all(bytes))
}

/// Writes what `fill` puts into the file under a name.
///
/// # Errors
/// [`Code::FileExists`], [`Code::DiskFull`] or [`Code::WriteFailed`].
pub fn write_with(
    path: &Path,
    readers: Readers,
    place: Place,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> Outcome<()> {
    let exists = || Failure::new(Code::FileExists, format!("{} exists", path.display()));
    if place == Place::New && fs::symlink_metadata(path).is_ok() {
        return Err(exists());
    }
    let draft = beside(path);
    let done = fill_and_place(path, &draft, readers, place, fill);
    if done.is_err() {
        // The draft may never have come to be; the failure that is reported is the first one.
        let _ = fs::remove_file(&draft);
    }
    done.map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists { exists() } else { failed(path, &error) }
    })
}

/// As [`write_with`], where filling fails in words of its own.
///
/// # Errors
/// What `fill` returns, and as [`write_with`].
pub fn fill(
    path: &Path,
    readers: Readers,
    place: Place,
    fill: impl FnOnce(&mut File) -> Outcome<()>,
) -> Outcome<()> {
    let mut failed = None;
    let written = write_with(path, readers, place, |file| {
        fill(file).map_err(|failure| {
            failed = Some(failure);
            io::Error::other("not filled")
        })
    });
    failed.map_or(written, Err)
}

/// Makes a folder with its parents.
///
/// # Errors
/// [`Code::WriteFailed`].
pub fn make_folder(path: &Path) -> Outcome<()> {
    fs::create_dir_all(path).map_err(|error| failed(path, &error))
}

/// The failure for something that could not be written.
#[must_use]
pub fn failed(path: &Path, error: &io::Error) -> Failure {
    let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
    let code = if full.contains(&error.kind()) { Code::DiskFull } else { Code::WriteFailed };
    Failure::new(code, format!("{}: {error}", path.display()))
}

/// The failure for something that could not be read.
#[must_use]
pub fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let absent = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
    let code =
        if absent.contains(&error.kind()) { Code::FileMissing } else { Code::FileUnreadable };
    Failure::new(code, format!("{}: {error}", path.display()))
}

fn fill_and_place(
    path: &Path,
    draft: &Path,
    readers: Readers,
    place: Place,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Everybody => 0o644,
    };
    let mut options = OpenOptions::new();
    // Also for reading: some look at what they wrote before it gets its name.
    let options = options.read(true).write(true).create_new(true).mode(mode);
    let mut file = options.open(draft)?;
    fill(&mut file)?;
    file.sync_all()?;
    match place {
        // A link fails when the name is taken, also by somebody who was faster.
        Place::New => {
            fs::hard_link(draft, path)?;
            fs::remove_file(draft)?;
        }
        Place::Replace => fs::rename(draft, path)?,
    }
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = format!(".{}.{}.part", name.unwrap_or_default(), std::process::id());
    folder_of(path).join(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_taken_name_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, b"one", Readers::Owner, Place::New).unwrap();
        let failure = write(&path, b"two", Readers::Owner, Place::New).unwrap_err();
        assert_eq!(failure.code, Code::FileExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_write_that_fails_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let full = || Err(io::Error::from(io::ErrorKind::StorageFull));
        let failure = write_with(&path, Readers::Everybody, Place::New, |file| {
            file.write_all(b"half")?;
            full()
        });
        assert_eq!(failure.unwrap_err().code, Code::DiskFull);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_long_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, &[7; 11], Readers::Everybody, Place::New).unwrap();
        assert_eq!(read(&path, 10).unwrap_err().code, Code::FileTooLong);
        assert_eq!(read(&path, 11).unwrap().len(), 11);
        assert_eq!(read(&folder.path().join("b"), 10).unwrap_err().code, Code::FileMissing);
    }
}
