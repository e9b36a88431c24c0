//! Rows of the sites' records: entries with the hashes that they complete and the words by which they are
//! found, and the right edge.
//!
//! Not here: what the hashes mean (`protocol::merkle`). Invariant: a stored entry is never changed or
//! removed, and the edge is moved in the transaction that inserts the entries before it.

use super::column::{count, from_name, store_count};
use super::connection::queries;
use super::schema::{record_entries, record_heads, record_words};
use super::{Connection, DbError};
use crate::record::words::{Topic, Who, Words};
use diesel::prelude::*;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{DeviceId, SiteId};
use patchward_protocol::merkle::edge::Edge;
use patchward_protocol::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Entries in one statement: each has at most seven parameters, and an engine has a limit of them.
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
    /// What it is found by.
    pub words: Words,
}

/// What is looked for; an empty part fits everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sought {
    /// Who says it.
    pub who: Option<Who>,
    /// What it is about.
    pub topic: Option<Topic>,
    /// A part of its device, in lower case.
    pub device: String,
    /// A part of its person, in lower case.
    pub person: String,
    /// When it was stored, in milliseconds.
    pub when: Option<Range<i64>>,
}

#[derive(Insertable, Debug)]
#[diesel(table_name = record_words)]
struct WordsRow<'a> {
    site: &'a str,
    n: i64,
    at: i64,
    who: &'static str,
    topic: &'static str,
    device: &'a str,
    person: &'a str,
}

/// [`Sought`] as the columns say it: each a pattern, or a range from the first to before the second.
#[derive(Debug)]
struct Patterns {
    who: Vec<&'static str>,
    topic: Vec<&'static str>,
    device: String,
    person: String,
    n: (i64, i64),
    at: (i64, i64),
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

    fn insert_words(conn, rows: &[WordsRow<'_>]) -> Result<(), DbError> {
        diesel::insert_into(record_words::table).values(rows).execute(conn)?;
        Ok(())
    }

    fn last_worded(conn, site: &str) -> Result<Option<i64>, DbError> {
        let rows = record_words::table.filter(record_words::site.eq(site));
        Ok(rows.select(diesel::dsl::max(record_words::n)).first(conn)?)
    }

    fn size_rows(conn) -> Result<Vec<(String, i64)>, DbError> {
        Ok(record_heads::table.select((record_heads::site, record_heads::size)).load(conn)?)
    }

    fn found_rows(conn, site: &str, of: &Patterns, limit: i64) -> Result<Vec<i64>, DbError> {
        Ok(record_words::table
            .filter(record_words::site.eq(site))
            .filter(record_words::n.ge(of.n.0).and(record_words::n.lt(of.n.1)))
            .filter(record_words::who.eq_any(&of.who))
            .filter(record_words::topic.eq_any(&of.topic))
            .filter(record_words::at.ge(of.at.0).and(record_words::at.lt(of.at.1)))
            .filter(record_words::device.like(&of.device).escape('\\'))
            .filter(record_words::person.like(&of.person).escape('\\'))
            .order(record_words::n.desc())
            .limit(limit)
            .select(record_words::n)
            .load(conn)?)
    }

    fn hashes_rows(conn, site: &str, from: i64, until: i64) -> Result<Vec<Vec<u8>>, DbError> {
        Ok(record_entries::table
            .filter(record_entries::site.eq(site))
            .filter(record_entries::n.ge(from).and(record_entries::n.lt(until)))
            .order(record_entries::n)
            .select(record_entries::hashes)
            .load(conn)?)
    }

    fn concerning_rows(
        conn,
        site: &str,
        device: &str,
        from: i64,
        until: i64,
    ) -> Result<Vec<i64>, DbError> {
        Ok(record_words::table
            .filter(record_words::site.eq(site))
            .filter(record_words::n.ge(from).and(record_words::n.lt(until)))
            .filter(record_words::who.ne(Who::Device.word()).or(record_words::device.eq(device)))
            .order(record_words::n)
            .select(record_words::n)
            .load(conn)?)
    }

    fn rows_at(conn, site: &str, n: &[i64]) -> Result<Vec<(i64, Vec<u8>)>, DbError> {
        Ok(record_entries::table
            .filter(record_entries::site.eq(site))
            .filter(record_entries::n.eq_any(n))
            .order(record_entries::n.desc())
            .select((record_entries::n, record_entries::entry))
            .load(conn)?)
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
        write_words(conn, site, entries.iter().map(|entry| (entry.n, at, &entry.words)))?;
    }
    let size = store_count("record_heads.size", edge.size())?;
    put_head_row(conn, site.as_str(), size, &concatenated(edge.roots()))
}

/// Writes what entries are found by.
///
/// # Errors
/// [`DbError`].
pub fn put_words(
    conn: &mut Connection,
    site: &SiteId,
    words: &[(u64, Timestamp, Words)],
) -> Result<(), DbError> {
    for words in words.chunks(ROWS_MAX) {
        write_words(conn, site, words.iter().map(|(n, at, words)| (*n, *at, words)))?;
    }
    Ok(())
}

fn write_words<'a>(
    conn: &mut Connection,
    site: &SiteId,
    words: impl Iterator<Item = (u64, Timestamp, &'a Words)>,
) -> Result<(), DbError> {
    let row = |(n, at, words): (u64, Timestamp, &'a Words)| {
        Ok(WordsRow {
            site: site.as_str(),
            n: store_count("record_words.n", n)?,
            at: at.millis(),
            who: words.who.word(),
            topic: words.topic.word(),
            device: &words.device,
            person: &words.person,
        })
    };
    insert_words(conn, &words.map(row).collect::<Result<Vec<_>, DbError>>()?)
}

/// The first entry of a record that has no words yet, when those before it have theirs.
///
/// # Errors
/// [`DbError`].
pub fn worded(conn: &mut Connection, site: &SiteId) -> Result<u64, DbError> {
    let last = last_worded(conn, site.as_str())?;
    last.map_or(Ok(0), |n| Ok(count("record_words.n", n)?.saturating_add(1)))
}

/// Every record with its length.
///
/// # Errors
/// [`DbError`].
pub fn sizes(conn: &mut Connection) -> Result<Vec<(SiteId, u64)>, DbError> {
    let read = |(site, size): (String, i64)| {
        Ok((from_name("record_heads.site", &site)?, count("record_heads.size", size)?))
    };
    size_rows(conn)?.into_iter().map(read).collect()
}

/// The places of entries that fit, last first, at most `limit`.
///
/// # Errors
/// [`DbError`].
pub fn find(
    conn: &mut Connection,
    site: &SiteId,
    range: Range<u64>,
    sought: &Sought,
    limit: usize,
) -> Result<Vec<u64>, DbError> {
    let at = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let all = [Who::Device, Who::Person, Who::Server, Who::Unknown];
    let topics = [Topic::Hold, Topic::Rollback, Topic::Other];
    let patterns = Patterns {
        who: sought
            .who
            .map_or_else(|| all.to_vec(), |who| vec![who])
            .into_iter()
            .map(Who::word)
            .collect(),
        topic: sought
            .topic
            .map_or_else(|| topics.to_vec(), |it| vec![it])
            .into_iter()
            .map(Topic::word)
            .collect(),
        device: containing(&sought.device),
        person: containing(&sought.person),
        n: (at(range.start), at(range.end)),
        at: sought.when.as_ref().map_or((i64::MIN, i64::MAX), |when| (when.start, when.end)),
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = found_rows(conn, site.as_str(), &patterns, limit)?;
    found.into_iter().map(|n| count("record_words.n", n)).collect()
}

/// The pattern for a part: nothing in it means anything else than itself.
fn containing(part: &str) -> String {
    let plain = part.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{plain}%")
}

/// The bytes of these entries, last first; at most as many as a statement takes.
///
/// # Errors
/// [`DbError`].
pub fn entries_at(
    conn: &mut Connection,
    site: &SiteId,
    places: &[u64],
) -> Result<Vec<(u64, Vec<u8>)>, DbError> {
    let places: Result<Vec<_>, _> =
        places.iter().map(|n| store_count("record_entries.n", *n)).collect();
    let rows = rows_at(conn, site.as_str(), &places?)?.into_iter();
    rows.map(|(n, bytes)| Ok((count("record_entries.n", n)?, bytes))).collect()
}

/// The hashes of the leaves of consecutive entries.
///
/// # Errors
/// [`DbError`].
pub fn leaves(
    conn: &mut Connection,
    site: &SiteId,
    range: Range<u64>,
) -> Result<Vec<Sha256Digest>, DbError> {
    let at = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let rows = hashes_rows(conn, site.as_str(), at(range.start), at(range.end))?;
    let leaf = |bytes: Vec<u8>| {
        let column = "record_entries.hashes";
        hashes(column, &bytes)?.first().copied().ok_or_else(|| wrong(column, &bytes))
    };
    rows.into_iter().map(leaf).collect()
}

/// The entries of a range that this device, a person or the server made, or that do not read.
///
/// # Errors
/// [`DbError`].
pub fn concerning(
    conn: &mut Connection,
    site: &SiteId,
    device: &DeviceId,
    range: Range<u64>,
) -> Result<BTreeMap<u64, Vec<u8>>, DbError> {
    let at = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let (from, until) = (at(range.start), at(range.end));
    let places = concerning_rows(conn, site.as_str(), device.as_str(), from, until)?;
    let mut found = BTreeMap::new();
    for places in places.chunks(ROWS_MAX) {
        for (n, bytes) in rows_at(conn, site.as_str(), places)? {
            found.insert(count("record_entries.n", n)?, bytes);
        }
    }
    Ok(found)
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
