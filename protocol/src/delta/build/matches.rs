//! Finding a place of the old image whose bytes are those of the new one: two ways.
//!
//! [`SuffixArray`] finds the longest; [`Sampled`] knows every eighth place and needs a quarter of the
//! memory. First comes where the last match would go on ([`Memory`]): most windows are old ones, moved.
//! Not here: what matches are taken ([`super::scan`]). Invariant: the same images give the same
//! matches, whatever the machine.

use super::BuildError;
use super::equal::equal_len;
use crate::delta::number::narrow;
use libsais::SuffixArrayConstruction;

/// Length of a sampled key, in bytes.
const KEY_BYTES: usize = 32;
/// Distance of sampled places, in bytes.
const STEP_BYTES: usize = 8;
/// Most places that are tried for one key.
const CHAIN_MAX: usize = 4;
/// Most searches of a window that are remembered; twelve bytes each.
const REMEMBERED_MAX: usize = 1 << 18;
/// No place.
const NONE: u32 = u32::MAX;

/// Where in the old image, and how many bytes are equal there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) place: usize,
    pub(super) length: usize,
}

/// Finds matches.
pub(super) trait Find: Sync {
    /// So long a match is taken without a search when the last one goes on, in bytes.
    const ENOUGH_BYTES: usize;

    /// The best match known for the beginning of `wanted`.
    fn search(&self, old: &[u8], wanted: &[u8]) -> Found;
}

/// What was found in a window: it is read twice, and searching is what costs.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Place in the window, place in the old image, length; in the order of the first.
    found: Vec<(u32, u32, u32)>,
}

impl Memory {
    /// Forgets everything, for another window.
    pub(super) fn begin(&mut self) {
        self.found.clear();
    }

    /// The best match for what begins at `at` of the window; `going` is where the last one goes on.
    pub(super) fn find(
        &mut self,
        find: &impl Find,
        (old, new): (&[u8], &[u8]),
        at: usize,
        going: Option<usize>,
    ) -> Found {
        let wanted = new.get(at..).unwrap_or_default();
        let goes_on = goes_on(old, wanted, going);
        if enough(find, goes_on) {
            return goes_on;
        }
        let searched = self.searched(find, old, wanted, at);
        if searched.length > goes_on.length { searched } else { goes_on }
    }

    fn searched(&mut self, find: &impl Find, old: &[u8], wanted: &[u8], at: usize) -> Found {
        let Ok(at) = u32::try_from(at) else { return find.search(old, wanted) };
        if let Ok(index) = self.found.binary_search_by_key(&at, |(at, ..)| *at)
            && let Some((_, place, length)) = self.found.get(index)
        {
            return Found { place: narrow((*place).into()), length: narrow((*length).into()) };
        }
        let found = find.search(old, wanted);
        let room = self.found.len() < REMEMBERED_MAX
            && self.found.last().is_none_or(|(last, ..)| *last < at);
        let both = (u32::try_from(found.place), u32::try_from(found.length));
        if let (true, (Ok(place), Ok(length))) = (room, both) {
            self.found.push((at, place, length));
        }
        found
    }
}

fn enough<F: Find>(_find: &F, goes_on: Found) -> bool {
    goes_on.length >= F::ENOUGH_BYTES
}

/// All places of the old image in the order of what follows them.
pub(super) struct SuffixArray {
    places: Vec<i32>,
    /// Where in `places` the suffixes of each two first bytes begin.
    starts: Vec<u32>,
}

impl SuffixArray {
    pub(super) fn new(old: &[u8]) -> Result<Self, BuildError> {
        let long = BuildError::Index("it is too long for a suffix array: use the sampled index");
        if i32::try_from(old.len()).is_err() {
            return Err(long);
        }
        let built = SuffixArrayConstruction::for_text(old).in_owned_buffer32().single_threaded();
        let built = built.run().map_err(|_| BuildError::Index("the suffix array failed"))?;
        let places = built.into_vec();
        let mut starts = vec![0_u32; (1 << 16) + 1];
        let mut count = |key: usize| {
            if let Some(count) = starts.get_mut(key.saturating_add(1)) {
                *count = count.saturating_add(1);
            }
        };
        for pair in old.windows(2) {
            count(pair_key(pair));
        }
        if let Some(last) = old.last() {
            // A suffix of one byte stands before all that begin with it.
            count(usize::from(*last) << 8);
        }
        let mut sum = 0_u32;
        for start in &mut starts {
            sum = sum.saturating_add(*start);
            *start = sum;
        }
        Ok(Self { places, starts })
    }

    /// The suffixes that begin with the first two bytes of `wanted`.
    fn bucket(&self, wanted: &[u8]) -> &[i32] {
        let key = pair_key(wanted);
        let at = |key: usize| self.starts.get(key).map_or(0, |start| narrow(u64::from(*start)));
        self.places.get(at(key)..at(key.saturating_add(1))).unwrap_or_default()
    }
}

impl Find for SuffixArray {
    const ENOUGH_BYTES: usize = 32;

    fn search(&self, old: &[u8], wanted: &[u8]) -> Found {
        if wanted.len() < 2 {
            return Found::default();
        }
        let bucket = self.bucket(wanted);
        let (mut low, mut high) = (0, bucket.len());
        let (mut low_equal, mut high_equal) = (0_usize, 0_usize);
        let mut best = Found::default();
        while low < high {
            let middle = low.midpoint(high);
            let place = bucket.get(middle).and_then(|place| usize::try_from(*place).ok());
            let Some(suffix) = place.and_then(|place| old.get(place..)) else { break };
            let known = low_equal.min(high_equal);
            let (left, right) = (suffix.get(known..), wanted.get(known..));
            let more = equal_len(left.unwrap_or_default(), right.unwrap_or_default());
            let length = known.saturating_add(more);
            if length > best.length {
                best = Found { place: place.unwrap_or(0), length };
            }
            let Some(next) = wanted.get(length) else { break };
            if suffix.get(length).is_none_or(|byte| byte < next) {
                low = middle.saturating_add(1);
                low_equal = length;
            } else {
                high = middle;
                high_equal = length;
            }
        }
        best
    }
}

/// Every eighth place of the old image by a hash of what follows it.
pub(super) struct Sampled {
    /// The first sampled place of each hash.
    first: Vec<u32>,
    /// The next sampled place with the same hash.
    next: Vec<u32>,
    /// How far a hash is shifted to become an index.
    shift: u32,
}

impl Sampled {
    pub(super) fn new(old: &[u8]) -> Result<Self, BuildError> {
        let count = old.len().div_ceil(STEP_BYTES).max(1);
        if u32::try_from(count).is_err() {
            return Err(BuildError::Index("it is too long for the sampled index"));
        }
        let bits = count.next_power_of_two().trailing_zeros().max(10);
        let mut first = vec![NONE; 1 << bits];
        let mut next = vec![NONE; count];
        let shift = u64::BITS.saturating_sub(bits);
        for index in (0..count).rev() {
            let place = index.saturating_mul(STEP_BYTES);
            let Some(key) = old.get(place..).and_then(<[u8]>::first_chunk::<KEY_BYTES>) else {
                continue;
            };
            if place > 0 && key.iter().all(|byte| Some(byte) == key.first()) {
                continue;
            }
            let slot = first.get_mut(narrow(hash(key) >> shift));
            if let (Some(slot), Some(next)) = (slot, next.get_mut(index)) {
                *next = *slot;
                *slot = u32::try_from(index).unwrap_or(NONE);
            }
        }
        Ok(Self { first, next, shift })
    }
}

impl Find for Sampled {
    const ENOUGH_BYTES: usize = 2 * KEY_BYTES;

    fn search(&self, old: &[u8], wanted: &[u8]) -> Found {
        let mut best = Found::default();
        let Some(key) = wanted.first_chunk::<KEY_BYTES>() else { return best };
        let mut index = self.first.get(narrow(hash(key) >> self.shift)).copied().unwrap_or(NONE);
        for _ in 0..CHAIN_MAX {
            if index == NONE {
                break;
            }
            let place = narrow(u64::from(index)).saturating_mul(STEP_BYTES);
            let length = equal_len(old.get(place..).unwrap_or_default(), wanted);
            if length > best.length {
                best = Found { place, length };
            }
            index = self.next.get(narrow(u64::from(index))).copied().unwrap_or(NONE);
        }
        best
    }
}

fn goes_on(old: &[u8], wanted: &[u8], going: Option<usize>) -> Found {
    let Some((place, rest)) = going.and_then(|place| Some((place, old.get(place..)?))) else {
        return Found::default();
    };
    Found { place, length: equal_len(rest, wanted) }
}

fn pair_key(bytes: &[u8]) -> usize {
    match bytes {
        [one, two, ..] => usize::from(u16::from_be_bytes([*one, *two])),
        _ => 0,
    }
}

fn hash(key: &[u8; KEY_BYTES]) -> u64 {
    key.as_chunks::<8>().0.iter().fold(0, |hash, word| {
        let mixed = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ (mixed >> 29)
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    /// What the suffix array should find.
    fn longest(old: &[u8], wanted: &[u8]) -> usize {
        (0..old.len()).map(|place| equal_len(&old[place..], wanted)).max().unwrap_or(0)
    }

    #[test]
    fn the_suffix_array_finds_the_longest_match() {
        let old = sample(5, 3000);
        let new = sample(6, 600);
        let index = SuffixArray::new(&old).unwrap();
        for at in 0..new.len() - 2 {
            let found = index.search(&old, &new[at..]);
            let longest = longest(&old, &new[at..]);
            assert_eq!(found.length, if longest < 2 { 0 } else { longest }, "{at}");
            assert!(old[found.place..].starts_with(&new[at..at + found.length]));
        }
    }

    #[test]
    fn a_suffix_of_one_byte_is_no_trouble() {
        for old in [&b"a"[..], b"aa", b"ba", b""] {
            let index = SuffixArray::new(old).unwrap();
            for wanted in [&b"ab"[..], b"aa", b"a", b""] {
                let found = index.search(old, wanted);
                assert!(old[found.place..].starts_with(&wanted[..found.length]));
            }
        }
    }

    #[test]
    fn the_sampled_index_finds_a_moved_piece_within_a_step() {
        let old = sample(5, 3000);
        let index = Sampled::new(&old).unwrap();
        let wanted = &old[801..1200];
        let found = (0..STEP_BYTES).map(|at| index.search(&old, &wanted[at..]));
        assert!(found.into_iter().any(|found| found.length > 350));
    }
}
