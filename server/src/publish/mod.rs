//! Publishing: what was signed elsewhere is checked, joined by a snapshot and a timestamp, and served.
//!
//! [`open`] → [`commit`] (one transaction around [`candidate`]) → [`current`] (what is served). The
//! worker calls [`refresh`]. Invariant: nothing is current that a device would refuse.

pub mod approvals;
pub mod candidate;
pub mod commit;
pub mod current;
pub mod deltas;
pub mod dossiers;
pub mod online;
pub mod open;
pub mod parts;
pub mod refresh;
pub mod staged;
