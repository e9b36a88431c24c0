//! Signatures come in: made in the page, by the server for a person who opened the key, or on another
//! machine.
//!
//! Each counts only by the key that the site's root lists for this person and this way of signing, over
//! the very bytes of the draft, with an act beside it. Not here: publishing ([`super::finish`]).
//! Invariant: a signature is stored after it was verified, and with its act.

use super::acts::{self, Words};
use super::facts::Facts;
use super::kept::Draft;
#[cfg(doc)]
use super::kept::Prepared;
use super::status::{self, BaseState, SignerKey, Standing};
use super::{finish, make};
use crate::app::App;
use crate::error::ApiError;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::id::{PersonId, SiteId};
use patchward_protocol::key::{PublicKey, SignError, Signature, Signer};
use patchward_protocol::tuf::schema::Method;
use patchward_protocol::tuf::stage::Staged;
use std::sync::Arc;

/// How often a signature is stored again when another one came first: it is of the same bytes.
const TRIES_MAX: u32 = 5;

/// What came of signing.
#[derive(Debug, Clone)]
pub enum After {
    /// More must sign.
    Open(Box<Draft>),
    /// It was the last signature: published as this version.
    Published(u64),
}

/// Signatures that were made elsewhere, each given out for the message that it is of.
#[derive(Debug, Clone)]
pub struct MadeElsewhere {
    /// By which key.
    pub public: PublicKey,
    /// The signatures.
    pub signatures: Vec<Signature>,
}

/// What a person saw before they signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saw {
    /// Digest of the bytes that are signed.
    pub targets: Sha256Digest,
    /// Digest of what they say beside it ([`Prepared::sha256`]). Where the server signs for them it must
    /// be there; elsewhere the signature itself says it.
    pub acts: Option<Sha256Digest>,
}

impl From<Sha256Digest> for Saw {
    fn from(targets: Sha256Digest) -> Self {
        Self { targets, acts: None }
    }
}

impl Signer for MadeElsewhere {
    fn public(&self) -> PublicKey {
        self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        let fits = |signature: &&Signature| self.public.verify(message, signature).is_ok();
        let none = || SignError("no signature of this key over what is to be signed".to_owned());
        self.signatures.iter().find(fits).copied().ok_or_else(none)
    }
}

/// Keeps the acts that a person is about to sign in the page.
///
/// # Errors
/// `draft_unknown`, `draft_moved`, `draft_changed`, `signer_refused`, `control_missing`.
pub async fn prepare(
    app: &Arc<App>,
    site: &SiteId,
    seen: Sha256Digest,
    words: &Words,
) -> Result<Draft, ApiError> {
    for _ in 0..TRIES_MAX {
        if let Some(draft) = prepare_once(app, site, seen, words).await? {
            return Ok(draft);
        }
    }
    Err(ApiError::of(ErrorCode::DraftChanged))
}

async fn prepare_once(
    app: &Arc<App>,
    site: &SiteId,
    seen: Sha256Digest,
    words: &Words,
) -> Result<Option<Draft>, ApiError> {
    let (mut draft, facts) = current(app, site, seen).await?;
    let standing = Standing::of(&draft, &facts)?;
    if standing.keys_of(&words.person).next().is_none() {
        return Err(not_a_signer(&words.person));
    }
    let stated = status::stated(&draft, &facts)?;
    let prepared = acts::prepare(app, &draft, &stated, words).await?;
    draft.prepared.retain(|held| held.person != words.person);
    draft.prepared.push(prepared);
    make::store(app, draft).await
}

/// Takes the signature of a person over the draft whose digest they saw, and over the acts that were
/// prepared for them. `how` is the way in which it was made.
///
/// # Errors
/// `draft_unknown`, `draft_moved`, `draft_changed`, `signer_refused`, `method_refused`, `act_refused`.
pub async fn take(
    app: &Arc<App>,
    site: &SiteId,
    saw: impl Into<Saw>,
    (person, how): (&PersonId, Method),
    signer: &(dyn Signer + Sync),
) -> Result<After, ApiError> {
    let saw = saw.into();
    for _ in 0..TRIES_MAX {
        if let Some(after) = take_once(app, site, saw, (person, how), signer).await? {
            return Ok(after);
        }
    }
    Err(ApiError::of(ErrorCode::DraftChanged))
}

async fn take_once(
    app: &Arc<App>,
    site: &SiteId,
    saw: Saw,
    (person, how): (&PersonId, Method),
    signer: &(dyn Signer + Sync),
) -> Result<Option<After>, ApiError> {
    let (mut draft, facts) = current(app, site, saw.targets).await?;
    key_of(&draft, &facts, person, &signer.public(), how)?;
    let found = draft.prepared.iter().find(|held| held.person == *person).cloned();
    let fresh = found.filter(|held| held.is_fresh(app.clock.now()));
    let prepared =
        fresh.ok_or_else(|| ApiError::with(ErrorCode::DraftChanged, "say why you sign first"))?;
    let unseen = match how {
        Method::Custodial => saw.acts != Some(prepared.sha256()),
        Method::Offline | Method::Console => saw.acts.is_some_and(|acts| acts != prepared.sha256()),
    };
    if unseen {
        return Err(ApiError::with(ErrorCode::DraftChanged, "other words than those shown"));
    }
    let asked = status::asked(&draft, &facts)?;
    let refused =
        |error: &dyn std::error::Error| ApiError::because(ErrorCode::SignerRefused, error);
    draft.staged.sign(signer, &asked).map_err(|error| refused(&error))?;
    let mut said = Vec::new();
    for payload in &prepared.payloads {
        let sealed = Envelope::seal_bytes(PayloadType::Act, payload.as_bytes(), signer);
        said.push(sealed.map_err(|error| refused(&error))?);
    }
    draft.prepared.retain(|held| held.person != *person);
    accept(app, draft, &facts, said).await
}

/// Takes the signatures and acts of a copy that was signed on other machines.
///
/// # Errors
/// `draft_unknown`, `draft_moved`, `draft_differs`, `signer_refused` when nothing new is in it,
/// `act_refused`.
pub async fn take_copy(
    app: &Arc<App>,
    site: &SiteId,
    copy: &Staged,
    said: Vec<Envelope>,
) -> Result<After, ApiError> {
    for _ in 0..TRIES_MAX {
        if let Some(after) = take_copy_once(app, site, copy, said.clone()).await? {
            return Ok(after);
        }
    }
    Err(ApiError::of(ErrorCode::DraftChanged))
}

async fn take_copy_once(
    app: &Arc<App>,
    site: &SiteId,
    copy: &Staged,
    said: Vec<Envelope>,
) -> Result<Option<After>, ApiError> {
    let seen = copy.message_sha256();
    let (mut draft, facts) = current(app, site, seen).await?;
    let asked = status::asked(&draft, &facts)?;
    let added = draft.staged.merge(copy, &asked);
    let added = added.map_err(|error| ApiError::because(ErrorCode::SignerRefused, &error))?;
    if added == 0 {
        let why = "no new signature by a key that the site's root lists for approvals";
        return Err(ApiError::with(ErrorCode::SignerRefused, why));
    }
    accept(app, draft, &facts, said).await
}

/// The draft that somebody saw, on what is published now.
async fn current(
    app: &Arc<App>,
    site: &SiteId,
    seen: Sha256Digest,
) -> Result<(Draft, Facts), ApiError> {
    let draft = make::open(app, site).await?;
    let facts = Facts::of(app, site).await?;
    if status::base(&draft, &facts) != BaseState::Current {
        return Err(ApiError::of(ErrorCode::DraftMoved));
    }
    if draft.staged.message_sha256() != seen {
        return Err(ApiError::of(ErrorCode::DraftChanged));
    }
    Ok((draft, facts))
}

/// The key of this person that signs in this way. A key that its owner keeps off the page is not taken
/// from the page, and none is taken in a way that is weaker than the root says of it.
fn key_of(
    draft: &Draft,
    facts: &Facts,
    person: &PersonId,
    public: &PublicKey,
    how: Method,
) -> Result<SignerKey, ApiError> {
    let standing = Standing::of(draft, facts)?;
    let found = standing.keys.iter().find(|key| key.public == *public);
    let key = found.filter(|key| key.person.as_ref() == Some(person));
    let key = key.cloned().ok_or_else(|| not_a_signer(person))?;
    if key.method < how {
        let rule = format!("the root says {:?} of this key", key.method).to_lowercase();
        return Err(ApiError::with(ErrorCode::MethodRefused, rule));
    }
    Ok(key)
}

fn not_a_signer(person: &PersonId) -> ApiError {
    let why = format!("the site's root does not list this key for approvals of {person}");
    ApiError::with(ErrorCode::SignerRefused, why)
}

/// Stores what came, when every signer has said why; publishes when it is complete. Nothing when another
/// change came first.
async fn accept(
    app: &Arc<App>,
    mut draft: Draft,
    facts: &Facts,
    said: Vec<Envelope>,
) -> Result<Option<After>, ApiError> {
    let at = app.clock.now();
    let stated = status::stated(&draft, facts)?;
    let new = said.into_iter().filter(|act| !draft.acts.contains(act)).collect::<Vec<_>>();
    acts::checked(facts, &draft, &stated, &new, at)?;
    draft.acts.extend(new);
    let all = acts::checked(facts, &draft, &stated, &draft.acts, at)?;
    let standing = Standing::of(&draft, facts)?;
    let signed = standing.keys.iter().filter(|key| key.signed == status::Signed::Yes);
    for person in signed.filter_map(|key| key.person.as_ref()) {
        if !acts::is_said_by(person, &stated, &all) {
            let why = format!("{person}: a signature without the act beside it");
            return Err(ApiError::with(ErrorCode::ActRefused, why));
        }
    }
    let Some(draft) = make::store(app, draft).await? else { return Ok(None) };
    if standing.is_complete() {
        return finish::publish(app, &draft).await.map(|version| Some(After::Published(version)));
    }
    Ok(Some(After::Open(Box::new(draft))))
}
