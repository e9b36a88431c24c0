//! How long the image that was made to stay has been in clinical use since.
//!
//! Later waves may ask for hours of use, and nobody but the device can say them. The interlock is
//! looked at now and then; time counts only between two looks that both say "in use", so that the
//! figure is rather too small than too large. Silence is not use. Not here: asking the interlock.
//! Invariant: the figure never falls for an image, and an entry is written once per mark.

use crate::machine::state::Goal;
use patchward_protocol::approval::Action;
use patchward_protocol::image::ImageRef;
use patchward_protocol::ledger::{ApprovalRef, ClinicalState, Fact, Kind};
use serde::{Deserialize, Serialize};

/// An entry is written when the use passes one of these, in hours; after the last one nobody looks
/// any more.
pub const MARKS_H: [u64; 9] = [1, 2, 4, 8, 16, 24, 48, 72, 168];
/// Least time between two writes of the journal that only remember use, in milliseconds.
pub const SAVE_MS_MIN: u64 = 600_000;

/// Use of one image, as the journal remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The image.
    pub image: ImageRef,
    /// The approval that brought it.
    pub approval: ApprovalRef,
    /// What that approval permitted, where it was no installation by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// Clinical use since it was made to stay, in milliseconds.
    pub used_ms: u64,
    /// The last mark that stands in the ledger, in hours.
    pub told_h: u64,
}

impl Usage {
    /// An image that was just made to stay.
    #[must_use]
    pub fn begin(goal: &Goal) -> Self {
        Self {
            image: goal.image.clone(),
            approval: goal.approval.clone(),
            action: goal.recorded_action(),
            used_ms: 0,
            told_h: 0,
        }
    }

    /// Whether anybody still looks.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        MARKS_H.last().is_some_and(|last| self.told_h < *last)
    }

    /// The same after `more_ms` of use, and the fact to record if a mark was passed.
    #[must_use]
    pub fn after(&self, more_ms: u64) -> (Self, Option<Fact>) {
        let used_ms = self.used_ms.saturating_add(more_ms);
        let passed =
            |mark: &&u64| **mark > self.told_h && mark.saturating_mul(3_600_000) <= used_ms;
        let mark = MARKS_H.iter().filter(passed).max().copied();
        let told_h = mark.unwrap_or(self.told_h);
        let next = Self { used_ms, told_h, ..self.clone() };
        let fact = mark.map(|_| {
            let mut fact = Fact::new(Kind::Used);
            fact.release = Some(self.image.clone());
            fact.approval = Some(self.approval.clone());
            fact.action = self.action;
            fact.clinical_use_s = Some(used_ms / 1000);
            fact
        });
        (next, fact)
    }
}

/// Looks at the interlock, and the use they add up to that the journal does not know yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watch {
    last: Option<(u64, ClinicalState)>,
    unsaved_ms: u64,
    saved_boot_ms: u64,
}

impl Watch {
    /// The interlock was asked at `boot_ms`. Looks that lie further apart than `gap_ms_max` say
    /// nothing about the time between them.
    pub fn saw(&mut self, said: ClinicalState, boot_ms: u64, gap_ms_max: u64) {
        if let Some((before_ms, ClinicalState::InUse)) = self.last
            && said == ClinicalState::InUse
        {
            let passed = boot_ms.saturating_sub(before_ms);
            if passed <= gap_ms_max {
                self.unsaved_ms = self.unsaved_ms.saturating_add(passed);
            }
        }
        self.last = Some((boot_ms, said));
    }

    /// Whether it is time to look again.
    #[must_use]
    pub fn is_due(&self, boot_ms: u64, every_ms: u64) -> bool {
        self.last.is_none_or(|(before_ms, _)| boot_ms.saturating_sub(before_ms) >= every_ms)
    }

    /// Use to add to the journal now: when a mark is passed, and otherwise not too often.
    #[must_use]
    pub fn to_save(&self, usage: &Usage, boot_ms: u64) -> Option<u64> {
        let rested = boot_ms.saturating_sub(self.saved_boot_ms) >= SAVE_MS_MIN;
        let due = usage.after(self.unsaved_ms).1.is_some() || rested;
        (self.unsaved_ms > 0 && due).then_some(self.unsaved_ms)
    }

    /// The journal knows of everything so far.
    pub const fn saved(&mut self, boot_ms: u64) {
        (self.unsaved_ms, self.saved_boot_ms) = (0, boot_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchward_protocol::digest::Sha256Digest;
    use patchward_protocol::id::{ApprovalId, FamilyId, Seq, Version};
    use patchward_protocol::ledger::SigningMethod;

    const MINUTE_MS: u64 = 60_000;

    fn usage() -> Usage {
        Usage {
            image: ImageRef {
                family: FamilyId::new("acme.pump").unwrap(),
                version: Version::new("2.0").unwrap(),
                seq: Seq(2),
                image_sha256: Sha256Digest::of(b"2.0"),
            },
            approval: ApprovalRef {
                sha256: Sha256Digest::of(b"approval"),
                id: ApprovalId::new("a-1").unwrap(),
                weakest_method: SigningMethod::Offline,
            },
            action: None,
            used_ms: 0,
            told_h: 0,
        }
    }

    #[test]
    fn only_time_between_two_looks_that_say_in_use_counts() {
        use ClinicalState::{Idle, InUse, Unknown};
        let mut watch = Watch::default();
        let looks = [(0, Idle), (1, InUse), (2, InUse), (3, Unknown), (4, InUse), (60, InUse)];
        for (minute, said) in looks {
            watch.saw(said, minute * MINUTE_MS, 2 * MINUTE_MS);
        }
        assert_eq!(watch.unsaved_ms, MINUTE_MS, "an hour without a look is not use");
    }

    #[test]
    fn a_year_of_use_is_nine_entries_and_then_nobody_looks() {
        let (mut usage, mut facts) = (usage(), Vec::new());
        for _hour in 0..(365 * 24) {
            let (next, fact) = usage.after(3_600_000);
            facts.extend(fact);
            usage = next;
        }
        let hours: Vec<_> = facts.iter().filter_map(|f| Some(f.clinical_use_s? / 3600)).collect();
        assert_eq!(hours, MARKS_H);
        assert!(!usage.is_watched());
    }

    #[test]
    fn the_journal_is_written_for_use_at_most_every_ten_minutes_or_for_a_mark() {
        let (mut usage, mut watch, mut writes) = (usage(), Watch::default(), 0);
        for minute in 0..=24 * 60 {
            watch.saw(ClinicalState::InUse, minute * MINUTE_MS, 2 * MINUTE_MS);
            if let Some(more_ms) = watch.to_save(&usage, minute * MINUTE_MS) {
                usage = usage.after(more_ms).0;
                watch.saved(minute * MINUTE_MS);
                writes += 1;
            }
        }
        assert_eq!(usage.used_ms, 24 * 3_600_000);
        assert!(writes <= 24 * 6 + 6, "{writes}");
    }
}
