//! Reading the old image: only where a window may, and in few calls.
//!
//! Matches come in small pieces that mostly follow each other, so pieces are cut from a buffer that
//! reads ahead: a little after a jump, much while it goes on. Not here: what is done with the bytes.
//! Invariant: no byte outside the permitted range is read.

use super::apply::{Base, FrameError};
use super::format::BLOCK_BYTES;
use super::number::{narrow, wide};
use std::ops::Range;

/// Length of the buffer, in bytes.
pub(super) const AHEAD_BYTES: usize = 64 * 1024;
/// How much is read after a jump, in bytes.
const JUMP_BYTES: u64 = 8 * 1024;

/// The buffer; claimed once, used for every window.
#[derive(Debug)]
pub(super) struct Ahead {
    buffer: Vec<u8>,
}

impl Ahead {
    /// Claims the buffer; none when there is not enough memory.
    pub(super) fn new() -> Option<Self> {
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(AHEAD_BYTES).ok()?;
        buffer.resize(AHEAD_BYTES, 0);
        Some(Self { buffer })
    }

    /// Reads for one window. What an earlier window left in the buffer is forgotten.
    pub(super) const fn over<'a, B: Base>(
        &'a mut self,
        base: &'a mut B,
        allowed: &'a Range<u64>,
    ) -> Old<'a, B> {
        Old { buffer: self.buffer.as_mut_slice(), base, allowed, held: 0..0 }
    }
}

/// The old image, as far as one window may read it.
pub(super) struct Old<'a, B> {
    buffer: &'a mut [u8],
    base: &'a mut B,
    allowed: &'a Range<u64>,
    /// What the buffer holds, as places in the old image.
    held: Range<u64>,
}

impl<B: Base> Old<'_, B> {
    /// Where the permitted range begins.
    pub(super) const fn start(&self) -> u64 {
        self.allowed.start
    }

    /// Fills `into` with the bytes from `offset` on.
    pub(super) fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<(), FrameError> {
        let end = offset.checked_add(wide(into.len()));
        if offset < self.allowed.start || end.is_none_or(|end| end > self.allowed.end) {
            return Err(FrameError::Malformed("it reads beyond its old range"));
        }
        let (mut offset, mut rest) = (offset, into);
        while !rest.is_empty() {
            let held = self.held_from(offset);
            let length = held.len().min(rest.len());
            if length > 0 {
                let (now, later) = rest.split_at_mut(length);
                now.copy_from_slice(held.get(..length).unwrap_or_default());
                rest = later;
                offset = offset.saturating_add(wide(length));
            } else if rest.len() >= AHEAD_BYTES {
                return self.base.read_at(offset, rest).map_err(FrameError::Old);
            } else {
                self.fill(offset, wide(rest.len()))?;
            }
        }
        Ok(())
    }

    /// What the buffer holds from `offset` on.
    fn held_from(&self, offset: u64) -> &[u8] {
        if !self.held.contains(&offset) {
            return &[];
        }
        let start = narrow(offset.saturating_sub(self.held.start));
        let end = narrow(self.held.end.saturating_sub(self.held.start));
        self.buffer.get(start..end).unwrap_or_default()
    }

    /// Reads the blocks from `offset` on into the buffer; at least the byte at `offset`.
    fn fill(&mut self, offset: u64, wanted: u64) -> Result<(), FrameError> {
        let goes_on = offset == self.held.end;
        let start = offset.saturating_sub(offset % BLOCK_BYTES).max(self.allowed.start);
        let most = wide(self.buffer.len());
        let length = if goes_on { most } else { wanted.saturating_add(JUMP_BYTES).min(most) };
        let end = start.saturating_add(length).min(self.allowed.end);
        let length = narrow(end.saturating_sub(start));
        self.held = 0..0;
        let into = self.buffer.get_mut(..length).unwrap_or_default();
        self.base.read_at(start, into).map_err(FrameError::Old)?;
        self.held = start..end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    struct Counted<'a> {
        bytes: &'a [u8],
        read: usize,
    }

    impl Base for Counted<'_> {
        fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<()> {
            self.read += into.len();
            let start = usize::try_from(offset).unwrap();
            let piece = self.bytes.get(start..start + into.len());
            into.copy_from_slice(piece.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        }
    }

    fn image() -> Vec<u8> {
        (0..300_000_u32).map(|n| (n % 251).to_le_bytes()[0]).collect()
    }

    #[test]
    fn every_place_reads_as_it_is() {
        let bytes = image();
        let mut base = Counted { bytes: &bytes, read: 0 };
        let mut ahead = Ahead::new().unwrap();
        let allowed = 4096..300_000;
        let mut old = ahead.over(&mut base, &allowed);
        let pieces = [(4096, 10), (4100, 9000), (200_000, 100_000), (13_100, 1), (299_999, 1)];
        for (offset, length) in pieces.into_iter().chain((20_000..60_000).map(|at| (at, 3))) {
            let mut into = vec![0; length];
            old.read_at(offset, &mut into).unwrap();
            let start = usize::try_from(offset).unwrap();
            assert!(into == bytes[start..start + length], "{offset} {length}");
        }
    }

    #[test]
    fn small_pieces_in_order_are_read_once() {
        let bytes = image();
        let mut base = Counted { bytes: &bytes, read: 0 };
        let mut ahead = Ahead::new().unwrap();
        let allowed = 0..300_000;
        let mut old = ahead.over(&mut base, &allowed);
        for at in (0..299_990).step_by(7) {
            old.read_at(at, &mut [0; 7]).unwrap();
        }
        assert!(base.read < 340_000, "{}", base.read);
    }

    #[test]
    fn nothing_outside_the_range_is_read() {
        let bytes = image();
        let mut base = Counted { bytes: &bytes, read: 0 };
        let mut ahead = Ahead::new().unwrap();
        let allowed = 4096..8192;
        let mut old = ahead.over(&mut base, &allowed);
        for (offset, length) in [(4095, 1), (8192, 1), (8000, 193), (u64::MAX, 2), (0, 5000)] {
            let refused = old.read_at(offset, &mut vec![0; length]);
            assert!(matches!(refused, Err(FrameError::Malformed(_))), "{offset}");
        }
        old.read_at(8000, &mut [0; 192]).unwrap();
        assert!(base.read <= 4096);
    }
}
