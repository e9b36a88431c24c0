//! What the parties of Patchward say to each other, and what it means.
//!
//! Pure: no input or output, no clock, no randomness, no async. Window, slot, threshold, decision
//! and ledger rules live here because server, device and command line must compute the same answer
//! from the same signed bytes: the rules *are* the protocol.
//!
//! Five journeys lead through this floor:
//!
//! - **Release:** [`tuf::custom`] (what a manufacturer says of an image) → [`tuf::stage`] (several
//!   people sign one file) → [`tuf::trusted_set`] (server and device verify it).
//! - **Check-in:** [`api::device`] (the poll) → [`directive`] (what the server may say: little) →
//!   [`decision`] (what the device decides).
//! - **Approval:** [`inventory`] → [`plan`] → [`check`] → [`approval`] and [`slot`] → [`tuf::stage`] →
//!   [`tuf::trusted_set`] → [`decision`].
//! - **Staging:** [`tuf::delta_target`] (which delta, if any) → [`delta`] (window by window, each with an
//!   offline-signed digest) → [`ledger`] (how it came).
//! - **Report:** [`ledger`] (durable first) → [`api::device`] → [`receipt`].
//!
//! Deliberately absent: anything that installs, stores, sends, or asks for the time.

pub mod act;
#[cfg(feature = "advice")]
pub mod advice;
pub mod api;
pub mod approval;
pub mod canonical;
pub mod check;
pub mod civil;
pub mod clinical;
pub mod decision;
pub mod delta;
pub mod digest;
pub mod directive;
pub mod dossier;
#[cfg(feature = "zones")]
pub mod draft;
pub mod envelope;
pub mod example_keys;
pub mod failure_bound;
pub mod gate;
#[cfg(feature = "zones")]
pub mod ical;
pub mod id;
pub mod image;
pub mod inventory;
pub mod key;
pub mod language;
pub mod ledger;
pub mod limits;
pub mod merkle;
pub mod pack;
pub mod plan;
pub mod proof;
pub mod reason;
pub mod receipt;
pub mod record;
mod sentences;
pub mod slot;
pub mod time;
pub mod tree;
pub mod tuf;
pub mod verified;
pub mod why;
#[cfg(feature = "zones")]
pub mod window;
