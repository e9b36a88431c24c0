//! The database: one set of tables and one body per query, on SQLite or PostgreSQL.
//!
//! [`Db::read`] and [`Db::write`] take a function over [`Connection`] and run it in one transaction
//! on a thread of their own; queries are written with [`queries!`], in a module by their noun.
//! Not here: rules. There is no trait in front of it, and "not found" is `Ok(None)`, never an error.
//! Invariant: what `write` answered with `Ok` is on disk.

pub mod account;
pub mod act;
pub mod answer;
pub mod by_hand;
pub mod calendar;
pub mod campaign;
pub mod change;
pub mod channel;
pub mod column;
mod connection;
pub mod custodial;
pub mod delta;
pub mod delta_use;
pub mod device;
pub mod draft;
mod error;
pub mod field;
pub mod grant;
pub mod hold;
pub mod inventory;
pub mod invitation;
pub mod ledger;
pub mod lifecycle;
pub mod login_try;
pub mod mark;
mod migrate;
pub mod notice;
pub mod outbox;
pub mod outline;
pub mod passkey;
pub mod person_act;
pub mod record;
pub mod repository;
pub mod rollout;
pub mod schema;
pub mod session;
pub mod staged;
mod thread;
pub mod token;
pub mod zone;

pub(crate) use connection::queries;
pub use connection::{Connection, DatabaseUrl};
pub use error::DbError;
pub use migrate::{MIGRATIONS, Migration, check, migrate};

use connection::Purpose;
use thread::Threads;

/// How many may wait for the writer.
const WRITES_WAITING_MAX: usize = 1024;
/// How many may wait for a reader.
const READS_WAITING_MAX: usize = 4096;

/// A handle on the database; cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    readers: Threads,
    writer: Threads,
    engine: &'static str,
}

/// Runs `work` in one write transaction on a connection of its own. Blocks its thread; for `init`.
///
/// # Errors
/// What `work` returned, or [`DbError`].
pub fn once<T, E: From<DbError>>(
    url: &DatabaseUrl,
    work: impl FnOnce(&mut Connection) -> Result<T, E>,
) -> Result<T, E> {
    let mut connection = Connection::open(url, Purpose::Write)?;
    connection.begin(Purpose::Write).map_err(DbError::Begin)?;
    let result = work(&mut connection);
    connection.end(result).0
}

impl Db {
    /// Connects one writer and `readers` readers to a database that has this program's schema.
    ///
    /// Blocks its thread; not for use inside an async task.
    ///
    /// # Errors
    /// [`DbError`], also when the schema is not this program's.
    pub fn open(url: &DatabaseUrl, readers: usize) -> Result<Self, DbError> {
        check(url)?;
        Ok(Self {
            writer: Threads::start(url, Purpose::Write, 1, WRITES_WAITING_MAX)?,
            readers: Threads::start(url, Purpose::Read, readers.max(1), READS_WAITING_MAX)?,
            engine: url.engine(),
        })
    }

    /// Runs `work` on a consistent state of the database, which it cannot change.
    ///
    /// # Errors
    /// What `work` returned, or [`DbError`].
    pub async fn read<T, E>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        self.readers.run(work).await
    }

    /// Runs `work` in one transaction, alone among all writers: stored and on disk when this is
    /// `Ok`, without trace otherwise.
    ///
    /// # Errors
    /// What `work` returned, or [`DbError`].
    pub async fn write<T, E>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        self.writer.run(work).await
    }

    /// How many transactions were asked for so far: what answers without the database leaves it.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.readers.asked().saturating_add(self.writer.asked())
    }

    /// `sqlite` or `postgres`.
    #[must_use]
    pub const fn engine(&self) -> &'static str {
        self.engine
    }
}
