//! A large site in several approvals that together keep the rules.
//!
//! Each part has waves, canaries and proofs of its own; what earlier parts hold counts for later
//! ones. Not here: the order in which parts are signed. Invariant: a part has at most as many
//! devices as one approval may have.

use super::request::{Busy, Candidate, Request, Wish};
use super::{Plan, plan};
use crate::id::{DeviceId, WardId};
use crate::limits::APPROVAL_DEVICES_MAX;
use std::collections::{BTreeMap, BTreeSet};

/// Plans like [`plan`], in parts that fit into one approval each; whole wards stay together while
/// they fit.
#[must_use]
pub fn plan_parts(request: &Request) -> Vec<Plan> {
    plan_parts_of(request, APPROVAL_DEVICES_MAX)
}

/// The same with another limit, for a site that wants smaller approvals.
#[must_use]
pub fn plan_parts_of(request: &Request, devices_max: usize) -> Vec<Plan> {
    let mut busy = request.busy.clone();
    let mut plans = Vec::new();
    for group in groups(request, devices_max) {
        let devices = request.devices.iter().map(|device| Candidate {
            wish: if group.contains(&device.id) { device.wish } else { Wish::Leave },
            ..device.clone()
        });
        let devices = devices.collect();
        let strangers = if plans.is_empty() { request.strangers.clone() } else { Vec::new() };
        let request = Request { devices, strangers, busy: busy.clone(), ..request.clone() };
        let part = plan(&request);
        let given = part.devices.iter().flat_map(|device| {
            device.slots.iter().map(|slot| Busy { device: device.id.clone(), slot: *slot })
        });
        busy.extend(given);
        plans.push(part);
    }
    if plans.is_empty() { vec![plan(request)] } else { plans }
}

/// Who is planned together: whole wards, in their order, as long as they fit.
fn groups(request: &Request, devices_max: usize) -> Vec<BTreeSet<&DeviceId>> {
    let mut wards: BTreeMap<Option<&WardId>, Vec<&DeviceId>> = BTreeMap::new();
    for device in request.devices.iter().filter(|device| device.wish == Wish::Update) {
        wards.entry(device.ward.as_ref()).or_default().push(&device.id);
    }
    let mut groups: Vec<BTreeSet<&DeviceId>> = Vec::new();
    for mut ids in wards.into_values() {
        ids.sort_unstable();
        for ids in ids.chunks(devices_max.max(1)) {
            match groups.last_mut() {
                Some(group) if group.len().saturating_add(ids.len()) <= devices_max => {
                    group.extend(ids);
                }
                Some(_) | None => groups.push(ids.iter().copied().collect()),
            }
        }
    }
    groups
}
