//! Devices: how they join, how they ask for news, and what the server remembers of them.
//!
//! A check-in is answered from memory; joining and the inventory use the database. Not here: their
//! reports (`record`). Invariant: nothing in an answer makes a device act; it holds the approvals
//! and decides for itself.

pub mod by_hand;
pub mod check_in;
pub mod condition;
pub mod enrol;
pub mod flush;
pub mod inventory;
pub mod known_keys;
pub mod pack;
pub mod roster;
mod standing;
pub mod table;
