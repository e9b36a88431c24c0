//! A last look for devices that no lane was left for: any minute of any wave.
//!
//! What stays out after this has a true reason: it fits nowhere in the plan as it stands.
//! Invariant: what is squeezed in breaks no rule of hours, limits, pairs, waves and soaks.

use super::draft::Draft;
use super::ground::Ground;
use super::load::Span;
use super::order::{in_use, wished};
use super::reason::{Reason, Unplaced};
use std::collections::BTreeSet;

/// What decides alike for devices of one class in whose way nobody else stands.
type Like = (usize, bool, bool, bool);

impl Draft<'_, '_> {
    /// Places what still fits; the others get their reason.
    pub(super) fn squeeze(&mut self) -> Vec<Unplaced> {
        let mut hopeless: BTreeSet<(Like, usize)> = BTreeSet::new();
        let mut unplaced = Vec::new();
        for at in std::mem::take(&mut self.failed) {
            let Some(device) = self.ground.devices.get(at) else { continue };
            let Some(class) = device.class else { continue };
            let candidate = device.candidate;
            let like = (class, candidate.serves(), in_use(self.ground, at), device.sole);
            let waves = self.waves.len();
            let mut tries = 0..=waves;
            let found = tries.find_map(|wave| {
                if device.is_free_of_others() && hopeless.contains(&(like, wave)) {
                    return None;
                }
                let span = self.span_in(at, class, wave);
                if span.is_none() && device.is_free_of_others() {
                    hopeless.insert((like, wave));
                }
                span.map(|span| (wave, span))
            });
            match found {
                Some((wave, span)) => {
                    // A new last wave makes later ones possible that were not tried.
                    if wave == waves {
                        self.waves.push(Vec::new());
                    }
                    self.loads.give(self.ground, at, span);
                    if let Some(devices) = self.waves.get_mut(wave) {
                        devices.push(at);
                    }
                    hopeless.retain(|(_, wave)| *wave < waves);
                }
                None => unplaced.push(Unplaced::new(candidate.id.clone(), self.why(class))),
            }
        }
        unplaced
    }

    /// Whether there would be hours in the last wave if nobody else had them.
    fn why(&self, class: usize) -> Reason {
        let last = self.waves.len().checked_sub(1).and_then(|last| self.between(last));
        let hours = self.ground.classes.get(class).into_iter().flatten();
        let left = last.is_some_and(|last| {
            hours.into_iter().any(|hours| hours.and(last).minutes() >= self.ground.need)
        });
        if left { Reason::NoRoom } else { Reason::NoTimeLeft }
    }

    /// The first span of the least length that a device may have in a wave.
    fn span_in(&self, at: usize, class: usize, wave: usize) -> Option<Span> {
        if !self.may_join(at, wave) {
            return None;
        }
        let between = self.between(wave)?;
        self.loads.first_free(self.ground, at, class, between)
    }

    /// The time that a wave may use without touching the soaks on either side.
    fn between(&self, wave: usize) -> Option<Span> {
        let spans = |wave: usize| {
            let devices = self.waves.get(wave).into_iter().flatten();
            devices.filter_map(|at| self.loads.slots.get(*at)).flatten()
        };
        let number = |wave: usize| u32::try_from(wave).unwrap_or(u32::MAX);
        let start = match wave.checked_sub(1) {
            None => self.ground.begin,
            Some(before) => {
                let end = spans(before).map(|span| span.end).max()?;
                end.saturating_add(self.ground.soak(number(before)))
            }
        };
        let next = spans(wave.saturating_add(1)).map(|span| span.start).min();
        let end = next
            .map_or(self.ground.end, |next| next.saturating_sub(self.ground.soak(number(wave))));
        (start < end).then_some(Span { start, end })
    }

    /// Whether the rules of waves let this device into that one.
    fn may_join(&self, at: usize, wave: usize) -> bool {
        let ground = self.ground;
        let Some(device) = ground.devices.get(at) else { return false };
        if wave >= crate::limits::WAVES_MAX {
            return false;
        }
        let used = in_use(ground, at);
        let members = |wave: usize| {
            let devices = self.waves.get(wave).into_iter().flatten().copied();
            devices.filter(|at| in_use(ground, *at))
        };
        let here =
            |wave: usize| members(wave).filter(|at| ward(ground, *at) == device.ward).count();
        let plain = used && !device.sole && device.candidate.pair.is_none();
        // A plain device after a canary that should have been spared.
        if plain && wave >= 1 && members(0).any(|canary| spared(ground, canary, at, true)) {
            return false;
        }
        if plain && wave >= 2 && members(1).any(|canary| spared(ground, canary, at, false)) {
            return false;
        }
        let left = || {
            let all = wished(ground).get(device.ward).copied().unwrap_or(0);
            all.saturating_sub(here(0)).saturating_sub(here(1))
        };
        match wave {
            0 => self.waves.is_empty() || (!used && members(0).next().is_none()),
            1 => {
                let most = usize::try_from(ground.request.rules.canary_per_ward).unwrap_or(1);
                let half = left().saturating_sub(1).div_ceil(2).max(1);
                !used || (here(1) < most && !self.better_later(at) && here(2) <= half)
            }
            2 => !used || here(2) < left().div_ceil(2).max(1),
            _ => true,
        }
    }

    /// Whether a later wave has a device that should be the canary instead of this one.
    fn better_later(&self, at: usize) -> bool {
        let later = self.waves.iter().skip(2).flatten().copied();
        let plain = |at: &usize| {
            self.ground.devices.get(*at).is_some_and(|device| {
                in_use(self.ground, *at) && !device.sole && device.candidate.pair.is_none()
            })
        };
        later.filter(plain).any(|other| spared(self.ground, at, other, false))
    }
}

/// Whether `canary` should not have gone before the plain device `other`.
fn spared(ground: &Ground<'_>, canary: usize, other: usize, anywhere: bool) -> bool {
    let (Some(canary), Some(other)) = (ground.devices.get(canary), ground.devices.get(other))
    else {
        return false;
    };
    let same_hours = canary.attended == other.attended;
    let near = anywhere || canary.ward == other.ward;
    same_hours && (canary.sole || (canary.candidate.pair.is_some() && near))
}

fn ward(ground: &Ground<'_>, at: usize) -> usize {
    ground.devices.get(at).map_or(usize::MAX, |device| device.ward)
}
