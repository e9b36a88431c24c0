//! The driver: runs the machine on a real device.
//!
//! [`core`] keeps the order of things, [`run`] is the loop, [`contact`] asks the server, [`standing`]
//! keeps one question open, [`ahead`] says what is about to happen, [`gate`] asks for permits,
//! [`hands`] does what the machine says, [`staging`] fetches and stages. Not here: decisions.

mod ahead;
pub mod backoff;
mod choose;
pub mod contact;
pub mod core;
pub mod device;
pub mod disk;
pub mod gate;
pub mod hands;
pub mod run;
mod staging;
pub mod standing;
pub mod start;
