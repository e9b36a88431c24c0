//! Deltas of real images: ours and those of every tool that hospitals and device makers use now.
//!
//! For: figures from one run over one corpus, each patch applied and compared with the new image
//! before it counts. Not for: what must hold of our own deltas (the tests of the protocol).
//! Invariant: a tool that fails is a row that says so, never a row that is missing.

pub mod chart;
pub mod goal;
pub mod measure;
pub mod ours;
pub mod page;
pub mod pair;
pub mod recipe;
pub mod summary;
pub mod tool;
pub mod trial;
