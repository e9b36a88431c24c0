//! The header of a container, what its table says of each window, and the rules of both.
//!
//! All numbers are little endian. Every field has one permitted reading; reserved bytes are zero.
//! How entries stand in the file is [`super::table`]'s; [`Frame::write`] is the form of equal length in
//! which a device keeps them. Not here: payloads ([`super::stream`], [`super::apply`]).
//! Invariant: a [`Head`] has passed every rule that can be checked without a payload: windows follow
//! each other without gap, payloads follow each other without gap, sums fit, maxima hold.

pub use super::table::HeadReader;
#[cfg(feature = "delta-build")]
pub use super::table::spell;

use super::number::wide;
use super::table::ENTRY_BYTES_MAX;
use crate::digest::Sha256Digest;
use crate::limits::{
    DELTA_FRAMES_MAX, DELTA_WINDOW_BYTES_MAX, DELTA_WINDOW_BYTES_MIN, IMAGE_BYTES_MAX,
};
use std::ops::Range;

/// First bytes of a container.
pub const MAGIC: [u8; 8] = *b"PWDELTA1";
/// The one version of the layout. Version 1 was never given out: its table stood before the payloads and
/// had entries of equal length.
pub const VERSION: u32 = 2;
/// Required features that this code knows, as a bit set: none yet.
pub const FEATURES_KNOWN: u32 = 0;
/// Length of the header.
pub const HEADER_BYTES: usize = 192;
/// Length of an entry in the form in which a device keeps it.
pub const ENTRY_BYTES: usize = 104;
/// Where there is no digest.
pub(super) const NO_DIGEST: Sha256Digest = Sha256Digest::from_bytes([0; 32]);
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
    /// Length of the table, in bytes.
    pub table_len: u32,
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
    /// As [`FrameKind::Diff32`], counted in places where code for x86-64 keeps addresses.
    AimedX86,
    /// As [`FrameKind::Diff32`], counted in places where code for 64-bit Arm keeps addresses.
    AimedArm,
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
    /// Digest of the window; in full containers only. A delta does not say what comes out: that is
    /// what the full container's offline-signed table says.
    pub output_sha256: Option<Sha256Digest>,
    /// The part of the old image that may be read, in bytes; empty for kinds that read nothing.
    pub old_range: Range<u64>,
}

/// A head that was checked, whole. Entries are read again when needed: the table of a large image is
/// megabytes.
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
        let table_len = fields.u32();
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
        let table_max = u64::from(frames).saturating_mul(wide(ENTRY_BYTES_MAX));
        must(
            (u64::from(frames)..=table_max).contains(&u64::from(table_len)),
            "the table does not fit the number of windows",
        )?;
        must(comp_len_max <= window.saturating_add(PAYLOAD_SPARE_BYTES), "payloads too long")?;
        let streams_max = window.saturating_mul(2).saturating_add(STREAMS_SPARE_BYTES);
        must(streams_len_max <= streams_max, "streams too long")?;
        let payload_max = u64::from(frames).saturating_mul(u64::from(comp_len_max));
        must(payload_len <= payload_max, "the payloads are longer than their maxima")?;
        let none = old_sha256 == NO_DIGEST;
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
            table_len,
            entries_sha256,
        })
    }

    /// Writes it.
    #[must_use]
    pub fn write(&self) -> [u8; HEADER_BYTES] {
        let none = Whole { length: 0, sha256: NO_DIGEST };
        let old = self.old.unwrap_or(none);
        let mut out = Out::<HEADER_BYTES>::new();
        out.put(&MAGIC);
        for number in [
            VERSION,
            0,
            self.window,
            self.table_len,
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

    /// Length of header and table, in bytes.
    #[must_use]
    pub fn head_len(&self) -> u64 {
        wide(HEADER_BYTES).saturating_add(u64::from(self.table_len))
    }

    /// Where the table stands in the file, in bytes: behind the payloads, which follow the header.
    #[must_use]
    pub fn table(&self) -> Range<u64> {
        let start = wide(HEADER_BYTES).saturating_add(self.payload_len);
        start..start.saturating_add(u64::from(self.table_len))
    }

    /// Length of the whole file, in bytes.
    #[must_use]
    pub fn file_len(&self) -> u64 {
        self.table().end
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

impl FrameKind {
    /// Every kind, in the order of its number in the file.
    pub const ALL: [Self; 8] = [
        Self::Copy,
        Self::Zero,
        Self::Diff8,
        Self::Diff32,
        Self::Raw,
        Self::Bsdiff,
        Self::AimedX86,
        Self::AimedArm,
    ];

    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }

    pub(super) fn to_byte(self) -> u8 {
        let place = Self::ALL.iter().position(|kind| *kind == self);
        place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
    }

    /// Whether the old image is read.
    #[must_use]
    pub const fn reads_old(self) -> bool {
        match self {
            Self::Copy
            | Self::Diff8
            | Self::Diff32
            | Self::Bsdiff
            | Self::AimedX86
            | Self::AimedArm => true,
            Self::Zero | Self::Raw => false,
        }
    }

    /// Whether there is a payload.
    #[must_use]
    pub const fn has_payload(self) -> bool {
        match self {
            Self::Copy | Self::Zero => false,
            Self::Diff8
            | Self::Diff32
            | Self::Raw
            | Self::Bsdiff
            | Self::AimedX86
            | Self::AimedArm => true,
        }
    }

    /// Whether its payload begins with a list of the lengths of its streams.
    pub(super) const fn has_list(self) -> bool {
        match self {
            Self::Diff8 | Self::Diff32 | Self::AimedX86 | Self::AimedArm => true,
            Self::Copy | Self::Zero | Self::Raw | Self::Bsdiff => false,
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
            Self::AimedX86 => "x86-64",
            Self::AimedArm => "arm64",
        }
    }
}

impl Frame {
    /// Reads the kept form of the entry of window `index`, with every rule that concerns it alone.
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
        let output_sha256 = Some(output_sha256).filter(|sha256| *sha256 != NO_DIGEST);
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
        must((stream_lens_len > 0) == kind.has_list(), "stream lengths and kind disagree")?;
        must(stream_lens_len <= comp_len, "stream lengths beyond the payload")?;
        let none = payload_sha256 == NO_DIGEST;
        must(none != kind.has_payload(), "payload digest and kind disagree")?;
        must(
            output_sha256.is_some() == header.old.is_none(),
            "full containers name what comes out, and deltas do not",
        )?;
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

    /// Writes it in the form in which it is kept.
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
        out.put(self.output_sha256.unwrap_or(NO_DIGEST).as_bytes());
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
pub(super) mod tests;
