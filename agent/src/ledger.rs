//! The device's ledger on disk: append-only segments, each record durable before it counts.
//!
//! A record is length and complement (4 bytes each, little endian), check (8 bytes), envelope (JSON). A torn last record
//! is cut off and said; damage anywhere else is an error and is never repaired. Receipted segments
//! are dropped when room runs short; entries that must be kept for ever move to `kept`.
//! Not here: sending ([`crate::outbox`]), counting refusals ([`refusals`]).
//! Invariant: positions have no gaps, and no entry is ever rewritten.

pub mod refusals;
pub mod segment;

use crate::journal::{PendingEntry, sync_dir};
use patchward_protocol::envelope::{Envelope, Open, Seal};
use patchward_protocol::id::{DeviceId, LedgerId};
use patchward_protocol::key::{PublicKey, SecretKey, Signer as _};
use patchward_protocol::ledger::{Break, Chain, Entry, Kind, SealedEntry};
use segment::{Segment, SegmentError};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Bytes after which a new segment is begun.
pub const SEGMENT_BYTES: u64 = 256 * 1024;
/// Kept free to finish an update that has begun, in bytes.
pub const RESERVE_BYTES: u64 = 1024 * 1024;

/// The ledger, open for appending. One process only (the driver holds the lock).
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
    device: DeviceId,
    key: Rc<SecretKey>,
    chain: Chain,
    segments: Vec<Segment>,
    file: Option<File>,
    bytes_max: u64,
    kept_bytes: u64,
    cut_bytes: u64,
}

/// Whether an update may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// There is room for an update.
    Enough,
    /// Only the reserve is left.
    Full,
}

/// Why the ledger could not be read or continued.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The disk said no.
    #[error("ledger file {path}")]
    Disk {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Damage that is not a torn last record.
    #[error("the ledger is damaged at {path}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: SegmentError,
    },
    /// An entry does not verify.
    #[error("ledger entry {seq} does not verify")]
    Entry {
        /// Position at which it was expected.
        seq: u64,
        /// Why.
        source: Open,
    },
    /// An entry does not continue the chain.
    #[error("the chain of the ledger is broken")]
    Chain(#[from] Break),
    /// The entry could not be signed.
    #[error("the entry was not signed")]
    Seal(#[from] Seal),
    /// No room is left.
    #[error("the ledger is full: {bytes} of {bytes_max} bytes")]
    Full {
        /// Bytes in use.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// The entry is not for the next position.
    #[error("the entry is for position {asked}, the next is {next}")]
    Position {
        /// Asked for.
        asked: u64,
        /// Next.
        next: u64,
    },
}

/// What the entries take that lead up to an activation, in bytes.
const BEGIN_BYTES: u64 = 16 * 1024;

/// Whose ledger, where, how long.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The folder.
    pub folder: PathBuf,
    /// The device.
    pub device: DeviceId,
    /// Its ledger.
    pub ledger_id: LedgerId,
    /// Most bytes in all.
    pub bytes_max: u64,
}

impl Ledger {
    /// Opens the ledger, cutting off a torn last record.
    ///
    /// # Errors
    /// [`LedgerError`]; damage that is no torn end is never repaired.
    pub fn open(terms: Terms, key: Rc<SecretKey>) -> Result<Self, LedgerError> {
        let Terms { folder, device, ledger_id, bytes_max } = terms;
        std::fs::create_dir_all(&folder).map_err(|e| disk(&folder, e))?;
        let mut segments = segment::list(&folder).map_err(|e| disk(&folder, e))?;
        let kept_bytes = std::fs::metadata(folder.join(segment::KEPT)).map_or(0, |m| m.len());
        let (mut chain, mut cut_bytes) = (Chain::begin(ledger_id), 0);
        if let Some(last) = segments.last_mut() {
            let path = folder.join(last.name());
            let read = segment::read(&path).map_err(|source| damaged(&path, source))?;
            if read.torn_bytes > 0 {
                cut(&path, read.whole_bytes).map_err(|e| disk(&path, e))?;
                cut_bytes = read.torn_bytes;
            }
            last.bytes = read.whole_bytes;
            chain = follow(&read.envelopes, &key.public(), ledger_id, last.first_seq)?;
        }
        let file = None;
        Ok(Self { folder, device, key, chain, segments, file, bytes_max, kept_bytes, cut_bytes })
    }

    /// Where the chain stands.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Bytes of a torn last record that were cut off at opening.
    #[must_use]
    pub const fn cut_bytes(&self) -> u64 {
        self.cut_bytes
    }

    /// The cut was recorded.
    pub const fn forget_cut(&mut self) {
        self.cut_bytes = 0;
    }

    /// Bytes in use.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum::<u64>() + self.kept_bytes
    }

    /// Whether an update may begin.
    #[must_use]
    pub fn room(&self) -> Room {
        let need = RESERVE_BYTES.saturating_add(BEGIN_BYTES);
        let full = self.bytes().saturating_add(need) > self.bytes_max;
        if full { Room::Full } else { Room::Enough }
    }

    /// Signs and appends an entry at the next position, which must be `seq`. Durable when it returns.
    ///
    /// # Errors
    /// [`LedgerError`]; nothing is appended.
    pub fn append(&mut self, seq: u64, what: &PendingEntry) -> Result<SealedEntry, LedgerError> {
        let next = self.chain.seq.saturating_add(1);
        if seq != next {
            return Err(LedgerError::Position { asked: seq, next });
        }
        let entry = Entry {
            v: 1,
            device: self.device.clone(),
            ledger_id: self.chain.ledger_id,
            seq,
            prev_sha256: self.chain.head_sha256,
            at: what.at,
            time_quality: what.quality,
            boot_count: what.boot_count,
            fact: what.fact.clone(),
        };
        let sealed = SealedEntry::seal(entry, self.key.as_ref())?;
        let record =
            segment::record(&sealed.envelope).map_err(|source| damaged(&self.folder, source))?;
        self.make_room(&record, what.fact.kind)?;
        let chain = self.chain.accept(&sealed.entry, sealed.sha256)?;
        let path = self.write(seq, &record)?;
        if let Some(segment) = self.segments.last_mut() {
            segment.bytes = segment.bytes.saturating_add(length(&record));
        }
        tracing::debug!(ledger.seq = seq, ledger.kind = ?what.fact.kind, file = %path.display(),
            "ledger entry is durable");
        self.chain = chain;
        Ok(sealed)
    }

    /// Entries from position `from_seq` on, at most `count_max` and about `bytes_max` bytes.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn entries_from(
        &self,
        from_seq: u64,
        count_max: usize,
        bytes_max: u64,
    ) -> Result<Vec<Envelope>, LedgerError> {
        entries_from(&self.folder, &self.segments, from_seq, count_max, bytes_max)
    }

    /// Drops the oldest segments that a receipt covers while more than half of the room is in use.
    /// Entries that must be kept move to `kept` first.
    ///
    /// # Errors
    /// [`LedgerError::Disk`]; what was not dropped is whole.
    pub fn drop_receipted(&mut self, upto_seq: u64) -> Result<(), LedgerError> {
        let half = self.bytes_max.saturating_sub(RESERVE_BYTES) / 2;
        while self.bytes() > half && self.segments.len() > 1 {
            let covered = self.segments.get(1).is_some_and(|next| next.first_seq <= upto_seq + 1);
            let Some(oldest) = self.segments.first().filter(|_| covered) else { return Ok(()) };
            let path = self.folder.join(oldest.name());
            let read = segment::read(&path).map_err(|source| damaged(&path, source))?;
            self.keep(&read.envelopes)?;
            std::fs::remove_file(&path).map_err(|e| disk(&path, e))?;
            sync_dir(&self.folder).map_err(|e| disk(&self.folder, e))?;
            self.segments.remove(0);
        }
        Ok(())
    }

    fn keep(&mut self, envelopes: &[Envelope]) -> Result<(), LedgerError> {
        let path = self.folder.join(segment::KEPT);
        let kept = |envelope: &&Envelope| {
            envelope.insecure_peek::<Entry>().map_or(true, |entry| entry.fact.kind.is_kept())
        };
        let mut bytes = Vec::new();
        for envelope in envelopes.iter().filter(kept) {
            bytes.extend(segment::record(envelope).map_err(|source| damaged(&path, source))?);
        }
        append_to(&path, &bytes).map_err(|e| disk(&path, e))?;
        self.kept_bytes = self.kept_bytes.saturating_add(length(&bytes));
        Ok(())
    }

    fn make_room(&self, record: &[u8], kind: Kind) -> Result<(), LedgerError> {
        let reserve = if finishes_an_update(kind) { 0 } else { RESERVE_BYTES };
        let need = self.bytes().saturating_add(length(record)).saturating_add(reserve);
        if need > self.bytes_max {
            return Err(LedgerError::Full { bytes: self.bytes(), bytes_max: self.bytes_max });
        }
        Ok(())
    }

    fn write(&mut self, seq: u64, record: &[u8]) -> Result<PathBuf, LedgerError> {
        let full = self.segments.last().is_none_or(|last| last.bytes >= SEGMENT_BYTES);
        if full {
            self.segments.push(Segment { first_seq: seq, bytes: 0 });
            self.file = None;
        }
        let last = self.segments.last().map(|last| (last.name(), last.bytes));
        let (name, bytes) = last.unwrap_or_default();
        let path = self.folder.join(name);
        let written = self.write_to(&path, bytes, record);
        if written.is_err() {
            // Whatever reached the disk is cut off before the next try.
            self.file = None;
            if full {
                self.segments.pop();
            }
        }
        written.map_err(|e| disk(&path, e))?;
        Ok(path)
    }

    fn write_to(&mut self, path: &Path, whole_bytes: u64, record: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let file = open_for_append(path)?;
                file.set_len(whole_bytes)?;
                sync_dir(&self.folder)?;
                self.file.insert(file)
            }
        };
        file.write_all(record)?;
        file.sync_data()
    }
}

/// Checks a whole ledger: every signature, the chain, the records. Returns where the chain stands
/// and how many entries were checked.
///
/// # Errors
/// [`LedgerError`] names the first bad entry.
pub fn verify(
    folder: &Path,
    ledger_id: LedgerId,
    key: &PublicKey,
) -> Result<(Chain, u64), LedgerError> {
    let segments = segment::list(folder).map_err(|e| disk(folder, e))?;
    let (mut chain, mut count) = (None, 0_u64);
    for envelope in kept(folder)? {
        let seq = envelope.insecure_peek::<Entry>().map_or(0, |entry| entry.seq);
        SealedEntry::open(envelope, key).map_err(|source| LedgerError::Entry { seq, source })?;
        count += 1;
    }
    for (index, segment) in segments.iter().enumerate() {
        let path = folder.join(segment.name());
        let read = segment::read(&path).map_err(|source| damaged(&path, source))?;
        if read.torn_bytes > 0 && index + 1 < segments.len() {
            return Err(damaged(&path, SegmentError::Torn { offset: read.whole_bytes }));
        }
        for envelope in &read.envelopes {
            let seq = chain.map_or(segment.first_seq, |chain: Chain| chain.seq + 1);
            let sealed = SealedEntry::open(envelope.clone(), key)
                .map_err(|source| LedgerError::Entry { seq, source })?;
            let before = chain.unwrap_or_else(|| begin_before(&sealed.entry, ledger_id, seq));
            chain = Some(before.accept(&sealed.entry, sealed.sha256)?);
            count += 1;
        }
    }
    Ok((chain.unwrap_or_else(|| Chain::begin(ledger_id)), count))
}

/// Every entry that is still on the device, oldest first; those of dropped segments that are kept
/// for ever come first.
///
/// # Errors
/// [`LedgerError`].
pub fn all(folder: &Path) -> Result<Vec<Envelope>, LedgerError> {
    let segments = segment::list(folder).map_err(|e| disk(folder, e))?;
    let mut entries = kept(folder)?;
    entries.extend(entries_from(folder, &segments, 0, usize::MAX, u64::MAX)?);
    Ok(entries)
}

/// Entries from position `from_seq` on, at most `count_max` and about `bytes_max` bytes, for whoever
/// does not hold the ledger.
///
/// # Errors
/// [`LedgerError`].
pub fn since(
    folder: &Path,
    from_seq: u64,
    count_max: usize,
    bytes_max: u64,
) -> Result<Vec<Envelope>, LedgerError> {
    let segments = segment::list(folder).map_err(|e| disk(folder, e))?;
    entries_from(folder, &segments, from_seq, count_max, bytes_max)
}

fn kept(folder: &Path) -> Result<Vec<Envelope>, LedgerError> {
    let path = folder.join(segment::KEPT);
    if !path.exists() {
        return Ok(Vec::new());
    }
    Ok(segment::read(&path).map_err(|source| damaged(&path, source))?.envelopes)
}

fn entries_from(
    folder: &Path,
    segments: &[Segment],
    from_seq: u64,
    count_max: usize,
    bytes_max: u64,
) -> Result<Vec<Envelope>, LedgerError> {
    let (mut found, mut bytes) = (Vec::new(), 0_u64);
    for (index, segment) in segments.iter().enumerate() {
        let next_first = segments.get(index + 1).map(|next| next.first_seq);
        if next_first.is_some_and(|first| first <= from_seq) {
            continue;
        }
        let path = folder.join(segment.name());
        let read = segment::read(&path).map_err(|source| damaged(&path, source))?;
        for (seq, envelope) in (segment.first_seq..).zip(read.envelopes) {
            if seq < from_seq {
                continue;
            }
            let record = segment::record(&envelope).map_err(|source| damaged(&path, source))?;
            bytes = bytes.saturating_add(length(&record));
            if found.len() >= count_max || (bytes > bytes_max && !found.is_empty()) {
                return Ok(found);
            }
            found.push(envelope);
        }
    }
    Ok(found)
}

/// Follows the chain through one segment; its first entry is taken at its word (older segments may
/// have been dropped; `verify` checks across segments).
fn follow(
    envelopes: &[Envelope],
    key: &PublicKey,
    ledger_id: LedgerId,
    first_seq: u64,
) -> Result<Chain, LedgerError> {
    let mut chain = None;
    for (seq, envelope) in (first_seq..).zip(envelopes) {
        let sealed = SealedEntry::open(envelope.clone(), key)
            .map_err(|source| LedgerError::Entry { seq, source })?;
        let before = chain.unwrap_or_else(|| begin_before(&sealed.entry, ledger_id, first_seq));
        chain = Some(before.accept(&sealed.entry, sealed.sha256)?);
    }
    let empty = Chain { ledger_id, seq: first_seq.saturating_sub(1), head_sha256: None };
    Ok(chain.unwrap_or(empty))
}

fn begin_before(first: &Entry, ledger_id: LedgerId, first_seq: u64) -> Chain {
    Chain { ledger_id, seq: first_seq.saturating_sub(1), head_sha256: first.prev_sha256 }
}

/// Entries of an update that has begun may use the reserve.
const fn finishes_an_update(kind: Kind) -> bool {
    match kind {
        Kind::Activating
        | Kind::Restarting
        | Kind::Trial
        | Kind::AwaitingAcceptance
        | Kind::Committed
        | Kind::RollingBack
        | Kind::RolledBack
        | Kind::NeedsService
        | Kind::Recovered => true,
        Kind::Enrolled
        | Kind::Approved
        | Kind::Staged
        | Kind::Held
        | Kind::Preparing
        | Kind::Armed
        | Kind::Used
        | Kind::Abandoned
        | Kind::Refused
        | Kind::HoldSet
        | Kind::HoldLifted => false,
    }
}

fn open_for_append(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn append_to(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = open_for_append(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn cut(path: &Path, whole_bytes: u64) -> io::Result<()> {
    let file = std::fs::OpenOptions::new().write(true).open(path)?;
    file.set_len(whole_bytes)?;
    file.sync_all()
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn disk(path: &Path, source: io::Error) -> LedgerError {
    LedgerError::Disk { path: path.to_owned(), source }
}

fn damaged(path: &Path, source: SegmentError) -> LedgerError {
    LedgerError::Damaged { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchward_protocol::ledger::Fact;
    use patchward_protocol::time::TimeQuality;

    fn terms(folder: &Path) -> Terms {
        Terms {
            folder: folder.to_owned(),
            device: DeviceId::new("pump-07").unwrap(),
            ledger_id: LedgerId::from_random([7; 16]),
            bytes_max: 3 * 1024 * 1024,
        }
    }

    fn key() -> Rc<SecretKey> {
        Rc::new(SecretKey::from_seed(&[1; 32]))
    }

    fn open(folder: &Path) -> Ledger {
        Ledger::open(terms(folder), key()).unwrap()
    }

    fn entry(kind: Kind) -> PendingEntry {
        let (at, quality, boot_count) = (None, TimeQuality::Unknown, 1);
        PendingEntry { at, quality, boot_count, fact: Fact::new(kind) }
    }

    fn check(folder: &Path) -> Result<(Chain, u64), LedgerError> {
        verify(folder, LedgerId::from_random([7; 16]), &key().public())
    }

    #[test]
    fn a_ledger_goes_on_after_a_restart_without_gaps() {
        let folder = tempfile::tempdir().unwrap();
        for seq in 1..=20 {
            open(folder.path()).append(seq, &entry(Kind::Held)).unwrap();
        }
        assert_eq!(check(folder.path()).unwrap().0.seq, 20);
        let two = open(folder.path()).entries_from(19, 10, u64::MAX).unwrap();
        assert_eq!(two.len(), 2);
    }

    #[test]
    fn a_last_record_torn_at_any_byte_is_cut_off_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = open(folder.path());
        ledger.append(1, &entry(Kind::Enrolled)).unwrap();
        let whole = ledger.bytes();
        ledger.append(2, &entry(Kind::Held)).unwrap();
        let path = folder.path().join(Segment { first_seq: 1, bytes: 0 }.name());
        let bytes = std::fs::read(&path).unwrap();
        for length in usize::try_from(whole).unwrap()..bytes.len() {
            crate::journal::write_durably(&path, &bytes[..length]).unwrap();
            let mut ledger = open(folder.path());
            assert_eq!(ledger.chain().seq, 1);
            assert_eq!(ledger.cut_bytes(), u64::try_from(length).unwrap() - whole);
            ledger.append(2, &entry(Kind::Staged)).unwrap();
            assert_eq!(check(folder.path()).unwrap().0.seq, 2);
        }
    }

    #[test]
    fn any_bit_flipped_before_the_last_record_is_damage_and_is_not_repaired() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = open(folder.path());
        ledger.append(1, &entry(Kind::Enrolled)).unwrap();
        let first = usize::try_from(ledger.bytes()).unwrap();
        ledger.append(2, &entry(Kind::Held)).unwrap();
        let path = folder.path().join(Segment { first_seq: 1, bytes: 0 }.name());
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..first {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            crate::journal::write_durably(&path, &changed).unwrap();
            assert!(check(folder.path()).is_err(), "byte {at}");
            assert!(Ledger::open(terms(folder.path()), key()).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_full_ledger_still_takes_the_entries_of_an_update_that_has_begun() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger =
            Ledger::open(Terms { bytes_max: RESERVE_BYTES + 2000, ..terms(folder.path()) }, key())
                .unwrap();
        let mut seq = 1;
        while ledger.append(seq, &entry(Kind::Held)).is_ok() {
            seq += 1;
        }
        assert!(seq > 1);
        assert!(matches!(ledger.append(seq, &entry(Kind::Refused)), Err(LedgerError::Full { .. })));
        ledger.append(seq, &entry(Kind::RolledBack)).unwrap();
        assert_eq!(ledger.room(), Room::Full);
    }

    #[test]
    fn dropping_receipted_segments_keeps_activations_and_the_chain() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(
            Terms { bytes_max: RESERVE_BYTES + 1000 * 1024, ..terms(folder.path()) },
            key(),
        )
        .unwrap();
        let mut seq = 1;
        let kind = |seq| if seq == 3 { Kind::Activating } else { Kind::Held };
        while ledger.append(seq, &entry(kind(seq))).is_ok() {
            seq += 1;
        }
        assert_eq!(ledger.room(), Room::Full);
        let before = ledger.bytes();
        ledger.drop_receipted(seq - 1).unwrap();
        assert!(ledger.bytes() <= before);
        ledger.append(seq, &entry(Kind::Activating)).unwrap();
        assert_eq!(check(folder.path()).unwrap().0.seq, seq);
        let kinds = |envelope: &Envelope| envelope.insecure_peek::<Entry>().unwrap().fact.kind;
        let kept: Vec<_> = all(folder.path()).unwrap().iter().map(kinds).collect();
        assert_eq!(kept.iter().filter(|kind| **kind == Kind::Activating).count(), 2);
        assert!(kept.len() < usize::try_from(seq).unwrap());
    }
}
