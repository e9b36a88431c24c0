//! The way to the server: one kept connection, small and bounded.
//!
//! Nothing here is trusted and nothing here decides: bytes come in, with limits on length, time and
//! speed, and are verified elsewhere. Not here: what is asked for, when, and how often again.
//! Invariant: no answer, however long or slow, takes more memory or time than its limits say.

pub mod body;
pub mod error;
pub mod http;
pub mod limits;
pub mod tls;

#[cfg(test)]
mod tests;
