//! Rows of the sites' records: entries with the hashes that they complete, and the right edge.
//!
//! Not here: what the hashes mean (`protocol::merkle`). Invariant: a stored entry is never changed or
//! removed, and the edge is moved in the transaction that inserts the entries before it.

use super::column::{count, store_count};
use super::connection::queries;
use super::schema::{record_entries, record_heads};
use super::{Connection, DbError};
use diesel::prelude::*;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::SiteId;
use patchward_protocol::merkle::edge::Edge;
use patchward_protocol::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Entries in one statement: each has six parameters, and an engine has a limit of them.
const ROWS_MAX: usize = 256;

/// An entry on its way into the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// Its position.
    pub n: u64,
    /// The word for its kind.
    pub kind: &'static str,
    /// The hashes that are complete with it, from the leaf upwards.
    pub hashes: Vec<Sha256Digest>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

#[derive(Insertable, Debug)]
#[diesel(table_name = record_entries)]
struct EntryRow<'a> {
    site: &'a str,
    n: i64,
    at: i64,
    kind: &'static str,
    hashes: Vec<u8>,
    entry: &'a [u8],
}

queries! {
    fn head_row(conn, site: &str) -> Result<Option<(i64, Vec<u8>)>, DbError> {
        let row = record_heads::table.find(site).select((record_heads::size, record_heads::edge));
        Ok(row.first(conn).optional()?)
    }

    fn put_head_row(conn, site: &str, size: i64, edge: &[u8]) -> Result<(), DbError> {
        let row = (
            record_heads::site.eq(site),
            record_heads::size.eq(size),
            record_heads::edge.eq(edge),
        );
        diesel::insert_into(record_heads::table)
            .values(row)
            .on_conflict(record_heads::site)
            .do_update()
            .set((record_heads::size.eq(size), record_heads::edge.eq(edge)))
            .execute(conn)?;
        Ok(())
    }

    fn insert_rows(conn, rows: &[EntryRow<'_>]) -> Result<(), DbError> {
        diesel::insert_into(record_entries::table).values(rows).execute(conn)?;
        Ok(())
    }

    fn hash_rows(conn, site: &str, n: &[i64]) -> Result<Vec<(i64, Vec<u8>)>, DbError> {
        Ok(record_entries::table
            .filter(record_entries::site.eq(site))
            .filter(record_entries::n.eq_any(n))
            .select((record_entries::n, record_entries::hashes))
            .load(conn)?)
    }

    fn entry_rows(conn, site: &str, from: i64, until: i64) -> Result<Vec<Vec<u8>>, DbError> {
        Ok(record_entries::table
            .filter(record_entries::site.eq(site))
            .filter(record_entries::n.ge(from))
            .filter(record_entries::n.lt(until))
            .order(record_entries::n)
            .select(record_entries::entry)
            .load(conn)?)
    }
}

/// The right edge of a site's record; that of an empty one when it has none yet.
///
/// # Errors
/// [`DbError`].
pub fn edge(conn: &mut Connection, site: &SiteId) -> Result<Edge, DbError> {
    let Some((size, bytes)) = head_row(conn, site.as_str())? else { return Ok(Edge::empty()) };
    let roots = hashes("record_heads.edge", &bytes)?;
    let edge = Edge::new(count("record_heads.size", size)?, roots);
    edge.ok_or_else(|| wrong("record_heads.edge", &bytes))
}

/// Appends entries and moves the edge behind them.
///
/// # Errors
/// [`DbError`].
pub fn append(
    conn: &mut Connection,
    site: &SiteId,
    entries: &[NewEntry],
    edge: &Edge,
    at: Timestamp,
) -> Result<(), DbError> {
    for entries in entries.chunks(ROWS_MAX) {
        let row = |entry: &'_ NewEntry| -> Result<_, DbError> {
            Ok((store_count("record_entries.n", entry.n)?, concatenated(&entry.hashes)))
        };
        let rows: Result<Vec<_>, DbError> = entries
            .iter()
            .map(|entry| {
                let (n, hashes) = row(entry)?;
                let (kind, bytes) = (entry.kind, entry.bytes.as_slice());
                Ok(EntryRow { site: site.as_str(), n, at: at.millis(), kind, hashes, entry: bytes })
            })
            .collect();
        insert_rows(conn, &rows?)?;
    }
    let size = store_count("record_heads.size", edge.size())?;
    put_head_row(conn, site.as_str(), size, &concatenated(edge.roots()))
}

/// The hashes beside these entries; an entry that is not there is left out.
///
/// # Errors
/// [`DbError`].
pub fn hashes_at(
    conn: &mut Connection,
    site: &SiteId,
    positions: &BTreeSet<u64>,
) -> Result<BTreeMap<u64, Vec<Sha256Digest>>, DbError> {
    let positions: Vec<i64> =
        positions.iter().filter_map(|position| i64::try_from(*position).ok()).collect();
    let mut found = BTreeMap::new();
    for positions in positions.chunks(ROWS_MAX) {
        for (n, bytes) in hash_rows(conn, site.as_str(), positions)? {
            found.insert(count("record_entries.n", n)?, hashes("record_entries.hashes", &bytes)?);
        }
    }
    Ok(found)
}

/// The bytes of consecutive entries.
///
/// # Errors
/// [`DbError`].
pub fn entries(
    conn: &mut Connection,
    site: &SiteId,
    range: Range<u64>,
) -> Result<Vec<Vec<u8>>, DbError> {
    let at = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    entry_rows(conn, site.as_str(), at(range.start), at(range.end))
}

fn concatenated(hashes: &[Sha256Digest]) -> Vec<u8> {
    patchward_protocol::merkle::tile::write_hashes(hashes)
}

fn hashes(column: &'static str, bytes: &[u8]) -> Result<Vec<Sha256Digest>, DbError> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(wrong(column, bytes));
    }
    Ok(hashes.iter().copied().map(Sha256Digest::from_bytes).collect())
}

fn wrong(column: &'static str, bytes: &[u8]) -> DbError {
    let value = format!("{} bytes", bytes.len());
    DbError::Column { column, kind: "row of SHA-256 digests", value }
}
