//! Time for the harness: what it is now, and waiting until a condition holds.
//!
//! Nothing here sleeps for a fixed time in the hope that something has happened: every wait asks a
//! condition again and again, and names it when the deadline passes.
//! Invariant: this is the one file of the harness that asks for the time.

use anyhow::{Result, bail};
use patchward_protocol::time::Timestamp;
use std::time::{Duration, Instant, SystemTime};

/// How often a condition is asked again.
const AGAIN: Duration = Duration::from_millis(15);
/// How often at least, of what stays.
const AGAIN_AT_MOST: Duration = Duration::from_millis(300);

/// The time of this machine.
#[must_use]
pub fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "the harness's only clock")]
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Measures how long something takes.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the harness's only clock")]
        Self(Instant::now())
    }

    /// How long since it was started.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Asks `condition` until it gives a value.
///
/// # Errors
/// When `within` passes first (with `what` was waited for), or the condition itself fails.
pub fn until<T>(
    what: &str,
    within: Duration,
    condition: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    asking(what, within, condition, |_| AGAIN)
}

/// The same for what stays once it has come: asked less often the longer it takes, so that asking
/// leaves the machine to those who are waited for.
///
/// # Errors
/// As [`until`].
pub fn eventually<T>(
    what: &str,
    within: Duration,
    condition: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    asking(what, within, condition, patiently)
}

/// How long to wait before asking again, after waiting so long.
pub(crate) fn patiently(waited: Duration) -> Duration {
    waited.div_f64(20.0).clamp(AGAIN, AGAIN_AT_MOST)
}

fn asking<T>(
    what: &str,
    within: Duration,
    mut condition: impl FnMut() -> Result<Option<T>>,
    again: impl Fn(Duration) -> Duration,
) -> Result<T> {
    let watch = Stopwatch::start();
    loop {
        if let Some(value) = condition()? {
            return Ok(value);
        }
        if watch.elapsed() > within {
            bail!("waited {} s in vain for: {what}", within.as_secs());
        }
        pause(again(watch.elapsed()));
    }
}

/// Lets time pass: between two questions, or as a random instant of a kill campaign.
pub fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
