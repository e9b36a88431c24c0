//! Where the program runs: its clock, chance, language, folder and terminal, read once in `main`.
//!
//! Verbs get these as values. Not here: reading them (that is `main`), and what verbs do.
//! Invariant: secrets that a person types are wiped when dropped and never printed.

use crate::error::{Code, Failure, Outcome};
pub use patchward_protocol::language::Language;
use patchward_protocol::time::Timestamp;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

/// The surroundings of one run.
#[derive(Debug, Clone)]
pub struct Here {
    /// The machine's clock when the program started.
    pub at: Timestamp,
    /// Fills a buffer from the system's random source.
    pub random: fn(&mut [u8]) -> Result<(), NoChance>,
    /// Where logins and trusted roots are kept.
    pub config_dir: PathBuf,
    /// In which language people are spoken to.
    pub language: Language,
    /// Whether the public example keys may be used.
    pub example_keys: ExampleKeys,
    /// Time since the program started, for the speed of long actions; nothing else rests on it.
    pub clock: fn() -> Duration,
    /// Who watches long actions.
    pub watcher: Watcher,
}

/// Who watches the error stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watcher {
    /// A person at a terminal.
    Terminal,
    /// A file, a pipe or a program.
    Nobody,
}

/// The system's random source did not answer.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the random source does not answer")]
pub struct NoChance;

/// Whether the public example keys may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExampleKeys {
    /// No.
    Refused,
    /// For a demonstration.
    InsecureAllowed,
}

impl Here {
    /// Random bytes.
    ///
    /// # Errors
    /// [`Code::ChanceFailed`].
    pub fn chance<const N: usize>(&self) -> Outcome<Zeroizing<[u8; N]>> {
        let mut bytes = Zeroizing::new([0; N]);
        (self.random)(bytes.as_mut_slice())
            .map_err(|error| Failure::new(Code::ChanceFailed, error))?;
        Ok(bytes)
    }

    /// Says something before the end of the run, to the terminal's error stream.
    pub fn tell(&self, text: &str) {
        // Nobody is there to be told when this fails, and nothing depends on it.
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    /// Asks for a secret without showing it.
    ///
    /// # Errors
    /// [`Code::PassphraseMissing`] when there is no terminal.
    pub fn ask_secret(&self, question: &str) -> Outcome<Zeroizing<String>> {
        let missing = |why: String| Failure::new(Code::PassphraseMissing, why);
        if !std::io::stdin().is_terminal() {
            return Err(missing("standard input is no terminal".to_owned()));
        }
        rpassword::prompt_password(format!("{question}: "))
            .map(Zeroizing::new)
            .map_err(|error| missing(error.to_string()))
    }

    /// Asks for a line of text; nothing when there is no terminal.
    #[must_use]
    pub fn ask_line(&self, question: &str) -> Option<String> {
        if !std::io::stdin().is_terminal() {
            return None;
        }
        let mut err = std::io::stderr();
        write!(err, "{question}: ").and_then(|()| err.flush()).ok()?;
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).ok()?;
        Some(line.trim().to_owned())
    }
}
