//! Staging: the signed file comes onto the device, whole, whatever happens to line and power.
//!
//! A file that is the image comes into the spool first: `{sha256}.part` and `{sha256}.len`, its
//! length that is surely on the medium; bytes beyond that are fetched again. A container comes
//! window by window to its place ([`windows`]). The spool holds one download. Not here: what is done
//! with the file ([`crate::install`]). Invariant: [`Fetch::run`] gives a path only after the whole
//! file was hashed and equals the signed target.

#[cfg(test)]
pub(crate) mod double;
mod fetch;
mod resume;
pub mod windows;

pub use fetch::Fetch;
pub use resume::{Line, Pause, Remote};

use crate::edge::Failure;
use crate::link::error::LinkError;
use patchward_protocol::delta::apply::FrameError;
use patchward_protocol::delta::format::FormatError;
use patchward_protocol::reason::Reason;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Resumes without progress after which fetching is given up for now.
pub const RESUMES_MAX: u32 = 10;
/// Bytes that count as progress.
pub const PROGRESS_BYTES_MIN: u64 = 64 * 1024;

/// Why a file is not there yet.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The spool, or the place of the image, could not be read or written.
    #[error("{during} {path}")]
    Spool {
        /// What was being done.
        during: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What came is not the signed file; it was thrown away.
    #[error("what the server sent is not the signed file: {0}")]
    Mismatch(&'static str),
    /// The server does not have it, or does not give it to this device.
    #[error("the server answered {status}")]
    Refused {
        /// The status.
        status: u16,
    },
    /// The server asks to come later.
    #[error("the server answered {status} and asks to come later")]
    Later {
        /// The status.
        status: u16,
        /// In how many seconds.
        after_s: Option<u64>,
    },
    /// What came as the head of a container is not the signed one, or none that this agent can use.
    #[error("the head of the container is not usable")]
    Container(#[from] FormatError),
    /// A window of the full container was not made.
    #[error("window {index} of the container")]
    Window {
        /// Which, from 0.
        index: u32,
        /// Why.
        #[source]
        source: FrameError,
    },
    /// The container needs more memory than this device gives.
    #[error("unpacking needs {needs_bytes} bytes of memory, this device gives {limit_bytes}")]
    Memory {
        /// What it needs.
        needs_bytes: u64,
        /// What there is.
        limit_bytes: u64,
    },
    /// The signed release contradicts itself.
    #[error("the signed release contradicts itself: {0}")]
    Release(&'static str),
    /// Many resumes brought nothing.
    #[error("{RESUMES_MAX} resumes brought no progress")]
    NoProgress(#[source] Option<LinkError>),
    /// The line to the server fails in a way that trying again does not mend.
    #[error("the file could not be fetched")]
    Link(#[source] LinkError),
}

impl FetchError {
    /// What people are told.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Spool { source, .. } if is_full(source) => Reason::DiskFull,
            Self::Spool { .. } => Reason::StorageFailed,
            Self::Container(FormatError::Feature(_) | FormatError::Version(_))
            | Self::Release(_) => Reason::ReleaseMalformed,
            Self::Mismatch(_)
            | Self::Container(_)
            | Self::Window { source: FrameError::Payload, .. } => Reason::DownloadMismatch,
            Self::Memory { .. } | Self::Window { source: FrameError::Memory, .. } => {
                Reason::ImageMemory
            }
            Self::Window { .. } => Reason::ReleaseMalformed,
            Self::Link(LinkError::NotTrusted { .. }) => Reason::ServerNotTrusted,
            Self::Refused { .. } | Self::Later { .. } | Self::NoProgress(_) | Self::Link(_) => {
                Reason::ServerUnreachable
            }
        }
    }

    /// How long the server asks to wait, in seconds.
    #[must_use]
    pub const fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::Later { after_s, .. } => *after_s,
            Self::Spool { .. }
            | Self::Mismatch(_)
            | Self::Container(_)
            | Self::Window { .. }
            | Self::Memory { .. }
            | Self::Release(_)
            | Self::Refused { .. }
            | Self::NoProgress(_)
            | Self::Link(_) => None,
        }
    }
}

/// Removes all downloads.
///
/// # Errors
/// What the disk says; that there is no spool is no error.
pub fn clear(spool: &Path) -> io::Result<()> {
    if spool.exists() { fetch::clear(spool, |_name| false) } else { Ok(()) }
}

/// Opens a file of the spool for going on with it, never through a link.
///
/// # Errors
/// What the disk says; a link stands there.
pub fn open_own(path: &Path) -> io::Result<File> {
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?.into())
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self::from_source(error.reason(), "fetching the image", error)
    }
}
