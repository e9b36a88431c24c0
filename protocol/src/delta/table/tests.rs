//! Tables in their one spelling, and every way in which one is wrong.

use super::*;
use crate::delta::format::tests::{digest, frames, header};
use crate::delta::format::{ENTRY_BYTES, Whole};

/// A good header with a good table.
fn head_of(frames: &[Frame], header: Header) -> (Header, Vec<u8>) {
    let table = spell(&header, frames);
    (with(header, &table), table)
}

/// The header that names this table.
fn with(header: Header, table: &[u8]) -> Header {
    let table_len = u32::try_from(table.len()).unwrap();
    Header { table_len, entries_sha256: Sha256Digest::of(table), ..header }
}

fn good() -> (Header, Vec<u8>) {
    head_of(&frames(), header(&frames()))
}

/// Reads a head whose table comes in pieces of this length.
fn read_by(
    header: &[u8; HEADER_BYTES],
    table: &[u8],
    piece: usize,
) -> Result<(Head, Vec<Frame>), FormatError> {
    let mut reader = HeadReader::begin(header)?;
    let mut frames = Vec::new();
    for mut piece in table.chunks(piece) {
        while let Some(frame) = reader.take(&mut piece)? {
            frames.push(frame);
        }
        assert!(piece.is_empty());
    }
    let sha256 = reader.sha256();
    Ok((reader.finish(sha256)?, frames))
}

fn read(header: &Header, table: &[u8]) -> Result<(Head, Vec<Frame>), FormatError> {
    read_by(&header.write(), table, usize::MAX)
}

#[test]
fn a_head_is_read_as_it_was_written_whatever_the_pieces() {
    let (header, table) = good();
    assert_eq!(table.len(), (1 + 2) + (1 + 1 + 1 + 1 + 1 + 32) + (1 + 1 + 32));
    for piece in [1, 2, 7, 33, 500] {
        let (head, again) = read_by(&header.write(), &table, piece).unwrap();
        assert_eq!((head.header, again), (header, frames()), "pieces of {piece}");
        assert_eq!(head.sha256, Sha256Digest::of(&[&header.write()[..], &table].concat()));
    }
}

#[test]
fn a_full_container_names_what_comes_out() {
    let out = |frame: Frame| Frame { output_sha256: Some(digest("window")), ..frame };
    let raw = |n: u64| Frame {
        kind: FrameKind::Raw,
        raw_len: if n == 2 { 100 } else { 65_536 },
        comp_len: 70,
        payload_off: 192 + 70 * n,
        payload_sha256: digest("packed"),
        ..frames()[2].clone()
    };
    let zero = Frame {
        kind: FrameKind::Zero,
        comp_len: 0,
        payload_off: 0,
        payload_sha256: NO_DIGEST,
        ..raw(0)
    };
    let frames = [out(zero), out(raw(0)), out(Frame { payload_off: 192 + 70, ..raw(2) })];
    let (header, table) = head_of(&frames, Header { old: None, ..header(&frames) });
    assert_eq!(table.len(), (1 + 32) + 2 * (1 + 1 + 32 + 32));
    assert_eq!(read(&header, &table).unwrap().1, frames);
}

#[test]
fn what_goes_on_where_the_last_copy_stood_costs_two_bytes() {
    let window = u64::from(header(&[]).window);
    let copy = |n: u64| {
        let old_off = window * n + 7_654_321;
        let blocks = old_off / BLOCK_BYTES..(old_off + window).div_ceil(BLOCK_BYTES);
        Frame {
            old_off,
            old_range: blocks.start * BLOCK_BYTES..blocks.end * BLOCK_BYTES,
            ..frames()[0].clone()
        }
    };
    let frames: Vec<Frame> = (0..50).map(copy).collect();
    let length = window * 50;
    let whole = |length| Whole { length, sha256: digest("image") };
    let known = Header { old: Some(whole(20_000_000)), new: whole(length), ..header(&frames) };
    let (header, table) = head_of(&frames, Header { frames: 50, ..known });
    assert_eq!(table.len(), 5 + 49 * 2);
    assert_eq!(read(&header, &table).unwrap().1, frames);
}

/// A good head with one part of the table replaced, whose digest was put right.
fn spliced(at: std::ops::Range<usize>, by: &[u8]) -> Result<(Head, Vec<Frame>), FormatError> {
    let (header, mut table) = good();
    table.splice(at, by.iter().copied());
    read(&with(header, &table), &table)
}

fn refused(said: &Result<(Head, Vec<Frame>), FormatError>) -> bool {
    matches!(said, Err(FormatError::Entry { .. }))
}

#[test]
fn entries_with_unknown_parts_or_a_second_spelling_are_refused() {
    // Copy: kind, jump. Difference: kind, payload, list, jump, blocks, digest.
    assert!(spliced(0..1, &[0]).is_ok());
    assert!(refused(&spliced(0..1, &[8])), "an unknown kind");
    assert!(refused(&spliced(0..1, &[255])), "an unknown kind");
    assert!(refused(&spliced(4..5, &[0])), "no payload");
    assert!(refused(&spliced(4..5, &[0xb2, 0])), "a second spelling");
    assert!(refused(&spliced(4..5, &[0xff; 10])), "no number");
    assert!(refused(&spliced(4..5, &[0xf2, 0xff, 0xff, 0xff, 0x7f])), "a payload beyond all");
    assert!(refused(&spliced(5..6, &[0])), "no list");
    assert!(refused(&spliced(5..6, &[51])), "a list beyond its payload");
    assert!(refused(&spliced(7..8, &[0])), "nothing may be read");
    assert!(refused(&spliced(7..8, &[127])), "more may be read than there is");
}

#[test]
fn places_outside_the_old_image_are_refused() {
    // The copy begins at 5000; the difference is 16 blocks before where it would stand.
    assert!(spliced(1..3, &[0x90, 0x4e]).is_ok(), "5000, folded");
    assert!(refused(&spliced(1..3, &[1])), "before the beginning");
    assert!(refused(&spliced(1..3, &[&[0xff; 9][..], &[1]].concat())), "before the beginning");
    let far = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    assert!(refused(&spliced(1..3, &far)), "beyond all numbers");
    assert!(refused(&spliced(1..3, &[0xfe, 0xff, 0x3f])), "beyond the end");
    let jump = good().1[6];
    assert!(spliced(6..7, &[jump]).is_ok());
    assert!(refused(&spliced(6..7, &[jump + 2])), "before the beginning");
    assert!(refused(&spliced(6..7, &far)), "beyond all numbers");
    assert!(refused(&spliced(7..8, &[0xff, 0xff, 0xff, 0xff, 0x7f])), "beyond all blocks");
    assert!(refused(&spliced(7..8, &[&[0xff; 9][..], &[1]].concat())), "beyond all numbers");
}

#[test]
fn a_table_of_another_length_is_refused() {
    let (header, table) = good();
    for length in 0..table.len() {
        let short = &table[..length];
        assert!(read(&header, short).is_err(), "{length}");
        assert!(read(&with(header, short), short).is_err(), "{length}, put right");
    }
    let long = [&table[..], &[0]].concat();
    let more = Err(FormatError::Table("more bytes than windows"));
    assert_eq!(read(&header, &long), more);
    assert_eq!(read(&with(header, &long), &long), more);
    let mut reader = HeadReader::begin(&with(header, &long).write()).unwrap();
    let mut whole = table.as_slice();
    for _ in 0..3 {
        assert!(reader.take(&mut whole).unwrap().is_some());
    }
    assert_eq!(reader.missing_bytes(), 1);
    assert_eq!(reader.finish(digest("")).map(drop), Err(FormatError::Digest));
}

#[test]
fn sums_that_the_table_does_not_keep_are_refused() {
    let (good, table) = good();
    for wrong in [
        Header { payload_len: 119, ..good },
        Header { payload_len: 121, ..good },
        Header { comp_len_max: 71, ..good },
        Header { entries_sha256: digest("another table"), ..good },
    ] {
        let said = read(&wrong, &table);
        assert!(matches!(said, Err(FormatError::Table(_))), "{said:?}");
    }
}

#[test]
fn a_head_that_nobody_signed_is_refused() {
    let (header, table) = good();
    let mut reader = HeadReader::begin(&header.write()).unwrap();
    let mut rest = table.as_slice();
    while reader.take(&mut rest).unwrap().is_some() {}
    assert_eq!(reader.finish(digest("another head")), Err(FormatError::Digest));
}

#[test]
fn every_one_bit_error_of_a_head_is_noticed() {
    let (header, table) = good();
    let (sha256, whole) = (read(&header, &table).unwrap().0.sha256, header.write());
    for bit in 0..(HEADER_BYTES + table.len()) * 8 {
        let mut head = [&whole[..], &table].concat();
        head[bit / 8] ^= 1 << (bit % 8);
        let (header, table) = head.split_first_chunk::<HEADER_BYTES>().unwrap();
        let said = read_by(header, table, usize::MAX);
        assert!(said.map_or(true, |(head, _)| head.sha256 != sha256), "bit {bit}");
    }
}

#[test]
fn what_a_device_keeps_of_an_entry_says_the_same() {
    let (header, table) = good();
    for (index, frame) in (0..).zip(read(&header, &table).unwrap().1) {
        let kept: [u8; ENTRY_BYTES] = frame.write();
        assert_eq!(Frame::read(&kept, index, &header), Ok(frame));
    }
}
