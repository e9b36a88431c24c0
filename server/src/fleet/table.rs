//! Every device with an agent, in memory: keys, poll numbers, and what it last said.
//!
//! A poll is answered from here without the database; what was said is marked and written back in
//! batches. After a crash the marks of the last minute are missing, which lets an old poll be
//! answered once more and changes nothing else. Not here: signatures and rules of enrolment.
//! Invariant: `(boot_count, n)` of a device only rises.

use crate::db::device::{Mark, Said, StoredDevice};
use hashbrown::HashTable;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{DeviceId, FamilyId, SiteId};
use patchward_protocol::image::ImageRef;
use patchward_protocol::key::PublicKey;
use patchward_protocol::reason::Reason;
use patchward_protocol::slot::Slot;
use patchward_protocol::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
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

/// A device with an agent as the table has it.
#[derive(Debug, Clone)]
pub struct Present {
    /// Its id.
    pub device: DeviceId,
    /// Its family.
    pub family: FamilyId,
    /// What it last said.
    pub words: Arc<Words>,
    /// When it was last heard.
    pub last_seen: Option<Timestamp>,
}

/// The poll, or a later one, was answered before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// Boot count of the last answered poll.
    pub boot_count: u64,
    /// Its number in that boot.
    pub n: u64,
}

/// What some devices of a family run at one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread {
    /// The site.
    pub site: SiteId,
    /// The image, by the digest of what stands in the slot; none while nothing was said.
    pub image: Option<Sha256Digest>,
    /// How many devices.
    pub devices: u32,
}

/// A site and what runs there.
type Runs = (u32, Option<Sha256Digest>);

#[derive(Debug, Default)]
struct Table {
    rows: Vec<Row>,
    index: HashTable<u32>,
    hasher: RandomState,
    sites: Names<SiteId>,
    families: Names<FamilyId>,
    // Most devices say the same words: each set of words is kept once.
    words: HashSet<Arc<Words>>,
    marked: Vec<u32>,
    families_of_sites: HashSet<(u32, u32)>,
    // By family: rises when a device is new or runs another image.
    moved: HashMap<u32, u64>,
    // By family: how many devices of each site say that they run each image.
    spread: HashMap<u32, BTreeMap<Runs, u32>>,
    // By site: when any device of it was last heard.
    heard: HashMap<u32, i64>,
}

#[derive(Debug)]
struct Row {
    site: u32,
    family: u32,
    device: Box<str>,
    device_key: [u8; 32],
    link_key: [u8; 32],
    boot_count: u64,
    poll_n: u64,
    last_seen_ms: i64,
    ledger_seq: u64,
    words: Arc<Words>,
    marked: bool,
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
        let Table { rows, marked, moved, spread, heard, .. } = &mut *table;
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
            rise(moved, row_now.family);
            let family = spread.entry(row_now.family).or_default();
            forget(family, row_now.runs());
            row_now.words = words;
            note(family, row_now.runs());
        } else {
            row_now.words = words;
        }
        heard.insert(row_now.site, at.millis());
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

    /// Whether the site has a device of the family.
    #[must_use]
    pub fn site_has_family(&self, site: &SiteId, family: &FamilyId) -> bool {
        let table = self.lock();
        let (site, family) = (table.sites.number(site), table.families.number(family));
        let (Some(site), Some(family)) = (site, family) else { return false };
        table.families_of_sites.contains(&(site, family))
    }

    /// The families of a site's devices.
    #[must_use]
    pub fn families_of(&self, site: &SiteId) -> Vec<FamilyId> {
        let table = self.lock();
        let Some(site) = table.sites.number(site) else { return Vec::new() };
        let of_site = table.families_of_sites.iter().filter(|(of, _)| *of == site);
        of_site.filter_map(|(_, family)| table.families.get(*family).cloned()).collect()
    }

    /// How many devices, of one site or of all, are as `is` says. Looks at every row: not for polls.
    #[must_use]
    pub fn count_where(
        &self,
        site: Option<&SiteId>,
        is: impl Fn(&DeviceId, &FamilyId) -> bool,
    ) -> u32 {
        let table = self.lock();
        let number = site.map(|site| table.sites.number(site));
        let of_site = |row: &&Row| number.is_none_or(|number| number == Some(row.site));
        let counted = table.rows.iter().filter(of_site).filter(|row| {
            let device = DeviceId::new(&row.device);
            let family = table.families.get(row.family);
            device.is_ok_and(|device| family.is_some_and(|family| is(&device, family)))
        });
        u32::try_from(counted.count()).unwrap_or(u32::MAX)
    }

    /// What the devices of a family run, site by site; from counters, not from a look at every row.
    #[must_use]
    pub fn spread(&self, family: &FamilyId) -> Vec<Spread> {
        let table = self.lock();
        let Some(family) = table.families.number(family) else { return Vec::new() };
        let runs = table.spread.get(&family).into_iter().flatten();
        let named = runs.filter_map(|((site, image), devices)| {
            Some(Spread { site: table.sites.get(*site)?.clone(), image: *image, devices: *devices })
        });
        named.collect()
    }

    /// When any device of each site was last heard.
    #[must_use]
    pub fn heard(&self) -> HashMap<SiteId, Timestamp> {
        let table = self.lock();
        let heard = table.heard.iter();
        let named = heard.filter_map(|(site, at)| {
            Some((table.sites.get(*site)?.clone(), Timestamp::from_millis(*at)))
        });
        named.collect()
    }

    /// Devices of a family by what they say is installed, as the digest of what stands in the slot.
    #[must_use]
    pub fn installed(&self, family: &FamilyId) -> BTreeMap<Sha256Digest, u32> {
        let mut installed: BTreeMap<Sha256Digest, u32> = BTreeMap::new();
        for Spread { image, devices, .. } in self.spread(family) {
            let Some(image) = image else { continue };
            let all = installed.entry(image).or_default();
            *all = all.saturating_add(devices);
        }
        installed
    }

    /// The families of every site's devices.
    #[must_use]
    pub fn families_of_all(&self) -> HashMap<SiteId, BTreeSet<FamilyId>> {
        let table = self.lock();
        let mut all: HashMap<SiteId, BTreeSet<FamilyId>> = HashMap::new();
        for (site, family) in &table.families_of_sites {
            let named = table.sites.get(*site).zip(table.families.get(*family));
            let Some((site, family)) = named else { continue };
            all.entry(site.clone()).or_default().insert(family.clone());
        }
        all
    }

    /// Sites with a device that runs, or says, something else than the newest image of its family.
    /// Looks at every row: not for polls.
    #[must_use]
    pub fn behind(&self, newest: &HashMap<FamilyId, Sha256Digest>) -> HashSet<(SiteId, FamilyId)> {
        let table = self.lock();
        let number = |(family, image): (&FamilyId, &Sha256Digest)| {
            Some((table.families.number(family)?, *image))
        };
        let newest: HashMap<u32, Sha256Digest> = newest.iter().filter_map(number).collect();
        let mut behind = HashSet::new();
        for row in &table.rows {
            let Some(image) = newest.get(&row.family) else { continue };
            if row.words.installed.as_ref().is_none_or(|runs| runs.image_sha256 != *image) {
                behind.insert((row.site, row.family));
            }
        }
        let named = |(site, family): &(u32, u32)| {
            Some((table.sites.get(*site)?.clone(), table.families.get(*family)?.clone()))
        };
        behind.iter().filter_map(named).collect()
    }

    /// A number that rises when a device of the family is new or runs another image.
    #[must_use]
    pub fn moved(&self, family: &FamilyId) -> u64 {
        let table = self.lock();
        let family = table.families.number(family);
        family.and_then(|family| table.moved.get(&family).copied()).unwrap_or(0)
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
        let seen = (row.last_seen_ms > 0).then(|| Timestamp::from_millis(row.last_seen_ms));
        Some((Arc::clone(&row.words), seen))
    }

    /// Every device of a site with an agent, and what it last said. Looks at every row: not for polls.
    #[must_use]
    pub fn of_site(&self, site: &SiteId) -> Vec<Present> {
        let table = self.lock();
        let number = table.sites.number(site);
        let of_site = table.rows.iter().filter(|row| Some(row.site) == number);
        let present = of_site.filter_map(|row| {
            let seen = (row.last_seen_ms > 0).then(|| Timestamp::from_millis(row.last_seen_ms));
            Some(Present {
                device: DeviceId::new(&row.device).ok()?,
                family: table.families.get(row.family)?.clone(),
                words: Arc::clone(&row.words),
                last_seen: seen,
            })
        });
        present.collect()
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

fn note(family: &mut BTreeMap<Runs, u32>, runs: Runs) {
    let devices = family.entry(runs).or_default();
    *devices = devices.saturating_add(1);
}

fn forget(family: &mut BTreeMap<Runs, u32>, runs: Runs) {
    if let Some(devices) = family.get_mut(&runs) {
        *devices = devices.saturating_sub(1);
        if *devices == 0 {
            family.remove(&runs);
        }
    }
}

fn rise(moved: &mut HashMap<u32, u64>, family: u32) {
    let number = moved.entry(family).or_default();
    *number = number.wrapping_add(1);
}

impl Table {
    fn put(&mut self, stored: &StoredDevice) {
        let Some(agent) = &stored.agent else { return };
        let said = &stored.said;
        let words = self.intern(Words {
            agent_version: said.agent_version.clone(),
            installed: said.installed.clone(),
            state: said.state.clone(),
            reason: said.reason,
            slot: None,
        });
        let row = Row {
            site: self.sites.number_of(&stored.site),
            family: self.families.number_of(&stored.family),
            device: stored.device.as_str().into(),
            device_key: agent.device_key.to_bytes(),
            link_key: agent.link_key.to_bytes(),
            boot_count: said.boot_count,
            poll_n: said.poll_n,
            last_seen_ms: said.last_seen.map_or(0, Timestamp::millis),
            ledger_seq: agent.chain.seq,
            words,
            marked: false,
        };
        self.families_of_sites.insert((row.site, row.family));
        rise(&mut self.moved, row.family);
        if let Some((_, old)) = self.find(&stored.site, &stored.device) {
            let (family, runs) = (old.family, old.runs());
            forget(self.spread.entry(family).or_default(), runs);
        }
        note(self.spread.entry(row.family).or_default(), row.runs());
        if row.last_seen_ms > 0 {
            let heard = self.heard.entry(row.site).or_default();
            *heard = row.last_seen_ms.max(*heard);
        }
        if let Some(old) = self.find_mut(&stored.site, &stored.device) {
            // The numbers in memory are ahead of the database and stay.
            let polls = (old.boot_count, old.poll_n).max((row.boot_count, row.poll_n));
            let marked = old.marked;
            *old = Row { boot_count: polls.0, poll_n: polls.1, marked, ..row };
            return;
        }
        let Ok(index) = u32::try_from(self.rows.len()) else { return };
        let hash = self.hasher.hash_one((row.site, &row.device));
        self.rows.push(row);
        let Self { rows, hasher, index: table, .. } = self;
        table.insert_unique(hash, index, |index| {
            let row = usize::try_from(*index).ok().and_then(|index| rows.get(index));
            row.map_or(0, |row| hasher.hash_one((row.site, &row.device)))
        });
    }

    fn find(&self, site: &SiteId, device: &DeviceId) -> Option<(RowId, &Row)> {
        let site = self.sites.number(site)?;
        let device: Box<str> = device.as_str().into();
        let hash = self.hasher.hash_one((site, &device));
        let same = |index: &u32| {
            let row = usize::try_from(*index).ok().and_then(|index| self.rows.get(index));
            row.is_some_and(|row| row.site == site && row.device == device)
        };
        let index = *self.index.find(hash, same)?;
        let row = self.rows.get(usize::try_from(index).ok()?)?;
        Some((RowId(index), row))
    }

    fn find_mut(&mut self, site: &SiteId, device: &DeviceId) -> Option<&mut Row> {
        let (RowId(index), _) = self.find(site, device)?;
        self.rows.get_mut(usize::try_from(index).ok()?)
    }

    fn mark(&mut self, index: u32) {
        let row = usize::try_from(index).ok().and_then(|at| self.rows.get_mut(at));
        if let Some(row) = row.filter(|row| !row.marked) {
            row.marked = true;
            self.marked.push(index);
        }
    }

    fn intern(&mut self, words: Words) -> Arc<Words> {
        if let Some(known) = self.words.get(&words) {
            return Arc::clone(known);
        }
        let words = Arc::new(words);
        self.words.insert(Arc::clone(&words));
        words
    }
}

impl Row {
    fn runs(&self) -> Runs {
        (self.site, self.words.installed.as_ref().map(|image| image.image_sha256))
    }

    fn said(&self) -> Said {
        Said {
            agent_version: self.words.agent_version.clone(),
            installed: self.words.installed.clone(),
            state: self.words.state.clone(),
            reason: self.words.reason,
            last_seen: Some(Timestamp::from_millis(self.last_seen_ms)),
            boot_count: self.boot_count,
            poll_n: self.poll_n,
        }
    }

    fn mark(&self, site: &SiteId) -> Mark {
        let installed = self.words.installed.as_ref();
        Mark {
            site: site.to_string(),
            device: self.device.to_string(),
            agent_version: self.words.agent_version.clone(),
            installed: installed.and_then(|image| serde_json::to_string(image).ok()),
            state: self.words.state.clone(),
            reason: self.words.reason.map(|reason| reason.code().to_owned()),
            last_seen: self.last_seen_ms,
            boot_count: i64::try_from(self.boot_count).unwrap_or(i64::MAX),
            poll_n: i64::try_from(self.poll_n).unwrap_or(i64::MAX),
        }
    }
}

/// Names by number, so that a million rows do not repeat them.
#[derive(Debug)]
struct Names<T> {
    names: Vec<T>,
    numbers: HashMap<T, u32>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { names: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Names<T> {
    fn number(&self, name: &T) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    fn number_of(&mut self, name: &T) -> u32 {
        if let Some(number) = self.number(name) {
            return number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(name.clone());
        self.numbers.insert(name.clone(), number);
        number
    }

    fn get(&self, number: u32) -> Option<&T> {
        self.names.get(usize::try_from(number).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::device::StoredAgent;
    use patchward_protocol::api::site::Management;
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
