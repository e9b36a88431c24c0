//! Why nothing was drafted.

use super::left_out::Left;
use super::plan_text;
use super::rules;
use crate::approval::BadApproval;
use crate::check::Violation;
use crate::id::{ApprovalId, SiteId, WardId};
use crate::language::Language;
use crate::plan::{BadAsk, Unplaced};
use crate::time::Timestamp;
use crate::tuf::error::TufError;

/// Why nothing was drafted.
#[derive(Debug, thiserror::Error)]
pub enum BadDraft {
    /// The hospital has said nothing of itself.
    #[error("{0} has no inventory: no ward rule is known")]
    NoInventory(SiteId),
    /// A routine approval keeps windows and freezes.
    #[error("only an emergency may skip windows and soft freezes")]
    AnyHours,
    /// A ward that nobody knows.
    #[error("{site}: ward {ward} is not in the inventory")]
    Ward {
        /// The site.
        site: SiteId,
        /// The ward.
        ward: WardId,
    },
    /// Every device is left out, each with its reason.
    #[error("{site}: no device is to be planned")]
    NobodyWanted {
        /// The site.
        site: SiteId,
        /// The devices with their reasons.
        left: Vec<Left>,
    },
    /// No device got a slot, each with its reason.
    #[error("{site}: no device got a slot")]
    NobodyPlaced {
        /// The site.
        site: SiteId,
        /// Devices without a slot, with their reasons.
        unplaced: Vec<Unplaced>,
        /// Devices that were not planned, with their reasons.
        left: Vec<Left>,
    },
    /// The planner was asked for what makes no sense.
    #[error("what is asked for cannot be planned")]
    Ask(#[source] BadAsk),
    /// The plan breaks rules.
    #[error("the plan breaks rules of the inventory")]
    Violates(Vec<Violation>),
    /// An approval that a device would refuse.
    #[error("{id}: a device would refuse it")]
    Approval {
        /// Its id.
        id: ApprovalId,
        /// Why.
        source: BadApproval,
    },
    /// An approval too long for a device.
    #[error("{id}: {bytes} bytes, at most {bytes_max}; ask for fewer alternatives or wards")]
    TooLong {
        /// Its id.
        id: ApprovalId,
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// A name that is taken.
    #[error("{0} is taken; choose another id")]
    Taken(ApprovalId),
    /// A name that is none.
    #[error("{0:?} is no name of an approval")]
    Name(String),
    /// Nothing like it is listed, or it is withdrawn already.
    #[error("{0} is not listed, or withdrawn already")]
    NotListed(ApprovalId),
    /// Issued before what is published.
    #[error("issued {issued} is before the published version's {published}")]
    IssuedBefore {
        /// When it would be issued.
        issued: Timestamp,
        /// When the published version was.
        published: Timestamp,
    },
    /// The targets cannot be written.
    #[error(transparent)]
    Tuf(#[from] TufError),
}

impl BadDraft {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoInventory(_) => "no_inventory",
            Self::AnyHours => "any_hours",
            Self::Ward { .. } => "ward_unknown",
            Self::NobodyWanted { .. } => "nobody_wanted",
            Self::NobodyPlaced { .. } => "nobody_placed",
            Self::Ask(source) => source.code(),
            Self::Violates(_) => "violates",
            Self::Approval { .. } => "approval_bad",
            Self::TooLong { .. } => "too_long",
            Self::Taken(_) => "taken",
            Self::Name(_) => "name_bad",
            Self::NotListed(_) => "not_listed",
            Self::IssuedBefore { .. } => "issued_before",
            Self::Tuf(_) => "targets_bad",
        }
    }

    /// Every code, in the order of the variants.
    pub const CODES: &'static [&'static str] = &[
        "no_inventory",
        "any_hours",
        "ward_unknown",
        "nobody_wanted",
        "nobody_placed",
        "ask_window",
        "ask_device",
        "ask_ward",
        "ask_span",
        "violates",
        "approval_bad",
        "too_long",
        "taken",
        "name_bad",
        "not_listed",
        "issued_before",
        "targets_bad",
    ];

    /// Every device or rule that stands against it, a line each.
    #[must_use]
    pub fn particulars(&self, language: Language) -> Vec<String> {
        match self {
            Self::NobodyWanted { left, .. } => left.iter().map(|one| one.line(language)).collect(),
            Self::NobodyPlaced { unplaced, left, .. } => {
                plan_text::nobody_lines(language, unplaced.iter(), left)
            }
            Self::Violates(found) => found.iter().map(|one| rules::line(language, one)).collect(),
            Self::NoInventory(_)
            | Self::AnyHours
            | Self::Ward { .. }
            | Self::Ask(_)
            | Self::Approval { .. }
            | Self::TooLong { .. }
            | Self::Taken(_)
            | Self::Name(_)
            | Self::NotListed(_)
            | Self::IssuedBefore { .. }
            | Self::Tuf(_) => Vec::new(),
        }
    }
}
