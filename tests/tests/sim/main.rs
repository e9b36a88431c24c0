//! The fleet simulator: hospitals, devices, servers and what goes wrong with them, over a year.
//!
//! Seeded, event by event, without a clock, a disk or a network: the planner, the gate, the decision and
//! the update machine are the real ones. Everything is judged by a monitor that knows the true time and
//! the true state of every ward, and asks none of them. Not here: how bytes are fetched and verified
//! (the attacks and the end-to-end tests do that with the real programs).

#![allow(
    clippy::unwrap_used,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    unreachable_pub,
    reason = "tests may stop at the first surprise, and a campaign shows what it counted"
)]

mod campaign;
mod device;
mod hands;
mod hospital;
mod monitor;
mod script;
mod server;
mod world;
