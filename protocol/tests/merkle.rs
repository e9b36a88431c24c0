//! Laws of the record's tree, against the recursive definitions of RFC 6962 written down naively.
#![allow(
    clippy::unwrap_used,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may stop at the first surprise"
)]

use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::merkle::edge::Edge;
use patchward_protocol::merkle::memory::Tree;
use patchward_protocol::merkle::proof::{check_consistency, check_inclusion};
use patchward_protocol::merkle::tile::{Holds, Tile};
use patchward_protocol::merkle::{Node, leaf_hash, node_hash, proof, root};
use proptest::prelude::*;
use std::cell::Cell;

/// RFC 6962, 2.1: the largest power of two smaller than `count`.
fn split(count: usize) -> usize {
    let mut split = 1;
    while split * 2 < count {
        split *= 2;
    }
    split
}

/// RFC 6962, 2.1.
fn naive_root(leaves: &[Vec<u8>]) -> Sha256Digest {
    match leaves {
        [] => Sha256Digest::of(b""),
        [leaf] => leaf_hash(leaf),
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// RFC 6962, 2.1.1: PATH(m, D\[n\]).
fn naive_path(m: usize, leaves: &[Vec<u8>]) -> Vec<Sha256Digest> {
    if leaves.len() <= 1 {
        return vec![];
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut path, other) = if m < k {
        (naive_path(m, left), naive_root(right))
    } else {
        (naive_path(m - k, right), naive_root(left))
    };
    path.push(other);
    path
}

/// RFC 6962, 2.1.2: SUBPROOF(m, D\[n\], b).
fn naive_subproof(m: usize, leaves: &[Vec<u8>], whole: bool) -> Vec<Sha256Digest> {
    if m == leaves.len() {
        return if whole { vec![] } else { vec![naive_root(leaves)] };
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut proof, other) = if m <= k {
        (naive_subproof(m, left, whole), naive_root(right))
    } else {
        (naive_subproof(m - k, right, false), naive_root(left))
    };
    proof.push(other);
    proof
}

fn leaves(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| format!("leaf {n}").into_bytes()).collect()
}

fn tree(leaves: &[Vec<u8>]) -> Tree {
    Tree::of(leaves.iter().map(Vec::as_slice))
}

fn flipped(hash: Sha256Digest, bit: usize) -> Sha256Digest {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    Sha256Digest::from_bytes(bytes)
}

#[test]
fn every_root_and_proof_of_small_trees_is_that_of_the_definition() {
    for size in 0..=70 {
        let leaves = leaves(size);
        let tree = tree(&leaves);
        let whole = naive_root(&leaves);
        assert_eq!(tree.root(), whole, "{size}");
        for m in 0..size {
            let proof = tree.inclusion(m as u64).unwrap();
            assert_eq!(proof, naive_path(m, &leaves), "{m} of {size}");
            let leaf = leaf_hash(&leaves[m]);
            assert_eq!(check_inclusion(&leaf, m as u64, (size as u64, &whole), &proof), Ok(()));
        }
        for m in 1..=size {
            let proof = tree.consistency(m as u64).unwrap();
            assert_eq!(proof, naive_subproof(m, &leaves, true), "{m} to {size}");
            let earlier = naive_root(&leaves[..m]);
            let checked = check_consistency((m as u64, &earlier), (size as u64, &whole), &proof);
            assert_eq!(checked, Ok(()), "{m} to {size}");
        }
    }
}

proptest! {
    #[test]
    fn large_trees_agree_with_the_definition(size in 1_usize..1500, at in any::<prop::sample::Index>()) {
        let leaves = leaves(size);
        let tree = tree(&leaves);
        prop_assert_eq!(tree.root(), naive_root(&leaves));
        let m = at.index(size);
        prop_assert_eq!(tree.inclusion(m as u64).unwrap(), naive_path(m, &leaves));
        prop_assert_eq!(tree.consistency(m as u64 + 1).unwrap(), naive_subproof(m + 1, &leaves, true));
    }

    #[test]
    fn a_proof_with_any_bit_turned_is_refused(
        size in 2_usize..300,
        at in any::<prop::sample::Index>(),
        hash in any::<prop::sample::Index>(),
        bit in 0_usize..256,
    ) {
        let leaves = leaves(size);
        let tree = tree(&leaves);
        let (m, end) = (at.index(size), (size as u64, &tree.root()));
        let leaf = leaf_hash(&leaves[m]);
        let mut proof = tree.inclusion(m as u64).unwrap();
        let place = hash.index(proof.len());
        proof[place] = flipped(proof[place], bit);
        prop_assert!(check_inclusion(&leaf, m as u64, end, &proof).is_err());
        let mut proof = tree.consistency(m as u64 + 1).unwrap();
        let earlier = tree.root_at(m as u64 + 1).unwrap();
        if !proof.is_empty() {
            let place = hash.index(proof.len());
            proof[place] = flipped(proof[place], bit);
            prop_assert!(check_consistency((m as u64 + 1, &earlier), end, &proof).is_err());
        }
    }

    #[test]
    fn a_proof_for_another_place_leaf_length_or_root_is_refused(
        size in 2_usize..300,
        at in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(),
        bit in 0_usize..256,
    ) {
        let leaves = leaves(size);
        let tree = tree(&leaves);
        let root = tree.root();
        let (m, end) = (at.index(size), (size as u64, &root));
        let leaf = leaf_hash(&leaves[m]);
        let proof = tree.inclusion(m as u64).unwrap();
        let elsewhere = other.index(size);
        if elsewhere != m {
            prop_assert!(check_inclusion(&leaf, elsewhere as u64, end, &proof).is_err());
            let wrong = leaf_hash(&leaves[elsewhere]);
            prop_assert!(check_inclusion(&wrong, m as u64, end, &proof).is_err());
        }
        let short = &proof[..proof.len() - 1];
        prop_assert!(check_inclusion(&leaf, m as u64, end, short).is_err());
        let long: Vec<_> = proof.iter().copied().chain([root]).collect();
        prop_assert!(check_inclusion(&leaf, m as u64, end, &long).is_err());
        let bent = flipped(root, bit);
        prop_assert!(check_inclusion(&leaf, m as u64, (size as u64, &bent), &proof).is_err());
        prop_assert!(check_inclusion(&leaf, size as u64, end, &proof).is_err());
        let earlier = tree.root_at(m as u64 + 1).unwrap();
        let proof = tree.consistency(m as u64 + 1).unwrap();
        let long: Vec<_> = proof.iter().copied().chain([root]).collect();
        prop_assert!(check_consistency((m as u64 + 1, &earlier), end, &long).is_err());
        let bent = flipped(earlier, bit);
        prop_assert!(check_consistency((m as u64 + 1, &bent), end, &proof).is_err());
    }

    #[test]
    fn an_edge_goes_on_from_where_it_was_stored(size in 0_usize..600, stop in any::<prop::sample::Index>()) {
        let leaves = leaves(size);
        let stop = stop.index(size + 1);
        let mut edge = Edge::empty();
        for (n, leaf) in leaves.iter().enumerate() {
            if n == stop {
                edge = Edge::new(edge.size(), edge.roots().to_vec()).unwrap();
            }
            edge.append(leaf_hash(leaf));
        }
        prop_assert_eq!(edge.root(), naive_root(&leaves));
        let more: Vec<_> = edge.roots().iter().copied().chain([edge.root()]).collect();
        prop_assert_eq!(Edge::new(edge.size(), more), None);
    }

    #[test]
    fn every_node_is_read_from_its_tile_and_from_the_leaf_that_completed_it(size in 1_usize..2000) {
        let leaves = leaves(size);
        let tree = tree(&leaves);
        let mut rows: Vec<Vec<Sha256Digest>> = Vec::new();
        let mut edge = Edge::empty();
        for leaf in &leaves {
            rows.push(edge.append(leaf_hash(leaf)));
        }
        let tiles: std::collections::BTreeMap<_, _> = tree.hash_tiles().into_iter().collect();
        let mut read = |node: Node| {
            let hash = rows[node.completed_by().unwrap() as usize][node.level as usize];
            let tile = Tile::having(node, size as u64).unwrap();
            let hashes = tile.read_hashes(&tiles[&tile]).unwrap();
            assert_eq!(tile.hash_of(node, &hashes), Some(hash), "{node:?}");
            Ok::<_, ()>(hash)
        };
        prop_assert_eq!(root(size as u64, &mut read), Ok(naive_root(&leaves)));
        let middle = (size as u64).div_ceil(2);
        let proof = proof::consistency(middle, size as u64, &mut read).unwrap();
        prop_assert_eq!(proof, tree.consistency(middle).unwrap());
        for tile in tiles.keys() {
            let is_hashes = matches!(tile.holds(), Holds::Hashes { .. });
            prop_assert!(is_hashes && tile.is_within(size as u64));
        }
    }
}

#[test]
fn appending_touches_no_more_nodes_as_the_tree_grows() {
    // Of a thousand leaves, on average below two nodes each, however many are there already.
    for start in [0_u64, 1 << 10, (1 << 40) - 500, u64::MAX >> 2] {
        let roots = vec![Sha256Digest::of(b"stored"); start.count_ones() as usize];
        let mut edge = Edge::new(start, roots).unwrap();
        let mut nodes = 0;
        for n in 0..1000_u64 {
            nodes += edge.append(leaf_hash(&n.to_be_bytes())).len();
        }
        let once = 64;
        assert!(nodes <= 2 * 1000 + once, "{nodes} nodes from {start} on");
    }
}

#[test]
fn a_proof_reads_nodes_by_the_logarithm_of_the_size() {
    let size = 1_000_003;
    let read = Cell::new(0);
    let mut count = |_: Node| {
        read.set(read.get() + 1);
        Ok::<_, ()>(Sha256Digest::of(b""))
    };
    proof::inclusion(777_777, size, &mut count).unwrap();
    proof::consistency(777_777, size, &mut count).unwrap();
    assert!(read.get() <= 4 * 20 + 40, "{} nodes", read.get());
}

#[test]
fn an_empty_record_is_continued_by_every_other() {
    let tree = tree(&leaves(5));
    let (none, end) = (Sha256Digest::of(b""), (5, &tree.root()));
    assert_eq!(check_consistency((0, &none), end, &[]), Ok(()));
    assert!(check_consistency((0, &tree.root()), end, &[]).is_err());
    assert!(check_consistency((0, &none), end, &[none]).is_err());
    assert!(check_consistency((6, &none), end, &[]).is_err());
    assert!(tree.inclusion(5).is_err() && tree.consistency(6).is_err());
}
