//! From a tree archive to files on the disk, in constant memory.
//!
//! Into a folder that must not exist yet; every file and folder is flushed before it returns. The
//! archive is hashed while it is read, so that what is unpacked is what was signed.
//! Invariant: nothing is written outside the folder; the archive's reader lets no path climb and no
//! link stand where a folder should, and files are made anew, never opened.

use crate::edge::Failure;
use crate::storage::{Paced, READ_BYTES, forget_cache};
use patchward_protocol::digest::{Sha256Digest, Sha256Hasher};
use patchward_protocol::reason::Reason;
use patchward_protocol::tree::{EntryKind, FileMode, TreeError, TreePath, TreeReader};
use rustix::fs::{Mode, OFlags};
use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

/// Unpacks an archive into the new folder `into`; returns the digest of the whole archive.
///
/// # Errors
/// [`Failure`]: the archive is malformed, or the disk fails or is full.
pub fn unpack(archive: &Path, into: &Path) -> Result<Sha256Digest, Failure> {
    let open = || format!("opening {}", archive.display());
    let file = File::open(archive).map_err(|e| Failure::of_disk(open(), e))?;
    let mut hashed = Hashed { file, hasher: Sha256Hasher::new() };
    make_folder(into)?;
    let mut reader = TreeReader::new(BufReader::with_capacity(READ_BYTES, &mut hashed));
    let mut buffer = vec![0; READ_BYTES];
    while let Some(entry) = reader.next_entry().map_err(|e| of_tree("reading the archive", e))? {
        let place = into.join(entry.path.as_str());
        match &entry.kind {
            EntryKind::Folder => make_folder(&place)?,
            EntryKind::File { mode, .. } => {
                let file = make_file(&place, *mode)?;
                copy(&mut reader, file, &entry.path, &mut buffer)?;
            }
            EntryKind::Link { target } => std::os::unix::fs::symlink(target.as_str(), &place)
                .map_err(|e| Failure::of_disk(format!("linking {}", entry.path), e))?,
        }
    }
    drop(reader);
    forget_cache(&hashed.file);
    sync_folders(into)?;
    Ok(hashed.hasher.finish())
}

/// An error of the archive or of the disk, as people are told of it.
#[must_use]
pub fn of_tree(during: &str, error: TreeError) -> Failure {
    match error {
        TreeError::Read(source) | TreeError::Write(source) | TreeError::Content { source, .. } => {
            Failure::of_disk(during, source)
        }
        TreeError::Name { .. }
        | TreeError::Order { .. }
        | TreeError::Malformed { .. }
        | TreeError::Changed { .. }
        | TreeError::TooMany { .. } => Failure::from_source(Reason::TreeMalformed, during, error),
    }
}

fn copy<R: Read>(
    reader: &mut TreeReader<R>,
    file: File,
    path: &TreePath,
    buffer: &mut [u8],
) -> Result<(), Failure> {
    let failed = |e| Failure::of_disk(format!("writing {path}"), e);
    let mut paced = Paced::new(file);
    loop {
        let count = reader.read_content(buffer).map_err(|e| of_tree("reading the archive", e))?;
        if count == 0 {
            break;
        }
        paced.put(buffer.get(..count).unwrap_or_default()).map_err(failed)?;
    }
    paced.finish().map(drop).map_err(failed)
}

fn make_folder(place: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().mode(0o755).create(place);
    // The mask of the process must not show in the tree.
    made.and_then(|()| std::fs::set_permissions(place, Permissions::from_mode(0o755)))
        .map_err(|e| Failure::of_disk(format!("making {}", place.display()), e))
}

fn make_file(place: &Path, mode: FileMode) -> Result<File, Failure> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let make = || -> io::Result<File> {
        let file = File::from(rustix::fs::open(place, flags, Mode::RUSR | Mode::WUSR)?);
        file.set_permissions(Permissions::from_mode(mode.bits()))?;
        Ok(file)
    };
    make().map_err(|e| Failure::of_disk(format!("making {}", place.display()), e))
}

/// Flushes a folder and all folders in it.
fn sync_folders(folder: &Path) -> Result<(), Failure> {
    let failed = |e| Failure::of_disk(format!("flushing {}", folder.display()), e);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    crate::journal::sync_dir(folder).map_err(failed)
}

/// Hashes what is read.
struct Hashed {
    file: File,
    hasher: Sha256Hasher,
}

impl Read for &mut Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}
