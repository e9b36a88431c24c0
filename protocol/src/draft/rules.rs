//! The second, independent look: whether a plan or an approval keeps the ward rules, before it is
//! drafted and again before each signature.
//!
//! Runs [`crate::check`], which shares no code with the planner. Not here: whether somebody accepts a
//! violation. Invariant: what is found is named, rule by rule.

use super::planned::{Known, Planned};
use crate::approval::{Action, Approval, Urgency};
use crate::check::{Broken, Violation, WaveOrder, check};
use crate::id::DeviceId;
use crate::inventory::{Attendance, Inventory};
use crate::language::Language;
use crate::plan::{Ask, BadAsk, Busy, Hours, Plan, Request, Wanted, Wish};
use std::collections::BTreeSet;

/// Most devices that a violation's line names.
const NAMED_MAX: usize = 8;

/// What a release asks of each slot, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Seconds with the way back and the reserve; 0 where the release is not known.
    pub need_s: u64,
    /// Whether a person must be there.
    pub attended: Attendance,
}

/// Every rule that a plan breaks; the planner never breaks one, and nobody takes its word.
#[must_use]
pub fn of_plan(planned: &Planned, order: WaveOrder) -> Vec<Violation> {
    let mut busy = planned.request.busy.clone();
    let mut found = Vec::new();
    for part in &planned.parts {
        let request = Request { busy: busy.clone(), ..of_part(&planned.request, part) };
        found.extend(check(&request, order, &part.waves, &part.devices));
        for device in &part.devices {
            let slot = |slot: &_| Busy { device: device.id.clone(), slot: *slot };
            busy.extend(device.slots.iter().map(slot));
        }
    }
    found
}

/// A request that wants only the devices of one part.
fn of_part(request: &Request, part: &Plan) -> Request {
    let placed = part.devices.iter().map(|device| &device.id);
    let ids: BTreeSet<&DeviceId> =
        placed.chain(part.unplaced.iter().map(|unplaced| &unplaced.device)).collect();
    let mut request = request.clone();
    for device in &mut request.devices {
        if !ids.contains(&device.id) {
            device.wish = Wish::Leave;
        }
    }
    request
}

/// Every rule of the inventory that an approval breaks, whoever planned it. `others` are slots that
/// approvals drafted with it give.
///
/// # Errors
/// [`BadAsk`] when the inventory cannot be expanded.
pub fn of_approval(
    known: &Known,
    inventory: &Inventory,
    approval: &Approval,
    needs: Needs,
    others: &[Busy],
) -> Result<Vec<Violation>, BadAsk> {
    let own = |other: &Approval| {
        other.id == approval.id || approval.supersedes.as_ref() == Some(&other.id)
    };
    let mut busy = known.busy(approval.issued, own);
    busy.extend_from_slice(others);
    let heard = |id: &DeviceId| {
        inventory.device(id).is_some() || known.views.iter().any(|view| view.device == *id)
    };
    // A device that nobody has heard of is no part of the request, and the check says so.
    let wanted = approval.devices.iter().map(|device| device.id.clone()).filter(heard).collect();
    let ask = Ask {
        families: approval.families().into_iter().cloned().collect(),
        need_s: needs.need_s,
        wait_s: 0,
        attended: needs.attended,
        urgency: approval.urgency,
        hours: match approval.urgency {
            Urgency::Emergency => Hours::Any,
            Urgency::Routine => Hours::Usual,
        },
        alternatives: approval.slots_max(),
        now: approval.issued,
        until: approval.valid_until,
        wanted: Wanted::Devices(wanted),
        out_of_service: Vec::new(),
        busy,
    };
    let request = Request::of(inventory, &known.views, &ask)?;
    let order = match approval.action {
        Action::Install | Action::Rollback => WaveOrder::InTime,
        Action::Standing => WaveOrder::ByProof,
    };
    Ok(check(&request, order, &approval.waves, &approval.devices))
}

/// The rule of a name.
#[must_use]
pub fn named(code: &str) -> Option<Broken> {
    Broken::ALL.iter().find(|rule| rule.code() == code).copied()
}

/// A violation in words.
#[must_use]
pub fn line(language: Language, violation: &Violation) -> String {
    let rule = violation.rule;
    let count = violation.devices.len();
    let mut names: Vec<_> =
        violation.devices.iter().take(NAMED_MAX).map(ToString::to_string).collect();
    if count > NAMED_MAX {
        names.push(format!("… ({count})"));
    }
    let names = if names.is_empty() { String::new() } else { format!(" {}", names.join(", ")) };
    let detail = match violation.detail.as_str() {
        "" => String::new(),
        detail => format!(" ({detail})"),
    };
    format!("{}: {}{names}{detail}", rule.code(), language.pick(rule.en(), rule.ja()))
}

/// Accepted violations, as they stand in summaries.
#[must_use]
pub fn accepted_lines(language: Language, found: &[Violation]) -> Vec<String> {
    let word =
        language.pick("! ACCEPTED although it breaks a rule:", "! 規則違反を承知のうえで承認:");
    found.iter().map(|violation| format!("{word} {}", line(language, violation))).collect()
}
