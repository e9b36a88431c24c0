//! Wards and devices as tables for spreadsheets: which columns there are, and what a cell means.
//!
//! A row adds an entry or changes the columns that the table has; columns that it has not stay as
//! they are. Not here: reading cells ([`super::csv`]), whether the whole holds together (the protocol).
//! Invariant: a problem names line and column; a table with one problem changes nothing.

use super::csv::{Row, Table};
use patchward_protocol::api::site::Management;
use patchward_protocol::civil::Weekday;
use patchward_protocol::id::{DeviceId, FamilyId, HardwareId, KindId, WardId};
use patchward_protocol::inventory::{
    Attendance, Inventory, InventoryDevice, MinInService, Problem, Usage, Ward, WeeklyHours,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;

/// Columns of the table of wards.
pub const WARDS: [&str; 7] =
    ["ward", "name_en", "name_ja", "max_parallel", "min_in_service", "windows", "staff_on_site"];
/// Columns of the table of devices. The last three are for devices without an agent.
pub const DEVICES: [&str; 11] = [
    "device",
    "ward",
    "kind",
    "pair",
    "usage",
    "attended",
    "udi",
    "serial_number",
    "management",
    "family",
    "hardware",
];

/// What happens to entries that the table does not list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// They stay.
    Kept,
    /// They are removed.
    Removed,
}

/// A device without an agent that the server is to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithoutAgent {
    /// Its id.
    pub device: DeviceId,
    /// By hand or only observed.
    pub management: Management,
    /// Its family.
    pub family: FamilyId,
    /// Its hardware, when known.
    pub hardware: Option<HardwareId>,
}

/// An inventory after a table, with the lines that its entries come from.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The inventory.
    pub inventory: Inventory,
    /// Devices without an agent that the table names.
    pub without_agent: Vec<WithoutAgent>,
    lines: BTreeMap<String, usize>,
}

/// Problems of one row, as they are found.
struct Reader<'a> {
    table: &'a Table,
    row: &'a Row,
    problems: Vec<String>,
}

impl Taken {
    /// A problem of the whole, with the line of the table that it comes from.
    #[must_use]
    pub fn place(&self, problem: &Problem) -> String {
        let (entry, field) = problem.path.split_once('.').unwrap_or((&problem.path, ""));
        let rule = problem.rule.en();
        match self.lines.get(entry) {
            Some(line) => format!("line {line}, {field} {:?}: {rule}", problem.value),
            None => format!("{} {:?}: {rule}", problem.path, problem.value),
        }
    }
}

/// Takes a table of wards or of devices, as its first column says, into an inventory.
///
/// # Errors
/// Every problem, each with its line.
pub fn take(inventory: &Inventory, table: &Table, others: Others) -> Result<Taken, Vec<String>> {
    let first = table.header.first().map_or("", String::as_str);
    let known: &[&str] = match first {
        "ward" => &WARDS,
        "device" => &DEVICES,
        _ => {
            let what = format!("line 1: the first column is {first:?}, not `ward` or `device`");
            return Err(vec![what]);
        }
    };
    let mut problems: Vec<_> = table
        .header
        .iter()
        .filter(|name| !known.contains(&name.as_str()))
        .map(|name| format!("line 1: no column {name:?}; there are: {}", known.join(", ")))
        .collect();
    let mut seen = BTreeSet::new();
    for row in &table.rows {
        let id = table.cell(row, first).unwrap_or_default();
        if !seen.insert(id) {
            problems.push(format!("line {}, {first} {id:?}: it stands here twice", row.line));
        }
    }
    let mut taken =
        Taken { inventory: inventory.clone(), without_agent: Vec::new(), lines: BTreeMap::new() };
    for row in &table.rows {
        let mut reader = Reader { table, row, problems: Vec::new() };
        match first {
            "ward" => reader.ward(&mut taken),
            _ => reader.device(&mut taken),
        }
        problems.extend(reader.problems);
    }
    if others == Others::Removed {
        let listed = |id: &str| seen.contains(id);
        match first {
            "ward" => taken.inventory.wards.retain(|ward| listed(ward.id.as_str())),
            _ => taken.inventory.devices.retain(|device| listed(device.id.as_str())),
        }
    }
    let ward = |(n, ward): (usize, &Ward)| (format!("wards[{n}]"), ward.id.to_string());
    let device =
        |(n, device): (usize, &InventoryDevice)| (format!("devices[{n}]"), device.id.to_string());
    let places: Vec<(String, String)> = match first {
        "ward" => taken.inventory.wards.iter().enumerate().map(ward).collect(),
        _ => taken.inventory.devices.iter().enumerate().map(device).collect(),
    };
    for (place, id) in places {
        let row = table.rows.iter().find(|row| table.cell(row, first) == Some(&id));
        taken.lines.extend(row.map(|row| (place, row.line)));
    }
    if problems.is_empty() { Ok(taken) } else { Err(problems) }
}

impl Reader<'_> {
    fn ward(&mut self, taken: &mut Taken) {
        let Some(id) = self.needed::<WardId>("ward") else { return };
        let wards = &mut taken.inventory.wards;
        let held = wards.iter().position(|ward| ward.id == id);
        let mut ward = held.and_then(|at| wards.get(at).cloned()).unwrap_or_else(|| Ward {
            id: id.clone(),
            name_en: String::new(),
            name_ja: String::new(),
            min_in_service: Vec::new(),
            max_parallel: None,
            windows: Vec::new(),
            staff_on_site: Vec::new(),
        });
        self.text("name_en", &mut ward.name_en);
        self.text("name_ja", &mut ward.name_ja);
        self.optional("max_parallel", &mut ward.max_parallel);
        self.list("min_in_service", &mut ward.min_in_service, min_in_service);
        self.list("windows", &mut ward.windows, |text| parsed(text));
        self.list("staff_on_site", &mut ward.staff_on_site, hours);
        put(wards, held, ward);
    }

    fn device(&mut self, taken: &mut Taken) {
        let Some(id) = self.needed::<DeviceId>("device") else { return };
        let devices = &mut taken.inventory.devices;
        let held = devices.iter().position(|device| device.id == id);
        let old = held.and_then(|at| devices.get(at).cloned());
        let kind = match (self.cell("kind"), &old) {
            (None, Some(old)) => Some(old.kind.clone()),
            (None, None) | (Some(_), _) => self.needed::<KindId>("kind"),
        };
        let Some(kind) = kind else { return };
        let mut device = old.unwrap_or_else(|| InventoryDevice {
            id: id.clone(),
            ward: None,
            kind: kind.clone(),
            pair: None,
            usage: Usage::default(),
            attended: Attendance::default(),
            udi: None,
            serial_number: None,
        });
        device.kind = kind;
        self.optional("ward", &mut device.ward);
        self.optional("pair", &mut device.pair);
        self.word("usage", &mut device.usage, usage);
        self.word("attended", &mut device.attended, attended);
        self.optional("udi", &mut device.udi);
        self.optional("serial_number", &mut device.serial_number);
        put(devices, held, device);
        taken.without_agent.extend(self.without_agent(id));
    }

    fn without_agent(&mut self, device: DeviceId) -> Option<WithoutAgent> {
        let management = match self.cell("management")? {
            "agent" => return None,
            "manual" => Management::Manual,
            "observed" => Management::Observed,
            other => {
                self.wrong("management", &format!("{other:?} is not agent, manual or observed"));
                return None;
            }
        };
        let family = self.needed::<FamilyId>("family")?;
        let mut hardware = None;
        self.optional("hardware", &mut hardware);
        Some(WithoutAgent { device, management, family, hardware })
    }

    fn cell(&self, column: &str) -> Option<&str> {
        self.table.cell(self.row, column)
    }

    fn wrong(&mut self, column: &str, what: &str) {
        self.problems.push(format!("line {}, {column}: {what}", self.row.line));
    }

    fn needed<T: FromStr<Err: Display>>(&mut self, column: &str) -> Option<T> {
        let read = match self.cell(column) {
            Some(text) => text.parse::<T>().map_err(|error| error.to_string()),
            None => Err("something must be written here".to_owned()),
        };
        read.map_err(|what| self.wrong(column, &what)).ok()
    }

    fn text(&mut self, column: &str, value: &mut String) {
        if self.table.has(column) {
            *value = self.cell(column).unwrap_or_default().to_owned();
        }
    }

    fn optional<T: FromStr<Err: Display>>(&mut self, column: &str, value: &mut Option<T>) {
        if !self.table.has(column) {
            return;
        }
        match self.cell(column).map(str::parse::<T>).transpose() {
            Ok(read) => *value = read,
            Err(error) => {
                let text = self.cell(column).unwrap_or_default();
                let what = format!("{text:?}: {error}");
                self.wrong(column, &what);
            }
        }
    }

    fn word<T: Default>(
        &mut self,
        column: &str,
        value: &mut T,
        read: impl Fn(&str) -> Result<T, String>,
    ) {
        if !self.table.has(column) {
            return;
        }
        match self.cell(column).map(read).transpose() {
            Ok(read) => *value = read.unwrap_or_default(),
            Err(what) => self.wrong(column, &what),
        }
    }

    fn list<T>(
        &mut self,
        column: &str,
        value: &mut Vec<T>,
        read: impl Fn(&str) -> Result<T, String>,
    ) {
        if !self.table.has(column) {
            return;
        }
        let parts = self.cell(column).unwrap_or_default().split(';').map(str::trim);
        match parts.filter(|part| !part.is_empty()).map(read).collect() {
            Ok(read) => *value = read,
            Err(what) => self.wrong(column, &what),
        }
    }
}

fn put<T>(list: &mut Vec<T>, held: Option<usize>, entry: T) {
    match held.and_then(|at| list.get_mut(at)) {
        Some(place) => *place = entry,
        None => list.push(entry),
    }
}

fn parsed<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse::<T>().map_err(|error| error.to_string())
}

fn usage(text: &str) -> Result<Usage, String> {
    match text {
        "in-service" => Ok(Usage::InService),
        "spare" => Ok(Usage::Spare),
        "bench" => Ok(Usage::Bench),
        other => Err(format!("{other:?} is not in-service, spare or bench")),
    }
}

fn attended(text: &str) -> Result<Attendance, String> {
    match text {
        "attended" => Ok(Attendance::Attended),
        "unattended" => Ok(Attendance::Unattended),
        other => Err(format!("{other:?} is not attended or unattended")),
    }
}

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

/// `mon tue 08:30/510`: days, start, minutes.
///
/// # Errors
/// What it must look like.
pub fn hours(text: &str) -> Result<WeeklyHours, String> {
    let wrong =
        || format!("{text:?}: write it like \"mon tue wed 08:30/510\" (days, start/minutes)");
    let (days, hours) = text.rsplit_once(' ').ok_or_else(wrong)?;
    let (start, minutes) = hours.split_once('/').ok_or_else(wrong)?;
    let days = days.split_whitespace().map(weekday).collect::<Result<_, _>>()?;
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

/// The rows of a table of wards.
#[must_use]
pub fn ward_rows(inventory: &Inventory) -> Vec<Vec<String>> {
    let row = |ward: &Ward| {
        let min = ward.min_in_service.iter().map(|min| format!("{}={}", min.kind, min.count));
        let windows: Vec<_> = ward.windows.iter().map(ToString::to_string).collect();
        let staff: Vec<_> = ward.staff_on_site.iter().map(hours_text).collect();
        vec![
            ward.id.to_string(),
            ward.name_en.clone(),
            ward.name_ja.clone(),
            ward.max_parallel.map(|count| count.to_string()).unwrap_or_default(),
            min.collect::<Vec<_>>().join(";"),
            windows.join(";"),
            staff.join(";"),
        ]
    };
    inventory.wards.iter().map(row).collect()
}

/// The rows of a table of devices; what the server knows of a device beside what the hospital says.
#[must_use]
pub fn device_rows(
    inventory: &Inventory,
    known: &BTreeMap<DeviceId, patchward_protocol::api::site::DeviceView>,
) -> Vec<Vec<String>> {
    let text = |value: Option<String>| value.unwrap_or_default();
    let row = |device: &InventoryDevice| {
        let view = known.get(&device.id);
        let management = view.map(|view| match view.management {
            Management::Agent => "agent",
            Management::Manual => "manual",
            Management::Observed => "observed",
        });
        let usage = match device.usage {
            Usage::InService => "in-service",
            Usage::Spare => "spare",
            Usage::Bench => "bench",
        };
        let attended = match device.attended {
            Attendance::Attended => "attended",
            Attendance::Unattended => "unattended",
        };
        vec![
            device.id.to_string(),
            text(device.ward.as_ref().map(ToString::to_string)),
            device.kind.to_string(),
            text(device.pair.as_ref().map(ToString::to_string)),
            usage.to_owned(),
            attended.to_owned(),
            text(device.udi.clone()),
            text(device.serial_number.clone()),
            management.unwrap_or_default().to_owned(),
            text(view.map(|view| view.family.to_string())),
            text(view.and_then(|view| view.hardware.as_ref()).map(ToString::to_string)),
        ]
    };
    inventory.devices.iter().map(row).collect()
}

fn hours_text(hours: &WeeklyHours) -> String {
    let days: Vec<_> = hours.days.iter().map(|day| day.words().0.to_lowercase()).collect();
    format!("{} {}/{}", days.join(" "), hours.start, hours.minutes)
}
