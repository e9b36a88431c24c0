//! One repository on the device: held generation, floors, and the set that was verified in this run.
//!
//! Follows `protocol::tuf::refresh` and does the fetching for it. Not here: what the documents permit.
//! Invariant: what was trusted is stored before it is used, also when the refresh ends in an error.

use super::reason;
use super::store::{Found, Generation, Store, StoreError};
use crate::ledger::refusals::Refusal;
use crate::link::error::LinkError;
use crate::link::http::Client;
use hyper::header::{self, HeaderName};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{RepositoryId, Seq};
use patchward_protocol::reason::Reason;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::delta_target::{DELTAS_ROLE, DeltaTarget};
use patchward_protocol::tuf::error::TufError;
use patchward_protocol::tuf::floors::Floors;
use patchward_protocol::tuf::profile::Profile;
use patchward_protocol::tuf::refresh::{Answer, Held, Refresh, Step};
use patchward_protocol::tuf::schema::Part as _;
use patchward_protocol::tuf::trusted_set::{Expiry, TrustedSet};
use patchward_protocol::verified::Verified;

/// A repository as this device holds it.
#[derive(Debug)]
pub struct Repository {
    id: RepositoryId,
    store: Store,
    generation: Generation,
    set: Option<TrustedSet>,
}

/// Why a refresh did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// What came is not trusted.
    #[error("{repository} is not trusted")]
    Untrusted {
        /// The repository.
        repository: RepositoryId,
        /// Digest of the document, where one came.
        document_sha256: Option<Sha256Digest>,
        /// Why.
        source: Box<TufError>,
    },
    /// The server could not be asked.
    #[error("the server could not be asked for {repository}")]
    Link {
        /// The repository.
        repository: RepositoryId,
        /// Why.
        source: LinkError,
    },
    /// The server answered with an error.
    #[error("the server answered {status} for {file} of {repository}")]
    Status {
        /// The repository.
        repository: RepositoryId,
        /// The file.
        file: String,
        /// The status.
        status: u16,
    },
    /// The disk said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RefreshError {
    /// What people are told.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Untrusted { source, .. } => reason::of(source),
            Self::Link { source: LinkError::NotTrusted { .. }, .. } => Reason::ServerNotTrusted,
            Self::Link { source: LinkError::TooLong { .. }, .. } => Reason::MetadataTooLong,
            Self::Link {
                source:
                    LinkError::Malformed(_)
                    | LinkError::Encoding(_)
                    | LinkError::Redirect { .. }
                    | LinkError::WrongRange { .. },
                ..
            } => Reason::MetadataMalformed,
            Self::Link { .. } | Self::Status { .. } => Reason::ServerUnreachable,
            Self::Store(_) => Reason::StorageFailed,
        }
    }

    /// The refusal for the ledger, where something was refused.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        let reason = self.reason();
        let document_sha256 = match self {
            Self::Untrusted { document_sha256, .. } => *document_sha256,
            Self::Link { .. } | Self::Status { .. } | Self::Store(_) => None,
        };
        // A server that drips or answers with errors withholds news: said once a day. No connection
        // at all is the ordinary state of many devices, and a failing disk is told elsewhere.
        let withholds = matches!(
            self,
            Self::Status { .. } | Self::Link { source: LinkError::TooSlow { .. }, .. }
        );
        let refused =
            withholds || (reason != Reason::ServerUnreachable && reason != Reason::StorageFailed);
        refused.then(|| Refusal { reason, document_sha256, detail: chain(self) })
    }
}

/// An error and what it came from, on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}

impl Repository {
    /// Opens what is held, or begins with the pinned root, and verifies it again. The refusal says
    /// what of the held state could not be used.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails.
    pub fn open(
        id: RepositoryId,
        store: Store,
        pinned_root: &[u8],
    ) -> Result<(Self, Option<Refusal>), StoreError> {
        let fresh = |floors| Generation {
            n: 0,
            held: Held::pinned(pinned_root.to_vec()),
            floors,
            judged_at: Timestamp::EPOCH,
        };
        let damaged = |why: String| Refusal {
            reason: Reason::HeldStateUnreadable,
            document_sha256: Some(Sha256Digest::of(why.as_bytes())),
            detail: why,
        };
        let (generation, mut refusal) = match store.read()? {
            Found::Nothing => (fresh(Floors::default()), None),
            Found::Whole(generation) => (*generation, None),
            Found::Damaged { generation: Some(generation), why, .. } => {
                (*generation, Some(damaged(why)))
            }
            Found::Damaged { generation: None, floors, why } => {
                (fresh(*floors), Some(damaged(why)))
            }
        };
        let mut repository = Self { id, store, generation, set: None };
        match repository.verify_again() {
            Ok(set) => repository.set = Some(set),
            Err(error) if reason::of(&error) == Reason::ServerUnreachable => {}
            Err(error) => {
                let detail = format!("{} as held: {}", repository.id, chain(&error));
                let document_sha256 = Some(Sha256Digest::of(detail.as_bytes()));
                let held = Refusal { reason: reason::of(&error), document_sha256, detail };
                refusal = refusal.or(Some(held));
            }
        }
        Ok((repository, refusal))
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> &RepositoryId {
        &self.id
    }

    /// What is trusted; none before the first whole refresh.
    #[must_use]
    pub const fn set(&self) -> Option<&TrustedSet> {
        self.set.as_ref()
    }

    /// The floors.
    #[must_use]
    pub const fn floors(&self) -> &Floors {
        &self.generation.floors
    }

    /// The newest trusted root, on its own: it names the keys that sign time answers.
    ///
    /// # Errors
    /// [`TufError`] when it is not trusted.
    pub fn root(&self) -> Result<TrustedSet, TufError> {
        let Generation { held, floors, judged_at, .. } = &self.generation;
        TrustedSet::new(&held.root, floors.clone(), self.profile(), Expiry::AsStaged(*judged_at))
    }

    /// Version of the trusted timestamp; 0 for none.
    #[must_use]
    pub fn timestamp_version(&self) -> u64 {
        self.set
            .as_ref()
            .and_then(TrustedSet::timestamp)
            .map_or(0, |document| document.signed.version())
    }

    /// Whether something of it expires before `at`, or nothing is trusted yet.
    #[must_use]
    pub fn is_stale(&self, at: Timestamp) -> bool {
        self.set.as_ref().is_none_or(|set| set.expires() <= at)
    }

    /// An image is committed: raises the image floor, durably.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn raise_image_seq(&mut self, seq: Seq) -> Result<(), StoreError> {
        self.change_floors(|floors| floors.raise_image_seq(seq))
    }

    /// Changes floors, durably before it returns.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn change_floors(&mut self, change: impl FnOnce(&mut Floors)) -> Result<(), StoreError> {
        let mut floors = self.generation.floors.clone();
        change(&mut floors);
        if floors == self.generation.floors {
            return Ok(());
        }
        let next = Generation { n: self.generation.n + 1, floors, ..self.generation.clone() };
        self.store.write(&next)?;
        self.generation = next;
        Ok(())
    }

    /// Refreshes from the server. `offered` is a timestamp that came with a check-in. `expiry` has the
    /// time as well as it is known; the floors know better when it is earlier.
    ///
    /// # Errors
    /// [`RefreshError`]; what was trusted before the error is kept.
    pub async fn refresh(
        &mut self,
        client: &mut Client,
        bearer: Option<&str>,
        expiry: Expiry,
        offered: Option<Vec<u8>>,
    ) -> Result<(), RefreshError> {
        let Generation { held, floors, .. } = self.generation.clone();
        let begun = Refresh::begin(held, floors, self.profile(), expiry);
        let mut refresh = begun.map_err(|error| self.untrusted(error, None))?;
        if let Some(bytes) = offered {
            refresh.offer_timestamp(bytes);
        }
        let ended = self.follow(&mut refresh, client, bearer).await;
        self.keep(&refresh, expiry)?;
        ended?;
        let (set, ..) = refresh.finish().map_err(|error| self.untrusted(error, None))?;
        self.set = Some(set);
        Ok(())
    }

    /// The deltas that the repository lists now. Its list is fetched only when it is asked for.
    ///
    /// # Errors
    /// [`Reason::DeltaNone`] when there is no such list, [`Reason::DeltaRoleUntrusted`] when it does
    /// not come or is not trusted; the rest of the repository stays trusted.
    pub async fn deltas(
        &mut self,
        client: &mut Client,
        headers: &[(HeaderName, &str)],
    ) -> Result<Vec<Verified<DeltaTarget>>, Reason> {
        let (kind, name) = self.id.parts();
        let set = self.set.as_mut().filter(|set| set.has_deltas()).ok_or(Reason::DeltaNone)?;
        let untrusted = |error: &dyn std::error::Error| {
            tracing::warn!(error = chain(error), "the list of deltas is not trusted");
            Reason::DeltaRoleUntrusted
        };
        let (file, bytes_max) = set.delegated_file(DELTAS_ROLE).map_err(|e| untrusted(&e))?;
        let path = format!("/tuf/{kind}/{name}/metadata/{file}");
        let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
        let answer = client.get(&path, limit, headers).await.map_err(|e| untrusted(&e))?;
        if answer.status != 200 {
            tracing::warn!(status = answer.status, "the list of deltas does not come");
            return Err(Reason::DeltaRoleUntrusted);
        }
        set.take_delegated(DELTAS_ROLE, &answer.body).map_err(|e| untrusted(&e))?;
        set.deltas().map_err(|e| untrusted(&e))
    }

    async fn follow(
        &self,
        refresh: &mut Refresh,
        client: &mut Client,
        bearer: Option<&str>,
    ) -> Result<(), RefreshError> {
        let bearer = bearer.map(|token| format!("Bearer {token}"));
        let headers: Vec<(HeaderName, &str)> =
            bearer.iter().map(|value| (header::AUTHORIZATION, value.as_str())).collect();
        let (kind, name) = self.id.parts();
        while let Step::Fetch { file, bytes_max } = refresh.next() {
            let path = format!("/tuf/{kind}/{name}/metadata/{file}");
            let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
            let repository = || self.id.clone();
            let answer = client
                .get(&path, limit, &headers)
                .await
                .map_err(|source| RefreshError::Link { repository: repository(), source })?;
            let (answer, digest) = match answer.status {
                200 => {
                    let digest = Sha256Digest::of(&answer.body);
                    (Answer::Bytes(answer.body), Some(digest))
                }
                404 | 410 => (Answer::NotFound, None),
                status => {
                    return Err(RefreshError::Status { repository: repository(), file, status });
                }
            };
            refresh.supply(answer).map_err(|error| self.untrusted(error, digest))?;
        }
        Ok(())
    }

    fn keep(&mut self, refresh: &Refresh, expiry: Expiry) -> Result<(), StoreError> {
        let (held, floors) = (refresh.held().clone(), refresh.floors().clone());
        if held == self.generation.held && floors == self.generation.floors {
            return Ok(());
        }
        let judged_at = expiry.judged_at(&floors);
        let next = Generation { n: self.generation.n + 1, held, floors, judged_at };
        self.store.write(&next)?;
        self.generation = next;
        Ok(())
    }

    fn verify_again(&self) -> Result<TrustedSet, TufError> {
        let Generation { held, floors, judged_at, .. } = self.generation.clone();
        Refresh::reload(held, floors, self.profile(), Expiry::AsStaged(judged_at))
    }

    fn profile(&self) -> Profile {
        Profile::Patchward { repository: self.id.clone() }
    }

    fn untrusted(&self, error: TufError, document: Option<Sha256Digest>) -> RefreshError {
        RefreshError::Untrusted {
            repository: self.id.clone(),
            document_sha256: document,
            source: Box::new(error),
        }
    }
}

#[cfg(test)]
mod tests;
