//! One segment file of the ledger: records behind each other.
//!
//! Invariant: a record that does not check is either the torn end of the file or damage; the two are
//! never confused: what is torn ends the file, or is all zeros to its end.

use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::envelope::{Envelope, Open};
use patchward_protocol::limits::ENVELOPE_BYTES_MAX;
use std::io;
use std::path::Path;

/// Bytes before each envelope: length, its complement (so that a changed length is never taken for a
/// torn end), check.
const RECORD_HEAD_BYTES: usize = 16;
/// File of entries that outlive their segment.
pub const KEPT: &str = "kept";
const SUFFIX: &str = ".segment";

/// A segment: named by the position of its first entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Segment {
    /// Position of its first entry.
    pub first_seq: u64,
    /// Bytes of whole records.
    pub bytes: u64,
}

/// What a segment holds.
#[derive(Debug)]
pub struct Read {
    /// The entries.
    pub envelopes: Vec<Envelope>,
    /// Bytes of whole records.
    pub whole_bytes: u64,
    /// Bytes after them that are no whole record.
    pub torn_bytes: u64,
}

/// Why a segment could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The disk said no.
    #[error("the file could not be read")]
    Read(#[source] io::Error),
    /// A record in the middle does not check.
    #[error("the record at byte {offset} does not check, and more follows")]
    Check {
        /// Where.
        offset: u64,
    },
    /// An unfinished record where none may be.
    #[error("an unfinished record at byte {offset}, though later segments exist")]
    Torn {
        /// Where.
        offset: u64,
    },
    /// A record checks and is no envelope.
    #[error("the record at byte {offset} is no envelope")]
    Envelope {
        /// Where.
        offset: u64,
        /// Why.
        source: Open,
    },
    /// An envelope could not be written.
    #[error("the envelope could not be written")]
    Write(#[source] serde_json::Error),
}

impl Segment {
    /// Its file name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{:012}{SUFFIX}", self.first_seq)
    }
}

/// The segments of a folder, oldest first.
///
/// # Errors
/// What the disk says.
pub fn list(folder: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let first = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)?.parse().ok());
        if let Some(first_seq) = first {
            segments.push(Segment { first_seq, bytes: entry.metadata()?.len() });
        }
    }
    segments.sort_by_key(|segment| segment.first_seq);
    Ok(segments)
}

/// The bytes of one record.
///
/// # Errors
/// [`SegmentError::Write`].
pub fn record(envelope: &Envelope) -> Result<Vec<u8>, SegmentError> {
    let json = serde_json::to_vec(envelope).map_err(SegmentError::Write)?;
    let length = u32::try_from(json.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(RECORD_HEAD_BYTES + json.len());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&(!length).to_le_bytes());
    bytes.extend_from_slice(&check(&json));
    bytes.extend_from_slice(&json);
    Ok(bytes)
}

/// Reads a segment to its end or to its torn last record.
///
/// # Errors
/// [`SegmentError`].
pub fn read(path: &Path) -> Result<Read, SegmentError> {
    let bytes = std::fs::read(path).map_err(SegmentError::Read)?;
    let (mut envelopes, mut rest) = (Vec::new(), bytes.as_slice());
    let offset = |rest: &[u8]| u64::try_from(bytes.len() - rest.len()).unwrap_or(u64::MAX);
    loop {
        match next(rest) {
            Next::End => break,
            Next::Record { json, after } => {
                let envelope = Envelope::read(json)
                    .map_err(|source| SegmentError::Envelope { offset: offset(rest), source })?;
                envelopes.push(envelope);
                rest = after;
            }
            Next::Torn => break,
            Next::Damaged => return Err(SegmentError::Check { offset: offset(rest) }),
        }
    }
    let torn_bytes = u64::try_from(rest.len()).unwrap_or(u64::MAX);
    Ok(Read { envelopes, whole_bytes: offset(rest), torn_bytes })
}

enum Next<'a> {
    End,
    Record { json: &'a [u8], after: &'a [u8] },
    Torn,
    Damaged,
}

fn next(rest: &[u8]) -> Next<'_> {
    if rest.is_empty() {
        return Next::End;
    }
    let head = rest.split_first_chunk::<4>().and_then(|(length, rest)| {
        let (complement, rest) = rest.split_first_chunk::<4>()?;
        let (sum, body) = rest.split_first_chunk::<8>()?;
        Some((u32::from_le_bytes(*length), u32::from_le_bytes(*complement), sum, body))
    });
    let Some((length, complement, sum, body)) = head else { return Next::Torn };
    if rest.iter().all(|byte| *byte == 0) {
        return Next::Torn;
    }
    let bytes = usize::try_from(length).unwrap_or(usize::MAX);
    if length != !complement || bytes == 0 || bytes > ENVELOPE_BYTES_MAX {
        return Next::Damaged;
    }
    let length = bytes;
    let Some((json, after)) = body.split_at_checked(length) else { return Next::Torn };
    if check(json) == *sum {
        Next::Record { json, after }
    } else if after.iter().all(|byte| *byte == 0) {
        Next::Torn
    } else {
        Next::Damaged
    }
}

fn check(json: &[u8]) -> [u8; 8] {
    let mut check = [0; 8];
    for (to, from) in check.iter_mut().zip(Sha256Digest::of(json).as_bytes()) {
        *to = *from;
    }
    check
}
