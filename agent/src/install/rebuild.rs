//! From an installed tree back to its archive, or to the digest of that.
//!
//! The archive has one spelling, so the digest of what stands on the disk, read from the medium,
//! must be the signed one. Anything that an archive cannot say (another mode, another kind of file,
//! a second name of a file) is a difference. Invariant: constant memory but for the names of one
//! folder at each depth.

use super::unpack::of_tree;
use crate::edge::Failure;
use crate::storage::{Paced, forget_cache, length, need_space};
use patchward_protocol::digest::{Sha256Digest, Sha256Hasher};
use patchward_protocol::reason::Reason;
use patchward_protocol::tree::{
    Child, FileMode, LinkTarget, TreeError, TreePath, TreeWriter, Visit, visits,
};
use rustix::fs::{Mode, OFlags};
use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The digest of the archive that the folder `tree` is the content of, and its length in bytes.
///
/// # Errors
/// [`Failure`]: it is no tree that an archive could hold ([`Reason::ImageMismatch`]), or the disk
/// fails.
pub fn digest_of(tree: &Path) -> Result<(Sha256Digest, u64), Failure> {
    let (hasher, length) = write(tree, Sha256Hasher::new())?;
    Ok((hasher.finish(), length))
}

/// Ending of rebuilt archives in the spool.
pub const ENDING: &str = "base";

/// The archive that the folder `tree` is the content of, in the spool, to be read from; one that was
/// rebuilt before is taken as it is.
///
/// # Errors
/// [`Failure`]: the tree is not `wanted`, there is no room, or the disk fails.
pub fn archive(
    tree: &Path,
    spool: &Path,
    wanted: Sha256Digest,
    length: u64,
) -> Result<File, Failure> {
    let path = spool.join(format!("{wanted}.{ENDING}"));
    let failed = |e| Failure::of_disk(format!("rebuilding {}", path.display()), e);
    if std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_file() && found.len() == length)
    {
        return File::open(&path).map_err(failed);
    }
    std::fs::create_dir_all(spool).map_err(failed)?;
    need_space(spool, length).map_err(failed)?;
    let beside = spool.join(format!("{wanted}.{ENDING}-new"));
    let made = make(tree, &beside, wanted, length);
    if let Err(failure) = made {
        // The failure to tell is the first one; what is left goes with the next download.
        let _left = std::fs::remove_file(&beside);
        return Err(failure);
    }
    std::fs::rename(&beside, &path).map_err(failed)?;
    File::open(&path).map_err(failed)
}

fn make(tree: &Path, beside: &Path, wanted: Sha256Digest, length: u64) -> Result<(), Failure> {
    let failed = |e| Failure::of_disk(format!("writing {}", beside.display()), e);
    let file = crate::stage::open_own(beside).map_err(failed)?;
    file.set_len(0).map_err(failed)?;
    let out = Hashed { paced: Paced::new(file), hasher: Sha256Hasher::new(), left: length };
    let (out, written) = write(tree, out)?;
    let Hashed { paced, hasher, .. } = out;
    if written != length || hasher.finish() != wanted {
        let during = format!("{} is not what was installed", tree.display());
        return Err(Failure::new(Reason::ImageMismatch, during));
    }
    paced.finish().map(drop).map_err(failed)
}

/// Hashes what is written, and lets no more be written than was meant.
struct Hashed {
    paced: Paced,
    hasher: Sha256Hasher,
    left: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(length(bytes));
        self.left = left.ok_or(io::ErrorKind::FileTooLarge)?;
        self.paced.put(bytes)?;
        self.hasher.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write<W: Write>(tree: &Path, into: W) -> Result<(W, u64), Failure> {
    let top = std::fs::symlink_metadata(tree)
        .map_err(|e| Failure::of_disk(format!("reading {}", tree.display()), e))?;
    check_folder(tree, &top)?;
    let mut writer = TreeWriter::new(into);
    folder(&mut writer, tree, None)?;
    writer.finish().map_err(differs)
}

fn folder<W: Write>(
    writer: &mut TreeWriter<W>,
    place: &Path,
    path: Option<&TreePath>,
) -> Result<(), Failure> {
    for visit in visits(children(place)?) {
        let inside = |name: &str| {
            path.map_or_else(|| TreePath::new(name), |path| path.join(name)).map_err(differs)
        };
        match visit {
            Visit::Show(name) => show(writer, &place.join(&name), &inside(&name)?)?,
            Visit::Enter(name) => folder(writer, &place.join(&name), Some(&inside(&name)?))?,
        }
    }
    Ok(())
}

fn children(place: &Path) -> Result<Vec<(String, Child)>, Failure> {
    let failed = |e| Failure::of_disk(format!("reading {}", place.display()), e);
    let mut children = Vec::new();
    for entry in std::fs::read_dir(place).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().into_string();
        let name = name.map_err(|name| odd(&place.join(name), "its name is not UTF-8"))?;
        let folder = entry.file_type().map_err(failed)?.is_dir();
        children.push((name, if folder { Child::Folder } else { Child::Leaf }));
    }
    Ok(children)
}

fn show<W: Write>(
    writer: &mut TreeWriter<W>,
    place: &Path,
    path: &TreePath,
) -> Result<(), Failure> {
    let failed = |e: io::Error| Failure::of_disk(format!("reading {}", place.display()), e);
    let found = std::fs::symlink_metadata(place).map_err(failed)?;
    if found.is_dir() {
        check_folder(place, &found)?;
        return writer.dir(path).map_err(differs);
    }
    if found.is_symlink() {
        let target = std::fs::read_link(place).map_err(failed)?;
        let target = target.to_str().ok_or_else(|| odd(place, "its target is not UTF-8"))?;
        let target = LinkTarget::new(path, target).map_err(differs)?;
        return writer.symlink(path, &target).map_err(differs);
    }
    if !found.is_file() {
        return Err(odd(place, "it is no file, folder or link"));
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open(place, flags, Mode::empty());
    let mut file = File::from(file.map_err(|e| failed(e.into()))?);
    let opened = file.metadata().map_err(failed)?;
    let mode = file_mode(place, &opened)?;
    forget_cache(&file);
    writer.file(path, mode, opened.len(), &mut file).map_err(differs)?;
    forget_cache(&file);
    Ok(())
}

fn check_folder(place: &Path, found: &Metadata) -> Result<(), Failure> {
    if found.is_dir() && found.mode() & 0o7777 == 0o755 {
        return Ok(());
    }
    Err(odd(place, "it is no folder of mode 0755"))
}

fn file_mode(place: &Path, found: &Metadata) -> Result<FileMode, Failure> {
    let mode = FileMode::from_bits(found.mode());
    if !found.is_file() || found.mode() & 0o7777 != mode.bits() {
        return Err(odd(place, "it is no file of mode 0644 or 0755"));
    }
    if found.nlink() != 1 {
        return Err(odd(place, "it has a second name"));
    }
    Ok(mode)
}

fn odd(place: &Path, rule: &str) -> Failure {
    Failure::new(Reason::ImageMismatch, format!("{}: {rule}", place.display()))
}

/// What no archive can say is a difference, not a malformed archive.
fn differs(error: TreeError) -> Failure {
    let failure = of_tree("reading the tree back", error);
    if failure.reason == Reason::TreeMalformed {
        return Failure { reason: Reason::ImageMismatch, ..failure };
    }
    failure
}
