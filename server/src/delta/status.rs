//! Deltas of a family as its manufacturer sees them: pairs, and how each device got its image.
//!
//! Not here: changing anything. Invariant: device ids are told only to those who may publish in the
//! family, and never with the site.

use crate::app::App;
use crate::db::delta::{self, StoredPair};
use crate::db::{DbError, delta_use};
use crate::error::ApiError;
use crate::publish::current::Current;
use patchward_protocol::api::delta::{DeltaView, DeltasView, Side};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{RepositoryId, Seq};
use std::collections::BTreeMap;

/// The deltas of a family; a site has none.
///
/// # Errors
/// `not_found`, or a failure of ours.
pub async fn list(app: &App, id: &RepositoryId) -> Result<DeltasView, ApiError> {
    let snapshot = app.snapshot();
    let current = snapshot.get(id).ok_or_else(|| ApiError::of(ErrorCode::NotFound))?;
    let RepositoryId::Family(family) = id else {
        return Ok(DeltasView { delegated: false, pairs: Vec::new(), devices: Vec::new() });
    };
    let fleet = app.fleet.installed(family);
    let (of, family) = (id.clone(), family.clone());
    let (pairs, devices) = app
        .db
        .read(move |conn| {
            let pairs = delta::of_repository(conn, &of)?;
            Ok::<_, DbError>((pairs, delta_use::of_family(conn, &family)?))
        })
        .await?;
    let pairs = pairs.into_iter().map(|stored| view(current, &fleet, stored)).collect();
    Ok(DeltasView { delegated: current.delegated, pairs, devices })
}

fn view(current: &Current, fleet: &BTreeMap<Sha256Digest, u32>, stored: StoredPair) -> DeltaView {
    let StoredPair { pair, state, since, outcome, .. } = stored;
    let from = side(current, pair.from, None);
    DeltaView {
        devices: fleet.get(&from.image_sha256).copied().unwrap_or(0),
        from,
        to: side(current, pair.to, Some(pair.to_seq)),
        state,
        bytes: outcome.bytes,
        full_bytes: outcome.full_bytes.unwrap_or(0),
        sha256: outcome.sha256,
        index: outcome.index,
        cpu_ms: outcome.cpu_ms,
        memory_kib: outcome.memory_kib,
        since,
        detail: outcome.detail,
    }
}

fn side(current: &Current, image_sha256: Sha256Digest, seq: Option<Seq>) -> Side {
    let mut releases = current.releases.iter().map(|release| &release.firmware);
    let release = releases.find(|release| release.payload.image_sha256 == image_sha256);
    let version = release.map(|release| release.version.clone());
    Side { image_sha256, version, seq: release.map(|release| release.seq).or(seq) }
}
