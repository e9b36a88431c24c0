//! What manufacturers said of the images in a record: which holes a release closes, and to which
//! releases one may go back.
//!
//! An export carries the family's signed metadata as the exporting machine had verified it, so that the
//! manufacturer's word can be checked again offline. A family that this machine does not trust is left
//! out, and the pages say that it is not known. Not here: rollbacks themselves.
//! Invariant: what is told here was verified from bytes in this run.

use super::archive::File;
use super::audit::{Audited, Checked, Finding};
use super::chain;
use crate::id::{FamilyId, RepositoryId};
use crate::image::ImageRef;
use crate::time::Timestamp;
use crate::tuf::custom::Firmware;
use crate::tuf::floors::Floors;
use crate::tuf::profile::Profile;
use crate::tuf::refresh::{Held, Refresh};
use crate::tuf::trusted_set::{Expiry, TrustedSet};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Where these files stand in an export.
pub(super) const FAMILIES: &str = "families/";

/// The signed metadata of a family, base64 of the bytes as received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FamilyFile {
    v: u32,
    family: FamilyId,
    /// When it was verified; its expiry is judged at that instant.
    at: Timestamp,
    root: String,
    timestamp: String,
    snapshot: String,
    targets: String,
}

/// The images of some families, as their manufacturers signed them.
#[derive(Debug, Clone, Default)]
pub struct Releases {
    firmware: Vec<Firmware>,
}

/// What the manufacturer says of a way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// `rollback_ok` of the image that was left names the other one.
    Listed,
    /// It does not.
    NotListed,
    /// The image that was left is in no metadata at hand.
    NotKnown,
}

impl FamilyFile {
    /// Of verified metadata; none while it is not complete.
    #[must_use]
    pub fn of(family: &FamilyId, set: &TrustedSet, at: Timestamp) -> Option<Self> {
        Some(Self {
            v: 1,
            family: family.clone(),
            at,
            root: STANDARD.encode(set.root().raw()),
            timestamp: STANDARD.encode(set.timestamp()?.raw()),
            snapshot: STANDARD.encode(set.snapshot()?.raw()),
            targets: STANDARD.encode(set.targets()?.raw()),
        })
    }

    /// Reads one from an export; nothing is verified yet.
    ///
    /// # Errors
    /// [`Finding`] with the name of the file.
    pub(super) fn read((name, bytes): &File) -> Result<(FamilyId, Self), Finding> {
        let file: Self = serde_json::from_slice(bytes)
            .map_err(|error| Finding::file(name, error.to_string()))?;
        if file.v != 1 || *name != file.name() {
            return Err(Finding::file(name, "of another version or family"));
        }
        Ok((file.family.clone(), file))
    }

    /// Its name in an export.
    pub(super) fn name(&self) -> String {
        format!("{FAMILIES}{}.json", self.family)
    }

    fn verify(&self) -> Result<TrustedSet, Finding> {
        let bad = |what: String| Finding::file(&self.name(), what);
        let bytes = |text: &String| STANDARD.decode(text).map_err(|error| bad(error.to_string()));
        let held = Held {
            root: bytes(&self.root)?,
            timestamp: Some(bytes(&self.timestamp)?),
            snapshot: Some(bytes(&self.snapshot)?),
            targets: Some(bytes(&self.targets)?),
            delegated: BTreeMap::new(),
        };
        let profile = Profile::Patchward { repository: RepositoryId::Family(self.family.clone()) };
        let verified = Refresh::reload(held, Floors::default(), profile, Expiry::AsStaged(self.at));
        verified.map_err(|error| bad(chain(&error)))
    }
}

impl Releases {
    /// Verifies the metadata and reads the images in it.
    ///
    /// # Errors
    /// [`Finding`] names the family whose metadata does not hold.
    pub fn of<'a>(files: impl IntoIterator<Item = &'a FamilyFile>) -> Result<Self, Finding> {
        let mut releases = Self::default();
        for file in files {
            let images = file.verify()?.images().into_iter().filter_map(Result::ok);
            releases.firmware.extend(images.map(|image| image.firmware.clone()));
        }
        Ok(releases)
    }

    /// Whether the manufacturer permits this way back.
    #[must_use]
    pub fn permission(&self, from: &ImageRef, to: &ImageRef) -> Permission {
        let left = self.firmware.iter().find(|firmware| {
            firmware.family == from.family && firmware.payload.image_sha256 == from.image_sha256
        });
        match left {
            None => Permission::NotKnown,
            Some(left) if left.rollback_ok.contains(&to.seq) => Permission::Listed,
            Some(_) => Permission::NotListed,
        }
    }

    /// The holes that are open again after this way back: what every release closed that was left
    /// behind.
    #[must_use]
    pub fn open_again(&self, from: &ImageRef, to: &ImageRef) -> BTreeSet<&str> {
        let between = self.firmware.iter().filter(|firmware| {
            firmware.family == from.family && firmware.seq > to.seq && firmware.seq <= from.seq
        });
        between.flat_map(|firmware| firmware.cves.iter().map(String::as_str)).collect()
    }
}

/// The families that devices speak of in a record.
#[must_use]
pub fn families(audited: &Audited) -> BTreeSet<&FamilyId> {
    let images = audited.entries.iter().filter_map(Checked::ledger);
    let images = images.flat_map(|entry| entry.fact.release.iter().chain(&entry.fact.from));
    images.map(|image| &image.family).collect()
}
