//! Which matches make a window: the approximate matching of `bsdiff` (Percival 2003), one window.
//!
//! A match is left only for one that is some bytes better ([`BETTER_BYTES`]), and reaches forward and
//! back over bytes of which half are equal; so code that moved, with changed addresses, stays one
//! match. At the beginning the window is taken to stand where it stood: forgetting that cost 2.3
//! times the size. Not here: how a step is written ([`super::encode`]).
//! Invariant: the steps fill the window exactly and read inside the old image.

use super::matches::{Find, Found, Memory};

/// How much better another match has to be, in bytes: what `bsdiff` takes, and a patient reading
/// that stays with tables whose rows all look alike. Each is the shorter one for some windows.
pub(super) const BETTER_BYTES: [isize; 2] = [8, 20];

/// How many bytes more have to differ than are equal for a stretch to be written new.
const BEHIND_BYTES: isize = 64;

/// How many bytes have to be equal behind such a stretch.
const AGAIN_BYTES: usize = 16;

/// Bytes of the old image, corrected, then new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// How many bytes come from the old image.
    pub(super) add: usize,
    /// How many new bytes follow.
    pub(super) lit: usize,
    /// Where in the old image.
    pub(super) place: usize,
}

/// Steps for the window that stands at `start` of the new image; another match has to be `better`
/// bytes better than the one that is followed.
pub(super) fn steps(
    find: &impl Find,
    memory: &mut Memory,
    old: &[u8],
    new: &[u8],
    start: usize,
    better: isize,
) -> Vec<Step> {
    let place = start.min(old.len());
    let shift = start.cast_signed();
    let mut scan = Scan { old, new, taken: 0, place, shift, balance: Balance::default() };
    let mut steps = Vec::new();
    let (mut at, mut found) = (0, Found::default());
    while at < new.len() {
        at = at.saturating_add(found.length);
        let mut score = 0_isize;
        let mut scored = at;
        while at < new.len() {
            found = memory.find(find, (old, new), at, at.checked_add_signed(scan.shift));
            let end = at.saturating_add(found.length);
            score = score.saturating_add(scan.goes_on_count(scored..end));
            scored = scored.max(end);
            let length = found.length.cast_signed();
            if (length == score && length != 0) || length > score.saturating_add(better) {
                break;
            }
            score = score.saturating_sub(isize::from(scan.goes_on(at)));
            at = at.saturating_add(1);
            if scored < at {
                scored = at;
                score = 0;
            }
        }
        if found.length.cast_signed() != score || at >= new.len() {
            steps.push(scan.take(at.min(new.len()), found));
        } else if found.length >= AGAIN_BYTES
            && scan.is_behind(at)
            && let Some(place) = at.checked_add_signed(scan.shift)
        {
            steps.push(scan.take(at, Found { place, ..found }));
        }
    }
    steps
}

/// Where the scan stands.
struct Scan<'a> {
    old: &'a [u8],
    new: &'a [u8],
    /// How much of the window stands in steps.
    taken: usize,
    /// Where the match that is being followed stands at `taken`.
    place: usize,
    /// Place in the old image less place in the window, of the match that is being followed.
    shift: isize,
    balance: Balance,
}

/// How the followed match has done since `taken`.
#[derive(Default)]
struct Balance {
    /// Up to where in the window.
    until: usize,
    /// Equal bytes less different ones.
    score: isize,
    /// The highest it was.
    best: isize,
}

impl Scan<'_> {
    /// Whether the followed match lost so much before `at` that what was lost is better written new.
    ///
    /// `bsdiff` does not ask: there a large changed part takes the unchanged rest with it.
    fn is_behind(&mut self, at: usize) -> bool {
        for place in self.balance.until..at {
            let equal = self.goes_on(place);
            let Balance { score, best, .. } = &mut self.balance;
            *score = if equal { score.saturating_add(1) } else { score.saturating_sub(1) };
            *best = (*best).max(*score);
        }
        self.balance.until = at.max(self.balance.until);
        self.balance.best.saturating_sub(self.balance.score) > BEHIND_BYTES
    }

    /// Whether the followed match has the byte at `at`.
    fn goes_on(&self, at: usize) -> bool {
        let old = at.checked_add_signed(self.shift).and_then(|place| self.old.get(place));
        old.is_some() && old == self.new.get(at)
    }

    fn goes_on_count(&self, places: std::ops::Range<usize>) -> isize {
        places.filter(|at| self.goes_on(*at)).count().cast_signed()
    }

    /// Ends the followed match somewhere before `at` and begins `found` there.
    fn take(&mut self, at: usize, found: Found) -> Step {
        let mut forward = self.forward(at);
        let mut back = if at < self.new.len() { self.back(at, found.place) } else { 0 };
        let reached = self.taken.saturating_add(forward);
        let begins = at.saturating_sub(back);
        if reached > begins {
            let kept = self.split(begins, reached, found.place.saturating_sub(back));
            forward = begins.saturating_add(kept).saturating_sub(self.taken);
            back = back.saturating_sub(kept);
        }
        let begins = at.saturating_sub(back);
        let lit = begins.saturating_sub(self.taken.saturating_add(forward));
        let step = Step { add: forward, lit, place: self.place };
        self.taken = begins;
        self.place = found.place.saturating_sub(back);
        self.shift = found.place.cast_signed().wrapping_sub(at.cast_signed());
        self.balance = Balance { until: begins, ..Balance::default() };
        step
    }

    /// How far the followed match is worth its differences.
    fn forward(&self, at: usize) -> usize {
        let old = self.old.get(self.place..).unwrap_or_default();
        let new = self.new.get(self.taken..at).unwrap_or_default();
        best(old.iter().zip(new))
    }

    /// How far back the found match is worth its differences.
    fn back(&self, at: usize, place: usize) -> usize {
        let old = self.old.get(..place).unwrap_or_default();
        let new = self.new.get(self.taken..at).unwrap_or_default();
        best(old.iter().rev().zip(new.iter().rev()))
    }

    /// Where both matches reach: how many of the bytes `begins..reached` the followed one keeps.
    fn split(&self, begins: usize, reached: usize, place: usize) -> usize {
        let new = self.new.get(begins..reached).unwrap_or_default();
        let mine = self.place.saturating_add(begins).saturating_sub(self.taken);
        let mine = self.old.get(mine..).unwrap_or_default();
        let theirs = self.old.get(place..).unwrap_or_default();
        let (mut score, mut best, mut kept) = (0_isize, 0, 0);
        for (index, ((new, mine), theirs)) in new.iter().zip(mine).zip(theirs).enumerate() {
            score = score.saturating_add(isize::from(new == mine));
            score = score.saturating_sub(isize::from(new == theirs));
            if score > best {
                best = score;
                kept = index.saturating_add(1);
            }
        }
        kept
    }
}

/// The length at which equal bytes outweigh different ones most. Looked for to the end: a match that
/// goes on behind a large changed part begins no step of its own, and would be lost with it.
fn best<'a>(pairs: impl Iterator<Item = (&'a u8, &'a u8)>) -> usize {
    let (mut score, mut best, mut length) = (0_isize, 0_isize, 0_usize);
    for (index, (old, new)) in pairs.enumerate() {
        score = if old == new { score.saturating_add(1) } else { score.saturating_sub(1) };
        if score > best {
            best = score;
            length = index.saturating_add(1);
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::super::matches::{Sampled, SuffixArray};
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn what_is_remembered_changes_no_step() {
        let old = sample(5, 60_000);
        let new = sample(5, 61_000).split_off(1000);
        let index = SuffixArray::new(&old).unwrap();
        let mut memory = Memory::default();
        let first = steps(&index, &mut memory, &old, &new, 0, 8);
        assert_eq!(first, steps(&index, &mut memory, &old, &new, 0, 8));
        let patient = steps(&index, &mut memory, &old, &new, 0, 20);
        assert_eq!(patient, steps(&index, &mut Memory::default(), &old, &new, 0, 20));
    }

    fn check(old: &[u8], new: &[u8], steps: &[Step]) {
        let length: usize = steps.iter().map(|step| step.add + step.lit).sum();
        assert_eq!(length, new.len());
        assert!(steps.iter().all(|step| step.place + step.add <= old.len()));
    }

    #[test]
    fn steps_fill_the_window_and_stay_in_the_old_image() {
        let old = sample(5, 30_000);
        for (seed, cut) in [(5, 0), (5, 1234), (9, 0)] {
            let new: Vec<u8> = sample(seed, 30_000).split_off(cut);
            let exact = SuffixArray::new(&old).unwrap();
            let sampled = Sampled::new(&old).unwrap();
            for start in [0, 700, 40_000] {
                check(&old, &new, &steps(&exact, &mut Memory::default(), &old, &new, start, 8));
                check(&old, &new, &steps(&sampled, &mut Memory::default(), &old, &new, start, 8));
            }
        }
    }

    #[test]
    fn what_is_unchanged_behind_a_large_changed_part_is_not_lost() {
        let old = sample(5, 400_000);
        let mut new = old.clone();
        new[..120_000].copy_from_slice(&sample(9, 120_000));
        let index = SuffixArray::new(&old).unwrap();
        let steps = steps(&index, &mut Memory::default(), &old, &new, 0, 8);
        let added: usize = steps.iter().map(|step| step.add).sum();
        assert!(added >= 280_000, "{steps:?}");
    }

    #[test]
    fn a_small_unchanged_rest_is_found_behind_a_larger_changed_part() {
        let old = sample(5, 300_000);
        let mut new = old.clone();
        for part in new.chunks_mut(1000) {
            let changed = sample(u64::from(part[3]) + 100, 700);
            part[..700].copy_from_slice(&changed);
        }
        let index = Sampled::new(&old).unwrap();
        let steps = steps(&index, &mut Memory::default(), &old, &new, 0, 8);
        check(&old, &new, &steps);
        let added: usize = steps.iter().map(|step| step.add).sum();
        let literals = new.len() - added;
        assert!(added >= 80_000 && literals >= 120_000, "{added} added, {literals} new");
    }

    #[test]
    fn equal_bytes_by_chance_make_no_steps() {
        let old = sample(5, 100_000);
        let mut state = 1_u64;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        });
        let new: Vec<u8> = noise.take(100_000).collect();
        let index = Sampled::new(&old).unwrap();
        let steps = steps(&index, &mut Memory::default(), &old, &new, 0, 8);
        assert!(steps.len() < 20, "{}", steps.len());
    }

    #[test]
    fn an_unmoved_window_with_a_changed_byte_is_one_match() {
        let old = sample(5, 200_000);
        let mut new = old[65_536..131_072].to_vec();
        new[1000] ^= 1;
        let index = SuffixArray::new(&old).unwrap();
        let steps = steps(&index, &mut Memory::default(), &old, &new, 65_536, 8);
        let adds: Vec<&Step> = steps.iter().filter(|step| step.add > 0).collect();
        assert_eq!(adds, [&Step { add: 65_536, lit: 0, place: 65_536 }]);
    }
}
