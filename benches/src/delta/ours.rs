//! Our own deltas, as commands of this program: nothing but the container code and files.
//!
//! Not for: people; they have `patchward delta`. Invariant: `apply` checks everything that a device
//! checks, and writes nothing but verified windows.

use anyhow::{Context as _, Result, bail, ensure};
use patchward_protocol::delta::apply::whole;
use patchward_protocol::delta::build::{FileSource, Index, Parameters, delta, full};
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// How ours is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A delta by suffix array.
    Suffix,
    /// A delta by sampled hashes.
    Sampled,
    /// A full container, which needs no old image.
    Full,
}

impl Way {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Suffix, "suffix"), (Self::Sampled, "sampled"), (Self::Full, "full")];

    /// Its word on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(way, _)| *way == self).map(|(_, word)| *word).unwrap_or_default()
    }
}

/// The word by which this program is told to make a container.
pub const BUILD: &str = "build";
/// The word by which this program is told to apply one.
pub const APPLY: &str = "apply";

/// `build WAY OLD NEW PATCH`.
///
/// # Errors
/// When a file cannot be read or written, or the delta cannot be made.
pub fn build(words: &[OsString]) -> Result<()> {
    let [way, old, new, patch] = words else {
        bail!("{BUILD}: way, old, new and patch are wanted")
    };
    let way = Way::ALL.iter().find(|(_, word)| way.as_os_str() == *word);
    let (way, _) = *way.context("no such way")?;
    let new = FileSource::new(open(Path::new(new))?).context("look at the new image")?;
    let file = File::create(patch).with_context(|| format!("make {}", patch.display()))?;
    let mut out = BufWriter::new(file);
    let index = match way {
        Way::Suffix => Some(Index::SuffixArray),
        Way::Sampled => Some(Index::Sampled),
        Way::Full => None,
    };
    match index {
        Some(index) => {
            let old = std::fs::read(old).with_context(|| format!("read {}", old.display()))?;
            let parameters = Parameters { index, ..Parameters::default() };
            delta(&old, &new, &mut out, &parameters, &|_| ()).context("make the delta")?
        }
        None => full(&new, &mut out, &Parameters::default(), &|_| ()).context("make it full")?,
    };
    out.flush().context("write the patch")
}

/// `apply OLD PATCH NEW`.
///
/// # Errors
/// When anything is not what it should be.
pub fn apply(words: &[OsString]) -> Result<()> {
    let [old, patch, new] = words else { bail!("{APPLY}: old, patch and new are wanted") };
    let old = open(Path::new(old))?;
    let mut patch = open(Path::new(patch))?;
    let new = File::create(new).with_context(|| format!("make {}", new.display()))?;
    let mut write = |offset, bytes: &[u8]| new.write_all_at(bytes, offset);
    let head = whole(&mut patch, None, &mut &old, &mut write, &|_| ()).context("apply")?;
    let length = new.metadata().context("look at the new image")?.len();
    ensure!(length == head.header.new.length, "the new image has {length} bytes");
    Ok(())
}

fn open(path: &Path) -> Result<File> {
    File::open(path).with_context(|| format!("open {}", path.display()))
}
