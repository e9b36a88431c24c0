//! From what the device runs: mains and battery, asked of configured commands.
//!
//! Unknown is a value of its own and counts as "not met" where the approval asks for it.
//! Not here: the decision. Invariant: only an exact answer is an answer.

use crate::child::{self, After, Argv};
use crate::config::Clinical;
use std::time::Duration;

/// What is known of the device's power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Power {
    /// Running from the mains; none when unknown.
    pub mains: Option<bool>,
    /// Battery charge in percent; none when unknown.
    pub battery_percent: Option<u8>,
}

/// Asks the configured commands.
pub async fn ask(clinical: &Clinical) -> Power {
    let limit = clinical.probe_limit;
    let mains = match &clinical.mains {
        Some(argv) => mains(argv, limit).await,
        None => None,
    };
    let battery_percent = match &clinical.battery {
        Some(argv) => battery(argv, limit).await,
        None => None,
    };
    Power { mains, battery_percent }
}

/// Exit 0 = from the mains, 1 = not.
async fn mains(argv: &Argv, limit: Duration) -> Option<bool> {
    let ended = child::run(argv, limit, After::KillChildren).await.ok()?;
    match ended.status.code() {
        Some(0) => Some(true),
        Some(1) => Some(false),
        _ => None,
    }
}

/// A whole number from 0 to 100 on one line, and exit 0.
async fn battery(argv: &Argv, limit: Duration) -> Option<u8> {
    let ended = child::run(argv, limit, After::KillChildren).await.ok()?;
    let text = str::from_utf8(&ended.stdout).ok().filter(|_| ended.status.success())?;
    let digits = text.strip_suffix('\n').unwrap_or(text);
    let exact = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|percent| exact && *percent <= 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, EXAMPLE};

    async fn asked(mains: Option<&str>, battery: Option<&str>) -> Power {
        let shell =
            |script: &str| Argv::new(vec!["/bin/sh".into(), "-c".into(), script.into()]).unwrap();
        let mut clinical = Config::parse(EXAMPLE).unwrap().clinical;
        let script = mains.or(battery).unwrap_or_default();
        (clinical.mains, clinical.battery) = (mains.map(shell), battery.map(shell));
        clinical.probe_limit = crate::child::tests::limit_for(script);
        ask(&clinical).await
    }

    #[tokio::test]
    async fn nothing_configured_is_unknown() {
        assert_eq!(asked(None, None).await, Power::default());
    }

    #[tokio::test]
    async fn mains_is_known_from_exit_0_and_1_only() {
        for (script, known) in [
            ("exit 0", Some(true)),
            ("exit 1", Some(false)),
            ("exit 2", None),
            ("kill -9 $$", None),
            ("sleep 60", None),
        ] {
            assert_eq!(asked(Some(script), None).await.mains, known, "{script}");
        }
    }

    #[tokio::test]
    async fn battery_is_known_from_an_exact_number_only() {
        for (script, known) in [
            ("echo 0", Some(0)),
            ("echo 100", Some(100)),
            ("printf 57", Some(57)),
            ("echo 101", None),
            ("echo +5", None),
            ("echo -1", None),
            ("echo 57%", None),
            ("echo 57; echo 58", None),
            ("echo", None),
            ("echo 57; exit 1", None),
            ("sleep 60; echo 57", None),
        ] {
            assert_eq!(asked(None, Some(script)).await.battery_percent, known, "{script}");
        }
    }
}
