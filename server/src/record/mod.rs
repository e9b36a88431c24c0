//! Reports: the devices' own ledger entries, checked, stored in batches, and receipted.
//!
//! What is answered is on disk. Not here: the form of entries and chains (`protocol::ledger`).
//! Invariant: a stored chain has no gap, no duplicate and one history; another history is kept as an
//! alarm beside it.

pub mod append;
pub mod report;
pub mod writer;
