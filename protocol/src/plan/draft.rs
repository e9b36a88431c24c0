//! One attempt at a plan: wave after wave, each as early as the rules allow.
//!
//! A device's slots are lanes of its hours. Every alternative counts as taken, so that the rules hold
//! whichever slots the devices use. Not here: who may go in which wave ([`super::order`]).
//! Invariant: a wave begins only after all slots of the one before and its soak.

use super::ground::{DAY, Ground, Loads};
use super::load::Span;
use super::order::{Group, Progress, Search};
use std::collections::BTreeSet;

/// How generous an attempt is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mode {
    /// Shortest lane in minutes, where hours are long enough.
    pub(super) lane: u32,
    /// Slots wanted for each device.
    pub(super) alternatives: usize,
    /// Whether lanes grow into the hours that nobody else wants.
    pub(super) pace: Pace,
}

/// Whether lanes grow into the hours that nobody else wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// They do: a device has more time to become free.
    Roomy,
    /// They are as short as the mode allows, so that waves follow each other soon.
    Brisk,
}

/// A plan in the making.
pub(super) struct Draft<'g, 'a> {
    pub(super) ground: &'g Ground<'a>,
    pub(super) loads: Loads,
    /// Devices of each wave, in the order in which they were placed.
    pub(super) waves: Vec<Vec<usize>>,
    /// Devices for which no attempt found a lane.
    pub(super) failed: Vec<usize>,
}

/// How hours are cut.
#[derive(Debug, Clone, Copy)]
struct LaneWish {
    /// How many lanes, where there is room.
    wanted: u32,
    /// Shortest lane in minutes.
    lane: u32,
}

impl Mode {
    const fn lanes(self, wanted: u32) -> LaneWish {
        let wanted = match self.pace {
            Pace::Roomy => wanted,
            Pace::Brisk => u32::MAX,
        };
        LaneWish { wanted, lane: self.lane }
    }
}

/// Minutes between alternatives, so that the next is not the same busy hour.
const APART: u32 = 4 * 60;
/// Beyond this wave nothing is left for later.
const LAST_WAVE: usize = 8;

/// The lanes of each class in one wave, with the first that may still be free.
struct Lanes {
    by_class: Vec<Option<(Vec<Span>, usize)>>,
    hopeless: BTreeSet<(usize, bool)>,
    time: Span,
}

impl<'g, 'a> Draft<'g, 'a> {
    pub(super) fn attempt(ground: &'g Ground<'a>, mode: Mode) -> Self {
        let mut draft =
            Self { ground, loads: ground.base.clone(), waves: Vec::new(), failed: Vec::new() };
        let mut progress = Progress::of(ground);
        while let Some(choices) = progress.choices(ground, draft.waves.len()) {
            let floor = draft.floor();
            let to_come = progress.waves_to_come(ground, draft.waves.len());
            let limit = draft.limit(floor, to_come, mode);
            let mut placed = Vec::new();
            for (groups, search) in choices.attempts() {
                let until = if search == Search::Lanes { limit } else { ground.end };
                placed = draft.wave(groups, Span { start: floor, end: until }, search, mode);
                if !placed.is_empty() {
                    break;
                }
            }
            if placed.is_empty() {
                draft.failed.extend(progress.give_up(choices));
            } else {
                progress.placed(ground, draft.waves.len(), &placed);
                draft.waves.push(placed);
            }
        }
        draft.failed.sort_unstable();
        draft
    }

    /// The first minute at which the next wave may begin.
    pub(super) fn floor(&self) -> u32 {
        let Some(last) = self.waves.last() else { return self.ground.begin };
        let n = u32::try_from(self.waves.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let end = last.iter().filter_map(|at| self.loads.slots.get(*at)?.last());
        let end = end.map(|span| span.end).max().unwrap_or(self.ground.begin);
        end.saturating_add(self.ground.soak(n))
    }

    /// How late the next wave may end, so that those after it still have their share of the time.
    fn limit(&self, floor: u32, waves_to_come: u32, mode: Mode) -> u32 {
        let n = u32::try_from(self.waves.len()).unwrap_or(u32::MAX);
        if waves_to_come <= 1 || self.waves.len() >= LAST_WAVE {
            return self.ground.end;
        }
        let soaks = (0..waves_to_come.saturating_sub(1))
            .map(|more| self.ground.soak(n.saturating_add(more)));
        let rest = self.ground.end.saturating_sub(floor);
        let share = rest.saturating_sub(soaks.sum()) / waves_to_come;
        // A day at least, so that a window of every hour of the day comes by.
        let brisk = mode.pace == Pace::Brisk || self.ground.request.skips_windows();
        let least = if brisk { self.ground.want } else { DAY };
        floor.saturating_add(share.max(least)).min(self.ground.end)
    }

    /// Gives slots to one wave; returns who got some.
    fn wave(&mut self, groups: &[Group], time: Span, search: Search, mode: Mode) -> Vec<usize> {
        let mut lanes = Lanes::new(self.ground, time);
        let mut placed: Vec<usize> = Vec::new();
        let mut taken = BTreeSet::new();
        for group in groups {
            let mut room = group.quota;
            for at in &group.devices {
                if room == 0 {
                    break;
                }
                let partner = self.ground.devices.get(*at).and_then(|device| device.partner);
                if partner.is_some_and(|partner| taken.contains(&partner)) {
                    continue;
                }
                let found = match search {
                    Search::Lanes => self.lane(&mut lanes, *at, mode.lanes(group.lanes_wanted)),
                    Search::AnyMinute => self.any_minute(&mut lanes, *at),
                };
                if let Some(span) = found {
                    self.loads.give(self.ground, *at, span);
                    placed.push(*at);
                    taken.insert(*at);
                    room = room.saturating_sub(1);
                }
            }
        }
        for _ in 1..mode.alternatives {
            for at in &placed {
                self.alternative(&mut lanes, *at, mode.lanes(1));
            }
        }
        placed
    }

    /// All lanes of some hours, as many as there is room for.
    pub(super) fn lanes(ground: &Ground<'_>, hours: &[Span]) -> Vec<Span> {
        hours.iter().flat_map(|hours| cut(*hours, ground.need, ground.want, u32::MAX)).collect()
    }

    fn lane(&self, lanes: &mut Lanes, at: usize, wish: LaneWish) -> Option<Span> {
        let (spans, free) = lanes.of(self.ground, at, wish)?;
        while let Some(span) = spans.get(*free) {
            if self.loads.limit(self.ground, at, *span).is_none() {
                break;
            }
            // Full for this device is full for all of its class: counts never fall.
            *free = free.saturating_add(1);
        }
        let mut rest = spans.get(*free..).unwrap_or_default().iter();
        rest.find(|span| self.loads.conflict(self.ground, at, **span).is_none()).copied()
    }

    fn any_minute(&self, lanes: &mut Lanes, at: usize) -> Option<Span> {
        let device = self.ground.devices.get(at)?;
        let like = (device.class?, device.candidate.serves());
        // Where one without slots of its own found nothing, no other of its class will.
        if lanes.hopeless.contains(&like) {
            return None;
        }
        let found = self.loads.first_free(self.ground, at, like.0, lanes.time);
        if found.is_none() && device.is_free_of_others() {
            lanes.hopeless.insert(like);
        }
        found
    }

    fn alternative(&mut self, lanes: &mut Lanes, at: usize, wish: LaneWish) {
        let last = self.loads.slots.get(at).and_then(|slots| slots.last().copied());
        let (Some(last), Some((spans, free))) = (last, lanes.of(self.ground, at, wish)) else {
            return;
        };
        let apart = if self.ground.request.skips_windows() { 0 } else { APART };
        let after = last.end.saturating_add(apart);
        let first = spans.partition_point(|span| span.start < after).max(*free);
        let rest = spans.get(first..).unwrap_or_default();
        let fits = |span: &&Span| self.loads.conflict(self.ground, at, **span).is_none();
        if let Some(span) = rest.iter().find(fits).copied() {
            self.loads.give(self.ground, at, span);
        }
    }
}

impl Lanes {
    fn new(ground: &Ground<'_>, time: Span) -> Self {
        let by_class = vec![None; ground.classes.len()];
        Self { by_class, hopeless: BTreeSet::new(), time }
    }

    /// The lanes of a device's class, made when they are first asked for.
    fn of(
        &mut self,
        ground: &Ground<'_>,
        at: usize,
        wish: LaneWish,
    ) -> Option<&mut (Vec<Span>, usize)> {
        let class = ground.devices.get(at)?.class?;
        let hours = ground.classes.get(class)?;
        let whole = self.time;
        let entry = self.by_class.get_mut(class)?;
        Some(entry.get_or_insert_with(|| {
            let first = hours.partition_point(|span| span.end <= whole.start);
            let rest = hours.get(first..).unwrap_or_default().iter();
            let within = rest.take_while(|span| span.start < whole.end);
            let LaneWish { wanted, lane } = wish;
            let cut = within.flat_map(|span| cut(span.and(whole), ground.need, lane, wanted));
            (cut.collect(), 0)
        }))
    }
}

/// Cuts hours into lanes of equal length: as few as are wanted, none shorter than a slot must be.
fn cut(hours: Span, need: u32, lane: u32, wanted: u32) -> impl Iterator<Item = Span> {
    let minutes = hours.minutes();
    let most = (minutes / lane.max(1)).max(1);
    let least = minutes.div_ceil(DAY);
    let count = if minutes < need { 0 } else { wanted.clamp(least.min(most), most) };
    let length = minutes.checked_div(count).unwrap_or(0).min(DAY);
    (0..count).map(move |n| {
        let start = hours.start.saturating_add(n.saturating_mul(length));
        Span { start, end: start.saturating_add(length) }
    })
}
