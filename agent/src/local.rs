//! What people at the device say: hold, accept, serviced. Files in the state folder.
//!
//! The command line writes them, without a key, a server or a running agent; the driver looks at
//! every tick and right before the write of no return. Stopping needs nobody's consent.
//! Not here: what follows. Invariant: an unreadable hold is a hold.

use crate::journal::{remove_durably, write_durably};
use patchward_protocol::id::PersonId;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// The folder of the files.
#[derive(Debug, Clone)]
pub struct Local {
    folder: PathBuf,
}

/// A hold set at the device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hold {
    /// Who set it, if they said.
    pub by: Option<PersonId>,
    /// Why, if they said. Never a patient's name.
    pub why: Option<String>,
}

/// A person's word on an update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Who.
    pub by: PersonId,
    /// What.
    pub says: Says,
}

/// What a person says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Says {
    /// The device is released for clinical use.
    Accept,
    /// It is not.
    Reject,
    /// The device was looked after and may go on.
    Serviced,
}

impl Local {
    /// The files of a state folder.
    #[must_use]
    pub fn new(state_dir: &Path) -> Self {
        Self { folder: state_dir.to_owned() }
    }

    /// The hold that stands, if one does. What cannot be read counts as a hold.
    #[must_use]
    pub fn hold(&self) -> Option<Hold> {
        match std::fs::read(self.hold_path()) {
            Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(_unreadable) => Some(Hold::default()),
        }
    }

    /// Sets a hold, durably.
    ///
    /// # Errors
    /// What the disk says.
    pub fn set_hold(&self, hold: &Hold) -> io::Result<()> {
        write_durably(&self.hold_path(), &serde_json::to_vec(hold).map_err(io::Error::other)?)
    }

    /// Lifts the hold, durably; that there is none is no error.
    ///
    /// # Errors
    /// What the disk says.
    pub fn lift_hold(&self) -> io::Result<()> {
        remove_durably(&self.hold_path())
    }

    /// A person's word that was not yet taken.
    #[must_use]
    pub fn word(&self) -> Option<Word> {
        serde_json::from_slice(&std::fs::read(self.word_path()).ok()?).ok()
    }

    /// Leaves a word for the agent.
    ///
    /// # Errors
    /// What the disk says.
    pub fn say(&self, word: &Word) -> io::Result<()> {
        write_durably(&self.word_path(), &serde_json::to_vec(word).map_err(io::Error::other)?)
    }

    /// Takes the word away, after it was acted on.
    ///
    /// # Errors
    /// What the disk says.
    pub fn take_word(&self) -> io::Result<()> {
        remove_durably(&self.word_path())
    }

    fn hold_path(&self) -> PathBuf {
        self.folder.join("hold")
    }

    fn word_path(&self) -> PathBuf {
        self.folder.join("word")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_stands_until_it_is_lifted_and_an_unreadable_one_stands_too() {
        let folder = tempfile::tempdir().unwrap();
        let local = Local::new(folder.path());
        assert_eq!(local.hold(), None);
        let hold = Hold { by: PersonId::new("tanaka").ok(), why: Some("in theatre 3".into()) };
        local.set_hold(&hold).unwrap();
        assert_eq!(local.hold(), Some(hold));
        write_durably(&folder.path().join("hold"), b"garbage").unwrap();
        assert_eq!(local.hold(), Some(Hold::default()));
        local.lift_hold().unwrap();
        local.lift_hold().unwrap();
        assert_eq!(local.hold(), None);
    }
}
