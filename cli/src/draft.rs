//! A staged file on disk, and the files that it lists.
//!
//! `targets-v42.stage.json` stands beside a folder `targets/` with the new files under their target
//! names. Not here: signing ([`crate::sign`]) and comparing ([`crate::base`]).
//! Invariant: a draft says nothing that this program does not show: what it holds, written again
//! from its parts, gives the same bytes.

use crate::container;
use crate::disk::{self, Place, Readers};
use crate::error::{Code, Failure, Outcome, chain};
use crate::here::Here;
use crate::limits::STAGE_BYTES_MAX;
use crate::release::firmware_of;
use crate::repository::profile;
use patchward_protocol::id::{RepositoryId, TargetPath};
use patchward_protocol::tuf::build::{RootSpec, TargetSpec, TargetsSpec, repository_of};
use patchward_protocol::tuf::error::TufError;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::{Root, Targets};
use patchward_protocol::tuf::stage::Staged;
use std::path::{Path, PathBuf};

/// A staged file.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Where it is.
    pub path: PathBuf,
    /// Its repository.
    pub repository: RepositoryId,
    /// The file itself.
    pub staged: Staged,
    /// What it says.
    pub content: Content,
}

/// What a draft says.
#[derive(Debug, Clone)]
pub enum Content {
    /// Keys and thresholds.
    Root(RootSpec),
    /// Files.
    Targets(TargetsSpec),
}

impl Draft {
    /// Reads one.
    ///
    /// # Errors
    /// [`Code::StageUnreadable`] and failures of reading.
    pub fn read(path: &Path) -> Outcome<Self> {
        let bytes = disk::read(path, STAGE_BYTES_MAX)?;
        Self::from_bytes(path, &bytes)
    }

    /// Reads one from its bytes.
    ///
    /// # Errors
    /// [`Code::StageUnreadable`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Outcome<Self> {
        let bad = |what: String| {
            Failure::new(Code::StageUnreadable, format!("{}: {what}", path.display()))
        };
        let broken = |error: TufError| bad(chain(&error));
        let staged = Staged::read_any(bytes).map_err(broken)?;
        let (repository, content, again) = match staged.role() {
            Role::Root => {
                let root = staged.typed::<Root>().map_err(broken)?;
                let spec = RootSpec::of(&root.signed).map_err(broken)?;
                profile(&spec.repository).check_root(&root.signed).map_err(broken)?;
                let again = spec.staged().map_err(broken)?;
                (spec.repository.clone(), Content::Root(spec), again)
            }
            role @ Role::Targets => {
                let targets = staged.typed::<Targets>().map_err(broken)?;
                let spec = TargetsSpec::of(role, &targets.signed).map_err(broken)?;
                let again = spec.staged(Role::Targets).map_err(broken)?;
                let repository = repository_of(role, &targets.signed).map_err(broken)?;
                (repository, Content::Targets(spec), again)
            }
            other @ (Role::Timestamp | Role::Snapshot | Role::Delegated(_)) => {
                return Err(bad(format!("a {other} is never signed by people")));
            }
        };
        if again.message() != staged.message() {
            return Err(bad("it says more than this program knows and can show".to_owned()));
        }
        Ok(Self { path: path.to_path_buf(), repository, staged, content })
    }

    /// The name of a staged file: `targets-v42.stage.json`.
    #[must_use]
    pub fn file_name(staged: &Staged) -> String {
        format!("{}-v{}.stage.json", staged.role(), staged.version())
    }

    /// Writes the file again, with the signatures it has now.
    ///
    /// # Errors
    /// Failures of writing.
    pub fn save(&self) -> Outcome<()> {
        disk::write(&self.path, &self.staged.to_bytes(), Readers::Everybody, Place::Replace)
    }

    /// The targets, if it is targets.
    #[must_use]
    pub const fn targets(&self) -> Option<&TargetsSpec> {
        match &self.content {
            Content::Targets(spec) => Some(spec),
            Content::Root(_) => None,
        }
    }

    /// The folder with the files that it lists.
    #[must_use]
    pub fn files_beside(&self) -> PathBuf {
        self.path.parent().map_or_else(|| PathBuf::from("targets"), |folder| folder.join("targets"))
    }
}

/// Where a target's file stands in a folder of files.
#[must_use]
pub fn file_in(folder: &Path, target: &TargetPath) -> PathBuf {
    let (dir, name) = target.parts();
    folder.join(dir).join(name)
}

/// What was found at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AtHand {
    /// Files that were hashed, and are the listed ones.
    pub hashed: usize,
    /// Containers among them that were unpacked, and hold the images that are listed.
    pub unpacked: usize,
}

/// Hashes the files of these targets anew and compares them; unpacks containers and compares the
/// images that are in them.
///
/// # Errors
/// [`Code::TargetNotAtHand`] names every file that is not there, [`Code::TargetDiffers`] every
/// file that is another; [`Code::ContainerDiffers`] a container with another image.
pub fn look_at_hand(
    here: &Here,
    folder: &Path,
    targets: &[(TargetPath, TargetSpec)],
) -> Outcome<AtHand> {
    let mut found = AtHand { hashed: hash_at_hand(here, folder, targets)?, unpacked: 0 };
    for (target, spec) in targets {
        let Some(firmware) = firmware_of(spec) else { continue };
        container::check(here, &file_in(folder, target), &firmware.payload, spec)?;
        found.unpacked += usize::from(firmware.payload.table_sha256.is_some());
    }
    Ok(found)
}

/// Hashes the files of these targets anew and compares them.
///
/// # Errors
/// As [`look_at_hand`], without what is in containers.
pub fn hash_at_hand(
    here: &Here,
    folder: &Path,
    targets: &[(TargetPath, TargetSpec)],
) -> Outcome<usize> {
    let (mut absent, mut other, mut count) = (Vec::new(), Vec::new(), 0);
    for (target, spec) in targets {
        match disk::digest(here, &file_in(folder, target)) {
            Ok((length, sha256)) if (length, sha256) == (spec.length, spec.sha256) => count += 1,
            Ok((length, sha256)) => other.push(format!(
                "{target}: {length} bytes, sha256 {sha256}; listed {} bytes, {}",
                spec.length, spec.sha256
            )),
            Err(failure) if failure.code == Code::FileMissing => absent.push(target.to_string()),
            Err(failure) => return Err(failure),
        }
    }
    let place = folder.display();
    if !other.is_empty() {
        let what = format!("{place}: not the listed files");
        return Err(Failure::with_problems(Code::TargetDiffers, what, other));
    }
    if !absent.is_empty() {
        let what = format!("{place}: files that are not there");
        return Err(Failure::with_problems(Code::TargetNotAtHand, what, absent));
    }
    Ok(count)
}
