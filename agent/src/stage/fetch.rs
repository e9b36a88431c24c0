//! One file on its way into the spool.
//!
//! [`Fetch`] knows how much is there and its digest so far; it may be dropped or interrupted at any
//! moment and begun again. Invariant: at most the signed length is ever written.

use super::FetchError;
use super::resume::{Line, Missing, Remote, Taker, Want};
use crate::journal::write_durably;
use crate::link::http::Piece;
use crate::storage::{self, Flush, Paced};
use patchward_protocol::digest::{Sha256Digest, Sha256Hasher};
use patchward_protocol::tuf::lookup::ImageTarget;
use patchward_protocol::verified::Verified;
use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// A file on its way.
#[derive(Debug)]
pub struct Fetch {
    wanted: Wanted,
    place: Place,
    file: Paced,
    hasher: Sha256Hasher,
    have_bytes: u64,
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

impl Fetch {
    /// Goes on with what the spool holds of this file, or begins; other downloads are removed.
    ///
    /// # Errors
    /// [`FetchError::Spool`]; the disk is full already or fails.
    pub async fn begin(spool: &Path, image: &Verified<ImageTarget>) -> Result<Self, FetchError> {
        let wanted = Wanted { length: image.length, sha256: image.sha256 };
        let spool = spool.to_owned();
        let path = spool.clone();
        let begun = storage::blocking(move || Self::open(&spool, wanted)).await;
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
        line: &mut Line<'_>,
        url_path: &str,
    ) -> Result<PathBuf, FetchError> {
        let Wanted { length, sha256 } = self.wanted;
        let remote = Remote { url_path: url_path.to_owned(), length, sha256 };
        let brought = line.bring(&remote, self).await;
        brought.map_err(|error| self.give_up(error))?;
        self.complete()
    }

    fn open(spool: &Path, wanted: Wanted) -> Result<Self, FetchError> {
        let place = Place {
            part: spool.join(format!("{}.part", wanted.sha256)),
            durable: spool.join(format!("{}.len", wanted.sha256)),
        };
        let failed = |during, path: &Path| {
            let path = path.to_owned();
            move |source| FetchError::Spool { during, path, source }
        };
        std::fs::create_dir_all(spool).map_err(failed("making the folder", spool))?;
        let ours =
            |name: &str| [&place.part, &place.durable].iter().any(|path| path.ends_with(name));
        clear(spool, ours).map_err(failed("clearing", spool))?;
        let reading = || failed("reading", &place.part);
        let mut file = super::open_own(&place.part).map_err(reading())?;
        let there = file.metadata().map_err(reading())?.len();
        let have_bytes = there.min(durable_bytes(&place.durable)).min(wanted.length);
        let missing = wanted.length.saturating_sub(have_bytes);
        file.set_len(have_bytes).map_err(reading())?;
        storage::need_space(spool, missing).map_err(failed("making room for", &place.part))?;
        let mut hasher = Sha256Hasher::new();
        storage::hash_next(&mut file, have_bytes, &mut hasher).map_err(reading())?;
        Ok(Self { wanted, place, file: Paced::new(file), hasher, have_bytes })
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
            FetchError::Container(_)
            | FetchError::Window { .. }
            | FetchError::Memory { .. }
            | FetchError::Release(_)
            | FetchError::Refused { .. }
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

impl Taker for Fetch {
    fn missing(&mut self) -> Result<Missing, FetchError> {
        let missing = self.have_bytes..self.wanted.length;
        Ok(if missing.is_empty() { Missing::Nothing } else { Missing::Bytes(missing) })
    }

    fn take(&mut self, piece: Piece<'_>) -> Result<Want, FetchError> {
        match piece {
            Piece::From(byte) if byte == self.have_bytes => {}
            Piece::From(0) => self.start_over()?,
            Piece::From(_) => return Err(FetchError::Mismatch("it begins elsewhere")),
            Piece::Bytes(bytes) => {
                let have_bytes = self.have_bytes.saturating_add(storage::length(bytes));
                if have_bytes > self.wanted.length {
                    return Err(FetchError::Mismatch("it is longer"));
                }
                let flush = self.file.put(bytes).map_err(|e| self.failed("writing", e))?;
                self.hasher.update(bytes);
                self.have_bytes = have_bytes;
                if flush == Flush::Done {
                    self.note_durable()?;
                }
            }
        }
        Ok(Want::More)
    }

    fn out_of_range(&mut self) -> Result<(), FetchError> {
        self.start_over()
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

/// What was surely on the medium; anything unreadable counts as nothing.
fn durable_bytes(path: &Path) -> u64 {
    std::fs::read_to_string(path).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Removes all files of the spool but those with such a name.
pub(super) fn clear(spool: &Path, keep: impl Fn(&str) -> bool) -> io::Result<()> {
    for entry in std::fs::read_dir(spool)? {
        let entry = entry?;
        let kept = entry.file_name().to_str().is_some_and(&keep);
        if !kept && !entry.path().is_dir() {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
