//! The Update Framework, client and publisher, without input or output.
//!
//! `tough` gives the document types and nothing else; `docs/decisions/0004-own-tuf-workflow.md` says
//! why. A client goes [`refresh`] → [`trusted_set`] → [`lookup`]; a publisher [`build`] → [`rules`] →
//! [`stage`] → [`difference`] → [`publish`].

pub mod build;
pub mod custom;
pub mod delta_target;
pub mod difference;
pub mod error;
pub mod floors;
pub mod lookup;
pub mod memory;
pub mod profile;
pub mod publish;
pub mod refresh;
pub mod role;
pub mod rules;
pub mod schema;
pub mod search;
pub mod stage;
pub mod threshold;
pub mod trusted_set;
