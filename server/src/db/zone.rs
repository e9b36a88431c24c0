//! Rows of the zones that manufacturers and accounts entered.
//!
//! Not here: which names there are ([`crate::console::zone`]). Invariant: one row for each holder.

use super::schema::zones;
use super::{Connection, DbError, queries};
use diesel::prelude::*;

queries! {
    fn row(conn, holder: &str) -> Result<Option<String>, DbError> {
        Ok(zones::table.find(holder).select(zones::tz).first::<String>(conn).optional()?)
    }

    fn put_row(conn, holder: &str, tz: &str) -> Result<(), DbError> {
        diesel::insert_into(zones::table)
            .values((zones::holder.eq(holder), zones::tz.eq(tz)))
            .on_conflict(zones::holder)
            .do_update()
            .set(zones::tz.eq(tz))
            .execute(conn)?;
        Ok(())
    }
}

/// The zone of a holder, when it entered one.
///
/// # Errors
/// [`DbError`].
pub fn find(conn: &mut Connection, holder: &str) -> Result<Option<String>, DbError> {
    row(conn, holder)
}

/// Stores the zone of a holder.
///
/// # Errors
/// [`DbError`].
pub fn put(conn: &mut Connection, holder: &str, tz: &str) -> Result<(), DbError> {
    put_row(conn, holder, tz)
}
