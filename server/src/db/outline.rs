//! Devices of a site as lists show them: without the keys of their links, and what costs time to read is
//! read once for all of them.
//!
//! Not here: what is newer in memory ([`crate::fleet::table`]). Invariant: every query names the site.

use super::column::{count, from_json, from_name, instant, parse, parse_some};
use super::schema::devices;
use super::{Connection, DbError, queries};
use diesel::prelude::*;
use patchward_protocol::api::site::Management;
use patchward_protocol::id::{DeviceId, FamilyId, HardwareId, LedgerId, SiteId};
use patchward_protocol::image::ImageRef;
use patchward_protocol::key::{BadKey, PublicKey};
use patchward_protocol::reason::Reason;
use patchward_protocol::time::Timestamp;
use std::collections::HashMap;

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

/// A device with its key and where its stored ledger stands; none without an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    /// The device.
    pub outline: Outline,
    /// Its device key, its ledger, and the position of the last stored entry.
    pub agent: Option<(PublicKey, LedgerId, u64)>,
}

/// Images that were read, by their text: most devices of a site run one of a few.
type Images = HashMap<String, ImageRef>;

type KeyedRow = (Row, Option<String>, Option<String>, i64);

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
        Ok(rows.select(Row::as_select()).load(conn)?)
    }

    fn row(conn, site: &str, device: &str) -> Result<Option<Row>, DbError> {
        let row = devices::table.find((site, device));
        Ok(row.select(Row::as_select()).first(conn).optional()?)
    }

    fn keyed_rows(conn, site: &str) -> Result<Vec<KeyedRow>, DbError> {
        let rows = devices::table.filter(devices::site.eq(site)).order(devices::device);
        let more = (devices::device_key, devices::ledger_id, devices::ledger_seq);
        Ok(rows.select((Row::as_select(), more.0, more.1, more.2)).load(conn)?)
    }
}

/// Every device of a site, by id.
///
/// # Errors
/// [`DbError`].
pub fn of_site(conn: &mut Connection, site: &SiteId) -> Result<Vec<Outline>, DbError> {
    let mut images = Images::new();
    rows(conn, site.as_str())?.into_iter().map(|row| row.read(&mut images)).collect()
}

/// One device of a site.
///
/// # Errors
/// [`DbError`].
pub fn find(
    conn: &mut Connection,
    site: &SiteId,
    device: &DeviceId,
) -> Result<Option<Outline>, DbError> {
    let row = row(conn, site.as_str(), device.as_str())?;
    row.map(|row| row.read(&mut Images::new())).transpose()
}

/// Every device of a site with its key, by id; `key` reads the key's digits.
///
/// # Errors
/// [`DbError`].
pub fn keyed_of_site(
    conn: &mut Connection,
    site: &SiteId,
    key: impl Fn(&str) -> Result<PublicKey, BadKey>,
) -> Result<Vec<Keyed>, DbError> {
    let mut images = Images::new();
    let read = |(row, digits, ledger_id, seq): KeyedRow| {
        let agent = match digits.as_deref().zip(ledger_id.as_deref()) {
            None => None,
            Some((digits, ledger_id)) => {
                let bad = |_| DbError::Column {
                    column: "devices.device_key",
                    kind: "key",
                    value: digits.to_owned(),
                };
                let ledger_id = from_name("devices.ledger_id", ledger_id)?;
                Some((key(digits).map_err(bad)?, ledger_id, count("devices.ledger_seq", seq)?))
            }
        };
        Ok(Keyed { outline: row.read(&mut images)?, agent })
    };
    keyed_rows(conn, site.as_str())?.into_iter().map(read).collect()
}

impl Row {
    fn read(self, images: &mut Images) -> Result<Outline, DbError> {
        let installed = match self.installed {
            None => None,
            Some(json) => match images.get(&json) {
                Some(image) => Some(image.clone()),
                None => {
                    let image: ImageRef = from_json("devices.installed", &json)?;
                    images.insert(json, image.clone());
                    Some(image)
                }
            },
        };
        let reason = self.reason.as_deref();
        let hardware = self.hardware.as_deref();
        Ok(Outline {
            device: parse("devices.device", &self.device)?,
            management: from_name("devices.management", &self.management)?,
            family: parse("devices.family", &self.family)?,
            hardware: parse_some("devices.hardware", hardware)?,
            installed,
            reason: reason.map(|code| from_name("devices.reason", code)).transpose()?,
            last_seen: instant(self.last_seen),
            state: self.state,
            forked: self.forked,
        })
    }
}
