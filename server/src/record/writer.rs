//! The one writer of reports: a bounded queue, and one transaction for all that waited while the last
//! one was written.
//!
//! Not here: what a report means (`append`). Invariant: a report is answered after the transaction
//! that holds it is committed; when that fails, nothing of the batch is stored and each is told so.

use super::append::{Appended, append};
use super::log::Batch;
use super::report::{Outcome, Reporting};
use crate::app::App;
use crate::clock::Clock;
use crate::db::{Connection, Db, DbError};
use crate::error::{ApiError, Chain};
use crate::fleet::table::FleetTable;
use crate::limits::BATCH_ENTRIES_MAX;
use crate::rollout::count::{self, Reporter};
use crate::rollout::settle::{Scene, Settled};
use crate::views::Views;
use patchward_protocol::record::witness::Seen;
use patchward_protocol::time::Timestamp;
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

/// What the writer stands on.
#[derive(Debug, Clone)]
pub struct Ground {
    db: Db,
    fleet: Arc<FleetTable>,
    clock: Arc<dyn Clock>,
    views: Arc<Views>,
}

impl Ground {
    /// Of this server.
    #[must_use]
    pub fn of(app: &App) -> Self {
        let (fleet, clock) = (Arc::clone(&app.fleet), Arc::clone(&app.clock));
        Self { db: app.db.clone(), fleet, clock, views: Arc::clone(&app.views) }
    }
}

/// Writes batches until the last [`Recorder`] is gone.
pub async fn run(mut inbox: Inbox, ground: Ground) {
    while let Some(first) = inbox.queue.recv().await {
        let mut entries = first.reporting.entries.len();
        let mut batch = vec![first];
        while entries < BATCH_ENTRIES_MAX
            && let Ok(next) = inbox.queue.try_recv()
        {
            entries = entries.saturating_add(next.reporting.entries.len());
            batch.push(next);
        }
        write(batch, &ground).await;
    }
}

async fn write(batch: Vec<Waiting>, ground: &Ground) {
    let Ground { db, fleet, clock, views } = ground;
    let at = clock.now();
    let (reports, answers): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|waiting| (waiting.reporting, waiting.answer)).unzip();
    let reports = Arc::new(reports);
    let (stored, seen) = (Arc::clone(&reports), Arc::clone(views));
    let written = db.write(move |conn| {
        let mut record = Batch::default();
        let each = stored.iter().map(|reporting| append(conn, reporting, at, &mut record));
        let appended = each.collect::<Result<Vec<_>, DbError>>()?;
        let ends = record.write(conn, at)?;
        // After the entries, so that in the record a wave moves behind what moves it.
        let settled = weigh(conn, &stored, &appended, &seen, at)?;
        let outcomes = appended.into_iter().map(|appended| appended.outcome);
        Ok::<_, DbError>((outcomes.collect::<Vec<_>>(), ends, settled))
    });
    match written.await {
        Ok((outcomes, ends, settled)) => {
            if settled == Settled::Moved {
                views.ask_to_look();
            }
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

/// Counts what is new for the rollouts that it concerns.
fn weigh(
    conn: &mut Connection,
    reports: &[Reporting],
    appended: &[Appended],
    views: &Views,
    at: Timestamp,
) -> Result<Settled, DbError> {
    let (snapshot, consent) = (views.snapshot(), views.consent());
    let scene = Scene { snapshot: &snapshot, consent: &consent, at };
    let mut settled = Settled::Same;
    for (reporting, appended) in reports.iter().zip(appended) {
        let Some((fresh, key)) = &appended.fresh else { continue };
        let known = reporting.entries.len().saturating_sub(*fresh);
        let new: Vec<_> = reporting.entries.iter().skip(known).collect();
        let by = Reporter { site: &reporting.site, device: &reporting.device, key };
        if count::weigh(conn, &scene, by, &new)? == Settled::Moved {
            settled = Settled::Moved;
        }
    }
    Ok(settled)
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
