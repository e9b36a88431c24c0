//! Rows of inventories: one document for each site, moved by compare-and-swap.
//!
//! Not here: whether an inventory is in order (`protocol::inventory`). Invariant: a revision is
//! followed by the next one, once.

use super::column::{count, from_json, store_count, to_json};
use super::schema::inventories;
use super::{Connection, DbError, queries};
use diesel::prelude::*;
use patchward_protocol::id::{FreezeId, SiteId};
use patchward_protocol::inventory::Inventory;
use patchward_protocol::time::Timestamp;
use std::collections::BTreeMap;

/// When each freeze was entered in its present form.
pub type Frozen = BTreeMap<FreezeId, Timestamp>;

/// An inventory as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredInventory {
    /// The document.
    pub inventory: Inventory,
    /// When its freezes were entered.
    pub frozen: Frozen,
    /// When it was changed.
    pub changed: Timestamp,
    /// Who changed it: the name of a token.
    pub changed_by: String,
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = inventories)]
struct Row {
    site: String,
    revision: i64,
    document: String,
    frozen: String,
    changed: i64,
    changed_by: String,
}

queries! {
    fn row(conn, site: &str) -> Result<Option<Row>, DbError> {
        Ok(inventories::table.find(site).first::<Row>(conn).optional()?)
    }

    fn revision_row(conn, site: &str) -> Result<Option<i64>, DbError> {
        let row = inventories::table.find(site);
        Ok(row.select(inventories::revision).first::<i64>(conn).optional()?)
    }

    fn insert_row(conn, row: &Row) -> Result<usize, DbError> {
        let insert = diesel::insert_into(inventories::table).values(row);
        Ok(insert.on_conflict_do_nothing().execute(conn)?)
    }

    fn update_row(conn, row: &Row, from: i64) -> Result<usize, DbError> {
        let old = inventories::table
            .filter(inventories::site.eq(&row.site))
            .filter(inventories::revision.eq(from));
        Ok(diesel::update(old).set(row).execute(conn)?)
    }
}

/// The inventory of a site.
///
/// # Errors
/// [`DbError`].
pub fn find(conn: &mut Connection, site: &SiteId) -> Result<Option<StoredInventory>, DbError> {
    row(conn, site.as_str())?.map(Row::stored).transpose()
}

/// The revision of a site's inventory, without reading it.
///
/// # Errors
/// [`DbError`].
pub fn revision(conn: &mut Connection, site: &SiteId) -> Result<Option<u64>, DbError> {
    let found = revision_row(conn, site.as_str())?;
    found.map(|revision| count("inventories.revision", revision)).transpose()
}

/// Stores the inventory of a site after revision `from` (0: there was none); `false` when another
/// revision is stored.
///
/// # Errors
/// [`DbError`].
pub fn swap(conn: &mut Connection, stored: &StoredInventory, from: u64) -> Result<bool, DbError> {
    let row = Row::of(stored)?;
    let moved = match from {
        0 => insert_row(conn, &row)?,
        _ => update_row(conn, &row, store_count("inventories.revision", from)?)?,
    };
    Ok(moved == 1)
}

impl Row {
    fn of(stored: &StoredInventory) -> Result<Self, DbError> {
        let inventory = &stored.inventory;
        Ok(Self {
            site: inventory.site.to_string(),
            revision: store_count("inventories.revision", inventory.revision)?,
            document: to_json("inventories.document", inventory)?,
            frozen: to_json("inventories.frozen", &stored.frozen)?,
            changed: stored.changed.millis(),
            changed_by: stored.changed_by.clone(),
        })
    }

    fn stored(self) -> Result<StoredInventory, DbError> {
        let mut inventory: Inventory = from_json("inventories.document", &self.document)?;
        inventory.revision = count("inventories.revision", self.revision)?;
        Ok(StoredInventory {
            inventory,
            frozen: from_json("inventories.frozen", &self.frozen)?,
            changed: Timestamp::from_millis(self.changed),
            changed_by: self.changed_by,
        })
    }
}
