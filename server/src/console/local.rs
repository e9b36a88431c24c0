//! Instants as forms take them: in the zone of the site, without a zone of their own.
//!
//! Not here: showing instants ([`super::when`]). Invariant: what is written for a form is read back as
//! the same minute; a time that the clocks skip is none.

use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use patchward_protocol::time::Timestamp;

/// For `<input type="datetime-local">`, e.g. `2026-12-05T13:30`.
#[must_use]
pub fn write(at: Timestamp, tz: &str) -> String {
    at.to_jiff().to_zoned(zone(tz)).strftime("%Y-%m-%dT%H:%M").to_string()
}

/// Reads what a form sent: `2026-12-05T13:30`, or with a space.
#[must_use]
pub fn read(text: &str, tz: &str) -> Option<Timestamp> {
    let text = text.trim().replace(' ', "T");
    let civil: DateTime = text.parse().ok()?;
    let zoned = zone(tz).to_ambiguous_zoned(civil);
    // Of an hour that comes twice the first is meant; one that never comes is a mistake.
    let zoned = if zoned.is_ambiguous() && text_is_in_gap(&civil, tz) {
        return None;
    } else {
        zoned.compatible().ok()?
    };
    Some(Timestamp::from_jiff(zoned.timestamp()))
}

fn text_is_in_gap(civil: &DateTime, tz: &str) -> bool {
    let zoned = zone(tz).to_ambiguous_zoned(*civil).compatible();
    zoned.is_ok_and(|zoned| zoned.datetime() != *civil)
}

fn zone(tz: &str) -> TimeZone {
    TimeZoneDatabase::bundled().get(tz).unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        let at = Timestamp::from_jiff("2026-12-05T04:30:00Z".parse().unwrap());
        assert_eq!(write(at, "Asia/Tokyo"), "2026-12-05T13:30");
        assert_eq!(read("2026-12-05T13:30", "Asia/Tokyo"), Some(at));
        assert_eq!(read(" 2026-12-05 13:30 ", "Asia/Tokyo"), Some(at));
    }

    #[test]
    fn a_time_that_never_comes_is_none() {
        assert_eq!(read("2026-03-29T02:30", "Europe/Berlin"), None);
        assert!(read("2026-10-25T02:30", "Europe/Berlin").is_some());
        assert_eq!(read("tomorrow", "Asia/Tokyo"), None);
    }
}
