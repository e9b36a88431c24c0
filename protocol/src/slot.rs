//! Slots: concrete intervals of UTC in which a hospital lets a device be disturbed.
//!
//! The device needs no time zones and no rule language. Not here: how people's windows become
//! slots. Invariant: a slot starts before it ends and lasts at most a day.

use crate::limits::{SLOT_RESERVE_S, SLOT_S_MAX};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A half-open interval `[start, end)`. As JSON: `["2026-12-05T04:30:00Z", "2026-12-05T06:30:00Z"]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "(Timestamp, Timestamp)", try_from = "(Timestamp, Timestamp)")]
pub struct Slot {
    start: Timestamp,
    end: Timestamp,
}

/// Why two instants are no slot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSlot {
    /// It ends before or when it starts.
    #[error("the slot starts at {start} and ends at {end}, which is not later")]
    Empty {
        /// Start.
        start: Timestamp,
        /// End.
        end: Timestamp,
    },
    /// It is longer than a day.
    #[error("the slot lasts {length_s} s, the most is {SLOT_S_MAX} s")]
    TooLong {
        /// Its length in seconds.
        length_s: i64,
    },
}

impl Slot {
    /// From start (in it) to end (not in it).
    ///
    /// # Errors
    /// [`BadSlot`].
    pub fn new(start: Timestamp, end: Timestamp) -> Result<Self, BadSlot> {
        let length_ms = end.millis_since(start);
        if length_ms <= 0 {
            return Err(BadSlot::Empty { start, end });
        }
        if length_ms > SLOT_S_MAX * 1000 {
            return Err(BadSlot::TooLong { length_s: length_ms / 1000 });
        }
        Ok(Self { start, end })
    }

    /// First instant in the slot.
    #[must_use]
    pub const fn start(&self) -> Timestamp {
        self.start
    }

    /// First instant after the slot.
    #[must_use]
    pub const fn end(&self) -> Timestamp {
        self.end
    }

    /// Whether `at` lies in the slot.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }

    /// Milliseconds left in the slot at `at`; nothing when `at` is outside.
    #[must_use]
    pub fn rest_ms(&self, at: Timestamp) -> Option<u64> {
        if self.contains(at) { u64::try_from(self.end.millis_since(at)).ok() } else { None }
    }

    /// Whether work of at most `worst_s` seconds still fits at `at`, with the reserve kept free.
    ///
    /// `reserve_s` is [`SLOT_RESERVE_S`] unless a test or demo says otherwise.
    #[must_use]
    pub fn fits(&self, at: Timestamp, worst_s: u64, reserve_s: u64) -> bool {
        let need_ms = worst_s.saturating_add(reserve_s).saturating_mul(1000);
        self.rest_ms(at).is_some_and(|rest_ms| rest_ms >= need_ms)
    }

    /// The reserve of the design.
    pub const RESERVE_S: u64 = SLOT_RESERVE_S;
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.start, self.end)
    }
}

impl TryFrom<(Timestamp, Timestamp)> for Slot {
    type Error = BadSlot;

    fn try_from((start, end): (Timestamp, Timestamp)) -> Result<Self, BadSlot> {
        Self::new(start, end)
    }
}

impl From<Slot> for (Timestamp, Timestamp) {
    fn from(slot: Slot) -> Self {
        (slot.start, slot.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn empty_and_overlong_slots_are_refused() {
        let (one, two) = (at("2026-12-05T04:00:00Z"), at("2026-12-06T04:00:01Z"));
        assert!(matches!(Slot::new(one, one), Err(BadSlot::Empty { .. })));
        assert!(matches!(Slot::new(two, one), Err(BadSlot::Empty { .. })));
        assert!(matches!(Slot::new(one, two), Err(BadSlot::TooLong { .. })));
    }

    #[test]
    fn a_slot_holds_its_start_and_not_its_end() {
        let slot = Slot::new(at("2026-12-05T04:00:00Z"), at("2026-12-05T06:00:00Z")).unwrap();
        assert!(slot.contains(slot.start()));
        assert!(!slot.contains(slot.end()));
        assert!(!slot.contains(slot.start().plus_millis(-1)));
    }

    #[test]
    fn work_must_fit_in_the_rest_to_the_millisecond() {
        let slot = Slot::new(at("2026-12-05T04:00:00Z"), at("2026-12-05T04:10:00Z")).unwrap();
        assert!(slot.fits(slot.start(), 480, 120));
        assert!(!slot.fits(slot.start().plus_millis(1), 480, 120));
        assert!(!slot.fits(slot.end(), 0, 0));
        assert!(!slot.fits(slot.start(), u64::MAX, 120));
    }
}
