//! Images that are made, containers of them, and reading those back.

use patchward_protocol::delta::apply::{ApplyError, whole};
use patchward_protocol::delta::build::{Built, Index, Parameters, delta, full};
use patchward_protocol::delta::format::FrameKind;
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

/// A program whose functions call each other, with so many bytes more before every tenth one.
pub(crate) fn program(seed: u64, functions: usize, more: usize, machine: Machine) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    // What each function does: filling, and which one it calls.
    let bodies: Vec<Vec<(usize, usize)>> = (0..functions)
        .map(|_| {
            let calls = next() % 7 + 1;
            let call = |_| (usize::try_from(next() % 9).unwrap() * 4, next());
            let calls: Vec<_> = (0..calls).map(call).collect();
            calls
                .into_iter()
                .map(|(fill, to)| (fill, usize::try_from(to).unwrap() % functions))
                .collect()
        })
        .collect();
    let step = match machine {
        Machine::X86 => 5,
        Machine::Arm => 4,
    };
    let lengths = bodies.iter().enumerate().map(|(index, body)| {
        let own: usize = body.iter().map(|(fill, _)| fill + step).sum();
        own + if index % 10 == 0 { more } else { 0 }
    });
    let starts: Vec<usize> = lengths
        .scan(0, |end, length| {
            *end += length;
            Some(*end - length)
        })
        .collect();
    let mut out = Vec::new();
    for (index, body) in bodies.iter().enumerate() {
        out.extend(std::iter::repeat_n(0x90, if index % 10 == 0 { more } else { 0 }));
        for (fill, to) in body {
            out.extend(image(u64::try_from(*to).unwrap(), *fill));
            let (from, to) =
                (i64::try_from(out.len() + step).unwrap(), i64::try_from(starts[*to]).unwrap());
            let distance = i32::try_from(to - from).unwrap();
            match machine {
                Machine::X86 => {
                    out.push(0xe8);
                    out.extend(distance.to_le_bytes());
                }
                Machine::Arm => {
                    let word = 0x9400_0000 | ((distance + 4) / 4).cast_unsigned() & 0x03ff_ffff;
                    out.extend(word.to_le_bytes());
                }
            }
        }
    }
    out
}

/// What a program runs on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Machine {
    X86,
    Arm,
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

/// How many windows of a kind there are.
pub(crate) fn windows_of(built: &Built, kind: FrameKind) -> u32 {
    built.kinds[FrameKind::ALL.iter().position(|other| *other == kind).unwrap()]
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
