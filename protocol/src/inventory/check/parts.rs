//! The checks, part by part.

use super::super::{
    Freeze, FreezeScope, Inventory, InventoryDevice, Person, UsualWindow, Ward, WeeklyHours,
    WindowRule,
};
use super::{BrokenRule as Rule, Problem};
use crate::civil::CivilDate;
use crate::id::{DeviceId, WardId, WindowId};
use crate::limits::{
    INVENTORY_DEVICES_MAX, INVENTORY_LIST_MAX, INVENTORY_PART_MAX, INVENTORY_TEXT_BYTES_MAX,
    SOAK_S_MAX, WINDOW_MINUTES_MAX,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What is found, with the names that may be referred to.
struct Found<'a> {
    problems: Vec<Problem>,
    wards: BTreeSet<&'a WardId>,
    windows: BTreeSet<&'a WindowId>,
    devices: BTreeMap<&'a DeviceId, &'a InventoryDevice>,
}

pub(super) fn problems(inventory: &Inventory) -> Vec<Problem> {
    let mut found = Found {
        problems: Vec::new(),
        wards: inventory.wards.iter().map(|ward| &ward.id).collect(),
        windows: inventory.windows.iter().map(|window| &window.id).collect(),
        devices: inventory.devices.iter().map(|device| (&device.id, device)).collect(),
    };
    found.must(inventory.v == 1, "v", inventory.v, Rule::Version);
    found.zone("tz", &inventory.tz);
    found.list("wards", inventory.wards.iter().map(|ward| &ward.id), INVENTORY_LIST_MAX);
    for (at, ward) in inventory.wards.iter().enumerate() {
        found.ward(&format!("wards[{at}]"), ward);
    }
    let ids = inventory.devices.iter().map(|device| &device.id);
    found.list("devices", ids, INVENTORY_DEVICES_MAX);
    for (at, device) in inventory.devices.iter().enumerate() {
        found.device(&format!("devices[{at}]"), device);
    }
    let ids = inventory.people.iter().map(|person| &person.person);
    found.list("people", ids, INVENTORY_LIST_MAX);
    for (at, person) in inventory.people.iter().enumerate() {
        found.person(&format!("people[{at}]"), person);
    }
    found.rules(inventory);
    found.list("freezes", inventory.freezes.iter().map(|freeze| &freeze.id), INVENTORY_LIST_MAX);
    for (at, freeze) in inventory.freezes.iter().enumerate() {
        found.freeze(&format!("freezes[{at}]"), freeze);
    }
    found.list("windows", inventory.windows.iter().map(|window| &window.id), INVENTORY_LIST_MAX);
    for (at, window) in inventory.windows.iter().enumerate() {
        found.window(&format!("windows[{at}]"), window);
    }
    found.policy(inventory);
    found.problems
}

impl<'a> Found<'a> {
    fn must(&mut self, holds: bool, path: &str, value: impl fmt::Display, rule: Rule) {
        if !holds {
            self.problems.push(Problem::new(path, value, rule));
        }
    }

    /// Each id once, not too many.
    fn list<T: Ord + fmt::Display + 'a>(
        &mut self,
        path: &str,
        ids: impl Iterator<Item = &'a T>,
        count_max: usize,
    ) {
        let mut seen = BTreeSet::new();
        let mut count = 0_usize;
        for (at, id) in ids.enumerate() {
            count = at.saturating_add(1);
            self.must(seen.insert(id), &format!("{path}[{at}]"), id, Rule::Twice);
        }
        self.must(count <= count_max, path, count, Rule::TooMany);
    }

    fn part(&mut self, path: &str, count: usize) {
        self.must(count <= INVENTORY_PART_MAX, path, count, Rule::TooMany);
    }

    fn text(&mut self, path: &str, text: &str) {
        self.must(!text.trim().is_empty(), path, text, Rule::Empty);
        let long = text.len() > INVENTORY_TEXT_BYTES_MAX || text.chars().any(char::is_control);
        self.must(!long, path, text, Rule::TooLong);
    }

    fn zone(&mut self, path: &str, name: &str) {
        self.must(is_zone(name), path, name, Rule::NoZone);
    }

    fn ward(&mut self, path: &str, ward: &'a Ward) {
        self.text(&format!("{path}.name_en"), &ward.name_en);
        self.text(&format!("{path}.name_ja"), &ward.name_ja);
        let kinds = ward.min_in_service.iter().map(|min| &min.kind);
        self.list(&format!("{path}.min_in_service"), kinds, INVENTORY_PART_MAX);
        let parallel = ward.max_parallel;
        self.must(parallel != Some(0), &format!("{path}.max_parallel"), 0, Rule::Zero);
        self.window_ids(&format!("{path}.windows"), &ward.windows);
        self.hours(&format!("{path}.staff_on_site"), &ward.staff_on_site);
    }

    fn window_ids(&mut self, path: &str, ids: &'a [WindowId]) {
        self.list(path, ids.iter(), INVENTORY_PART_MAX);
        for (at, id) in ids.iter().enumerate() {
            let known = self.windows.contains(id);
            self.must(known, &format!("{path}[{at}]"), id, Rule::NoWindow);
        }
    }

    fn hours(&mut self, path: &str, hours: &[WeeklyHours]) {
        self.part(path, hours.len());
        for (at, hours) in hours.iter().enumerate() {
            let path = format!("{path}[{at}]");
            self.must(!hours.days.is_empty(), &format!("{path}.days"), "", Rule::NoDays);
            self.minutes(&path, hours.minutes);
        }
    }

    fn minutes(&mut self, path: &str, minutes: u32) {
        let good = (1..=WINDOW_MINUTES_MAX).contains(&minutes);
        self.must(good, &format!("{path}.minutes"), minutes, Rule::Minutes);
    }

    fn device(&mut self, path: &str, device: &InventoryDevice) {
        if let Some(ward) = &device.ward {
            let known = self.wards.contains(ward);
            self.must(known, &format!("{path}.ward"), ward, Rule::NoWard);
        }
        if let Some(pair) = &device.pair {
            let path = format!("{path}.pair");
            let broken = match self.devices.get(pair) {
                _ if *pair == device.id => Some(Rule::PairSelf),
                None => Some(Rule::NoDevice),
                Some(other) if other.pair.as_ref() != Some(&device.id) => Some(Rule::PairOneSided),
                Some(_) => None,
            };
            if let Some(rule) = broken {
                self.must(false, &path, pair, rule);
            }
        }
        for (name, text) in [("udi", &device.udi), ("serial_number", &device.serial_number)] {
            if let Some(text) = text {
                self.text(&format!("{path}.{name}"), text);
            }
        }
    }

    fn person(&mut self, path: &str, person: &Person) {
        self.text(&format!("{path}.name"), &person.name);
        self.text(&format!("{path}.role"), &person.role);
        if let Some(email) = &person.notices_to {
            let path = format!("{path}.notices_to");
            self.text(&path, email);
            let (name, host) = email.rsplit_once('@').unwrap_or_default();
            let plain = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
            self.must(plain(name) && plain(host), &path, email, Rule::Email);
        }
    }

    fn rules(&mut self, inventory: &'a Inventory) {
        let rules = &inventory.rules;
        self.window_ids("rules.windows", &rules.windows);
        self.hours("rules.staff_on_site", &rules.staff_on_site);
        self.must(rules.max_parallel != Some(0), "rules.max_parallel", 0, Rule::Zero);
        self.must(rules.canary_per_ward > 0, "rules.canary_per_ward", 0, Rule::Zero);
        let lists = [
            ("rules.soak_s", rules.soak_s.len()),
            ("rules.min_clinical_use_h", rules.min_clinical_use_h.len()),
            ("rules.halt_permille", rules.halt_permille.len()),
        ];
        for (path, count) in lists {
            self.must(count > 0, path, "", Rule::Empty);
            self.must(count <= crate::limits::WAVES_MAX, path, count, Rule::TooMany);
        }
        for (at, soak_s) in rules.soak_s.iter().enumerate() {
            let path = format!("rules.soak_s[{at}]");
            self.must(*soak_s <= SOAK_S_MAX, &path, soak_s, Rule::Soak);
        }
        let soak_s = rules.emergency_soak_s;
        self.must(soak_s <= SOAK_S_MAX, "rules.emergency_soak_s", soak_s, Rule::Soak);
        for (at, permille) in rules.halt_permille.iter().enumerate() {
            let path = format!("rules.halt_permille[{at}]");
            self.must(*permille <= 1000, &path, permille, Rule::Permille);
        }
        let permille = rules.min_updated_permille;
        self.must(permille <= 1000, "rules.min_updated_permille", permille, Rule::Permille);
        self.must(rules.silent_after_s > 0, "rules.silent_after_s", 0, Rule::Zero);
    }

    fn freeze(&mut self, path: &str, freeze: &Freeze) {
        let span = format!("{}/{}", freeze.from, freeze.to);
        self.must(freeze.from < freeze.to, path, span, Rule::FreezeEmpty);
        self.text(&format!("{path}.why"), &freeze.why);
        match &freeze.scope {
            FreezeScope::Ward { ward } => {
                let known = self.wards.contains(ward);
                self.must(known, &format!("{path}.scope.ward"), ward, Rule::NoWard);
            }
            FreezeScope::Site {} | FreezeScope::Family { .. } | FreezeScope::Kind { .. } => {}
        }
    }

    fn window(&mut self, path: &str, window: &UsualWindow) {
        self.text(&format!("{path}.name_en"), &window.name_en);
        self.text(&format!("{path}.name_ja"), &window.name_ja);
        if let Some(tz) = &window.tz {
            self.zone(&format!("{path}.tz"), tz);
        }
        let path = format!("{path}.rule");
        self.minutes(&path, window.rule.minutes());
        match &window.rule {
            WindowRule::Weekly { days, every, first, last, except, .. } => {
                self.must(!days.is_empty(), &format!("{path}.days"), "", Rule::NoDays);
                let good = *every == 1 || ((2..=52).contains(every) && first.is_some());
                self.must(good, &format!("{path}.every"), every, Rule::Every);
                self.span(&path, *first, *last);
                self.part(&format!("{path}.except"), except.len());
            }
            WindowRule::Daily { every, first, last, except, .. } => {
                let good = (1..=366).contains(every);
                self.must(good, &format!("{path}.every"), every, Rule::Every);
                self.span(&path, Some(*first), *last);
                self.part(&format!("{path}.except"), except.len());
            }
            WindowRule::Dates { dates, .. } => {
                let path = format!("{path}.dates");
                self.must(!dates.is_empty(), &path, "", Rule::NoDays);
                self.part(&path, dates.len());
            }
        }
    }

    fn span(&mut self, path: &str, first: Option<CivilDate>, last: Option<CivilDate>) {
        if let (Some(first), Some(last)) = (first, last) {
            self.must(first <= last, &format!("{path}.last"), last, Rule::LastBeforeFirst);
        }
    }

    fn policy(&mut self, inventory: &Inventory) {
        let policy = &inventory.policy;
        let counts = [
            ("policy.routine_persons", policy.routine_persons),
            ("policy.standing_persons", policy.standing_persons),
            ("policy.rollback_persons", policy.rollback_persons),
        ];
        for (path, count) in counts {
            self.must(count > 0, path, count, Rule::Zero);
        }
        let persons = policy.emergency_persons;
        self.must(persons >= 2, "policy.emergency_persons", persons, Rule::EmergencyPersons);
    }
}

/// Whether there is such a zone, as far as this build can tell.
fn is_zone(name: &str) -> bool {
    let part = |part: &str| {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte);
        !part.is_empty() && part.bytes().all(good)
    };
    let formed = name.len() <= 64 && name.split('/').all(part);
    formed && exists(name)
}

#[cfg(not(feature = "zones"))]
const fn exists(_: &str) -> bool {
    true
}

#[cfg(feature = "zones")]
fn exists(name: &str) -> bool {
    crate::window::zone(name).is_ok()
}
