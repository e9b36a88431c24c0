//! Packed streams: single zstd frames of one strict form (RFC 8878).
//!
//! A single segment with its content size, no dictionary, no checksum, nothing before or after: the
//! unpacker then needs no window of its own and writes straight into the buffer that it is given.
//! Invariant: no byte reaches the unpacker before the header of its frame was checked here.

use zstd_safe::DCtx;

/// Why a packed stream is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("packed stream: {0}")]
pub struct StreamError(pub(super) &'static str);

/// An unpacker, claimed once and used for every stream.
pub struct Unpacker(DCtx<'static>);

impl std::fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unpacker")
    }
}

impl Unpacker {
    /// Claims the unpacker's memory; none when there is not enough.
    #[must_use]
    pub fn new() -> Option<Self> {
        DCtx::try_create().map(Self)
    }

    /// What it has claimed, in bytes.
    #[must_use]
    pub fn claimed_bytes(&self) -> usize {
        self.0.sizeof()
    }

    /// Unpacks one stream that must fill `into` exactly.
    ///
    /// # Errors
    /// [`StreamError`]; `into` then holds anything.
    pub fn unpack(&mut self, packed: &[u8], into: &mut [u8]) -> Result<(), StreamError> {
        check_form(packed, into.len())?;
        let whole = zstd_safe::find_frame_compressed_size(packed);
        if whole != Ok(packed.len()) {
            return Err(StreamError("it is cut short, or something follows it"));
        }
        let length = self.0.decompress(into, packed);
        if length.is_ok_and(|length| length == into.len()) {
            return Ok(());
        }
        Err(StreamError("it does not unpack to what it declares"))
    }
}

/// Checks magic, descriptor and content size.
fn check_form(packed: &[u8], length: usize) -> Result<(), StreamError> {
    if content_len(packed)? == length {
        return Ok(());
    }
    Err(StreamError("its content size is not the declared one"))
}

/// The content size of a frame of the one permitted form.
pub(super) fn content_len(packed: &[u8]) -> Result<usize, StreamError> {
    let Some((magic, rest)) = packed.split_first_chunk::<4>() else {
        return Err(StreamError("it is too short"));
    };
    if u32::from_le_bytes(*magic) != zstd_safe::MAGICNUMBER {
        return Err(StreamError("it is no zstd frame"));
    }
    let Some((descriptor, rest)) = rest.split_first() else {
        return Err(StreamError("it is too short"));
    };
    let (size_flag, single_segment) = (descriptor >> 6, descriptor & 0b0010_0000 != 0);
    if descriptor & 0b0001_1111 != 0 {
        return Err(StreamError("a dictionary, a checksum or reserved bits"));
    }
    if !single_segment {
        return Err(StreamError("not a single segment"));
    }
    let size_len = match size_flag {
        0 => 1,
        1 => 2,
        2 => 4,
        _ => return Err(StreamError("a content size of eight bytes")),
    };
    let Some(size) = rest.get(..size_len) else {
        return Err(StreamError("it is too short"));
    };
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(size) {
        *to = *from;
    }
    let declared = u64::from_le_bytes(bytes).saturating_add(if size_len == 2 { 256 } else { 0 });
    usize::try_from(declared).map_err(|_| StreamError("a content size beyond memory"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One raw block of `hello` behind a descriptor and a content size.
    fn hello(descriptor: u8, size: &[u8]) -> Vec<u8> {
        let last_raw_block_of_five = [0x29, 0, 0];
        let parts: [&[u8]; 5] =
            [&[0x28, 0xb5, 0x2f, 0xfd, descriptor], size, &last_raw_block_of_five, b"hello", b""];
        parts.concat()
    }

    fn unpacked(packed: &[u8], length: usize) -> Result<Vec<u8>, StreamError> {
        let mut into = vec![0; length];
        Unpacker::new().unwrap().unpack(packed, &mut into)?;
        Ok(into)
    }

    #[test]
    fn single_segments_with_their_size_are_unpacked() {
        assert_eq!(unpacked(&hello(0x20, &[5]), 5).unwrap(), b"hello");
        assert_eq!(unpacked(&hello(0xa0, &[5, 0, 0, 0]), 5).unwrap(), b"hello");
        let long = vec![7; 300_000];
        let mut packed = vec![0; 1000];
        let length = zstd_safe::compress(packed.as_mut_slice(), &long, 19).unwrap();
        assert!(unpacked(&packed[..length], 300_000).unwrap() == long);
    }

    #[test]
    fn every_other_form_is_refused() {
        let windowed = hello(0x00, &[0x58]);
        let windowed_with_size = hello(0x80, &[0xf8, 5, 0, 0, 0]);
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0][..], &hello(0x20, &[5])].concat();
        let checksum = [&hello(0x24, &[5])[..], &[0; 4]].concat();
        let good = hello(0x20, &[5]);
        let twice = [&good[..], &good].concat();
        let trailing = [&good[..], &[0]].concat();
        for (packed, why) in [
            (windowed, "no content size"),
            (windowed_with_size, "a window of its own, and too large"),
            (hello(0x21, &[0, 5]), "a dictionary"),
            (checksum, "a checksum"),
            (hello(0x28, &[5]), "a reserved bit"),
            (hello(0x30, &[5]), "an unused bit"),
            (hello(0xe0, &[5, 0, 0, 0, 0, 0, 0, 0]), "a long content size"),
            (hello(0x20, &[6]), "another content size"),
            (hello(0x60, &[5, 0]), "a content size from 256"),
            (skippable, "a skippable frame"),
            (twice, "two frames"),
            (trailing, "something behind it"),
            (good[..good.len() - 1].to_vec(), "cut short"),
            (good[..5].to_vec(), "a beginning"),
            (good[..3].to_vec(), "half a magic number"),
            (Vec::new(), "nothing"),
        ] {
            assert!(unpacked(&packed, 5).is_err(), "{why}");
        }
    }
}
