//! What every request and worker shares: storage, keys, clock, chance, configuration, and the
//! current state of all repositories in memory.
//!
//! Not here: rules. Invariant: [`App::snapshot`] never goes back to an older revision.

use crate::auth::device_token::DeviceTokens;
use crate::blobs::{BlobDir, BlobError};
use crate::clock::{Clock, NoChance, Rng};
use crate::config::Config;
use crate::consent::draft::ready::Drafts;
use crate::consent::inventories::Inventories;
use crate::consent::state::Consent;
use crate::console::streams::Streams;
use crate::db::change;
use crate::db::repository::{ChangeSeq, Repository};
use crate::db::{self, Db, DbError};
use crate::delta::Desk;
use crate::fleet::pack::Address;
use crate::fleet::table::FleetTable;
use crate::keys::Keyring;
use crate::limits::REPORTS_WAITING_MAX;
use crate::notify::Bell;
use crate::people::desk::PeopleDesk;
use crate::publish::approvals::{self, Approvals};
use crate::publish::candidate::Held;
use crate::publish::current::{self, Current, Documents, Lost, Moved, Served, Snapshot};
use crate::publish::deltas::{self, DeltasKey};
use crate::publish::dossiers::Shelf;
use crate::record::exports::Exports;
use crate::record::read::Checkpoints;
use crate::record::writer::{self, Ground, Recorder};
use crate::rollout::plant;
use crate::rollout::settle::Scene;
use crate::tls::expiry::Expiry;
use crate::views::Views;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::tuf::build::TargetsSpec;
use patchward_protocol::tuf::error::TufError;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::Targets;
use patchward_protocol::tuf::stage::Staged;
use std::collections::{BTreeSet, HashMap, HashSet};
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
    /// How many more polls may stand.
    pub standing: Arc<Semaphore>,
    /// What is current in memory.
    pub views: Arc<Views>,
    /// Exports of records, under way and ready.
    pub exports: Exports,
    /// Inventories that pages show.
    pub inventories: Inventories,
    /// Drafts that pages show.
    pub drafts: Arc<Drafts>,
    /// Dossiers and bills of materials that pages show.
    pub dossiers: Shelf,
    /// What planning and building deltas share with the rest.
    pub desk: Desk,
    /// What signing in shares with the rest.
    pub people: PeopleDesk,
    /// Wakes whoever sends notices.
    pub notices: Bell,
    /// Streams of events that the console's pages hold.
    pub streams: Streams,
    /// Until when the certificates last that were read when the server started.
    pub certificates: OnceLock<Vec<Expiry>>,
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
    /// A repository could not be taken over; every other one, and everything that was decided, was.
    #[error("a repository could not be taken over")]
    Partly(#[source] Box<LoadError>),
    /// No random bytes.
    #[error(transparent)]
    Chance(#[from] NoChance),
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
        let (seqs, devices) = db
            .read(|conn| Ok::<_, DbError>((change::all(conn)?, db::device::list_agents(conn)?)))
            .await?;
        let (recorder, inbox) = writer::queue(REPORTS_WAITING_MAX);
        let app = Arc::new(Self {
            fleet: Arc::new(FleetTable::load(&devices)),
            device_tokens: DeviceTokens::new(keys.mac()),
            address: OnceLock::new(),
            downloads: Arc::new(Semaphore::new(config.limits.downloads)),
            standing: Arc::new(Semaphore::new(config.limits.standing_polls)),
            views: Arc::new(Views::begin(Consent::begin(seqs))),
            checkpoints: Checkpoints::default(),
            exports: Exports::default(),
            inventories: Inventories::default(),
            drafts: Arc::default(),
            dossiers: Shelf::default(),
            desk: Desk::default(),
            people: PeopleDesk::new(keys.mac(), &*rng)?,
            notices: Bell::default(),
            streams: Streams::default(),
            certificates: OnceLock::new(),
            recorder,
            config,
            mode,
            db,
            blobs,
            keys,
            clock,
            rng,
        });
        app.make_keys().await?;
        app.reload().await?;
        tokio::spawn(writer::run(inbox, Ground::of(&app)));
        Ok(app)
    }

    /// Makes the online keys that families of an earlier version of this program lack.
    async fn make_keys(self: &Arc<Self>) -> Result<(), LoadError> {
        let all = self.db.read(db::repository::all).await?;
        let app = Arc::clone(self);
        let made = tokio::task::spawn_blocking(move || {
            let mut all = all.iter();
            all.try_for_each(|(row, heads)| DeltasKey::make(&app.keys, &row.id, heads, &*app.rng))
        });
        if let Err(error) = made.await.map_err(|_| LoadError::Ending)? {
            let chain = crate::error::Chain(&error).to_string();
            tracing::error!(error = %chain, "Keys for deltas cannot be made");
        }
        Ok(())
    }

    /// The current state of all repositories.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.views.snapshot()
    }

    /// Reads from the database what has moved since the state in memory was read.
    ///
    /// An approval is shown to nobody before its rollouts are stored. What was decided (a hold!) is
    /// taken over whatever is wrong with a repository: a document that does not read keeps its
    /// repository as it was, and nothing else; its waves are called open no more, because what was
    /// withdrawn in it since is not known.
    ///
    /// # Errors
    /// [`LoadError`]; what could not be read stays as it was.
    pub async fn reload(self: &Arc<Self>) -> Result<(), LoadError> {
        let (held, consent, at) = (self.snapshot(), self.views.consent(), self.clock.now());
        let known = held.all().map(|at| (at.id.clone(), at.heads.revision)).collect();
        let read = Arc::clone(&consent);
        let moved = self.db.read(move |conn| {
            let decided = read.moved(conn, at)?;
            Ok::<_, DbError>((current::moved(conn, &known), decided))
        });
        let (rows, mut decided) = moved.await?;
        let whole = *held.lost() == Lost::default();
        let (mut changed, mut wrong, mut lost) = match rows {
            Ok((rows, bad)) if rows.is_empty() && bad.is_empty() && decided.is_empty() && whole => {
                return Ok(());
            }
            Ok((rows, bad)) => {
                let (changed, worse) = self.assemble_all(&held, rows).await?;
                let bad = bad.into_iter().map(|(id, error)| (id, LoadError::Db(error)));
                let (lost, mut wrong): (BTreeSet<_>, Vec<_>) = bad.chain(worse).unzip();
                (changed, wrong.pop(), Lost::Some(lost))
            }
            Err(error) => (Vec::new(), Some(error.into()), Lost::Any),
        };
        match self.plant(&held.with(&changed), &consent.with(&decided), &changed).await {
            Ok(false) => {}
            Ok(true) => {
                let read = Arc::clone(&consent);
                decided = self.db.read(move |conn| read.moved(conn, at)).await?;
            }
            Err(error) => {
                if let Lost::Some(lost) = &mut lost {
                    lost.extend(changed.iter().map(|current| current.id.clone()));
                }
                changed.clear();
                wrong = Some(error);
            }
        }
        decided.devices().for_each(|device| self.fleet.join(device));
        let with = |now: &Snapshot| now.with(&changed).losing(lost.clone());
        self.views.change(with, |now| now.with(&decided));
        wrong.map_or(Ok(()), |wrong| Err(LoadError::Partly(Box::new(wrong))))
    }

    /// The same for somebody who waits for what was decided: a repository that does not read is none of
    /// theirs. Whoever watches the database tries it again, and says so.
    ///
    /// # Errors
    /// [`LoadError`], never [`LoadError::Partly`].
    pub async fn follow(self: &Arc<Self>) -> Result<(), LoadError> {
        match self.reload().await {
            Err(LoadError::Partly(_)) => Ok(()),
            done => done,
        }
    }

    /// Every repository that can be put together of what was read, and what is wrong with the others.
    async fn assemble_all(
        self: &Arc<Self>,
        held: &Arc<Snapshot>,
        rows: Vec<Moved>,
    ) -> Result<(Vec<Arc<Current>>, Vec<(RepositoryId, LoadError)>), LoadError> {
        let (app, from) = (Arc::clone(self), Arc::clone(held));
        let read = tokio::task::spawn_blocking(move || {
            let (mut changed, mut wrong) = (Vec::new(), Vec::new());
            for row in rows {
                let id = row.0.id.clone();
                match app.assemble(&from, row) {
                    Ok(current) => changed.push(Arc::new(current)),
                    Err(error) => wrong.push((id, error)),
                }
            }
            (changed, wrong)
        });
        read.await.map_err(|_| LoadError::Ending)
    }

    /// Stores the rollouts of approvals that nobody has been shown yet; whether there were any.
    async fn plant(
        self: &Arc<Self>,
        snapshot: &Snapshot,
        consent: &Consent,
        changed: &[Arc<Current>],
    ) -> Result<bool, LoadError> {
        let at = self.clock.now();
        let changed: HashSet<_> = changed.iter().map(|current| current.id.clone()).collect();
        let seeds = plant::wanted(snapshot, &changed, at);
        if seeds.is_empty() {
            return Ok(false);
        }
        let missing = self.db.read(move |conn| plant::missing(conn, seeds)).await?;
        if missing.is_empty() {
            return Ok(false);
        }
        let (snapshot, consent) = (snapshot.clone(), consent.clone());
        self.db
            .write(move |conn| {
                let scene = Scene { snapshot: &snapshot, consent: &consent, at };
                plant::plant(conn, &missing, &scene)
            })
            .await?;
        Ok(true)
    }

    fn assemble(
        &self,
        held: &Snapshot,
        (repository, heads, stored): Moved,
    ) -> Result<Current, LoadError> {
        let Repository { id, title_en, title_ja, reading, .. } = repository;
        let mut approvals = Approvals::default();
        let mut images = HashMap::new();
        let mut documents = None;
        let (mut releases, mut delegated) = (Vec::new(), false);
        if let Some(Held { root, targets, snapshot, timestamp, deltas }) = stored {
            let unreadable = |source| LoadError::Document { repository: id.to_string(), source };
            let read = read_document(&targets.bytes).map_err(unreadable)?;
            let unreadable = |source| LoadError::Document { repository: id.to_string(), source };
            let says = TargetsSpec::of(&Role::Targets, &read).map_err(unreadable)?;
            images = current::images(&says);
            releases = deltas::images(&says);
            delegated = self.is_delegated(&id, &read);
            let listed = approvals::listed(&says);
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
                deltas: deltas.map(Served::from),
            });
        }
        Ok(Current {
            id,
            reading,
            title_en,
            title_ja,
            heads,
            documents,
            approvals,
            images,
            releases,
            delegated,
        })
    }

    /// Whether targets delegate the list of deltas to this server. Without a key they do not.
    fn is_delegated(&self, id: &RepositoryId, targets: &Targets) -> bool {
        deltas::delegation(targets).is_some()
            && DeltasKey::held(&self.keys, id)
                .is_some_and(|key| deltas::is_delegated(targets, &key))
    }

    /// A value that differs when another server, or this one, has changed anything since.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn change_seq(&self) -> Result<ChangeSeq, DbError> {
        self.db.read(db::repository::change_seq).await
    }
}

/// Reads published targets.
///
/// # Errors
/// [`TufError`].
pub fn read_targets(bytes: &[u8]) -> Result<TargetsSpec, TufError> {
    TargetsSpec::of(&Role::Targets, &read_document(bytes)?)
}

fn read_document(bytes: &[u8]) -> Result<Targets, TufError> {
    Ok(Staged::read(Role::Targets, bytes)?.typed::<Targets>()?.signed)
}
