//! What every request and worker shares: storage, keys, clock, chance, configuration, and the
//! current state of all repositories in memory.
//!
//! Not here: rules. Invariant: [`App::snapshot`] never goes back to an older revision.

use crate::auth::device_token::DeviceTokens;
use crate::blobs::{BlobDir, BlobError};
use crate::clock::{Clock, Rng};
use crate::config::Config;
use crate::db::repository::Repository;
use crate::db::{self, Db, DbError};
use crate::fleet::pack::Address;
use crate::fleet::table::FleetTable;
use crate::keys::Keyring;
use crate::limits::REPORTS_WAITING_MAX;
use crate::publish::approvals::{self, Approvals};
use crate::publish::current::{self, Current, Documents, Moved, Served, Snapshot};
use crate::record::read::Checkpoints;
use crate::record::writer::{self, Recorder};
use arc_swap::ArcSwap;
use patchward_protocol::tuf::build::TargetsSpec;
use patchward_protocol::tuf::error::TufError;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::Targets;
use patchward_protocol::tuf::stage::Staged;
use std::sync::{Arc, OnceLock};
use tokio::sync::Semaphore;

/// Whether the public example keys are let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Real keys only.
    Production,
    /// For demonstrations: everybody knows the example keys.
    InsecureDemo,
}

/// The state that is shared by everything in this program.
#[derive(Debug)]
pub struct App {
    /// The configuration.
    pub config: Config,
    /// Whether example keys are let in.
    pub mode: Mode,
    /// The database.
    pub db: Db,
    /// Files of repositories.
    pub blobs: BlobDir,
    /// The server's own keys.
    pub keys: Keyring,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub rng: Arc<dyn Rng>,
    /// Every device with an agent, in memory.
    pub fleet: Arc<FleetTable>,
    /// Makes and checks device tokens.
    pub device_tokens: DeviceTokens,
    /// Stores reports.
    pub recorder: Recorder,
    /// Signed checkpoints of sites' records.
    pub checkpoints: Checkpoints,
    /// Where devices find this server; set when it listens.
    pub address: OnceLock<Address>,
    /// How many more targets may be sent at once.
    pub downloads: Arc<Semaphore>,
    snapshot: ArcSwap<Snapshot>,
}

/// Why the state in memory could not follow the database.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The blob store.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A stored document does not read.
    #[error("a stored document of {repository} does not read")]
    Document {
        /// The repository.
        repository: String,
        /// Why.
        source: TufError,
    },
    /// The program is ending.
    #[error("the program is ending")]
    Ending,
}

/// What an [`App`] is made of.
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are those of App")]
pub struct Parts {
    pub config: Config,
    pub mode: Mode,
    pub db: Db,
    pub blobs: BlobDir,
    pub keys: Keyring,
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Rng>,
}

impl App {
    /// Puts the parts together and loads all repositories.
    ///
    /// # Errors
    /// [`LoadError`].
    pub async fn start(parts: Parts) -> Result<Arc<Self>, LoadError> {
        let Parts { config, mode, db, blobs, keys, clock, rng } = parts;
        let devices = db.read(db::device::list_agents).await?;
        let (recorder, inbox) = writer::queue(REPORTS_WAITING_MAX);
        let app = Arc::new(Self {
            fleet: Arc::new(FleetTable::load(&devices)),
            device_tokens: DeviceTokens::new(keys.mac()),
            address: OnceLock::new(),
            downloads: Arc::new(Semaphore::new(config.limits.downloads)),
            snapshot: ArcSwap::default(),
            checkpoints: Checkpoints::default(),
            recorder,
            config,
            mode,
            db,
            blobs,
            keys,
            clock,
            rng,
        });
        app.reload().await?;
        let (db, fleet, clock) = (app.db.clone(), Arc::clone(&app.fleet), Arc::clone(&app.clock));
        tokio::spawn(writer::run(inbox, db, fleet, clock));
        Ok(app)
    }

    /// The current state of all repositories.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Reads from the database what has moved since the state in memory was read.
    ///
    /// # Errors
    /// [`LoadError`]; the state in memory stays as it was.
    pub async fn reload(self: &Arc<Self>) -> Result<(), LoadError> {
        let held = self.snapshot();
        let known = held.all().map(|at| (at.id.clone(), at.heads.revision)).collect();
        let moved = self.db.read(move |conn| current::moved(conn, &known)).await?;
        if moved.is_empty() {
            return Ok(());
        }
        let app = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let each = moved.into_iter().map(|row| app.assemble(&held, row));
            each.collect::<Result<Vec<_>, _>>()
        });
        let changed: Vec<_> = read.await.map_err(|_| LoadError::Ending)??;
        let changed: Vec<_> = changed.into_iter().map(Arc::new).collect();
        self.snapshot.rcu(|now| now.with(&changed));
        Ok(())
    }

    fn assemble(
        &self,
        held: &Snapshot,
        (repository, heads, stored): Moved,
    ) -> Result<Current, LoadError> {
        let Repository { id, title_en, title_ja, reading, .. } = repository;
        let mut approvals = Approvals::default();
        let mut documents = None;
        if let Some([root, targets, snapshot, timestamp]) = stored {
            let unreadable = |source| LoadError::Document { repository: id.to_string(), source };
            let listed = approvals::listed(&read_targets(&targets.bytes).map_err(unreadable)?);
            let none = Approvals::default();
            let earlier = held.get(&id).map_or(&none, |current| &current.approvals);
            // An approval that was lost from the store is an alarm, not the end of all service:
            // its devices wait, the others go on.
            approvals = Approvals::read(&id, &listed, &self.blobs, earlier).unwrap_or_else(|error| {
                let chain = crate::error::Chain(&error).to_string();
                tracing::error!(repository.id = %id, error = %chain, "Approvals cannot be read");
                none.clone()
            });
            documents = Some(Documents {
                root: Served::from(root),
                targets: Served::from(targets),
                snapshot: Served::from(snapshot),
                timestamp: Served::from(timestamp),
            });
        }
        Ok(Current { id, reading, title_en, title_ja, heads, documents, approvals })
    }

    /// Whether another server, or this one, has changed a repository since the last look.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn change_seq(&self) -> Result<(u64, u64), DbError> {
        self.db.read(db::repository::change_seq).await
    }
}

/// Reads published targets.
///
/// # Errors
/// [`TufError`].
pub fn read_targets(bytes: &[u8]) -> Result<TargetsSpec, TufError> {
    let targets = Staged::read(Role::Targets, bytes)?.typed::<Targets>()?;
    TargetsSpec::of(&Role::Targets, &targets.signed)
}
