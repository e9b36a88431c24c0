//! Partition tables: GPT and MBR, their identities, and where partitions lie.
//!
//! Not here: file systems. Invariant: at most [`PARTITIONS_MAX`] partitions are looked at.

use super::part::Part;
use super::system::{Aspect, System};
use crate::error::Outcome;
use std::collections::BTreeMap;

/// Most partitions of an image.
const PARTITIONS_MAX: u32 = 128;
/// Sector lengths in use, in bytes.
const SECTORS: [u64; 2] = [512, 4096];

/// The partition table, when there is one, and the partitions.
pub(super) fn partitions<'a>(image: &Part<'a>) -> Outcome<(Option<System>, Vec<Part<'a>>)> {
    for sector in SECTORS {
        let head = image.fields::<92>(sector)?;
        if head.bytes::<8>(0) == *b"EFI PART" {
            return gpt(image, sector);
        }
    }
    mbr(image)
}

fn gpt<'a>(image: &Part<'a>, sector: u64) -> Outcome<(Option<System>, Vec<Part<'a>>)> {
    let head = image.fields::<92>(sector)?;
    let mut identity = BTreeMap::new();
    identity.insert(Aspect::DiskId("disk GUID".to_owned()), guid(head.bytes(56)));
    let (table, count, size) = (head.u64(72), head.u32(80).min(PARTITIONS_MAX), head.u32(84));
    let mut parts = Vec::new();
    for index in 0..count {
        let place = u64::from(index).saturating_mul(u64::from(size));
        let entry = image.fields::<56>(table.saturating_mul(sector).saturating_add(place))?;
        if entry.bytes::<16>(0) == [0; 16] {
            continue;
        }
        let number = index.saturating_add(1);
        let name = format!("GUID of partition {number}");
        identity.insert(Aspect::DiskId(name), guid(entry.bytes(16)));
        let (first, last) = (entry.u64(32), entry.u64(40));
        let length = last.saturating_sub(first).saturating_add(1).saturating_mul(sector);
        let name = format!("partition {number}");
        parts.push(image.within(first.saturating_mul(sector), length, name));
    }
    Ok((Some(table_of("GPT", image, identity)), parts))
}

fn mbr<'a>(image: &Part<'a>) -> Outcome<(Option<System>, Vec<Part<'a>>)> {
    let sector = image.fields::<512>(0)?;
    let mut parts = Vec::new();
    for (index, at) in [446_usize, 462, 478, 494].into_iter().enumerate() {
        let entry: [u8; 16] = sector.bytes(at);
        let status = entry.first().copied().unwrap_or(0xff);
        let (first, count) = (sector.u32(at + 8), sector.u32(at + 12));
        let (first, count) = (u64::from(first) * 512, u64::from(count) * 512);
        let kind = sector.u8(at + 4);
        // A boot sector of FAT ends in the same two bytes; its code is no table of partitions.
        if ![0, 0x80].contains(&status) || (kind == 0 && (first, count) != (0, 0)) {
            return Ok((None, Vec::new()));
        }
        if kind != 0 && first > 0 && count > 0 && first < image.length {
            parts.push(image.within(first, count, format!("partition {}", index + 1)));
        }
    }
    if sector.u16(510) != 0xaa55 || parts.is_empty() {
        return Ok((None, Vec::new()));
    }
    let mut identity = BTreeMap::new();
    let signature = format!("{:08x}", sector.u32(440));
    identity.insert(Aspect::DiskId("disk signature".to_owned()), signature);
    Ok((Some(table_of("MBR", image, identity)), parts))
}

fn table_of(kind: &'static str, image: &Part<'_>, identity: BTreeMap<Aspect, String>) -> System {
    let place = format!("{}, {kind}", image.name);
    System { kind, place, block_bytes: 0, identity, findings: Vec::new() }
}

/// A GUID as it is written: the first three fields are little endian.
fn guid(bytes: [u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
    let order = [[d, c, b, a, f, e, h, g].as_slice(), rest.as_slice()].concat();
    super::system::uuid_words(&order)
}
