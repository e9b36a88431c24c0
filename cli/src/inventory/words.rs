//! Small values of an inventory as people write them on the command line.
//!
//! Not here: the same in tables (the protocol's CSV).

use patchward_protocol::civil::Weekday;
use patchward_protocol::inventory::{MinInService, WeeklyHours};
use std::fmt::Display;
use std::str::FromStr;

/// `infusion-pump=3`: so many of a kind stay in service.
///
/// # Errors
/// What it must look like.
pub fn min_in_service(text: &str) -> Result<MinInService, String> {
    let wrong = || format!("{text:?}: write it like infusion-pump=3");
    let (kind, count) = text.split_once('=').ok_or_else(wrong)?;
    let count = count.trim().parse().map_err(|_| wrong())?;
    Ok(MinInService { kind: parsed(kind.trim())?, count })
}

/// `mon+tue 08:30 510`: days, start, minutes.
///
/// # Errors
/// What it must look like.
pub fn hours(text: &str) -> Result<WeeklyHours, String> {
    let wrong =
        || format!("{text:?}: write it like \"mon+tue+wed 08:30 510\" (days, start, minutes)");
    let mut parts = text.split_whitespace();
    let (Some(days), Some(start), Some(minutes), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(wrong());
    };
    let days = days.split('+').map(weekday).collect::<Result<_, _>>()?;
    Ok(WeeklyHours { days, start: parsed(start)?, minutes: minutes.parse().map_err(|_| wrong())? })
}

/// A day of the week: `mon`, `Tue`, `水`.
///
/// # Errors
/// What it must look like.
pub fn weekday(text: &str) -> Result<Weekday, String> {
    let fits = |day: &&Weekday| {
        let (en, ja) = day.words();
        en.eq_ignore_ascii_case(text) || ja == text
    };
    let found = Weekday::ALL.iter().find(fits).copied();
    found.ok_or_else(|| format!("{text:?} is no day: mon, tue, wed, thu, fri, sat or sun"))
}

fn parsed<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse::<T>().map_err(|error| error.to_string())
}
