//! What people at the device say: hold, defer, present, accept, serviced. Files in the state folder.
//!
//! The command line writes them, without a key, a server or a running agent; the driver looks at
//! every tick and right before the write of no return. Stopping needs nobody's consent.
//! Times here are on the boot clock, and belong to one boot: who said "I am here" is not taken to be
//! here after a restart, and a deferral begins anew with it. Not here: what follows.
//! Invariant: an unreadable hold is a hold, an unreadable deferral is one, and nobody is here by an
//! unreadable word.

use crate::journal::{remove_durably, write_durably};
use patchward_protocol::id::PersonId;
use patchward_protocol::limits::{DEFER_MINUTES_MAX, PRESENT_MINUTES_MAX};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// The folder of the files, in one boot.
#[derive(Debug, Clone)]
pub struct Local {
    folder: PathBuf,
    boot_id: String,
}

/// A hold set at the device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hold {
    /// Who set it, if they said.
    pub by: Option<PersonId>,
    /// Why, if they said. Never a patient's name.
    pub why: Option<String>,
}

/// Not for so long, said at the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deferral {
    /// Who said so.
    pub by: Option<PersonId>,
    /// For how long it was meant, in minutes.
    pub minutes: u32,
    /// When it ends on the boot clock, in milliseconds.
    pub until_boot_ms: u64,
}

/// A person is at the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// Who.
    pub by: PersonId,
    /// Since when on the boot clock, in milliseconds.
    pub since_boot_ms: u64,
    /// Until when it counts on the boot clock, in milliseconds.
    pub until_boot_ms: u64,
}

/// A word with an end, as it stands in its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Timed {
    by: PersonId,
    minutes: u32,
    boot_id: String,
    from_boot_ms: u64,
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
    /// The files of a state folder, in this boot.
    #[must_use]
    pub fn new(state_dir: &Path, boot_id: &str) -> Self {
        Self { folder: state_dir.to_owned(), boot_id: boot_id.to_owned() }
    }

    /// What stops an update now: a hold, or a deferral that is not over.
    #[must_use]
    pub fn stopped(&self, boot_ms: u64) -> Option<Hold> {
        self.hold().or_else(|| {
            let deferral = self.deferral(boot_ms)?;
            let why = format!("deferred for {} minutes", deferral.minutes);
            Some(Hold { by: deferral.by, why: Some(why) })
        })
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

    /// Lifts hold and deferral, durably; that there is none is no error.
    ///
    /// # Errors
    /// What the disk says.
    pub fn lift_hold(&self) -> io::Result<()> {
        remove_durably(&self.defer_path())?;
        remove_durably(&self.hold_path())
    }

    /// The deferral that stands at `boot_ms`. One from before the last restart begins anew with it;
    /// one that cannot be read lasts as long as the longest.
    #[must_use]
    pub fn deferral(&self, boot_ms: u64) -> Option<Deferral> {
        let timed: Option<Timed> = match std::fs::read(self.defer_path()) {
            Ok(bytes) => serde_json::from_slice(&bytes).ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(_unreadable) => None,
        };
        let minutes = timed.as_ref().map_or(DEFER_MINUTES_MAX, |timed| timed.minutes);
        let minutes = minutes.min(DEFER_MINUTES_MAX);
        let same_boot = timed.as_ref().filter(|timed| self.is_of_this_boot(timed, boot_ms));
        let from_boot_ms = same_boot.map_or(0, |timed| timed.from_boot_ms);
        let until_boot_ms = end(from_boot_ms, minutes);
        let deferral = Deferral { by: timed.map(|timed| timed.by), minutes, until_boot_ms };
        (boot_ms < until_boot_ms).then_some(deferral)
    }

    /// Defers from now on, durably; replaces an earlier deferral.
    ///
    /// # Errors
    /// What the disk says.
    pub fn defer(&self, by: &PersonId, minutes: u32, boot_ms: u64) -> io::Result<()> {
        self.write_timed(&self.defer_path(), by, minutes.min(DEFER_MINUTES_MAX), boot_ms)
    }

    /// The person who is at the device at `boot_ms`.
    #[must_use]
    pub fn present(&self, boot_ms: u64) -> Option<Present> {
        let timed: Timed =
            serde_json::from_slice(&std::fs::read(self.present_path()).ok()?).ok()?;
        let until_boot_ms = end(timed.from_boot_ms, timed.minutes.min(PRESENT_MINUTES_MAX));
        let now = self.is_of_this_boot(&timed, boot_ms) && boot_ms < until_boot_ms;
        let since_boot_ms = timed.from_boot_ms;
        now.then_some(Present { by: timed.by, since_boot_ms, until_boot_ms })
    }

    /// A person is at the device from now on.
    ///
    /// # Errors
    /// What the disk says.
    pub fn set_present(&self, by: &PersonId, minutes: u32, boot_ms: u64) -> io::Result<()> {
        self.write_timed(&self.present_path(), by, minutes.min(PRESENT_MINUTES_MAX), boot_ms)
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

    fn is_of_this_boot(&self, timed: &Timed, boot_ms: u64) -> bool {
        timed.boot_id == self.boot_id && timed.from_boot_ms <= boot_ms
    }

    fn write_timed(
        &self,
        path: &Path,
        by: &PersonId,
        minutes: u32,
        from_boot_ms: u64,
    ) -> io::Result<()> {
        let timed = Timed { by: by.clone(), minutes, boot_id: self.boot_id.clone(), from_boot_ms };
        write_durably(path, &serde_json::to_vec(&timed).map_err(io::Error::other)?)
    }

    fn hold_path(&self) -> PathBuf {
        self.folder.join("hold")
    }

    fn defer_path(&self) -> PathBuf {
        self.folder.join("defer")
    }

    fn present_path(&self) -> PathBuf {
        self.folder.join("present")
    }

    fn word_path(&self) -> PathBuf {
        self.folder.join("word")
    }
}

fn end(from_boot_ms: u64, minutes: u32) -> u64 {
    from_boot_ms.saturating_add(u64::from(minutes).saturating_mul(60_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    fn tanaka() -> PersonId {
        PersonId::new("tanaka").unwrap()
    }

    #[test]
    fn a_hold_stands_until_it_is_lifted_and_an_unreadable_one_stands_too() {
        let folder = tempfile::tempdir().unwrap();
        let local = Local::new(folder.path(), "boot-1");
        assert_eq!(local.stopped(0), None);
        let hold = Hold { by: PersonId::new("tanaka").ok(), why: Some("in theatre 3".into()) };
        local.set_hold(&hold).unwrap();
        assert_eq!(local.stopped(u64::MAX), Some(hold));
        write_durably(&folder.path().join("hold"), b"garbage").unwrap();
        assert_eq!(local.stopped(0), Some(Hold::default()));
        local.lift_hold().unwrap();
        local.lift_hold().unwrap();
        assert_eq!(local.stopped(0), None);
    }

    #[test]
    fn a_deferral_ends_by_itself_on_the_boot_clock_and_begins_anew_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let local = Local::new(folder.path(), "boot-1");
        local.defer(&tanaka(), 30, 100 * MINUTE).unwrap();
        let deferral = local.deferral(100 * MINUTE).unwrap();
        assert_eq!((deferral.by, deferral.until_boot_ms), (Some(tanaka()), 130 * MINUTE));
        assert!(local.stopped(130 * MINUTE - 1).unwrap().why.unwrap().contains("30 minutes"));
        assert_eq!(local.stopped(130 * MINUTE), None);
        let after = Local::new(folder.path(), "boot-2");
        assert!(after.stopped(0).is_some() && after.stopped(30 * MINUTE - 1).is_some());
        assert_eq!(after.stopped(30 * MINUTE), None);
        // A clock that stands before the word was said: another boot without a name of its own.
        assert!(local.stopped(29 * MINUTE).is_some());
        local.lift_hold().unwrap();
        assert_eq!(local.stopped(101 * MINUTE), None);
    }

    #[test]
    fn a_deferral_is_at_most_a_day_and_an_unreadable_one_is_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let local = Local::new(folder.path(), "boot-1");
        local.defer(&tanaka(), u32::MAX, 0).unwrap();
        assert_eq!(local.deferral(0).unwrap().until_boot_ms, 1440 * MINUTE);
        write_durably(&folder.path().join("defer"), b"garbage").unwrap();
        assert_eq!(local.deferral(5).unwrap().until_boot_ms, 1440 * MINUTE);
        assert_eq!(local.deferral(1440 * MINUTE), None);
    }

    #[test]
    fn a_person_is_here_for_half_an_hour_at_most_and_not_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let local = Local::new(folder.path(), "boot-1");
        assert_eq!(local.present(0), None);
        local.set_present(&tanaka(), 500, 10 * MINUTE).unwrap();
        let here = Present { by: tanaka(), since_boot_ms: 10 * MINUTE, until_boot_ms: 40 * MINUTE };
        assert_eq!(local.present(10 * MINUTE), Some(here));
        assert_eq!(local.present(40 * MINUTE), None);
        assert_eq!(local.present(9 * MINUTE), None, "said in a later life of the clock");
        assert_eq!(Local::new(folder.path(), "boot-2").present(10 * MINUTE), None);
        write_durably(&folder.path().join("present"), b"garbage").unwrap();
        assert_eq!(local.present(10 * MINUTE), None);
    }
}
