//! Windows become slots; cases that other systems fail.

use patchward_protocol::civil::{CivilDate, CivilTime, Weekday};
use patchward_protocol::id::WindowId;
use patchward_protocol::inventory::{UsualWindow, WindowRule};
use patchward_protocol::slot::Slot;
use patchward_protocol::time::Timestamp;
use patchward_protocol::window::{self, BadWindow};

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn time(text: &str) -> CivilTime {
    text.parse().unwrap()
}

pub(crate) fn date(text: &str) -> CivilDate {
    text.parse().unwrap()
}

pub(crate) fn weekly(days: &[Weekday], start: &str, minutes: u32) -> WindowRule {
    WindowRule::Weekly {
        days: days.to_vec(),
        start: time(start),
        minutes,
        every: 1,
        first: None,
        last: None,
        except: Vec::new(),
    }
}

pub(crate) fn usual(rule: WindowRule, tz: &str) -> UsualWindow {
    UsualWindow {
        id: WindowId::new("nights").unwrap(),
        name_en: "Nights".to_owned(),
        name_ja: "夜間".to_owned(),
        tz: Some(tz.to_owned()),
        rule,
    }
}

fn expand(rule: WindowRule, tz: &str, from: &str, until: &str) -> Vec<Slot> {
    window::expand(&[&usual(rule, tz)], "UTC", at(from), at(until)).unwrap()
}

fn minutes(slot: &Slot) -> i64 {
    slot.end().millis_since(slot.start()) / 60_000
}

fn slots(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn shown(found: &[Slot]) -> Vec<String> {
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn hawkbit_fixed_offset_a_berlin_window_stays_at_its_hour_in_summer_and_winter() {
    let rule = || weekly(&Weekday::ALL, "02:00", 120);
    let winter = expand(rule(), "Europe/Berlin", "2026-01-15T00:00:00Z", "2026-01-16T00:00:00Z");
    assert_eq!(shown(&winter), slots(&["2026-01-15T01:00:00Z/2026-01-15T03:00:00Z"]));
    let summer = expand(rule(), "Europe/Berlin", "2026-07-15T00:00:00Z", "2026-07-16T00:00:00Z");
    assert_eq!(shown(&summer), slots(&["2026-07-15T00:00:00Z/2026-07-15T02:00:00Z"]));
    for offset in ["+01:00", "UTC+1", "GMT+0100", "W. Europe Standard Time", "europe/berlin"] {
        assert!(matches!(window::zone(offset), Err(BadWindow::Zone { .. })), "{offset}");
    }
}

#[test]
fn flight_control_cron_a_thursday_window_opens_for_who_asks_on_a_wednesday() {
    let rule = weekly(&[Weekday::Mon, Weekday::Thu], "02:00", 60);
    // Wednesday to Sunday, twice: both Thursdays are there, and every Monday of eight weeks.
    let week = expand(rule.clone(), "UTC", "2026-12-02T12:00:00Z", "2026-12-06T00:00:00Z");
    assert_eq!(shown(&week), slots(&["2026-12-03T02:00:00Z/2026-12-03T03:00:00Z"]));
    let two_months = expand(rule, "UTC", "2026-12-02T12:00:00Z", "2027-01-27T12:00:00Z");
    assert_eq!(two_months.len(), 16);
}

#[test]
fn bottlerocket_minutes_a_window_over_midnight_keeps_its_minutes() {
    let rule = weekly(&[Weekday::Sat], "23:55", 15);
    let found = expand(rule, "UTC", "2026-12-01T00:00:00Z", "2026-12-08T00:00:00Z");
    assert_eq!(shown(&found), slots(&["2026-12-05T23:55:00Z/2026-12-06T00:10:00Z"]));
}

#[test]
fn zincati_dst_a_window_is_neither_lengthened_nor_shortened_nor_skipped() {
    // The clocks of Berlin go from 03:00 to 02:00 on 25 October and from 02:00 to 03:00 on 28 March.
    for (start, length) in [("01:30", 120), ("02:00", 120), ("02:30", 60), ("23:00", 480)] {
        let rule = || weekly(&Weekday::ALL, start, length);
        for (from, until) in [
            ("2026-10-20T12:00:00Z", "2026-10-30T12:00:00Z"),
            ("2027-03-23T12:00:00Z", "2027-04-02T12:00:00Z"),
        ] {
            let found = expand(rule(), "Europe/Berlin", from, until);
            assert_eq!(found.len(), 10, "{start} {from}");
            for slot in &found {
                assert_eq!(minutes(slot), i64::from(length), "{start} {slot}");
            }
        }
    }
}

#[test]
fn oncalendar_gap_a_weekly_window_that_starts_in_the_gap_is_not_skipped() {
    // 2027-03-28 02:30 does not exist in Berlin.
    let rule = weekly(&[Weekday::Sun], "02:30", 60);
    let found = expand(rule, "Europe/Berlin", "2027-03-20T00:00:00Z", "2027-04-06T00:00:00Z");
    let wanted = [
        "2027-03-21T01:30:00Z/2027-03-21T02:30:00Z",
        "2027-03-28T01:30:00Z/2027-03-28T02:30:00Z",
        "2027-04-04T00:30:00Z/2027-04-04T01:30:00Z",
    ];
    assert_eq!(shown(&found), slots(&wanted));
}

#[test]
fn a_window_in_the_fold_starts_at_the_first_of_both() {
    let rule = weekly(&[Weekday::Sun], "02:30", 60);
    let found = expand(rule, "Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-26T00:00:00Z");
    assert_eq!(shown(&found), slots(&["2026-10-25T00:30:00Z/2026-10-25T01:30:00Z"]));
}

#[test]
fn nebraska_constants_any_days_and_hours_can_be_said() {
    let rule = weekly(&[Weekday::Sun], "03:17", 43);
    let found = expand(rule, "Asia/Tokyo", "2026-12-05T00:00:00Z", "2026-12-07T00:00:00Z");
    assert_eq!(shown(&found), slots(&["2026-12-05T18:17:00Z/2026-12-05T19:00:00Z"]));
}

#[test]
fn overlapping_and_touching_windows_are_one() {
    let one = usual(weekly(&Weekday::ALL, "02:00", 120), "UTC");
    let two = usual(weekly(&Weekday::ALL, "03:00", 120), "UTC");
    let three = usual(weekly(&Weekday::ALL, "05:00", 60), "UTC");
    let (from, until) = (at("2026-12-05T00:00:00Z"), at("2026-12-06T00:00:00Z"));
    let found = window::expand(&[&three, &one, &two], "UTC", from, until).unwrap();
    assert_eq!(shown(&found), slots(&["2026-12-05T02:00:00Z/2026-12-05T06:00:00Z"]));
}

#[test]
fn a_window_that_is_always_open_comes_in_days() {
    let rule = weekly(&Weekday::ALL, "00:00", 1440);
    let found = expand(rule, "Europe/Berlin", "2026-10-23T12:00:00Z", "2026-10-27T12:00:00Z");
    assert!(found.iter().all(|slot| minutes(slot) <= 1440));
    assert!(found.windows(2).all(|two| two[0].end() <= two[1].start()));
    // 25 October has 25 hours; 24 elapsed hours from its midnight leave one of them closed.
    let open: i64 = found.iter().map(minutes).sum();
    assert_eq!(open, 4 * 1440 - 60);
}

#[test]
fn what_reaches_over_the_ends_of_the_span_is_cut_there() {
    let rule = weekly(&Weekday::ALL, "22:00", 480);
    let found = expand(rule, "UTC", "2026-12-05T01:00:00Z", "2026-12-05T23:30:00Z");
    let wanted =
        ["2026-12-05T01:00:00Z/2026-12-05T06:00:00Z", "2026-12-05T22:00:00Z/2026-12-05T23:30:00Z"];
    assert_eq!(shown(&found), slots(&wanted));
}

#[test]
fn windows_without_meaning_are_refused() {
    let span = (at("2026-12-05T00:00:00Z"), at("2026-12-06T00:00:00Z"));
    let refused = |rule: WindowRule| {
        window::expand(&[&usual(rule, "UTC")], "UTC", span.0, span.1).unwrap_err()
    };
    let all = &Weekday::ALL[..];
    assert_eq!(refused(weekly(all, "02:00", 0)), BadWindow::Minutes { minutes: 0 });
    assert_eq!(refused(weekly(all, "02:00", 1441)), BadWindow::Minutes { minutes: 1441 });
    assert_eq!(refused(weekly(&[], "02:00", 60)), BadWindow::NoDays);
    let dates = WindowRule::Dates { dates: Vec::new(), start: time("02:00"), minutes: 60 };
    assert_eq!(refused(dates), BadWindow::NoDays);
    let fortnight = WindowRule::Weekly {
        days: all.to_vec(),
        start: time("02:00"),
        minutes: 60,
        every: 2,
        first: None,
        last: None,
        except: Vec::new(),
    };
    assert_eq!(refused(fortnight), BadWindow::Uncounted { every: 2 });
    let far = at("2036-12-05T00:00:00Z");
    let window = usual(weekly(all, "02:00", 60), "UTC");
    assert_eq!(window::expand(&[&window], "UTC", span.0, far).unwrap_err(), BadWindow::Span);
}

#[test]
fn every_second_week_counts_from_the_week_of_its_first_date() {
    let rule = WindowRule::Weekly {
        days: vec![Weekday::Mon, Weekday::Sun],
        start: time("02:00"),
        minutes: 60,
        every: 2,
        first: Some(date("2026-12-02")),
        last: Some(date("2026-12-31")),
        except: vec![date("2026-12-20")],
    };
    let found = expand(rule, "UTC", "2026-11-20T00:00:00Z", "2027-02-01T00:00:00Z");
    let days: Vec<_> = found.iter().map(|slot| slot.start().to_string()[..10].to_owned()).collect();
    assert_eq!(days, ["2026-12-06", "2026-12-14", "2026-12-28"]);
}

#[test]
fn every_third_day_and_single_dates_open_as_written() {
    let every = WindowRule::Daily {
        start: time("02:00"),
        minutes: 60,
        every: 3,
        first: date("2026-12-01"),
        last: Some(date("2026-12-10")),
        except: vec![date("2026-12-04")],
    };
    let found = expand(every, "UTC", "2026-11-20T00:00:00Z", "2027-02-01T00:00:00Z");
    assert_eq!(found.len(), 3);
    let dates = vec![date("2026-12-24"), date("2026-11-30")];
    let dates = WindowRule::Dates { dates, start: time("02:00"), minutes: 60 };
    let found = expand(dates, "Asia/Tokyo", "2026-11-20T00:00:00Z", "2027-02-01T00:00:00Z");
    let wanted =
        ["2026-11-29T17:00:00Z/2026-11-29T18:00:00Z", "2026-12-23T17:00:00Z/2026-12-23T18:00:00Z"];
    assert_eq!(shown(&found), slots(&wanted));
}
