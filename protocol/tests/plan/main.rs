//! Plans and checks over random hospitals, planted faults, and cases that other systems fail.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "tests may stop at the first surprise"
)]

mod cases;
mod chance;
mod hospital;
mod laws;
mod planted;
mod truth;
