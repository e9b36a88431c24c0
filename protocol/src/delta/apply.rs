//! From payloads and the old image to windows of the new one, in fixed memory.
//!
//! One [`Decoder`] serves files, block devices, downloads and bundles: the caller brings the payload
//! of a window and a [`Base`] to read the old image from, and writes what comes out. Windows do not
//! depend on each other, so they may be decoded in any order and as often as one likes.
//! Not here: fetching, writing, resuming. Invariant: memory is claimed in [`Decoder::new`] only, and
//! a window of a full container is given out only when its digest is that of the table; of a delta's
//! window the caller knows the digest, from a table that was signed offline.

use super::ahead::{AHEAD_BYTES, Ahead};
use super::diff::Word;
use super::format::{Frame, FrameKind, Header};
use super::number::{narrow, wide};
use super::stream::{StreamError, Unpacker, content_len};
use super::{bsdiff, diff, streams};
use crate::digest::Sha256Digest;
use std::io;

pub use super::whole::{ApplyError, Entries, head, whole};

/// Claimed beside window, payload and streams: read-ahead and the unpacker, in bytes.
pub const FIXED_MEMORY_BYTES: u64 = 512 * 1024;

/// The old image.
pub trait Base {
    /// Fills `into` with the bytes from `offset` on.
    ///
    /// # Errors
    /// What the medium says; [`io::ErrorKind::UnexpectedEof`] beyond its end.
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<()>;
}

/// No old image: what a full container has.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBase;

impl Base for NoBase {
    fn read_at(&mut self, _offset: u64, _into: &mut [u8]) -> io::Result<()> {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

impl Base for &[u8] {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let rest = self.get(narrow(offset)..).and_then(|rest| rest.get(..into.len()));
        into.copy_from_slice(rest.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Why a window was not decoded. Another source may still bring it.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// There is not enough memory.
    #[error("there is not enough memory")]
    Memory,
    /// The payload is not the one of the table.
    #[error("the payload is not the one that the table names")]
    Payload,
    /// The payload breaks a rule of its form.
    #[error("the payload is malformed: {0}")]
    Malformed(&'static str),
    /// A stream does not unpack.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The old image cannot be read.
    #[error("the old image cannot be read")]
    Old(#[source] io::Error),
    /// What came out is not the window of the table: the old image was changed, or the maker of the
    /// file erred or lied.
    #[error("what came out is not the window that the table names")]
    Output,
}

/// Decodes windows of one container.
#[derive(Debug)]
pub struct Decoder {
    window: Vec<u8>,
    /// The unpacked streams of a window.
    arena: Vec<u8>,
    ahead: Ahead,
    unpacker: Unpacker,
}

impl Decoder {
    /// Claims all memory that windows under this header may need.
    ///
    /// # Errors
    /// [`FrameError::Memory`].
    pub fn new(header: &Header) -> Result<Self, FrameError> {
        let window = u64::from(header.window).min(header.new.length);
        Ok(Self {
            window: claim(window)?,
            arena: claim(u64::from(header.streams_len_max))?,
            ahead: Ahead::new().ok_or(FrameError::Memory)?,
            unpacker: Unpacker::new().ok_or(FrameError::Memory)?,
        })
    }

    /// What it has claimed, in bytes, at most [`Header::memory_bytes`] less the payload's buffer.
    #[must_use]
    pub fn claimed_bytes(&self) -> u64 {
        let buffers = self.window.capacity().saturating_add(self.arena.capacity());
        let fixed = AHEAD_BYTES.saturating_add(self.unpacker.claimed_bytes());
        wide(buffers.saturating_add(fixed))
    }

    /// Decodes one window; the payload is that of the frame, whole.
    ///
    /// # Errors
    /// [`FrameError`]; nothing is given out.
    pub fn window(
        &mut self,
        frame: &Frame,
        payload: &[u8],
        base: &mut impl Base,
    ) -> Result<&[u8], FrameError> {
        let Self { window, arena, ahead, unpacker } = self;
        let window = window.get_mut(..narrow(u64::from(frame.raw_len)));
        let window = window.ok_or(FrameError::Malformed("a window beyond the header's"))?;
        let paid = if frame.kind.has_payload() {
            Sha256Digest::of(payload) == frame.payload_sha256
        } else {
            payload.is_empty()
        };
        if !paid {
            return Err(FrameError::Payload);
        }
        let mut old = ahead.over(base, &frame.old_range);
        match frame.kind {
            FrameKind::Zero => window.fill(0),
            FrameKind::Copy => old.read_at(frame.old_off, window)?,
            FrameKind::Raw => unpacker.unpack(payload, window)?,
            FrameKind::Diff8 | FrameKind::Diff32 | FrameKind::AimedX86 | FrameKind::AimedArm => {
                let streams = streams::unpack(payload, frame.stream_lens_len, arena, unpacker)?;
                diff::decode(Word::of(frame.kind), streams, window, &mut old)?;
            }
            FrameKind::Bsdiff => {
                let steps = arena.get_mut(..content_len(payload)?);
                let steps = steps.ok_or(FrameError::Malformed("a stream beyond the header's"))?;
                unpacker.unpack(payload, steps)?;
                bsdiff::decode(steps, window, &mut old)?;
            }
        }
        match frame.output_sha256 {
            Some(output) if Sha256Digest::of(window) != output => Err(FrameError::Output),
            Some(_) | None => Ok(window),
        }
    }

    /// Decodes one window that must come out with this digest, whatever its own table says.
    ///
    /// # Errors
    /// [`FrameError`]; nothing is given out.
    pub fn signed_window(
        &mut self,
        frame: &Frame,
        signed: Sha256Digest,
        payload: &[u8],
        base: &mut impl Base,
    ) -> Result<&[u8], FrameError> {
        let expected = Frame { output_sha256: Some(signed), ..frame.clone() };
        self.window(&expected, payload, base)
    }
}

fn claim(length: u64) -> Result<Vec<u8>, FrameError> {
    let mut buffer = Vec::new();
    let length = usize::try_from(length).map_err(|_| FrameError::Memory)?;
    buffer.try_reserve_exact(length).map_err(|_| FrameError::Memory)?;
    buffer.resize(length, 0);
    Ok(buffer)
}

#[cfg(test)]
mod tests;
