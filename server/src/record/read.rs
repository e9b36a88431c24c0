//! Reading a site's record: checkpoint, tiles, and what a device is shown of it.
//!
//! Checkpoints are signed when asked for and kept in memory while the record does not grow: the same
//! size always has the same bytes. Not here: HTTP.
//! Invariant: nothing is shown of entries beyond the size that was read in the same transaction.

use super::log;
use crate::app::App;
use crate::db::{Connection, DbError, record};
use crate::error::ApiError;
use crate::keys::Keyring;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::record::{RecordShown, RecordView};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::SiteId;
use patchward_protocol::key::{SignError, Signer as _};
use patchward_protocol::merkle::tile::{self, Holds, Tile};
use patchward_protocol::merkle::{Node, proof};
use patchward_protocol::record::checkpoint::{Checkpoint, verifier_key};
use patchward_protocol::record::witness::Seen;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

/// The last checkpoint that was signed for each site.
#[derive(Debug, Default)]
pub struct Checkpoints {
    signed: Mutex<HashMap<SiteId, (Seen, Arc<str>)>>,
}

impl Checkpoints {
    /// The signed checkpoint of a record that ends here.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign(&self, site: &SiteId, end: &Seen, keys: &Keyring) -> Result<Arc<str>, SignError> {
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((held, note)) = signed.get(site)
            && held == end
        {
            return Ok(Arc::clone(note));
        }
        let checkpoint = Checkpoint { site: site.clone(), size: end.size, root: end.root };
        let note: Arc<str> = checkpoint.sign(keys.record())?.into();
        signed.insert(site.clone(), (*end, Arc::clone(&note)));
        Ok(note)
    }
}

/// Where a site's record ends.
///
/// # Errors
/// A failure of ours.
pub async fn view(app: &App, site: &SiteId) -> Result<RecordView, ApiError> {
    let end = end(app, site).await?;
    let record_key = app.keys.record().public();
    let verifier_key = verifier_key(site, &record_key);
    Ok(RecordView { record_key, verifier_key, size: end.size, root: end.root })
}

/// The signed checkpoint of a site's record as it is now.
///
/// # Errors
/// A failure of ours.
pub async fn checkpoint(app: &App, site: &SiteId) -> Result<Arc<str>, ApiError> {
    let end = end(app, site).await?;
    app.checkpoints.sign(site, &end, &app.keys).map_err(ApiError::failed)
}

/// What a device is shown that has seen the record up to a size.
///
/// # Errors
/// A failure of ours.
pub async fn shown(
    app: &App,
    site: &SiteId,
    end: &Seen,
    seen: Option<u64>,
) -> Result<RecordShown, ApiError> {
    let note = app.checkpoints.sign(site, end, &app.keys).map_err(ApiError::failed)?;
    let earlier = seen.unwrap_or(0);
    let consistency = if earlier == 0 || earlier >= end.size {
        Vec::new()
    } else {
        let (site, size) = (site.clone(), end.size);
        app.db.read(move |conn| consistency(conn, &site, earlier, size)).await?
    };
    Ok(RecordShown { checkpoint: note.to_string(), consistency })
}

/// The bytes of a tile.
///
/// # Errors
/// `not_found` when the record does not have all of it, or a failure of ours.
pub async fn tile(app: &App, site: &SiteId, tile: Tile) -> Result<Vec<u8>, ApiError> {
    let owner = site.clone();
    let found = app.db.read(move |conn| {
        if !tile.is_within(log::end(conn, &owner)?.size) {
            return Ok(None);
        }
        bytes_of(conn, &owner, tile).map(Some)
    });
    found.await?.ok_or_else(|| ApiError::of(ErrorCode::NotFound))
}

/// Proves that the record of `size` entries continues that of `earlier` entries, in one query.
///
/// # Errors
/// [`DbError`].
pub fn consistency(
    conn: &mut Connection,
    site: &SiteId,
    earlier: u64,
    size: u64,
) -> Result<Vec<Sha256Digest>, DbError> {
    // The nodes are asked for twice: to learn which they are, and with their hashes.
    let mut nodes = Vec::new();
    let mut note = |node: Node| {
        nodes.push(node);
        Ok::<_, Infallible>(patchward_protocol::merkle::empty_root())
    };
    let Ok(_) = proof::consistency(earlier, size, &mut note);
    let hashes = hashes_of(conn, site, &nodes)?;
    proof::consistency(earlier, size, &mut |node| hashes.get(&node).copied().ok_or_else(missing))
}

async fn end(app: &App, site: &SiteId) -> Result<Seen, ApiError> {
    let owner = site.clone();
    Ok(app.db.read(move |conn| log::end(conn, &owner)).await?)
}

fn bytes_of(conn: &mut Connection, site: &SiteId, tile: Tile) -> Result<Vec<u8>, DbError> {
    match tile.holds() {
        Holds::Hashes { .. } => {
            let nodes: Vec<Node> = tile.nodes().collect();
            let hashes = hashes_of(conn, site, &nodes)?;
            let in_order: Option<Vec<Sha256Digest>> =
                nodes.iter().map(|node| hashes.get(node).copied()).collect();
            Ok(tile::write_hashes(&in_order.ok_or_else(missing)?))
        }
        Holds::Entries => {
            let first = tile.first();
            let entries = record::entries(conn, site, first..first.saturating_add(tile.width()))?;
            tile::write_entries(entries.iter().map(Vec::as_slice)).map_err(|_| missing())
        }
    }
}

/// The hashes of nodes, each from the row of the entry that completed it.
fn hashes_of(
    conn: &mut Connection,
    site: &SiteId,
    nodes: &[Node],
) -> Result<BTreeMap<Node, Sha256Digest>, DbError> {
    let rows: BTreeSet<u64> = nodes.iter().filter_map(|node| node.completed_by()).collect();
    let rows = record::hashes_at(conn, site, &rows)?;
    let hash = |node: &Node| {
        let row = rows.get(&node.completed_by()?)?;
        Some((*node, *row.get(usize::try_from(node.level).ok()?)?))
    };
    Ok(nodes.iter().filter_map(hash).collect())
}

/// A row that the edge says is there is not.
fn missing() -> DbError {
    DbError::Column {
        column: "record_entries.hashes",
        kind: "complete record",
        value: "a gap".to_owned(),
    }
}
