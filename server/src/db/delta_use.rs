//! How each device got the image that it staged last: one row for each device.
//!
//! Not here: what the ledger says besides. Invariant: a row says what the device signed, and is written
//! in the transaction that stores the entry.

use super::column::{count, from_name, instant, parse, parse_some, store_count, to_name};
use super::schema::delta_uses as table;
use super::{Connection, DbError, queries};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use patchward_protocol::api::delta::DeltaUse;
use patchward_protocol::id::{FamilyId, SiteId};
use patchward_protocol::ledger::Carried;
use patchward_protocol::reason::Reason;

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = table, treat_none_as_null = true)]
struct Row {
    site: String,
    device: String,
    family: String,
    image_sha256: String,
    delta_sha256: Option<String>,
    fetched_bytes: i64,
    full_bytes: i64,
    windows: i64,
    windows_full: i64,
    reason: Option<String>,
    at: Option<i64>,
}

queries! {
    fn put_row(conn, row: &Row) -> Result<(), DbError> {
        diesel::insert_into(table::table)
            .values(row)
            .on_conflict((table::site, table::device))
            .do_update()
            .set(row)
            .execute(conn)?;
        Ok(())
    }

    fn rows_of(conn, family: &str) -> Result<Vec<Row>, DbError> {
        let of = table::table.filter(table::family.eq(family));
        Ok(of.order((table::device, table::site)).load(conn)?)
    }

    /// Bytes that devices did not fetch because of deltas, as of the images that they staged last.
    pub fn saved_bytes(conn) -> Result<i64, DbError> {
        let sum = sql::<BigInt>("CAST(COALESCE(SUM(full_bytes - fetched_bytes), 0) AS BIGINT)");
        let used = table::table.filter(table::delta_sha256.is_not_null());
        Ok(used.select(sum).first::<i64>(conn)?)
    }
}

/// Stores what a device said.
///
/// # Errors
/// [`DbError`].
pub fn put(
    conn: &mut Connection,
    site: &SiteId,
    family: &FamilyId,
    said: &DeltaUse,
) -> Result<(), DbError> {
    let Carried { delta_sha256, fetched_bytes, full_bytes, windows, windows_full } = &said.carried;
    let reason = said.reason.map(|reason| to_name("delta_uses.reason", &reason)).transpose()?;
    put_row(
        conn,
        &Row {
            site: site.to_string(),
            device: said.device.to_string(),
            family: family.to_string(),
            image_sha256: said.image_sha256.to_string(),
            delta_sha256: delta_sha256.map(|sha256| sha256.to_string()),
            fetched_bytes: store_count("delta_uses.fetched_bytes", *fetched_bytes)?,
            full_bytes: store_count("delta_uses.full_bytes", *full_bytes)?,
            windows: i64::from(*windows),
            windows_full: i64::from(*windows_full),
            reason,
            at: said.at.map(patchward_protocol::time::Timestamp::millis),
        },
    )
}

/// What devices of a family said, by device.
///
/// # Errors
/// [`DbError`].
pub fn of_family(conn: &mut Connection, family: &FamilyId) -> Result<Vec<DeltaUse>, DbError> {
    rows_of(conn, family.as_str())?.into_iter().map(Row::read).collect()
}

impl Row {
    fn read(self) -> Result<DeltaUse, DbError> {
        let windows = |column, value: i64| {
            u32::try_from(value).map_err(|_| DbError::Column {
                column,
                kind: "u32",
                value: value.to_string(),
            })
        };
        let carried = Carried {
            delta_sha256: parse_some("delta_uses.delta_sha256", self.delta_sha256.as_deref())?,
            fetched_bytes: count("delta_uses.fetched_bytes", self.fetched_bytes)?,
            full_bytes: count("delta_uses.full_bytes", self.full_bytes)?,
            windows: windows("delta_uses.windows", self.windows)?,
            windows_full: windows("delta_uses.windows_full", self.windows_full)?,
        };
        let reason = |code: String| from_name::<Reason>("delta_uses.reason", &code);
        Ok(DeltaUse {
            device: parse("delta_uses.device", &self.device)?,
            image_sha256: parse("delta_uses.image_sha256", &self.image_sha256)?,
            carried,
            reason: self.reason.map(reason).transpose()?,
            at: instant(self.at),
        })
    }
}
