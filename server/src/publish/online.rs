//! Snapshot and timestamp are signed with the server's own keys.
//!
//! Their versions are `max(previous + 1, unix minutes)`: they rise even after the database was
//! restored from an older backup. Not here: whether anything may be published.
//! Invariant: what is signed here says when the server's clock said it was.

use crate::config::Refresh;
use crate::db::repository::StoredDocument;
use crate::error::ApiError;
use crate::keys::{KeyError, Keyring, OnlineRole};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::key::{PublicKey, SecretKey, Signer as _};
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::build::{FileSpec, SnapshotSpec, TimestampSpec};
use patchward_protocol::tuf::delta_target::DELTAS_ROLE;
use patchward_protocol::tuf::publish::next_online_version;
use patchward_protocol::tuf::schema::{self, Root, TopLevel};
use patchward_protocol::tuf::stage::{StageError, Staged};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The online keys of a repository that its root names.
#[derive(Debug, Clone)]
pub struct OnlineKeys {
    snapshot: Arc<SecretKey>,
    timestamp: Arc<SecretKey>,
}

/// Signs for one repository at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Signing<'a> {
    /// The repository.
    pub repository: &'a RepositoryId,
    /// The root that says who may sign.
    pub root: &'a Root,
    /// The keys.
    pub keys: &'a OnlineKeys,
    /// How long the documents live.
    pub lives: &'a Refresh,
    /// The moment.
    pub at: Timestamp,
}

impl OnlineKeys {
    /// Reads them. Blocks its thread.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn of(keyring: &Keyring, repository: &RepositoryId) -> Result<Self, KeyError> {
        Ok(Self {
            snapshot: keyring.online(repository, OnlineRole::Snapshot)?,
            timestamp: keyring.online(repository, OnlineRole::Timestamp)?,
        })
    }

    /// The public half for the snapshot.
    #[must_use]
    pub fn snapshot(&self) -> PublicKey {
        self.snapshot.public()
    }

    /// The public half for the timestamp.
    #[must_use]
    pub fn timestamp(&self) -> PublicKey {
        self.timestamp.public()
    }
}

impl Signing<'_> {
    /// A snapshot that lists these targets, and the list of deltas where there is one.
    ///
    /// # Errors
    /// A failure of ours.
    pub fn snapshot(
        &self,
        targets: &StoredDocument,
        deltas: Option<&StoredDocument>,
        previous: u64,
    ) -> Result<StoredDocument, ApiError> {
        let version = next_online_version(previous, self.at);
        let expires = self.at.plus_seconds(self.lives.snapshot_life_s).whole_second();
        let mut files = BTreeMap::from([("targets".to_owned(), file(targets))]);
        files.extend(deltas.map(|deltas| (DELTAS_ROLE.to_owned(), file(deltas))));
        let repository = self.repository.clone();
        let spec = SnapshotSpec { repository, version, expires, files };
        let staged = spec.staged().map_err(ApiError::failed)?;
        self.sign(staged, TopLevel::Snapshot, &self.keys.snapshot, expires)
    }

    /// A timestamp that names this snapshot.
    ///
    /// # Errors
    /// A failure of ours.
    pub fn timestamp(
        &self,
        snapshot: &StoredDocument,
        previous: u64,
    ) -> Result<StoredDocument, ApiError> {
        let version = next_online_version(previous, self.at);
        let expires = self.at.plus_seconds(self.lives.timestamp_life_s).whole_second();
        let (repository, issued) = (self.repository.clone(), self.at);
        let snapshot = file(snapshot);
        let spec = TimestampSpec { repository, version, issued, expires, snapshot };
        let staged = spec.staged().map_err(ApiError::failed)?;
        self.sign(staged, TopLevel::Timestamp, &self.keys.timestamp, expires)
    }

    fn sign(
        &self,
        mut staged: Staged,
        role: TopLevel,
        key: &SecretKey,
        expires: Timestamp,
    ) -> Result<StoredDocument, ApiError> {
        let authority = schema::authority(self.root, role).map_err(ApiError::failed)?;
        let signed: Result<(), StageError> = staged.sign_for(key, authority);
        signed.map_err(ApiError::failed)?;
        Ok(stored(staged.version(), staged.to_bytes(), expires, self.at))
    }
}

/// A document as it will be stored.
#[must_use]
pub fn stored(
    version: u64,
    bytes: Vec<u8>,
    expires: Timestamp,
    published: Timestamp,
) -> StoredDocument {
    StoredDocument { version, sha256: Sha256Digest::of(&bytes), bytes, expires, published }
}

fn file(document: &StoredDocument) -> FileSpec {
    FileSpec::of(document.version, &document.bytes)
}
