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
