//! Usual windows from an iCalendar file (RFC 5545), as hospital calendars export them.
//!
//! Understood: events that start at a time of an IANA zone (or a Windows name that CLDR knows) or in
//! UTC, last at most a day, and recur daily or weekly or not at all. Everything else is refused with
//! its line and what to write instead: a window that was half understood would open at the wrong
//! hour. Not here: expansion ([`crate::window`]). Invariant: all of the file or nothing.

mod event;
mod line;
mod recurrence;
mod windows_zones;

use crate::id::WindowId;
use crate::inventory::UsualWindow;
use crate::limits::{CALENDAR_BYTES_MAX, INVENTORY_LIST_MAX};
use crate::sentences::sentences;
use event::Event;
use line::Line;
use std::fmt;

sentences! {
    /// What is wrong with a line of a calendar, and what to write instead.
    Refused {
        Unreadable, "unreadable", "The file must be UTF-8 and at most 4 MiB.", "UTF-8で4MiB以下のファイルにしてください。";
        NotACalendar, "not_a_calendar", "The file must begin with BEGIN:VCALENDAR, and every BEGIN needs its END.", "BEGIN:VCALENDARで始まり、BEGINとENDが対応している必要があります。";
        BadLine, "bad_line", "A line must be NAME:VALUE.", "各行は「名前:値」の形式で記入してください。";
        NoEvent, "no_event", "The calendar has no event.", "予定が一件もありません。";
        TooMany, "too_many", "The calendar has too many events.", "予定の件数が上限を超えています。";
        OtherComponent, "other_component", "Only events (VEVENT) are windows; remove tasks and journals.", "保守時間帯として扱えるのは予定(VEVENT)のみです。タスク等は削除してください。";
        OtherCalendar, "other_calendar", "Only the Gregorian calendar is understood.", "グレゴリオ暦のみ使用できます。";
        UnknownProperty, "unknown_property", "This property may change when the event takes place; write the occurrences as events of their own.", "この項目は日時を変える可能性があります。該当する日を個別の予定として記入してください。";
        Twice, "twice", "This property may stand only once in an event.", "この項目は一つの予定に一度だけ記入できます。";
        Cancelled, "cancelled", "The event is cancelled; remove it.", "取り消された予定です。削除してください。";
        NoStart, "no_start", "The event needs DTSTART.", "DTSTARTが必要です。";
        NoEnd, "no_end", "The event needs DTEND or DURATION, and not both.", "DTENDまたはDURATIONのどちらか一方が必要です。";
        AllDay, "all_day", "A window needs a time of day; write DTSTART as a date with time.", "終日の予定は使用できません。DTSTARTに時刻を記入してください。";
        BadTime, "bad_time", "Write times like 20261205T023000 with whole minutes.", "日時は20261205T023000の形式(秒は00)で記入してください。";
        Floating, "floating", "The time has no zone; write DTSTART;TZID=Asia/Tokyo:…, or name a zone for the whole file.", "タイムゾーンがありません。DTSTART;TZID=Asia/Tokyo:…と記入するか、ファイル全体のタイムゾーンを指定してください。";
        UnknownZone, "unknown_zone", "There is no such zone; TZID must be an IANA name like Asia/Tokyo.", "このタイムゾーンは存在しません。TZIDにはAsia/TokyoのようなIANA名を記入してください。";
        OtherZone, "other_zone", "All times of an event must be in the zone of DTSTART.", "予定内の日時はすべてDTSTARTと同じタイムゾーンで記入してください。";
        BadLength, "bad_length", "A window lasts 1 minute to 24 hours.", "保守時間帯の長さは1分~24時間です。";
        BadRule, "bad_rule", "Only FREQ=WEEKLY or FREQ=DAILY with BYDAY, INTERVAL, COUNT or UNTIL is understood.", "繰り返しはFREQ=WEEKLYまたはDAILYと、BYDAY・INTERVAL・COUNT・UNTILのみ使用できます。";
        StartNotInRule, "start_not_in_rule", "DTSTART must be on one of the days of BYDAY.", "DTSTARTの曜日がBYDAYに含まれていません。";
        NoOccurrence, "no_occurrence", "EXDATE must name a start of the event.", "EXDATEには予定の開始日時を記入してください。";
    }
}

/// What the file does not say.
#[derive(Debug, Clone)]
pub struct Import<'a> {
    /// The windows are called so, with `-1`, `-2`, … behind it; at most 40 characters.
    pub name: &'a WindowId,
    /// IANA zone of times that have none; without it they are refused.
    pub zone: Option<&'a str>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Number of the line in the file, from 1.
    pub line: usize,
    /// The beginning of that line.
    pub text: String,
    /// What is wrong with it.
    pub refused: Refused,
}

/// Why a calendar was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadCalendar {
    /// Everything that is wrong, in the order of the file.
    pub problems: Vec<Problem>,
}

impl fmt::Display for BadCalendar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the calendar has {} problems", self.problems.len())
    }
}

impl std::error::Error for BadCalendar {}

impl Problem {
    fn new(line: &Line, refused: Refused) -> Self {
        let text = line.text.chars().take(120).collect();
        Self { line: line.number, text, refused }
    }
}

/// Reads the windows of a calendar.
///
/// # Errors
/// [`BadCalendar`] names everything that is wrong.
pub fn read(bytes: &[u8], import: &Import<'_>) -> Result<Vec<UsualWindow>, BadCalendar> {
    let whole = |refused| {
        let line = Line { number: 1, text: String::new() };
        BadCalendar { problems: vec![Problem::new(&line, refused)] }
    };
    let text = Some(bytes).filter(|bytes| bytes.len() <= CALENDAR_BYTES_MAX);
    let text = text.and_then(|bytes| std::str::from_utf8(bytes).ok());
    let text = text.ok_or_else(|| whole(Refused::Unreadable))?;
    let lines = line::unfold(text);
    let mut problems = Vec::new();
    let events = events(&lines, &mut problems);
    if events.is_empty() && problems.is_empty() {
        problems.extend(whole(Refused::NoEvent).problems);
    }
    if events.len() > INVENTORY_LIST_MAX {
        problems.extend(whole(Refused::TooMany).problems);
    }
    let mut windows = Vec::new();
    for (n, event) in (1_usize..).zip(&events) {
        match event.window(import, n) {
            Ok(window) => windows.push(window),
            Err(problem) => problems.push(problem),
        }
    }
    problems.sort_by_key(|problem| problem.line);
    if problems.is_empty() { Ok(windows) } else { Err(BadCalendar { problems }) }
}

/// The events of a calendar; definitions of zones and alarms are passed over.
fn events(lines: &[Line], problems: &mut Vec<Problem>) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut open: Vec<String> = Vec::new();
    for line in lines {
        let Some(property) = line.property() else {
            problems.push(Problem::new(line, Refused::BadLine));
            continue;
        };
        let value = property.value.to_ascii_uppercase();
        let inside = open.last().cloned().unwrap_or_default();
        let refused = match property.name.as_str() {
            "BEGIN" => {
                let fits = match inside.as_str() {
                    "" => value == "VCALENDAR" && events.is_empty(),
                    "VCALENDAR" | "VTIMEZONE" | "VEVENT" => true,
                    _ => false,
                };
                if value == "VEVENT" && inside == "VCALENDAR" {
                    events.push(Event::new(line.clone()));
                }
                let other = inside == "VCALENDAR" && !["VEVENT", "VTIMEZONE"].contains(&&*value);
                open.push(value);
                if !fits {
                    Some(Refused::NotACalendar)
                } else if other {
                    Some(Refused::OtherComponent)
                } else {
                    None
                }
            }
            "END" => (open.pop() != Some(value)).then_some(Refused::NotACalendar),
            "CALSCALE" if inside == "VCALENDAR" => {
                (value != "GREGORIAN").then_some(Refused::OtherCalendar)
            }
            _ if inside.is_empty() => Some(Refused::NotACalendar),
            _ if inside == "VEVENT" => {
                events.last_mut().and_then(|event| event.take(line, property))
            }
            _ => None,
        };
        problems.extend(refused.map(|refused| Problem::new(line, refused)));
    }
    if let Some(last) = lines.last().filter(|_| !open.is_empty()) {
        problems.push(Problem::new(last, Refused::NotACalendar));
    }
    events
}
