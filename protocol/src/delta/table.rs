//! The table as it stands in the file: one entry after the other, each as short as it can be.
//!
//! What can be told from the header, from the entries before, or from a table that was signed offline is
//! not said again: lengths of windows, places of payloads, and, in deltas, digests of what comes out. An
//! entry is its kind; the length of its payload; the length of the list of streams; where it reads the
//! old image, relative to where the last copy read; the digest of its payload; in full containers the
//! digest of its window. What does not concern its kind is left out.
//! Invariant: every table has exactly one spelling that is read, and reading it takes constant memory.

use super::format::{
    BLOCK_BYTES, FormatError, Frame, FrameKind, HEADER_BYTES, Head, Header, NO_DIGEST,
};
use super::number::{self, VARINT_BYTES_MAX};
use crate::digest::{Sha256Digest, Sha256Hasher};

/// Longest entry, in bytes: its kind, two lengths, a place and a length of the old image, two digests.
pub(super) const ENTRY_BYTES_MAX: usize = 1 + 2 * 5 + 2 * VARINT_BYTES_MAX + 2 * 32;

/// What entries before say of the next one.
#[derive(Debug, Clone, Copy)]
struct Course {
    index: u32,
    payload_off: u64,
    /// How much further on in the old image than in the new one the last copy began, in bytes.
    shift: i64,
}

/// Why there is no entry.
enum Lack {
    /// Its end has not come yet.
    CutShort,
    /// It breaks a rule.
    Broken(FormatError),
}

impl From<FormatError> for Lack {
    fn from(error: FormatError) -> Self {
        Self::Broken(error)
    }
}

impl Course {
    fn begin() -> Self {
        Self { index: 0, payload_off: number::wide(HEADER_BYTES), shift: 0 }
    }

    /// Where the window would stand in the old image.
    fn expected(&self, header: &Header) -> u64 {
        let place = header.window_at(self.index).unwrap_or_default().start;
        place.saturating_add_signed(self.shift)
    }

    /// What follows an entry.
    fn after(&mut self, frame: &Frame, header: &Header) {
        self.payload_off = self.payload_off.saturating_add(u64::from(frame.comp_len));
        if frame.kind == FrameKind::Copy {
            let place = header.window_at(self.index).unwrap_or_default().start;
            self.shift = frame.old_off.cast_signed().saturating_sub(place.cast_signed());
        }
        self.index = self.index.saturating_add(1);
    }

    /// Takes the next entry from the front of `bytes`, which moves on by what it took.
    fn take(&self, header: &Header, bytes: &mut &[u8]) -> Result<Frame, Lack> {
        let index = self.index;
        let bad = |rule| FormatError::Entry { index, rule };
        let number = |bytes: &mut &[u8]| match number::take(bytes) {
            Some(number) => Ok(number),
            None if number::is_cut_short(bytes) => Err(Lack::CutShort),
            None => Err(bad("a number").into()),
        };
        let length = |bytes: &mut &[u8]| -> Result<u32, Lack> {
            Ok(u32::try_from(number(bytes)?).map_err(|_| bad("a length"))?)
        };
        let [kind] = chunk(bytes)?;
        let kind = FrameKind::from_byte(kind).ok_or(bad("a kind that is not known here"))?;
        let comp_len = if kind.has_payload() { length(bytes)? } else { 0 };
        let stream_lens_len = if kind.has_list() { length(bytes)? } else { 0 };
        let (mut old_off, mut blocks) = (0, 0..0);
        if kind.reads_old() {
            let (expected, jump) = (self.expected(header), number::unfold(number(bytes)?));
            let nowhere = || bad("it reads the old image from nowhere");
            if kind == FrameKind::Copy {
                old_off = expected.checked_add_signed(jump).ok_or_else(nowhere)?;
                let end = old_off.saturating_add(u64::from(self.raw_len(header)));
                blocks = old_off / BLOCK_BYTES..end.div_ceil(BLOCK_BYTES);
            } else {
                let first = (expected / BLOCK_BYTES).checked_add_signed(jump);
                let first = first.ok_or_else(nowhere)?;
                blocks = first..first.saturating_add(number(bytes)?);
            }
        }
        if blocks.end > u64::from(u32::MAX) {
            return Err(bad("beyond the old image").into());
        }
        let digest = |bytes: &mut &[u8]| chunk(bytes).map(Sha256Digest::from_bytes);
        let payload_sha256 = if kind.has_payload() { digest(bytes)? } else { NO_DIGEST };
        let output_sha256 = if header.old.is_none() { Some(digest(bytes)?) } else { None };
        let frame = Frame {
            kind,
            raw_len: self.raw_len(header),
            comp_len,
            stream_lens_len,
            payload_off: if kind.has_payload() { self.payload_off } else { 0 },
            old_off,
            payload_sha256,
            output_sha256,
            old_range: blocks.start.saturating_mul(BLOCK_BYTES)
                ..blocks.end.saturating_mul(BLOCK_BYTES),
        };
        // Every rule of an entry stands in one place.
        Ok(Frame::read(&frame.write(), index, header)?)
    }

    fn raw_len(&self, header: &Header) -> u32 {
        let place = header.window_at(self.index).unwrap_or_default();
        u32::try_from(place.end.saturating_sub(place.start)).unwrap_or(u32::MAX)
    }
}

/// The entries of a table in their one spelling.
#[cfg(feature = "delta-build")]
#[must_use]
pub fn spell(header: &Header, frames: &[Frame]) -> Vec<u8> {
    let mut course = Course::begin();
    let mut out = Vec::new();
    for frame in frames {
        out.push(frame.kind.to_byte());
        if frame.kind.has_payload() {
            number::put(&mut out, u64::from(frame.comp_len));
        }
        if frame.kind.has_list() {
            number::put(&mut out, u64::from(frame.stream_lens_len));
        }
        let expected = course.expected(header);
        let jump = |to: u64, from: u64| number::fold(to.wrapping_sub(from).cast_signed());
        if frame.kind == FrameKind::Copy {
            number::put(&mut out, jump(frame.old_off, expected));
        } else if frame.kind.reads_old() {
            let first = frame.old_range.start / BLOCK_BYTES;
            let end = frame.old_range.end.div_ceil(BLOCK_BYTES);
            number::put(&mut out, jump(first, expected / BLOCK_BYTES));
            number::put(&mut out, end.saturating_sub(first));
        }
        if frame.kind.has_payload() {
            out.extend_from_slice(frame.payload_sha256.as_bytes());
        }
        if let Some(output) = frame.output_sha256 {
            out.extend_from_slice(output.as_bytes());
        }
        course.after(frame, header);
    }
    out
}

/// Takes a head piece by piece, in order and in constant memory, and checks all of it.
#[derive(Debug, Clone)]
pub struct HeadReader {
    header: Header,
    head: Sha256Hasher,
    entries: Sha256Hasher,
    course: Course,
    /// An entry that is not whole yet.
    part: Vec<u8>,
    taken_bytes: u32,
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
        Ok(Self {
            header,
            head,
            entries: Sha256Hasher::new(),
            course: Course::begin(),
            part: Vec::with_capacity(ENTRY_BYTES_MAX),
            taken_bytes: 0,
            comp_len_max: 0,
        })
    }

    /// The header; not believed before [`HeadReader::finish`].
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Bytes of the table that are still missing.
    #[must_use]
    pub const fn missing_bytes(&self) -> u32 {
        self.header.table_len.saturating_sub(self.taken_bytes)
    }

    /// Digest of header and table so far; of the whole head after the last byte of the table.
    ///
    /// For whoever has no signed digest, or signs it.
    #[must_use]
    pub fn sha256(&self) -> Sha256Digest {
        self.head.clone().finish()
    }

    /// Takes bytes of the table up to the end of the next entry; `bytes` moves on by what it took.
    /// None when all were taken and the entry is not whole yet, or the table is.
    ///
    /// # Errors
    /// [`FormatError`]; an entry breaks a rule, or there are more bytes than the table has.
    pub fn take(&mut self, bytes: &mut &[u8]) -> Result<Option<Frame>, FormatError> {
        let left = number::narrow(u64::from(self.missing_bytes()));
        if self.course.index >= self.header.frames {
            let more = !bytes.is_empty() || left > 0;
            return if more {
                Err(FormatError::Table("more bytes than windows"))
            } else {
                Ok(None)
            };
        }
        let ours = bytes.get(..left).unwrap_or(bytes);
        let known = self.part.len();
        // An entry has few bytes: what of it came before is put in front of what may belong to it.
        let lacks = ENTRY_BYTES_MAX.saturating_sub(known);
        self.part.extend_from_slice(ours.get(..lacks).unwrap_or(ours));
        let mut rest = self.part.as_slice();
        let frame = match self.course.take(&self.header, &mut rest) {
            Ok(frame) => Some(frame),
            Err(Lack::CutShort) => None,
            Err(Lack::Broken(error)) => return Err(error),
        };
        let whole = if frame.is_some() { rest.len() } else { 0 };
        let spelled = self.part.len().saturating_sub(whole);
        let used = spelled.saturating_sub(known);
        *bytes = bytes.get(used..).unwrap_or_default();
        self.taken_bytes = self.taken_bytes.saturating_add(u32::try_from(used).unwrap_or(u32::MAX));
        if let Some(frame) = &frame {
            let entry = self.part.get(..spelled).unwrap_or_default();
            self.head.update(entry);
            self.entries.update(entry);
            self.part.clear();
            self.course.after(frame, &self.header);
            self.comp_len_max = self.comp_len_max.max(frame.comp_len);
        } else if self.missing_bytes() == 0 {
            return Err(FormatError::Table("fewer entries than windows"));
        }
        Ok(frame)
    }

    /// Ends after the last entry, and compares with what was signed.
    ///
    /// # Errors
    /// [`FormatError`].
    pub fn finish(self, signed: Sha256Digest) -> Result<Head, FormatError> {
        let Self { header, head, entries, course, taken_bytes, comp_len_max, .. } = self;
        let sha256 = head.finish();
        if sha256 != signed {
            return Err(FormatError::Digest);
        }
        let must = |holds: bool, rule| if holds { Ok(()) } else { Err(FormatError::Table(rule)) };
        must(course.index == header.frames, "fewer entries than windows")?;
        must(taken_bytes == header.table_len, "its length is not the declared one")?;
        must(entries.finish() == header.entries_sha256, "not the one that the header names")?;
        must(course.payload_off == header.table().start, "the payloads' lengths do not add up")?;
        must(
            comp_len_max == header.comp_len_max,
            "the longest payload is not as long as declared",
        )?;
        Ok(Head { header, sha256 })
    }
}

fn chunk<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Lack> {
    let (chunk, rest) = bytes.split_first_chunk::<N>().ok_or(Lack::CutShort)?;
    *bytes = rest;
    Ok(*chunk)
}

#[cfg(test)]
mod tests;
