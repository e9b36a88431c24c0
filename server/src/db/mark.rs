//! Rows of marks (how far each device of a rollout has come) and of wave proofs.
//!
//! Not here: what an entry changes (`protocol::gate::count`). Invariant: a mark is moved in the
//! transaction that stores the entry which moves it; a proof is never changed.

use super::column::{count, from_json, from_name, store_count, to_json};
use super::rollout::{RolloutKey, wave_number};
use super::schema::{marks, wave_proofs};
use super::{Connection, DbError, queries};
use crate::notify::subject::Trouble;
use crate::notify::survey::Ailing;
use diesel::prelude::*;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::gate::count::Mark;
use patchward_protocol::id::{DeviceId, LedgerId, SiteId};
use patchward_protocol::time::Timestamp;

/// A device's mark in a rollout, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMark {
    /// The device.
    pub device: DeviceId,
    /// Its wave.
    pub wave: u32,
    /// How far it has come.
    pub mark: Mark,
    /// The ledger that it was heard from.
    pub ledger_id: LedgerId,
    /// When it counts as silent.
    pub silent_at: Option<Timestamp>,
    /// Position of its last `committed` entry.
    pub committed_seq: Option<u64>,
    /// Position of its last `used` entry.
    pub used_seq: Option<u64>,
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = marks, treat_none_as_null = true)]
struct Row {
    site: String,
    approval_sha256: String,
    image_sha256: String,
    device: String,
    wave: i64,
    stage: String,
    ledger_id: String,
    mark: String,
    silent_at: Option<i64>,
    committed_seq: Option<i64>,
    used_seq: Option<i64>,
}

type Troubled = (String, String, String, String, String);

queries! {
    fn row(conn, site: &str, approval: &str, image: &str, device: &str)
        -> Result<Option<Row>, DbError>
    {
        let row = marks::table.find((site, approval, image, device));
        Ok(row.first::<Row>(conn).optional()?)
    }

    fn rollout_rows(conn, site: &str, approval: &str, image: &str) -> Result<Vec<Row>, DbError> {
        let rows = marks::table
            .filter(marks::site.eq(site))
            .filter(marks::approval_sha256.eq(approval))
            .filter(marks::image_sha256.eq(image));
        Ok(rows.order(marks::device).load(conn)?)
    }

    fn put_row(conn, row: &Row) -> Result<(), DbError> {
        diesel::insert_into(marks::table)
            .values(row)
            .on_conflict((marks::site, marks::approval_sha256, marks::image_sha256, marks::device))
            .do_update()
            .set(row)
            .execute(conn)?;
        Ok(())
    }

    fn silent_rows(conn, at: i64, limit: i64) -> Result<Vec<Row>, DbError> {
        let rows = marks::table.filter(marks::silent_at.le(at));
        Ok(rows.order((marks::silent_at, marks::device)).limit(limit).load(conn)?)
    }

    fn troubled_rows(conn, limit: i64) -> Result<Vec<Troubled>, DbError> {
        let rows = marks::table.filter(marks::stage.eq_any(["failed", "silent"]));
        let columns = (
            marks::site,
            marks::approval_sha256,
            marks::image_sha256,
            marks::device,
            marks::stage,
        );
        let order = (marks::site, marks::approval_sha256, marks::device);
        Ok(rows.order(order).limit(limit).select(columns).load(conn)?)
    }

    fn insert_proof_row(conn, site: &str, sha256: &str, document: &[u8], made: i64)
        -> Result<(), DbError>
    {
        let row = (
            wave_proofs::site.eq(site),
            wave_proofs::sha256.eq(sha256),
            wave_proofs::document.eq(document),
            wave_proofs::made.eq(made),
        );
        diesel::insert_into(wave_proofs::table).values(row).on_conflict_do_nothing().execute(conn)?;
        Ok(())
    }

    fn proof_row(conn, site: &str, sha256: &str) -> Result<Option<Vec<u8>>, DbError> {
        let row = wave_proofs::table.find((site, sha256));
        Ok(row.select(wave_proofs::document).first::<Vec<u8>>(conn).optional()?)
    }
}

/// A device's mark in a rollout.
///
/// # Errors
/// [`DbError`].
pub fn find(
    conn: &mut Connection,
    key: &RolloutKey,
    device: &DeviceId,
) -> Result<Option<StoredMark>, DbError> {
    let (approval, image) = (key.approval.to_string(), key.image.to_string());
    let row = row(conn, key.site.as_str(), &approval, &image, device.as_str())?;
    row.map(Row::stored).transpose()
}

/// Every mark of a rollout, by device.
///
/// # Errors
/// [`DbError`].
pub fn of_rollout(conn: &mut Connection, key: &RolloutKey) -> Result<Vec<StoredMark>, DbError> {
    let (approval, image) = (key.approval.to_string(), key.image.to_string());
    let rows = rollout_rows(conn, key.site.as_str(), &approval, &image)?;
    rows.into_iter().map(Row::stored).collect()
}

/// Stores a mark.
///
/// # Errors
/// [`DbError`].
pub fn put(conn: &mut Connection, key: &RolloutKey, mark: &StoredMark) -> Result<(), DbError> {
    put_row(conn, &Row::of(key, mark)?)
}

/// At most `limit` marks that count as silent at `at`, longest first.
///
/// # Errors
/// [`DbError`].
pub fn silent(
    conn: &mut Connection,
    at: Timestamp,
    limit: i64,
) -> Result<Vec<(RolloutKey, StoredMark)>, DbError> {
    let rows = silent_rows(conn, at.millis(), limit)?;
    rows.into_iter().map(|row| Ok((row.key()?, row.stored()?))).collect()
}

/// At most `limit` devices whose update failed or that count as silent.
///
/// # Errors
/// [`DbError`].
pub fn troubled(conn: &mut Connection, limit: i64) -> Result<Vec<Ailing>, DbError> {
    let read = |(site, approval, image, device, stage): Troubled| {
        Ok(Ailing {
            site: from_name("marks.site", &site)?,
            approval: from_name("marks.approval_sha256", &approval)?,
            image: from_name("marks.image_sha256", &image)?,
            device: from_name("marks.device", &device)?,
            trouble: if stage == "silent" { Trouble::Silent } else { Trouble::Failed },
        })
    };
    troubled_rows(conn, limit)?.into_iter().map(read).collect()
}

/// Stores a wave's proof; nothing changes when it is there.
///
/// # Errors
/// [`DbError`].
pub fn put_proof(
    conn: &mut Connection,
    site: &SiteId,
    sha256: &Sha256Digest,
    document: &[u8],
    at: Timestamp,
) -> Result<(), DbError> {
    insert_proof_row(conn, site.as_str(), &sha256.to_string(), document, at.millis())
}

/// The bytes of a wave's proof.
///
/// # Errors
/// [`DbError`].
pub fn proof(
    conn: &mut Connection,
    site: &SiteId,
    sha256: &Sha256Digest,
) -> Result<Option<Vec<u8>>, DbError> {
    proof_row(conn, site.as_str(), &sha256.to_string())
}

impl Row {
    fn of(key: &RolloutKey, stored: &StoredMark) -> Result<Self, DbError> {
        let seq = |seq: Option<u64>| seq.map(|seq| store_count("marks.seq", seq)).transpose();
        Ok(Self {
            site: key.site.to_string(),
            approval_sha256: key.approval.to_string(),
            image_sha256: key.image.to_string(),
            device: stored.device.to_string(),
            wave: i64::from(stored.wave),
            stage: stored.mark.stage.code().to_owned(),
            ledger_id: stored.ledger_id.to_string(),
            mark: to_json("marks.mark", &stored.mark)?,
            silent_at: stored.silent_at.map(Timestamp::millis),
            committed_seq: seq(stored.committed_seq)?,
            used_seq: seq(stored.used_seq)?,
        })
    }

    fn key(&self) -> Result<RolloutKey, DbError> {
        Ok(RolloutKey {
            site: from_name("marks.site", &self.site)?,
            approval: from_name("marks.approval_sha256", &self.approval_sha256)?,
            image: from_name("marks.image_sha256", &self.image_sha256)?,
        })
    }

    fn stored(self) -> Result<StoredMark, DbError> {
        let seq = |seq: Option<i64>| seq.map(|seq| count("marks.seq", seq)).transpose();
        Ok(StoredMark {
            device: from_name("marks.device", &self.device)?,
            wave: wave_number(self.wave)?,
            mark: from_json("marks.mark", &self.mark)?,
            ledger_id: from_name("marks.ledger_id", &self.ledger_id)?,
            silent_at: self.silent_at.map(Timestamp::from_millis),
            committed_seq: seq(self.committed_seq)?,
            used_seq: seq(self.used_seq)?,
        })
    }
}
