//! The server over real HTTP on loopback: every endpoint, every wrong caller, bad input, restarts.

mod bodies;
mod callers;
mod consent;
mod console;
mod deltas;
pub(crate) mod device;
mod engines;
mod enrolment;
mod house;
mod polls;
mod privacy;
mod record;
mod reports;
mod restart;
mod sites;
mod tokens;
mod wire;
