//! The table at the end: every step, what became of it, how long it took, what it counted.
//!
//! Invariant: a step that did not run is a row that says so.

use crate::tally::{Tally, Verdict};
use std::{fmt::Write as _, time::Duration};

/// What became of a step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed(String),
    NotRun(String),
}

/// One row.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) step: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
    /// What was counted or found, for people.
    pub(crate) note: String,
}

/// Everything that was tried, in order.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    pub(crate) tests: Tally,
}

impl Report {
    /// Good only when every step that had to run passed.
    pub(crate) fn verdict(&self) -> Verdict {
        let failed = |row: &Row| matches!(row.outcome, Outcome::Failed(_));
        let ran_tests = self.tests.passed > 0;
        if self.rows.iter().any(failed) || !ran_tests { Verdict::Bad } else { Verdict::Good }
    }

    /// The table and, as the last line, the one count of all tests.
    pub(crate) fn text(&self, took: Duration) -> String {
        let mut text = String::from("\n");
        let width = self.rows.iter().map(|row| row.step.len()).max().unwrap_or_default();
        for row in &self.rows {
            let (word, reason) = match &row.outcome {
                Outcome::Passed => ("passed", ""),
                Outcome::Failed(reason) => ("FAILED", reason.as_str()),
                Outcome::NotRun(reason) => ("not run", reason.as_str()),
            };
            let first_line = reason.lines().next().unwrap_or_default();
            let duration = format!("{:.1} s", row.took.as_secs_f64());
            let line = format!("{:width$}  {word:7}  {duration:>9}  ", row.step);
            let _ = writeln!(text, "{line}{}{first_line}", row.note);
        }
        let _ = writeln!(text, "{:width$}  {:7}  {:>7.1} s", "all", "", took.as_secs_f64());
        let _ = write!(text, "\n{}", self.tests.closing_line(self.verdict(), took));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(step: &'static str, outcome: Outcome) -> Row {
        Row { step, outcome, took: Duration::from_secs(2), note: String::new() }
    }

    #[test]
    fn one_failed_step_spoils_the_verdict_though_every_test_passed() {
        let tests = Tally { passed: 9, ..Tally::default() };
        let rows = vec![
            row("format", Outcome::Failed("cargo fmt: exit status: 1".into())),
            row("tests", Outcome::Passed),
        ];
        let report = Report { rows, tests };
        let text = report.text(Duration::from_secs(4));
        assert_eq!(report.verdict(), Verdict::Bad);
        assert!(text.lines().last().unwrap().starts_with("test result: FAILED. 9 passed"));
    }

    #[test]
    fn a_run_without_a_test_is_not_good() {
        let report = Report { rows: vec![row("tests", Outcome::Passed)], tests: Tally::default() };
        assert_eq!(report.verdict(), Verdict::Bad);
    }

    #[test]
    fn a_step_left_out_says_why() {
        let rows = vec![row("docs", Outcome::NotRun("--quick".into()))];
        let report = Report { rows, tests: Tally { passed: 1, ..Tally::default() } };
        let text = report.text(Duration::from_secs(4));
        assert!(text.contains("not run") && text.contains("--quick"), "{text}");
    }
}
