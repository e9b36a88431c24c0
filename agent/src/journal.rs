//! The journal: what the agent must know after a crash, and the one durable write of this crate.
//!
//! `state.json` holds the state, the entries that the ledger must still get, and what attempts came
//! before; at most 8 KiB, with a checksum, replaced as a whole. Fields that this version does not
//! know are kept. Not here: what a state means after a crash ([`crate::machine::recover`]).
//! Invariant: a transition is in the journal before its entries are in the ledger and before its
//! effect begins.

use crate::machine::state::{Goal, State, Written};
use crate::machine::step::{Stamp, Step};
use crate::usage::Usage;
use patchward_protocol::canonical;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::image::ImageRef;
use patchward_protocol::ledger::{Carried, Fact, Kind};
use patchward_protocol::reason::Reason;
use patchward_protocol::time::{TimeQuality, Timestamp};
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Most bytes of `state.json`.
pub const JOURNAL_BYTES_MAX: usize = 8 * 1024;
/// Most images whose attempts are remembered; the oldest are forgotten first.
const ATTEMPTS_KEPT_MAX: usize = 12;
/// Most spent approvals that are remembered by digest; the serial floor covers older ones.
const SPENT_KEPT_MAX: usize = 12;

/// Most entries that are carried on while the ledger is full; entries to be kept for ever always are.
const CARRIED_MAX: usize = 3;

/// What the agent must know after a crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// Schema version; this code writes 1.
    pub v: u32,
    /// Where the update stands.
    pub state: State,
    /// Entries of the last transition, from this position of the ledger on.
    pub pending: Pending,
    /// The image that was last made to stay.
    pub installed: Option<ImageRef>,
    /// Activations per image.
    pub attempts: Vec<Tries>,
    /// Approvals that led to an activation.
    pub spent: Vec<Sha256Digest>,
    /// Highest serial of those.
    pub serial_floor: u64,
    /// Longest time from activation to a healthy image on this device, in milliseconds.
    pub longest_ms: u64,
    /// The boot that the agent last ran in.
    pub boot: Boot,
    /// Whether the ledger says that a hold stands at the device.
    #[serde(default)]
    pub held_here: HeldHere,
    /// Clinical use of the image that was last made to stay by an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// How the image that was last staged came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brought: Option<Brought>,
    /// Fields of a newer version.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// Which boot, and the how many-th.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Boot {
    /// The kernel's boot id.
    pub id: String,
    /// Rises with each new boot id.
    pub count: u64,
}

/// Whether a hold stands at the device, as the ledger has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeldHere {
    /// No hold.
    #[default]
    No,
    /// A hold.
    Yes,
}

/// How an image came to the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brought {
    /// The image.
    pub image_sha256: Sha256Digest,
    /// How it came.
    pub carried: Carried,
    /// Why not, or not only, by a delta.
    pub reason: Option<Reason>,
}

/// Activations of one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    /// The image.
    pub image_sha256: Sha256Digest,
    /// How many.
    pub count: u32,
}

/// Entries that the ledger must hold from a position on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pending {
    /// Position of the first.
    pub first_seq: u64,
    /// The entries.
    pub entries: Vec<PendingEntry>,
}

/// One entry that the ledger must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingEntry {
    /// When, as well as the device knew.
    pub at: Option<Timestamp>,
    /// How well it knew.
    pub quality: TimeQuality,
    /// The boot in which it happened.
    pub boot_count: u64,
    /// What happened.
    pub fact: Fact,
}

/// Why the journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file could not be read.
    #[error("reading {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file could not be written.
    #[error("writing {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not what was written: torn, changed, or of an unknown version.
    #[error("{path} is not a whole journal: {why}")]
    Spoilt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Longer than the limit.
    #[error("the journal has {length} bytes, the limit is {JOURNAL_BYTES_MAX}")]
    TooLong {
        /// Its length.
        length: usize,
    },
}

impl Journal {
    /// The journal of a device that begins.
    #[must_use]
    pub fn begin(installed: Option<ImageRef>) -> Self {
        Self {
            v: 1,
            state: State::Idle,
            pending: Pending::default(),
            installed,
            attempts: Vec::new(),
            spent: Vec::new(),
            serial_floor: 0,
            longest_ms: 0,
            boot: Boot::default(),
            held_here: HeldHere::No,
            usage: None,
            brought: None,
            other: BTreeMap::new(),
        }
    }

    /// The journal after a step, when the ledger's last position is `last_seq`. Entries that the
    /// ledger still lacks are carried on.
    #[must_use]
    pub fn after(&self, step: &Step, last_seq: u64, at: &Stamp) -> Self {
        let mut next = self.clone();
        next.state = step.state.clone();
        // With a full ledger only what must be kept for ever is carried on without end.
        let carried = |entry: &PendingEntry, n: usize| n < CARRIED_MAX || entry.fact.kind.is_kept();
        let missing = self.pending.missing(last_seq).map(|(_, entry)| entry.clone());
        let missing = missing.enumerate().filter(|(n, e)| carried(e, *n)).map(|(_, e)| e);
        let new = step.facts.iter().map(|fact| PendingEntry {
            at: at.utc,
            quality: at.quality,
            boot_count: at.boot_count,
            fact: fact.clone(),
        });
        let entries = missing.chain(new).collect();
        next.pending = Pending { first_seq: last_seq.saturating_add(1), entries };
        if let Some(brought) = step.facts.iter().find_map(brought) {
            next.brought = Some(brought);
        }
        let holds = |kind| step.facts.iter().any(|fact| fact.kind == kind);
        if let Some(attempt) = step.state.attempt() {
            if holds(Kind::Activating) {
                next.count_attempt(&attempt.goal);
            }
            if attempt.written == Written::Yes {
                next.spend(&attempt.goal);
            }
        }
        if holds(Kind::Committed)
            && let Some(attempt) = self.state.attempt()
        {
            next.installed = Some(attempt.goal.image.clone());
            next.usage = Some(Usage::begin(&attempt.goal));
            // It is good here: coming back to it later is no repetition of a failure.
            next.forgive(attempt.goal.image.image_sha256);
        }
        if let (State::NeedsService { image, .. }, State::Idle) = (&self.state, &step.state) {
            // A person has looked after the device: a new approval may try again.
            next.forgive(image.image_sha256);
        }
        next
    }

    /// How many activations of this image came before.
    #[must_use]
    pub fn attempts_of(&self, image: Sha256Digest) -> u32 {
        self.attempts.iter().find(|tries| tries.image_sha256 == image).map_or(0, |t| t.count)
    }

    /// The image with this digest, if it is one that the journal knows.
    #[must_use]
    pub fn known(&self, image: Sha256Digest) -> Option<ImageRef> {
        let goal = self.state.goal().map(|goal| &goal.image);
        let from = self.state.attempt().and_then(|attempt| attempt.terms.from.as_ref());
        [self.installed.as_ref(), goal, from]
            .into_iter()
            .flatten()
            .find(|known| known.image_sha256 == image)
            .cloned()
    }

    fn count_attempt(&mut self, goal: &Goal) {
        let image_sha256 = goal.image.image_sha256;
        let count = goal.attempts_before.saturating_add(1);
        self.attempts.retain(|tries| tries.image_sha256 != image_sha256);
        self.attempts.push(Tries { image_sha256, count });
        forget_oldest(&mut self.attempts, ATTEMPTS_KEPT_MAX);
    }

    fn forgive(&mut self, image: Sha256Digest) {
        for tries in self.attempts.iter_mut().filter(|tries| tries.image_sha256 == image) {
            tries.count = 0;
        }
    }

    /// The approval led to a write of no return: it leads to no other.
    fn spend(&mut self, goal: &Goal) {
        if !self.spent.contains(&goal.spends()) {
            self.spent.push(goal.spends());
            forget_oldest(&mut self.spent, SPENT_KEPT_MAX);
        }
        self.serial_floor = self.serial_floor.max(goal.serial);
    }

    /// Reads the journal; none when there has never been one.
    ///
    /// # Errors
    /// [`JournalError`] when it cannot be read or is not whole. That is never "there is none".
    pub fn read(path: &Path) -> Result<Option<Self>, JournalError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(JournalError::Read { path: path.into(), source }),
        };
        let spoilt = |why: String| JournalError::Spoilt { path: path.into(), why };
        let file: File = serde_json::from_slice(&bytes).map_err(|e| spoilt(e.to_string()))?;
        let body = canonical::write(&file.journal).map_err(|e| spoilt(e.to_string()))?;
        if Sha256Digest::of(&body) != file.sha256 {
            return Err(spoilt("the checksum differs".into()));
        }
        let journal: Self =
            serde_json::from_value(file.journal).map_err(|e| spoilt(e.to_string()))?;
        if journal.v > 2 {
            return Err(spoilt(format!("it is of version {}", journal.v)));
        }
        Ok(Some(journal))
    }

    /// Replaces the journal; it is durable when this returns.
    ///
    /// # Errors
    /// [`JournalError`] when it is too long or cannot be written; the one before stays.
    pub fn write(&self, path: &Path) -> Result<(), JournalError> {
        let spoilt =
            |e: serde_json::Error| JournalError::Spoilt { path: path.into(), why: e.to_string() };
        let journal = serde_json::to_value(self).map_err(spoilt)?;
        let sha256 = Sha256Digest::of(&canonical::write(&journal).map_err(spoilt)?);
        let bytes = serde_json::to_vec(&File { sha256, journal }).map_err(spoilt)?;
        if bytes.len() > JOURNAL_BYTES_MAX {
            return Err(JournalError::TooLong { length: bytes.len() });
        }
        write_durably(path, &bytes)
            .map_err(|source| JournalError::Write { path: path.into(), source })
    }
}

#[derive(Serialize, Deserialize)]
struct File {
    sha256: Sha256Digest,
    journal: Value,
}

fn forget_oldest<T>(list: &mut Vec<T>, kept: usize) {
    let over = list.len().saturating_sub(kept);
    list.drain(..over);
}

impl Pending {
    /// The entries that a ledger whose last position is `last_seq` still lacks, with their positions.
    pub fn missing(&self, last_seq: u64) -> impl Iterator<Item = (u64, &PendingEntry)> {
        (self.first_seq..).zip(&self.entries).filter(move |(seq, _)| *seq > last_seq)
    }
}

/// Replaces a file so that after a crash the old or the new one is there, whole: temporary file,
/// fsync, rename, fsync of the folder. Readable by its owner only.
///
/// # Errors
/// What the disk says; the old file stays.
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::open(&temporary, flags, Mode::RUSR | Mode::WUSR)?;
    let mut file = std::fs::File::from(file);
    io::Write::write_all(&mut file, bytes)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&temporary, path)?;
    sync_dir(path.parent().unwrap_or(Path::new("/")))
}

/// Makes creations, renames and removals in a folder durable.
///
/// # Errors
/// What the disk says.
pub fn sync_dir(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

/// Removes a file durably; that there is none is no error.
///
/// # Errors
/// What the disk says.
pub fn remove_durably(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Ok(()) => sync_dir(path.parent().unwrap_or(Path::new("/"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn brought(fact: &Fact) -> Option<Brought> {
    let image_sha256 = fact.release.as_ref()?.image_sha256;
    Some(Brought { image_sha256, carried: fact.carried.clone()?, reason: fact.reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_read_back_and_unknown_fields_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        assert_eq!(Journal::read(&path).unwrap(), None);
        let mut journal = Journal::begin(None);
        journal.other.insert("from_the_future".into(), serde_json::json!({"n": 1}));
        journal.write(&path).unwrap();
        assert_eq!(Journal::read(&path).unwrap(), Some(journal));
    }

    #[test]
    fn the_journal_of_the_version_before_is_read_and_goes_on_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        let goal = serde_json::json!({
            "image": {"family": "acme.pump", "version": "2.0", "seq": 2,
                "image_sha256": Sha256Digest::of(b"2.0")},
            "path": "img/pump-2.0.img",
            "approval": {"sha256": Sha256Digest::of(b"approval"), "id": "a-1",
                "weakest_method": "offline"},
            "serial": 1, "attempts_before": 0
        });
        let attempt = serde_json::json!({
            "goal": goal, "slot": ["2026-12-05T04:00:00Z", "2026-12-05T06:00:00Z"],
            "terms": {"from": null, "acceptance": "by-person", "image_floor": 2,
                "settings_before": null},
            "written": "yes", "settings_after": null, "recoveries": 1
        });
        for state in [
            serde_json::json!({"name": "holding", "goal": goal, "reason": "in_use"}),
            serde_json::json!({"name": "restarting", "attempt": attempt}),
            serde_json::json!({"name": "awaiting-acceptance", "attempt": attempt}),
        ] {
            let journal = serde_json::json!({
                "v": 1, "state": state, "pending": {"first_seq": 1, "entries": []},
                "installed": null, "attempts": [], "spent": [], "serial_floor": 1,
                "longest_ms": 0, "boot": {"id": "this", "count": 3}
            });
            let sha256 = Sha256Digest::of(&canonical::write(&journal).unwrap());
            let bytes = serde_json::to_vec(&File { sha256, journal }).unwrap();
            write_durably(&path, &bytes).unwrap();
            let read = Journal::read(&path).unwrap().unwrap();
            let goal = read.state.goal().unwrap();
            assert_eq!(goal.action, patchward_protocol::approval::Action::Install);
            read.write(&path).unwrap();
            assert_eq!(Journal::read(&path).unwrap(), Some(read));
        }
    }

    #[test]
    fn a_torn_or_changed_journal_is_an_error_and_never_absent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        Journal::begin(None).write(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            write_durably(&path, &whole[..length]).unwrap();
            assert!(Journal::read(&path).is_err(), "{length} bytes");
        }
        let text = String::from_utf8(whole).unwrap();
        write_durably(&path, text.replace("\"serial_floor\":0", "\"serial_floor\":1").as_bytes())
            .unwrap();
        assert!(matches!(Journal::read(&path), Err(JournalError::Spoilt { .. })));
    }
}
