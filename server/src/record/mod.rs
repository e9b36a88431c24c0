//! Reports and the site's record: the devices' own ledger entries, checked, stored in batches, appended
//! to the record of their site, and receipted.
//!
//! What is answered is on disk. Not here: the form of entries and chains (`protocol::ledger`,
//! `protocol::record`).
//! Invariant: a stored chain has no gap, no duplicate and one history; another history is kept as an
//! alarm beside it. A record only grows.

pub mod append;
pub mod export;
pub mod exports;
pub mod log;
pub mod read;
pub mod report;
pub mod search;
pub mod sheet;
pub mod words;
pub mod writer;
