//! What is current in every repository, in memory: check-ins and metadata are answered from here.
//!
//! Rebuilt per repository when its head has moved, here or by another server on the same database.
//! Not here: deciding what is published. Invariant: a [`Snapshot`] is a consistent past state of the
//! database; it is replaced, never changed.

use super::approvals::Approvals;
use super::candidate::Held;
use crate::db::repository::{self, Heads, StoredDocument};
use crate::db::{Connection, DbError};
use actix_web::web::Bytes;
use patchward_protocol::api::repository::Reading;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::build::TargetsSpec;
use patchward_protocol::tuf::custom::Firmware;
use patchward_protocol::tuf::delta_target::DELTAS_ROLE;
use patchward_protocol::tuf::lookup::{IMAGE_DIR, ImageTarget};
use patchward_protocol::tuf::schema::TopLevel;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Every repository, as of one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    repositories: HashMap<RepositoryId, Arc<Current>>,
    lost: Lost,
}

/// Repositories that have moved on and cannot be read: they stay as they were, and nobody knows what
/// has been withdrawn in them since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// These; empty when all is well.
    Some(BTreeSet<RepositoryId>),
    /// Nobody knows which.
    Any,
}

impl Default for Lost {
    fn default() -> Self {
        Self::Some(BTreeSet::new())
    }
}

/// A repository as of one moment.
#[derive(Debug)]
pub struct Current {
    /// Its id.
    pub id: RepositoryId,
    /// Who may read it.
    pub reading: Reading,
    /// Name for people, in English.
    pub title_en: String,
    /// Name for people, in Japanese.
    pub title_ja: String,
    /// Its versions; all 0 before the first publish.
    pub heads: Heads,
    /// Its documents; none before the first publish.
    pub documents: Option<Documents>,
    /// Approvals that stand in it (sites only).
    pub approvals: Approvals,
    /// Images that stand in it, by the digest of what stands in the slot (families only).
    pub images: HashMap<Sha256Digest, Firmware>,
    /// The same with their files, withdrawn ones too, by name.
    pub releases: Vec<ImageTarget>,
    /// Whether its targets delegate the list of deltas to this server's key.
    pub delegated: bool,
}

/// The current documents.
#[derive(Debug, Clone)]
pub struct Documents {
    /// `root.json`.
    pub root: Served,
    /// `targets.json`.
    pub targets: Served,
    /// `snapshot.json`.
    pub snapshot: Served,
    /// `timestamp.json`.
    pub timestamp: Served,
    /// `deltas.json`, where the targets have ever delegated to it.
    pub deltas: Option<Served>,
}

/// A document, ready to be sent.
#[derive(Debug, Clone)]
pub struct Served {
    /// Its version.
    pub version: u64,
    /// Digest of its bytes; the ETag.
    pub sha256: Sha256Digest,
    /// Its bytes.
    pub bytes: Bytes,
    /// When it expires.
    pub expires: Timestamp,
    /// When it was published.
    pub published: Timestamp,
}

impl Snapshot {
    /// A repository, if it is open.
    #[must_use]
    pub fn get(&self, id: &RepositoryId) -> Option<&Arc<Current>> {
        self.repositories.get(id)
    }

    /// Every open repository.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Current>> {
        self.repositories.values()
    }

    /// The snapshot after a change; repositories of an older revision are kept as they are.
    #[must_use]
    pub fn with(&self, changed: &[Arc<Current>]) -> Self {
        let mut repositories = self.repositories.clone();
        for current in changed {
            let older = repositories
                .get(&current.id)
                .is_none_or(|held| held.heads.revision <= current.heads.revision);
            if older {
                repositories.insert(current.id.clone(), Arc::clone(current));
            }
        }
        Self { repositories, lost: self.lost.clone() }
    }

    /// The same, of which these cannot be read.
    #[must_use]
    pub fn losing(self, lost: Lost) -> Self {
        Self { lost, ..self }
    }

    /// What cannot be read.
    #[must_use]
    pub const fn lost(&self) -> &Lost {
        &self.lost
    }

    /// Whether a repository has moved on and could not be read.
    #[must_use]
    pub fn is_lost(&self, id: &RepositoryId) -> bool {
        match &self.lost {
            Lost::Some(lost) => lost.contains(id),
            Lost::Any => true,
        }
    }
}

impl From<StoredDocument> for Served {
    fn from(stored: StoredDocument) -> Self {
        let StoredDocument { version, sha256, bytes, expires, published } = stored;
        Self { version, sha256, bytes: Bytes::from(bytes), expires, published }
    }
}

impl Documents {
    /// One of the four.
    #[must_use]
    pub const fn of(&self, role: TopLevel) -> &Served {
        match role {
            TopLevel::Root => &self.root,
            TopLevel::Targets => &self.targets,
            TopLevel::Snapshot => &self.snapshot,
            TopLevel::Timestamp => &self.timestamp,
        }
    }
}

/// The images that targets list, by the digest of what stands in the slot; those whose description is
/// broken are left out, as devices leave them out.
#[must_use]
pub fn images(targets: &TargetsSpec) -> HashMap<Sha256Digest, Firmware> {
    let listed = targets.targets.iter().filter(|(path, _)| path.parts().0 == IMAGE_DIR);
    let firmware = listed.filter_map(|(_, target)| {
        let firmware = Firmware::from_custom(target.custom.get("fw")?).ok()?;
        Some((firmware.payload.image_sha256, firmware))
    });
    firmware.collect()
}

/// A repository's rows: what it is, its heads, and its documents.
pub type Moved = (repository::Repository, Heads, Option<Held>);

/// A repository that does not read, and why.
pub type Unread = (RepositoryId, DbError);

/// The repositories whose head is not as in `known`, as rows, and what is wrong with those that do not
/// read: the others are given all the same. Approvals are read afterwards.
///
/// # Errors
/// [`DbError`].
pub fn moved(
    conn: &mut Connection,
    known: &HashMap<RepositoryId, u64>,
) -> Result<(Vec<Moved>, Vec<Unread>), DbError> {
    let (mut moved, mut wrong) = (Vec::new(), Vec::new());
    for (repository, heads) in repository::all(conn)? {
        if known.get(&repository.id) == Some(&heads.revision) {
            continue;
        }
        match documents(conn, &repository.id, &heads) {
            Ok(documents) => moved.push((repository, heads, documents)),
            Err(error @ DbError::Column { .. }) => wrong.push((repository.id, error)),
            Err(error) => return Err(error),
        }
    }
    Ok((moved, wrong))
}

/// The current documents; none before the first publish.
///
/// # Errors
/// [`DbError`], also when a head names a document that is not there.
pub fn documents(
    conn: &mut Connection,
    id: &RepositoryId,
    heads: &Heads,
) -> Result<Option<Held>, DbError> {
    if heads.root == 0 {
        return Ok(None);
    }
    let lost = |role: &str, version: u64| DbError::Column {
        column: "heads.revision",
        kind: "head of stored documents",
        value: format!("{id} {role} {version}"),
    };
    let mut of = |role, version| {
        let found = repository::document(conn, id, role, version)?;
        found.ok_or_else(|| lost(repository::role_name(role), version))
    };
    let root = of(TopLevel::Root, heads.root)?;
    let targets = of(TopLevel::Targets, heads.targets)?;
    let snapshot = of(TopLevel::Snapshot, heads.snapshot)?;
    let timestamp = of(TopLevel::Timestamp, heads.timestamp)?;
    let deltas = match heads.deltas {
        0 => None,
        version => {
            let found = repository::deltas(conn, id, version)?;
            Some(found.ok_or_else(|| lost(DELTAS_ROLE, version))?)
        }
    };
    Ok(Some(Held { root, targets, snapshot, timestamp, deltas }))
}
