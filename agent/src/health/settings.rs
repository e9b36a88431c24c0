//! A fingerprint of the device's settings, taken before and after an update.
//!
//! An update that changes alarm limits or a drug library without saying so is found by comparing
//! two digests; what the settings are stays on the device. Not here: what follows from a change.
//! Invariant: the same settings give the same fingerprint, whatever order the disk lists them in.

use crate::child::{self, After};
use crate::config::Settings;
use crate::edge::Failure;
use crate::storage;
use patchward_protocol::digest::{Sha256Digest, Sha256Hasher};
use patchward_protocol::reason::Reason;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time limit of the command.
pub const COMMAND_S_MAX: u64 = 30;
/// Most files and folders looked at.
pub const ENTRIES_MAX: u32 = 10_000;

/// The fingerprint; none when nothing is watched.
///
/// # Errors
/// [`Failure`] when the settings cannot be read.
pub async fn fingerprint(settings: &Settings) -> Result<Option<Sha256Digest>, Failure> {
    match settings {
        Settings::Command(argv) => {
            let limit = Duration::from_secs(COMMAND_S_MAX);
            let during = || format!("reading the settings with {}", argv.program());
            let ended = child::run(argv, limit, After::KillChildren).await;
            let ended =
                ended.map_err(|e| Failure::from_source(Reason::HealthFailed, during(), e))?;
            if ended.status.success() && ended.stdout.len() < child::OUTPUT_BYTES_MAX {
                return Ok(Some(Sha256Digest::of(&ended.stdout)));
            }
            let said = format!("{}: {}: {}", during(), ended.status, ended.last_words());
            Err(Failure::new(Reason::HealthFailed, said))
        }
        Settings::Paths(paths) if paths.is_empty() => Ok(None),
        Settings::Paths(paths) => {
            let paths = paths.clone();
            let done = storage::blocking(move || of_paths(&paths)).await.flatten();
            done.map(Some).map_err(|e| Failure::of_disk("reading the settings", e))
        }
    }
}

fn of_paths(paths: &[PathBuf]) -> io::Result<Sha256Digest> {
    let mut hasher = Sha256Hasher::new();
    let mut left = ENTRIES_MAX;
    for path in paths {
        add(path, &mut hasher, &mut left)?;
    }
    Ok(hasher.finish())
}

/// Adds kind, name and content, each with its length, so that no two settings read the same.
fn add(path: &Path, hasher: &mut Sha256Hasher, left: &mut u32) -> io::Result<()> {
    *left = left.checked_sub(1).ok_or_else(|| io::Error::other("too many settings files"))?;
    let name = path.as_os_str().as_bytes();
    let found = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            part(hasher, b"absent", name);
            return Ok(());
        }
        found => found?,
    };
    if found.is_dir() {
        part(hasher, b"folder", name);
        let mut children = Vec::new();
        for entry in std::fs::read_dir(path)? {
            children.push(entry?.path());
        }
        children.sort_unstable();
        return children.iter().try_for_each(|child| add(child, hasher, left));
    }
    if found.is_symlink() {
        part(hasher, b"link", name);
        part(hasher, b"to", std::fs::read_link(path)?.as_os_str().as_bytes());
        return Ok(());
    }
    if !found.is_file() {
        return Err(io::Error::other("a setting that is no file"));
    }
    part(hasher, b"file", name);
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    hasher.update(&length.to_be_bytes());
    storage::hash_next(&mut file, length, hasher)
}

fn part(hasher: &mut Sha256Hasher, kind: &[u8], text: &[u8]) {
    for bytes in [kind, text] {
        hasher.update(&storage::length(bytes).to_be_bytes());
        hasher.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child::Argv;
    use crate::journal::write_durably;

    async fn of(path: &Path) -> Sha256Digest {
        fingerprint(&Settings::Paths(vec![path.to_owned()])).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn nothing_watched_has_no_fingerprint() {
        assert_eq!(fingerprint(&Settings::Paths(vec![])).await.unwrap(), None);
    }

    #[tokio::test]
    async fn each_change_of_the_settings_changes_the_fingerprint_and_going_back_restores_it() {
        let folder = tempfile::tempdir().unwrap();
        let limits = folder.path().join("limits");
        let mut seen = vec![of(folder.path()).await];
        write_durably(&limits, b"high = 140\n").unwrap();
        let before = of(folder.path()).await;
        seen.push(before);
        write_durably(&limits, b"high = 150\n").unwrap();
        seen.push(of(folder.path()).await);
        write_durably(&folder.path().join("other"), b"").unwrap();
        seen.push(of(folder.path()).await);
        seen.push(of(&folder.path().join("absent")).await);
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 5);
        std::fs::remove_file(folder.path().join("other")).unwrap();
        write_durably(&limits, b"high = 140\n").unwrap();
        assert_eq!(of(folder.path()).await, before);
    }

    #[tokio::test]
    async fn a_command_speaks_for_the_settings_or_fails() {
        let shell = |script: &str| {
            let argv = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
            Settings::Command(Argv::new(argv).unwrap())
        };
        let said = fingerprint(&shell("echo 140")).await.unwrap();
        assert_eq!(said, Some(Sha256Digest::of(b"140\n")));
        for script in ["exit 1", "head -c 100000 /dev/zero"] {
            assert!(fingerprint(&shell(script)).await.is_err(), "{script}");
        }
    }
}
