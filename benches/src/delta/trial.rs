//! Every tool on one pair, round by round.
//!
//! In a round every tool has one turn, so that whatever else the machine does falls on all alike.
//! Invariant: a cost of applying is kept only when the new image came out.

use super::measure::{Cost, Line};
use super::pair::Pair;
use super::recipe::{self, Check, OUT, PATCH, Recipe, Size};
use super::tool::Tool;
use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

const PIECE_BYTES: usize = 256 * 1024;

/// What became of one tool on one pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The pair.
    pub pair: String,
    /// The tool.
    pub tool: Tool,
    /// Length of the old image, in bytes.
    pub old_bytes: u64,
    /// Length of the new image, in bytes.
    pub new_bytes: u64,
    /// What a device fetches, in bytes.
    pub patch_bytes: Option<u64>,
    /// What building took, each time.
    pub build: Vec<Cost>,
    /// What applying took, each time that the new image came out.
    pub apply: Vec<Cost>,
    /// Why there is no more.
    pub fault: Option<String>,
}

/// How often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rounds {
    /// Patches are applied so often.
    pub apply: u32,
    /// Patches between small images are built so often, larger ones once.
    pub build: u32,
    /// What a small image is, in bytes.
    pub small_bytes: u64,
}

/// Where and with what.
pub struct Bench<'a> {
    /// Everything that is made is made here.
    pub work: &'a Path,
    /// An interpreter that has HDiffPatch.
    pub python: Option<&'a Path>,
    /// How often.
    pub rounds: Rounds,
    /// Told what is going on.
    pub say: &'a dyn Fn(&str),
}

impl Bench<'_> {
    /// Tries these tools on a pair; a tool that has nothing to do with it has no trial.
    ///
    /// # Errors
    /// When the pair is not there or the disk refuses; never because a tool fails.
    pub fn try_all(&self, pair: &Pair, tools: &[Tool]) -> Result<Vec<Trial>> {
        let [old_bytes, new_bytes] = pair.lengths()?;
        let mut turns = Vec::new();
        for tool in tools {
            let Some(recipe) = recipe::of(*tool, pair, self.python)? else { continue };
            let folder = self.work.join(&pair.name).join(format!("{tool:?}").to_lowercase());
            let trial = Trial {
                pair: pair.name.clone(),
                tool: *tool,
                old_bytes,
                new_bytes,
                patch_bytes: None,
                build: Vec::new(),
                apply: Vec::new(),
                fault: None,
            };
            turns.push(Turn { pair, recipe, folder, trial });
        }
        let builds = if new_bytes <= self.rounds.small_bytes { self.rounds.build } else { 1 };
        for round in 0..self.rounds.apply.max(builds) {
            for turn in turns.iter_mut().filter(|turn| turn.trial.fault.is_none()) {
                let work = Work { build: round < builds, apply: round < self.rounds.apply };
                if let Err(error) = turn.take(&work) {
                    turn.trial.fault = Some(format!("{error:#}"));
                }
                (self.say)(&format!("{} round {} {}", pair.name, round + 1, turn.trial.line()));
            }
        }
        let made = self.work.join(&pair.name);
        if made.exists() {
            fs::remove_dir_all(&made).with_context(|| format!("remove {}", made.display()))?;
        }
        Ok(turns.into_iter().map(|turn| turn.trial).collect())
    }
}

impl Trial {
    fn line(&self) -> String {
        let last = |costs: &[Cost]| costs.last().map_or(0.0, |cost| cost.cpu_s);
        let size = self.patch_bytes.unwrap_or_default();
        let fault = self.fault.as_deref().unwrap_or_default();
        let (build, apply) = (last(&self.build), last(&self.apply));
        format!(
            "{}: {size} bytes, built {build:.2} s, applied {apply:.3} s {fault}",
            self.tool.title()
        )
    }
}

/// What is done in one turn.
struct Work {
    build: bool,
    apply: bool,
}

struct Turn<'a> {
    pair: &'a Pair,
    recipe: Recipe,
    folder: PathBuf,
    trial: Trial,
}

impl Turn<'_> {
    fn take(&mut self, work: &Work) -> Result<()> {
        if work.build {
            self.build()?;
        }
        if work.apply {
            self.apply()?;
        }
        Ok(())
    }

    fn build(&mut self) -> Result<()> {
        make_empty(&self.folder)?;
        for line in &self.recipe.prepare {
            line.run(&self.folder)?;
        }
        let (cost, _) = self.recipe.build.measure(&self.folder)?;
        let bytes = self.fetched()?;
        ensure!(
            self.trial.patch_bytes.is_none_or(|before| before == bytes),
            "another size than the round before: {bytes}"
        );
        self.trial.patch_bytes = Some(bytes);
        self.trial.build.push(cost);
        Ok(())
    }

    fn apply(&mut self) -> Result<()> {
        let Some(apply) = &self.recipe.apply else { return Ok(()) };
        for line in &apply.ready {
            line.run(&self.folder)?;
        }
        let (cost, _) = apply.line.measure(&self.folder)?;
        let out = self.folder.join(OUT);
        match &apply.check {
            Check::Image => {
                ensure!(same(&out, &self.pair.new)?, "what came out is not the new image");
                fs::remove_file(&out).with_context(|| format!("remove {}", out.display()))?;
            }
            Check::Content(line) => {
                Line::run(line, &self.folder).context("what came out is not the new tree")?;
                fs::remove_dir_all(&out).with_context(|| format!("remove {}", out.display()))?;
            }
        }
        self.trial.apply.push(cost);
        Ok(())
    }

    /// How many bytes a device fetches.
    fn fetched(&self) -> Result<u64> {
        match &self.recipe.size {
            Size::Patch => length(&self.folder.join(PATCH)),
            Size::Chunks { index, old, new } => {
                let index = length(&self.folder.join(index))?;
                let held = chunks(&self.folder.join(old))?;
                let wanted = chunks(&self.folder.join(new))?;
                let missing = wanted.iter().filter(|(name, _)| !held.contains_key(*name));
                Ok(missing.map(|(_, bytes)| bytes).sum::<u64>().saturating_add(index))
            }
            Size::Printed(line) => printed(&line.run(&self.folder)?),
        }
    }
}

/// The number of `Would download 83284 of 2210231 bytes`.
fn printed(text: &str) -> Result<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix("Would download "));
    let word =
        rest.and_then(|rest| rest.split_whitespace().next()).context("no size is printed")?;
    word.parse().with_context(|| format!("{word} is no size"))
}

/// Names and lengths of the chunks in a store.
fn chunks(store: &Path) -> Result<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    let list = |folder: &Path| -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
        entries.map(|entry| Ok(entry?.path())).collect()
    };
    for folder in list(store)? {
        for chunk in list(&folder)? {
            let name = chunk.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.insert(name, length(&chunk)?);
        }
    }
    if found.is_empty() { bail!("no chunk in {}", store.display()) } else { Ok(found) }
}

fn length(path: &Path) -> Result<u64> {
    Ok(path.metadata().with_context(|| format!("look at {}", path.display()))?.len())
}

/// Are two files equal?
///
/// # Errors
/// When one cannot be read.
pub fn same(one: &Path, other: &Path) -> Result<bool> {
    if length(one)? != length(other)? {
        return Ok(false);
    }
    let open = |path: &Path| File::open(path).with_context(|| format!("open {}", path.display()));
    let (mut one, mut other) = (open(one)?, open(other)?);
    let (mut piece, mut counterpart) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    loop {
        let count = one.read(&mut piece).context("read what came out")?;
        let (Some(piece), Some(counterpart)) = (piece.get(..count), counterpart.get_mut(..count))
        else {
            return Ok(false);
        };
        if count == 0 {
            return Ok(true);
        }
        other.read_exact(counterpart).context("read the new image")?;
        if piece != counterpart {
            return Ok(false);
        }
    }
}

fn make_empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "files of a test")]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_read_from_what_the_tool_prints() {
        assert_eq!(printed("x\nWould download 83284 of 2210231 bytes\n").unwrap(), 83_284);
        assert!(printed("nothing").is_err());
    }

    #[test]
    fn one_other_byte_is_not_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let mut bytes = vec![7; PIECE_BYTES + 1];
        let one = write("one", &bytes);
        assert!(same(&one, &write("equal", &bytes)).unwrap());
        bytes[PIECE_BYTES] = 8;
        assert!(!same(&one, &write("other", &bytes)).unwrap());
        assert!(!same(&one, &write("short", &bytes[..1])).unwrap());
    }
}
