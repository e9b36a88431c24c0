//! Rollouts of a manufacturer's releases over all sites: sums, and where one has halted.
//!
//! From the views in memory, never from rows. Not here: devices; a manufacturer learns how many, never
//! which (docs/decisions/0016). Invariant: only what stands in a wave's counters is summed.

use crate::consent::state::{Consent, Running};
use patchward_protocol::approval::Action;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::gate::{Halt, WaveCounters, WaveState};
use patchward_protocol::id::{FamilyId, MakerId, SiteId};
use patchward_protocol::image::ImageRef;
use patchward_protocol::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A release on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flight {
    /// What.
    pub image: ImageRef,
    /// Sites that have approved it.
    pub sites: BTreeSet<SiteId>,
    /// Its waves over all sites, by number.
    pub waves: BTreeMap<u32, WaveSum>,
    /// Where it has halted.
    pub halted: Vec<HaltedAt>,
    /// Whether a wave of any site is still to go on.
    pub standing: Standing,
}

/// Whether anything is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    /// A wave waits, runs or has halted.
    Going,
    /// Every wave has passed or was cancelled.
    #[default]
    Ended,
}

/// The waves of one number, over all sites.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WaveSum {
    /// Devices that approvals name.
    pub devices: u32,
    /// Devices that committed.
    pub updated: u32,
    /// Devices that failed or went back.
    pub failed: u32,
    /// Devices silent for too long.
    pub silent: u32,
    /// Sites where it is open or is watched.
    pub open: u32,
    /// Sites where it has passed.
    pub passed: u32,
    /// Sites where it has halted.
    pub halted: u32,
    /// When it first opened anywhere.
    pub opened_at: Option<Timestamp>,
}

/// A halt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HaltedAt {
    /// Where.
    pub site: SiteId,
    /// Which wave.
    pub wave: u32,
    /// Why.
    pub halt: Halt,
}

/// The releases of a manufacturer that hospitals have approved lately, the newest first.
#[must_use]
pub fn flights(consent: &Consent, maker: &MakerId) -> Vec<Flight> {
    let mut found: BTreeMap<(FamilyId, Sha256Digest), Flight> = BTreeMap::new();
    for (site, of_site) in consent.sites() {
        let ours = of_site.all_rollouts().filter(|running| {
            running.image.family.maker() == *maker && running.action != Action::Rollback
        });
        for running in ours {
            let key = (running.image.family.clone(), running.key.image);
            found.entry(key).or_insert_with(|| Flight::of(&running.image)).add(site, running);
        }
    }
    let mut flights: Vec<Flight> = found.into_values().collect();
    for flight in &mut flights {
        flight.halted.sort_by(|a, b| (&a.site, a.wave).cmp(&(&b.site, b.wave)));
    }
    flights.sort_by(|a, b| {
        (b.halted.is_empty(), &a.image.family, b.image.seq).cmp(&(
            a.halted.is_empty(),
            &b.image.family,
            a.image.seq,
        ))
    });
    flights
}

impl Flight {
    fn of(image: &ImageRef) -> Self {
        Self {
            image: image.clone(),
            sites: BTreeSet::new(),
            waves: BTreeMap::new(),
            halted: Vec::new(),
            standing: Standing::Ended,
        }
    }

    fn add(&mut self, site: &SiteId, running: &Running) {
        self.sites.insert(site.clone());
        for counters in &running.waves {
            self.waves.entry(counters.wave).or_default().add(counters);
            match counters.state {
                WaveState::Halted(halt) => {
                    self.halted.push(HaltedAt { site: site.clone(), wave: counters.wave, halt });
                    self.standing = Standing::Going;
                }
                WaveState::Planned | WaveState::Open | WaveState::Soaking => {
                    self.standing = Standing::Going;
                }
                WaveState::Passed | WaveState::Cancelled => {}
            }
        }
    }

    /// All waves together.
    #[must_use]
    pub fn total(&self) -> WaveSum {
        self.waves.values().fold(WaveSum::default(), |sum, wave| sum.with(wave))
    }
}

impl WaveSum {
    fn add(&mut self, counters: &WaveCounters) {
        let one = Self {
            devices: counters.devices,
            updated: counters.updated,
            failed: counters.failed,
            silent: counters.silent,
            open: u32::from(matches!(counters.state, WaveState::Open | WaveState::Soaking)),
            passed: u32::from(counters.state == WaveState::Passed),
            halted: u32::from(matches!(counters.state, WaveState::Halted(_))),
            opened_at: counters.opened_at,
        };
        *self = self.with(&one);
    }

    fn with(&self, other: &Self) -> Self {
        let first = match (self.opened_at, other.opened_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self {
            devices: self.devices.saturating_add(other.devices),
            updated: self.updated.saturating_add(other.updated),
            failed: self.failed.saturating_add(other.failed),
            silent: self.silent.saturating_add(other.silent),
            open: self.open.saturating_add(other.open),
            passed: self.passed.saturating_add(other.passed),
            halted: self.halted.saturating_add(other.halted),
            opened_at: first,
        }
    }

    /// Devices that failed, went back or fell silent.
    #[must_use]
    pub const fn troubled(&self) -> u32 {
        self.failed.saturating_add(self.silent)
    }
}
