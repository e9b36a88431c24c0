//! Images of a tree: archive, ext4, squashfs, erofs; the same bytes each time.
//!
//! ext4 is filled by `debugfs` from a sorted list, because `mke2fs -d` takes files in the order in
//! which the folder lists them here, and times and owners from here. With the list and a fixed time
//! two builds differ in no byte, so nothing has to be corrected in the finished image.

use super::tree::{self, Kind};
use crate::{child, place};
use anyhow::{Context as _, Result, bail};
use std::{
    fmt::{self, Write as _},
    fs,
    path::Path,
    process::Command,
};

/// The time in every image: 2023-11-14T22:13:20Z.
const TIME_S: &str = "1700000000";
const UUID: &str = "11111111-2222-3333-4444-555555555555";
/// Both root file systems go into slots of this size.
const SLOT_MIB: u64 = 128;
const INODES: &str = "8192";
/// Named one by one, so that the machine's mke2fs.conf has no say.
const FEATURES: &str = "none,ext_attr,dir_index,filetype,extent,flex_bg,sparse_super,large_file,\
                        huge_file,dir_nlink,extra_isize";

/// An uncompressed archive with the names in order and nothing of this machine.
pub(crate) fn tar(tree: &Path, image: &Path) -> Result<()> {
    let mut tar = Command::new(place::required("tar")?);
    tar.env("LC_ALL", "C").args(["--create", "--sort=name", "--format=pax", "--numeric-owner"]);
    tar.args(["--owner=0", "--group=0", "--no-acls", "--no-selinux", "--no-xattrs"]);
    tar.arg("--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime");
    tar.arg(format!("--mtime=@{TIME_S}")).arg("--file").arg(image).arg("--directory").arg(tree);
    child::read(tar.arg(".")).map(drop)
}

/// A file system for a slot.
pub(crate) fn ext4(tree: &Path, image: &Path) -> Result<()> {
    let file = fs::File::create(image).with_context(|| format!("create {}", image.display()))?;
    file.set_len(SLOT_MIB << 20).with_context(|| format!("size {}", image.display()))?;
    let mut mke2fs = Command::new(place::required("mke2fs")?);
    mke2fs.env("E2FSPROGS_FAKE_TIME", TIME_S).env("MKE2FS_CONFIG", "/dev/null");
    mke2fs.args(["-q", "-b", "4096", "-I", "256", "-m", "0", "-N", INODES, "-O", FEATURES]);
    let hash_seed = format!("hash_seed={UUID},nodiscard,lazy_itable_init=0,root_owner=0:0");
    child::read(mke2fs.args(["-U", UUID, "-E", &hash_seed]).arg(image))?;
    let list = image.with_extension("list");
    tree::place_text(&list, &filling(tree)?)?;
    let mut debugfs = Command::new(place::required("debugfs")?);
    debugfs.env("E2FSPROGS_FAKE_TIME", TIME_S).args(["-w", "-f"]).arg(&list).arg(image);
    let output = debugfs.output().context("start debugfs")?;
    // It ends well whatever happened; all that it says beside its version is a failure.
    let said = String::from_utf8_lossy(&output.stderr);
    let complaints: Vec<&str> = said.lines().filter(|line| !line.starts_with("debugfs ")).collect();
    if !output.status.success() || !complaints.is_empty() {
        bail!("debugfs on {}: {}", image.display(), complaints.join("\n"));
    }
    fs::remove_file(&list).with_context(|| format!("remove {}", list.display()))?;
    let mut check = Command::new(place::required("e2fsck")?);
    child::read(check.arg("-fn").arg(image)).map(drop)
}

/// The commands that fill a file system, in order.
fn filling(tree: &Path) -> Result<String> {
    let mut commands = String::new();
    for (path, kind) in tree::entries(tree)? {
        let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else { continue };
        let (Some(name), Some(parent)) = (name.to_str(), parent.to_str()) else {
            bail!("{}: not UTF-8", path.display());
        };
        let source = tree.join(&path);
        let source = source.to_str().filter(|source| !source.contains(['"', '\n']));
        let source = source.with_context(|| format!("{}: an odd name", path.display()))?;
        let _ = match kind {
            Kind::Folder => writeln!(commands, "cd \"/{parent}\"\nmkdir \"{name}\""),
            Kind::File => writeln!(commands, "cd \"/{parent}\"\nwrite \"{source}\" \"{name}\""),
        };
    }
    Ok(commands)
}

/// A read-only file system and how it is packed: for delta, not at all is best.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ReadOnly {
    Squashfs,
    SquashfsZstd,
    Erofs,
    ErofsLz4,
}

impl ReadOnly {
    pub(crate) const ALL: [Self; 4] =
        [Self::Squashfs, Self::SquashfsZstd, Self::Erofs, Self::ErofsLz4];
}

impl fmt::Display for ReadOnly {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Squashfs => "squashfs",
            Self::SquashfsZstd => "squashfs-zstd",
            Self::Erofs => "erofs",
            Self::ErofsLz4 => "erofs-lz4",
        })
    }
}

/// A file system that is never written to.
pub(crate) fn read_only(tree: &Path, image: &Path, form: ReadOnly) -> Result<()> {
    match form {
        ReadOnly::Squashfs => squashfs(tree, image, &["-noI", "-noD", "-noF", "-noX"]),
        ReadOnly::SquashfsZstd => {
            squashfs(tree, image, &["-comp", "zstd", "-Xcompression-level", "15"])
        }
        ReadOnly::Erofs => erofs(tree, image, &[]),
        ReadOnly::ErofsLz4 => erofs(tree, image, &["-zlz4hc"]),
    }
}

fn squashfs(tree: &Path, image: &Path, packing: &[&str]) -> Result<()> {
    let mut squash = Command::new(place::required("mksquashfs")?);
    squash.env_remove("SOURCE_DATE_EPOCH").arg(tree).arg(image);
    squash.args(["-noappend", "-quiet", "-no-progress", "-no-xattrs", "-all-root"]);
    squash.args(["-all-time", TIME_S, "-mkfs-time", TIME_S]);
    child::read(squash.args(packing)).map(drop)
}

fn erofs(tree: &Path, image: &Path, packing: &[&str]) -> Result<()> {
    let mut erofs = Command::new(place::required("mkfs.erofs")?);
    erofs.args(["--quiet", "--all-root", "-x-1", "-U", UUID]).arg(format!("-T{TIME_S}"));
    child::read(erofs.args(packing).arg(image).arg(tree)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::sums;

    /// A folder with a tree of these files, written in this order.
    fn tree_of(order: [&str; 4]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        for file in order {
            tree::place_text(&tree.join(file), &file.repeat(3000)).unwrap();
        }
        tree::normalise(&tree).unwrap();
        folder
    }

    #[test]
    fn the_same_tree_makes_the_same_bytes() {
        let one = tree_of(["b/c", "a", "b/d e", "z"]);
        let other = tree_of(["z", "b/d e", "b/c", "a"]);
        for folder in [one.path(), other.path()] {
            let tree = folder.join("tree");
            tar(&tree, &folder.join("tar")).unwrap();
            ext4(&tree, &folder.join("ext4")).unwrap();
            for form in ReadOnly::ALL {
                read_only(&tree, &folder.join(form.to_string()), form).unwrap();
            }
        }
        let read_only = ReadOnly::ALL.map(|form| form.to_string());
        for image in ["tar".to_owned(), "ext4".to_owned()].into_iter().chain(read_only) {
            let hash = |folder: &Path| sums::sha256_of(&folder.join(&image)).unwrap();
            assert_eq!(hash(one.path()), hash(other.path()), "{image}");
        }
    }

    #[test]
    fn a_file_that_does_not_fit_is_an_error() {
        let kept = tree_of(["a", "b", "c", "d"]);
        let folder = kept.path();
        let text = "x".repeat(1 << 20);
        for number in 0..=SLOT_MIB {
            tree::place_text(&folder.join(format!("tree/{number}")), &text).unwrap();
        }
        assert!(ext4(&folder.join("tree"), &folder.join("ext4")).is_err());
    }
}
