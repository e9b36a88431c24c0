//! A human act: who did what, in which words (21 CFR 11.50 and 11.70 ask for it).
//!
//! An act on an approval stands beside the TUF signature, not inside what is signed there, because
//! each co-signer would change the hash. Sealed as [`crate::envelope::PayloadType::Act`] by the
//! person's own key of the site root. Not here: which acts a rule asks for.
//! Invariant: an act names exactly one thing, by bytes or by its own id.

use crate::approval::{Action, Approval, ApprovalState, Urgency};
use crate::digest::Sha256Digest;
use crate::id::{ApprovalId, DeviceId, HoldId, PersonId, SiteId};
use crate::image::ImageRef;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A human act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Act {
    /// Schema version; this code knows 1.
    pub v: u32,
    /// The site.
    pub site: SiteId,
    /// What it is about.
    pub subject: Subject,
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
    /// What stands in for the patch meanwhile; asked for when holes are opened again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensating: Option<CompensatingControl>,
    /// Last size of the site's record that the signer had seen, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_size: Option<u64>,
    /// The record's root hash at that size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_root: Option<Sha256Digest>,
}

/// What an act is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Subject {
    /// An approval, in the version of the site's targets that lists it.
    Approval {
        /// Its name.
        approval: ApprovalId,
        /// Digest of its file.
        approval_sha256: Sha256Digest,
        /// Version of the site's targets.
        targets_version: u64,
        /// Digest of what is signed of those targets (the canonical bytes, without signatures).
        targets_sha256: Sha256Digest,
    },
    /// A wave of an approval.
    Wave {
        /// Digest of the approval's file.
        approval_sha256: Sha256Digest,
        /// The wave.
        wave: u32,
        /// How often this wave had halted when it was signed: a resume counts for this halt only.
        halts: u64,
    },
    /// A hold.
    Hold {
        /// Its id.
        hold: HoldId,
    },
    /// A device after an update.
    Device {
        /// Its id.
        device: DeviceId,
        /// What runs on it.
        image: ImageRef,
    },
}

/// What reduces a risk while a patch is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CompensatingControl {
    /// CVE ids that are open again.
    pub cves: Vec<String>,
    /// What is done instead, e.g. isolation.
    pub control: String,
    /// Who sees to it.
    pub owner: String,
    /// Until when.
    pub due: Timestamp,
}

/// What a signature means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// A halted wave may go on.
    Resumed,
    /// A hold is lifted.
    HoldLifted,
    /// The device was checked after the update and is released for clinical use.
    AcceptanceReleased,
    /// Read and noted.
    Acknowledged,
}

impl Meaning {
    /// What a signature on an approval means unless the signer says otherwise.
    #[must_use]
    pub const fn of_approval(approval: &Approval) -> Self {
        match (approval.state, approval.action, approval.urgency) {
            (ApprovalState::Withdrawn, _, _) => Self::Withdrawn,
            (ApprovalState::Active, Action::Rollback, _) => Self::RollbackAuthorised,
            (ApprovalState::Active, _, Urgency::Emergency) => Self::ApprovedAsEmergency,
            (ApprovalState::Active, Action::Install | Action::Standing, Urgency::Routine) => {
                Self::Approved
            }
        }
    }

    /// In English and in Japanese.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Reviewed => ("reviewed", "確認"),
            Self::Approved => ("approved", "承認"),
            Self::ApprovedAsEmergency => ("approved as emergency", "緊急承認"),
            Self::Withdrawn => ("withdrawn", "取り下げ"),
            Self::RollbackAuthorised => ("rollback authorised", "ロールバック許可"),
            Self::Resumed => ("resumed", "再開"),
            Self::HoldLifted => ("hold lifted", "保留解除"),
            Self::AcceptanceReleased => ("acceptance released", "受入確認(使用許可)"),
            Self::Acknowledged => ("acknowledged", "受領確認"),
        }
    }

    /// Whether a signature of this meaning may stand on such a subject.
    #[must_use]
    pub const fn fits(self, subject: &Subject) -> bool {
        match subject {
            Subject::Approval { .. } => matches!(
                self,
                Self::Reviewed
                    | Self::Approved
                    | Self::ApprovedAsEmergency
                    | Self::Withdrawn
                    | Self::RollbackAuthorised
                    | Self::Acknowledged
            ),
            Subject::Wave { .. } => matches!(self, Self::Resumed | Self::Acknowledged),
            Subject::Hold { .. } => matches!(self, Self::HoldLifted | Self::Acknowledged),
            Subject::Device { .. } => {
                matches!(self, Self::AcceptanceReleased | Self::Acknowledged)
            }
        }
    }
}
