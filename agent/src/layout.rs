//! Where everything stands below the state folder, and the lock on it.
//!
//! Invariant: one agent at a time works in a state folder.

use rustix::fs::{FlockOperation, Mode, OFlags};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// The state folder.
#[derive(Debug, Clone)]
pub struct Layout {
    folder: PathBuf,
}

/// The lock on a state folder; it ends with the process.
#[derive(Debug)]
pub struct Lock {
    _file: rustix::fd::OwnedFd,
}

macro_rules! places {
    ($($(#[$doc:meta])* $name:ident, $file:literal;)*) => {
        impl Layout {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $name(&self) -> PathBuf {
                    self.folder.join($file)
                }
            )*
        }
    };
}

places! {
    /// The journal.
    journal, "state.json";
    /// Device key, link key, name of the ledger.
    keys, "keys";
    /// The site that was joined.
    membership, "membership.json";
    /// The site root that was pinned at enrolment.
    site_root, "site.root.json";
    /// Trusted metadata.
    trust, "trust";
    /// Approvals, by digest.
    approvals, "trust/approvals";
    /// The ledger's segments.
    ledger, "ledger";
    /// Refusals of the last days.
    refusals, "refusals.json";
    /// The last receipt.
    receipt, "receipt.json";
    /// The last checkpoint of the site's record that continued the one before.
    record_checkpoint, "record.checkpoint";
    /// Two checkpoints that contradict each other.
    record_split, "record.split.json";
    /// Holds of the hospital that were heard and not lifted.
    holds, "holds.json";
    /// Proofs of waves, by digest.
    proofs, "trust/proofs";
    /// What `status` shows.
    status, "status.json";
    /// Held while an agent runs.
    lock_file, "lock";
}

impl Layout {
    /// The state folder at a path.
    #[must_use]
    pub fn new(state_dir: &Path) -> Self {
        Self { folder: state_dir.to_owned() }
    }

    /// The folder itself.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the folder, readable by its owner only.
    ///
    /// # Errors
    /// What the disk says.
    pub fn make(&self) -> io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)
    }

    /// Takes the lock; none when another agent holds it.
    ///
    /// # Errors
    /// What the disk says.
    pub fn lock(&self) -> io::Result<Option<Lock>> {
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = rustix::fs::open(self.lock_file(), flags, Mode::RUSR | Mode::WUSR)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
