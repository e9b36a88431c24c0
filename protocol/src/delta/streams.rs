//! The six streams of a window that is made from the old image.
//!
//! A payload begins with a list: for each stream its length, and for a stream that is not empty the
//! length that it takes in the payload. Zero means that it is packed together with the streams after
//! it, up to the first that says a length; the length of the streams themselves means that they are
//! stored as they are. Then come the packed streams, without gap.
//! Invariant: all streams lie in one buffer that was claimed before, and every byte of the payload
//! belongs to one of them.

use super::apply::FrameError;
use super::number::{self, narrow};
use super::stream::Unpacker;

/// Number of streams.
pub(super) const STREAMS: usize = 6;

/// What a stream says, in the order of the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Streams<'a> {
    /// How many bytes each match adds to, as numbers.
    pub(super) adds: &'a [u8],
    /// How many new bytes follow each match, as numbers.
    pub(super) lits: &'a [u8],
    /// Where matches begin, relative to where one would expect them, as folded numbers.
    pub(super) seeks: &'a [u8],
    /// How many bytes are equal until the next difference, as numbers.
    pub(super) gaps: &'a [u8],
    /// Differences.
    pub(super) values: &'a [u8],
    /// New bytes.
    pub(super) literals: &'a [u8],
}

/// Unpacks the streams of a payload into `arena`; the list of lengths takes `list_len` bytes.
pub(super) fn unpack<'a>(
    payload: &[u8],
    list_len: u32,
    arena: &'a mut [u8],
    unpacker: &mut Unpacker,
) -> Result<Streams<'a>, FrameError> {
    let Some((mut list, mut packed)) = payload.split_at_checked(narrow(u64::from(list_len))) else {
        return Err(FrameError::Malformed("stream lengths beyond the payload"));
    };
    let mut ends = [0_usize; STREAMS];
    let (mut start, mut end) = (0_usize, 0_usize);
    for place in &mut ends {
        let raw = length(&mut list)?;
        end = end.saturating_add(raw);
        *place = end;
        let taken = if raw == 0 { 0 } else { length(&mut list)? };
        if taken == 0 {
            continue;
        }
        let group = arena.get_mut(start..end);
        let group = group.ok_or(FrameError::Malformed("streams longer than the header says"))?;
        let bytes = packed.split_off(..taken);
        let bytes = bytes.ok_or(FrameError::Malformed("streams beyond the payload"))?;
        match taken.cmp(&group.len()) {
            std::cmp::Ordering::Equal => group.copy_from_slice(bytes),
            std::cmp::Ordering::Less => unpacker.unpack(bytes, group)?,
            std::cmp::Ordering::Greater => {
                return Err(FrameError::Malformed("packed streams longer than themselves"));
            }
        }
        start = end;
    }
    if start != end {
        return Err(FrameError::Malformed("streams without bytes"));
    }
    if !list.is_empty() || !packed.is_empty() {
        return Err(FrameError::Malformed("bytes that belong to no stream"));
    }
    Streams::cut(arena, ends).ok_or(FrameError::Malformed("streams longer than the header says"))
}

impl<'a> Streams<'a> {
    fn cut(arena: &'a [u8], ends: [usize; STREAMS]) -> Option<Self> {
        let [adds, lits, seeks, gaps, values, literals] = ends;
        Some(Self {
            adds: arena.get(..adds)?,
            lits: arena.get(adds..lits)?,
            seeks: arena.get(lits..seeks)?,
            gaps: arena.get(seeks..gaps)?,
            values: arena.get(gaps..values)?,
            literals: arena.get(values..literals)?,
        })
    }
}

fn length(list: &mut &[u8]) -> Result<usize, FrameError> {
    let length = number::take(list).ok_or(FrameError::Malformed("stream lengths"))?;
    usize::try_from(length).map_err(|_| FrameError::Malformed("stream lengths"))
}
