//! How long to wait after failed attempts to sign in. Pure.
//!
//! Guessing makes the next try slower, never impossible: a nurse who must reach STOP waits minutes at
//! the most, and not at all in a browser that she has signed in with before, because that one has a
//! count of its own that nobody else can raise. Not here: rows ([`crate::db::login_try`]).
//! Invariant: a try is counted before it is looked at, so that a thousand at once are a thousand.

use patchward_protocol::time::Timestamp;

/// A failure is forgotten each so many seconds without a try: ten minutes.
const FORGET_S: i64 = 600;
/// Rows older than this, in seconds, say nothing any more: a day.
pub const KEPT_S: i64 = 24 * 3600;

/// Tries that have failed in a row, in one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// How many.
    pub failures: u64,
    /// When the last one was.
    pub last: Timestamp,
}

/// How strict a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// So many failures cost nothing.
    pub free: u64,
    /// Longest wait, in seconds.
    pub wait_s_max: i64,
}

/// For one account, and for one browser that is known.
pub const ACCOUNT: Rule = Rule { free: 5, wait_s_max: 900 };
/// For one address, which a whole hospital may share.
pub const ADDRESS: Rule = Rule { free: 50, wait_s_max: 60 };

impl Default for Tries {
    fn default() -> Self {
        Self { failures: 0, last: Timestamp::EPOCH }
    }
}

impl Tries {
    /// What is still remembered at an instant.
    #[must_use]
    pub fn at(self, at: Timestamp) -> Self {
        let quiet_s = at.millis_since(self.last).max(0) / 1000;
        let forgotten = u64::try_from(quiet_s / FORGET_S).unwrap_or(0);
        Self { failures: self.failures.saturating_sub(forgotten), last: self.last }
    }

    /// For how many seconds more nothing may be tried; 0 when now is fine.
    #[must_use]
    pub fn wait_s(self, rule: Rule, at: Timestamp) -> i64 {
        let since_s = at.millis_since(self.last).max(0) / 1000;
        self.at(at).delay_s(rule).saturating_sub(since_s).max(0)
    }

    /// The same for a clock that was set back: a try in what is now the future was now. Else the wait
    /// would stand still until that day.
    #[must_use]
    pub fn not_after(self, at: Timestamp) -> Self {
        Self { last: self.last.min(at), ..self }
    }

    /// With one try more.
    #[must_use]
    pub fn tried(self, at: Timestamp) -> Self {
        Self { failures: self.at(at).failures.saturating_add(1), last: at }
    }

    /// With the last try taken back: it was no failure.
    #[must_use]
    pub const fn untried(self) -> Self {
        Self { failures: self.failures.saturating_sub(1), last: self.last }
    }

    fn delay_s(self, rule: Rule) -> i64 {
        let Some(over) = self.failures.checked_sub(rule.free) else { return 0 };
        let doubled = u32::try_from(over).ok().and_then(|over| 1_i64.checked_shl(over));
        doubled.filter(|s| *s > 0).map_or(rule.wait_s_max, |s| s.min(rule.wait_s_max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn five_failures_are_free_and_then_the_wait_doubles() {
        let mut tries = Tries::default();
        let mut waits = Vec::new();
        for _ in 0..9 {
            waits.push(tries.wait_s(ACCOUNT, at(100)));
            tries = tries.tried(at(100));
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8]);
    }

    #[test]
    fn a_success_in_between_takes_its_own_try_back_only() {
        let tries = Tries { failures: 6, last: at(1) };
        assert_eq!(tries.tried(at(2)).untried().failures, 6);
    }

    proptest! {
        #[test]
        fn nobody_is_kept_out_for_longer_than_the_rule_says(
            failures in 0_u64..u64::MAX, last in 0_i64..4_000_000_000, later in 0_i64..10_000_000,
        ) {
            for rule in [ACCOUNT, ADDRESS] {
                let tries = Tries { failures, last: at(last) };
                prop_assert!(tries.wait_s(rule, at(last)) <= rule.wait_s_max);
                prop_assert_eq!(tries.wait_s(rule, at(last + rule.wait_s_max)), 0);
                prop_assert!(tries.wait_s(rule, at(last + later)) <= tries.wait_s(rule, at(last)));
            }
        }

        #[test]
        fn one_failure_more_never_shortens_the_wait(failures in 0_u64..100, last in 0_i64..4_000_000_000) {
            let less = Tries { failures, last: at(last) };
            let more = Tries { failures: failures + 1, last: at(last) };
            prop_assert!(less.wait_s(ACCOUNT, at(last)) <= more.wait_s(ACCOUNT, at(last)));
        }

        #[test]
        fn a_clock_that_runs_backwards_opens_nothing_and_breaks_nothing(
            failures in 5_u64..100, last in 1_000_i64..4_000_000_000, back in 1_i64..1_000,
        ) {
            let tries = Tries { failures, last: at(last) };
            prop_assert_eq!(tries.wait_s(ACCOUNT, at(last - back)), tries.wait_s(ACCOUNT, at(last)));
        }

        #[test]
        fn a_wait_of_a_clock_that_ran_ahead_ends_within_the_longest_wait(
            failures in 5_u64..100, last in 1_000_000_i64..4_000_000_000, back in 1_i64..1_000_000,
        ) {
            let now = last - back;
            let tries = Tries { failures, last: at(last) }.not_after(at(now));
            prop_assert!(tries.wait_s(ACCOUNT, at(now)) > 0, "nothing is forgotten");
            prop_assert_eq!(tries.wait_s(ACCOUNT, at(now + ACCOUNT.wait_s_max)), 0);
        }

        #[test]
        fn a_day_of_guessing_gives_few_guesses(start in 0_i64..1_000_000) {
            let (mut tries, mut now, mut guesses) = (Tries::default(), start, 0);
            while now < start + 86_400 {
                now += tries.wait_s(ACCOUNT, at(now));
                tries = tries.tried(at(now));
                guesses += 1;
            }
            prop_assert!(guesses < 200, "{}", guesses);
        }
    }
}
