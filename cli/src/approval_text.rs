//! Approvals from their files, and zones by their names; the text itself is the protocol's.
//!
//! Not here: the words ([`patchward_protocol::draft::approval_text`]).
//! Invariant: what is read has passed the check that devices make.

use crate::error::{Code, Failure, Outcome};
use jiff::tz::TimeZone;
use patchward_protocol::approval::{Approval, ApprovedRelease};
use patchward_protocol::id::TargetPath;
use patchward_protocol::tuf::custom::Firmware;
use patchward_protocol::tuf::trusted_set::TrustedSet;

/// Reads an approval from its file.
///
/// # Errors
/// [`Code::ApprovalRefused`].
pub fn read(path: &TargetPath, bytes: &[u8]) -> Outcome<Approval> {
    Approval::read(bytes).map_err(|error| Failure::because(Code::ApprovalRefused, path, &error))
}

/// The zone of an approval.
///
/// # Errors
/// [`Code::ValueBad`] when this machine knows no such zone.
pub fn zone(name: &str) -> Outcome<TimeZone> {
    TimeZone::get(name).map_err(|error| Failure::new(Code::ValueBad, format!("{name:?}: {error}")))
}

/// What the manufacturer says of an approved release, as last verified on this machine.
#[must_use]
pub fn firmware(release: &ApprovedRelease, family: Option<&TrustedSet>) -> Option<Firmware> {
    let image = family?.image(&release.path).ok().flatten()?;
    let same = image.firmware.payload.image_sha256 == release.image_sha256;
    same.then(|| image.firmware.clone())
}
