//! What a hospital says of itself: wards and their rules, devices, people, windows, freezes.
//!
//! One document for each site, replaced as a whole by compare-and-swap on its revision. It decides
//! nothing on a device: the planner reads it, people sign what came out. Device keys, families and
//! versions are not here (the server has them from the devices), keys of people stand in the root of
//! the site, and patients are nowhere. Invariant: what [`Inventory::read`] returns breaks no rule of
//! [`Inventory::check`].

mod check;
pub mod csv;

mod people;
mod rules;

pub use check::{BadInventory, BrokenRule, Problem};
pub use people::{Person, SigningPolicy};
pub use rules::{
    Freeze, FreezeScope, Hardness, MinInService, SiteRules, UsualWindow, WeeklyHours, WindowRule,
};

use crate::canonical::{self, Charset};
use crate::id::{DeviceId, KindId, SiteId, WardId, WindowId};
use crate::limits::INVENTORY_BYTES_MAX;
use serde::{Deserialize, Serialize};

/// The inventory of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// Schema version; this code knows 1.
    pub v: u32,
    /// The site.
    pub site: SiteId,
    /// Which revision this is; a new one is taken only by who names the present one.
    pub revision: u64,
    /// IANA zone of the site, e.g. `Asia/Tokyo`.
    pub tz: String,
    /// Wards and departments.
    #[serde(default)]
    pub wards: Vec<Ward>,
    /// Devices.
    #[serde(default)]
    pub devices: Vec<InventoryDevice>,
    /// People who sign or answer for something.
    #[serde(default)]
    pub people: Vec<Person>,
    /// Rules of the whole site.
    #[serde(default)]
    pub rules: SiteRules,
    /// Periods without changes.
    #[serde(default)]
    pub freezes: Vec<Freeze>,
    /// Windows that recur.
    #[serde(default)]
    pub windows: Vec<UsualWindow>,
    /// How many persons sign what.
    #[serde(default)]
    pub policy: SigningPolicy,
}

/// A ward or department.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Ward {
    /// Its id.
    pub id: WardId,
    /// Its name in English.
    pub name_en: String,
    /// Its name in Japanese.
    pub name_ja: String,
    /// How many devices of a kind must stay in service at every instant.
    #[serde(default)]
    pub min_in_service: Vec<MinInService>,
    /// Most devices of the ward that are updated at once; no limit of its own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    /// Its windows; those of [`SiteRules::windows`] when there are none.
    #[serde(default)]
    pub windows: Vec<WindowId>,
    /// When somebody can stand at a device; those of [`SiteRules::staff_on_site`] when there are none.
    #[serde(default)]
    pub staff_on_site: Vec<WeeklyHours>,
}

/// A device as the hospital knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct InventoryDevice {
    /// Its id, the one that it enrolled with.
    pub id: DeviceId,
    /// Where it stands; none for a pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ward: Option<WardId>,
    /// What wards count it as.
    pub kind: KindId,
    /// The partner that must work while this one does not; the partner names this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<DeviceId>,
    /// What it is there for.
    #[serde(default)]
    pub usage: Usage,
    /// Whether a person must be at it.
    #[serde(default)]
    pub attended: Attendance,
    /// Unique device identifier, as printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub udi: Option<String>,
    /// The manufacturer's serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
}

/// What a device is there for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Usage {
    /// Used on patients; counts as in service.
    #[default]
    InService,
    /// Stands ready to take another's place; counts as in service, and is updated first.
    Spare,
    /// A test device that no patient meets; never counts as in service, and is updated first.
    Bench,
}

/// Whether a person must be at a device when it is updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Attendance {
    /// Nobody needs to be there.
    #[default]
    Unattended,
    /// A person must be there; it is planned only when staff is on site.
    Attended,
}

impl Inventory {
    /// An inventory without anything in it, revision 0.
    #[must_use]
    pub fn empty(site: SiteId, tz: &str) -> Self {
        Self {
            v: 1,
            site,
            revision: 0,
            tz: tz.to_owned(),
            wards: Vec::new(),
            devices: Vec::new(),
            people: Vec::new(),
            rules: SiteRules::default(),
            freezes: Vec::new(),
            windows: Vec::new(),
            policy: SigningPolicy::default(),
        }
    }

    /// Reads and checks an inventory (JSON).
    ///
    /// # Errors
    /// [`BadInventory`] with everything that is wrong.
    pub fn read(bytes: &[u8]) -> Result<Self, BadInventory> {
        let inventory: Self = canonical::read(bytes, INVENTORY_BYTES_MAX, Charset::Unicode)
            .map_err(|error| BadInventory::unreadable(&error))?;
        let problems = inventory.check();
        if problems.is_empty() { Ok(inventory) } else { Err(BadInventory { problems }) }
    }

    /// A ward by its id.
    #[must_use]
    pub fn ward(&self, id: &WardId) -> Option<&Ward> {
        self.wards.iter().find(|ward| ward.id == *id)
    }

    /// A device by its id.
    #[must_use]
    pub fn device(&self, id: &DeviceId) -> Option<&InventoryDevice> {
        self.devices.iter().find(|device| device.id == *id)
    }

    /// A person by the id of the site root.
    #[must_use]
    pub fn person(&self, id: &crate::id::PersonId) -> Option<&Person> {
        self.people.iter().find(|person| person.person == *id)
    }

    /// The windows of a ward, or of devices that stand in none.
    #[must_use]
    pub fn windows_of(&self, ward: Option<&WardId>) -> Vec<&UsualWindow> {
        let own = ward.and_then(|id| self.ward(id)).map(|ward| &ward.windows);
        let ids = own.filter(|ids| !ids.is_empty()).unwrap_or(&self.rules.windows);
        self.windows.iter().filter(|window| ids.contains(&window.id)).collect()
    }

    /// The hours in which staff can stand at a device of a ward, or at one that stands in none.
    #[must_use]
    pub fn staff_of(&self, ward: Option<&WardId>) -> &[WeeklyHours] {
        let own = ward.and_then(|id| self.ward(id)).map(|ward| ward.staff_on_site.as_slice());
        own.filter(|hours| !hours.is_empty()).unwrap_or(&self.rules.staff_on_site)
    }
}
