//! Making containers: full ones, and deltas between two images.
//!
//! Windows are made independently of each other, so the work is spread over threads and the new
//! image is read window by window; only the old image of a delta stands in memory. Not here: where
//! images come from and where containers go ([`Source`] and `Write + Seek` are the edges).
//! Invariant: the file is the same for every number of threads, and every window keeps the limits
//! that the decoder enforces: what would break one is packed as it is.

mod differences;
mod encode;
mod equal;
mod matches;
mod pack;
mod scan;
mod source;
mod window;
mod writer;

pub use source::{FileSource, Source};

use super::format::{FrameKind, Header, Whole};
use super::number::wide;
use crate::digest::Sha256Digest;
use crate::limits::{DELTA_FRAMES_MAX, DELTA_WINDOW_BYTES, IMAGE_BYTES_MAX};
use crate::limits::{DELTA_WINDOW_BYTES_MAX, DELTA_WINDOW_BYTES_MIN};
use matches::{Find, Sampled, SuffixArray};
use pack::Packer;
use std::io::{self, Seek, Write};
use std::num::NonZeroUsize;
use window::Differ;
use writer::{Maker, Window, Work};

/// The zstd level unless somebody asks for another.
pub const LEVEL: i32 = 19;

/// Longest image whose windows are also tried with the `bsdiff` crate, in bytes: it needs nineteen
/// bytes of memory for each byte of the old image.
pub const BSDIFF_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// How matches in the old image are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Index {
    /// A suffix array: the smallest deltas, about six bytes of memory for each byte of the old image.
    SuffixArray,
    /// Hashes of sampled places: some per cent larger, two and a half bytes for each byte.
    Sampled,
}

/// How a container is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// Length of a window, in bytes; a power of two from 64 KiB to 4 MiB.
    pub window: u32,
    /// Level of zstd, 1 to 22.
    pub level: i32,
    /// How many threads make windows. It changes the time and never the bytes.
    pub threads: NonZeroUsize,
    /// How matches are found.
    pub index: Index,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            window: DELTA_WINDOW_BYTES,
            level: LEVEL,
            threads: NonZeroUsize::MIN,
            index: Index::SuffixArray,
        }
    }
}

/// What was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Built {
    /// The header.
    pub header: Header,
    /// Digest of header and table: what is signed.
    pub table_sha256: Sha256Digest,
    /// Length of the file, in bytes.
    pub file_len: u64,
    /// How many windows there are of each kind, in the order of [`FrameKind::ALL`].
    pub kinds: [u32; FrameKind::ALL.len()],
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A parameter is outside its limits.
    #[error("{0}")]
    Parameter(&'static str),
    /// An image of this length has no container.
    #[error("an image of {0} bytes has no container with such windows")]
    Length(u64),
    /// The new image cannot be read.
    #[error("the new image cannot be read")]
    ReadNew(#[source] io::Error),
    /// The container cannot be written.
    #[error("the container cannot be written")]
    WriteOut(#[source] io::Error),
    /// The packer gave up.
    #[error("a window cannot be packed: {0}")]
    Pack(&'static str),
    /// There is not enough memory, or the old image is too long for the index.
    #[error("the old image cannot be indexed: {0}")]
    Index(&'static str),
    /// A thread ended without an answer.
    #[error("a worker ended without an answer")]
    Worker,
}

/// Makes a full container: the image itself, window by window, packed.
///
/// Memory: a few windows for each thread, and 104 bytes for each window. `progress` hears how many
/// bytes of the new image are done.
///
/// # Errors
/// [`BuildError`]; `out` then holds anything.
pub fn full(
    new: &(impl Source + ?Sized),
    out: &mut (impl Write + Seek),
    parameters: &Parameters,
    progress: &dyn Fn(u64),
) -> Result<Built, BuildError> {
    check(new.length(), parameters)?;
    let work = Work { new, old: None, parameters, progress };
    writer::write(&work, out, || Ok(Packed { packer: Packer::new(parameters.level)? }))
}

/// Makes a delta from `old` to `new`: windows from the old image where that is shorter.
///
/// Memory: the old image and its index ([`Index`]), and a few windows for each thread. An empty old
/// image gives a full container. `progress` as in [`full`].
///
/// # Errors
/// [`BuildError`]; `out` then holds anything.
pub fn delta(
    old: &[u8],
    new: &(impl Source + ?Sized),
    out: &mut (impl Write + Seek),
    parameters: &Parameters,
    progress: &dyn Fn(u64),
) -> Result<Built, BuildError> {
    check(new.length(), parameters)?;
    if old.is_empty() {
        return full(new, out, parameters, progress);
    }
    if wide(old.len()) > IMAGE_BYTES_MAX {
        return Err(BuildError::Index("it is longer than any image"));
    }
    let whole = Whole { length: wide(old.len()), sha256: Sha256Digest::of(old) };
    let work = Work { new, old: Some(whole), parameters, progress };
    match parameters.index {
        Index::SuffixArray => differ(&work, old, &SuffixArray::new(old)?, out),
        Index::Sampled => differ(&work, old, &Sampled::new(old)?, out),
    }
}

fn differ<S: Source + ?Sized>(
    work: &Work<'_, S>,
    old: &[u8],
    find: &impl Find,
    out: &mut (impl Write + Seek),
) -> Result<Built, BuildError> {
    let new_len = work.new.length();
    writer::write(work, out, || Differ::new(old, new_len, find, work.parameters))
}

/// Makes windows of a full container.
struct Packed {
    packer: Packer,
}

impl Maker for Packed {
    fn make(&mut self, _start: u64, window: &[u8]) -> Result<Window, BuildError> {
        self.packer.window(window)
    }
}

fn check(length: u64, parameters: &Parameters) -> Result<(), BuildError> {
    let window = parameters.window;
    let limits = DELTA_WINDOW_BYTES_MIN..=DELTA_WINDOW_BYTES_MAX;
    if !limits.contains(&window) || !window.is_power_of_two() {
        return Err(BuildError::Parameter("a window is a power of two from 64 KiB to 4 MiB"));
    }
    if !(1..=22).contains(&parameters.level) {
        return Err(BuildError::Parameter("a level is a number from 1 to 22"));
    }
    let frames = length.div_ceil(u64::from(window));
    if length == 0 || length > IMAGE_BYTES_MAX || frames > u64::from(DELTA_FRAMES_MAX) {
        return Err(BuildError::Length(length));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
