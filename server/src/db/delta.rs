//! Rows of pairs of images, claimed and moved by compare-and-swap.
//!
//! Not here: which pairs there are and what follows a try ([`crate::delta`]). Invariant: a pair moves
//! only from the state, try and claim that were read, so that of several servers one builds it.

use super::column::{count, from_json, from_name, parse, store_count, to_json, to_name};
use super::schema::delta_pairs as table;
use super::{Connection, DbError, queries};
use crate::delta::plan::{Pair, Rank};
use diesel::prelude::*;
use patchward_protocol::api::delta::DeltaState;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{RepositoryId, Seq};
use patchward_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Who builds a pair, and until when nobody else does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Drawn by chance by each program that builds.
    pub by: String,
    /// When it ends unless it is said again.
    pub until: Timestamp,
}

/// What came of a pair so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outcome {
    /// Length of the delta file, in bytes.
    pub bytes: Option<u64>,
    /// Length of the full file, in bytes.
    pub full_bytes: Option<u64>,
    /// Digest of the delta file.
    pub sha256: Option<Sha256Digest>,
    /// How the base was searched.
    pub index: Option<String>,
    /// Processor time of the build, in milliseconds.
    pub cpu_ms: Option<u64>,
    /// Most memory of the build, in KiB.
    pub memory_kib: Option<u64>,
    /// The memory that it could have had, in bytes.
    pub budget_bytes: Option<u64>,
    /// Technical detail in English of the last failure.
    pub detail: Option<String>,
    /// The version of this program that gave the pair up.
    pub given_up_by: Option<String>,
}

/// A pair as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPair {
    /// The family's repository.
    pub repository: RepositoryId,
    /// The images.
    pub pair: Pair,
    /// How far it is.
    pub state: DeltaState,
    /// How often it was begun.
    pub tries: u64,
    /// Who builds it.
    pub claim: Option<Claim>,
    /// When the state began.
    pub since: Timestamp,
    /// What came of it so far.
    pub outcome: Outcome,
}

#[derive(Queryable, Insertable, AsChangeset, Debug, Clone)]
#[diesel(table_name = table, treat_none_as_null = true)]
struct Row {
    repository: String,
    from_sha256: String,
    to_sha256: String,
    to_seq: i64,
    rank: i64,
    devices: i64,
    state: String,
    tries: i64,
    claimed_by: Option<String>,
    claimed_until: Option<i64>,
    since: i64,
    outcome: String,
}

queries! {
    fn rows_of(conn, repository: &str) -> Result<Vec<Row>, DbError> {
        let of = table::table.filter(table::repository.eq(repository));
        Ok(of.order((table::to_seq.desc(), table::rank, table::devices.desc(), table::from_sha256)).load(conn)?)
    }

    fn put_row(conn, row: &Row) -> Result<(), DbError> {
        diesel::insert_into(table::table)
            .values(row)
            .on_conflict((table::repository, table::from_sha256, table::to_sha256))
            .do_update()
            .set(row)
            .execute(conn)?;
        Ok(())
    }

    fn swap_claimed(conn, row: &Row, from: &Row, by: &str) -> Result<usize, DbError> {
        let held = table::table
            .find((&from.repository, &from.from_sha256, &from.to_sha256))
            .filter(table::state.eq(&from.state))
            .filter(table::tries.eq(from.tries))
            .filter(table::claimed_by.eq(by));
        Ok(diesel::update(held).set(row).execute(conn)?)
    }

    fn swap_free(conn, row: &Row, from: &Row) -> Result<usize, DbError> {
        let held = table::table
            .find((&from.repository, &from.from_sha256, &from.to_sha256))
            .filter(table::state.eq(&from.state))
            .filter(table::tries.eq(from.tries))
            .filter(table::claimed_by.is_null());
        Ok(diesel::update(held).set(row).execute(conn)?)
    }

    fn first_waiting(conn, queued: &str, building: &str, at: i64) -> Result<Option<Row>, DbError> {
        let free = table::state.eq(queued)
            .or(table::state.eq(building).and(table::claimed_until.lt(at)));
        let first = table::table.filter(free).order((
            table::rank, table::devices.desc(), table::to_seq.desc(), table::from_sha256,
        ));
        Ok(first.first::<Row>(conn).optional()?)
    }

    fn rows_claimed(conn, by: &str) -> Result<Vec<Row>, DbError> {
        Ok(table::table.filter(table::claimed_by.eq(by)).load(conn)?)
    }

    fn state_counts(conn) -> Result<Vec<(String, i64)>, DbError> {
        let counts = table::table.group_by(table::state).select((table::state, diesel::dsl::count_star()));
        Ok(counts.load(conn)?)
    }

    fn outcomes(conn, state: &str) -> Result<Vec<String>, DbError> {
        Ok(table::table.filter(table::state.eq(state)).select(table::outcome).load(conn)?)
    }
}

/// The pairs of a family, newest target first.
///
/// # Errors
/// [`DbError`].
pub fn of_repository(
    conn: &mut Connection,
    repository: &RepositoryId,
) -> Result<Vec<StoredPair>, DbError> {
    rows_of(conn, &repository.to_string())?.into_iter().map(Row::read).collect()
}

/// Stores a pair as it is, whatever was stored of it.
///
/// # Errors
/// [`DbError`].
pub fn put(conn: &mut Connection, pair: &StoredPair) -> Result<(), DbError> {
    put_row(conn, &Row::of(pair)?)
}

/// Moves a pair from what was read; `false` when somebody else has moved it.
///
/// # Errors
/// [`DbError`].
pub fn swap(conn: &mut Connection, from: &StoredPair, to: &StoredPair) -> Result<bool, DbError> {
    let (row, from) = (Row::of(to)?, Row::of(from)?);
    let moved = match &from.claimed_by {
        Some(by) => swap_claimed(conn, &row, &from, by)?,
        None => swap_free(conn, &row, &from)?,
    };
    Ok(moved == 1)
}

/// The pair whose turn it is: nobody builds it, or whoever did has not said so for too long.
///
/// # Errors
/// [`DbError`].
pub fn waiting(conn: &mut Connection, at: Timestamp) -> Result<Option<StoredPair>, DbError> {
    let (queued, building) = (state_name(DeltaState::Queued)?, state_name(DeltaState::Building)?);
    first_waiting(conn, &queued, &building, at.millis())?.map(Row::read).transpose()
}

/// The pairs that somebody builds.
///
/// # Errors
/// [`DbError`].
pub fn claimed(conn: &mut Connection, by: &str) -> Result<Vec<StoredPair>, DbError> {
    rows_claimed(conn, by)?.into_iter().map(Row::read).collect()
}

/// How many pairs are in each state.
///
/// # Errors
/// [`DbError`].
pub fn counts(conn: &mut Connection) -> Result<Vec<(DeltaState, u64)>, DbError> {
    let read = |(state, number): (String, i64)| {
        Ok((from_name("delta_pairs.state", &state)?, count("delta_pairs", number)?))
    };
    state_counts(conn)?.into_iter().map(read).collect()
}

/// What came of the published pairs.
///
/// # Errors
/// [`DbError`].
pub fn published(conn: &mut Connection) -> Result<Vec<Outcome>, DbError> {
    let rows = outcomes(conn, &state_name(DeltaState::Published)?)?;
    rows.iter().map(|row| from_json("delta_pairs.outcome", row)).collect()
}

fn state_name(state: DeltaState) -> Result<String, DbError> {
    to_name("delta_pairs.state", &state)
}

const RANKS: [Rank; 4] = [Rank::Cover, Rank::Previous, Rank::Reported, Rank::Unknown];

impl Row {
    fn of(stored: &StoredPair) -> Result<Self, DbError> {
        let pair = &stored.pair;
        let rank = RANKS.iter().position(|rank| *rank == pair.rank).unwrap_or(RANKS.len());
        let (by, until) = match &stored.claim {
            Some(claim) => (Some(claim.by.clone()), Some(claim.until.millis())),
            None => (None, None),
        };
        Ok(Self {
            repository: stored.repository.to_string(),
            from_sha256: pair.from.to_string(),
            to_sha256: pair.to.to_string(),
            to_seq: store_count("delta_pairs.to_seq", pair.to_seq.0)?,
            rank: i64::try_from(rank).unwrap_or(i64::MAX),
            devices: i64::from(pair.devices),
            state: state_name(stored.state)?,
            tries: store_count("delta_pairs.tries", stored.tries)?,
            claimed_by: by,
            claimed_until: until,
            since: stored.since.millis(),
            outcome: to_json("delta_pairs.outcome", &stored.outcome)?,
        })
    }

    fn read(self) -> Result<StoredPair, DbError> {
        let column = |column, value: i64| DbError::Column {
            column,
            kind: "a number in its range",
            value: value.to_string(),
        };
        let rank = usize::try_from(self.rank).ok().and_then(|rank| RANKS.get(rank)).copied();
        let pair = Pair {
            rank: rank.ok_or_else(|| column("delta_pairs.rank", self.rank))?,
            from: parse("delta_pairs.from_sha256", &self.from_sha256)?,
            to: parse("delta_pairs.to_sha256", &self.to_sha256)?,
            to_seq: Seq(count("delta_pairs.to_seq", self.to_seq)?),
            devices: u32::try_from(self.devices)
                .map_err(|_| column("delta_pairs.devices", self.devices))?,
        };
        let claim = self.claimed_by.zip(self.claimed_until);
        Ok(StoredPair {
            repository: parse("delta_pairs.repository", &self.repository)?,
            pair,
            state: from_name("delta_pairs.state", &self.state)?,
            tries: count("delta_pairs.tries", self.tries)?,
            claim: claim.map(|(by, until)| Claim { by, until: Timestamp::from_millis(until) }),
            since: Timestamp::from_millis(self.since),
            outcome: from_json("delta_pairs.outcome", &self.outcome)?,
        })
    }
}
