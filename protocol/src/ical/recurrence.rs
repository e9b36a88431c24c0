//! `RRULE`: daily and weekly, nothing else.

use super::Refused;
use super::event::{Start, date, read_stamp};
use crate::civil::{CivilDate, Weekday};
use crate::inventory::WindowRule;
use crate::limits::CALENDAR_COUNT_MAX;

/// Longest walk along a counted rule, in days.
const WALK_DAYS_MAX: i64 = 366 * 52;

/// The parts of a rule that are understood.
struct Parts {
    freq: Freq,
    days: Vec<Weekday>,
    every: u32,
    count: Option<u32>,
    last: Option<CivilDate>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Freq {
    Daily,
    Weekly,
}

/// An event that does not recur.
pub(super) fn once(start: &Start, minutes: u32) -> WindowRule {
    WindowRule::Dates { dates: vec![start.stamp.date], start: start.stamp.time, minutes }
}

/// The rule of a window for the value of an `RRULE`.
pub(super) fn rule(
    start: &Start,
    minutes: u32,
    value: &str,
    except: Vec<CivilDate>,
) -> Result<WindowRule, Refused> {
    let parts = parts(start, value)?;
    let first = start.stamp.date;
    let time = start.stamp.time;
    let days = match (parts.freq, parts.days.is_empty()) {
        (_, false) => parts.days.clone(),
        (Freq::Weekly, true) => vec![Weekday::of(first)],
        (Freq::Daily, true) => Weekday::ALL.to_vec(),
    };
    if !days.contains(&Weekday::of(first)) {
        return Err(Refused::StartNotInRule);
    }
    let weekly = parts.freq == Freq::Weekly || parts.every == 1;
    if !weekly && !parts.days.is_empty() {
        return Err(Refused::BadRule);
    }
    let last = match parts.count {
        None => parts.last,
        Some(count) => Some(counted(first, &parts, &days, count).ok_or(Refused::BadRule)?),
    };
    if last.is_some_and(|last| last < first) {
        return Err(Refused::BadRule);
    }
    let every = parts.every;
    Ok(if weekly {
        WindowRule::Weekly { days, start: time, minutes, every, first: Some(first), last, except }
    } else {
        WindowRule::Daily { start: time, minutes, every, first, last, except }
    })
}

fn parts(start: &Start, value: &str) -> Result<Parts, Refused> {
    let (mut freq, mut days, mut every) = (None, Vec::new(), None);
    let (mut count, mut last, mut week_start) = (None, None, None);
    for part in value.split(';').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').ok_or(Refused::BadRule)?;
        let value = value.to_ascii_uppercase();
        let number = || value.parse::<u32>().ok().filter(|n| *n > 0).ok_or(Refused::BadRule);
        let twice = match name.to_ascii_uppercase().as_str() {
            "FREQ" => freq
                .replace(match value.as_str() {
                    "DAILY" => Freq::Daily,
                    "WEEKLY" => Freq::Weekly,
                    _ => return Err(Refused::BadRule),
                })
                .is_some(),
            "INTERVAL" => every.replace(number()?).is_some(),
            "COUNT" => count.replace(number()?).is_some(),
            "UNTIL" => last.replace(until(start, &value)?).is_some(),
            "WKST" => week_start.replace(weekday(&value)?).is_some(),
            "BYDAY" => {
                let twice = !days.is_empty();
                days = value.split(',').map(weekday).collect::<Result<_, _>>()?;
                twice
            }
            _ => true,
        };
        if twice {
            return Err(Refused::BadRule);
        }
    }
    let (freq, every) = (freq.ok_or(Refused::BadRule)?, every.unwrap_or(1));
    days.sort_unstable();
    days.dedup();
    let most = if freq == Freq::Weekly { 52 } else { 366 };
    // With every second week it matters where weeks begin, and ours begin on Monday.
    let monday = week_start.is_none_or(|day| day == Weekday::Mon) || every == 1;
    let both = count.is_some() && last.is_some();
    if every > most || !monday || both || count.is_some_and(|n| n > CALENDAR_COUNT_MAX) {
        return Err(Refused::BadRule);
    }
    Ok(Parts { freq, days, every, count, last })
}

/// The last date on which the event may start.
fn until(start: &Start, value: &str) -> Result<CivilDate, Refused> {
    if let Some(date) = date(value) {
        return Ok(date);
    }
    // Starts are whole minutes, so the seconds of the end make no difference.
    let minute = value.get(..13).filter(|_| value.len() == 16 && value.ends_with('Z'));
    let stamp = minute.and_then(|minute| read_stamp(&format!("{minute}00Z")));
    let stamp = stamp.ok_or(Refused::BadRule)?;
    let utc = crate::window::zone("UTC").map_err(|_| Refused::UnknownZone)?;
    let at = utc.start(stamp.date, stamp.time);
    let date = start.zone.date(at);
    Ok(if start.on(date) <= at { date } else { date.plus_days(-1) })
}

/// The date of the last of so many occurrences; what is taken out counts, too.
fn counted(first: CivilDate, parts: &Parts, days: &[Weekday], count: u32) -> Option<CivilDate> {
    let every = i64::from(parts.every);
    let mut left = count;
    let mut date = first;
    while date.days_since(first) < WALK_DAYS_MAX {
        let on = match parts.freq {
            Freq::Daily => date.days_since(first) % every == 0,
            Freq::Weekly => date.monday().days_since(first.monday()) % (7 * every) == 0,
        };
        if on && days.contains(&Weekday::of(date)) {
            left = left.saturating_sub(1);
            if left == 0 {
                return Some(date);
            }
        }
        date = date.plus_days(1);
    }
    None
}

fn weekday(text: &str) -> Result<Weekday, Refused> {
    let names = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
    let found = names.iter().zip(Weekday::ALL).find(|(name, _)| **name == text);
    found.map(|(_, day)| day).ok_or(Refused::BadRule)
}
