//! The right edge of a tree: all that is needed to append, and to know the root.
//!
//! One digest for each bit of the size, at most 64. Appending a leaf touches as many nodes as the
//! size has trailing ones: below two on average, never more than 64.
//! Invariant: `roots` has one entry per one-bit of `size`, the largest subtree first.

use super::{empty_root, node_hash};
use crate::digest::Sha256Digest;

/// The roots of the perfect subtrees that a tree of this size consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    roots: Vec<Sha256Digest>,
}

impl Edge {
    /// The edge of a tree without leaves.
    #[must_use]
    pub const fn empty() -> Self {
        Self { size: 0, roots: Vec::new() }
    }

    /// An edge as it was stored; nothing when the number of roots does not fit the size.
    #[must_use]
    pub fn new(size: u64, roots: Vec<Sha256Digest>) -> Option<Self> {
        let fits = usize::try_from(size.count_ones()).is_ok_and(|count| count == roots.len());
        fits.then_some(Self { size, roots })
    }

    /// How many leaves the tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots, the largest subtree first.
    #[must_use]
    pub fn roots(&self) -> &[Sha256Digest] {
        &self.roots
    }

    /// Appends a leaf by its hash; returns every node that is complete with it, from the leaf
    /// (level 0) upwards.
    pub fn append(&mut self, leaf: Sha256Digest) -> Vec<Sha256Digest> {
        let mut completed = vec![leaf];
        let mut top = leaf;
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.roots.pop() else { break };
            top = node_hash(&left, &top);
            completed.push(top);
        }
        self.roots.push(top);
        self.size = self.size.saturating_add(1);
        completed
    }

    /// The root of the whole tree.
    #[must_use]
    pub fn root(&self) -> Sha256Digest {
        let mut roots = self.roots.iter().rev();
        let Some(last) = roots.next() else { return empty_root() };
        roots.fold(*last, |right, left| node_hash(left, &right))
    }
}
