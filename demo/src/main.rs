//! The whole story in one command: what `cargo demo` runs.
//!
//! Builds the three programs, starts a server on embedded SQLite, two hospitals and twelve devices as
//! real processes over real HTTP, releases, approves and watches. `--once` tells the story, writes
//! `target/demo/story.json` and ends; without it everything keeps running until Ctrl-C. Not here:
//! anything that a person could not do with the three programs and a file manager.
//!
//! Invariant: a step is told as done only after it was verified from outside the program that did it.
#![allow(clippy::print_stdout, reason = "a demonstration is watched")]

mod audit;
mod cast;
mod ending;
mod people;
mod rollout;
mod saving;
mod story;
mod table;

use anyhow::{Context as _, Result, bail};
use patchward_tests::bin::{Profile, Programs, setting, workspace};
use std::{fs, path::PathBuf, process::ExitCode};
use table::Table;

const USAGE: &str = "\
cargo demo               tells the story and leaves everything running until Ctrl-C
cargo demo -- --once     tells the story, writes target/demo/story.json, and ends";

/// Whether everything ends with the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    WithTheStory,
    AtCtrlC,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let ending = parse(&std::env::args().skip(1).collect::<Vec<_>>())?;
    let folder = fresh_folder()?;
    let mut table = Table::begin(folder.join("story.json"));
    let programs = table.step("programs", || {
        if let Some(folder) = setting("PATCHWARD_BIN_DIR") {
            let programs = Programs::in_folder(folder.into())?;
            return Ok((programs, "taken from PATCHWARD_BIN_DIR".to_owned()));
        }
        let programs = Programs::build(Profile::Release)?;
        Ok((programs, "server, agent and command line are built in release mode".to_owned()))
    })?;
    let cast = story::tell(&mut table, &programs, &folder.join("run"))?;
    table.end()?;
    match ending {
        Ending::WithTheStory => Ok(()),
        Ending::AtCtrlC => ending::keep_running(&cast),
    }
}

fn parse(arguments: &[String]) -> Result<Ending> {
    // The alias of older habit passes a stray `--` on.
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|w| *w != "--").collect();
    match words.as_slice() {
        [] => Ok(Ending::AtCtrlC),
        ["--once"] => Ok(Ending::WithTheStory),
        other => bail!("`{}` is not understood\n{USAGE}", other.join(" ")),
    }
}

/// An empty folder below the target folder.
fn fresh_folder() -> Result<PathBuf> {
    let target = match setting("CARGO_TARGET_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => workspace()?.join("target"),
    };
    let folder = target.join("demo");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    folder.canonicalize().context("its full path")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Ending> {
        parse(&line.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn a_stray_separator_is_no_argument() {
        assert_eq!(parsed("-- --once").unwrap(), Ending::WithTheStory);
        assert_eq!(parsed("--").unwrap(), Ending::AtCtrlC);
        assert!(parsed("--twice").is_err());
    }
}
