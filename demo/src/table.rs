//! The table: a row for each step with what was verified, and the same as `story.json`.
//!
//! Invariant: the file is written after every step, so that a story that breaks off is told up to
//! and including the step that broke.

use anyhow::{Context as _, Result};
use patchward_tests::clock::Stopwatch;
use patchward_tests::image::put;
use serde::Serialize;
use std::path::PathBuf;

/// One step as it stands in `story.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Row {
    step: String,
    ok: bool,
    detail: String,
}

/// The story so far.
#[derive(Debug)]
pub(crate) struct Table {
    file: PathBuf,
    rows: Vec<Row>,
    all: Stopwatch,
}

impl Table {
    /// Begins a story that is written to `file`.
    pub(crate) fn begin(file: PathBuf) -> Self {
        Self { file, rows: Vec::new(), all: Stopwatch::start() }
    }

    /// Does a step, shows its row, and stops the story when it failed.
    pub(crate) fn step<T>(
        &mut self,
        name: &str,
        work: impl FnOnce() -> Result<(T, String)>,
    ) -> Result<T> {
        let watch = Stopwatch::start();
        let (made, row) = match work() {
            Ok((made, detail)) => (Ok(made), Row { step: name.to_owned(), ok: true, detail }),
            Err(error) => {
                let detail = format!("{error:#}");
                let failed = Err(error.context(format!("the step `{name}` broke")));
                (failed, Row { step: name.to_owned(), ok: false, detail })
            }
        };
        let mark = if row.ok { "ok  " } else { "FAIL" };
        let took = watch.elapsed().as_secs_f64();
        println!("{mark} {:<28} {took:>5.1} s  {}", row.step, row.detail);
        self.rows.push(row);
        self.write()?;
        made
    }

    /// Says that the story is over.
    pub(crate) fn end(&self) -> Result<()> {
        self.write()?;
        let took = self.all.elapsed().as_secs_f64();
        println!("\n{} steps, all verified, {took:.1} s; {}", self.rows.len(), self.file.display());
        Ok(())
    }

    fn write(&self) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.rows).context("write the story")?;
        put(&self.file, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    #[test]
    fn a_broken_step_is_named_and_is_the_last_row() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("story.json");
        let mut table = Table::begin(file.clone());
        table.step("first", || Ok(((), "good".to_owned()))).unwrap();
        let error = table.step::<()>("second", || bail!("the disk is full")).unwrap_err();
        assert!(format!("{error:#}").contains("second"), "{error:#}");
        let rows: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(rows[0], serde_json::json!({"step": "first", "ok": true, "detail": "good"}));
        assert_eq!(rows[1]["ok"], false);
        assert_eq!(rows[1]["detail"], "the disk is full");
    }
}
