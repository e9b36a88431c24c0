//! The clinical interlock: a program that says whether the device is in use. It fails closed.
//!
//! Exit 0 = free, 1 = in use; every other code, a signal, silence, and a program that cannot be
//! started count as in use. "Free" must be heard again and again without a break before the device
//! counts as settled. Nothing configured = no lease, unless the configuration says why none is needed.
//! Not here: the decision. Invariant: a [`Lease`] comes only from an answer "free" (or from that
//! stated reason), and lives [`LEASE_MS`] from the moment of the question.

use crate::child::{self, After, Argv, Ended, RunError};
use crate::config::{Clinical, InterlockSource};
use crate::edge::Clock;
use patchward_protocol::decision::Interlock as Heard;
use patchward_protocol::ledger::ClinicalState;
use std::time::Duration;

/// How long an answer "free" is good for, in milliseconds on the boot clock.
pub const LEASE_MS: u64 = 15_000;

/// Asks the configured interlock and remembers since when it says free.
#[derive(Debug)]
pub struct Interlock<C> {
    source: InterlockSource,
    limit: Duration,
    settle_s_min: u64,
    gap_ms_max: u64,
    clock: C,
    free: Option<Free>,
}

/// An unbroken row of answers "free".
#[derive(Debug, Clone, Copy)]
struct Free {
    since_boot_ms: u64,
    last_boot_ms: u64,
}

/// A short-lived word that the device is free. It cannot be made by hand.
#[derive(Debug, PartialEq, Eq)]
pub struct Lease {
    until_boot_ms: u64,
}

/// What the interlock said, to one question.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    heard: Heard,
    lease: Option<Lease>,
    settle_s_min: u64,
    detail: String,
}

impl Lease {
    /// End of the lease on the boot clock, in milliseconds.
    #[must_use]
    pub const fn until_boot_ms(&self) -> u64 {
        self.until_boot_ms
    }

    /// Whether it still holds.
    #[must_use]
    pub const fn holds(&self, boot_ms: u64) -> bool {
        boot_ms < self.until_boot_ms
    }
}

impl Answer {
    /// What the decision is told.
    #[must_use]
    pub const fn interlock(&self) -> Heard {
        self.heard
    }

    /// The lease, where the answer gives one.
    #[must_use]
    pub const fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// Least time that the configuration wants the device to be free, in seconds.
    #[must_use]
    pub const fn settle_s_min(&self) -> u64 {
        self.settle_s_min
    }

    /// Technical detail in English, for `why`, ledger and log.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What the ledger says of it.
    #[must_use]
    pub const fn clinical_state(&self) -> ClinicalState {
        match self.heard {
            Heard::Free { .. } => ClinicalState::Idle,
            Heard::InUse => ClinicalState::InUse,
            Heard::Silent | Heard::NobodyHere | Heard::Missing => ClinicalState::Unknown,
            Heard::NotNeeded => ClinicalState::NotNeeded,
        }
    }
}

impl<C: Clock> Interlock<C> {
    /// The interlock of a configuration; `settle` is the least time without a break.
    pub fn new(clinical: &Clinical, settle: Duration, clock: C) -> Self {
        // Two questions may lie so far apart that one answer in between is late, and no further.
        let gap = clinical.probe_every.saturating_mul(2).saturating_add(clinical.probe_limit);
        Self {
            source: clinical.interlock.clone(),
            limit: clinical.probe_limit,
            settle_s_min: settle.as_secs(),
            gap_ms_max: u64::try_from(gap.as_millis()).unwrap_or(u64::MAX),
            clock,
            free: None,
        }
    }

    /// Asks once. While an update waits, ask every `clinical.probe_every_s`, or the device never
    /// counts as settled.
    pub async fn ask(&mut self) -> Answer {
        let asked_boot_ms = self.clock.boot_ms();
        match self.source.clone() {
            InterlockSource::Missing => self.answer(Heard::Missing, None, "none is configured"),
            InterlockSource::NoneBecause(reason) => {
                let lease = Lease { until_boot_ms: asked_boot_ms.saturating_add(LEASE_MS) };
                self.answer(Heard::NotNeeded, Some(lease), &reason)
            }
            InterlockSource::Probe(argv) => self.probe(&argv, asked_boot_ms).await,
        }
    }

    async fn probe(&mut self, argv: &Argv, asked_boot_ms: u64) -> Answer {
        let ended = child::run(argv, self.limit, After::KillChildren).await;
        match said(&ended) {
            Said::Free => {
                let for_s = self.free_for_s(asked_boot_ms);
                let lease = Lease { until_boot_ms: asked_boot_ms.saturating_add(LEASE_MS) };
                self.answer(Heard::Free { for_s }, Some(lease), "free")
            }
            Said::InUse => {
                self.free = None;
                self.answer(Heard::InUse, None, "in use")
            }
            Said::Nothing(detail) => {
                self.free = None;
                self.answer(Heard::Silent, None, &detail)
            }
        }
    }

    /// Since when it says free; a row with a hole begins anew.
    fn free_for_s(&mut self, asked_boot_ms: u64) -> u64 {
        let unbroken = |free: &Free| {
            asked_boot_ms >= free.last_boot_ms
                && asked_boot_ms - free.last_boot_ms <= self.gap_ms_max
        };
        let since_boot_ms =
            self.free.filter(unbroken).map_or(asked_boot_ms, |free| free.since_boot_ms);
        self.free = Some(Free { since_boot_ms, last_boot_ms: asked_boot_ms });
        asked_boot_ms.saturating_sub(since_boot_ms) / 1000
    }

    fn answer(&self, heard: Heard, lease: Option<Lease>, detail: &str) -> Answer {
        Answer { heard, lease, settle_s_min: self.settle_s_min, detail: detail.to_owned() }
    }
}

enum Said {
    Free,
    InUse,
    Nothing(String),
}

fn said(ended: &Result<Ended, RunError>) -> Said {
    match ended {
        Ok(ended) => match ended.status.code() {
            Some(0) => Said::Free,
            Some(1) => Said::InUse,
            _ => Said::Nothing(format!("{}: {}", ended.status, ended.last_words())),
        },
        Err(error) => Said::Nothing(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::samples::Hand;
    use proptest::prelude::*;

    fn interlock(source: InterlockSource) -> (Interlock<Hand>, Hand) {
        let mut clinical = Config::parse(crate::config::EXAMPLE).unwrap().clinical;
        clinical.interlock = source;
        clinical.probe_limit = Duration::from_secs(5);
        clinical.probe_every = Duration::from_secs(5);
        let hand = Hand::default();
        (Interlock::new(&clinical, Duration::from_secs(60), hand.clone()), hand)
    }

    fn script(text: &str) -> InterlockSource {
        let argv = vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()];
        InterlockSource::Probe(Argv::new(argv).unwrap())
    }

    async fn ask(text: &str) -> Answer {
        let (mut lock, _) = interlock(script(text));
        lock.limit = crate::child::tests::limit_for(text);
        lock.ask().await
    }

    #[tokio::test]
    async fn only_exit_0_is_free_and_only_exit_1_is_said_to_be_in_use() {
        for code in 0..=255 {
            let answer = ask(&format!("exit {code}")).await;
            let (heard, leased) = match code {
                0 => (Heard::Free { for_s: 0 }, true),
                1 => (Heard::InUse, false),
                _ => (Heard::Silent, false),
            };
            assert_eq!((answer.interlock(), answer.lease().is_some()), (heard, leased), "{code}");
        }
    }

    #[tokio::test]
    async fn signals_silence_and_a_missing_program_count_as_in_use() {
        for text in ["kill -9 $$", "kill -15 $$", "kill -11 $$", "sleep 60", "exec /nonexistent"] {
            let answer = ask(text).await;
            assert_eq!((answer.interlock(), answer.lease()), (Heard::Silent, None), "{text}");
            assert_eq!(answer.clinical_state(), ClinicalState::Unknown);
        }
        let missing = InterlockSource::Probe(Argv::new(vec!["/nonexistent".into()]).unwrap());
        assert_eq!(interlock(missing).0.ask().await.interlock(), Heard::Silent);
    }

    #[tokio::test]
    async fn nothing_configured_gives_no_lease_and_a_stated_reason_gives_one() {
        let answer = interlock(InterlockSource::Missing).0.ask().await;
        assert_eq!((answer.interlock(), answer.lease()), (Heard::Missing, None));
        let reason = InterlockSource::NoneBecause("laboratory".into());
        let answer = interlock(reason).0.ask().await;
        assert_eq!(answer.interlock(), Heard::NotNeeded);
        assert_eq!((answer.lease().is_some(), answer.detail()), (true, "laboratory"));
    }

    #[tokio::test]
    async fn free_counts_from_the_first_answer_of_an_unbroken_row() {
        let (mut lock, hand) = interlock(script("exit 0"));
        for seconds in [0, 5, 10, 15] {
            assert_eq!(lock.ask().await.interlock(), Heard::Free { for_s: seconds });
            hand.forward(5000);
        }
        hand.forward(60_000);
        let after_a_hole = lock.ask().await.interlock();
        assert_eq!(after_a_hole, Heard::Free { for_s: 0 }, "nobody watched in between");
    }

    #[tokio::test]
    async fn one_other_answer_begins_the_row_anew() {
        let folder = tempfile::tempdir().unwrap();
        let busy = folder.path().join("busy");
        let (mut lock, hand) = interlock(script(&format!("test ! -e {}", busy.display())));
        lock.ask().await;
        hand.forward(5000);
        std::fs::File::create(&busy).unwrap();
        assert_eq!(lock.ask().await.interlock(), Heard::InUse);
        std::fs::remove_file(&busy).unwrap();
        hand.forward(5000);
        assert_eq!(lock.ask().await.interlock(), Heard::Free { for_s: 0 });
    }

    #[tokio::test]
    async fn a_lease_counts_from_the_question_and_ends() {
        let (mut lock, hand) = interlock(script("exit 0"));
        hand.forward(1000);
        let answer = lock.ask().await;
        let lease = answer.lease().unwrap();
        assert!(lease.holds(1000 + LEASE_MS - 1));
        assert!(!lease.holds(1000 + LEASE_MS));
    }

    proptest! {
        #[test]
        fn free_time_is_never_longer_than_the_time_since_the_last_hole(
            steps in prop::collection::vec(0_u64..40_000, 1..50),
        ) {
            let (mut lock, hand) = interlock(InterlockSource::Missing);
            let mut since = 0;
            for step in steps {
                hand.forward(step);
                if step > lock.gap_ms_max {
                    since = hand.boot_ms();
                }
                prop_assert!(lock.free_for_s(hand.boot_ms()) <= (hand.boot_ms() - since) / 1000);
            }
        }
    }
}
