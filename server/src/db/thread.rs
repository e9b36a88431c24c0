//! Threads that own connections: one writer, some readers, each kind with a bounded queue.
//!
//! A connection that breaks is replaced before the next work, so that a database that was restarted
//! is found again. Invariant: work that was not begun is answered with an error, never dropped in
//! silence.

use super::DbError;
use super::connection::{Connection, DatabaseUrl, Link, Purpose};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Runs inside a transaction that has begun and ends it, or learns why none could begin.
type Work = Box<dyn FnOnce(Result<&mut Connection, DbError>) -> Link + Send>;
type Inbox = Arc<Mutex<mpsc::Receiver<Work>>>;

/// A queue into threads with connections of one purpose.
#[derive(Clone, Debug)]
pub(super) struct Threads {
    queue: mpsc::Sender<Work>,
    asked: Arc<AtomicU64>,
}

impl Threads {
    /// Starts `count` threads and waits until each is connected, so that a wrong address is told at
    /// once.
    pub(super) fn start(
        url: &DatabaseUrl,
        purpose: Purpose,
        count: usize,
        queue_length: usize,
    ) -> Result<Self, DbError> {
        let (queue, inbox) = mpsc::channel(queue_length);
        let inbox: Inbox = Arc::new(Mutex::new(inbox));
        for number in 0..count {
            let (url, inbox) = (url.clone(), Arc::clone(&inbox));
            let (report, reported) = std::sync::mpsc::channel();
            let body = move || match Connection::open(&url, purpose) {
                Ok(connection) => {
                    let _ = report.send(Ok(()));
                    serve(&url, purpose, &inbox, connection);
                }
                Err(error) => {
                    let _ = report.send(Err(error));
                }
            };
            let name = format!("db-{purpose:?}-{number}").to_lowercase();
            std::thread::Builder::new().name(name).spawn(body).map_err(DbError::Thread)?;
            reported.recv().map_err(|_| DbError::Stopped)??;
        }
        Ok(Self { queue, asked: Arc::default() })
    }

    /// Runs `work` in a transaction on one of the threads.
    pub(super) async fn run<T, E>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |connection| {
            let (result, link) = match connection {
                Ok(connection) => {
                    let result = work(connection);
                    connection.end(result)
                }
                Err(error) => (Err(error.into()), Link::Broken),
            };
            let _ = answer.send(result);
            link
        });
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.queue.try_send(work).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => DbError::Busy,
            mpsc::error::TrySendError::Closed(_) => DbError::Stopped,
        })?;
        answered.await.map_err(|_| DbError::Stopped)?
    }

    /// How often work was asked for.
    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

/// The life of one thread: ends when every [`Threads`] is gone.
fn serve(url: &DatabaseUrl, purpose: Purpose, inbox: &Inbox, first: Connection) {
    let mut connection = Some(first);
    loop {
        let next = inbox.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(work) = next else { return };
        let begun = begin(url, purpose, &mut connection);
        // A panic ends the work (its caller sees `Stopped`), not the thread.
        let ended = std::panic::catch_unwind(AssertUnwindSafe(|| work(begun)));
        if !matches!(ended, Ok(Link::Sound)) {
            connection = None;
        }
    }
}

/// Begins a transaction, on a fresh connection if the one at hand is broken.
fn begin<'a>(
    url: &DatabaseUrl,
    purpose: Purpose,
    connection: &'a mut Option<Connection>,
) -> Result<&'a mut Connection, DbError> {
    let usable = connection.as_mut().is_some_and(|held| held.begin(purpose).is_ok());
    if !usable {
        *connection = None;
        let mut fresh = Connection::open(url, purpose)?;
        fresh.begin(purpose).map_err(DbError::Begin)?;
        *connection = Some(fresh);
    }
    connection.as_mut().ok_or(DbError::Stopped)
}
