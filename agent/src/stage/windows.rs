//! Staging by windows: a container's windows come straight to the place of the image.
//!
//! The head of the full container is checked against the offline-signed digest first; it names the
//! digest of every window. What a delta brings is compared with those digests before it is written,
//! and what it does not bring comes from the full file. Windows do not depend on each other, so a
//! staging goes on wherever line or power broke ([`bookmark`]). Not here: which delta
//! ([`choice`]), opening the place and reading it back as a whole (its installer).
//! Invariant: a window is written only with the digest that was signed offline, and memory does not
//! grow with the image.

mod bookmark;
pub mod choice;
mod pass;
mod place;
mod table;

pub use bookmark::Chosen;
pub use place::Place;
pub use table::Table;

use self::bookmark::{Bookmark, Subject, Way};
use self::pass::{By, Pass, Work};
use self::place::Until;
use super::fetch::clear;
use super::{FetchError, Line};
use patchward_protocol::delta::apply::{Base, NoBase};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::ledger::Carried;
use patchward_protocol::reason::Reason;
use patchward_protocol::tuf::lookup::ImageTarget;
use patchward_protocol::verified::Verified;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Most bytes of windows that are looked at again after a crash, beyond those surely on the medium.
const REDONE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Looks for windows of a delta that bring none, after which the full file is taken.
const TRIES_MAX: u32 = 3;

/// Ending of the file in the spool that remembers a staging.
const ENDING: &str = "windows";

/// An image on its way, window by window.
#[derive(Debug)]
pub struct Windows {
    full: Table,
    place: Place,
    mark: Bookmark,
    path: PathBuf,
}

/// How far a staging is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Windows of the image.
    pub windows: u32,
    /// How many of them stand at their place.
    pub windows_done: u32,
    /// Bytes fetched so far.
    pub fetched_bytes: u64,
    /// Length of the full file in bytes.
    pub full_bytes: u64,
}

/// What is to be done about a delta.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Choose one, or say why not.
    Choose,
    /// Fetch by this one.
    Delta(Chosen),
    /// Fetch from the full file.
    Full,
}

/// The old image: a file or block device.
#[derive(Debug)]
pub struct OldImage(pub File);

impl Base for OldImage {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(into, offset)
    }
}

impl Progress {
    /// How far the staging in this spool is, as it was last noted; none when there is none.
    #[must_use]
    pub fn of_spool(spool: &Path) -> Option<Self> {
        let mut files = std::fs::read_dir(spool).ok()?.filter_map(Result::ok);
        let ours = |path: &PathBuf| path.extension().is_some_and(|ending| ending == ENDING);
        let path = files.find_map(|entry| Some(entry.path()).filter(ours))?;
        Bookmark::peek(&path).map(|mark| mark.progress())
    }
}

impl Table {
    /// Whether this is the container of the image, and one that this device can unpack.
    ///
    /// # Errors
    /// [`FetchError::Release`], [`FetchError::Memory`].
    pub fn fits(&self, image: &ImageTarget, memory_bytes_max: u64) -> Result<(), FetchError> {
        let (header, payload) = (self.header(), &image.firmware.payload);
        if header.old.is_some() {
            return Err(FetchError::Release("its container needs an old image"));
        }
        let is_new = header.new.sha256 == payload.image_sha256;
        if !is_new || header.new.length != payload.image_length {
            return Err(FetchError::Release("its container is of another image"));
        }
        let needs_bytes = header.memory_bytes();
        if needs_bytes > memory_bytes_max {
            return Err(FetchError::Memory { needs_bytes, limit_bytes: memory_bytes_max });
        }
        Ok(())
    }
}

impl Windows {
    /// Goes on with what is remembered of this staging, or begins; other downloads are removed.
    /// `fetched_bytes` is what the head has cost.
    ///
    /// # Errors
    /// The disk.
    pub async fn open(
        spool: &Path,
        image: &Verified<ImageTarget>,
        full: Table,
        place: Place,
        fetched_bytes: u64,
    ) -> Result<Self, FetchError> {
        let of = Subject {
            image_sha256: image.firmware.payload.image_sha256,
            table_sha256: image.firmware.payload.table_sha256.unwrap_or(image.sha256),
            place: place.path().to_owned(),
            windows: full.header().frames,
            full_bytes: image.length,
        };
        let path = spool.join(format!("{}.{ENDING}", image.sha256));
        let kept = Bookmark::read(&path, &of);
        let goes_on = kept.is_some();
        let mut mark = kept.unwrap_or_else(|| Bookmark::begin(of));
        mark.fetched_bytes = mark.fetched_bytes.saturating_add(fetched_bytes);
        let mut windows = Self { full, place, mark, path };
        windows.clear(spool)?;
        if goes_on {
            windows.catch_up().await?;
        }
        Ok(windows)
    }

    /// What is to be done about a delta.
    #[must_use]
    pub fn next(&self) -> Next {
        match &self.mark.way {
            Way::Open => Next::Choose,
            Way::Delta(chosen) => Next::Delta(chosen.clone()),
            Way::Full => Next::Full,
        }
    }

    /// Windows come by this delta, as far as it goes.
    pub fn choose(&mut self, chosen: Chosen) {
        (self.mark.way, self.mark.next) = (Way::Delta(chosen), 0);
    }

    /// What is missing comes from the full file; the reason stands in the ledger.
    pub fn refuse(&mut self, why_not: Option<Reason>) {
        if let Some(reason) = why_not {
            tracing::info!(reason = reason.code(), "the full image is taken");
            self.mark.because(reason);
        }
        (self.mark.way, self.mark.next) = (Way::Full, 0);
    }

    /// Whether a delta is worth another look after those that brought no window; counts this one,
    /// durably.
    ///
    /// # Errors
    /// The disk.
    pub fn tries_delta(&mut self) -> Result<bool, FetchError> {
        self.mark.tries = self.mark.tries.saturating_add(1);
        self.mark.write(&self.path)?;
        Ok(self.mark.tries <= TRIES_MAX)
    }

    /// A look at the delta brought enough to be another one's beginning: those before do not count.
    ///
    /// # Errors
    /// The disk.
    pub fn delta_comes(&mut self) -> Result<(), FetchError> {
        self.mark.tries = 0;
        self.mark.write(&self.path)
    }

    /// The offline-signed table.
    #[must_use]
    pub const fn full(&self) -> &Table {
        &self.full
    }

    /// Counts what came besides windows, in bytes.
    pub const fn count_fetched(&mut self, bytes: u64) {
        self.mark.fetched_bytes = self.mark.fetched_bytes.saturating_add(bytes);
    }

    /// Fetches windows by a delta, as far as it goes. When the future is dropped, what came is kept.
    ///
    /// # Errors
    /// [`FetchError`]; what came is kept.
    pub async fn by_delta(
        &mut self,
        line: &mut Line<'_>,
        delta: &Table,
        base: impl Base,
    ) -> Result<(), FetchError> {
        let Self { full, place, mark, path } = self;
        let work = Work { by: By::Delta, from: delta, full, place, mark, path };
        let mut pass = Pass::begin(work, base)?;
        line.bring(delta.remote(), &mut pass).await?;
        pass.end()
    }

    /// Fetches the windows that are missing from the full file. When the future is dropped, what
    /// came is kept.
    ///
    /// # Errors
    /// [`FetchError`]; what came is kept.
    pub async fn by_full(&mut self, line: &mut Line<'_>) -> Result<(), FetchError> {
        let Self { full, place, mark, path } = self;
        let work = Work { by: By::Full, from: full, full, place, mark, path };
        let mut pass = Pass::begin(work, NoBase)?;
        line.bring(full.remote(), &mut pass).await?;
        pass.end()
    }

    /// The place, read back, is not what was signed: looks for the windows that are wrong, and
    /// forgets them. Returns how many there are.
    ///
    /// # Errors
    /// The disk.
    pub async fn forget_faults(&mut self) -> Result<u32, FetchError> {
        let done = (0..self.full.header().frames).filter(|index| self.mark.done.has(*index));
        let faults = self.place.faults(&self.full, done.collect(), Until::TheEnd).await?;
        for index in &faults {
            self.mark.done.remove(*index);
        }
        self.mark.next = 0;
        self.mark.write(&self.path)?;
        Ok(u32::try_from(faults.len()).unwrap_or(u32::MAX))
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.mark.progress()
    }

    /// How the image came, and why not, or not only, by a delta.
    #[must_use]
    pub fn carried(&self) -> (Carried, Option<Reason>) {
        let Progress { windows, fetched_bytes, full_bytes, .. } = self.progress();
        let (delta_sha256, windows_full) = (self.mark.delta_sha256, self.mark.windows_full);
        let windows_full = windows_full.min(windows);
        let carried = Carried { delta_sha256, fetched_bytes, full_bytes, windows, windows_full };
        (carried, self.mark.why_not)
    }

    /// After a crash more may stand there than is remembered: looks at what would have come next.
    async fn catch_up(&mut self) -> Result<(), FetchError> {
        let header = *self.full.header();
        let most = u32::try_from(REDONE_BYTES_MAX / u64::from(header.window)).unwrap_or(u32::MAX);
        let ahead = self.mark.next..header.frames;
        let missing: Vec<u32> = ahead
            .filter(|index| !self.mark.done.has(*index))
            .take(usize::try_from(most).unwrap_or(usize::MAX))
            .collect();
        self.place.sync()?;
        let faults = self.place.faults(&self.full, missing.clone(), Until::FirstFault).await?;
        let first = faults.first().copied().unwrap_or(u32::MAX);
        for index in missing.into_iter().take_while(|index| *index < first) {
            self.mark.done.add(index);
            match &self.mark.way {
                Way::Delta(chosen) => self.mark.delta_sha256 = Some(chosen.remote().sha256),
                Way::Open | Way::Full => self.mark.windows_full += 1,
            }
        }
        Ok(())
    }

    /// Removes what belongs to other downloads.
    fn clear(&self, spool: &Path) -> Result<(), FetchError> {
        let mut keep = vec![self.full.remote().sha256];
        keep.push(self.mark.of.image_sha256);
        if let Way::Delta(chosen) = &self.mark.way {
            keep.extend([chosen.remote().sha256, chosen.from_sha256]);
        }
        let ours = |name: &str| keep.iter().any(|sha256| begins_with(name, *sha256));
        clear(spool, ours).map_err(|source| FetchError::Spool {
            during: "clearing",
            path: spool.to_owned(),
            source,
        })
    }
}

fn begins_with(name: &str, sha256: Sha256Digest) -> bool {
    name.split('.').next().is_some_and(|first| first == sha256.to_string())
}

#[cfg(test)]
mod tests;
