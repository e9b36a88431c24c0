//! Every rule of header and table, broken one at a time.

use super::*;

const WINDOW: u32 = DELTA_WINDOW_BYTES_MIN;

fn digest(of: &str) -> Sha256Digest {
    Sha256Digest::of(of.as_bytes())
}

/// A copy, a difference and a short packed window.
fn frames() -> Vec<Frame> {
    let none = Sha256Digest::from_bytes([0; 32]);
    let frame = Frame {
        kind: FrameKind::Copy,
        raw_len: WINDOW,
        comp_len: 0,
        stream_lens_len: 0,
        payload_off: 0,
        old_off: 5000,
        payload_sha256: none,
        output_sha256: digest("copied"),
        old_range: 4096..73_728,
    };
    let head_len = entry_offset(3);
    let diff = Frame {
        kind: FrameKind::Diff8,
        comp_len: 50,
        stream_lens_len: 12,
        payload_off: head_len,
        old_off: 0,
        payload_sha256: digest("differences"),
        output_sha256: digest("corrected"),
        old_range: 0..4096,
        ..frame.clone()
    };
    let raw = Frame {
        kind: FrameKind::Raw,
        raw_len: 100,
        comp_len: 70,
        stream_lens_len: 0,
        payload_off: head_len + 50,
        payload_sha256: digest("packed"),
        output_sha256: digest("unpacked"),
        old_range: 0..0,
        ..diff.clone()
    };
    vec![frame, diff, raw]
}

fn header(frames: &[Frame]) -> Header {
    let mut entries = Sha256Hasher::new();
    frames.iter().for_each(|frame| entries.update(&frame.write()));
    Header {
        window: WINDOW,
        old: Some(Whole { length: 100_000, sha256: digest("old") }),
        new: Whole { length: u64::from(WINDOW) * 2 + 100, sha256: digest("new") },
        frames: 3,
        comp_len_max: frames.iter().map(|frame| frame.comp_len).max().unwrap_or(0),
        streams_len_max: 500,
        payload_len: frames.iter().map(|frame| u64::from(frame.comp_len)).sum(),
        entries_sha256: entries.finish(),
    }
}

fn read(header: &[u8; HEADER_BYTES], entries: &[[u8; ENTRY_BYTES]]) -> Result<Head, FormatError> {
    let mut reader = HeadReader::begin(header)?;
    for entry in entries {
        reader.take(entry)?;
    }
    let sha256 = reader.sha256();
    reader.finish(sha256)
}

fn written(frames: &[Frame]) -> Vec<[u8; ENTRY_BYTES]> {
    frames.iter().map(Frame::write).collect()
}

#[test]
fn a_head_is_read_as_it_was_written() {
    let frames = frames();
    let header = header(&frames);
    let head = read(&header.write(), &written(&frames)).unwrap();
    assert_eq!(head.header, header);
    for (index, frame) in (0..).zip(&frames) {
        assert_eq!(Frame::read(&frame.write(), index, &header).as_ref(), Ok(frame));
    }
    assert_eq!(header.file_len(), 192 + 3 * 104 + 120);
    let image = [(0, Some(0..65_536)), (2, Some(131_072..131_172)), (3, None)];
    for (index, place) in image {
        assert_eq!(header.window_at(index), place);
    }
}

/// Puts `bytes` at `at` of a good header and tells what the reader says.
fn header_with(at: usize, bytes: &[u8]) -> Result<Header, FormatError> {
    let mut written = header(&frames()).write();
    written[at..at + bytes.len()].copy_from_slice(bytes);
    Header::read(&written)
}

#[test]
fn another_beginning_version_or_feature_has_its_own_refusal() {
    assert_eq!(header_with(0, b"PWDELTA2"), Err(FormatError::Magic));
    assert_eq!(header_with(8, &2_u32.to_le_bytes()), Err(FormatError::Version(2)));
    for bit in 0..32 {
        let feature = 1_u32 << bit;
        let said = header_with(12, &feature.to_le_bytes());
        assert_eq!(said, Err(FormatError::Feature(feature)));
    }
}

#[test]
fn a_header_beyond_a_limit_is_refused() {
    let frames_too_many = DELTA_FRAMES_MAX + 1;
    let payload_too_long = 3 * 70_u64 + 1;
    for (at, bytes, why) in [
        (16, (WINDOW / 2).to_le_bytes().to_vec(), "a short window"),
        (16, (DELTA_WINDOW_BYTES_MAX * 2).to_le_bytes().to_vec(), "a long window"),
        (16, (WINDOW + 4096).to_le_bytes().to_vec(), "no power of two"),
        (20, 105_u32.to_le_bytes().to_vec(), "longer entries"),
        (24, 0_u32.to_le_bytes().to_vec(), "no window"),
        (24, 2_u32.to_le_bytes().to_vec(), "too few windows"),
        (24, 4_u32.to_le_bytes().to_vec(), "too many windows"),
        (24, frames_too_many.to_le_bytes().to_vec(), "windows without end"),
        (28, (WINDOW + 1025).to_le_bytes().to_vec(), "long payloads"),
        (32, (2 * WINDOW + 65).to_le_bytes().to_vec(), "long streams"),
        (36, 1_u32.to_le_bytes().to_vec(), "a reserved number"),
        (40, 0_u64.to_le_bytes().to_vec(), "an old image without length"),
        (40, (IMAGE_BYTES_MAX + 1).to_le_bytes().to_vec(), "a long old image"),
        (48, 0_u64.to_le_bytes().to_vec(), "an empty new image"),
        (48, (IMAGE_BYTES_MAX + 1).to_le_bytes().to_vec(), "a long new image"),
        (48, u64::MAX.to_le_bytes().to_vec(), "a new image without end"),
        (56, vec![0; 32], "an old image without digest"),
        (152, payload_too_long.to_le_bytes().to_vec(), "payloads beyond their maxima"),
        (160, vec![1], "reserved bytes"),
        (191, vec![1], "the last reserved byte"),
    ] {
        assert!(matches!(header_with(at, &bytes), Err(FormatError::Header(_))), "{why}");
    }
}

/// Changes one frame of a good table and tells what the reader of its entry says.
fn entry_with(index: usize, change: impl FnOnce(&mut Frame)) -> Result<Frame, FormatError> {
    let mut frames = frames();
    let header = header(&frames);
    change(&mut frames[index]);
    Frame::read(&frames[index].write(), u32::try_from(index).unwrap(), &header)
}

fn refused(said: Result<Frame, FormatError>) -> bool {
    matches!(said, Err(FormatError::Entry { .. }))
}

#[test]
fn an_entry_of_another_length_is_refused() {
    assert!(refused(entry_with(0, |frame| frame.raw_len = 0)));
    assert!(refused(entry_with(0, |frame| frame.raw_len = WINDOW + 1)));
    assert!(refused(entry_with(2, |frame| frame.raw_len = WINDOW)));
    assert!(refused(entry_with(2, |frame| frame.raw_len = 99)));
}

#[test]
fn a_payload_beyond_its_limits_is_refused() {
    let mut frames = frames();
    frames[2].comp_len = 100 + PAYLOAD_SPARE_BYTES + 1;
    let header = header(&frames);
    assert!(refused(Frame::read(&frames[2].write(), 2, &header)));
    frames[2].comp_len -= 1;
    assert!(Frame::read(&frames[2].write(), 2, &header).is_ok());
    assert!(refused(entry_with(1, |frame| frame.comp_len = 71)));
    assert!(refused(entry_with(1, |frame| frame.stream_lens_len = 51)));
}

#[test]
fn what_does_not_belong_to_the_kind_is_refused() {
    let none = Sha256Digest::from_bytes([0; 32]);
    assert!(refused(entry_with(0, |frame| frame.comp_len = 1)));
    assert!(refused(entry_with(0, |frame| frame.payload_sha256 = digest("a payload"))));
    assert!(refused(entry_with(0, |frame| frame.stream_lens_len = 1)));
    assert!(refused(entry_with(1, |frame| frame.comp_len = 0)));
    assert!(refused(entry_with(1, |frame| frame.payload_sha256 = none)));
    assert!(refused(entry_with(1, |frame| frame.stream_lens_len = 0)));
    assert!(refused(entry_with(1, |frame| frame.old_off = 1)));
    assert!(refused(entry_with(1, |frame| frame.old_range = 0..0)));
    assert!(refused(entry_with(2, |frame| frame.stream_lens_len = 1)));
}

#[test]
fn places_beyond_the_old_image_are_refused() {
    assert!(refused(entry_with(1, |frame| frame.old_range = 0..106_496)));
    assert!(refused(entry_with(1, |frame| frame.old_range = 102_400..106_496)));
    assert!(entry_with(1, |frame| frame.old_range = 0..102_400).is_ok());
    assert!(refused(entry_with(0, |frame| frame.old_off = 4095)));
    assert!(refused(entry_with(0, |frame| frame.old_off = 8193)));
    assert!(refused(entry_with(0, |frame| frame.old_off = u64::MAX)));
    let mut entry = frames()[1].write();
    entry[96..].copy_from_slice(&[0xff; 8]);
    assert!(refused(Frame::read(&entry, 1, &header(&frames()))));
    let full = Header { old: None, ..header(&frames()) };
    assert!(refused(Frame::read(&frames()[1].write(), 1, &full)));
}

#[test]
fn reserved_bytes_and_unknown_numbers_of_an_entry_are_refused() {
    let header = header(&frames());
    for (at, byte) in [(0, 6), (0, 255), (1, 0), (1, 2), (2, 1), (3, 1)] {
        let mut entry = frames()[1].write();
        entry[at] = byte;
        assert!(refused(Frame::read(&entry, 1, &header)), "{at} {byte}");
    }
    let mut entry = frames()[2].write();
    entry[96] = 1;
    assert!(refused(Frame::read(&entry, 2, &header)), "a range that nothing reads");
    assert!(refused(Frame::read(&frames()[2].write(), 3, &header)), "one window too many");
}

#[test]
fn payloads_follow_each_other_without_gap() {
    for (index, by) in [(1, 1), (2, -1), (2, 1)] {
        let mut frames = frames();
        frames[index].payload_off = frames[index].payload_off.checked_add_signed(by).unwrap();
        let said = read(&header(&frames).write(), &written(&frames));
        assert!(matches!(said, Err(FormatError::Entry { .. })), "{index} {by}");
    }
    let mut frames = frames();
    frames[0].payload_off = 504;
    let said = read(&header(&frames).write(), &written(&frames));
    assert!(matches!(said, Err(FormatError::Entry { index: 0, .. })));
}

#[test]
fn sums_that_the_table_does_not_keep_are_refused() {
    let frames = frames();
    let good = header(&frames);
    for wrong in [
        Header { payload_len: 119, ..good },
        Header { payload_len: 121, ..good },
        Header { comp_len_max: 71, ..good },
        Header { entries_sha256: digest("another table"), ..good },
    ] {
        let said = read(&wrong.write(), &written(&frames));
        assert!(matches!(said, Err(FormatError::Table(_))), "{said:?}");
    }
    let entries = written(&frames);
    let said = read(&good.write(), &entries[..2]);
    assert_eq!(said, Err(FormatError::Table("fewer entries than windows")));
    let said = read(&good.write(), &[entries, vec![[0; ENTRY_BYTES]]].concat());
    assert_eq!(said, Err(FormatError::Table("more entries than windows")));
}

#[test]
fn a_head_that_nobody_signed_is_refused() {
    let frames = frames();
    let mut reader = HeadReader::begin(&header(&frames).write()).unwrap();
    for entry in written(&frames) {
        reader.take(&entry).unwrap();
    }
    assert_eq!(reader.finish(digest("another head")), Err(FormatError::Digest));
}

#[test]
fn every_one_bit_error_of_a_head_is_noticed() {
    let frames = frames();
    let (header, entries) = (header(&frames).write(), written(&frames));
    let good = read(&header, &entries).unwrap();
    for bit in 0..(HEADER_BYTES + 3 * ENTRY_BYTES) * 8 {
        let mut head: Vec<u8> = header.to_vec();
        head.extend(entries.concat());
        head[bit / 8] ^= 1 << (bit % 8);
        let (header, table) = head.split_first_chunk::<HEADER_BYTES>().unwrap();
        let table = table.as_chunks::<ENTRY_BYTES>().0;
        let noticed = read(header, table).map_or(true, |head| head.sha256 != good.sha256);
        assert!(noticed, "bit {bit}");
    }
}
