//! `delta …`: containers and deltas for people and for automatic builds.
//!
//! Invariant: nothing here decides what a device takes; it shows and does what the device would.

pub mod failure;
