//! What is counted while devices speak, so that nobody has to look at every row.
//!
//! Not here: what the counts are asked for ([`super::field`]). Invariant: what devices of a family run
//! adds up to the devices of the family.

use patchward_protocol::digest::Sha256Digest;
use std::collections::{BTreeMap, HashMap};

/// A site and what runs there.
pub(super) type Runs = (u32, Option<Sha256Digest>);

/// The counters; sites and families by their numbers.
#[derive(Debug, Default)]
pub(super) struct Counters {
    // By family: rises when a device is new or runs another image.
    moved: HashMap<u32, u64>,
    // By family: how many devices of each site say that they run each image.
    spread: HashMap<u32, BTreeMap<Runs, u32>>,
    // By site: when any device of it was last heard.
    heard: HashMap<u32, i64>,
}

impl Counters {
    /// A device of a family runs this from now on.
    pub(super) fn arrives(&mut self, family: u32, runs: Runs) {
        let number = self.moved.entry(family).or_default();
        *number = number.wrapping_add(1);
        let devices = self.spread.entry(family).or_default().entry(runs).or_default();
        *devices = devices.saturating_add(1);
    }

    /// A device of a family runs this no longer.
    pub(super) fn leaves(&mut self, family: u32, runs: Runs) {
        let family = self.spread.entry(family).or_default();
        if let Some(devices) = family.get_mut(&runs) {
            *devices = devices.saturating_sub(1);
            if *devices == 0 {
                family.remove(&runs);
            }
        }
    }

    /// A device of a site speaks now, in milliseconds; a clock that ran ahead before does not count.
    pub(super) fn hears(&mut self, site: u32, at_ms: i64) {
        self.heard.insert(site, at_ms);
    }

    /// A device of a site was last heard then, in milliseconds.
    pub(super) fn heard_at(&mut self, site: u32, at_ms: i64) {
        let heard = self.heard.entry(site).or_default();
        *heard = at_ms.max(*heard);
    }

    /// How often a device of the family was new or ran another image.
    pub(super) fn moved(&self, family: u32) -> u64 {
        self.moved.get(&family).copied().unwrap_or(0)
    }

    /// What the devices of a family run, and how many of them.
    pub(super) fn spread(&self, family: u32) -> impl Iterator<Item = (&Runs, u32)> {
        let runs = self.spread.get(&family).into_iter().flatten();
        runs.map(|(runs, devices)| (runs, *devices))
    }

    /// When any device of each site was last heard, in milliseconds.
    pub(super) fn heard(&self) -> impl Iterator<Item = (u32, i64)> {
        self.heard.iter().map(|(site, at_ms)| (*site, *at_ms))
    }
}
