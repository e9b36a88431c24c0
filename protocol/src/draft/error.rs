//! Why nothing was drafted.

use crate::approval::BadApproval;
use crate::check::Violation;
use crate::id::{ApprovalId, FamilyId, SiteId, Version, WardId};
use crate::plan::BadAsk;
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
        /// Device and reason, in English.
        left: Vec<String>,
    },
    /// No device got a slot, each with its reason.
    #[error("{site}: no device got a slot")]
    NobodyPlaced {
        /// The site.
        site: SiteId,
        /// Device and reason, in English.
        why: Vec<String>,
    },
    /// The planner was asked for what makes no sense.
    #[error("what is asked for cannot be planned")]
    Ask(#[source] BadAsk),
    /// The plan breaks rules.
    #[error("the plan breaks rules of the inventory")]
    Violates(Vec<Violation>),
    /// The manufacturer does not permit the way back.
    #[error("{family} {version}: the manufacturer does not permit going back to it")]
    NotPermitted {
        /// The family.
        family: FamilyId,
        /// The version to go back to.
        version: Version,
        /// Device and reason, in English.
        refused: Vec<String>,
    },
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
