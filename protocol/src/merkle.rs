//! The append-only tree of a site's record: RFC 6962 hashing, its right edge, its proofs, its tiles.
//!
//! Here are hashes and positions only; what an entry says is [`crate::record`]. Every function that
//! needs stored hashes asks for them by [`Node`] through a closure, so that the server, the command
//! line and the tests share one arithmetic. Not here: storage and signatures.
//! Invariant: a proof is made from, and checked against, nothing but digests and sizes.

pub mod edge;
pub mod memory;
pub mod proof;
pub mod tile;

use crate::digest::{Sha256Digest, Sha256Hasher};

/// A perfect subtree: the leaves `index << level .. (index + 1) << level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node {
    /// Its height: 0 for a leaf.
    pub level: u32,
    /// Its position among the subtrees of this height, from 0.
    pub index: u64,
}

impl Node {
    /// The leaf with which this subtree was complete, so that its hash can be kept beside that leaf;
    /// nothing for a subtree beyond 2^64 leaves.
    #[must_use]
    pub fn completed_by(self) -> Option<u64> {
        let end = self.index.checked_add(1)?.checked_mul(1_u64.checked_shl(self.level)?)?;
        end.checked_sub(1)
    }
}

/// The hash of a leaf: SHA-256 of 0x00 and its bytes.
#[must_use]
pub fn leaf_hash(bytes: &[u8]) -> Sha256Digest {
    let mut hasher = Sha256Hasher::new();
    hasher.update(&[0]);
    hasher.update(bytes);
    hasher.finish()
}

/// The hash of a node: SHA-256 of 0x01 and the hashes of its two halves.
#[must_use]
pub fn node_hash(left: &Sha256Digest, right: &Sha256Digest) -> Sha256Digest {
    let mut hasher = Sha256Hasher::new();
    hasher.update(&[1]);
    hasher.update(left.as_bytes());
    hasher.update(right.as_bytes());
    hasher.finish()
}

/// The root of a tree without leaves: SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Sha256Digest {
    Sha256Digest::of(b"")
}

/// The root over the first `size` leaves, from the hashes of perfect subtrees.
///
/// # Errors
/// What `read` returns.
pub fn root<E>(
    size: u64,
    read: &mut impl FnMut(Node) -> Result<Sha256Digest, E>,
) -> Result<Sha256Digest, E> {
    range_root(0, size, read)
}

/// The hash over the leaves `start..end`, where `start` is a multiple of the power of two that the
/// range fits into.
fn range_root<E>(
    start: u64,
    end: u64,
    read: &mut impl FnMut(Node) -> Result<Sha256Digest, E>,
) -> Result<Sha256Digest, E> {
    let count = end.saturating_sub(start);
    if count == 0 {
        return Ok(empty_root());
    }
    if count.is_power_of_two() {
        let level = count.trailing_zeros();
        return read(Node { level, index: start >> level });
    }
    let middle = start.saturating_add(split(count));
    let left = range_root(start, middle, read)?;
    Ok(node_hash(&left, &range_root(middle, end, read)?))
}

/// The largest power of two below `count`, for two leaves and more (RFC 6962, 2.1).
const fn split(count: u64) -> u64 {
    match count.checked_sub(1) {
        None | Some(0) => 0,
        Some(last) => 1 << last.ilog2(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_rfc_6962() {
        let hex = |text: &str| text.parse::<Sha256Digest>().unwrap();
        assert_eq!(
            empty_root(),
            hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        );
        assert_eq!(
            leaf_hash(b""),
            hex("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d")
        );
        // The tree over the eight leaves of the test vectors of Certificate Transparency.
        let leaves: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let mut edge = edge::Edge::empty();
        for leaf in leaves {
            edge.append(leaf_hash(leaf));
        }
        assert_eq!(
            edge.root(),
            hex("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328")
        );
    }

    #[test]
    fn a_subtree_is_complete_with_its_last_leaf() {
        assert_eq!(Node { level: 0, index: 5 }.completed_by(), Some(5));
        assert_eq!(Node { level: 3, index: 1 }.completed_by(), Some(15));
        assert_eq!(Node { level: 64, index: 0 }.completed_by(), None);
        assert_eq!(Node { level: 1, index: u64::MAX }.completed_by(), None);
    }
}
