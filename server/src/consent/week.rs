//! What is planned in the coming days: slots of approvals in force, together where they are one thing.
//!
//! A function of approvals, the inventory and an instant. Not here: whether a wave is open
//! ([`crate::rollout`]). Invariant: a device counts once for each approval, in its next slot.

use crate::publish::approvals::{Approvals, is_in_force};
use patchward_protocol::approval::{Action, ApprovedRelease};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{DeviceId, KindId, WardId};
use patchward_protocol::inventory::{Inventory, InventoryDevice, Usage};
use patchward_protocol::time::Timestamp;
use std::collections::{BTreeMap, HashMap};

/// Devices of one ward that go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// When their slots begin.
    pub start: Timestamp,
    /// When the last of their slots ends.
    pub end: Timestamp,
    /// Where they stand.
    pub ward: Option<WardId>,
    /// What is installed, or gone back to.
    pub release: ApprovedRelease,
    /// Whether they go forward or back.
    pub action: Action,
    /// Their wave, from 0.
    pub wave: u32,
    /// Which approval.
    pub approval_sha256: Sha256Digest,
    /// The devices.
    pub devices: Vec<DeviceId>,
    /// Devices of their kind in the ward that stay in service meanwhile, and all of them; none when
    /// they are of several kinds or stand in no ward.
    pub in_service: Option<(usize, usize)>,
}

/// Groups whose slots begin before `until`, and have not ended at `at`; the next first.
#[must_use]
pub fn ahead(
    approvals: &Approvals,
    inventory: &Inventory,
    (at, until): (Timestamp, Timestamp),
    is_done: impl Fn(&DeviceId, &Sha256Digest) -> bool,
) -> Vec<Group> {
    let listed: HashMap<&DeviceId, &InventoryDevice> =
        inventory.devices.iter().map(|device| (&device.id, device)).collect();
    let mut groups: BTreeMap<(Timestamp, String, Sha256Digest, u32), Group> = BTreeMap::new();
    for published in approvals.all() {
        let approval = &published.approval;
        let Some(release) = approval.release.as_ref().filter(|_| is_in_force(approval, at)) else {
            continue;
        };
        for device in &approval.devices {
            let slot = device.slots.iter().find(|slot| slot.end() > at);
            let Some(slot) = slot.filter(|slot| slot.start() < until) else { continue };
            if is_done(&device.id, &release.image_sha256) {
                continue;
            }
            let ward = listed.get(&device.id).and_then(|listed| listed.ward.clone());
            let place = ward.as_ref().map(ToString::to_string).unwrap_or_default();
            let key = (slot.start(), place, published.sha256, device.wave);
            let group = groups.entry(key).or_insert_with(|| Group {
                start: slot.start(),
                end: slot.end(),
                ward,
                release: release.clone(),
                action: approval.action,
                wave: device.wave,
                approval_sha256: published.sha256,
                devices: Vec::new(),
                in_service: None,
            });
            group.end = group.end.max(slot.end());
            group.devices.push(device.id.clone());
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    for group in &mut groups {
        group.in_service = in_service(group, inventory, &listed);
    }
    groups
}

fn in_service(
    group: &Group,
    inventory: &Inventory,
    listed: &HashMap<&DeviceId, &InventoryDevice>,
) -> Option<(usize, usize)> {
    let ward = group.ward.as_ref()?;
    let kinds: Vec<&KindId> =
        group.devices.iter().filter_map(|id| listed.get(id).map(|it| &it.kind)).collect();
    let kind = kinds.first()?;
    if kinds.iter().any(|other| other != kind) {
        return None;
    }
    let counts = |device: &&InventoryDevice| device.usage != Usage::Bench;
    let of_kind = inventory.devices.iter().filter(|it| it.ward.as_ref() == Some(ward));
    let all = of_kind.filter(|it| it.kind == **kind).filter(counts).count();
    let out = group.devices.iter().filter_map(|id| listed.get(id).copied());
    let out = out.filter(|it| counts(it)).count();
    Some((all.saturating_sub(out), all))
}
