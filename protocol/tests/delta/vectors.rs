//! Committed containers: what was once given out is readable for ever, whatever the encoder learns.

use crate::images::{applied, image};
use patchward_protocol::delta::apply::head;
use patchward_protocol::delta::format::FrameKind;
use patchward_protocol::delta::format::{ENTRY_BYTES, Frame, entry_offset};
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
    table_sha256: "dadeb71e945c4a9a02217172b4e95aa410b7bbdf4b88915031a8e546831ed4a2",
    kinds: &[FrameKind::Raw, FrameKind::Zero, FrameKind::Raw, FrameKind::Raw, FrameKind::Raw],
};
const DELTA: Vector = Vector {
    file: include_bytes!("vectors/delta.pwd"),
    table_sha256: "91a51fd60b89e41e431b736cd2e25a87d0522cfa03dd6a468b6bcbf17bdbbabc",
    kinds: &[FrameKind::Copy, FrameKind::Zero, FrameKind::Diff8, FrameKind::Diff32, FrameKind::Raw],
};
const BSDIFF: Vector = Vector {
    file: include_bytes!("vectors/bsdiff.pwd"),
    table_sha256: "bea5e39a8d65fb4c91680c5cbdf19531036de3e0cc5df28a400a4a20615b06ad",
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
    let header = head(&mut Cursor::new(file), None).unwrap().header;
    let entry = |index| {
        let start = usize::try_from(entry_offset(index)).unwrap();
        file[start..].first_chunk::<ENTRY_BYTES>().unwrap()
    };
    (0..header.frames).map(|n| Frame::read(entry(n), n, &header).unwrap().kind).collect()
}

#[track_caller]
fn check(vector: &Vector, old: &[u8], new: &[u8]) {
    let signed: Sha256Digest = vector.table_sha256.parse().unwrap();
    assert_eq!(kinds(vector.file), vector.kinds);
    assert!(applied(vector.file, Some(signed), old).unwrap() == new);
}

#[test]
fn a_full_container_of_version_1_is_readable() {
    check(&FULL, &[], &new());
}

#[test]
fn a_delta_of_version_1_is_readable() {
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
