//! The approvals that stand in a site's published targets, by device.
//!
//! The server reads them to tell devices which waves are open; the devices verify them on their
//! own. Not here: deciding anything. Invariant: what is in here is listed in the site's current
//! targets and names that site.

use crate::blobs::{BlobDir, BlobError};
use patchward_protocol::approval::{Approval, ApprovalState, ApprovedDevice, BadApproval};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{DeviceId, RepositoryId, SiteId};
use patchward_protocol::key::PublicKey;
use patchward_protocol::limits::APPROVAL_BYTES_MAX;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::build::TargetsSpec;
use patchward_protocol::tuf::lookup::APPROVAL_DIR;
use std::collections::HashMap;
use std::sync::Arc;

/// An approval as it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Digest of its bytes: how devices name it.
    pub sha256: Sha256Digest,
    /// What it says.
    pub approval: Approval,
}

/// The approvals of a site.
#[derive(Debug, Clone, Default)]
pub struct Approvals {
    all: Vec<Arc<Published>>,
    by_device: HashMap<DeviceId, Vec<Arc<Published>>>,
}

/// Why an approval among the targets is none.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// The bytes were not uploaded.
    #[error("{path} has not been uploaded")]
    Missing {
        /// Its target path.
        path: String,
    },
    /// Not an approval.
    #[error("{path} is no approval that a device would take")]
    Bad {
        /// Its target path.
        path: String,
        /// Why.
        source: BadApproval,
    },
    /// Named differently from what it says.
    #[error("{path} is for another site or has another id than its name")]
    Misnamed {
        /// Its target path.
        path: String,
    },
    /// Two approvals with one serial.
    #[error("{path} has serial {serial}, which another approval has")]
    SerialTwice {
        /// Its target path.
        path: String,
        /// The serial.
        serial: u64,
    },
    /// A new approval that does not come after the earlier ones.
    #[error("{path} has serial {serial}, and {highest} was published before it")]
    SerialFell {
        /// Its target path.
        path: String,
        /// Its serial.
        serial: u64,
        /// What it must exceed.
        highest: u64,
    },
    /// The store failed.
    #[error("{path} cannot be read from the store")]
    Read {
        /// Its target path.
        path: String,
        /// Why.
        source: BlobError,
    },
}

/// The approvals that targets list: path and digest.
#[must_use]
pub fn listed(targets: &TargetsSpec) -> Vec<(String, Sha256Digest)> {
    let approvals = targets.targets.iter().filter(|(path, _)| path.parts().0 == APPROVAL_DIR);
    approvals.map(|(path, target)| (path.to_string(), target.sha256)).collect()
}

impl Approvals {
    /// Reads what `listed` names; those that `earlier` holds are not read again. Blocks its thread.
    ///
    /// # Errors
    /// [`ApprovalError`], with the path.
    pub fn read(
        repository: &RepositoryId,
        listed: &[(String, Sha256Digest)],
        blobs: &BlobDir,
        earlier: &Self,
    ) -> Result<Self, ApprovalError> {
        let RepositoryId::Site(site) = repository else { return Ok(Self::default()) };
        let held: HashMap<Sha256Digest, &Arc<Published>> =
            earlier.all.iter().map(|published| (published.sha256, published)).collect();
        let mut approvals = Self::default();
        let mut serials = HashMap::new();
        for (path, sha256) in listed {
            let published = match held.get(sha256) {
                Some(published) => Arc::clone(published),
                None => {
                    Arc::new(Published { sha256: *sha256, approval: read(path, sha256, blobs)? })
                }
            };
            let approval = &published.approval;
            if !is_named(path, site, approval) {
                return Err(ApprovalError::Misnamed { path: path.clone() });
            }
            if serials.insert(approval.serial, ()).is_some() {
                let serial = approval.serial;
                return Err(ApprovalError::SerialTwice { path: path.clone(), serial });
            }
            approvals.add(published);
        }
        Ok(approvals)
    }

    fn add(&mut self, published: Arc<Published>) {
        for device in &published.approval.devices {
            self.by_device.entry(device.id.clone()).or_default().push(Arc::clone(&published));
        }
        self.all.push(published);
    }

    /// The approvals in force at `at` that name this device with this key, each with what it says
    /// of the device.
    pub fn active<'a>(
        &'a self,
        device: &'a DeviceId,
        key: &'a PublicKey,
        at: Timestamp,
    ) -> impl Iterator<Item = (&'a Published, &'a ApprovedDevice)> {
        let named = self.by_device.get(device).map(Vec::as_slice).unwrap_or_default();
        named.iter().filter(move |published| is_in_force(&published.approval, at)).filter_map(
            move |published| {
                published.approval.device(device, key).map(|named| (&**published, named))
            },
        )
    }

    /// Whether these may follow `earlier`: a new approval has a higher serial than every earlier one,
    /// a changed one (withdrawn) at least its own. Devices obey no lower serial than they have seen.
    ///
    /// # Errors
    /// [`ApprovalError::SerialFell`].
    pub fn follows(&self, earlier: &Self) -> Result<(), ApprovalError> {
        let highest = earlier.all.iter().map(|published| published.approval.serial).max();
        for published in &self.all {
            let approval = &published.approval;
            let before = earlier.all.iter().find(|other| other.approval.id == approval.id);
            let must_exceed = match before {
                Some(before) => before.approval.serial.saturating_sub(1),
                None => highest.unwrap_or(0),
            };
            if approval.serial <= must_exceed {
                let path = format!("{APPROVAL_DIR}/{}.json", approval.id);
                let (serial, highest) = (approval.serial, must_exceed);
                return Err(ApprovalError::SerialFell { path, serial, highest });
            }
        }
        Ok(())
    }

    /// The one with this digest.
    #[must_use]
    pub fn find(&self, sha256: &Sha256Digest) -> Option<&Arc<Published>> {
        self.all.iter().find(|published| published.sha256 == *sha256)
    }

    /// All of them, withdrawn and ended ones too.
    #[must_use]
    pub fn all(&self) -> &[Arc<Published>] {
        &self.all
    }
}

/// Whether an approval is in force at `at`.
#[must_use]
pub fn is_in_force(approval: &Approval, at: Timestamp) -> bool {
    approval.state == ApprovalState::Active && approval.issued <= at && at < approval.valid_until
}

fn is_named(path: &str, site: &SiteId, approval: &Approval) -> bool {
    approval.site == *site && path == format!("{APPROVAL_DIR}/{}.json", approval.id)
}

fn read(path: &str, sha256: &Sha256Digest, blobs: &BlobDir) -> Result<Approval, ApprovalError> {
    let named = || path.to_owned();
    let bytes = blobs.read(sha256, APPROVAL_BYTES_MAX);
    let bytes = bytes.map_err(|source| ApprovalError::Read { path: named(), source })?;
    let bytes = bytes.ok_or_else(|| ApprovalError::Missing { path: named() })?;
    Approval::read(&bytes).map_err(|source| ApprovalError::Bad { path: named(), source })
}
