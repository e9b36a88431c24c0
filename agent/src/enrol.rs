//! Joining a site: the pack says whom to trust, the device makes its keys, the server is told.
//!
//! The site root comes with the pack, by hand or medium, or is confirmed by a typed fingerprint;
//! nothing that the server answers can change it. A device that has a site keeps it, unless the local
//! superuser says `--replace-site`. Not here: making packs.
//! Invariant: the membership is written last; before it, the device is not enrolled.

use crate::clock::MachineRng;
use crate::config::Config;
use crate::driver::start::{self, ExampleKeys, StartError, client, ledger, names_example_keys};
use crate::identity::{IdentityError, Keys, Membership};
use crate::journal::{
    Boot, Journal, JournalError, PendingEntry, remove_durably, sync_dir, write_durably,
};
use crate::layout::Layout;
use crate::ledger::{Ledger, LedgerError};
use crate::link::http::PlainHttp;
use crate::machine::state::State;
use crate::trust::repository::chain;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use patchward_protocol::api::device::{
    Enrol, EnrolReply, EnrolRequest, Enrolment, LinkCertificate,
};
use patchward_protocol::api::endpoint::Endpoint as _;
use patchward_protocol::api::error::{ErrorCode, Problem};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::id::RepositoryId;
use patchward_protocol::key::Signer as _;
use patchward_protocol::ledger::{Fact, Kind};
use patchward_protocol::pack::EnrolmentPack;
use patchward_protocol::time::{TimeQuality, Timestamp};
use patchward_protocol::tuf::floors::Floors;
use patchward_protocol::tuf::profile::Profile;
use patchward_protocol::tuf::schema::Method;
use patchward_protocol::tuf::trusted_set::{Expiry, TrustedSet};
use std::path::PathBuf;

/// Most bytes of the server's reply.
const REPLY_BYTES_MAX: u64 = 64 * 1024;

/// What the person at the device asks for.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The enrolment pack.
    pub pack: PathBuf,
    /// Twelve digits that the person typed, to be those of the site root.
    pub site_root_fingerprint: Option<String>,
    /// Whether a present site may be replaced.
    pub site: Site,
    /// Whether the public example keys are accepted.
    pub example_keys: ExampleKeys,
    /// Whether bytes may travel in the clear.
    pub plain_http: PlainHttp,
}

/// What happens to a site that the device has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site {
    /// It stays.
    Keep,
    /// The local superuser replaces it.
    Replace,
}

/// What a person compares after joining.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The membership.
    pub membership: Membership,
    /// Fingerprint of the device key.
    pub fingerprint: String,
    /// Fingerprint of the site root.
    pub site_root_fingerprint: String,
    /// The weakest way in which the site's approvals may be signed.
    pub weakest: Method,
}

/// Why the device did not join.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The pack or its root are not what they should be.
    #[error("the enrolment pack is not usable: {0}")]
    Pack(String),
    /// The typed fingerprint is another.
    #[error("the pack's site root has the fingerprint {found}, not {typed}")]
    Fingerprint {
        /// Typed by the person.
        typed: String,
        /// Of the pack.
        found: String,
    },
    /// The pack or the family root holds example keys.
    #[error("the public example keys are refused")]
    ExampleKeys,
    /// The device has another site, or another root of this one.
    #[error("this device belongs to site {0} with another root; --replace-site moves it")]
    OtherSite(String),
    /// An update is under way.
    #[error("an update is under way (state {0}); the site cannot be replaced now")]
    Busy(&'static str),
    /// The server refused.
    #[error("the server answered {status} {code}: {hint}")]
    Refused {
        /// The status.
        status: u16,
        /// The code.
        code: String,
        /// What to do.
        hint: String,
    },
    /// The server's reply is not that of the pack's server.
    #[error("the server is not the one of the pack: {0}")]
    Reply(String),
    /// The server could not be asked.
    #[error("the server could not be asked")]
    Link(#[source] crate::link::error::LinkError),
    /// Something else is not usable.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A file could not be written.
    #[error("writing {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A statement could not be made.
    #[error("the statement could not be made: {0}")]
    Statement(String),
}

impl From<IdentityError> for EnrolError {
    fn from(error: IdentityError) -> Self {
        Self::Start(error.into())
    }
}

impl From<LedgerError> for EnrolError {
    fn from(error: LedgerError) -> Self {
        Self::Start(error.into())
    }
}

impl From<JournalError> for EnrolError {
    fn from(error: JournalError) -> Self {
        Self::Start(error.into())
    }
}

/// A pack whose root holds, and how it compares with what the device has.
struct Checked {
    pack: EnrolmentPack,
    root: Vec<u8>,
    root_sha256: Sha256Digest,
    weakest: Method,
}

/// Joins a site.
///
/// # Errors
/// [`EnrolError`]; the device is not enrolled then, or as it was.
pub async fn enrol(
    config: &Config,
    layout: &Layout,
    wish: &Wish,
    mut rng: MachineRng,
) -> Result<Joined, EnrolError> {
    let checked = check(config, wish)?;
    let present = Membership::read(&layout.membership())?;
    let moves = match &present {
        Some(have) if have.site_root_sha256 != checked.root_sha256 => {
            if wish.site == Site::Keep {
                return Err(EnrolError::OtherSite(have.site.to_string()));
            }
            true
        }
        Some(_) | None => false,
    };
    let journal = start::journal(config, layout)?;
    if moves && !matches!(journal.state, State::Idle | State::NeedsService { .. }) {
        return Err(EnrolError::Busy(journal.state.name()));
    }
    let mut keys = Keys::read_or_make(&layout.keys(), &mut rng)?;
    let membership = Membership {
        v: 1,
        site: checked.pack.site.clone(),
        device: config.identity.device.clone(),
        url: checked.pack.url.clone(),
        tls_spki_sha256: checked.pack.tls_spki_sha256,
        tls_ca_pem: checked.pack.tls_ca_pem.clone(),
        record_key: checked.pack.record_key,
        site_root_sha256: checked.root_sha256,
    };
    let mut note = format!("site root {}", checked.root_sha256.fingerprint());
    if let Some(have) = present.filter(|_| moves) {
        note = format!("{note}; replaces site {}, ledger {}", have.site, keys.ledger_id);
        leave_site(layout, &mut keys, journal.clone(), &mut rng)?;
    }
    let request = request(config, &checked, &keys, &journal)?;
    let reply = ask(&membership, wish.plain_http, &request).await?;
    let fingerprint = keys.device.public().fingerprint();
    if reply.record_key != membership.record_key {
        return Err(EnrolError::Reply("it signs receipts with another key".to_owned()));
    }
    if reply.fingerprint != fingerprint {
        return Err(EnrolError::Reply("it has another device key than this device".to_owned()));
    }
    let written = |path: PathBuf| move |source| EnrolError::Write { path, source };
    write_durably(&layout.site_root(), &checked.root).map_err(written(layout.site_root()))?;
    begin_ledger(config, layout, &membership, &keys, note)?;
    membership.write(&layout.membership())?;
    Ok(Joined {
        membership,
        fingerprint,
        site_root_fingerprint: checked.root_sha256.fingerprint(),
        weakest: checked.weakest,
    })
}

fn check(config: &Config, wish: &Wish) -> Result<Checked, EnrolError> {
    let bytes = start::read_file(&wish.pack)?;
    let unusable = |why: String| EnrolError::Pack(why);
    let pack = EnrolmentPack::read(&bytes).map_err(|error| unusable(chain(&error)))?;
    if pack.v != 1 {
        return Err(unusable(format!("it is of version {}", pack.v)));
    }
    let identity = &config.identity;
    if !pack.families.contains(&identity.family) {
        return Err(unusable(format!("it is not for the family {}", identity.family)));
    }
    if pack.device.as_ref().is_some_and(|device| *device != identity.device) {
        return Err(unusable("it is for another device".to_owned()));
    }
    let root = STANDARD.decode(&pack.site_root).map_err(|error| unusable(error.to_string()))?;
    let root_sha256 = Sha256Digest::of(&root);
    if let Some(typed) = &wish.site_root_fingerprint {
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let found = root_sha256.fingerprint();
        if digits(typed) != digits(&found) {
            return Err(EnrolError::Fingerprint { typed: typed.clone(), found });
        }
    }
    let site = trusted(RepositoryId::Site(pack.site.clone()), &root).map_err(unusable)?;
    let family_root = start::read_file(&config.family_root)?;
    let family_id = RepositoryId::Family(identity.family.clone());
    let family = trusted(family_id.clone(), &family_root).map_err(|why| {
        let path = config.family_root.clone();
        EnrolError::Start(StartError::Root { repository: family_id, path, why })
    })?;
    let example = names_example_keys(&site) || names_example_keys(&family);
    if example && wish.example_keys == ExampleKeys::Refused {
        return Err(EnrolError::ExampleKeys);
    }
    Ok(Checked { weakest: site.weakest(), pack, root, root_sha256 })
}

fn trusted(repository: RepositoryId, root: &[u8]) -> Result<TrustedSet, String> {
    let profile = Profile::Patchward { repository };
    TrustedSet::new(root, Floors::default(), profile, Expiry::AsStaged(Timestamp::EPOCH))
        .map_err(|error| chain(&error))
}

fn request(
    config: &Config,
    checked: &Checked,
    keys: &Keys,
    journal: &Journal,
) -> Result<EnrolRequest, EnrolError> {
    let said = |error: &dyn std::error::Error| EnrolError::Statement(chain(error));
    let identity = &config.identity;
    let enrolment = Enrolment {
        v: 1,
        token: checked.pack.token.clone(),
        site: checked.pack.site.clone(),
        device: identity.device.clone(),
        device_key: keys.device.public(),
        family: identity.family.clone(),
        hardware: identity.hardware.clone(),
        installed: journal.installed.clone(),
        ledger_id: keys.ledger_id,
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let certificate = LinkCertificate {
        v: 1,
        site: checked.pack.site.clone(),
        device: identity.device.clone(),
        link_key: keys.link.public(),
        n: 1,
    };
    let key = keys.device.as_ref();
    Ok(EnrolRequest {
        enrolment: Envelope::seal(PayloadType::Enrolment, &enrolment, key).map_err(|e| said(&e))?,
        link_certificate: Envelope::seal(PayloadType::LinkCertificate, &certificate, key)
            .map_err(|e| said(&e))?,
    })
}

async fn ask(
    membership: &Membership,
    plain_http: PlainHttp,
    request: &EnrolRequest,
) -> Result<EnrolReply, EnrolError> {
    let mut client = client(membership, plain_http, Timestamp::EPOCH)?;
    let json = serde_json::to_vec(request).map_err(|e| EnrolError::Statement(e.to_string()))?;
    let answer = client
        .post_json(Enrol::PATH, json, None, REPLY_BYTES_MAX)
        .await
        .map_err(EnrolError::Link)?;
    if answer.status == 200 {
        return serde_json::from_slice(&answer.body).map_err(|e| EnrolError::Reply(e.to_string()));
    }
    let code = serde_json::from_slice::<Problem>(&answer.body).map(|problem| problem.code);
    Err(EnrolError::Refused {
        status: answer.status,
        code: code.as_ref().map_or("", |code| code.code()).to_owned(),
        hint: code.as_ref().map_or("", |code: &ErrorCode| code.en()).to_owned(),
    })
}

/// The first entry of a ledger.
fn begin_ledger(
    config: &Config,
    layout: &Layout,
    membership: &Membership,
    keys: &Keys,
    note: String,
) -> Result<(), EnrolError> {
    let mut ledger: Ledger = ledger(config, layout, membership, keys)?;
    if ledger.chain().seq > 0 {
        return Ok(());
    }
    let mut fact = Fact::new(Kind::Enrolled);
    fact.from.clone_from(&config.factory);
    fact.detail = Some(note);
    let quality = TimeQuality::Unknown;
    ledger.append(1, &PendingEntry { at: None, quality, boot_count: 0, fact })?;
    Ok(())
}

/// Puts what belongs to the old site aside. The old ledger stays on the device, under its own name.
fn leave_site(
    layout: &Layout,
    keys: &mut Keys,
    journal: Journal,
    rng: &mut MachineRng,
) -> Result<(), EnrolError> {
    let old = layout.folder().join(format!("ledger.{}", keys.ledger_id));
    let failed = |path: PathBuf| move |source| EnrolError::Write { path, source };
    remove_durably(&layout.membership()).map_err(failed(layout.membership()))?;
    if layout.ledger().exists() {
        std::fs::rename(layout.ledger(), &old).map_err(failed(old))?;
    }
    for name in ["site.0.json", "site.1.json", "site.floors.json"] {
        let path = layout.trust().join(name);
        remove_durably(&path).map_err(failed(path))?;
    }
    for path in [layout.receipt(), layout.refusals()] {
        remove_durably(&path).map_err(failed(path))?;
    }
    sync_dir(layout.folder()).map_err(failed(layout.folder().to_owned()))?;
    Keys::begin_ledger(&layout.keys(), rng)?;
    *keys = Keys::read(&layout.keys())?;
    // Serials belong to a site; what runs, and how often it was tried, to the device.
    let mut next = Journal::begin(journal.installed);
    next.attempts = journal.attempts;
    next.longest_ms = journal.longest_ms;
    next.boot = Boot { count: journal.boot.count, ..Boot::default() };
    next.write(&layout.journal())?;
    Ok(())
}
