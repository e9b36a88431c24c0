//! Journal and ledger as files.

use super::core::Disk;
use crate::edge::Failure;
use crate::journal::{Journal, JournalError, PendingEntry};
use crate::ledger::{Ledger, LedgerError};
use patchward_protocol::reason::Reason;
use std::path::PathBuf;

/// Journal and ledger of the state folder.
#[derive(Debug)]
pub struct FileDisk {
    /// The journal's path.
    pub journal: PathBuf,
    /// The ledger.
    pub ledger: Ledger,
}

impl Disk for FileDisk {
    fn write_journal(&mut self, journal: &Journal) -> Result<(), Failure> {
        journal.write(&self.journal).map_err(|error| match error {
            JournalError::Write { path, source } => {
                Failure::of_disk(format!("writing {}", path.display()), source)
            }
            error @ (JournalError::Read { .. }
            | JournalError::Spoilt { .. }
            | JournalError::TooLong { .. }) => {
                Failure::from_source(Reason::JournalUnreadable, "writing the journal", error)
            }
        })
    }

    fn last_seq(&self) -> u64 {
        self.ledger.chain().seq
    }

    fn append(&mut self, seq: u64, entry: &PendingEntry) -> Result<(), Failure> {
        let appended = self.ledger.append(seq, entry).map_err(|error| match error {
            LedgerError::Disk { path, source } => {
                Failure::of_disk(format!("appending to {}", path.display()), source)
            }
            error @ LedgerError::Full { .. } => {
                Failure::from_source(Reason::LedgerFull, "appending to the ledger", error)
            }
            error @ (LedgerError::Damaged { .. }
            | LedgerError::Entry { .. }
            | LedgerError::Chain(_)
            | LedgerError::Seal(_)
            | LedgerError::Position { .. }) => {
                Failure::from_source(Reason::StorageFailed, "appending to the ledger", error)
            }
        });
        appended.map(|_sealed| ())
    }
}
