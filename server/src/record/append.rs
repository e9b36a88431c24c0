//! One report against the stored chain: what is new is appended, what is known is confirmed, what
//! contradicts is kept as an alarm.
//!
//! Not here: transactions (the caller's). Invariant: of one report either everything new is stored
//! or nothing.

use super::report::{Outcome, Reporting};
use crate::db::device::{self, StoredAgent};
use crate::db::{Connection, DbError, ledger};
use patchward_protocol::ledger::{Break, Chain, SealedEntry};
use patchward_protocol::time::Timestamp;

/// Stores what is new of a report.
///
/// # Errors
/// [`DbError`].
pub fn append(
    conn: &mut Connection,
    reporting: &Reporting,
    at: Timestamp,
) -> Result<Outcome, DbError> {
    let Reporting { site, device, entries } = reporting;
    let stored = device::find(conn, site, device)?;
    let Some(StoredAgent { chain, forked, .. }) = stored.and_then(|stored| stored.agent) else {
        return Ok(Outcome::Unknown);
    };
    let mut end = chain;
    let mut new: Vec<&SealedEntry> = Vec::new();
    for sealed in entries {
        match end.accept(&sealed.entry, sealed.sha256) {
            Ok(next) => {
                end = next;
                new.push(sealed);
            }
            Err(Break::Gap { .. }) => return Ok(Outcome::Gap { have: chain.seq }),
            Err(Break::Old { .. }) if is_stored(conn, reporting, &chain, sealed)? => {}
            Err(Break::Old { .. } | Break::Fork { .. } | Break::OtherLedger) => {
                ledger::keep_fork(conn, site, sealed, at)?;
                if !forked {
                    device::mark_forked(conn, site, device)?;
                }
                return Ok(Outcome::Forked);
            }
        }
    }
    if !new.is_empty() {
        ledger::append(conn, site, &new, at)?;
        device::move_chain(conn, site, device, &end)?;
    }
    Ok(Outcome::Stored(end))
}

/// Whether the stored chain has this very entry at its position.
fn is_stored(
    conn: &mut Connection,
    reporting: &Reporting,
    chain: &Chain,
    sealed: &SealedEntry,
) -> Result<bool, DbError> {
    let seq = sealed.entry.seq;
    if seq == chain.seq {
        return Ok(chain.head_sha256 == Some(sealed.sha256));
    }
    let Reporting { site, device, .. } = reporting;
    let stored = ledger::sha256_at(conn, site, device, chain.ledger_id, seq)?;
    Ok(stored == Some(sealed.sha256))
}
