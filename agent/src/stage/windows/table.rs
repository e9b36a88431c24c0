//! The head of a container on the device: header and table fetched into the spool, checked against the
//! signed digest, and written out there so that every entry is found by its number.
//!
//! The table of a large image is megabytes, so it is never in memory as a whole. Not here: what its
//! windows are good for. Invariant: the head of a [`Table`] was checked, whole, in this run.

use crate::link::http::Piece;
use crate::stage::FetchError;
use crate::stage::resume::{Line, Missing, Remote, Taker, Want};
use crate::storage::{self, READ_BYTES};
use patchward_protocol::delta::format::{
    ENTRY_BYTES, FormatError, Frame, HEADER_BYTES, HeadReader, Header,
};
use patchward_protocol::digest::Sha256Digest;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// A container whose head is here.
#[derive(Debug)]
pub struct Table {
    /// Entries of equal length, one for each window.
    entries: File,
    path: PathBuf,
    header: Header,
    remote: Remote,
}

impl Table {
    /// Fetches what of the head is not in the spool, and checks all of it. The image has `new_length`
    /// bytes; `fetched_bytes` rises with what comes, also when the future is dropped.
    ///
    /// # Errors
    /// [`FetchError`]; [`FetchError::Container`] when it is not the signed head.
    pub async fn fetch(
        spool: &Path,
        line: &mut Line<'_>,
        remote: Remote,
        signed: Sha256Digest,
        new_length: u64,
        fetched_bytes: &mut u64,
    ) -> Result<Self, FetchError> {
        let path = spool.join(format!("{}.head", remote.sha256));
        let entries = spool.join(format!("{}.table", remote.sha256));
        let expected = Expected { file_len: remote.length, new_length };
        let mut head = Arriving::open(&path, expected, fetched_bytes)?;
        loop {
            let from_spool = head.have_bytes > 0;
            let came = line.bring(&remote, &mut head).await;
            match came.and_then(|()| head.write_out(signed, &entries)) {
                Ok((file, header)) => {
                    return Ok(Self { entries: file, path: entries, header, remote });
                }
                // The spool may be what is wrong; whoever asks for it again gets it anew.
                Err(FetchError::Container(_)) if from_spool => head.forget()?,
                Err(error @ FetchError::Container(_)) => {
                    remove(&path)?;
                    remove(&entries)?;
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Where its payloads are.
    #[must_use]
    pub const fn remote(&self) -> &Remote {
        &self.remote
    }

    /// The entry of a window.
    ///
    /// # Errors
    /// [`FetchError`]: the spool fails, or was changed since it was checked.
    pub fn frame(&self, index: u32) -> Result<Frame, FetchError> {
        let mut entry = [0; ENTRY_BYTES];
        let offset = u64::from(index).saturating_mul(storage::length(&entry));
        let read = self.entries.read_exact_at(&mut entry, offset);
        read.map_err(|source| failed("reading", &self.path, source))?;
        Ok(Frame::read(&entry, index, &self.header)?)
    }

    /// The same table for another thread.
    ///
    /// # Errors
    /// [`FetchError::Spool`].
    pub fn another(&self) -> Result<Self, FetchError> {
        let entries = self.entries.try_clone().map_err(|e| failed("reading", &self.path, e))?;
        let (path, remote) = (self.path.clone(), self.remote.clone());
        Ok(Self { entries, path, header: self.header, remote })
    }
}

/// What is known of a container before its first byte is here, in bytes.
#[derive(Debug, Clone, Copy)]
struct Expected {
    file_len: u64,
    new_length: u64,
}

/// A head on its way: the header first, then the table, which stands elsewhere in the file.
struct Arriving<'a> {
    file: File,
    path: &'a Path,
    /// Once its last byte is here; not believed before all of the head was checked.
    header: Option<Header>,
    /// Bytes of header and table that are here.
    have_bytes: u64,
    /// Where in the container's file the next byte of the answer stands.
    at: u64,
    expected: Expected,
    fetched_bytes: &'a mut u64,
}

impl<'a> Arriving<'a> {
    fn open(
        path: &'a Path,
        expected: Expected,
        fetched_bytes: &'a mut u64,
    ) -> Result<Self, FetchError> {
        let opening = |source| failed("opening", path, source);
        let file = crate::stage::open_own(path).map_err(opening)?;
        let have_bytes = file.metadata().map_err(opening)?.len();
        let mut head =
            Self { file, path, header: None, have_bytes, at: 0, expected, fetched_bytes };
        match head.look_at_header() {
            Err(error @ FetchError::Spool { .. }) => return Err(error),
            Err(_spoilt) => head.forget()?,
            Ok(()) if have_bytes > head.end() => head.forget()?,
            Ok(()) => {}
        }
        Ok(head)
    }

    fn forget(&mut self) -> Result<(), FetchError> {
        (self.header, self.have_bytes) = (None, 0);
        self.file.set_len(0).map_err(|source| failed("emptying", self.path, source))
    }

    /// Reads the header as soon as it is here. Nothing is signed yet: what it says is held against
    /// what is known, so that a table is never larger than its image needs.
    fn look_at_header(&mut self) -> Result<(), FetchError> {
        let mut bytes = [0; HEADER_BYTES];
        if self.header.is_some() || self.have_bytes < storage::length(&bytes) {
            return Ok(());
        }
        let read = self.file.read_exact_at(&mut bytes, 0);
        read.map_err(|source| failed("reading", self.path, source))?;
        let header = Header::read(&bytes)?;
        if header.file_len() != self.expected.file_len {
            return Err(FormatError::Table("the file has another length").into());
        }
        if header.new.length != self.expected.new_length {
            return Err(FetchError::Release("its container is of another image"));
        }
        self.header = Some(header);
        Ok(())
    }

    /// The end of what is known to belong to the head, in bytes of the head: the header, then all.
    fn end(&self) -> u64 {
        self.header.map_or(storage::length(&[0; HEADER_BYTES]), |header| header.head_len())
    }

    /// What is missing, in bytes of the container's file; none when all of the head is here.
    fn rest(&self) -> Option<Range<u64>> {
        // The table stands behind the payloads.
        let ahead = self.header.map_or(0, |header| header.payload_len);
        let (have, end) = (self.have_bytes, self.end());
        (have < end).then(|| have.saturating_add(ahead)..end.saturating_add(ahead))
    }

    /// Reads what is here as a whole, and writes its entries where they are found by number.
    fn write_out(&self, signed: Sha256Digest, to: &Path) -> Result<(File, Header), FetchError> {
        let writing = |source| failed("writing", to, source);
        let reading = |source| failed("reading", self.path, source);
        let mut bytes = [0; HEADER_BYTES];
        self.file.read_exact_at(&mut bytes, 0).map_err(reading)?;
        let mut reader = HeadReader::begin(&bytes)?;
        let out = crate::stage::open_own(to).map_err(writing)?;
        out.set_len(0).map_err(writing)?;
        let mut entries = BufWriter::with_capacity(READ_BYTES, &out);
        let (mut at, mut piece) = (storage::length(&bytes), vec![0; READ_BYTES]);
        while reader.missing_bytes() > 0 {
            let most = usize::try_from(reader.missing_bytes()).unwrap_or(READ_BYTES);
            let mut rest = piece.get_mut(..most.min(READ_BYTES)).unwrap_or_default();
            self.file.read_exact_at(rest, at).map_err(reading)?;
            at = at.saturating_add(storage::length(rest));
            let mut rest = &*std::mem::take(&mut rest);
            while let Some(frame) = reader.take(&mut rest)? {
                entries.write_all(&frame.write()).map_err(writing)?;
            }
        }
        entries.flush().map_err(writing)?;
        drop(entries);
        Ok((out, reader.finish(signed)?.header))
    }
}

impl Taker for Arriving<'_> {
    fn missing(&mut self) -> Result<Missing, FetchError> {
        let Some(missing) = self.rest() else { return Ok(Missing::Nothing) };
        if missing.end > self.expected.file_len {
            return Err(FormatError::Table("it is longer than the file").into());
        }
        Ok(Missing::Bytes(missing))
    }

    fn take(&mut self, piece: Piece<'_>) -> Result<Want, FetchError> {
        let mut bytes = match piece {
            Piece::From(byte)
                if byte == 0 || self.rest().is_some_and(|rest| byte == rest.start) =>
            {
                self.at = byte;
                return Ok(Want::More);
            }
            Piece::From(_) => return Err(FetchError::Mismatch("it begins elsewhere")),
            Piece::Bytes(bytes) => bytes,
        };
        *self.fetched_bytes = self.fetched_bytes.saturating_add(storage::length(bytes));
        while !bytes.is_empty() {
            let Some(Range { start, end }) = self.rest() else { return Ok(Want::Enough) };
            // Whoever knows no ranges sends what is in between as well.
            let narrow = |length: u64| usize::try_from(length).unwrap_or(usize::MAX);
            let skipped = narrow(start.saturating_sub(self.at)).min(bytes.len());
            let (passed, rest) = bytes.split_at_checked(skipped).unwrap_or((bytes, &[]));
            let wanted = narrow(end.saturating_sub(start)).min(rest.len());
            let (taken, later) = rest.split_at_checked(wanted).unwrap_or((rest, &[]));
            let written = self.file.write_all_at(taken, self.have_bytes);
            written.map_err(|source| failed("writing", self.path, source))?;
            self.have_bytes = self.have_bytes.saturating_add(storage::length(taken));
            let moved = storage::length(passed).saturating_add(storage::length(taken));
            self.at = self.at.saturating_add(moved);
            bytes = later;
            self.look_at_header()?;
        }
        Ok(Want::More)
    }

    fn out_of_range(&mut self) -> Result<(), FetchError> {
        Err(FetchError::Refused { status: 416 })
    }
}

fn remove(path: &Path) -> Result<(), FetchError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed("removing", path, error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn failed(during: &'static str, path: &Path, source: io::Error) -> FetchError {
    FetchError::Spool { during, path: path.to_owned(), source }
}
