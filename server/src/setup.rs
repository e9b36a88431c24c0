//! A data folder is made, found and opened.
//!
//! `DATA/patchward.db`, `DATA/blobs/`, `DATA/keys/`, all for this user only. There is no default
//! secret: `init` makes each and shows one token, once. Invariant: a folder that holds anything is
//! never initialised over.

use crate::app::Mode;
use crate::app::Parts;
use crate::auth::api_token::TokenSecret;
use crate::blobs::{BlobDir, BlobError};
use crate::clock::{self, Clock, NoChance, Rng};
use crate::config::Config;
use crate::db::{self, DatabaseUrl, Db, DbError};
use crate::durable;
use crate::keys::{KeyError, Keyring};
use crate::people::invitation::Ticket;
use crate::people::invite;
use crate::people::vault::Vault;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Life of the one-time token of `init`, in seconds: a week.
const CLAIM_LIFE_S: i64 = 7 * 24 * 3600;
/// Most bytes of the file with the PostgreSQL URL.
const URL_BYTES_MAX: u64 = 4096;

/// Why a data folder cannot be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// It holds something.
    #[error("{} is not empty: choose an empty or new folder, or use the one that is there", .0.display())]
    NotEmpty(PathBuf),
    /// The PostgreSQL database is that of another data folder.
    #[error("the database is in use by another data folder: name an empty one")]
    DatabaseInUse,
    /// It was not made by `init`.
    #[error("{} is no data folder: run `patchward-server init --data {}` first", .0.display(), .0.display())]
    NotInitialised(PathBuf),
    /// The file system.
    #[error("{} cannot be used", path.display())]
    Folder {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file with the database's URL.
    #[error("{} does not hold a postgres:// URL", .0.display())]
    Url(PathBuf),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The blobs.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// No random bytes.
    #[error(transparent)]
    Chance(#[from] NoChance),
}

/// The places inside a data folder.
#[derive(Debug, Clone)]
pub struct DataFolder(PathBuf);

impl DataFolder {
    /// The folder at `path`; nothing is looked at yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where the database is.
    ///
    /// # Errors
    /// [`SetupError::Url`] or [`SetupError::Folder`].
    pub fn database(&self, config: &Config) -> Result<DatabaseUrl, SetupError> {
        let Some(path) = &config.postgres_url_file else {
            return Ok(DatabaseUrl::Sqlite(self.0.join("patchward.db")));
        };
        let unusable = |source| SetupError::Folder { path: path.clone(), source };
        if std::fs::metadata(path).map_err(unusable)?.len() > URL_BYTES_MAX {
            return Err(SetupError::Url(path.clone()));
        }
        let text = std::fs::read_to_string(path).map_err(unusable)?;
        let url = text.trim();
        let known = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
        match known {
            true => Ok(DatabaseUrl::Postgres(url.to_owned())),
            false => Err(SetupError::Url(path.clone())),
        }
    }

    /// The vault of people's secrets. Blocks its thread.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn vault(&self) -> Result<Vault, SetupError> {
        if !self.keys().is_dir() {
            return Err(SetupError::NotInitialised(self.0.clone()));
        }
        Ok(Vault::new(Keyring::open(&self.keys())?.mac()))
    }

    fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    fn blobs(&self) -> PathBuf {
        self.0.join("blobs")
    }

    /// Makes the folder with its keys and an empty database; returns the one-time token of the
    /// first administrator and the one-time link of the first person. Blocks its thread.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn init(
        &self,
        config: &Config,
        clock: &dyn Clock,
        rng: &dyn Rng,
    ) -> Result<(TokenSecret, Ticket), SetupError> {
        let unusable = |source| SetupError::Folder { path: self.0.clone(), source };
        if let Ok(mut entries) = std::fs::read_dir(&self.0)
            && entries.next().is_some()
        {
            return Err(SetupError::NotEmpty(self.0.clone()));
        }
        let database = self.database(config)?;
        durable::make_private_folder(&self.0).map_err(unusable)?;
        if db::migrate(&database)?.len() != db::MIGRATIONS.len() {
            return Err(SetupError::DatabaseInUse);
        }
        BlobDir::open(&self.blobs(), 0)?;
        let secret = TokenSecret::from_random(clock::random(rng)?);
        let (ticket, id) = invite::draw(rng)?;
        let (at, digest) = (clock.now(), ticket.digest());
        db::once(&database, |conn| {
            db::token::put_claim(conn, secret.digest(), at.plus_seconds(CLAIM_LIFE_S))?;
            invite::store_first(conn, at, (id, digest))
        })?;
        // Last, because it is what makes this a data folder: a broken `init` is not mistaken for one.
        Keyring::create(&self.keys(), rng)?;
        Ok((secret, ticket))
    }

    /// Opens everything in it. Blocks its thread.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn open(
        &self,
        config: Config,
        mode: Mode,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
    ) -> Result<Parts, SetupError> {
        if !self.keys().is_dir() {
            return Err(SetupError::NotInitialised(self.0.clone()));
        }
        let keys = Keyring::open(&self.keys())?;
        let db = Db::open(&self.database(&config)?, config.db_readers)?;
        let blobs = BlobDir::open(&self.blobs(), config.quota.reserve_bytes)?;
        let swept = blobs.sweep(clock.now())?.saturating_add(blobs.sweep_scratches(clock.now()));
        if swept > 0 {
            tracing::info!(uploads = swept, "Uploads that had been broken off were removed");
        }
        Ok(Parts { config, mode, db, blobs, keys, clock, rng })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{SeededRng, SetClock};
    use patchward_protocol::time::Timestamp;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_new_data_folder_is_private_and_is_never_made_twice() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("data");
        let folder = DataFolder::new(&path);
        let (clock, rng) = (SetClock::new(Timestamp::from_millis(1)), SeededRng::new(3));
        let config = Config::default();
        let (first, link) = folder.init(&config, &clock, &rng).unwrap();
        assert!(first.reveal().starts_with("pw_"));
        assert!(link.path().starts_with("/console/claim/"));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let again = folder.init(&config, &clock, &rng);
        assert!(matches!(again, Err(SetupError::NotEmpty(_))));
        let (clock, rng) = (Arc::new(clock), Arc::new(rng));
        assert!(folder.open(config, Mode::Production, clock, rng).is_ok());
    }

    #[test]
    fn a_folder_that_init_did_not_make_is_not_served() {
        let outer = tempfile::tempdir().unwrap();
        let folder = DataFolder::new(outer.path());
        let clock = Arc::new(SetClock::new(Timestamp::EPOCH));
        let opened =
            folder.open(Config::default(), Mode::Production, clock, Arc::new(SeededRng::new(1)));
        assert!(matches!(opened, Err(SetupError::NotInitialised(_))));
    }
}
