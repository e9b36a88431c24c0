//! The boot loader, as far as A/B slots need it.
//!
//! Not here: what stands in a slot. Invariant: an answer that is not understood is an error, never a
//! slot.

pub mod exec;

use crate::edge::{Failure, Restart};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One of the two slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Slot {
    /// The first.
    A,
    /// The second.
    B,
}

impl Slot {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

/// Which slot runs, and which will. Every change is durable when it returns, and may be repeated.
pub trait Boot {
    /// The slot that runs.
    fn current(&mut self) -> impl Future<Output = Result<Slot, Failure>>;

    /// The slot that the next start begins with.
    fn primary(&mut self) -> impl Future<Output = Result<Slot, Failure>>;

    /// Makes the next start begin with this slot: on trial, until it is marked good. The boot
    /// loader falls back to the other one when it does not come up.
    fn set_primary(&mut self, slot: Slot) -> impl Future<Output = Result<(), Failure>>;

    /// This slot works.
    fn mark_good(&mut self, slot: Slot) -> impl Future<Output = Result<(), Failure>>;

    /// This slot must not be started.
    fn mark_bad(&mut self, slot: Slot) -> impl Future<Output = Result<(), Failure>>;

    /// Restarts the machine.
    fn restart(&mut self) -> impl Future<Output = Result<Restart, Failure>>;
}
