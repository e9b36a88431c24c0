//! Rows of calendar feeds: who may read which site's calendar by a secret address.
//!
//! Not here: the calendar. Invariant: the secret itself is stored nowhere, only its digest; one feed
//! for a person and a site.

use super::column::from_name;
use super::schema::calendar_feeds;
use super::{Connection, DbError, queries};
use crate::people::who::AccountId;
use diesel::prelude::*;
use patchward_protocol::id::SiteId;
use patchward_protocol::time::Timestamp;

queries! {
    fn put_row(conn, account: i64, site: &str, digest: &str, made: i64) -> Result<(), DbError> {
        let row = (
            calendar_feeds::account.eq(account),
            calendar_feeds::site.eq(site),
            calendar_feeds::digest.eq(digest),
            calendar_feeds::made.eq(made),
        );
        diesel::insert_into(calendar_feeds::table)
            .values(row)
            .on_conflict((calendar_feeds::account, calendar_feeds::site))
            .do_update()
            .set((calendar_feeds::digest.eq(digest), calendar_feeds::made.eq(made)))
            .execute(conn)?;
        Ok(())
    }

    fn delete_row(conn, account: i64, site: &str) -> Result<usize, DbError> {
        Ok(diesel::delete(calendar_feeds::table.find((account, site))).execute(conn)?)
    }

    fn made_row(conn, account: i64, site: &str) -> Result<Option<i64>, DbError> {
        let row = calendar_feeds::table.find((account, site)).select(calendar_feeds::made);
        Ok(row.first::<i64>(conn).optional()?)
    }

    fn digest_row(conn, digest: &str) -> Result<Option<(i64, String)>, DbError> {
        let row = calendar_feeds::table
            .filter(calendar_feeds::digest.eq(digest))
            .select((calendar_feeds::account, calendar_feeds::site));
        Ok(row.first::<(i64, String)>(conn).optional()?)
    }
}

/// Makes the feed of a person at a site; an earlier one ends.
///
/// # Errors
/// [`DbError`].
pub fn put(
    conn: &mut Connection,
    account: AccountId,
    site: &SiteId,
    digest: &str,
    at: Timestamp,
) -> Result<(), DbError> {
    put_row(conn, account.0, site.as_str(), digest, at.millis())
}

/// Ends a feed; `false` when there was none.
///
/// # Errors
/// [`DbError`].
pub fn delete(conn: &mut Connection, account: AccountId, site: &SiteId) -> Result<bool, DbError> {
    Ok(delete_row(conn, account.0, site.as_str())? == 1)
}

/// When the feed of a person at a site was made.
///
/// # Errors
/// [`DbError`].
pub fn made(
    conn: &mut Connection,
    account: AccountId,
    site: &SiteId,
) -> Result<Option<Timestamp>, DbError> {
    Ok(made_row(conn, account.0, site.as_str())?.map(Timestamp::from_millis))
}

/// Whose feed has a secret of this digest.
///
/// # Errors
/// [`DbError`].
pub fn find(conn: &mut Connection, digest: &str) -> Result<Option<(AccountId, SiteId)>, DbError> {
    let Some((account, site)) = digest_row(conn, digest)? else { return Ok(None) };
    Ok(Some((AccountId(account), from_name("calendar_feeds.site", &site)?)))
}
