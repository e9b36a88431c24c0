//! People who use the console: their accounts, what they may do where, and their sessions.
//!
//! Not here: keys that sign (they stand in the root of a site and never reach this server, but for
//! custodial ones), API tokens ([`crate::auth`]), pages ([`crate::console`]).
//! Invariant: what a person may do is read from the database for every request.

pub mod role;
pub mod session;
pub mod who;
