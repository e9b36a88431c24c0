//! Where a match differs from the old image, and by how much: gaps and values.
//!
//! Not here: which matches ([`super::scan`]), packing ([`super::encode`]).
//! Invariant: what is written here is what [`crate::delta::diff`] reads.

use super::equal::equal_len;
use crate::delta::aim::Aim;
use crate::delta::diff::{WORD_BYTES, word};
use crate::delta::format::FrameKind;
use crate::delta::number::{put, wide};
use std::ops::Range;

/// How differences are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// Runs of bytes that differ.
    Bytes,
    /// Words that begin where bytes differ: addresses in code for x86 stand anywhere.
    Words,
    /// Words at multiples of four bytes, equal bytes and all: instructions for Arm, and tables.
    AlignedWords,
    /// Words, counted in places where code keeps addresses.
    Aimed(Aim),
}

impl Spelling {
    pub(super) const ALL: [Self; 5] = [
        Self::Bytes,
        Self::Words,
        Self::AlignedWords,
        Self::Aimed(Aim::X86),
        Self::Aimed(Aim::Arm),
    ];

    /// The kind of window that reads it.
    pub(super) const fn kind(self) -> FrameKind {
        match self {
            Self::Bytes => FrameKind::Diff8,
            Self::Words | Self::AlignedWords => FrameKind::Diff32,
            Self::Aimed(Aim::X86) => FrameKind::AimedX86,
            Self::Aimed(Aim::Arm) => FrameKind::AimedArm,
        }
    }
}

/// Gaps and values, gathered over all steps.
#[derive(Default)]
pub(super) struct Differences {
    pub(super) gaps: Vec<u8>,
    pub(super) values: Vec<u8>,
    /// Equal bytes since the last difference.
    equal: usize,
    /// Places of the aim since the last difference.
    passed: usize,
}

impl Differences {
    /// Adds a match that stands at `at` of the window.
    pub(super) fn put(&mut self, old: &[u8], new: &[u8], at: usize, spelling: Spelling) {
        let mut done = 0_usize;
        loop {
            let equal = equal_len(tail(old, done), tail(new, done));
            let differs = done.saturating_add(equal);
            if differs >= new.len() {
                self.equal = self.equal.saturating_add(equal);
                if let Spelling::Aimed(aim) = spelling {
                    self.passed =
                        self.passed.saturating_add(passed(aim, old, new, at, done..differs));
                }
                return;
            }
            let start = match spelling {
                Spelling::Bytes | Spelling::Words => self.gap(done, differs),
                Spelling::AlignedWords => {
                    let beyond = at.saturating_add(differs) % WORD_BYTES;
                    self.gap(done, differs.saturating_sub(beyond).max(done))
                }
                Spelling::Aimed(aim) => self.aimed_gap(aim, old, new, at, done..differs),
            };
            (self.equal, self.passed) = (0, 0);
            let (from, to) = (tail(old, start), tail(new, start));
            done = start.saturating_add(match spelling {
                Spelling::Bytes => self.bytes(from, to),
                Spelling::Words | Spelling::AlignedWords | Spelling::Aimed(_) => {
                    self.word(from, to)
                }
            });
        }
    }

    /// Writes how many bytes are equal up to `start`, and gives it back.
    fn gap(&mut self, done: usize, start: usize) -> usize {
        put(&mut self.gaps, wide(self.equal.saturating_add(start.saturating_sub(done))));
        start
    }

    /// The same in places of the aim, where the word that differs is at one.
    fn aimed_gap(
        &mut self,
        aim: Aim,
        old: &[u8],
        new: &[u8],
        at: usize,
        way: Range<usize>,
    ) -> usize {
        let Range { start: done, end: differs } = way;
        let near = (0..WORD_BYTES).filter_map(|back| differs.checked_sub(back));
        let place =
            near.filter(|place| *place >= done).find(|place| is_at(aim, old, new, at, *place));
        if let Some(place) = place {
            let passed = self.passed.saturating_add(passed(aim, old, new, at, done..place));
            put(&mut self.gaps, wide(passed) << 1);
            return place;
        }
        let start = aim.elsewhere(at.saturating_add(differs)).saturating_sub(at).max(done);
        let equal = self.equal.saturating_add(start.saturating_sub(done));
        put(&mut self.gaps, (wide(equal) << 1) | 1);
        start
    }

    /// A run of bytes that differ.
    fn bytes(&mut self, old: &[u8], new: &[u8]) -> usize {
        let pairs = || new.iter().zip(old).take_while(|(new, old)| new != old);
        let length = pairs().count();
        put(&mut self.gaps, wide(length));
        self.values.extend(pairs().map(|(new, old)| new.wrapping_sub(*old)));
        length
    }

    /// One word, or what is left of the match.
    fn word(&mut self, old: &[u8], new: &[u8]) -> usize {
        let length = new.len().min(WORD_BYTES);
        let (old, new) = (old.get(..length), new.get(..length));
        let difference = word(new.unwrap_or_default()).wrapping_sub(word(old.unwrap_or_default()));
        self.values.extend(difference.to_le_bytes().iter().take(length));
        length
    }
}

/// How many places of the aim there are on the way; the match stands at `at` of the window.
fn passed(aim: Aim, old: &[u8], new: &[u8], at: usize, way: Range<usize>) -> usize {
    way.filter(|place| is_at(aim, old, new, at, *place)).count()
}

/// What a reader sees who comes there: corrected bytes up to the place, old ones from it on.
fn is_at(aim: Aim, old: &[u8], new: &[u8], at: usize, place: usize) -> bool {
    let before = new.get(..place).unwrap_or_default();
    aim.is_at(before, at.saturating_add(place), tail(old, place))
}

fn tail(bytes: &[u8], from: usize) -> &[u8] {
    bytes.get(from..).unwrap_or_default()
}
