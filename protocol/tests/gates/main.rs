//! Waves, gates and their proofs: laws over random rollouts, and the cases that others got wrong.
#![allow(
    clippy::unwrap_used,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "tests may stop at the first surprise"
)]

mod counts;
mod golden;
mod proofs;
mod rollout;
