//! The attacks of docs/THREATS.md, each played against the real agent and the real server over HTTP.
//!
//! Every test has its attack's number. Each asserts that the device runs what it ran, that its
//! signed ledger says what was refused and why, and, where it makes sense, that the honest update
//! still comes through when the attack is over. Not here: 16 (deltas), 24 (two records) and 25
//! (bundles), which come with what they attack.

mod cache;
mod disk;
mod enrolment;
mod flood;
mod freeze;
mod lying_server;
mod mixed;
mod names;
mod payload;
mod replay;
mod replicas;
mod rollback;
mod signatures;
mod signer;
mod stolen_offline;
mod stolen_online;
