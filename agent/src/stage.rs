//! Staging: the signed file comes into the spool, whole, whatever happens to line and power.
//!
//! The spool holds one download: `{sha256}.part` and `{sha256}.len`, its length that is surely on
//! the medium. Bytes beyond that are fetched again. Not here: what is done with the file
//! ([`crate::install`]). Invariant: [`Fetch::run`] gives a path only after the whole file was
//! hashed and equals the signed target.

mod fetch;

pub use fetch::{Fetch, Pause};

use crate::edge::Failure;
use crate::link::error::LinkError;
use patchward_protocol::reason::Reason;
use std::io;
use std::path::{Path, PathBuf};

/// Resumes without progress after which fetching is given up for now.
pub const RESUMES_MAX: u32 = 10;
/// Bytes that count as progress.
pub const PROGRESS_BYTES_MIN: u64 = 64 * 1024;

/// Why a file is not there yet.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The spool could not be read or written.
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
            Self::Mismatch(_) => Reason::DownloadMismatch,
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
    if spool.exists() { fetch::clear(spool, &[]) } else { Ok(()) }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self::from_source(error.reason(), "fetching the image", error)
    }
}
