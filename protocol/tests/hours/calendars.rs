//! iCalendar files of hospitals.

use crate::windows::at;
use patchward_protocol::civil::Weekday;
use patchward_protocol::ical::{self, BadCalendar, Import, Refused};
use patchward_protocol::id::WindowId;
use patchward_protocol::inventory::{UsualWindow, WindowRule};
use patchward_protocol::window;

fn read_in(text: &str, zone: Option<&str>) -> Result<Vec<UsualWindow>, BadCalendar> {
    let name = WindowId::new("calendar").unwrap();
    ical::read(text.as_bytes(), &Import { name: &name, zone })
}

fn calendar(lines: &str) -> String {
    let event = lines.trim().replace('\n', "\r\n");
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn one(lines: &str) -> UsualWindow {
    let windows = read_in(&calendar(lines), None).unwrap();
    assert_eq!(windows.len(), 1);
    windows.into_iter().next().unwrap()
}

/// The line and the reason of the first thing that is wrong; lines count from that of the event.
fn refused(lines: &str) -> (usize, Refused) {
    let bad = read_in(&calendar(lines), None).unwrap_err();
    assert_eq!(bad.problems.len(), 1, "{bad:?}");
    (bad.problems[0].line - 3, bad.problems[0].refused)
}

fn starts(window: &UsualWindow) -> Vec<String> {
    let (from, until) = (at("2026-11-20T00:00:00Z"), at("2027-12-01T00:00:00Z"));
    let slots = window::expand(&[window], "UTC", from, until).unwrap();
    slots.iter().map(|slot| slot.start().to_string()).collect()
}

#[test]
fn a_weekly_event_of_outlook_with_a_windows_zone_becomes_a_weekly_window() {
    let text = "\u{feff}BEGIN:VCALENDAR\nPRODID:-//Microsoft Corporation//Outlook 16.0//EN\nVERSION:2.0\n\
        BEGIN:VTIMEZONE\nTZID:Tokyo Standard Time\nBEGIN:STANDARD\nDTSTART:16010101T000000\n\
        TZOFFSETFROM:+0900\nTZOFFSETTO:+0900\nEND:STANDARD\nEND:VTIMEZONE\n\
        BEGIN:VEVENT\nUID:1\nDTSTART;TZID=\"Tokyo Standard Time\":20261205T233000\n\
        DTEND;TZID=\"Tokyo Standard Time\":20261206T013000\nRRULE:FREQ=WEEKLY;BYDAY=SA,SU;WKST=SU\n\
        SUMMARY:夜間の保守\\, 5階\n 東\nX-MICROSOFT-CDO-BUSYSTATUS:FREE\n\
        BEGIN:VALARM\nTRIGGER:-PT15M\nACTION:DISPLAY\nEND:VALARM\nEND:VEVENT\nEND:VCALENDAR\n";
    let windows = read_in(text, None).unwrap();
    assert_eq!(windows.len(), 1);
    let window = &windows[0];
    assert_eq!(window.id.as_str(), "calendar-1");
    assert_eq!(window.name_ja, "夜間の保守, 5階東");
    assert_eq!(window.tz.as_deref(), Some("Asia/Tokyo"));
    let WindowRule::Weekly { days, minutes, every, last, .. } = &window.rule else { panic!() };
    assert_eq!((days.as_slice(), *minutes), (&[Weekday::Sat, Weekday::Sun][..], 120));
    assert_eq!((*every, *last), (1, None));
}

#[test]
fn count_until_and_exdate_end_and_thin_out_a_rule() {
    let counted = one("DTSTART;TZID=Asia/Tokyo:20261202T020000\nDURATION:PT2H\n\
         RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=WE;COUNT=3\nEXDATE;TZID=Asia/Tokyo:20261216T020000");
    assert_eq!(starts(&counted), ["2026-12-01T17:00:00Z", "2026-12-29T17:00:00Z"]);
    let until = one(
        "DTSTART;TZID=Europe/Berlin:20261202T020000\nDTEND;TZID=Europe/Berlin:20261202T030000\n\
         RRULE:FREQ=DAILY;UNTIL=20261205T005959Z",
    );
    // The last start before 00:59:59 UTC is that of 4 December, 01:00 UTC.
    assert_eq!(starts(&until).last().unwrap(), "2026-12-04T01:00:00Z");
    let utc = one("DTSTART:20261202T020000Z\nDURATION:P1D\nRRULE:FREQ=DAILY;INTERVAL=10;COUNT=2");
    assert_eq!(starts(&utc), ["2026-12-02T02:00:00Z", "2026-12-12T02:00:00Z"]);
    let single = one("DTSTART:20261202T020000Z\nDURATION:PT30M");
    assert_eq!(starts(&single), ["2026-12-02T02:00:00Z"]);
}

#[test]
fn a_time_without_zone_is_refused_unless_somebody_names_one() {
    let lines = "DTSTART:20261202T020000\nDTEND:20261202T030000";
    assert_eq!(refused(lines), (1, Refused::Floating));
    let windows = read_in(&calendar(lines), Some("Asia/Tokyo")).unwrap();
    assert_eq!(starts(&windows[0]), ["2026-12-01T17:00:00Z"]);
}

#[test]
fn what_is_not_understood_is_refused_with_its_line_and_never_half_imported() {
    let good = "DTSTART;TZID=Asia/Tokyo:20261202T020000\nDURATION:PT2H\n";
    let with = |more: &str| format!("{good}{more}");
    let bad_rules = [
        "FREQ=MONTHLY",
        "FREQ=WEEKLY;BYDAY=1MO",
        "FREQ=WEEKLY;BYDAY=WE;BYHOUR=3",
        "FREQ=WEEKLY;BYSETPOS=1",
        "FREQ=WEEKLY;INTERVAL=0",
        "FREQ=WEEKLY;INTERVAL=53",
        "FREQ=WEEKLY;INTERVAL=2;WKST=SU",
        "FREQ=WEEKLY;COUNT=3;UNTIL=20270101",
        "FREQ=WEEKLY;UNTIL=20270101T000000",
        "FREQ=WEEKLY;UNTIL=20200101",
        "FREQ=DAILY;INTERVAL=2;BYDAY=WE",
        "FREQ=WEEKLY;FREQ=DAILY",
        "BYDAY=WE",
        "FREQ=WEEKLY;COUNT=99999",
    ];
    for rule in bad_rules {
        assert_eq!(refused(&with(&format!("RRULE:{rule}"))), (3, Refused::BadRule), "{rule}");
    }
    for (lines, line, reason) in [
        (with("RRULE:FREQ=WEEKLY;BYDAY=TU"), 3, Refused::StartNotInRule),
        (with("RDATE:20261203T020000"), 3, Refused::UnknownProperty),
        (with("RECURRENCE-ID:20261203T020000"), 3, Refused::UnknownProperty),
        (with("DTSTART:20261203T020000Z"), 3, Refused::Twice),
        (with("STATUS:CANCELLED"), 3, Refused::Cancelled),
        (with("EXDATE;TZID=Asia/Tokyo:20261209T030000"), 3, Refused::NoOccurrence),
        (with("EXDATE;TZID=Europe/Berlin:20261209T020000"), 3, Refused::OtherZone),
        (with("DTEND;TZID=Asia/Tokyo:20261202T040000"), 0, Refused::NoEnd),
        ("DURATION:PT2H".to_owned(), 0, Refused::NoStart),
        ("DTSTART;VALUE=DATE:20261202\nDURATION:P1D".to_owned(), 1, Refused::AllDay),
        (
            "DTSTART;TZID=Asia/Tokio:20261202T020000\nDURATION:PT1H".to_owned(),
            1,
            Refused::UnknownZone,
        ),
        (
            "DTSTART;TZID=GMT+0900:20261202T020000\nDURATION:PT1H".to_owned(),
            1,
            Refused::UnknownZone,
        ),
        ("DTSTART;TZID=Asia/Tokyo:20261202T020030\nDURATION:PT1H".to_owned(), 1, Refused::BadTime),
        ("DTSTART:20261332T020000Z\nDURATION:PT1H".to_owned(), 1, Refused::BadTime),
        ("DTSTART:20261202T020000Z\nDURATION:PT0M".to_owned(), 2, Refused::BadLength),
        ("DTSTART:20261202T020000Z\nDURATION:-PT1H".to_owned(), 2, Refused::BadLength),
        ("DTSTART:20261202T020000Z\nDURATION:PT25H".to_owned(), 2, Refused::BadLength),
        ("DTSTART:20261202T020000Z\nDTEND:20261202T020000Z".to_owned(), 2, Refused::BadLength),
        (
            "DTSTART:20261202T020000Z\nDTEND;TZID=Asia/Tokyo:20261202T120000".to_owned(),
            2,
            Refused::OtherZone,
        ),
    ] {
        assert_eq!(refused(&lines), (line, reason), "{lines}");
    }
}

#[test]
fn every_bad_line_of_a_file_is_named() {
    let text = "BEGIN:VCALENDAR\nBEGIN:VTODO\nDUE:20261202T020000Z\nEND:VTODO\n\
        BEGIN:VEVENT\nDTSTART:20261202T020000\nDURATION:PT1H\nEND:VEVENT\n\
        no colon here\nBEGIN:VEVENT\nDTSTART:20261202T020000Z\nEND:VEVENT\nEND:VCALENDAR\n";
    let bad = read_in(text, None).unwrap_err();
    let found: Vec<_> =
        bad.problems.iter().map(|problem| (problem.line, problem.refused)).collect();
    let wanted = [
        (2, Refused::OtherComponent),
        (6, Refused::Floating),
        (9, Refused::BadLine),
        (10, Refused::NoEnd),
    ];
    assert_eq!(found, wanted);
    for text in ["", "hello", "BEGIN:VCALENDAR\nEND:VCALENDAR\n", "BEGIN:VCALENDAR\nBEGIN:VEVENT\n"]
    {
        assert!(read_in(text, None).is_err(), "{text:?}");
    }
    let name = WindowId::new("calendar").unwrap();
    let latin = ical::read(b"BEGIN:VCALENDAR\nX-A:\xe4\n", &Import { name: &name, zone: None });
    assert_eq!(latin.unwrap_err().problems[0].refused, Refused::Unreadable);
}

#[test]
fn every_windows_zone_of_cldr_exists_in_the_bundled_database() {
    // The names of the table, read from its source: the table itself is private.
    let source = include_str!("../../src/ical/windows_zones.rs");
    let rows = source.lines().filter_map(|line| {
        let line = line.trim().strip_prefix("(\"")?.strip_suffix("\"),")?;
        line.split_once("\", \"")
    });
    let mut count = 0;
    let mut last = "";
    for (windows, iana) in rows {
        assert!(last < windows, "{windows} is out of order");
        assert!(window::zone(iana).is_ok(), "{windows}: {iana}");
        let line = format!("DTSTART;TZID={windows}:20261202T020000\nDURATION:PT1H");
        assert_eq!(one(&line).tz.as_deref(), Some(iana));
        (count, last) = (count + 1, windows);
    }
    assert!(count > 130, "{count}");
    for refused in Refused::ALL {
        assert!(refused.en().ends_with('.') && refused.ja().ends_with('。'), "{refused}");
    }
}
