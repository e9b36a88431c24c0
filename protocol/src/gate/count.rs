//! What one stored ledger entry, or silence, changes in the numbers of a wave.
//!
//! The server keeps one [`Mark`] for each (site, approval, image, device) and moves it, with the wave's
//! counters, in the transaction that stores the entry. Only what a device signed after the restart and
//! its health checks (`committed`) counts as success; nothing that a server or a poll says does. Not
//! here: what follows for the wave ([`super::evaluate`]), except that a failure halts at once.
//! Invariant: numbers do not depend on the order in which devices are heard, and an entry that is
//! heard twice changes nothing.

use super::{Halt, WaveCounters, WaveState, failures_allowed};
use crate::approval::{Action, Approval, Gates};
use crate::digest::Sha256Digest;
use crate::ledger::{Entry, Kind};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Which rollout an entry is weighed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rollout {
    /// The approval.
    pub approval_sha256: Sha256Digest,
    /// The image; under a standing approval there may be several.
    pub image_sha256: Sha256Digest,
}

/// How far a device has come in a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Nothing that counts was heard.
    None,
    /// It prepares, and says so ahead; the next that is heard may be its outcome, or nothing ever.
    Begun,
    /// Activated; no outcome yet.
    Activated,
    /// Committed.
    Updated,
    /// Failed, or went back.
    Failed,
    /// Silent for too long.
    Silent,
}

impl Stage {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Begun => "begun",
            Self::Activated => "activated",
            Self::Updated => "updated",
            Self::Failed => "failed",
            Self::Silent => "silent",
        }
    }

    /// From its code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::None, Self::Begun, Self::Activated, Self::Updated, Self::Failed, Self::Silent]
            .into_iter()
            .find(|stage| stage.code() == code)
    }
}

/// Where a device stands in a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// How far it has come.
    pub stage: Stage,
    /// Sequence number of the last entry that was weighed; 0 before the first.
    pub seq: u64,
    /// When it was last heard while an outcome is owed; none while none is.
    pub waiting_since: Option<Timestamp>,
    /// How often it was activated.
    pub activations: u32,
    /// Clinical use since it committed, in seconds.
    pub clinical_use_s: u64,
}

impl Mark {
    /// Before anything was heard.
    pub const BEGIN: Self =
        Self { stage: Stage::None, seq: 0, waiting_since: None, activations: 0, clinical_use_s: 0 };

    /// When the device counts as silent, should nothing be heard before.
    #[must_use]
    pub fn silent_at(&self, gates: &Gates) -> Option<Timestamp> {
        let after_s = i64::try_from(gates.silent_after_s).unwrap_or(i64::MAX);
        self.waiting_since.map(|since| since.plus_seconds(after_s))
    }
}

/// What is added to the numbers of a wave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// To `activated`.
    pub activated: i64,
    /// To `running`.
    pub running: i64,
    /// To `updated`.
    pub updated: i64,
    /// To `failed`.
    pub failed: i64,
    /// To `silent`.
    pub silent: i64,
    /// To `clinical_use_s`.
    pub clinical_use_s: i64,
    /// When a device committed.
    pub committed_at: Option<Timestamp>,
    /// News that may halt the wave.
    pub trouble: Option<Halt>,
}

/// A device's next mark, and what it changes in its wave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The mark to keep.
    pub mark: Mark,
    /// What to count.
    pub change: Change,
}

/// What a verified entry of a device that the approval names changes; none when nothing.
///
/// Give it every entry whose `release` or `from` is the image. `stored_at` is the server's clock.
#[must_use]
pub fn on_entry(
    rollout: &Rollout,
    before: &Mark,
    entry: &Entry,
    stored_at: Timestamp,
) -> Option<Moved> {
    if entry.seq <= before.seq {
        return None;
    }
    let heard = heard(rollout, entry)?;
    let stage = next_stage(before.stage, heard);
    let mut mark = Mark { stage, seq: entry.seq, ..before.clone() };
    let mut change = Change::default();
    if heard == Heard::Activating {
        change.activated = i64::from(mark.activations == 0);
        mark.activations = mark.activations.saturating_add(1);
    }
    if stage == Stage::Updated {
        let use_s = entry.fact.clinical_use_s.unwrap_or(0).max(before.clinical_use_s);
        mark.clinical_use_s = if heard == Heard::Committed { 0 } else { use_s };
    } else {
        mark.clinical_use_s = 0;
    }
    change.clinical_use_s = difference(before.clinical_use_s, mark.clinical_use_s);
    mark.waiting_since = match (stage, heard) {
        // A person decides there; nobody waits for the device.
        (_, Heard::WithPerson) => None,
        (Stage::Begun | Stage::Activated, _) => Some(stored_at),
        (Stage::None | Stage::Updated | Stage::Failed | Stage::Silent, _) => None,
    };
    let changed = entry.fact.settings_before != entry.fact.settings_after;
    if heard == Heard::Committed {
        // A clock that runs ahead does not lengthen the soak of the others.
        let at = entry.at.filter(|at| *at <= stored_at);
        change.committed_at = Some(at.unwrap_or(stored_at));
    }
    // Said once: a person who was asked because of it has then released the device.
    let asked = before.stage == Stage::Activated && before.waiting_since.is_none();
    if changed && (heard == Heard::WithPerson || (heard == Heard::Committed && !asked)) {
        change.trouble = Some(Halt::SettingsChanged);
    }
    moved(before, mark, change)
}

/// What it changes that a device owes an outcome for too long at `at`; none when it does not.
#[must_use]
pub fn on_silence(gates: &Gates, before: &Mark, at: Timestamp) -> Option<Moved> {
    before.silent_at(gates).filter(|due| *due <= at)?;
    let mark = Mark { stage: Stage::Silent, waiting_since: None, ..before.clone() };
    moved(before, mark, Change::default())
}

impl WaveCounters {
    /// Counts a change and halts the wave where the gate allows no more. Returns the halt, when this
    /// change brought it or came while one stands: an older signature then does not resume it.
    pub fn count(&mut self, approval: &Approval, change: &Change) -> Option<Halt> {
        add(&mut self.activated, change.activated);
        add(&mut self.running, change.running);
        add(&mut self.updated, change.updated);
        add(&mut self.failed, change.failed);
        add(&mut self.silent, change.silent);
        self.clinical_use_s = self.clinical_use_s.saturating_add_signed(change.clinical_use_s);
        self.last_committed_at = self.last_committed_at.max(change.committed_at);
        let trouble = change.trouble?;
        let allowed = failures_allowed(approval, self.wave, self.devices);
        let halts = match trouble {
            Halt::Failed | Halt::Silent => self.failed.saturating_add(self.silent) > allowed,
            Halt::SettingsChanged | Halt::Held | Halt::Paused => true,
        };
        if !halts || self.state == WaveState::Cancelled {
            return None;
        }
        self.halts = self.halts.saturating_add(1);
        self.state = WaveState::Halted(trouble);
        Some(trouble)
    }
}

/// What an entry means for a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Preparing,
    GivenUp,
    Activating,
    Going,
    WithPerson,
    Committed,
    Used,
    WentBack,
}

fn heard(rollout: &Rollout, entry: &Entry) -> Option<Heard> {
    let fact = &entry.fact;
    let named = |image: &Option<crate::image::ImageRef>| {
        image.as_ref().is_some_and(|image| image.image_sha256 == rollout.image_sha256)
    };
    if !named(&fact.release) {
        // A rollback that a hospital ordered takes the device off this image as well.
        let ordered = fact.kind == Kind::Committed && fact.action == Some(Action::Rollback);
        return (ordered && named(&fact.from)).then_some(Heard::WentBack);
    }
    let approval = fact.approval.as_ref().map(|approval| approval.sha256);
    let own = approval == Some(rollout.approval_sha256);
    match fact.kind {
        // What a device finds out by itself later may name no approval.
        Kind::RollingBack | Kind::RolledBack | Kind::NeedsService if own || approval.is_none() => {
            Some(Heard::WentBack)
        }
        Kind::Used if own || approval.is_none() => Some(Heard::Used),
        Kind::Preparing | Kind::Armed if own => Some(Heard::Preparing),
        Kind::Held | Kind::Abandoned if own => Some(Heard::GivenUp),
        Kind::Activating if own => Some(Heard::Activating),
        Kind::Restarting | Kind::Trial | Kind::Recovered if own => Some(Heard::Going),
        Kind::AwaitingAcceptance if own => Some(Heard::WithPerson),
        Kind::Committed if own => Some(Heard::Committed),
        Kind::RollingBack
        | Kind::RolledBack
        | Kind::NeedsService
        | Kind::Used
        | Kind::Preparing
        | Kind::Armed
        | Kind::Held
        | Kind::Abandoned
        | Kind::Activating
        | Kind::Restarting
        | Kind::Trial
        | Kind::Recovered
        | Kind::AwaitingAcceptance
        | Kind::Committed
        | Kind::Enrolled
        | Kind::Approved
        | Kind::Staged
        | Kind::Refused
        | Kind::HoldSet
        | Kind::HoldLifted => None,
    }
}

const fn next_stage(stage: Stage, heard: Heard) -> Stage {
    match (stage, heard) {
        (_, Heard::Committed) => Stage::Updated,
        // Activated again although it was committed: it had gone back without a word.
        (_, Heard::WentBack) | (Stage::Failed | Stage::Updated, Heard::Activating) => Stage::Failed,
        (Stage::None | Stage::Begun | Stage::Activated | Stage::Silent, Heard::Activating) => {
            Stage::Activated
        }
        (Stage::None | Stage::Begun, Heard::Preparing) => Stage::Begun,
        (Stage::Begun, Heard::GivenUp | Heard::Going) => Stage::None,
        (Stage::Silent, Heard::GivenUp) => Stage::None,
        (Stage::Silent, Heard::Going | Heard::WithPerson) => Stage::Activated,
        (
            stage @ (Stage::None | Stage::Activated | Stage::Updated | Stage::Failed),
            Heard::GivenUp | Heard::Going,
        )
        | (
            stage @ (Stage::Activated | Stage::Updated | Stage::Failed | Stage::Silent),
            Heard::Preparing,
        )
        | (stage, Heard::Used | Heard::WithPerson) => stage,
    }
}

/// The change of classes between two marks; none when nothing at all changes.
fn moved(before: &Mark, mark: Mark, mut change: Change) -> Option<Moved> {
    if *before == mark {
        return None;
    }
    let step = |stage: Stage| i64::from(mark.stage == stage) - i64::from(before.stage == stage);
    change.running = step(Stage::Activated);
    change.updated = step(Stage::Updated);
    change.failed = step(Stage::Failed);
    change.silent = step(Stage::Silent);
    if change.failed > 0 {
        change.trouble = Some(Halt::Failed);
    } else if change.silent > 0 {
        change.trouble = Some(Halt::Silent);
    }
    Some(Moved { mark, change })
}

fn difference(before: u64, after: u64) -> i64 {
    let (before, after) = (i64::try_from(before), i64::try_from(after));
    after.unwrap_or(i64::MAX).saturating_sub(before.unwrap_or(i64::MAX))
}

fn add(number: &mut u32, change: i64) {
    let sum = i64::from(*number).saturating_add(change).max(0);
    *number = u32::try_from(sum).unwrap_or(u32::MAX);
}
