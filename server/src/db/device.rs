//! Rows of devices, with and without an agent.
//!
//! The hot columns (last seen, state, poll numbers) are written in batches by one statement; the
//! memory of the fleet is ahead of them by at most a minute. Not here: rules of enrolment.
//! Invariant: a device belongs to exactly one site row; every query names the site.

use super::column::{count, from_json, from_name, instant, store_count, to_json, to_name};
use super::connection::queries;
use super::schema::devices;
use super::{Connection, DbError};
use diesel::prelude::*;
use diesel::sql_types::Text;
use patchward_protocol::api::site::Management;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{DeviceId, FamilyId, HardwareId, LedgerId, SiteId};
use patchward_protocol::image::ImageRef;
use patchward_protocol::key::PublicKey;
use patchward_protocol::ledger::Chain;
use patchward_protocol::reason::Reason;
use patchward_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A device as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDevice {
    /// Its site.
    pub site: SiteId,
    /// Its id.
    pub device: DeviceId,
    /// How it is looked after.
    pub management: Management,
    /// Its family.
    pub family: FamilyId,
    /// Its hardware, when known.
    pub hardware: Option<HardwareId>,
    /// Keys and ledger; none without an agent.
    pub agent: Option<StoredAgent>,
    /// What it last said of itself.
    pub said: Said,
}

/// What only a device with an agent has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAgent {
    /// Signs reports.
    pub device_key: PublicKey,
    /// Signs polls.
    pub link_key: PublicKey,
    /// Number of the link key; a later one has a higher.
    pub link_n: u64,
    /// Where the stored ledger stands.
    pub chain: Chain,
    /// The ledger continued another history.
    pub forked: bool,
}

/// What a device said of itself with its last poll.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Version of its agent.
    pub agent_version: Option<String>,
    /// What is installed.
    pub installed: Option<ImageRef>,
    /// State of its machine.
    pub state: Option<String>,
    /// Why it waits.
    pub reason: Option<Reason>,
    /// When.
    pub last_seen: Option<Timestamp>,
    /// Boot count of the last poll.
    pub boot_count: u64,
    /// Number of the last poll in that boot.
    pub poll_n: u64,
}

/// What the memory of the fleet writes back, one for each device that said something.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Mark {
    /// Site.
    pub site: String,
    /// Device.
    pub device: String,
    /// Version of its agent.
    pub agent_version: Option<String>,
    /// What is installed, as JSON.
    pub installed: Option<String>,
    /// State of its machine.
    pub state: Option<String>,
    /// Why it waits: a code.
    pub reason: Option<String>,
    /// When, in milliseconds.
    pub last_seen: i64,
    /// Boot count.
    pub boot_count: i64,
    /// Poll number.
    pub poll_n: i64,
}

#[derive(Queryable, Insertable, AsChangeset, Debug, Clone)]
#[diesel(table_name = devices, treat_none_as_null = true)]
struct Row {
    site: String,
    device: String,
    management: String,
    family: String,
    hardware: Option<String>,
    device_key: Option<String>,
    link_key: Option<String>,
    link_n: i64,
    agent_version: Option<String>,
    installed: Option<String>,
    state: Option<String>,
    reason: Option<String>,
    last_seen: Option<i64>,
    boot_count: i64,
    poll_n: i64,
    ledger_id: Option<String>,
    ledger_seq: i64,
    ledger_head: Option<String>,
    forked: bool,
    enrolled: i64,
}

queries! {
    fn row(conn, site: &str, device: &str) -> Result<Option<Row>, DbError> {
        let row = devices::table.find((site, device));
        Ok(row.first::<Row>(conn).optional()?)
    }

    fn rows(conn, site: &str) -> Result<Vec<Row>, DbError> {
        let rows = devices::table.filter(devices::site.eq(site)).order(devices::device);
        Ok(rows.load(conn)?)
    }

    fn agent_rows(conn) -> Result<Vec<Row>, DbError> {
        Ok(devices::table.filter(devices::device_key.is_not_null()).load(conn)?)
    }

    fn by_hand_count_rows(conn) -> Result<Vec<(String, String, i64)>, DbError> {
        let rows = devices::table.filter(devices::device_key.is_null());
        let rows = rows.group_by((devices::site, devices::family));
        Ok(rows.select((devices::site, devices::family, diesel::dsl::count_star())).load(conn)?)
    }

    fn by_hand_rows(conn) -> Result<Vec<(String, String, Option<String>)>, DbError> {
        let rows = devices::table.filter(devices::device_key.is_null());
        let columns = (devices::site, devices::family, devices::installed);
        Ok(rows.select(columns).distinct().load(conn)?)
    }

    fn insert_row(conn, row: &Row) -> Result<usize, DbError> {
        let insert = diesel::insert_into(devices::table).values(row);
        Ok(insert.on_conflict_do_nothing().execute(conn)?)
    }

    fn update_row(conn, row: &Row) -> Result<usize, DbError> {
        let old = devices::table.find((row.site.as_str(), row.device.as_str()));
        Ok(diesel::update(old).set(row).execute(conn)?)
    }

    fn move_chain_row(conn, site: &str, device: &str, seq: i64, head: Option<String>)
        -> Result<usize, DbError>
    {
        let moved = (devices::ledger_seq.eq(seq), devices::ledger_head.eq(head));
        Ok(diesel::update(devices::table.find((site, device))).set(moved).execute(conn)?)
    }

    fn manage_row(conn, site: &str, device: &str, management: String) -> Result<usize, DbError> {
        let row = devices::table.find((site, device));
        Ok(diesel::update(row).set(devices::management.eq(management)).execute(conn)?)
    }

    fn fork_row(conn, site: &str, device: &str) -> Result<usize, DbError> {
        let row = devices::table.find((site, device));
        Ok(diesel::update(row).set(devices::forked.eq(true)).execute(conn)?)
    }
}

/// A device of a site.
///
/// # Errors
/// [`DbError`].
pub fn find(
    conn: &mut Connection,
    site: &SiteId,
    device: &DeviceId,
) -> Result<Option<StoredDevice>, DbError> {
    row(conn, site.as_str(), device.as_str())?.map(Row::stored).transpose()
}

/// Every device of a site, by id.
///
/// # Errors
/// [`DbError`].
pub fn list(conn: &mut Connection, site: &SiteId) -> Result<Vec<StoredDevice>, DbError> {
    rows(conn, site.as_str())?.into_iter().map(Row::stored).collect()
}

/// Every device with an agent, of all sites: what the memory of the fleet starts with.
///
/// # Errors
/// [`DbError`].
pub fn list_agents(conn: &mut Connection) -> Result<Vec<StoredDevice>, DbError> {
    agent_rows(conn)?.into_iter().map(Row::stored).collect()
}

/// How many devices without an agent each site has of each family.
///
/// # Errors
/// [`DbError`].
pub fn by_hand_counts(conn: &mut Connection) -> Result<Vec<(SiteId, FamilyId, u32)>, DbError> {
    let rows = by_hand_count_rows(conn)?.into_iter();
    let read = |(site, family, devices): (String, String, i64)| {
        let site = from_name("devices.site", &site)?;
        let family = from_name("devices.family", &family)?;
        Ok((site, family, u32::try_from(devices).unwrap_or(u32::MAX)))
    };
    rows.map(read).collect()
}

/// Of the devices without an agent: site, family and what is installed, each once.
///
/// # Errors
/// [`DbError`].
pub fn by_hand(
    conn: &mut Connection,
) -> Result<Vec<(SiteId, FamilyId, Option<ImageRef>)>, DbError> {
    let read = |(site, family, installed): (String, String, Option<String>)| {
        let installed = installed.as_deref();
        Ok((
            from_name("devices.site", &site)?,
            from_name("devices.family", &family)?,
            installed.map(|json| from_json("devices.installed", json)).transpose()?,
        ))
    };
    by_hand_rows(conn)?.into_iter().map(read).collect()
}

/// Adds a device; `false` when the site has one of this id.
///
/// # Errors
/// [`DbError`].
pub fn insert(
    conn: &mut Connection,
    device: &StoredDevice,
    at: Timestamp,
) -> Result<bool, DbError> {
    Ok(insert_row(conn, &Row::of(device, at)?)? == 1)
}

/// Replaces what is stored of a device.
///
/// # Errors
/// [`DbError`].
pub fn update(conn: &mut Connection, device: &StoredDevice, at: Timestamp) -> Result<(), DbError> {
    update_row(conn, &Row::of(device, at)?)?;
    Ok(())
}

/// Changes how a device is looked after.
///
/// # Errors
/// [`DbError`].
pub fn manage(
    conn: &mut Connection,
    site: &SiteId,
    device: &DeviceId,
    management: Management,
) -> Result<(), DbError> {
    let word = to_name("devices.management", &management)?;
    manage_row(conn, site.as_str(), device.as_str(), word)?;
    Ok(())
}

/// Moves the stored end of a device's ledger.
///
/// # Errors
/// [`DbError`].
pub fn move_chain(
    conn: &mut Connection,
    site: &SiteId,
    device: &DeviceId,
    chain: &Chain,
) -> Result<(), DbError> {
    let seq = store_count("devices.ledger_seq", chain.seq)?;
    let head = chain.head_sha256.map(|head| head.to_string());
    move_chain_row(conn, site.as_str(), device.as_str(), seq, head)?;
    Ok(())
}

/// Remembers that a device's ledger continued another history.
///
/// # Errors
/// [`DbError`].
pub fn mark_forked(conn: &mut Connection, site: &SiteId, device: &DeviceId) -> Result<(), DbError> {
    fork_row(conn, site.as_str(), device.as_str())?;
    Ok(())
}

/// Writes what devices said since the last time: one statement for all of them.
///
/// # Errors
/// [`DbError`].
pub fn write_marks(conn: &mut Connection, marks: &[Mark]) -> Result<(), DbError> {
    let marks = to_json("devices.*", &marks)?;
    match conn {
        Connection::Sqlite(conn) => {
            diesel::sql_query(MARKS_SQLITE).bind::<Text, _>(marks).execute(&mut **conn)?
        }
        Connection::Postgres(conn) => {
            diesel::sql_query(MARKS_POSTGRES).bind::<Text, _>(marks).execute(&mut **conn)?
        }
    };
    Ok(())
}

const MARKS_SQLITE: &str = "\
    UPDATE devices SET agent_version = m.value ->> 'agent_version', \
    installed = m.value ->> 'installed', state = m.value ->> 'state', \
    reason = m.value ->> 'reason', last_seen = m.value ->> 'last_seen', \
    boot_count = m.value ->> 'boot_count', poll_n = m.value ->> 'poll_n' \
    FROM json_each(?) AS m \
    WHERE devices.site = m.value ->> 'site' AND devices.device = m.value ->> 'device'";
const MARKS_POSTGRES: &str = "\
    UPDATE devices SET agent_version = m.agent_version, installed = m.installed, \
    state = m.state, reason = m.reason, last_seen = m.last_seen, \
    boot_count = m.boot_count, poll_n = m.poll_n \
    FROM json_to_recordset($1::json) AS m (site text, device text, agent_version text, \
    installed text, state text, reason text, last_seen bigint, boot_count bigint, poll_n bigint) \
    WHERE devices.site = m.site AND devices.device = m.device";

impl Row {
    fn of(stored: &StoredDevice, at: Timestamp) -> Result<Self, DbError> {
        let agent = stored.agent.as_ref();
        let chain = agent.map(|agent| &agent.chain);
        let said = &stored.said;
        let image = |image| to_json("devices.installed", image);
        let code = |reason: &Reason| reason.code().to_owned();
        Ok(Self {
            site: stored.site.to_string(),
            device: stored.device.to_string(),
            management: to_name("devices.management", &stored.management)?,
            family: stored.family.to_string(),
            hardware: stored.hardware.as_ref().map(ToString::to_string),
            device_key: agent.map(|agent| agent.device_key.to_string()),
            link_key: agent.map(|agent| agent.link_key.to_string()),
            link_n: store_count("devices.link_n", agent.map_or(0, |agent| agent.link_n))?,
            agent_version: said.agent_version.clone(),
            installed: said.installed.as_ref().map(image).transpose()?,
            state: said.state.clone(),
            reason: said.reason.as_ref().map(code),
            last_seen: said.last_seen.map(Timestamp::millis),
            boot_count: store_count("devices.boot_count", said.boot_count)?,
            poll_n: store_count("devices.poll_n", said.poll_n)?,
            ledger_id: chain.map(|chain| chain.ledger_id.to_string()),
            ledger_seq: store_count("devices.ledger_seq", chain.map_or(0, |chain| chain.seq))?,
            ledger_head: chain.and_then(|chain| chain.head_sha256).map(|head| head.to_string()),
            forked: agent.is_some_and(|agent| agent.forked),
            enrolled: at.millis(),
        })
    }

    fn stored(self) -> Result<StoredDevice, DbError> {
        let hardware = self.hardware.as_deref();
        let installed = self.installed.as_deref();
        let reason = self.reason.as_deref();
        Ok(StoredDevice {
            agent: self.agent()?,
            site: from_name("devices.site", &self.site)?,
            device: from_name("devices.device", &self.device)?,
            management: from_name("devices.management", &self.management)?,
            family: from_name("devices.family", &self.family)?,
            hardware: hardware.map(|text| from_name("devices.hardware", text)).transpose()?,
            said: Said {
                installed: installed
                    .map(|json| from_json("devices.installed", json))
                    .transpose()?,
                reason: reason.map(|code| from_name("devices.reason", code)).transpose()?,
                last_seen: instant(self.last_seen),
                boot_count: count("devices.boot_count", self.boot_count)?,
                poll_n: count("devices.poll_n", self.poll_n)?,
                agent_version: self.agent_version,
                state: self.state,
            },
        })
    }

    fn agent(&self) -> Result<Option<StoredAgent>, DbError> {
        let (Some(device_key), Some(link_key), Some(ledger_id)) =
            (&self.device_key, &self.link_key, &self.ledger_id)
        else {
            return Ok(None);
        };
        let ledger_id: LedgerId = from_name("devices.ledger_id", ledger_id)?;
        let head = self.ledger_head.as_deref();
        let head_sha256: Option<Sha256Digest> =
            head.map(|head| from_name("devices.ledger_head", head)).transpose()?;
        Ok(Some(StoredAgent {
            device_key: from_name("devices.device_key", device_key)?,
            link_key: from_name("devices.link_key", link_key)?,
            link_n: count("devices.link_n", self.link_n)?,
            chain: Chain {
                ledger_id,
                seq: count("devices.ledger_seq", self.ledger_seq)?,
                head_sha256,
            },
            forked: self.forked,
        }))
    }
}
