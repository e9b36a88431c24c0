//! From streams and the old image to a window: matches with sparse differences, and new bytes.
//!
//! A window is a row of steps: bytes of the old image, corrected where they differ, then new bytes.
//! Differences are sums, byte by byte or as 32-bit little-endian words: addresses in programs move by
//! a few distances, so their differences repeat. Not here: unpacking ([`super::streams`]).
//! Invariant: a window is filled exactly and every stream is used up, or it is refused.

use super::ahead::Old;
use super::aim::Aim;
use super::apply::{Base, FrameError};
use super::format::FrameKind;
use super::number::{self, narrow, wide};
use super::streams::Streams;

/// How differences are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Byte by byte; a gap is followed by the number of bytes that differ.
    Bits8,
    /// As 32-bit little-endian words, the last of a match as long as what is left of it.
    Bits32,
    /// As [`Word::Bits32`]; half of an even gap counts places that are as before, half of an odd one bytes.
    Aimed(Aim),
}

impl Word {
    /// How a kind of window adds them.
    pub(super) const fn of(kind: FrameKind) -> Self {
        match kind {
            FrameKind::AimedX86 => Self::Aimed(Aim::X86),
            FrameKind::AimedArm => Self::Aimed(Aim::Arm),
            FrameKind::Diff32 => Self::Bits32,
            FrameKind::Diff8
            | FrameKind::Copy
            | FrameKind::Zero
            | FrameKind::Raw
            | FrameKind::Bsdiff => Self::Bits8,
        }
    }
}

/// Length of a word of [`Word::Bits32`].
pub(super) const WORD_BYTES: usize = 4;

/// Fills `window`.
pub(super) fn decode<B: Base>(
    word: Word,
    streams: Streams<'_>,
    window: &mut [u8],
    old: &mut Old<'_, B>,
) -> Result<(), FrameError> {
    let Streams { mut adds, mut lits, mut seeks, gaps, values, mut literals } = streams;
    let mut differences = Differences::begin(word, gaps, values)?;
    let mut expected = old.start();
    let (length, mut rest) = (window.len(), window);
    while !adds.is_empty() {
        let (add, lit) = (take(&mut adds)?, take(&mut lits)?);
        if add == 0 && lit == 0 {
            return Err(FrameError::Malformed("a step that does nothing"));
        }
        if add > 0 {
            let position = length.saturating_sub(rest.len());
            let part = part(&mut rest, add)?;
            let place = expected.checked_add_signed(number::unfold(take(&mut seeks)?));
            let place = place.ok_or(FrameError::Malformed("a match before the old image"))?;
            old.read_at(place, part)?;
            differences.add_to(part, position)?;
            expected = place.saturating_add(add);
        }
        if lit > 0 {
            let part = part(&mut rest, lit)?;
            let bytes = literals.split_off(..part.len());
            part.copy_from_slice(bytes.ok_or(FrameError::Malformed("too few new bytes"))?);
            expected = expected.saturating_add(lit);
        }
    }
    if !rest.is_empty() {
        return Err(FrameError::Malformed("the window is not filled"));
    }
    let used = lits.is_empty() && seeks.is_empty() && literals.is_empty();
    if !used || !differences.used_up() {
        return Err(FrameError::Malformed("a stream is not used up"));
    }
    Ok(())
}

/// Where bytes differ, and by how much.
struct Differences<'a> {
    word: Word,
    gaps: &'a [u8],
    values: &'a [u8],
    /// Equal bytes until the next difference; none when there is no other.
    equal: Option<u64>,
}

/// A way to a difference that is not yet gone to its end.
enum Way {
    /// The difference begins here, in bytes from the beginning of the match.
    To(usize),
    /// The match ends before; this is what is left.
    Beyond(u64),
}

impl<'a> Differences<'a> {
    fn begin(word: Word, gaps: &'a [u8], values: &'a [u8]) -> Result<Self, FrameError> {
        let mut differences = Self { word, gaps, values, equal: None };
        differences.next_gap()?;
        Ok(differences)
    }

    fn next_gap(&mut self) -> Result<(), FrameError> {
        self.equal = if self.gaps.is_empty() { None } else { Some(take(&mut self.gaps)?) };
        Ok(())
    }

    /// Corrects what was copied from the old image to this position of the window.
    fn add_to(&mut self, part: &mut [u8], position: usize) -> Result<(), FrameError> {
        let mut done = 0_usize;
        while let Some(gap) = self.equal {
            let way = match self.word {
                Word::Bits8 | Word::Bits32 => bytes(gap, part, done),
                Word::Aimed(aim) => aimed(aim, gap, part, done, position),
            };
            let start = match way {
                Way::To(start) => start,
                Way::Beyond(left) => {
                    self.equal = Some(left);
                    return Ok(());
                }
            };
            let differs = part.get_mut(start..).unwrap_or_default();
            let length = match self.word {
                Word::Bits8 => narrow(take(&mut self.gaps)?),
                Word::Bits32 | Word::Aimed(_) => differs.len().min(WORD_BYTES),
            };
            if length == 0 || length > differs.len() {
                return Err(FrameError::Malformed("differences beyond their match"));
            }
            let values = self.values.split_off(..length);
            let values = values.ok_or(FrameError::Malformed("too few differences"))?;
            let (now, _) = differs.split_at_mut(length);
            match self.word {
                Word::Bits8 => add_bytes(now, values),
                Word::Bits32 | Word::Aimed(_) => add_word(now, values),
            }
            done = start.saturating_add(length);
            self.next_gap()?;
        }
        Ok(())
    }

    const fn used_up(&self) -> bool {
        self.equal.is_none() && self.values.is_empty()
    }
}

/// Goes so many bytes on.
fn bytes(count: u64, part: &[u8], done: usize) -> Way {
    let left = wide(part.len().saturating_sub(done));
    if count >= left {
        return Way::Beyond(count.saturating_sub(left));
    }
    Way::To(done.saturating_add(narrow(count)))
}

/// Goes on over places of an aim, or bytes, as the gap says.
fn aimed(aim: Aim, gap: u64, part: &[u8], done: usize, position: usize) -> Way {
    let count = gap >> 1;
    if gap & 1 == 1 {
        return match bytes(count, part, done) {
            Way::Beyond(left) => Way::Beyond((left << 1) | 1),
            way @ Way::To(_) => way,
        };
    }
    let mut left = count;
    for at in done..part.len() {
        let (before, from) = part.split_at(at);
        if aim.is_at(before, position.saturating_add(at), from) {
            if left == 0 {
                return Way::To(at);
            }
            left = left.saturating_sub(1);
        }
    }
    Way::Beyond(left << 1)
}

fn add_bytes(to: &mut [u8], values: &[u8]) {
    for (to, value) in to.iter_mut().zip(values) {
        *to = to.wrapping_add(*value);
    }
}

fn add_word(to: &mut [u8], value: &[u8]) {
    let sum = word(to).wrapping_add(word(value)).to_le_bytes();
    for (to, sum) in to.iter_mut().zip(sum) {
        *to = sum;
    }
}

/// Up to four bytes as a number.
pub(super) fn word(bytes: &[u8]) -> u32 {
    let mut word = [0; WORD_BYTES];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    u32::from_le_bytes(word)
}

/// Cuts the next `length` bytes from the window.
fn part<'a>(rest: &mut &'a mut [u8], length: u64) -> Result<&'a mut [u8], FrameError> {
    rest.split_off_mut(..narrow(length)).ok_or(FrameError::Malformed("beyond the window"))
}

fn take(stream: &mut &[u8]) -> Result<u64, FrameError> {
    number::take(stream).ok_or(FrameError::Malformed("a number"))
}
