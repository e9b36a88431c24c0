//! Who may go in which wave.
//!
//! Wave 0: bench and spare devices, or one single device where there are none. Wave 1: few of each
//! ward, never the sole device of its kind, never one of a pair where another exists. Wave 2: up to
//! half of what is left of each ward. Then the rest, then those that need a person.
//! Not here: hours. Invariant: a device that gave up stays out.

use super::ground::Ground;
use crate::inventory::Usage;
use std::collections::BTreeMap;

/// Devices of one ward, in the order in which they are tried.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) devices: Vec<usize>,
    /// Most of them in this wave.
    pub(super) quota: usize,
    /// Into how many lanes a window is best cut for them.
    pub(super) lanes_wanted: u32,
}

/// How a place is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    /// In lanes, within the wave's share of the time.
    Lanes,
    /// At every minute until the end, as short as can be.
    AnyMinute,
}

/// Whom a wave may take.
pub(super) struct Choices {
    /// Best first: the next tier is tried when nobody of those before can be placed at all.
    tiers: Vec<Vec<Group>>,
    /// All that are given up when nobody can be placed.
    all: Vec<usize>,
}

impl Choices {
    fn new(tiers: Vec<Vec<Group>>, all: Vec<usize>) -> Self {
        Self { tiers: tiers.into_iter().filter(|tier| !tier.is_empty()).collect(), all }
    }

    /// What is tried, one after the other. Who is passed over after a search of every minute cannot
    /// be placed later either.
    pub(super) fn attempts(&self) -> impl Iterator<Item = (&[Group], Search)> {
        let both = |tier| [(tier, Search::Lanes), (tier, Search::AnyMinute)];
        self.tiers.iter().map(Vec::as_slice).flat_map(both)
    }

    /// All that may go when hours do not matter.
    pub(super) fn take(self) -> Vec<usize> {
        let first = |group: Group| group.devices.into_iter().take(group.quota);
        self.tiers.into_iter().next().into_iter().flatten().flat_map(first).collect()
    }
}

/// What is still to be placed.
pub(super) struct Progress {
    left: Vec<usize>,
    /// Devices in use of each ward: how many may get slots, less those of waves 0 and 1.
    uncanaried: Vec<usize>,
}

impl Progress {
    pub(super) fn of(ground: &Ground<'_>) -> Self {
        Self::over(ground, &ground.eligible)
    }

    /// Only these.
    pub(super) fn over(ground: &Ground<'_>, devices: &[usize]) -> Self {
        Self { left: devices.to_vec(), uncanaried: wished(ground) }
    }

    /// Whom wave `n` may take; nothing when all are placed or given up.
    pub(super) fn choices(&self, ground: &Ground<'_>, n: usize) -> Option<Choices> {
        if self.left.is_empty() {
            return None;
        }
        if n == 0 {
            return Some(self.first(ground));
        }
        let pool = self.pool(ground);
        let wards = by_ward(ground, &pool);
        let canaries = usize::try_from(ground.request.rules.canary_per_ward).unwrap_or(1);
        let group = |devices: Vec<usize>, quota: usize| {
            let lanes_wanted = lanes_wanted(ground, &devices, quota);
            Group { devices, quota, lanes_wanted }
        };
        let tiers: Vec<Vec<Group>> = match n {
            1 => {
                let strict = wards.values().map(|devices| canaries_of(ground, devices));
                let strict = strict.filter(|devices| !devices.is_empty());
                let anyone = wards.values().cloned();
                vec![
                    strict.map(|devices| group(devices, canaries)).collect(),
                    anyone.map(|devices| group(devices, canaries)).collect(),
                ]
            }
            2 => {
                let half = |ward: usize| self.uncanaried.get(ward).copied().unwrap_or(0);
                let groups = wards.into_iter().map(|(ward, devices)| {
                    let quota = half(ward).div_ceil(2).max(1);
                    group(devices, quota)
                });
                vec![groups.collect()]
            }
            _ => {
                let groups = wards.into_values().map(|devices| {
                    let quota = devices.len();
                    group(devices, quota)
                });
                vec![groups.collect()]
            }
        };
        Some(Choices::new(tiers, pool))
    }

    /// How many waves there will be from wave `n` on, as far as can be told.
    pub(super) fn waves_to_come(&self, ground: &Ground<'_>, n: usize) -> u32 {
        let attended = |at: &&usize| ground.devices.get(**at).is_some_and(|d| d.attended);
        let count = self.left.iter().filter(attended).count();
        let mixed = u32::from(count > 0 && count < self.left.len());
        let others = 4_u32.saturating_sub(u32::try_from(n).unwrap_or(4)).max(1);
        let left = u32::try_from(self.left.len()).unwrap_or(u32::MAX);
        others.saturating_add(mixed).min(left)
    }

    pub(super) fn placed(&mut self, ground: &Ground<'_>, n: usize, devices: &[usize]) {
        let devices: std::collections::BTreeSet<_> = devices.iter().collect();
        self.left.retain(|at| !devices.contains(at));
        for at in devices.into_iter().filter(|at| n < 2 && in_use(ground, **at)) {
            let ward = ground.devices.get(*at).map(|device| device.ward);
            if let Some(count) = ward.and_then(|ward| self.uncanaried.get_mut(ward)) {
                *count = count.saturating_sub(1);
            }
        }
    }

    pub(super) fn give_up(&mut self, choices: Choices) -> Vec<usize> {
        let all: std::collections::BTreeSet<_> = choices.all.iter().collect();
        self.left.retain(|at| !all.contains(at));
        choices.all
    }

    /// Bench and spare devices; else one device, the one that is missed least.
    fn first(&self, ground: &Ground<'_>) -> Choices {
        let (used, others): (Vec<_>, Vec<_>) =
            self.left.iter().copied().partition(|at| in_use(ground, *at));
        let wards = by_ward(ground, &others).into_values();
        let groups = wards.map(|devices| {
            let quota = devices.len();
            let lanes_wanted = lanes_wanted(ground, &devices, quota);
            Group { devices, quota, lanes_wanted }
        });
        let mut alike: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for at in used {
            let (sole, pair, _) = rank(ground, at);
            let attended = ground.devices.get(at).is_some_and(|device| device.attended);
            alike.entry((attended, sole, pair)).or_default().push(at);
        }
        let one = |devices: Vec<usize>| {
            let lanes_wanted = lanes_wanted(ground, &devices, 1);
            vec![Group { devices, quota: 1, lanes_wanted }]
        };
        let tiers = std::iter::once(groups.collect()).chain(alike.into_values().map(one));
        Choices::new(tiers.collect(), self.left.clone())
    }

    /// Those that need no person, as long as there are some; then the others.
    fn pool(&self, ground: &Ground<'_>) -> Vec<usize> {
        let (attended, alone): (Vec<_>, Vec<_>) = self
            .left
            .iter()
            .copied()
            .partition(|at| ground.devices.get(*at).is_some_and(|device| device.attended));
        let mut pool = if alone.is_empty() { attended } else { alone };
        pool.sort_by_key(|at| rank(ground, *at));
        pool
    }
}

/// Those of a ward that may be canaries: not the sole one; of pairs only where there are no others.
fn canaries_of(ground: &Ground<'_>, devices: &[usize]) -> Vec<usize> {
    let device = |at: &usize| ground.devices.get(*at);
    let shared = |at: &&usize| device(at).is_some_and(|device| !device.sole);
    let single = |at: &&usize| device(at).is_some_and(|d| !d.sole && d.candidate.pair.is_none());
    let plain: Vec<_> = devices.iter().filter(single).copied().collect();
    if plain.is_empty() { devices.iter().filter(shared).copied().collect() } else { plain }
}

/// Whom to take first: those that are missed least.
fn rank(ground: &Ground<'_>, at: usize) -> (bool, bool, usize) {
    let device = ground.devices.get(at);
    let sole = device.is_some_and(|device| device.sole);
    (sole, device.is_some_and(|device| device.candidate.pair.is_some()), at)
}

/// How many devices in use of each ward the release is for.
pub(super) fn wished(ground: &Ground<'_>) -> Vec<usize> {
    let mut counts = vec![0_usize; ground.wards.len()];
    for (at, device) in ground.devices.iter().enumerate() {
        let wished = in_use(ground, at) && ground.request.concerns(device.candidate);
        if let Some(count) = counts.get_mut(device.ward).filter(|_| wished) {
            *count = count.saturating_add(1);
        }
    }
    counts
}

pub(super) fn in_use(ground: &Ground<'_>, at: usize) -> bool {
    ground.devices.get(at).is_some_and(|device| device.candidate.usage == Usage::InService)
}

fn by_ward(ground: &Ground<'_>, devices: &[usize]) -> BTreeMap<usize, Vec<usize>> {
    let mut wards: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in devices {
        let ward = ground.devices.get(*at).map_or(0, |device| device.ward);
        wards.entry(ward).or_default().push(*at);
    }
    wards
}

/// As few lanes as let all of them go in one window, so that each has as much time as can be to be
/// free; as many as there is room for where the site counts how many are out at once, and in an
/// emergency, where hours have no end and every hour counts.
fn lanes_wanted(ground: &Ground<'_>, devices: &[usize], quota: usize) -> u32 {
    if ground.request.rules.max_parallel.is_some() || ground.request.skips_windows() {
        return u32::MAX;
    }
    let count = u32::try_from(devices.len().min(quota)).unwrap_or(u32::MAX);
    let least = devices.iter().filter_map(|at| ground.parallel_max(*at)).min();
    least.map_or(1, |most| count.div_ceil(most.max(1)))
}
