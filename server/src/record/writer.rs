//! The one writer of reports: a bounded queue, and one transaction for all that waited while the last
//! one was written.
//!
//! Not here: what a report means (`append`). Invariant: a report is answered after the transaction
//! that holds it is committed; when that fails, nothing of the batch is stored and each is told so.

use super::append::append;
use super::log::Batch;
use super::report::{Outcome, Reporting};
use crate::clock::Clock;
use crate::db::{Db, DbError};
use crate::error::{ApiError, Chain};
use crate::fleet::table::FleetTable;
use crate::limits::BATCH_ENTRIES_MAX;
use patchward_protocol::record::witness::Seen;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Puts reports into the queue.
#[derive(Debug, Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Waiting>,
}

/// The other end of the queue.
#[derive(Debug)]
pub struct Inbox {
    queue: mpsc::Receiver<Waiting>,
}

/// What came of a report that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// What came of its entries.
    pub outcome: Outcome,
    /// Where the site's record ended then.
    pub record: Seen,
}

/// Why a report is not stored.
#[derive(Debug)]
pub enum Wait {
    /// Too many are waiting; nothing was lost.
    QueueFull,
    /// The transaction failed.
    NotStored(NotStored),
}

/// Why the transaction of a batch failed; each report of the batch is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotStored {
    /// The database had too much to do.
    Busy,
    /// The disk is full.
    StorageFull,
    /// The database failed; the cause is in the log.
    Failed,
}

/// The database did not take a batch of reports; the cause is in the log before this.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the database did not take a batch of reports")]
struct BatchFailed;

#[derive(Debug)]
struct Waiting {
    reporting: Reporting,
    answer: oneshot::Sender<Result<Written, NotStored>>,
}

/// A queue for at most `reports_max` reports.
#[must_use]
pub fn queue(reports_max: usize) -> (Recorder, Inbox) {
    let (sender, receiver) = mpsc::channel(reports_max.max(1));
    (Recorder { queue: sender }, Inbox { queue: receiver })
}

impl Recorder {
    /// Stores a report; returns when it is on disk.
    ///
    /// # Errors
    /// [`Wait`]; nothing of the report is stored then.
    pub async fn store(&self, reporting: Reporting) -> Result<Written, Wait> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { reporting, answer };
        self.queue.try_send(waiting).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Wait::QueueFull,
            mpsc::error::TrySendError::Closed(_) => Wait::NotStored(NotStored::Failed),
        })?;
        let written = answered.await.unwrap_or(Err(NotStored::Failed));
        written.map_err(Wait::NotStored)
    }
}

/// Writes batches until the last [`Recorder`] is gone.
pub async fn run(mut inbox: Inbox, db: Db, fleet: Arc<FleetTable>, clock: Arc<dyn Clock>) {
    while let Some(first) = inbox.queue.recv().await {
        let mut entries = first.reporting.entries.len();
        let mut batch = vec![first];
        while entries < BATCH_ENTRIES_MAX
            && let Ok(next) = inbox.queue.try_recv()
        {
            entries = entries.saturating_add(next.reporting.entries.len());
            batch.push(next);
        }
        write(batch, &db, &fleet, clock.as_ref()).await;
    }
}

async fn write(batch: Vec<Waiting>, db: &Db, fleet: &FleetTable, clock: &dyn Clock) {
    let at = clock.now();
    let (reports, answers): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|waiting| (waiting.reporting, waiting.answer)).unzip();
    let reports = Arc::new(reports);
    let stored = Arc::clone(&reports);
    let written = db.write(move |conn| {
        let mut record = Batch::default();
        let each = stored.iter().map(|reporting| append(conn, reporting, at, &mut record));
        let outcomes = each.collect::<Result<Vec<_>, DbError>>()?;
        Ok::<_, DbError>((outcomes, record.write(conn, at)?))
    });
    match written.await {
        Ok((outcomes, ends)) => {
            let none = Seen { size: 0, root: patchward_protocol::merkle::empty_root() };
            for ((reporting, outcome), answer) in reports.iter().zip(outcomes).zip(answers) {
                remember(fleet, reporting, outcome);
                let record = ends.get(&reporting.site).copied().unwrap_or(none);
                // Who does not wait any more asks again; the report is stored.
                let _ = answer.send(Ok(Written { outcome, record }));
            }
        }
        Err(error) => {
            let told = NotStored::of(&error);
            tracing::error!(error = %Chain(&error), "A batch of reports could not be stored");
            for answer in answers {
                let _ = answer.send(Err(told));
            }
        }
    }
}

fn remember(fleet: &FleetTable, reporting: &Reporting, outcome: Outcome) {
    match outcome {
        Outcome::Stored(chain) => {
            fleet.move_ledger(&reporting.site, &reporting.device, chain.seq);
        }
        Outcome::Forked => tracing::error!(
            device.site = %reporting.site, device.id = %reporting.device,
            "A ledger continues another history: a cloned or restored device"
        ),
        Outcome::Gap { .. } | Outcome::Unknown => {}
    }
}

impl NotStored {
    fn of(error: &DbError) -> Self {
        if error.is_storage_full() {
            Self::StorageFull
        } else if matches!(error, DbError::Busy) {
            Self::Busy
        } else {
            Self::Failed
        }
    }

    /// In the words of the code table.
    pub(super) fn into_api(self) -> ApiError {
        match self {
            Self::Busy => DbError::Busy.into(),
            Self::StorageFull => {
                ApiError::of(patchward_protocol::api::error::ErrorCode::StorageFull)
            }
            Self::Failed => ApiError::failed(BatchFailed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchward_protocol::id::{DeviceId, SiteId};

    fn reporting() -> Reporting {
        Reporting {
            site: SiteId::new("north").unwrap(),
            device: DeviceId::new("pump-1").unwrap(),
            entries: Vec::new(),
            log_size_seen: None,
        }
    }

    #[tokio::test]
    async fn a_report_that_finds_the_queue_full_is_told_to_come_again() {
        let (recorder, inbox) = queue(1);
        let first = tokio::spawn({
            let recorder = recorder.clone();
            async move { recorder.store(reporting()).await }
        });
        tokio::task::yield_now().await;
        assert!(matches!(recorder.store(reporting()).await, Err(Wait::QueueFull)));
        // Who waits while the writer ends learns that nothing was stored.
        drop(inbox);
        let first = first.await.unwrap();
        assert!(matches!(first, Err(Wait::NotStored(NotStored::Failed))));
    }
}
