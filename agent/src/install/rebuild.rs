//! From an installed tree back to the digest of its archive.
//!
//! The archive has one spelling, so the digest of what stands on the disk, read from the medium,
//! must be the signed one. Anything that an archive cannot say (another mode, another kind of file,
//! a second name of a file) is a difference. Invariant: constant memory but for the names of one
//! folder at each depth.

use super::unpack::of_tree;
use crate::edge::Failure;
use crate::storage::forget_cache;
use patchward_protocol::digest::{Sha256Digest, Sha256Hasher};
use patchward_protocol::reason::Reason;
use patchward_protocol::tree::{
    Child, FileMode, LinkTarget, TreeError, TreePath, TreeWriter, Visit, visits,
};
use rustix::fs::{Mode, OFlags};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The digest of the archive that the folder `tree` is the content of, and its length in bytes.
///
/// # Errors
/// [`Failure`]: it is no tree that an archive could hold ([`Reason::ImageMismatch`]), or the disk
/// fails.
pub fn digest_of(tree: &Path) -> Result<(Sha256Digest, u64), Failure> {
    let top = std::fs::symlink_metadata(tree)
        .map_err(|e| Failure::of_disk(format!("reading {}", tree.display()), e))?;
    check_folder(tree, &top)?;
    let mut writer = TreeWriter::new(Sha256Hasher::new());
    folder(&mut writer, tree, None)?;
    let (hasher, length) = writer.finish().map_err(differs)?;
    Ok((hasher.finish(), length))
}

type Writer = TreeWriter<Sha256Hasher>;

fn folder(writer: &mut Writer, place: &Path, path: Option<&TreePath>) -> Result<(), Failure> {
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

fn show(writer: &mut Writer, place: &Path, path: &TreePath) -> Result<(), Failure> {
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
