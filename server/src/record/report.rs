//! A report from request to receipt.
//!
//! Not here: storing (`append`) and batching (`writer`). Invariant: an entry reaches the writer only
//! after its signature was checked with the key of the device that it names.

use super::read;
use super::writer::Wait;
use crate::app::App;
use crate::error::ApiError;
use crate::fleet::enrol::refuse_open;
use crate::fleet::table::FleetTable;
use patchward_protocol::api::device::{ReportReply, ReportRequest};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::id::{DeviceId, SiteId};
use patchward_protocol::ledger::{Chain, SealedEntry};
use patchward_protocol::limits::{DETAIL_BYTES_MAX, REPORT_ENTRIES_MAX};
use patchward_protocol::receipt::Receipt;

/// When to ask again where reports come faster than they can be stored, in seconds.
const QUEUE_FULL_S: u32 = 3;

/// A device that proved to hold its device key, and its entries.
#[derive(Debug, Clone)]
pub struct Reporting {
    pub(super) site: SiteId,
    pub(super) device: DeviceId,
    pub(super) entries: Vec<SealedEntry>,
    pub(super) log_size_seen: Option<u64>,
}

/// What came of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is stored, now or before; the chain stands here.
    Stored(Chain),
    /// Entries are missing between the stored ones and these.
    Gap {
        /// Position of the last stored entry.
        have: u64,
    },
    /// The entries continue another history; kept as an alarm.
    Forked,
    /// The device is not in the database.
    Unknown,
}

/// Checks every entry with the device's key.
///
/// # Errors
/// `device_unknown`, `signature_invalid`, `body_malformed`, `request_invalid`.
pub fn verify(
    fleet: &FleetTable,
    request: &ReportRequest,
    envelopes: Vec<Envelope>,
) -> Result<Reporting, ApiError> {
    let ReportRequest { site, device, .. } = request;
    let known = fleet.known(site, device);
    let known = known.ok_or_else(|| ApiError::of(ErrorCode::DeviceUnknown))?;
    if envelopes.is_empty() || envelopes.len() > REPORT_ENTRIES_MAX {
        let rule = format!("entries: 1 to {REPORT_ENTRIES_MAX}");
        return Err(ApiError::with(ErrorCode::RequestInvalid, rule));
    }
    let mut entries: Vec<SealedEntry> = Vec::with_capacity(envelopes.len());
    for envelope in envelopes {
        let opened = SealedEntry::open(envelope, &known.device_key);
        let sealed = opened.map_err(|error| refuse_open(&error))?.into_inner();
        if let Some(rule) = broken_rule(&sealed, device, entries.last()) {
            return Err(ApiError::with(ErrorCode::RequestInvalid, rule));
        }
        entries.push(sealed);
    }
    let log_size_seen = request.log_size_seen;
    Ok(Reporting { site: site.clone(), device: device.clone(), entries, log_size_seen })
}

fn broken_rule(
    sealed: &SealedEntry,
    device: &DeviceId,
    before: Option<&SealedEntry>,
) -> Option<&'static str> {
    let entry = &sealed.entry;
    let detail = entry.fact.detail.as_ref().map_or(0, String::len);
    if entry.v != 1 {
        Some("entries.v: this server knows version 1")
    } else if entry.device != *device {
        Some("entries.device: another device")
    } else if entry.seq == 0 || i64::try_from(entry.seq).is_err() {
        Some("entries.seq: 1 to 2^63 - 1")
    } else if detail > DETAIL_BYTES_MAX {
        Some("entries.detail: at most 1024 bytes")
    } else if before.is_some_and(|before| !follows(sealed, before)) {
        Some("entries: consecutive, of one ledger")
    } else {
        None
    }
}

fn follows(sealed: &SealedEntry, before: &SealedEntry) -> bool {
    sealed.entry.ledger_id == before.entry.ledger_id
        && Some(sealed.entry.seq) == before.entry.seq.checked_add(1)
}

/// Stores a report and answers when it is on disk.
///
/// # Errors
/// `ledger_gap`, `ledger_fork`, `busy` when the queue is full, or a failure of ours.
pub async fn report(app: &App, reporting: Reporting) -> Result<ReportReply, ApiError> {
    let (site, device) = (reporting.site.clone(), reporting.device.clone());
    let log_size_seen = reporting.log_size_seen;
    let stored = app.recorder.store(reporting).await;
    let written = stored.map_err(|wait| match wait {
        Wait::QueueFull => ApiError::busy(QUEUE_FULL_S),
        Wait::NotStored(error) => error.into_api(),
    })?;
    let chain = match written.outcome {
        Outcome::Stored(chain) => chain,
        Outcome::Gap { have } => {
            let last = format!("the last stored entry is {have}");
            return Err(ApiError::with(ErrorCode::LedgerGap, last));
        }
        Outcome::Forked => return Err(ApiError::of(ErrorCode::LedgerFork)),
        Outcome::Unknown => return Err(ApiError::of(ErrorCode::DeviceUnknown)),
    };
    let Some(chain_sha256) = chain.head_sha256 else {
        return Err(ApiError::failed("a stored ledger without a last entry"));
    };
    let record = read::shown(app, &site, &written.record, log_size_seen).await?;
    let receipt = Receipt {
        v: 1,
        site,
        device,
        ledger_id: chain.ledger_id,
        upto_seq: chain.seq,
        chain_sha256,
        at: app.clock.now(),
    };
    let receipt = Envelope::seal(PayloadType::Receipt, &receipt, app.keys.record());
    Ok(ReportReply { receipt: receipt.map_err(ApiError::failed)?, record: Some(record) })
}
