//! Inclusion and consistency proofs: made and checked (RFC 6962, 2.1.1 and 2.1.2; the checks are
//! those of RFC 9162, 2.1.3.2 and 2.1.4.2).
//!
//! Not here: where the hashes come from. Invariant: a check accepts exactly the proof that the
//! making function makes; a proof that is longer, shorter or differs in a bit is refused.

use super::{Node, node_hash, range_root, split};
use crate::digest::Sha256Digest;

/// A proof does not prove what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadProof {
    /// The position is not in the tree, or the earlier tree is the larger one.
    #[error("the proof is for a position outside the tree")]
    Outside,
    /// The proof has another length than a tree of this size asks for.
    #[error("the proof has the wrong length")]
    Length,
    /// The hashes do not lead to the root.
    #[error("the proof does not lead to the root")]
    Root,
}

/// Whether a range is the whole earlier tree, whose root the checker has, or a part of it.
#[derive(Clone, Copy)]
enum Known {
    Whole,
    Part,
}

/// Proves that leaf `index` is in the tree of `size` leaves.
///
/// # Errors
/// What `read` returns. A position outside the tree gives an empty proof, which no check accepts.
pub fn inclusion<E>(
    index: u64,
    size: u64,
    read: &mut impl FnMut(Node) -> Result<Sha256Digest, E>,
) -> Result<Vec<Sha256Digest>, E> {
    let mut proof = Vec::new();
    if index < size {
        path(index, (0, size), read, &mut proof)?;
    }
    Ok(proof)
}

fn path<E>(
    index: u64,
    (start, end): (u64, u64),
    read: &mut impl FnMut(Node) -> Result<Sha256Digest, E>,
    proof: &mut Vec<Sha256Digest>,
) -> Result<(), E> {
    let count = end.saturating_sub(start);
    if count <= 1 {
        return Ok(());
    }
    let middle = start.saturating_add(split(count));
    if index < middle {
        path(index, (start, middle), read, proof)?;
        proof.push(range_root(middle, end, read)?);
    } else {
        path(index, (middle, end), read, proof)?;
        proof.push(range_root(start, middle, read)?);
    }
    Ok(())
}

/// Proves that the tree of `size` leaves continues the tree of `earlier` leaves.
///
/// # Errors
/// What `read` returns. For `earlier` over `size` the proof is empty, which no check accepts.
pub fn consistency<E>(
    earlier: u64,
    size: u64,
    read: &mut impl FnMut(Node) -> Result<Sha256Digest, E>,
) -> Result<Vec<Sha256Digest>, E> {
    let mut proof = Vec::new();
    if earlier > 0 && earlier < size {
        subproof(earlier, (0, size), Known::Whole, read, &mut proof)?;
    }
    Ok(proof)
}

fn subproof<E>(
    earlier: u64,
    (start, end): (u64, u64),
    known: Known,
    read: &mut impl FnMut(Node) -> Result<Sha256Digest, E>,
    proof: &mut Vec<Sha256Digest>,
) -> Result<(), E> {
    if earlier == end {
        if matches!(known, Known::Part) {
            proof.push(range_root(start, end, read)?);
        }
        return Ok(());
    }
    let middle = start.saturating_add(split(end.saturating_sub(start)));
    if earlier <= middle {
        subproof(earlier, (start, middle), known, read, proof)?;
        proof.push(range_root(middle, end, read)?);
    } else {
        subproof(earlier, (middle, end), Known::Part, read, proof)?;
        proof.push(range_root(start, middle, read)?);
    }
    Ok(())
}

/// Checks that the leaf with this hash is number `index` (from 0) of the tree.
///
/// # Errors
/// [`BadProof`].
pub fn check_inclusion(
    leaf: &Sha256Digest,
    index: u64,
    (size, root): (u64, &Sha256Digest),
    proof: &[Sha256Digest],
) -> Result<(), BadProof> {
    if index >= size {
        return Err(BadProof::Outside);
    }
    let mut walk = Walk { at: index, last: size.saturating_sub(1) };
    let mut hash = *leaf;
    for sibling in proof {
        hash = match walk.side()? {
            Side::Left => node_hash(sibling, &hash),
            Side::Right => node_hash(&hash, sibling),
        };
        walk.up();
    }
    walk.at_root()?;
    if hash == *root { Ok(()) } else { Err(BadProof::Root) }
}

/// Checks that the later tree continues the earlier one: same leaves, same order, more at the end.
///
/// # Errors
/// [`BadProof`].
pub fn check_consistency(
    (earlier, earlier_root): (u64, &Sha256Digest),
    (size, root): (u64, &Sha256Digest),
    proof: &[Sha256Digest],
) -> Result<(), BadProof> {
    if earlier > size {
        return Err(BadProof::Outside);
    }
    if earlier == size || earlier == 0 {
        let empty_is_empty = earlier != 0 || *earlier_root == super::empty_root();
        let same = earlier != size || earlier_root == root;
        return match (proof.is_empty(), empty_is_empty && same) {
            (false, _) => Err(BadProof::Length),
            (true, false) => Err(BadProof::Root),
            (true, true) => Ok(()),
        };
    }
    // A tree that is one perfect subtree is its own first hash.
    let (first, rest) = if earlier.is_power_of_two() {
        (earlier_root, proof)
    } else {
        proof.split_first().ok_or(BadProof::Length)?
    };
    let mut walk = Walk { at: earlier.saturating_sub(1), last: size.saturating_sub(1) };
    walk.skip_ones();
    let (mut old, mut new) = (*first, *first);
    for sibling in rest {
        match walk.side()? {
            Side::Left => {
                old = node_hash(sibling, &old);
                new = node_hash(sibling, &new);
            }
            Side::Right => new = node_hash(&new, sibling),
        }
        walk.up();
    }
    walk.at_root()?;
    if old == *earlier_root && new == *root { Ok(()) } else { Err(BadProof::Root) }
}

/// On which side of the path the next hash of a proof stands.
enum Side {
    Left,
    Right,
}

/// The way from a leaf to the root: the node's position and that of the last node of its level.
struct Walk {
    at: u64,
    last: u64,
}

impl Walk {
    fn side(&mut self) -> Result<Side, BadProof> {
        if self.last == 0 {
            return Err(BadProof::Length);
        }
        if self.at & 1 == 1 {
            return Ok(Side::Left);
        }
        if self.at != self.last {
            return Ok(Side::Right);
        }
        // The last node of a level without a partner is carried up until it has one.
        while self.at & 1 == 0 && self.at != 0 {
            self.up();
        }
        Ok(Side::Left)
    }

    const fn up(&mut self) {
        self.at >>= 1;
        self.last >>= 1;
    }

    const fn skip_ones(&mut self) {
        while self.at & 1 == 1 {
            self.up();
        }
    }

    const fn at_root(&self) -> Result<(), BadProof> {
        if self.last == 0 { Ok(()) } else { Err(BadProof::Length) }
    }
}
