//! chromedriver: found, started on a free port, ended with its owner.
//!
//! Invariant: a machine without it gets an install hint, never a test that passes.

use super::wire::Wire;
use crate::bin::setting;
use crate::running::Running;
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Time for the driver to start, on a busy machine.
const START: Duration = Duration::from_secs(60);
/// What a machine without a browser is told.
const HINT: &str = "install it: apt-get install chromium chromium-driver fonts-noto-cjk";
/// Folders in which the programs are looked for beside PATH.
const FOLDERS: [&str; 3] = ["/usr/bin", "/usr/local/bin", "/usr/lib/chromium"];

/// A running driver.
#[derive(Debug)]
pub(super) struct Driver {
    /// How to reach it.
    pub(super) wire: Wire,
    // Kept, because dropping it ends the process.
    _running: Running,
}

impl Driver {
    /// Starts one that writes what it says into a folder.
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let program = program("chromedriver")?;
        let mut command = Command::new(&program);
        // The driver speaks for its own machine only; the browser's folder is ours.
        command.arg("--port=0").env("HOME", folder).env("TMPDIR", folder);
        let log = folder.join("chromedriver.log");
        let mut running = Running::start("chromedriver", &mut command, &log)?;
        let port = running.printed("its port", START, |line| {
            let (_, rest) = line.split_once("started successfully on port ")?;
            rest.trim_end_matches('.').trim().parse::<u16>().ok()
        })?;
        Ok(Self { wire: Wire::new(format!("http://127.0.0.1:{port}")), _running: running })
    }
}

/// The browser itself.
pub(super) fn chromium() -> Result<PathBuf> {
    program("chromium").or_else(|_| program("google-chrome"))
}

fn program(name: &str) -> Result<PathBuf> {
    let path = setting("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(FOLDERS.iter().map(PathBuf::from));
    let found = folders.map(|folder| folder.join(name)).find(|program| program.is_file());
    match found {
        Some(program) => program.canonicalize().context("its full path"),
        None => bail!("{name} is not on this machine; {HINT}"),
    }
}
