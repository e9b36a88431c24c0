//! Devices of a site as lists show them: without keys and ledgers, which cost time to read.
//!
//! Not here: what is newer in memory ([`crate::fleet::table`]). Invariant: every query names the site.

use super::column::{from_json, from_name, instant};
use super::schema::devices;
use super::{Connection, DbError, queries};
use diesel::prelude::*;
use patchward_protocol::api::site::Management;
use patchward_protocol::id::{DeviceId, FamilyId, HardwareId, SiteId};
use patchward_protocol::image::ImageRef;
use patchward_protocol::reason::Reason;
use patchward_protocol::time::Timestamp;

/// A device in outline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// Its id.
    pub device: DeviceId,
    /// How it is looked after.
    pub management: Management,
    /// Its family.
    pub family: FamilyId,
    /// Its hardware, when known.
    pub hardware: Option<HardwareId>,
    /// What is installed.
    pub installed: Option<ImageRef>,
    /// State of its machine.
    pub state: Option<String>,
    /// Why it waits.
    pub reason: Option<Reason>,
    /// When it was last heard.
    pub last_seen: Option<Timestamp>,
    /// Its ledger continued another history.
    pub forked: bool,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = devices)]
struct Row {
    device: String,
    management: String,
    family: String,
    hardware: Option<String>,
    installed: Option<String>,
    state: Option<String>,
    reason: Option<String>,
    last_seen: Option<i64>,
    forked: bool,
}

queries! {
    fn rows(conn, site: &str) -> Result<Vec<Row>, DbError> {
        let rows = devices::table.filter(devices::site.eq(site)).order(devices::device);
        Ok(rows.select((
            devices::device, devices::management, devices::family, devices::hardware,
            devices::installed, devices::state, devices::reason, devices::last_seen,
            devices::forked,
        )).load(conn)?)
    }
}

/// Every device of a site, by id.
///
/// # Errors
/// [`DbError`].
pub fn of_site(conn: &mut Connection, site: &SiteId) -> Result<Vec<Outline>, DbError> {
    rows(conn, site.as_str())?.into_iter().map(Row::read).collect()
}

impl Row {
    fn read(self) -> Result<Outline, DbError> {
        let installed = self.installed.as_deref();
        let reason = self.reason.as_deref();
        let hardware = self.hardware.as_deref();
        Ok(Outline {
            device: from_name("devices.device", &self.device)?,
            management: from_name("devices.management", &self.management)?,
            family: from_name("devices.family", &self.family)?,
            hardware: hardware.map(|text| from_name("devices.hardware", text)).transpose()?,
            installed: installed.map(|json| from_json("devices.installed", json)).transpose()?,
            reason: reason.map(|code| from_name("devices.reason", code)).transpose()?,
            last_seen: instant(self.last_seen),
            state: self.state,
            forked: self.forked,
        })
    }
}
