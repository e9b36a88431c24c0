//! Pairs of images: those of a corpus, and made ones of any size.
//!
//! Invariant: the same seed makes the same pair.

use anyhow::{Context as _, Result, ensure};
use patchward_tests::chance::Chance;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

const MEBIBYTE: usize = 1024 * 1024;
/// A made image is made of pages of this length.
const PAGE_BYTES: usize = 4096;
/// So many different pages, each many times, and others after so many mebibytes.
const PAGES: u64 = 16;
const MEBIBYTES_PER_SET: u64 = 8;
/// Each page begins with bytes that no other page has.
const OWN_BYTES: usize = 16;
/// One page in so many differs in a few bytes in the new image.
const PAGES_PER_EDIT: u64 = 24;
/// One mebibyte in so many is wholly new.
const MEBIBYTES_PER_NEW: u64 = 40;
/// How far the pages of one mebibyte in eight move.
const SHIFT_BYTES: usize = 24;

/// Two versions of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// What it is called.
    pub name: String,
    /// The image in the field.
    pub old: PathBuf,
    /// The one that replaces it.
    pub new: PathBuf,
    /// The same as folders: old and new.
    pub trees: Option<[PathBuf; 2]>,
}

impl Pair {
    /// Lengths of old and new, in bytes.
    ///
    /// # Errors
    /// When a file is not there.
    pub fn lengths(&self) -> Result<[u64; 2]> {
        let length = |path: &Path| -> Result<u64> {
            Ok(path.metadata().with_context(|| format!("look at {}", path.display()))?.len())
        };
        Ok([length(&self.old)?, length(&self.new)?])
    }
}

/// Every pair of a corpus, in the order of the names.
///
/// # Errors
/// When the folder is not a corpus.
pub fn of_corpus(folder: &Path) -> Result<Vec<Pair>> {
    let images = folder.join("img");
    let entries = std::fs::read_dir(&images).with_context(|| {
        format!("list {}: `cargo xtask corpus` builds the corpus", images.display())
    })?;
    let mut pairs = Vec::new();
    for entry in entries {
        let old = entry.context("list the corpus")?.path();
        let name = old.file_name().and_then(|name| name.to_str()?.strip_suffix(".old"));
        let Some(name) = name.map(str::to_owned) else { continue };
        let new = old.with_extension("new");
        ensure!(new.is_file(), "{} is missing", new.display());
        let trees = (name == "rootfs-ext4")
            .then(|| ["old", "new"].map(|side| folder.join(format!("tree/rootfs.{side}"))));
        pairs.push(Pair { name, old, new, trees });
    }
    ensure!(!pairs.is_empty(), "no pair in {}", images.display());
    pairs.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(pairs)
}

/// Makes a pair in a folder: pages that return, each with a few bytes of its own, as in a file
/// system; in the new image some are edited, some mebibytes are new, and in some every page moved.
///
/// # Errors
/// When the disk refuses.
pub fn make(folder: &Path, name: &str, mebibytes: u64, seed: u64) -> Result<Pair> {
    let path = |side: &str| folder.join(format!("{name}.{side}"));
    let pair = Pair { name: name.to_owned(), old: path("old"), new: path("new"), trees: None };
    let create = |path: &Path| -> Result<BufWriter<File>> {
        Ok(BufWriter::new(File::create(path).with_context(|| format!("make {}", path.display()))?))
    };
    let (mut old, mut new) = (create(&pair.old)?, create(&pair.new)?);
    let mut chance = Chance::seeded(seed);
    let mut set = Vec::new();
    for number in 0..mebibytes {
        if number % MEBIBYTES_PER_SET == 0 {
            set = (0..PAGES).map(|_| chance.bytes(PAGE_BYTES)).collect();
        }
        let before = pages(&set, &mut chance);
        let mut after = if number > 0 && chance.below(MEBIBYTES_PER_NEW) == 0 {
            pages(&[chance.bytes(PAGE_BYTES), chance.bytes(PAGE_BYTES)], &mut chance)
        } else {
            edited(before.clone(), &mut chance)
        };
        if number % 8 == 7 {
            after.rotate_right(SHIFT_BYTES);
        }
        old.write_all(&before).context("write the old image")?;
        new.write_all(&after).context("write the new image")?;
    }
    old.flush().context("write the old image")?;
    new.flush().context("write the new image")?;
    Ok(pair)
}

/// A mebibyte of pages out of a set.
fn pages(set: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MEBIBYTE);
    let choices = u64::try_from(set.len()).unwrap_or(1);
    while bytes.len() < MEBIBYTE {
        bytes.extend_from_slice(&chance.bytes(OWN_BYTES));
        let page = set.get(usize::try_from(chance.below(choices)).unwrap_or(0));
        bytes.extend(page.into_iter().flatten().skip(OWN_BYTES));
    }
    bytes
}

/// The same with some pages changed in a few bytes.
fn edited(mut bytes: Vec<u8>, chance: &mut Chance) -> Vec<u8> {
    for page in bytes.chunks_exact_mut(PAGE_BYTES) {
        if chance.below(PAGES_PER_EDIT) == 0 {
            let at = usize::try_from(chance.below(4000)).unwrap_or(0);
            let written = chance.next().to_le_bytes();
            page.iter_mut().skip(at).zip(written).for_each(|(byte, other)| *byte = other);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_pair_is_mostly_equal_and_replays() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = |path: &Path| std::fs::read(path).unwrap();
        let one = make(folder.path(), "one", 9, 4).unwrap();
        let again = make(folder.path(), "again", 9, 4).unwrap();
        assert_eq!(bytes(&one.old), bytes(&again.old));
        assert_eq!(bytes(&one.new), bytes(&again.new));
        let (old, new) = (bytes(&one.old), bytes(&one.new));
        assert_eq!((old.len(), new.len()), (9 << 20, 9 << 20));
        let equal = old.iter().zip(&new).filter(|(one, other)| one == other).count();
        assert!(equal > old.len() / 2 && equal < old.len(), "{equal}");
    }

    #[test]
    fn a_folder_without_pairs_is_no_corpus() {
        let folder = tempfile::tempdir().unwrap();
        assert!(of_corpus(folder.path()).is_err());
    }
}
