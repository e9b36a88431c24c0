//! Rows of one-time links for people, by the digest of their secret.
//!
//! Not here: who may invite whom ([`crate::people::invite`]). Invariant: a link is used by
//! compare-and-swap: of two who follow it at once one gets in.

use super::column::{instant, parse_some};
use super::schema::invitations;
use super::{Connection, DbError, queries};
use crate::people::invitation::{Invitation, Purpose};
use crate::people::role::Place;
use crate::people::who::{AccountId, Language};
use diesel::prelude::*;
use patchward_protocol::time::Timestamp;

#[derive(Queryable, Insertable)]
#[diesel(table_name = invitations)]
struct Row {
    id: String,
    sha256: String,
    purpose: String,
    place: String,
    role: String,
    person: Option<String>,
    account: Option<i64>,
    name: String,
    title: String,
    language: String,
    inviter: Option<i64>,
    invited_by: String,
    created: i64,
    expires: i64,
    used_at: Option<i64>,
    used_by: Option<i64>,
    revoked: Option<i64>,
}

queries! {
    fn insert_row(conn, row: &Row) -> Result<(), DbError> {
        diesel::insert_into(invitations::table).values(row).execute(conn)?;
        Ok(())
    }

    fn row(conn, sha256: &str) -> Result<Option<Row>, DbError> {
        let found = invitations::table.filter(invitations::sha256.eq(sha256));
        Ok(found.first::<Row>(conn).optional()?)
    }

    fn open_rows(conn, place: &str, at: i64) -> Result<Vec<Row>, DbError> {
        let rows = invitations::table
            .filter(invitations::place.eq(place))
            .filter(invitations::used_at.is_null())
            .filter(invitations::revoked.is_null())
            .filter(invitations::expires.gt(at));
        Ok(rows.order((invitations::created, invitations::id)).load(conn)?)
    }

    fn use_row(conn, id: &str, by: i64, at: i64) -> Result<usize, DbError> {
        let open = invitations::table
            .find(id)
            .filter(invitations::used_at.is_null())
            .filter(invitations::revoked.is_null());
        let used = (invitations::used_at.eq(Some(at)), invitations::used_by.eq(Some(by)));
        Ok(diesel::update(open).set(used).execute(conn)?)
    }

    fn revoke_row(conn, id: &str, place: &str, at: i64) -> Result<usize, DbError> {
        let open = invitations::table
            .find(id)
            .filter(invitations::place.eq(place))
            .filter(invitations::used_at.is_null())
            .filter(invitations::revoked.is_null());
        Ok(diesel::update(open).set(invitations::revoked.eq(Some(at))).execute(conn)?)
    }

    fn revoke_rows_of(conn, inviter: i64, at: i64) -> Result<usize, DbError> {
        let open = invitations::table
            .filter(invitations::inviter.eq(Some(inviter)))
            .filter(invitations::used_at.is_null())
            .filter(invitations::revoked.is_null());
        Ok(diesel::update(open).set(invitations::revoked.eq(Some(at))).execute(conn)?)
    }

    fn revoke_rows_for(conn, account: i64, purpose: &str, at: i64) -> Result<usize, DbError> {
        let open = invitations::table
            .filter(invitations::account.eq(Some(account)))
            .filter(invitations::purpose.eq(purpose))
            .filter(invitations::used_at.is_null())
            .filter(invitations::revoked.is_null());
        Ok(diesel::update(open).set(invitations::revoked.eq(Some(at))).execute(conn)?)
    }
}

/// Stores a new one.
///
/// # Errors
/// [`DbError`].
pub fn insert(conn: &mut Connection, invitation: &Invitation, digest: &str) -> Result<(), DbError> {
    let (purpose, place, role) = match &invitation.purpose {
        Purpose::Join { grant, .. } => ("join", grant.place(), grant.word()),
        Purpose::Password(_) => ("password", Place::Server, ""),
        Purpose::Second(_) => ("second", Place::Server, ""),
    };
    let (person, account) = match &invitation.purpose {
        Purpose::Join { person, .. } => (person.as_ref().map(ToString::to_string), None),
        Purpose::Password(account) | Purpose::Second(account) => (None, Some(account.0)),
    };
    insert_row(
        conn,
        &Row {
            id: invitation.id.clone(),
            sha256: digest.to_owned(),
            purpose: purpose.to_owned(),
            place: place.to_string(),
            role: role.to_owned(),
            person,
            account,
            name: invitation.name.clone(),
            title: invitation.title.clone(),
            language: invitation.language.tag().to_owned(),
            inviter: invitation.inviter.map(|id| id.0),
            invited_by: invitation.invited_by.clone(),
            created: invitation.created.millis(),
            expires: invitation.expires.millis(),
            used_at: None,
            used_by: None,
            revoked: None,
        },
    )
}

/// The one of a digest, whatever its state.
///
/// # Errors
/// [`DbError`].
pub fn find(conn: &mut Connection, digest: &str) -> Result<Option<Invitation>, DbError> {
    row(conn, digest)?.map(Row::read).transpose()
}

/// Those to a place that still can be used, oldest first.
///
/// # Errors
/// [`DbError`].
pub fn open(
    conn: &mut Connection,
    place: &Place,
    at: Timestamp,
) -> Result<Vec<Invitation>, DbError> {
    open_rows(conn, &place.to_string(), at.millis())?.into_iter().map(Row::read).collect()
}

/// Uses one up; `false` when it was used or taken back before.
///
/// # Errors
/// [`DbError`].
pub fn take(
    conn: &mut Connection,
    id: &str,
    by: AccountId,
    at: Timestamp,
) -> Result<bool, DbError> {
    Ok(use_row(conn, id, by.0, at.millis())? == 1)
}

/// Takes one to a place back; `false` when there is none that is open.
///
/// # Errors
/// [`DbError`].
pub fn revoke(
    conn: &mut Connection,
    id: &str,
    place: &Place,
    at: Timestamp,
) -> Result<bool, DbError> {
    Ok(revoke_row(conn, id, &place.to_string(), at.millis())? == 1)
}

/// Takes back what an account has invited, and the links by which it could choose a new password or
/// set up a second factor.
///
/// # Errors
/// [`DbError`].
pub fn revoke_all(conn: &mut Connection, account: AccountId, at: Timestamp) -> Result<(), DbError> {
    revoke_rows_of(conn, account.0, at.millis())?;
    revoke_rows_for(conn, account.0, "password", at.millis())?;
    revoke_second(conn, account, at)
}

/// Takes back the links by which an account could set up a second factor.
///
/// # Errors
/// [`DbError`].
pub fn revoke_second(
    conn: &mut Connection,
    account: AccountId,
    at: Timestamp,
) -> Result<(), DbError> {
    revoke_rows_for(conn, account.0, "second", at.millis())?;
    Ok(())
}

impl Row {
    fn read(self) -> Result<Invitation, DbError> {
        let purpose = match (self.purpose.as_str(), self.account) {
            ("password", Some(account)) => Purpose::Password(AccountId(account)),
            ("second", Some(account)) => Purpose::Second(AccountId(account)),
            ("join", _) => Purpose::Join {
                grant: super::grant::read(&self.place, &self.role)?,
                person: parse_some("invitations.person", self.person.as_deref())?,
            },
            _ => return Err(DbError::wrong("purpose", "invitations.purpose", &self.purpose)),
        };
        let language = Language::of(&self.language)
            .ok_or_else(|| DbError::wrong("language", "invitations.language", &self.language))?;
        Ok(Invitation {
            id: self.id,
            purpose,
            name: self.name,
            title: self.title,
            language,
            inviter: self.inviter.map(AccountId),
            invited_by: self.invited_by,
            created: Timestamp::from_millis(self.created),
            expires: Timestamp::from_millis(self.expires),
            used: instant(self.used_at),
            revoked: instant(self.revoked),
        })
    }
}
