//! The exec probe: a program that says whether the device is in use.
//!
//! Exit 0 = free, 1 = in use; every other code, a signal, silence, and a program that cannot be
//! started count as in use. "Free" must be heard again and again without a break before the device
//! counts as settled. Invariant: an answer counts from the moment of the question.

use crate::child::{self, After, Argv, Ended, RunError};
use patchward_protocol::decision::Interlock as Heard;
use std::time::Duration;

/// A probe, and since when it says free.
#[derive(Debug)]
pub(super) struct Probe {
    argv: Argv,
    limit: Duration,
    row: Row,
}

/// An unbroken row of answers "free".
#[derive(Debug)]
pub(super) struct Row {
    gap_ms_max: u64,
    free: Option<Free>,
}

#[derive(Debug, Clone, Copy)]
struct Free {
    since_boot_ms: u64,
    last_boot_ms: u64,
}

impl Probe {
    pub(super) fn new(argv: Argv, limit: Duration, every: Duration) -> Self {
        // Two questions may lie so far apart that one answer in between is late, and no further.
        let gap = every.saturating_mul(2).saturating_add(limit);
        let gap_ms_max = u64::try_from(gap.as_millis()).unwrap_or(u64::MAX);
        Self { argv, limit, row: Row { gap_ms_max, free: None } }
    }

    /// Asks once.
    pub(super) async fn ask(&mut self, asked_boot_ms: u64) -> (Heard, String) {
        let ended = child::run(&self.argv, self.limit, After::KillChildren).await;
        let (heard, detail) = match said(&ended) {
            Said::Free => {
                let for_s = self.row.free_for_s(asked_boot_ms);
                return (Heard::Free { for_s }, "free".to_owned());
            }
            Said::InUse => (Heard::InUse, "in use".to_owned()),
            Said::Nothing(detail) => (Heard::Silent, detail),
        };
        self.row.free = None;
        (heard, detail)
    }
}

impl Row {
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
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn free_time_is_never_longer_than_the_time_since_the_last_hole(
            steps in prop::collection::vec(0_u64..40_000, 1..50),
        ) {
            let mut row = Row { gap_ms_max: 15_000, free: None };
            let (mut now, mut since) = (0, 0);
            for step in steps {
                now += step;
                if step > row.gap_ms_max {
                    since = now;
                }
                prop_assert!(row.free_for_s(now) <= (now - since) / 1000);
            }
        }
    }
}
