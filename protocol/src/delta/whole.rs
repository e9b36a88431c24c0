//! One container from its first byte to its last, window after window.
//!
//! For people, for tests and for whoever has to know that a container gives the image it promises.
//! Not here: resuming, and mixing a delta with a full container; the device does that, window by
//! window, with [`super::apply::Decoder`].
//! Invariant: the answer is a head only when every byte of the file and of the image was checked.

use super::apply::{Base, Decoder, FrameError};
use super::format::{
    ENTRY_BYTES, FormatError, Frame, HEADER_BYTES, Head, HeadReader, Header, entry_offset,
};
use super::number::narrow;
use crate::digest::{Sha256Digest, Sha256Hasher};
use std::io::{self, Read, Seek, SeekFrom};

/// Why a container does not give its image.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The container cannot be read, or it is cut short.
    #[error("the container cannot be read")]
    Read(#[source] io::Error),
    /// Header or table break a rule.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The file is longer or shorter than its header says.
    #[error("the container has {found} bytes, and its header says {declared}")]
    Length {
        /// In bytes.
        found: u64,
        /// In bytes.
        declared: u64,
    },
    /// A window is not given.
    #[error("window {index}")]
    Window {
        /// Which, from 0.
        index: u32,
        /// Why.
        #[source]
        source: FrameError,
    },
    /// What comes out cannot be written.
    #[error("the image cannot be written")]
    Write(#[source] io::Error),
    /// The windows do not make the image.
    #[error("the windows do not make the image that the header names")]
    Image,
}

/// Decodes a whole container in the memory of one window.
///
/// `signed_table` is the digest of header and table that somebody vouches for; without one the file
/// is only checked against itself. `write` takes the windows in order, each with its place in the
/// image in bytes; `progress` hears how many bytes of the image are written.
///
/// # Errors
/// [`ApplyError`]; what was written before is a beginning of the image and nothing more.
pub fn whole(
    file: &mut (impl Read + Seek),
    signed_table: Option<Sha256Digest>,
    base: &mut impl Base,
    write: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
    progress: &dyn Fn(u64),
) -> Result<Head, ApplyError> {
    let found = file.seek(SeekFrom::End(0)).map_err(ApplyError::Read)?;
    let head = head(file, signed_table)?;
    let declared = head.header.file_len();
    if found != declared {
        return Err(ApplyError::Length { found, declared });
    }
    let mut decoder = decoder(&head.header)?;
    let mut payload = Vec::new();
    let (mut entries, mut image) = (Sha256Hasher::new(), Sha256Hasher::new());
    for index in 0..head.header.frames {
        let entry = entry(file, index)?;
        entries.update(&entry);
        let frame = Frame::read(&entry, index, &head.header)?;
        payload.resize(narrow(u64::from(frame.comp_len)), 0);
        if !payload.is_empty() {
            file.seek(SeekFrom::Start(frame.payload_off)).map_err(ApplyError::Read)?;
            file.read_exact(&mut payload).map_err(ApplyError::Read)?;
        }
        let window = decoder
            .window(&frame, &payload, base)
            .map_err(|source| ApplyError::Window { index, source })?;
        image.update(window);
        let place = head.header.window_at(index).unwrap_or(0..0);
        write(place.start, window).map_err(ApplyError::Write)?;
        progress(place.end);
    }
    if entries.finish() != head.header.entries_sha256 || image.finish() != head.header.new.sha256 {
        return Err(ApplyError::Image);
    }
    Ok(head)
}

/// Reads and checks header and table.
///
/// # Errors
/// [`ApplyError::Read`] and [`ApplyError::Format`].
pub fn head(
    file: &mut (impl Read + Seek),
    signed_table: Option<Sha256Digest>,
) -> Result<Head, ApplyError> {
    file.seek(SeekFrom::Start(0)).map_err(ApplyError::Read)?;
    let mut header = [0; HEADER_BYTES];
    file.read_exact(&mut header).map_err(ApplyError::Read)?;
    let mut reader = HeadReader::begin(&header)?;
    let mut entry = [0; ENTRY_BYTES];
    for _ in 0..reader.header().frames {
        file.read_exact(&mut entry).map_err(ApplyError::Read)?;
        reader.take(&entry)?;
    }
    let signed = signed_table.unwrap_or_else(|| reader.sha256());
    Ok(reader.finish(signed)?)
}

fn decoder(header: &Header) -> Result<Decoder, ApplyError> {
    Decoder::new(header).map_err(|source| ApplyError::Window { index: 0, source })
}

fn entry(file: &mut (impl Read + Seek), index: u32) -> Result<[u8; ENTRY_BYTES], ApplyError> {
    let mut entry = [0; ENTRY_BYTES];
    file.seek(SeekFrom::Start(entry_offset(index))).map_err(ApplyError::Read)?;
    file.read_exact(&mut entry).map_err(ApplyError::Read)?;
    Ok(entry)
}
