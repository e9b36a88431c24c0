//! Where the keyboard is: what has the focus, whether that shows, whether anything hides it.
//!
//! Invariant: "shows" is an outline or ring that the unfocused thing does not have.

use super::key::Key;
use super::session::Browser;
use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// How many controls a page may have before a keyboard is tired.
const STEPS_MAX: usize = 400;

/// What has the focus.
#[derive(Debug, Clone, Deserialize)]
pub struct Stop {
    /// Its markup, in short.
    pub what: String,
    /// Whether it is what was looked for.
    pub wanted: bool,
    /// Whether the focus shows.
    pub shown: bool,
    /// Whether all of it is hidden below something else, or outside the screen.
    pub hidden: bool,
}

const STOP: &str = include_str!("stop.js");

impl Browser {
    /// What has the focus now, and whether it is what `css` says.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn stop(&self, css: &str) -> Result<Stop> {
        serde_json::from_value(self.run(STOP, &[css.into()])?).context("what has the focus")
    }

    /// Goes on with the tabulator until something has the focus; every stop on the way must show and must
    /// not be hidden.
    ///
    /// # Errors
    /// When it cannot be reached, or a stop on the way cannot be seen.
    pub fn tab_to(&self, css: &str) -> Result<Vec<Stop>> {
        let mut stops = Vec::new();
        while stops.len() < STEPS_MAX {
            self.press(&[Key::Tab])?;
            let stop = self.stop(css)?;
            let wanted = stop.wanted;
            if !stop.shown || stop.hidden {
                return Err(self.found(&format!("the focus cannot be seen: {stop:?}")));
            }
            stops.push(stop);
            if wanted {
                return Ok(stops);
            }
        }
        let last = stops.last().map(|stop| stop.what.clone());
        ensure!(false, self.found(&format!("{css} is not reached by keyboard; last {last:?}")));
        Ok(stops)
    }
}
