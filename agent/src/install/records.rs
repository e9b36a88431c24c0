//! What stands in the slots, as this agent wrote and read it back.
//!
//! `slots.json` in the state folder, replaced as a whole. A slot's entry is removed before the slot
//! is written and comes back after it was read back. Invariant: unreadable records are an error,
//! never "nothing is known", because what runs must not be guessed.

use crate::boot::Slot;
use crate::edge::{Content, Failure};
use crate::journal::write_durably;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::reason::Reason;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// What stands in the slots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// Schema version; this code writes 1.
    v: u32,
    a: Option<Sha256Digest>,
    b: Option<Sha256Digest>,
    /// The slot that holds a staged image which was not activated yet.
    pub staged: Option<Slot>,
    /// The slot to go back to.
    pub way_back: Option<Slot>,
}

impl Records {
    /// The records of a device that still has its factory image, in the slot that runs.
    #[must_use]
    pub fn factory(running: Slot, image: Option<Sha256Digest>) -> Self {
        let mut records = Self { v: 1, ..Self::default() };
        records.set(running, image);
        records
    }

    /// What stands in a slot.
    #[must_use]
    pub fn content(&self, slot: Slot) -> Content {
        let digest = match slot {
            Slot::A => self.a,
            Slot::B => self.b,
        };
        digest.map_or(Content::Unknown, Content::Image)
    }

    /// Notes what stands in a slot; none = nobody knows.
    pub const fn set(&mut self, slot: Slot, image: Option<Sha256Digest>) {
        match slot {
            Slot::A => self.a = image,
            Slot::B => self.b = image,
        }
    }

    /// Reads the records; none when there have never been any.
    ///
    /// # Errors
    /// [`Failure`] when they cannot be read or are not whole.
    pub fn read(path: &Path) -> Result<Option<Self>, Failure> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Failure::of_disk(format!("reading {}", path.display()), error));
            }
        };
        let spoilt = || format!("{} is not whole", path.display());
        let records: Self = serde_json::from_slice(&bytes)
            .map_err(|e| Failure::from_source(Reason::JournalUnreadable, spoilt(), e))?;
        if records.v == 1 {
            return Ok(Some(records));
        }
        Err(Failure::new(Reason::JournalUnreadable, spoilt()))
    }

    /// Replaces the records, durably.
    ///
    /// # Errors
    /// [`Failure`]; those before stay.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let during = || format!("writing {}", path.display());
        let bytes = serde_json::to_vec(self)
            .map_err(|e| Failure::from_source(Reason::StorageFailed, during(), e))?;
        write_durably(path, &bytes).map_err(|e| Failure::of_disk(during(), e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_back_and_torn_ones_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slots.json");
        assert_eq!(Records::read(&path).unwrap(), None);
        let mut records = Records::factory(Slot::B, Some(Sha256Digest::of(b"factory")));
        records.staged = Some(Slot::A);
        records.write(&path).unwrap();
        assert_eq!(Records::read(&path).unwrap(), Some(records));
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            write_durably(&path, &whole[..length]).unwrap();
            assert!(Records::read(&path).is_err(), "{length} bytes");
        }
    }
}
