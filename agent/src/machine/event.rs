//! What can happen to an update: documents, the gate's word, and how effects ended.
//!
//! Not here: making sure that an event is true; the driver does, and asks the gatekeeper.

use super::state::{Goal, Terms};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::PersonId;
use patchward_protocol::ledger::{Carried, ClinicalState};
use patchward_protocol::reason::Reason;
use patchward_protocol::slot::Slot;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Verified documents admit this goal, and it is the best there is.
    Offered {
        /// The goal.
        goal: Box<Goal>,
    },
    /// Nothing admits the present goal any more.
    Withdrawn {
        /// Why.
        reason: Reason,
    },
    /// The link is up and it is time to fetch.
    FetchDue,
    /// The image is staged, read back, and equal to the signed digest.
    Staged {
        /// How it came, where that is known.
        carried: Option<Carried>,
        /// Why not, or not only, by a delta.
        reason: Option<Reason>,
    },
    /// Fetching or staging did not succeed this time.
    StageFailed {
        /// Why.
        reason: Reason,
    },
    /// The staged image is gone or spoilt.
    StageLost {
        /// Why.
        reason: Reason,
    },
    /// The gate says wait.
    Blocked {
        /// The reason to show.
        reason: Reason,
        /// What the interlock said.
        clinical_state: ClinicalState,
    },
    /// The gate says go at this instant.
    Go {
        /// The open slot.
        slot: Slot,
        /// Latest start on the boot clock, in milliseconds.
        start_by_boot_ms: u64,
        /// What the interlock said.
        clinical_state: ClinicalState,
        /// What is settled for the time afterwards.
        terms: Box<Terms>,
    },
    /// The write of no return is made and read back.
    Activated,
    /// The write of no return was not made, or perhaps not.
    ActivationFailed {
        /// Why.
        reason: Reason,
    },
    /// The new image runs.
    Restarted,
    /// The restart did not lead to the new image.
    RestartFailed {
        /// Why.
        reason: Reason,
    },
    /// All required checks answered and are good.
    Healthy {
        /// Fingerprint of the device's settings.
        settings_after: Option<Sha256Digest>,
    },
    /// A required check failed or was silent.
    Unhealthy {
        /// Why.
        reason: Reason,
        /// Which check, and what it said; for the ledger.
        detail: String,
    },
    /// A person released the device.
    Accepted {
        /// Who.
        person: PersonId,
    },
    /// A person did not release the device.
    Rejected {
        /// Who.
        person: PersonId,
    },
    /// The new image was made to stay.
    Kept,
    /// The new image could not be made to stay.
    KeepFailed {
        /// Why.
        reason: Reason,
    },
    /// The image before runs again.
    WentBack,
    /// Going back did not work.
    GoingBackFailed {
        /// Why.
        reason: Reason,
        /// What failed; for the ledger.
        detail: String,
    },
    /// What was staged is removed.
    Discarded,
    /// A person looked after the device and says that it may go on.
    Serviced {
        /// Who.
        person: PersonId,
    },
}
