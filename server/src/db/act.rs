//! What people and the server did to the server itself, in order; rows are inserted only.
//!
//! Not here: devices' ledgers. Invariant: an act is appended in the transaction that does it.

use super::schema::acts;
use super::{Connection, DbError, queries};
use crate::record::log;
use diesel::prelude::*;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::record::entry::{Body, ServerAct};
use patchward_protocol::time::Timestamp;

/// One act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// When.
    pub at: Timestamp,
    /// What it is about: a repository's id, or `server`.
    pub scope: String,
    /// Who: the name of an API token, or `server`. Never a person's name.
    pub who: String,
    /// What was done, e.g. `publish`.
    pub act: &'static str,
    /// Particulars as JSON.
    pub detail: serde_json::Value,
}

/// Number, time, scope, who, act, particulars.
type Row = (i64, i64, String, String, String, String);

queries! {
    fn last_n(conn) -> Result<Option<i64>, DbError> {
        Ok(acts::table.select(diesel::dsl::max(acts::n)).first::<Option<i64>>(conn)?)
    }

    fn insert(conn, n: i64, act: &Act, detail: &str) -> Result<(), DbError> {
        let row = (
            acts::n.eq(n),
            acts::at.eq(act.at.millis()),
            acts::scope.eq(&act.scope),
            acts::who.eq(&act.who),
            acts::act.eq(act.act),
            acts::detail.eq(detail),
        );
        diesel::insert_into(acts::table).values(row).execute(conn)?;
        Ok(())
    }

    fn recent_rows(conn, scopes: &[String], before: i64, limit: i64) -> Result<Vec<Row>, DbError> {
        // The nightly signature that keeps metadata fresh is no act of anybody's.
        Ok(acts::table
            .filter(acts::scope.eq_any(scopes))
            .filter(acts::n.lt(before))
            .filter(acts::act.ne("refresh"))
            .order(acts::n.desc())
            .limit(limit)
            .load(conn)?)
    }

    /// The acts about a scope, oldest first: who and what.
    pub fn about(conn, scope: &str) -> Result<Vec<(String, String, String)>, DbError> {
        Ok(acts::table
            .filter(acts::scope.eq(scope))
            .order(acts::n)
            .select((acts::who, acts::act, acts::detail))
            .load(conn)?)
    }
}

/// An act as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its number.
    pub n: i64,
    /// When.
    pub at: Timestamp,
    /// What it is about.
    pub scope: String,
    /// Who.
    pub who: String,
    /// What was done.
    pub act: String,
    /// Particulars as JSON.
    pub detail: String,
}

/// The acts of people about these scopes before number `before`, the newest first.
///
/// # Errors
/// [`DbError`].
pub fn recent(
    conn: &mut Connection,
    scopes: &[String],
    before: i64,
    limit: i64,
) -> Result<Vec<Stored>, DbError> {
    let rows = recent_rows(conn, scopes, before, limit)?.into_iter();
    let stored = |(n, at, scope, who, act, detail): Row| Stored {
        n,
        at: Timestamp::from_millis(at),
        scope,
        who,
        act,
        detail,
    };
    Ok(rows.map(stored).collect())
}

/// Appends an act, and makes one about a site an entry of that site's record too. Writers come one
/// after the other, so the numbers have no gaps.
///
/// # Errors
/// [`DbError`].
pub fn append(conn: &mut Connection, act: &Act) -> Result<(), DbError> {
    let next = last_n(conn)?.unwrap_or(0).saturating_add(1);
    insert(conn, next, act, &act.detail.to_string())?;
    let Ok(RepositoryId::Site(site)) = act.scope.parse() else { return Ok(()) };
    // The nightly signature that keeps metadata fresh is no act of anybody's.
    if act.act != "refresh" {
        let said = ServerAct::new(&act.who, act.act, act.detail.clone());
        log::append(conn, &site, Body::Server(said), act.at)?;
    }
    Ok(())
}
