//! Calendar and clock as people write them: days, `HH:MM`, `YYYY-MM-DD`.
//!
//! A civil time is no instant: only a zone makes it one, in [`crate::window`]. Not here: zones,
//! daylight saving. Invariant: each value exists in the calendar.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Weekday {
    /// All seven, Monday first.
    pub const ALL: [Self; 7] =
        [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    /// The day of a date.
    #[must_use]
    pub fn of(date: CivilDate) -> Self {
        Self::from_jiff(date.0.weekday())
    }

    const fn from_jiff(day: jiff::civil::Weekday) -> Self {
        match day {
            jiff::civil::Weekday::Monday => Self::Mon,
            jiff::civil::Weekday::Tuesday => Self::Tue,
            jiff::civil::Weekday::Wednesday => Self::Wed,
            jiff::civil::Weekday::Thursday => Self::Thu,
            jiff::civil::Weekday::Friday => Self::Fri,
            jiff::civil::Weekday::Saturday => Self::Sat,
            jiff::civil::Weekday::Sunday => Self::Sun,
        }
    }

    /// Its word in tables and forms.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Mon => "mon",
            Self::Tue => "tue",
            Self::Wed => "wed",
            Self::Thu => "thu",
            Self::Fri => "fri",
            Self::Sat => "sat",
            Self::Sun => "sun",
        }
    }

    /// The day of a word.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|day| day.code() == code)
    }

    /// In English and in Japanese, short.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Mon => ("Mon", "月"),
            Self::Tue => ("Tue", "火"),
            Self::Wed => ("Wed", "水"),
            Self::Thu => ("Thu", "木"),
            Self::Fri => ("Fri", "金"),
            Self::Sat => ("Sat", "土"),
            Self::Sun => ("Sun", "日"),
        }
    }
}

/// A time of day, `00:00` to `23:59`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CivilTime(u16);

/// A date, `1970-01-02` to `9999-12-30`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CivilDate(jiff::civil::Date);

/// Why a text is no time of day or no date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}")]
pub struct BadCivil {
    what: &'static str,
    text: String,
}

impl BadCivil {
    fn new(what: &'static str, text: &str) -> Self {
        Self { what, text: text.chars().take(40).collect() }
    }
}

impl CivilTime {
    /// From hour (0 to 23) and minute (0 to 59).
    ///
    /// # Errors
    /// [`BadCivil`] outside the day.
    pub fn new(hour: u16, minute: u16) -> Result<Self, BadCivil> {
        if hour < 24 && minute < 60 {
            Ok(Self(hour * 60 + minute))
        } else {
            Err(BadCivil::new(TIME, &format!("{hour}:{minute}")))
        }
    }

    /// Minutes since `00:00`.
    #[must_use]
    pub const fn minute_of_day(self) -> u16 {
        self.0
    }

    #[cfg_attr(not(feature = "zones"), allow(dead_code))]
    pub(crate) fn to_jiff(self) -> jiff::civil::Time {
        let part = |number: u16| i8::try_from(number).unwrap_or(0);
        jiff::civil::Time::new(part(self.0 / 60), part(self.0 % 60), 0, 0)
            .unwrap_or(jiff::civil::Time::midnight())
    }
}

const TIME: &str = "time of day: write it like 02:30 (00:00 to 23:59)";
const DATE: &str = "date: write it like 2026-12-05";

impl CivilDate {
    /// From year, month (1 to 12) and day (1 to 31).
    ///
    /// # Errors
    /// [`BadCivil`] when the calendar has no such day.
    pub fn new(year: i16, month: i8, day: i8) -> Result<Self, BadCivil> {
        let wrong = || BadCivil::new(DATE, &format!("{year}-{month}-{day}"));
        let date = jiff::civil::Date::new(year, month, day).map_err(|_| wrong())?;
        let range = jiff::civil::date(1970, 1, 2)..=jiff::civil::date(9999, 12, 30);
        if range.contains(&date) { Ok(Self(date)) } else { Err(wrong()) }
    }

    /// This date moved by `days`; at the end of the calendar it stays where it is.
    #[must_use]
    pub fn plus_days(self, days: i64) -> Self {
        let moved = jiff::Span::new().try_days(days).and_then(|span| self.0.checked_add(span));
        moved.map_or(self, Self)
    }

    /// Days from `earlier` to this date; negative when `earlier` is later.
    #[must_use]
    pub fn days_since(self, earlier: Self) -> i64 {
        self.0.duration_since(earlier.0).as_hours() / 24
    }

    /// The day of an instant in UTC.
    #[must_use]
    pub fn of_utc(at: Timestamp) -> Self {
        Self(jiff::tz::Offset::UTC.to_datetime(at.to_jiff()).date())
    }

    /// The first instant in UTC that is not this day any more.
    #[must_use]
    pub fn end_utc(self) -> Timestamp {
        let next = self.plus_days(1).0.to_datetime(jiff::civil::Time::midnight());
        let end = jiff::tz::Offset::UTC.to_timestamp(next);
        Timestamp::from_jiff(end.unwrap_or(jiff::Timestamp::MAX))
    }

    /// The Monday of its week.
    #[must_use]
    pub fn monday(self) -> Self {
        self.plus_days(-i64::from(self.0.weekday().to_monday_zero_offset()))
    }

    #[cfg_attr(not(feature = "zones"), allow(dead_code))]
    pub(crate) const fn from_jiff(date: jiff::civil::Date) -> Self {
        Self(date)
    }

    #[cfg_attr(not(feature = "zones"), allow(dead_code))]
    pub(crate) const fn to_jiff(self) -> jiff::civil::Date {
        self.0
    }
}

impl FromStr for CivilTime {
    type Err = BadCivil;

    fn from_str(text: &str) -> Result<Self, BadCivil> {
        let wrong = || BadCivil::new(TIME, text);
        let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
        Self::new(two_digits(hour).ok_or_else(wrong)?, two_digits(minute).ok_or_else(wrong)?)
            .map_err(|_| wrong())
    }
}

impl FromStr for CivilDate {
    type Err = BadCivil;

    fn from_str(text: &str) -> Result<Self, BadCivil> {
        let wrong = || BadCivil::new(DATE, text);
        let mut parts = text.split('-');
        let (Some(year), Some(month), Some(day), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let plain = year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
        let year: i16 = year.parse().ok().filter(|_| plain).ok_or_else(wrong)?;
        let part = |text| two_digits(text).and_then(|n| i8::try_from(n).ok());
        let month = part(month).ok_or_else(wrong)?;
        Self::new(year, month, part(day).ok_or_else(wrong)?).map_err(|_| wrong())
    }
}

fn two_digits(text: &str) -> Option<u16> {
    let plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

impl fmt::Display for CivilTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl fmt::Display for CivilDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), self.0.month(), self.0.day())
    }
}

macro_rules! as_text {
    ($name:ident, $pattern:literal, $what:literal) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadCivil;

            fn try_from(text: String) -> Result<Self, BadCivil> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed(stringify!($name))
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string", "pattern": $pattern, "description": $what
                })
            }
        }
    };
}

as_text!(CivilTime, "^([01][0-9]|2[0-3]):[0-5][0-9]$", "A time of day");
as_text!(CivilDate, "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "A date");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_in_utc_ends_where_the_next_one_begins() {
        let day: CivilDate = "2026-12-05".parse().unwrap();
        assert_eq!(day.end_utc().to_string(), "2026-12-06T00:00:00Z");
        assert_eq!(CivilDate::of_utc(day.end_utc().plus_millis(-1)), day);
        assert_eq!(CivilDate::of_utc(day.end_utc()), day.plus_days(1));
    }

    #[test]
    fn only_times_and_dates_that_exist_are_read() {
        for good in ["00:00", "02:30", "23:59"] {
            assert_eq!(good.parse::<CivilTime>().unwrap().to_string(), good);
        }
        for bad in ["24:00", "2:30", "02:60", "02.30", "0230", "02:30:00", "", "+2:30", "02:3x"] {
            assert!(bad.parse::<CivilTime>().is_err(), "{bad}");
        }
        assert_eq!("2028-02-29".parse::<CivilDate>().unwrap().to_string(), "2028-02-29");
        for bad in ["2027-02-29", "2027-13-01", "27-01-01", "2027-1-1", "2027-01-01-", "+027-01-01"]
        {
            assert!(bad.parse::<CivilDate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn days_are_counted_over_leap_days_and_weeks_begin_on_monday() {
        let date = |text: &str| text.parse::<CivilDate>().unwrap();
        assert_eq!(date("2028-03-01").days_since(date("2028-02-28")), 2);
        assert_eq!(date("2028-02-28").plus_days(2), date("2028-03-01"));
        assert_eq!(date("2026-11-22").monday(), date("2026-11-16"));
        assert_eq!(Weekday::of(date("2026-11-22")), Weekday::Sun);
        assert_eq!(date("9999-12-30").plus_days(1_000_000), date("9999-12-30"));
    }
}
