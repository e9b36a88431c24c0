//! What a signer's machine remembers beside the key, so that nobody can show it an old or a second
//! story: for each repository and role the last version signed, its content, and what was replaced.
//!
//! A pure rule over a value; the command line stores it. Invariant: nothing is forgotten by
//! [`SignerMemory::after`].

use super::build::TargetsSpec;
use super::stage::Staged;
use crate::digest::Sha256Digest;
use crate::id::TargetPath;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What was signed in one role of one repository.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SignerMemory {
    /// The last version signed; 0 for none.
    version: u64,
    /// The digest of what was signed then.
    message_sha256: Option<Sha256Digest>,
    /// The newest published version that was ever shown as the base.
    base: u64,
    /// What is listed, as last signed.
    listed: BTreeMap<TargetPath, Sha256Digest>,
    /// What was listed once and was then removed or replaced.
    past: BTreeMap<TargetPath, BTreeSet<Sha256Digest>>,
    /// Drafts that were signed and then given up, by version: they are never signed again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    abandoned: BTreeMap<u64, BTreeSet<Sha256Digest>>,
}

/// Why this machine does not sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemoryRefusal {
    /// It has signed something else as this version.
    #[error("version {version} was signed here with other content ({signed}, now {shown})")]
    OtherContent {
        /// The version.
        version: u64,
        /// The digest of what was signed.
        signed: Sha256Digest,
        /// The digest of what is shown now.
        shown: Sha256Digest,
    },
    /// It was signed here and then given up.
    #[error("this draft of version {version} was given up here ({shown})")]
    GivenUp {
        /// The version.
        version: u64,
        /// The digest of what is shown.
        shown: Sha256Digest,
    },
    /// It has signed a newer version.
    #[error("version {shown} is older than version {signed}, which was signed here")]
    Older {
        /// The last version signed.
        signed: u64,
        /// The version shown.
        shown: u64,
    },
    /// It has seen a newer published version than the one that this change is based on.
    #[error("the change is based on version {shown}, but version {seen} was already published")]
    StaleBase {
        /// The newest base seen.
        seen: u64,
        /// The base shown.
        shown: u64,
    },
}

/// What to show the signer before asking.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remarks {
    /// Files that were removed or replaced once and are listed again, byte for byte.
    pub readded: BTreeSet<TargetPath>,
}

impl SignerMemory {
    /// Whether this machine may sign `staged`, which is based on the published version `base` (0
    /// when nothing is published); `targets` is what it lists, if it is targets.
    ///
    /// # Errors
    /// [`MemoryRefusal`].
    pub fn check(
        &self,
        staged: &Staged,
        base: u64,
        targets: Option<&TargetsSpec>,
    ) -> Result<Remarks, MemoryRefusal> {
        let (shown, digest) = (staged.version(), staged.message_sha256());
        if shown < self.version {
            return Err(MemoryRefusal::Older { signed: self.version, shown });
        }
        if self.abandoned.get(&shown).is_some_and(|digests| digests.contains(&digest)) {
            return Err(MemoryRefusal::GivenUp { version: shown, shown: digest });
        }
        if let Some(signed) = self.message_sha256
            && shown == self.version
            && signed != digest
        {
            return Err(MemoryRefusal::OtherContent { version: shown, signed, shown: digest });
        }
        if base < self.base {
            return Err(MemoryRefusal::StaleBase { seen: self.base, shown: base });
        }
        let was_past = |path: &TargetPath, digest: &Sha256Digest| {
            self.past.get(path).is_some_and(|digests| digests.contains(digest))
                && self.listed.get(path) != Some(digest)
        };
        let readded = entries(targets)
            .filter(|(path, digest)| was_past(path, digest))
            .map(|(path, _)| path)
            .collect();
        Ok(Remarks { readded })
    }

    /// The memory after the draft that was last signed here, as this version, was given up before it
    /// was published; nothing when another version was last signed. That draft is never signed again.
    #[must_use]
    pub fn abandoning(&self, version: u64) -> Option<Self> {
        let given_up = self.message_sha256.filter(|_| version == self.version)?;
        let mut abandoned = self.abandoned.clone();
        abandoned.entry(version).or_default().insert(given_up);
        Some(Self { message_sha256: None, abandoned, ..self.clone() })
    }

    /// The memory after signing it.
    #[must_use]
    pub fn after(&self, staged: &Staged, base: u64, targets: Option<&TargetsSpec>) -> Self {
        let listed: BTreeMap<_, _> = entries(targets).collect();
        let mut past = self.past.clone();
        for (path, digest) in &self.listed {
            if listed.get(path) != Some(digest) {
                past.entry(path.clone()).or_default().insert(*digest);
            }
        }
        let message_sha256 = Some(staged.message_sha256());
        let (version, base) = (staged.version(), base.max(self.base));
        let abandoned = self.abandoned.clone();
        Self { version, message_sha256, base, listed, past, abandoned }
    }
}

fn entries(targets: Option<&TargetsSpec>) -> impl Iterator<Item = (TargetPath, Sha256Digest)> {
    targets
        .into_iter()
        .flat_map(|spec| &spec.targets)
        .map(|(path, target)| (path.clone(), target.sha256))
}
