//! The days of a family's life and the rules for naming them: pure.
//!
//! Words as IMDRF N60 and N70 use them: a product is supported, then supported in part, until the
//! end of support; the end of life is when it is no longer sold. Not here: storing ([`super::say`]).
//! Invariant: days stand in their order, and an end of support is told at least
//! [`SUPPORT_NOTICE_DAYS`] ahead.

use patchward_protocol::civil::CivilDate;
use patchward_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Hospitals learn of an end of support so many days ahead, at least.
pub const SUPPORT_NOTICE_DAYS: i64 = 365;
/// A manufacturer may stay undecided for so many days at a time.
pub const UNDECIDED_DAYS_MAX: i64 = 365;

/// What a manufacturer says of a family's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Lifecycle {
    /// The days.
    Dates(Dates),
    /// Not yet decided; by this day it will be.
    Undecided {
        /// The day.
        until: CivilDate,
    },
}

/// The days of a family's life, each the last on which it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dates {
    /// All updates are made until here.
    pub supported_until: CivilDate,
    /// Some updates are made until here.
    pub limited_until: CivilDate,
    /// No update is made after this.
    pub end_of_support: CivilDate,
    /// No longer sold after this.
    pub end_of_life: CivilDate,
}

/// Where a family stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Nobody has said anything.
    Unsaid,
    /// The manufacturer has not decided.
    Undecided,
    /// All updates are made.
    Supported,
    /// Some updates are made.
    Limited,
    /// No update is made.
    Ended,
}

/// Why days are not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// They do not follow each other.
    #[error("{later} is before {earlier}")]
    Order {
        /// The day that should not be later.
        earlier: CivilDate,
        /// The day that should not be earlier.
        later: CivilDate,
    },
    /// The end of support comes too soon for hospitals.
    #[error("support may end on {earliest} or later, {SUPPORT_NOTICE_DAYS} days from now")]
    Notice {
        /// The first day that is far enough.
        earliest: CivilDate,
    },
    /// Undecided for too long, or until a day that is over.
    #[error("undecided until a day from now to {latest}")]
    Undecided {
        /// The last day that is taken.
        latest: CivilDate,
    },
    /// What was announced is taken back.
    #[error("days were announced; they can be moved, not taken back")]
    TakenBack,
    /// It says what is said already.
    #[error("this is what is said already")]
    Same,
}

impl Lifecycle {
    /// Checks a statement against the one before it.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn check(&self, before: Option<&Self>, at: Timestamp) -> Result<(), Broken> {
        if before == Some(self) {
            return Err(Broken::Same);
        }
        let today = CivilDate::of_utc(at);
        match (self, before) {
            (Self::Undecided { .. }, Some(Self::Dates(_))) => Err(Broken::TakenBack),
            (Self::Undecided { until }, _) => {
                let latest = today.plus_days(UNDECIDED_DAYS_MAX);
                if *until > today && *until <= latest {
                    Ok(())
                } else {
                    Err(Broken::Undecided { latest })
                }
            }
            (Self::Dates(dates), before) => {
                dates.check_order()?;
                let earlier = match before {
                    Some(Self::Dates(before)) => Some(before.end_of_support),
                    Some(Self::Undecided { .. }) | None => None,
                };
                dates.check_notice(earlier, today)
            }
        }
    }

    /// The end of support, where it is decided.
    #[must_use]
    pub const fn end_of_support(&self) -> Option<CivilDate> {
        match self {
            Self::Dates(dates) => Some(dates.end_of_support),
            Self::Undecided { .. } => None,
        }
    }

    /// The moment from which no update is made: the end of that day in UTC.
    #[must_use]
    pub fn support_ends(&self) -> Option<Timestamp> {
        self.end_of_support().map(CivilDate::end_utc)
    }

    /// Where the family stands.
    #[must_use]
    pub fn stage(&self, at: Timestamp) -> Stage {
        let today = CivilDate::of_utc(at);
        match self {
            Self::Undecided { .. } => Stage::Undecided,
            Self::Dates(dates) if today <= dates.supported_until => Stage::Supported,
            Self::Dates(dates) if today <= dates.end_of_support => Stage::Limited,
            Self::Dates(_) => Stage::Ended,
        }
    }

    /// Whether the manufacturer owes a word: it said it would have decided by now.
    #[must_use]
    pub fn is_overdue(&self, at: Timestamp) -> bool {
        matches!(self, Self::Undecided { until } if *until < CivilDate::of_utc(at))
    }
}

impl Dates {
    fn check_order(&self) -> Result<(), Broken> {
        let pairs = [
            (self.supported_until, self.limited_until),
            (self.limited_until, self.end_of_support),
            (self.end_of_life, self.end_of_support),
        ];
        match pairs.into_iter().find(|(earlier, later)| earlier > later) {
            Some((earlier, later)) => Err(Broken::Order { earlier, later }),
            None => Ok(()),
        }
    }

    /// A day that was announced stays possible; one that is nearer needs the agreed notice.
    fn check_notice(&self, before: Option<CivilDate>, today: CivilDate) -> Result<(), Broken> {
        let earliest = today.plus_days(SUPPORT_NOTICE_DAYS);
        let kept = before.is_some_and(|before| self.end_of_support >= before);
        if kept || self.end_of_support >= earliest {
            Ok(())
        } else {
            Err(Broken::Notice { earliest })
        }
    }
}

impl Stage {
    /// All, the best known first.
    pub const ALL: [Self; 5] =
        [Self::Supported, Self::Limited, Self::Ended, Self::Undecided, Self::Unsaid];

    /// The end of ids of texts.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unsaid => "unsaid",
            Self::Undecided => "undecided",
            Self::Supported => "supported",
            Self::Limited => "limited",
            Self::Ended => "ended",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> CivilDate {
        text.parse().unwrap()
    }

    fn now() -> Timestamp {
        "2026-11-22T05:00:00Z".parse().unwrap()
    }

    fn dates(supported: &str, limited: &str, support: &str, life: &str) -> Lifecycle {
        Lifecycle::Dates(Dates {
            supported_until: day(supported),
            limited_until: day(limited),
            end_of_support: day(support),
            end_of_life: day(life),
        })
    }

    fn far() -> Lifecycle {
        dates("2031-03-31", "2033-03-31", "2033-03-31", "2029-03-31")
    }

    #[test]
    fn days_that_stand_in_order_and_far_enough_are_taken() {
        assert_eq!(far().check(None, now()), Ok(()));
        assert_eq!(far().stage(now()), Stage::Supported);
        assert_eq!(far().support_ends().unwrap().to_string(), "2033-04-01T00:00:00Z");
    }

    #[test]
    fn an_end_of_support_nearer_than_the_agreed_notice_is_refused() {
        let earliest = day("2027-11-22");
        let exactly = dates("2027-01-01", "2027-11-22", "2027-11-22", "2026-12-31");
        assert_eq!(exactly.check(None, now()), Ok(()));
        let short = dates("2027-01-01", "2027-11-21", "2027-11-21", "2026-12-31");
        assert_eq!(short.check(None, now()), Err(Broken::Notice { earliest }));
        assert_eq!(short.check(Some(&far()), now()), Err(Broken::Notice { earliest }));
    }

    #[test]
    fn an_announced_end_may_be_put_off_also_when_it_is_near() {
        let near = dates("2027-01-01", "2027-01-31", "2027-01-31", "2026-12-31");
        let later = dates("2027-01-01", "2027-03-31", "2027-03-31", "2026-12-31");
        assert_eq!(later.check(Some(&near), now()), Ok(()));
    }

    #[test]
    fn days_out_of_order_are_refused_with_both() {
        let wrong = dates("2034-03-31", "2033-03-31", "2033-03-31", "2029-03-31");
        let (earlier, later) = (day("2034-03-31"), day("2033-03-31"));
        assert_eq!(wrong.check(None, now()), Err(Broken::Order { earlier, later }));
        let sold = dates("2031-03-31", "2033-03-31", "2033-03-31", "2035-03-31");
        assert!(matches!(sold.check(None, now()), Err(Broken::Order { .. })));
    }

    #[test]
    fn undecided_is_said_with_a_day_and_never_after_days_were_announced() {
        let until = |text| Lifecycle::Undecided { until: day(text) };
        assert_eq!(until("2027-03-31").check(None, now()), Ok(()));
        let latest = day("2027-11-22");
        for wrong in ["2026-11-22", "2020-01-01", "2027-11-23"] {
            assert_eq!(until(wrong).check(None, now()), Err(Broken::Undecided { latest }));
        }
        assert_eq!(until("2027-03-31").check(Some(&far()), now()), Err(Broken::TakenBack));
        assert!(until("2026-11-21").is_overdue(now()));
        assert!(!until("2026-11-22").is_overdue(now()));
    }

    #[test]
    fn saying_the_same_again_is_refused() {
        assert_eq!(far().check(Some(&far()), now()), Err(Broken::Same));
    }

    #[test]
    fn a_family_goes_from_supported_to_limited_to_ended() {
        let life = dates("2026-11-21", "2026-11-22", "2026-11-22", "2026-11-01");
        assert_eq!(life.stage(now()), Stage::Limited);
        assert_eq!(life.stage(now().plus_seconds(24 * 3600)), Stage::Ended);
    }
}
