//! Numbers of the payloads: variable length, one permitted spelling; and lengths of memory as 64 bits.
//!
//! Seven bits a byte, lowest first, the high bit says that more follow; a signed number is folded so
//! that small magnitudes are short. Not here: the fixed fields of header and table.
//! Invariant: every number has exactly one spelling that is read.

/// Most bytes of a number.
pub(super) const VARINT_BYTES_MAX: usize = 10;

/// A length in memory as a number of the format.
pub(super) fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// A number of the format as a length in memory; beyond memory it is longer than any buffer.
pub(super) fn narrow(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Takes a number from the front of `bytes`; none when it is cut short, too large, or could be
/// written in fewer bytes.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().take(VARINT_BYTES_MAX).enumerate() {
        let bits = u64::from(byte & 0x7f);
        let shift = u32::try_from(index).ok()?.checked_mul(7)?;
        let shifted = bits.checked_shl(shift)?;
        if shifted >> shift != bits {
            return None;
        }
        number |= shifted;
        if byte & 0x80 == 0 {
            if bits == 0 && index > 0 {
                return None;
            }
            *bytes = bytes.get(index.checked_add(1)?..)?;
            return Some(number);
        }
    }
    None
}

/// Whether a number begins here whose end has not come yet.
pub(super) fn is_cut_short(bytes: &[u8]) -> bool {
    bytes.len() < VARINT_BYTES_MAX && bytes.iter().all(|byte| byte & 0x80 != 0)
}

/// Undoes [`fold`].
pub(super) const fn unfold(number: u64) -> i64 {
    let magnitude = (number >> 1).cast_signed();
    if number & 1 == 0 { magnitude } else { !magnitude }
}

/// Writes a number.
#[cfg(feature = "delta-build")]
pub(super) fn put(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Makes a signed number unsigned: 0, -1, 1, -2, …
#[cfg(feature = "delta-build")]
pub(super) const fn fold(number: i64) -> u64 {
    (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "delta-build")]
    fn every_number_is_read_back() {
        for number in [0, 1, 127, 128, 300, 1 << 35, u64::MAX >> 1, u64::MAX] {
            let mut bytes = Vec::new();
            put(&mut bytes, number);
            bytes.push(7);
            let mut rest = bytes.as_slice();
            assert_eq!((take(&mut rest), rest), (Some(number), [7].as_slice()));
        }
        for number in [0, 1, -1, 63, -64, i64::MAX, i64::MIN] {
            assert_eq!(unfold(fold(number)), number);
        }
    }

    #[test]
    fn a_second_spelling_is_refused() {
        for wrong in [
            [0x80, 0x00].as_slice(),
            &[0xff, 0x00],
            &[0x80],
            &[],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
            &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
        ] {
            assert_eq!(take(&mut &*wrong), None, "{wrong:?}");
        }
    }
}
