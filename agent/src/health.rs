//! Whether a new image is good, and whether the device's settings are what they were.
//!
//! The right image must run (the caller compares what the installer observes), and every executable
//! in `health.d` must exit 0 in time. A network is never required: a good update is not rolled back
//! because a name server was down. Not here: what follows from it ([`crate::machine`]).
//! Invariant: a check that hangs, floods or leaves children behind ends within its limit and fails.

pub mod settings;

use crate::child::{self, After, Argv, Ended, RunError};
use crate::config::Health;
use crate::edge::{Clock, Content, Observed};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::reason::Reason;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

/// Most checks in the folder.
pub const CHECKS_MAX: usize = 64;
/// Time between two rounds while the device becomes ready.
const AGAIN: Duration = Duration::from_secs(1);

/// Why the new image is not good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Unhealthy {
    /// What people are told.
    pub reason: Reason,
    /// Which check, and what it said; for the ledger.
    pub detail: String,
}

/// Checks a new image: it is the one that runs, and all checks pass, at the latest
/// `health.ready_within_s` after the question.
///
/// # Errors
/// [`Unhealthy`] with what the last round said.
pub async fn check(
    health: &Health,
    clock: &impl Clock,
    observed: Observed,
    target: Sha256Digest,
) -> Result<(), Unhealthy> {
    if observed.running != Content::Image(target) {
        let detail = format!("{:?} runs and not the new image", observed.running);
        return Err(Unhealthy { reason: Reason::RestartFailed, detail });
    }
    until_ready(health, clock, AGAIN).await
}

async fn until_ready(
    health: &Health,
    clock: &impl Clock,
    again: Duration,
) -> Result<(), Unhealthy> {
    let ready_within_ms = u64::try_from(health.ready_within.as_millis()).unwrap_or(u64::MAX);
    let give_up_boot_ms = clock.boot_ms().saturating_add(ready_within_ms);
    loop {
        match round(health).await {
            Ok(()) => return Ok(()),
            Err(unhealthy) if clock.boot_ms() >= give_up_boot_ms => return Err(unhealthy),
            Err(_not_ready) => tokio::time::sleep(again).await,
        }
    }
}

/// Longest time that [`check`] can take, in seconds; for the reserve of a slot.
#[must_use]
pub fn longest_s(health: &Health, checks: usize) -> u64 {
    let checks = u64::try_from(checks).unwrap_or(u64::MAX);
    let round = health.check_limit.as_secs().saturating_mul(checks.max(1));
    health.ready_within.as_secs().saturating_add(round).saturating_add(AGAIN.as_secs())
}

/// The executables of the folder, in the order of their names.
///
/// # Errors
/// What the disk says: a folder that is not there is no folder without checks.
pub fn checks(folder: &Path) -> io::Result<Vec<Argv>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let found = std::fs::metadata(&path)?;
        if found.is_file() && found.permissions().mode() & 0o111 != 0 {
            paths.push(path);
        }
        if paths.len() > CHECKS_MAX {
            return Err(io::Error::other("more checks than the limit of 64"));
        }
    }
    paths.sort_unstable();
    let argv = |path: std::path::PathBuf| {
        let path = path.into_os_string().into_string();
        let path = path.map_err(|_| io::Error::other("a check whose name is not UTF-8"))?;
        Argv::new(vec![path]).map_err(io::Error::other)
    };
    paths.into_iter().map(argv).collect()
}

async fn round(health: &Health) -> Result<(), Unhealthy> {
    let checks = checks(&health.dir).map_err(|error| {
        let detail = format!("the checks in {} cannot be read: {error}", health.dir.display());
        Unhealthy { reason: Reason::HealthFailed, detail }
    })?;
    for check in checks {
        let ended = child::run(&check, health.check_limit, After::KillChildren).await;
        judge(&check, ended)?;
    }
    Ok(())
}

fn judge(check: &Argv, ended: Result<Ended, RunError>) -> Result<(), Unhealthy> {
    let failed = |reason, detail| Err(Unhealthy { reason, detail });
    match ended {
        Ok(ended) if ended.status.success() => Ok(()),
        Ok(ended) => {
            let detail = format!("{}: {}: {}", check.program(), ended.status, ended.last_words());
            failed(Reason::HealthFailed, detail)
        }
        Err(error @ RunError::TimeOut { .. }) => failed(Reason::HealthSilent, error.to_string()),
        Err(error @ (RunError::Start { .. } | RunError::Wait { .. })) => {
            failed(Reason::HealthFailed, error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Hand;
    use std::fs::Permissions;

    const IMAGE: &[u8] = b"image";

    fn folder(checks: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, script) in checks {
            let path = folder.path().join(name);
            crate::journal::write_durably(&path, format!("#!/bin/sh\n{script}\n").as_bytes())
                .unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        }
        folder
    }

    async fn outcome(checks: &[(&str, &str)]) -> Result<(), Unhealthy> {
        let folder = folder(checks);
        let said: String = checks.iter().map(|(_, script)| *script).collect();
        let health = Health {
            dir: folder.path().to_owned(),
            check_limit: crate::child::tests::limit_for(&said),
            ready_within: Duration::ZERO,
        };
        let image = Sha256Digest::of(IMAGE);
        let running = Content::Image(image);
        check(&health, &Hand::default(), Observed { running, next: running }, image).await
    }

    async fn reason(checks: &[(&str, &str)]) -> Option<Reason> {
        outcome(checks).await.err().map(|unhealthy| unhealthy.reason)
    }

    #[tokio::test]
    async fn all_checks_must_exit_0() {
        assert_eq!(reason(&[]).await, None);
        assert_eq!(reason(&[("1", "exit 0"), ("2", "exit 0")]).await, None);
        assert_eq!(reason(&[("1", "exit 0"), ("2", "exit 1")]).await, Some(Reason::HealthFailed));
        assert_eq!(reason(&[("1", "kill -9 $$")]).await, Some(Reason::HealthFailed));
    }

    #[tokio::test]
    async fn a_check_that_hangs_forks_or_floods_ends_in_time() {
        assert_eq!(reason(&[("1", "sleep 60")]).await, Some(Reason::HealthSilent));
        assert_eq!(
            reason(&[("1", "sleep 60 & sleep 60 & wait")]).await,
            Some(Reason::HealthSilent)
        );
        assert_eq!(reason(&[("1", "tail -f /dev/null & exit 0")]).await, None);
        assert_eq!(reason(&[("1", "cat /dev/zero")]).await, Some(Reason::HealthSilent));
    }

    #[tokio::test]
    async fn what_the_check_said_stands_in_the_detail() {
        let unhealthy = outcome(&[("pressure", "echo 'sensor 3 is dead' >&2; exit 7")]).await;
        let detail = unhealthy.unwrap_err().detail;
        assert!(detail.contains("pressure") && detail.contains("sensor 3 is dead"), "{detail}");
    }

    #[tokio::test]
    async fn another_running_image_is_not_healthy_whatever_the_checks_say() {
        let folder = folder(&[]);
        let health = Health {
            dir: folder.path().to_owned(),
            check_limit: Duration::from_secs(1),
            ready_within: Duration::ZERO,
        };
        for running in [Content::Unknown, Content::Image(Sha256Digest::of(b"other"))] {
            let observed = Observed { running, next: running };
            let outcome = check(&health, &Hand::default(), observed, Sha256Digest::of(IMAGE)).await;
            assert_eq!(outcome.unwrap_err().reason, Reason::RestartFailed);
        }
    }

    #[tokio::test]
    async fn a_missing_folder_is_a_failure_and_not_health() {
        let health = Health {
            dir: "/nonexistent/health.d".into(),
            check_limit: Duration::from_secs(1),
            ready_within: Duration::ZERO,
        };
        let running = Content::Image(Sha256Digest::of(IMAGE));
        let observed = Observed { running, next: running };
        let outcome = check(&health, &Hand::default(), observed, Sha256Digest::of(IMAGE)).await;
        assert_eq!(outcome.unwrap_err().reason, Reason::HealthFailed);
    }

    #[tokio::test]
    async fn a_service_that_needs_a_while_is_asked_again() {
        let state = tempfile::tempdir().unwrap();
        let mark = state.path().join("tried");
        let script = format!("test -e {0} || {{ : > {0}; exit 1; }}", mark.display());
        let folder = folder(&[("1", &script)]);
        let health = Health {
            dir: folder.path().to_owned(),
            check_limit: Duration::from_secs(3600),
            ready_within: Duration::from_secs(30),
        };
        until_ready(&health, &Hand::default(), Duration::from_millis(1)).await.unwrap();
    }

    #[test]
    fn only_executables_are_checks_in_the_order_of_their_names() {
        let folder = folder(&[("20-b", ""), ("10-a", "")]);
        crate::journal::write_durably(&folder.path().join("README"), b"no check").unwrap();
        let names: Vec<_> = checks(folder.path())
            .unwrap()
            .iter()
            .map(|argv| argv.program().rsplit('/').next().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["10-a", "20-b"]);
    }
}
