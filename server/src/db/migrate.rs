//! Brings a database to the schema of this program.
//!
//! Both engines have the same migrations by name. Each applied one is remembered with its digest.
//! Invariant: an applied migration never changes; a database of a newer program is refused.

use super::DbError;
use super::connection::{Connection, DatabaseUrl, queries};
use super::schema::schema_migrations as table;
use crate::record::words;
use diesel::prelude::*;
use patchward_protocol::digest::Sha256Digest;

/// One step of the schema.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its name, the same for both engines.
    pub name: &'static str,
    /// For SQLite.
    pub sqlite: &'static str,
    /// For PostgreSQL.
    pub postgres: &'static str,
}

macro_rules! migrations {
    ($($name:literal),* $(,)?) => {
        /// Every migration, in order.
        pub const MIGRATIONS: &[Migration] = &[$(Migration {
            name: $name,
            sqlite: include_str!(concat!("../../../migrations/sqlite/", $name, "/up.sql")),
            postgres: include_str!(concat!("../../../migrations/postgres/", $name, "/up.sql")),
        }),*];
    };
}

migrations!(
    "0001_begin",
    "0002_consent",
    "0003_record",
    "0004_delta",
    "0005_people",
    "0006_drafts",
    "0007_notices",
    "0008_by_hand",
    "0009_lifecycle",
    "0010_calendar",
    "0011_people",
    "0012_lists",
    "0013_record_words",
);

const BOOKKEEPING: &str = "CREATE TABLE IF NOT EXISTS schema_migrations \
                           (name TEXT NOT NULL PRIMARY KEY, sha256 TEXT NOT NULL)";

queries! {
    fn applied(conn) -> Result<Vec<(String, String)>, DbError> {
        Ok(table::table.order(table::name).load(conn)?)
    }

    fn remember(conn, name: &str, sha256: &str) -> Result<(), DbError> {
        let row = (table::name.eq(name), table::sha256.eq(sha256));
        diesel::insert_into(table::table).values(row).execute(conn)?;
        Ok(())
    }
}

/// Applies what is missing, each migration in a transaction; returns the names of those applied.
///
/// Blocks its thread; not for use inside an async task.
///
/// # Errors
/// [`DbError`], with nothing of the failed migration applied.
pub fn migrate(url: &DatabaseUrl) -> Result<Vec<&'static str>, DbError> {
    super::once(url, apply_missing)
}

/// Fails when the database is not exactly of this program's schema. Blocks its thread.
///
/// # Errors
/// [`DbError::MigrationMissing`] and the like.
pub fn check(url: &DatabaseUrl) -> Result<(), DbError> {
    super::once(url, |connection| {
        connection.batch(BOOKKEEPING)?;
        match missing(connection)?.first() {
            Some(migration) => Err(DbError::MigrationMissing { name: migration.name }),
            None => Ok(()),
        }
    })
}

fn apply_missing(connection: &mut Connection) -> Result<Vec<&'static str>, DbError> {
    connection.batch(BOOKKEEPING)?;
    let mut names = Vec::new();
    for migration in missing(connection)? {
        let sql = migration.sql(connection);
        connection.batch(sql)?;
        remember(connection, migration.name, &Sha256Digest::of(sql.as_bytes()).to_string())?;
        names.push(migration.name);
    }
    // What SQL alone cannot say of the entries that are there.
    words::fill(connection)?;
    Ok(names)
}

fn missing(connection: &mut Connection) -> Result<Vec<&'static Migration>, DbError> {
    let applied = applied(connection)?;
    for (name, sha256) in &applied {
        let known = MIGRATIONS.iter().find(|migration| migration.name == name);
        let known = known.ok_or_else(|| DbError::MigrationUnknown { name: name.clone() })?;
        if Sha256Digest::of(known.sql(connection).as_bytes()).to_string() != *sha256 {
            return Err(DbError::MigrationChanged { name: name.clone() });
        }
    }
    let had = |migration: &&Migration| applied.iter().any(|(name, _)| name == migration.name);
    Ok(MIGRATIONS.iter().filter(|migration| !had(migration)).collect())
}

impl Migration {
    /// What this engine's migration says.
    const fn sql(&self, connection: &Connection) -> &'static str {
        match connection {
            Connection::Sqlite(_) => self.sqlite,
            Connection::Postgres(_) => self.postgres,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// The statements without comments, in the words that both engines share.
    fn plain(sql: &str) -> Vec<String> {
        let code = sql.lines().map(|line| line.split("--").next().unwrap());
        let code: String = code.flat_map(|line| [line, "\n"]).collect();
        let one_type = code.replace(" BYTEA ", " BLOB ").replace(") WITHOUT ROWID", ")");
        let words = |statement: &str| statement.split_whitespace().collect::<Vec<_>>().join(" ");
        one_type.split(';').map(words).filter(|statement| !statement.is_empty()).collect()
    }

    #[test]
    fn both_engines_have_the_same_statements() {
        for migration in MIGRATIONS {
            assert_eq!(plain(migration.sqlite), plain(migration.postgres), "{}", migration.name);
            assert!(!plain(migration.sqlite).is_empty());
        }
    }

    #[test]
    fn every_folder_of_migrations_is_in_the_program_and_has_a_way_back() {
        let known: BTreeSet<String> = MIGRATIONS.iter().map(|m| m.name.to_owned()).collect();
        for engine in ["sqlite", "postgres"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(engine);
            let names = std::fs::read_dir(&folder).unwrap();
            let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            assert_eq!(names.collect::<BTreeSet<_>>(), known, "{engine}");
            for name in &known {
                assert!(folder.join(name).join("down.sql").is_file(), "{engine} {name}");
            }
        }
    }
}
