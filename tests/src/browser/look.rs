//! What eyes would notice: a page that is wider than its screen, something too small to hit.
//!
//! Invariant: measured by the browser itself, at the size that the page has now.

use super::session::Browser;
use anyhow::{Context as _, Result};
use serde::Deserialize;

/// Something that sticks out of the page (WCAG 2.2, 1.4.10).
#[derive(Debug, Clone, Deserialize)]
pub struct Overflow {
    /// What.
    pub what: String,
    /// Where it ends, in CSS pixels.
    pub right: f64,
}

/// Something to press that is too small (WCAG 2.2, 2.5.8).
#[derive(Debug, Clone, Deserialize)]
pub struct Small {
    /// What.
    pub what: String,
    /// Width in CSS pixels.
    pub width: f64,
    /// Height in CSS pixels.
    pub height: f64,
}

/// What sticks out, but for what stands in something that scrolls by itself (a wide table may).
const OVERFLOW: &str = include_str!("overflow.js");

/// Targets below 24 by 24 that are neither words in a sentence nor far enough from all others: around
/// the middle of each a circle of 24 must touch no other target.
const SMALL: &str = include_str!("small.js");

impl Browser {
    /// What makes the page wider than its screen; empty when nothing does.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn overflow(&self) -> Result<Vec<Overflow>> {
        serde_json::from_value(self.run(OVERFLOW, &[])?).context("what sticks out")
    }

    /// What is too small to hit; empty when nothing is.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn small_targets(&self) -> Result<Vec<Small>> {
        serde_json::from_value(self.run(SMALL, &[])?).context("what is small")
    }
}
