//! A device's whole life with a server is the same on both databases.

use crate::http::device::Device;
use crate::http::house::{House, now, wait};
use crate::place::on_both;
use patchward_protocol::api::site::{DeviceView, LedgerPage};
use patchward_protocol::id::{DeviceId, SiteId};
use patchward_protocol::ledger::Kind;
use patchward_protocol::reason::Reason;
use patchward_server::db::device::{Mark, list_agents, write_marks};
use patchward_server::db::{act, ledger};

#[test]
fn joining_asking_reporting_and_forking_are_the_same_on_both_databases() {
    on_both(|place| {
        let house = House::on(place);
        house.furnish();
        let token = house.pack("north").token;
        let mut device = Device::new("north", "pump-1", 1);
        assert_eq!(device.enrol(&house, &token).code(), "ok");
        assert_eq!(device.enrol(&house, &token).code(), "ok");
        let thief = Device::new("north", "pump-1", 66);
        assert_eq!(thief.enrol(&house, &house.pack("north").token).code(), "device_taken");
        (0..4).for_each(|_| drop(device.write(Kind::Held)));
        assert_eq!(device.report(&house, &device.entries[..2]).code(), "ok");
        assert_eq!(device.report(&house, &device.entries[1..]).code(), "ok");
        assert_eq!(device.check_in(&house, 1, 1).ledger_stored_seq, 4);
        let clone = device.entry_after(Some(&device.entries[1]), Kind::Refused, "otherwise");
        for _ in 0..2 {
            assert_eq!(device.report(&house, std::slice::from_ref(&clone)).code(), "ledger_fork");
        }
        let (site, name) = (device.site.clone(), device.device.clone());
        let forks = wait(house.db.read(move |conn| ledger::forks_of(conn, &site, &name)));
        assert_eq!(forks.unwrap(), 1);
        let token = house.site_token("north");
        let page: LedgerPage = house.get("/v1/sites/north/devices/pump-1/ledger/1", &token).read();
        assert_eq!(page.entries.len(), 3);
        let views: Vec<DeviceView> = house.get("/v1/sites/north/devices", &token).read();
        assert!(views[0].forked);
        let acts = wait(house.db.read(|conn| act::about(conn, "site:north"))).unwrap();
        let acts: Vec<_> = acts.into_iter().map(|(_, act, _)| act).collect();
        assert_eq!(acts, ["open-repository", "publish", "make-pack", "enrol", "make-pack"]);
    });
}

#[test]
fn marks_of_many_devices_are_written_by_one_statement_each_to_its_own_row() {
    on_both(|place| {
        let house = House::on(place);
        house.furnish();
        for (site, name, seed) in
            [("north", "pump-1", 1), ("north", "pump-2", 2), ("south", "pump-1", 3)]
        {
            Device::joined(&house, site, name, seed);
        }
        let mark = |site: &str, device: &str, n: i64| Mark {
            site: site.to_owned(),
            device: device.to_owned(),
            agent_version: Some("0.2.0".to_owned()),
            installed: None,
            state: Some("holding".to_owned()),
            reason: Some(Reason::InUse.code().to_owned()),
            last_seen: now().millis() + n,
            boot_count: n,
            poll_n: i64::MAX,
        };
        let marks =
            [mark("north", "pump-1", 1), mark("south", "pump-1", 2), mark("north", "gone", 3)];
        wait(house.db.write(move |conn| write_marks(conn, &marks))).unwrap();
        let stored = wait(house.db.read(list_agents)).unwrap();
        assert_eq!(stored.len(), 3);
        for device in stored {
            let name = (device.site, device.device);
            let expected = if name == named("north", "pump-1") {
                Some(1)
            } else if name == named("south", "pump-1") {
                Some(2)
            } else {
                None
            };
            let said = device.said;
            assert_eq!(said.last_seen.map(|at| at.millis() - now().millis()), expected);
            assert_eq!(said.reason, expected.map(|_| Reason::InUse));
            assert_eq!(said.poll_n, expected.map_or(0, |_| i64::MAX as u64));
        }
    });
}

fn named(site: &str, device: &str) -> (SiteId, DeviceId) {
    (SiteId::new(site).unwrap(), DeviceId::new(device).unwrap())
}
