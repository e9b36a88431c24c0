//! A day or an instant, as people give them on the command line.
//!
//! Invariant: a day means the site's own day, never one of UTC.

use crate::error::{Code, Failure, Outcome};
use patchward_protocol::civil::{CivilDate, CivilTime};
use patchward_protocol::time::Timestamp;
use patchward_protocol::window;
use std::str::FromStr;

/// A day of the site, or an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// A day of the site's zone.
    Of(CivilDate),
    /// An instant.
    At(Timestamp),
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let day = text.parse().map(Self::Of);
        let at = || text.parse().map(Self::At).map_err(|error| format!("{error}"));
        day.or_else(|_| at()).map_err(|error: String| {
            format!("a day like 2026-12-28 or an instant like 2026-12-28T00:00:00Z ({error})")
        })
    }
}

impl Day {
    /// Its first instant.
    ///
    /// # Errors
    /// [`Code::ValueBad`] when there is no such zone.
    pub fn begin(self, tz: &str) -> Outcome<Timestamp> {
        match self {
            Self::At(at) => Ok(at),
            Self::Of(day) => midnight(tz, day),
        }
    }

    /// The first instant after it.
    ///
    /// # Errors
    /// [`Code::ValueBad`] when there is no such zone.
    pub fn end(self, tz: &str) -> Outcome<Timestamp> {
        match self {
            Self::At(at) => Ok(at),
            Self::Of(day) => midnight(tz, day.plus_days(1)),
        }
    }
}

fn midnight(tz: &str, day: CivilDate) -> Outcome<Timestamp> {
    let bad = |error: &dyn std::error::Error| Failure::because(Code::ValueBad, day, error);
    let zone = window::zone(tz).map_err(|error| bad(&error))?;
    let midnight = CivilTime::new(0, 0).map_err(|error| bad(&error))?;
    Ok(zone.start(day, midnight))
}
