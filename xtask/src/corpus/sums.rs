//! `SHA256SUMS`: what was built, from what, with what; and whether it still is that.

use super::{lock::Lock, tree};
use crate::{child, place};
use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};
use std::{
    fmt::Write as _,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::Command,
};

const FILE: &str = "SHA256SUMS";
/// Rises when the way of building changes.
const RECIPE: u32 = 2;
const PIECE_BYTES: usize = 256 * 1024;

/// The first lines: other tools may make other bytes, and that is no fault.
pub(crate) fn origin(lock: &Lock) -> Result<String> {
    let mut text = format!("# recipe {RECIPE}\n");
    let _ = writeln!(text, "# lock {}", hex::encode(Sha256::digest(lock.text())));
    let mke2fs = version(Command::new(place::required("mke2fs")?).arg("-V"))?;
    let mksquashfs = version(Command::new(place::required("mksquashfs")?).arg("-version"))?;
    let erofs = version(Command::new(place::required("mkfs.erofs")?).arg("--version"))?;
    let tar = version(Command::new(place::required("tar")?).arg("--version"))?;
    for tool in [mke2fs, mksquashfs, erofs, tar] {
        let _ = writeln!(text, "# {tool}");
    }
    Ok(text)
}

/// Looks at every image; nothing when there is nothing from this origin to look at.
pub(crate) fn verify(folder: &Path, origin: &str) -> Result<Option<String>> {
    let path = folder.join(FILE);
    let Ok(text) = fs::read_to_string(&path) else { return Ok(None) };
    let Some(lines) = text.strip_prefix(origin) else { return Ok(None) };
    let images = images(folder)?;
    if lines.lines().count() != images.len() {
        return Ok(None);
    }
    for line in lines.lines() {
        let (hash, name) = line.split_once("  ").context("a line of SHA256SUMS")?;
        let found = sha256_of(&folder.join(name))?;
        if found != hash {
            bail!("{name} is not what {} says; remove {} and build again", FILE, folder.display());
        }
    }
    summary(&images, "verified").map(Some)
}

/// Writes the sums of what was built just now.
pub(crate) fn write(folder: &Path, origin: &str) -> Result<String> {
    let images = images(folder)?;
    let mut text = origin.to_owned();
    for image in &images {
        let name = image.file_name().unwrap_or_default().to_string_lossy();
        let _ = writeln!(text, "{}  img/{name}", sha256_of(image)?);
    }
    tree::place_text(&folder.join(FILE), &text)?;
    summary(&images, "built")
}

/// The digest of a file, in hex.
pub(crate) fn sha256_of(path: &Path) -> Result<String> {
    let mut file = fs::File::open(path).with_context(|| format!("open {}", path.display()))?;
    let (mut hash, mut piece) = (Sha256::new(), vec![0_u8; PIECE_BYTES]);
    loop {
        let count = file.read(&mut piece).with_context(|| format!("read {}", path.display()))?;
        match piece.get(..count) {
            Some(bytes) if !bytes.is_empty() => hash.update(bytes),
            _ => return Ok(hex::encode(hash.finalize())),
        }
    }
}

fn images(folder: &Path) -> Result<Vec<PathBuf>> {
    let folder = folder.join("img");
    let entries = fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    // Debian pairs are not from the lock, and come and go.
    paths.retain(|path| {
        !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("deb-"))
    });
    paths.sort();
    Ok(paths)
}

fn summary(images: &[PathBuf], what: &str) -> Result<String> {
    let sizes = images.iter().map(|image| Ok(image.metadata()?.len()));
    let bytes: u64 = sizes.sum::<Result<u64>>()?;
    Ok(format!("{} images, {} MB, {what}", images.len(), bytes / 1_000_000))
}

/// The first line that a tool says of itself (e2fsprogs says it on its error output).
fn version(command: &mut Command) -> Result<String> {
    let line = child::line_of(command);
    let output = command.output().with_context(|| format!("start {line}"))?;
    let said = [output.stdout, output.stderr].concat();
    let first = String::from_utf8_lossy(&said).lines().next().unwrap_or_default().to_owned();
    if first.is_empty() { bail!("{line} tells no version") } else { Ok(first) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        tree::make_empty(&folder.path().join("img")).unwrap();
        tree::place_text(&folder.path().join("img/a.old"), "abc").unwrap();
        folder
    }

    #[test]
    fn what_was_written_verifies() {
        let kept = folder();
        let folder = kept.path();
        write(folder, "# origin\n").unwrap();
        assert!(verify(folder, "# origin\n").unwrap().is_some());
    }

    #[test]
    fn a_changed_image_is_an_error() {
        let kept = folder();
        let folder = kept.path();
        write(folder, "# origin\n").unwrap();
        tree::place_text(&folder.join("img/a.old"), "abd").unwrap();
        let error = verify(folder, "# origin\n").unwrap_err().to_string();
        assert!(error.contains("img/a.old"), "{error}");
    }

    #[test]
    fn another_origin_or_a_missing_image_means_build_again() {
        let kept = folder();
        let folder = kept.path();
        write(folder, "# origin\n").unwrap();
        assert!(verify(folder, "# other\n").unwrap().is_none());
        fs::remove_file(folder.join("img/a.old")).unwrap();
        assert!(verify(folder, "# origin\n").unwrap().is_none());
    }
}
