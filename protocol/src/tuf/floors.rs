//! Floors: what a device has seen and will not go below, whatever it is shown later.
//!
//! **Hard** floors never fall: versions of root and targets, rank of the image, serial of the
//! approval, withdrawn approvals, time of offline-signed parts. **Soft** floors come from online
//! keys: versions of timestamp and snapshot, time in a timestamp. A soft floor is bound to the keys
//! that raised it and is dropped when a new root takes those keys away; otherwise a thief of the
//! timestamp key could stop updates for ever (fast-forward attack, TUF specification 5.3.11).
//! One value per repository. Not here: storing it (twice, with a checksum).
//! Invariant: no method lowers a hard floor.

use super::schema::RoleKey;
use super::threshold::{Authority, Signers};
use crate::id::{ApprovalId, Seq};
use crate::key::PublicKey;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What was seen of one repository.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Floors {
    hard: Hard,
    soft: Soft,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Hard {
    root_version: u64,
    targets_version: u64,
    image_seq: Seq,
    approval_serial: u64,
    /// Withdrawn approvals, each with its `valid_until`.
    withdrawn: BTreeMap<ApprovalId, Timestamp>,
    issued: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Soft {
    timestamp_version: Option<Bound<u64>>,
    snapshot_version: Option<Bound<u64>>,
    online: Option<Bound<Timestamp>>,
}

/// A value and the keys that vouch for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Bound<T> {
    value: T,
    keys: BTreeSet<PublicKey>,
}

impl Default for Hard {
    fn default() -> Self {
        Self {
            root_version: 0,
            targets_version: 0,
            image_seq: Seq(0),
            approval_serial: 0,
            withdrawn: BTreeMap::new(),
            issued: Timestamp::EPOCH,
        }
    }
}

impl Floors {
    /// Lowest root version that is accepted.
    #[must_use]
    pub const fn root_version(&self) -> u64 {
        self.hard.root_version
    }

    /// Lowest targets version that is accepted.
    #[must_use]
    pub const fn targets_version(&self) -> u64 {
        self.hard.targets_version
    }

    /// Lowest rank of an image that may be installed.
    #[must_use]
    pub const fn image_seq(&self) -> Seq {
        self.hard.image_seq
    }

    /// Lowest serial of an approval that is obeyed.
    #[must_use]
    pub const fn approval_serial(&self) -> u64 {
        self.hard.approval_serial
    }

    /// Whether an approval was seen withdrawn.
    #[must_use]
    pub fn is_withdrawn(&self, approval: &ApprovalId) -> bool {
        self.hard.withdrawn.contains_key(approval)
    }

    /// Newest time that offline keys signed: it is not earlier than this.
    #[must_use]
    pub const fn issued(&self) -> Timestamp {
        self.hard.issued
    }

    /// Newest time known from any signed part, online keys included.
    #[must_use]
    pub fn newest_time(&self) -> Timestamp {
        let online = self.soft.online.as_ref().map_or(Timestamp::EPOCH, |bound| bound.value);
        self.hard.issued.max(online)
    }

    /// Lowest timestamp version that is accepted.
    #[must_use]
    pub fn timestamp_version(&self) -> u64 {
        self.soft.timestamp_version.as_ref().map_or(0, |bound| bound.value)
    }

    /// Lowest snapshot version that is accepted.
    #[must_use]
    pub fn snapshot_version(&self) -> u64 {
        self.soft.snapshot_version.as_ref().map_or(0, |bound| bound.value)
    }

    /// A root of this version and `x-issued` is trusted.
    pub fn raise_root(&mut self, version: u64, issued: Option<Timestamp>) {
        self.hard.root_version = self.hard.root_version.max(version);
        self.raise_issued(issued);
    }

    /// Targets of this version and `x-issued` are trusted.
    pub fn raise_targets(&mut self, version: u64, issued: Option<Timestamp>) {
        self.hard.targets_version = self.hard.targets_version.max(version);
        self.raise_issued(issued);
    }

    /// An image is committed: the lowest rank that it may be replaced with.
    pub fn raise_image_seq(&mut self, seq: Seq) {
        self.hard.image_seq = self.hard.image_seq.max(seq);
    }

    /// An approval of this serial is verified.
    pub fn raise_approval_serial(&mut self, serial: u64) {
        self.hard.approval_serial = self.hard.approval_serial.max(serial);
    }

    /// An approval is withdrawn. It is remembered until offline-signed time passes `valid_until`.
    pub fn withdraw(&mut self, approval: ApprovalId, valid_until: Timestamp) {
        let kept = self.hard.withdrawn.entry(approval).or_insert(valid_until);
        *kept = (*kept).max(valid_until);
        let issued = self.hard.issued;
        self.hard.withdrawn.retain(|_, until| *until >= issued);
    }

    /// A timestamp of this version and `x-issued` is trusted, signed by these keys.
    pub fn raise_timestamp(&mut self, version: u64, issued: Option<Timestamp>, signers: &Signers) {
        let keys = public_keys(signers);
        if let Some(at) = issued {
            raise(&mut self.soft.online, at, keys.clone());
        }
        raise(&mut self.soft.timestamp_version, version, keys);
    }

    /// A snapshot of this version is trusted, signed by these keys.
    pub fn raise_snapshot(&mut self, version: u64, signers: &Signers) {
        raise(&mut self.soft.snapshot_version, version, public_keys(signers));
    }

    /// A timestamp key signed this time (a time answer).
    pub fn raise_online(&mut self, at: Timestamp, by: PublicKey) {
        raise(&mut self.soft.online, at, BTreeSet::from([by]));
    }

    /// It is surely not as late as `limit` yet: drops a time of online keys that lies beyond.
    pub fn forget_ahead(&mut self, limit: Timestamp) {
        if self.soft.online.as_ref().is_some_and(|online| online.value > limit) {
            self.soft.online = None;
        }
    }

    /// A new root rules: drops the soft floors whose keys no longer meet its thresholds.
    pub fn keep_under(&mut self, timestamp: &Authority, snapshot: &Authority) {
        drop_unless_met(&mut self.soft.timestamp_version, timestamp);
        drop_unless_met(&mut self.soft.online, timestamp);
        drop_unless_met(&mut self.soft.snapshot_version, snapshot);
    }

    fn raise_issued(&mut self, issued: Option<Timestamp>) {
        self.hard.issued = self.hard.issued.max(issued.unwrap_or(Timestamp::EPOCH));
    }
}

fn raise<T: Ord>(floor: &mut Option<Bound<T>>, value: T, keys: BTreeSet<PublicKey>) {
    let higher = floor.as_ref().is_none_or(|held| value >= held.value);
    if higher && !keys.is_empty() {
        *floor = Some(Bound { value, keys });
    }
}

fn public_keys(signers: &Signers) -> BTreeSet<PublicKey> {
    signers.keys().iter().filter_map(RoleKey::public).collect()
}

fn drop_unless_met<T>(floor: &mut Option<Bound<T>>, authority: &Authority) {
    let still = |bound: &Bound<T>| {
        let keys = authority.public_keys();
        let count = bound.keys.iter().filter(|key| keys.contains(*key)).count();
        u64::try_from(count).is_ok_and(|count| count >= authority.threshold)
    };
    if !floor.as_ref().is_some_and(still) {
        *floor = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_withdrawn_approval_is_remembered_until_it_could_not_be_used_any_more() {
        let mut floors = Floors::default();
        let at = |seconds: i64| Timestamp::EPOCH.plus_seconds(seconds);
        let id = ApprovalId::new("a-1").unwrap();
        floors.withdraw(id.clone(), at(100));
        floors.raise_targets(5, Some(at(100)));
        floors.withdraw(ApprovalId::new("b-2").unwrap(), at(300));
        assert!(floors.is_withdrawn(&id));
        floors.raise_targets(6, Some(at(101)));
        floors.withdraw(ApprovalId::new("c-3").unwrap(), at(300));
        assert!(!floors.is_withdrawn(&id));
    }

    #[test]
    fn floors_are_read_back() {
        let mut floors = Floors::default();
        floors.raise_root(3, Some(Timestamp::from_millis(1000)));
        let text = serde_json::to_string(&floors).unwrap();
        assert_eq!(serde_json::from_str::<Floors>(&text).unwrap(), floors);
    }
}
