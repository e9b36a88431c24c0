//! One line on standard error that says how far a long action is: percent, speed, what remains.
//!
//! Only a person at a terminal sees it; with `--json`, or into a file or pipe, nothing is written. It
//! overwrites itself and is gone at the end. Not here: what the action does.
//! Invariant: no result depends on it.

use crate::here::{Here, Language, Watcher};
use std::io::{self, Read, Write as _};
use std::sync::Mutex;
use std::time::Duration;

/// How often the line is written anew at most.
const EVERY: Duration = Duration::from_millis(200);
/// Not before that: what is over sooner needs no line.
const PATIENCE: Duration = Duration::from_millis(500);

/// The line of one action.
#[derive(Debug)]
pub struct Progress {
    what: String,
    /// In bytes, where it is known.
    total: Option<u64>,
    language: Language,
    clock: fn() -> Duration,
    /// None when nobody watches.
    line: Option<Mutex<Line>>,
}

#[derive(Debug)]
struct Line {
    began: Duration,
    written: Option<Duration>,
}

impl Progress {
    /// Begins; `total` in bytes.
    #[must_use]
    pub fn begin(here: &Here, what: &str, total: Option<u64>) -> Self {
        let line = match here.watcher {
            Watcher::Terminal => Some(Mutex::new(Line { began: (here.clock)(), written: None })),
            Watcher::Nobody => None,
        };
        let (language, clock) = (here.language, here.clock);
        Self { what: what.to_owned(), total, language, clock, line }
    }

    /// Says how many bytes are done.
    pub fn at(&self, done: u64) {
        let Some(mut line) = self.line.as_ref().and_then(|line| line.lock().ok()) else { return };
        let now = (self.clock)();
        let since = now.saturating_sub(line.began);
        let due = line.written.is_none_or(|written| now.saturating_sub(written) >= EVERY);
        if since < PATIENCE || !due {
            return;
        }
        line.written = Some(now);
        let text = words(self.language, &self.what, done, self.total, since);
        // Nobody is there to be told when this fails, and nothing depends on it.
        let _ = write!(io::stderr(), "\r\x1b[K{text}");
    }

    /// A reader that says how far it was read.
    pub const fn reader<R: Read>(&self, inner: R) -> Watched<'_, R> {
        Watched { inner, done: 0, progress: self }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let line = self.line.as_ref().and_then(|line| line.lock().ok());
        if line.is_some_and(|line| line.written.is_some()) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// Reads on, and says how far it is.
#[derive(Debug)]
pub struct Watched<'a, R> {
    inner: R,
    done: u64,
    progress: &'a Progress,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.done = self.done.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        self.progress.at(self.done);
        Ok(count)
    }
}

fn words(language: Language, what: &str, done: u64, total: Option<u64>, since: Duration) -> String {
    let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX).max(1);
    // Bytes in a millisecond are kilobytes in a second.
    let speed = done / millis;
    let speed = format!("{}.{} MB/s", speed / 1000, speed % 1000 / 100);
    let Some(total) = total.filter(|total| *total >= done && *total > 0) else {
        return format!("{what} {} · {speed}", size(done));
    };
    let percent = u128::from(done) * 100 / u128::from(total);
    let rest = u128::from(total - done) * u128::from(millis) / u128::from(done.max(1)) / 1000;
    let rest = format!("{}:{:02}", rest / 60, rest % 60);
    match language {
        Language::En => format!("{what} {percent} % · {speed} · {rest} left"),
        Language::Ja => format!("{what} {percent} % · {speed} · 残り {rest}"),
    }
}

/// A length for people, in bytes, kB (1,000 bytes) or MB (1,000,000 bytes).
#[must_use]
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{}.{} kB", bytes / 1_000, bytes % 1_000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

/// A part of a whole in per cent, with one digit behind the point.
#[must_use]
pub fn share(part: u64, whole: u64) -> String {
    let thousandths = u128::from(part) * 1000 / u128::from(whole.max(1));
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_percent_speed_and_what_remains() {
        let half = |language, total| {
            words(language, "packing", 50_000_000, total, Duration::from_secs(10))
        };
        assert_eq!(half(Language::En, Some(100_000_000)), "packing 50 % · 5.0 MB/s · 0:10 left");
        assert_eq!(half(Language::Ja, Some(500_000_000)), "packing 10 % · 5.0 MB/s · 残り 1:30");
        assert_eq!(half(Language::En, None), "packing 50.0 MB · 5.0 MB/s");
        assert_eq!(half(Language::En, Some(1)), "packing 50.0 MB · 5.0 MB/s");
    }

    #[test]
    fn an_action_that_has_only_begun_divides_by_nothing() {
        let said = words(Language::En, "x", 0, Some(10), Duration::ZERO);
        assert_eq!(said, "x 0 % · 0.0 MB/s · 0:00 left");
        assert_eq!(words(Language::En, "x", 0, None, Duration::ZERO), "x 0 B · 0.0 MB/s");
    }

    #[test]
    fn lengths_and_shares_are_said_with_one_digit_behind_the_point() {
        let said = [0, 999, 1_000, 999_999, 1_000_000, 4_468_351].map(size);
        assert_eq!(said, ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "4.4 MB"]);
        assert_eq!(share(4_468_351, 108_000_000), "4.1 %");
        assert_eq!((share(0, 0), share(u64::MAX, u64::MAX)), ("0.0 %".into(), "100.0 %".into()));
    }
}
