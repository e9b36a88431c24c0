//! Payloads that are made by hand, good ones and every broken one.

use super::*;
use crate::delta::format::Whole;
use std::ops::Range;

const WINDOW: u32 = 65_536;

fn old() -> Vec<u8> {
    (0..20_000_u32).map(|n| (n % 253).to_le_bytes()[0]).collect()
}

fn header(streams_len_max: u32) -> Header {
    let none = Sha256Digest::from_bytes([0; 32]);
    Header {
        window: WINDOW,
        old: Some(Whole { length: 20_000, sha256: Sha256Digest::of(&old()) }),
        new: Whole { length: 1_000_000, sha256: none },
        frames: 16,
        comp_len_max: 10_000,
        streams_len_max,
        payload_len: 0,
        table_len: 16,
        entries_sha256: none,
    }
}

fn frame(kind: FrameKind, range: Range<u64>, list: usize, payload: &[u8], out: &[u8]) -> Frame {
    Frame {
        kind,
        raw_len: u32::try_from(out.len()).unwrap(),
        comp_len: u32::try_from(payload.len()).unwrap(),
        stream_lens_len: u32::try_from(list).unwrap(),
        payload_off: 600,
        old_off: 0,
        payload_sha256: Sha256Digest::of(payload),
        output_sha256: Some(Sha256Digest::of(out)),
        old_range: range,
    }
}

/// A payload whose streams are stored as they are.
fn stored(streams: [&[u8]; 6]) -> (usize, Vec<u8>) {
    let mut list = Vec::new();
    for stream in streams {
        assert!(stream.len() < 128);
        list.push(u8::try_from(stream.len()).unwrap());
        if !stream.is_empty() {
            list.push(u8::try_from(stream.len()).unwrap());
        }
    }
    (list.len(), [list, streams.concat()].concat())
}

fn decoded(kind: FrameKind, streams: [&[u8]; 6], out: &[u8]) -> Result<Vec<u8>, FrameError> {
    let (list, payload) = stored(streams);
    let frame = frame(kind, 4096..8192, list, &payload, out);
    let mut decoder = Decoder::new(&header(200)).unwrap();
    decoder.window(&frame, &payload, &mut old().as_slice()).map(<[u8]>::to_vec)
}

fn malformed(said: &Result<Vec<u8>, FrameError>) -> bool {
    matches!(said, Err(FrameError::Malformed(_)))
}

/// Ten old bytes from 4100, corrected at the third and fourth, two new ones; ten from 4120.
const GOOD: [&[u8]; 6] = [&[10, 10], &[2, 0], &[8, 16], &[2, 2], &[1, 255], b"ab"];

fn good_window() -> Vec<u8> {
    let old = old();
    let mut out = old[4100..4110].to_vec();
    out[2] = out[2].wrapping_add(1);
    out[3] = out[3].wrapping_sub(1);
    out.extend(b"ab");
    out.extend(&old[4120..4130]);
    out
}

#[test]
fn matches_differences_and_new_bytes_make_a_window() {
    assert_eq!(decoded(FrameKind::Diff8, GOOD, &good_window()).unwrap(), good_window());
}

#[test]
fn words_are_added_with_their_carry_and_cut_at_the_end_of_a_match() {
    let old = old();
    let mut out = old[4096..4106].to_vec();
    let word = u32::from_le_bytes(out[2..6].try_into().unwrap()).wrapping_add(0x1_00ff);
    out[2..6].copy_from_slice(&word.to_le_bytes());
    out[9] = out[9].wrapping_add(7);
    let streams: [&[u8]; 6] = [&[10], &[0], &[0], &[2, 3], &[0xff, 0, 1, 0, 7], &[]];
    assert_eq!(decoded(FrameKind::Diff32, streams, &out).unwrap(), out);
}

/// Code of 40 bytes: calls at 0, 10, 20 and 30 of it, and what they look like when 10 and 30 moved, and
/// one byte at 37.
fn calls() -> (Vec<u8>, Vec<u8>) {
    let call = |n: u8| [0x90, 0xe8, n, 2, 0, 0, 0x55, 0x53, 0x51, 0x50];
    let before = [call(1), call(2), call(3), call(4)].concat();
    let mut after = [call(1), call(12), call(3), call(14)].concat();
    after[37] = 0x54;
    (before, after)
}

fn aimed(gaps: &[u8], values: &[u8], cut: usize) -> Result<Vec<u8>, FrameError> {
    let (before, after) = calls();
    let adds: &[u8] = if cut == 0 { &[40] } else { &[13, 27] };
    let (lits, seeks) = (vec![0; adds.len()], vec![0; adds.len()]);
    let (list, payload) = stored([adds, &lits, &seeks, gaps, values, &[]]);
    let of_40 = frame(FrameKind::AimedX86, 0..40, list, &payload, &after);
    let mut decoder = Decoder::new(&header(200)).unwrap();
    decoder.window(&of_40, &payload, &mut before.as_slice()).map(<[u8]>::to_vec)
}

#[test]
fn gaps_count_places_of_code_where_they_are_even_and_bytes_where_they_are_odd() {
    // One call is passed, then one; the byte stands one beyond the last word.
    let values = [10, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0];
    assert_eq!(aimed(&[2, 2, 3], &values, 0).unwrap(), calls().1);
    assert_eq!(aimed(&[2, 33, 3], &values, 0).unwrap(), calls().1);
    // The first match ends within the second call: that is none, and its word differs elsewhere.
    let values = [10, 10, 0, 0, 0, 1, 0, 0];
    assert_eq!(aimed(&[25, 2, 3], &values, 1).unwrap(), calls().1);
    for (gaps, values) in [
        (&[2, 2, 3, 8][..], &[10, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0][..]),
        (&[2, 2, 3], &[10, 0, 0, 0, 10, 0, 0, 0, 1, 0]),
        (&[2, 2, 3], &[10, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0]),
        (&[2, 2, 0x83, 0], &[10, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0]),
        (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], &[]),
        (&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], &[]),
    ] {
        assert!(malformed(&aimed(gaps, values, 0)), "{gaps:?} {values:?}");
    }
}

/// The good payload with one stream replaced.
fn with(index: usize, stream: &[u8]) -> Result<Vec<u8>, FrameError> {
    let mut streams = GOOD;
    streams[index] = stream;
    decoded(FrameKind::Diff8, streams, &good_window())
}

#[test]
fn streams_that_run_out_or_are_not_used_up_are_refused() {
    for (index, stream) in [
        (0, &[10][..]),
        (0, &[10, 10, 0]),
        (0, &[]),
        (1, &[2]),
        (1, &[2, 0, 0]),
        (2, &[8]),
        (2, &[8, 16, 0]),
        (3, &[2]),
        (3, &[2, 2, 100]),
        (3, &[2, 2, 10, 1]),
        (3, &[]),
        (4, &[1]),
        (4, &[1, 255, 0]),
        (5, b"a"),
        (5, b"abc"),
    ] {
        assert!(malformed(&with(index, stream)), "stream {index} {stream:?}");
    }
}

#[test]
fn numbers_with_a_second_spelling_are_refused() {
    for (index, stream) in
        [(0, &[0x8a, 0, 10][..]), (1, &[0x82, 0, 0]), (2, &[0x88, 0, 16]), (3, &[0x82, 0, 2])]
    {
        assert!(malformed(&with(index, stream)), "stream {index}");
    }
}

#[test]
fn steps_beyond_the_window_or_without_effect_are_refused() {
    assert!(malformed(&with(0, &[10, 11])), "one byte too many");
    assert!(malformed(&with(0, &[10, 9])), "one byte too few");
    assert!(malformed(&with(1, &[255, 1, 0])), "new bytes beyond the window");
    let idle: [&[u8]; 6] = [&[10, 0, 10], &[2, 0, 0], &[8, 16], &[2, 2], &[1, 255], b"ab"];
    assert!(malformed(&decoded(FrameKind::Diff8, idle, &good_window())), "an idle step");
    assert!(malformed(&with(3, &[2, 0])), "a difference of no bytes");
    assert!(malformed(&with(3, &[2, 9])), "differences beyond their match");
}

#[test]
fn reads_outside_the_permitted_range_are_refused() {
    assert!(malformed(&with(2, &[7, 16])), "before the range");
    assert!(malformed(&with(2, &[8, 0x80, 0x40])), "behind the range");
    let far = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 16];
    assert!(malformed(&with(2, &far)), "before the image");
    let far = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 16];
    assert!(malformed(&with(2, &far)), "beyond all numbers");
}

/// A payload with a list of its own.
fn listed(list: &[u8], packed: &[u8], streams_len_max: u32) -> Result<Vec<u8>, FrameError> {
    let payload = [list, packed].concat();
    let frame = frame(FrameKind::Diff8, 4096..8192, list.len(), &payload, &good_window());
    let mut decoder = Decoder::new(&header(streams_len_max)).unwrap();
    decoder.window(&frame, &payload, &mut old().as_slice()).map(<[u8]>::to_vec)
}

#[test]
fn lists_of_stream_lengths_have_one_reading() {
    let all = GOOD.concat();
    let good = [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2];
    assert!(listed(&good, &all, 12).is_ok());
    assert!(malformed(&listed(&good, &all, 11)), "longer than declared");
    assert!(listed(&[2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 12], &all, 12).is_ok(), "all together");
    assert!(malformed(&listed(&[2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0], &all, 12)), "no end");
    assert!(malformed(&listed(
        &[2, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2],
        &[&all[..], &[0]].concat(),
        12
    )));
    assert!(malformed(&listed(&good[..11], &all, 12)), "a list cut short");
    assert!(malformed(&listed(&[&good[..], &[0]].concat(), &all, 12)), "a list too long");
    assert!(malformed(&listed(&good, &all[..11], 12)), "streams cut short");
    assert!(malformed(&listed(&good, &[&all[..], &[0]].concat(), 12)), "something behind");
    let spelled = [0x82, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2];
    assert!(malformed(&listed(&spelled, &all, 12)), "a second spelling");
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    let huge = [&huge[..], &[1], &huge[..], &[1], &good[4..]].concat();
    assert!(malformed(&listed(&huge, &all, 12)), "lengths beyond memory");
}

fn bsdiff_window(steps: &[u8], range: Range<u64>, out: &[u8]) -> Result<Vec<u8>, FrameError> {
    let mut packed = vec![0; 1000];
    let length = zstd_safe::compress(packed.as_mut_slice(), steps, 3).unwrap();
    packed.truncate(length);
    let frame = frame(FrameKind::Bsdiff, range, 0, &packed, out);
    let mut decoder = Decoder::new(&header(200)).unwrap();
    decoder.window(&frame, &packed, &mut old().as_slice()).map(<[u8]>::to_vec)
}

fn step(add: u64, new: u64, jump: u64, bytes: &[u8]) -> Vec<u8> {
    [&add.to_le_bytes()[..], &new.to_le_bytes(), &jump.to_le_bytes(), bytes].concat()
}

#[test]
fn steps_of_bsdiff_make_a_window_and_no_broken_one_does() {
    let bytes = old();
    let out = [&bytes[..4], b"new", &bytes[100..105]].concat();
    let first = step(4, 3, 96, b"\0\0\0\0new");
    let second = step(5, 0, 1 << 63 | 105, &[0; 5]);
    let good = [&first[..], &second].concat();
    assert_eq!(bsdiff_window(&good, 0..20_000, &out).unwrap(), out);
    let range = || 0..20_000;
    assert!(malformed(&bsdiff_window(&good, 0..96, &out)), "behind the range");
    assert!(malformed(&bsdiff_window(&good[..good.len() - 1], range(), &out)), "cut short");
    assert!(malformed(&bsdiff_window(&first, range(), &out)), "half a window");
    let more = [&good[..], &step(1, 0, 0, &[0])].concat();
    assert!(malformed(&bsdiff_window(&more, range(), &out)), "more than a window");
    let jump = [&step(0, 0, 7, &[])[..], &step(0, 0, 1 << 63 | 7, &[]), &good].concat();
    assert!(bsdiff_window(&jump, range(), &out).is_ok(), "a step that only jumps");
    let before = [&step(4, 3, 1 << 63 | 5, b"\0\0\0\0new")[..], &second].concat();
    assert!(malformed(&bsdiff_window(&before, range(), &out)), "before the image");
    let far = [&step(4, 3, !(1 << 63), b"\0\0\0\0new")[..], &second].concat();
    assert!(malformed(&bsdiff_window(&far, range(), &out)), "beyond all numbers");
    let huge = step(u64::MAX, u64::MAX, 0, &[0; 12]);
    assert!(malformed(&bsdiff_window(&huge, range(), &out)), "without end");
    let long = vec![0; 201];
    assert!(malformed(&bsdiff_window(&long, range(), &out)), "longer than declared");
}

#[test]
fn a_changed_payload_is_never_unpacked_and_a_changed_old_image_is_noticed() {
    let (list, mut payload) = stored(GOOD);
    let frame = frame(FrameKind::Diff8, 4096..8192, list, &payload, &good_window());
    let mut decoder = Decoder::new(&header(200)).unwrap();
    let mut changed = old();
    changed[4105] ^= 1;
    let said = decoder.window(&frame, &payload, &mut changed.as_slice()).map(<[u8]>::len);
    assert!(matches!(said, Err(FrameError::Output)));
    let said = decoder.window(&frame, &payload, &mut [].as_slice()).map(<[u8]>::len);
    assert!(matches!(said, Err(FrameError::Old(_))));
    payload[3] ^= 1;
    let said = decoder.window(&frame, &payload, &mut old().as_slice()).map(<[u8]>::len);
    assert!(matches!(said, Err(FrameError::Payload)));
}

#[test]
fn a_window_of_a_delta_is_the_one_that_somebody_else_signed_or_none() {
    let (list, payload) = stored(GOOD);
    let of_full = frame(FrameKind::Diff8, 4096..8192, list, &payload, &good_window());
    let frame = Frame { output_sha256: None, ..of_full };
    let mut decoder = Decoder::new(&header(200)).unwrap();
    let (signed, other) = (Sha256Digest::of(&good_window()), Sha256Digest::of(b"other"));
    let said = decoder.signed_window(&frame, signed, &payload, &mut old().as_slice());
    assert_eq!(said.unwrap(), good_window());
    let said = decoder.signed_window(&frame, other, &payload, &mut old().as_slice());
    assert!(matches!(said.map(<[u8]>::len), Err(FrameError::Output)));
    let full = Frame { output_sha256: Some(signed), ..frame };
    let said = decoder.signed_window(&full, other, &payload, &mut old().as_slice());
    assert!(matches!(said.map(<[u8]>::len), Err(FrameError::Output)), "its own word is no proof");
}

#[test]
fn copies_and_zeros_take_no_payload() {
    let bytes = old();
    let mut frame = frame(FrameKind::Copy, 4096..8192, 0, &[], &bytes[5000..6000]);
    frame.old_off = 5000;
    let mut decoder = Decoder::new(&header(0)).unwrap();
    assert_eq!(decoder.window(&frame, &[], &mut old().as_slice()).unwrap(), &bytes[5000..6000]);
    let said = decoder.window(&frame, &[0], &mut old().as_slice()).map(<[u8]>::len);
    assert!(matches!(said, Err(FrameError::Payload)));
    let zeros = Frame {
        kind: FrameKind::Zero,
        output_sha256: Some(Sha256Digest::of(&[0; 1000])),
        old_range: 0..0,
        old_off: 0,
        ..frame
    };
    assert_eq!(decoder.window(&zeros, &[], &mut NoBase).unwrap(), [0; 1000]);
}

#[test]
fn memory_stays_within_what_the_header_declares() {
    for (window, streams) in [(65_536, 0), (1 << 20, 700_000), (4 << 20, 8 << 20)] {
        let mut header = header(streams);
        header.window = window;
        header.new.length = 1 << 33;
        let decoder = Decoder::new(&header).unwrap();
        let claimed = decoder.claimed_bytes() + u64::from(header.comp_len_max);
        assert!(claimed <= header.memory_bytes(), "{claimed} {}", header.memory_bytes());
    }
}
