//! Rows of sessions: one for each cookie that is good, by the digest of its secret.
//!
//! Not here: how long a session lives ([`crate::people::session`]). Invariant: a session that ended
//! has no row.

use super::schema::sessions;
use super::{Connection, DbError, queries};
use crate::people::session::{Session, Stage};
use crate::people::who::AccountId;
use diesel::prelude::*;
use patchward_protocol::time::Timestamp;

#[derive(Queryable, Insertable)]
#[diesel(table_name = sessions)]
struct Row {
    sha256: String,
    account: i64,
    stage: String,
    created: i64,
    seen: i64,
    ends: i64,
    browser: String,
    address: String,
    pending: Option<String>,
}

queries! {
    fn insert_row(conn, row: &Row) -> Result<(), DbError> {
        diesel::insert_into(sessions::table).values(row).execute(conn)?;
        Ok(())
    }

    fn row(conn, sha256: &str) -> Result<Option<Row>, DbError> {
        Ok(sessions::table.find(sha256).first::<Row>(conn).optional()?)
    }

    fn rows(conn, account: i64) -> Result<Vec<Row>, DbError> {
        let rows = sessions::table.filter(sessions::account.eq(account));
        Ok(rows.order(sessions::created).load(conn)?)
    }

    fn see_row(conn, sha256: &str, at: i64) -> Result<(), DbError> {
        let row = sessions::table.find(sha256).filter(sessions::seen.lt(at));
        diesel::update(row).set(sessions::seen.eq(at)).execute(conn)?;
        Ok(())
    }

    fn set_pending_row(conn, sha256: &str, pending: Option<String>) -> Result<(), DbError> {
        let row = sessions::table.find(sha256);
        diesel::update(row).set(sessions::pending.eq(pending)).execute(conn)?;
        Ok(())
    }

    fn delete_row(conn, sha256: &str) -> Result<usize, DbError> {
        Ok(diesel::delete(sessions::table.find(sha256)).execute(conn)?)
    }

    fn delete_rows_but(conn, account: i64, kept: &str) -> Result<usize, DbError> {
        let rows = sessions::table
            .filter(sessions::account.eq(account))
            .filter(sessions::sha256.ne(kept));
        Ok(diesel::delete(rows).execute(conn)?)
    }

    fn delete_ended(conn, at: i64, idle: i64) -> Result<usize, DbError> {
        let rows = sessions::table.filter(sessions::ends.le(at).or(sessions::seen.le(idle)));
        Ok(diesel::delete(rows).execute(conn)?)
    }
}

/// Stores a new session.
///
/// # Errors
/// [`DbError`].
pub fn insert(conn: &mut Connection, session: &Session) -> Result<(), DbError> {
    insert_row(
        conn,
        &Row {
            sha256: session.digest.clone(),
            account: session.account.0,
            stage: session.stage.word().to_owned(),
            created: session.created.millis(),
            seen: session.seen.millis(),
            ends: session.ends.millis(),
            browser: session.browser.clone(),
            address: session.address.clone(),
            pending: session.pending.clone(),
        },
    )
}

/// The session of a digest, whatever its age.
///
/// # Errors
/// [`DbError`].
pub fn find(conn: &mut Connection, digest: &str) -> Result<Option<Session>, DbError> {
    row(conn, digest)?.map(Row::read).transpose()
}

/// The sessions of an account, oldest first.
///
/// # Errors
/// [`DbError`].
pub fn of(conn: &mut Connection, account: AccountId) -> Result<Vec<Session>, DbError> {
    rows(conn, account.0)?.into_iter().map(Row::read).collect()
}

/// Says that a session was used.
///
/// # Errors
/// [`DbError`].
pub fn see(conn: &mut Connection, digest: &str, at: Timestamp) -> Result<(), DbError> {
    see_row(conn, digest, at.millis())
}

/// Keeps something sealed for the next page of a session.
///
/// # Errors
/// [`DbError`].
pub fn set_pending(
    conn: &mut Connection,
    digest: &str,
    pending: Option<String>,
) -> Result<(), DbError> {
    set_pending_row(conn, digest, pending)
}

/// Ends a session; `false` when there was none.
///
/// # Errors
/// [`DbError`].
pub fn delete(conn: &mut Connection, digest: &str) -> Result<bool, DbError> {
    Ok(delete_row(conn, digest)? == 1)
}

/// Ends all sessions of an account but one; an empty digest keeps none.
///
/// # Errors
/// [`DbError`].
pub fn delete_others(
    conn: &mut Connection,
    account: AccountId,
    kept: &str,
) -> Result<usize, DbError> {
    delete_rows_but(conn, account.0, kept)
}

/// Removes what ended by itself: its end is over, or it was last used at or before `idle`.
///
/// # Errors
/// [`DbError`].
pub fn sweep(conn: &mut Connection, at: Timestamp, idle: Timestamp) -> Result<usize, DbError> {
    delete_ended(conn, at.millis(), idle.millis())
}

impl Row {
    fn read(self) -> Result<Session, DbError> {
        let stage = Stage::of(&self.stage)
            .ok_or_else(|| DbError::wrong("stage", "sessions.stage", &self.stage))?;
        Ok(Session {
            digest: self.sha256,
            account: AccountId(self.account),
            stage,
            created: Timestamp::from_millis(self.created),
            seen: Timestamp::from_millis(self.seen),
            ends: Timestamp::from_millis(self.ends),
            browser: self.browser,
            address: self.address,
            pending: self.pending,
        })
    }
}
