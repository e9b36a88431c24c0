//! Waits between contacts that fail: decorrelated jitter, so that a herd does not come back at once.

use crate::edge::Rng;
use std::time::Duration;

/// Waits, each at random between the first and three times the one before.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    first_ms: u64,
    longest_ms: u64,
    last_ms: u64,
}

impl Backoff {
    /// Waits between `first` and `longest`.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        let (first_ms, longest_ms) = (millis(first).max(1), millis(longest));
        Self { first_ms, longest_ms: longest_ms.max(first_ms), last_ms: first_ms }
    }

    /// The next wait, in milliseconds.
    pub fn next_ms(&mut self, rng: &mut impl Rng) -> u64 {
        let most = self.last_ms.saturating_mul(3).min(self.longest_ms);
        self.last_ms = between(self.first_ms, most.max(self.first_ms), rng);
        self.last_ms
    }

    /// A contact succeeded.
    pub const fn reset(&mut self) {
        self.last_ms = self.first_ms;
    }
}

/// A duration in whole milliseconds.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// At random from `least` to `most`, both possible.
#[must_use]
pub fn between(least: u64, most: u64, rng: &mut impl Rng) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = rng.sixteen();
    let draw = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    let width = most.saturating_sub(least).saturating_add(1);
    least.saturating_add(draw.checked_rem(width).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MachineRng;

    #[test]
    fn waits_grow_up_to_the_longest_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(60));
        let waits: Vec<u64> = (0..200).map(|_| backoff.next_ms(&mut MachineRng)).collect();
        assert!(waits.iter().all(|ms| (5_000..=60_000).contains(ms)));
        assert!(waits.iter().any(|ms| *ms > 20_000));
        backoff.reset();
        assert!(backoff.next_ms(&mut MachineRng) <= 15_000);
    }
}
