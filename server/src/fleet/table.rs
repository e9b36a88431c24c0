//! Every device with an agent, in memory: keys, poll numbers, and what it last said.
//!
//! A poll is answered from here without the database; what was said is marked and written back in
//! batches. After a crash the marks of the last minute are missing, which lets an old poll be
//! answered once more and changes nothing else. Not here: signatures and rules of enrolment.
//! Invariant: `(boot_count, n)` of a device only rises.

mod counters;
mod field;
mod names;
mod rows;

pub use field::{Present, Spread};

use crate::db::device::{Mark, StoredDevice};
use patchward_protocol::id::{DeviceId, FamilyId, SiteId};
use patchward_protocol::image::ImageRef;
use patchward_protocol::key::PublicKey;
use patchward_protocol::reason::Reason;
use patchward_protocol::slot::Slot;
use patchward_protocol::time::Timestamp;
use rows::Table;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The table; shared by all workers.
#[derive(Debug, Default)]
pub struct FleetTable(Mutex<Table>);

/// Names a row; rows are never removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowId(u32);

/// What is needed to check what a device says.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its row.
    pub row: RowId,
    /// Signs reports.
    pub device_key: PublicKey,
    /// Signs polls.
    pub link_key: PublicKey,
    /// Its family.
    pub family: FamilyId,
}

/// What a poll says of the device.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Words {
    /// Version of the agent.
    pub agent_version: Option<String>,
    /// What is installed.
    pub installed: Option<ImageRef>,
    /// State of the machine.
    pub state: Option<String>,
    /// Why it waits.
    pub reason: Option<Reason>,
    /// The next or open slot; kept in memory only.
    pub slot: Option<Slot>,
}

/// The poll, or a later one, was answered before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// Boot count of the last answered poll.
    pub boot_count: u64,
    /// Its number in that boot.
    pub n: u64,
}

impl FleetTable {
    /// A table with these devices; those without an agent are left out.
    #[must_use]
    pub fn load(devices: &[StoredDevice]) -> Self {
        let fleet = Self::default();
        devices.iter().for_each(|device| fleet.put(device));
        fleet
    }

    /// Adds a device or replaces what is known of it.
    pub fn put(&self, device: &StoredDevice) {
        self.lock().put(device);
    }

    /// Adds a device that joined through another server, or takes its new keys; what is known of it
    /// otherwise stays.
    pub fn join(&self, device: &StoredDevice) {
        let Some(agent) = &device.agent else { return };
        let mut table = self.lock();
        let keys = (agent.device_key.to_bytes(), agent.link_key.to_bytes());
        match table.find_mut(&device.site, &device.device) {
            Some(row) => (row.device_key, row.link_key) = keys,
            None => table.put(device),
        }
    }

    /// How many devices there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().rows.len()
    }

    /// Whose keys count for what this device says.
    #[must_use]
    pub fn known(&self, site: &SiteId, device: &DeviceId) -> Option<Known> {
        let table = self.lock();
        let (row_id, row) = table.find(site, device)?;
        let family = table.families.get(row.family)?.clone();
        let (device_key, link_key) = (row.device_key, row.link_key);
        // Decompressing the keys takes longer than the look-up: not under the lock.
        drop(table);
        Some(Known {
            row: row_id,
            device_key: PublicKey::from_bytes(&device_key).ok()?,
            link_key: PublicKey::from_bytes(&link_key).ok()?,
            family,
        })
    }

    /// Takes a verified poll: the numbers must rise. Returns the last stored position of the ledger.
    ///
    /// # Errors
    /// [`Replayed`], with nothing changed.
    pub fn accept(
        &self,
        row: RowId,
        (boot_count, n): (u64, u64),
        words: Words,
        at: Timestamp,
    ) -> Result<u64, Replayed> {
        let mut table = self.lock();
        let words = table.intern(words);
        let Table { rows, marked, counters, .. } = &mut *table;
        let Some(row_now) = usize::try_from(row.0).ok().and_then(|index| rows.get_mut(index))
        else {
            return Err(Replayed { boot_count, n });
        };
        if (boot_count, n) <= (row_now.boot_count, row_now.poll_n) {
            return Err(Replayed { boot_count: row_now.boot_count, n: row_now.poll_n });
        }
        (row_now.boot_count, row_now.poll_n) = (boot_count, n);
        row_now.last_seen_ms = at.millis();
        if !Arc::ptr_eq(&row_now.words, &words) && row_now.words.installed != words.installed {
            counters.leaves(row_now.family, row_now.runs());
            row_now.words = words;
            counters.arrives(row_now.family, row_now.runs());
        } else {
            row_now.words = words;
        }
        counters.hears(row_now.site, row_now.last_seen_ms);
        if !row_now.marked {
            row_now.marked = true;
            marked.push(row.0);
        }
        Ok(row_now.ledger_seq)
    }

    /// Notes how far the stored ledger of a device reaches.
    pub fn move_ledger(&self, site: &SiteId, device: &DeviceId, seq: u64) {
        if let Some(row) = self.lock().find_mut(site, device) {
            row.ledger_seq = seq;
        }
    }

    /// How far the stored ledger of a device reaches.
    #[must_use]
    pub fn ledger_seq(&self, row: RowId) -> Option<u64> {
        let index = usize::try_from(row.0).ok()?;
        self.lock().rows.get(index).map(|row| row.ledger_seq)
    }

    /// What a device last said, and when.
    #[must_use]
    pub fn said(
        &self,
        site: &SiteId,
        device: &DeviceId,
    ) -> Option<(Arc<Words>, Option<Timestamp>)> {
        let table = self.lock();
        let (_, row) = table.find(site, device)?;
        Some((Arc::clone(&row.words), row.seen()))
    }

    /// Puts what is newer in memory into rows that were read from the database.
    pub fn overlay(&self, devices: &mut [StoredDevice]) {
        let table = self.lock();
        for stored in devices {
            if let Some((_, row)) = table.find(&stored.site, &stored.device)
                && row.last_seen_ms > 0
            {
                stored.said = row.said();
            }
        }
    }

    /// Takes what was marked since the last time, to be written.
    #[must_use]
    pub fn take_marks(&self) -> Vec<Mark> {
        let mut table = self.lock();
        let marked = std::mem::take(&mut table.marked);
        let Table { rows, sites, .. } = &mut *table;
        let mut marks = Vec::with_capacity(marked.len());
        for index in marked.into_iter().filter_map(|index| usize::try_from(index).ok()) {
            let Some(row) = rows.get_mut(index) else { continue };
            row.marked = false;
            if let Some(site) = sites.get(row.site) {
                marks.push(row.mark(site));
            }
        }
        table.words.retain(|words| Arc::strong_count(words) > 1);
        marks
    }

    /// Marks devices again whose marks could not be written.
    pub fn mark_again(&self, marks: &[Mark]) {
        let mut table = self.lock();
        for mark in marks {
            let (Ok(site), Ok(device)) = (SiteId::new(&mark.site), DeviceId::new(&mark.device))
            else {
                continue;
            };
            if let Some((RowId(index), _)) = table.find(&site, &device) {
                table.mark(index);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::device::{Said, StoredAgent};
    use patchward_protocol::api::site::Management;
    use patchward_protocol::digest::Sha256Digest;
    use patchward_protocol::id::LedgerId;
    use patchward_protocol::key::{SecretKey, Signer as _};
    use patchward_protocol::ledger::Chain;

    fn device(site: &str, device: &str, seed: u8) -> StoredDevice {
        let key = SecretKey::from_seed(&[seed; 32]).public();
        StoredDevice {
            site: SiteId::new(site).unwrap(),
            device: DeviceId::new(device).unwrap(),
            management: Management::Agent,
            family: FamilyId::new("acme.a").unwrap(),
            hardware: None,
            agent: Some(StoredAgent {
                device_key: key,
                link_key: key,
                link_n: 1,
                chain: Chain::begin(LedgerId::from_random([seed; 16])),
                forked: false,
            }),
            said: Said::default(),
        }
    }

    fn known(fleet: &FleetTable, site: &str, device: &str) -> Option<Known> {
        fleet.known(&SiteId::new(site).unwrap(), &DeviceId::new(device).unwrap())
    }

    #[test]
    fn devices_of_two_sites_with_one_name_are_two_devices() {
        let fleet = FleetTable::load(&[device("north", "pump-1", 1), device("south", "pump-1", 2)]);
        let (north, south) = (known(&fleet, "north", "pump-1"), known(&fleet, "south", "pump-1"));
        assert_ne!(north.unwrap().device_key, south.unwrap().device_key);
        assert!(known(&fleet, "north", "pump-2").is_none());
        assert!(known(&fleet, "west", "pump-1").is_none());
    }

    #[test]
    fn what_devices_run_is_counted_by_site_and_follows_what_they_say() {
        let (pump, other) = (device("north", "pump-1", 1), device("south", "pump-1", 2));
        let fleet = FleetTable::load(&[pump.clone(), other, device("north", "pump-2", 3)]);
        let image = |seed: u8| ImageRef {
            family: pump.family.clone(),
            version: "1.0.0".parse().unwrap(),
            seq: serde_json::from_str("1").unwrap(),
            image_sha256: Sha256Digest::of(&[seed]),
        };
        let said = |n, seed| {
            let row = known(&fleet, "north", "pump-1").unwrap().row;
            let words = Words { installed: Some(image(seed)), ..Words::default() };
            fleet.accept(row, (1, n), words, Timestamp::from_millis(7)).unwrap();
            let mut spread: Vec<_> = fleet
                .spread(&pump.family)
                .into_iter()
                .map(|some| (some.site.to_string(), some.image, some.devices))
                .collect();
            spread.sort();
            spread
        };
        let runs = |site: &str, seed: Option<u8>, devices| {
            (site.to_owned(), seed.map(|seed| Sha256Digest::of(&[seed])), devices)
        };
        let rest = [runs("north", None, 1), runs("south", None, 1)];
        assert_eq!(said(1, 8), [rest[0].clone(), runs("north", Some(8), 1), rest[1].clone()]);
        assert_eq!(said(2, 9), [rest[0].clone(), runs("north", Some(9), 1), rest[1].clone()]);
        // Enrolled again it is the same device.
        fleet.put(&pump);
        assert_eq!(fleet.spread(&pump.family).iter().map(|some| some.devices).sum::<u32>(), 3);
        assert!(fleet.installed(&pump.family).is_empty());
        let north = SiteId::new("north").unwrap();
        assert_eq!(fleet.heard().get(&north), Some(&Timestamp::from_millis(7)));
        assert_eq!(fleet.heard().len(), 1, "nothing was heard from the south");
    }

    #[test]
    fn poll_numbers_of_a_device_only_rise() {
        let fleet = FleetTable::load(&[device("north", "pump-1", 1)]);
        let row = known(&fleet, "north", "pump-1").unwrap().row;
        let at = Timestamp::from_millis(1);
        let poll = |boot, n| fleet.accept(row, (boot, n), Words::default(), at).is_ok();
        assert!(poll(1, 5));
        assert!(!poll(1, 5));
        assert!(!poll(1, 4));
        assert!(poll(2, 1));
        assert!(!poll(1, 9));
        assert!(poll(2, 2));
        fleet.put(&device("north", "pump-1", 1));
        assert!(!poll(2, 2), "enrolling again does not lower them");
    }

    #[test]
    fn a_device_is_marked_once_and_again_when_writing_failed() {
        let fleet = FleetTable::load(&[device("north", "pump-1", 1)]);
        let row = known(&fleet, "north", "pump-1").unwrap().row;
        let words = Words { state: Some("idle".into()), ..Words::default() };
        let at = Timestamp::from_millis(7);
        fleet.accept(row, (1, 1), words.clone(), at).unwrap();
        fleet.accept(row, (1, 2), words, at).unwrap();
        let marks = fleet.take_marks();
        assert_eq!(marks.len(), 1);
        assert_eq!((marks[0].poll_n, marks[0].state.as_deref()), (2, Some("idle")));
        assert!(fleet.take_marks().is_empty());
        fleet.mark_again(&marks);
        assert_eq!(fleet.take_marks(), marks);
    }

    #[test]
    fn many_devices_are_found_by_their_own_names() {
        let fleet = FleetTable::default();
        for n in 0..500 {
            fleet.put(&device("north", &format!("pump-{n}"), 1));
        }
        assert_eq!(fleet.count(), 500);
        for n in 0..500 {
            assert!(known(&fleet, "north", &format!("pump-{n}")).is_some(), "{n}");
        }
    }
}
