//! What helps people judge a release: bills of materials, what changed between two of them, scores of
//! vulnerabilities.
//!
//! Nothing here decides anything on a device, and nothing is written: the signed bytes stay as the
//! manufacturer made them. Invariant: foreign bytes give a value or a refusal in words, within limits.

pub mod difference;
pub mod sbom;
pub mod score;
