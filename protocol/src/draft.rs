//! Drafting approvals: from a release and a hospital's rules to what people sign, and the one text of it.
//!
//! Pure. The command line, the server and whoever checks them call the same functions, so that
//! what a page shows and what a signer's own machine shows are the same words. Not here: signatures
//! ([`crate::tuf::stage`]), publishing ([`crate::tuf::publish`]), who may ask for what.
//! Invariant: what is drawn up passes the same check that the device makes.

pub mod approval_text;
pub mod back;
pub mod carried;
pub mod changes;
pub mod draw;
mod error;
pub mod left_out;
pub mod need;
pub mod next;
pub mod plan_text;
pub mod planned;
pub mod rules;
pub mod standing;
pub mod statement;

pub use error::BadDraft;
