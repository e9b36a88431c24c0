//! From payloads and the old image to windows of the new one, in fixed memory.
//!
//! One [`Decoder`] serves files, block devices, downloads and bundles: the caller brings the payload
//! of a window and a [`Base`] to read the old image from, and writes what comes out. Windows do not
//! depend on each other, so they may be decoded in any order and as often as one likes.
//! Not here: fetching, writing, resuming. Invariant: memory is claimed in [`Decoder::new`] only, and
//! a window is given out only when its digest is that of the table.

use super::format::{Frame, FrameKind, Header};
use super::stream::{StreamError, Unpacker};
use crate::digest::Sha256Digest;
use std::io;
use std::ops::Range;

pub use super::whole::{ApplyError, head, whole};

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
    unpacker: Unpacker,
}

impl Decoder {
    /// Claims all memory that windows under this header may need.
    ///
    /// # Errors
    /// [`FrameError::Memory`].
    pub fn new(header: &Header) -> Result<Self, FrameError> {
        let mut window = Vec::new();
        let length = usize::try_from(header.window).map_err(|_| FrameError::Memory)?;
        window.try_reserve_exact(length).map_err(|_| FrameError::Memory)?;
        window.resize(length, 0);
        let unpacker = Unpacker::new().ok_or(FrameError::Memory)?;
        Ok(Self { window, unpacker })
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
        let length = usize::try_from(frame.raw_len).unwrap_or(usize::MAX);
        let window = self.window.get_mut(..length);
        let window = window.ok_or(FrameError::Malformed("a window beyond the header's"))?;
        let paid = if frame.kind.has_payload() {
            Sha256Digest::of(payload) == frame.payload_sha256
        } else {
            payload.is_empty()
        };
        if !paid {
            return Err(FrameError::Payload);
        }
        match frame.kind {
            FrameKind::Zero => window.fill(0),
            FrameKind::Copy => {
                Allowed { base, range: &frame.old_range }.read_at(frame.old_off, window)?;
            }
            FrameKind::Raw => self.unpacker.unpack(payload, window)?,
            FrameKind::Diff8 | FrameKind::Diff32 | FrameKind::Bsdiff => {
                return Err(FrameError::Malformed("a kind that is not known here"));
            }
        }
        if Sha256Digest::of(window) == frame.output_sha256 {
            return Ok(window);
        }
        Err(FrameError::Output)
    }
}

/// The old image, as far as a window may read it.
struct Allowed<'a, B> {
    base: &'a mut B,
    range: &'a Range<u64>,
}

impl<B: Base> Allowed<'_, B> {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<(), FrameError> {
        let length = u64::try_from(into.len()).unwrap_or(u64::MAX);
        let end = offset.checked_add(length);
        if offset < self.range.start || end.is_none_or(|end| end > self.range.end) {
            return Err(FrameError::Malformed("it reads beyond its old range"));
        }
        self.base.read_at(offset, into).map_err(FrameError::Old)
    }
}
