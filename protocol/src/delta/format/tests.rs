//! Every rule of the header and of an entry in the form that a device keeps, broken one at a time.

use super::*;

const WINDOW: u32 = DELTA_WINDOW_BYTES_MIN;

pub(in crate::delta) fn digest(of: &str) -> Sha256Digest {
    Sha256Digest::of(of.as_bytes())
}

/// A copy, a difference and a short packed window.
pub(in crate::delta) fn frames() -> Vec<Frame> {
    let frame = Frame {
        kind: FrameKind::Copy,
        raw_len: WINDOW,
        comp_len: 0,
        stream_lens_len: 0,
        payload_off: 0,
        old_off: 5000,
        payload_sha256: NO_DIGEST,
        output_sha256: None,
        old_range: 4096..73_728,
    };
    let diff = Frame {
        kind: FrameKind::Diff8,
        comp_len: 50,
        stream_lens_len: 12,
        payload_off: 192,
        old_off: 0,
        payload_sha256: digest("differences"),
        old_range: 0..4096,
        ..frame.clone()
    };
    let raw = Frame {
        kind: FrameKind::Raw,
        raw_len: 100,
        comp_len: 70,
        stream_lens_len: 0,
        payload_off: 192 + 50,
        payload_sha256: digest("packed"),
        old_range: 0..0,
        ..diff.clone()
    };
    vec![frame, diff, raw]
}

/// A header that fits these windows; its table is empty.
pub(in crate::delta) fn header(frames: &[Frame]) -> Header {
    Header {
        window: WINDOW,
        old: Some(Whole { length: 100_000, sha256: digest("old") }),
        new: Whole { length: u64::from(WINDOW) * 2 + 100, sha256: digest("new") },
        frames: 3,
        comp_len_max: frames.iter().map(|frame| frame.comp_len).max().unwrap_or(0),
        streams_len_max: 500,
        payload_len: frames.iter().map(|frame| u64::from(frame.comp_len)).sum(),
        table_len: 80,
        entries_sha256: digest("no table"),
    }
}

#[test]
fn header_and_entries_are_read_as_they_were_written() {
    let frames = frames();
    let header = header(&frames);
    assert_eq!(Header::read(&header.write()), Ok(header));
    for (index, frame) in (0..).zip(&frames) {
        assert_eq!(Frame::read(&frame.write(), index, &header).as_ref(), Ok(frame));
    }
    assert_eq!((header.table(), header.file_len()), (312..392, 192 + 120 + 80));
    assert_eq!(header.head_len(), 192 + 80);
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
    assert_eq!(header_with(8, &3_u32.to_le_bytes()), Err(FormatError::Version(3)));
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
        (20, 2_u32.to_le_bytes().to_vec(), "a table shorter than its windows"),
        (20, (3 * 95 + 1_u32).to_le_bytes().to_vec(), "a table longer than its windows"),
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
    assert!(refused(entry_with(0, |frame| frame.comp_len = 1)));
    assert!(refused(entry_with(0, |frame| frame.payload_sha256 = digest("a payload"))));
    assert!(refused(entry_with(0, |frame| frame.stream_lens_len = 1)));
    assert!(refused(entry_with(1, |frame| frame.comp_len = 0)));
    assert!(refused(entry_with(1, |frame| frame.payload_sha256 = NO_DIGEST)));
    assert!(refused(entry_with(1, |frame| frame.stream_lens_len = 0)));
    assert!(refused(entry_with(1, |frame| frame.old_off = 1)));
    assert!(refused(entry_with(1, |frame| frame.old_range = 0..0)));
    assert!(refused(entry_with(2, |frame| frame.stream_lens_len = 1)));
}

#[test]
fn a_full_container_names_what_comes_out_and_a_delta_does_not() {
    let out = Some(digest("a window"));
    assert!(refused(entry_with(2, |frame| frame.output_sha256 = out)));
    let full = Header { old: None, ..header(&frames()) };
    let named = Frame { output_sha256: out, ..frames()[2].clone() };
    assert_eq!(Frame::read(&named.write(), 2, &full), Ok(named));
    assert!(refused(Frame::read(&frames()[2].write(), 2, &full)));
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
    let named = Frame { output_sha256: Some(digest("a window")), ..frames()[1].clone() };
    assert!(refused(Frame::read(&named.write(), 1, &full)));
}

#[test]
fn reserved_bytes_and_unknown_numbers_of_an_entry_are_refused() {
    let header = header(&frames());
    for (at, byte) in [(0, 8), (0, 255), (1, 0), (1, 2), (2, 1), (3, 1)] {
        let mut entry = frames()[1].write();
        entry[at] = byte;
        assert!(refused(Frame::read(&entry, 1, &header)), "{at} {byte}");
    }
    let mut entry = frames()[2].write();
    entry[96] = 1;
    assert!(refused(Frame::read(&entry, 2, &header)), "a range that nothing reads");
    assert!(refused(Frame::read(&frames()[2].write(), 3, &header)), "one window too many");
}
