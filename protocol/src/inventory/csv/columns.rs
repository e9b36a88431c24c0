//! Which column says what.

use super::super::{Attendance, InventoryDevice, MinInService, Usage, Ward, WeeklyHours};
use super::table::Row;
use super::{BadCell, BadTable, Problem};
use crate::civil::Weekday;
use std::str::FromStr;

pub(super) const DEVICES: [&str; 8] =
    ["id", "ward", "kind", "pair", "usage", "attended", "udi", "serial_number"];

pub(super) const WARDS: [&str; 7] =
    ["id", "name_en", "name_ja", "min_in_service", "max_parallel", "windows", "staff_on_site"];

const USAGES: [(&str, Usage); 3] =
    [("in-service", Usage::InService), ("spare", Usage::Spare), ("bench", Usage::Bench)];
const ATTENDANCES: [(&str, Attendance); 2] =
    [("unattended", Attendance::Unattended), ("attended", Attendance::Attended)];

/// Cells of a row by column; what is wrong is collected.
pub(super) struct Cells<'a> {
    row: &'a Row,
    columns: &'static [&'static str],
    problems: Vec<Problem>,
}

/// Reads every row, or names everything that is wrong.
pub(super) fn each<T>(
    rows: &[Row],
    columns: &'static [&'static str],
    read: fn(&mut Cells<'_>) -> Option<T>,
) -> Result<(Vec<T>, Vec<usize>), BadTable> {
    let (mut values, mut lines, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        let mut cells = Cells { row, columns, problems: Vec::new() };
        let value = read(&mut cells);
        problems.extend(cells.problems);
        values.extend(value);
        lines.push(row.line);
    }
    if problems.is_empty() { Ok((values, lines)) } else { Err(BadTable { problems }) }
}

pub(super) fn device(cells: &mut Cells<'_>) -> Option<InventoryDevice> {
    let id = cells.name("id");
    let ward = cells.optional("ward");
    let kind = cells.name("kind");
    let pair = cells.optional("pair");
    let usage = cells.word("usage", &USAGES);
    let attended = cells.word("attended", &ATTENDANCES);
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.trim().is_empty());
    let (udi, serial_number) = (text(cells.text("udi")), text(cells.text("serial_number")));
    Some(InventoryDevice {
        id: id?,
        ward,
        kind: kind?,
        pair,
        usage: usage?,
        attended: attended?,
        udi,
        serial_number,
    })
}

pub(super) fn device_cells(device: &InventoryDevice) -> Vec<String> {
    let or_empty = |text: Option<String>| text.unwrap_or_default();
    vec![
        device.id.to_string(),
        or_empty(device.ward.as_ref().map(ToString::to_string)),
        device.kind.to_string(),
        or_empty(device.pair.as_ref().map(ToString::to_string)),
        word_of(&USAGES, device.usage),
        word_of(&ATTENDANCES, device.attended),
        or_empty(device.udi.clone()),
        or_empty(device.serial_number.clone()),
    ]
}

pub(super) fn ward(cells: &mut Cells<'_>) -> Option<Ward> {
    let id = cells.name("id");
    let (name_en, name_ja) = (cells.text("name_en").to_owned(), cells.text("name_ja").to_owned());
    let min_in_service = cells.list("min_in_service", BadCell::MinInService, |part| {
        let (kind, count) = part.split_once('=')?;
        let (kind, count) = (kind.trim().parse().ok()?, count.trim().parse().ok()?);
        Some(MinInService { kind, count })
    });
    let max_parallel = cells.number("max_parallel");
    let windows = cells.list("windows", BadCell::Name, |part| part.parse().ok());
    let staff_on_site = cells.list("staff_on_site", BadCell::Hours, hours);
    Some(Ward { id: id?, name_en, name_ja, min_in_service, max_parallel, windows, staff_on_site })
}

pub(super) fn ward_cells(ward: &Ward) -> Vec<String> {
    let joined = |parts: Vec<String>| parts.join(";");
    let min = ward.min_in_service.iter().map(|min| format!("{}={}", min.kind, min.count));
    let windows = ward.windows.iter().map(ToString::to_string);
    let staff = ward.staff_on_site.iter().map(|hours| {
        let days: Vec<_> = hours.days.iter().map(|day| day.code()).collect();
        format!("{} {} {}", days.join("+"), hours.start, hours.minutes)
    });
    vec![
        ward.id.to_string(),
        ward.name_en.clone(),
        ward.name_ja.clone(),
        joined(min.collect()),
        ward.max_parallel.map(|most| most.to_string()).unwrap_or_default(),
        joined(windows.collect()),
        joined(staff.collect()),
    ]
}

/// `mon+tue 08:00 540`.
fn hours(text: &str) -> Option<WeeklyHours> {
    let mut words = text.split_whitespace();
    let (days, start, minutes) = (words.next()?, words.next()?, words.next()?);
    let days: Option<Vec<_>> = days.split('+').map(Weekday::from_code).collect();
    let whole = words.next().is_none();
    let hours =
        WeeklyHours { days: days?, start: start.parse().ok()?, minutes: minutes.parse().ok()? };
    Some(hours).filter(|_| whole)
}

fn word_of<T: Copy + PartialEq>(words: &[(&str, T)], value: T) -> String {
    let found = words.iter().find(|(_, held)| *held == value);
    found.map(|(word, _)| (*word).to_owned()).unwrap_or_default()
}

impl Cells<'_> {
    fn text(&self, column: &str) -> &str {
        let at = self.columns.iter().position(|name| *name == column);
        at.and_then(|at| self.row.cells.get(at)).map_or("", String::as_str)
    }

    fn wrong(&mut self, column: &str, wrong: BadCell) {
        let problem = Problem::new(self.row.line, column, self.text(column), wrong);
        self.problems.push(problem);
    }

    fn name<T: FromStr>(&mut self, column: &str) -> Option<T> {
        let found = self.text(column).trim().parse().ok();
        if found.is_none() {
            self.wrong(column, BadCell::Name);
        }
        found
    }

    /// A name, or nothing where the cell is empty.
    fn optional<T: FromStr>(&mut self, column: &str) -> Option<T> {
        if self.text(column).trim().is_empty() { None } else { self.name(column) }
    }

    /// One of some words; the first where the cell is empty.
    fn word<T: Copy>(&mut self, column: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(column).trim();
        let found = words.iter().find(|(word, _)| text.is_empty() || *word == text);
        let found = found.map(|(_, value)| *value);
        if found.is_none() {
            self.wrong(column, BadCell::Word);
        }
        found
    }

    fn number(&mut self, column: &str) -> Option<u32> {
        let text = self.text(column).trim().to_owned();
        let found = text.parse().ok();
        if found.is_none() && !text.is_empty() {
            self.wrong(column, BadCell::Number);
        }
        found
    }

    fn list<T>(&mut self, column: &str, wrong: BadCell, read: fn(&str) -> Option<T>) -> Vec<T> {
        let text = self.text(column).to_owned();
        let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
        let found: Option<Vec<T>> = parts.map(read).collect();
        if found.is_none() {
            self.wrong(column, wrong);
        }
        found.unwrap_or_default()
    }
}
