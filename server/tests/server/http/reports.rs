//! Reports: each entry once, in order, one history; the rest is told apart.

use crate::http::device::Device;
use crate::http::house::{House, wait};
use patchward_protocol::api::site::{DeviceView, LedgerPage};
use patchward_protocol::id::{DeviceId, SiteId};
use patchward_protocol::key::SecretKey;
use patchward_protocol::ledger::{Kind, SealedEntry};
use patchward_server::db::ledger;

fn joined(house: &House, entries: usize) -> Device {
    let mut device = Device::joined(house, "north", "pump-1", 1);
    device.write(Kind::Enrolled);
    (1..entries).for_each(|_| drop(device.write(Kind::Held)));
    device
}

fn stored(house: &House, after: u64) -> Vec<u64> {
    let path = format!("/v1/sites/north/devices/pump-1/ledger/{after}");
    let page: LedgerPage = house.get(&path, &house.site_token("north")).read();
    let key = page.device_key.unwrap();
    let open = |envelope| SealedEntry::open(envelope, &key).unwrap().entry.seq;
    page.entries.into_iter().map(open).collect()
}

fn view(house: &House) -> DeviceView {
    let devices: Vec<DeviceView> =
        house.get("/v1/sites/north/devices", &house.site_token("north")).read();
    devices.into_iter().next().unwrap()
}

fn forks(house: &House) -> u64 {
    let (site, device) = (SiteId::new("north").unwrap(), DeviceId::new("pump-1").unwrap());
    wait(house.db.read(move |conn| ledger::forks_of(conn, &site, &device))).unwrap()
}

#[test]
fn a_report_is_stored_once_however_often_it_comes() {
    let house = House::furnished();
    let device = joined(&house, 3);
    for _ in 0..3 {
        let answer = device.report(&house, &device.entries);
        let receipt = device.receipt(&house, &answer);
        assert_eq!((receipt.upto_seq, receipt.chain_sha256), (3, device.entries[2].sha256));
    }
    assert_eq!(stored(&house, 0), [1, 2, 3]);
    assert_eq!(view(&house).ledger_seq, 3);
    assert_eq!(device.check_in(&house, 1, 1).ledger_stored_seq, 3);
    assert_eq!(forks(&house), 0);
}

#[test]
fn overlapping_reports_add_what_is_new() {
    let house = House::furnished();
    let device = joined(&house, 5);
    assert_eq!(device.report(&house, &device.entries[..2]).code(), "ok");
    let answer = device.report(&house, &device.entries[1..4]);
    assert_eq!(device.receipt(&house, &answer).upto_seq, 4);
    // An old report alone is confirmed with where the ledger stands.
    let answer = device.report(&house, &device.entries[..1]);
    assert_eq!(device.receipt(&house, &answer).upto_seq, 4);
    assert_eq!(stored(&house, 0), [1, 2, 3, 4]);
    assert_eq!(stored(&house, 2), [3, 4]);
    assert!(stored(&house, u64::MAX).is_empty());
}

#[test]
fn reordered_reports_are_sent_back_to_the_gap_and_lose_nothing() {
    let house = House::furnished();
    let device = joined(&house, 4);
    let late = device.report(&house, &device.entries[2..]);
    assert_eq!(late.code(), "ledger_gap");
    assert!(String::from_utf8(late.body).unwrap().contains("the last stored entry is 0"));
    assert!(stored(&house, 0).is_empty());
    assert_eq!(device.report(&house, &device.entries[..2]).code(), "ok");
    assert_eq!(device.report(&house, &device.entries[2..]).code(), "ok");
    assert_eq!(stored(&house, 0), [1, 2, 3, 4]);
    let swapped = [device.entries[1].clone(), device.entries[0].clone()];
    assert_eq!(device.report(&house, &swapped).code(), "request_invalid");
}

#[test]
fn another_history_is_kept_as_an_alarm_and_the_first_one_goes_on() {
    let house = House::furnished();
    let mut device = joined(&house, 3);
    assert_eq!(device.report(&house, &device.entries).code(), "ok");
    assert!(!view(&house).forked);
    // A clone goes on from entry 2 with another entry 3.
    let clone = device.entry_after(Some(&device.entries[1]), Kind::Refused, "otherwise");
    assert_eq!(device.report(&house, std::slice::from_ref(&clone)).code(), "ledger_fork");
    assert!(view(&house).forked);
    assert_eq!(forks(&house), 1);
    // Its next entry follows the other history too.
    let next = device.entry_after(Some(&clone), Kind::Refused, "otherwise");
    assert_eq!(device.report(&house, &[next]).code(), "ledger_fork");
    assert_eq!(device.report(&house, &[clone]).code(), "ledger_fork");
    assert_eq!(forks(&house), 2, "the same alarm is kept once");
    let fourth = device.write(Kind::Held);
    assert_eq!(device.report(&house, &[fourth]).code(), "ok");
    assert_eq!(stored(&house, 0), [1, 2, 3, 4]);
    assert!(view(&house).forked, "an alarm does not go away by itself");
}

#[test]
fn a_ledger_that_the_device_did_not_enrol_with_is_an_alarm() {
    let house = House::furnished();
    let mut device = joined(&house, 1);
    device.ledger_id = patchward_protocol::id::LedgerId::from_random([200; 16]);
    device.entries.clear();
    let first = device.write(Kind::Enrolled);
    assert_eq!(device.report(&house, &[first]).code(), "ledger_fork");
    assert!(view(&house).forked);
}

#[test]
fn of_a_report_with_one_bad_entry_nothing_is_stored() {
    let house = House::furnished();
    let device = joined(&house, 3);
    let mut forged = Device::new("north", "pump-1", 1);
    forged.device_key = SecretKey::from_seed(&[99; 32]);
    let bad = forged.entry_after(Some(&device.entries[1]), Kind::Committed, "forged");
    let mixed = [device.entries[0].clone(), device.entries[1].clone(), bad];
    assert_eq!(device.report(&house, &mixed).code(), "signature_invalid");
    let strange = device.entry_after(Some(&device.entries[0]), Kind::Held, "otherwise");
    let inner = [device.entries[0].clone(), strange, device.entries[2].clone()];
    assert_eq!(device.report(&house, &inner).code(), "ledger_fork");
    assert!(stored(&house, 0).is_empty());
    assert_eq!(device.report(&house, &[]).code(), "request_invalid");
}

#[test]
fn a_page_of_a_ledger_has_at_most_256_entries() {
    let house = House::furnished();
    let device = joined(&house, 300);
    for part in device.entries.chunks(256) {
        assert_eq!(device.report(&house, part).code(), "ok");
    }
    assert_eq!(stored(&house, 0).len(), 256);
    assert_eq!(stored(&house, 256).len(), 44);
    assert_eq!(device.report(&house, &device.entries[..257]).code(), "request_invalid");
}

#[test]
fn many_devices_at_once_are_stored_each_for_itself() {
    let house = House::furnished();
    let devices: Vec<Device> = (0..20)
        .map(|n| {
            let mut device = Device::joined(&house, "north", &format!("pump-{n}"), n + 1);
            (0..5).for_each(|_| drop(device.write(Kind::Held)));
            device
        })
        .collect();
    std::thread::scope(|scope| {
        for device in &devices {
            scope.spawn(|| {
                for entry in &device.entries {
                    let answer = device.report(&house, std::slice::from_ref(entry));
                    assert_eq!(device.receipt(&house, &answer).upto_seq, entry.entry.seq);
                }
            });
        }
    });
    let views: Vec<DeviceView> =
        house.get("/v1/sites/north/devices", &house.site_token("north")).read();
    assert!(views.iter().all(|view| view.ledger_seq == 5 && !view.forked));
}
