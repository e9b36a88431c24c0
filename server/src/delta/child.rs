//! A worker process is started, waited for, and ended.
//!
//! Not here: what it does ([`super::worker`]) and what follows ([`super::attempt`]). Invariant: no worker
//! outlives the one who waits for it: it is killed when waiting ends, and ends itself when this program
//! does.

use super::attempt::Ended;
use super::order::{Answer, ORDER_BYTES_MAX, Order};
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

/// The program that works: this one, or a test's.
#[derive(Debug, Clone)]
pub struct Program(PathBuf);

/// The subcommand of the worker.
pub const VERB: &str = "delta-worker";

/// How a worker is called in lists of processes.
const NAME: &str = "patchward-server";
const SIGABRT: i32 = 6;
const SIGXCPU: i32 = 24;
/// Longest detail that is kept, in characters.
const DETAIL_CHARS_MAX: usize = 400;

/// No worker can be started; that says nothing of the pair.
#[derive(Debug, thiserror::Error)]
#[error("the worker {} cannot be started", program.display())]
pub struct CannotStart {
    program: PathBuf,
    source: io::Error,
}

impl Program {
    /// This very program, also while another version is being installed in its place.
    #[must_use]
    pub fn this() -> Self {
        Self(PathBuf::from("/proc/self/exe"))
    }

    /// The program at `path`.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Runs one order for at most `time`.
    ///
    /// # Errors
    /// [`CannotStart`].
    pub async fn run(&self, order: &Order, time: Duration) -> Result<Ended<Answer>, CannotStart> {
        let failed = |source| CannotStart { program: self.0.clone(), source };
        let text = serde_json::to_vec(order).map_err(|error| failed(error.into()))?;
        let mut command = Command::new(&self.0);
        command
            .arg0(NAME)
            .arg(VERB)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command.env_clear().current_dir("/").kill_on_drop(true);
        let mut child = command.spawn().map_err(failed)?;
        match tokio::time::timeout(time, talk(&mut child, &text)).await {
            Ok(Ok((said, status))) => Ok(ended(&said, status)),
            Ok(Err(error)) => Ok(Ended::Failed(format!("the worker cannot be heard: {error}"))),
            Err(_) => {
                // It is waited for, so that its memory is free before the next one starts.
                let _ = child.kill().await;
                Ok(Ended::Time)
            }
        }
    }
}

async fn talk(child: &mut Child, order: &[u8]) -> io::Result<(Vec<u8>, ExitStatus)> {
    if let Some(mut to) = child.stdin.take() {
        // One that ended early does not read; its end says why.
        let _ = to.write_all(order).await;
    }
    let mut said = Vec::new();
    if let Some(from) = child.stdout.take() {
        let most = u64::try_from(ORDER_BYTES_MAX).unwrap_or(u64::MAX);
        from.take(most).read_to_end(&mut said).await?;
    }
    Ok((said, child.wait().await?))
}

fn ended(said: &[u8], status: ExitStatus) -> Ended<Answer> {
    if status.success() {
        return match serde_json::from_slice(said) {
            Ok(Answer::Memory) => Ended::Memory,
            Ok(Answer::Failed { detail }) => {
                Ended::Failed(detail.chars().take(DETAIL_CHARS_MAX).collect())
            }
            Ok(answer @ (Answer::Built { .. } | Answer::Checked(_))) => Ended::Done(answer),
            Err(_) => Ended::Failed("the worker's answer does not read".to_owned()),
        };
    }
    match status.signal() {
        // Memory that is not given ends the program so.
        Some(SIGABRT) => Ended::Memory,
        Some(SIGXCPU) => Ended::Time,
        Some(signal) => Ended::Failed(format!("the worker was ended by signal {signal}")),
        None => Ended::Failed(format!("the worker ended with {:?}", status.code())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(said: &str, raw: i32) -> Ended<Answer> {
        ended(said.as_bytes(), ExitStatus::from_raw(raw))
    }

    #[test]
    fn the_end_of_a_worker_says_whether_a_budget_was_missed() {
        assert_eq!(of("", SIGABRT), Ended::Memory);
        assert_eq!(of("", SIGXCPU), Ended::Time);
        assert_eq!(of("\"memory\"", 0), Ended::Memory);
        assert!(matches!(of("", 9), Ended::Failed(detail) if detail.contains("signal 9")));
        assert!(matches!(of("", 1 << 8), Ended::Failed(_)));
        assert!(matches!(of("nonsense", 0), Ended::Failed(_)));
        // What one says that then crashed is not believed.
        assert!(matches!(of("{\"built\":{\"bytes\":1}}", 11), Ended::Failed(_)));
    }
}
