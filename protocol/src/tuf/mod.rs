//! The Update Framework, client and publisher, without input or output.
//!
//! See `docs/decisions/` for why `tough` gives the types and not the workflow.

pub mod custom;
