//! Instants and days as people read them: in the site's zone, which is always named.
//!
//! Not here: exports, which are ISO 8601. Invariant: the machine-readable instant stands beside the
//! words (`<time datetime>`), so that both say the same.

use super::words::Words;
use crate::people::who::Language;
use askama::filters::HtmlSafe;
use jiff::Zoned;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use patchward_protocol::time::Timestamp;
use std::fmt;

const WEEKDAYS_JA: [&str; 7] = ["月", "火", "水", "木", "金", "土", "日"];

/// An instant as a piece of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    iso: String,
    words: String,
}

/// A day as a piece of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day(When);

impl HtmlSafe for When {}
impl HtmlSafe for Day {}

impl When {
    pub(super) fn instant(language: Language, at: Timestamp, tz: &str) -> Self {
        let zoned = zoned(at, tz);
        let words = format!(
            "{}{} {}",
            date(language, &zoned),
            language.pick(",", ""),
            zoned.strftime("%H:%M %Z")
        );
        Self { iso: iso(at), words }
    }

    pub(super) fn clock(_: Language, at: Timestamp, tz: &str) -> Self {
        Self { iso: iso(at), words: zoned(at, tz).strftime("%H:%M").to_string() }
    }

    /// The end of a stretch: the hour alone on the day on which it began (midnight still ends that day),
    /// with its own day otherwise.
    fn end(language: Language, from: Timestamp, to: Timestamp, tz: &str) -> Self {
        let (first, last) = (zoned(from, tz), zoned(to.plus_millis(-1), tz));
        let clock = Self::clock(language, to, tz);
        if first.date() >= last.date() {
            return clock;
        }
        let day = date(language, &zoned(to, tz));
        Self { words: format!("{day} {}", clock.words), ..clock }
    }

    /// The words alone, for a place where no markup may stand.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.words
    }
}

impl Words {
    /// The end of a stretch of which the day and hour of the beginning stand beside it.
    #[must_use]
    pub fn end(self, from: Timestamp, to: Timestamp, tz: &str) -> When {
        When::end(self.language(), from, to, tz)
    }
}

impl Day {
    pub(super) fn of(language: Language, at: Timestamp, tz: &str) -> Self {
        let zoned = zoned(at, tz);
        let iso = zoned.strftime("%Y-%m-%d").to_string();
        Self(When { iso, words: date(language, &zoned) })
    }

    /// Without the year, where it stands above.
    pub(super) fn short(language: Language, at: Timestamp, tz: &str) -> Self {
        let Self(When { iso, words }) = Self::of(language, at, tz);
        let words = match language {
            Language::En => words.rsplit_once(' ').map(|(day, _)| day.to_owned()),
            Language::Ja => words.split_once('年').map(|(_, day)| day.to_owned()),
        };
        Self(When { iso, words: words.unwrap_or_default() })
    }

    /// Day and month alone, for an axis: `5 Dec`, `12月5日`.
    pub(super) fn on_axis(language: Language, at: Timestamp, tz: &str) -> String {
        zoned(at, tz).strftime(language.pick("%-d %b", "%-m月%-d日")).to_string()
    }

    /// The month of the day: `December 2026`, `2026年12月`.
    pub(super) fn month(language: Language, at: Timestamp, tz: &str) -> String {
        zoned(at, tz).strftime(language.pick("%B %Y", "%Y年%-m月")).to_string()
    }

    /// The words alone, for a place where no markup may stand.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.0.words
    }

    /// The day as `2026-12-05`.
    #[must_use]
    pub fn iso(&self) -> &str {
        &self.0.iso
    }
}

impl fmt::Display for When {
    /// Neither part can hold a character that means anything in HTML: both come from numbers and
    /// from names of zones.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<time datetime=\"{}\">{}</time>", self.iso, self.words)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn zoned(at: Timestamp, tz: &str) -> Zoned {
    let zone = TimeZoneDatabase::bundled().get(tz).unwrap_or(TimeZone::UTC);
    at.to_jiff().to_zoned(zone)
}

fn iso(at: Timestamp) -> String {
    at.to_jiff().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn date(language: Language, zoned: &Zoned) -> String {
    match language {
        Language::En => zoned.strftime("%a %-d %b %Y").to_string(),
        Language::Ja => {
            let day = usize::try_from(zoned.weekday().to_monday_zero_offset()).unwrap_or(0);
            let weekday = WEEKDAYS_JA.get(day).copied().unwrap_or_default();
            format!("{}({weekday})", zoned.strftime("%Y年%-m月%-d日"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_jiff(text.parse().unwrap())
    }

    #[test]
    fn each_language_writes_the_day_its_own_way_and_names_the_zone() {
        let noon = at("2026-12-05T04:30:00Z");
        let en = When::instant(Language::En, noon, "Asia/Tokyo");
        assert_eq!(en.words(), "Sat 5 Dec 2026, 13:30 JST");
        let ja = When::instant(Language::Ja, noon, "Asia/Tokyo");
        assert_eq!(ja.words(), "2026年12月5日(土) 13:30 JST");
        assert_eq!(
            ja.to_string(),
            "<time datetime=\"2026-12-05T04:30:00Z\">2026年12月5日(土) 13:30 JST</time>"
        );
    }

    #[test]
    fn the_day_is_that_of_the_zone() {
        let late = at("2026-12-05T20:00:00Z");
        assert_eq!(Day::of(Language::En, late, "Asia/Tokyo").iso(), "2026-12-06");
        assert_eq!(Day::of(Language::En, late, "Etc/UTC").iso(), "2026-12-05");
        assert_eq!(Day::short(Language::En, late, "Asia/Tokyo").words(), "Sun 6 Dec");
        assert_eq!(Day::short(Language::Ja, late, "Asia/Tokyo").words(), "12月6日(日)");
    }

    #[test]
    fn a_month_is_named_in_the_zone() {
        let late = at("2026-11-30T20:00:00Z");
        assert_eq!(Day::month(Language::En, late, "Asia/Tokyo"), "December 2026");
        assert_eq!(Day::month(Language::Ja, late, "Asia/Tokyo"), "2026年12月");
        assert_eq!(Day::month(Language::Ja, late, "Etc/UTC"), "2026年11月");
    }

    #[test]
    fn a_stretch_over_midnight_names_the_day_of_its_end() {
        let from = at("2026-12-05T18:59:00Z");
        let end = |to, language| When::end(language, from, at(to), "Asia/Tokyo").words;
        assert_eq!(end("2026-12-06T14:00:00Z", Language::En), "23:00");
        assert_eq!(end("2026-12-06T15:00:00Z", Language::En), "00:00");
        assert_eq!(end("2026-12-06T18:58:00Z", Language::En), "Mon 7 Dec 2026 03:58");
        assert_eq!(end("2026-12-06T18:58:00Z", Language::Ja), "2026年12月7日(月) 03:58");
    }

    #[test]
    fn an_unknown_zone_is_utc_and_says_so() {
        let words = When::instant(Language::En, at("2026-12-05T04:30:00Z"), "Mars/Base");
        assert_eq!(words.words(), "Sat 5 Dec 2026, 04:30 UTC");
    }
}
