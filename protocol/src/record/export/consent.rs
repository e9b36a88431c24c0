//! Devices against what the hospital approved: an entry under an approval must come from a device that
//! the approval names, signed by the key that it names.
//!
//! The record says with which key a device joined, and that word is the server's. An approval names
//! device and key in the hospital's own hand, so a server cannot invent a device that succeeds. Not
//! here: slots and other terms, which the device keeps. Approvals that are not at hand are passed
//! over. Invariant: entries are looked at in their order.

use super::audit::{Audited, Finding};
use crate::approval::Approval;
use crate::digest::Sha256Digest;
use crate::id::DeviceId;
use crate::key::PublicKey;
use crate::ledger::{Entry, Kind};
use std::collections::BTreeMap;

/// Checks every entry that cites an approval which is at hand.
///
/// # Errors
/// The first [`Finding`].
pub fn check(
    audited: &Audited,
    approvals: &BTreeMap<Sha256Digest, Vec<u8>>,
) -> Result<(), Finding> {
    let read = |(digest, bytes): (&Sha256Digest, &Vec<u8>)| {
        Approval::read(bytes).ok().map(|approval| (*digest, keys(&approval)))
    };
    let named: BTreeMap<Sha256Digest, BTreeMap<DeviceId, PublicKey>> =
        approvals.iter().filter_map(read).collect();
    for checked in &audited.entries {
        let Some(entry) = checked.ledger().filter(|entry| acts_on_it(entry.fact.kind)) else {
            continue;
        };
        let cited = entry.fact.approval.as_ref();
        let Some(devices) = cited.and_then(|approval| named.get(&approval.sha256)) else {
            continue;
        };
        match devices.get(&entry.device) {
            Some(key) if Some(*key) == key_of(audited, entry) => {}
            Some(_) => {
                let what = "signed by another key than the approval names for this device";
                return Err(Finding::entry(checked.n, what));
            }
            None => {
                let what = format!("the approval that it cites does not name {}", entry.device);
                return Err(Finding::entry(checked.n, what));
            }
        }
    }
    Ok(())
}

fn keys(approval: &Approval) -> BTreeMap<DeviceId, PublicKey> {
    approval.devices.iter().map(|device| (device.id.clone(), device.key)).collect()
}

/// The key that this ledger was checked with.
fn key_of(audited: &Audited, entry: &Entry) -> Option<PublicKey> {
    let mut joined = audited.devices.iter().rev();
    let joined =
        joined.find(|known| known.device == entry.device && known.ledger_id == entry.ledger_id);
    joined.map(|known| known.key)
}

/// Whether an entry of this kind says that the approval was taken up.
const fn acts_on_it(kind: Kind) -> bool {
    match kind {
        Kind::Approved
        | Kind::Staged
        | Kind::Preparing
        | Kind::Armed
        | Kind::Activating
        | Kind::Restarting
        | Kind::Trial
        | Kind::AwaitingAcceptance
        | Kind::Committed
        | Kind::Used
        | Kind::RollingBack
        | Kind::RolledBack => true,
        Kind::Enrolled
        | Kind::Held
        | Kind::Abandoned
        | Kind::NeedsService
        | Kind::Refused
        | Kind::HoldSet
        | Kind::HoldLifted
        | Kind::Recovered => false,
    }
}
