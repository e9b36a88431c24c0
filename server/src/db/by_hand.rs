//! Rows of updates that people made by hand and wrote down.
//!
//! Not here: who may ([`crate::fleet::by_hand`]). Invariant: rows are inserted only.

use super::column::{count, from_json, store_count, to_json};
use super::schema::updates_by_hand;
use super::{Connection, DbError, queries};
use diesel::prelude::*;
use patchward_protocol::id::{DeviceId, SiteId};
use patchward_protocol::image::ImageRef;
use patchward_protocol::time::Timestamp;

/// An update that a person made and wrote down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByHand {
    /// Its number at the device, from 1.
    pub n: u64,
    /// When it was done.
    pub performed: Timestamp,
    /// Who did it, as printed.
    pub performed_by: String,
    /// What ran before, when that was known.
    pub from_version: Option<String>,
    /// What runs now.
    pub to_version: String,
    /// The release, where the repository has it.
    pub image: Option<ImageRef>,
    /// How it was verified.
    pub verified: String,
    /// When it was written down.
    pub written: Timestamp,
    /// The account that wrote it.
    pub written_by: String,
    /// The printed name of that account.
    pub printed_name: String,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = updates_by_hand)]
struct Row {
    site: String,
    device: String,
    n: i64,
    performed: i64,
    performed_by: String,
    from_version: Option<String>,
    to_version: String,
    image: Option<String>,
    verified: String,
    written: i64,
    written_by: String,
    printed_name: String,
}

queries! {
    fn rows(conn, site: &str, device: &str) -> Result<Vec<Row>, DbError> {
        let rows = updates_by_hand::table
            .filter(updates_by_hand::site.eq(site))
            .filter(updates_by_hand::device.eq(device));
        Ok(rows.order(updates_by_hand::n.desc()).load(conn)?)
    }

    fn insert_row(conn, row: &Row) -> Result<(), DbError> {
        diesel::insert_into(updates_by_hand::table).values(row).execute(conn)?;
        Ok(())
    }
}

/// What was written down of a device, newest first.
///
/// # Errors
/// [`DbError`].
pub fn of_device(
    conn: &mut Connection,
    site: &SiteId,
    device: &DeviceId,
) -> Result<Vec<ByHand>, DbError> {
    rows(conn, site.as_str(), device.as_str())?.into_iter().map(Row::read).collect()
}

/// Stores what was written down.
///
/// # Errors
/// [`DbError`], also when the number is taken.
pub fn insert(
    conn: &mut Connection,
    site: &SiteId,
    device: &DeviceId,
    update: &ByHand,
) -> Result<(), DbError> {
    let image = update.image.as_ref();
    let row = Row {
        site: site.to_string(),
        device: device.to_string(),
        n: store_count("updates_by_hand.n", update.n)?,
        performed: update.performed.millis(),
        performed_by: update.performed_by.clone(),
        from_version: update.from_version.clone(),
        to_version: update.to_version.clone(),
        image: image.map(|image| to_json("updates_by_hand.image", image)).transpose()?,
        verified: update.verified.clone(),
        written: update.written.millis(),
        written_by: update.written_by.clone(),
        printed_name: update.printed_name.clone(),
    };
    insert_row(conn, &row)
}

impl Row {
    fn read(self) -> Result<ByHand, DbError> {
        let image = self.image.as_deref();
        Ok(ByHand {
            n: count("updates_by_hand.n", self.n)?,
            performed: Timestamp::from_millis(self.performed),
            performed_by: self.performed_by,
            from_version: self.from_version,
            to_version: self.to_version,
            image: image.map(|json| from_json("updates_by_hand.image", json)).transpose()?,
            verified: self.verified,
            written: Timestamp::from_millis(self.written),
            written_by: self.written_by,
            printed_name: self.printed_name,
        })
    }
}
