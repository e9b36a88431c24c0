//! Windows from threads, in order into the file.
//!
//! Thread `t` of `n` makes windows `t`, `t + n`, `t + 2n`, …; who writes takes them in turn. So the
//! order is fixed without a lock, and a thread is never more than two windows ahead.
//! Invariant: what is written depends on images and parameters, never on who was faster.

use super::{BuildError, Built, Parameters, Source};
use crate::delta::format::{Frame, FrameKind, HEADER_BYTES, HeadReader, Header, Whole};
use crate::delta::number::{narrow, wide};
use crate::delta::table;
use crate::digest::{Sha256Digest, Sha256Hasher};
use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// What to make.
pub(super) struct Work<'a, S: ?Sized> {
    pub(super) new: &'a S,
    pub(super) old: Option<Whole>,
    pub(super) parameters: &'a Parameters,
    pub(super) progress: &'a dyn Fn(u64),
}

/// A window as it goes into the file.
#[derive(Debug, Clone)]
pub(super) struct Window {
    pub(super) kind: FrameKind,
    pub(super) payload: Vec<u8>,
    pub(super) stream_lens_len: usize,
    /// All unpacked streams together, in bytes.
    pub(super) streams_len: usize,
    pub(super) old_off: u64,
    /// What is read of the old image, in bytes.
    pub(super) old_range: Range<u64>,
}

impl Window {
    /// A window without payload.
    pub(super) const fn bare(kind: FrameKind) -> Self {
        let payload = Vec::new();
        Self { kind, payload, stream_lens_len: 0, streams_len: 0, old_off: 0, old_range: 0..0 }
    }
}

/// Makes windows, on one thread.
pub(super) trait Maker {
    /// Makes the window whose bytes these are; `start` is its place in the new image, in bytes.
    fn make(&mut self, start: u64, window: &[u8]) -> Result<Window, BuildError>;
}

/// A made window with the bytes that it stands for.
struct Made {
    window: Window,
    bytes: Vec<u8>,
    output_sha256: Option<Sha256Digest>,
    payload_sha256: Sha256Digest,
}

/// Writes a container whose windows are made by one maker for each thread.
pub(super) fn write<S: Source + ?Sized, M: Maker>(
    work: &Work<'_, S>,
    out: &mut (impl Write + Seek),
    maker: impl Fn() -> Result<M, BuildError> + Sync,
) -> Result<Built, BuildError> {
    let (new, old, parameters) = (work.new, work.old, work.parameters);
    let grid = Grid { length: new.length(), window: u64::from(parameters.window) };
    let threads = wide(parameters.threads.get()).min(grid.windows());
    thread::scope(|scope| {
        let mut lanes = Vec::new();
        for first in 0..threads {
            let (send, receive) = sync_channel(1);
            let maker = &maker;
            scope.spawn(move || {
                let places = (first..grid.windows()).step_by(narrow(threads));
                lane((new, old), grid, places, maker, &send);
            });
            lanes.push(receive);
        }
        collect(work, grid, lanes, out)
    })
}

/// Where windows stand in the new image.
#[derive(Clone, Copy)]
struct Grid {
    length: u64,
    window: u64,
}

impl Grid {
    const fn windows(self) -> u64 {
        self.length.div_ceil(self.window)
    }

    fn place(self, index: u64) -> Range<u64> {
        let start = index.saturating_mul(self.window);
        start..start.saturating_add(self.window).min(self.length)
    }
}

/// Makes windows until there are no more, or nobody takes them.
fn lane<S: Source + ?Sized, M: Maker>(
    (new, old): (&S, Option<Whole>),
    grid: Grid,
    places: impl Iterator<Item = u64>,
    maker: &impl Fn() -> Result<M, BuildError>,
    send: &SyncSender<Result<Made, BuildError>>,
) {
    let mut maker = match maker() {
        Ok(maker) => maker,
        Err(error) => {
            let _nobody = send.send(Err(error));
            return;
        }
    };
    for index in places {
        let made = made(new, grid.place(index), &mut maker, old);
        if send.send(made).is_err() {
            return;
        }
    }
}

fn made<S: Source + ?Sized>(
    new: &S,
    place: Range<u64>,
    maker: &mut impl Maker,
    old: Option<Whole>,
) -> Result<Made, BuildError> {
    let mut bytes = vec![0; narrow(place.end.saturating_sub(place.start))];
    new.read_at(place.start, &mut bytes).map_err(BuildError::ReadNew)?;
    let window = maker.make(place.start, &bytes)?;
    let payload_sha256 = if window.kind.has_payload() {
        Sha256Digest::of(&window.payload)
    } else {
        Sha256Digest::from_bytes([0; 32])
    };
    // What comes out of a delta is named by the full container's table alone.
    let output_sha256 = old.is_none().then(|| Sha256Digest::of(&bytes));
    Ok(Made { window, bytes, output_sha256, payload_sha256 })
}

/// Takes windows in order, writes their payloads, and the head at last.
fn collect<S: Source + ?Sized>(
    work: &Work<'_, S>,
    grid: Grid,
    lanes: Vec<Receiver<Result<Made, BuildError>>>,
    out: &mut (impl Write + Seek),
) -> Result<Built, BuildError> {
    let frames = u32::try_from(grid.windows()).map_err(|_| BuildError::Length(grid.length))?;
    let first = wide(HEADER_BYTES);
    out.seek(SeekFrom::Start(first)).map_err(BuildError::WriteOut)?;
    let mut frames_made = Vec::new();
    let mut sums = Sums { payload_off: first, ..Sums::default() };
    let mut image = Sha256Hasher::new();
    for (index, lane) in (0..grid.windows()).zip((0..lanes.len()).cycle()) {
        let lane = lanes.get(lane).ok_or(BuildError::Worker)?;
        let made = lane.recv().map_err(|_| BuildError::Worker)??;
        image.update(&made.bytes);
        out.write_all(&made.window.payload).map_err(BuildError::WriteOut)?;
        frames_made.push(sums.take(made)?);
        (work.progress)(grid.place(index).end);
    }
    let mut header = Header {
        window: work.parameters.window,
        old: work.old,
        new: Whole { length: grid.length, sha256: image.finish() },
        frames,
        comp_len_max: sums.comp_len_max,
        streams_len_max: sums.streams_len_max,
        payload_len: sums.payload_off.saturating_sub(first),
        table_len: 0,
        entries_sha256: Sha256Digest::of(&[]),
    };
    let table = table::spell(&header, &frames_made);
    header.table_len = u32::try_from(table.len()).map_err(|_| BuildError::Length(grid.length))?;
    header.entries_sha256 = Sha256Digest::of(&table);
    let table_sha256 = write_head(&header, &table, out)?;
    Ok(Built { header, table_sha256, file_len: header.file_len(), kinds: sums.kinds })
}

/// Writes the table behind the payloads and the header before them, through the reader that devices
/// have, so that nothing leaves this house that a device refuses.
fn write_head(
    header: &Header,
    table: &[u8],
    out: &mut (impl Write + Seek),
) -> Result<Sha256Digest, BuildError> {
    let refused = |_| BuildError::Pack("the table breaks a rule of its reader");
    let bytes = header.write();
    let mut reader = HeadReader::begin(&bytes).map_err(refused)?;
    let mut rest = table;
    while reader.take(&mut rest).map_err(refused)?.is_some() {}
    let sha256 = reader.sha256();
    reader.finish(sha256).map_err(refused)?;
    out.write_all(table).map_err(BuildError::WriteOut)?;
    out.seek(SeekFrom::Start(0)).map_err(BuildError::WriteOut)?;
    out.write_all(&bytes).map_err(BuildError::WriteOut)?;
    out.flush().map_err(BuildError::WriteOut)?;
    Ok(sha256)
}

/// What the header says of all windows.
#[derive(Default)]
struct Sums {
    payload_off: u64,
    comp_len_max: u32,
    streams_len_max: u32,
    kinds: [u32; FrameKind::ALL.len()],
}

impl Sums {
    fn take(&mut self, made: Made) -> Result<Frame, BuildError> {
        let Made { window, bytes, output_sha256, payload_sha256 } = made;
        let number = |length: usize| {
            u32::try_from(length).map_err(|_| BuildError::Pack("a window is too long"))
        };
        let comp_len = number(window.payload.len())?;
        let payload_off = if window.kind.has_payload() { self.payload_off } else { 0 };
        self.payload_off = self.payload_off.saturating_add(u64::from(comp_len));
        self.comp_len_max = self.comp_len_max.max(comp_len);
        self.streams_len_max = self.streams_len_max.max(number(window.streams_len)?);
        for (kind, count) in FrameKind::ALL.into_iter().zip(&mut self.kinds) {
            *count = count.saturating_add(u32::from(kind == window.kind));
        }
        Ok(Frame {
            kind: window.kind,
            raw_len: number(bytes.len())?,
            comp_len,
            stream_lens_len: number(window.stream_lens_len)?,
            payload_off,
            old_off: window.old_off,
            payload_sha256,
            output_sha256,
            old_range: window.old_range,
        })
    }
}
