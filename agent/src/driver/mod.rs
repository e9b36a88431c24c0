//! The driver: runs the machine on a real device.
//!
//! [`core`] keeps the order of things. Not here: decisions.

pub mod core;
