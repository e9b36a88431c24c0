//! The best way to make one window from the old image.
//!
//! Invariant: a window is within every limit of the decoder, or it is packed as it is.

use super::differences::Spelling;
use super::encode::{Payload, Streams};
use super::matches::{Find, Memory};
use super::pack::Packer;
use super::scan::{BETTER_BYTES, Step, steps};
use super::writer::{Maker, Window};
use super::{BSDIFF_BYTES_MAX, BuildError, Index, Parameters};
use crate::delta::apply::FIXED_MEMORY_BYTES;
use crate::delta::format::{BLOCK_BYTES, FrameKind, PAYLOAD_SPARE_BYTES, STREAMS_SPARE_BYTES};
use crate::delta::number::{narrow, wide};
use crate::limits::DELTA_MEMORY_BYTES;
use std::ops::Range;

/// Level of the quick looks.
const QUICK_LEVEL: i32 = 3;

/// A window that packs into so few bytes is not read in another way.
const ONE_READING_BYTES: usize = 128;

/// Makes windows of a delta, on one thread.
pub(super) struct Differ<'a, F> {
    pub(super) old: &'a [u8],
    pub(super) new_len: u64,
    pub(super) find: &'a F,
    pub(super) parameters: &'a Parameters,
    pub(super) packer: Packer,
    pub(super) quick: Packer,
    pub(super) memory: Memory,
}

/// One way to read a window as steps and differences.
struct Reading {
    about: usize,
    kind: FrameKind,
    streams: Streams,
    range: Range<u64>,
}

impl<'a, F: Find> Differ<'a, F> {
    pub(super) fn new(
        old: &'a [u8],
        new_len: u64,
        find: &'a F,
        parameters: &'a Parameters,
    ) -> Result<Self, BuildError> {
        let packer = Packer::new(parameters.level)?;
        let quick = Packer::new(parameters.level.min(QUICK_LEVEL))?;
        Ok(Self { old, new_len, find, parameters, packer, quick, memory: Memory::default() })
    }

    fn diff(&mut self, start: usize, window: &[u8]) -> Result<Window, BuildError> {
        self.memory.begin();
        let mut best: Option<Reading> = None;
        let mut before = Vec::new();
        for better in BETTER_BYTES {
            if best.as_ref().is_some_and(|best| best.about < ONE_READING_BYTES) {
                break;
            }
            let steps = steps(self.find, &mut self.memory, self.old, window, start, better);
            if steps == before {
                continue;
            }
            let Some(range) = range(&steps) else { continue };
            if let Some(place) = one_place(&steps, self.old, window) {
                return Ok(copy(place, window.len()));
            }
            let first = narrow(range.start);
            let mut matching = None;
            for spelling in Spelling::ALL {
                let streams = Streams::of(&steps, self.old, window, first, spelling);
                let differences = streams.about_differences(&mut self.quick)?;
                let matching = match matching {
                    Some(matching) => matching,
                    None => *matching.insert(streams.about_matches(&mut self.quick)?),
                };
                let about = differences.saturating_add(matching);
                if best.as_ref().is_none_or(|best| about < best.about) {
                    let (kind, range) = (spelling.kind(), range.clone());
                    best = Some(Reading { about, kind, streams, range });
                }
            }
            before = steps;
        }
        let Some(Reading { kind, streams, range, .. }) = best else {
            return self.packer.window(window);
        };
        let Payload { bytes, list_len, streams_len } = streams.pack(&mut self.packer)?;
        let made = Window {
            kind,
            payload: bytes,
            stream_lens_len: list_len,
            streams_len,
            old_off: 0,
            old_range: range,
        };
        let made = self.or_bsdiff(window, made)?;
        self.or_raw(window, made)
    }

    /// For small images: what the `bsdiff` crate makes of it, if that is shorter.
    fn or_bsdiff(&mut self, window: &[u8], made: Window) -> Result<Window, BuildError> {
        let small = wide(self.old.len()).max(self.new_len) <= BSDIFF_BYTES_MAX;
        if !small || self.parameters.index != Index::SuffixArray {
            return Ok(made);
        }
        let mut stream = Vec::new();
        bsdiff::diff(self.old, window, &mut stream).map_err(BuildError::WriteOut)?;
        let payload = self.packer.pack(&stream)?;
        if payload.len() >= made.payload.len() {
            return Ok(made);
        }
        Ok(Window {
            payload,
            streams_len: stream.len(),
            old_range: 0..wide(self.old.len()),
            ..Window::bare(FrameKind::Bsdiff)
        })
    }

    /// The window itself, packed, if that is shorter or the other way breaks a limit.
    fn or_raw(&mut self, window: &[u8], made: Window) -> Result<Window, BuildError> {
        let streams_max = streams_max(self.parameters.window);
        let payload_max = window.len().saturating_add(narrow(u64::from(PAYLOAD_SPARE_BYTES)));
        let blocks = made.old_range.end.div_ceil(BLOCK_BYTES);
        let within = made.streams_len <= streams_max
            && made.payload.len() <= payload_max
            && u32::try_from(blocks).is_ok();
        // A payload far below what packing ever reaches needs no comparison.
        let far_below = made.payload.len() < window.len() / 64;
        if within && far_below {
            return Ok(made);
        }
        let quick = self.quick.pack(window)?;
        if within && made.payload.len().saturating_mul(2) < quick.len() {
            return Ok(made);
        }
        let raw = self.packer.window(window)?;
        Ok(if within && made.payload.len() <= raw.payload.len() { made } else { raw })
    }
}

impl<F: Find> Maker for Differ<'_, F> {
    fn make(&mut self, start: u64, window: &[u8]) -> Result<Window, BuildError> {
        if window.iter().all(|byte| *byte == 0) {
            return Ok(Window::bare(FrameKind::Zero));
        }
        let start = narrow(start);
        if self.old.get(start..start.saturating_add(window.len())) == Some(window) {
            return Ok(copy(start, window.len()));
        }
        self.diff(start, window)
    }
}

fn copy(place: usize, length: usize) -> Window {
    let old_range = wide(place)..wide(place.saturating_add(length));
    Window { old_off: wide(place), old_range, ..Window::bare(FrameKind::Copy) }
}

/// The place in the old image where the whole window stands unchanged, if the steps say so.
fn one_place(steps: &[Step], old: &[u8], window: &[u8]) -> Option<usize> {
    let mut reads = steps.iter().filter(|step| step.add > 0);
    let (step, None) = (reads.next()?, reads.next()) else { return None };
    let end = step.place.saturating_add(window.len());
    (old.get(step.place..end) == Some(window)).then_some(step.place)
}

/// Most bytes of all streams of a window: the format's limit, and for windows of up to 2 MiB so few
/// that a device with the usual memory for unpacking has enough whatever the other windows need.
fn streams_max(window: u32) -> usize {
    let format = u64::from(window).saturating_mul(2).saturating_add(u64::from(STREAMS_SPARE_BYTES));
    let others = u64::from(window).saturating_mul(2).saturating_add(u64::from(PAYLOAD_SPARE_BYTES));
    let left = DELTA_MEMORY_BYTES.saturating_sub(FIXED_MEMORY_BYTES).saturating_sub(others);
    narrow(if left > u64::from(window) { format.min(left) } else { format })
}

/// What steps read of the old image, from the beginning of a block; none when they read nothing.
fn range(steps: &[Step]) -> Option<Range<u64>> {
    let reads = || steps.iter().filter(|step| step.add > 0);
    let start = wide(reads().map(|step| step.place).min()?);
    let end = reads().map(|step| step.place.saturating_add(step.add)).max()?;
    Some(start.saturating_sub(start % BLOCK_BYTES)..wide(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_fits_the_memory_that_devices_give() {
        for window in [1_u32 << 16, 1 << 20, 1 << 21] {
            let payload = u64::from(window) + u64::from(PAYLOAD_SPARE_BYTES);
            let streams = wide(streams_max(window));
            let claimed = u64::from(window) + payload + streams + FIXED_MEMORY_BYTES;
            assert!(streams >= u64::from(window) && claimed <= DELTA_MEMORY_BYTES, "{window}");
        }
        assert_eq!(streams_max(1 << 20), (2 << 20) + 64);
        assert_eq!(streams_max(4 << 20), (8 << 20) + 64);
    }
}
