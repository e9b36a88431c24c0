//! Dossiers and bills of materials of releases, read from the store and kept while they are looked at.
//!
//! Bounded: the ones that were asked for last. Not here: pages. Invariant: what is kept was read from
//! bytes with the digest that the manufacturer signed.

use crate::app::App;
use crate::error::ApiError;
use crate::publish::parts::PartsShelf;
use patchward_protocol::advice::sbom::{BadSbom, SBOM_READ_BYTES_MAX, Sbom};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::dossier::Dossier;
use patchward_protocol::limits::{DOCUMENT_BYTES_MAX, DOSSIER_BYTES_MAX};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Most dossiers that are kept.
const DOSSIERS_KEPT_MAX: usize = 256;
/// Most bills that are kept: each may be megabytes.
const BILLS_KEPT_MAX: usize = 8;

/// Dossiers and bills by their digests.
#[derive(Debug, Default)]
pub struct Shelf {
    dossiers: Mutex<Kept<Dossier>>,
    bills: Mutex<Kept<Result<Sbom, BadSbom>>>,
    /// Components of releases, as people search for them.
    pub parts: PartsShelf,
}

#[derive(Debug)]
struct Kept<T> {
    clock: u64,
    known: HashMap<Sha256Digest, (u64, Arc<T>)>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { clock: 0, known: HashMap::new() }
    }
}

impl<T> Kept<T> {
    fn get(&mut self, sha256: &Sha256Digest) -> Option<Arc<T>> {
        self.clock = self.clock.saturating_add(1);
        let now = self.clock;
        let (used, value) = self.known.get_mut(sha256)?;
        *used = now;
        Some(Arc::clone(value))
    }

    fn put(&mut self, sha256: Sha256Digest, value: &Arc<T>, most: usize) {
        self.known.insert(sha256, (self.clock, Arc::clone(value)));
        if self.known.len() > most {
            let oldest = self.known.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(sha256) = oldest.map(|(sha256, _)| *sha256) {
                self.known.remove(&sha256);
            }
        }
    }
}

impl Shelf {
    /// A dossier; none when its bytes are not here or are no dossier of this version's form.
    ///
    /// # Errors
    /// A failure of ours.
    pub async fn dossier(
        &self,
        app: &Arc<App>,
        sha256: Sha256Digest,
    ) -> Result<Option<Arc<Dossier>>, ApiError> {
        if let Some(held) = lock(&self.dossiers).get(&sha256) {
            return Ok(Some(held));
        }
        let bytes = bytes(app, sha256, DOSSIER_BYTES_MAX).await?;
        let Some(read) = bytes.and_then(|bytes| Dossier::read(&bytes).ok()) else {
            return Ok(None);
        };
        let read = Arc::new(read);
        lock(&self.dossiers).put(sha256, &read, DOSSIERS_KEPT_MAX);
        Ok(Some(read))
    }

    /// A bill of materials, or why it cannot be read; none when its bytes are not here.
    ///
    /// # Errors
    /// A failure of ours.
    pub async fn bill(
        &self,
        app: &Arc<App>,
        sha256: Sha256Digest,
    ) -> Result<Option<Arc<Result<Sbom, BadSbom>>>, ApiError> {
        if let Some(held) = lock(&self.bills).get(&sha256) {
            return Ok(Some(held));
        }
        let Some(bytes) = bytes(app, sha256, SBOM_READ_BYTES_MAX).await? else { return Ok(None) };
        let read = Arc::new(parse(bytes).await?);
        lock(&self.bills).put(sha256, &read, BILLS_KEPT_MAX);
        Ok(Some(read))
    }

    /// A bill of materials, read and not kept; none when it is not here or cannot be read.
    ///
    /// # Errors
    /// A failure of ours.
    pub async fn read_bill(app: &Arc<App>, sha256: Sha256Digest) -> Result<Option<Sbom>, ApiError> {
        let Some(bytes) = bytes(app, sha256, SBOM_READ_BYTES_MAX).await? else { return Ok(None) };
        Ok(parse(bytes).await?.ok())
    }

    /// The bytes of a document as the manufacturer signed them; none when they are not here.
    ///
    /// # Errors
    /// A failure of ours.
    pub async fn document(
        app: &Arc<App>,
        sha256: Sha256Digest,
    ) -> Result<Option<Vec<u8>>, ApiError> {
        bytes(app, sha256, usize::try_from(DOCUMENT_BYTES_MAX).unwrap_or(usize::MAX)).await
    }
}

async fn parse(bytes: Vec<u8>) -> Result<Result<Sbom, BadSbom>, ApiError> {
    tokio::task::spawn_blocking(move || Sbom::read(&bytes)).await.map_err(ApiError::failed)
}

async fn bytes(
    app: &Arc<App>,
    sha256: Sha256Digest,
    bytes_max: usize,
) -> Result<Option<Vec<u8>>, ApiError> {
    let blobs = Arc::clone(app);
    let read = tokio::task::spawn_blocking(move || blobs.blobs.read(&sha256, bytes_max));
    read.await.map_err(ApiError::failed)?.map_err(ApiError::failed)
}

fn lock<T>(kept: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_asked_for_longest_makes_room() {
        let mut kept = Kept::default();
        let name = |n: u8| Sha256Digest::of(&[n]);
        for n in 0..3 {
            kept.put(name(n), &Arc::new(n), 3);
            let _ = kept.get(&name(0));
        }
        kept.put(name(3), &Arc::new(3), 3);
        assert!(kept.get(&name(0)).is_some() && kept.get(&name(3)).is_some());
        assert!(kept.get(&name(1)).is_none());
    }
}
