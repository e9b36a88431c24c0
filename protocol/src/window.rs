//! Windows as people mean them become slots: the one place where civil time turns into instants.
//!
//! A window starts at a civil time of a zone; in a gap (the clock jumps over it) it starts as long
//! after the jump as it would have been into the gap, in a fold (the clock shows it twice) at the
//! first. It ends so many elapsed minutes later, never at a civil time, so that a change of the
//! clocks neither lengthens nor shortens nor skips it. Zones come from the bundled database only, so
//! that everybody computes the same. Not here: rules of wards.
//! Invariant: what comes out is in order, disjoint, inside the asked span, each at most a day long.

use crate::civil::{CivilDate, CivilTime, Weekday};
use crate::inventory::{UsualWindow, WeeklyHours, WindowRule};
use crate::limits::{SLOT_S_MAX, WINDOW_MINUTES_MAX, WINDOW_SPAN_DAYS_MAX};
use crate::slot::Slot;
use crate::time::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// A zone of the bundled database.
#[derive(Debug, Clone)]
pub struct Zone(TimeZone);

/// Why a window could not be turned into slots.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadWindow {
    /// Not the exact name of a zone.
    #[error("{name:?} is no IANA time zone; write it like Asia/Tokyo, not as an offset")]
    Zone {
        /// What was written.
        name: String,
    },
    /// No or too many minutes.
    #[error("a window lasts 1 to {WINDOW_MINUTES_MAX} minutes, not {minutes}")]
    Minutes {
        /// What was written.
        minutes: u32,
    },
    /// A rule that never starts, or every zero days.
    #[error("a window needs a day to start on")]
    NoDays,
    /// Every other week without a week to count from.
    #[error("a window of every {every} weeks needs a first date")]
    Uncounted {
        /// Every how many weeks.
        every: u32,
    },
    /// More days than anybody plans ahead.
    #[error("windows are expanded for at most {WINDOW_SPAN_DAYS_MAX} days at once")]
    Span,
}

/// Finds a zone by its exact IANA name.
///
/// # Errors
/// [`BadWindow::Zone`] for anything else, such as an offset or a name of Windows.
pub fn zone(name: &str) -> Result<Zone, BadWindow> {
    let found = TimeZoneDatabase::bundled().get(name).ok();
    let exact = found.filter(|zone| zone.iana_name() == Some(name));
    exact.map(Zone).ok_or_else(|| BadWindow::Zone { name: name.chars().take(80).collect() })
}

/// The names of all zones of the bundled database.
#[must_use]
pub fn zone_names() -> Vec<String> {
    TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect()
}

impl Zone {
    /// The instant at which a civil time begins, with the "compatible" rule in a gap or fold.
    #[must_use]
    pub fn start(&self, date: CivilDate, time: CivilTime) -> Timestamp {
        let civil = date.to_jiff().to_datetime(time.to_jiff());
        let at = self.0.to_ambiguous_timestamp(civil).compatible();
        at.map_or(Timestamp::EPOCH, Timestamp::from_jiff)
    }

    /// The date that people read at an instant.
    #[must_use]
    pub fn date(&self, at: Timestamp) -> CivilDate {
        CivilDate::from_jiff(self.0.to_datetime(at.to_jiff()).date())
    }

    /// Date, time and offset that people read at an instant, e.g. `2026-12-05 02:00+09:00`.
    #[must_use]
    pub fn local(&self, at: Timestamp) -> String {
        at.to_jiff().to_zoned(self.0.clone()).strftime("%Y-%m-%d %H:%M%:z").to_string()
    }
}

/// What of these windows lies between two instants; overlapping ones become one.
///
/// # Errors
/// [`BadWindow`] for the first window that has no meaning.
pub fn expand(
    windows: &[&UsualWindow],
    site_tz: &str,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<Slot>, BadWindow> {
    let mut open = Vec::new();
    for window in windows {
        let zone = zone(window.tz.as_deref().unwrap_or(site_tz))?;
        open.extend(occurrences(&window.rule, &zone, from, until)?);
    }
    Ok(merged(open, from, until))
}

/// What of these hours of the week lies between two instants.
///
/// # Errors
/// [`BadWindow`] for the first hours that have no meaning.
pub fn expand_hours(
    hours: &[WeeklyHours],
    tz: &str,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<Slot>, BadWindow> {
    let zone = zone(tz)?;
    let mut open = Vec::new();
    for hours in hours {
        open.extend(occurrences(&hours.rule(), &zone, from, until)?);
    }
    Ok(merged(open, from, until))
}

/// Every opening of a rule that touches the span: start, and start plus elapsed minutes.
fn occurrences(
    rule: &WindowRule,
    zone: &Zone,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<(Timestamp, Timestamp)>, BadWindow> {
    let minutes = rule.minutes();
    if !(1..=WINDOW_MINUTES_MAX).contains(&minutes) {
        return Err(BadWindow::Minutes { minutes });
    }
    let (time, days) = days(rule)?;
    // A day more on either side than a window or a gap can reach.
    let (mut date, end) = (zone.date(from).plus_days(-2), zone.date(until).plus_days(2));
    if end.days_since(date) > WINDOW_SPAN_DAYS_MAX {
        return Err(BadWindow::Span);
    }
    let mut open = Vec::new();
    while date < end {
        if days(date) {
            let start = zone.start(date, time);
            open.push((start, start.plus_seconds(i64::from(minutes) * 60)));
        }
        date = date.plus_days(1);
    }
    Ok(open)
}

type Starts<'a> = Box<dyn Fn(CivilDate) -> bool + 'a>;

/// When a rule starts, and on which dates.
fn days(rule: &WindowRule) -> Result<(CivilTime, Starts<'_>), BadWindow> {
    let within = |date, first: Option<CivilDate>, last: Option<CivilDate>| {
        first.is_none_or(|first| first <= date) && last.is_none_or(|last| date <= last)
    };
    match rule {
        WindowRule::Weekly { days, start, every, first, last, except, .. } => {
            if days.is_empty() || *every == 0 {
                return Err(BadWindow::NoDays);
            }
            if *every > 1 && first.is_none() {
                return Err(BadWindow::Uncounted { every: *every });
            }
            let step = i64::from(*every) * 7;
            let counted = move |date: CivilDate| {
                first.is_none_or(|first| date.monday().days_since(first.monday()) % step == 0)
            };
            let starts = move |date: CivilDate| {
                days.contains(&Weekday::of(date))
                    && within(date, *first, *last)
                    && counted(date)
                    && !except.contains(&date)
            };
            Ok((*start, Box::new(starts)))
        }
        WindowRule::Daily { start, every, first, last, except, .. } => {
            if *every == 0 {
                return Err(BadWindow::NoDays);
            }
            let step = i64::from(*every);
            let starts = move |date: CivilDate| {
                within(date, Some(*first), *last)
                    && date.days_since(*first) % step == 0
                    && !except.contains(&date)
            };
            Ok((*start, Box::new(starts)))
        }
        WindowRule::Dates { dates, start, .. } => {
            if dates.is_empty() {
                return Err(BadWindow::NoDays);
            }
            Ok((*start, Box::new(move |date| dates.contains(&date))))
        }
    }
}

/// In order, clipped to the span, overlapping and touching ones joined, cut into days.
fn merged(mut open: Vec<(Timestamp, Timestamp)>, from: Timestamp, until: Timestamp) -> Vec<Slot> {
    open.sort_unstable();
    let mut joined: Vec<(Timestamp, Timestamp)> = Vec::new();
    for (start, end) in open {
        let (start, end) = (start.max(from), end.min(until));
        if start >= end {
            continue;
        }
        match joined.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            Some(_) | None => joined.push((start, end)),
        }
    }
    joined.into_iter().flat_map(|(start, end)| cut(start, end)).collect()
}

fn cut(start: Timestamp, end: Timestamp) -> Vec<Slot> {
    let mut slots = Vec::new();
    let mut at = start;
    while at < end {
        let next = at.plus_seconds(SLOT_S_MAX).min(end);
        slots.extend(Slot::new(at, next).ok());
        at = next;
    }
    slots
}
