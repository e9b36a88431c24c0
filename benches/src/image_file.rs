//! An image of any size on disk, incompressible, in constant memory.

use anyhow::{Context as _, Result};
use patchward_tests::chance::Chance;
use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
};

const MEBIBYTE: usize = 1024 * 1024;

/// Writes an image of so many mebibytes.
///
/// # Errors
/// When the disk refuses.
pub fn write(path: &Path, mebibytes: u64, seed: u64) -> Result<()> {
    let file = File::create(path).with_context(|| format!("make {}", path.display()))?;
    let (mut file, mut chance) = (BufWriter::new(file), Chance::seeded(seed));
    for _ in 0..mebibytes {
        file.write_all(&chance.bytes(MEBIBYTE)).context("write the image")?;
    }
    file.flush().context("write the image")
}
