//! Committed containers: what was once given out is readable for ever, whatever the encoder learns.

use crate::images::{applied, image};
use patchward_protocol::delta::apply::Entries;
use patchward_protocol::delta::format::FrameKind;
use patchward_protocol::digest::Sha256Digest;
use std::io::Cursor;

/// A container, the digest of its header and table, and the kinds of its windows.
struct Vector {
    file: &'static [u8],
    table_sha256: &'static str,
    kinds: &'static [FrameKind],
}

const FULL: Vector = Vector {
    file: include_bytes!("vectors/full.pwd"),
    table_sha256: "8c42a67c346fdaf0e68bce77cf30a902e9e5709530e9b1ed1ba37392f7ac4aa9",
    kinds: &[FrameKind::Raw, FrameKind::Zero, FrameKind::Raw, FrameKind::Raw, FrameKind::Raw],
};
const DELTA: Vector = Vector {
    file: include_bytes!("vectors/delta.pwd"),
    table_sha256: "db89979abf74c1c46509948551a78b2d36e917d2b928222f8f65d012c9de7f66",
    kinds: &[FrameKind::Copy, FrameKind::Zero, FrameKind::Diff8, FrameKind::Diff32, FrameKind::Raw],
};
const BSDIFF: Vector = Vector {
    file: include_bytes!("vectors/bsdiff.pwd"),
    table_sha256: "cb0968e5e071f38e88edf93368432c77648b5b6e513e4ef7c0d7c9f24d313c0e",
    kinds: &[FrameKind::Bsdiff],
};

fn old() -> Vec<u8> {
    image(11, 262_144)
}

/// Moved, zero, with scattered bytes changed, with words changed, and a new end.
fn new() -> Vec<u8> {
    let old = old();
    let mut new = old[4100..69_636].to_vec();
    new.extend([0; 65_536]);
    new.extend(&old[100_000..165_536]);
    new.extend(&old[165_536..231_072]);
    new.extend(image(12, 3000));
    for at in (131_080..196_000).step_by(4001) {
        new[at] ^= 0x21;
    }
    for at in (196_700..262_000).step_by(403) {
        let word = u32::from_le_bytes(new[at..at + 4].try_into().unwrap());
        new[at..at + 4].copy_from_slice(&word.wrapping_add(0x0123_4567).to_le_bytes());
    }
    new
}

fn kinds(file: &[u8]) -> Vec<FrameKind> {
    let mut file = Cursor::new(file);
    let mut entries = Entries::of(&mut file).unwrap();
    std::iter::from_fn(|| entries.next(&mut file).unwrap()).map(|frame| frame.kind).collect()
}

#[track_caller]
fn check(vector: &Vector, old: &[u8], new: &[u8]) {
    let signed: Sha256Digest = vector.table_sha256.parse().unwrap();
    assert_eq!(kinds(vector.file), vector.kinds);
    assert!(applied(vector.file, Some(signed), old).unwrap() == new);
}

#[test]
fn a_full_container_of_version_2_is_readable() {
    check(&FULL, &[], &new());
}

#[test]
fn a_delta_of_version_2_is_readable() {
    check(&DELTA, &old(), &new());
}

#[test]
fn a_window_of_the_crate_bsdiff_is_readable() {
    check(&BSDIFF, &old(), &new()[131_072..180_000]);
}

#[test]
fn the_images_behind_the_files_are_the_ones_of_then() {
    assert_eq!(
        Sha256Digest::of(&old()).to_string(),
        "b07a674237aee91a7994e415713204a1fab2b774118976b4ecc21c237d484f73"
    );
    assert_eq!(
        Sha256Digest::of(&new()).to_string(),
        "00ca404e918c63671f9c73be5fb70e966b26e7504030f0a6c0a9b605d3dbf8a6"
    );
}
