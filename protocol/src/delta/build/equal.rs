//! How far two runs of bytes are equal: what every matcher asks most.

use crate::delta::number::narrow;

/// Number of bytes that `one` and `other` have in common from their beginnings.
pub(super) fn equal_len(one: &[u8], other: &[u8]) -> usize {
    let (words, others) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0);
    let mut length = 0_usize;
    for (word, other) in words.iter().zip(others) {
        let differs = u64::from_le_bytes(*word) ^ u64::from_le_bytes(*other);
        if differs != 0 {
            return length.saturating_add(narrow(u64::from(differs.trailing_zeros() / 8)));
        }
        length = length.saturating_add(8);
    }
    let rest = |bytes: &[u8]| bytes.get(length..).map_or(&[][..], |rest| rest).len();
    let left = rest(one).min(rest(other));
    let tail = |bytes| <[u8]>::get(bytes, length..length.saturating_add(left)).unwrap_or_default();
    let same = tail(one).iter().zip(tail(other)).take_while(|(one, other)| one == other).count();
    length.saturating_add(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_found_at_every_place() {
        let one: Vec<u8> = (0..40).collect();
        for at in 0..40 {
            let mut other = one.clone();
            other[at] ^= 0x80;
            assert_eq!(equal_len(&one, &other), at);
            assert_eq!(equal_len(&one[..at], &one), at);
            assert_eq!(equal_len(&one, &one[..at]), at);
        }
    }
}
