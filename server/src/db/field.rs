//! What each hour changed in the numbers of a release, all sites together.
//!
//! Sums of it are the numbers now. Not here: what counts as updated or failed (`protocol::gate::count`).
//! Invariant: a number is moved in the transaction that moves the wave it comes from; no site and no
//! device stands here.

use super::column::from_name;
use super::schema::lifecycle::field_hours;
use super::{Connection, DbError, queries};
use diesel::prelude::*;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::gate::count::Change;
use patchward_protocol::id::FamilyId;
use patchward_protocol::image::ImageRef;
use patchward_protocol::time::Timestamp;
use std::collections::BTreeMap;

/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;
/// Most rows that one release gives: more than a year of hours with four waves.
const ROWS_MAX: i64 = 40_000;

/// What one hour changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    /// Its beginning.
    pub at: Timestamp,
    /// The wave.
    pub wave: u32,
    /// Devices that committed, less those that went back.
    pub updated: i64,
    /// Devices that failed, less those that recovered.
    pub failed: i64,
    /// Devices that fell silent, less those that were heard again.
    pub silent: i64,
}

/// The numbers of a release now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Total {
    /// Devices that committed.
    pub updated: u32,
    /// Devices that failed or went back.
    pub failed: u32,
    /// Devices silent for too long.
    pub silent: u32,
}

impl Total {
    /// Devices of which an outcome is known; silence is no outcome and counts as a failure.
    #[must_use]
    pub const fn seen(&self) -> u32 {
        self.updated.saturating_add(self.troubled())
    }

    /// Devices that failed, went back or fell silent.
    #[must_use]
    pub const fn troubled(&self) -> u32 {
        self.failed.saturating_add(self.silent)
    }
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = field_hours)]
struct Row {
    family: String,
    image_sha256: String,
    hour: i64,
    wave: i64,
    updated: i64,
    failed: i64,
    silent: i64,
}

queries! {
    fn add_row(conn, row: &Row) -> Result<(), DbError> {
        let insert = diesel::insert_into(field_hours::table).values(row);
        let key =
            (field_hours::family, field_hours::image_sha256, field_hours::hour, field_hours::wave);
        let sums = (
            field_hours::updated.eq(field_hours::updated + row.updated),
            field_hours::failed.eq(field_hours::failed + row.failed),
            field_hours::silent.eq(field_hours::silent + row.silent),
        );
        insert.on_conflict(key).do_update().set(sums).execute(conn)?;
        Ok(())
    }

    fn image_rows(conn, family: &str, image: &str) -> Result<Vec<Row>, DbError> {
        let rows = field_hours::table
            .filter(field_hours::family.eq(family))
            .filter(field_hours::image_sha256.eq(image));
        Ok(rows.order((field_hours::hour, field_hours::wave)).limit(ROWS_MAX).load(conn)?)
    }

    fn family_sums(conn, family: &str) -> Result<Vec<(String, i64, i64, i64)>, DbError> {
        let rows = field_hours::table
            .filter(field_hours::family.eq(family))
            .group_by(field_hours::image_sha256)
            .select((
                field_hours::image_sha256,
                diesel::dsl::sql::<diesel::sql_types::BigInt>("CAST(SUM(updated) AS BIGINT)"),
                diesel::dsl::sql::<diesel::sql_types::BigInt>("CAST(SUM(failed) AS BIGINT)"),
                diesel::dsl::sql::<diesel::sql_types::BigInt>("CAST(SUM(silent) AS BIGINT)"),
            ));
        Ok(rows.load(conn)?)
    }
}

/// Adds what a device changed in a wave; most changes move none of these numbers.
///
/// # Errors
/// [`DbError`].
pub fn count(
    conn: &mut Connection,
    image: &ImageRef,
    wave: u32,
    change: &Change,
    at: Timestamp,
) -> Result<(), DbError> {
    let Change { updated, failed, silent, .. } = *change;
    if (updated, failed, silent) == (0, 0, 0) {
        return Ok(());
    }
    let row = Row {
        family: image.family.to_string(),
        image_sha256: image.image_sha256.to_string(),
        hour: at.millis().div_euclid(HOUR_MS),
        wave: i64::from(wave),
        updated,
        failed,
        silent,
    };
    add_row(conn, &row)
}

/// The hours of a release in which something changed, oldest first.
///
/// # Errors
/// [`DbError`].
pub fn hours(
    conn: &mut Connection,
    family: &FamilyId,
    image: &Sha256Digest,
) -> Result<Vec<Hour>, DbError> {
    let rows = image_rows(conn, family.as_str(), &image.to_string())?.into_iter();
    let hour = |row: Row| Hour {
        at: Timestamp::from_millis(row.hour.saturating_mul(HOUR_MS)),
        wave: u32::try_from(row.wave).unwrap_or(u32::MAX),
        updated: row.updated,
        failed: row.failed,
        silent: row.silent,
    };
    Ok(rows.map(hour).collect())
}

/// The numbers of every release of a family now.
///
/// # Errors
/// [`DbError`].
pub fn totals(
    conn: &mut Connection,
    family: &FamilyId,
) -> Result<BTreeMap<Sha256Digest, Total>, DbError> {
    let number = |value: i64| u32::try_from(value).unwrap_or(0);
    let each = family_sums(conn, family.as_str())?.into_iter();
    let total = |(image, updated, failed, silent): (String, i64, i64, i64)| {
        let image = from_name("field_hours.image_sha256", &image)?;
        let (updated, failed, silent) = (number(updated), number(failed), number(silent));
        Ok((image, Total { updated, failed, silent }))
    };
    each.map(total).collect()
}
