//! What can go wrong with the database itself; "there is no such row" is not among it.

use std::path::{Path, PathBuf};

/// The database failed.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The address is wrong or nobody answers there.
    #[error("the database cannot be reached")]
    Connect(#[source] diesel::ConnectionError),
    /// A SQLite path has to be UTF-8.
    #[error("the path {} is not UTF-8", .0.display())]
    Path(PathBuf),
    /// A transaction could not begin: another writer took too long, or the connection broke.
    #[error("a transaction could not begin")]
    Begin(#[source] diesel::result::Error),
    /// A transaction could not be committed; nothing of it is stored.
    #[error("a transaction could not be committed")]
    Commit(#[source] diesel::result::Error),
    /// A statement failed.
    #[error("a statement failed")]
    Query(#[from] diesel::result::Error),
    /// A stored value is not what its column holds.
    #[error("column {column} holds {value:?}, which is no {kind}")]
    Column {
        /// `table.column`.
        column: &'static str,
        /// The type that it should be.
        kind: &'static str,
        /// What it is.
        value: String,
    },
    /// A row that was read was moved by somebody else before it could be moved here.
    #[error("a row of {table} was moved by somebody else")]
    Overtaken {
        /// The table.
        table: &'static str,
    },
    /// The queue is full; nothing was done.
    #[error("too much is waiting for the database")]
    Busy,
    /// The work panicked, or the program is ending.
    #[error("the database thread gave no answer")]
    Stopped,
    /// The machine gives no more threads.
    #[error("a database thread could not be started")]
    Thread(#[source] std::io::Error),
    /// A migration that this database has had is another one in this program.
    #[error("migration {name} of this database is not the one of this program")]
    MigrationChanged {
        /// Its name.
        name: String,
    },
    /// The database is of a newer program.
    #[error(
        "the database has migration {name}, which this program does not know: use the newer program"
    )]
    MigrationUnknown {
        /// Its name.
        name: String,
    },
    /// The database is of an older program and nobody asked to change it.
    #[error("the database lacks migration {name}: run `patchward-server migrate`")]
    MigrationMissing {
        /// Its name.
        name: &'static str,
    },
}

impl DbError {
    pub(super) fn path_not_utf8(path: &Path) -> Self {
        Self::Path(path.to_owned())
    }

    /// A stored text that is not of the kind that its column holds.
    pub(super) fn wrong(kind: &'static str, column: &'static str, value: &str) -> Self {
        Self::Column { column, kind, value: value.chars().take(80).collect() }
    }

    /// Whether the disk under the database is full.
    #[must_use]
    pub fn is_storage_full(&self) -> bool {
        let (Self::Begin(error) | Self::Commit(error) | Self::Query(error)) = self else {
            return false;
        };
        let diesel::result::Error::DatabaseError(_, told) = error else { return false };
        // SQLITE_FULL's text; PostgreSQL 53100 (disk_full) says "No space left on device".
        let message = told.message();
        message.contains("disk is full") || message.contains("No space left")
    }
}
