//! The device as a witness of its site's record: what it has seen of it may only grow.
//!
//! The last checkpoint that verified and continued the one before is kept beside the receipt. One that
//! does not continue it is refused and kept as evidence, for good: the server has rewritten the record
//! or shows another one to others. Receipts count all the same, because they are about this device's
//! own ledger. Not here: the rule ([`patchward_protocol::record::witness`]).
//! Invariant: what is kept was signed by the pinned record key, and never goes back.

use crate::journal::write_durably;
use crate::ledger::refusals::Refusal;
use patchward_protocol::api::record::RecordShown;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::SiteId;
use patchward_protocol::key::PublicKey;
use patchward_protocol::reason::Reason;
use patchward_protocol::record::checkpoint::Checkpoint;
use patchward_protocol::record::witness::{Seen, witness};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;

/// Most bytes of a checkpoint that is kept as evidence.
const EVIDENCE_BYTES_MAX: usize = 16 * 1024;

/// What this device has seen of its site's record.
#[derive(Debug, Clone)]
pub struct Witness {
    site: SiteId,
    record_key: PublicKey,
    places: Places,
    seen: Option<(Seen, String)>,
    split: Option<Split>,
}

/// Where checkpoints are kept.
#[derive(Debug, Clone)]
pub struct Places {
    /// The last one, as it was received.
    pub checkpoint: PathBuf,
    /// Two that contradict each other.
    pub split: PathBuf,
}

/// Two checkpoints that contradict each other: evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Why the second was refused.
    pub reason: Reason,
    /// The one that was kept.
    pub kept: String,
    /// The one that does not continue it.
    pub offered: String,
}

impl Witness {
    /// Goes on from what is kept. The refusal says what of it could not be read.
    #[must_use]
    pub fn open(site: SiteId, record_key: PublicKey, places: Places) -> (Self, Option<Refusal>) {
        let kept = match std::fs::read_to_string(&places.checkpoint) {
            Ok(note) => Checkpoint::open(&note, &site, &record_key)
                .map(|checkpoint| Some((Seen::from(&*checkpoint), note)))
                .map_err(|error| error.to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        };
        let refusal = kept.as_ref().err().map(|why| Refusal {
            reason: Reason::HeldStateUnreadable,
            document_sha256: Some(Sha256Digest::of(why.as_bytes())),
            detail: format!("the kept checkpoint of the site's record: {why}"),
        });
        let split = std::fs::read(&places.split).ok();
        let split = split.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        (Self { site, record_key, places, seen: kept.unwrap_or_default(), split }, refusal)
    }

    /// How long the record was when it was last seen.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.seen.as_ref().map(|(seen, _)| seen.size)
    }

    /// The end of the record as it was last seen.
    #[must_use]
    pub fn seen(&self) -> Option<Seen> {
        self.seen.as_ref().map(|(seen, _)| *seen)
    }

    /// Two checkpoints that contradicted each other, if that ever happened.
    #[must_use]
    pub const fn split(&self) -> Option<&Split> {
        self.split.as_ref()
    }

    /// The server shows its record: follows it, or refuses to.
    #[must_use]
    pub fn look(&mut self, shown: &RecordShown) -> Option<Refusal> {
        let before = self.seen();
        let (note, proof) = (&shown.checkpoint, &shown.consistency);
        match witness(&self.site, &self.record_key, before.as_ref(), note, proof) {
            Ok(seen) if Some(seen) == before => None,
            Ok(seen) => {
                if let Err(error) = write_durably(&self.places.checkpoint, note.as_bytes()) {
                    tracing::warn!(%error, "the checkpoint of the site's record could not be kept");
                }
                self.seen = Some((seen, note.clone()));
                None
            }
            Err(reason) => Some(self.refuse(reason, note)),
        }
    }

    fn refuse(&mut self, reason: Reason, note: &str) -> Refusal {
        let kept = self.seen.as_ref().map(|(_, note)| note.clone()).unwrap_or_default();
        if reason != Reason::CheckpointWrong && self.split.is_none() {
            let offered = note.chars().take(EVIDENCE_BYTES_MAX).collect();
            let split = Split { reason, kept, offered };
            let written = serde_json::to_vec(&split).map_err(io::Error::other);
            if let Err(error) = written.and_then(|json| write_durably(&self.places.split, &json)) {
                tracing::error!(%error, "evidence of a rewritten record could not be kept");
            }
            self.split = Some(split);
        }
        Refusal {
            reason,
            document_sha256: Some(Sha256Digest::of(note.as_bytes())),
            detail: format!("seen before: {:?}", self.seen().map(|seen| (seen.size, seen.root))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchward_protocol::key::{SecretKey, Signer as _};
    use patchward_protocol::merkle::leaf_hash;

    fn site() -> SiteId {
        SiteId::new("north").unwrap()
    }

    fn key() -> SecretKey {
        SecretKey::from_seed(&[5; 32])
    }

    /// A record with one entry, which needs no tree.
    fn shown(entry: &[u8], by: &SecretKey) -> RecordShown {
        let checkpoint = Checkpoint { site: site(), size: 1, root: leaf_hash(entry) };
        RecordShown { checkpoint: checkpoint.sign(by).unwrap(), consistency: vec![] }
    }

    fn open(folder: &std::path::Path) -> (Witness, Option<Refusal>) {
        let places = Places {
            checkpoint: folder.join("record.checkpoint"),
            split: folder.join("record.split.json"),
        };
        Witness::open(site(), key().public(), places)
    }

    #[test]
    fn a_rewritten_record_is_refused_and_the_evidence_outlives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut witness = open(folder.path()).0;
        assert_eq!(witness.look(&shown(b"one", &key())), None);
        assert_eq!(witness.look(&shown(b"one", &key())), None, "the same again");
        let mut witness = open(folder.path()).0;
        assert_eq!(witness.size(), Some(1));
        let refusal = witness.look(&shown(b"another", &key())).unwrap();
        assert_eq!(refusal.reason, Reason::RecordRewritten);
        let witness = open(folder.path()).0;
        let split = witness.split().unwrap();
        assert_ne!(split.kept, split.offered);
        assert_eq!(witness.seen().unwrap().root, leaf_hash(b"one"), "what was seen stands");
    }

    #[test]
    fn a_checkpoint_of_another_key_is_refused_and_is_no_evidence_against_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let mut witness = open(folder.path()).0;
        let thief = SecretKey::from_seed(&[6; 32]);
        let refusal = witness.look(&shown(b"one", &thief)).unwrap();
        assert_eq!(refusal.reason, Reason::CheckpointWrong);
        assert_eq!((witness.seen(), witness.split()), (None, None));
    }

    #[test]
    fn a_spoilt_checkpoint_is_said_and_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        write_durably(&folder.path().join("record.checkpoint"), b"torn").unwrap();
        let (witness, refusal) = open(folder.path());
        assert_eq!(refusal.unwrap().reason, Reason::HeldStateUnreadable);
        assert_eq!(witness.seen(), None);
    }
}
