//! Folders of the corpus: made empty, filled, and freed of what this machine adds.

use anyhow::{Context as _, Result};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

const FOLDER_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;

/// The folder, new and empty.
pub(crate) fn make_empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))
}

/// A text file, with the folders it lies in.
#[expect(clippy::disallowed_methods, reason = "made anew whenever it is missing")]
pub(crate) fn place_text(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    }
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

/// Gives every folder and file the mode it has on a device, whatever the umask here is.
pub(crate) fn normalise(tree: &Path) -> Result<()> {
    set_mode(tree, FOLDER_MODE)?;
    for (path, kind) in entries(tree)? {
        set_mode(&tree.join(path), if kind == Kind::Folder { FOLDER_MODE } else { FILE_MODE })?;
    }
    Ok(())
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("set the mode of {}", path.display()))
}

/// What lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    File,
}

/// Everything below the tree, relative to it, a folder before what is in it, in byte order.
pub(crate) fn entries(tree: &Path) -> Result<Vec<(PathBuf, Kind)>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let listed = tree.join(&folder);
        let entries =
            fs::read_dir(&listed).with_context(|| format!("list {}", listed.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("list {}", listed.display()))?;
            let path = folder.join(entry.file_name());
            let kind = entry.file_type().with_context(|| format!("look at {}", path.display()))?;
            if kind.is_dir() {
                folders.push(path.clone());
                found.push((path, Kind::Folder));
            } else if kind.is_file() {
                found.push((path, Kind::File));
            } else {
                anyhow::bail!("{}: wheels hold folders and files only", path.display());
            }
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(found)
}
