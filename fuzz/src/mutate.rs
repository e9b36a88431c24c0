//! Damage, from blind to well informed.
//!
//! Not here: whether the damage is noticed. Invariant: a change that is put right has a head that
//! only the changed rule can refuse.

use crate::chance::Chance;
use crate::payload::{Packing, Streams, apart, packed, together, unpacked};
use patchward_protocol::delta::apply::Entries;
use patchward_protocol::delta::format::{Frame, FrameKind, HEADER_BYTES, Header, spell};
use patchward_protocol::digest::Sha256Digest;
use std::io::Cursor;

/// The kinds whose payloads are six streams: each reads the streams of the others.
const OF_STREAMS: [FrameKind; 4] =
    [FrameKind::Diff8, FrameKind::Diff32, FrameKind::AimedX86, FrameKind::AimedArm];

/// Most bytes that one damage inserts.
const INSERT_BYTES_MAX: usize = 64;

/// A container as its parts.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    header: Header,
    frames: Vec<(Frame, Vec<u8>)>,
}

impl Parts {
    /// Takes a container apart; none when its head does not read.
    pub(crate) fn of(file: &[u8]) -> Option<Self> {
        let mut from = Cursor::new(file);
        let mut entries = Entries::of(&mut from).ok()?;
        let header = *entries.header();
        let mut frames = Vec::new();
        while let Some(frame) = entries.next(&mut from).ok()? {
            let place = frame.payload();
            let place = usize::try_from(place.start).ok()?..usize::try_from(place.end).ok()?;
            let payload = if frame.kind.has_payload() { file.get(place)?.to_vec() } else { vec![] };
            frames.push((frame, payload));
        }
        Some(Self { header, frames })
    }

    /// Whether a window counts its differences in places of code.
    pub(crate) fn is_aimed(&self) -> bool {
        let aimed = |kind| matches!(kind, FrameKind::AimedX86 | FrameKind::AimedArm);
        self.frames.iter().any(|(frame, _)| aimed(frame.kind))
    }

    /// The same container with these streams in its first window, read over the whole old image. What
    /// comes out is not the image of the header.
    pub(crate) fn with_streams(mut self, kind: FrameKind, streams: &Streams) -> Vec<u8> {
        let old_bytes = self.header.old.map_or(0, |old| old.length);
        if let Some((frame, payload)) = self.frames.first_mut() {
            let (bytes, list_len) = together(streams, Packing::Stored);
            frame.stream_lens_len = u32::try_from(list_len).unwrap_or(0);
            self.header.streams_len_max = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            (frame.kind, frame.old_off, frame.old_range) = (kind, 0, 0..old_bytes);
            *payload = bytes;
        }
        self.put_right();
        self.file()
    }

    /// Puts lengths, places, sums and digests right, as far as they are not the damage.
    fn put_right(&mut self) {
        let first = u64::try_from(HEADER_BYTES).unwrap_or(u64::MAX);
        let (mut place, full) = (first, self.header.old.is_none());
        self.header.comp_len_max = 0;
        for (frame, payload) in &mut self.frames {
            if frame.kind.has_payload() {
                frame.comp_len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
                frame.payload_sha256 = Sha256Digest::of(payload);
                frame.payload_off = place;
            }
            frame.output_sha256 = frame.output_sha256.filter(|_| full);
            place = place.saturating_add(u64::from(frame.comp_len));
            self.header.comp_len_max = self.header.comp_len_max.max(frame.comp_len);
        }
        self.header.payload_len = place.saturating_sub(first);
        let table = self.table();
        self.header.table_len = u32::try_from(table.len()).unwrap_or(u32::MAX);
        self.header.entries_sha256 = Sha256Digest::of(&table);
    }

    fn table(&self) -> Vec<u8> {
        let frames: Vec<Frame> = self.frames.iter().map(|(frame, _)| frame.clone()).collect();
        spell(&self.header, &frames)
    }

    fn file(&self) -> Vec<u8> {
        let mut file = self.header.write().to_vec();
        self.frames.iter().for_each(|(_, payload)| file.extend_from_slice(payload));
        file.extend_from_slice(&self.table());
        file
    }
}

/// Damages bytes anywhere.
pub(crate) fn blind(bytes: &mut Vec<u8>, chance: &mut Chance) {
    for _ in 0..=chance.below(3) {
        let at = chance.below(bytes.len());
        match chance.below(7) {
            0 => bytes.truncate(at),
            1 => {
                let more = chance.below(INSERT_BYTES_MAX);
                let byte = chance.byte();
                bytes.splice(at..at, std::iter::repeat_n(byte, more));
            }
            2 => {
                let end = at.saturating_add(chance.below(INSERT_BYTES_MAX)).min(bytes.len());
                bytes.drain(at..end);
            }
            3 => {
                let from = chance.below(bytes.len());
                let copied = bytes.get(from..).unwrap_or_default();
                let copied: Vec<u8> = copied.iter().take(16).copied().collect();
                put(bytes, at, &copied);
            }
            4 => put(bytes, at, &chance.number().to_le_bytes()),
            5 => put(bytes, at, &[chance.byte()]),
            _ => {
                let bit = 1_u8.wrapping_shl(u32::from(chance.byte()));
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= bit;
                }
            }
        }
    }
}

/// Damages header or table bytes, and puts the digest of the table right.
pub(crate) fn head(file: &mut Vec<u8>, chance: &mut Chance) {
    let header = file.first_chunk::<HEADER_BYTES>().and_then(|header| Header::read(header).ok());
    let table = header.and_then(|header| usize::try_from(header.table().start).ok());
    let table = table.unwrap_or(file.len()).min(file.len());
    for _ in 0..=chance.below(2) {
        let number = chance.number().to_le_bytes();
        if chance.below(2) == 0 {
            let length = chance.of(&[1_usize, 2, 4, 8]).unwrap_or(4);
            let at = chance.below(HEADER_BYTES) & !3;
            put(file, at, number.get(..length).unwrap_or_default());
        } else {
            let at = table.saturating_add(chance.below(file.len().saturating_sub(table)));
            let length = chance.below(number.len());
            let end = at.saturating_add(chance.below(3)).min(file.len());
            let at = at.min(end);
            file.splice(at..end, number.into_iter().take(length));
        }
    }
    let table = file.get(table..).unwrap_or_default();
    let (length, digest) =
        (u32::try_from(table.len()).unwrap_or(u32::MAX), Sha256Digest::of(table));
    if chance.below(4) > 0 {
        put(file, 20, &length.to_le_bytes());
    }
    put(file, 120, digest.as_bytes());
}

/// Damages fields of the table and of the header, and puts sums and digests right.
pub(crate) fn fields(parts: &mut Parts, chance: &mut Chance) -> Vec<u8> {
    let number = chance.number();
    let short = u32::try_from(number & 0xffff_ffff).unwrap_or(0);
    let index = chance.below(parts.frames.len());
    let header = &mut parts.header;
    if let Some((frame, payload)) = parts.frames.get_mut(index) {
        match chance.below(9) {
            0 => frame.kind = chance.of(&FrameKind::ALL).unwrap_or(FrameKind::Raw),
            1 => frame.stream_lens_len = short % 40,
            2 => frame.old_range = number.wrapping_rem(20_000)..20_000,
            3 => frame.old_range = 0..number.wrapping_rem(20_000),
            4 => frame.old_off = number.wrapping_rem(40_000),
            5 => header.streams_len_max = short % 200_000,
            6 => blind(payload, chance),
            7 => frame.output_sha256 = Some(Sha256Digest::of(b"another window")),
            _ => header.new.length = number.wrapping_rem(1 << 18),
        }
        if !frame.kind.has_payload() {
            payload.clear();
            frame.comp_len = 0;
            frame.payload_off = 0;
            frame.payload_sha256 = Sha256Digest::from_bytes([0; 32]);
        }
    }
    if chance.below(2) == 0 {
        let frames = header.new.length.div_ceil(u64::from(header.window)).max(1);
        header.frames = u32::try_from(frames).unwrap_or(1).min(8);
        let last = parts.frames.last().cloned();
        parts.frames.resize_with(usize::try_from(header.frames).unwrap_or(1), || {
            last.clone().unwrap_or_else(|| zero_frame(header))
        });
        for (index, (frame, _)) in (0..).zip(&mut parts.frames) {
            let place = header.window_at(index).unwrap_or(0..0);
            frame.raw_len = u32::try_from(place.end.saturating_sub(place.start)).unwrap_or(0);
        }
    }
    parts.put_right();
    parts.file()
}

/// Damages the streams of a window behind all digests: numbers, differences, new bytes.
pub(crate) fn streams(parts: &mut Parts, chance: &mut Chance) -> Vec<u8> {
    let index = chance.below(parts.frames.len());
    if let Some((frame, payload)) = parts.frames.get_mut(index) {
        let list_len = usize::try_from(frame.stream_lens_len).unwrap_or(usize::MAX);
        if let Some(mut streams) = apart(payload, list_len).filter(|_| list_len > 0) {
            if chance.below(4) == 0 {
                frame.kind = chance.of(&OF_STREAMS).unwrap_or(frame.kind);
            }
            for _ in 0..chance.below(5) {
                let which = chance.below(streams.len());
                if let Some(stream) = streams.get_mut(which) {
                    damage(stream, chance);
                }
            }
            let packing = chance.of(&[Packing::Stored, Packing::Packed]);
            let (bytes, list_len) = together(&streams, packing.unwrap_or(Packing::Stored));
            frame.stream_lens_len = u32::try_from(list_len).unwrap_or(0);
            *payload = bytes;
        } else if let Some(mut bytes) = unpacked(payload) {
            damage(&mut bytes, chance);
            *payload = packed(&bytes).unwrap_or_default();
        } else {
            blind(payload, chance);
        }
    }
    parts.put_right();
    parts.file()
}

/// Small numbers stand where small numbers stood; now and then a long one.
fn damage(stream: &mut Vec<u8>, chance: &mut Chance) {
    let at = chance.below(stream.len().saturating_add(1));
    match chance.below(6) {
        0 => blind(stream, chance),
        1 => {
            let byte = chance.byte();
            stream.splice(at..at, [byte]);
        }
        2 => {
            if let Some(byte) = stream.get_mut(at) {
                *byte = byte.wrapping_add(1);
            }
        }
        3 => {
            if let Some(byte) = stream.get_mut(at) {
                *byte = byte.wrapping_sub(1);
            }
        }
        4 => {
            let mut number = chance.number();
            let mut spelled = Vec::new();
            while number >= 0x80 {
                let [low, ..] = number.to_le_bytes();
                spelled.push(low | 0x80);
                number >>= 7;
            }
            let [low, ..] = number.to_le_bytes();
            spelled.push(low);
            let end = at.saturating_add(chance.below(2)).min(stream.len());
            stream.splice(at..end, spelled);
        }
        _ => put(stream, at, &[chance.byte() & 0x7f]),
    }
}

fn put(bytes: &mut [u8], at: usize, new: &[u8]) {
    for (byte, new) in bytes.iter_mut().skip(at).zip(new) {
        *byte = *new;
    }
}

/// A window of zeros, for a table that had none.
fn zero_frame(header: &Header) -> (Frame, Vec<u8>) {
    let none = Sha256Digest::from_bytes([0; 32]);
    let frame = Frame {
        kind: FrameKind::Zero,
        raw_len: header.window,
        comp_len: 0,
        stream_lens_len: 0,
        payload_off: 0,
        old_off: 0,
        payload_sha256: none,
        output_sha256: None,
        old_range: 0..0,
    };
    (frame, Vec::new())
}
