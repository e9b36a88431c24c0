//! Instants and how well they are known.
//!
//! An instant is a value that is handed in; nothing on this floor reads a clock. Civil time (zones,
//! calendars) is not here: people's windows are expanded to instants before anything is signed.
//! Invariant: an instant has one spelling, so that signed bytes have one spelling.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// Text form (RFC 3339 in UTC): `2026-12-05T04:30:00Z`, with exactly three decimals when the
/// milliseconds are not zero. Range: years 1970 to 9999. The database stores [`Timestamp::millis`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Timestamp(i64);

/// Why a text is no instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no instant: write it like 2026-12-05T04:30:00Z (UTC, years 1970 to 9999)")]
pub struct BadTimestamp {
    text: String,
}

const MILLIS_MAX: i64 = 253_402_300_799_999;

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// From milliseconds since the epoch; values outside 1970..=9999 become the nearest limit.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(0, MILLIS_MAX))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0 / 1000
    }

    /// This instant moved by `seconds` (either way), kept in range.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self::from_millis(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// This instant moved by `millis` (either way), kept in range.
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this instant; negative when `earlier` is later.
    #[must_use]
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// The same instant without its milliseconds.
    #[must_use]
    pub const fn whole_second(self) -> Self {
        Self(self.0 - self.0 % 1000)
    }

    /// The same instant in jiff's type, which TUF metadata uses.
    #[must_use]
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    /// From jiff's type, rounded down to the millisecond and kept in range.
    #[must_use]
    pub fn from_jiff(at: jiff::Timestamp) -> Self {
        Self::from_millis(at.as_millisecond())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = if self.0 % 1000 == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S.%3fZ" };
        write!(f, "{}", self.to_jiff().strftime(form))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = BadTimestamp;

    fn from_str(text: &str) -> Result<Self, BadTimestamp> {
        let wrong = || BadTimestamp { text: text.chars().take(40).collect() };
        let at: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
        let value = Self::from_jiff(at);
        // One spelling only: a text that does not come out the same is refused.
        if value.to_string() == text { Ok(value) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for Timestamp {
    type Error = BadTimestamp;

    fn try_from(text: String) -> Result<Self, BadTimestamp> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(at: Timestamp) -> Self {
        at.to_string()
    }
}

/// How well a device knows the time. A slot opens at `Attested`; at `Plausible` only where the
/// signed approval says so; at `Unknown` never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TimeQuality {
    /// No source, or sources that disagree.
    Unknown,
    /// Exactly one source.
    Plausible,
    /// The server's signed answer and a source that the server does not control agree.
    Attested,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_spelling() {
        let at: Timestamp = "2026-12-05T04:30:00Z".parse().unwrap();
        assert_eq!(at.to_string(), "2026-12-05T04:30:00Z");
        assert_eq!(at.plus_millis(5).to_string(), "2026-12-05T04:30:00.005Z");
        for bad in [
            "2026-12-05T04:30:00.000Z",
            "2026-12-05T13:30:00+09:00",
            "2026-12-05 04:30:00Z",
            "2026-12-05T04:30:00.0051Z",
            "1969-12-31T23:59:59Z",
            "tomorrow",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }

    #[test]
    fn arithmetic_stays_in_range() {
        assert_eq!(Timestamp::from_millis(-1), Timestamp::EPOCH);
        assert_eq!(Timestamp::from_millis(i64::MAX).plus_seconds(i64::MAX).to_string().len(), 24);
    }
}
