//! Windows, calendars and inventories as hospitals write them. With the feature `zones`, which the
//! tests of the workspace always have (the command line asks for it).
#![cfg(feature = "zones")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    reason = "tests may stop at the first surprise"
)]

mod calendars;
mod inventories;
mod requests;
mod tables;
mod windows;
