//! A payload taken apart into its six streams, and put together again.
//!
//! Not here: judging streams. Invariant: what is put together says its own lengths rightly, so that
//! whatever is wrong is in the streams.

use zstd_safe::{compress, compress_bound, decompress};

/// Most bytes of a stream that is taken apart.
const STREAM_BYTES_MAX: usize = 1 << 20;

/// The streams of a window: adds, lits, seeks, gaps, values, literals.
pub(crate) type Streams = [Vec<u8>; 6];

/// Whether streams are packed when put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Stored,
    Packed,
}

/// Takes a payload apart; none when it is none, or was packed in groups.
pub(crate) fn apart(payload: &[u8], list_len: usize) -> Option<Streams> {
    let (mut list, mut packed) = payload.split_at_checked(list_len)?;
    let mut streams = Streams::default();
    for stream in &mut streams {
        let raw = number(&mut list)?;
        if raw == 0 {
            continue;
        }
        let bytes = packed.split_off(..number(&mut list)?)?;
        if bytes.len() == raw {
            *stream = bytes.to_vec();
        } else {
            *stream = vec![0; raw.min(STREAM_BYTES_MAX)];
            decompress(stream.as_mut_slice(), bytes).ok()?;
        }
    }
    Some(streams)
}

/// Puts a payload together; the second value is the length of its list.
pub(crate) fn together(streams: &Streams, packing: Packing) -> (Vec<u8>, usize) {
    let (mut list, mut all) = (Vec::new(), Vec::new());
    for stream in streams {
        put(&mut list, stream.len());
        if stream.is_empty() {
            continue;
        }
        let packed = packed(stream).filter(|packed| packed.len() < stream.len());
        let bytes = match packing {
            Packing::Packed => packed.unwrap_or_else(|| stream.clone()),
            Packing::Stored => stream.clone(),
        };
        put(&mut list, bytes.len());
        all.extend_from_slice(&bytes);
    }
    let list_len = list.len();
    list.extend_from_slice(&all);
    (list, list_len)
}

/// Packs bytes as the decoder takes them.
pub(crate) fn packed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut packed = vec![0; compress_bound(bytes.len())];
    let length = compress(packed.as_mut_slice(), bytes, 1).ok()?;
    packed.truncate(length);
    Some(packed)
}

/// Unpacks what is packed in one piece.
pub(crate) fn unpacked(bytes: &[u8]) -> Option<Vec<u8>> {
    let length = zstd_safe::get_frame_content_size(bytes).ok()??;
    let length = usize::try_from(length).ok().filter(|length| *length <= STREAM_BYTES_MAX)?;
    let mut out = vec![0; length];
    decompress(out.as_mut_slice(), bytes).ok()?;
    Some(out)
}

fn number(list: &mut &[u8]) -> Option<usize> {
    let mut number = 0_usize;
    for shift in [0, 7, 14, 21, 28] {
        let (byte, rest) = list.split_first()?;
        *list = rest;
        number |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn put(list: &mut Vec<u8>, mut number: usize) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            list.push(low & 0x7f);
            return;
        }
        list.push(low | 0x80);
    }
}
