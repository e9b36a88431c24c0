//! How far a draft has come: who signed, who is missing, what each approval still needs.
//!
//! Counted by the protocol's own functions. Not here: words of pages.
//! Invariant: what is called complete here is what publishing takes.

use super::facts::Facts;
use super::kept::Draft;
use crate::error::ApiError;
use patchward_protocol::draft::need::{Need, needs};
use patchward_protocol::draft::statement::Stated;
use patchward_protocol::id::PersonId;
use patchward_protocol::key::PublicKey;
use patchward_protocol::tuf::schema::{Method, RoleKey};
use patchward_protocol::tuf::stage::{Asked, Status};

/// How far a draft has come.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Whether it stands on what is published.
    pub base: BaseState,
    /// How many keys must sign.
    pub threshold: u64,
    /// The keys that the root lists for approvals.
    pub keys: Vec<SignerKey>,
    /// What each new approval needs of persons and methods.
    pub needs: Vec<Need>,
}

/// Whether a draft stands on what is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaseState {
    /// It does.
    Current,
    /// Another version was published: it must be made again.
    Moved,
    /// It is what is published: only its acts may be waiting.
    Published,
}

/// A key that the root lists for approvals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerKey {
    /// The key.
    pub public: PublicKey,
    /// Whose.
    pub person: Option<PersonId>,
    /// How it signs; the weakest where the root does not say.
    pub method: Method,
    /// Whether it has signed.
    pub signed: Signed,
}

/// Whether a key has signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// It has.
    Yes,
    /// It has not.
    NotYet,
}

impl Standing {
    /// Of a draft.
    ///
    /// # Errors
    /// A failure of ours.
    pub fn of(draft: &Draft, facts: &Facts) -> Result<Self, ApiError> {
        let status = status(draft, facts)?;
        let approvals = draft.read_approvals()?;
        let policy = facts.known.inventory.as_ref().map(|inventory| &inventory.policy);
        let needs = needs(approvals.iter(), policy, &status.signers, facts.weakest());
        let done = status.signers.keys().iter().map(|key| (key, Signed::Yes));
        let missing = status.missing.iter().map(|key| (key, Signed::NotYet));
        let mut keys: Vec<_> = done.chain(missing).filter_map(SignerKey::of).collect();
        keys.sort_by(|a, b| a.person.cmp(&b.person));
        Ok(Self { base: base(draft, facts), threshold: status.threshold, keys, needs })
    }

    /// Whether enough keys, persons and methods have signed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let signed = self.keys.iter().filter(|key| key.signed == Signed::Yes).count();
        let enough = u64::try_from(signed).is_ok_and(|signed| signed >= self.threshold);
        enough && self.threshold > 0 && self.needs.iter().all(Need::is_met)
    }

    /// How many more keys must sign for the threshold alone.
    #[must_use]
    pub fn missing(&self) -> u64 {
        let signed = self.keys.iter().filter(|key| key.signed == Signed::Yes).count();
        self.threshold.saturating_sub(u64::try_from(signed).unwrap_or(u64::MAX))
    }

    /// The keys of a person.
    pub fn keys_of<'a>(&'a self, person: &'a PersonId) -> impl Iterator<Item = &'a SignerKey> {
        self.keys.iter().filter(move |key| key.person.as_ref() == Some(person))
    }
}

impl SignerKey {
    fn of((key, signed): (&RoleKey, Signed)) -> Option<Self> {
        let method = key.method.unwrap_or(Method::Custodial);
        Some(Self { public: key.public()?, person: key.person.clone(), method, signed })
    }
}

/// Whose signatures count.
///
/// # Errors
/// A failure of ours.
pub fn asked(draft: &Draft, facts: &Facts) -> Result<Asked, ApiError> {
    draft.staged.asked(Some(&facts.root)).map_err(ApiError::failed)
}

fn status(draft: &Draft, facts: &Facts) -> Result<Status, ApiError> {
    let statuses = draft.staged.status(&asked(draft, facts)?).map_err(ApiError::failed)?;
    let none = || ApiError::failed(std::io::Error::other("targets without a role of their own"));
    statuses.into_iter().next().ok_or_else(none)
}

/// Whether a draft stands on what is published.
#[must_use]
pub fn base(draft: &Draft, facts: &Facts) -> BaseState {
    if draft.base_sha256 == facts.base_sha256 {
        BaseState::Current
    } else if draft.staged.message_sha256() == facts.base_sha256 {
        BaseState::Published
    } else {
        BaseState::Moved
    }
}

/// The new approvals with what is known of their releases, for the text.
///
/// # Errors
/// A failure of ours.
pub fn stated(draft: &Draft, facts: &Facts) -> Result<Vec<Stated>, ApiError> {
    draft.stated(|approval| facts.firmware(approval), |approval| facts.reexposed(approval))
}
