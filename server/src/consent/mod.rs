//! What people decide through the server: inventories, holds, signed acts, campaigns; and what a
//! device is told of it.
//!
//! Stopping needs no key and is told from memory; going on again needs a signature of the site. Not
//! here: waves ([`crate::rollout`]), HTTP. Invariant: nothing in here starts anything on a device.

pub mod act;
pub mod calendar;
pub mod campaign;
pub mod directive;
pub mod draft;
pub mod feed;
pub mod hold;
pub mod inventories;
pub mod inventory;
pub mod layout;
pub mod reach;
pub mod signer;
pub mod state;
pub mod week;
pub mod why;
