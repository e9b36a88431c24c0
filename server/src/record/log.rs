//! The site's record: appending entries to its tree, in the transaction that does what they record.
//!
//! Appending reads one row (the right edge), inserts the entries and writes that row again: the cost
//! does not depend on how long the record is. Not here: the form of entries (`protocol::record`) and
//! reading them (`tiles`).
//! Invariant: entries of a site are numbered without gaps, and nothing ever removes one.

use super::words::Words;
use crate::db::record::{self, NewEntry};
use crate::db::{Connection, DbError};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::SiteId;
use patchward_protocol::inventory::Inventory;
use patchward_protocol::merkle::leaf_hash;
use patchward_protocol::record::entry::{Body, RecordEntry, ServerAct, WriteEntry};
use patchward_protocol::record::placement;
use patchward_protocol::record::witness::Seen;
use patchward_protocol::time::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;

/// Appends one entry to a site's record; returns its position.
///
/// # Errors
/// [`DbError`]; the transaction must not be committed then.
pub fn append(
    conn: &mut Connection,
    site: &SiteId,
    body: Body,
    at: Timestamp,
) -> Result<u64, DbError> {
    let seen = append_all(conn, site, vec![body], at)?;
    Ok(seen.size.saturating_sub(1))
}

/// Appends entries in their order; returns where the record ends then.
///
/// # Errors
/// [`DbError`]; the transaction must not be committed then.
pub fn append_all(
    conn: &mut Connection,
    site: &SiteId,
    bodies: Vec<Body>,
    at: Timestamp,
) -> Result<Seen, DbError> {
    let mut edge = record::edge(conn, site)?;
    let mut entries = Vec::with_capacity(bodies.len());
    for body in bodies {
        let n = edge.size();
        let (kind, words) = (body.kind(), Words::of(&body));
        let bytes = written(RecordEntry { v: 1, site: site.clone(), n, at, body })?;
        let hashes = edge.append(leaf_hash(&bytes));
        entries.push(NewEntry { n, kind, hashes, bytes, words });
    }
    if !entries.is_empty() {
        record::append(conn, site, &entries, &edge, at)?;
    }
    Ok(Seen { size: edge.size(), root: edge.root() })
}

/// Records where devices stand now, when an inventory takes the place of another: call it in the
/// transaction that stores the new one.
///
/// # Errors
/// [`DbError`]; the transaction must not be committed then.
pub fn append_placements(
    conn: &mut Connection,
    who: &str,
    before: Option<&Inventory>,
    after: &Inventory,
    at: Timestamp,
) -> Result<(), DbError> {
    let acts = placement::changes(who, before, after);
    append_all(conn, &after.site, acts.into_iter().map(Body::Server).collect(), at).map(drop)
}

/// Where a site's record ends.
///
/// # Errors
/// [`DbError`].
pub fn end(conn: &mut Connection, site: &SiteId) -> Result<Seen, DbError> {
    let edge = record::edge(conn, site)?;
    Ok(Seen { size: edge.size(), root: edge.root() })
}

/// What one transaction appends to several records.
#[derive(Debug, Default)]
pub struct Batch {
    bodies: BTreeMap<SiteId, Vec<Body>>,
}

impl Batch {
    /// Adds an entry behind those of its site.
    pub fn add(&mut self, site: &SiteId, body: Body) {
        self.bodies.entry(site.clone()).or_default().push(body);
    }

    /// Makes sure that [`Batch::write`] says where this site's record ends.
    pub fn ask(&mut self, site: &SiteId) {
        self.bodies.entry(site.clone()).or_default();
    }

    /// Appends everything; returns where each record ends then.
    ///
    /// # Errors
    /// [`DbError`]; the transaction must not be committed then.
    pub fn write(
        self,
        conn: &mut Connection,
        at: Timestamp,
    ) -> Result<BTreeMap<SiteId, Seen>, DbError> {
        let each = self.bodies.into_iter().map(|(site, bodies)| {
            let end = append_all(conn, &site, bodies, at)?;
            Ok((site, end))
        });
        each.collect()
    }
}

/// The bytes of an entry. What an unsigned act says beyond the limit is left out with its digest,
/// because nothing that is done may be kept out of the record by being long.
fn written(entry: RecordEntry) -> Result<Vec<u8>, DbError> {
    match entry.to_bytes() {
        Ok(bytes) => Ok(bytes),
        Err(WriteEntry::TooLong(_)) => {
            let short = |act: ServerAct| {
                let said = act.detail().to_string();
                let left_out = json!({"left_out_bytes": said.len(), "sha256": Sha256Digest::of(said.as_bytes())});
                ServerAct::new(act.who(), act.act(), left_out)
            };
            let body = match entry.body {
                Body::Server(act) => Body::Server(short(act)),
                Body::Note(act) => Body::Note(short(act)),
                signed @ (Body::Ledger(_) | Body::Act(_)) => signed,
            };
            RecordEntry { body, ..entry }.to_bytes().map_err(|error| unwritable(&error))
        }
        Err(error @ WriteEntry::Json(_)) => Err(unwritable(&error)),
    }
}

fn unwritable(error: &WriteEntry) -> DbError {
    let value = crate::error::Chain(error).to_string();
    DbError::Column { column: "record_entries.entry", kind: "record entry", value }
}
