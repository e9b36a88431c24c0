//! A site's record as a server shows it: where it ends, its checkpoint, its tiles and entries.
//!
//! Nothing that comes back is trusted here; who asks checks it against a signed checkpoint. Not here:
//! what this machine has seen before ([`super::kept`]).
//! Invariant: a tile is asked for once in a run.

use crate::error::{Code, Failure, Outcome};
use crate::limits::{RECORD_BUNDLE_BYTES_MAX, RECORD_BYTES_MAX, RECORD_ENTRIES_MAX};
use crate::server::Server;
use patchward_protocol::api::record::{CHECKPOINT, ReadRecord, RecordView, TILE};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::SiteId;
use patchward_protocol::limits::CHECKPOINT_BYTES_MAX;
use patchward_protocol::merkle::tile::{Holds, Tile};
use patchward_protocol::merkle::{Node, proof};
use std::collections::BTreeMap;

/// The record of a site on a server.
#[derive(Debug)]
pub struct Remote<'a> {
    server: &'a Server,
    site: &'a SiteId,
    tiles: BTreeMap<Tile, Vec<Sha256Digest>>,
}

impl<'a> Remote<'a> {
    /// The record of this site.
    #[must_use]
    pub const fn new(server: &'a Server, site: &'a SiteId) -> Self {
        Self { server, site, tiles: BTreeMap::new() }
    }

    /// Where the server says that it ends, and by which key its checkpoints are checked.
    ///
    /// # Errors
    /// Failures of reaching the server; what it refuses.
    pub fn view(&self) -> Outcome<RecordView> {
        self.server.call::<ReadRecord>(&[self.site.as_str()], &())
    }

    /// The signed checkpoint, unchecked.
    ///
    /// # Errors
    /// Failures of reaching the server; what it refuses.
    pub fn checkpoint(&self) -> Outcome<String> {
        let bytes_max = u64::try_from(CHECKPOINT_BYTES_MAX).unwrap_or(u64::MAX);
        let path = CHECKPOINT.path.replace("{site}", self.site.as_str());
        let bytes = self.server.file(&path, bytes_max)?;
        String::from_utf8(bytes).map_err(|error| Failure::new(Code::ReplyUnreadable, error))
    }

    /// Every entry of a record of this size.
    ///
    /// # Errors
    /// Failures of reaching the server, and [`Code::RecordTooLong`].
    pub fn entries(&self, size: u64) -> Outcome<Vec<Vec<u8>>> {
        let bundles = Tile::all(size).filter(|tile| tile.holds() == Holds::Entries);
        if size > RECORD_ENTRIES_MAX {
            return Err(Failure::new(Code::RecordTooLong, format!("{size} entries")));
        }
        let (mut lines, mut bytes_held) = (Vec::new(), 0_u64);
        for bundle in bundles {
            let bytes = self.tile(bundle)?;
            bytes_held = bytes_held.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            if bytes_held > RECORD_BYTES_MAX {
                let what = format!("more than {RECORD_BYTES_MAX} bytes in {size} entries");
                return Err(Failure::new(Code::RecordTooLong, what));
            }
            let entries = bundle.read_entries(&bytes);
            let entries = entries.map_err(|error| unreadable(bundle, &error))?;
            lines.extend(entries.into_iter().map(<[u8]>::to_vec));
        }
        Ok(lines)
    }

    /// What should prove that the record of `size` entries continues that of `earlier`.
    ///
    /// # Errors
    /// Failures of reaching the server.
    pub fn consistency(&mut self, earlier: u64, size: u64) -> Outcome<Vec<Sha256Digest>> {
        proof::consistency(earlier, size, &mut |node| self.node(node, size))
    }

    fn node(&mut self, node: Node, size: u64) -> Outcome<Sha256Digest> {
        let missing = || Failure::new(Code::ReplyUnreadable, format!("{node:?} is in no tile"));
        let tile = Tile::having(node, size).ok_or_else(missing)?;
        if !self.tiles.contains_key(&tile) {
            let hashes = tile.read_hashes(&self.tile(tile)?);
            self.tiles.insert(tile, hashes.map_err(|error| unreadable(tile, &error))?);
        }
        let hashes = self.tiles.get(&tile).ok_or_else(missing)?;
        tile.hash_of(node, hashes).ok_or_else(missing)
    }

    fn tile(&self, tile: Tile) -> Outcome<Vec<u8>> {
        let name = tile.to_string();
        let name = name.strip_prefix("tile/").unwrap_or(&name);
        let path = TILE.path.replace("{site}", self.site.as_str()).replace("{tile}", name);
        self.server.file(&path, RECORD_BUNDLE_BYTES_MAX)
    }
}

fn unreadable(tile: Tile, error: &dyn std::error::Error) -> Failure {
    Failure::because(Code::ReplyUnreadable, tile, error)
}
