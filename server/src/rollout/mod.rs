//! Rollouts: waves and gates, moved by what devices signed and by time.
//!
//! Counters and marks move in the transaction that stores a report, by the pure rules of
//! `protocol::gate`; a wave's row moves by compare-and-swap, so that any number of servers on one
//! database open a wave once. Not here: the rules, and what one device is told
//! ([`crate::consent::directive`]).
//! Invariant: no device learns of an approval before its waves are stored.

pub mod board;
pub mod count;
pub mod field;
pub mod plant;
pub mod proof;
pub mod recount;
pub mod resume;
pub mod settle;
pub mod tick;
pub mod view;
pub mod world;
