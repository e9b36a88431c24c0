//! One report against the stored chain: what is new is appended, what is known is confirmed, what
//! contradicts is kept as an alarm.
//!
//! Not here: transactions (the caller's). Invariant: of one report either everything new is stored
//! or nothing.

use super::log::Batch;
use super::report::{Outcome, Reporting};
use crate::db::device::{self, StoredAgent};
use crate::db::{Connection, DbError, delta_use, ledger};
use patchward_protocol::api::delta::DeltaUse;
use patchward_protocol::id::FamilyId;
use patchward_protocol::key::PublicKey;
use patchward_protocol::ledger::{Break, Chain, SealedEntry};
use patchward_protocol::record::entry::{Body, ServerAct};
use patchward_protocol::time::Timestamp;
use serde_json::json;

/// What came of a report, and how many of its last entries are new.
#[derive(Debug, Clone, Copy)]
pub struct Appended {
    /// What came of it.
    pub outcome: Outcome,
    /// How many entries, from the end, were not stored before, with the key that signed them.
    pub fresh: Option<(usize, PublicKey)>,
}

impl From<Outcome> for Appended {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, fresh: None }
    }
}

/// Stores what is new of a report, and puts it on its way into the site's record.
///
/// # Errors
/// [`DbError`].
pub fn append(
    conn: &mut Connection,
    reporting: &Reporting,
    at: Timestamp,
    record: &mut Batch,
) -> Result<Appended, DbError> {
    let Reporting { site, device, entries, .. } = reporting;
    record.ask(site);
    let stored = device::find(conn, site, device)?;
    let stored = stored.and_then(|stored| stored.agent);
    let Some(StoredAgent { chain, forked, device_key, .. }) = stored else {
        return Ok(Outcome::Unknown.into());
    };
    let mut end = chain;
    let mut new: Vec<&SealedEntry> = Vec::new();
    for sealed in entries {
        match end.accept(&sealed.entry, sealed.sha256) {
            Ok(next) => {
                end = next;
                new.push(sealed);
            }
            Err(Break::Gap { .. }) => return Ok(Outcome::Gap { have: chain.seq }.into()),
            Err(Break::Old { .. }) if is_stored(conn, reporting, &chain, sealed)? => {}
            Err(Break::Old { .. } | Break::Fork { .. } | Break::OtherLedger) => {
                ledger::keep_fork(conn, site, sealed, at)?;
                if !forked {
                    device::mark_forked(conn, site, device)?;
                    record.add(site, Body::Note(forked_note(sealed)));
                }
                return Ok(Outcome::Forked.into());
            }
        }
    }
    let fresh = (!new.is_empty()).then_some((new.len(), device_key));
    if !new.is_empty() {
        ledger::append(conn, site, &new, at)?;
        device::move_chain(conn, site, device, &end)?;
        for sealed in new {
            if let Some((family, said)) = carried(sealed) {
                delta_use::put(conn, site, family, &said)?;
            }
            record.add(site, Body::Ledger(sealed.envelope.clone()));
        }
    }
    Ok(Appended { outcome: Outcome::Stored(end), fresh })
}

/// How the image came that an entry says was staged.
fn carried(sealed: &SealedEntry) -> Option<(&FamilyId, DeltaUse)> {
    let (entry, fact) = (&sealed.entry, &sealed.entry.fact);
    let (release, carried) = (fact.release.as_ref()?, fact.carried.clone()?);
    let said = DeltaUse {
        device: entry.device.clone(),
        image_sha256: release.image_sha256,
        carried,
        reason: fact.reason,
        at: entry.at,
    };
    Some((&release.family, said))
}

/// The alarm in the record: the device's own entry is kept whole beside its ledger.
fn forked_note(sealed: &SealedEntry) -> ServerAct {
    let entry = &sealed.entry;
    let detail = json!({
        "device": entry.device, "ledger_id": entry.ledger_id, "seq": entry.seq,
        "sha256": sealed.sha256,
    });
    ServerAct::new("server", "ledger-fork", detail)
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
