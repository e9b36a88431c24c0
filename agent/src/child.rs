//! Child processes: one way to run a configured command, with a time limit and an end.
//!
//! A command runs in its own process group, with an empty environment but `PATH` and `LANG`, no
//! input, and capped output. When the time is over, or the caller goes away, the whole group is
//! killed. Not here: what an exit code means. Invariant: no command outlives its limit, except what
//! a command that may leave services behind ([`After`]) has started.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

/// Most bytes kept of what a command prints, of each stream; the rest is read and dropped.
pub const OUTPUT_BYTES_MAX: usize = 16 * 1024;
/// How long output is still read after a command has ended, in milliseconds.
const DRAIN_MS: u64 = 200;
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A configured command: an absolute path and its arguments, never a shell line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argv {
    program: String,
    arguments: Vec<String>,
}

impl Argv {
    /// From program and arguments.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn new(argv: Vec<String>) -> Result<Self, &'static str> {
        let mut parts = argv.into_iter();
        let program = parts.next().ok_or("must name a program")?;
        if !Path::new(&program).is_absolute() {
            return Err("must begin with the absolute path of a program");
        }
        let arguments: Vec<_> = parts.collect();
        if program.contains('\0') || arguments.iter().any(|part| part.contains('\0')) {
            return Err("must not contain NUL");
        }
        Ok(Self { program, arguments })
    }

    /// The same command with more arguments at its end.
    #[must_use]
    pub fn with(&self, more: &[&str]) -> Self {
        let mut argv = self.clone();
        argv.arguments.extend(more.iter().map(|part| (*part).to_owned()));
        argv
    }

    /// The program, for messages.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }
}

/// What becomes of processes that a command left behind when it ended in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// They are killed: a probe or a check has no business after its answer.
    KillChildren,
    /// They live on: the command restarts the machine a little later.
    LeaveChildren,
    /// They live on and what they print is not read: the command starts services, which must not
    /// die of a closed pipe.
    LeaveServices,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it printed, capped.
    pub stdout: Vec<u8>,
    /// What it said as errors, capped.
    pub stderr: Vec<u8>,
}

impl Ended {
    /// The last line that it said, errors first, for ledger and log; at most 200 characters.
    #[must_use]
    pub fn last_words(&self) -> String {
        let text = if self.stderr.is_empty() { &self.stdout } else { &self.stderr };
        let text = String::from_utf8_lossy(text);
        let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        line.trim().chars().filter(|c| !c.is_control()).take(200).collect()
    }
}

/// Why a command gave no exit status.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It could not be started.
    #[error("{program} cannot be started")]
    Start {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Its end could not be observed.
    #[error("{program} cannot be waited for")]
    Wait {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It did not end in time and was killed with all its children.
    #[error("{program} gave no answer within {} s and was stopped", limit.as_secs())]
    TimeOut {
        /// The program.
        program: String,
        /// The limit.
        limit: Duration,
    },
}

/// Runs a command to its end.
///
/// # Errors
/// [`RunError`] when it cannot be started or does not end within `limit`.
pub async fn run(argv: &Argv, limit: Duration, after: After) -> Result<Ended, RunError> {
    let program = || argv.program.clone();
    let output = || match after {
        After::KillChildren | After::LeaveChildren => Stdio::piped(),
        After::LeaveServices => Stdio::null(),
    };
    let mut command = Command::new(&argv.program);
    command
        .args(&argv.arguments)
        .env_clear()
        .env("PATH", SEARCH_PATH)
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(output())
        .stderr(output())
        .current_dir("/")
        .process_group(0)
        .kill_on_drop(true);
    let child = command.spawn().map_err(|source| RunError::Start { program: program(), source })?;
    let mut group = Group::of(child);
    let ended = tokio::time::timeout(limit, group.finish()).await;
    match ended {
        Ok(Ok(ended)) => {
            match after {
                After::KillChildren => {}
                After::LeaveChildren | After::LeaveServices => group.forget(),
            }
            Ok(ended)
        }
        Ok(Err(source)) => Err(RunError::Wait { program: program(), source }),
        Err(_elapsed) => Err(RunError::TimeOut { program: program(), limit }),
    }
}

/// A child and its process group, killed together when this goes out of scope.
struct Group {
    child: Child,
    id: Option<rustix::process::Pid>,
}

impl Group {
    fn of(child: Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self { child, id: id.and_then(rustix::process::Pid::from_raw) }
    }

    async fn finish(&mut self) -> std::io::Result<Ended> {
        let (out, err) = (self.child.stdout.take(), self.child.stderr.take());
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let status = {
            let mut reading = std::pin::pin!(async {
                tokio::join!(keep(out, &mut stdout), keep(err, &mut stderr));
            });
            tokio::select! {
                status = self.child.wait() => {
                    // What it left behind may hold the pipes open for ever: do not wait for that.
                    let drain = Duration::from_millis(DRAIN_MS);
                    let _unfinished = tokio::time::timeout(drain, reading.as_mut()).await;
                    status?
                }
                () = reading.as_mut() => self.child.wait().await?,
            }
        };
        Ok(Ended { status, stdout, stderr })
    }

    const fn forget(&mut self) {
        self.id = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            // Nobody left in the group is not a fault.
            let _gone = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
    }
}

/// Reads to the end, keeping the first [`OUTPUT_BYTES_MAX`] bytes.
async fn keep(stream: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; 4096];
    while let Ok(count) = stream.read(&mut buffer).await {
        if count == 0 {
            return;
        }
        let room = OUTPUT_BYTES_MAX.saturating_sub(kept.len());
        kept.extend(buffer.iter().take(count.min(room)));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn shell(script: &str) -> Argv {
        Argv::new(vec!["/bin/sh".into(), "-c".into(), script.into()]).unwrap()
    }

    /// A limit for a test's script: short only where the script hangs.
    pub(crate) fn limit_for(script: &str) -> Duration {
        let hangs = script.contains("sleep") || script.contains("/dev/zero");
        if hangs { Duration::from_millis(400) } else { LONG }
    }

    const LONG: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_secs(1);

    /// Whether a process with this id still runs (a zombie does not).
    fn alive(pid: &str) -> bool {
        std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
            .is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[test]
    fn a_command_begins_with_an_absolute_path() {
        assert!(Argv::new(vec![]).is_err());
        assert!(Argv::new(vec!["sh".into()]).is_err());
        assert!(Argv::new(vec!["/bin/sh".into(), "a\0b".into()]).is_err());
    }

    #[tokio::test]
    async fn exit_code_and_both_outputs_come_back() {
        let ended =
            run(&shell("echo out; echo err >&2; exit 3"), LONG, After::KillChildren).await.unwrap();
        assert_eq!(ended.status.code(), Some(3));
        assert_eq!((ended.stdout, ended.stderr), (b"out\n".to_vec(), b"err\n".to_vec()));
    }

    #[tokio::test]
    async fn the_environment_is_empty_but_for_path_and_lang() {
        let ended = run(&shell("env"), LONG, After::KillChildren).await.unwrap();
        let text = String::from_utf8(ended.stdout).unwrap();
        let mut names: Vec<_> = text.lines().filter_map(|line| line.split('=').next()).collect();
        names.retain(|name| !["PWD", "_", "SHLVL", "OLDPWD"].contains(name));
        names.sort_unstable();
        assert_eq!(names, ["LANG", "PATH"]);
    }

    #[tokio::test]
    async fn a_flood_is_cut_and_does_not_block() {
        let flood = shell("head -c 3000000 /dev/zero; exit 4");
        let ended = run(&flood, LONG, After::KillChildren).await.unwrap();
        assert_eq!((ended.status.code(), ended.stdout.len()), (Some(4), OUTPUT_BYTES_MAX));
    }

    #[tokio::test]
    async fn a_silent_command_is_killed_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let script = format!("sleep 60 & echo $! > {}; wait", pid.display());
        let ended = run(&shell(&script), SHORT, After::KillChildren).await;
        assert!(matches!(ended, Err(RunError::TimeOut { .. })));
        let pid = std::fs::read_to_string(pid).unwrap();
        for _ in 0..1000 {
            if !alive(&pid) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the child outlived its group");
    }

    #[tokio::test]
    async fn what_a_command_leaves_behind_does_not_hold_it_up() {
        let ended = run(&shell("sleep 60 & echo $!"), LONG, After::LeaveChildren).await.unwrap();
        let pid = String::from_utf8(ended.stdout).unwrap();
        assert!(alive(&pid), "a service that was started lives on");
        let ended = run(&shell(&format!("kill {pid}")), LONG, After::KillChildren).await.unwrap();
        assert!(ended.status.success());
    }

    #[tokio::test]
    async fn a_service_that_was_started_may_go_on_printing() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("printed");
        let script = format!(
            "(while test ! -e {0}.go; do sleep 0.01; done; echo hello && : > {0}) &",
            mark.display()
        );
        run(&shell(&script), LONG, After::LeaveServices).await.unwrap();
        std::fs::File::create(folder.path().join("printed.go")).unwrap();
        for _ in 0..2000 {
            if mark.exists() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the service died when it printed");
    }

    #[tokio::test]
    async fn a_missing_program_cannot_be_started() {
        let argv = Argv::new(vec!["/nonexistent/probe".into()]).unwrap();
        let ended = run(&argv, LONG, After::KillChildren).await;
        assert!(matches!(ended, Err(RunError::Start { .. })));
    }
}
