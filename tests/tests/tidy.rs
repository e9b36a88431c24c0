//! The house rules that a machine can check: floors, licences, files, names, words.
//!
//! For: saying which file broke which rule of `docs/STYLE.md`. Not for: anything that clippy or
//! cargo-deny says better; licences and floors are here as well, because a plain `cargo test` has
//! to find them without another program.
//!
//! Invariant: a check that finds nothing to look at fails.

#[path = "tidy/cases.rs"]
mod cases;
#[path = "tidy/crates.rs"]
mod crates;
#[path = "tidy/files.rs"]
mod files;
#[path = "tidy/licence.rs"]
mod licence;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/words.rs"]
mod words;

use anyhow::{Context as _, Result};
use std::path::PathBuf;

/// The workspace.
fn root() -> Result<PathBuf> {
    let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    tests.parent().map(PathBuf::from).context("the tests lie in the workspace")
}

/// Fails with every finding at once.
#[track_caller]
fn nothing_found(rule: &str, findings: Vec<String>) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}
