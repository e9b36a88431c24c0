//! Links, followed as whoever is signed in, without showing each page: quick, for status and further links.
//!
//! Not here: what a page looks like. Invariant: only addresses of the server itself are asked.

use super::session::Browser;
use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::json;

const FOLLOW: &str = include_str!("follow.js");

/// Where a link led.
#[derive(Debug, Clone, Deserialize)]
pub struct Followed {
    /// The status; 0 when nothing was answered.
    pub status: u16,
    /// The path that answered at the end of all redirects.
    pub at: String,
    /// Paths of the links on the page, with their queries; a file has none.
    pub links: Vec<String>,
}

impl Browser {
    /// Follows a path of the server whose page is open.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn follow(&self, path: &str) -> Result<Followed> {
        let body = json!({ "script": FOLLOW, "args": [path] });
        let said = self.must("POST", "/execute/async", &body)?;
        serde_json::from_value(said).context("where a link led")
    }
}
