//! The image of a release: an image file as it is, or a folder as a tree archive.
//!
//! A folder comes out the same byte for byte, whatever the order in which the disk lists it. Not
//! here: the archive's format (the protocol's `tree`).
//! Invariant: nothing but folders, files and inner links goes into an archive.

use crate::disk;
use crate::error::{Code, Failure, Outcome, chain};
use patchward_protocol::limits::IMAGE_BYTES_MAX;
use patchward_protocol::tree::{
    Child, FileMode, LinkTarget, TreeError, TreePath, TreeWriter, Visit, visits,
};
use patchward_protocol::tuf::custom::Kind;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// What an image on disk is.
///
/// # Errors
/// [`Code::FileMissing`] or [`Code::FileUnreadable`].
pub fn kind_of(path: &Path) -> Outcome<Kind> {
    let there = fs::metadata(path).map_err(|error| disk::unreadable(path, &error))?;
    Ok(if there.is_dir() { Kind::Tree } else { Kind::Slots })
}

/// Why an image file cannot be released, if it cannot.
///
/// # Errors
/// [`Code::FileMissing`] or [`Code::FileUnreadable`].
pub fn size_problem(path: &Path) -> Outcome<Option<String>> {
    let there = fs::metadata(path).map_err(|error| disk::unreadable(path, &error))?;
    let fits = there.is_dir() || (1..=IMAGE_BYTES_MAX).contains(&there.len());
    Ok((!fits).then(|| {
        format!("{}: {} bytes; an image has 1 to {IMAGE_BYTES_MAX}", path.display(), there.len())
    }))
}

/// Writes the image to `sink`; returns how many bytes it takes when it is installed.
///
/// # Errors
/// [`Code::ReleaseRefused`] when a folder cannot be an archive; failures of reading and writing.
pub fn write(path: &Path, kind: Kind, sink: &mut dyn Write) -> Outcome<u64> {
    match kind {
        Kind::Slots => {
            io::copy(&mut disk::open(path)?, sink).map_err(|error| disk::failed(path, &error))
        }
        Kind::Tree => {
            let mut walk = Walk { writer: TreeWriter::new(sink), content_bytes: 0 };
            walk.folder(path, None)?;
            let bad = |error: TreeError| refused(path, &error);
            let (_, length) = walk.writer.finish().map_err(bad)?;
            // An empty tree has no content; the slot must still have room for something.
            Ok(walk.content_bytes.max(length.min(1)))
        }
    }
}

struct Walk<'a> {
    writer: TreeWriter<&'a mut dyn Write>,
    content_bytes: u64,
}

impl Walk<'_> {
    fn folder(&mut self, path: &Path, inside: Option<&TreePath>) -> Outcome<()> {
        let failed = |error: &io::Error| disk::unreadable(path, error);
        let mut children = Vec::new();
        for entry in fs::read_dir(path).map_err(|error| failed(&error))? {
            let entry = entry.map_err(|error| failed(&error))?;
            let name = entry.file_name().into_string().map_err(|name| {
                let what = format!("{}: the name {name:?} is no UTF-8", path.display());
                Failure::new(Code::ReleaseRefused, what)
            })?;
            let kind = entry.file_type().map_err(|error| failed(&error))?;
            children.push((name, if kind.is_dir() { Child::Folder } else { Child::Leaf }));
        }
        for visit in visits(children) {
            let (Visit::Show(name) | Visit::Enter(name)) = &visit;
            let on_disk = path.join(name);
            let in_tree = match inside {
                Some(folder) => folder.join(name),
                None => TreePath::new(name),
            };
            let in_tree = in_tree.map_err(|error| refused(&on_disk, &error))?;
            match visit {
                Visit::Show(_) => self.show(&on_disk, &in_tree)?,
                Visit::Enter(_) => self.folder(&on_disk, Some(&in_tree))?,
            }
        }
        Ok(())
    }

    fn show(&mut self, on_disk: &Path, in_tree: &TreePath) -> Outcome<()> {
        let unreadable = |error: &io::Error| disk::unreadable(on_disk, error);
        let there = fs::symlink_metadata(on_disk).map_err(|error| unreadable(&error))?;
        let kind = there.file_type();
        let written = if kind.is_dir() {
            self.writer.dir(in_tree)
        } else if kind.is_symlink() {
            let target = fs::read_link(on_disk).map_err(|error| unreadable(&error))?;
            LinkTarget::new(in_tree, &target.to_string_lossy())
                .and_then(|target| self.writer.symlink(in_tree, &target))
        } else if kind.is_file() {
            self.content_bytes = self.content_bytes.saturating_add(there.len());
            let mode = FileMode::from_bits(there.permissions().mode());
            self.writer.file(in_tree, mode, there.len(), &mut disk::open(on_disk)?)
        } else {
            let what = format!("{}: neither folder, file nor link", on_disk.display());
            return Err(Failure::new(Code::ReleaseRefused, what));
        };
        written.map_err(|error| refused(on_disk, &error))
    }
}

fn refused(path: &Path, error: &TreeError) -> Failure {
    match error {
        TreeError::Read(source) | TreeError::Write(source) | TreeError::Content { source, .. } => {
            disk::failed(path, source)
        }
        TreeError::Name { .. }
        | TreeError::Order { .. }
        | TreeError::Malformed { .. }
        | TreeError::Changed { .. }
        | TreeError::TooMany { .. } => {
            Failure::new(Code::ReleaseRefused, format!("{}: {}", path.display(), chain(error)))
        }
    }
}
