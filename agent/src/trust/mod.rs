//! What the device trusts: the family's and the site's repository, kept as received and verified
//! again after every start.
//!
//! [`store`] keeps generations, [`repository`] refreshes one of them, [`offers`] reads approvals and
//! the releases they name, [`proofs`] keeps what later waves and partners ask for. Not here: verification itself (`protocol::tuf`) and whether a moment is
//! right (`protocol::decision`).
//! Invariant: nothing leaves this module as trusted that was not verified in this run.

pub mod offers;
pub mod proofs;
pub mod reason;
pub mod repository;
pub mod store;
