//! The list with nothing, with hundreds of devices, and with long Japanese names.

use super::{Filter, PAGE, view};
use crate::console::asked::Asked;
use crate::console::door::AtSite;
use crate::console::frame::Nav;
use crate::console::sample::{Sample, at_site, noon, site_frame};
use crate::console::words::Words;
use crate::db::outline::Outline;
use crate::fleet::condition::{Condition, Offered};
use crate::fleet::roster::{Ground, Member, Roster};
use crate::notify::said::Names;
use crate::publish::current::Snapshot;
use patchward_protocol::api::site::Management;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{DeviceId, FamilyId, KindId, Seq, Version, WardId};
use patchward_protocol::image::ImageRef;
use patchward_protocol::inventory::{Attendance, Inventory, InventoryDevice, Usage, Ward};
use std::collections::HashMap;
use std::sync::Arc;

const STATES: [Option<&str>; 8] = [
    Some("idle"),
    Some("idle"),
    Some("idle"),
    Some("holding"),
    Some("trial"),
    Some("awaiting-acceptance"),
    Some("rolled-back"),
    None,
];

pub(in crate::console) fn family() -> FamilyId {
    FamilyId::new("acme.infusion-a").unwrap()
}

pub(in crate::console) fn image(seq: u64) -> ImageRef {
    ImageRef {
        family: family(),
        version: Version::new(&format!("2.4.{seq}")).unwrap(),
        seq: Seq(seq),
        image_sha256: Sha256Digest::of(&seq.to_be_bytes()),
    }
}

/// A hospital with so many devices in five wards.
pub(in crate::console) fn hospital(words: Words, devices: usize) -> (AtSite, Roster) {
    let mut at = at_site(words);
    let mut inventory = Inventory::empty(at.site.clone(), "Asia/Tokyo");
    let long = "5階東病棟(呼吸器内科・循環器内科・腎臓内科の混合病棟、集中治療後の患者を含む)";
    for n in 0..5_u8 {
        inventory.wards.push(Ward {
            id: WardId::new(&format!("{}-east", n + 1)).unwrap(),
            name_en: format!("Ward {} East", n + 1),
            name_ja: if n == 4 { long.to_owned() } else { format!("{}階東病棟", n + 1) },
            min_in_service: Vec::new(),
            max_parallel: None,
            windows: Vec::new(),
            staff_on_site: Vec::new(),
        });
    }
    let mut outlines = Vec::new();
    for n in 0..devices {
        let id = DeviceId::new(&format!("pump-{n:04}")).unwrap();
        let ward = inventory.wards.get(n % 6).map(|ward| ward.id.clone());
        inventory.devices.push(InventoryDevice {
            id: id.clone(),
            ward,
            kind: KindId::new(if n % 3 == 0 { "syringe-pump" } else { "infusion-pump" }).unwrap(),
            pair: None,
            usage: Usage::InService,
            attended: Attendance::Unattended,
            udi: Some(format!("(01)04912345678904(21){n:06}")),
            serial_number: Some(format!("SN{n:06}")),
        });
        let by_hand = n % 23 == 0;
        outlines.push(Outline {
            device: id,
            management: if by_hand { Management::Manual } else { Management::Agent },
            family: family(),
            hardware: None,
            installed: (n % 17 != 0).then(|| image(if n % 4 == 0 { 0 } else { 1 })),
            state: STATES[n % 8].filter(|_| !by_hand).map(str::to_owned),
            reason: None,
            last_seen: (n % 29 != 0 && !by_hand).then(|| noon().plus_seconds(-60)),
            forked: n % 101 == 7,
        });
    }
    if devices > 0 {
        let lost = inventory.devices[0].clone();
        let lost = InventoryDevice { id: DeviceId::new("pump-lost").unwrap(), ..lost };
        inventory.devices.push(lost);
    }
    let offered: Offered = vec![(Seq(1), Vec::new())];
    let mut ground = Ground { offered: HashMap::from([(family(), offered)]), ..Ground::default() };
    ground.put_off.insert(family());
    let roster = Roster::join(outlines, &inventory, &ground, noon());
    at.inventory = Arc::new(inventory);
    (at, roster)
}

pub(in crate::console::pages::devices) fn samples(words: Words) -> Vec<Sample> {
    let page = |devices: usize, filter: Filter| {
        let (at, roster) = hospital(words, devices);
        let frame = site_frame(words, Nav::Devices, "devices-title");
        view(frame, words, &at, (&roster, Names(&Snapshot::default())), filter)
    };
    let silent = Filter { state: Some(Condition::Silent), page: 1, ..Filter::default() };
    let nothing = Filter { text: "no such device".to_owned(), page: 1, ..Filter::default() };
    let also = Filter { also: Some("compensated"), page: 2, ..Filter::default() };
    vec![
        Sample::of("devices/list.html", "empty", &page(0, Filter::default())),
        Sample::of(
            "devices/list.html",
            "full",
            &page(450, Filter { page: 2, ..Filter::default() }),
        ),
        Sample::of("devices/list.html", "silent", &page(450, silent)),
        Sample::of("devices/list.html", "nothing", &page(450, nothing)),
        Sample::of("devices/list.html", "also", &page(450, also)),
    ]
}

#[test]
fn every_device_is_on_exactly_one_page() {
    let words = Words::of(crate::people::who::Language::En);
    let (at, roster) = hospital(words, 450);
    let mut seen = Vec::new();
    for page in 1..=5 {
        let frame = site_frame(words, Nav::Devices, "devices-title");
        let filter = Filter { page, ..Filter::default() };
        let names = Names(&Snapshot::default());
        let shown = view(frame, words, &at, (&roster, names), filter).shown;
        assert!(shown.len() <= PAGE);
        seen.extend(shown.into_iter().map(|line| line.id));
    }
    let all: Vec<_> = roster.members.iter().map(|it| it.outline.device.to_string()).collect();
    assert_eq!(seen, all);
}

#[test]
fn a_search_finds_a_serial_number_and_a_filter_only_narrows() {
    let (_, roster) = hospital(Words::of(crate::people::who::Language::Ja), 450);
    let count = |filter: &Filter| roster.members.iter().filter(|it| filter.takes(it)).count();
    let serial = Filter { text: "sn000123".to_owned(), ..Filter::default() };
    assert_eq!(count(&serial), 1);
    let of = |state| Filter { state: Some(state), ..Filter::default() };
    let each: usize = Condition::ALL.into_iter().map(|state| count(&of(state))).sum();
    assert_eq!(each, 450, "every device is in exactly one condition");
    let ward = Filter { ward: Some(WardId::new("1-east").unwrap()), ..of(Condition::Behind) };
    assert!(count(&ward) > 0 && count(&ward) < count(&of(Condition::Behind)));
}

#[test]
fn the_links_of_a_filter_lead_back_to_it() {
    let filter = Filter {
        text: "a&b=c".to_owned(),
        ward: Some(WardId::new("1-east").unwrap()),
        also: Some("forked"),
        ..Filter::default()
    };
    let query = filter.query(Some(Condition::Silent), 3);
    let fields = url::form_urlencoded::parse(query.trim_start_matches('?').as_bytes());
    let fields: Vec<(String, String)> = fields.into_owned().collect();
    let expected = [
        ("q", "a&b=c"),
        ("ward", "1-east"),
        ("state", "silent"),
        ("also", "forked"),
        ("page", "3"),
    ];
    let expected: Vec<_> = expected.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec();
    assert_eq!(fields, expected);
    let _ = Asked::default();
}

#[test]
fn the_table_for_spreadsheets_has_a_row_for_each_device() {
    let (_, roster) = hospital(Words::of(crate::people::who::Language::En), 30);
    let rows: Vec<_> = roster.members.iter().map(super::cells).collect();
    assert_eq!(rows.len(), 30);
    let row = &rows[1];
    assert_eq!(
        (row[0].as_str(), row[5].as_str(), row[8].as_str()),
        ("pump-0001", "2.4.1", "current")
    );
    let one: &Member = &roster.members[1];
    assert_eq!(row[11], one.outline.last_seen.unwrap().to_string());
}
