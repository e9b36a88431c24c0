//! What content looks like: an image that is packed as a whole, and windows whose bytes look random.
//!
//! Compressed and encrypted bytes have close to 8 bits of entropy each; programs have six, texts five.
//! Not here: which file a window belongs to. Invariant: constant memory.

use super::part::Part;
use super::{Finding, Lint};
use crate::error::Outcome;
use crate::here::Here;
use crate::progress::Progress;

/// Length of a window, in bytes.
const WINDOW_BYTES: usize = 64 * 1024;
/// From here on a window looks compressed, in bits of entropy for each byte.
const COMPRESSED_BITS: f64 = 7.8;
/// From this share of windows on it is said, in per cent.
const SHARE_PERCENT_MIN: u64 = 25;
/// Below this many windows it is not worth a word.
const WINDOWS_MIN: u64 = 4;

/// A packer by the first bytes of what it made.
const PACKERS: [(&str, &[u8]); 6] = [
    ("gzip", &[0x1f, 0x8b, 0x08]),
    ("xz", &[0xfd, b'7', b'z', b'X', b'Z', 0x00]),
    ("zstd", &[0x28, 0xb5, 0x2f, 0xfd]),
    ("bzip2", b"BZh"),
    ("lz4", &[0x04, 0x22, 0x4d, 0x18]),
    ("zip", b"PK\x03\x04"),
];

/// Whether the image as a whole is packed.
pub(super) fn wrapped(image: &Part<'_>) -> Outcome<Option<Finding>> {
    let head = image.fields::<8>(0)?.bytes::<8>(0);
    let found = PACKERS.iter().find(|(_, magic)| head.starts_with(magic));
    Ok(found.map(|(name, _)| Finding {
        lint: Lint::ImageWrapped,
        place: image.name.clone(),
        detail: (*name).to_owned(),
    }))
}

/// Whether much of the image looks compressed. Windows of zeros do not count.
pub(super) fn entropy(here: &Here, image: &Part<'_>) -> Outcome<Option<Finding>> {
    let word = here.language.pick("looking at the image", "イメージを検査中");
    let progress = Progress::begin(here, word, Some(image.length));
    let mut window = vec![0; WINDOW_BYTES];
    let (mut offset, mut filled, mut compressed) = (0_u64, 0_u64, 0_u64);
    while offset < image.length {
        let count = image.read(offset, &mut window)?;
        let Some(window) = window.get(..count).filter(|window| !window.is_empty()) else { break };
        if window.iter().any(|byte| *byte != 0) {
            filled += 1;
            compressed += u64::from(bits_per_byte(window) >= COMPRESSED_BITS);
        }
        offset = offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        progress.at(offset);
    }
    let percent = compressed * 100 / filled.max(1);
    let much = percent >= SHARE_PERCENT_MIN && compressed >= WINDOWS_MIN;
    Ok(much.then(|| Finding {
        lint: Lint::ContentCompressed,
        place: image.name.clone(),
        detail: format!(
            "{percent} % of what is not zero has {COMPRESSED_BITS} bits or more a byte"
        ),
    }))
}

/// Shannon's entropy of single bytes.
fn bits_per_byte(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let total = f64::from(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    let bits = |count: &u32| {
        let share = f64::from(*count) / total;
        -share * share.log2()
    };
    counts.iter().filter(|count| **count > 0).map(bits).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_eight_bits_for_even_bytes_and_none_for_one_value() {
        let even: Vec<u8> = (0..=255).cycle().take(WINDOW_BYTES).collect();
        assert!((bits_per_byte(&even) - 8.0).abs() < 1e-9);
        assert!(bits_per_byte(&[7; 100]).abs() < 1e-9);
        let half: Vec<u8> = (0..WINDOW_BYTES).map(|n| u8::from(n % 2 == 0)).collect();
        assert!((bits_per_byte(&half) - 1.0).abs() < 1e-9);
    }
}
