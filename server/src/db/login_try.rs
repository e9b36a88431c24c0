//! Rows of failed attempts to sign in.
//!
//! Not here: what follows from them ([`crate::people::lockout`]). Invariant: a row is one bucket, and
//! goes when it is old.

use super::column::{count, store_count};
use super::schema::login_tries;
use super::{Connection, DbError, queries};
use crate::people::lockout::Tries;
use diesel::prelude::*;
use patchward_protocol::time::Timestamp;

queries! {
    fn row(conn, bucket: &str) -> Result<Option<(i64, i64)>, DbError> {
        let row = login_tries::table.find(bucket);
        let row = row.select((login_tries::failures, login_tries::last));
        Ok(row.first::<(i64, i64)>(conn).optional()?)
    }

    fn put_row(conn, bucket: &str, failures: i64, last: i64) -> Result<(), DbError> {
        let row = (
            login_tries::bucket.eq(bucket),
            login_tries::failures.eq(failures),
            login_tries::last.eq(last),
        );
        diesel::insert_into(login_tries::table)
            .values(row)
            .on_conflict(login_tries::bucket)
            .do_update()
            .set((login_tries::failures.eq(failures), login_tries::last.eq(last)))
            .execute(conn)?;
        Ok(())
    }

    fn delete_row(conn, bucket: &str) -> Result<(), DbError> {
        diesel::delete(login_tries::table.find(bucket)).execute(conn)?;
        Ok(())
    }

    fn delete_old(conn, before: i64) -> Result<usize, DbError> {
        Ok(diesel::delete(login_tries::table.filter(login_tries::last.lt(before))).execute(conn)?)
    }
}

/// What was tried in a bucket.
///
/// # Errors
/// [`DbError`].
pub fn read(conn: &mut Connection, bucket: &str) -> Result<Tries, DbError> {
    let Some((failures, last)) = row(conn, bucket)? else { return Ok(Tries::default()) };
    Ok(Tries {
        failures: count("login_tries.failures", failures)?,
        last: Timestamp::from_millis(last),
    })
}

/// Stores what was tried.
///
/// # Errors
/// [`DbError`].
pub fn write(conn: &mut Connection, bucket: &str, tries: Tries) -> Result<(), DbError> {
    let failures = store_count("login_tries.failures", tries.failures)?;
    put_row(conn, bucket, failures, tries.last.millis())
}

/// Forgets a bucket.
///
/// # Errors
/// [`DbError`].
pub fn clear(conn: &mut Connection, bucket: &str) -> Result<(), DbError> {
    delete_row(conn, bucket)
}

/// Forgets what was last tried before an instant.
///
/// # Errors
/// [`DbError`].
pub fn sweep(conn: &mut Connection, before: Timestamp) -> Result<usize, DbError> {
    delete_old(conn, before.millis())
}
