//! Slots for a policy that is signed once: every device gets lanes over the whole time.
//!
//! Which releases come, and when, nobody knows; so waves have no order in time here (the device asks
//! for the proof of the wave before), and everything else holds for all lanes at once.
//! Invariant: whichever lanes the devices use, every ward keeps what it needs.

use super::Plan;
use super::draft::Draft;
use super::finish;
use super::ground::{Ground, Loads};
use super::load::Span;
use super::order::Progress;
use super::reason::{Reason, Unplaced};
use super::request::Request;
use crate::limits::STANDING_SLOTS_PER_DEVICE_MAX;

/// Plans lanes for a standing approval, spread over the time until it ends.
#[must_use]
pub fn plan_standing(request: &Request) -> Plan {
    let ground = Ground::of(request);
    let rounds = request.alternatives.clamp(1, STANDING_SLOTS_PER_DEVICE_MAX);
    let mut loads = ground.base.clone();
    give_lanes(&ground, &mut loads, rounds);
    let has = |at: &&usize| loads.slots.get(**at).is_some_and(|slots| !slots.is_empty());
    let (placed, rest): (Vec<usize>, Vec<usize>) = ground.eligible.iter().partition(has);
    let mut unplaced = Vec::new();
    for at in rest {
        if let Some(device) = ground.devices.get(at) {
            unplaced.push(Unplaced::new(device.candidate.id.clone(), Reason::NoRoom));
        }
    }
    let waves = waves(&ground, &placed);
    let slots: Vec<Vec<Span>> = loads.slots;
    finish(&ground, &waves, &slots, unplaced)
}

/// Round after round one lane for each device, each round starting with another device.
fn give_lanes(ground: &Ground<'_>, loads: &mut Loads, rounds: usize) {
    let rounds_u32 = u32::try_from(rounds).unwrap_or(1).max(1);
    let apart = ground.end.saturating_sub(ground.begin) / rounds_u32;
    let lanes: Vec<Vec<Span>> =
        ground.classes.iter().map(|hours| Draft::lanes(ground, hours)).collect();
    for round in 0..rounds_u32 {
        let begin = ground.begin.saturating_add(round.saturating_mul(apart));
        let count = ground.eligible.len();
        let turn = usize::try_from(round).unwrap_or(0).checked_rem(count).unwrap_or(0);
        let (later, first) = ground.eligible.split_at(turn);
        for at in first.iter().chain(later) {
            let class = ground.devices.get(*at).and_then(|device| device.class);
            let Some(lanes) = class.and_then(|class| lanes.get(class)) else { continue };
            let from = lanes.partition_point(|lane| lane.start < begin);
            // The time of this round first; what is left of it before goes to who has no lane yet.
            let none = loads.slots.get(*at).is_some_and(Vec::is_empty);
            let later = lanes.get(from..).unwrap_or_default();
            let earlier = lanes.get(..from).filter(|_| none).unwrap_or_default();
            let free = |lane: &&Span| loads.conflict(ground, *at, **lane).is_none();
            let lane = later.iter().chain(earlier).find(free).copied();
            // Where no lane is left for a device that has none, any minute will do.
            let whole = Span { start: ground.begin, end: ground.end };
            let anywhere = || {
                class.filter(|_| none).and_then(|class| loads.first_free(ground, *at, class, whole))
            };
            if let Some(span) = lane.or_else(anywhere) {
                loads.give(ground, *at, span);
            }
        }
    }
}

/// The waves of those that have lanes, by the same rules as every plan.
fn waves(ground: &Ground<'_>, placed: &[usize]) -> Vec<Vec<usize>> {
    let mut progress = Progress::over(ground, placed);
    let mut waves: Vec<Vec<usize>> = Vec::new();
    while let Some(choices) = progress.choices(ground, waves.len()) {
        let members = choices.take();
        if members.is_empty() {
            break;
        }
        progress.placed(ground, waves.len(), &members);
        waves.push(members);
    }
    waves
}
