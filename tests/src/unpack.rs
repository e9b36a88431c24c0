//! Containers read by the real decoder: for tests that must know which windows an old image spoils.
//!
//! Not for making any ([`crate::container`]).
//! Invariant: every rule of header and table was checked before a window is decoded.

use anyhow::{Context as _, Result};
use patchward_protocol::delta::apply::{Decoder, Entries};
use patchward_protocol::delta::format::{Frame, Header};
use std::io::Cursor;

/// A container whose head was checked.
#[derive(Debug)]
pub struct Unpacked<'a> {
    /// The header.
    pub header: Header,
    /// The table.
    pub frames: Vec<Frame>,
    file: &'a [u8],
}

impl<'a> Unpacked<'a> {
    /// Reads header and table.
    ///
    /// # Errors
    /// When they break a rule.
    pub fn read(file: &'a [u8]) -> Result<Self> {
        let mut from = Cursor::new(file);
        let mut entries = Entries::of(&mut from)?;
        let mut frames = Vec::new();
        while let Some(frame) = entries.next(&mut from)? {
            frames.push(frame);
        }
        let sha256 = entries.sha256();
        Ok(Self { header: entries.finish(sha256)?.header, frames, file })
    }

    /// Every window that comes out of this old image as the full container says; none where it does not.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn windows(&self, old: &[u8], full: &Unpacked<'_>) -> Result<Vec<Option<Vec<u8>>>> {
        let mut decoder = Decoder::new(&self.header)?;
        let windows = self.frames.iter().zip(&full.frames).map(|(frame, signed)| {
            let place = frame.payload();
            let place = usize::try_from(place.start)?..usize::try_from(place.end)?;
            let place = if frame.comp_len == 0 { 0..0 } else { place };
            let payload = self.file.get(place).context("the payload")?;
            let signed = signed.output_sha256.context("a full container names its windows")?;
            let window = decoder.signed_window(frame, signed, payload, &mut &*old);
            Ok(window.ok().map(<[u8]>::to_vec))
        });
        windows.collect()
    }

    /// Indices of the windows that do not come out of this old image.
    ///
    /// # Errors
    /// When there is not enough memory.
    pub fn spoilt(&self, old: &[u8], full: &Unpacked<'_>) -> Result<Vec<usize>> {
        let windows = self.windows(old, full)?.into_iter().enumerate();
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
