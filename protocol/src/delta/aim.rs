//! Places where machine code keeps addresses: what differences between two programs mostly hit.
//!
//! When functions move, calls and references change all over a program, and little else does. Counted in
//! places like these, it is never far from one difference to the next; counted in bytes, the way is as
//! good as chance. A place is known by bytes that a reader has when it comes there: those before it as
//! they are in the new image, those from it on as they are in the old one.
//! Not here: how the count is written ([`super::diff`]). Invariant: reader and maker ask this one code.

use super::diff::WORD_BYTES;

/// Whose machine code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// x86-64: behind a call, a jump, or an operand that counts from the next instruction, where the
    /// distance is one of less than 16 MiB.
    X86,
    /// 64-bit Arm: branches, the page of an address, and the instruction behind that.
    Arm,
}

impl Aim {
    /// Whether a word with an address may begin between `before` and `from`, which meet at `position` of
    /// the window.
    pub(super) fn is_at(self, before: &[u8], position: usize, from: &[u8]) -> bool {
        let Some([_, _, _, high]) = from.first_chunk::<WORD_BYTES>() else { return false };
        match (self, before) {
            (Self::X86, _) if *high != 0 && *high != 0xff => false,
            (Self::X86, [.., 0xe8 | 0xe9]) => true,
            (Self::X86, [.., 0x0f, jump]) if jump & 0xf0 == 0x80 => true,
            (Self::X86, [.., operand]) => operand & 0xc7 == 0x05,
            (Self::X86, []) => false,
            (Self::Arm, _) if !position.is_multiple_of(WORD_BYTES) => false,
            (Self::Arm, [.., last]) if is_page(*last) => true,
            (Self::Arm, _) => high & 0x7c == 0x14 || is_page(*high),
        }
    }

    /// Where a word is begun that is not at one of the places, when bytes differ at `position`.
    #[cfg(feature = "delta-build")]
    pub(super) const fn elsewhere(self, position: usize) -> usize {
        match self {
            Self::X86 => position,
            Self::Arm => position.saturating_sub(position % WORD_BYTES),
        }
    }
}

/// The last byte of an instruction that takes the page of an address.
const fn is_page(high: u8) -> bool {
    high & 0x9f == 0x90
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEAR: [u8; 4] = [0x12, 0x34, 0, 0];

    #[test]
    fn distances_stand_behind_calls_jumps_and_relative_operands() {
        let is_at = |before: &[u8]| Aim::X86.is_at(before, 7, &NEAR);
        for before in [&[0xe8][..], &[0xe9], &[0x0f, 0x84], &[0x48, 0x8d, 0x05], &[0xff, 0x25]] {
            assert!(is_at(before), "{before:x?}");
        }
        for before in [&[][..], &[0x84], &[0x0f, 0x94], &[0x48, 0x8d, 0x45], &[0xe8, 0x90]] {
            assert!(!is_at(before), "{before:x?}");
        }
        assert!(Aim::X86.is_at(&[0xe8], 0, &[0, 0, 0, 0xff]));
        assert!(!Aim::X86.is_at(&[0xe8], 0, &[0, 0, 0, 0x7f]), "too far away");
        assert!(!Aim::X86.is_at(&[0xe8], 0, &NEAR[..3]), "cut short");
    }

    #[test]
    fn branches_and_pages_are_aligned_instructions() {
        let is_at = |position, high| Aim::Arm.is_at(&[], position, &[1, 2, 3, high]);
        for high in [0x94, 0x97, 0x14, 0x90, 0xb0, 0xd0, 0xf0] {
            assert!(is_at(8, high), "{high:x}");
            assert!(!is_at(9, high), "{high:x}");
        }
        assert!(!is_at(8, 0x91) && !is_at(8, 0x54));
        assert!(Aim::Arm.is_at(&[1, 2, 3, 0xb0], 4, &[0, 0, 0, 0x91]), "the rest of an address");
    }
}
