//! One event: when it starts, how long it lasts, in which zone.

use super::line::{Line, Property};
use super::recurrence;
use super::windows_zones;
use super::{Import, Problem, Refused};
use crate::civil::{CivilDate, CivilTime};
use crate::id::WindowId;
use crate::inventory::UsualWindow;
use crate::limits::{INVENTORY_TEXT_BYTES_MAX, WINDOW_MINUTES_MAX};
use crate::time::Timestamp;
use crate::window::{self, Zone};

/// Properties that say nothing about when an event takes place.
const HARMLESS: [&str; 24] = [
    "UID",
    "DTSTAMP",
    "CREATED",
    "LAST-MODIFIED",
    "SEQUENCE",
    "DESCRIPTION",
    "LOCATION",
    "CLASS",
    "TRANSP",
    "PRIORITY",
    "ORGANIZER",
    "ATTENDEE",
    "CATEGORIES",
    "URL",
    "COMMENT",
    "CONTACT",
    "GEO",
    "ATTACH",
    "COLOR",
    "IMAGE",
    "RELATED-TO",
    "RESOURCES",
    "REQUEST-STATUS",
    "CONFERENCE",
];

/// An event with the properties that matter, each with its line.
#[derive(Debug)]
pub(super) struct Event {
    begin: Line,
    start: Option<(Line, Property)>,
    end: Option<(Line, Property)>,
    duration: Option<(Line, Property)>,
    rule: Option<(Line, Property)>,
    except: Vec<(Line, Property)>,
    summary: Option<String>,
}

/// A date and a time as a calendar writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) date: CivilDate,
    pub(super) time: CivilTime,
    /// It ends in `Z`.
    pub(super) utc: bool,
}

/// Where and when an event starts.
pub(super) struct Start {
    pub(super) stamp: Stamp,
    pub(super) zone: Zone,
    pub(super) zone_name: String,
    zone_given: Option<String>,
}

impl Event {
    pub(super) const fn new(begin: Line) -> Self {
        let (start, end, duration, rule) = (None, None, None, None);
        Self { begin, start, end, duration, rule, except: Vec::new(), summary: None }
    }

    /// Keeps a property; says when it cannot be taken.
    pub(super) fn take(&mut self, line: &Line, property: Property) -> Option<Refused> {
        let place = match property.name.as_str() {
            "DTSTART" => &mut self.start,
            "DTEND" => &mut self.end,
            "DURATION" => &mut self.duration,
            "RRULE" => &mut self.rule,
            "EXDATE" => {
                self.except.push((line.clone(), property));
                return None;
            }
            "SUMMARY" => {
                self.summary = Some(property.text()).filter(|text| !text.is_empty());
                return None;
            }
            "STATUS" => {
                let cancelled = property.value.eq_ignore_ascii_case("CANCELLED");
                return cancelled.then_some(Refused::Cancelled);
            }
            name if name.starts_with("X-") || HARMLESS.contains(&name) => return None,
            _ => return Some(Refused::UnknownProperty),
        };
        if place.is_some() {
            return Some(Refused::Twice);
        }
        *place = Some((line.clone(), property));
        None
    }

    /// The window that the event means.
    pub(super) fn window(&self, import: &Import<'_>, n: usize) -> Result<UsualWindow, Problem> {
        let start = self.start(import)?;
        let minutes = self.minutes(&start)?;
        let mut except = Vec::new();
        for (line, property) in &self.except {
            let dates = excepted(&start, property);
            except.extend(dates.map_err(|refused| Problem::new(line, refused))?);
        }
        except.sort_unstable();
        except.dedup();
        let rule = match &self.rule {
            None if except.contains(&start.stamp.date) => {
                return Err(Problem::new(&self.begin, Refused::Cancelled));
            }
            None => recurrence::once(&start, minutes),
            Some((line, property)) => recurrence::rule(&start, minutes, &property.value, except)
                .map_err(|refused| Problem::new(line, refused))?,
        };
        let id = WindowId::new(&format!("{}-{n}", import.name));
        let id = id.unwrap_or_else(|_| import.name.clone());
        let name = self.summary.clone().unwrap_or_else(|| id.to_string());
        let name = short(&name);
        let tz = Some(start.zone_name);
        Ok(UsualWindow { id, name_en: name.clone(), name_ja: name, tz, rule })
    }

    fn start(&self, import: &Import<'_>) -> Result<Start, Problem> {
        let (line, property) =
            self.start.as_ref().ok_or_else(|| Problem::new(&self.begin, Refused::NoStart))?;
        let refuse = |refused| Problem::new(line, refused);
        let stamp = stamp(property).map_err(refuse)?;
        let given = property.parameter("TZID").map(str::to_owned);
        let zone_name = match (&given, stamp.utc, import.zone) {
            (Some(_), true, _) => return Err(refuse(Refused::OtherZone)),
            (Some(name), false, _) => name.clone(),
            (None, true, _) => "UTC".to_owned(),
            (None, false, Some(name)) => name.to_owned(),
            (None, false, None) => return Err(refuse(Refused::Floating)),
        };
        let zone_name = windows_zones::iana(&zone_name).map_or(zone_name, str::to_owned);
        let zone = window::zone(&zone_name).map_err(|_| refuse(Refused::UnknownZone))?;
        Ok(Start { stamp, zone, zone_name, zone_given: given })
    }

    fn minutes(&self, start: &Start) -> Result<u32, Problem> {
        let (line, minutes) = match (&self.end, &self.duration) {
            (Some((line, property)), None) => {
                let end = start.same_zone(property).map_err(|r| Problem::new(line, r))?;
                (line, start.stamp.minutes_until(end))
            }
            (None, Some((line, property))) => (line, duration_minutes(&property.value)),
            (None, None) | (Some(_), Some(_)) => {
                return Err(Problem::new(&self.begin, Refused::NoEnd));
            }
        };
        let good = minutes.filter(|minutes| (1..=WINDOW_MINUTES_MAX).contains(minutes));
        good.ok_or_else(|| Problem::new(line, Refused::BadLength))
    }
}

impl Start {
    /// A stamp that must be written like the start.
    fn same_zone(&self, property: &Property) -> Result<Stamp, Refused> {
        let stamp = stamp(property)?;
        let same = property.parameter("TZID") == self.zone_given.as_deref();
        if same && stamp.utc == self.stamp.utc { Ok(stamp) } else { Err(Refused::OtherZone) }
    }

    /// The instant of a start on a date.
    pub(super) fn on(&self, date: CivilDate) -> Timestamp {
        self.zone.start(date, self.stamp.time)
    }
}

impl Stamp {
    /// Minutes by the clock on the wall.
    fn minutes_until(self, end: Self) -> Option<u32> {
        let minute = |time: CivilTime| i64::from(time.minute_of_day());
        let days = end.date.days_since(self.date);
        u32::try_from(days * 24 * 60 + minute(end.time) - minute(self.time)).ok()
    }
}

/// The dates that `EXDATE` takes out.
fn excepted(start: &Start, property: &Property) -> Result<Vec<CivilDate>, Refused> {
    let is_date = property.parameter("VALUE").is_some_and(|v| v.eq_ignore_ascii_case("DATE"));
    let dates = property.value.split(',').map(|value| {
        if is_date {
            return date(value.trim()).ok_or(Refused::BadTime);
        }
        let one = Property { value: value.trim().to_owned(), ..property.clone() };
        let stamp = stamp(&one)?;
        if stamp.utc && !start.stamp.utc {
            let at = Zone::start(
                &window::zone("UTC").map_err(|_| Refused::UnknownZone)?,
                stamp.date,
                stamp.time,
            );
            let date = start.zone.date(at);
            return if start.on(date) == at { Ok(date) } else { Err(Refused::NoOccurrence) };
        }
        let stamp = start.same_zone(&one)?;
        if stamp.time == start.stamp.time { Ok(stamp.date) } else { Err(Refused::NoOccurrence) }
    });
    dates.collect()
}

fn stamp(property: &Property) -> Result<Stamp, Refused> {
    let is_date = property.parameter("VALUE").is_some_and(|v| v.eq_ignore_ascii_case("DATE"));
    if is_date || date(&property.value).is_some() {
        return Err(Refused::AllDay);
    }
    read_stamp(&property.value).ok_or(Refused::BadTime)
}

/// `20261205T023000` or `20261205T023000Z`.
pub(super) fn read_stamp(text: &str) -> Option<Stamp> {
    let (text, utc) = text.strip_suffix('Z').map_or((text, false), |text| (text, true));
    let (day, clock) = text.split_once('T')?;
    let digits = clock.len() == 6 && clock.bytes().all(|byte| byte.is_ascii_digit());
    let number = |from: usize| clock.get(from..from.saturating_add(2))?.parse::<u16>().ok();
    if !digits || number(4)? != 0 {
        return None;
    }
    let time = CivilTime::new(number(0)?, number(2)?).ok()?;
    Some(Stamp { date: date(day)?, time, utc })
}

/// `20261205`.
pub(super) fn date(text: &str) -> Option<CivilDate> {
    let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    let part = |from: usize, to: usize| text.get(from..to).filter(|_| digits);
    let year = part(0, 4)?.parse().ok()?;
    CivilDate::new(year, part(4, 6)?.parse().ok()?, part(6, 8)?.parse().ok()?).ok()
}

/// `PT2H30M`, `P1D`: whole minutes, not negative.
fn duration_minutes(text: &str) -> Option<u32> {
    let text = text.strip_prefix('+').unwrap_or(text).strip_prefix('P')?;
    let (days, clock) = text.split_once('T').map_or((text, None), |(a, b)| (a, Some(b)));
    let mut seconds = amount(days, &[('W', 7 * 86_400), ('D', 86_400)])?;
    if let Some(clock) = clock {
        let units = [('H', 3600), ('M', 60), ('S', 1)];
        seconds = seconds.checked_add(amount(clock, &units)?)?;
    }
    let whole = seconds.is_multiple_of(60) && !text.is_empty();
    u32::try_from(seconds / 60).ok().filter(|_| whole)
}

/// Numbers with their units, in the order of the units.
fn amount(mut text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut total: u64 = 0;
    for (unit, seconds) in units {
        let Some((number, rest)) = text.split_once(*unit) else { continue };
        let number = Some(number).filter(|n| n.bytes().all(|byte| byte.is_ascii_digit()))?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*seconds)?)?;
        text = rest;
    }
    text.is_empty().then_some(total)
}

fn short(text: &str) -> String {
    let clean = text.chars().filter(|character| !character.is_control());
    let mut out = String::new();
    for character in clean {
        if out.len().saturating_add(character.len_utf8()) > INVENTORY_TEXT_BYTES_MAX {
            break;
        }
        out.push(character);
    }
    out
}
