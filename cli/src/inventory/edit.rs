//! `inventory set|windows|freezes|people …`: one change at a time, without editing a file.
//!
//! Each reads the inventory, changes it and writes it over the revision that was read. Not here:
//! tables and whole files ([`super`]).

use super::words::{hours, min_in_service, weekday};
use super::{At, read, write};
use crate::day::Day;
use crate::disk;
use crate::error::{Code, Failure, Outcome};
use crate::here::Here;
use crate::login;
use crate::said::Said;
use patchward_protocol::civil::{CivilDate, CivilTime};
use patchward_protocol::ical;
use patchward_protocol::id::{FamilyId, FreezeId, KindId, PersonId, WardId, WindowId};
use patchward_protocol::inventory::{
    Freeze, FreezeScope, Hardness, Inventory, Person, UsualWindow, Ward, WindowRule,
};
use patchward_protocol::limits::CALENDAR_BYTES_MAX;
use std::path::PathBuf;

/// Seconds of an hour.
const HOUR_S: u64 = 3600;

/// Arguments of `inventory set`: what is not named stays.
#[derive(Debug, clap::Args)]
pub struct Set {
    /// Rules of this ward (default: of the whole site)
    #[arg(long, value_name = "WARD")]
    pub ward: Option<WardId>,
    /// Name in English (ward)
    #[arg(long, value_name = "TEXT", requires = "ward")]
    pub name_en: Option<String>,
    /// Name in Japanese (ward)
    #[arg(long, value_name = "TEXT", requires = "ward")]
    pub name_ja: Option<String>,
    /// So many of a kind stay in service, e.g. infusion-pump=3 (ward; repeat; 0 takes it away)
    #[arg(long, value_name = "KIND=N", requires = "ward")]
    pub min: Vec<String>,
    /// Most devices that are updated at once; 0 for no limit
    #[arg(long, value_name = "N")]
    pub max_parallel: Option<u32>,
    /// Windows, separated by commas
    #[arg(long, value_name = "ID,ID", value_delimiter = ',')]
    pub windows: Option<Vec<WindowId>>,
    /// Hours of staff, e.g. "mon+tue+wed 08:30 510" (repeat)
    #[arg(long, value_name = "DAYS START MINUTES")]
    pub staff: Vec<String>,
    /// Rules of the whole site
    #[command(flatten)]
    pub whole: Whole,
    /// Which site
    #[command(flatten)]
    pub at: At,
}

/// Rules that only the whole site has.
#[derive(Debug, clap::Args)]
pub struct Whole {
    /// Zone of the site
    #[arg(long, value_name = "ZONE", conflicts_with = "ward")]
    pub tz: Option<String>,
    /// Most devices of each ward in wave 1
    #[arg(long, value_name = "N", conflicts_with = "ward")]
    pub canary_per_ward: Option<u32>,
    /// How long each wave is watched, in hours; the last value holds for all later waves
    #[arg(long, value_name = "H,H", value_delimiter = ',', conflicts_with = "ward")]
    pub soak_h: Option<Vec<u64>>,
    /// Share of the wave before that must have been updated, in thousandths
    #[arg(long, value_name = "N", conflicts_with = "ward")]
    pub min_updated_permille: Option<u32>,
    /// Hours of clinical use before the next wave; the last value holds for all later waves
    #[arg(long, value_name = "H,H", value_delimiter = ',', conflicts_with = "ward")]
    pub min_clinical_use_h: Option<Vec<u32>>,
    /// Failures allowed per wave, in thousandths; the last value holds for all later waves
    #[arg(long, value_name = "N,N", value_delimiter = ',', conflicts_with = "ward")]
    pub halt_permille: Option<Vec<u32>>,
    /// Seconds after which a silent device counts as failed
    #[arg(long, value_name = "S", conflicts_with = "ward")]
    pub silent_after_s: Option<u64>,
    /// How long each wave of an emergency is watched, in hours
    #[arg(long, value_name = "H", conflicts_with = "ward")]
    pub emergency_soak_h: Option<u64>,
    /// Seconds that devices keep free at the end of a slot, as they are configured
    #[arg(long, value_name = "S", conflicts_with = "ward")]
    pub reserve_s: Option<u64>,
    /// Persons who sign, as ROUTINE,STANDING,EMERGENCY,ROLLBACK
    #[arg(long, value_name = "N,N,N,N", value_delimiter = ',', conflicts_with = "ward")]
    pub persons: Option<Vec<u32>>,
}

/// Arguments of `inventory windows add`.
#[derive(Debug, clap::Args)]
pub struct AddWindow {
    /// Its id
    pub id: WindowId,
    /// Days on which it starts, e.g. mon,tue,wed
    #[arg(long, value_name = "DAY,DAY", value_delimiter = ',')]
    pub days: Vec<String>,
    /// Dates on which it starts, instead of days
    #[arg(long, value_name = "DATE,DATE", value_delimiter = ',', conflicts_with = "days")]
    pub dates: Vec<CivilDate>,
    /// When it starts, e.g. 02:00
    #[arg(long, value_name = "HH:MM")]
    pub start: CivilTime,
    /// How long it lasts, in minutes that pass
    #[arg(long, value_name = "N")]
    pub minutes: u32,
    /// Every how many weeks, counted from --first
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub every: u32,
    /// First date on which it may start
    #[arg(long, value_name = "DATE")]
    pub first: Option<CivilDate>,
    /// Last date on which it may start
    #[arg(long, value_name = "DATE")]
    pub last: Option<CivilDate>,
    /// Name in English (default: its id)
    #[arg(long, value_name = "TEXT")]
    pub name_en: Option<String>,
    /// Name in Japanese (default: its id)
    #[arg(long, value_name = "TEXT")]
    pub name_ja: Option<String>,
    /// Zone of its hours (default: of the site)
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    /// Use it for every ward that names no windows
    #[arg(long)]
    pub usual: bool,
    /// Which site
    #[command(flatten)]
    pub at: At,
}

/// Arguments of `inventory windows import`.
#[derive(Debug, clap::Args)]
pub struct ImportWindows {
    /// The calendar (iCalendar)
    pub file: PathBuf,
    /// The windows are called so, with -1, -2, … behind it
    #[arg(long, value_name = "ID")]
    pub name: WindowId,
    /// Zone of times that name none (default: they are refused)
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// Use them for every ward that names no windows
    #[arg(long)]
    pub usual: bool,
    /// Which site
    #[command(flatten)]
    pub at: At,
}

/// Arguments of `inventory freezes add`.
#[derive(Debug, clap::Args)]
pub struct AddFreeze {
    /// Its id
    pub id: FreezeId,
    /// First day, or first instant in UTC
    #[arg(long, value_name = "DATE|UTC")]
    pub from: Day,
    /// First day after it, or first instant after it in UTC
    #[arg(long, value_name = "DATE|UTC")]
    pub to: Day,
    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    pub why: String,
    /// This ward only
    #[arg(long, value_name = "WARD", conflicts_with_all = ["family", "kind"])]
    pub ward: Option<WardId>,
    /// This family only
    #[arg(long, value_name = "MAKER.NAME", conflicts_with = "kind")]
    pub family: Option<FamilyId>,
    /// This kind of device only
    #[arg(long, value_name = "KIND")]
    pub kind: Option<KindId>,
    /// An emergency approval passes
    #[arg(long)]
    pub soft: bool,
    /// Which site
    #[command(flatten)]
    pub at: At,
}

/// Arguments of `inventory people add`.
#[derive(Debug, clap::Args)]
pub struct AddPerson {
    /// The id that the site's root gives to their keys
    pub person: PersonId,
    /// Printed name
    #[arg(long, value_name = "TEXT")]
    pub name: String,
    /// Role in the hospital
    #[arg(long, value_name = "TEXT")]
    pub role: String,
    /// Where notices go
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
    /// Which site
    #[command(flatten)]
    pub at: At,
}

/// Reads the inventory, changes it, writes it back.
///
/// # Errors
/// What `change` returns; as [`super::write`].
pub fn change(
    here: &Here,
    at: &At,
    change: impl FnOnce(&mut Inventory) -> Outcome<()>,
) -> Outcome<Said> {
    let server = login::connect(here, &at.reach)?;
    let old = read(&server, &at.site)?;
    let old = old.unwrap_or_else(|| Inventory::empty(at.site.clone(), "Asia/Tokyo"));
    let mut new = old.clone();
    change(&mut new)?;
    write(here, &server, at, &old, &new)
}

/// `inventory set`.
///
/// # Errors
/// [`Code::ValueBad`]; as [`super::write`].
pub fn set(here: &Here, set: &Set) -> Outcome<Said> {
    let bad = |what: String| Failure::new(Code::ValueBad, what);
    let staff = set.staff.iter().map(|text| hours(text)).collect::<Result<Vec<_>, _>>();
    let staff = staff.map_err(bad)?;
    let min = set.min.iter().map(|text| min_in_service(text)).collect::<Result<Vec<_>, _>>();
    let min = min.map_err(bad)?;
    change(here, &set.at, |inventory| {
        let most = set.max_parallel.map(|count| (count > 0).then_some(count));
        let Some(id) = &set.ward else {
            inventory.rules.max_parallel = most.unwrap_or(inventory.rules.max_parallel);
            replace(&mut inventory.rules.windows, set.windows.clone());
            replace(&mut inventory.rules.staff_on_site, (!staff.is_empty()).then_some(staff));
            return whole(inventory, &set.whole);
        };
        let ward = ward_of(inventory, id);
        replace(&mut ward.name_en, set.name_en.clone());
        replace(&mut ward.name_ja, set.name_ja.clone());
        ward.max_parallel = most.unwrap_or(ward.max_parallel);
        replace(&mut ward.windows, set.windows.clone());
        replace(&mut ward.staff_on_site, (!staff.is_empty()).then_some(staff));
        for min in min {
            ward.min_in_service.retain(|held| held.kind != min.kind);
            ward.min_in_service.extend((min.count > 0).then_some(min));
        }
        Ok(())
    })
}

fn whole(inventory: &mut Inventory, whole: &Whole) -> Outcome<()> {
    let hours = |hours: &Vec<u64>| hours.iter().map(|h| h.saturating_mul(HOUR_S)).collect();
    replace(&mut inventory.tz, whole.tz.clone());
    let rules = &mut inventory.rules;
    replace(&mut rules.canary_per_ward, whole.canary_per_ward);
    replace(&mut rules.soak_s, whole.soak_h.as_ref().map(hours));
    let emergency = whole.emergency_soak_h.map(|h| h.saturating_mul(HOUR_S));
    replace(&mut rules.emergency_soak_s, emergency);
    replace(&mut rules.min_updated_permille, whole.min_updated_permille);
    replace(&mut rules.min_clinical_use_h, whole.min_clinical_use_h.clone());
    replace(&mut rules.halt_permille, whole.halt_permille.clone());
    replace(&mut rules.silent_after_s, whole.silent_after_s);
    replace(&mut rules.reserve_s, whole.reserve_s);
    match whole.persons.as_deref() {
        None => Ok(()),
        Some(&[routine, standing, emergency, rollback]) => {
            inventory.policy.routine_persons = routine;
            inventory.policy.standing_persons = standing;
            inventory.policy.emergency_persons = emergency;
            inventory.policy.rollback_persons = rollback;
            Ok(())
        }
        Some(_) => {
            let what = "--persons takes four numbers: ROUTINE,STANDING,EMERGENCY,ROLLBACK";
            Err(Failure::new(Code::ValueBad, what))
        }
    }
}

fn replace<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// The ward of this id, made when there is none.
fn ward_of<'a>(inventory: &'a mut Inventory, id: &WardId) -> &'a mut Ward {
    let held = inventory.wards.iter().position(|ward| ward.id == *id);
    let at = held.unwrap_or(inventory.wards.len());
    if held.is_none() {
        inventory.wards.push(Ward {
            id: id.clone(),
            name_en: id.to_string(),
            name_ja: id.to_string(),
            min_in_service: Vec::new(),
            max_parallel: None,
            windows: Vec::new(),
            staff_on_site: Vec::new(),
        });
    }
    #[expect(clippy::indexing_slicing, reason = "it was found there, or put there, just now")]
    &mut inventory.wards[at]
}

/// `inventory windows add`.
///
/// # Errors
/// [`Code::ValueBad`]; as [`super::write`].
pub fn add_window(here: &Here, add: &AddWindow) -> Outcome<Said> {
    let days = add.days.iter().map(|day| weekday(day)).collect::<Result<Vec<_>, _>>();
    let days = days.map_err(|what| Failure::new(Code::ValueBad, what))?;
    let (start, minutes) = (add.start, add.minutes);
    let rule = match add.dates.is_empty() {
        true => WindowRule::Weekly {
            days,
            start,
            minutes,
            every: add.every,
            first: add.first,
            last: add.last,
            except: Vec::new(),
        },
        false => WindowRule::Dates { dates: add.dates.clone(), start, minutes },
    };
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| add.id.to_string());
    let window = UsualWindow {
        id: add.id.clone(),
        name_en: name(&add.name_en),
        name_ja: name(&add.name_ja),
        tz: add.tz.clone(),
        rule,
    };
    change(here, &add.at, |inventory| {
        put_window(inventory, window, add.usual);
        Ok(())
    })
}

/// Puts a window in the place of the one with its id.
pub fn put_window(inventory: &mut Inventory, window: UsualWindow, usual: bool) {
    let id = window.id.clone();
    match inventory.windows.iter_mut().find(|held| held.id == id) {
        Some(held) => *held = window,
        None => inventory.windows.push(window),
    }
    if usual && !inventory.rules.windows.contains(&id) {
        inventory.rules.windows.push(id);
    }
}

/// `inventory windows import`: all windows of a calendar, or none; those of the same name go.
///
/// # Errors
/// [`Code::CalendarBad`] with every line; as [`super::write`].
pub fn import_windows(here: &Here, import: &ImportWindows) -> Outcome<Said> {
    let bytes_max = u64::try_from(CALENDAR_BYTES_MAX).unwrap_or(u64::MAX);
    let bytes = disk::read(&import.file, bytes_max)?;
    let asked = ical::Import { name: &import.name, zone: import.zone.as_deref() };
    let windows = ical::read(&bytes, &asked).map_err(|bad| {
        let line = |problem: &ical::Problem| {
            let what = here.language.pick(problem.refused.en(), problem.refused.ja());
            format!("line {}: {:?}: {what}", problem.line, problem.text)
        };
        let problems = bad.problems.iter().map(line).collect();
        Failure::with_problems(Code::CalendarBad, import.file.display(), problems)
    })?;
    let prefix = format!("{}-", import.name);
    let same = |id: &WindowId| {
        let number = id.as_str().strip_prefix(&prefix);
        *id == import.name || number.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
    };
    let fresh: Vec<_> = windows.iter().map(|window| window.id.clone()).collect();
    change(here, &import.at, |inventory| {
        let stays = |id: &WindowId| !same(id) || fresh.contains(id);
        inventory.windows.retain(|window| stays(&window.id));
        inventory.rules.windows.retain(stays);
        for ward in &mut inventory.wards {
            ward.windows.retain(stays);
        }
        windows.into_iter().for_each(|window| put_window(inventory, window, import.usual));
        Ok(())
    })
}

/// `inventory windows remove`.
///
/// # Errors
/// As [`super::write`]; [`Code::ValueBad`] when there is none.
pub fn remove_window(here: &Here, id: &WindowId, at: &At) -> Outcome<Said> {
    change(here, at, |inventory| {
        inventory.rules.windows.retain(|held| held != id);
        remove(&mut inventory.windows, |window| window.id == *id, id.as_str())
    })
}

/// `inventory freezes add`.
///
/// # Errors
/// As [`super::write`].
pub fn add_freeze(here: &Here, add: &AddFreeze) -> Outcome<Said> {
    let scope = match (&add.ward, &add.family, &add.kind) {
        (Some(ward), _, _) => FreezeScope::Ward { ward: ward.clone() },
        (None, Some(family), _) => FreezeScope::Family { family: family.clone() },
        (None, None, Some(kind)) => FreezeScope::Kind { equipment: kind.clone() },
        (None, None, None) => FreezeScope::Site {},
    };
    change(here, &add.at, |inventory| {
        let freeze = Freeze {
            id: add.id.clone(),
            from: add.from.begin(&inventory.tz)?,
            to: add.to.begin(&inventory.tz)?,
            scope,
            hardness: if add.soft { Hardness::Soft } else { Hardness::Hard },
            why: add.why.clone(),
        };
        match inventory.freezes.iter_mut().find(|held| held.id == add.id) {
            Some(held) => *held = freeze,
            None => inventory.freezes.push(freeze),
        }
        Ok(())
    })
}

/// `inventory freezes remove`.
///
/// # Errors
/// As [`super::write`]; [`Code::ValueBad`] when there is none.
pub fn remove_freeze(here: &Here, id: &FreezeId, at: &At) -> Outcome<Said> {
    change(here, at, |inventory| {
        remove(&mut inventory.freezes, |freeze| freeze.id == *id, id.as_str())
    })
}

/// `inventory people add`.
///
/// # Errors
/// As [`super::write`].
pub fn add_person(here: &Here, add: &AddPerson) -> Outcome<Said> {
    let person = Person {
        person: add.person.clone(),
        name: add.name.clone(),
        role: add.role.clone(),
        notices_to: add.email.clone(),
    };
    change(here, &add.at, |inventory| {
        match inventory.people.iter_mut().find(|held| held.person == add.person) {
            Some(held) => *held = person,
            None => inventory.people.push(person),
        }
        Ok(())
    })
}

/// `inventory people remove`.
///
/// # Errors
/// As [`super::write`]; [`Code::ValueBad`] when there is none.
pub fn remove_person(here: &Here, id: &PersonId, at: &At) -> Outcome<Said> {
    change(here, at, |inventory| {
        remove(&mut inventory.people, |person| person.person == *id, id.as_str())
    })
}

fn remove<T>(list: &mut Vec<T>, is: impl Fn(&T) -> bool, id: &str) -> Outcome<()> {
    let before = list.len();
    list.retain(|entry| !is(entry));
    match list.len() == before {
        true => Err(Failure::new(Code::ValueBad, format!("there is no {id:?}"))),
        false => Ok(()),
    }
}
