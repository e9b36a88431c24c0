//! Rows of staged files of families on their way through several hands.
//!
//! Not here: whose signatures count ([`crate::publish::staged`]). Invariant: a row moves only from the
//! revision that was read; there is one for each repository and role.

use super::column::{count, parse, store_count};
use super::schema::lifecycle::staged_files;
use super::{Connection, DbError, queries};
use crate::people::who::AccountId;
use diesel::prelude::*;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::time::Timestamp;

/// A staged file as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedFile {
    /// The repository.
    pub repository: RepositoryId,
    /// `root` or `targets`.
    pub role: String,
    /// Rises with every change.
    pub revision: u64,
    /// The file.
    pub bytes: Vec<u8>,
    /// Who brought it.
    pub author: AccountId,
    /// Their printed name.
    pub name: String,
    /// When.
    pub brought: Timestamp,
    /// When it last changed.
    pub changed: Timestamp,
    /// Who changed it, as acts name them.
    pub changed_by: String,
}

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = staged_files)]
struct Row {
    repository: String,
    role: String,
    revision: i64,
    bytes: Vec<u8>,
    author: i64,
    printed_name: String,
    brought: i64,
    changed: i64,
    changed_by: String,
}

queries! {
    fn insert_row(conn, row: &Row) -> Result<usize, DbError> {
        let insert = diesel::insert_into(staged_files::table).values(row);
        Ok(insert.on_conflict_do_nothing().execute(conn)?)
    }

    fn update_row(conn, row: &Row, from: i64) -> Result<usize, DbError> {
        let old = staged_files::table
            .filter(staged_files::repository.eq(&row.repository))
            .filter(staged_files::role.eq(&row.role))
            .filter(staged_files::revision.eq(from));
        Ok(diesel::update(old).set(row).execute(conn)?)
    }

    fn delete_row(conn, repository: &str, role: &str) -> Result<usize, DbError> {
        let old = staged_files::table
            .filter(staged_files::repository.eq(repository))
            .filter(staged_files::role.eq(role));
        Ok(diesel::delete(old).execute(conn)?)
    }

    fn delete_at(conn, repository: &str, role: &str, revision: i64) -> Result<usize, DbError> {
        let old = staged_files::table
            .filter(staged_files::repository.eq(repository))
            .filter(staged_files::role.eq(role))
            .filter(staged_files::revision.eq(revision));
        Ok(diesel::delete(old).execute(conn)?)
    }

    fn rows(conn, repository: &str) -> Result<Vec<Row>, DbError> {
        let rows = staged_files::table.filter(staged_files::repository.eq(repository));
        Ok(rows.order(staged_files::role).load(conn)?)
    }

    fn some_rows(conn, repositories: &[String]) -> Result<Vec<Row>, DbError> {
        let rows = staged_files::table.filter(staged_files::repository.eq_any(repositories));
        Ok(rows.order((staged_files::repository, staged_files::role)).load(conn)?)
    }
}

/// The open files of a repository, `root` before `targets`.
///
/// # Errors
/// [`DbError`].
pub fn of(conn: &mut Connection, repository: &RepositoryId) -> Result<Vec<StagedFile>, DbError> {
    rows(conn, &repository.to_string())?.into_iter().map(Row::read).collect()
}

/// The open files of several repositories.
///
/// # Errors
/// [`DbError`].
pub fn of_all(
    conn: &mut Connection,
    repositories: &[RepositoryId],
) -> Result<Vec<StagedFile>, DbError> {
    let names: Vec<String> = repositories.iter().map(ToString::to_string).collect();
    some_rows(conn, &names)?.into_iter().map(Row::read).collect()
}

/// Stores a file after revision `from` (0: there was none); `false` when another is stored.
///
/// # Errors
/// [`DbError`].
pub fn swap(conn: &mut Connection, file: &StagedFile, from: u64) -> Result<bool, DbError> {
    let row = Row::of(file)?;
    let moved = match from {
        0 => insert_row(conn, &row)?,
        _ => update_row(conn, &row, store_count("staged_files.revision", from)?)?,
    };
    Ok(moved == 1)
}

/// Removes the open file of a role; `false` when there is none.
///
/// # Errors
/// [`DbError`].
pub fn remove(
    conn: &mut Connection,
    repository: &RepositoryId,
    role: &str,
) -> Result<bool, DbError> {
    Ok(delete_row(conn, &repository.to_string(), role)? == 1)
}

/// Removes this open file, and no other that took its place; `false` when it is not there any more.
///
/// # Errors
/// [`DbError`].
pub fn remove_this(conn: &mut Connection, file: &StagedFile) -> Result<bool, DbError> {
    let revision = store_count("staged_files.revision", file.revision)?;
    Ok(delete_at(conn, &file.repository.to_string(), &file.role, revision)? == 1)
}

impl Row {
    fn of(file: &StagedFile) -> Result<Self, DbError> {
        Ok(Self {
            repository: file.repository.to_string(),
            role: file.role.clone(),
            revision: store_count("staged_files.revision", file.revision)?,
            bytes: file.bytes.clone(),
            author: file.author.0,
            printed_name: file.name.clone(),
            brought: file.brought.millis(),
            changed: file.changed.millis(),
            changed_by: file.changed_by.clone(),
        })
    }

    fn read(self) -> Result<StagedFile, DbError> {
        Ok(StagedFile {
            repository: parse("staged_files.repository", &self.repository)?,
            role: self.role,
            revision: count("staged_files.revision", self.revision)?,
            bytes: self.bytes,
            author: AccountId(self.author),
            name: self.printed_name,
            brought: Timestamp::from_millis(self.brought),
            changed: Timestamp::from_millis(self.changed),
            changed_by: self.changed_by,
        })
    }
}
