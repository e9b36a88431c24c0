//! Says ahead of the write that this device is about to change.
//!
//! Between the last check-in and the health checks nothing is delivered, and an image that never comes
//! up would take the entries of its own activation with it: the hospital's other devices would go on as
//! if nothing had begun. So the entry `preparing` is delivered when it is durable. Not here: the outbox,
//! which delivers it again and waits for the receipt.
//! Invariant: nothing here holds an update up, or lets it go on.

use super::device::Device;
use crate::layout::Layout;
use crate::ledger;
use patchward_protocol::api::device::{Report, ReportRequest};
use patchward_protocol::api::endpoint::Endpoint as _;
use std::time::Duration;

/// Longest time that is given to it.
const LIMIT: Duration = Duration::from_secs(3);
/// Most entries of one report.
const ENTRIES_MAX: usize = 64;
/// Most bytes of entries of one report.
const BYTES_MAX: u64 = 256 * 1024;
/// Most bytes of the answer.
const REPLY_BYTES_MAX: u64 = 64 * 1024;

impl Device {
    /// Delivers what the server has not stored of the ledger, once, as far as that is quick.
    pub async fn tell_ahead(&mut self) {
        // Only right after a check-in it is known where the server stands.
        let Some(stored) = self.ledger_stored_seq else { return };
        let folder = Layout::new(&self.config.state_dir).ledger();
        let entries = ledger::since(&folder, stored.saturating_add(1), ENTRIES_MAX, BYTES_MAX);
        let entries = match entries {
            Ok(entries) if entries.is_empty() => return,
            Ok(entries) => entries,
            Err(error) => return tracing::debug!(%error, "the ledger could not be read ahead"),
        };
        let request = ReportRequest {
            site: self.membership.site.clone(),
            device: self.membership.device.clone(),
            entries,
            log_size_seen: None,
        };
        let Ok(json) = serde_json::to_vec(&request) else { return };
        let told = self.client.post_json(Report::PATH, json, None, REPLY_BYTES_MAX);
        match tokio::time::timeout(LIMIT, told).await {
            Ok(Ok(answer)) => tracing::debug!(status = answer.status, "said ahead"),
            Ok(Err(error)) => tracing::debug!(%error, "not said ahead"),
            Err(_elapsed) => tracing::debug!("not said ahead in time"),
        }
    }
}
