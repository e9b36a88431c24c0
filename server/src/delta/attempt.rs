//! How a pair is tried: with which index, and what follows when a try ends. Pure.
//!
//! A suffix array gives the smallest deltas and takes the most memory; the sampled index takes less than
//! half; beyond that there is no delta. Not here: processes. Invariant: a pair that ends a worker again
//! and again is given up after [`TRIES_MAX`], with the detail of the last time.

use patchward_protocol::delta::build::{BSDIFF_BYTES_MAX, Index};

/// How often a pair is tried before it is given up.
pub const TRIES_MAX: u64 = 3;

/// The version of this program: what one gave up, another may build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Memory that every build takes beside the old image and its index, in bytes: the program, windows and
/// packers.
const BESIDE_BYTES: u64 = 64 * 1024 * 1024;
/// Memory that each thread adds, in bytes.
const THREAD_BYTES: u64 = 32 * 1024 * 1024;
/// Address space that is claimed and not used, in bytes: libraries, stacks, spare arenas.
const SPARE_ADDRESS_BYTES: u64 = 256 * 1024 * 1024;

/// What a build may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Most memory, in bytes.
    pub memory_bytes: u64,
    /// Most time of one step, by the clock on the wall, in seconds.
    pub time_s: u64,
    /// Threads.
    pub threads: u32,
}

/// How a step of a worker ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended<T> {
    /// With an answer.
    Done(T),
    /// It asked for more memory than it may have.
    Memory,
    /// It took longer than it may.
    Time,
    /// It said why it failed, or it ended in a way that says nothing of budgets.
    Failed(String),
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next<T> {
    /// What was made is looked at.
    Take(T),
    /// The same with a smaller index.
    With(Index),
    /// There is no delta within the budget.
    OverBudget(String),
    /// Another time, or never when it was tried often enough.
    Failed(String),
}

/// Memory that building with an index takes, in bytes, as measured (docs/decisions/0010).
#[must_use]
pub fn memory_bytes(index: Index, old_len: u64, threads: u32) -> u64 {
    let old = match index {
        Index::SuffixArray => old_len.saturating_mul(13) / 2,
        Index::Sampled => old_len.saturating_mul(5) / 2,
    };
    let small = if old_len <= BSDIFF_BYTES_MAX { old_len.saturating_mul(19) } else { 0 };
    let beside = THREAD_BYTES.saturating_mul(u64::from(threads)).saturating_add(BESIDE_BYTES);
    old.saturating_add(small).saturating_add(beside)
}

/// Address space that a worker may claim with an index, in bytes.
#[must_use]
pub fn address_bytes(index: Index, old_len: u64, budget: &Budget) -> u64 {
    memory_bytes(index, old_len, budget.threads).saturating_add(SPARE_ADDRESS_BYTES)
}

/// The index that is tried first; none when even the smallest goes beyond the budget.
#[must_use]
pub fn admitted(old_len: u64, budget: &Budget) -> Option<Index> {
    [Index::SuffixArray, Index::Sampled].into_iter().find(|index| fits(*index, old_len, budget))
}

fn fits(index: Index, old_len: u64, budget: &Budget) -> bool {
    memory_bytes(index, old_len, budget.threads) <= budget.memory_bytes
}

/// What follows when building with `index` has ended so.
#[must_use]
pub fn next<T>(index: Index, ended: Ended<T>) -> Next<T> {
    let missed = |what: &str| match index {
        Index::SuffixArray => Next::With(Index::Sampled),
        Index::Sampled => Next::OverBudget(format!("more {what} than the budget with any index")),
    };
    match ended {
        Ended::Done(made) => Next::Take(made),
        Ended::Memory => missed("memory"),
        Ended::Time => missed("time"),
        Ended::Failed(detail) => Next::Failed(detail),
    }
}

/// Whether a pair that failed is tried again.
#[must_use]
pub const fn is_tried_again(tries: u64) -> bool {
    tries < TRIES_MAX
}

/// Whether a delta is small enough to be worth its place: at most `worth_permille` of the full file.
#[must_use]
pub fn is_worth_it(delta_bytes: u64, full_bytes: u64, worth_permille: u32) -> bool {
    u128::from(delta_bytes) * 1000 <= u128::from(full_bytes) * u128::from(worth_permille)
}

/// The name of an index, as people read it.
#[must_use]
pub const fn name(index: Index) -> &'static str {
    match index {
        Index::SuffixArray => "suffix-array",
        Index::Sampled => "sampled",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1024 * 1024;

    fn budget(memory_bytes: u64) -> Budget {
        Budget { memory_bytes, time_s: 60, threads: 1 }
    }

    #[test]
    fn a_smaller_budget_takes_a_smaller_index_and_then_none() {
        assert_eq!(admitted(200 * MIB, &budget(2048 * MIB)), Some(Index::SuffixArray));
        assert_eq!(admitted(200 * MIB, &budget(1024 * MIB)), Some(Index::Sampled));
        assert_eq!(admitted(200 * MIB, &budget(256 * MIB)), None);
    }

    #[test]
    fn a_budget_miss_steps_down_and_ends_without_a_delta() {
        for missed in [Ended::<()>::Memory, Ended::Time] {
            assert_eq!(next(Index::SuffixArray, missed.clone()), Next::With(Index::Sampled));
            assert!(matches!(next(Index::Sampled, missed), Next::OverBudget(_)));
        }
        assert_eq!(next(Index::Sampled, Ended::Done(7)), Next::Take(7));
        let failed = Ended::<()>::Failed("killed".to_owned());
        assert_eq!(next(Index::SuffixArray, failed), Next::Failed("killed".to_owned()));
    }

    #[test]
    fn a_pair_is_given_up_after_three_tries() {
        let again: Vec<bool> = (1..=4).map(is_tried_again).collect();
        assert_eq!(again, [true, true, false, false]);
    }

    #[test]
    fn six_tenths_of_the_full_file_are_worth_it_and_one_byte_more_is_not() {
        assert!(is_worth_it(600, 1000, 600));
        assert!(!is_worth_it(601, 1000, 600));
        assert!(is_worth_it(0, 0, 600));
        assert!(!is_worth_it(u64::MAX, u64::MAX, 999));
    }

    proptest! {
        #[test]
        fn what_is_admitted_fits_and_nothing_larger_would(old in 0..u64::MAX / 32, mib in 0..65_536_u64) {
            let budget = budget(mib * MIB);
            let fits = |index| memory_bytes(index, old, 1) <= budget.memory_bytes;
            prop_assert!(fits(Index::Sampled) || !fits(Index::SuffixArray));
            let expected = [Index::SuffixArray, Index::Sampled].into_iter().find(|it| fits(*it));
            prop_assert_eq!(admitted(old, &budget), expected);
        }
    }
}
