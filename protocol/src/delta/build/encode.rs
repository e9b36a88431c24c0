//! From steps to the payload of a window.
//!
//! Not here: which steps ([`super::scan`]). Invariant: what is written here is what
//! [`crate::delta::streams`] and [`crate::delta::diff`] read.

use super::BuildError;
use super::differences::{Differences, Spelling};
use super::pack::Packer;
use super::scan::Step;
use crate::delta::number::{fold, put, wide};
use crate::delta::streams::STREAMS;

/// Streams that are shorter together are tried in every grouping, in bytes.
const GROUPED_BYTES: usize = 16 * 1024;

/// The streams of a window: adds, lits, seeks, gaps, values, literals.
pub(super) struct Streams([Vec<u8>; STREAMS]);

/// A payload with what the table says of it.
pub(super) struct Payload {
    pub(super) bytes: Vec<u8>,
    pub(super) list_len: usize,
    pub(super) streams_len: usize,
}

impl Streams {
    /// Writes steps; `first` is where the old range begins.
    pub(super) fn of(
        steps: &[Step],
        old: &[u8],
        new: &[u8],
        first: usize,
        spelling: Spelling,
    ) -> Self {
        let [mut adds, mut lits, mut seeks, mut literals] = [const { Vec::new() }; 4];
        let mut differences = Differences::default();
        let mut expected = wide(first).cast_signed();
        let mut at = 0_usize;
        for step in steps.iter().filter(|step| step.add > 0 || step.lit > 0) {
            put(&mut adds, wide(step.add));
            put(&mut lits, wide(step.lit));
            let corrected = at.saturating_add(step.add);
            if step.add > 0 {
                let place = wide(step.place).cast_signed();
                put(&mut seeks, fold(place.wrapping_sub(expected)));
                let end = step.place.saturating_add(step.add);
                let old = old.get(step.place..end).unwrap_or_default();
                differences.put(old, new.get(at..corrected).unwrap_or_default(), at, spelling);
                expected = wide(end).cast_signed();
            }
            at = corrected.saturating_add(step.lit);
            literals.extend_from_slice(new.get(corrected..at).unwrap_or_default());
            expected = expected.wrapping_add(wide(step.lit).cast_signed());
        }
        Self([adds, lits, seeks, differences.gaps, differences.values, literals])
    }

    /// All together, in bytes.
    pub(super) fn length(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    /// How well the differences pack, by a quick look; in bytes.
    pub(super) fn about_differences(&self, quick: &mut Packer) -> Result<usize, BuildError> {
        let [_, _, _, gaps, values, _] = &self.0;
        about(&[gaps, values], quick)
    }

    /// How well all but the differences packs, by a quick look; in bytes.
    pub(super) fn about_matches(&self, quick: &mut Packer) -> Result<usize, BuildError> {
        let [adds, lits, seeks, _, _, literals] = &self.0;
        about(&[adds, lits, seeks, literals], quick)
    }

    /// Packs all of them.
    pub(super) fn pack(&self, packer: &mut Packer) -> Result<Payload, BuildError> {
        let groups = if self.length() <= GROUPED_BYTES {
            self.groups(packer)?
        } else {
            let alone = self.0.iter().map(|stream| {
                if stream.is_empty() { Ok(Vec::new()) } else { packer.pack_or_store(stream) }
            });
            alone.collect::<Result<Vec<_>, _>>()?
        };
        let (mut list, mut packed) = (Vec::new(), Vec::new());
        for (stream, group) in self.0.iter().zip(&groups) {
            put(&mut list, wide(stream.len()));
            if !stream.is_empty() {
                put(&mut list, wide(group.len()));
            }
            packed.extend_from_slice(group);
        }
        let list_len = list.len();
        list.extend_from_slice(&packed);
        Ok(Payload { bytes: list, list_len, streams_len: self.length() })
    }

    /// The best way to pack neighbours together: for each stream what stands at its end.
    fn groups(&self, packer: &mut Packer) -> Result<Vec<Vec<u8>>, BuildError> {
        let filled: Vec<usize> = (0..STREAMS).filter(|index| !self.at(*index).is_empty()).collect();
        // For each number of streams from the first on: the cheapest cost and the last group of it.
        let mut best: Vec<(usize, usize, Vec<u8>)> = vec![(0, 0, Vec::new())];
        for last in 1..=filled.len() {
            let mut choice: Option<(usize, usize, Vec<u8>)> = None;
            for (first, (before, ..)) in best.iter().enumerate() {
                let members = filled.get(first..last).unwrap_or_default();
                let joined: Vec<u8> =
                    members.iter().flat_map(|index| self.at(*index)).copied().collect();
                let packed = packer.pack_or_store(&joined)?;
                let cost = before.saturating_add(packed.len());
                if choice.as_ref().is_none_or(|(cheapest, ..)| cost <= *cheapest) {
                    choice = Some((cost, first, packed));
                }
            }
            best.extend(choice);
        }
        let mut groups = vec![Vec::new(); STREAMS];
        let mut last = filled.len();
        while last > 0 {
            let Some((_, first, packed)) = best.get(last) else { break };
            let end = filled.get(last.saturating_sub(1)).and_then(|index| groups.get_mut(*index));
            if let Some(group) = end {
                group.clone_from(packed);
            }
            last = *first;
        }
        Ok(groups)
    }

    fn at(&self, index: usize) -> &[u8] {
        self.0.get(index).map_or(&[], Vec::as_slice)
    }
}

fn about(streams: &[&[u8]], quick: &mut Packer) -> Result<usize, BuildError> {
    let filled = streams.iter().filter(|stream| !stream.is_empty());
    filled.map(|stream| Ok(quick.pack(stream)?.len())).sum()
}
