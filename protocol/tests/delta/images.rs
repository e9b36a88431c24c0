//! Images that are made, containers of them, and reading those back.

use patchward_protocol::delta::apply::{ApplyError, whole};
use patchward_protocol::delta::build::{Built, Index, Parameters, delta, full};
use patchward_protocol::digest::Sha256Digest;
use std::io::Cursor;
use std::num::NonZeroUsize;

/// Bytes that look like a program: words that repeat, and now and then something new. Committed
/// files were made from these bytes: a change here is a change there.
pub(crate) fn image(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let words: Vec<[u8; 8]> = (0..60).map(|_| next().to_le_bytes()).collect();
    let mut out = Vec::with_capacity(length + 8);
    while out.len() < length {
        let at = next();
        if at % 13 == 0 {
            out.extend_from_slice(&next().to_le_bytes()[..3]);
        } else {
            out.extend_from_slice(&words[usize::try_from(at >> 20).unwrap() % words.len()]);
        }
    }
    out.truncate(length);
    out
}

/// Short windows and a fast packer: what is tried here does not depend on either.
pub(crate) fn parameters(index: Index, threads: usize) -> Parameters {
    let threads = NonZeroUsize::new(threads).unwrap();
    Parameters { window: 64 * 1024, level: 3, threads, index }
}

pub(crate) fn full_of(new: &[u8], parameters: &Parameters) -> (Vec<u8>, Built) {
    let mut file = Cursor::new(Vec::new());
    let built = full(new, &mut file, parameters, &|_| ()).unwrap();
    (file.into_inner(), built)
}

pub(crate) fn delta_of(old: &[u8], new: &[u8], parameters: &Parameters) -> (Vec<u8>, Built) {
    let mut file = Cursor::new(Vec::new());
    let built = delta(old, new, &mut file, parameters, &|_| ()).unwrap();
    (file.into_inner(), built)
}

pub(crate) fn applied(
    file: &[u8],
    signed: Option<Sha256Digest>,
    old: &[u8],
) -> Result<Vec<u8>, ApplyError> {
    let mut image = Vec::new();
    let mut write = |at: u64, window: &[u8]| {
        assert_eq!(usize::try_from(at).unwrap(), image.len());
        image.extend_from_slice(window);
        Ok(())
    };
    whole(&mut Cursor::new(file), signed, &mut &*old, &mut write, &|_| ())?;
    Ok(image)
}
