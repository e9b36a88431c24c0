//! Faults of the machine under a real program: killed, or refused, at the n-th system call of a kind.
//!
//! By `strace`, which is installed by `cargo xtask test`. Not here: what must hold afterwards.
//! Invariant: only the traced program is touched; without `strace` this fails with a hint.

use crate::clock::until;
use crate::running::{Running, run};
use anyhow::{Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::process::Command;
use std::time::Duration;

/// What happens at the chosen system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The program is killed, as by a power cut.
    Killed,
    /// The call fails: no space left.
    NoSpace,
    /// The call fails: the disk is broken.
    Broken,
}

/// From when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At the n-th such call only.
    Once(u32),
    /// At the n-th and every later one.
    From(u32),
}

/// System calls that make a device's state durable, and what is written with them.
pub const DURABLE: &str = "fsync,fdatasync,sync_file_range,syncfs";
/// System calls that move names.
pub const RENAMES: &str = "rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat";
/// System calls that write bytes to files (and sockets).
pub const WRITES: &str = "write,pwrite64,writev,pwritev,pwritev2,copy_file_range";
/// System calls that take room on the disk.
pub const ROOM: &str = "write,pwrite64,writev,fallocate,ftruncate,mkdir,mkdirat,symlink,symlinkat";

/// Ends a traced program and its tracer: a tracer that is killed would leave the program running.
///
/// # Errors
/// When the system refuses.
pub fn end(tracer: &mut Running) -> Result<()> {
    let id = tracer.id();
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
    let children = children.unwrap_or_default();
    for child in children.split_whitespace() {
        if let Some(child) = child.parse().ok().and_then(Pid::from_raw) {
            // It may have ended since it was listed.
            let _ = kill_process(child, Signal::KILL);
        }
    }
    tracer.kill()?;
    // A killed program holds its locks until it is gone; whoever starts it again must not meet them.
    for child in children.split_whitespace() {
        until("the traced program to be gone", Duration::from_secs(10), || {
            Ok(is_gone(child).then_some(()))
        })?;
    }
    Ok(())
}

/// Whether a process has ended, with all its threads; nobody may have asked how yet. The thread that
/// began it is often the first to be gone, and what the others hold is still held.
fn is_gone(id: &str) -> bool {
    let others = std::fs::read_dir(format!("/proc/{id}/task"));
    if others.is_ok_and(|threads| threads.count() > 1) {
        return false;
    }
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{id}/stat")) else { return true };
    // The state follows the name, which stands in parentheses.
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

/// Wraps a command so that the fault happens at chosen calls.
///
/// # Errors
/// When there is no `strace`, or it may not trace.
pub fn under(command: &Command, calls: &str, fault: Fault, when: When) -> Result<Command> {
    let probe = run(Command::new("strace").args(["-o", "/dev/null", "true"]));
    match probe {
        Ok(said) if said.status.success() => {}
        Ok(said) => bail!("strace may not trace here: {}", said.err.trim()),
        Err(_) => bail!("strace is missing: apt-get install strace, or run cargo xtask test"),
    }
    let effect = match fault {
        Fault::Killed => "signal=KILL",
        Fault::NoSpace => "error=ENOSPC",
        Fault::Broken => "error=EIO",
    };
    let when = match when {
        When::Once(n) => n.to_string(),
        When::From(n) => format!("{n}+"),
    };
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
    strace.args(["-e", &format!("inject={calls}:{effect}:when={when}"), "--"]);
    strace.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            strace.env(name, value);
        }
    }
    Ok(strace)
}
