//! The update machine: pure, total, without input or output.
//!
//! [`step`](step::step) says what follows from an event, [`recover`](recover::recover) what follows
//! from a crash. Deliberately absent: clocks, disks, network. Invariant: before
//! [`State::Activating`](state::State::Activating) nothing on the device has changed.

#[macro_use]
mod patterns;

mod after;
mod before;
pub mod effect;
pub mod event;
pub mod recover;
pub mod state;
pub mod step;
