//! The place that windows are written to: the inactive slot, or an archive in the spool.
//!
//! Not here: opening it, which its installer does, unbootable first. Invariant: a window is written
//! only by [`Place::put`], which the callers give verified windows.

use super::table::Table;
use crate::stage::FetchError;
use crate::storage::{self, Flush, Paced, forget_cache};
use patchward_protocol::digest::Sha256Digest;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// A place, opened for reading and writing.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    paced: Paced,
}

impl Place {
    /// The place at `path`, as it was opened.
    #[must_use]
    pub const fn new(path: PathBuf, file: File) -> Self {
        Self::paced(path, Paced::new(file))
    }

    /// The place at `path`, flushed as `paced` says.
    #[must_use]
    pub const fn paced(path: PathBuf, paced: Paced) -> Self {
        Self { path, paced }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a verified window, and flushes when it is time.
    pub(super) fn put(&mut self, offset: u64, window: &[u8]) -> Result<Flush, FetchError> {
        let put = self.paced.put_at(offset, window);
        put.map_err(|source| self.failed("writing", source))
    }

    /// Flushes what was written; the cached bytes are forgotten, so that they come from the medium
    /// when they are read again.
    pub(super) fn flush(&mut self) -> Result<(), FetchError> {
        if self.paced.is_dirty() { self.sync() } else { Ok(()) }
    }

    /// Flushes whatever was written, by an agent before this one too.
    pub(super) fn sync(&mut self) -> Result<(), FetchError> {
        self.paced.flush().map_err(|source| self.failed("flushing", source))?;
        forget_cache(self.paced.file());
        Ok(())
    }

    /// Which of these windows do not stand here as the table says, read from the medium. With
    /// [`Until::FirstFault`] it ends at the first of them.
    pub(super) async fn faults(
        &mut self,
        table: &Table,
        windows: Vec<u32>,
        until: Until,
    ) -> Result<Vec<u32>, FetchError> {
        let file = self.paced.file().try_clone();
        let file = file.map_err(|source| self.failed("reading", source))?;
        let (table, path) = (table.another()?, self.path.clone());
        let looked = storage::blocking(move || {
            forget_cache(&file);
            let mut buffer = Vec::new();
            let mut faults = Vec::new();
            for index in windows {
                let stands = stands(&file, &table, index, &mut buffer);
                if !stands.map_err(|error| error.at(&path))? {
                    faults.push(index);
                    if until == Until::FirstFault {
                        break;
                    }
                }
            }
            Ok(faults)
        });
        looked.await.map_err(|source| self.failed("reading", source))?
    }

    pub(super) fn failed(&self, during: &'static str, source: io::Error) -> FetchError {
        FetchError::Spool { during, path: self.path.clone(), source }
    }
}

/// How far windows are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// All of them.
    TheEnd,
    /// Up to the first that is wrong.
    FirstFault,
}

enum Odd {
    Table(FetchError),
    Place(io::Error),
}

impl Odd {
    fn at(self, path: &Path) -> FetchError {
        match self {
            Self::Table(error) => error,
            Self::Place(source) => {
                FetchError::Spool { during: "reading", path: path.to_owned(), source }
            }
        }
    }
}

fn stands(place: &File, table: &Table, index: u32, buffer: &mut Vec<u8>) -> Result<bool, Odd> {
    let frame = table.frame(index).map_err(Odd::Table)?;
    let Range { start, .. } = table.header().window_at(index).unwrap_or_default();
    buffer.resize(usize::try_from(frame.raw_len).unwrap_or(0), 0);
    match place.read_exact_at(buffer, start) {
        Ok(()) => Ok(Some(Sha256Digest::of(buffer)) == frame.output_sha256),
        // It does not reach that far yet.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(Odd::Place(error)),
    }
}
