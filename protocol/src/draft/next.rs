//! The next version of a repository's targets: with approvals added, withdrawn, or past and dropped.
//!
//! Not here: signing it. Invariant: nothing is added under a name that is taken, and an approval
//! that is too long for a device is not added.

use super::error::BadDraft;
use crate::approval::{Approval, ApprovalState};
use crate::digest::Sha256Digest;
use crate::id::{ApprovalId, TargetPath};
use crate::limits::APPROVAL_BYTES_MAX;
use crate::time::Timestamp;
use crate::tuf::build::{TargetSpec, TargetsSpec};
use crate::tuf::lookup::APPROVAL_DIR;

/// Seconds of a day.
const DAY_S: i64 = 24 * 3600;
/// Days for which a site's targets are signed unless somebody says otherwise.
pub const SITE_DAYS: i64 = 90;

/// An approval with its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drafted {
    /// The approval.
    pub approval: Approval,
    /// The name of its file among the targets.
    pub path: TargetPath,
    /// The file.
    pub bytes: Vec<u8>,
    /// Its digest.
    pub sha256: Sha256Digest,
}

/// The next version, as yet with the same files.
///
/// # Errors
/// [`BadDraft::IssuedBefore`].
pub fn begin(
    published: &TargetsSpec,
    issued: Timestamp,
    days: i64,
) -> Result<TargetsSpec, BadDraft> {
    let issued = issued.whole_second();
    if issued < published.issued {
        return Err(BadDraft::IssuedBefore { issued, published: published.issued });
    }
    let expires = issued.plus_seconds(days.saturating_mul(DAY_S));
    let version = published.version.saturating_add(1);
    Ok(TargetsSpec { version, issued, expires, ..published.clone() })
}

/// The serial of the next approval: versions of the targets rise with every approval, so serials do,
/// whatever is dropped.
#[must_use]
pub fn serial<'a>(version: u64, listed: impl Iterator<Item = &'a Approval>) -> u64 {
    let highest = listed.map(|approval| approval.serial).max().unwrap_or(0);
    version.max(highest.saturating_add(1))
}

/// Approvals whose `valid_until` has passed permit nothing and need not be listed any more.
pub fn drop_past<'a>(
    listed: impl Iterator<Item = (&'a TargetPath, &'a Approval)>,
    spec: &mut TargetsSpec,
) {
    for (path, approval) in listed {
        if approval.valid_until < spec.issued {
            spec.targets.remove(path);
        }
    }
}

/// Adds an approval, or its withdrawn form in place of the other.
///
/// # Errors
/// [`BadDraft::Taken`], [`BadDraft::TooLong`], [`BadDraft::Approval`].
pub fn add(spec: &mut TargetsSpec, approval: Approval) -> Result<Drafted, BadDraft> {
    let path = path_of(&approval.id)?;
    if approval.state == ApprovalState::Active && spec.targets.contains_key(&path) {
        return Err(BadDraft::Taken(approval.id));
    }
    let id = approval.id.clone();
    let bytes = approval.write().map_err(|source| BadDraft::Approval { id, source })?;
    if bytes.len() > APPROVAL_BYTES_MAX {
        let (bytes, bytes_max) = (bytes.len(), APPROVAL_BYTES_MAX);
        return Err(BadDraft::TooLong { id: approval.id, bytes, bytes_max });
    }
    let sha256 = Sha256Digest::of(&bytes);
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    spec.targets.insert(path.clone(), TargetSpec::plain(length, sha256));
    Ok(Drafted { approval, path, bytes, sha256 })
}

/// A listed approval, taken back: it stays listed and says so, and devices remember it.
///
/// # Errors
/// [`BadDraft::NotListed`].
pub fn withdrawn<'a>(
    mut listed: impl Iterator<Item = &'a Approval>,
    id: &ApprovalId,
) -> Result<Approval, BadDraft> {
    let found = listed.find(|approval| approval.id == *id);
    let active = found.filter(|approval| approval.state == ApprovalState::Active);
    let active = active.ok_or_else(|| BadDraft::NotListed(id.clone()))?;
    Ok(Approval { state: ApprovalState::Withdrawn, ..active.clone() })
}

/// The name of an approval's file.
///
/// # Errors
/// [`BadDraft::Name`].
pub fn path_of(id: &ApprovalId) -> Result<TargetPath, BadDraft> {
    let name = format!("{APPROVAL_DIR}/{id}.json");
    TargetPath::new(&name).map_err(|_| BadDraft::Name(name))
}
