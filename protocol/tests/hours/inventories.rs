//! Inventories: what is wrong is named at once.

use crate::windows::{date, time, usual, weekly};
use patchward_protocol::civil::Weekday;
use patchward_protocol::id::{DeviceId, FreezeId, KindId, PersonId, SiteId, WardId, WindowId};
use patchward_protocol::inventory::{
    Attendance, BrokenRule, Freeze, FreezeScope, Hardness, Inventory, InventoryDevice,
    MinInService, Person, Usage, Ward, WeeklyHours, WindowRule,
};
use patchward_protocol::time::Timestamp;

pub(crate) fn device(id: &str, ward: Option<&str>, pair: Option<&str>) -> InventoryDevice {
    InventoryDevice {
        id: DeviceId::new(id).unwrap(),
        ward: ward.map(|ward| WardId::new(ward).unwrap()),
        kind: KindId::new("infusion-pump").unwrap(),
        pair: pair.map(|pair| DeviceId::new(pair).unwrap()),
        usage: Usage::InService,
        attended: Attendance::Unattended,
        udi: None,
        serial_number: None,
    }
}

/// One of everything, in order.
pub(crate) fn good() -> Inventory {
    let mut inventory = Inventory::empty(SiteId::new("city-hospital").unwrap(), "Asia/Tokyo");
    inventory.windows.push(usual(weekly(&Weekday::ALL, "02:00", 120), "Asia/Tokyo"));
    let hours =
        WeeklyHours { days: vec![Weekday::Mon, Weekday::Sun], start: time("08:00"), minutes: 540 };
    inventory.wards.push(Ward {
        id: WardId::new("5-east").unwrap(),
        name_en: "5 East, surgery".to_owned(),
        name_ja: "5階東「外科」".to_owned(),
        min_in_service: vec![MinInService {
            kind: KindId::new("infusion-pump").unwrap(),
            count: 1,
        }],
        max_parallel: Some(2),
        windows: vec![WindowId::new("nights").unwrap()],
        staff_on_site: vec![hours],
    });
    inventory.devices.push(device("pump-01", Some("5-east"), Some("pump-02")));
    inventory.devices.push(device("pump-02", Some("5-east"), Some("pump-01")));
    inventory.people.push(Person {
        person: PersonId::new("tanaka").unwrap(),
        name: "田中 花子".to_owned(),
        role: "臨床工学技士".to_owned(),
        notices_to: Some("tanaka@hospital.example".to_owned()),
    });
    inventory.freezes.push(Freeze {
        id: FreezeId::new("new-year").unwrap(),
        from: "2026-12-28T15:00:00Z".parse().unwrap(),
        to: "2027-01-03T15:00:00Z".parse().unwrap(),
        scope: FreezeScope::Site {},
        hardness: Hardness::Soft,
        why: "年末年始".to_owned(),
    });
    inventory
}

fn found(inventory: &Inventory) -> Vec<(String, BrokenRule)> {
    inventory.check().into_iter().map(|problem| (problem.path, problem.rule)).collect()
}

#[test]
fn a_good_inventory_is_read_back_as_it_was_written() {
    let inventory = good();
    assert_eq!(inventory.check(), []);
    let bytes = serde_json::to_vec(&inventory).unwrap();
    assert_eq!(Inventory::read(&bytes).unwrap(), inventory);
}

#[test]
fn unknown_fields_are_refused_wherever_they_stand() {
    let value = serde_json::to_value(good()).unwrap();
    for path in [
        "",
        "/wards/0",
        "/devices/0",
        "/people/0",
        "/rules",
        "/freezes/0",
        "/freezes/0/scope",
        "/windows/0",
        "/windows/0/rule",
        "/policy",
        "/wards/0/staff_on_site/0",
    ] {
        let mut value = value.clone();
        let object = value.pointer_mut(path).unwrap().as_object_mut().unwrap();
        object.insert("color".to_owned(), "red".into());
        let bad = Inventory::read(&serde_json::to_vec(&value).unwrap()).unwrap_err();
        assert_eq!(bad.problems[0].rule, BrokenRule::Unreadable, "{path}");
        assert!(bad.problems[0].value.contains("color"), "{path}: {:?}", bad.problems[0]);
    }
}

#[test]
fn every_broken_reference_and_field_is_named_at_once() {
    let mut inventory = good();
    inventory.v = 2;
    inventory.tz = "+09:00".to_owned();
    inventory.wards[0].name_ja = " ".to_owned();
    inventory.wards[0].max_parallel = Some(0);
    inventory.wards[0].windows.push(WindowId::new("lunch").unwrap());
    inventory.wards[0].staff_on_site[0].minutes = 0;
    inventory.devices[0].ward = Some(WardId::new("6-west").unwrap());
    inventory.devices[1].pair = Some(DeviceId::new("pump-09").unwrap());
    inventory.devices.push(device("pump-01", None, Some("pump-01")));
    inventory.people[0].notices_to = Some("tanaka".to_owned());
    inventory.rules.soak_s.clear();
    inventory.rules.halt_permille = vec![1001];
    inventory.rules.canary_per_ward = 0;
    inventory.freezes[0].to = Timestamp::EPOCH;
    inventory.freezes[0].scope = FreezeScope::Ward { ward: WardId::new("6-west").unwrap() };
    inventory.windows[0].tz = Some("Asia/Tokio".to_owned());
    inventory.windows[0].rule = WindowRule::Weekly {
        days: Vec::new(),
        start: time("02:00"),
        minutes: 1441,
        every: 2,
        first: None,
        last: None,
        except: vec![date("2026-12-24")],
    };
    inventory.policy.emergency_persons = 1;
    inventory.policy.routine_persons = 0;
    let wanted = [
        ("v", BrokenRule::Version),
        ("tz", BrokenRule::NoZone),
        ("wards[0].name_ja", BrokenRule::Empty),
        ("wards[0].max_parallel", BrokenRule::Zero),
        ("wards[0].windows[1]", BrokenRule::NoWindow),
        ("wards[0].staff_on_site[0].minutes", BrokenRule::Minutes),
        ("devices[2]", BrokenRule::Twice),
        ("devices[0].ward", BrokenRule::NoWard),
        ("devices[0].pair", BrokenRule::PairOneSided),
        ("devices[1].pair", BrokenRule::NoDevice),
        ("devices[2].pair", BrokenRule::PairSelf),
        ("people[0].notices_to", BrokenRule::Email),
        ("rules.canary_per_ward", BrokenRule::Zero),
        ("rules.soak_s", BrokenRule::Empty),
        ("rules.halt_permille[0]", BrokenRule::Permille),
        ("freezes[0]", BrokenRule::FreezeEmpty),
        ("freezes[0].scope.ward", BrokenRule::NoWard),
        ("windows[0].tz", BrokenRule::NoZone),
        ("windows[0].rule.minutes", BrokenRule::Minutes),
        ("windows[0].rule.days", BrokenRule::NoDays),
        ("windows[0].rule.every", BrokenRule::Every),
        ("policy.routine_persons", BrokenRule::Zero),
        ("policy.emergency_persons", BrokenRule::EmergencyPersons),
    ];
    let wanted: Vec<_> = wanted.iter().map(|(path, rule)| ((*path).to_owned(), *rule)).collect();
    assert_eq!(found(&inventory), wanted);
}

#[test]
fn a_file_that_is_not_json_is_one_problem() {
    for bytes in [&b"{"[..], b"[]", b"{\"v\":1,\"v\":1}", b"\xff"] {
        let bad = Inventory::read(bytes).unwrap_err();
        assert_eq!(bad.problems.len(), 1);
        assert_eq!(bad.problems[0].rule, BrokenRule::Unreadable);
    }
}
