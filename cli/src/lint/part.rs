//! A stretch of an image: the whole of it, or one partition.
//!
//! Invariant: what lies beyond the end reads as zero and is never an error; only the medium fails.

use crate::disk;
use crate::error::Outcome;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// A stretch of an image.
#[derive(Debug, Clone)]
pub(super) struct Part<'a> {
    path: &'a Path,
    file: &'a File,
    /// In bytes.
    start: u64,
    /// In bytes.
    pub(super) length: u64,
    /// Its name for people.
    pub(super) name: String,
}

impl<'a> Part<'a> {
    /// The whole image.
    pub(super) fn whole(path: &'a Path, file: &'a File) -> Outcome<Self> {
        let length = file.metadata().map_err(|error| disk::unreadable(path, &error))?.len();
        Ok(Self { path, file, start: 0, length, name: "image".to_owned() })
    }

    /// A part of it; what reaches beyond the end is cut off.
    pub(super) fn within(&self, start: u64, length: u64, name: String) -> Self {
        let start = start.min(self.length);
        let length = length.min(self.length.saturating_sub(start));
        Self {
            path: self.path,
            file: self.file,
            start: self.start.saturating_add(start),
            length,
            name,
        }
    }

    /// Reads `into` from `offset` on; zeros beyond the end. Says how many bytes there were.
    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> Outcome<usize> {
        into.fill(0);
        let room = self.length.saturating_sub(offset);
        let room = usize::try_from(room).unwrap_or(usize::MAX).min(into.len());
        let Some(into) = into.get_mut(..room).filter(|into| !into.is_empty()) else { return Ok(0) };
        match self.file.read_exact_at(into, self.start.saturating_add(offset)) {
            Ok(()) => Ok(room),
            // It became shorter meanwhile; whoever packs it will say so.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            Err(error) => Err(disk::unreadable(self.path, &error)),
        }
    }

    /// Fields at a place.
    pub(super) fn fields<const N: usize>(&self, offset: u64) -> Outcome<Fields<N>> {
        let mut bytes = [0; N];
        self.read(offset, &mut bytes)?;
        Ok(Fields(bytes))
    }
}

/// Little-endian fields; beyond the end they are zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<const N: usize>([u8; N]);

impl<const N: usize> Fields<N> {
    pub(super) fn bytes<const M: usize>(&self, at: usize) -> [u8; M] {
        self.0.get(at..).and_then(|rest| rest.first_chunk::<M>()).copied().unwrap_or([0; M])
    }

    pub(super) fn u8(&self, at: usize) -> u8 {
        u8::from_le_bytes(self.bytes(at))
    }

    pub(super) fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.bytes(at))
    }

    pub(super) fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }

    pub(super) fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes(at))
    }
}
