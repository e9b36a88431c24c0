//! Putting a driver together from configuration and state folder.
//!
//! Not here: running it. Invariant: what cannot be read stops the start; nothing is made up.

use super::backoff::{Backoff, between, millis};
use super::core::Core;
use super::device::{Again, Device, Known};
use super::disk::FileDisk;
use super::run::{Driver, Paths};
use super::standing::Standing;
use crate::clock::{MachineClock, MachineRng, Sources};
use crate::config::Config;
use crate::edge::Clock as _;
use crate::holds::Holds;
use crate::identity::{IdentityError, Keys, Membership};
use crate::install::Configured;
use crate::journal::{Journal, JournalError};
use crate::layout::Layout;
use crate::ledger::{Ledger, LedgerError, Room, Terms};
use crate::link::body::Speed;
use crate::link::error::LinkError;
use crate::link::http::{self, Client, PlainHttp};
use crate::link::tls::ServerTrust;
use crate::local::Local;
use crate::outbox::Outbox;
use crate::permit::Interlock;
use crate::trust::offers::{ApprovalFiles, Offers};
use crate::trust::proofs::ProofFiles;
use crate::trust::repository::Repository;
use crate::trust::store::{Store, StoreError};
use crate::usage::Watch;
use crate::witness::Places;
use patchward_protocol::example_keys::is_example;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::schema::TopLevel;
use patchward_protocol::tuf::trusted_set::TrustedSet;
use std::io;
use std::path::{Path, PathBuf};

/// Whether keys that everybody knows are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExampleKeys {
    /// Never, outside demonstrations.
    Refused,
    /// Accepted, and said at every start.
    InsecureDemo,
}

/// Why the agent does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The device belongs to no site yet.
    #[error("this device is not enrolled")]
    NotEnrolled,
    /// Keys or membership are not usable.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The journal is not usable.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The ledger is not usable.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Trusted metadata cannot be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server's address or certificate authorities are not usable.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A file cannot be read.
    #[error("reading {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The server's address does not read.
    #[error("{0:?} is no address of a server")]
    Address(String),
    /// A pinned root is not usable.
    #[error("the root of {repository} in {path} is not usable: {why}")]
    Root {
        /// The repository.
        repository: RepositoryId,
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A root names the public example keys.
    #[error("the root of {0} names the public example keys, whose secrets everybody knows")]
    ExampleKeys(RepositoryId),
}

/// Reads a small file.
///
/// # Errors
/// [`StartError::Read`].
pub fn read_file(path: &Path) -> Result<Vec<u8>, StartError> {
    std::fs::read(path).map_err(|source| StartError::Read { path: path.to_owned(), source })
}

/// A client of the site's server.
///
/// # Errors
/// [`StartError`].
pub fn client(
    membership: &Membership,
    plain_http: PlainHttp,
    not_before: Timestamp,
) -> Result<Client, StartError> {
    let base = membership.url.parse();
    let trust = ServerTrust {
        authorities_pem: membership.tls_ca_pem.as_ref().map(|pem| pem.clone().into_bytes()),
        spki_sha256: membership.tls_spki_sha256,
        not_before,
    };
    let base = base.map_err(|_| StartError::Address(membership.url.clone()))?;
    Ok(Client::new(http::Config { base, trust, plain_http, speed: Speed::default() })?)
}

/// Whether a root names one of the public example keys.
#[must_use]
pub fn names_example_keys(root: &TrustedSet) -> bool {
    TopLevel::ALL.into_iter().any(|role| {
        let keys = root.authority(role).map(|authority| authority.public_keys());
        keys.is_ok_and(|keys| keys.iter().any(is_example))
    })
}

/// The journal, or the first one of a device that never had one.
///
/// # Errors
/// [`JournalError`] when there is one that is not whole.
pub fn journal(config: &Config, layout: &Layout) -> Result<Journal, JournalError> {
    let read = Journal::read(&layout.journal())?;
    Ok(read.unwrap_or_else(|| Journal::begin(config.factory.clone())))
}

/// The id of this boot; a machine without one has always the same boot.
///
/// # Errors
/// [`StartError::Read`].
pub fn boot_id(config: &Config) -> Result<String, StartError> {
    let bytes = read_file(&config.time.boot_id_file)?;
    Ok(String::from_utf8_lossy(&bytes).trim().chars().take(64).collect())
}

/// Opens the ledger.
///
/// # Errors
/// [`LedgerError`].
pub fn ledger(
    config: &Config,
    layout: &Layout,
    membership: &Membership,
    keys: &Keys,
) -> Result<Ledger, LedgerError> {
    let terms = Terms {
        folder: layout.ledger(),
        device: membership.device.clone(),
        ledger_id: keys.ledger_id,
        bytes_max: config.ledger_bytes_max,
    };
    Ledger::open(terms, keys.device.clone())
}

/// A driver for this configuration.
///
/// # Errors
/// [`StartError`] names what is missing or spoilt.
pub fn driver(
    config: Config,
    layout: &Layout,
    example_keys: ExampleKeys,
    plain_http: PlainHttp,
    mut rng: MachineRng,
) -> Result<Driver, StartError> {
    let membership = Membership::read(&layout.membership())?.ok_or(StartError::NotEnrolled)?;
    let keys = Keys::read(&layout.keys())?;
    let journal = journal(&config, layout)?;
    let ledger = ledger(&config, layout, &membership, &keys)?;
    let boot_id = boot_id(&config)?;
    let site_id = RepositoryId::Site(membership.site.clone());
    let family_id = RepositoryId::Family(config.identity.family.clone());
    let mut refusals = Vec::new();
    let mut open = |id, name, root| repository(id, name, root, layout, example_keys, &mut refusals);
    let site_root = layout.site_root();
    let site = open(site_id, "site", &site_root)?;
    let family = open(family_id, "family", &config.family_root)?;
    let not_before = site.floors().issued().max(family.floors().issued());
    let client = client(&membership, plain_http, not_before)?;
    let clock = MachineClock;
    let known = Known { journal: journal.clone(), running: None, room: Room::Full, ledger_seq: 0 };
    let first_ms = between(0, millis(config.timing.first_contact), &mut rng);
    let outbox = outbox(&membership, layout);
    let failed = |path| move |source| StartError::Read { path, source };
    let approvals = ApprovalFiles::new(layout.approvals()).map_err(failed(layout.approvals()))?;
    let proofs = ProofFiles::new(layout.proofs()).map_err(failed(layout.proofs()))?;
    let (holds, unreadable) = Holds::open(layout.holds());
    refusals.extend(unreadable);
    let contact_due_ms = clock.boot_ms().saturating_add(first_ms);
    let device = Device {
        interlock: Interlock::new(&config.clinical, config.timing.settle, clock),
        installer: Configured::new(&config, clock, &boot_id),
        local: Local::new(layout.folder(), &boot_id),
        conditions: Vec::new(),
        deferred_until_boot_ms: 0,
        lock_again: Again::default(),
        backoff: Backoff::new(config.timing.retry, config.timing.retry_max),
        spread_ms: between(0, millis(config.timing.spread), &mut rng),
        contact_due_ms,
        fetch_due_ms: 0,
        config,
        membership,
        keys,
        clock,
        rng,
        site,
        family,
        approvals,
        offers: Offers::default(),
        offers_to: None,
        sources: Sources::default(),
        word: None,
        holds,
        proofs,
        standing: Standing::new(client.another(), contact_due_ms),
        client,
        unread: None,
        asked_n: 0,
        watch: Watch::default(),
        contact_failed: None,
        token: None,
        permit: None,
        reasons: Vec::new(),
        activated_boot_ms: None,
        measured_ms: None,
        ledger_stored_seq: None,
        replayed: false,
        refusals,
        known,
    };
    let core = Core::new(journal, FileDisk { journal: layout.journal(), ledger });
    let paths = Paths { refusals: layout.refusals(), status: layout.status() };
    Ok(Driver::new(core, device, outbox, paths, boot_id))
}

fn outbox(membership: &Membership, layout: &Layout) -> Outbox {
    Outbox::new(
        membership.site.clone(),
        membership.device.clone(),
        membership.record_key,
        layout.receipt(),
        Places { checkpoint: layout.record_checkpoint(), split: layout.record_split() },
    )
}

fn repository(
    id: RepositoryId,
    name: &'static str,
    root: &Path,
    layout: &Layout,
    example_keys: ExampleKeys,
    refusals: &mut Vec<crate::ledger::refusals::Refusal>,
) -> Result<Repository, StartError> {
    let store = Store::new(&layout.trust(), name)?;
    let (repository, refusal) = Repository::open(id.clone(), store, &read_file(root)?)?;
    refusals.extend(refusal);
    let trusted = repository.root().map_err(|error| StartError::Root {
        repository: id.clone(),
        path: root.to_owned(),
        why: crate::trust::repository::chain(&error),
    })?;
    if example_keys == ExampleKeys::Refused && names_example_keys(&trusted) {
        return Err(StartError::ExampleKeys(id));
    }
    Ok(repository)
}
