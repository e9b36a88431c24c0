//! File systems by their superblocks: squashfs, erofs, FAT; ext in a file of its own.
//!
//! Not here: what lies in files. Invariant: what is not recognised is nothing, never a guess.

use super::part::Part;
use super::{Finding, Lint, ext};
use crate::error::Outcome;
use std::collections::BTreeMap;

/// Where the superblocks of ext and erofs stand, in bytes.
pub(super) const SUPERBLOCK_AT: u64 = 1024;

/// A partition table or file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct System {
    pub(super) kind: &'static str,
    /// Where it is, for people.
    pub(super) place: String,
    /// Length of its blocks, in bytes; 0 where it has none.
    pub(super) block_bytes: u64,
    /// What should be the same in every release.
    pub(super) identity: BTreeMap<Aspect, String>,
    /// What is wrong with it by itself.
    pub(super) findings: Vec<Finding>,
}

/// Something that should be the same in every release. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Aspect {
    Uuid,
    HashSeed,
    Time(&'static str),
    DiskId(String),
    VolumeSerial,
}

impl Aspect {
    /// The finding when it changes.
    pub(super) const fn lint(&self) -> Lint {
        match self {
            Self::Uuid => Lint::UuidChanged,
            Self::HashSeed => Lint::HashSeedChanged,
            Self::Time(_) => Lint::TimeChanged,
            Self::DiskId(_) => Lint::DiskIdChanged,
            Self::VolumeSerial => Lint::VolumeSerialChanged,
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Uuid => "UUID",
            Self::HashSeed => "hash seed",
            Self::Time(name) => name,
            Self::DiskId(name) => name,
            Self::VolumeSerial => "volume serial",
        }
    }
}

impl System {
    pub(super) fn new(kind: &'static str, part: &Part<'_>, block_bytes: u64) -> Self {
        let place = format!("{}, {kind}", part.name);
        Self { kind, place, block_bytes, identity: BTreeMap::new(), findings: Vec::new() }
    }

    pub(super) fn is(&mut self, aspect: Aspect, value: impl ToString) {
        self.identity.insert(aspect, value.to_string());
    }

    pub(super) fn finds(&mut self, lint: Lint, detail: impl ToString) {
        let (place, detail) = (self.place.clone(), detail.to_string());
        self.findings.push(Finding { lint, place, detail });
    }

    pub(super) fn description(&self) -> String {
        match self.block_bytes {
            0 => self.kind.to_owned(),
            bytes => format!("{} with blocks of {bytes} bytes", self.kind),
        }
    }
}

/// The file system that begins where the part begins.
pub(super) fn recognise(part: &Part<'_>) -> Outcome<Option<System>> {
    if let Some(system) = squashfs(part)? {
        return Ok(Some(system));
    }
    if let Some(system) = erofs(part)? {
        return Ok(Some(system));
    }
    if let Some(system) = ext::read(part)? {
        return Ok(Some(system));
    }
    fat(part)
}

fn squashfs(part: &Part<'_>) -> Outcome<Option<System>> {
    const UNPACKED_INODES: u16 = 0x1;
    const UNPACKED: u16 = 0x2;
    const UNPACKED_FRAGMENTS: u16 = 0x8;
    let head = part.fields::<96>(0)?;
    if head.bytes::<4>(0) != *b"hsqs" {
        return Ok(None);
    }
    let mut system = System::new("squashfs", part, u64::from(head.u32(12)));
    system.is(Aspect::Time("time of making"), head.u32(8));
    let packer = match head.u16(20) {
        1 => "gzip",
        2 => "lzma",
        3 => "lzo",
        4 => "xz",
        5 => "lz4",
        6 => "zstd",
        _ => "an unknown packer",
    };
    let flags = head.u16(24);
    let packed: Vec<_> = [
        (UNPACKED, "data"),
        (UNPACKED_FRAGMENTS, "fragments"),
        (UNPACKED_INODES, "inodes and folders"),
    ]
    .into_iter()
    .filter(|(flag, _)| flags & flag == 0)
    .map(|(_, name)| name)
    .collect();
    if !packed.is_empty() {
        system.finds(Lint::SquashfsCompressed, format!("{packer}: {}", packed.join(", ")));
    }
    Ok(Some(system))
}

fn erofs(part: &Part<'_>) -> Outcome<Option<System>> {
    /// Features that only packed images have: zero padding (lz4), configured packers.
    const PACKED: u32 = 0x3;
    let head = part.fields::<128>(SUPERBLOCK_AT)?;
    if head.u32(0) != 0xe0f5_e1e2 {
        return Ok(None);
    }
    let block_bytes = 1_u64.checked_shl(u32::from(head.u8(12))).unwrap_or(0);
    let mut system = System::new("erofs", part, block_bytes);
    system.is(Aspect::Uuid, uuid_words(&head.bytes::<16>(48)));
    system.is(Aspect::Time("time of making"), head.u64(24));
    if head.u32(80) & PACKED != 0 {
        system.finds(Lint::ErofsCompressed, format!("features {:#x}", head.u32(80)));
    }
    Ok(Some(system))
}

fn fat(part: &Part<'_>) -> Outcome<Option<System>> {
    let sector = part.fields::<512>(0)?;
    let serial_at = if sector.bytes::<5>(82) == *b"FAT32" {
        67
    } else if sector.bytes::<3>(54) == *b"FAT" {
        39
    } else {
        return Ok(None);
    };
    if sector.u16(510) != 0xaa55 {
        return Ok(None);
    }
    let cluster = u64::from(sector.u16(11)).saturating_mul(u64::from(sector.u8(13)));
    let mut system = System::new("FAT", part, cluster);
    let serial = sector.u32(serial_at);
    system.is(Aspect::VolumeSerial, format!("{:04x}-{:04x}", serial >> 16, serial & 0xffff));
    Ok(Some(system))
}

/// Sixteen bytes as they are written for people.
pub(super) fn uuid_words(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&index) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}
