//! A real process that the harness started: what it prints, and that it ends with the test.
//!
//! Invariant: a process is ended by its own id, and by whoever started it; dropping the value kills it.

use crate::clock::until;
use anyhow::{Context as _, Result, bail};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

/// A running process whose output goes to a file.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    log: PathBuf,
}

/// What a finished process said.
#[derive(Debug, Clone)]
pub struct Said {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Running {
    /// Starts a process; both outputs are appended to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log);
        let file = file.with_context(|| format!("open {}", log.display()))?;
        let errors = file.try_clone().context("clone the log")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::from(file))
            .stderr(Stdio::from(errors))
            .spawn()
            .with_context(|| format!("start {name}: {command:?}"))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Waits for a line that `find` takes something from.
    ///
    /// # Errors
    /// When the process ends first, or the time passes.
    pub fn printed<T>(
        &mut self,
        what: &str,
        within: Duration,
        find: impl Fn(&str) -> Option<T>,
    ) -> Result<T> {
        until(&format!("{} to print {what}", self.name), within, || {
            let log = self.log();
            if let Some(found) = log.lines().find_map(&find) {
                return Ok(Some(found));
            }
            match self.child.try_wait().context("ask for its end")? {
                Some(status) => bail!("{} ended ({status}) before {what}:\n{log}", self.name),
                None => Ok(None),
            }
        })
        .with_context(|| format!("output of {}:\n{}", self.name, self.log()))
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system cannot say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("ask for the end of {}", self.name))
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When the time passes first.
    pub fn end_within(&mut self, within: Duration) -> Result<ExitStatus> {
        let what = format!("{} to end", self.name);
        until(&what, within, || self.child.try_wait().context("ask for its end"))
            .with_context(|| format!("output of {}:\n{}", self.name, self.log()))
    }

    /// Ends it at once, as a power cut would (SIGKILL).
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        if self.ended()?.is_none() {
            self.child.kill().with_context(|| format!("kill {}", self.name))?;
        }
        self.child.wait().with_context(|| format!("wait for {}", self.name))?;
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn stop(&mut self, within: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        let id = id.with_context(|| format!("{} has no process id", self.name))?;
        rustix::process::kill_process(id, rustix::process::Signal::TERM)
            .with_context(|| format!("ask {} to end", self.name))?;
        self.end_within(within)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody left to tell if this fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program to its end and takes what it said, whether it succeeded or not.
///
/// # Errors
/// When it cannot be started.
pub fn run(command: &mut Command) -> Result<Said> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("start {command:?}"))?;
    Ok(Said {
        status: output.status,
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs a program that must succeed.
///
/// # Errors
/// When it cannot be started or says no; with everything it said.
pub fn succeed(command: &mut Command) -> Result<Said> {
    let said = run(command)?;
    if said.status.success() {
        return Ok(said);
    }
    bail!("{command:?}: {}\n{}\n{}", said.status, said.out.trim_end(), said.err.trim_end())
}
