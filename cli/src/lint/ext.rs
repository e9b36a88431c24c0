//! ext2, ext3, ext4: identity, journal, mounts, and the times of files.
//!
//! Field places are those of the kernel's documentation (ext4: super block, group descriptors, index
//! nodes). Not here: folders and content.
//! Invariant: at most [`INODES_MAX`] inodes are looked at, however many the superblock claims.

use super::Lint;
use super::part::Part;
use super::system::{Aspect, SUPERBLOCK_AT, System, uuid_words};
use crate::error::Outcome;
use std::collections::BTreeSet;

/// Most inodes that are looked at.
const INODES_MAX: u32 = 1 << 20;
/// The first inode that is not reserved, counted from 1; the root folder is 2.
const FIRST_FREE: u32 = 11;

/// The file system, if it is one.
pub(super) fn read(part: &Part<'_>) -> Outcome<Option<System>> {
    const JOURNAL: u32 = 0x4;
    const EXTENTS: u32 = 0x40;
    const CHECKSUMS: u32 = 0x400;
    let head = part.fields::<1024>(SUPERBLOCK_AT)?;
    if head.u16(56) != 0xef53 {
        return Ok(None);
    }
    let (compatible, incompatible) = (head.u32(92), head.u32(96));
    let block_bytes = 1024_u64.checked_shl(head.u32(24)).unwrap_or(0);
    let kind = match (incompatible & EXTENTS != 0, compatible & JOURNAL != 0) {
        (true, _) => "ext4",
        (false, true) => "ext3",
        (false, false) => "ext2",
    };
    let mut system = System::new(kind, part, block_bytes);
    if head.u32(100) & CHECKSUMS != 0 {
        system.place.push_str(" with metadata_csum");
    }
    system.is(Aspect::Uuid, uuid_words(&head.bytes::<16>(104)));
    system.is(Aspect::HashSeed, uuid_words(&head.bytes::<16>(236)));
    system.is(Aspect::Time("time of making"), head.u32(264));
    system.is(Aspect::Time("time of writing"), head.u32(48));
    if compatible & JOURNAL != 0 {
        system.finds(Lint::ExtJournal, "has_journal");
    }
    let (mounts, mounted) = (head.u16(52), head.u32(44));
    if mounts > 0 || mounted > 0 {
        system.finds(Lint::ExtMounted, format!("{mounts} mounts, the last at {mounted}"));
    }
    let times = Times::of(part, &Layout::of(&head, block_bytes))?;
    if let Some(latest) = times.copied.iter().next_back() {
        system.is(Aspect::Time("latest time of copying"), latest);
    }
    if times.copied.len() > 1 {
        let detail = format!(
            "{} of {} files, {} different times",
            times.files_copied,
            times.files,
            times.copied.len()
        );
        system.finds(Lint::ExtInodeTimes, detail);
    }
    Ok(Some(system))
}

/// Where inodes stand.
struct Layout {
    block_bytes: u64,
    inodes: u32,
    inodes_per_group: u32,
    inode_bytes: u16,
    descriptors_at: u64,
    descriptor_bytes: u16,
}

impl Layout {
    fn of(head: &super::part::Fields<1024>, block_bytes: u64) -> Self {
        const WIDE: u32 = 0x80;
        let wide = head.u32(96) & WIDE != 0;
        Self {
            block_bytes,
            inodes: head.u32(0),
            inodes_per_group: head.u32(40),
            inode_bytes: if head.u32(76) == 0 { 128 } else { head.u16(88) },
            descriptors_at: u64::from(head.u32(20)).saturating_add(1).saturating_mul(block_bytes),
            descriptor_bytes: if wide { head.u16(254).max(64) } else { 32 },
        }
    }

    /// Where the inodes of a group stand, and how many of them were ever used.
    fn group(&self, part: &Part<'_>, group: u32) -> Outcome<(u64, u32)> {
        const INODES_UNUSED: u16 = 0x1;
        let place = u64::from(group).saturating_mul(u64::from(self.descriptor_bytes));
        let descriptor = part.fields::<64>(self.descriptors_at.saturating_add(place))?;
        let high = if self.descriptor_bytes >= 64 { descriptor.u32(40) } else { 0 };
        let block = (u64::from(high) << 32) | u64::from(descriptor.u32(8));
        let unused = u32::from(descriptor.u16(28));
        let used = match descriptor.u16(18) & INODES_UNUSED {
            0 => self.inodes_per_group.saturating_sub(unused),
            _ => 0,
        };
        Ok((block.saturating_mul(self.block_bytes), used))
    }
}

/// Times at which files were copied into the file system.
#[derive(Default)]
struct Times {
    files: u32,
    files_copied: u32,
    /// Seconds since 1970, of files whose change or creation is not the time of their content.
    copied: BTreeSet<u32>,
}

impl Times {
    fn of(part: &Part<'_>, layout: &Layout) -> Outcome<Self> {
        let mut times = Self::default();
        let per_group = layout.inodes_per_group.max(1);
        let inodes = layout.inodes.min(INODES_MAX);
        for group in 0..inodes.div_ceil(per_group) {
            let (table, used) = layout.group(part, group)?;
            for index in 0..used.min(INODES_MAX) {
                let number =
                    group.saturating_mul(per_group).saturating_add(index).saturating_add(1);
                if number > inodes {
                    break;
                }
                if number < FIRST_FREE && number != 2 {
                    continue;
                }
                let place = u64::from(index).saturating_mul(u64::from(layout.inode_bytes));
                times.take(part, table.saturating_add(place), layout.inode_bytes)?;
            }
        }
        Ok(times)
    }

    fn take(&mut self, part: &Part<'_>, at: u64, inode_bytes: u16) -> Outcome<()> {
        let inode = part.fields::<160>(at)?;
        let (kind, links) = (inode.u16(0), inode.u16(26));
        if kind == 0 || links == 0 {
            return Ok(());
        }
        let (changed, modified) = (inode.u32(12), inode.u32(16));
        // Larger inodes say in their extra part how much of it is used.
        let extra = if inode_bytes > 128 { inode.u16(128) } else { 0 };
        let created = if extra >= 20 { inode.u32(144) } else { 0 };
        self.files = self.files.saturating_add(1);
        let odd = [changed, created].into_iter().filter(|time| *time != 0 && *time != modified);
        let odd: Vec<_> = odd.collect();
        self.files_copied = self.files_copied.saturating_add(u32::from(!odd.is_empty()));
        self.copied.extend(odd);
        Ok(())
    }
}
