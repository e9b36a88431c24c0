//! A page on paper: how many sheets, and which words stand on them.
//!
//! The words are read out of the PDF by `pdftotext` of Poppler, another program than the one that wrote
//! them. Not here: whether it looks well. Invariant: a machine without it gets an install hint.

use super::place::papers;
use super::session::Browser;
use crate::bin::setting;
use crate::image::put;
use anyhow::{Context as _, Result, ensure};
use std::process::Command;

/// What a machine without it is told.
const HINT: &str = "install it: apt-get install poppler-utils";

/// Sheets of paper.
#[derive(Debug, Clone)]
pub struct Paper {
    /// The words of each sheet in the order in which they were written, white space as it fell.
    pub sheets: Vec<String>,
}

impl Browser {
    /// Prints the page that is open on A4, keeps it under a name, and reads what stands there.
    ///
    /// # Errors
    /// When the browser refuses, or what it printed cannot be read.
    pub fn print(&self, name: &str) -> Result<Paper> {
        let file = papers()?.join(format!("{name}.pdf"));
        put(&file, &self.paper()?)?;
        let mut command = Command::new("pdftotext");
        command.args(["-raw", "-enc", "UTF-8"]).arg(&file).arg("-");
        let path = setting("PATH").unwrap_or_default();
        let said = command.env("PATH", path).output().context(HINT)?;
        ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let text = String::from_utf8(said.stdout).context("words of the paper")?;
        let sheets = text.split_terminator('\u{c}').map(str::to_owned).collect();
        Ok(Paper { sheets })
    }
}

impl Paper {
    /// Whether these words stand somewhere, however the lines fell.
    #[must_use]
    pub fn says(&self, words: &str) -> bool {
        let bare = |text: &str| text.split_whitespace().collect::<String>();
        bare(&self.sheets.concat()).contains(&bare(words))
    }
}
