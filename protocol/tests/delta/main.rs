//! The delta container: laws over random images, corruption, other encoders, and files that must be
//! readable for ever.
//!
//! Not here: every refusal of a hand-made payload; that stands beside the decoder.
//! Invariant: nothing but the new image ever comes out.
#![cfg(feature = "delta-build")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may stop at the first surprise"
)]

mod aimed;
mod corruption;
mod images;
mod laws;
mod vectors;
