//! Publishing: what was signed elsewhere is checked, joined by a snapshot and a timestamp, and served.

pub mod approvals;
pub mod current;
