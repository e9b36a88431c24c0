//! How each device of a rollout stands, in the ten words that people scan for.
//!
//! Made of what counts (marks of signed entries) and of what the device last said (its poll), which
//! decides nothing. Not here: the numbers that open waves (`protocol::gate`). Invariant: a device is
//! called done only when its signed `committed` was counted.

use patchward_protocol::approval::Approval;
use patchward_protocol::gate::count::Stage;
use patchward_protocol::gate::{Halt, WaveCounters, WaveState, failures_allowed};
use patchward_protocol::id::DeviceId;
use patchward_protocol::image::ImageRef;
use patchward_protocol::reason::Reason;
use patchward_protocol::time::Timestamp;

/// Where a device stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Nothing yet: its slot is ahead, or it fetches.
    Planned,
    /// The image lies ready.
    Staged,
    /// It waits, and says why.
    Waiting,
    /// It is being changed.
    Applying,
    /// The new image checks itself.
    Verifying,
    /// A person must release it for use.
    Acceptance,
    /// Committed.
    Done,
    /// It went back to its earlier image.
    RolledBack,
    /// It failed and needs somebody.
    Failed,
    /// Not heard of for too long.
    NotSeen,
}

/// What is known of one device.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// What was counted.
    pub stage: Stage,
    /// What it last said it does.
    pub state: Option<&'a str>,
    /// What it last said runs.
    pub installed: Option<&'a ImageRef>,
    /// When it was last heard.
    pub last_seen: Option<Timestamp>,
}

/// A device on the board.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Its id.
    pub device: DeviceId,
    /// Its wave.
    pub wave: u32,
    /// Where it stands.
    pub phase: Phase,
    /// Why it waits.
    pub reason: Option<Reason>,
    /// When it was last heard.
    pub last_seen: Option<Timestamp>,
}

/// Something that must be so before a wave opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// It does not open before this instant.
    NotBefore(Timestamp),
    /// So many devices of the wave before are updated, of so many asked for.
    Updated(u32, u32),
    /// So many hours of clinical use of those, of so many asked for.
    Used(u64, u64),
    /// The wave before was watched until here; none while nobody knows the end.
    Watched(Option<Timestamp>),
    /// The wave before failed on so many devices, of so many allowed.
    Failures(u32, u32),
    /// No hold, freeze or pause stands in the way.
    Free(Option<Halt>),
}

impl Phase {
    /// All, in the order in which a device goes through them.
    pub const ALL: [Self; 10] = [
        Self::Planned,
        Self::Staged,
        Self::Waiting,
        Self::Applying,
        Self::Verifying,
        Self::Acceptance,
        Self::Done,
        Self::RolledBack,
        Self::Failed,
        Self::NotSeen,
    ];

    /// The stable word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Staged => "staged",
            Self::Waiting => "waiting",
            Self::Applying => "applying",
            Self::Verifying => "verifying",
            Self::Acceptance => "acceptance",
            Self::Done => "done",
            Self::RolledBack => "rolled-back",
            Self::Failed => "failed",
            Self::NotSeen => "not-seen",
        }
    }

    /// Where a device stands at `at`. Whoever said nothing for `patience_s` counts as not seen.
    #[must_use]
    pub fn of(seen: Seen<'_>, image: &ImageRef, patience_s: i64, at: Timestamp) -> Self {
        match seen.stage {
            Stage::Updated => return Self::Done,
            Stage::Silent => return Self::NotSeen,
            Stage::Failed if seen.state == Some("needs-service") => return Self::Failed,
            Stage::Failed => {
                let runs = |installed: &ImageRef| installed.image_sha256 == image.image_sha256;
                let went_back = !seen.installed.is_some_and(runs);
                return if went_back { Self::RolledBack } else { Self::Failed };
            }
            Stage::None | Stage::Begun | Stage::Activated => {}
        }
        if seen.last_seen.is_none_or(|seen| seen.plus_seconds(patience_s) < at) {
            return Self::NotSeen;
        }
        match seen.state {
            Some("staged") => Self::Staged,
            Some("holding") => Self::Waiting,
            Some("preparing" | "armed" | "activating" | "restarting") => Self::Applying,
            Some("trial" | "committed") => Self::Verifying,
            Some("awaiting-acceptance") => Self::Acceptance,
            Some("rolling-back" | "rolled-back" | "abandoned") => Self::RolledBack,
            Some("needs-service") => Self::Failed,
            _ if seen.stage == Stage::Activated => Self::Applying,
            _ => Self::Planned,
        }
    }
}

impl Condition {
    /// Whether it is so at `at`.
    #[must_use]
    pub fn is_met(self, at: Timestamp) -> bool {
        match self {
            Self::NotBefore(from) => from <= at,
            Self::Updated(have, asked) => have >= asked,
            Self::Used(have_h, asked_h) => have_h >= asked_h,
            Self::Watched(until) => until.is_some_and(|until| until <= at),
            Self::Failures(have, allowed) => have <= allowed,
            Self::Free(halt) => halt.is_none(),
        }
    }
}

/// What must be so before wave `n` opens, in the order of the rules; nothing for a wave that is not
/// in the approval.
#[must_use]
pub fn conditions(terms: &Approval, waves: &[WaveCounters], n: u32) -> Vec<Condition> {
    let Some(wave) = terms.waves.iter().find(|wave| wave.n == n) else { return Vec::new() };
    let mut all = vec![Condition::NotBefore(wave.not_before)];
    let before = n.checked_sub(1).and_then(|n| waves.iter().find(|wave| wave.wave == n));
    if let Some(before) = before {
        let watched = match before.state {
            WaveState::Passed => before.soak_until(terms).or(Some(Timestamp::from_millis(0))),
            WaveState::Soaking => before.soak_until(terms),
            WaveState::Planned | WaveState::Open | WaveState::Halted(_) | WaveState::Cancelled => {
                None
            }
        };
        all.push(Condition::Updated(before.updated, wave.min_updated));
        if wave.min_clinical_use_h > 0 {
            let asked_h = u64::from(wave.min_clinical_use_h);
            all.push(Condition::Used(before.clinical_use_s / 3600, asked_h));
        }
        all.push(Condition::Watched(watched));
        let failures = before.failed.saturating_add(before.silent);
        let allowed = failures_allowed(terms, before.wave, before.devices);
        all.push(Condition::Failures(failures, allowed));
    }
    let own = waves.iter().filter(|wave| wave.wave <= n);
    let halt = own.filter_map(|wave| wave.state.halted_because()).next();
    all.push(Condition::Free(halt));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchward_protocol::digest::Sha256Digest;
    use patchward_protocol::id::Seq;

    fn image(n: u8) -> ImageRef {
        ImageRef {
            family: "acme.pump".parse().unwrap(),
            version: "2.4.1".parse().unwrap(),
            seq: Seq(u64::from(n)),
            image_sha256: Sha256Digest::of(&[n]),
        }
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000).plus_seconds(minute * 60)
    }

    fn seen(stage: Stage, state: Option<&'static str>) -> Seen<'static> {
        Seen { stage, state, installed: None, last_seen: Some(at(0)) }
    }

    #[test]
    fn a_device_is_done_only_by_what_it_signed() {
        let said = seen(Stage::Activated, Some("committed"));
        assert_eq!(Phase::of(said, &image(2), 900, at(1)), Phase::Verifying);
        let signed = Seen { last_seen: None, ..seen(Stage::Updated, None) };
        assert_eq!(Phase::of(signed, &image(2), 900, at(1)), Phase::Done);
    }

    #[test]
    fn whoever_is_not_heard_is_not_seen_whatever_it_said_last() {
        let said = seen(Stage::Begun, Some("trial"));
        assert_eq!(Phase::of(said, &image(2), 900, at(15)), Phase::Verifying);
        assert_eq!(Phase::of(said, &image(2), 900, at(16)), Phase::NotSeen);
        let never = Seen { last_seen: None, ..seen(Stage::None, Some("idle")) };
        assert_eq!(Phase::of(never, &image(2), 900, at(0)), Phase::NotSeen);
    }

    #[test]
    fn a_failure_that_went_back_is_told_from_one_that_did_not() {
        let (new, old) = (image(2), image(1));
        let back = Seen { installed: Some(&old), ..seen(Stage::Failed, Some("idle")) };
        assert_eq!(Phase::of(back, &new, 900, at(1)), Phase::RolledBack);
        let stuck = Seen { installed: Some(&new), ..seen(Stage::Failed, Some("idle")) };
        assert_eq!(Phase::of(stuck, &new, 900, at(1)), Phase::Failed);
        let ill = Seen { installed: Some(&old), ..seen(Stage::Failed, Some("needs-service")) };
        assert_eq!(Phase::of(ill, &new, 900, at(1)), Phase::Failed);
    }

    #[test]
    fn every_condition_says_itself_whether_it_is_met() {
        assert!(!Condition::NotBefore(at(2)).is_met(at(1)));
        assert!(Condition::NotBefore(at(2)).is_met(at(2)));
        assert!(!Condition::Updated(2, 3).is_met(at(1)));
        assert!(Condition::Used(8, 8).is_met(at(1)));
        assert!(!Condition::Watched(None).is_met(at(1)));
        assert!(Condition::Watched(Some(at(1))).is_met(at(1)));
        assert!(!Condition::Failures(1, 0).is_met(at(1)));
        assert!(!Condition::Free(Some(Halt::Held)).is_met(at(1)));
    }
}
