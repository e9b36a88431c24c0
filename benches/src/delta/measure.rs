//! What one command took: processor time and peak memory, as the kernel counted them.
//!
//! Wall time is not taken: on a machine that others use as well it says nothing. A command is
//! started by a second, small process of this program, because the kernel adds up what children
//! took for their parent. Invariant: a command that fails has no cost.

use anyhow::{Context as _, Result, bail};
use nix::sys::resource::{Resource, UsageWho, getrusage, setrlimit};
use serde::{Deserialize, Serialize};
use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The word by which this program is told to measure.
pub const VERB: &str = "measured";
/// Most processor time of one command, in seconds: some tools never end on long runs of zeros.
pub const CPU_S_MAX: u64 = 600;
/// Kernel's unit of peak memory, in bytes.
const RSS_UNIT_BYTES: u64 = 1024;

/// What the kernel sends at that limit, and what it sends when memory is short.
const SIGNAL_CPU: i32 = 24;
const SIGNAL_KILL: i32 = 9;

/// What one command took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Processor time of user and kernel, in seconds.
    pub cpu_s: f64,
    /// Most resident memory of the largest process, in bytes.
    pub rss_bytes: u64,
}

/// One command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    program: OsString,
    words: Vec<OsString>,
}

impl Line {
    /// A program, found as a shell finds it.
    #[must_use]
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self { program: program.as_ref().to_owned(), words: Vec::new() }
    }

    /// With one more word.
    #[must_use]
    pub fn word(mut self, word: impl AsRef<OsStr>) -> Self {
        self.words.push(word.as_ref().to_owned());
        self
    }

    /// With more words.
    #[must_use]
    pub fn words<T: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = T>) -> Self {
        self.words.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// The program without its folder.
    fn name(&self) -> String {
        let name = Path::new(&self.program).file_name().unwrap_or(&self.program);
        name.to_string_lossy().into_owned()
    }

    /// Runs it in a folder; gives what it printed.
    ///
    /// # Errors
    /// When it cannot be started or fails, with what it said.
    pub fn run(&self, folder: &Path) -> Result<String> {
        let mut command = Command::new(&self.program);
        said(command.args(&self.words).current_dir(folder), &self.name())
    }

    /// Runs it in a folder; gives what it took and printed.
    ///
    /// # Errors
    /// When it cannot be started or fails, with what it said.
    pub fn measure(&self, folder: &Path) -> Result<(Cost, String)> {
        let noted = folder.join("cost.json");
        let this = std::env::current_exe().context("find this program")?;
        let mut command = Command::new(this);
        command
            .env("RUST_BACKTRACE", "0")
            .arg(VERB)
            .arg(&noted)
            .arg(&self.program)
            .args(&self.words)
            .current_dir(folder);
        let text = said(&mut command, &self.name())?;
        let cost = std::fs::read(&noted).with_context(|| format!("read {}", noted.display()))?;
        Ok((serde_json::from_slice(&cost).context("what a command took")?, text))
    }
}

fn said(command: &mut Command, name: &str) -> Result<String> {
    let output = command.output().with_context(|| format!("start {name}"))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let last = text.lines().next_back().unwrap_or_default();
    bail!("{name}: {}: {last}", output.status)
}

/// The second process: runs one command and writes down what it took.
///
/// # Errors
/// When the command fails.
#[expect(clippy::disallowed_methods, reason = "a note to the parent, who waits for it")]
pub fn measured(words: &[OsString]) -> Result<()> {
    let [noted, program, words @ ..] = words else { bail!("a file and a command are wanted") };
    setrlimit(Resource::RLIMIT_CPU, CPU_S_MAX, CPU_S_MAX).context("limit what it may take")?;
    let status = Command::new(program).args(words).status();
    let status = status.with_context(|| format!("start {}", program.display()))?;
    if matches!(status.signal(), Some(SIGNAL_CPU | SIGNAL_KILL)) {
        bail!("stopped: it took {CPU_S_MAX} s of processor time, or too much memory");
    }
    if !status.success() {
        bail!("{}: {status}", program.display());
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("ask for what it took")?;
    let seconds = |time: nix::sys::time::TimeVal| -> Result<f64> {
        let whole = u32::try_from(time.tv_sec()).context("seconds")?;
        let micros = u32::try_from(time.tv_usec()).context("microseconds")?;
        Ok(f64::from(whole) + f64::from(micros) / 1e6)
    };
    let units = u64::try_from(usage.max_rss()).context("peak memory")?;
    let cost = Cost {
        cpu_s: seconds(usage.user_time())? + seconds(usage.system_time())?,
        rss_bytes: units.saturating_mul(RSS_UNIT_BYTES),
    };
    let text = serde_json::to_vec(&cost).context("what a command took")?;
    let noted = PathBuf::from(noted);
    std::fs::write(&noted, text).with_context(|| format!("write {}", noted.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_fails_says_what_it_said() {
        let line = Line::new("sh").words(["-c", "echo broken >&2; exit 3"]);
        let error = line.run(Path::new(".")).unwrap_err().to_string();
        assert!(error.contains("broken"), "{error}");
    }

    #[test]
    fn a_command_has_a_cost() {
        let folder = tempfile::tempdir().unwrap();
        let noted = folder.path().join("cost");
        measured(&[noted.clone().into(), "true".into()]).unwrap();
        let cost: Cost = serde_json::from_slice(&std::fs::read(noted).unwrap()).unwrap();
        assert!(cost.rss_bytes > 0);
        assert!(measured(&["cost".into(), "false".into()]).is_err());
    }
}
