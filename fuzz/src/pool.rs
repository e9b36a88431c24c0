//! Containers to damage: some that are made here, and the committed ones.
//!
//! Invariant: a pool is never empty.

use crate::chance::Chance;
use crate::mutate::Parts;
use crate::target::{Outcome, read};
use anyhow::{Context as _, Result};
use patchward_protocol::delta::build::{Index, Parameters, delta, full};
use patchward_protocol::delta::format::FrameKind;
use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::Path;

/// Length of the old image, in bytes.
const OLD_BYTES: usize = 20_000;

/// Containers with how reading them ends; all over one old image.
#[derive(Debug, Clone)]
pub struct Pool {
    /// The old image.
    pub old: Vec<u8>,
    /// Whatever ended differently from all before, under the name of how it ended.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Pool {
    /// Containers that are made here.
    ///
    /// # Errors
    /// When one cannot be made.
    pub fn made() -> Result<Self> {
        let old = old();
        let mut new = old.get(3000..).unwrap_or_default().to_vec();
        new.splice(500..500, *b"inserted between two releases");
        for word in new.get_mut(4000..9000).unwrap_or_default().chunks_mut(52) {
            word.first_mut().into_iter().for_each(|byte| *byte = byte.wrapping_add(77));
        }
        let parameters = Parameters { window: 64 * 1024, level: 3, ..Parameters::default() };
        let mut pool = Self { old, files: BTreeMap::new() };
        let mut made = Cursor::new(Vec::new());
        full(&new, &mut made, &parameters, &|_| ())?;
        pool.files.insert("made-full".to_owned(), made.into_inner());
        for (name, new) in [
            ("made-delta", new.clone()),
            ("made-short", new.get(..600).unwrap_or_default().to_vec()),
            ("made-copy", pool.old.get(5..9000).unwrap_or_default().to_vec()),
            ("made-windows", [new, vec![0; 65_536], pool.old.clone()].concat()),
        ] {
            let mut made = Cursor::new(Vec::new());
            let parameters = Parameters { index: Index::Sampled, ..parameters };
            delta(&pool.old, &new, &mut made, &parameters, &|_| ())?;
            pool.files.insert(name.to_owned(), made.into_inner());
        }
        pool.add_aimed()?;
        Ok(pool)
    }

    /// Windows that count differences in places of code: nothing here is code, so they are put
    /// together by hand.
    fn add_aimed(&mut self) -> Result<()> {
        let copy = self.files.get("made-copy").and_then(|file| Parts::of(file));
        let copy = copy.context("take a made container apart")?;
        for (name, kind) in [("made-x86", FrameKind::AimedX86), ("made-arm", FrameKind::AimedArm)] {
            // One match of 8,995 bytes; differences at a place, 50 bytes on, two places on, at one.
            let adds = vec![0xa3, 0x46];
            let (lits, seeks, gaps, values) = (vec![0], vec![0], vec![0, 101, 4, 0], vec![7; 16]);
            let streams = [adds, lits, seeks, gaps, values, Vec::new()];
            self.files.insert(name.to_owned(), copy.clone().with_streams(kind, &streams));
        }
        Ok(())
    }

    /// Takes every container of a folder as well.
    ///
    /// # Errors
    /// When the folder or a file cannot be read.
    pub fn with_folder(mut self, folder: &Path) -> Result<Self> {
        for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
            let path = entry.with_context(|| format!("list {}", folder.display()))?.path();
            if path.extension().is_none_or(|extension| extension != "pwd") {
                continue;
            }
            let file = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            self.files.insert(name.to_owned(), file);
        }
        Ok(self)
    }

    /// A container to damage: mostly one whose head is believed.
    pub(crate) fn choose(&self, chance: &mut Chance) -> Vec<u8> {
        let any = chance.below(4) == 0;
        let worth = |(name, _): &(&String, &Vec<u8>)| any || !name.starts_with("head-");
        let place = chance.below(self.files.iter().filter(worth).count());
        self.files.iter().filter(worth).nth(place).map_or_else(Vec::new, |(_, file)| file.clone())
    }

    /// Reads a container and keeps it when it ends as none did before.
    pub(crate) fn try_and_keep(&mut self, file: Vec<u8>) -> Outcome {
        let outcome = read(&file, &self.old);
        let name = outcome.name();
        if self.files.get(&name).is_none_or(|kept| file.len() < kept.len()) {
            self.files.insert(name, file);
        }
        outcome
    }
}

/// Words that repeat with numbers between them; the committed containers are over these bytes.
fn old() -> Vec<u8> {
    let numbered = (0..u32::MAX).flat_map(|n| {
        let word: [u8; 4] = n.wrapping_mul(n).wrapping_mul(2_654_435_761).to_le_bytes();
        let [low, ..] = (n % 7).to_le_bytes();
        [*b"move", word, [low; 4]].concat()
    });
    numbered.take(OLD_BYTES).collect()
}
