//! Where a device stood, as the record tells it: one unsigned entry whenever that changes.
//!
//! An inventory is replaced as a whole; an auditor asks which ward a device was in when it was rolled
//! back. So each change is an entry of its own, with what is printed on the device. Not here: the
//! inventory. Invariant: from the entries alone the last placement of every device can be told.

use crate::id::{DeviceId, KindId, LedgerId, WardId};
use crate::inventory::Inventory;
use crate::key::PublicKey;
use crate::record::entry::ServerAct;
use serde::{Deserialize, Serialize};

/// The word of the act that carries a [`Joined`].
pub const JOINED: &str = "enrol";
/// The word of the act that carries a [`Placement`].
pub const PLACED: &str = "place-device";
/// The word of the act that says that a device is no more in the inventory; carries a [`Removed`].
pub const REMOVED: &str = "remove-device";

/// Where a device stands and what is printed on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Its id.
    pub device: DeviceId,
    /// What wards count it as.
    pub kind: KindId,
    /// Its ward; none for a pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ward: Option<WardId>,
    /// The ward's name in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ward_en: Option<String>,
    /// The ward's name in Japanese.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ward_ja: Option<String>,
    /// Unique device identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub udi: Option<String>,
    /// The manufacturer's serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
}

/// A device joined the site: with which key its ledger is signed from now on. The entry says more; this is
/// what it must say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// Its id.
    pub device: DeviceId,
    /// Its device key.
    pub device_key: PublicKey,
    /// Its ledger.
    pub ledger_id: LedgerId,
}

/// A device that is no more in the inventory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Its id.
    pub device: DeviceId,
}

/// What an auditor must be told when one inventory takes the place of another: the acts, in the
/// order of the devices; none when no device moved.
#[must_use]
pub fn changes(who: &str, before: Option<&Inventory>, after: &Inventory) -> Vec<ServerAct> {
    let earlier = before.map(placements).unwrap_or_default();
    let later = placements(after);
    let moved = later.iter().filter(|placement| !earlier.contains(placement));
    let moved = moved.map(|placement| act(who, PLACED, placement));
    let is_gone = |id: &DeviceId| !later.iter().any(|placement| placement.device == *id);
    let gone = earlier.iter().map(|placement| &placement.device).filter(|id| is_gone(id));
    let gone = gone.map(|device| act(who, REMOVED, &Removed { device: device.clone() }));
    moved.chain(gone).collect()
}

fn placements(inventory: &Inventory) -> Vec<Placement> {
    let placement = |device: &crate::inventory::InventoryDevice| {
        let ward = device.ward.as_ref().and_then(|id| inventory.ward(id));
        Placement {
            device: device.id.clone(),
            kind: device.kind.clone(),
            ward: device.ward.clone(),
            ward_en: ward.map(|ward| ward.name_en.clone()),
            ward_ja: ward.map(|ward| ward.name_ja.clone()),
            udi: device.udi.clone(),
            serial_number: device.serial_number.clone(),
        }
    };
    inventory.devices.iter().map(placement).collect()
}

fn act(who: &str, word: &str, detail: &impl Serialize) -> ServerAct {
    // The types have only text keys and text values: they can be written.
    ServerAct::new(who, word, serde_json::to_value(detail).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SiteId;

    fn inventory(devices: &[(&str, &str)]) -> Inventory {
        let devices: Vec<_> = devices
            .iter()
            .map(|(id, ward)| serde_json::json!({"id": id, "ward": ward, "kind": "pump", "udi": "(01)1"}))
            .collect();
        let site = SiteId::new("north").unwrap();
        Inventory {
            devices: serde_json::from_value(devices.into()).unwrap(),
            ..Inventory::empty(site, "Asia/Tokyo")
        }
    }

    #[test]
    fn only_devices_that_moved_came_or_went_are_told() {
        let before = inventory(&[("p1", "5e"), ("p2", "5e"), ("p3", "icu")]);
        let after = inventory(&[("p1", "icu"), ("p2", "5e"), ("p4", "icu")]);
        let told = changes("t1", Some(&before), &after);
        let words: Vec<_> =
            told.iter().map(|act| (act.act(), act.detail()["device"].as_str().unwrap())).collect();
        assert_eq!(words, [(PLACED, "p1"), (PLACED, "p4"), (REMOVED, "p3")]);
        assert_eq!(told[0].detail()["ward"], "icu");
        assert_eq!(changes("t1", Some(&after), &after), []);
        assert_eq!(changes("t1", None, &after).len(), 3);
    }
}
