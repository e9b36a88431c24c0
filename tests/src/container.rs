//! Containers by hand, on plain bytes: full images, deltas, and ones that no builder would write.
//!
//! Written without the codec, so that a fault in the codec does not hide one here; deltas are copies
//! of windows that moved by any distance and packed windows otherwise. Not here: who signs for one
//! ([`crate::forged`]).
//! Invariant: what [`Container::write`] writes keeps every rule of the format as long as no field was
//! changed by hand.

use anyhow::{Context as _, Result, bail};
use patchward_protocol::digest::Sha256Digest;
use std::collections::HashMap;

/// Window of containers in tests, in bytes: the least there is, so that small images have several.
pub const WINDOW_BYTES: usize = 64 * 1024;
/// Length of the header, in bytes.
pub const HEADER_BYTES: usize = 192;
/// Unit of the old range that an entry permits, in bytes.
const BLOCK_BYTES: usize = 4096;
/// How well windows are packed.
const LEVEL: i32 = 3;

/// Numbers of the kinds of windows in the file.
pub mod kind {
    /// Bytes of the old image at one place.
    pub const COPY: u8 = 0;
    /// Zeros.
    pub const ZERO: u8 = 1;
    /// The window itself, packed.
    pub const RAW: u8 = 4;
}

/// One window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// How it is made.
    pub kind: u8,
    /// Its length, in bytes.
    pub raw_len: usize,
    /// Its payload; empty for kinds without one.
    pub payload: Vec<u8>,
    /// Where a copy begins in the old image, in bytes.
    pub old_off: usize,
    /// Digest of the payload that the table names.
    pub payload_sha256: [u8; 32],
    /// Digest of the window that the table of a full container names.
    pub output_sha256: [u8; 32],
}

/// A container that is not written yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Required features, as a bit set.
    pub features: u32,
    /// Length of every window but the last, in bytes.
    pub window: usize,
    /// Length and digest of the old image; none in a full container.
    pub old: Option<(usize, [u8; 32])>,
    /// Length and digest of the new image.
    pub new: (usize, [u8; 32]),
    /// The windows.
    pub entries: Vec<Entry>,
}

impl Container {
    /// An image with nothing beside it.
    ///
    /// # Errors
    /// When a window does not pack.
    pub fn full(image: &[u8], window: usize) -> Result<Self> {
        let entries = image.chunks(window).map(Entry::raw).collect::<Result<_>>()?;
        Ok(Self { features: 0, window, old: None, new: whole(image), entries })
    }

    /// A new image out of an old one.
    ///
    /// # Errors
    /// When a window does not pack.
    pub fn delta(old: &[u8], new: &[u8], window: usize) -> Result<Self> {
        let places = places_of(old);
        let entry = |(index, bytes): (usize, &[u8])| {
            let here = index.saturating_mul(window);
            match place_in(old, &places, bytes, here) {
                Some(at) => Ok(Entry::copy(bytes, at)),
                None => Entry::raw(bytes),
            }
        };
        let entries = new.chunks(window).enumerate().map(entry).collect::<Result<_>>()?;
        Ok(Self { features: 0, window, old: Some(whole(old)), new: whole(new), entries })
    }

    /// Header and table.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        [self.header(), self.table()].concat()
    }

    fn header(&self) -> Vec<u8> {
        let longest = self.entries.iter().map(|entry| entry.payload.len()).max().unwrap_or(0);
        let payloads: usize = self.entries.iter().map(|entry| entry.payload.len()).sum();
        let table = self.table();
        let old = self.old.unwrap_or((0, [0; 32]));
        let mut header = Vec::from(*b"PWDELTA1");
        let streams = self.window.saturating_mul(2).saturating_add(64);
        for number in [
            2,
            usize::try_from(self.features).unwrap_or(0),
            self.window,
            table.len(),
            self.entries.len(),
            longest,
            streams,
            0,
        ] {
            header.extend_from_slice(&le32(number));
        }
        header.extend_from_slice(&le64(old.0));
        header.extend_from_slice(&le64(self.new.0));
        header.extend_from_slice(&old.1);
        header.extend_from_slice(&self.new.1);
        header.extend_from_slice(Sha256Digest::of(&table).as_bytes());
        header.extend_from_slice(&le64(payloads));
        header.resize(HEADER_BYTES, 0);
        header
    }

    /// The file.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut file = self.header();
        for entry in &self.entries {
            file.extend_from_slice(&entry.payload);
        }
        file.extend_from_slice(&self.table());
        file
    }

    /// Digest of header and table, which signed metadata name.
    #[must_use]
    pub fn table_sha256(&self) -> Sha256Digest {
        Sha256Digest::of(&self.head())
    }

    fn table(&self) -> Vec<u8> {
        let mut table = Vec::new();
        // Where the next window would stand if the last copy went on, before and behind.
        let (mut forth, mut back, mut here) = (0_usize, 0_usize, 0_usize);
        for entry in &self.entries {
            table.push(entry.kind);
            if entry.kind == kind::COPY {
                let expected = here.saturating_add(forth).saturating_sub(back);
                let (further, less) = (
                    entry.old_off.saturating_sub(expected),
                    expected.saturating_sub(entry.old_off),
                );
                put(
                    &mut table,
                    further.saturating_mul(2).max(less.saturating_mul(2).saturating_sub(1)),
                );
                forth = entry.old_off.saturating_sub(here);
                back = here.saturating_sub(entry.old_off);
            }
            if !entry.payload.is_empty() {
                put(&mut table, entry.payload.len());
                table.extend_from_slice(&entry.payload_sha256);
            }
            if self.old.is_none() {
                table.extend_from_slice(&entry.output_sha256);
            }
            here = here.saturating_add(self.window);
        }
        table
    }
}

impl Entry {
    /// A window that is brought whole; zeros bring nothing.
    ///
    /// # Errors
    /// When it does not pack.
    pub fn raw(bytes: &[u8]) -> Result<Self> {
        let (kind, payload) = match bytes.iter().all(|byte| *byte == 0) {
            true => (kind::ZERO, Vec::new()),
            false => (kind::RAW, packed(bytes)?),
        };
        let payload_sha256 = if payload.is_empty() { [0; 32] } else { digest(&payload) };
        let (raw_len, output_sha256) = (bytes.len(), digest(bytes));
        Ok(Self { kind, raw_len, payload, old_off: 0, payload_sha256, output_sha256 })
    }

    /// A window that stands in the old image, as whoever wrote the delta believes.
    #[must_use]
    pub fn copy(bytes: &[u8], old_off: usize) -> Self {
        Self {
            kind: kind::COPY,
            raw_len: bytes.len(),
            payload: Vec::new(),
            old_off,
            payload_sha256: [0; 32],
            output_sha256: digest(bytes),
        }
    }

    /// Another payload, named truly.
    pub fn bring(&mut self, payload: Vec<u8>) {
        self.payload_sha256 = digest(&payload);
        self.payload = payload;
    }
}

/// A single zstd frame of these bytes.
///
/// # Errors
/// When they do not pack.
pub fn packed(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut packed = vec![0; zstd_safe::compress_bound(bytes.len())];
    let length = zstd_safe::compress(packed.as_mut_slice(), bytes, LEVEL);
    let Ok(length) = length else { bail!("zstd refuses {} bytes", bytes.len()) };
    packed.truncate(length);
    Ok(packed)
}

/// Where the payloads of a container stand in its file, in bytes.
///
/// # Errors
/// When it is too short.
pub fn payloads_of(file: &[u8]) -> Result<std::ops::Range<u64>> {
    let length = file.get(152..160).and_then(|bytes| bytes.first_chunk()).context("a header")?;
    let first = u64::try_from(HEADER_BYTES)?;
    Ok(first..first.saturating_add(u64::from_le_bytes(*length)))
}

/// The image that a full container carries, read without the codec.
///
/// # Errors
/// When it is no full container of packed and empty windows.
pub fn image_in(file: &[u8]) -> Result<Vec<u8>> {
    let number = |at: usize| {
        let bytes = file.get(at..at.saturating_add(8)).and_then(|bytes| bytes.first_chunk());
        let number = bytes.map(|bytes: &[u8; 8]| u64::from_le_bytes(*bytes));
        number.and_then(|number| usize::try_from(number).ok()).context("the file goes on")
    };
    let (window, length, payloads) = (number(16)? & 0xffff_ffff, number(48)?, number(152)?);
    let mut entries = file.get(HEADER_BYTES.saturating_add(payloads)..).context("the table")?;
    let mut packed = file.get(HEADER_BYTES..).context("payloads")?;
    let mut image = Vec::new();
    while image.len() < length {
        let mut bytes = vec![0; window.min(length.saturating_sub(image.len()))];
        let (kind, rest) = entries.split_first().context("an entry")?;
        entries = rest;
        if *kind == kind::RAW {
            let payload = packed.split_off(..taken(&mut entries)?).context("the payload")?;
            entries = entries.get(32..).context("its digest")?;
            let unpacked = zstd_safe::decompress(bytes.as_mut_slice(), payload);
            if unpacked.ok() != Some(bytes.len()) {
                bail!("the window at {} does not unpack", image.len());
            }
        }
        entries = entries.get(32..).context("the digest of the window")?;
        image.extend_from_slice(&bytes);
    }
    Ok(image)
}

/// Puts a number, seven bits a byte, lowest first.
fn put(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        let [low, ..] = number.to_le_bytes();
        out.push(low | 0x80);
        number >>= 7;
    }
    out.extend(u8::try_from(number));
}

/// Takes such a number.
fn taken(bytes: &mut &[u8]) -> Result<usize> {
    let mut number = 0_usize;
    for shift in [0_u32, 7, 14, 21, 28] {
        let (byte, rest) = bytes.split_first().context("a number")?;
        *bytes = rest;
        number |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    bail!("a number without end")
}

/// Where blocks of the old image stand, by their content; the first of equal ones.
fn places_of(old: &[u8]) -> HashMap<&[u8], usize> {
    let mut places = HashMap::new();
    for (index, block) in old.chunks_exact(BLOCK_BYTES).enumerate() {
        places.entry(block).or_insert(index.saturating_mul(BLOCK_BYTES));
    }
    places
}

/// Where a whole window stands in the old image: at its own place, or where its first block does.
fn place_in(
    old: &[u8],
    places: &HashMap<&[u8], usize>,
    window: &[u8],
    here: usize,
) -> Option<usize> {
    let stands = |at: &usize| old.get(*at..at.saturating_add(window.len())) == Some(window);
    let moved = || window.get(..BLOCK_BYTES).and_then(|first| places.get(first)).copied();
    Some(here).filter(&stands).or_else(|| moved().filter(&stands))
}

fn whole(image: &[u8]) -> (usize, [u8; 32]) {
    (image.len(), digest(image))
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    *Sha256Digest::of(bytes).as_bytes()
}

fn le32(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes()
}

fn le64(number: usize) -> [u8; 8] {
    u64::try_from(number).unwrap_or(u64::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;
    use crate::unpack::Unpacked;

    /// What the real decoder makes of it, every rule checked.
    fn decoded(container: &Container, old: &[u8], full: &Container) -> Vec<u8> {
        let (file, full) = (container.write(), full.write());
        let full = Unpacked::read(&full).unwrap();
        let windows = Unpacked::read(&file).unwrap().windows(old, &full).unwrap();
        windows.into_iter().flat_map(|window| window.expect("a window")).collect()
    }

    #[test]
    fn the_real_decoder_reads_what_the_harness_writes() {
        let mut chance = Chance::seeded(3);
        let old = chance.bytes(5 * WINDOW_BYTES + 4711);
        let mut new = old.clone();
        new[WINDOW_BYTES + 17] ^= 1;
        new.splice(2 * WINDOW_BYTES..2 * WINDOW_BYTES, vec![0; WINDOW_BYTES]);
        let full = Container::full(&new, WINDOW_BYTES).unwrap();
        assert_eq!(decoded(&full, &[], &full), new);
        assert_eq!(image_in(&full.write()).unwrap(), new);
        let delta = Container::delta(&old, &new, WINDOW_BYTES).unwrap();
        assert_eq!(decoded(&delta, &old, &full), new);
        let kinds: Vec<u8> = delta.entries.iter().map(|entry| entry.kind).collect();
        assert_eq!(
            kinds,
            [kind::COPY, kind::RAW, kind::ZERO, kind::COPY, kind::COPY, kind::COPY, kind::COPY]
        );
        assert!(delta.write().len() < full.write().len() / 3);
    }
}
