//! Chance from a seed (SplitMix64, Steele and others 2014).
//!
//! Not for secrets. Invariant: the same seed gives the same numbers on every machine.

/// A source of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Chance {
    state: u64,
}

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; zero when there is none.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX);
        usize::try_from(self.next().checked_rem(end).unwrap_or(0)).unwrap_or(0)
    }

    pub(crate) const fn byte(&mut self) -> u8 {
        let [byte, ..] = self.next().to_le_bytes();
        byte
    }

    /// One of `all`.
    pub(crate) fn of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        let place = self.below(all.len());
        all.get(place).copied()
    }

    /// A number that somebody may have forgotten: around powers of two, or anything.
    pub(crate) fn number(&mut self) -> u64 {
        let power = 1_u64.wrapping_shl(u32::from(self.byte()));
        match self.below(5) {
            0 => power,
            1 => power.wrapping_sub(1),
            2 => power.wrapping_add(1),
            3 => u64::from(self.byte()),
            _ => self.next(),
        }
    }
}
