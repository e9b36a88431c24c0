//! The states of an update, each with just the data that it needs.
//!
//! A state names documents and images by digest; it never holds a proof. After a restart everything
//! is verified again from the stored bytes. Not here: how one state follows another ([`super::step`]).
//! Invariant: from [`State::Activating`] on there is an [`Attempt`]; once its write was seen, its
//! approval is spent.

use patchward_protocol::approval::Action;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{PersonId, Seq, TargetPath};
use patchward_protocol::image::ImageRef;
use patchward_protocol::ledger::ApprovalRef;
use patchward_protocol::reason::Reason;
use patchward_protocol::slot::Slot;
use serde::{Deserialize, Serialize};

/// Most activations of one image; after that a person must look.
pub const ATTEMPTS_MAX: u32 = 3;
/// Most restarts of the agent within one attempt; after that it goes back, or calls for service.
pub const RECOVERIES_MAX: u32 = 10;

/// What the device is to become, and who permits it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goal {
    /// The image.
    pub image: ImageRef,
    /// Its name among the family's targets.
    pub path: TargetPath,
    /// The approval.
    pub approval: ApprovalRef,
    /// The approval's serial.
    pub serial: u64,
    /// How many activations of this image came before.
    pub attempts_before: u32,
    /// What the approval permits.
    #[serde(default = "install")]
    pub action: Action,
    /// What the write of no return spends; none for the approval itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_key: Option<Sha256Digest>,
}

/// What every goal was before there were others.
const fn install() -> Action {
    Action::Install
}

impl Goal {
    /// What the write of no return spends (`protocol::decision::spent_key`).
    #[must_use]
    pub fn spends(&self) -> Sha256Digest {
        self.spent_key.unwrap_or(self.approval.sha256)
    }

    /// The action as the ledger says it: nothing for an installation by an approval of its own.
    #[must_use]
    pub const fn recorded_action(&self) -> Option<Action> {
        match self.action {
            Action::Install => None,
            Action::Rollback => Some(Action::Rollback),
            Action::Standing => Some(Action::Standing),
        }
    }
}

/// One activation, from its intent to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What the device is to become.
    pub goal: Goal,
    /// The slot in which it was begun.
    pub slot: Slot,
    /// What was settled before the write of no return.
    pub terms: Terms,
    /// Whether the write of no return was made.
    pub written: Written,
    /// Fingerprint of the device's settings after it.
    pub settings_after: Option<Sha256Digest>,
    /// How often the agent was restarted within it.
    pub recoveries: u32,
    /// Latest restart into the new image on the boot clock of the boot that the journal names, in
    /// milliseconds; 0 when an older agent did not say.
    #[serde(default)]
    pub start_by_boot_ms: u64,
}

/// Whether the write of no return was made. An approval is spent once it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Written {
    /// It is intended, and was not seen.
    NotSeen,
    /// It was made.
    Yes,
}

/// What is settled, from verified documents, before the write of no return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// What ran before; none when the agent could not tell.
    pub from: Option<ImageRef>,
    /// Who releases the device afterwards.
    pub acceptance: Acceptance,
    /// Lowest rank that may run once the new image stays.
    pub image_floor: Seq,
    /// Fingerprint of the device's settings before.
    pub settings_before: Option<Sha256Digest>,
    /// The person who is at the device and said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attended_by: Option<PersonId>,
}

/// Whether a person must release the device after its health checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acceptance {
    /// Health checks are enough.
    ByChecks,
    /// A named person releases it.
    ByPerson,
}

/// Where an update stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "name")]
pub enum State {
    /// Nothing is to be done.
    Idle,
    /// A verified approval and release concern this device.
    Approved {
        /// What is wanted.
        goal: Goal,
        /// Why fetching or staging did not succeed last time.
        blocked: Option<Reason>,
    },
    /// The image is being fetched and staged.
    Fetching {
        /// What is wanted.
        goal: Goal,
        /// What was last said about fetching it.
        blocked: Option<Reason>,
    },
    /// The image is staged and read back.
    Staged {
        /// What is wanted.
        goal: Goal,
    },
    /// It waits for slot, conditions and permit.
    Holding {
        /// What is wanted.
        goal: Goal,
        /// The reason to show.
        reason: Reason,
    },
    /// All held at one instant; everything is asked afresh.
    Preparing {
        /// What is wanted.
        goal: Goal,
        /// The open slot.
        slot: Slot,
        /// Latest start on the boot clock, in milliseconds, frozen when the slot was entered.
        start_by_boot_ms: u64,
    },
    /// All held again and the way back is ready; the last question before the write of no return.
    Armed {
        /// What is wanted.
        goal: Goal,
        /// The open slot.
        slot: Slot,
        /// Latest start on the boot clock, in milliseconds.
        start_by_boot_ms: u64,
    },
    /// The write of no return is intended, and perhaps made.
    Activating {
        /// The attempt.
        attempt: Attempt,
    },
    /// The restart is asked for, and perhaps made.
    Restarting {
        /// The attempt.
        attempt: Attempt,
    },
    /// The new image runs and is being checked.
    Trial {
        /// The attempt.
        attempt: Attempt,
    },
    /// A person must release the device.
    AwaitingAcceptance {
        /// The attempt.
        attempt: Attempt,
        /// Why a person is asked although neither maker nor hospital asked for one.
        #[serde(default)]
        reason: Option<Reason>,
    },
    /// The new image is good; it is being made to stay.
    Committed {
        /// The attempt.
        attempt: Attempt,
        /// The person who released the device, where one had to.
        accepted_by: Option<PersonId>,
    },
    /// Given up before anything changed; what was staged is being removed.
    Abandoned {
        /// What was wanted.
        goal: Goal,
        /// Why.
        reason: Reason,
    },
    /// Going back to the image before.
    RollingBack {
        /// The attempt.
        attempt: Attempt,
        /// Why.
        reason: Reason,
    },
    /// Back on the image before; what was staged is being removed.
    RolledBack {
        /// The attempt.
        attempt: Attempt,
        /// Why.
        reason: Reason,
    },
    /// A person must look. Stays until one says so.
    NeedsService {
        /// Why.
        reason: Reason,
        /// The image whose update led here.
        image: ImageRef,
    },
}

impl State {
    /// The name that polls and `status` show.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Approved { .. } => "approved",
            Self::Fetching { .. } => "fetching",
            Self::Staged { .. } => "staged",
            Self::Holding { .. } => "holding",
            Self::Preparing { .. } => "preparing",
            Self::Armed { .. } => "armed",
            Self::Activating { .. } => "activating",
            Self::Restarting { .. } => "restarting",
            Self::Trial { .. } => "trial",
            Self::AwaitingAcceptance { .. } => "awaiting-acceptance",
            Self::Committed { .. } => "committed",
            Self::Abandoned { .. } => "abandoned",
            Self::RollingBack { .. } => "rolling-back",
            Self::RolledBack { .. } => "rolled-back",
            Self::NeedsService { .. } => "needs-service",
        }
    }

    /// What is wanted, while it can still be given up or has been begun.
    #[must_use]
    pub const fn goal(&self) -> Option<&Goal> {
        match self {
            Self::Approved { goal, .. }
            | Self::Fetching { goal, .. }
            | Self::Staged { goal }
            | Self::Holding { goal, .. }
            | Self::Preparing { goal, .. }
            | Self::Armed { goal, .. }
            | Self::Abandoned { goal, .. } => Some(goal),
            Self::Activating { attempt }
            | Self::Restarting { attempt }
            | Self::Trial { attempt }
            | Self::AwaitingAcceptance { attempt, .. }
            | Self::Committed { attempt, .. }
            | Self::RollingBack { attempt, .. }
            | Self::RolledBack { attempt, .. } => Some(&attempt.goal),
            Self::Idle | Self::NeedsService { .. } => None,
        }
    }

    /// The attempt, from the intent of the write of no return on.
    #[must_use]
    pub const fn attempt(&self) -> Option<&Attempt> {
        match self {
            Self::Activating { attempt }
            | Self::Restarting { attempt }
            | Self::Trial { attempt }
            | Self::AwaitingAcceptance { attempt, .. }
            | Self::Committed { attempt, .. }
            | Self::RollingBack { attempt, .. }
            | Self::RolledBack { attempt, .. } => Some(attempt),
            Self::Idle
            | Self::Approved { .. }
            | Self::Fetching { .. }
            | Self::Staged { .. }
            | Self::Holding { .. }
            | Self::Preparing { .. }
            | Self::Armed { .. }
            | Self::Abandoned { .. }
            | Self::NeedsService { .. } => None,
        }
    }

    /// Why it waits or failed, where the state says so.
    #[must_use]
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Approved { blocked: reason, .. }
            | Self::Fetching { blocked: reason, .. }
            | Self::AwaitingAcceptance { reason, .. } => *reason,
            Self::Holding { reason, .. }
            | Self::Abandoned { reason, .. }
            | Self::RollingBack { reason, .. }
            | Self::RolledBack { reason, .. }
            | Self::NeedsService { reason, .. } => Some(*reason),
            Self::Idle
            | Self::Staged { .. }
            | Self::Preparing { .. }
            | Self::Armed { .. }
            | Self::Activating { .. }
            | Self::Restarting { .. }
            | Self::Trial { .. }
            | Self::Committed { .. } => None,
        }
    }

    /// Where the machine rests until something from outside comes, and what that may be.
    #[must_use]
    pub const fn rest(&self) -> Resting<'_> {
        match self {
            Self::Idle => Resting::Idle,
            Self::Approved { goal, .. } => Resting::BeforeFetching(goal),
            Self::Staged { goal } | Self::Holding { goal, .. } => Resting::BeforeStart(goal),
            Self::AwaitingAcceptance { .. } => Resting::Acceptance,
            Self::NeedsService { .. } => Resting::Service,
            Self::Fetching { .. }
            | Self::Preparing { .. }
            | Self::Armed { .. }
            | Self::Activating { .. }
            | Self::Restarting { .. }
            | Self::Trial { .. }
            | Self::Committed { .. }
            | Self::Abandoned { .. }
            | Self::RollingBack { .. }
            | Self::RolledBack { .. } => Resting::Nowhere,
        }
    }
}

/// Where the machine rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resting<'a> {
    /// Nothing is wanted.
    Idle,
    /// What is wanted is fetched when it is time.
    BeforeFetching(&'a Goal),
    /// What is wanted is staged and waits for its moment.
    BeforeStart(&'a Goal),
    /// A person releases the device, or does not.
    Acceptance,
    /// A person looks after the device.
    Service,
    /// It never rests here: an effect is under way, or was when the agent stopped.
    Nowhere,
}
