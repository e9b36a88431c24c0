//! Rows of roles: which account holds which role where.
//!
//! Not here: who may give one ([`crate::people::duty`]). Invariant: a role is held once.

use super::schema::grants;
use super::{Connection, DbError, queries};
use crate::people::role::{Grant, Place};
use crate::people::who::AccountId;
use diesel::prelude::*;
use patchward_protocol::time::Timestamp;

queries! {
    fn rows(conn, account: i64) -> Result<Vec<(String, String)>, DbError> {
        let rows = grants::table.filter(grants::account.eq(account));
        Ok(rows.select((grants::place, grants::role)).load(conn)?)
    }

    fn rows_at(conn, place: &str) -> Result<Vec<(i64, String)>, DbError> {
        let rows = grants::table.filter(grants::place.eq(place));
        Ok(rows.order((grants::account, grants::role)).select((grants::account, grants::role)).load(conn)?)
    }

    fn insert_row(conn, account: i64, place: &str, role: &str, by: &str, at: i64) -> Result<(), DbError> {
        let row = (
            grants::account.eq(account),
            grants::place.eq(place),
            grants::role.eq(role),
            grants::granted_by.eq(by),
            grants::granted.eq(at),
        );
        diesel::insert_into(grants::table).values(row).execute(conn)?;
        Ok(())
    }

    fn delete_row(conn, account: i64, place: &str, role: &str) -> Result<usize, DbError> {
        Ok(diesel::delete(grants::table.find((account, place, role))).execute(conn)?)
    }
}

/// The roles of an account, sorted.
///
/// # Errors
/// [`DbError`].
pub fn of(conn: &mut Connection, account: AccountId) -> Result<Vec<Grant>, DbError> {
    let read = |(place, role): (String, String)| read(&place, &role);
    let mut all: Vec<_> = rows(conn, account.0)?.into_iter().map(read).collect::<Result<_, _>>()?;
    all.sort();
    Ok(all)
}

/// Who holds which role at a place.
///
/// # Errors
/// [`DbError`].
pub fn at(conn: &mut Connection, place: &Place) -> Result<Vec<(AccountId, Grant)>, DbError> {
    let text = place.to_string();
    let read = |(account, role): (i64, String)| Ok((AccountId(account), read(&text, &role)?));
    rows_at(conn, &text)?.into_iter().map(read).collect()
}

/// Gives a role.
///
/// # Errors
/// [`DbError`], also where the account holds it already.
pub fn insert(
    conn: &mut Connection,
    account: AccountId,
    grant: &Grant,
    by: &str,
    at: Timestamp,
) -> Result<(), DbError> {
    insert_row(conn, account.0, &grant.place().to_string(), grant.word(), by, at.millis())
}

/// Takes a role away; `false` when the account did not hold it.
///
/// # Errors
/// [`DbError`].
pub fn delete(conn: &mut Connection, account: AccountId, grant: &Grant) -> Result<bool, DbError> {
    Ok(delete_row(conn, account.0, &grant.place().to_string(), grant.word())? == 1)
}

/// Reads a stored role.
///
/// # Errors
/// [`DbError::Column`].
pub fn read(place: &str, role: &str) -> Result<Grant, DbError> {
    let found = Place::of(place).and_then(|place| Grant::of(&place, role));
    found.ok_or_else(|| DbError::wrong("role", "grants.role", &format!("{place} {role}")))
}
