//! Rows of passkeys, and of challenges whose answer was taken.
//!
//! Not here: what a passkey's answer must be ([`crate::people::passkey`]). Invariant: a counter moves
//! by compare-and-swap, and a challenge is taken once.

use super::column::{count, instant, parse, store_count};
use super::schema::{passkeys, used_challenges};
use super::{Connection, DbError, queries};
use crate::people::passkey::{Algorithm, CredentialId, Passkey, PublicKey};
use crate::people::who::AccountId;
use diesel::prelude::*;
use patchward_protocol::time::Timestamp;

#[derive(Queryable, Insertable)]
#[diesel(table_name = passkeys)]
struct Row {
    id: String,
    account: i64,
    label: String,
    algorithm: String,
    public_key: String,
    counter: i64,
    created: i64,
    used: Option<i64>,
}

queries! {
    fn insert_row(conn, row: &Row) -> Result<(), DbError> {
        diesel::insert_into(passkeys::table).values(row).execute(conn)?;
        Ok(())
    }

    fn row(conn, id: &str) -> Result<Option<Row>, DbError> {
        Ok(passkeys::table.find(id).first::<Row>(conn).optional()?)
    }

    fn rows(conn, account: i64) -> Result<Vec<Row>, DbError> {
        let rows = passkeys::table.filter(passkeys::account.eq(account));
        Ok(rows.order((passkeys::created, passkeys::id)).load(conn)?)
    }

    fn use_row(conn, id: &str, from: i64, to: i64, at: i64) -> Result<usize, DbError> {
        let row = passkeys::table.find(id).filter(passkeys::counter.eq(from));
        let used = (passkeys::counter.eq(to), passkeys::used.eq(Some(at)));
        Ok(diesel::update(row).set(used).execute(conn)?)
    }

    fn delete_row(conn, account: i64, id: &str) -> Result<usize, DbError> {
        let row = passkeys::table.find(id).filter(passkeys::account.eq(account));
        Ok(diesel::delete(row).execute(conn)?)
    }

    fn delete_rows(conn, account: i64) -> Result<usize, DbError> {
        Ok(diesel::delete(passkeys::table.filter(passkeys::account.eq(account))).execute(conn)?)
    }

    fn take_challenge_row(conn, sha256: &str, ends: i64) -> Result<usize, DbError> {
        let row = (used_challenges::sha256.eq(sha256), used_challenges::ends.eq(ends));
        let insert = diesel::insert_into(used_challenges::table).values(row);
        Ok(insert.on_conflict(used_challenges::sha256).do_nothing().execute(conn)?)
    }

    fn delete_challenges(conn, at: i64) -> Result<usize, DbError> {
        let over = used_challenges::table.filter(used_challenges::ends.le(at));
        Ok(diesel::delete(over).execute(conn)?)
    }
}

/// Stores a new passkey.
///
/// # Errors
/// [`DbError`].
pub fn insert(conn: &mut Connection, passkey: &Passkey) -> Result<(), DbError> {
    insert_row(
        conn,
        &Row {
            id: passkey.id.to_string(),
            account: passkey.account.0,
            label: passkey.label.clone(),
            algorithm: passkey.key.algorithm().word().to_owned(),
            public_key: passkey.key.text(),
            counter: store_count("passkeys.counter", u64::from(passkey.counter))?,
            created: passkey.created.millis(),
            used: passkey.used.map(Timestamp::millis),
        },
    )
}

/// The passkey of a credential id.
///
/// # Errors
/// [`DbError`].
pub fn find(conn: &mut Connection, id: &CredentialId) -> Result<Option<Passkey>, DbError> {
    row(conn, &id.to_string())?.map(Row::read).transpose()
}

/// The passkeys of an account, oldest first.
///
/// # Errors
/// [`DbError`].
pub fn of(conn: &mut Connection, account: AccountId) -> Result<Vec<Passkey>, DbError> {
    rows(conn, account.0)?.into_iter().map(Row::read).collect()
}

/// Moves a counter; `false` when somebody else moved it meanwhile.
///
/// # Errors
/// [`DbError`].
pub fn see(
    conn: &mut Connection,
    passkey: &Passkey,
    counter: u32,
    at: Timestamp,
) -> Result<bool, DbError> {
    let (from, to) = (i64::from(passkey.counter), i64::from(counter));
    Ok(use_row(conn, &passkey.id.to_string(), from, to, at.millis())? == 1)
}

/// Removes a passkey of an account; `false` when it has none such.
///
/// # Errors
/// [`DbError`].
pub fn delete(
    conn: &mut Connection,
    account: AccountId,
    id: &CredentialId,
) -> Result<bool, DbError> {
    Ok(delete_row(conn, account.0, &id.to_string())? == 1)
}

/// Removes all passkeys of an account.
///
/// # Errors
/// [`DbError`].
pub fn delete_all(conn: &mut Connection, account: AccountId) -> Result<usize, DbError> {
    delete_rows(conn, account.0)
}

/// Takes the answer to a challenge; `false` when one was taken before.
///
/// # Errors
/// [`DbError`].
pub fn take_challenge(
    conn: &mut Connection,
    digest: &str,
    ends: Timestamp,
    at: Timestamp,
) -> Result<bool, DbError> {
    delete_challenges(conn, at.millis())?;
    Ok(take_challenge_row(conn, digest, ends.millis())? == 1)
}

impl Row {
    fn read(self) -> Result<Passkey, DbError> {
        let wrong = |column, value: &str| DbError::wrong("passkey", column, value);
        let algorithm = Algorithm::of(&self.algorithm)
            .ok_or_else(|| wrong("passkeys.algorithm", &self.algorithm))?;
        let key = PublicKey::from_text(algorithm, &self.public_key)
            .ok_or_else(|| wrong("passkeys.public_key", &self.public_key))?;
        let counter = count("passkeys.counter", self.counter)?;
        Ok(Passkey {
            id: parse("passkeys.id", &self.id)?,
            account: AccountId(self.account),
            label: self.label,
            key,
            counter: u32::try_from(counter)
                .map_err(|_| wrong("passkeys.counter", &self.counter.to_string()))?,
            created: Timestamp::from_millis(self.created),
            used: instant(self.used),
        })
    }
}
