//! Header and table of a container: strict reading, and the one way of writing.
//!
//! All numbers are little endian. Every field has one permitted reading; reserved bytes are zero.
//! Not here: payloads ([`super::stream`], [`super::apply`]).
//! Invariant: a [`Head`] has passed every rule that can be checked without a payload: windows follow
//! each other without gap, payloads follow each other without gap, sums fit, maxima hold.

use crate::digest::{Sha256Digest, Sha256Hasher};
use crate::limits::{
    DELTA_FRAMES_MAX, DELTA_WINDOW_BYTES_MAX, DELTA_WINDOW_BYTES_MIN, IMAGE_BYTES_MAX,
};
use std::ops::Range;

/// First bytes of a container.
pub const MAGIC: [u8; 8] = *b"PWDELTA1";
/// The one version of the layout.
pub const VERSION: u32 = 1;
/// Required features that this code knows, as a bit set: none yet.
pub const FEATURES_KNOWN: u32 = 0;
/// Length of the header.
pub const HEADER_BYTES: usize = 192;
/// Length of one entry of the table.
pub const ENTRY_BYTES: usize = 104;
/// Unit of the old range that an entry permits, in bytes.
pub const BLOCK_BYTES: u64 = 4096;
/// How much longer than its window a payload may be, in bytes.
pub const PAYLOAD_SPARE_BYTES: u32 = 1024;
/// How much longer than two windows all unpacked streams of a window together may be, in bytes.
pub const STREAMS_SPARE_BYTES: u32 = 64;

/// Why a head is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// It does not begin as one.
    #[error("it is no delta container")]
    Magic,
    /// A layout of another time.
    #[error("layout version {0} is not known here")]
    Version(u32),
    /// It needs something that this code does not know.
    #[error("it needs features {0:#x} that are not known here")]
    Feature(u32),
    /// A field of the header breaks a rule.
    #[error("header: {0}")]
    Header(&'static str),
    /// An entry of the table breaks a rule.
    #[error("window {index}: {rule}")]
    Entry {
        /// Which window, from 0.
        index: u32,
        /// The rule.
        rule: &'static str,
    },
    /// The table does not fit the header.
    #[error("table: {0}")]
    Table(&'static str),
    /// The head is not the signed one.
    #[error("header and table are not the signed ones")]
    Digest,
}

/// Length and digest of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    /// In bytes.
    pub length: u64,
    /// Of all its bytes.
    pub sha256: Sha256Digest,
}

/// The header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Length of every window but the last, in bytes; a power of two.
    pub window: u32,
    /// The image that is read; none in a full container.
    pub old: Option<Whole>,
    /// The image that comes out.
    pub new: Whole,
    /// Number of windows.
    pub frames: u32,
    /// Longest payload, in bytes.
    pub comp_len_max: u32,
    /// Most bytes of all unpacked streams of one window together.
    pub streams_len_max: u32,
    /// Length of all payloads together, in bytes.
    pub payload_len: u64,
    /// Digest of the table.
    pub entries_sha256: Sha256Digest,
}

/// How a window is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FrameKind {
    /// Bytes of the old image at one place.
    Copy,
    /// Zeros.
    Zero,
    /// Matches with the old image, differences byte by byte.
    Diff8,
    /// Matches with the old image, differences as 32-bit little-endian words.
    Diff32,
    /// The window itself, packed.
    Raw,
    /// Control, difference and extra bytes as the `bsdiff` crate writes them, packed.
    Bsdiff,
}

/// One entry of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// How the window is made.
    pub kind: FrameKind,
    /// Length of the window, in bytes.
    pub raw_len: u32,
    /// Length of its payload, in bytes.
    pub comp_len: u32,
    /// Length of the list of stream lengths at the payload's beginning, in bytes.
    pub stream_lens_len: u32,
    /// Where its payload begins, in bytes from the beginning of the file.
    pub payload_off: u64,
    /// Where a copy begins in the old image, in bytes; zero for other kinds.
    pub old_off: u64,
    /// Digest of the payload.
    pub payload_sha256: Sha256Digest,
    /// Digest of the window.
    pub output_sha256: Sha256Digest,
    /// The part of the old image that may be read, in bytes; empty for kinds that read nothing.
    pub old_range: Range<u64>,
}

/// A verified head that keeps nothing but the header and sums: entries are read again when needed.
///
/// Fed piece by piece ([`HeadReader`]), because the table of a large image is megabytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The header.
    pub header: Header,
    /// Digest of header and table.
    pub sha256: Sha256Digest,
}

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    /// [`FormatError`] with the first rule that is broken.
    pub fn read(bytes: &[u8; HEADER_BYTES]) -> Result<Self, FormatError> {
        let mut fields = Fields::of(bytes);
        if fields.take::<8>() != MAGIC {
            return Err(FormatError::Magic);
        }
        let version = fields.u32();
        if version != VERSION {
            return Err(FormatError::Version(version));
        }
        let unknown = fields.u32() & !FEATURES_KNOWN;
        if unknown != 0 {
            return Err(FormatError::Feature(unknown));
        }
        let window = fields.u32();
        let entry_size = fields.u32();
        let frames = fields.u32();
        let comp_len_max = fields.u32();
        let streams_len_max = fields.u32();
        let spare = fields.u32();
        let (old_len, new_len) = (fields.u64(), fields.u64());
        let (old_sha256, new_sha256) = (fields.digest(), fields.digest());
        let entries_sha256 = fields.digest();
        let payload_len = fields.u64();
        let reserved: [u8; 32] = fields.take();
        let must = |holds: bool, rule| if holds { Ok(()) } else { Err(FormatError::Header(rule)) };
        must(spare == 0 && reserved == [0; 32], "reserved bytes are not zero")?;
        must(usize::try_from(entry_size) == Ok(ENTRY_BYTES), "entries of another size")?;
        let windows = DELTA_WINDOW_BYTES_MIN..=DELTA_WINDOW_BYTES_MAX;
        must(
            windows.contains(&window) && window.is_power_of_two(),
            "the window is no power of two within the limits",
        )?;
        must((1..=IMAGE_BYTES_MAX).contains(&new_len), "the length of the new image")?;
        must(old_len <= IMAGE_BYTES_MAX, "the length of the old image")?;
        must((1..=DELTA_FRAMES_MAX).contains(&frames), "the number of windows")?;
        let needed = new_len.div_ceil(u64::from(window));
        must(needed == u64::from(frames), "the windows do not fit the new image")?;
        must(comp_len_max <= window.saturating_add(PAYLOAD_SPARE_BYTES), "payloads too long")?;
        let streams_max = window.saturating_mul(2).saturating_add(STREAMS_SPARE_BYTES);
        must(streams_len_max <= streams_max, "streams too long")?;
        let payload_max = u64::from(frames).saturating_mul(u64::from(comp_len_max));
        must(payload_len <= payload_max, "the payloads are longer than their maxima")?;
        let none = old_sha256 == Sha256Digest::from_bytes([0; 32]);
        must((old_len == 0) == none, "old image without length or digest")?;
        let old = (old_len > 0).then_some(Whole { length: old_len, sha256: old_sha256 });
        let new = Whole { length: new_len, sha256: new_sha256 };
        Ok(Self {
            window,
            old,
            new,
            frames,
            comp_len_max,
            streams_len_max,
            payload_len,
            entries_sha256,
        })
    }

    /// Writes it.
    #[must_use]
    pub fn write(&self) -> [u8; HEADER_BYTES] {
        let none = Whole { length: 0, sha256: Sha256Digest::from_bytes([0; 32]) };
        let old = self.old.unwrap_or(none);
        let mut out = Out::<HEADER_BYTES>::new();
        out.put(&MAGIC);
        for number in [
            VERSION,
            0,
            self.window,
            u32::try_from(ENTRY_BYTES).unwrap_or(0),
            self.frames,
            self.comp_len_max,
            self.streams_len_max,
            0,
        ] {
            out.put(&number.to_le_bytes());
        }
        out.put(&old.length.to_le_bytes());
        out.put(&self.new.length.to_le_bytes());
        out.put(old.sha256.as_bytes());
        out.put(self.new.sha256.as_bytes());
        out.put(self.entries_sha256.as_bytes());
        out.put(&self.payload_len.to_le_bytes());
        out.bytes
    }

    /// Length of header and table, in bytes; the first payload begins there.
    #[must_use]
    pub fn head_len(&self) -> u64 {
        entry_offset(self.frames)
    }

    /// Length of the whole file, in bytes.
    #[must_use]
    pub fn file_len(&self) -> u64 {
        self.head_len().saturating_add(self.payload_len)
    }

    /// Where a window stands in the new image, in bytes; none when there is no such window.
    #[must_use]
    pub fn window_at(&self, index: u32) -> Option<Range<u64>> {
        let start = u64::from(index).checked_mul(u64::from(self.window))?;
        let end = start.saturating_add(u64::from(self.window)).min(self.new.length);
        (start < end).then_some(start..end)
    }

    /// Most memory that decoding claims, in bytes: window, payload, streams, read-ahead, unpacker.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        let buffers = [self.window, self.comp_len_max, self.streams_len_max];
        let buffers: u64 = buffers.iter().map(|bytes| u64::from(*bytes)).sum();
        buffers.saturating_add(super::apply::FIXED_MEMORY_BYTES)
    }
}

/// Where the entry of a window stands in the file, in bytes.
#[must_use]
pub fn entry_offset(index: u32) -> u64 {
    let (header, entry) = (u64::try_from(HEADER_BYTES), u64::try_from(ENTRY_BYTES));
    let (header, entry) = (header.unwrap_or(0), entry.unwrap_or(0));
    header.saturating_add(u64::from(index).saturating_mul(entry))
}

impl FrameKind {
    /// Every kind, in the order of its number in the file.
    pub const ALL: [Self; 6] =
        [Self::Copy, Self::Zero, Self::Diff8, Self::Diff32, Self::Raw, Self::Bsdiff];

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }

    fn to_byte(self) -> u8 {
        let place = Self::ALL.iter().position(|kind| *kind == self);
        place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
    }

    /// Whether the old image is read.
    #[must_use]
    pub const fn reads_old(self) -> bool {
        match self {
            Self::Copy | Self::Diff8 | Self::Diff32 | Self::Bsdiff => true,
            Self::Zero | Self::Raw => false,
        }
    }

    /// Whether there is a payload.
    #[must_use]
    pub const fn has_payload(self) -> bool {
        match self {
            Self::Copy | Self::Zero => false,
            Self::Diff8 | Self::Diff32 | Self::Raw | Self::Bsdiff => true,
        }
    }

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Zero => "zero",
            Self::Diff8 => "diff8",
            Self::Diff32 => "diff32",
            Self::Raw => "raw",
            Self::Bsdiff => "bsdiff",
        }
    }
}

impl Frame {
    /// Reads the entry of window `index`, with every rule that concerns it alone.
    ///
    /// # Errors
    /// [`FormatError::Entry`].
    pub fn read(
        bytes: &[u8; ENTRY_BYTES],
        index: u32,
        header: &Header,
    ) -> Result<Self, FormatError> {
        let must = |holds: bool, rule| {
            if holds { Ok(()) } else { Err(FormatError::Entry { index, rule }) }
        };
        let mut fields = Fields::of(bytes);
        let [kind, codec, spare_a, spare_b] = fields.take::<4>();
        let (raw_len, comp_len, stream_lens_len) = (fields.u32(), fields.u32(), fields.u32());
        let (payload_off, old_off) = (fields.u64(), fields.u64());
        let (payload_sha256, output_sha256) = (fields.digest(), fields.digest());
        let (block, blocks) = (u64::from(fields.u32()), u64::from(fields.u32()));
        let kind = FrameKind::from_byte(kind)
            .ok_or(FormatError::Entry { index, rule: "a kind that is not known here" })?;
        must(spare_a == 0 && spare_b == 0, "reserved bytes are not zero")?;
        must(codec == u8::from(kind.has_payload()), "a codec that is not known here")?;
        let place = header
            .window_at(index)
            .ok_or(FormatError::Entry { index, rule: "beyond the new image" })?;
        must(place.end.saturating_sub(place.start) == u64::from(raw_len), "its length")?;
        must(comp_len <= header.comp_len_max, "its payload is longer than the header says")?;
        must(
            comp_len <= raw_len.saturating_add(PAYLOAD_SPARE_BYTES),
            "its payload is longer than its window permits",
        )?;
        must((comp_len > 0) == kind.has_payload(), "payload and kind disagree")?;
        let has_lens = matches!(kind, FrameKind::Diff8 | FrameKind::Diff32);
        must((stream_lens_len > 0) == has_lens, "stream lengths and kind disagree")?;
        must(stream_lens_len <= comp_len, "stream lengths beyond the payload")?;
        let none = payload_sha256 == Sha256Digest::from_bytes([0; 32]);
        must(none != kind.has_payload(), "payload digest and kind disagree")?;
        must(kind == FrameKind::Copy || old_off == 0, "an old place without a copy")?;
        let old_len = header.old.map_or(0, |old| old.length);
        must(old_len > 0 || !kind.reads_old(), "a full image reads an old one")?;
        must((blocks > 0) == kind.reads_old(), "old range and kind disagree")?;
        must(blocks > 0 || block == 0, "an old range without length")?;
        let start = block.saturating_mul(BLOCK_BYTES);
        let end = block.saturating_add(blocks).saturating_mul(BLOCK_BYTES);
        must(blocks == 0 || end.saturating_sub(BLOCK_BYTES) < old_len, "beyond the old image")?;
        let old_range = start..end.min(old_len).max(start);
        if kind == FrameKind::Copy {
            let copied_to = old_off.checked_add(u64::from(raw_len));
            let within = old_off >= old_range.start && copied_to <= Some(old_range.end);
            must(within && copied_to.is_some(), "a copy beyond its old range")?;
        }
        Ok(Self {
            kind,
            raw_len,
            comp_len,
            stream_lens_len,
            payload_off,
            old_off,
            payload_sha256,
            output_sha256,
            old_range,
        })
    }

    /// Writes it.
    #[must_use]
    pub fn write(&self) -> [u8; ENTRY_BYTES] {
        let block = self.old_range.start / BLOCK_BYTES;
        let blocks = self.old_range.end.div_ceil(BLOCK_BYTES).saturating_sub(block);
        let reads = self.kind.reads_old();
        let number = |blocks: u64| u32::try_from(blocks).unwrap_or(u32::MAX);
        let (block, blocks) = if reads { (number(block), number(blocks)) } else { (0, 0) };
        let mut out = Out::<ENTRY_BYTES>::new();
        out.put(&[self.kind.to_byte(), u8::from(self.kind.has_payload()), 0, 0]);
        out.put(&self.raw_len.to_le_bytes());
        out.put(&self.comp_len.to_le_bytes());
        out.put(&self.stream_lens_len.to_le_bytes());
        out.put(&self.payload_off.to_le_bytes());
        out.put(&self.old_off.to_le_bytes());
        out.put(self.payload_sha256.as_bytes());
        out.put(self.output_sha256.as_bytes());
        out.put(&block.to_le_bytes());
        out.put(&blocks.to_le_bytes());
        out.bytes
    }

    /// Where its payload stands in the file, in bytes.
    #[must_use]
    pub fn payload(&self) -> Range<u64> {
        self.payload_off..self.payload_off.saturating_add(u64::from(self.comp_len))
    }
}

/// Takes a head piece by piece, in order and in constant memory, and checks all of it.
#[derive(Debug, Clone)]
pub struct HeadReader {
    header: Header,
    head: Sha256Hasher,
    entries: Sha256Hasher,
    next: u32,
    payload_off: u64,
    comp_len_max: u32,
}

impl HeadReader {
    /// Begins with the header.
    ///
    /// # Errors
    /// [`FormatError`].
    pub fn begin(bytes: &[u8; HEADER_BYTES]) -> Result<Self, FormatError> {
        let header = Header::read(bytes)?;
        let mut head = Sha256Hasher::new();
        head.update(bytes);
        let payload_off = header.head_len();
        let entries = Sha256Hasher::new();
        Ok(Self { header, head, entries, next: 0, payload_off, comp_len_max: 0 })
    }

    /// The header; not believed before [`HeadReader::finish`].
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Digest of header and entries so far; of the whole head after the last entry.
    ///
    /// For whoever has no signed digest, or signs it.
    #[must_use]
    pub fn sha256(&self) -> Sha256Digest {
        self.head.clone().finish()
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// [`FormatError`]; there are more entries than windows, or one breaks a rule.
    pub fn take(&mut self, bytes: &[u8; ENTRY_BYTES]) -> Result<Frame, FormatError> {
        let index = self.next;
        if index >= self.header.frames {
            return Err(FormatError::Table("more entries than windows"));
        }
        self.head.update(bytes);
        self.entries.update(bytes);
        let frame = Frame::read(bytes, index, &self.header)?;
        let expected = if frame.kind.has_payload() { self.payload_off } else { 0 };
        if frame.payload_off != expected {
            let rule = "its payload does not follow the one before";
            return Err(FormatError::Entry { index, rule });
        }
        self.payload_off = self.payload_off.saturating_add(u64::from(frame.comp_len));
        self.comp_len_max = self.comp_len_max.max(frame.comp_len);
        self.next = index.saturating_add(1);
        Ok(frame)
    }

    /// Ends after the last entry, and compares with what was signed.
    ///
    /// # Errors
    /// [`FormatError`].
    pub fn finish(self, signed: Sha256Digest) -> Result<Head, FormatError> {
        let Self { header, head, entries, next, payload_off, comp_len_max } = self;
        let sha256 = head.finish();
        if sha256 != signed {
            return Err(FormatError::Digest);
        }
        let must = |holds: bool, rule| if holds { Ok(()) } else { Err(FormatError::Table(rule)) };
        must(next == header.frames, "fewer entries than windows")?;
        must(entries.finish() == header.entries_sha256, "not the one that the header names")?;
        must(payload_off == header.file_len(), "the payloads' lengths do not add up")?;
        must(
            comp_len_max == header.comp_len_max,
            "the longest payload is not as long as declared",
        )?;
        Ok(Head { header, sha256 })
    }
}

/// Reads fields one after the other; what is beyond the end reads as zero, which lengths rule out.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    const fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((field, rest)) = self.rest.split_first_chunk::<N>() else { return [0; N] };
        self.rest = rest;
        *field
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    fn digest(&mut self) -> Sha256Digest {
        Sha256Digest::from_bytes(self.take())
    }
}

/// Writes fields one after the other; the rest stays zero.
struct Out<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Out<N> {
    const fn new() -> Self {
        Self { bytes: [0; N], at: 0 }
    }

    fn put(&mut self, field: &[u8]) {
        let end = self.at.saturating_add(field.len());
        if let Some(place) = self.bytes.get_mut(self.at..end) {
            place.copy_from_slice(field);
        }
        self.at = end;
    }
}

#[cfg(test)]
mod tests;
