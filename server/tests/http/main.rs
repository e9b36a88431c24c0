//! The server over real HTTP on loopback: every endpoint, every wrong caller, bad input, restarts.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a test stops at the first surprise"
)]

mod bodies;
mod callers;
mod device;
mod enrolment;
mod house;
mod polls;
mod privacy;
mod reports;
mod restart;
mod sites;
mod tokens;
mod wire;
