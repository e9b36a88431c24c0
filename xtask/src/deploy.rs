//! What an administrator copies from `deploy/`: the programs accept it, and the walls stand.
//!
//! Not for: starting anything under systemd; `systemd-analyze` reads the units as files.

use crate::{child, place, place::Place};
use anyhow::{Context as _, Result};
use std::{path::Path, process::Command};

/// Each unit with the most it may be exposed, in tenths of systemd's points (0 is sealed, 100 open).
const UNITS: [(&str, u32); 2] = [("patchward-server.service", 15), ("patchward-agent.service", 25)];

/// Checks units and example configurations against the programs that were built.
pub(crate) fn check(place: &Place, programs: &Path) -> Result<String> {
    let folder = place.root.join("deploy");
    for (unit, tenths_max) in UNITS {
        let mut analyze = Command::new(place::required("systemd-analyze")?);
        analyze.args(["security", "--no-pager", "--offline=true"]);
        analyze.arg(format!("--threshold={tenths_max}")).arg(folder.join(unit));
        child::read(&mut analyze).with_context(|| format!("{unit} is open too wide"))?;
    }
    let mut server = Command::new(programs.join("patchward-server"));
    server.arg("check-config").arg("--data").arg(place.own().join("no-data"));
    child::show(server.arg("--config").arg(folder.join("server.toml")))?;
    let mut agent = Command::new(programs.join("patchward-agent"));
    agent.arg("check-config").arg(place.root.join("agent/src/config/example.toml"));
    child::show(&mut agent)?;
    Ok(format!("{} units, 2 configurations", UNITS.len()))
}
