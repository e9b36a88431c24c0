//! Pairs of images: those of a corpus, and made ones of any size.
//!
//! Invariant: the same seed makes the same pair.

use anyhow::{Context as _, Result, ensure};
use patchward_tests::chance::Chance;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

const MEBIBYTE: usize = 1024 * 1024;
/// A made image repeats words of this length.
const WORD_BYTES: usize = 32;
/// How many different words a made image has.
const WORDS: usize = 4096;
/// One in so many words of the new image is another.
const WORDS_PER_EDIT: u64 = 700;
/// One in so many blocks of the new image is wholly new.
const BLOCKS_PER_NEW: u64 = 40;

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

/// Makes a pair in a folder: text-like blocks, of which the new image has some edited, some new,
/// and all behind a shift of a few bytes in every eighth mebibyte.
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
    let vocabulary = chance.bytes(WORDS.saturating_mul(WORD_BYTES));
    let words: Vec<&[u8]> = vocabulary.chunks_exact(WORD_BYTES).collect();
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for number in 0..mebibytes {
        before.clear();
        after.clear();
        let fresh = number > 0 && chance.below(BLOCKS_PER_NEW) == 0;
        if number % 8 == 7 {
            after.extend_from_slice(&chance.bytes(24));
        }
        while before.len() < MEBIBYTE {
            let (one, other) = (word(&words, &mut chance), chance.next().to_le_bytes());
            before.extend_from_slice(one);
            before.extend_from_slice(&other);
            if fresh {
                after.extend_from_slice(word(&words, &mut chance));
                after.extend_from_slice(&chance.next().to_le_bytes());
            } else if chance.below(WORDS_PER_EDIT) == 0 {
                after.extend_from_slice(word(&words, &mut chance));
                after.extend_from_slice(&other);
            } else {
                after.extend_from_slice(one);
                after.extend_from_slice(&other);
            }
        }
        before.truncate(MEBIBYTE);
        after.truncate(MEBIBYTE);
        old.write_all(&before).context("write the old image")?;
        new.write_all(&after).context("write the new image")?;
    }
    old.flush().context("write the old image")?;
    new.flush().context("write the new image")?;
    Ok(pair)
}

fn word<'a>(words: &[&'a [u8]], chance: &mut Chance) -> &'a [u8] {
    let at = usize::try_from(chance.below(u64::try_from(words.len()).unwrap_or(1))).unwrap_or(0);
    words.get(at).copied().unwrap_or_default()
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
