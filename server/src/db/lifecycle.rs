//! Rows of what manufacturers said of their families' lives; inserted only.
//!
//! Not here: which days are taken ([`crate::lifecycle`]). Invariant: a revision is followed by the
//! next one, once.

use super::column::{count, from_json, from_name, store_count, to_json};
use super::schema::lifecycle::lifecycles;
use super::{Connection, DbError, queries};
use crate::lifecycle::{Lifecycle, Said};
use diesel::prelude::*;
use patchward_protocol::id::FamilyId;
use patchward_protocol::time::Timestamp;

#[derive(Queryable, Insertable)]
#[diesel(table_name = lifecycles)]
struct Row {
    family: String,
    revision: i64,
    maker: String,
    document: String,
    said: i64,
    said_by: String,
    printed_name: String,
}

queries! {
    fn insert_row(conn, row: &Row) -> Result<usize, DbError> {
        let insert = diesel::insert_into(lifecycles::table).values(row);
        Ok(insert.on_conflict_do_nothing().execute(conn)?)
    }

    fn family_rows(conn, family: &str) -> Result<Vec<Row>, DbError> {
        let rows = lifecycles::table.filter(lifecycles::family.eq(family));
        Ok(rows.order(lifecycles::revision.desc()).load(conn)?)
    }

    fn all_rows(conn) -> Result<Vec<Row>, DbError> {
        Ok(lifecycles::table.order((lifecycles::family, lifecycles::revision)).load(conn)?)
    }
}

/// Appends a statement; `false` when another has its revision.
///
/// # Errors
/// [`DbError`].
pub fn insert(conn: &mut Connection, family: &FamilyId, said: &Said) -> Result<bool, DbError> {
    let row = Row {
        family: family.to_string(),
        revision: store_count("lifecycles.revision", said.revision)?,
        maker: family.maker().to_string(),
        document: to_json("lifecycles.document", &said.lifecycle)?,
        said: said.at.millis(),
        said_by: said.by.clone(),
        printed_name: said.name.clone(),
    };
    Ok(insert_row(conn, &row)? == 1)
}

/// Everything that was said of a family, the newest first.
///
/// # Errors
/// [`DbError`].
pub fn of_family(conn: &mut Connection, family: &FamilyId) -> Result<Vec<Said>, DbError> {
    family_rows(conn, family.as_str())?.into_iter().map(|row| Ok(row.read()?.1)).collect()
}

/// Everything that was said of any family: by family, each oldest first.
///
/// # Errors
/// [`DbError`].
pub fn all(conn: &mut Connection) -> Result<Vec<(FamilyId, Said)>, DbError> {
    all_rows(conn)?.into_iter().map(Row::read).collect()
}

impl Row {
    fn read(self) -> Result<(FamilyId, Said), DbError> {
        let lifecycle: Lifecycle = from_json("lifecycles.document", &self.document)?;
        let said = Said {
            revision: count("lifecycles.revision", self.revision)?,
            lifecycle,
            at: Timestamp::from_millis(self.said),
            by: self.said_by,
            name: self.printed_name,
        };
        Ok((from_name("lifecycles.family", &self.family)?, said))
    }
}
