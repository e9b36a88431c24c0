//! Proofs that a wave is open, on disk by digest, and what the device has checked of them.
//!
//! A proof is fetched once, kept beside the approvals, and checked again from its bytes at every
//! start. Not here: the rule ([`patchward_protocol::proof`]), and the server's word that the wave is
//! open, which a proof does not replace.
//! Invariant: a [`Proven`] comes from bytes whose digest was asked for and whose entries were checked
//! against the verified approval in this run.

use super::offers::Offered;
use crate::journal::{sync_dir, write_durably};
use crate::ledger::refusals::Refusal;
use crate::link::http::Client;
use hyper::header::{self, HeaderName};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::gate::count::Rollout;
use patchward_protocol::id::{DeviceId, SiteId};
use patchward_protocol::limits::WAVE_PROOF_BYTES_MAX;
use patchward_protocol::proof::{Proven, WaveProof, check};
use patchward_protocol::reason::Reason;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

/// Most proofs on disk; a device waits for one or two.
pub const PROOFS_MAX: usize = 8;
/// Most outcomes in memory before those of bad proofs are forgotten.
const OUTCOMES_MAX: usize = 64;

/// Proofs on disk, by digest.
#[derive(Debug)]
pub struct ProofFiles {
    folder: PathBuf,
    /// What was checked in this run: for which rollout, and what came of it.
    checked: BTreeMap<(Sha256Digest, Sha256Digest, Sha256Digest), Result<Proven, Reason>>,
}

impl ProofFiles {
    /// In a folder, which is made.
    ///
    /// # Errors
    /// What the disk says.
    pub fn new(folder: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder, checked: BTreeMap::new() })
    }

    /// Makes sure that a proof is here. The refusal says that what came is not what was named.
    ///
    /// # Errors
    /// What link or disk say, as text.
    pub async fn fetch(
        &mut self,
        client: &mut Client,
        bearer: Option<&str>,
        site: &SiteId,
        digest: Sha256Digest,
    ) -> Result<Option<Refusal>, String> {
        if self.read(digest).is_some() {
            return Ok(None);
        }
        let path = format!("/v1/sites/{site}/wave-proofs/{digest}");
        let bearer = bearer.map(|token| format!("Bearer {token}"));
        let headers: Vec<(HeaderName, &str)> =
            bearer.iter().map(|value| (header::AUTHORIZATION, value.as_str())).collect();
        let limit = u64::try_from(WAVE_PROOF_BYTES_MAX).unwrap_or(u64::MAX);
        let answer = client.get(&path, limit, &headers).await;
        let answer = answer.map_err(|error| format!("fetching proof {digest}: {error}"))?;
        if answer.status != 200 {
            return Err(format!("fetching proof {digest}: the server answered {}", answer.status));
        }
        if Sha256Digest::of(&answer.body) != digest {
            return Ok(Some(refusal(digest, "what came is not the proof that was named")));
        }
        let kept = self.tidy().and_then(|()| write_durably(&self.path(digest), &answer.body));
        kept.map_err(|error| format!("keeping proof {digest}: {error}"))?;
        Ok(None)
    }

    /// Checks a proof that is here for what is offered. The refusal comes once in a run.
    pub fn check(
        &mut self,
        digest: Sha256Digest,
        offered: &Offered,
        own: &DeviceId,
    ) -> Option<Refusal> {
        let rollout = rollout(offered);
        let key = (digest, rollout.approval_sha256, rollout.image_sha256);
        if self.checked.contains_key(&key) {
            return None;
        }
        let bytes = self.read(digest)?;
        let proof = WaveProof::read(&bytes);
        let outcome = proof.and_then(|proof| check(&proof, &offered.approval, &rollout, own));
        if self.checked.len() >= OUTCOMES_MAX {
            self.checked.retain(|_, outcome| outcome.is_ok());
        }
        self.checked.insert(key, outcome);
        outcome.err().map(|_| refusal(digest, "it proves nothing for this device"))
    }

    /// Checks everything on disk for what is offered: after a start.
    pub fn check_all(&mut self, offered: &Offered, own: &DeviceId) {
        if !is_asked_for(offered) {
            return;
        }
        for digest in self.named() {
            // What was said of it stands in the ledger since it came.
            let _said = self.check(digest, offered, own);
        }
    }

    /// What is proven for what is offered.
    #[must_use]
    pub fn proven(&self, offered: &Offered) -> Option<Proven> {
        let rollout = rollout(offered);
        let mut fits = self.checked.iter().filter(|((_, approval, image), _)| {
            *approval == rollout.approval_sha256 && *image == rollout.image_sha256
        });
        fits.find_map(|(_, outcome)| outcome.ok().filter(|p| p.wave() == offered.admitted.wave))
    }

    fn path(&self, digest: Sha256Digest) -> PathBuf {
        self.folder.join(digest.to_string())
    }

    /// The bytes of a proof, if they are whole; spoilt ones are fetched again.
    fn read(&self, digest: Sha256Digest) -> Option<Vec<u8>> {
        let bytes = std::fs::read(self.path(digest)).ok()?;
        (Sha256Digest::of(&bytes) == digest).then_some(bytes)
    }

    fn named(&self) -> Vec<Sha256Digest> {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        let names = entries.flatten().map(|entry| entry.file_name());
        names.filter_map(|name| name.to_str()?.parse().ok()).collect()
    }

    /// Makes room for one more: when there are many, all go; what is needed is fetched again.
    fn tidy(&self) -> io::Result<()> {
        let named = self.named();
        if named.len() < PROOFS_MAX {
            return Ok(());
        }
        for digest in named {
            std::fs::remove_file(self.path(digest))?;
        }
        sync_dir(&self.folder)
    }
}

/// Whether a proof is asked for: not in the first wave of a device without a partner that goes first.
#[must_use]
pub const fn is_asked_for(offered: &Offered) -> bool {
    offered.admitted.wave > 0 || offered.admitted.partner_first.is_some()
}

fn rollout(offered: &Offered) -> Rollout {
    Rollout {
        approval_sha256: offered.approval_sha256,
        image_sha256: offered.admitted.image.image_sha256,
    }
}

/// The server says that a wave is open and does not prove it.
#[must_use]
pub fn refusal(document_sha256: Sha256Digest, detail: &str) -> Refusal {
    Refusal {
        reason: Reason::WaveUnproven,
        document_sha256: Some(document_sha256),
        detail: detail.to_owned(),
    }
}
