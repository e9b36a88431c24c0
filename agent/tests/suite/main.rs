//! The agent's tests, one program.

mod simulator;
