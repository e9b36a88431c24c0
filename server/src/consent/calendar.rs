//! What lies ahead at a site, day by day: slots by ward, freezes, windows; and what stands in their way.
//!
//! Of what was signed and of the inventory, without the database. Not here: words, and planning.
//! Invariant: a device stands with the one slot that it goes in next; its later ones are counted
//! beside it, not shown as if they were planned too.

use crate::publish::approvals::Published;
use patchward_protocol::approval::{Action, ApprovalState, ApprovedDevice};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{ApprovalId, DeviceId, FamilyId, Version, WardId};
use patchward_protocol::inventory::{Freeze, FreezeScope, Inventory};
use patchward_protocol::slot::Slot;
use patchward_protocol::time::Timestamp;
use patchward_protocol::window;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Something in a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
    /// The ward that it concerns; none for the site, and for devices without a ward.
    pub ward: Option<WardId>,
    /// What it is.
    pub what: What,
}

/// What lies in a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Devices go.
    Go(Box<Go>),
    /// No changes.
    Freeze {
        /// Why.
        why: String,
    },
    /// A window: changes may be planned here.
    Window {
        /// Its name in English.
        en: String,
        /// Its name in Japanese.
        ja: String,
    },
}

/// Devices of a ward that go in one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Go {
    /// The approval.
    pub approval: ApprovalId,
    /// Its digest.
    pub approval_sha256: Sha256Digest,
    /// The family and version, when the approval names one.
    pub release: Option<(FamilyId, Version)>,
    /// What is done.
    pub action: Action,
    /// The wave.
    pub wave: u32,
    /// The devices.
    pub devices: Vec<DeviceId>,
    /// How many of them need a person beside them.
    pub attended: u32,
    /// Whether a freeze lies over it.
    pub frozen: bool,
}

/// What lies between two instants, in order; `at` says which slot of a device is its next.
#[must_use]
pub fn between(
    approvals: &[Arc<Published>],
    inventory: &Inventory,
    (from, until): (Timestamp, Timestamp),
    at: Timestamp,
) -> Vec<Event> {
    let mut events = going(approvals, inventory, at);
    events.extend(inventory.freezes.iter().map(|freeze| Event {
        from: freeze.from,
        to: freeze.to,
        ward: match &freeze.scope {
            FreezeScope::Ward { ward } => Some(ward.clone()),
            FreezeScope::Site {} | FreezeScope::Family { .. } | FreezeScope::Kind { .. } => None,
        },
        what: What::Freeze { why: freeze.why.clone() },
    }));
    for named in &inventory.windows {
        // A window that cannot be read opens nothing; the settings say why.
        let open = window::expand(&[named], &inventory.tz, from, until).unwrap_or_default();
        events.extend(open.into_iter().map(|slot| Event {
            from: slot.start(),
            to: slot.end(),
            ward: None,
            what: What::Window { en: named.name_en.clone(), ja: named.name_ja.clone() },
        }));
    }
    events.retain(|event| event.from < until && event.to > from);
    events.sort_by_key(|event| (event.from, event.to, event.ward.clone()));
    events
}

/// Every device of an approval in force with its next slot, those of a ward and a slot together.
fn going(approvals: &[Arc<Published>], inventory: &Inventory, at: Timestamp) -> Vec<Event> {
    let places: HashMap<&DeviceId, _> =
        inventory.devices.iter().map(|device| (&device.id, device)).collect();
    let mut groups: BTreeMap<(Timestamp, Timestamp, Option<WardId>, ApprovalId, u32), Go> =
        BTreeMap::new();
    for published in approvals {
        let approval = &published.approval;
        if approval.state != ApprovalState::Active || approval.action == Action::Standing {
            continue;
        }
        let release = approval.release.as_ref();
        for device in &approval.devices {
            let Some(slot) = next_slot(device, at) else { continue };
            let place = places.get(&device.id);
            let ward = place.and_then(|place| place.ward.clone());
            let key = (slot.start(), slot.end(), ward.clone(), approval.id.clone(), device.wave);
            let reaches = |freeze: &Freeze| match &freeze.scope {
                FreezeScope::Site {} => true,
                FreezeScope::Ward { ward: frozen } => ward.as_ref() == Some(frozen),
                FreezeScope::Family { family } => {
                    release.is_some_and(|release| release.family == *family)
                }
                FreezeScope::Kind { equipment } => {
                    place.is_some_and(|place| place.kind == *equipment)
                }
            };
            let frozen = inventory.freezes.iter().any(|freeze| {
                freeze.from < slot.end() && freeze.to > slot.start() && reaches(freeze)
            });
            let go = groups.entry(key).or_insert_with(|| Go {
                approval: approval.id.clone(),
                approval_sha256: published.sha256,
                release: release.map(|release| (release.family.clone(), release.version.clone())),
                action: approval.action,
                wave: device.wave,
                devices: Vec::new(),
                attended: 0,
                frozen: false,
            });
            go.devices.push(device.id.clone());
            go.attended = go.attended.saturating_add(u32::from(device.attended));
            go.frozen |= frozen;
        }
    }
    let event =
        |((from, to, ward, _, _), go)| Event { from, to, ward, what: What::Go(Box::new(go)) };
    groups.into_iter().map(event).collect()
}

/// The slot that is open or comes next; the last one when all have passed.
fn next_slot(device: &ApprovedDevice, at: Timestamp) -> Option<Slot> {
    let next = device.slots.iter().find(|slot| slot.end() > at);
    next.or(device.slots.last()).copied()
}
