//! A checked delta is offered: one transaction lists it, signs the list and moves the pair.
//!
//! Its bytes are in the blob store before. Not here: signing ([`crate::publish::deltas`]), checking
//! ([`super::worker`]). Invariant: what is offered was checked against the image that the targets, as
//! they are current in this transaction, list as released; and by the one who still has the claim.

use crate::app::App;
use crate::db::Connection;
use crate::db::act::{self, Act};
use crate::db::delta::{self as rows, StoredPair};
use crate::db::repository::{self, ListedTarget};
use crate::error::ApiError;
use crate::publish::candidate::Judge;
use crate::publish::commit;
use crate::publish::deltas::DeltasKey;
use crate::publish::online::OnlineKeys;
use patchward_protocol::tuf::delta_target::DeltaTarget;
use serde_json::json;
use std::sync::Arc;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// It is listed.
    Listed,
    /// Somebody else has the pair, or it was retired meanwhile.
    Lost,
    /// The targets do not delegate to this server any more, or list its image no more.
    NotWanted,
    /// It would not fit into what the family may store.
    OverQuota,
}

/// Offers a delta whose pair is claimed as `claimed` says; `published` is what the pair becomes.
///
/// # Errors
/// A failure of ours; nothing is offered then.
pub async fn offer(
    app: &Arc<App>,
    claimed: StoredPair,
    published: StoredPair,
    delta: DeltaTarget,
) -> Result<Offered, ApiError> {
    let shared = Arc::clone(app);
    let work =
        move |conn: &mut Connection| in_transaction(&shared, conn, &claimed, &published, &delta);
    let offered = app.db.write(work).await?;
    if offered == Offered::Listed {
        app.reload().await.map_err(ApiError::failed)?;
    }
    Ok(offered)
}

fn in_transaction(
    app: &App,
    conn: &mut Connection,
    claimed: &StoredPair,
    published: &StoredPair,
    delta: &DeltaTarget,
) -> Result<Offered, ApiError> {
    let id = &claimed.repository;
    let Some((row, heads)) = repository::find(conn, id)? else { return Ok(Offered::NotWanted) };
    let Some(held) = commit::held(conn, id, &heads)? else { return Ok(Offered::NotWanted) };
    let (keys, key) = (OnlineKeys::of(&app.keys, id)?, DeltasKey::held(&app.keys, id));
    let (lives, mode, at) = (&app.config.refresh, app.mode, app.clock.now());
    let judge = Judge { repository: id, keys: &keys, deltas: key.as_ref(), lives, mode, at };
    let Some(accepted) = judge.list(&held, delta)? else { return Ok(Offered::NotWanted) };
    let (sha256, length) = (delta.file.sha256, delta.file.length);
    if repository::blob_length(conn, id, &sha256)?.is_none() {
        let stored = repository::stored_bytes(conn, id)?;
        if stored.saturating_add(length) > row.quota_bytes {
            return Ok(Offered::OverQuota);
        }
    }
    if !rows::swap(conn, claimed, published)? {
        return Ok(Offered::Lost);
    }
    repository::add_blob(conn, id, &sha256, length, at)?;
    let version = accepted.next.deltas.as_ref().map_or(0, |deltas| deltas.version);
    let path = delta.file.path.to_string();
    repository::list_target(conn, id, &ListedTarget { path, sha256, length }, version)?;
    commit::store(conn, id, &heads, &accepted)?;
    // The list is bounded: the oldest made room.
    commit::retire_deltas(conn, id, &accepted, at)?;
    let detail = json!({
        "deltas": version, "path": delta.file.path, "sha256": sha256, "bytes": length,
    });
    let (scope, who) = (id.to_string(), "server".to_owned());
    act::append(conn, &Act { at, scope, who, act: "publish-delta", detail })?;
    Ok(Offered::Listed)
}
