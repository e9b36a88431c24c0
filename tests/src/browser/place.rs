//! Where pictures and findings of the browser go: below the target folder, where people and CI look.

use crate::bin::{setting, workspace};
use anyhow::{Context as _, Result};
use std::path::PathBuf;

/// The folder of what failed: a screenshot for each.
///
/// # Errors
/// When the disk refuses.
pub fn finds() -> Result<PathBuf> {
    made("found")
}

/// The folder of the screens that the guide shows.
///
/// # Errors
/// When the disk refuses.
pub fn screens() -> Result<PathBuf> {
    made("screens")
}

/// The folder of what was printed.
///
/// # Errors
/// When the disk refuses.
pub fn papers() -> Result<PathBuf> {
    made("papers")
}

fn made(name: &str) -> Result<PathBuf> {
    let target = match setting("CARGO_TARGET_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => workspace()?.join("target"),
    };
    let folder = target.join("browser").join(name);
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}
