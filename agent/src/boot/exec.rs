//! A boot adapter that is a program: one verb per call.
//!
//! ```text
//! get-current        prints A or B: the slot that runs
//! get-primary        prints A or B: the slot that the next start begins with
//! set-primary X      next start with X, on trial
//! mark-good X        X works
//! mark-bad X         X must not be started
//! restart            restarts the machine; prints nothing, or "done" when X runs already
//! ```
//! Exit 0 and exactly that output (one line, or nothing), in time; anything else is an error.

use super::{Boot, Slot};
use crate::child::{self, After, Argv};
use crate::edge::{Failure, Restart};
use patchward_protocol::reason::Reason;
use std::time::Duration;

/// A program that speaks to the boot loader.
#[derive(Debug, Clone)]
pub struct ExecBoot {
    argv: Argv,
    limit: Duration,
}

impl ExecBoot {
    /// The adapter; each call has `limit` time.
    #[must_use]
    pub const fn new(argv: Argv, limit: Duration) -> Self {
        Self { argv, limit }
    }

    /// Runs a verb and gives what it printed, without the line end.
    async fn verb(&self, words: &[&str], after: After) -> Result<String, Failure> {
        let during = || format!("boot adapter {}", words.join(" "));
        let ended = child::run(&self.argv.with(words), self.limit, after).await;
        let ended = ended.map_err(|e| Failure::from_source(Reason::InstallFailed, during(), e))?;
        if !ended.status.success() {
            let said = format!("{}: {}: {}", during(), ended.status, ended.last_words());
            return Err(Failure::new(Reason::InstallFailed, said));
        }
        let text = String::from_utf8(ended.stdout).map_err(|_| unknown(words))?;
        Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
    }

    async fn slot(&self, verb: &str) -> Result<Slot, Failure> {
        match self.verb(&[verb], After::KillChildren).await?.as_str() {
            "A" => Ok(Slot::A),
            "B" => Ok(Slot::B),
            _ => Err(unknown(&[verb])),
        }
    }

    async fn change(&self, verb: &str, slot: Slot) -> Result<(), Failure> {
        let words = [verb, &slot.to_string()];
        let said = self.verb(&words, After::KillChildren).await?;
        if said.is_empty() { Ok(()) } else { Err(unknown(&words)) }
    }
}

fn unknown(words: &[&str]) -> Failure {
    let during = format!("boot adapter {}: its output is not understood", words.join(" "));
    Failure::new(Reason::InstallFailed, during)
}

impl Boot for ExecBoot {
    async fn current(&mut self) -> Result<Slot, Failure> {
        self.slot("get-current").await
    }

    async fn primary(&mut self) -> Result<Slot, Failure> {
        self.slot("get-primary").await
    }

    async fn set_primary(&mut self, slot: Slot) -> Result<(), Failure> {
        self.change("set-primary", slot).await
    }

    async fn mark_good(&mut self, slot: Slot) -> Result<(), Failure> {
        self.change("mark-good", slot).await
    }

    async fn mark_bad(&mut self, slot: Slot) -> Result<(), Failure> {
        self.change("mark-bad", slot).await
    }

    async fn restart(&mut self) -> Result<Restart, Failure> {
        match self.verb(&["restart"], After::LeaveChildren).await?.as_str() {
            "" => Ok(Restart::GoingDown),
            "done" => Ok(Restart::Done),
            _ => Err(unknown(&["restart"])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(script: &str) -> ExecBoot {
        let argv = ["/bin/sh", "-c", script, "boot"].map(str::to_owned).to_vec();
        ExecBoot::new(Argv::new(argv).unwrap(), crate::child::tests::limit_for(script))
    }

    #[tokio::test]
    async fn slots_are_read_from_exact_output_only() {
        assert_eq!(adapter("echo A").current().await.unwrap(), Slot::A);
        assert_eq!(adapter("printf B").primary().await.unwrap(), Slot::B);
        for script in [
            "echo a",
            "echo C",
            "echo",
            "exit 0",
            "echo A; echo B",
            "echo ' A'",
            "echo A; exit 1",
            "sleep 60; echo A",
            "kill -9 $$",
            "printf '\\377'",
            "printf 'A\\n\\n'",
        ] {
            let refused = adapter(script).current().await.unwrap_err();
            assert_eq!(refused.reason, Reason::InstallFailed, "{script}");
        }
    }

    #[tokio::test]
    async fn a_change_passes_verb_and_slot_and_says_nothing() {
        let script = "test \"$1 $2\" = 'set-primary B'";
        adapter(script).set_primary(Slot::B).await.unwrap();
        assert!(adapter(script).mark_bad(Slot::B).await.is_err());
        assert!(adapter("echo ok").mark_good(Slot::A).await.is_err());
    }

    #[tokio::test]
    async fn a_restart_is_going_down_unless_it_says_done() {
        assert_eq!(adapter("exit 0").restart().await.unwrap(), Restart::GoingDown);
        assert_eq!(adapter("echo done").restart().await.unwrap(), Restart::Done);
        assert!(adapter("echo perhaps").restart().await.is_err());
    }
}
