//! What moved outside of repositories: one counter for each scope, raised in the transaction that
//! changes something there, so that every server on the database follows.
//!
//! Not here: what follows from it ([`crate::consent::state`]). Invariant: a counter only rises.

use super::schema::changes;
use super::{Connection, DbError, queries};
use diesel::prelude::*;
use patchward_protocol::id::{FamilyId, RepositoryId, SiteId};

/// Scope of what concerns every site.
const SERVER: &str = "server";
/// Begins the scope of a site's devices.
const DEVICES: &str = "devices:";

/// Where something moved.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// At a site: inventory, holds, acts, waves.
    Site(SiteId),
    /// Devices of a site joined, or have other keys.
    Devices(SiteId),
    /// In a family: the manufacturer's holds and campaigns.
    Family(FamilyId),
    /// Everywhere: the operator's holds.
    Server,
}

queries! {
    fn add_row(conn, scope: &str) -> Result<(), DbError> {
        let row = (changes::scope.eq(scope), changes::seq.eq(1));
        diesel::insert_into(changes::table)
            .values(row)
            .on_conflict(changes::scope)
            .do_update()
            .set(changes::seq.eq(changes::seq + 1))
            .execute(conn)?;
        Ok(())
    }

    fn rows(conn) -> Result<Vec<(String, i64)>, DbError> {
        Ok(changes::table.load(conn)?)
    }
}

/// Raises the counter of a scope.
///
/// # Errors
/// [`DbError`].
pub fn mark(conn: &mut Connection, scope: &Scope) -> Result<(), DbError> {
    add_row(conn, &scope.text())
}

/// Every scope with its counter.
///
/// # Errors
/// [`DbError`].
pub fn all(conn: &mut Connection) -> Result<Vec<(Scope, u64)>, DbError> {
    let read = |(scope, seq): (String, i64)| {
        Ok((Scope::read(&scope)?, super::column::count("changes.seq", seq)?))
    };
    rows(conn)?.into_iter().map(read).collect()
}

impl Scope {
    fn text(&self) -> String {
        match self {
            Self::Site(site) => RepositoryId::Site(site.clone()).to_string(),
            Self::Devices(site) => format!("{DEVICES}{site}"),
            Self::Family(family) => RepositoryId::Family(family.clone()).to_string(),
            Self::Server => SERVER.to_owned(),
        }
    }

    fn read(text: &str) -> Result<Self, DbError> {
        if text == SERVER {
            return Ok(Self::Server);
        }
        if let Some(site) = text.strip_prefix(DEVICES) {
            return super::column::parse("changes.scope", site).map(Self::Devices);
        }
        Ok(match super::column::parse("changes.scope", text)? {
            RepositoryId::Site(site) => Self::Site(site),
            RepositoryId::Family(family) => Self::Family(family),
        })
    }
}
