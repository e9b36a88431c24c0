//! The server's own secret keys: files in `DATA/keys`, 0600, never in the database or its backup.
//!
//! `record.key` signs receipts, `mac.key` makes device tokens, and each repository has one key for
//! its snapshot and one for its timestamp, a family one more for its list of deltas. None of them can
//! approve or release anything.
//! Invariant: a key file is written once and never changed; one key serves one role of one
//! repository.

use crate::clock::{self, NoChance, Rng};
use crate::durable;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::key::SecretKey;
use patchward_protocol::tuf::delta_target::DELTAS_ROLE;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// The roles that a server signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnlineRole {
    /// Which versions belong together.
    Snapshot,
    /// Which snapshot is the newest.
    Timestamp,
    /// Which deltas there are; families only.
    Deltas,
}

impl OnlineRole {
    /// Its TUF name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Timestamp => "timestamp",
            Self::Deltas => DELTAS_ROLE,
        }
    }

    /// The roles that the server signs in a repository.
    #[must_use]
    pub const fn of(repository: &RepositoryId) -> &'static [Self] {
        match repository {
            RepositoryId::Family(_) => &[Self::Snapshot, Self::Timestamp, Self::Deltas],
            RepositoryId::Site(_) => &[Self::Snapshot, Self::Timestamp],
        }
    }
}

/// Why there is no usable key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("the key file {} cannot be read", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("the key file {} cannot be written", path.display())]
    Write {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others may read the file.
    #[error("the key file {} can be read by others: chmod 600 it, and consider its key known", .0.display())]
    Exposed(PathBuf),
    /// The file holds something else.
    #[error("the key file {} is damaged: restore it from its backup", .0.display())]
    Damaged(PathBuf),
    /// No random bytes.
    #[error(transparent)]
    Chance(#[from] NoChance),
}

/// The keys of one server.
#[derive(Debug)]
pub struct Keyring {
    folder: PathBuf,
    record: SecretKey,
    mac: MacSecret,
    online: RwLock<HashMap<(RepositoryId, OnlineRole), Arc<SecretKey>>>,
}

/// The secret of device tokens; never printed.
pub struct MacSecret([u8; 32]);

impl std::fmt::Debug for MacSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MacSecret")
    }
}

impl MacSecret {
    /// The bytes, for the MAC.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

const RECORD_FILE: &str = "record.key";
const MAC_FILE: &str = "mac.key";

impl Keyring {
    /// Makes the folder with a new record key and MAC secret.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn create(folder: &Path, rng: &dyn Rng) -> Result<Self, KeyError> {
        let refused = |source: io::Error| KeyError::Write { path: folder.to_owned(), source };
        durable::make_private_folder(folder).map_err(refused)?;
        write_secret(&folder.join(RECORD_FILE), rng)?;
        write_secret(&folder.join(MAC_FILE), rng)?;
        Self::open(folder)
    }

    /// Reads the record key and the MAC secret.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn open(folder: &Path) -> Result<Self, KeyError> {
        Ok(Self {
            record: SecretKey::from_seed(&read_secret(&folder.join(RECORD_FILE))?),
            mac: MacSecret(read_secret(&folder.join(MAC_FILE))?),
            online: RwLock::default(),
            folder: folder.to_owned(),
        })
    }

    /// The key that signs receipts.
    #[must_use]
    pub const fn record(&self) -> &SecretKey {
        &self.record
    }

    /// The secret of device tokens.
    #[must_use]
    pub const fn mac(&self) -> &MacSecret {
        &self.mac
    }

    /// Makes the online keys of a repository; those that are there already stay.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn make_online(&self, repository: &RepositoryId, rng: &dyn Rng) -> Result<(), KeyError> {
        OnlineRole::of(repository).iter().try_for_each(|role| self.make(repository, *role, rng))
    }

    /// Makes one online key; one that is there already stays.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn make(
        &self,
        repository: &RepositoryId,
        role: OnlineRole,
        rng: &dyn Rng,
    ) -> Result<(), KeyError> {
        let path = self.path(repository, role);
        if path.exists() {
            return Ok(());
        }
        match write_secret(&path, rng) {
            // Another server on this folder was quicker.
            Err(KeyError::Write { source, .. }) if source.kind() == ErrorKind::AlreadyExists => {
                Ok(())
            }
            made => made,
        }
    }

    /// An online key of a repository; read once, then kept in memory.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn online(
        &self,
        repository: &RepositoryId,
        role: OnlineRole,
    ) -> Result<Arc<SecretKey>, KeyError> {
        let name = (repository.clone(), role);
        let held = self.online.read().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        if let Some(key) = held {
            return Ok(key);
        }
        let seed = read_secret(&self.path(repository, role))?;
        let key = Arc::new(SecretKey::from_seed(&seed));
        let mut online = self.online.write().unwrap_or_else(PoisonError::into_inner);
        online.insert(name, Arc::clone(&key));
        Ok(key)
    }

    fn path(&self, repository: &RepositoryId, role: OnlineRole) -> PathBuf {
        let (kind, name) = repository.parts();
        self.folder.join(format!("{kind}.{name}.{}.key", role.name()))
    }
}

/// 32 random bytes as 64 hexadecimal digits and a newline.
fn write_secret(path: &Path, rng: &dyn Rng) -> Result<(), KeyError> {
    let seed: [u8; 32] = clock::random(rng)?;
    durable::write_new(path, format!("{}\n", hex::encode(seed)).as_bytes())
        .map_err(|source| KeyError::Write { path: path.to_owned(), source })
}

fn read_secret(path: &Path) -> Result<[u8; 32], KeyError> {
    let unreadable = |source| KeyError::Read { path: path.to_owned(), source };
    let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed(path.to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let mut seed = [0; 32];
    let digits = text.strip_suffix('\n').unwrap_or(&text);
    hex::decode_to_slice(digits, &mut seed).map_err(|_| KeyError::Damaged(path.to_owned()))?;
    Ok(seed)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests damage files on purpose")]
mod tests {
    use super::*;
    use crate::clock::SeededRng;
    use patchward_protocol::key::Signer as _;
    use std::fs::Permissions;

    #[test]
    fn online_keys_are_made_once_and_differ_by_role_and_repository() {
        let folder = tempfile::tempdir().unwrap();
        let rng = SeededRng::new(1);
        let keys = Keyring::create(folder.path(), &rng).unwrap();
        let (one, two) = ("site:east".parse().unwrap(), "site:west".parse().unwrap());
        keys.make_online(&one, &rng).unwrap();
        keys.make_online(&two, &rng).unwrap();
        let key = |id, role| keys.online(id, role).unwrap().public();
        let first = key(&one, OnlineRole::Snapshot);
        assert_ne!(first, key(&one, OnlineRole::Timestamp));
        assert_ne!(first, key(&two, OnlineRole::Snapshot));
        keys.make_online(&one, &rng).unwrap();
        assert!(keys.online(&one, OnlineRole::Deltas).is_err());
        let family = "family:acme.pump".parse().unwrap();
        keys.make_online(&family, &rng).unwrap();
        let deltas = key(&family, OnlineRole::Deltas);
        assert_ne!(deltas, key(&family, OnlineRole::Snapshot));
        assert_ne!(deltas, key(&family, OnlineRole::Timestamp));
        let again = Keyring::open(folder.path()).unwrap();
        assert_eq!(again.online(&one, OnlineRole::Snapshot).unwrap().public(), first);
    }

    #[test]
    fn a_key_file_that_others_can_read_or_that_is_damaged_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        Keyring::create(folder.path(), &SeededRng::new(1)).unwrap();
        let path = folder.path().join(RECORD_FILE);
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Keyring::open(folder.path()), Err(KeyError::Exposed(_))));
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "zz").unwrap();
        assert!(matches!(Keyring::open(folder.path()), Err(KeyError::Damaged(_))));
    }
}
