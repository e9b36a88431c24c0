//! The command line as people run it: the real program, real files, a server double on loopback.
//!
//! Not here: the real server (the workspace's end-to-end tests). Invariant: every refusal is checked
//! by its code and its hint in both languages.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod approval;
mod bad_input;
mod carried;
mod container;
mod delegation;
mod delta;
mod double;
mod double_consent;
mod example;
mod family;
mod guide;
mod guide_deltas;
mod hold;
mod images;
mod inventory;
mod key;
mod lint;
mod log;
mod place;
mod record;
mod release;
mod rollout;
mod stage;
mod ward;
