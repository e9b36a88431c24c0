//! Rounds: one container, one damage, one reading.
//!
//! Invariant: what a round does depends on pool, seed and number of rounds before it, nothing else.

use crate::chance::Chance;
use crate::mutate::{self, Parts};
use crate::pool::Pool;
use std::collections::BTreeMap;

/// What was played.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Containers read.
    pub executions: u64,
    /// Of these, how many had a window decoded to its last byte.
    pub deep: u64,
    /// Of these again, how many counted differences in places of code.
    pub aimed: u64,
    /// How often each end came.
    pub ends: BTreeMap<String, u64>,
}

/// Plays `rounds` rounds, and adds them to `tally`.
pub fn play(pool: &mut Pool, seed: u64, rounds: u64, tally: &mut Tally) {
    let mut chance = Chance::new(seed);
    for _ in 0..rounds {
        let mut file = pool.choose(&mut chance);
        let mut aimed = false;
        match (chance.below(8), Parts::of(&file)) {
            (0, _) | (_, None) => mutate::blind(&mut file, &mut chance),
            (1, _) => mutate::head(&mut file, &mut chance),
            (which, Some(mut parts)) => {
                file = match which {
                    2 | 3 => mutate::fields(&mut parts, &mut chance),
                    _ => mutate::streams(&mut parts, &mut chance),
                };
                aimed = parts.is_aimed();
            }
        }
        let outcome = pool.try_and_keep(file);
        tally.executions = tally.executions.saturating_add(1);
        tally.deep = tally.deep.saturating_add(u64::from(outcome.is_deep()));
        tally.aimed = tally.aimed.saturating_add(u64::from(aimed && outcome.is_deep()));
        let count = tally.ends.entry(outcome.name()).or_default();
        *count = count.saturating_add(1);
    }
}
