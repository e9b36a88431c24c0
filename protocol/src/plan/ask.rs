//! From a hospital's inventory and the server's list of devices to a request.
//!
//! Windows and hours of staff are expanded here, before anybody plans. Not here: choosing families,
//! need and end (the release and the person who asks say them).

use super::request::{Availability, Busy, Candidate, Hours, Request, WardRules, Wish};
use crate::api::site::{DeviceView, Management};
use crate::approval::Urgency;
use crate::id::{DeviceId, FamilyId, WardId};
use crate::inventory::{Attendance, Inventory, InventoryDevice};
use crate::time::Timestamp;
use crate::window::{self, BadWindow};
use std::collections::{BTreeMap, BTreeSet};

/// What somebody wants planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Families of the release or policy.
    pub families: Vec<FamilyId>,
    /// Seconds that the update needs with the way back and the reserve.
    pub need_s: u64,
    /// Seconds for waiting until a device is free; [`super::WAIT_S`] unless somebody knows better.
    pub wait_s: u64,
    /// Whether the release asks for a person at every device.
    pub attended: Attendance,
    /// Routine or emergency.
    pub urgency: Urgency,
    /// Whether usual windows and soft freezes count.
    pub hours: Hours,
    /// Slots wanted for each device; [`super::ALTERNATIVES`] unless somebody knows better.
    pub alternatives: usize,
    /// No slot starts before.
    pub now: Timestamp,
    /// No slot ends later.
    pub until: Timestamp,
    /// Which devices.
    pub wanted: Wanted,
    /// Devices that are broken, lost or away.
    pub out_of_service: Vec<DeviceId>,
    /// Slots that other approvals in force gave.
    pub busy: Vec<Busy>,
}

/// Which devices are to be updated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// All of the families.
    All,
    /// All of the families in these wards.
    Wards(Vec<WardId>),
    /// These, whatever they are: each gets slots or a reason.
    Devices(Vec<DeviceId>),
}

/// Why no request could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAsk {
    /// A window of the inventory has no meaning.
    #[error("a window cannot be expanded")]
    Window(#[source] BadWindow),
    /// Nobody knows this device.
    #[error("device {device} is neither in the inventory nor enrolled")]
    Device {
        /// The device.
        device: DeviceId,
    },
    /// The inventory has no such ward.
    #[error("ward {ward} is not in the inventory")]
    Ward {
        /// The ward.
        ward: WardId,
    },
    /// The approval would end before it begins.
    #[error("the plan would end at {until}, which is not later than {now}")]
    Span {
        /// When it would begin.
        now: Timestamp,
        /// When it would end.
        until: Timestamp,
    },
}

impl BadAsk {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Window(_) => "ask_window",
            Self::Device { .. } => "ask_device",
            Self::Ward { .. } => "ask_ward",
            Self::Span { .. } => "ask_span",
        }
    }
}

impl Request {
    /// Puts together what is known; windows are expanded between `now` and `until`.
    ///
    /// # Errors
    /// [`BadAsk`] for the first thing that makes no sense.
    pub fn of(inventory: &Inventory, views: &[DeviceView], ask: &Ask) -> Result<Self, BadAsk> {
        if ask.now >= ask.until {
            return Err(BadAsk::Span { now: ask.now, until: ask.until });
        }
        let views: BTreeMap<_, _> = views.iter().map(|view| (&view.device, view)).collect();
        let known: BTreeSet<_> = inventory.devices.iter().map(|device| &device.id).collect();
        let strangers = strangers(inventory, &views, &known, ask)?;
        let devices = inventory.devices.iter();
        let devices = devices.map(|device| candidate(device, views.get(&device.id).copied(), ask));
        let ids = std::iter::once(None).chain(inventory.wards.iter().map(|ward| Some(&ward.id)));
        let wards: Result<_, _> = ids.map(|id| ward(inventory, id, ask)).collect();
        Ok(Self {
            families: ask.families.clone(),
            need_s: ask.need_s,
            wait_s: ask.wait_s,
            attended: ask.attended,
            urgency: ask.urgency,
            hours: ask.hours,
            alternatives: ask.alternatives,
            now: ask.now,
            until: ask.until,
            devices: devices.collect(),
            strangers,
            wards: wards.map_err(BadAsk::Window)?,
            rules: inventory.rules.clone(),
            freezes: inventory.freezes.clone(),
            busy: ask.busy.clone(),
        })
    }
}

/// Devices that are wanted and stand in no inventory.
fn strangers(
    inventory: &Inventory,
    views: &BTreeMap<&DeviceId, &DeviceView>,
    known: &BTreeSet<&DeviceId>,
    ask: &Ask,
) -> Result<Vec<DeviceId>, BadAsk> {
    match &ask.wanted {
        Wanted::All => {
            let unknown = views.values().filter(|view| !known.contains(&view.device));
            let family = unknown.filter(|view| ask.families.contains(&view.family));
            Ok(family.map(|view| view.device.clone()).collect())
        }
        Wanted::Wards(wards) => match wards.iter().find(|ward| inventory.ward(ward).is_none()) {
            Some(ward) => Err(BadAsk::Ward { ward: ward.clone() }),
            None => Ok(Vec::new()),
        },
        Wanted::Devices(devices) => {
            let unknown = devices.iter().filter(|device| !known.contains(device));
            let nobody = |device: &&DeviceId| !views.contains_key(device);
            match unknown.clone().find(nobody) {
                Some(device) => Err(BadAsk::Device { device: device.clone() }),
                None => Ok(unknown.cloned().collect()),
            }
        }
    }
}

fn candidate(device: &InventoryDevice, view: Option<&DeviceView>, ask: &Ask) -> Candidate {
    let family = view.map(|view| view.family.clone());
    let of_family = family.as_ref().is_some_and(|family| ask.families.contains(family));
    let wanted = match &ask.wanted {
        Wanted::All => of_family,
        Wanted::Wards(wards) => {
            of_family && device.ward.as_ref().is_some_and(|ward| wards.contains(ward))
        }
        Wanted::Devices(devices) => devices.contains(&device.id),
    };
    let out = ask.out_of_service.contains(&device.id);
    Candidate {
        id: device.id.clone(),
        key: view.and_then(|view| view.device_key),
        ward: device.ward.clone(),
        kind: device.kind.clone(),
        pair: device.pair.clone(),
        usage: device.usage,
        attended: device.attended,
        // One that the server has never heard of is looked after by hand.
        management: view.map_or(Management::Manual, |view| view.management),
        family,
        availability: if out { Availability::OutOfService } else { Availability::Working },
        wish: if wanted { Wish::Update } else { Wish::Leave },
    }
}

fn ward(inventory: &Inventory, id: Option<&WardId>, ask: &Ask) -> Result<WardRules, BadWindow> {
    let found = id.and_then(|id| inventory.ward(id));
    let (tz, now, until) = (&inventory.tz, ask.now, ask.until);
    Ok(WardRules {
        id: id.cloned(),
        min_in_service: found.map(|ward| ward.min_in_service.clone()).unwrap_or_default(),
        max_parallel: found.and_then(|ward| ward.max_parallel),
        windows: window::expand(&inventory.windows_of(id), tz, now, until)?,
        staff: window::expand_hours(inventory.staff_of(id), tz, now, until)?,
    })
}
