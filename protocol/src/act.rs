//! A human act: who approved what, in which words (21 CFR 11.50 and 11.70 ask for it).
//!
//! It stands beside the TUF signature, not inside what is signed there, because each co-signer would
//! change the hash. Sealed as [`crate::envelope::PayloadType::Act`] by the same key.
//! Not here: which acts a rule asks for.
//! Invariant: an act names one approval by its bytes and one version of the site's targets.

use crate::digest::Sha256Digest;
use crate::id::{ApprovalId, PersonId, SiteId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A human act on an approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Act {
    /// Schema version; this code knows 1.
    pub v: u32,
    /// The site.
    pub site: SiteId,
    /// The approval.
    pub approval: ApprovalId,
    /// Digest of the approval's file.
    pub approval_sha256: Sha256Digest,
    /// Version of the site's targets that lists it.
    pub targets_version: u64,
    /// Digest of what is signed of those targets (the canonical bytes, without signatures).
    pub targets_sha256: Sha256Digest,
    /// Whose key it is, as the site's root says.
    pub person: PersonId,
    /// Printed name.
    pub name: String,
    /// Role in the hospital, e.g. clinical engineer.
    pub role: String,
    /// What the signature means.
    pub meaning: Meaning,
    /// Why, in the person's own words.
    pub reason: String,
    /// When it was signed, by the clock of the signer's machine.
    pub at: Timestamp,
    /// IANA zone in which the person read the hours.
    pub tz: String,
    /// Last size of the site's record that the signer had seen, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_size: Option<u64>,
    /// The record's root hash at that size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_root: Option<Sha256Digest>,
}

/// What a signature means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Meaning {
    /// Read and found in order.
    Reviewed,
    /// Approved.
    Approved,
    /// Approved as an emergency.
    ApprovedAsEmergency,
    /// An approval was taken back.
    Withdrawn,
    /// A rollback is authorised.
    RollbackAuthorised,
}

impl Meaning {
    /// In English and in Japanese.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Reviewed => ("reviewed", "確認"),
            Self::Approved => ("approved", "承認"),
            Self::ApprovedAsEmergency => ("approved as emergency", "緊急承認"),
            Self::Withdrawn => ("withdrawn", "取り下げ"),
            Self::RollbackAuthorised => ("rollback authorised", "ロールバック許可"),
        }
    }
}
