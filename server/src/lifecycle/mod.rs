//! How long a family is supported: four days that its manufacturer names, or a day until which it has
//! not decided; told in time, and never taken back in silence.
//!
//! Not here: telling hospitals (`notify`). Invariant: a family that the console opened has a life
//! cycle, and each statement stays readable with who made it.

pub mod dates;
pub mod say;

pub use dates::{Broken, Dates, Lifecycle, Stage};
pub use say::{Said, current, history};
