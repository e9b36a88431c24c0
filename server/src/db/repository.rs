//! Repositories, their published documents and heads, their blobs and listed targets.
//!
//! Not here: what may be published ([`crate::publish`]). Invariant: documents and targets are only
//! inserted; a head moves only from the revision that was read.

use super::column::{count, parse, store_count};
use super::schema::{blobs, delegated_documents, documents, heads, repositories, targets};
use super::{DbError, column, queries};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use patchward_protocol::api::repository::Reading;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::delta_target::DELTAS_ROLE;
use patchward_protocol::tuf::schema::TopLevel;
use std::collections::HashSet;

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its id.
    pub id: RepositoryId,
    /// Name for people, in English.
    pub title_en: String,
    /// Name for people, in Japanese.
    pub title_ja: String,
    /// Who may read it.
    pub reading: Reading,
    /// Most bytes it may store.
    pub quota_bytes: u64,
    /// When it was opened.
    pub opened: Timestamp,
}

/// Which versions are current. All are 0 before the first publish.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heads {
    /// Rises with every change.
    pub revision: u64,
    /// Current root.
    pub root: u64,
    /// Current targets.
    pub targets: u64,
    /// Current snapshot.
    pub snapshot: u64,
    /// Current timestamp.
    pub timestamp: u64,
    /// Current list of deltas; 0 while the targets have never delegated to it.
    pub deltas: u64,
}

/// A value that differs when anything that servers show has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeSeq {
    /// Sum of the revisions of all heads.
    pub heads: u64,
    /// Number of repositories.
    pub repositories: u64,
    /// Sum of all counters of [`crate::db::change`].
    pub decided: u64,
}

/// A document as it was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// Its version.
    pub version: u64,
    /// Digest of its bytes.
    pub sha256: Sha256Digest,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// When it expires.
    pub expires: Timestamp,
    /// When it was published.
    pub published: Timestamp,
}

/// A target that a published document lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTarget {
    /// `DIR/NAME`.
    pub path: String,
    /// Digest of the file.
    pub sha256: Sha256Digest,
    /// Its length in bytes.
    pub length: u64,
}

/// The name of a top-level role, as the `role` column holds it.
#[must_use]
pub const fn role_name(role: TopLevel) -> &'static str {
    match role {
        TopLevel::Root => "root",
        TopLevel::Targets => "targets",
        TopLevel::Snapshot => "snapshot",
        TopLevel::Timestamp => "timestamp",
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = repositories)]
struct RepositoryRow {
    repository: String,
    kind: String,
    name: String,
    maker: Option<String>,
    title_en: String,
    title_ja: String,
    reading: String,
    quota_bytes: i64,
    opened: i64,
}

impl RepositoryRow {
    fn of(repository: &Repository) -> Result<Self, DbError> {
        let (kind, name) = repository.id.parts();
        let maker = match &repository.id {
            RepositoryId::Family(family) => Some(family.maker().to_string()),
            RepositoryId::Site(_) => None,
        };
        Ok(Self {
            repository: repository.id.to_string(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            maker,
            title_en: repository.title_en.clone(),
            title_ja: repository.title_ja.clone(),
            reading: column::to_name("repositories.reading", &repository.reading)?,
            quota_bytes: store_count("repositories.quota_bytes", repository.quota_bytes)?,
            opened: repository.opened.millis(),
        })
    }

    fn read(self) -> Result<Repository, DbError> {
        Ok(Repository {
            id: parse("repositories.repository", &self.repository)?,
            title_en: self.title_en,
            title_ja: self.title_ja,
            reading: column::from_name("repositories.reading", &self.reading)?,
            quota_bytes: count("repositories.quota_bytes", self.quota_bytes)?,
            opened: Timestamp::from_millis(self.opened),
        })
    }
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = heads)]
struct HeadsRow {
    repository: String,
    revision: i64,
    root_version: i64,
    targets_version: i64,
    snapshot_version: i64,
    timestamp_version: i64,
    deltas_version: i64,
}

impl HeadsRow {
    fn of(repository: &RepositoryId, heads: &Heads) -> Result<Self, DbError> {
        Ok(Self {
            repository: repository.to_string(),
            revision: store_count("heads.revision", heads.revision)?,
            root_version: store_count("heads.root_version", heads.root)?,
            targets_version: store_count("heads.targets_version", heads.targets)?,
            snapshot_version: store_count("heads.snapshot_version", heads.snapshot)?,
            timestamp_version: store_count("heads.timestamp_version", heads.timestamp)?,
            deltas_version: store_count("heads.deltas_version", heads.deltas)?,
        })
    }

    fn read(&self) -> Result<Heads, DbError> {
        Ok(Heads {
            revision: count("heads.revision", self.revision)?,
            root: count("heads.root_version", self.root_version)?,
            targets: count("heads.targets_version", self.targets_version)?,
            snapshot: count("heads.snapshot_version", self.snapshot_version)?,
            timestamp: count("heads.timestamp_version", self.timestamp_version)?,
            deltas: count("heads.deltas_version", self.deltas_version)?,
        })
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = documents)]
struct DocumentRow {
    repository: String,
    role: String,
    version: i64,
    sha256: String,
    bytes: Vec<u8>,
    expires: i64,
    published: i64,
}

impl DocumentRow {
    fn of(repository: &RepositoryId, role: &str, stored: &StoredDocument) -> Result<Self, DbError> {
        Ok(Self {
            repository: repository.to_string(),
            role: role.to_owned(),
            version: store_count("documents.version", stored.version)?,
            sha256: stored.sha256.to_string(),
            bytes: stored.bytes.clone(),
            expires: stored.expires.millis(),
            published: stored.published.millis(),
        })
    }

    fn read(self) -> Result<StoredDocument, DbError> {
        Ok(StoredDocument {
            version: count("documents.version", self.version)?,
            sha256: parse("documents.sha256", &self.sha256)?,
            bytes: self.bytes,
            expires: Timestamp::from_millis(self.expires),
            published: Timestamp::from_millis(self.published),
        })
    }
}

queries! {
    /// Adds a repository; `false` when it is there already.
    fn insert_repository(conn, row: &RepositoryRow) -> Result<bool, DbError> {
        let insert = diesel::insert_into(repositories::table).values(row).on_conflict_do_nothing();
        Ok(insert.execute(conn)? == 1)
    }

    fn insert_heads(conn, row: &HeadsRow) -> Result<(), DbError> {
        diesel::insert_into(heads::table).values(row).execute(conn)?;
        Ok(())
    }

    /// A repository with its heads.
    pub fn find(conn, id: &RepositoryId) -> Result<Option<(Repository, Heads)>, DbError> {
        let found = repositories::table
            .inner_join(heads::table.on(heads::repository.eq(repositories::repository)))
            .filter(repositories::repository.eq(id.to_string()))
            .select((RepositoryRow::as_select(), HeadsRow::as_select()))
            .first::<(RepositoryRow, HeadsRow)>(conn)
            .optional()?;
        found.map(|(row, heads)| Ok((row.read()?, heads.read()?))).transpose()
    }

    /// Every repository with its heads.
    pub fn all(conn) -> Result<Vec<(Repository, Heads)>, DbError> {
        let rows = repositories::table
            .inner_join(heads::table.on(heads::repository.eq(repositories::repository)))
            .select((RepositoryRow::as_select(), HeadsRow::as_select()))
            .load::<(RepositoryRow, HeadsRow)>(conn)?;
        rows.into_iter().map(|(row, heads)| Ok((row.read()?, heads.read()?))).collect()
    }

    /// Moves a head from revision `from`; `false` when somebody else has moved it.
    fn swap(conn, row: &HeadsRow, from: i64) -> Result<bool, DbError> {
        let at = heads::table
            .filter(heads::repository.eq(&row.repository))
            .filter(heads::revision.eq(from));
        Ok(diesel::update(at).set(row).execute(conn)? == 1)
    }

    /// What rises when any head moves or anything else is decided; one statement.
    pub fn change_seq(conn) -> Result<ChangeSeq, DbError> {
        let (sum, number, decided) = heads::table
            .select((
                sql::<BigInt>("CAST(COALESCE(SUM(revision), 0) AS BIGINT)"),
                sql::<BigInt>("COUNT(*)"),
                sql::<BigInt>("(SELECT CAST(COALESCE(SUM(seq), 0) AS BIGINT) FROM changes)"),
            ))
            .first::<(i64, i64, i64)>(conn)?;
        Ok(ChangeSeq {
            heads: count("heads.revision", sum)?,
            repositories: count("heads", number)?,
            decided: count("changes.seq", decided)?,
        })
    }

    fn insert_document(conn, row: &DocumentRow) -> Result<(), DbError> {
        diesel::insert_into(documents::table).values(row).execute(conn)?;
        Ok(())
    }

    fn select_document(conn, id: &str, role: &str, version: i64) -> Result<Option<StoredDocument>, DbError> {
        let key = (id.to_owned(), role.to_owned(), version);
        let row = documents::table
            .find(key)
            .select(DocumentRow::as_select())
            .first::<DocumentRow>(conn)
            .optional()?;
        row.map(DocumentRow::read).transpose()
    }

    fn insert_delegated(conn, row: DocumentRow) -> Result<(), DbError> {
        let row = (
            delegated_documents::repository.eq(row.repository),
            delegated_documents::role.eq(row.role),
            delegated_documents::version.eq(row.version),
            delegated_documents::sha256.eq(row.sha256),
            delegated_documents::bytes.eq(row.bytes),
            delegated_documents::expires.eq(row.expires),
            delegated_documents::published.eq(row.published),
        );
        diesel::insert_into(delegated_documents::table).values(row).execute(conn)?;
        Ok(())
    }

    fn select_delegated(conn, key: (String, String, i64)) -> Result<Option<StoredDocument>, DbError> {
        let row = delegated_documents::table.find(key).first::<DocumentRow>(conn).optional()?;
        row.map(DocumentRow::read).transpose()
    }

    /// The bytes that a repository has uploaded, in all.
    pub fn stored_bytes(conn, id: &RepositoryId) -> Result<u64, DbError> {
        let total = blobs::table
            .filter(blobs::repository.eq(id.to_string()))
            .select(sql::<BigInt>("CAST(COALESCE(SUM(length), 0) AS BIGINT)"))
            .first::<i64>(conn)?;
        count("blobs.length", total)
    }

    /// The length of an uploaded blob.
    pub fn blob_length(conn, id: &RepositoryId, sha256: &Sha256Digest) -> Result<Option<u64>, DbError> {
        let length = blobs::table
            .find((id.to_string(), sha256.to_string()))
            .select(blobs::length)
            .first::<i64>(conn)
            .optional()?;
        length.map(|length| count("blobs.length", length)).transpose()
    }

    /// Remembers an uploaded blob; nothing changes when it is known.
    pub fn add_blob(conn, id: &RepositoryId, sha256: &Sha256Digest, length: u64, at: Timestamp) -> Result<(), DbError> {
        let row = (
            blobs::repository.eq(id.to_string()),
            blobs::sha256.eq(sha256.to_string()),
            blobs::length.eq(store_count("blobs.length", length)?),
            blobs::uploaded.eq(at.millis()),
        );
        diesel::insert_into(blobs::table).values(row).on_conflict_do_nothing().execute(conn)?;
        Ok(())
    }

    /// Every target that a published document has ever listed: path and digest.
    fn select_listed(conn, id: &str) -> Result<Vec<(String, String)>, DbError> {
        let all = targets::table.filter(targets::repository.eq(id));
        Ok(all.select((targets::path, targets::sha256)).load(conn)?)
    }

    /// Remembers that a published document lists a target; nothing changes when one did before.
    pub fn list_target(conn, id: &RepositoryId, target: &ListedTarget, since_version: u64) -> Result<(), DbError> {
        let row = (
            targets::repository.eq(id.to_string()),
            targets::path.eq(&target.path),
            targets::sha256.eq(target.sha256.to_string()),
            targets::length.eq(store_count("targets.length", target.length)?),
            targets::since_version.eq(store_count("targets.since_version", since_version)?),
        );
        diesel::insert_into(targets::table).values(row).on_conflict_do_nothing().execute(conn)?;
        Ok(())
    }

    /// The length of a target, if a published document has ever listed it.
    pub fn target_length(conn, id: &RepositoryId, path: &str, sha256: &Sha256Digest) -> Result<Option<u64>, DbError> {
        let length = targets::table
            .find((id.to_string(), path.to_owned(), sha256.to_string()))
            .select(targets::length)
            .first::<i64>(conn)
            .optional()?;
        length.map(|length| count("targets.length", length)).transpose()
    }
}

/// Opens a repository with empty heads; `false` when it is open already.
///
/// # Errors
/// [`DbError`].
pub fn open(conn: &mut super::Connection, repository: &Repository) -> Result<bool, DbError> {
    let added = insert_repository(conn, &RepositoryRow::of(repository)?)?;
    if added {
        insert_heads(conn, &HeadsRow::of(&repository.id, &Heads::default())?)?;
    }
    Ok(added)
}

/// Those of `targets` that no published document has listed before.
///
/// # Errors
/// [`DbError`].
pub fn not_yet_listed(
    conn: &mut super::Connection,
    repository: &RepositoryId,
    targets: Vec<ListedTarget>,
) -> Result<Vec<ListedTarget>, DbError> {
    let listed = select_listed(conn, &repository.to_string())?;
    let listed: HashSet<(String, String)> = listed.into_iter().collect();
    let is_new =
        |target: &ListedTarget| !listed.contains(&(target.path.clone(), target.sha256.to_string()));
    Ok(targets.into_iter().filter(is_new).collect())
}

/// Moves a head from the revision in `from` to `to`; `false` when somebody else has moved it.
///
/// # Errors
/// [`DbError`].
pub fn move_head(
    conn: &mut super::Connection,
    repository: &RepositoryId,
    from: &Heads,
    to: &Heads,
) -> Result<bool, DbError> {
    let from = store_count("heads.revision", from.revision)?;
    swap(conn, &HeadsRow::of(repository, to)?, from)
}

/// Adds a published document.
///
/// # Errors
/// [`DbError`], also when this version is there already.
pub fn add_document(
    conn: &mut super::Connection,
    repository: &RepositoryId,
    role: TopLevel,
    document: &StoredDocument,
) -> Result<(), DbError> {
    insert_document(conn, &DocumentRow::of(repository, role_name(role), document)?)
}

/// Adds a list of deltas.
///
/// # Errors
/// [`DbError`], also when this version is there already.
pub fn add_deltas(
    conn: &mut super::Connection,
    repository: &RepositoryId,
    document: &StoredDocument,
) -> Result<(), DbError> {
    insert_delegated(conn, DocumentRow::of(repository, DELTAS_ROLE, document)?)
}

/// A list of deltas.
///
/// # Errors
/// [`DbError`].
pub fn deltas(
    conn: &mut super::Connection,
    repository: &RepositoryId,
    version: u64,
) -> Result<Option<StoredDocument>, DbError> {
    let Ok(version) = i64::try_from(version) else { return Ok(None) };
    select_delegated(conn, (repository.to_string(), DELTAS_ROLE.to_owned(), version))
}

/// A published document.
///
/// # Errors
/// [`DbError`].
pub fn document(
    conn: &mut super::Connection,
    repository: &RepositoryId,
    role: TopLevel,
    version: u64,
) -> Result<Option<StoredDocument>, DbError> {
    // A version that no column can hold was never published.
    let Ok(version) = i64::try_from(version) else { return Ok(None) };
    select_document(conn, &repository.to_string(), role_name(role), version)
}
