//! One pass over the windows that are missing: payloads as they come from one file, decoded, checked,
//! written to their place.
//!
//! A window of a delta that fails is left for the full file; one of the full file that fails ends the
//! pass. Not here: which file. Invariant: what is written has the digest that the offline-signed table
//! names for that window, whatever brought it.

use super::bookmark::Bookmark;
use super::place::Place;
use super::table::Table;
use crate::journal::write_durably;
use crate::link::http::Piece;
use crate::stage::FetchError;
use crate::stage::resume::{Missing, Taker, Want};
use crate::storage::{self, Flush};
use patchward_protocol::delta::apply::{Base, Decoder, FrameError};
use patchward_protocol::delta::format::Frame;
use patchward_protocol::reason::Reason;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Bytes that are fetched rather than asked around: between two payloads of one range.
const GAP_BYTES_MAX: u64 = 64 * 1024;

/// Whose payloads come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// Those of a delta.
    Delta,
    /// Those of the full file.
    Full,
}

/// What a pass works on.
#[derive(Debug)]
pub(super) struct Work<'a> {
    /// Whose payloads come.
    pub by: By,
    /// The file that they come from.
    pub from: &'a Table,
    /// The offline-signed table.
    pub full: &'a Table,
    /// The place.
    pub place: &'a mut Place,
    /// What is remembered.
    pub mark: &'a mut Bookmark,
    /// Where it is remembered.
    pub path: &'a Path,
}

/// A pass under way.
pub(super) struct Pass<'a, B> {
    work: Work<'a>,
    base: B,
    decoder: Decoder,
    payload: Vec<u8>,
    wanted: Option<Frame>,
    at: u64,
    asked: u64,
    /// The first window that was not looked at for needing no payload.
    bare: u32,
    given_up: bool,
    ended: bool,
}

impl<'a, B: Base> Pass<'a, B> {
    /// Claims all memory of the pass, and goes on where the bookmark is.
    ///
    /// # Errors
    /// [`FetchError::Window`] when there is not enough memory; the disk.
    pub(super) fn begin(work: Work<'a>, base: B) -> Result<Self, FetchError> {
        let header = work.from.header();
        let no_memory = |source| FetchError::Window { index: 0, source };
        let decoder = Decoder::new(header).map_err(no_memory)?;
        let mut payload = Vec::new();
        let most = usize::try_from(header.comp_len_max).unwrap_or(usize::MAX);
        payload.try_reserve_exact(most).map_err(|_| no_memory(FrameError::Memory))?;
        let mut pass = Self {
            work,
            base,
            decoder,
            payload,
            wanted: None,
            at: 0,
            asked: 0,
            bare: 0,
            given_up: false,
            ended: false,
        };
        pass.advance()?;
        pass.take_up_part();
        Ok(pass)
    }

    /// Everything came: flushes, and remembers that.
    ///
    /// # Errors
    /// The disk.
    pub(super) fn end(mut self) -> Result<(), FetchError> {
        self.ended = true;
        self.settle()
    }

    /// Makes the next window that needs no payload, so that nobody waits for many of them; false
    /// when there is none left.
    fn make_bare(&mut self) -> Result<bool, FetchError> {
        while self.bare < self.work.from.header().frames {
            let index = self.bare;
            self.bare = index.saturating_add(1);
            if self.work.mark.done.has(index) {
                continue;
            }
            let frame = self.work.from.frame(index)?;
            if !frame.kind.has_payload() {
                let part = std::mem::take(&mut self.payload);
                let made = self.make(index, &frame);
                self.payload = part;
                return made.map(|()| true);
            }
        }
        Ok(false)
    }

    /// Goes to the next window that needs a payload.
    fn advance(&mut self) -> Result<(), FetchError> {
        self.wanted = None;
        while !self.given_up && self.work.mark.next < self.work.from.header().frames {
            let index = self.work.mark.next;
            if !self.work.mark.done.has(index) {
                let frame = self.work.from.frame(index)?;
                if frame.kind.has_payload() {
                    self.wanted = Some(frame);
                    return Ok(());
                }
            }
            self.work.mark.next = index.saturating_add(1);
        }
        Ok(())
    }

    /// Decodes a window whose payload is whole, and writes it.
    fn make(&mut self, index: u32, frame: &Frame) -> Result<(), FetchError> {
        let Work { by, from, full, place, mark, path } = &mut self.work;
        // Whatever brings a window, the offline-signed table says which bytes it is.
        let signed = full.frame(index)?.output_sha256;
        let signed = signed.ok_or(FetchError::Release("its container names no windows"))?;
        match self.decoder.signed_window(frame, signed, &self.payload, &mut self.base) {
            Ok(window) => {
                let Range { start, .. } = full.header().window_at(index).unwrap_or_default();
                let flush = place.put(start, window)?;
                mark.done.add(index);
                match by {
                    By::Delta => mark.delta_sha256 = Some(from.remote().sha256),
                    By::Full => mark.windows_full = mark.windows_full.saturating_add(1),
                }
                // The first window that comes is kept at once: the look for it was counted.
                if flush == Flush::Due && mark.tries == 0 {
                    return Ok(());
                }
                mark.tries = 0;
                place.flush()?;
                mark.write(path)
            }
            Err(source) if *by == By::Full => Err(FetchError::Window { index, source }),
            Err(error) => {
                let wasted = mark.wasted_bytes.saturating_add(u64::from(frame.comp_len));
                mark.wasted_bytes = wasted;
                mark.because(reason(&error));
                tracing::info!(index, %error, "this part comes from the full image");
                self.given_up = wasted > full.remote().length / 4;
                Ok(())
            }
        }
    }

    /// Takes bytes of the file; the first of them is at `self.at`.
    fn consume(&mut self, bytes: &[u8]) -> Result<Want, FetchError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some(frame) = self.wanted.clone() else { return Ok(Want::Enough) };
            let next = self.next_byte(&frame);
            if self.at > next {
                return Err(FetchError::Mismatch("it begins elsewhere"));
            }
            let skipped = usize::try_from(next.saturating_sub(self.at)).unwrap_or(usize::MAX);
            let (passed, new) = rest.split_at_checked(skipped).unwrap_or((rest, &[]));
            let whole = usize::try_from(frame.comp_len).unwrap_or(usize::MAX);
            let missing = whole.saturating_sub(self.payload.len());
            let (now, later) = new.split_at_checked(missing).unwrap_or((new, &[]));
            self.payload.extend_from_slice(now);
            let taken = storage::length(passed).saturating_add(storage::length(now));
            self.at = self.at.saturating_add(taken);
            rest = later;
            if self.payload.len() == whole {
                let index = self.work.mark.next;
                let made = self.make(index, &frame);
                self.payload.clear();
                made?;
                self.work.mark.next = index.saturating_add(1);
                self.advance()?;
            }
        }
        Ok(Want::More)
    }

    /// The next byte of the file that is missing.
    fn next_byte(&self, frame: &Frame) -> u64 {
        frame.payload_off.saturating_add(storage::length(&self.payload))
    }

    /// The end of the payloads that are asked for together with the one that is wanted.
    fn range_end(&self, frame: &Frame) -> Result<u64, FetchError> {
        let Work { mark, from, .. } = &self.work;
        let mut end = frame.payload().end;
        for index in mark.next.saturating_add(1)..from.header().frames {
            if mark.done.has(index) {
                continue;
            }
            let payload = from.frame(index)?.payload();
            if payload.is_empty() {
                continue;
            }
            if payload.start > end.saturating_add(GAP_BYTES_MAX) {
                break;
            }
            end = payload.end;
        }
        Ok(end)
    }

    /// Half of a payload that an earlier pass left.
    fn take_up_part(&mut self) {
        let Some(frame) = &self.wanted else { return };
        let path = self.part();
        let part = std::fs::read(&path).ok();
        let part = part.filter(|part| storage::length(part) < u64::from(frame.comp_len));
        self.payload.extend_from_slice(part.as_deref().unwrap_or_default());
        // Whatever it was, it is used once: a spoilt one must not come back.
        let _removed = std::fs::remove_file(&path);
    }
}

impl<B> Pass<'_, B> {
    /// Where half of a payload is kept.
    fn part(&self) -> PathBuf {
        let name = format!("{}.{}.part", self.work.from.remote().sha256, self.work.mark.next);
        self.work.path.with_file_name(name)
    }

    fn settle(&mut self) -> Result<(), FetchError> {
        self.work.place.flush()?;
        self.work.mark.write(self.work.path)
    }
}

impl<B: Base> Taker for Pass<'_, B> {
    fn missing(&mut self) -> Result<Missing, FetchError> {
        if self.make_bare()? {
            return Ok(Missing::AskAgain);
        }
        let Some(frame) = &self.wanted else { return Ok(Missing::Nothing) };
        let missing = self.next_byte(frame)..self.range_end(frame)?;
        self.asked = missing.start;
        Ok(Missing::Bytes(missing))
    }

    fn take(&mut self, piece: Piece<'_>) -> Result<Want, FetchError> {
        match piece {
            Piece::From(byte) if byte == 0 || byte == self.asked => {
                self.at = byte;
                Ok(Want::More)
            }
            Piece::From(_) => Err(FetchError::Mismatch("it begins elsewhere")),
            Piece::Bytes(bytes) => {
                let fetched = &mut self.work.mark.fetched_bytes;
                *fetched = fetched.saturating_add(storage::length(bytes));
                self.consume(bytes)
            }
        }
    }

    fn out_of_range(&mut self) -> Result<(), FetchError> {
        Err(FetchError::Refused { status: 416 })
    }
}

impl<B> Drop for Pass<'_, B> {
    /// What came stays: a slow line must make progress however often it is interrupted.
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // What is not kept is fetched again.
        if self.settle().is_ok() && !self.payload.is_empty() {
            let _lost = write_durably(&self.part(), &self.payload);
        }
    }
}

/// What people are told of a window of a delta that failed.
fn reason(error: &FrameError) -> Reason {
    match error {
        FrameError::Memory => Reason::DeltaMemory,
        FrameError::Payload | FrameError::Malformed(_) | FrameError::Stream(_) => {
            Reason::DeltaMalformed
        }
        FrameError::Old(_) | FrameError::Output => Reason::DeltaOutput,
    }
}
