//! People who use the console: their accounts, what they may do where, and their sessions.
//!
//! Not here: keys that sign (they stand in the root of a site and never reach this server, but for
//! custodial ones), API tokens ([`crate::auth`]), pages ([`crate::console`]).
//! Invariant: what a person may do is read from the database for every request.

pub mod accept;
pub mod account;
pub mod called;
pub mod closing;
pub mod demo;
pub mod desk;
pub mod duty;
pub mod enter;
pub mod enter_passkey;
pub mod invitation;
pub mod invite;
pub mod lockout;
pub mod name;
pub mod one_time;
pub mod passkey;
pub mod password;
pub mod role;
pub mod roster;
pub mod second;
pub mod session;
pub mod tries;
pub mod vault;
pub mod who;
pub mod zone;
