//! Rows of the devices' own signed entries, and of those that continue another history.
//!
//! Not here: which entry continues a chain (`protocol::ledger`). Invariant: a stored entry is never
//! changed or removed.

use super::column::{from_json, from_name, store_count, to_json, to_name};
use super::connection::queries;
use super::schema::{ledger_entries, ledger_forks};
use super::{Connection, DbError};
use crate::limits::FORKS_KEPT_MAX;
use diesel::prelude::*;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::envelope::Envelope;
use patchward_protocol::id::{DeviceId, LedgerId, SiteId};
use patchward_protocol::ledger::SealedEntry;
use patchward_protocol::time::Timestamp;

#[derive(Insertable, Debug)]
#[diesel(table_name = ledger_entries)]
struct EntryRow {
    site: String,
    device: String,
    ledger_id: String,
    seq: i64,
    sha256: String,
    kind: String,
    envelope: String,
    received: i64,
}

#[derive(Insertable, Debug)]
#[diesel(table_name = ledger_forks)]
struct ForkRow {
    site: String,
    device: String,
    ledger_id: String,
    seq: i64,
    sha256: String,
    envelope: String,
    received: i64,
}

queries! {
    fn insert_rows(conn, rows: &[EntryRow]) -> Result<(), DbError> {
        diesel::insert_into(ledger_entries::table).values(rows).execute(conn)?;
        Ok(())
    }

    fn sha256_row(conn, site: &str, device: &str, ledger_id: &str, seq: i64)
        -> Result<Option<String>, DbError>
    {
        let row = ledger_entries::table.find((site, device, ledger_id, seq));
        Ok(row.select(ledger_entries::sha256).first::<String>(conn).optional()?)
    }

    fn envelope_row(conn, site: &str, device: &str, ledger_id: &str, seq: i64)
        -> Result<Option<String>, DbError>
    {
        let row = ledger_entries::table.find((site, device, ledger_id, seq));
        Ok(row.select(ledger_entries::envelope).first::<String>(conn).optional()?)
    }

    fn timed_rows(conn, site: &str, device: &str) -> Result<Vec<(String, i64, i64)>, DbError> {
        let rows = ledger_entries::table
            .filter(ledger_entries::site.eq(site))
            .filter(ledger_entries::device.eq(device))
            .order((ledger_entries::received, ledger_entries::seq));
        let each = (ledger_entries::envelope, ledger_entries::received, ledger_entries::seq);
        Ok(rows.select(each).load(conn)?)
    }

    fn envelope_rows(conn, site: &str, device: &str, ledger_id: &str, after: i64, limit: i64)
        -> Result<Vec<String>, DbError>
    {
        let rows = ledger_entries::table
            .filter(ledger_entries::site.eq(site))
            .filter(ledger_entries::device.eq(device))
            .filter(ledger_entries::ledger_id.eq(ledger_id))
            .filter(ledger_entries::seq.gt(after))
            .order(ledger_entries::seq)
            .limit(limit);
        Ok(rows.select(ledger_entries::envelope).load(conn)?)
    }

    fn count_forks(conn, site: &str, device: &str) -> Result<i64, DbError> {
        let rows = ledger_forks::table
            .filter(ledger_forks::site.eq(site))
            .filter(ledger_forks::device.eq(device));
        Ok(rows.count().get_result(conn)?)
    }

    fn forked_rows(conn, limit: i64) -> Result<Vec<(String, String, Option<String>)>, DbError> {
        let rows = ledger_forks::table.group_by((ledger_forks::site, ledger_forks::device));
        let columns =
            (ledger_forks::site, ledger_forks::device, diesel::dsl::min(ledger_forks::sha256));
        Ok(rows.select(columns).order((ledger_forks::site, ledger_forks::device)).limit(limit).load(conn)?)
    }

    fn insert_fork_row(conn, row: &ForkRow) -> Result<(), DbError> {
        let insert = diesel::insert_into(ledger_forks::table).values(row);
        insert.on_conflict_do_nothing().execute(conn)?;
        Ok(())
    }
}

/// Stores entries that continue a chain.
///
/// # Errors
/// [`DbError`].
pub fn append(
    conn: &mut Connection,
    site: &SiteId,
    entries: &[&SealedEntry],
    at: Timestamp,
) -> Result<(), DbError> {
    let rows: Result<Vec<_>, _> =
        entries.iter().map(|entry| EntryRow::of(site, entry, at)).collect();
    insert_rows(conn, &rows?)
}

/// The digest of the stored entry at a position.
///
/// # Errors
/// [`DbError`].
pub fn sha256_at(
    conn: &mut Connection,
    site: &SiteId,
    device: &DeviceId,
    ledger_id: LedgerId,
    seq: u64,
) -> Result<Option<Sha256Digest>, DbError> {
    let seq = store_count("ledger_entries.seq", seq)?;
    let found = sha256_row(conn, site.as_str(), device.as_str(), &ledger_id.to_string(), seq)?;
    found.map(|text| from_name("ledger_entries.sha256", &text)).transpose()
}

/// At most `limit` entries after a position, in order.
///
/// # Errors
/// [`DbError`].
pub fn after(
    conn: &mut Connection,
    site: &SiteId,
    device: &DeviceId,
    ledger_id: LedgerId,
    after: u64,
    limit: i64,
) -> Result<Vec<Envelope>, DbError> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let ledger_id = ledger_id.to_string();
    let rows = envelope_rows(conn, site.as_str(), device.as_str(), &ledger_id, after, limit)?;
    rows.iter().map(|json| from_json("ledger_entries.envelope", json)).collect()
}

/// The stored entry at a position. Its signature was checked when it was stored.
///
/// # Errors
/// [`DbError`].
pub fn at(
    conn: &mut Connection,
    site: &SiteId,
    device: &DeviceId,
    ledger_id: LedgerId,
    seq: u64,
) -> Result<Option<SealedEntry>, DbError> {
    let seq = store_count("ledger_entries.seq", seq)?;
    let found = envelope_row(conn, site.as_str(), device.as_str(), &ledger_id.to_string(), seq)?;
    found.map(|json| sealed(&json)).transpose()
}

/// Every stored entry of a device, of all its ledgers, in the order in which they were stored, each
/// with when that was.
///
/// # Errors
/// [`DbError`].
pub fn all_of(
    conn: &mut Connection,
    site: &SiteId,
    device: &DeviceId,
) -> Result<Vec<(SealedEntry, Timestamp)>, DbError> {
    let rows = timed_rows(conn, site.as_str(), device.as_str())?;
    let read = |(json, received, _): (String, i64, i64)| {
        Ok((sealed(&json)?, Timestamp::from_millis(received)))
    };
    rows.into_iter().map(read).collect()
}

fn sealed(json: &str) -> Result<SealedEntry, DbError> {
    let column = "ledger_entries.envelope";
    let envelope: Envelope = from_json(column, json)?;
    let wrong = |_| DbError::Column { column, kind: "ledger entry", value: String::new() };
    let entry = envelope.insecure_peek().map_err(wrong)?;
    let sha256 = envelope.payload_sha256().map_err(wrong)?;
    Ok(SealedEntry { entry, sha256, envelope })
}

/// Keeps an entry that continues another history.
///
/// # Errors
/// [`DbError`].
pub fn keep_fork(
    conn: &mut Connection,
    site: &SiteId,
    sealed: &SealedEntry,
    at: Timestamp,
) -> Result<(), DbError> {
    let row = ForkRow {
        site: site.to_string(),
        device: sealed.entry.device.to_string(),
        ledger_id: sealed.entry.ledger_id.to_string(),
        seq: store_count("ledger_forks.seq", sealed.entry.seq)?,
        sha256: sealed.sha256.to_string(),
        envelope: to_json("ledger_forks.envelope", &sealed.envelope)?,
        received: at.millis(),
    };
    if count_forks(conn, &row.site, &row.device)? < FORKS_KEPT_MAX {
        insert_fork_row(conn, &row)?;
    }
    Ok(())
}

/// At most `limit` devices whose ledger contradicts itself, each with one of the entries that do.
///
/// # Errors
/// [`DbError`].
pub fn forked(
    conn: &mut Connection,
    limit: i64,
) -> Result<Vec<(SiteId, DeviceId, Sha256Digest)>, DbError> {
    let read = |(site, device, sha256): (String, String, Option<String>)| {
        Ok((
            from_name("ledger_forks.site", &site)?,
            from_name("ledger_forks.device", &device)?,
            from_name("ledger_forks.sha256", &sha256.unwrap_or_default())?,
        ))
    };
    forked_rows(conn, limit)?.into_iter().map(read).collect()
}

/// How many alarms are kept for a device.
///
/// # Errors
/// [`DbError`].
pub fn forks_of(conn: &mut Connection, site: &SiteId, device: &DeviceId) -> Result<u64, DbError> {
    super::column::count("ledger_forks", count_forks(conn, site.as_str(), device.as_str())?)
}

impl EntryRow {
    fn of(site: &SiteId, sealed: &SealedEntry, at: Timestamp) -> Result<Self, DbError> {
        Ok(Self {
            site: site.to_string(),
            device: sealed.entry.device.to_string(),
            ledger_id: sealed.entry.ledger_id.to_string(),
            seq: store_count("ledger_entries.seq", sealed.entry.seq)?,
            sha256: sealed.sha256.to_string(),
            kind: to_name("ledger_entries.kind", &sealed.entry.fact.kind)?,
            envelope: to_json("ledger_entries.envelope", &sealed.envelope)?,
            received: at.millis(),
        })
    }
}
