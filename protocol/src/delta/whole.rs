//! One container from its first byte to its last, window after window.
//!
//! For people, for tests and for whoever has to know that a container gives the image it promises.
//! Not here: resuming, and mixing a delta with a full container; the device does that, window by
//! window, with [`super::apply::Decoder`].
//! Invariant: the answer is a head only when every byte of the file and of the image was checked.

use super::apply::{Base, Decoder, FrameError};
use super::format::{FormatError, Frame, HEADER_BYTES, Head, HeadReader, Header};
use super::number::{narrow, wide};
use crate::digest::{Sha256Digest, Sha256Hasher};
use std::io::{self, Read, Seek, SeekFrom};

/// Bytes of a table that are read at once.
const PIECE_BYTES: usize = 16 * 1024;

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
    let mut entries = Entries::of(file)?;
    let (mut payload, mut image) = (Vec::new(), Sha256Hasher::new());
    for index in 0..head.header.frames {
        let Some(frame) = entries.next(file)? else { return Err(ApplyError::Image) };
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
    let again = entries.finish(head.sha256)?;
    if again != head || image.finish() != head.header.new.sha256 {
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
    let mut entries = Entries::of(file)?;
    while entries.next(file)?.is_some() {}
    let signed = signed_table.unwrap_or_else(|| entries.sha256());
    entries.finish(signed)
}

/// The entries of a container, one after the other, in constant memory. They are believed when
/// [`Entries::finish`] has compared them with what was signed.
#[derive(Debug)]
pub struct Entries {
    reader: HeadReader,
    /// Where the next piece of the table stands in the file.
    at: u64,
    piece: Vec<u8>,
    used: usize,
}

impl Entries {
    /// Reads the header.
    ///
    /// # Errors
    /// [`ApplyError::Read`] and [`ApplyError::Format`].
    pub fn of(file: &mut (impl Read + Seek)) -> Result<Self, ApplyError> {
        file.seek(SeekFrom::Start(0)).map_err(ApplyError::Read)?;
        let mut header = [0; HEADER_BYTES];
        file.read_exact(&mut header).map_err(ApplyError::Read)?;
        let reader = HeadReader::begin(&header)?;
        let at = reader.header().table().start;
        Ok(Self { reader, at, piece: Vec::new(), used: 0 })
    }

    /// The header; not believed before [`Entries::finish`].
    #[must_use]
    pub const fn header(&self) -> &Header {
        self.reader.header()
    }

    /// The next entry; none after the last. Other reads of the file may come in between.
    ///
    /// # Errors
    /// [`ApplyError::Read`] and [`ApplyError::Format`].
    pub fn next(&mut self, file: &mut (impl Read + Seek)) -> Result<Option<Frame>, ApplyError> {
        loop {
            let mut rest = self.piece.get(self.used..).unwrap_or_default();
            let before = rest.len();
            let frame = self.reader.take(&mut rest)?;
            self.used = self.used.saturating_add(before.saturating_sub(rest.len()));
            if frame.is_some() || self.reader.missing_bytes() == 0 {
                return Ok(frame);
            }
            let length = narrow(u64::from(self.reader.missing_bytes())).min(PIECE_BYTES);
            self.piece.resize(length, 0);
            self.used = 0;
            file.seek(SeekFrom::Start(self.at)).map_err(ApplyError::Read)?;
            file.read_exact(&mut self.piece).map_err(ApplyError::Read)?;
            self.at = self.at.saturating_add(wide(length));
        }
    }

    /// Digest of header and table as far as they were read; of all of it after the last entry. For
    /// whoever has no signed digest.
    #[must_use]
    pub fn sha256(&self) -> Sha256Digest {
        self.reader.sha256()
    }

    /// Compares what was read, all of it, with what was signed.
    ///
    /// # Errors
    /// [`ApplyError::Format`].
    pub fn finish(self, signed: Sha256Digest) -> Result<Head, ApplyError> {
        Ok(self.reader.finish(signed)?)
    }
}

fn decoder(header: &Header) -> Result<Decoder, ApplyError> {
    Decoder::new(header).map_err(|source| ApplyError::Window { index: 0, source })
}
