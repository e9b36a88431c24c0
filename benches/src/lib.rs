//! Measurements of the real programs; `benches/RESULTS.md` holds the figures and their commands.
//!
//! Not for: what must hold (the tests).

pub mod console;
pub mod delta;
pub mod image_file;
pub mod real;
