//! One connection, to either engine, and the macro that writes a query once for both.
//!
//! SQLite runs in WAL with `synchronous=FULL`: what was committed survives a power cut. PostgreSQL is
//! reached without libpq. Invariant: write transactions of all processes on one database run one
//! after the other on both engines (`BEGIN IMMEDIATE`; an advisory lock), so that a query body
//! means the same on both.

use super::DbError;
use diesel::connection::{AnsiTransactionManager, SimpleConnection as _, TransactionManager};
use diesel::{Connection as _, SqliteConnection};
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use std::path::PathBuf;

/// A PostgreSQL connection that blocks its thread.
type PostgresConnection = AsyncConnectionWrapper<AsyncPgConnection>;

/// A connection to one of the engines.
#[allow(missing_debug_implementations, reason = "diesel's connections have none")]
pub enum Connection {
    /// A file on this machine.
    Sqlite(Box<SqliteConnection>),
    /// A server.
    Postgres(Box<PostgresConnection>),
}

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// The path of a SQLite file.
    Sqlite(PathBuf),
    /// `postgres://…`, password included: never printed.
    Postgres(String),
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Reads a consistent state and cannot write.
    Read,
    /// Writes, one transaction after the other.
    Write,
}

/// Whether a connection may be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Sound,
    Broken,
}

/// Longest wait for another process's write transaction, in milliseconds.
const BUSY_MS_MAX: u32 = 10_000;
/// Names Patchward's writers among PostgreSQL's advisory locks.
const WRITER_LOCK: i64 = 0x7061_7463_6877_6172;

/// Writes each query body once and compiles it for both engines.
///
/// Inside a body the first argument is diesel's own connection. To use a query inside another,
/// write an ordinary function over [`Connection`] that calls both.
macro_rules! queries {
    ($(
        $(#[$meta:meta])*
        $vis:vis fn $name:ident($conn:ident $(, $arg:ident: $kind:ty)* $(,)?) -> $out:ty $body:block
    )*) => {$(
        $(#[$meta])*
        $vis fn $name($conn: &mut $crate::db::Connection $(, $arg: $kind)*) -> $out {
            match $conn {
                $crate::db::Connection::Sqlite(inner) => {
                    let $conn = &mut **inner;
                    $body
                }
                $crate::db::Connection::Postgres(inner) => {
                    let $conn = &mut **inner;
                    $body
                }
            }
        }
    )*};
}
pub(crate) use queries;

impl DatabaseUrl {
    /// Which engine it names.
    #[must_use]
    pub const fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(_) => f.write_str("postgres://…"),
        }
    }
}

impl Connection {
    /// Connects; a SQLite file is made when it is not there.
    ///
    /// # Errors
    /// [`DbError::Connect`].
    pub fn open(url: &DatabaseUrl, purpose: Purpose) -> Result<Self, DbError> {
        let mut connection = match url {
            DatabaseUrl::Sqlite(path) => {
                let path = path.to_str().ok_or_else(|| DbError::path_not_utf8(path))?;
                SqliteConnection::establish(path).map(Box::new).map(Self::Sqlite)
            }
            DatabaseUrl::Postgres(url) => {
                PostgresConnection::establish(url).map(Box::new).map(Self::Postgres)
            }
        }
        .map_err(DbError::Connect)?;
        connection.set_up(purpose).map_err(DbError::Query)?;
        Ok(connection)
    }

    fn set_up(&mut self, purpose: Purpose) -> diesel::QueryResult<()> {
        match self {
            Self::Sqlite(conn) => {
                conn.batch_execute(&format!(
                    "PRAGMA busy_timeout = {BUSY_MS_MAX}; PRAGMA journal_mode = WAL; \
                     PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                ))?;
                if purpose == Purpose::Read {
                    conn.batch_execute("PRAGMA query_only = ON")?;
                }
                Ok(())
            }
            Self::Postgres(conn) => {
                let mode = match purpose {
                    Purpose::Read => "ISOLATION LEVEL REPEATABLE READ READ ONLY",
                    Purpose::Write => "ISOLATION LEVEL READ COMMITTED READ WRITE",
                };
                conn.batch_execute(&format!(
                    "SET SESSION CHARACTERISTICS AS TRANSACTION {mode}; \
                     SET lock_timeout = {BUSY_MS_MAX}; SET synchronous_commit = on; \
                     SET idle_in_transaction_session_timeout = 60000; SET client_min_messages = warning"
                ))
            }
        }
    }

    /// Ends the transaction that `begin` began: commits what went well, rolls back the rest.
    pub(super) fn end<T, E: From<DbError>>(
        &mut self,
        result: Result<T, E>,
    ) -> (Result<T, E>, Link) {
        match result {
            Ok(value) => match self.commit() {
                Ok(()) => (Ok(value), Link::Sound),
                Err(error) => (Err(DbError::Commit(error).into()), Link::Broken),
            },
            Err(error) => {
                let link = if self.rollback().is_ok() { Link::Sound } else { Link::Broken };
                (Err(error), link)
            }
        }
    }

    /// Begins a transaction; a writer then is the only one on this database.
    pub(super) fn begin(&mut self, purpose: Purpose) -> diesel::QueryResult<()> {
        match (self, purpose) {
            (Self::Sqlite(conn), Purpose::Read) => {
                AnsiTransactionManager::begin_transaction_sql(&mut **conn, "BEGIN DEFERRED")
            }
            (Self::Sqlite(conn), Purpose::Write) => {
                AnsiTransactionManager::begin_transaction_sql(&mut **conn, "BEGIN IMMEDIATE")
            }
            (Self::Postgres(conn), Purpose::Read) => Pg::begin_transaction(&mut **conn),
            (Self::Postgres(conn), Purpose::Write) => {
                Pg::begin_transaction(&mut **conn)?;
                let locked =
                    conn.batch_execute(&format!("SELECT pg_advisory_xact_lock({WRITER_LOCK})"));
                locked.inspect_err(|_| {
                    let _ = Pg::rollback_transaction(&mut **conn);
                })
            }
        }
    }

    fn commit(&mut self) -> diesel::QueryResult<()> {
        match self {
            Self::Sqlite(conn) => AnsiTransactionManager::commit_transaction(&mut **conn),
            Self::Postgres(conn) => Pg::commit_transaction(&mut **conn),
        }
    }

    fn rollback(&mut self) -> diesel::QueryResult<()> {
        match self {
            Self::Sqlite(conn) => AnsiTransactionManager::rollback_transaction(&mut **conn),
            Self::Postgres(conn) => Pg::rollback_transaction(&mut **conn),
        }
    }

    /// Runs statements that have no parameters.
    pub(super) fn batch(&mut self, sql: &str) -> Result<(), DbError> {
        match self {
            Self::Sqlite(conn) => conn.batch_execute(sql),
            Self::Postgres(conn) => conn.batch_execute(sql),
        }
        .map_err(DbError::Query)
    }
}

type Pg = <PostgresConnection as diesel::Connection>::TransactionManager;
