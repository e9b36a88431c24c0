//! The zone in which a visitor reads hours.
//!
//! A hospital's stands in its inventory; a manufacturer's and that of an account without a hospital are
//! entered in the console ([`crate::people::zone`]). Not here: writing instants ([`super::when`]).
//! Invariant: a value names a zone that this program knows; what nobody entered is UTC, and says so.

use jiff::tz::TimeZoneDatabase;
use std::fmt;
use std::sync::LazyLock;

/// The names of all zones, in the spelling of the time zone database.
static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
    TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect()
});

/// An IANA zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZoneName(&'static str);

impl ZoneName {
    /// What counts where nobody entered anything.
    pub const UTC: Self = Self("Etc/UTC");

    /// The zone of a name such as `Asia/Tokyo`; upper and lower case are the same.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        let known = NAMES.iter().find(|name| name.eq_ignore_ascii_case(text));
        known.map(|name| Self(name.as_str()))
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for ZoneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_known_however_it_is_typed_and_nothing_else_is() {
        assert_eq!(ZoneName::of(" asia/tokyo ").map(ZoneName::as_str), Some("Asia/Tokyo"));
        assert_eq!(ZoneName::of(ZoneName::UTC.as_str()), Some(ZoneName::UTC));
        for bad in ["", "Mars/Base", "JST-9", "../etc/passwd", "+09:00"] {
            assert_eq!(ZoneName::of(bad), None, "{bad}");
        }
    }
}
