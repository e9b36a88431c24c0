//! Rows of keys that the server keeps for people, sealed.
//!
//! Not here: sealing and opening ([`crate::consent::draft::custodial`]). Invariant: a person of a site
//! has one such key at most, and it is stored sealed.

use super::column::{parse, to_name};
use super::schema::draft::custodial_keys;
use super::{Connection, DbError, queries};
use diesel::prelude::*;
use patchward_protocol::id::{PersonId, SiteId};
use patchward_protocol::key::PublicKey;
use patchward_protocol::time::Timestamp;

/// A sealed key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedKey {
    /// The site.
    pub site: SiteId,
    /// Whose.
    pub person: PersonId,
    /// Its public half.
    pub public: PublicKey,
    /// Salt of the password's hash.
    pub salt: String,
    /// Nonce and cipher text.
    pub sealed: String,
    /// When it was made.
    pub created: Timestamp,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = custodial_keys)]
struct Row {
    site: String,
    person: String,
    public_key: String,
    salt: String,
    sealed: String,
    created: i64,
}

queries! {
    fn row(conn, site: &str, person: &str) -> Result<Option<Row>, DbError> {
        Ok(custodial_keys::table.find((site, person)).first::<Row>(conn).optional()?)
    }

    fn insert_row(conn, row: &Row) -> Result<usize, DbError> {
        let insert = diesel::insert_into(custodial_keys::table).values(row);
        Ok(insert.on_conflict_do_nothing().execute(conn)?)
    }

    fn delete_row(conn, site: &str, person: &str) -> Result<usize, DbError> {
        Ok(diesel::delete(custodial_keys::table.find((site, person))).execute(conn)?)
    }
}

/// The key of a person.
///
/// # Errors
/// [`DbError`].
pub fn find(
    conn: &mut Connection,
    site: &SiteId,
    person: &PersonId,
) -> Result<Option<SealedKey>, DbError> {
    let read = |row: Row| {
        Ok(SealedKey {
            site: parse("custodial_keys.site", &row.site)?,
            person: parse("custodial_keys.person", &row.person)?,
            public: parse("custodial_keys.public_key", &row.public_key)?,
            salt: row.salt,
            sealed: row.sealed,
            created: Timestamp::from_millis(row.created),
        })
    };
    row(conn, site.as_str(), person.as_str())?.map(read).transpose()
}

/// Stores a key; `false` when the person has one.
///
/// # Errors
/// [`DbError`].
pub fn insert(conn: &mut Connection, key: &SealedKey) -> Result<bool, DbError> {
    let row = Row {
        site: key.site.to_string(),
        person: key.person.to_string(),
        public_key: to_name("custodial_keys.public_key", &key.public)?,
        salt: key.salt.clone(),
        sealed: key.sealed.clone(),
        created: key.created.millis(),
    };
    Ok(insert_row(conn, &row)? == 1)
}

/// Forgets the key of a person; `false` when there is none.
///
/// # Errors
/// [`DbError`].
pub fn remove(conn: &mut Connection, site: &SiteId, person: &PersonId) -> Result<bool, DbError> {
    Ok(delete_row(conn, site.as_str(), person.as_str())? == 1)
}
