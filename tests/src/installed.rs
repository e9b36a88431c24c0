//! What stands on a device, as its disk says: put there at the factory, and hashed again later.
//!
//! A tree is packed anew into its archive and hashed; of slots the active one is hashed. Not here:
//! anything that the agent says about it.
//! Invariant: what is hashed is what would run, not what a file beside it claims.

use crate::device::script;
use crate::image::{Release, put};
use anyhow::{Context as _, Result, bail};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::tree::{
    Child, EntryKind, FileMode, LinkTarget, TreePath, TreeReader, TreeWriter, Visit, visits,
};
use patchward_protocol::tuf::custom::Kind;
use std::{
    fs,
    io::Read as _,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

/// Puts a release onto a new device, as the factory does.
///
/// # Errors
/// When the disk refuses.
pub fn put_factory(folder: &Path, release: &Release) -> Result<()> {
    let system = folder.join("system");
    match release.firmware.payload.kind {
        Kind::Tree => {
            let name = format!("versions/{}", release.firmware.payload.image_sha256);
            unpack(&release.image, &system.join(&name))?;
            symlink(&name, system.join("current")).context("link the factory's version")?;
            put(&folder.join("factory-mark"), format!("{}\n", release.firmware.version).as_bytes())
        }
        Kind::Slots => {
            fs::create_dir_all(system.join("spool")).context("make the spool")?;
            put(&system.join("slot-a"), &release.image)?;
            put(&system.join("slot-b"), &vec![0; release.image.len()])?;
            put(&system.join("active"), b"A\n")?;
            put(&system.join("primary"), b"A\n")?;
            put(&folder.join("factory-mark"), b"A\n")?;
            script(&system.join("boot.sh"), &boot_script(&system))
        }
    }
}

/// Digest of the image that runs.
///
/// # Errors
/// When what stands there is no whole image.
pub fn digest(folder: &Path, kind: Kind) -> Result<Sha256Digest> {
    let system = folder.join("system");
    match kind {
        Kind::Tree => {
            let mut writer = TreeWriter::new(Vec::new());
            pack(&system.join("current"), "", &mut writer)?;
            Ok(Sha256Digest::of(&writer.finish()?.0))
        }
        Kind::Slots => {
            let active = fs::read_to_string(system.join("active")).context("which slot runs")?;
            let slot = system.join(format!("slot-{}", active.trim().to_ascii_lowercase()));
            Ok(Sha256Digest::of(&fs::read(&slot).context("read the slot")?))
        }
    }
}

/// Unpacks an archive into a folder.
fn unpack(archive: &[u8], folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    let mut reader = TreeReader::new(archive);
    while let Some(entry) = reader.next_entry()? {
        let place = folder.join(entry.path.as_str());
        match entry.kind {
            EntryKind::Folder => fs::create_dir(&place).context("make a folder")?,
            EntryKind::Link { target } => symlink(target.as_str(), &place).context("link")?,
            EntryKind::File { mode, .. } => {
                let (mut bytes, mut piece) = (Vec::new(), [0; 16 * 1024]);
                loop {
                    let count = reader.read_content(&mut piece)?;
                    if count == 0 {
                        break;
                    }
                    bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
                }
                put(&place, &bytes)?;
                let mode = fs::Permissions::from_mode(mode.bits());
                fs::set_permissions(&place, mode).context("set the mode")?;
            }
        }
    }
    Ok(())
}

/// Packs a folder in the order of the archive.
fn pack(root: &Path, below: &str, writer: &mut TreeWriter<Vec<u8>>) -> Result<()> {
    let folder = root.join(below);
    let entries = fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))?;
    let mut children = Vec::new();
    for entry in entries {
        let entry = entry.context("list")?;
        let name = entry.file_name().into_string().ok().context("a name in UTF-8")?;
        let is_folder = entry.file_type().context("its type")?.is_dir();
        children.push((name, if is_folder { Child::Folder } else { Child::Leaf }));
    }
    let folders: Vec<String> = children
        .iter()
        .filter(|(_, child)| *child == Child::Folder)
        .map(|(name, _)| name.clone())
        .collect();
    for visit in visits(children) {
        let path =
            |name: &str| if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        match visit {
            Visit::Enter(name) => pack(root, &path(&name), writer)?,
            Visit::Show(name) => {
                let text = path(&name);
                let tree_path = TreePath::new(&text).context("a path in the tree")?;
                if folders.contains(&name) {
                    writer.dir(&tree_path)?;
                } else {
                    show(&root.join(&text), &tree_path, writer)?;
                }
            }
        }
    }
    Ok(())
}

fn show(place: &Path, path: &TreePath, writer: &mut TreeWriter<Vec<u8>>) -> Result<()> {
    let meta =
        fs::symlink_metadata(place).with_context(|| format!("look at {}", place.display()))?;
    if meta.is_symlink() {
        let target = fs::read_link(place).context("read a link")?;
        let target = target.to_str().context("a link in UTF-8")?;
        let target = LinkTarget::new(path, target).context("a link that stays inside")?;
        return Ok(writer.symlink(path, &target)?);
    }
    if !meta.is_file() {
        bail!("{} is neither file nor folder nor link", place.display());
    }
    let mut bytes = Vec::new();
    fs::File::open(place)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .context("read a file")?;
    let mode = FileMode::from_bits(meta.permissions().mode());
    Ok(writer.file(path, mode, meta.len(), &mut bytes.as_slice())?)
}

/// A boot loader that keeps its state in two files and restarts in an instant.
fn boot_script(system: &Path) -> String {
    let system = system.display();
    format!(
        "#!/bin/sh\nset -e\n\
         put() {{ echo \"$2\" > '{system}'/\"$1.new\"; mv '{system}'/\"$1.new\" '{system}'/\"$1\"; }}\n\
         case \"$1\" in\n\
         get-current) cat '{system}/active' ;;\n\
         get-primary) cat '{system}/primary' ;;\n\
         set-primary) put primary \"$2\" ;;\n\
         mark-good) rm -f '{system}'/\"bad-$2\" ;;\n\
         mark-bad) put \"bad-$2\" bad ;;\n\
         restart) put active \"$(cat '{system}/primary')\"; echo done ;;\n\
         *) exit 64 ;;\nesac\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Recipe;
    use patchward_protocol::id::FamilyId;

    #[test]
    fn what_the_factory_put_there_has_the_signed_digest() {
        let family = FamilyId::new("acme.bench").unwrap();
        for kind in [Kind::Tree, Kind::Slots] {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir_all(folder.path().join("system/versions")).unwrap();
            let release = Recipe::small(&family, kind, "1.0.0", 1).release().unwrap();
            put_factory(folder.path(), &release).unwrap();
            let found = digest(folder.path(), kind).unwrap();
            assert_eq!(found, release.firmware.payload.image_sha256);
        }
    }
}
