//! Lists and forms with nothing, with much, and refused; and that every form reads back what it shows.

use super::field::Wrong;
use super::thing::{Thing, filled, form_page, lines, list_page, problems, put, take};
use super::{freeze::Freezes, signer::Signers, view, ward::Wards, window::Windows};
use crate::console::form::Form;
use crate::console::frame::{Frame, Nav};
use crate::console::pages::devices::list::list_samples::hospital;
use crate::console::sample::{Sample, at_site, noon, site_frame};
use crate::console::words::Words;
use crate::people::who::Language;
use patchward_protocol::civil::{CivilDate, CivilTime, Weekday};
use patchward_protocol::id::{FreezeId, KindId, PersonId, WardId, WindowId};
use patchward_protocol::inventory::{
    Freeze, FreezeScope, Hardness, Inventory, MinInService, Person, UsualWindow, WeeklyHours,
    WindowRule,
};
use std::sync::Arc;

fn full(words: Words) -> Inventory {
    let (at, _) = hospital(words, 60);
    let mut inventory = (*at.inventory).clone();
    let window = |id: &str, rule: WindowRule| UsualWindow {
        id: WindowId::new(id).unwrap(),
        name_en: format!("Window {id}"),
        name_ja: format!("保守時間帯 {id}"),
        tz: None,
        rule,
    };
    let start = CivilTime::new(13, 30).unwrap();
    let first = CivilDate::new(2026, 12, 1).unwrap();
    let weekly = WindowRule::Weekly {
        days: vec![Weekday::ALL[1], Weekday::ALL[3]],
        start,
        minutes: 120,
        every: 2,
        first: Some(first),
        last: None,
        except: vec![CivilDate::new(2026, 12, 29).unwrap()],
    };
    let daily = WindowRule::Daily {
        start,
        minutes: 60,
        every: 3,
        first,
        last: Some(first),
        except: vec![],
    };
    let dates = WindowRule::Dates { dates: vec![first, first.plus_days(7)], start, minutes: 90 };
    inventory.windows =
        vec![window("weekly", weekly), window("daily", daily), window("dates", dates)];
    let kind = KindId::new("infusion-pump").unwrap();
    let staff = WeeklyHours { days: vec![Weekday::ALL[0]], start, minutes: 540 };
    for ward in &mut inventory.wards {
        ward.min_in_service = vec![MinInService { kind: kind.clone(), count: 3 }];
        ward.max_parallel = Some(2);
        ward.windows = vec![WindowId::new("weekly").unwrap()];
        ward.staff_on_site = vec![staff.clone()];
    }
    let freeze = |n: u32, scope: FreezeScope, hardness: Hardness| Freeze {
        id: FreezeId::new(&format!("freeze-{n}")).unwrap(),
        from: noon(),
        to: noon().plus_seconds(7 * 86_400),
        scope,
        hardness,
        why: "電子カルテの更新(全館)".to_owned(),
    };
    let ward = WardId::new("1-east").unwrap();
    inventory.freezes = vec![
        freeze(1, FreezeScope::Site {}, Hardness::Soft),
        freeze(2, FreezeScope::Ward { ward }, Hardness::Hard),
        freeze(3, FreezeScope::Kind { equipment: kind }, Hardness::Soft),
    ];
    let person = |n: u32| Person {
        person: PersonId::new(&format!("person-{n}")).unwrap(),
        name: format!("田中 由紀 {n}"),
        role: "臨床工学技士".to_owned(),
        notices_to: Some(format!("tanaka{n}@hospital.example")),
    };
    inventory.people = (0..120).map(person).collect();
    assert_eq!(inventory.check(), []);
    inventory
}

fn of<T: Thing>(words: Words, inventory: &Inventory, nothing: &Form) -> Vec<Sample> {
    let mut at = at_site(words);
    let title = format!("{}-title", T::TEXTS);
    let frame = || site_frame(words, Nav::Settings, &title);
    let empty = list_page::<T>(frame(), words, &at);
    at.inventory = Arc::new(inventory.clone());
    let list = list_page::<T>(frame(), words, &at);
    let id = lines::<T>(words, inventory).first().map(|line| line.id.clone());
    let id = id.as_deref();
    let values = filled::<T>(inventory, id).unwrap();
    let form_frame = || Frame { title: words.t(&format!("{}-new", T::TEXTS)), ..frame() };
    let form = |form: &Form, id: Option<&str>, wrong: &[Wrong]| {
        form_page::<T>(form_frame(), words, &at, inventory, id, form, wrong)
    };
    let mut spoilt = inventory.clone();
    let wrong = put::<T>(words, &mut spoilt, None, nothing)
        .map_or_else(|wrong| wrong, |position| problems(words, &spoilt, T::LIST, position));
    assert!(!wrong.is_empty(), "an empty {} is refused", T::WORD);
    let name =
        |of: &str| -> &'static str { Box::leak(format!("{}-{of}", T::WORD).into_boxed_str()) };
    vec![
        Sample::of("settings/list.html", name("none"), &empty),
        Sample::of("settings/list.html", name("many"), &list),
        Sample::of("settings/form.html", name("one"), &form(&values, id, &[])),
        Sample::of("settings/form.html", name("refused"), &form(nothing, None, &wrong)),
    ]
}

pub(super) fn samples(words: Words) -> Vec<Sample> {
    let inventory = full(words);
    let nothing = Form::of([("id", "Not an id")]);
    let mut all = of::<Wards>(words, &inventory, &nothing);
    all.extend(of::<Windows>(words, &inventory, &nothing));
    all.extend(of::<Freezes>(words, &inventory, &nothing));
    all.extend(of::<Signers>(words, &inventory, &nothing));
    let mut at = at_site(words);
    let frame = || site_frame(words, Nav::Settings, "settings-title");
    all.push(Sample::of("settings/index.html", "new", &view(frame(), words, &at)));
    at.inventory = Arc::new(inventory);
    all.push(Sample::of("settings/index.html", "some", &view(frame(), words, &at)));
    all
}

fn read_back<T: Thing>(inventory: &Inventory) {
    let words = Words::of(Language::En);
    for line in lines::<T>(words, inventory) {
        let form = filled::<T>(inventory, Some(&line.id)).unwrap();
        let mut again = inventory.clone();
        put::<T>(words, &mut again, Some(&line.id), &form).unwrap();
        assert_eq!(again, *inventory, "{} {}", T::WORD, line.id);
        assert!(take::<T>(&mut again, &line.id));
        assert!(!take::<T>(&mut again, &line.id));
    }
}

#[test]
fn what_a_form_shows_is_read_back_the_same() {
    let inventory = full(Words::of(Language::En));
    read_back::<Wards>(&inventory);
    read_back::<Windows>(&inventory);
    read_back::<Freezes>(&inventory);
    read_back::<Signers>(&inventory);
}

#[test]
fn a_ward_with_another_id_keeps_its_devices() {
    let words = Words::of(Language::En);
    let mut inventory = full(words);
    let old = inventory.wards[0].id.clone();
    let count = |inventory: &Inventory, id: &WardId| {
        inventory.devices.iter().filter(|it| it.ward.as_ref() == Some(id)).count()
    };
    let before = count(&inventory, &old);
    let form = filled::<Wards>(&inventory, Some(old.as_str())).unwrap();
    let fields = form.fields().map(|(name, value)| {
        let value = if name == "id" { "new-ward" } else { value };
        (name, value)
    });
    let form = Form::of(fields);
    let _ = take::<Freezes>(&mut inventory, "freeze-2");
    put::<Wards>(words, &mut inventory, Some(old.as_str()), &form).unwrap();
    assert_eq!(inventory.check(), []);
    assert_eq!(count(&inventory, &WardId::new("new-ward").unwrap()), before);
}

#[test]
fn a_rule_of_the_inventory_stands_at_the_field_that_breaks_it() {
    let words = Words::of(Language::En);
    let mut inventory = full(words);
    inventory.wards[2].name_en.clear();
    inventory.wards[2].windows.push(WindowId::new("nowhere").unwrap());
    inventory.windows[0].rule =
        WindowRule::Dates { dates: Vec::new(), start: CivilTime::new(1, 0).unwrap(), minutes: 60 };
    let fields = |list: &str, at: usize| {
        let all = problems(words, &inventory, list, at).into_iter().map(|(field, _)| field);
        all.filter(|field| !field.is_empty()).collect::<Vec<_>>()
    };
    assert_eq!(fields("wards", 2), ["name_en", "windows"]);
    assert_eq!(fields("windows", 0), ["dates"]);
}
