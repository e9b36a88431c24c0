//! Which deltas are worth building: pure, from what the fleet runs and what the family lists.
//!
//! For each newest image that a device may take: bases that cover [`COVER_PERMILLE`] of the devices
//! behind it, at most [`COVER_BASES_MAX`], the release before it, and then, while there is room, every
//! other base that a device reports. Not here: budgets, queues, files. Invariant: a pair leads from a
//! container to a newer released container for common hardware, within `min_seq`; what has no
//! container to start from is planned as such, so that somebody is told.

use patchward_protocol::api::delta::DeltaState;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::Seq;
use patchward_protocol::tuf::custom::{Firmware, Format, ReleaseState};
use patchward_protocol::tuf::lookup::ImageTarget;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The share of the devices behind an image that bases shall cover, in thousandths.
pub const COVER_PERMILLE: u64 = 950;
/// Most bases for that.
pub const COVER_BASES_MAX: usize = 5;
/// Most pairs that lead to one image, those without a container not counted.
pub const BASES_PER_IMAGE_MAX: usize = 16;
/// Most bases without a container that are told of.
pub const UNKNOWN_BASES_MAX: usize = 16;

/// Devices by the image that they run, as the digest of what stands in the slot.
pub type Fleet = BTreeMap<Sha256Digest, u32>;

/// Pairs that were planned before, from and to, and how far they are.
pub type Known = BTreeMap<(Sha256Digest, Sha256Digest), DeltaState>;

/// Why a pair is planned; the earlier is built first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Its base belongs to those that cover the fleet.
    Cover,
    /// Its base is the release before.
    Previous,
    /// Some device reports its base.
    Reported,
    /// Some device reports its base, of which the family lists no container.
    Unknown,
}

/// A pair of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// Why it is planned.
    pub rank: Rank,
    /// The image that it starts from.
    pub from: Sha256Digest,
    /// The image that it makes.
    pub to: Sha256Digest,
    /// Rank of that image.
    pub to_seq: Seq,
    /// Devices that run the base.
    pub devices: u32,
}

/// The pairs to add to those that are `known`. `releases` is everything that the family lists.
#[must_use]
pub fn plan(fleet: &Fleet, releases: &[ImageTarget], known: &Known) -> Vec<Pair> {
    let mut planned: Vec<Pair> = behind(fleet, releases)
        .into_values()
        .flat_map(|(target, bases)| toward(target, bases))
        .chain(unknown(fleet, releases))
        .collect();
    planned.retain(|pair| is_news(pair, known));
    planned.sort();
    planned
}

/// A base, and how many devices run it.
type Base<'a> = (&'a Firmware, u32);

/// Every image that something may be updated to, with the containers behind it.
fn behind<'a>(
    fleet: &Fleet,
    releases: &'a [ImageTarget],
) -> BTreeMap<Sha256Digest, (&'a Firmware, Vec<Base<'a>>)> {
    let mut behind: BTreeMap<Sha256Digest, (&Firmware, Vec<Base<'_>>)> = BTreeMap::new();
    for base in releases.iter().map(|image| &image.firmware).filter(|base| is_container(base)) {
        let Some(target) = newest(releases, Some(base)) else { continue };
        let devices = fleet.get(&base.payload.image_sha256).copied().unwrap_or(0);
        let (_, bases) =
            behind.entry(target.payload.image_sha256).or_insert_with(|| (target, Vec::new()));
        bases.push((base, devices));
    }
    behind
}

fn toward(target: &Firmware, mut bases: Vec<Base<'_>>) -> Vec<Pair> {
    let previous = bases.iter().map(|(base, _)| base.seq).max();
    bases.sort_by_key(|(base, devices)| Reverse((*devices, base.seq)));
    let all: u64 = bases.iter().map(|(_, devices)| u64::from(*devices)).sum();
    let (mut covered, mut covering) = (0_u64, 0_usize);
    let mut pairs = Vec::new();
    for (base, devices) in bases {
        let wanted = devices > 0
            && covering < COVER_BASES_MAX
            && covered.saturating_mul(1000) < all.saturating_mul(COVER_PERMILLE);
        let rank = if wanted {
            covering = covering.saturating_add(1);
            covered = covered.saturating_add(u64::from(devices));
            Rank::Cover
        } else if Some(base.seq) == previous {
            Rank::Previous
        } else if devices > 0 {
            Rank::Reported
        } else {
            continue;
        };
        pairs.push(pair(rank, base.payload.image_sha256, target, devices));
    }
    pairs.sort();
    pairs.truncate(BASES_PER_IMAGE_MAX);
    pairs
}

/// Bases that devices report and of which there is no container, those of most devices first.
fn unknown(fleet: &Fleet, releases: &[ImageTarget]) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = fleet
        .iter()
        .filter(|(_, devices)| **devices > 0)
        .filter_map(|(image, devices)| {
            let mut listed = releases.iter().map(|release| &release.firmware);
            let base = listed.find(|release| release.payload.image_sha256 == *image);
            if base.is_some_and(is_container) {
                return None;
            }
            let target = newest(releases, base)?;
            Some(pair(Rank::Unknown, *image, target, *devices))
        })
        .collect();
    pairs.sort_by_key(|pair| Reverse(pair.devices));
    pairs.truncate(UNKNOWN_BASES_MAX);
    pairs
}

/// The newest released container that may follow `base`; of a base that is not listed nothing is
/// known, so any.
fn newest<'a>(releases: &'a [ImageTarget], base: Option<&Firmware>) -> Option<&'a Firmware> {
    let follows = |target: &&Firmware| {
        base.is_none_or(|base| {
            target.seq > base.seq
                && target.min_seq <= base.seq
                && target.payload.kind == base.payload.kind
                && target.hw.iter().any(|hardware| base.hw.contains(hardware))
        })
    };
    let released = releases
        .iter()
        .map(|image| &image.firmware)
        .filter(|firmware| is_container(firmware) && firmware.state == ReleaseState::Released);
    released.filter(follows).max_by_key(|firmware| firmware.seq)
}

fn is_container(firmware: &Firmware) -> bool {
    firmware.payload.format == Format::Pwd1
}

const fn pair(rank: Rank, from: Sha256Digest, target: &Firmware, devices: u32) -> Pair {
    let (to, to_seq) = (target.payload.image_sha256, target.seq);
    Pair { rank, from, to, to_seq, devices }
}

/// Whether a pair was not planned before, or may be built now though it could not be then.
fn is_news(pair: &Pair, known: &Known) -> bool {
    match known.get(&(pair.from, pair.to)) {
        None => true,
        Some(DeltaState::Retired | DeltaState::BaseUnknown) => pair.rank != Rank::Unknown,
        Some(
            DeltaState::Queued
            | DeltaState::Building
            | DeltaState::Published
            | DeltaState::TooLarge
            | DeltaState::OverBudget
            | DeltaState::Failed,
        ) => false,
    }
}

#[cfg(test)]
mod tests;
