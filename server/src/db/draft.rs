//! Rows of drafts: one open draft for each site, moved by compare-and-swap.
//!
//! Not here: what a draft says ([`crate::consent::draft`]). Invariant: a revision is followed by the
//! next one, once.

use super::column::{count, from_json, store_count, to_json};
use super::schema::draft::drafts;
use super::{Connection, DbError, queries};
use crate::consent::draft::Draft;
use diesel::prelude::*;
use patchward_protocol::id::SiteId;
use patchward_protocol::time::Timestamp;

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = drafts)]
struct Row {
    site: String,
    revision: i64,
    changed: i64,
    document: String,
}

queries! {
    fn row(conn, site: &str) -> Result<Option<Row>, DbError> {
        Ok(drafts::table.find(site).first::<Row>(conn).optional()?)
    }

    fn changed_rows(conn) -> Result<Vec<(String, i64)>, DbError> {
        Ok(drafts::table.order(drafts::site).select((drafts::site, drafts::changed)).load(conn)?)
    }

    fn insert_row(conn, row: &Row) -> Result<usize, DbError> {
        let insert = diesel::insert_into(drafts::table).values(row);
        Ok(insert.on_conflict_do_nothing().execute(conn)?)
    }

    fn update_row(conn, row: &Row, from: i64) -> Result<usize, DbError> {
        let old = drafts::table
            .filter(drafts::site.eq(&row.site))
            .filter(drafts::revision.eq(from));
        Ok(diesel::update(old).set(row).execute(conn)?)
    }

    fn delete_row(conn, site: &str, revision: i64) -> Result<usize, DbError> {
        let old = drafts::table
            .filter(drafts::site.eq(site))
            .filter(drafts::revision.eq(revision));
        Ok(diesel::delete(old).execute(conn)?)
    }
}

/// The open draft of a site.
///
/// # Errors
/// [`DbError`].
pub fn find(conn: &mut Connection, site: &SiteId) -> Result<Option<Draft>, DbError> {
    let read = |(revision, text): (u64, String)| Ok(Draft { revision, ..self::read(&text)? });
    stored(conn, site)?.map(read).transpose()
}

/// The open draft of a site as it is stored: its revision and its text.
///
/// # Errors
/// [`DbError`].
pub fn stored(conn: &mut Connection, site: &SiteId) -> Result<Option<(u64, String)>, DbError> {
    let read = |row: Row| Ok((count("drafts.revision", row.revision)?, row.document));
    row(conn, site.as_str())?.map(read).transpose()
}

/// A draft of its stored text, without its revision.
///
/// # Errors
/// [`DbError::Column`].
pub fn read(text: &str) -> Result<Draft, DbError> {
    from_json("drafts.document", text)
}

/// Sites with an open draft, and when each was last changed.
///
/// # Errors
/// [`DbError`].
pub fn waiting(conn: &mut Connection) -> Result<Vec<(SiteId, Timestamp)>, DbError> {
    let read = |(site, changed): (String, i64)| {
        let site = super::column::from_name("drafts.site", &site)?;
        Ok((site, Timestamp::from_millis(changed)))
    };
    changed_rows(conn)?.into_iter().map(read).collect()
}

/// Stores a draft after the revision that it carries (0: there was none), under the next one; `false`
/// when another revision is stored.
///
/// # Errors
/// [`DbError`].
pub fn swap(conn: &mut Connection, draft: &Draft, at: Timestamp) -> Result<bool, DbError> {
    let row = Row {
        site: draft.site.to_string(),
        revision: store_count("drafts.revision", draft.revision.saturating_add(1))?,
        changed: at.millis(),
        document: to_json("drafts.document", draft)?,
    };
    let moved = match draft.revision {
        0 => insert_row(conn, &row)?,
        from => update_row(conn, &row, store_count("drafts.revision", from)?)?,
    };
    Ok(moved == 1)
}

/// Removes a draft of this revision; `false` when another one is stored.
///
/// # Errors
/// [`DbError`].
pub fn remove(conn: &mut Connection, site: &SiteId, revision: u64) -> Result<bool, DbError> {
    let revision = store_count("drafts.revision", revision)?;
    Ok(delete_row(conn, site.as_str(), revision)? == 1)
}
