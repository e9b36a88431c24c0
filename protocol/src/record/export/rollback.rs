//! Rollbacks as an auditor asks for them: each with its trigger, its people, its times and what it
//! opened again, put together from entries of device, people and server.
//!
//! A device that went back by itself says `rolled-back`; one that a hospital sent back installs an
//! older image under an approval whose action is rollback, and says `committed`. Not here: judging.
//! Invariant: every fact names the entry that it comes from, so that it can be checked.

use super::audit::{Audited, Checked, Word};
use crate::act::{Meaning, Subject};
use crate::approval::Action;
use crate::digest::Sha256Digest;
use crate::id::DeviceId;
use crate::image::ImageRef;
use crate::ledger::{Entry, Fact, Kind};
use crate::reason::Reason;
use crate::record::placement::{PLACED, Placement};

/// One rollback.
#[derive(Debug)]
pub struct Rollback<'a> {
    /// The entry that ends it: rolled back, kept, or in need of service.
    pub ended: &'a Checked,
    /// What that entry says.
    pub entry: &'a Entry,
    /// Where the device stood then.
    pub placement: Option<Placement>,
    /// What ran before it went back.
    pub from: Option<&'a ImageRef>,
    /// What it went back to.
    pub to: Option<&'a ImageRef>,
    /// What set it off.
    pub trigger: Trigger,
    /// The entry that began it.
    pub started: Option<&'a Checked>,
    /// The entry in which the update was tried: what the self-test had to say.
    pub tested: Option<&'a Checked>,
    /// The hospital's acts on the approval that ordered it; none when it was automatic.
    pub authorised: Vec<&'a Checked>,
    /// The approval of the update that it reverses, and the hospital's acts on it.
    pub reverses: Option<(Sha256Digest, Vec<&'a Checked>)>,
}

/// What set a rollback off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// A check after the update failed or stayed silent.
    HealthCheck,
    /// The restart did not lead to the new image.
    Bootloader,
    /// The person who checked the device did not release it.
    Person,
    /// The hospital ordered it.
    Hospital,
    /// The manufacturer withdrew the release.
    Withdrawal,
    /// Another failure; the reason says which.
    Other,
}

impl Trigger {
    /// In English and in Japanese.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::HealthCheck => ("health check after the update", "更新後の健全性確認"),
            Self::Bootloader => {
                ("restart did not reach the new image", "再起動後に新しい版へ切り替わらず")
            }
            Self::Person => ("not accepted by the person at the device", "受入確認で不可"),
            Self::Hospital => ("ordered by the hospital", "医療機関の指示"),
            Self::Withdrawal => ("withdrawn by the manufacturer", "製造販売業者による取り下げ"),
            Self::Other => ("other failure", "その他の障害"),
        }
    }
}

/// Every rollback of a record, in order.
#[must_use]
pub fn all(audited: &Audited) -> Vec<Rollback<'_>> {
    let entries = &audited.entries;
    let ended = entries.iter().filter_map(|checked| {
        let entry = checked.ledger()?;
        ends(entries, checked, entry).then_some((checked, entry))
    });
    ended.map(|(checked, entry)| one(entries, checked, entry)).collect()
}

/// Where a device stood before an entry.
#[must_use]
pub fn placement(entries: &[Checked], before: u64, device: &DeviceId) -> Option<Placement> {
    let placed = entries.iter().rev().filter(|checked| checked.n < before);
    let mut placements = placed.filter_map(|checked| match &checked.said {
        Word::Server(act) if act.act() == PLACED => {
            serde_json::from_value::<Placement>(act.detail().clone()).ok()
        }
        Word::Server(_) | Word::Note(_) | Word::Ledger(_) | Word::Act(..) => None,
    });
    placements.find(|placement| placement.device == *device)
}

/// The acts on an approval before an entry.
pub(super) fn acts_on(entries: &[Checked], before: u64, approval: Sha256Digest) -> Vec<&Checked> {
    let is_on = |checked: &&Checked| {
        checked.n < before
            && checked.act().is_some_and(|act| match &act.subject {
                Subject::Approval { approval_sha256, .. } => {
                    *approval_sha256 == approval && act.meaning != Meaning::Acknowledged
                }
                Subject::Wave { .. } | Subject::Hold { .. } | Subject::Device { .. } => false,
            })
    };
    entries.iter().filter(is_on).collect()
}

fn ends(entries: &[Checked], checked: &Checked, entry: &Entry) -> bool {
    match entry.fact.kind {
        Kind::RolledBack => true,
        Kind::Committed => entry.fact.action == Some(Action::Rollback),
        // Service is asked for in the middle of a rollback, or for other reasons.
        Kind::NeedsService => earlier(
            entries,
            checked,
            entry,
            &[Kind::RollingBack, Kind::RolledBack, Kind::Committed],
        )
        .and_then(Checked::ledger)
        .is_some_and(|before| before.fact.kind == Kind::RollingBack),
        Kind::Enrolled
        | Kind::Approved
        | Kind::Staged
        | Kind::Held
        | Kind::Preparing
        | Kind::Armed
        | Kind::Activating
        | Kind::Restarting
        | Kind::Trial
        | Kind::AwaitingAcceptance
        | Kind::Used
        | Kind::Abandoned
        | Kind::RollingBack
        | Kind::Refused
        | Kind::HoldSet
        | Kind::HoldLifted
        | Kind::Recovered => false,
    }
}

fn one<'a>(entries: &'a [Checked], ended: &'a Checked, entry: &'a Entry) -> Rollback<'a> {
    let ordered = entry.fact.action == Some(Action::Rollback);
    let fact: &Fact = &entry.fact;
    // By itself a device returns to what ran before; by order it installs what the order names.
    let (from, to) = match (ordered, fact.kind) {
        (true, Kind::Committed) => (fact.from.as_ref(), fact.release.as_ref()),
        _ => (fact.release.as_ref(), fact.from.as_ref()),
    };
    let begins = if ordered { Kind::Approved } else { Kind::RollingBack };
    let ordering = fact.approval.as_ref().filter(|_| ordered).map(|approval| approval.sha256);
    let reversed = if ordered {
        installed_by(entries, ended, entry, from)
    } else {
        fact.approval.as_ref().map(|approval| approval.sha256)
    };
    Rollback {
        ended,
        entry,
        placement: placement(entries, ended.n, &entry.device),
        from,
        to,
        trigger: trigger(entry, ordered),
        started: earlier(entries, ended, entry, &[begins]),
        tested: earlier(entries, ended, entry, &[Kind::Trial, Kind::RollingBack]),
        authorised: ordering.map(|digest| acts_on(entries, ended.n, digest)).unwrap_or_default(),
        reverses: reversed.map(|digest| (digest, acts_on(entries, ended.n, digest))),
    }
}

/// The last entry of one of these kinds in the same ledger before this one.
fn earlier<'a>(
    entries: &'a [Checked],
    ended: &Checked,
    entry: &Entry,
    kinds: &[Kind],
) -> Option<&'a Checked> {
    let before = entries.iter().rev().filter(|checked| checked.n < ended.n);
    let mut same = before.filter(|checked| {
        checked.ledger().is_some_and(|earlier| {
            earlier.device == entry.device
                && earlier.ledger_id == entry.ledger_id
                && kinds.contains(&earlier.fact.kind)
        })
    });
    same.next()
}

/// The approval under which the device had installed this image.
fn installed_by(
    entries: &[Checked],
    ended: &Checked,
    entry: &Entry,
    image: Option<&ImageRef>,
) -> Option<Sha256Digest> {
    let before = entries.iter().rev().filter(|checked| checked.n < ended.n);
    let mut installed = before.filter_map(Checked::ledger).filter(|earlier| {
        earlier.device == entry.device
            && earlier.fact.kind == Kind::Committed
            && earlier.fact.release.as_ref() == image
    });
    installed.next()?.fact.approval.as_ref().map(|approval| approval.sha256)
}

const fn trigger(entry: &Entry, ordered: bool) -> Trigger {
    match entry.fact.reason {
        Some(Reason::HealthFailed | Reason::HealthSilent) => Trigger::HealthCheck,
        Some(Reason::RestartFailed) => Trigger::Bootloader,
        Some(Reason::NotAccepted) => Trigger::Person,
        Some(Reason::ReleaseWithdrawn) => Trigger::Withdrawal,
        _ if ordered => Trigger::Hospital,
        _ => Trigger::Other,
    }
}
