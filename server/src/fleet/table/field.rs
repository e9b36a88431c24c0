//! What is asked of all devices of a site or of a family: which there are, what they run, who was heard.
//!
//! Not here: what one device says. Invariant: what polls wait for is answered without a look at every
//! row.

use super::rows::Row;
use super::{FleetTable, Words};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{DeviceId, FamilyId, SiteId};
use patchward_protocol::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

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

impl FleetTable {
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
        let named = table.counters.spread(family).filter_map(|((site, image), devices)| {
            Some(Spread { site: table.sites.get(*site)?.clone(), image: *image, devices })
        });
        named.collect()
    }

    /// When any device of each site was last heard.
    #[must_use]
    pub fn heard(&self) -> HashMap<SiteId, Timestamp> {
        let table = self.lock();
        let named = table.counters.heard().filter_map(|(site, at_ms)| {
            Some((table.sites.get(site)?.clone(), Timestamp::from_millis(at_ms)))
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
        table.families.number(family).map_or(0, |family| table.counters.moved(family))
    }

    /// Every device of a site with an agent, and what it last said. Looks at every row: not for polls.
    #[must_use]
    pub fn of_site(&self, site: &SiteId) -> Vec<Present> {
        let table = self.lock();
        let number = table.sites.number(site);
        let of_site = table.rows.iter().filter(|row| Some(row.site) == number);
        let present = of_site.filter_map(|row| {
            Some(Present {
                device: DeviceId::new(&row.device).ok()?,
                family: table.families.get(row.family)?.clone(),
                words: Arc::clone(&row.words),
                last_seen: row.seen(),
            })
        });
        present.collect()
    }
}
