//! One file on its way into the spool.
//!
//! [`Fetch`] knows how much is there and its digest so far; it may be dropped or interrupted at any
//! moment and begun again. Invariant: at most the signed length is ever written.

use super::{FetchError, PROGRESS_BYTES_MIN, RESUMES_MAX};
use crate::journal::write_durably;
use crate::link::error::LinkError;
use crate::link::http::{Client, Download, From, Piece};
use crate::storage::{self, Flush, Paced};
use hyper::header::HeaderName;
use patchward_protocol::digest::{Sha256Digest, Sha256Hasher};
use patchward_protocol::tuf::lookup::ImageTarget;
use patchward_protocol::verified::Verified;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Pauses between resumes that brought nothing: each twice as long as the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// The first.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Default for Pause {
    fn default() -> Self {
        Self { first: Duration::from_millis(250), longest: Duration::from_secs(15) }
    }
}

/// A file on its way.
#[derive(Debug)]
pub struct Fetch {
    wanted: Wanted,
    place: Place,
    file: Paced,
    hasher: Sha256Hasher,
    have_bytes: u64,
    pause: Pause,
}

/// The signed file.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    length: u64,
    sha256: Sha256Digest,
}

/// Where it is kept.
#[derive(Debug, Clone)]
struct Place {
    part: PathBuf,
    durable: PathBuf,
}

/// What follows from an answer of the server.
enum Next {
    Complete,
    Resume(Option<LinkError>),
}

impl Fetch {
    /// Goes on with what the spool holds of this file, or begins; other downloads are removed.
    ///
    /// # Errors
    /// [`FetchError::Spool`]; the disk is full already or fails.
    pub async fn begin(
        spool: &Path,
        image: &Verified<ImageTarget>,
        pause: Pause,
    ) -> Result<Self, FetchError> {
        let wanted = Wanted { length: image.length, sha256: image.sha256 };
        let spool = spool.to_owned();
        let path = spool.clone();
        let begun = storage::blocking(move || Self::open(&spool, wanted, pause)).await;
        begun.map_err(|source| FetchError::Spool { during: "reading", path, source })?
    }

    /// How much of the file is there, in bytes.
    #[must_use]
    pub const fn have_bytes(&self) -> u64 {
        self.have_bytes
    }

    /// Fetches what is missing. When the future is dropped, what came is kept: call it again.
    ///
    /// # Errors
    /// [`FetchError`]; what came is kept where it can still be the signed file.
    pub async fn run(
        &mut self,
        client: &mut Client,
        url_path: &str,
        headers: &[(HeaderName, &str)],
    ) -> Result<PathBuf, FetchError> {
        let etag = format!("\"{}\"", self.wanted.sha256);
        let (mut idle, mut mark, mut pause) = (0, self.have_bytes, self.pause.first);
        while self.have_bytes < self.wanted.length {
            let from = From { byte: self.have_bytes, if_etag: Some(&etag) };
            let (mut fault, most) = (None, self.wanted.length);
            let came = client
                .get_range(url_path, from, most, headers, |piece| {
                    self.take(piece).map_err(|error| {
                        fault = Some(error);
                        io::Error::other("refused")
                    })
                })
                .await;
            if let Some(error) = fault {
                return Err(self.give_up(error));
            }
            let last = match self.next(came)? {
                Next::Complete => break,
                Next::Resume(last) => last,
            };
            if self.have_bytes >= mark.saturating_add(PROGRESS_BYTES_MIN) {
                (idle, mark, pause) = (0, self.have_bytes, self.pause.first);
                continue;
            }
            idle += 1;
            mark = mark.min(self.have_bytes);
            if idle >= RESUMES_MAX {
                return Err(FetchError::NoProgress(last));
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(self.pause.longest);
        }
        self.complete()
    }

    fn open(spool: &Path, wanted: Wanted, pause: Pause) -> Result<Self, FetchError> {
        let place = Place {
            part: spool.join(format!("{}.part", wanted.sha256)),
            durable: spool.join(format!("{}.len", wanted.sha256)),
        };
        let failed = |during, path: &Path| {
            let path = path.to_owned();
            move |source| FetchError::Spool { during, path, source }
        };
        std::fs::create_dir_all(spool).map_err(failed("making the folder", spool))?;
        clear(spool, &[&place.part, &place.durable]).map_err(failed("clearing", spool))?;
        let reading = || failed("reading", &place.part);
        let mut file = open_part(&place.part).map_err(reading())?;
        let there = file.metadata().map_err(reading())?.len();
        let have_bytes = there.min(durable_bytes(&place.durable)).min(wanted.length);
        let missing = wanted.length.saturating_sub(have_bytes);
        file.set_len(have_bytes).map_err(reading())?;
        storage::need_space(spool, missing).map_err(failed("making room for", &place.part))?;
        let mut hasher = Sha256Hasher::new();
        storage::hash_next(&mut file, have_bytes, &mut hasher).map_err(reading())?;
        Ok(Self { wanted, place, file: Paced::new(file), hasher, have_bytes, pause })
    }

    fn take(&mut self, piece: Piece<'_>) -> Result<(), FetchError> {
        match piece {
            Piece::From(byte) if byte == self.have_bytes => Ok(()),
            Piece::From(0) => self.start_over(),
            Piece::From(_) => Err(FetchError::Mismatch("it begins elsewhere")),
            Piece::Bytes(bytes) => {
                let have_bytes = self.have_bytes.saturating_add(storage::length(bytes));
                if have_bytes > self.wanted.length {
                    return Err(FetchError::Mismatch("it is longer"));
                }
                let flush = self.file.put(bytes).map_err(|e| self.failed("writing", e))?;
                self.hasher.update(bytes);
                self.have_bytes = have_bytes;
                match flush {
                    Flush::Done => self.note_durable(),
                    Flush::Due => Ok(()),
                }
            }
        }
    }

    fn next(&mut self, came: Result<Download, LinkError>) -> Result<Next, FetchError> {
        let download = match came {
            Ok(download) => download,
            Err(error) => return self.after_fault(error).map(|error| Next::Resume(Some(error))),
        };
        match download.status {
            200 | 206 if self.have_bytes == self.wanted.length => Ok(Next::Complete),
            200 | 206 => Ok(Next::Resume(None)),
            416 => self.start_over().map(|()| Next::Resume(None)),
            status @ (429 | 503) => {
                Err(FetchError::Later { status, after_s: download.retry_after_s })
            }
            500..=599 => Ok(Next::Resume(None)),
            status => Err(FetchError::Refused { status }),
        }
    }

    /// Which faults of the line are worth another try.
    fn after_fault(&mut self, error: LinkError) -> Result<LinkError, FetchError> {
        let worth_it = matches!(
            error,
            LinkError::Connect { .. }
                | LinkError::Timeout { .. }
                | LinkError::TooSlow { .. }
                | LinkError::WrongRange { .. }
                | LinkError::Http(_)
        );
        if worth_it {
            return Ok(error);
        }
        if matches!(error, LinkError::TooLong { .. }) {
            return Err(self.give_up(FetchError::Mismatch("it is longer")));
        }
        Err(FetchError::Link(error))
    }

    fn complete(&mut self) -> Result<PathBuf, FetchError> {
        self.file.flush().map_err(|e| self.failed("flushing", e))?;
        self.note_durable()?;
        if self.hasher.clone().finish() != self.wanted.sha256 {
            return Err(self.give_up(FetchError::Mismatch("its digest differs")));
        }
        storage::forget_cache(self.file.file());
        Ok(self.place.part.clone())
    }

    fn note_durable(&self) -> Result<(), FetchError> {
        let text = self.have_bytes.to_string();
        write_durably(&self.place.durable, text.as_bytes()).map_err(|e| self.failed("noting", e))
    }

    /// Throws away what is there.
    fn start_over(&mut self) -> Result<(), FetchError> {
        self.hasher = Sha256Hasher::new();
        self.have_bytes = 0;
        self.note_durable()?;
        let file = self.file.file();
        let emptied = file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0)));
        emptied.map(drop).map_err(|e| self.failed("emptying", e))
    }

    /// What is of no use is removed: a wrong file, and everything when the disk is full, because
    /// the device needs the space more than the update does.
    fn give_up(&mut self, error: FetchError) -> FetchError {
        match error {
            FetchError::Mismatch(_) | FetchError::Spool { .. } => {
                self.hasher = Sha256Hasher::new();
                self.have_bytes = 0;
                let file = self.file.file();
                // The error that led here is the one to tell.
                let _emptied = file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0)));
                let _removed = std::fs::remove_file(&self.place.durable);
            }
            FetchError::Refused { .. }
            | FetchError::Later { .. }
            | FetchError::NoProgress(_)
            | FetchError::Link(_) => {}
        }
        error
    }

    fn failed(&self, during: &'static str, source: io::Error) -> FetchError {
        FetchError::Spool { during, path: self.place.part.clone(), source }
    }
}

impl Drop for Fetch {
    /// What came stays: a slow line must make progress however often it is interrupted.
    fn drop(&mut self) {
        if self.file.is_dirty() && self.file.flush().is_ok() {
            // What is not noted is fetched again.
            let _unnoted = self.note_durable();
        }
    }
}

/// Opens the file for going on, never through a link.
fn open_part(path: &Path) -> io::Result<File> {
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?.into())
}

/// What was surely on the medium; anything unreadable counts as nothing.
fn durable_bytes(path: &Path) -> u64 {
    std::fs::read_to_string(path).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Removes all files of the spool but these.
pub(super) fn clear(spool: &Path, keep: &[&Path]) -> io::Result<()> {
    for entry in std::fs::read_dir(spool)? {
        let path = entry?.path();
        if !keep.contains(&path.as_path()) && !path.is_dir() {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
