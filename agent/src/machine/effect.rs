//! What the machine asks its driver to do, one thing at a time.
//!
//! The intent is durable before an effect begins, and every effect is idempotent: it may be asked
//! for again after a crash, and losing "done" is harmless.

use super::state::{Attempt, Goal};

/// One thing to do. The driver answers each with an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Fetch the image, stage it, read it back. Answers `Staged` or `StageFailed`.
    Stage {
        /// What is wanted.
        goal: Goal,
    },
    /// Ask the server, the interlock and the clock afresh, and read the staged image's state.
    /// Answers `Go`, `Blocked`, `StageLost` or `Withdrawn`.
    AskAgain {
        /// What is wanted.
        goal: Goal,
    },
    /// Make the way back ready, then ask the gate a last time without the network. Answers `Go`,
    /// `Blocked`, `StageLost` or `Withdrawn`.
    Arm {
        /// What is wanted.
        goal: Goal,
    },
    /// The write of no return. Answers `Activated` or `ActivationFailed`.
    Activate {
        /// The attempt.
        attempt: Attempt,
    },
    /// Restart into the new image. Answers `Restarted` or `RestartFailed`; or the machine goes down
    /// and recovery answers.
    Restart {
        /// The attempt.
        attempt: Attempt,
    },
    /// Check the new image. Answers `Healthy` or `Unhealthy`.
    CheckHealth {
        /// The attempt.
        attempt: Attempt,
    },
    /// Make the new image stay, raise the floors. Answers `Kept` or `KeepFailed`.
    Keep {
        /// The attempt.
        attempt: Attempt,
    },
    /// Make the image before run again. Answers `WentBack` or `GoingBackFailed`; or the machine
    /// goes down and recovery answers.
    GoBack {
        /// The attempt.
        attempt: Attempt,
    },
    /// Remove what was staged. Answers `Discarded`, whatever could be removed.
    Discard {
        /// What is no longer wanted.
        goal: Goal,
    },
}

impl Effect {
    /// Its name, for the log.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Stage { .. } => "stage",
            Self::AskAgain { .. } => "ask-again",
            Self::Arm { .. } => "arm",
            Self::Activate { .. } => "activate",
            Self::Restart { .. } => "restart",
            Self::CheckHealth { .. } => "check-health",
            Self::Keep { .. } => "keep",
            Self::GoBack { .. } => "go-back",
            Self::Discard { .. } => "discard",
        }
    }
}
