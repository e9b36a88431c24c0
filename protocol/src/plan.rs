//! The planner: who may be updated when, so that no ward ever lacks what it needs.
//!
//! A device cannot know what its neighbours do; so safety of the ward is put into the slots before
//! anybody signs. Pure and deterministic: server, command line and simulator plan alike. A device
//! that fits no rule is listed with its reason, never squeezed in. Not here: judging a plan
//! ([`crate::check`] does, and shares nothing with this but the words of [`Request`]).
//! Invariant: what [`plan`] returns passes that check.

#[cfg(feature = "zones")]
mod ask;
mod draft;
mod ground;
mod load;
mod order;
mod parts;
mod reason;
mod request;
mod squeeze;
mod standing;

#[cfg(feature = "zones")]
pub use ask::{Ask, BadAsk, Wanted};
pub use parts::{plan_parts, plan_parts_of};
pub use reason::{Reason, Unplaced};
pub use request::{
    ALTERNATIVES, Availability, Busy, Candidate, Hours, Management, Request, START_S, WAIT_S,
    WardRules, Wish,
};
pub use standing::plan_standing;

use crate::approval::{ApprovedDevice, Gates, Wave};
use crate::inventory::Usage;
use crate::limits::SLOTS_PER_DEVICE_MAX;
use crate::slot::Slot;
use draft::{Draft, Mode, Pace};
use ground::Ground;
use load::Span;
use serde::Serialize;

/// A plan: the parts of an approval that say who and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The waves, numbered from 0; none when no device got a slot.
    pub waves: Vec<Wave>,
    /// The devices with their slots, by their ids.
    pub devices: Vec<ApprovedDevice>,
    /// The devices without a slot, by their ids, each with its reason.
    pub unplaced: Vec<Unplaced>,
    /// When the rollout halts by itself.
    pub gates: Gates,
}

impl Plan {
    /// From the first slot to the end of the last, which is how long an approval of it must live.
    #[must_use]
    pub fn span(&self) -> Option<(crate::time::Timestamp, crate::time::Timestamp)> {
        let slots = || self.devices.iter().flat_map(|device| &device.slots);
        let first = slots().map(Slot::start).min()?;
        Some((first, slots().map(Slot::end).max()?))
    }
}

/// Plans slots for every device that is to be updated.
///
/// More than 2,000 devices do not go into one approval: [`plan_parts`].
#[must_use]
pub fn plan(request: &Request) -> Plan {
    let ground = Ground::of(request);
    let alternatives = request.alternatives.clamp(1, SLOTS_PER_DEVICE_MAX);
    // Generous first; where that leaves devices out, as tight as the update itself. Windows of many
    // hours would give a wave of one device a whole day, so at last no slot is longer than it must be.
    let modes = [
        Mode { lane: ground.want, alternatives, pace: Pace::Roomy },
        Mode { lane: ground.want, alternatives: 1, pace: Pace::Roomy },
        Mode { lane: ground.need, alternatives: 1, pace: Pace::Roomy },
        Mode { lane: ground.want, alternatives: 1, pace: Pace::Brisk },
        Mode { lane: ground.need, alternatives: 1, pace: Pace::Brisk },
    ];
    let mut best: Option<Draft<'_, '_>> = None;
    for mode in modes {
        let draft = Draft::attempt(&ground, mode);
        let better = best.as_ref().is_none_or(|best| draft.failed.len() < best.failed.len());
        if better {
            best = Some(draft);
        }
        if best.as_ref().is_some_and(|best| best.failed.is_empty()) {
            break;
        }
    }
    let Some(mut draft) = best else { return finish(&ground, &[], &[], Vec::new()) };
    let unplaced = draft.squeeze();
    finish(&ground, &draft.waves, &draft.loads.slots, unplaced)
}

/// Writes down what was found.
fn finish(
    ground: &Ground<'_>,
    waves: &[Vec<usize>],
    slots: &[Vec<Span>],
    unplaced: Vec<Unplaced>,
) -> Plan {
    let request = ground.request;
    let mut devices = Vec::new();
    let mut listed: Vec<Wave> = Vec::new();
    let mut before: &[usize] = &[];
    for (n, members) in (0_u32..).zip(waves) {
        let of = |at: &usize| slots.get(*at).into_iter().flatten();
        let spans = members.iter().flat_map(of).copied();
        let first = spans.min().and_then(|span| ground.slot(span));
        listed.push(Wave {
            n,
            not_before: first.map_or(request.now, |slot| slot.start()),
            soak_s: request.rules.soak_s_of(n, request.urgency),
            min_updated: min_updated(before.len(), request.rules.min_updated_permille),
            min_clinical_use_h: clinical_use_h(ground, before, n),
        });
        devices.extend(members.iter().filter_map(|at| approved(ground, *at, n, slots)));
        before = members;
    }
    devices.sort_by(|a, b| a.id.cmp(&b.id));
    let mut unplaced: Vec<_> = ground.unplaced.iter().cloned().chain(unplaced).collect();
    unplaced.sort_by(|a, b| a.device.cmp(&b.device));
    Plan { waves: listed, devices, unplaced, gates: request.rules.gates() }
}

fn approved(
    ground: &Ground<'_>,
    at: usize,
    wave: u32,
    slots: &[Vec<Span>],
) -> Option<ApprovedDevice> {
    let device = ground.devices.get(at)?;
    Some(ApprovedDevice {
        id: device.candidate.id.clone(),
        key: device.candidate.key?,
        wave,
        slots: slots.get(at)?.iter().filter_map(|span| ground.slot(*span)).collect(),
        attended: device.attended,
        pair: device.candidate.pair.clone(),
    })
}

/// The share of the wave before, at least one device where there is one.
fn min_updated(before: usize, permille: u32) -> u32 {
    let before = u32::try_from(before).unwrap_or(u32::MAX);
    let share = u64::from(before).saturating_mul(u64::from(permille)).div_ceil(1000);
    u32::try_from(share).unwrap_or(u32::MAX).max(1).min(before)
}

/// Devices that no patient meets cannot show clinical use.
fn clinical_use_h(ground: &Ground<'_>, before: &[usize], n: u32) -> u32 {
    let used =
        |at: &usize| ground.devices.get(*at).is_some_and(|d| d.candidate.usage == Usage::InService);
    let all = !before.is_empty() && before.iter().all(used);
    if all { ground.request.rules.min_clinical_use_h_of(n) } else { 0 }
}
