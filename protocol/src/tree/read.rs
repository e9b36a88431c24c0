//! Reads a tree archive strictly, in constant memory.
//!
//! Every header is read, written again by the one encoder and compared: bytes that differ in any
//! place are refused, so that two archives of the same tree cannot exist. The source may be hostile.
//! Invariant: after the first error the reader gives nothing more.

use super::header::{self, BLOCK, PAX_BYTES_MAX, Records};
use super::order::Order;
use super::write::padding;
use super::{EntryKind, TreeEntry, TreeError};
use crate::limits::IMAGE_BYTES_MAX;
use std::io::{ErrorKind, Read};

/// Reads a tree archive from `R`.
#[derive(Debug)]
pub struct TreeReader<R: Read> {
    source: R,
    order: Order,
    at_byte: u64,
    content: Content,
    phase: Phase,
}

/// What is left of the current file.
#[derive(Debug, Clone, Copy, Default)]
struct Content {
    left_bytes: u64,
    padding_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Entries,
    Over,
    Failed,
}

impl<R: Read> TreeReader<R> {
    /// Begins to read; a source that makes small reads expensive should be buffered.
    pub fn new(source: R) -> Self {
        let (order, content) = (Order::default(), Content::default());
        Self { source, order, at_byte: 0, content, phase: Phase::Entries }
    }

    /// The next entry; `None` at the end of a whole and well-formed archive.
    ///
    /// What was not read of the file before is skipped.
    ///
    /// # Errors
    /// [`TreeError`]: the archive is refused, or the source failed.
    pub fn next_entry(&mut self) -> Result<Option<TreeEntry>, TreeError> {
        self.guarded(|reader| {
            reader.skip_content()?;
            let entry = reader.read_entry()?;
            if let Some(entry) = &entry {
                reader.order.admit(entry)?;
                if let EntryKind::File { size_bytes, .. } = entry.kind {
                    let padding_bytes = padding(size_bytes).len();
                    reader.content = Content { left_bytes: size_bytes, padding_bytes };
                }
            }
            Ok(entry)
        })
    }

    /// Reads the next bytes of the current file into `buffer`; 0 at its end.
    ///
    /// # Errors
    /// [`TreeError`]: the archive is refused, or the source failed.
    pub fn read_content(&mut self, buffer: &mut [u8]) -> Result<usize, TreeError> {
        self.guarded(|reader| reader.read_some(buffer))
    }

    /// Bytes of the archive taken so far.
    #[must_use]
    pub const fn at_byte(&self) -> u64 {
        self.at_byte
    }

    /// Nothing comes out of a reader that once failed.
    fn guarded<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, TreeError>,
    ) -> Result<T, TreeError> {
        if self.phase == Phase::Failed {
            return Err(self.malformed("it was refused before"));
        }
        let result = read(self);
        if result.is_err() {
            self.phase = Phase::Failed;
        }
        result
    }

    fn read_entry(&mut self) -> Result<Option<TreeEntry>, TreeError> {
        if self.phase == Phase::Over {
            return Ok(None);
        }
        let start = self.at_byte;
        let malformed = |rule| TreeError::Malformed { at_byte: start, rule };
        let unreadable = || malformed("a header has the form of ustar");
        let mut raw = Vec::with_capacity(BLOCK);
        let mut block = self.block()?;
        if block == [0; BLOCK] {
            return self.end().map(|()| None);
        }
        raw.extend_from_slice(&block);
        let mut records = Records::default();
        let first = header::fields(&block).ok_or_else(unreadable)?;
        if first.is_pax() {
            let length = first.size_bytes().filter(|size| *size <= PAX_BYTES_MAX);
            let length = length.ok_or(malformed("pax records have at most 4096 bytes"))?;
            records = self.records(length, &mut raw, start)?;
            block = self.block()?;
            raw.extend_from_slice(&block);
        }
        let fields = header::fields(&block).ok_or_else(unreadable)?;
        let entry = header::decode(&fields, &records, start)?;
        if header::encode(&entry) != raw {
            return Err(malformed("the header is not the one spelling of its entry"));
        }
        Ok(Some(entry))
    }

    fn records(&mut self, length: u64, raw: &mut Vec<u8>, at: u64) -> Result<Records, TreeError> {
        let length = usize::try_from(length).unwrap_or_default();
        let mut bytes = Vec::with_capacity(length.next_multiple_of(BLOCK));
        while bytes.len() < length {
            bytes.extend_from_slice(&self.block()?);
        }
        raw.extend_from_slice(&bytes);
        bytes.truncate(length);
        let rule = "pax records say path, linkpath and size and nothing else";
        header::records(&bytes).ok_or(TreeError::Malformed { at_byte: at, rule })
    }

    /// The second block of zeros, and nothing after it.
    fn end(&mut self) -> Result<(), TreeError> {
        if self.block()? != [0; BLOCK] {
            return Err(self.malformed("the archive ends with two blocks of zeros"));
        }
        if self.some(&mut [0; 1])? != 0 {
            return Err(self.malformed("nothing follows the end"));
        }
        self.phase = Phase::Over;
        Ok(())
    }

    fn skip_content(&mut self) -> Result<(), TreeError> {
        let mut buffer = [0; 4096];
        while self.read_some(&mut buffer)? > 0 {}
        Ok(())
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, TreeError> {
        if self.content.left_bytes == 0 {
            return self.finish_padding().map(|()| 0);
        }
        let most = usize::try_from(self.content.left_bytes).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        let count = self.some(buffer.get_mut(..most).unwrap_or_default())?;
        if count == 0 && most > 0 {
            return Err(self.malformed("the archive is cut off inside a file"));
        }
        let length = u64::try_from(count).unwrap_or(u64::MAX);
        self.content.left_bytes = self.content.left_bytes.saturating_sub(length);
        Ok(count)
    }

    fn finish_padding(&mut self) -> Result<(), TreeError> {
        let mut bytes = vec![0; self.content.padding_bytes];
        self.content = Content::default();
        self.exact(&mut bytes)?;
        if bytes.iter().any(|byte| *byte != 0) {
            return Err(self.malformed("files are padded with zeros"));
        }
        Ok(())
    }

    fn block(&mut self) -> Result<[u8; BLOCK], TreeError> {
        let mut block = [0; BLOCK];
        self.exact(&mut block)?;
        Ok(block)
    }

    fn exact(&mut self, mut buffer: &mut [u8]) -> Result<(), TreeError> {
        while !buffer.is_empty() {
            let count = self.some(buffer)?;
            if count == 0 {
                return Err(self.malformed("the archive is cut off"));
            }
            buffer = buffer.get_mut(count..).unwrap_or_default();
        }
        Ok(())
    }

    fn some(&mut self, buffer: &mut [u8]) -> Result<usize, TreeError> {
        loop {
            match self.source.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(TreeError::Read(error)),
                Ok(count) => {
                    let length = u64::try_from(count).unwrap_or(u64::MAX);
                    self.at_byte = self.at_byte.saturating_add(length);
                    if self.at_byte > IMAGE_BYTES_MAX {
                        let (what, limit) = ("bytes", IMAGE_BYTES_MAX);
                        return Err(TreeError::TooMany { what, limit });
                    }
                    return Ok(count);
                }
            }
        }
    }

    const fn malformed(&self, rule: &'static str) -> TreeError {
        TreeError::Malformed { at_byte: self.at_byte, rule }
    }
}
