//! Numbers of deltas, for whoever runs the server.
//!
//! Counted from the database now and then, so that every server tells the same. Not here: names of
//! families. Invariant: reading a [`Tally`] costs nothing.

use crate::db::{Connection, DbError, delta, delta_use};
use patchward_protocol::api::delta::DeltaState;
use serde::Serialize;

/// How many deltas are how far, and what they cost and spare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Pairs that wait for their turn.
    pub queued: u64,
    /// Pairs that are being built.
    pub building: u64,
    /// Deltas that are offered.
    pub published: u64,
    /// Pairs that were given up.
    pub failed: u64,
    /// Pairs that would take more than the budget.
    pub over_budget: u64,
    /// Deltas that were not worth their place.
    pub too_large: u64,
    /// Processor time of the offered ones, in seconds.
    pub cpu_s: u64,
    /// Length of the offered ones, in bytes.
    pub bytes: u64,
    /// Bytes that devices did not fetch, as of the images that they staged last.
    pub saved_bytes: u64,
}

impl Tally {
    /// Counts.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn of(conn: &mut Connection) -> Result<Self, DbError> {
        let mut tally = Self::default();
        for (state, number) in delta::counts(conn)? {
            match state {
                DeltaState::Queued => tally.queued = number,
                DeltaState::Building => tally.building = number,
                DeltaState::Published => tally.published = number,
                DeltaState::Failed => tally.failed = number,
                DeltaState::OverBudget => tally.over_budget = number,
                DeltaState::TooLarge => tally.too_large = number,
                DeltaState::BaseUnknown | DeltaState::Retired => {}
            }
        }
        let mut cpu_ms = 0_u64;
        for outcome in delta::published(conn)? {
            cpu_ms = cpu_ms.saturating_add(outcome.cpu_ms.unwrap_or(0));
            tally.bytes = tally.bytes.saturating_add(outcome.bytes.unwrap_or(0));
        }
        tally.cpu_s = cpu_ms / 1000;
        // A device may have fetched more than the full file: resumed, wasted. That spares nothing.
        tally.saved_bytes = u64::try_from(delta_use::saved_bytes(conn)?).unwrap_or(0);
        Ok(tally)
    }
}
