//! Where the real programs are.
//!
//! `PATCHWARD_BIN_DIR` names a folder that has all three; without it they are built once, with the
//! profile that tests use. Invariant: a test never runs against a program that somebody built long
//! ago without asking cargo whether it is current.

use anyhow::{Context as _, Result, bail};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The three programs.
pub const NAMES: [&str; 3] = ["patchward-server", "patchward-agent", "patchward"];

/// Which optimisation to build with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// For tests.
    Ci,
    /// As delivered.
    Release,
}

/// Paths of the three programs.
#[derive(Debug, Clone)]
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// The programs that tests run: found or built, once.
    ///
    /// # Errors
    /// When one is missing or does not build.
    pub fn for_tests() -> Result<&'static Self> {
        static FOUND: OnceLock<Result<Programs, String>> = OnceLock::new();
        let found = FOUND.get_or_init(|| find().map_err(|error| format!("{error:#}")));
        found.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// Builds them, showing what cargo says.
    ///
    /// # Errors
    /// When cargo fails.
    pub fn build(profile: Profile) -> Result<Self> {
        let root = workspace()?;
        let (name, folder) = match profile {
            Profile::Ci => ("ci", "ci"),
            Profile::Release => ("release", "release"),
        };
        let mut command = Command::new(setting("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&root).args(["build", "--locked", "--profile", name]);
        for program in NAMES {
            command.args(["--bin", program]);
        }
        let status = command.status().context("start cargo")?;
        if !status.success() {
            bail!("{command:?}: {status}");
        }
        let target = setting("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        Self::in_folder(target.join(folder))
    }

    /// Takes a folder that has all three.
    ///
    /// # Errors
    /// When one is missing.
    pub fn in_folder(folder: PathBuf) -> Result<Self> {
        for name in NAMES {
            let program = folder.join(name);
            if !program.is_file() {
                bail!("{} is missing: build it with cargo build --bin {name}", program.display());
            }
        }
        Ok(Self { folder })
    }

    /// `patchward-server`.
    #[must_use]
    pub fn server(&self) -> PathBuf {
        self.folder.join("patchward-server")
    }

    /// `patchward-agent`.
    #[must_use]
    pub fn agent(&self) -> PathBuf {
        self.folder.join("patchward-agent")
    }

    /// `patchward`, the command line.
    #[must_use]
    pub fn cli(&self) -> PathBuf {
        self.folder.join("patchward")
    }
}

fn find() -> Result<Programs> {
    match setting("PATCHWARD_BIN_DIR") {
        Some(folder) => Programs::in_folder(folder.into()),
        None => Programs::build(Profile::Ci),
    }
}

/// The folder of the workspace.
///
/// # Errors
/// When this program was moved away from its source.
pub fn workspace() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().context("the workspace is above this crate")?;
    if !root.join("Cargo.toml").is_file() {
        bail!("{} has no Cargo.toml: run this from a checkout", root.display());
    }
    Ok(root.to_owned())
}

/// A setting of the surroundings, read here and nowhere else.
#[must_use]
pub fn setting(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the harness's only look at its surroundings")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// How many rounds a campaign has that is only played in full by `cargo xtask torture`.
#[must_use]
pub fn torture(all: usize, ordinary: usize, quick: usize) -> usize {
    if setting("PATCHWARD_TORTURE").is_some() { all } else { rounds(ordinary, quick) }
}

/// How many rounds a long campaign has: fewer with `PATCHWARD_QUICK=1`.
#[must_use]
pub fn rounds(all: usize, quick: usize) -> usize {
    if setting("PATCHWARD_QUICK").is_some() { quick } else { all }
}
