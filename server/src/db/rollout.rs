//! Rows of rollouts: an approval and an image on its way, the devices it names, and its waves.
//!
//! Not here: what moves a wave (`protocol::gate`, [`crate::rollout`]). Invariant: a wave's row moves
//! only from the revision that was read, so that of two servers one moves it.

use super::column::{count, from_json, from_name, instant, store_count, to_json};
use super::schema::{rollout_devices, rollouts, waves};
use super::{Connection, DbError, queries};
use diesel::prelude::*;
use patchward_protocol::approval::Approval;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::gate::WaveCounters;
use patchward_protocol::id::{DeviceId, SiteId};
use patchward_protocol::image::ImageRef;
use patchward_protocol::key::PublicKey;
use patchward_protocol::time::Timestamp;

/// Names a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RolloutKey {
    /// The site.
    pub site: SiteId,
    /// The approval.
    pub approval: Sha256Digest,
    /// The image.
    pub image: Sha256Digest,
}

/// A rollout as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRollout {
    /// Which.
    pub key: RolloutKey,
    /// The image.
    pub image: ImageRef,
    /// The approval without its devices.
    pub terms: Approval,
    /// When time alone may move a wave next.
    pub due: Option<Timestamp>,
}

/// A wave as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWave {
    /// Rises with every change.
    pub revision: u64,
    /// Its numbers and state.
    pub counters: WaveCounters,
    /// Digest of its proof, once there is one.
    pub proof: Option<Sha256Digest>,
}

/// A device as an approval names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedDevice {
    /// Its id.
    pub device: DeviceId,
    /// Its key.
    pub key: PublicKey,
    /// Its wave.
    pub wave: u32,
    /// Its partner.
    pub pair: Option<DeviceId>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = rollouts)]
struct RolloutRow {
    site: String,
    approval_sha256: String,
    image_sha256: String,
    image: String,
    terms: String,
    planted: i64,
    ends: i64,
    due: Option<i64>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = rollout_devices)]
struct DeviceRow {
    site: String,
    device: String,
    approval_sha256: String,
    device_key: String,
    wave: i64,
    pair: Option<String>,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = waves)]
struct WaveRow {
    site: String,
    approval_sha256: String,
    image_sha256: String,
    wave: i64,
    revision: i64,
    state: String,
    counters: String,
    proof_sha256: Option<String>,
}

queries! {
    fn insert_rollout(conn, row: &RolloutRow) -> Result<usize, DbError> {
        let insert = diesel::insert_into(rollouts::table).values(row);
        Ok(insert.on_conflict_do_nothing().execute(conn)?)
    }

    fn rollout_row(conn, site: &str, approval: &str, image: &str)
        -> Result<Option<RolloutRow>, DbError>
    {
        let row = rollouts::table.find((site, approval, image));
        Ok(row.first::<RolloutRow>(conn).optional()?)
    }

    fn site_rows(conn, site: &str, since: i64) -> Result<Vec<RolloutRow>, DbError> {
        let rows = rollouts::table.filter(rollouts::site.eq(site)).filter(rollouts::ends.gt(since));
        Ok(rows.order((rollouts::planted, rollouts::approval_sha256, rollouts::image_sha256)).load(conn)?)
    }

    fn keys_of_site(conn, site: &str) -> Result<Vec<(String, String)>, DbError> {
        let rows = rollouts::table.filter(rollouts::site.eq(site));
        Ok(rows.select((rollouts::approval_sha256, rollouts::image_sha256)).load(conn)?)
    }

    fn live_rows(conn, since: i64) -> Result<Vec<RolloutRow>, DbError> {
        Ok(rollouts::table.filter(rollouts::ends.gt(since)).load(conn)?)
    }

    fn device_rollout_rows(conn, site: &str, device: &str, images: &[String])
        -> Result<Vec<(RolloutRow, DeviceRow)>, DbError>
    {
        let of_both = rollout_devices::site
            .eq(rollouts::site)
            .and(rollout_devices::approval_sha256.eq(rollouts::approval_sha256));
        let rows = rollouts::table
            .inner_join(rollout_devices::table.on(of_both))
            .filter(rollout_devices::site.eq(site))
            .filter(rollout_devices::device.eq(device))
            .filter(rollouts::image_sha256.eq_any(images));
        Ok(rows.select((RolloutRow::as_select(), DeviceRow::as_select())).load(conn)?)
    }

    fn due_row(conn, site: &str, approval: &str, image: &str, due: Option<i64>) -> Result<(), DbError> {
        let row = rollouts::table.find((site, approval, image));
        diesel::update(row).set(rollouts::due.eq(due)).execute(conn)?;
        Ok(())
    }

    fn count_devices(conn, site: &str, approval: &str) -> Result<i64, DbError> {
        let rows = rollout_devices::table
            .filter(rollout_devices::site.eq(site))
            .filter(rollout_devices::approval_sha256.eq(approval));
        Ok(rows.count().get_result(conn)?)
    }

    fn insert_devices(conn, rows: &[DeviceRow]) -> Result<(), DbError> {
        diesel::insert_into(rollout_devices::table).values(rows).execute(conn)?;
        Ok(())
    }

    fn device_rows(conn, site: &str, approval: &str) -> Result<Vec<DeviceRow>, DbError> {
        let rows = rollout_devices::table
            .filter(rollout_devices::site.eq(site))
            .filter(rollout_devices::approval_sha256.eq(approval));
        Ok(rows.order(rollout_devices::device).load(conn)?)
    }

    fn insert_wave(conn, row: &WaveRow) -> Result<(), DbError> {
        diesel::insert_into(waves::table).values(row).execute(conn)?;
        Ok(())
    }

    fn wave_rows(conn, site: &str, approval: &str, image: &str) -> Result<Vec<WaveRow>, DbError> {
        let rows = waves::table
            .filter(waves::site.eq(site))
            .filter(waves::approval_sha256.eq(approval))
            .filter(waves::image_sha256.eq(image));
        Ok(rows.order(waves::wave).load(conn)?)
    }

    fn swap_wave_row(conn, row: &WaveRow, from: i64) -> Result<usize, DbError> {
        let old = waves::table
            .find((&row.site, &row.approval_sha256, &row.image_sha256, row.wave))
            .filter(waves::revision.eq(from));
        let new = (
            waves::revision.eq(row.revision),
            waves::state.eq(&row.state),
            waves::counters.eq(&row.counters),
            waves::proof_sha256.eq(&row.proof_sha256),
        );
        Ok(diesel::update(old).set(new).execute(conn)?)
    }
}

/// Stores a rollout with its waves as they are at the beginning, and the devices of its approval;
/// `false` when it is there already.
///
/// # Errors
/// [`DbError`].
pub fn plant(
    conn: &mut Connection,
    key: &RolloutKey,
    image: &ImageRef,
    approval: &Approval,
    at: Timestamp,
) -> Result<bool, DbError> {
    let row = RolloutRow {
        site: key.site.to_string(),
        approval_sha256: key.approval.to_string(),
        image_sha256: key.image.to_string(),
        image: to_json("rollouts.image", image)?,
        terms: to_json("rollouts.terms", &Approval { devices: Vec::new(), ..approval.clone() })?,
        planted: at.millis(),
        ends: approval.valid_until.millis(),
        due: None,
    };
    if insert_rollout(conn, &row)? == 0 {
        return Ok(false);
    }
    if count_devices(conn, &row.site, &row.approval_sha256)? == 0 {
        let devices: Vec<_> = approval
            .devices
            .iter()
            .map(|device| DeviceRow {
                site: row.site.clone(),
                device: device.id.to_string(),
                approval_sha256: row.approval_sha256.clone(),
                device_key: device.key.to_string(),
                wave: i64::from(device.wave),
                pair: device.pair.as_ref().map(ToString::to_string),
            })
            .collect();
        for some in devices.chunks(500) {
            insert_devices(conn, some)?;
        }
    }
    for counters in WaveCounters::of(approval) {
        let wave = StoredWave { revision: 1, counters, proof: None };
        insert_wave(conn, &WaveRow::of(key, &wave)?)?;
    }
    Ok(true)
}

/// A rollout.
///
/// # Errors
/// [`DbError`].
pub fn find(conn: &mut Connection, key: &RolloutKey) -> Result<Option<StoredRollout>, DbError> {
    let (approval, image) = (key.approval.to_string(), key.image.to_string());
    rollout_row(conn, key.site.as_str(), &approval, &image)?.map(RolloutRow::stored).transpose()
}

/// The rollouts of a site whose approvals last beyond `since`, oldest first.
///
/// # Errors
/// [`DbError`].
pub fn of_site(
    conn: &mut Connection,
    site: &SiteId,
    since: Timestamp,
) -> Result<Vec<StoredRollout>, DbError> {
    site_rows(conn, site.as_str(), since.millis())?.into_iter().map(RolloutRow::stored).collect()
}

/// Approval and image of every rollout that a site ever had.
///
/// # Errors
/// [`DbError`].
pub fn known(
    conn: &mut Connection,
    site: &SiteId,
) -> Result<Vec<(Sha256Digest, Sha256Digest)>, DbError> {
    let read = |(approval, image): (String, String)| {
        Ok((
            from_name("rollouts.approval_sha256", &approval)?,
            from_name("rollouts.image_sha256", &image)?,
        ))
    };
    keys_of_site(conn, site.as_str())?.into_iter().map(read).collect()
}

/// Every rollout of every site whose approval lasts beyond `since`.
///
/// # Errors
/// [`DbError`].
pub fn live(conn: &mut Connection, since: Timestamp) -> Result<Vec<StoredRollout>, DbError> {
    live_rows(conn, since.millis())?.into_iter().map(RolloutRow::stored).collect()
}

/// The rollouts of these images whose approvals name a device.
///
/// # Errors
/// [`DbError`].
pub fn of_device(
    conn: &mut Connection,
    site: &SiteId,
    device: &DeviceId,
    images: &[Sha256Digest],
) -> Result<Vec<(StoredRollout, NamedDevice)>, DbError> {
    let images: Vec<String> = images.iter().map(ToString::to_string).collect();
    let rows = device_rollout_rows(conn, site.as_str(), device.as_str(), &images)?;
    rows.into_iter().map(|(rollout, device)| Ok((rollout.stored()?, device.named()?))).collect()
}

/// The devices that an approval names, by id.
///
/// # Errors
/// [`DbError`].
pub fn devices(
    conn: &mut Connection,
    site: &SiteId,
    approval: &Sha256Digest,
) -> Result<Vec<NamedDevice>, DbError> {
    let rows = device_rows(conn, site.as_str(), &approval.to_string())?;
    rows.into_iter().map(DeviceRow::named).collect()
}

/// Notes when time alone may move a wave of a rollout next.
///
/// # Errors
/// [`DbError`].
pub fn set_due(
    conn: &mut Connection,
    key: &RolloutKey,
    due: Option<Timestamp>,
) -> Result<(), DbError> {
    let (approval, image) = (key.approval.to_string(), key.image.to_string());
    due_row(conn, key.site.as_str(), &approval, &image, due.map(Timestamp::millis))
}

/// The waves of a rollout, in order.
///
/// # Errors
/// [`DbError`].
pub fn waves(conn: &mut Connection, key: &RolloutKey) -> Result<Vec<StoredWave>, DbError> {
    let (approval, image) = (key.approval.to_string(), key.image.to_string());
    let rows = wave_rows(conn, key.site.as_str(), &approval, &image)?;
    rows.into_iter().map(WaveRow::stored).collect()
}

/// Moves a wave's row from revision `from`; `false` when somebody else has moved it.
///
/// # Errors
/// [`DbError`].
pub fn swap_wave(
    conn: &mut Connection,
    key: &RolloutKey,
    wave: &StoredWave,
    from: u64,
) -> Result<bool, DbError> {
    let row = WaveRow::of(key, wave)?;
    Ok(swap_wave_row(conn, &row, store_count("waves.revision", from)?)? == 1)
}

impl RolloutRow {
    fn stored(self) -> Result<StoredRollout, DbError> {
        Ok(StoredRollout {
            key: RolloutKey {
                site: from_name("rollouts.site", &self.site)?,
                approval: from_name("rollouts.approval_sha256", &self.approval_sha256)?,
                image: from_name("rollouts.image_sha256", &self.image_sha256)?,
            },
            image: from_json("rollouts.image", &self.image)?,
            terms: from_json("rollouts.terms", &self.terms)?,
            due: instant(self.due),
        })
    }
}

impl DeviceRow {
    fn named(self) -> Result<NamedDevice, DbError> {
        let pair = self.pair.as_deref();
        Ok(NamedDevice {
            device: from_name("rollout_devices.device", &self.device)?,
            key: from_name("rollout_devices.device_key", &self.device_key)?,
            wave: wave_number(self.wave)?,
            pair: pair.map(|text| from_name("rollout_devices.pair", text)).transpose()?,
        })
    }
}

impl WaveRow {
    fn of(key: &RolloutKey, wave: &StoredWave) -> Result<Self, DbError> {
        let counters = &wave.counters;
        Ok(Self {
            site: key.site.to_string(),
            approval_sha256: key.approval.to_string(),
            image_sha256: key.image.to_string(),
            wave: i64::from(counters.wave),
            revision: store_count("waves.revision", wave.revision)?,
            state: counters.state.code().to_owned(),
            counters: to_json("waves.counters", counters)?,
            proof_sha256: wave.proof.map(|sha256| sha256.to_string()),
        })
    }

    fn stored(self) -> Result<StoredWave, DbError> {
        let proof = self.proof_sha256.as_deref();
        Ok(StoredWave {
            revision: count("waves.revision", self.revision)?,
            counters: from_json("waves.counters", &self.counters)?,
            proof: proof.map(|text| from_name("waves.proof_sha256", text)).transpose()?,
        })
    }
}

/// Reads a wave's number.
///
/// # Errors
/// [`DbError::Column`].
pub(super) fn wave_number(value: i64) -> Result<u32, DbError> {
    u32::try_from(value).map_err(|_| DbError::Column {
        column: "wave",
        kind: "wave",
        value: value.to_string(),
    })
}
