//! Tables of devices and wards.

use crate::inventories::{device, good};
use patchward_protocol::inventory::csv::{BadCell, BadTable};
use patchward_protocol::inventory::{Attendance, BrokenRule, Inventory, Usage};
use proptest::prelude::*;

fn wrong(bad: &BadTable) -> Vec<(usize, &str, BadCell)> {
    let one = |problem: &'_ patchward_protocol::inventory::csv::Problem| problem.wrong;
    bad.problems
        .iter()
        .map(|problem| (problem.line, problem.column.as_str(), one(problem)))
        .collect()
}

fn bad_devices(text: &str) -> BadTable {
    good().with_devices(text.as_bytes()).unwrap_err()
}

const HEADER: &str = "id,ward,kind,pair,usage,attended,udi,serial_number\n";

#[test]
fn devices_are_read_with_and_without_byte_order_mark_and_in_any_order_of_columns() {
    let plain = "serial_number,id,kind,ward,pair,usage,attended,udi\r\n\
        製番-7,pump-09,infusion-pump,5-east,,spare,attended,\"(01)045,\"\"6\"\r\n\r\n";
    for text in [plain.to_owned(), format!("\u{feff}{plain}"), plain.replace("\r\n", "\n")] {
        let inventory = good().with_devices(text.as_bytes()).unwrap();
        let mut wanted = device("pump-09", Some("5-east"), None);
        wanted.usage = Usage::Spare;
        wanted.attended = Attendance::Attended;
        wanted.udi = Some("(01)045,\"6".to_owned());
        wanted.serial_number = Some("製番-7".to_owned());
        assert_eq!(inventory.devices, [wanted]);
    }
}

#[test]
fn every_bad_row_is_named_with_its_line_and_nothing_is_taken() {
    let text = format!(
        "{HEADER}pump-01,5-east,infusion-pump,,in-service,unattended,,\n\
         Pump 2,5-east,infusion-pump,,in-service,unattended,,\n\
         pump-03,5-east,infusion-pump,,reserve,unattended,,\n\
         pump-04,5-east\n\
         pump-05,\"5-east,infusion-pump\n"
    );
    let bad = bad_devices(&text);
    assert_eq!(wrong(&bad), [(5, "row", BadCell::CellCount), (6, "row", BadCell::Quote)]);
    let rows: Vec<_> = text.lines().take(4).collect();
    let bad = bad_devices(&rows.join("\n"));
    assert_eq!(wrong(&bad), [(3, "id", BadCell::Name), (4, "usage", BadCell::Word)]);
}

#[test]
fn a_row_that_does_not_go_with_the_inventory_is_named_with_its_line() {
    let text = format!(
        "{HEADER}pump-01,6-west,infusion-pump,,,,,\n\"pump-02\",5-east,infusion-pump,pump-03,,,\"a\nb\",\n\
         pump-01,5-east,infusion-pump,,,,,\n"
    );
    let bad = bad_devices(&text);
    let found: Vec<_> =
        bad.problems.iter().map(|one| (one.line, one.column.as_str(), one.rule.unwrap())).collect();
    let wanted = [
        (2, "ward", BrokenRule::NoWard),
        (3, "pair", BrokenRule::NoDevice),
        (3, "udi", BrokenRule::TooLong),
        (5, "id", BrokenRule::Twice),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn a_header_that_is_not_understood_is_refused() {
    assert_eq!(wrong(&bad_devices("")), [(1, "file", BadCell::NoHeader)]);
    let latin = good().with_devices(b"id\n\x83\x7c\n").unwrap_err();
    assert_eq!(wrong(&latin), [(1, "file", BadCell::NotUtf8)]);
    let header = HEADER.replace("udi", "UDI");
    let found = bad_devices(&header);
    assert_eq!(
        wrong(&found),
        [(1, "UDI", BadCell::UnknownColumn), (1, "udi", BadCell::MissingColumn)]
    );
    let header = HEADER.replace("udi", "id");
    assert_eq!(wrong(&bad_devices(&header))[0], (1, "id", BadCell::ColumnTwice));
}

#[test]
fn wards_are_written_and_read_back() {
    let inventory = good();
    let table = inventory.wards_table();
    assert!(table.starts_with("\u{feff}id,name_en,"));
    assert!(
        table.contains("\r\n5-east,\"5 East, surgery\",5階東「外科」,infusion-pump=1,2,nights,")
    );
    assert_eq!(inventory.with_wards(table.as_bytes()).unwrap(), inventory);
    let bad =
        table.replace("infusion-pump=1", "infusion-pump:1").replace(",2,nights", ",two,no nights");
    let bad = inventory.with_wards(bad.as_bytes()).unwrap_err();
    let wanted = [
        (2, "min_in_service", BadCell::MinInService),
        (2, "max_parallel", BadCell::Number),
        (2, "windows", BadCell::Name),
    ];
    assert_eq!(wrong(&bad), wanted);
    // Its devices would stand in a ward that is gone: named where they are.
    let gone = table.replace("\r\n5-east", "\r\n6-west");
    let bad = inventory.with_wards(gone.as_bytes()).unwrap_err();
    assert!(bad.problems.iter().all(|problem| problem.line == 0));
    assert_eq!(bad.problems[0].column, "devices[0].ward");
}

#[test]
fn no_cell_of_an_export_is_a_formula() {
    let mut inventory = good();
    for (text, cell) in [
        ("=HYPERLINK(\"http://evil.example\")", "\"'=HYPERLINK(\"\"http://evil.example\"\")\""),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("'quoted", "''quoted"),
        ("＝1+1", "'＝1+1"),
    ] {
        inventory.devices[0].udi = Some(text.to_owned());
        let table = inventory.devices_table();
        assert!(table.contains(&format!(",{cell},")), "{table}");
        assert_eq!(inventory.with_devices(table.as_bytes()).unwrap(), inventory);
    }
}

fn with_texts(udi: &str, serial: &str) -> Inventory {
    let mut inventory = good();
    inventory.devices[0].udi = Some(udi.to_owned());
    inventory.devices[1].serial_number = Some(serial.to_owned());
    inventory
}

proptest! {
    #[test]
    fn whatever_people_write_comes_back_the_same(udi in "[ -~ぁ-んー漢字\u{ff1d}'\"]{1,40}", serial in "[=+@',\"a -]{1,9}") {
        prop_assume!(!udi.trim().is_empty() && !serial.trim().is_empty());
        let inventory = with_texts(&udi, &serial);
        let table = inventory.devices_table();
        prop_assert_eq!(inventory.with_devices(table.as_bytes()).unwrap(), inventory);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut table = HEADER.as_bytes().to_vec();
        table.extend(&bytes);
        let _ = good().with_devices(&table);
        let _ = good().with_wards(&bytes);
        let name = patchward_protocol::id::WindowId::new("w").unwrap();
        let import = patchward_protocol::ical::Import { name: &name, zone: Some("UTC") };
        let _ = patchward_protocol::ical::read(&bytes, &import);
        let mut calendar = b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART".to_vec();
        calendar.extend(&bytes);
        let _ = patchward_protocol::ical::read(&calendar, &import);
    }
}
