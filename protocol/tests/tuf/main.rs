//! The TUF client and publisher against attackers, on a repository in memory.
//!
//! Numbers are those of docs/THREATS.md's list of attacks. The same attacks are played again over
//! HTTP against the real programs in the workspace's own tests.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "tests may stop at the first surprise"
)]

mod attacks;
mod attacks_on_keys;
mod delegation;
mod laws;
mod lookup;
mod publishing;
mod repository;
mod staging;
