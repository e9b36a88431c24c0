//! Going back, on the command line: the releases of a verified family, and refusals with their code.
//!
//! Not here: whether the manufacturer permits it ([`patchward_protocol::draft::back`]).
//! Invariant: releases come from a verified repository.

use crate::error::{Code, Failure, Outcome};
use patchward_protocol::api::site::DeviceView;
use patchward_protocol::draft::back;
use patchward_protocol::language::Language;
use patchward_protocol::tuf::custom::Firmware;
use patchward_protocol::tuf::trusted_set::TrustedSet;

/// Every release that a family lists, withdrawn ones too.
#[must_use]
pub fn releases(set: &TrustedSet) -> Vec<Firmware> {
    let listed = set.images().into_iter().filter_map(Result::ok);
    listed.map(|image| image.firmware.clone()).collect()
}

/// Refuses devices that may not go back, all at once.
///
/// # Errors
/// [`Code::RollbackNotPermitted`].
pub fn must_be_permitted<'a>(
    language: Language,
    releases: &[Firmware],
    to: &Firmware,
    views: impl Iterator<Item = &'a DeviceView>,
) -> Outcome<()> {
    let refused = back::refused(releases, to, views);
    if refused.is_empty() {
        return Ok(());
    }
    let refused = refused.iter().map(|left| left.line(language)).collect();
    let what = format!("{} {} (seq {})", to.family, to.version, to.seq);
    Err(Failure::with_problems(Code::RollbackNotPermitted, what, refused))
}
