//! Delivering the ledger: at least once, in order, from where the server stands.
//!
//! The ledger is the outbox. What counts as delivered is a receipt that the pinned record key signed
//! over this ledger's own digest; the last one is kept as proof. Not here: when to deliver.
//! Invariant: a receipt that does not match is ignored and said; entries are kept and sent again.

use crate::journal::write_durably;
use crate::ledger::refusals::Refusal;
use crate::ledger::{Ledger, LedgerError};
use crate::link::error::LinkError;
use crate::link::http::Client;
use crate::witness::{Places, Witness};
use patchward_protocol::api::device::{Report, ReportReply, ReportRequest};
use patchward_protocol::api::endpoint::Endpoint as _;
use patchward_protocol::api::error::{ErrorCode, Problem};
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::id::{DeviceId, SiteId};
use patchward_protocol::key::PublicKey;
use patchward_protocol::receipt::Receipt;
use std::path::PathBuf;

/// Most entries of one report.
const ENTRIES_MAX: usize = 128;
/// Most bytes of one report, before JSON.
const BYTES_MAX: u64 = 512 * 1024;
/// Most bytes of a reply.
const REPLY_BYTES_MAX: u64 = 64 * 1024;
/// Most reports in a row.
pub const REPORTS_MAX: u32 = 16;

/// Where reports go, and who signs for them.
#[derive(Debug, Clone)]
pub struct Outbox {
    site: SiteId,
    device: DeviceId,
    record_key: PublicKey,
    path: PathBuf,
    receipt: Option<Receipt>,
    next_seq: u64,
    witness: Witness,
    refusals: Vec<Refusal>,
}

/// Why a report did not arrive, or was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// The ledger could not be read.
    #[error("the ledger could not be read")]
    Ledger(#[from] LedgerError),
    /// The report could not be written.
    #[error("the report could not be written")]
    Write(#[source] serde_json::Error),
    /// The server could not be asked.
    #[error("the report did not arrive")]
    Link(#[from] LinkError),
    /// The server refused it.
    #[error("the server answered {status} {code}")]
    Refused {
        /// The status.
        status: u16,
        /// The code, where the answer had one.
        code: String,
        /// When to come again, in seconds.
        retry_after_s: Option<u64>,
    },
    /// The receipt does not match.
    #[error("the receipt does not match this ledger: {0}")]
    Receipt(String),
}

impl Outbox {
    /// Goes on from the last receipt that is kept at `path`.
    #[must_use]
    pub fn new(
        site: SiteId,
        device: DeviceId,
        record_key: PublicKey,
        path: PathBuf,
        places: Places,
    ) -> Self {
        let kept = std::fs::read(&path).ok().and_then(|bytes| Envelope::read(&bytes).ok());
        let open =
            |envelope: Envelope| envelope.open::<Receipt>(PayloadType::Receipt, &record_key).ok();
        let receipt = kept.and_then(open).map(|verified| verified.into_inner());
        let next_seq = receipt.as_ref().map_or(1, |receipt| receipt.upto_seq.saturating_add(1));
        let (witness, refusal) = Witness::open(site.clone(), record_key, places);
        let refusals = refusal.into_iter().collect();
        Self { site, device, record_key, path, receipt, next_seq, witness, refusals }
    }

    /// What this device has seen of its site's record.
    #[must_use]
    pub const fn witness(&self) -> &Witness {
        &self.witness
    }

    /// What was refused of the server's record since the last call.
    pub fn take_refusals(&mut self) -> Vec<Refusal> {
        std::mem::take(&mut self.refusals)
    }

    /// The last entry that a receipt covers.
    #[must_use]
    pub fn receipted_seq(&self) -> u64 {
        self.receipt.as_ref().map_or(0, |receipt| receipt.upto_seq)
    }

    /// The server says up to where it has this ledger; after a restore it may be less than before.
    pub const fn server_has(&mut self, upto_seq: u64) {
        self.next_seq = upto_seq.saturating_add(1);
    }

    /// Whether there is something to deliver.
    #[must_use]
    pub const fn is_behind(&self, ledger: &Ledger) -> bool {
        self.next_seq <= ledger.chain().seq
    }

    /// Delivers one report. Returns whether there is more.
    ///
    /// # Errors
    /// [`DeliverError`]; what was not acknowledged is sent again.
    pub async fn deliver(
        &mut self,
        client: &mut Client,
        ledger: &mut Ledger,
    ) -> Result<bool, DeliverError> {
        if !self.is_behind(ledger) {
            return Ok(false);
        }
        let entries = ledger.entries_from(self.next_seq, ENTRIES_MAX, BYTES_MAX)?;
        let last = entries.last().cloned();
        let request = ReportRequest {
            site: self.site.clone(),
            device: self.device.clone(),
            entries,
            log_size_seen: self.witness.size(),
        };
        let json = serde_json::to_vec(&request).map_err(DeliverError::Write)?;
        let answer = client.post_json(Report::PATH, json, None, REPLY_BYTES_MAX).await?;
        if answer.status != 200 {
            let code = serde_json::from_slice::<Problem>(&answer.body).map(|problem| problem.code);
            if let Ok(ErrorCode::LedgerGap) = code {
                self.next_seq = 1;
            }
            let code = code.map_or_else(|_| String::new(), |code| code.code().to_owned());
            let (status, retry_after_s) = (answer.status, answer.retry_after_s);
            return Err(DeliverError::Refused { status, code, retry_after_s });
        }
        let wrong = |why: &str| DeliverError::Receipt(why.to_owned());
        let reply: ReportReply =
            serde_json::from_slice(&answer.body).map_err(|e| wrong(&e.to_string()))?;
        let last = last.ok_or_else(|| wrong("nothing was sent"))?;
        let receipt = self.check(&reply.receipt, &last, ledger)?;
        let kept = serde_json::to_vec(&reply.receipt).map_err(DeliverError::Write)?;
        if let Err(error) = write_durably(&self.path, &kept) {
            tracing::warn!(path = %self.path.display(), %error, "the receipt could not be kept");
        }
        self.next_seq = receipt.upto_seq.saturating_add(1);
        self.receipt = Some(receipt);
        if let Some(shown) = &reply.record {
            self.refusals.extend(self.witness.look(shown));
        }
        ledger.drop_receipted(self.receipted_seq())?;
        Ok(self.is_behind(ledger))
    }

    fn check(
        &self,
        receipt: &Envelope,
        last: &Envelope,
        ledger: &Ledger,
    ) -> Result<Receipt, DeliverError> {
        let wrong = |why: String| DeliverError::Receipt(why);
        let receipt = receipt
            .open::<Receipt>(PayloadType::Receipt, &self.record_key)
            .map_err(|error| wrong(error.to_string()))?
            .into_inner();
        let chain = ledger.chain();
        let same = receipt.site == self.site
            && receipt.device == self.device
            && receipt.ledger_id == chain.ledger_id;
        if !same {
            return Err(wrong("it is for another ledger".into()));
        }
        let of_last = last.payload_sha256().ok();
        let named = if receipt.upto_seq == chain.seq {
            chain.head_sha256
        } else if Some(receipt.chain_sha256) == of_last {
            of_last
        } else {
            let entry = ledger.entries_from(receipt.upto_seq, 1, u64::MAX)?;
            entry.first().and_then(|envelope| envelope.payload_sha256().ok())
        };
        if receipt.upto_seq > chain.seq || named != Some(receipt.chain_sha256) {
            return Err(wrong(format!("entry {} is not the one it names", receipt.upto_seq)));
        }
        Ok(receipt)
    }
}
