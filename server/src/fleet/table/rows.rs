//! A row for each device with an agent: found by site and name, packed, never removed.
//!
//! Not here: the lock, and what is asked of all rows. Invariant: every row stands in the index, and in
//! the counters.

use super::counters::{Counters, Runs};
use super::names::Names;
use super::{RowId, Words};
use crate::db::device::{Mark, Said, StoredDevice};
use hashbrown::HashTable;
use patchward_protocol::id::{DeviceId, FamilyId, SiteId};
use patchward_protocol::time::Timestamp;
use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    index: HashTable<u32>,
    hasher: RandomState,
    pub(super) sites: Names<SiteId>,
    pub(super) families: Names<FamilyId>,
    // Most devices say the same words: each set of words is kept once.
    pub(super) words: HashSet<Arc<Words>>,
    pub(super) marked: Vec<u32>,
    pub(super) families_of_sites: HashSet<(u32, u32)>,
    pub(super) counters: Counters,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) site: u32,
    pub(super) family: u32,
    pub(super) device: Box<str>,
    pub(super) device_key: [u8; 32],
    pub(super) link_key: [u8; 32],
    pub(super) boot_count: u64,
    pub(super) poll_n: u64,
    pub(super) last_seen_ms: i64,
    pub(super) ledger_seq: u64,
    pub(super) words: Arc<Words>,
    pub(super) marked: bool,
}

impl Table {
    pub(super) fn put(&mut self, stored: &StoredDevice) {
        let Some(agent) = &stored.agent else { return };
        let said = &stored.said;
        let words = self.intern(Words {
            agent_version: said.agent_version.clone(),
            installed: said.installed.clone(),
            state: said.state.clone(),
            reason: said.reason,
            slot: None,
        });
        let row = Row {
            site: self.sites.number_of(&stored.site),
            family: self.families.number_of(&stored.family),
            device: stored.device.as_str().into(),
            device_key: agent.device_key.to_bytes(),
            link_key: agent.link_key.to_bytes(),
            boot_count: said.boot_count,
            poll_n: said.poll_n,
            last_seen_ms: said.last_seen.map_or(0, Timestamp::millis),
            ledger_seq: agent.chain.seq,
            words,
            marked: false,
        };
        self.families_of_sites.insert((row.site, row.family));
        if let Some((_, old)) = self.find(&stored.site, &stored.device) {
            let (family, runs) = (old.family, old.runs());
            self.counters.leaves(family, runs);
        }
        self.counters.arrives(row.family, row.runs());
        if row.last_seen_ms > 0 {
            self.counters.heard_at(row.site, row.last_seen_ms);
        }
        if let Some(old) = self.find_mut(&stored.site, &stored.device) {
            // The numbers in memory are ahead of the database and stay.
            let polls = (old.boot_count, old.poll_n).max((row.boot_count, row.poll_n));
            let marked = old.marked;
            *old = Row { boot_count: polls.0, poll_n: polls.1, marked, ..row };
            return;
        }
        let Ok(index) = u32::try_from(self.rows.len()) else { return };
        let hash = self.hasher.hash_one((row.site, &row.device));
        self.rows.push(row);
        let Self { rows, hasher, index: table, .. } = self;
        table.insert_unique(hash, index, |index| {
            let row = usize::try_from(*index).ok().and_then(|index| rows.get(index));
            row.map_or(0, |row| hasher.hash_one((row.site, &row.device)))
        });
    }

    pub(super) fn find(&self, site: &SiteId, device: &DeviceId) -> Option<(RowId, &Row)> {
        let site = self.sites.number(site)?;
        let device: Box<str> = device.as_str().into();
        let hash = self.hasher.hash_one((site, &device));
        let same = |index: &u32| {
            let row = usize::try_from(*index).ok().and_then(|index| self.rows.get(index));
            row.is_some_and(|row| row.site == site && row.device == device)
        };
        let index = *self.index.find(hash, same)?;
        let row = self.rows.get(usize::try_from(index).ok()?)?;
        Some((RowId(index), row))
    }

    pub(super) fn find_mut(&mut self, site: &SiteId, device: &DeviceId) -> Option<&mut Row> {
        let (RowId(index), _) = self.find(site, device)?;
        self.rows.get_mut(usize::try_from(index).ok()?)
    }

    pub(super) fn mark(&mut self, index: u32) {
        let row = usize::try_from(index).ok().and_then(|at| self.rows.get_mut(at));
        if let Some(row) = row.filter(|row| !row.marked) {
            row.marked = true;
            self.marked.push(index);
        }
    }

    pub(super) fn intern(&mut self, words: Words) -> Arc<Words> {
        if let Some(known) = self.words.get(&words) {
            return Arc::clone(known);
        }
        let words = Arc::new(words);
        self.words.insert(Arc::clone(&words));
        words
    }
}

impl Row {
    pub(super) fn runs(&self) -> Runs {
        (self.site, self.words.installed.as_ref().map(|image| image.image_sha256))
    }

    /// When it was last heard.
    pub(super) fn seen(&self) -> Option<Timestamp> {
        (self.last_seen_ms > 0).then(|| Timestamp::from_millis(self.last_seen_ms))
    }

    pub(super) fn said(&self) -> Said {
        Said {
            agent_version: self.words.agent_version.clone(),
            installed: self.words.installed.clone(),
            state: self.words.state.clone(),
            reason: self.words.reason,
            last_seen: Some(Timestamp::from_millis(self.last_seen_ms)),
            boot_count: self.boot_count,
            poll_n: self.poll_n,
        }
    }

    pub(super) fn mark(&self, site: &SiteId) -> Mark {
        let installed = self.words.installed.as_ref();
        Mark {
            site: site.to_string(),
            device: self.device.to_string(),
            agent_version: self.words.agent_version.clone(),
            installed: installed.and_then(|image| serde_json::to_string(image).ok()),
            state: self.words.state.clone(),
            reason: self.words.reason.map(|reason| reason.code().to_owned()),
            last_seen: self.last_seen_ms,
            boot_count: i64::try_from(self.boot_count).unwrap_or(i64::MAX),
            poll_n: i64::try_from(self.poll_n).unwrap_or(i64::MAX),
        }
    }
}
