//! The agent on a medical device: fetches, verifies, stages at any time; changes the device only where
//! a release, an approval, an open slot and a live permit meet.
//!
//! The update machine ([`machine`]) is pure; the driver runs its effects. The journal ([`journal`])
//! knows after a crash what was intended.
//! Deliberately absent: a listening socket, a shell, any path by which a server starts anything.

pub mod boot;
pub mod child;
pub mod cli;
pub mod clock;
pub mod config;
pub mod driver;
pub mod edge;
pub mod enrol;
pub mod health;
pub mod holds;
pub mod identity;
pub mod install;
pub mod installer;
pub mod journal;
pub mod layout;
pub mod ledger;
pub mod link;
pub mod local;
pub mod machine;
pub mod outbox;
pub mod permit;
pub mod stage;
pub mod status;
pub mod storage;

#[cfg(test)]
mod samples;
pub mod trust;
pub mod usage;
pub mod witness;
