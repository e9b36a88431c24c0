//! Refusing what breaks ward rules, before it is drafted and again before each signature.
//!
//! A violation stops everything unless it is accepted by its name; the name then stands in summary and
//! act. Not here: finding violations ([`patchward_protocol::draft::rules`]).
//! Invariant: an approval that breaks a rule is neither drafted nor signed in silence.

use crate::error::{Code, Failure, Outcome};
use crate::here::Language;
use patchward_protocol::check::{Broken, Violation, WaveOrder};
use patchward_protocol::draft::planned::Planned;
use patchward_protocol::draft::rules::{self, line};
use std::collections::BTreeSet;

/// Refuses a plan that breaks a rule; the planner never makes one, and nobody takes its word.
///
/// # Errors
/// [`Code::PlanViolates`].
pub fn must_hold(language: Language, planned: &Planned, order: WaveOrder) -> Outcome<()> {
    refuse(language, "the plan", &rules::of_plan(planned, order), &BTreeSet::new())
}

/// Refuses violations that are not accepted by name, and names that are no rule.
///
/// # Errors
/// [`Code::PlanViolates`], [`Code::ValueBad`].
pub fn refuse(
    language: Language,
    what: &str,
    found: &[Violation],
    accepted: &BTreeSet<Broken>,
) -> Outcome<()> {
    if found.iter().all(|violation| accepted.contains(&violation.rule)) {
        return Ok(());
    }
    let open = found.iter().filter(|violation| !accepted.contains(&violation.rule));
    let problems = open.map(|violation| line(language, violation)).collect();
    Err(Failure::with_problems(Code::PlanViolates, what, problems))
}

/// The rules behind the names that were given.
///
/// # Errors
/// [`Code::ValueBad`].
pub fn named(codes: &[String]) -> Outcome<BTreeSet<Broken>> {
    let rule = |code: &String| {
        rules::named(code).ok_or_else(|| {
            let all = Broken::ALL.iter().map(|rule| rule.code().to_owned()).collect();
            let what = format!("--accept-violation {code:?}: no such rule");
            Failure::with_problems(Code::ValueBad, what, all)
        })
    };
    codes.iter().map(rule).collect()
}
