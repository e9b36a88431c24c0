//! Containers read by the real decoder: for tests that must know which windows an old image spoils.
//!
//! Not for making any ([`crate::container`]).
//! Invariant: every rule of header and table was checked before a window is decoded.

use anyhow::{Context as _, Result};
use patchward_protocol::delta::apply::{Base, Decoder};
use patchward_protocol::delta::format::{ENTRY_BYTES, Frame, HEADER_BYTES, HeadReader, Header};
use patchward_protocol::digest::Sha256Digest;
use std::io;

/// A container whose head was checked.
#[derive(Debug)]
pub struct Unpacked<'a> {
    /// The header.
    pub header: Header,
    /// The table.
    pub frames: Vec<Frame>,
    file: &'a [u8],
}

/// An old image in memory.
struct Old<'a>(&'a [u8]);

impl Base for Old<'_> {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = self.0.get(start..start.saturating_add(into.len()));
        into.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl<'a> Unpacked<'a> {
    /// Reads header and table.
    ///
    /// # Errors
    /// When they break a rule.
    pub fn read(file: &'a [u8]) -> Result<Self> {
        let header = file.first_chunk::<HEADER_BYTES>().context("a header")?;
        let mut reader = HeadReader::begin(header)?;
        let head_len = usize::try_from(reader.header().head_len())?;
        let table = file.get(HEADER_BYTES..head_len).context("a table")?;
        let entries = table.chunks_exact(ENTRY_BYTES);
        let frames =
            entries.map(|entry| Ok(reader.take(entry.first_chunk().context("an entry")?)?));
        let frames = frames.collect::<Result<Vec<_>>>()?;
        let head = reader.finish(Sha256Digest::of(file.get(..head_len).unwrap_or_default()))?;
        Ok(Self { header: head.header, frames, file })
    }

    /// Every window that comes out of this old image; none where it does not.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn windows(&self, old: &[u8]) -> Result<Vec<Option<Vec<u8>>>> {
        let mut decoder = Decoder::new(&self.header)?;
        let windows = self.frames.iter().map(|frame| {
            let place = frame.payload();
            let place = usize::try_from(place.start)?..usize::try_from(place.end)?;
            let place = if frame.comp_len == 0 { 0..0 } else { place };
            let payload = self.file.get(place).context("the payload")?;
            Ok(decoder.window(frame, payload, &mut Old(old)).ok().map(<[u8]>::to_vec))
        });
        windows.collect()
    }

    /// Indices of the windows that do not come out of this old image.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn spoilt(&self, old: &[u8]) -> Result<Vec<usize>> {
        let windows = self.windows(old)?.into_iter().enumerate();
        Ok(windows.filter(|(_, window)| window.is_none()).map(|(index, _)| index).collect())
    }

    /// Length of header and table, in bytes.
    #[must_use]
    pub fn head_bytes(&self) -> u64 {
        self.header.head_len()
    }

    /// Length of the payloads of these windows, in bytes.
    #[must_use]
    pub fn payload_bytes(&self, windows: &[usize]) -> u64 {
        let frames = windows.iter().filter_map(|index| self.frames.get(*index));
        frames.map(|frame| u64::from(frame.comp_len)).sum()
    }
}
