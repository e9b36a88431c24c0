//! What a verb says at its end: lines for people, a value for machines.
//!
//! The only module that prints. Invariant: standard output holds the answer and nothing else;
//! failures and questions go to standard error.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this module is the output")]

use crate::error::Failure;
use crate::here::Language;
use serde_json::{Value, json};
use std::io::Write as _;

/// The answer of a verb.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    lines: Vec<String>,
    value: Value,
}

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Lines,
    /// For machines: one JSON object.
    Json,
}

impl Said {
    /// An answer with its value for machines.
    #[must_use]
    pub const fn new(value: Value) -> Self {
        Self { lines: Vec::new(), value }
    }

    /// Adds a line for people.
    #[must_use]
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Adds lines for people.
    #[must_use]
    pub fn lines(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.lines.extend(lines);
        self
    }

    /// Prints it. A reader that has seen enough and closes the pipe is no failure.
    pub fn print(&self, form: Form) {
        let mut out = std::io::stdout().lock();
        let written = match form {
            Form::Lines => self.lines.iter().try_for_each(|line| writeln!(out, "{line}")),
            Form::Json => writeln!(out, "{:#}", self.value),
        };
        // What was to be done is done; only its words found no reader.
        let _ = written.and_then(|()| out.flush());
    }
}

/// Prints a failure: code, particulars, what to do.
pub fn print_failure(failure: &Failure, language: Language, form: Form) {
    let hint = language.pick(failure.code.en(), failure.code.ja());
    if form == Form::Json {
        let value = json!({
            "error": failure.code.code(), "exit": failure.code.exit(), "detail": failure.detail,
            "problems": failure.problems, "hint_en": failure.code.en(), "hint_ja": failure.code.ja(),
            "server": failure.server,
        });
        eprintln!("{value:#}");
        return;
    }
    eprintln!("error[{}]: {}", failure.code.code(), failure.detail);
    for problem in &failure.problems {
        eprintln!("  - {problem}");
    }
    if let Some(problem) = &failure.server {
        let said = language.pick(&problem.title, &problem.title_ja);
        eprintln!("  server[{}]: {said}", problem.code.code());
        eprintln!("  request id: {}", problem.request_id);
    }
    eprintln!("  {}: {hint}", language.pick("what to do", "対処"));
}
