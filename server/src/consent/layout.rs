//! Of an inventory, what a poll and a gate look at: where devices stand, and freezes.
//!
//! The inventory itself stays in the database: a million devices would not fit beside what polls need.
//! Not here: reading it for people ([`super::inventory`]). Invariant: about 60 bytes a device.

use crate::db::inventory::{Frozen, StoredInventory};
use patchward_protocol::id::{DeviceId, FreezeId, KindId, WardId};
use patchward_protocol::inventory::{Freeze, InventoryDevice};
use patchward_protocol::time::Timestamp;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

/// Wards, places and freezes of a site.
#[derive(Debug, Default)]
pub struct Layout {
    revision: u64,
    wards: Vec<WardId>,
    places: HashMap<Box<str>, Place>,
    freezes: Vec<Freeze>,
    frozen: Frozen,
    lost: bool,
}

/// Where a device stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its ward.
    pub ward: Option<Arc<WardId>>,
    /// What the ward counts it as.
    pub kind: Arc<KindId>,
}

impl Layout {
    /// Of an inventory.
    #[must_use]
    pub fn of(stored: StoredInventory) -> Self {
        let StoredInventory { inventory, frozen, .. } = stored;
        let (mut wards, mut kinds) = (HashSet::new(), HashSet::new());
        let mut place = |device: &InventoryDevice| Place {
            ward: device.ward.as_ref().map(|ward| shared(&mut wards, ward)),
            kind: shared(&mut kinds, &device.kind),
        };
        let devices = inventory.devices.iter();
        Self {
            places: devices.map(|device| (device.id.as_str().into(), place(device))).collect(),
            revision: inventory.revision,
            wards: inventory.wards.into_iter().map(|ward| ward.id).collect(),
            freezes: inventory.freezes,
            frozen,
            lost: false,
        }
    }

    /// Of an inventory that is stored and cannot be read: which freezes stand, and where devices are,
    /// nobody knows.
    #[must_use]
    pub fn unreadable() -> Self {
        Self { lost: true, ..Self::default() }
    }

    /// Whether the stored inventory could not be read.
    #[must_use]
    pub const fn is_unreadable(&self) -> bool {
        self.lost
    }

    /// Revision of the inventory.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Where a device stands.
    #[must_use]
    pub fn place(&self, device: &DeviceId) -> Option<&Place> {
        self.places.get(device.as_str())
    }

    /// Whether there is such a ward.
    #[must_use]
    pub fn has_ward(&self, ward: &WardId) -> bool {
        self.wards.contains(ward)
    }

    /// The freezes.
    #[must_use]
    pub fn freezes(&self) -> &[Freeze] {
        &self.freezes
    }

    /// When a freeze was entered in its present form.
    #[must_use]
    pub fn frozen_at(&self, freeze: &FreezeId) -> Option<Timestamp> {
        self.frozen.get(freeze).copied()
    }
}

/// Each name once.
fn shared<T: Clone + Eq + Hash>(known: &mut HashSet<Arc<T>>, name: &T) -> Arc<T> {
    if let Some(held) = known.get(name) {
        return Arc::clone(held);
    }
    let name = Arc::new(name.clone());
    known.insert(Arc::clone(&name));
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchward_protocol::id::SiteId;
    use patchward_protocol::inventory::{Attendance, Inventory, Usage};

    #[test]
    fn a_ward_is_kept_once_however_many_devices_stand_in_it() {
        let mut inventory = Inventory::empty(SiteId::new("north").unwrap(), "Asia/Tokyo");
        for n in 0..100 {
            inventory.devices.push(InventoryDevice {
                id: DeviceId::new(&format!("pump-{n}")).unwrap(),
                ward: Some(WardId::new("5-east").unwrap()),
                kind: KindId::new("infusion-pump").unwrap(),
                pair: None,
                usage: Usage::InService,
                attended: Attendance::Unattended,
                udi: None,
                serial_number: None,
            });
        }
        let changed = Timestamp::EPOCH;
        let (frozen, changed_by) = (Frozen::new(), "test".to_owned());
        let layout = Layout::of(StoredInventory { inventory, frozen, changed, changed_by });
        let place = |n: u8| layout.place(&DeviceId::new(&format!("pump-{n}")).unwrap()).unwrap();
        let (first, last) = (place(0).ward.as_ref().unwrap(), place(99).ward.as_ref().unwrap());
        assert!(Arc::ptr_eq(first, last) && Arc::ptr_eq(&place(0).kind, &place(99).kind));
        assert!(layout.place(&DeviceId::new("pump-100").unwrap()).is_none());
    }
}
