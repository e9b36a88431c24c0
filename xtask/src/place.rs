//! Where things are: the workspace, its target folder, the programs of the machine.
//!
//! Invariant: everything that the checks write lies below the target folder, but for the
//! temporary folder of the database (another user must be able to reach it).

use crate::child;
use anyhow::{Context as _, Result};
use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
};

/// Folders in which a program may lie although they are not in a plain user's PATH.
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The folders of this checkout.
#[derive(Debug)]
pub(crate) struct Place {
    /// The workspace.
    pub(crate) root: PathBuf,
    /// Cargo's target folder.
    pub(crate) target: PathBuf,
}

impl Place {
    /// Asks cargo, so that a moved target folder is honoured.
    pub(crate) fn find() -> Result<Self> {
        let mut command = Command::new("cargo");
        command.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]);
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        let text = child::read(&mut command)?;
        let metadata: serde_json::Value =
            serde_json::from_str(&text).context("cargo metadata is not JSON")?;
        let folder = |name: &str| -> Result<PathBuf> {
            let path = metadata.get(name).and_then(serde_json::Value::as_str);
            path.map(PathBuf::from).with_context(|| format!("cargo metadata has no `{name}`"))
        };
        Ok(Self { root: folder("workspace_root")?, target: folder("target_directory")? })
    }

    /// The folder in which these checks keep what they make.
    pub(crate) fn own(&self) -> PathBuf {
        self.target.join("xtask")
    }

    /// A cargo command in the workspace, with the lock file as it is committed.
    pub(crate) fn cargo(&self, verb: &str) -> Command {
        let mut command = Command::new("cargo");
        command.arg(verb).current_dir(&self.root);
        command
    }
}

/// The full path of a program, also where a plain user's PATH does not lead.
#[expect(clippy::disallowed_methods, reason = "PATH is how a machine says where programs are")]
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(SYSTEM_FOLDERS.map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// The full path of a program that the set-up has already made sure of.
pub(crate) fn required(name: &str) -> Result<PathBuf> {
    program(name).with_context(|| format!("program `{name}` is not on this machine"))
}

/// Is this the superuser?
pub(crate) fn is_root() -> bool {
    Path::new("/proc/self").metadata().is_ok_and(|about| about.uid() == 0)
}
