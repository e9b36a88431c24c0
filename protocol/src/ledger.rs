//! The device's ledger: every transition, signed by the device key and chained by digest.
//!
//! Entries are envelopes around canonical JSON; the chain is over payload digests, so that bytes
//! are kept and never rewritten. Only transitions are recorded, not polls. Not here: files and
//! sending (the agent), storing (the server).
//! Invariant: entry `seq` follows `seq - 1` and names its digest; the first names none.

use crate::approval::Action;
use crate::digest::Sha256Digest;
use crate::envelope::{Envelope, Open, PayloadType, Seal};
use crate::id::{ApprovalId, DeviceId, LedgerId, PersonId};
use crate::image::ImageRef;
use crate::key::{PublicKey, Signer};
use crate::reason::Reason;
use crate::slot::Slot;
use crate::time::{TimeQuality, Timestamp};
use crate::verified::Verified;
use serde::{Deserialize, Serialize};

/// One entry. Fields that do not apply are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Entry {
    /// Schema version; this code writes 1.
    pub v: u32,
    /// Whose ledger it is.
    pub device: DeviceId,
    /// Which ledger of this device.
    pub ledger_id: LedgerId,
    /// Position, from 1.
    pub seq: u64,
    /// Digest of the entry before; none at position 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev_sha256: Option<Sha256Digest>,
    /// When, as well as the device knew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// How well it knew.
    pub time_quality: TimeQuality,
    /// How often the agent's machine has booted.
    pub boot_count: u64,
    /// What happened.
    #[serde(flatten)]
    pub fact: Fact,
}

/// What an entry says happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fact {
    /// The transition.
    pub kind: Kind,
    /// The image it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ImageRef>,
    /// The image that was running before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<ImageRef>,
    /// The approval that permitted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalRef>,
    /// What the approval permitted, where it was not an installation: a rollback, or a standing
    /// approval that this release matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// Hours and minutes of clinical use of the image since it was committed, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clinical_use_s: Option<u64>,
    /// The slot it happened in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Slot>,
    /// What the interlock said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clinical_state: Option<ClinicalState>,
    /// Fingerprint of the device's settings before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings_before: Option<Sha256Digest>,
    /// Fingerprint of the device's settings after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings_after: Option<Sha256Digest>,
    /// Why, for holds, refusals and failures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The person at the device, where one acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonId>,
    /// How often, for refusals that are counted rather than repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// How the staged image came; in `staged` entries, where `reason` then says why not (only) as a
    /// delta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carried: Option<Carried>,
    /// Digest of the document that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_sha256: Option<Sha256Digest>,
    /// Technical detail in English, at most 1 KiB; never secrets, persons' or patients' names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// An approval, by digest and name, with how it was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApprovalRef {
    /// Digest of the approval's bytes.
    pub sha256: Sha256Digest,
    /// Its name within the site.
    pub id: ApprovalId,
    /// Weakest method among the signatures that counted.
    pub weakest_method: SigningMethod,
}

/// How an image came to the device. All figures are bytes of this device's own downloads, resumed
/// and wasted ones included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Carried {
    /// Digest of the delta file that brought windows; none when all came from the full file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta_sha256: Option<Sha256Digest>,
    /// Bytes fetched in all: heads and payloads of both files.
    pub fetched_bytes: u64,
    /// Length of the full file: what would have been fetched without a delta.
    pub full_bytes: u64,
    /// Windows of the image; 1 for a file without windows.
    pub windows: u32,
    /// How many of them came from the full file.
    pub windows_full: u32,
}

/// How a hospital key signs; weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SigningMethod {
    /// The server holds the key.
    Custodial,
    /// The key is opened in the browser page.
    Console,
    /// The command line on the hospital's own machine.
    Offline,
}

/// What the interlock said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ClinicalState {
    /// Not in use on a patient.
    Idle,
    /// In use.
    InUse,
    /// No valid answer, which counts as in use.
    Unknown,
    /// No interlock; the configuration says why.
    NotNeeded,
}

/// The kind of transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The device joined a site; the first entry of a ledger.
    Enrolled,
    /// A verified approval and release concern this device.
    Approved,
    /// The image is staged, read back and matches the signed digest.
    Staged,
    /// It waits; the reason says for what. Written when the reason changes.
    Held,
    /// Slot, conditions and permit hold; last checks.
    Preparing,
    /// All checks passed; the way back is ready.
    Armed,
    /// About to make the one write of no return.
    Activating,
    /// The restart was asked for.
    Restarting,
    /// The new image runs and is being checked.
    Trial,
    /// A person must release the device.
    AwaitingAcceptance,
    /// The new image is good and stays.
    Committed,
    /// The committed image has been in clinical use for longer; `clinical_use_s` says how long.
    Used,
    /// Given up before anything changed.
    Abandoned,
    /// Going back.
    RollingBack,
    /// Back on the image before.
    RolledBack,
    /// Neither forward nor back worked.
    NeedsService,
    /// Something was refused.
    Refused,
    /// Somebody at the device said not now.
    HoldSet,
    /// Somebody at the device lifted that.
    HoldLifted,
    /// The agent recovered after an unexpected stop.
    Recovered,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::Enrolled,
        Self::Approved,
        Self::Staged,
        Self::Held,
        Self::Preparing,
        Self::Armed,
        Self::Activating,
        Self::Restarting,
        Self::Trial,
        Self::AwaitingAcceptance,
        Self::Committed,
        Self::Used,
        Self::Abandoned,
        Self::RollingBack,
        Self::RolledBack,
        Self::NeedsService,
        Self::Refused,
        Self::HoldSet,
        Self::HoldLifted,
        Self::Recovered,
    ];
}

/// An entry with its digest and its signed form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedEntry {
    /// What it says.
    pub entry: Entry,
    /// Digest of its payload bytes.
    pub sha256: Sha256Digest,
    /// Its signed form.
    pub envelope: Envelope,
}

/// Where a chain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Chain {
    /// Which ledger.
    pub ledger_id: LedgerId,
    /// Position of the last entry; 0 before the first.
    pub seq: u64,
    /// Digest of the last entry.
    pub head_sha256: Option<Sha256Digest>,
}

/// How an entry fails to continue a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// Entries are missing in between.
    #[error("entry {got} follows entry {have}: entries are missing")]
    Gap {
        /// Last position in the chain.
        have: u64,
        /// Position of the entry.
        got: u64,
    },
    /// The chain already reaches beyond it.
    #[error("entry {got} is not after entry {have}")]
    Old {
        /// Last position in the chain.
        have: u64,
        /// Position of the entry.
        got: u64,
    },
    /// It continues another history: a cloned or restored device, or a rewritten ledger.
    #[error("entry {seq} continues another history (fork)")]
    Fork {
        /// Position of the entry.
        seq: u64,
    },
    /// It belongs to another ledger.
    #[error("the entry belongs to another ledger")]
    OtherLedger,
}

impl Chain {
    /// A ledger without entries.
    #[must_use]
    pub const fn begin(ledger_id: LedgerId) -> Self {
        Self { ledger_id, seq: 0, head_sha256: None }
    }

    /// Continues the chain by one entry.
    ///
    /// # Errors
    /// [`Break`] says how the entry does not continue it.
    pub fn accept(&self, entry: &Entry, sha256: Sha256Digest) -> Result<Self, Break> {
        if entry.ledger_id != self.ledger_id {
            return Err(Break::OtherLedger);
        }
        let next = self.seq.saturating_add(1);
        if entry.seq < next {
            return Err(Break::Old { have: self.seq, got: entry.seq });
        }
        if entry.seq > next {
            return Err(Break::Gap { have: self.seq, got: entry.seq });
        }
        if entry.prev_sha256 != self.head_sha256 {
            return Err(Break::Fork { seq: entry.seq });
        }
        Ok(Self { ledger_id: self.ledger_id, seq: entry.seq, head_sha256: Some(sha256) })
    }
}

impl Fact {
    /// A fact of this kind with nothing else said.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            release: None,
            from: None,
            approval: None,
            action: None,
            clinical_use_s: None,
            slot: None,
            clinical_state: None,
            settings_before: None,
            settings_after: None,
            reason: None,
            person: None,
            count: None,
            carried: None,
            document_sha256: None,
            detail: None,
        }
    }

    /// The same with a reason.
    #[must_use]
    pub fn because(mut self, reason: Reason) -> Self {
        self.reason = Some(reason);
        self
    }
}

impl SealedEntry {
    /// Signs an entry.
    ///
    /// # Errors
    /// [`Seal`].
    pub fn seal(entry: Entry, device_key: &dyn Signer) -> Result<Self, Seal> {
        let payload = crate::canonical::write(&entry).map_err(Seal::Write)?;
        let envelope = Envelope::seal_bytes(PayloadType::LedgerEntry, &payload, device_key)?;
        Ok(Self { entry, sha256: Sha256Digest::of(&payload), envelope })
    }

    /// Checks an envelope as an entry of `device`, signed by `device_key`.
    ///
    /// # Errors
    /// [`Open`] when the signature or the form is wrong.
    pub fn open(envelope: Envelope, device_key: &PublicKey) -> Result<Verified<Self>, Open> {
        let payload = envelope.verify(PayloadType::LedgerEntry, device_key)?;
        let sha256 = Sha256Digest::of(&payload);
        let entry: Verified<Entry> = envelope.open(PayloadType::LedgerEntry, device_key)?;
        Ok(Verified::new(Self { entry: entry.into_inner(), sha256, envelope }))
    }
}

impl Kind {
    /// Whether an entry of this kind must be kept for ever on the device, even after its receipt.
    #[must_use]
    pub const fn is_kept(self) -> bool {
        match self {
            Self::Enrolled
            | Self::Approved
            | Self::Activating
            | Self::Committed
            | Self::RollingBack
            | Self::RolledBack
            | Self::NeedsService => true,
            Self::Staged
            | Self::Held
            | Self::Preparing
            | Self::Armed
            | Self::Restarting
            | Self::Trial
            | Self::AwaitingAcceptance
            | Self::Used
            | Self::Abandoned
            | Self::Refused
            | Self::HoldSet
            | Self::HoldLifted
            | Self::Recovered => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SecretKey;

    fn entry(seq: u64, prev: Option<Sha256Digest>) -> SealedEntry {
        let entry = Entry {
            v: 1,
            device: DeviceId::new("pump-07").unwrap(),
            ledger_id: LedgerId::from_random([7; 16]),
            seq,
            prev_sha256: prev,
            at: None,
            time_quality: TimeQuality::Unknown,
            boot_count: 1,
            fact: Fact::new(Kind::Held).because(Reason::InUse),
        };
        SealedEntry::seal(entry, &SecretKey::from_seed(&[1; 32])).unwrap()
    }

    #[test]
    fn a_chain_takes_its_entries_in_order_and_nothing_else() {
        let start = Chain::begin(LedgerId::from_random([7; 16]));
        let first = entry(1, None);
        let chain = start.accept(&first.entry, first.sha256).unwrap();
        let second = entry(2, Some(first.sha256));
        assert!(chain.accept(&second.entry, second.sha256).is_ok());
        assert_eq!(chain.accept(&first.entry, first.sha256), Err(Break::Old { have: 1, got: 1 }));
        let third = entry(3, Some(second.sha256));
        assert_eq!(chain.accept(&third.entry, third.sha256), Err(Break::Gap { have: 1, got: 3 }));
        let fork = entry(2, Some(Sha256Digest::of(b"other")));
        assert_eq!(chain.accept(&fork.entry, fork.sha256), Err(Break::Fork { seq: 2 }));
        assert_eq!(
            Chain::begin(LedgerId::from_random([8; 16])).accept(&first.entry, first.sha256),
            Err(Break::OtherLedger)
        );
    }

    #[test]
    fn an_entry_is_read_back_from_its_envelope() {
        let sealed = entry(1, None);
        let key = SecretKey::from_seed(&[1; 32]).public();
        let opened = SealedEntry::open(sealed.envelope.clone(), &key).unwrap();
        assert_eq!(*opened, sealed);
    }
}
