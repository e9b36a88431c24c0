//! Windows as the `bsdiff` crate writes them, read in bounds.
//!
//! A row of steps: three 64-bit numbers (how many bytes are added to the old image's, how many are
//! new, how far the old place then jumps, sign and magnitude), the differences, the new bytes. A step
//! may only jump: the crate begins so when a window stands elsewhere.
//! Not here: unpacking, and making them. Invariant: as in [`super::diff`].

use super::ahead::Old;
use super::apply::{Base, FrameError};
use super::number::narrow;

/// Places in the old image count from its beginning; the jump after the last step says nothing.
const SIGN: u64 = 1 << 63;

/// Fills `window`.
pub(super) fn decode<B: Base>(
    mut steps: &[u8],
    window: &mut [u8],
    old: &mut Old<'_, B>,
) -> Result<(), FrameError> {
    let (mut place, mut rest) = (0_u64, window);
    while !steps.is_empty() {
        let (add, new, jump) = (take(&mut steps)?, take(&mut steps)?, take(&mut steps)?);
        let part = part(&mut rest, add)?;
        if !part.is_empty() {
            old.read_at(place, part)?;
        }
        for (to, value) in part.iter_mut().zip(bytes(&mut steps, add)?) {
            *to = to.wrapping_add(*value);
        }
        self::part(&mut rest, new)?.copy_from_slice(bytes(&mut steps, new)?);
        let after = place.saturating_add(add);
        place = if jump & SIGN == 0 {
            after.saturating_add(jump)
        } else {
            let back = after.checked_sub(jump & !SIGN);
            back.ok_or(FrameError::Malformed("a match before the old image"))?
        };
    }
    if rest.is_empty() {
        return Ok(());
    }
    Err(FrameError::Malformed("the window is not filled"))
}

fn take(steps: &mut &[u8]) -> Result<u64, FrameError> {
    let Some((number, rest)) = steps.split_first_chunk::<8>() else {
        return Err(FrameError::Malformed("a number"));
    };
    *steps = rest;
    Ok(u64::from_le_bytes(*number))
}

fn bytes<'a>(steps: &mut &'a [u8], length: u64) -> Result<&'a [u8], FrameError> {
    steps.split_off(..narrow(length)).ok_or(FrameError::Malformed("too few bytes"))
}

fn part<'a>(rest: &mut &'a mut [u8], length: u64) -> Result<&'a mut [u8], FrameError> {
    rest.split_off_mut(..narrow(length)).ok_or(FrameError::Malformed("beyond the window"))
}
