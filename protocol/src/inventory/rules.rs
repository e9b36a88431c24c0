//! Rules as data: minimum in service, windows, freezes, waves.
//!
//! Not here: what follows from them ([`crate::window`], [`crate::plan`], [`crate::check`]).

use crate::approval::{Gates, Urgency};
use crate::civil::{CivilDate, CivilTime, Weekday};
use crate::id::{FamilyId, FreezeId, KindId, WardId, WindowId};
use crate::limits::SLOT_RESERVE_S;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How many devices of a kind a ward needs at every instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MinInService {
    /// The kind.
    pub kind: KindId,
    /// How many.
    pub count: u32,
}

/// Rules of the whole site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SiteRules {
    /// Windows of wards that name none, and of devices that stand in no ward.
    pub windows: Vec<WindowId>,
    /// Hours of staff for wards that name none, and for devices that stand in no ward.
    pub staff_on_site: Vec<WeeklyHours>,
    /// Most devices of the site that are updated at once; no limit when absent.
    pub max_parallel: Option<u32>,
    /// Most devices of each ward in wave 1.
    pub canary_per_ward: u32,
    /// How long each wave is watched after its last slot, in seconds; the last value holds for all later.
    pub soak_s: Vec<u64>,
    /// The same in an emergency approval, for every wave, in seconds.
    pub emergency_soak_s: u64,
    /// Share of the wave before that must have been updated before a wave opens, in thousandths.
    pub min_updated_permille: u32,
    /// Hours of clinical use that the wave before must have seen; the last value holds for all later
    /// waves. A wave of bench devices is never asked for clinical use.
    pub min_clinical_use_h: Vec<u32>,
    /// Failures allowed per wave, in thousandths; the last value holds for all later waves.
    pub halt_permille: Vec<u32>,
    /// A device silent this long after activation counts as failed, in seconds.
    pub silent_after_s: u64,
    /// What devices keep free at the end of a slot, as they are configured, in seconds.
    pub reserve_s: u64,
}

impl Default for SiteRules {
    fn default() -> Self {
        Self {
            windows: Vec::new(),
            staff_on_site: Vec::new(),
            max_parallel: None,
            canary_per_ward: 1,
            soak_s: vec![48 * 3600],
            emergency_soak_s: 3600,
            min_updated_permille: 500,
            min_clinical_use_h: vec![0],
            halt_permille: vec![0, 0, 20],
            silent_after_s: 3600,
            reserve_s: SLOT_RESERVE_S,
        }
    }
}

impl SiteRules {
    /// How long wave `n` is watched, in seconds.
    #[must_use]
    pub fn soak_s_of(&self, n: u32, urgency: Urgency) -> u64 {
        match urgency {
            Urgency::Routine => nth_or_last(&self.soak_s, n).unwrap_or(0),
            Urgency::Emergency => self.emergency_soak_s,
        }
    }

    /// How long after a device its partner may follow at the earliest, in seconds: the longest soak.
    #[must_use]
    pub fn pair_soak_s(&self, urgency: Urgency) -> u64 {
        match urgency {
            Urgency::Routine => self.soak_s.iter().copied().max().unwrap_or(0),
            Urgency::Emergency => self.emergency_soak_s,
        }
    }

    /// How many hours of clinical use wave `n` asks of the wave before.
    #[must_use]
    pub fn min_clinical_use_h_of(&self, n: u32) -> u32 {
        nth_or_last(&self.min_clinical_use_h, n).unwrap_or(0)
    }

    /// The gates of an approval.
    #[must_use]
    pub fn gates(&self) -> Gates {
        Gates { halt_permille: self.halt_permille.clone(), silent_after_s: self.silent_after_s }
    }
}

fn nth_or_last<T: Copy>(values: &[T], n: u32) -> Option<T> {
    let at = usize::try_from(n).unwrap_or(usize::MAX);
    values.get(at).or(values.last()).copied()
}

/// A window that recurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UsualWindow {
    /// Its id.
    pub id: WindowId,
    /// Its name in English.
    pub name_en: String,
    /// Its name in Japanese.
    pub name_ja: String,
    /// IANA zone of its hours; that of the site when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// When it opens.
    pub rule: WindowRule,
}

/// When a window opens. It starts at a civil time and lasts elapsed minutes: 120 minutes are 120
/// minutes on a day when the clocks change, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum WindowRule {
    /// On days of the week.
    Weekly {
        /// Days on which it starts, at least one.
        days: Vec<Weekday>,
        /// When it starts.
        start: CivilTime,
        /// How long it lasts, 1 to 1440 minutes.
        minutes: u32,
        /// Every how many weeks, counted from the week of `first`; 1 to 52.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        every: u32,
        /// First date on which it may start; named when `every` is not 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first: Option<CivilDate>,
        /// Last date on which it may start.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<CivilDate>,
        /// Dates on which it does not start.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        except: Vec<CivilDate>,
    },
    /// Every so many days.
    Daily {
        /// When it starts.
        start: CivilTime,
        /// How long it lasts, 1 to 1440 minutes.
        minutes: u32,
        /// Every how many days, counted from `first`; 1 to 366.
        every: u32,
        /// First date on which it starts.
        first: CivilDate,
        /// Last date on which it may start.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<CivilDate>,
        /// Dates on which it does not start.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        except: Vec<CivilDate>,
    },
    /// On these dates only.
    Dates {
        /// The dates, at least one.
        dates: Vec<CivilDate>,
        /// When it starts.
        start: CivilTime,
        /// How long it lasts, 1 to 1440 minutes.
        minutes: u32,
    },
}

impl WindowRule {
    /// How long it lasts, in minutes.
    #[must_use]
    pub const fn minutes(&self) -> u32 {
        match self {
            Self::Weekly { minutes, .. }
            | Self::Daily { minutes, .. }
            | Self::Dates { minutes, .. } => *minutes,
        }
    }
}

const fn one() -> u32 {
    1
}

const fn is_one(every: &u32) -> bool {
    *every == 1
}

/// Hours of the week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WeeklyHours {
    /// Days on which they start, at least one.
    pub days: Vec<Weekday>,
    /// When they start.
    pub start: CivilTime,
    /// How long they last, 1 to 1440 minutes.
    pub minutes: u32,
}

impl WeeklyHours {
    /// The same hours as the rule of a window.
    #[must_use]
    pub fn rule(&self) -> WindowRule {
        WindowRule::Weekly {
            days: self.days.clone(),
            start: self.start,
            minutes: self.minutes,
            every: 1,
            first: None,
            last: None,
            except: Vec::new(),
        }
    }
}

/// A period without changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// Its id.
    pub id: FreezeId,
    /// First instant in it.
    pub from: Timestamp,
    /// First instant after it.
    pub to: Timestamp,
    /// Whom it concerns.
    pub scope: FreezeScope,
    /// Whether an emergency may pass.
    pub hardness: Hardness,
    /// Why, for people.
    pub why: String,
}

/// Whom a freeze concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FreezeScope {
    /// Every device of the site.
    Site {},
    /// The devices of a ward.
    Ward {
        /// The ward.
        ward: WardId,
    },
    /// The devices of a family.
    Family {
        /// The family.
        family: FamilyId,
    },
    /// The devices of a kind.
    Kind {
        /// The kind.
        equipment: KindId,
    },
}

/// Whether an emergency may pass a freeze.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Hardness {
    /// Nothing passes.
    Hard,
    /// An emergency approval passes.
    Soft,
}
