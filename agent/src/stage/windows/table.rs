//! The head of a container on the device: fetched into the spool, checked against the signed digest,
//! and read from there entry by entry.
//!
//! The table of a large image is megabytes, so it is never in memory as a whole. Not here: what its
//! windows are good for. Invariant: the head of a [`Table`] was checked, whole, in this run.

use crate::link::http::Piece;
use crate::stage::FetchError;
use crate::stage::resume::{Line, Missing, Remote, Taker, Want};
use crate::storage::{self, READ_BYTES};
use patchward_protocol::delta::format::{
    ENTRY_BYTES, FormatError, Frame, HEADER_BYTES, HeadReader, Header, entry_offset,
};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::limits::DELTA_WINDOW_BYTES;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// A container whose head is here.
#[derive(Debug)]
pub struct Table {
    file: File,
    path: PathBuf,
    header: Header,
    remote: Remote,
}

impl Table {
    /// Fetches what of the head is not in the spool, and checks all of it. `fetched_bytes` rises with
    /// what comes, also when the future is dropped.
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
        let likely = new_length.div_ceil(u64::from(DELTA_WINDOW_BYTES));
        let likely = entry_offset(u32::try_from(likely).unwrap_or(u32::MAX)).min(remote.length);
        let mut head = Arriving::open(&path, remote.length, likely, fetched_bytes)?;
        head.forget_if_spoilt(signed)?;
        let read = match line.bring(&remote, &mut head).await {
            Ok(()) => head.finish(signed),
            Err(error) => Err(error),
        };
        match read {
            Ok((file, header)) => Ok(Self { file, path, header, remote }),
            Err(FetchError::Container(error)) => {
                // Whoever asks for it again gets it anew.
                remove(&path)?;
                Err(error.into())
            }
            Err(error) => Err(error),
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
        let read = self.file.read_exact_at(&mut entry, entry_offset(index));
        read.map_err(|source| failed("reading", &self.path, source))?;
        Ok(Frame::read(&entry, index, &self.header)?)
    }

    /// The same table for another thread.
    ///
    /// # Errors
    /// [`FetchError::Spool`].
    pub fn another(&self) -> Result<Self, FetchError> {
        let file = self.file.try_clone().map_err(|e| failed("reading", &self.path, e))?;
        let (path, remote) = (self.path.clone(), self.remote.clone());
        Ok(Self { file, path, header: self.header, remote })
    }
}

/// A head on its way.
struct Arriving<'a> {
    file: File,
    path: &'a Path,
    form: Form,
    have_bytes: u64,
    at: u64,
    file_len: u64,
    likely_len: u64,
    fetched_bytes: &'a mut u64,
}

impl<'a> Arriving<'a> {
    fn open(
        path: &'a Path,
        file_len: u64,
        likely_len: u64,
        fetched_bytes: &'a mut u64,
    ) -> Result<Self, FetchError> {
        let opening = |source| failed("opening", path, source);
        let file = crate::stage::open_own(path).map_err(opening)?;
        let mut form = Form::default();
        let read = form.feed_from(&file).map_err(opening)?;
        let mut head =
            Self { file, path, form, have_bytes: 0, at: 0, file_len, likely_len, fetched_bytes };
        match read {
            Ok(bytes) => head.have_bytes = bytes,
            Err(_spoilt) => head.forget()?,
        }
        Ok(head)
    }

    /// What the spool had is not the signed head: it is fetched anew.
    fn forget_if_spoilt(&mut self, signed: Sha256Digest) -> Result<(), FetchError> {
        if self.is_whole() && self.form.clone().finish(signed).is_err() {
            return self.forget();
        }
        Ok(())
    }

    fn forget(&mut self) -> Result<(), FetchError> {
        self.form = Form::default();
        self.have_bytes = 0;
        self.file.set_len(0).map_err(|source| failed("emptying", self.path, source))
    }

    fn is_whole(&self) -> bool {
        self.form.is_whole()
    }

    fn finish(self, signed: Sha256Digest) -> Result<(File, Header), FetchError> {
        let head = self.form.finish(signed)?;
        if head.file_len() != self.file_len {
            return Err(FormatError::Table("the file has another length").into());
        }
        Ok((self.file, head))
    }
}

impl Taker for Arriving<'_> {
    fn missing(&mut self) -> Result<Missing, FetchError> {
        if self.is_whole() {
            return Ok(Missing::Nothing);
        }
        let end = self.form.length().unwrap_or(self.likely_len).max(entry_offset(0));
        let missing = self.have_bytes..end.max(self.have_bytes.saturating_add(1));
        if missing.end > self.file_len {
            return Err(FormatError::Table("it is longer than the file").into());
        }
        Ok(Missing::Bytes(missing))
    }

    fn take(&mut self, piece: Piece<'_>) -> Result<Want, FetchError> {
        let bytes = match piece {
            Piece::From(byte) if byte == 0 || byte == self.have_bytes => {
                self.at = byte;
                return Ok(Want::More);
            }
            Piece::From(_) => return Err(FetchError::Mismatch("it begins elsewhere")),
            Piece::Bytes(bytes) => bytes,
        };
        *self.fetched_bytes = self.fetched_bytes.saturating_add(storage::length(bytes));
        let known = usize::try_from(self.have_bytes.saturating_sub(self.at)).unwrap_or(usize::MAX);
        self.at = self.at.saturating_add(storage::length(bytes));
        let new = bytes.get(known..).unwrap_or_default();
        let used = self.form.feed(new)?;
        let taken = new.get(..used).unwrap_or_default();
        let written = self.file.write_all_at(taken, self.have_bytes);
        written.map_err(|source| failed("writing", self.path, source))?;
        self.have_bytes = self.have_bytes.saturating_add(storage::length(taken));
        Ok(if used < new.len() { Want::Enough } else { Want::More })
    }

    fn out_of_range(&mut self) -> Result<(), FetchError> {
        Err(FetchError::Refused { status: 416 })
    }
}

/// Header and entries, cut out of bytes as they come.
#[derive(Clone, Default)]
struct Form {
    reader: Option<HeadReader>,
    entries: u32,
    part: Vec<u8>,
}

impl Form {
    /// Takes bytes up to the end of the head; returns how many were taken.
    fn feed(&mut self, bytes: &[u8]) -> Result<usize, FormatError> {
        let mut rest = bytes;
        while !rest.is_empty() && !self.is_whole() {
            let wanted = if self.reader.is_some() { ENTRY_BYTES } else { HEADER_BYTES };
            let count = wanted.saturating_sub(self.part.len()).min(rest.len());
            let (now, later) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            self.part.extend_from_slice(now);
            rest = later;
            if self.part.len() == wanted {
                self.take_part()?;
                self.part.clear();
            }
        }
        Ok(bytes.len().saturating_sub(rest.len()))
    }

    fn take_part(&mut self) -> Result<(), FormatError> {
        match (&mut self.reader, self.part.first_chunk(), self.part.first_chunk()) {
            (Some(reader), Some(entry), _) => {
                reader.take(entry)?;
                self.entries = self.entries.saturating_add(1);
            }
            (None, _, Some(header)) => self.reader = Some(HeadReader::begin(header)?),
            (Some(_), None, _) | (None, _, None) => {}
        }
        Ok(())
    }

    /// Takes what a file holds; returns how many bytes of it were taken.
    fn feed_from(&mut self, mut file: &File) -> io::Result<Result<u64, FormatError>> {
        let (mut total, mut buffer) = (0_u64, vec![0; READ_BYTES]);
        loop {
            let count = file.read(&mut buffer)?;
            match self.feed(buffer.get(..count).unwrap_or_default()) {
                Ok(used) => {
                    total = total.saturating_add(u64::try_from(used).unwrap_or(u64::MAX));
                    if count == 0 || used < count {
                        return Ok(Ok(total));
                    }
                }
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    /// Length of the head in bytes, once the header is there.
    fn length(&self) -> Option<u64> {
        self.reader.as_ref().map(|reader| reader.header().head_len())
    }

    fn is_whole(&self) -> bool {
        self.reader.as_ref().is_some_and(|reader| reader.header().frames == self.entries)
    }

    fn finish(self, signed: Sha256Digest) -> Result<Header, FormatError> {
        let reader = self.reader.ok_or(FormatError::Magic)?;
        Ok(reader.finish(signed)?.header)
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
