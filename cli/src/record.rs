//! `record export` and `record verify`: the audit trail of a site, out of the server's hands.
//!
//! An export is fetched entry by entry, checked against what this machine has seen before, and written
//! as one file that anybody can check again without server or database. [`audit`] is that check, and
//! both verbs run it; form and check are `protocol::record::export`, which the console uses too. Not here: what an entry permits (nothing).
//! Invariant: an export that was written has passed the very check that `verify` makes.

pub mod export;
pub mod fetch;
pub mod kept;
pub mod releases;
pub mod verify;

use crate::error::Outcome;
use crate::here::Here;
use crate::said::Said;

pub use patchward_protocol::record::export::{archive, audit, consent, contents, keys, rollback};

/// `record …`
#[derive(Debug, clap::Subcommand)]
pub enum RecordVerb {
    /// Write the whole record of a site, checked, to one file for an auditor
    Export(Box<export::Export>),
    /// Check an exported record: offline, without server or database
    Verify(Box<verify::Verify>),
}

/// Runs `record …`.
///
/// # Errors
/// Whatever the verb fails with.
pub fn run(here: &Here, verb: &RecordVerb) -> Outcome<Said> {
    match verb {
        RecordVerb::Export(export) => export::export(here, export),
        RecordVerb::Verify(verify) => verify::verify(here, verify),
    }
}
