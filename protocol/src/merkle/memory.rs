//! A tree held in memory, with every hash: for whoever has all leaves of a record.
//!
//! Not here: storage. Invariant: it holds the hash of each perfect subtree of its leaves.

use super::tile::{Holds, Tile, write_hashes};
use super::{Node, leaf_hash, node_hash, proof, root};
use crate::digest::Sha256Digest;

/// A tree in memory.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// By level, the leaves first.
    levels: Vec<Vec<Sha256Digest>>,
}

/// A node that the tree does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the tree has no such node")]
pub struct NoNode;

impl Tree {
    /// The tree over these leaves.
    pub fn of<'a>(leaves: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut tree = Self::default();
        leaves.into_iter().for_each(|leaf| tree.append(leaf_hash(leaf)));
        tree
    }

    /// Appends a leaf by its hash.
    pub fn append(&mut self, leaf: Sha256Digest) {
        let mut next = Some(leaf);
        let mut level = 0;
        while let Some(hash) = next.take() {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let Some(row) = self.levels.get_mut(level) else { return };
            row.push(hash);
            if let (0, [.., left, right]) = (row.len() % 2, row.as_slice()) {
                next = Some(node_hash(left, right));
            }
            level = level.saturating_add(1);
        }
    }

    /// How many leaves it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        let leaves = self.levels.first().map_or(0, Vec::len);
        u64::try_from(leaves).unwrap_or(u64::MAX)
    }

    /// The hash of a node.
    ///
    /// # Errors
    /// [`NoNode`].
    pub fn read(&self, node: Node) -> Result<Sha256Digest, NoNode> {
        let level = usize::try_from(node.level).map_err(|_| NoNode)?;
        let index = usize::try_from(node.index).map_err(|_| NoNode)?;
        self.levels.get(level).and_then(|row| row.get(index)).copied().ok_or(NoNode)
    }

    /// The hash of a leaf.
    #[must_use]
    pub fn leaf(&self, index: u64) -> Option<Sha256Digest> {
        self.read(Node { level: 0, index }).ok()
    }

    /// The root over the first `size` leaves; nothing when there are fewer.
    #[must_use]
    pub fn root_at(&self, size: u64) -> Option<Sha256Digest> {
        root(size, &mut |node| self.read(node)).ok()
    }

    /// The root over all leaves.
    #[must_use]
    pub fn root(&self) -> Sha256Digest {
        self.root_at(self.size()).unwrap_or_else(super::empty_root)
    }

    /// Proves that a leaf is in the whole tree.
    ///
    /// # Errors
    /// [`NoNode`] when it is not.
    pub fn inclusion(&self, index: u64) -> Result<Vec<Sha256Digest>, NoNode> {
        if index >= self.size() {
            return Err(NoNode);
        }
        proof::inclusion(index, self.size(), &mut |node| self.read(node))
    }

    /// Proves that the whole tree continues that of its first `earlier` leaves.
    ///
    /// # Errors
    /// [`NoNode`] when it has fewer.
    pub fn consistency(&self, earlier: u64) -> Result<Vec<Sha256Digest>, NoNode> {
        if earlier > self.size() {
            return Err(NoNode);
        }
        proof::consistency(earlier, self.size(), &mut |node| self.read(node))
    }

    /// Every hash tile with its bytes.
    #[must_use]
    pub fn hash_tiles(&self) -> Vec<(Tile, Vec<u8>)> {
        let hashes =
            Tile::all(self.size()).filter(|tile| matches!(tile.holds(), Holds::Hashes { .. }));
        let bytes = |tile: &Tile| {
            let hashes: Result<Vec<_>, _> = tile.nodes().map(|node| self.read(node)).collect();
            hashes.map(|hashes| write_hashes(&hashes)).unwrap_or_default()
        };
        hashes.map(|tile| (tile, bytes(&tile))).collect()
    }
}
