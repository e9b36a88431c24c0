//! Approvals of the site, each beside the release that it names, and what of them concerns this
//! device.
//!
//! Approvals are fetched once, kept by digest and verified again from those bytes at every look.
//! Not here: whether the moment is right.
//! Invariant: an [`Offered`] holds an approval and an image that were both verified in this run.

use crate::journal::{sync_dir, write_durably};
use crate::ledger::refusals::Refusal;
use crate::link::http::Client;
use crate::machine::state::Goal;
use crate::permit::{NoPermit, Proofs};
use hyper::header::{self, HeaderName};
use patchward_protocol::approval::{Approval, ApprovalState};
use patchward_protocol::decision::{Admitted, Own, SignedBy};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::directive::WaveOpen;
use patchward_protocol::id::{ApprovalId, PersonId, RepositoryId, TargetPath};
use patchward_protocol::ledger::SigningMethod;
use patchward_protocol::limits::APPROVAL_BYTES_MAX;
use patchward_protocol::reason::Reason;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::lookup::{APPROVAL_DIR, ImageTarget, TargetFile, check_bytes};
use patchward_protocol::tuf::schema::Method;
use patchward_protocol::tuf::trusted_set::TrustedSet;
use patchward_protocol::verified::Verified;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// Most approvals of a site that are looked at.
pub const APPROVALS_MAX: usize = 1000;

/// An approval and its release that this device may act on, when the moment is right.
#[derive(Debug, Clone)]
pub struct Offered {
    /// The approval.
    pub approval: Verified<Approval>,
    /// Digest of its bytes.
    pub approval_sha256: Sha256Digest,
    /// The image.
    pub image: Verified<ImageTarget>,
    /// The image that runs, where the family's targets still list it.
    pub installed: Option<Verified<ImageTarget>>,
    /// What of the approval concerns this device.
    pub admitted: Admitted,
}

/// What the site's approvals say to this device.
#[derive(Debug, Default)]
pub struct Offers {
    /// What may be acted on.
    pub admitted: Vec<Offered>,
    /// What names this device and was refused.
    pub refused: Vec<(ApprovalId, Refusal)>,
    /// Approvals that are withdrawn, each with its end.
    pub withdrawn: Vec<(ApprovalId, Timestamp)>,
}

/// Who signed the site's targets, and how weak that may be.
#[derive(Debug, Clone)]
pub struct Signing {
    /// The signatures that counted.
    pub signers: Vec<SignedBy>,
    /// Weakest method that the site root allows.
    pub weakest_allowed: SigningMethod,
}

/// Approvals on disk, by digest.
#[derive(Debug, Clone)]
pub struct ApprovalFiles {
    folder: PathBuf,
}

impl ApprovalFiles {
    /// In a folder, which is made.
    ///
    /// # Errors
    /// What the disk says.
    pub fn new(folder: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// Fetches the approvals that are listed and not here; removes those that are not listed any
    /// more. Returns refusals of files that are not what is listed.
    ///
    /// # Errors
    /// What link or disk say, as text; what came before is kept.
    pub async fn fetch(
        &self,
        client: &mut Client,
        bearer: Option<&str>,
        site: &RepositoryId,
        set: &TrustedSet,
    ) -> Result<Vec<Refusal>, String> {
        let listed = set.files(APPROVAL_DIR);
        let bearer = bearer.map(|token| format!("Bearer {token}"));
        let headers: Vec<(HeaderName, &str)> =
            bearer.iter().map(|value| (header::AUTHORIZATION, value.as_str())).collect();
        let (kind, name) = site.parts();
        let mut refusals = Vec::new();
        for file in listed.iter().take(APPROVALS_MAX) {
            if self.path(file.sha256).exists() || !is_short(file) {
                continue;
            }
            let path = format!("/tuf/{kind}/{name}/targets/{}", set.file_of(file));
            let answer = client.get(&path, file.length, &headers).await;
            let answer = answer.map_err(|error| format!("fetching {}: {error}", file.path))?;
            if answer.status != 200 {
                return Err(format!(
                    "fetching {}: the server answered {}",
                    file.path, answer.status
                ));
            }
            match check_bytes(file, answer.body) {
                Ok(bytes) => write_durably(&self.path(file.sha256), &bytes)
                    .map_err(|error| format!("keeping {}: {error}", file.path))?,
                Err(error) => refusals.push(Refusal {
                    reason: Reason::MetadataMismatch,
                    document_sha256: Some(file.sha256),
                    detail: error.to_string(),
                }),
            }
        }
        let keep = listed.iter().map(|file| file.sha256.to_string()).collect();
        self.remove_others(&keep).map_err(|error| format!("tidying approvals: {error}"))?;
        Ok(refusals)
    }

    fn path(&self, sha256: Sha256Digest) -> PathBuf {
        self.folder.join(sha256.to_string())
    }

    fn read(&self, file: &Verified<TargetFile>) -> Option<Verified<Vec<u8>>> {
        let bytes = std::fs::read(self.path(file.sha256)).ok()?;
        let checked = check_bytes(file, bytes).ok();
        if checked.is_none() {
            // Spoilt on disk: it is fetched again.
            remove(&self.path(file.sha256));
        }
        checked
    }

    fn remove_others(&self, keep: &BTreeSet<String>) -> io::Result<()> {
        let mut removed = false;
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if !name.to_str().is_some_and(|name| keep.contains(name)) {
                std::fs::remove_file(entry.path())?;
                removed = true;
            }
        }
        if removed { sync_dir(&self.folder) } else { Ok(()) }
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "a spoilt approval could not be removed");
    }
}

fn is_short(file: &TargetFile) -> bool {
    usize::try_from(file.length).is_ok_and(|length| length <= APPROVAL_BYTES_MAX)
}

/// Who signed the site's targets.
#[must_use]
pub fn signing(site: &TrustedSet) -> Signing {
    let keys = site.targets_signers().map(|signers| signers.keys()).unwrap_or_default();
    let signers = keys.iter().filter_map(|key| {
        // A key that names no person counts as the same nobody as every other such key.
        let person = key.person.clone().or_else(|| PersonId::new("unnamed").ok())?;
        Some(SignedBy { person, method: key.method.map_or(SigningMethod::Custodial, method) })
    });
    Signing { signers: signers.collect(), weakest_allowed: method(site.weakest()) }
}

const fn method(method: Method) -> SigningMethod {
    match method {
        Method::Offline => SigningMethod::Offline,
        Method::Console => SigningMethod::Console,
        Method::Custodial => SigningMethod::Custodial,
    }
}

/// Reads all approvals of the site against the family's releases.
#[must_use]
pub fn read(site: &TrustedSet, family: &TrustedSet, files: &ApprovalFiles, own: &Own) -> Offers {
    let images: Vec<_> = family.images().into_iter().filter_map(Result::ok).collect();
    let running = own.installed.as_ref().map(|image| image.image_sha256);
    let runs =
        |image: &&Verified<ImageTarget>| running == Some(image.firmware.payload.image_sha256);
    let installed = images.iter().find(runs).cloned();
    let signing = signing(site);
    let look =
        Look { family, images: &images, installed: installed.as_ref(), signing: &signing, own };
    let mut offers = Offers::default();
    for file in site.files(APPROVAL_DIR).iter().take(APPROVALS_MAX) {
        let Some(bytes) = files.read(file) else { continue };
        let sha256 = file.sha256;
        match Approval::read_verified(bytes) {
            Err(error) => {
                let name = file.path.parts().1.trim_end_matches(".json").to_owned();
                let refusal = refusal(Reason::ApprovalMalformed, sha256, &error.to_string());
                if let Ok(id) = ApprovalId::new(&name) {
                    offers.refused.push((id, refusal));
                }
            }
            Ok(approval) => look.one(&mut offers, &approval, sha256),
        }
    }
    offers
}

/// What one approval is read against.
struct Look<'a> {
    family: &'a TrustedSet,
    images: &'a [Verified<ImageTarget>],
    installed: Option<&'a Verified<ImageTarget>>,
    signing: &'a Signing,
    own: &'a Own,
}

impl Look<'_> {
    fn one(&self, offers: &mut Offers, approval: &Verified<Approval>, sha256: Sha256Digest) {
        if approval.state == ApprovalState::Withdrawn {
            offers.withdrawn.push((approval.id.clone(), approval.valid_until));
        }
        if !approval.devices.iter().any(|device| device.id == self.own.device) {
            return;
        }
        let found = if approval.families().contains(&&self.own.family) {
            match &approval.release {
                Some(release) => self.named(approval, sha256, &release.path),
                None => self.newest(approval, sha256),
            }
        } else {
            Err(refusal(Reason::OtherFamily, sha256, ""))
        };
        match found {
            Ok(offered) => offers.admitted.extend(offered),
            Err(refusal) => offers.refused.push((approval.id.clone(), refusal)),
        }
    }

    /// The image that the approval names.
    fn named(
        &self,
        approval: &Verified<Approval>,
        sha256: Sha256Digest,
        path: &TargetPath,
    ) -> Result<Option<Offered>, Refusal> {
        let image = match self.family.image(path) {
            Ok(Some(image)) => image,
            Ok(None) => {
                let detail = "no such release is signed";
                return Err(refusal(Reason::ApprovalOtherImage, sha256, detail));
            }
            Err(error) => {
                let detail = error.source.to_string();
                return Err(refusal(Reason::ReleaseMalformed, sha256, &detail));
            }
        };
        match self.admit(approval, sha256, &image) {
            Ok(offered) => Ok(Some(offered)),
            Err(NoPermit::Installed | NoPermit::NotNow(_)) => Ok(None),
            Err(NoPermit::Never(reason)) => Err(refusal(reason, sha256, "")),
        }
    }

    /// The newest image that a standing approval permits. What it says of the others is no news,
    /// unless something is wrong with the approval itself.
    fn newest(
        &self,
        approval: &Verified<Approval>,
        sha256: Sha256Digest,
    ) -> Result<Option<Offered>, Refusal> {
        let mut images: Vec<_> = self.images.iter().collect();
        images.sort_unstable_by_key(|image| std::cmp::Reverse(image.firmware.seq));
        let mut fault = None;
        for image in images {
            match self.admit(approval, sha256, image) {
                Ok(offered) => return Ok(Some(offered)),
                Err(NoPermit::Never(reason)) if !is_about_the_image(reason) => {
                    fault = fault.or(Some(reason));
                }
                Err(NoPermit::Never(_) | NoPermit::Installed | NoPermit::NotNow(_)) => {}
            }
        }
        fault.map_or(Ok(None), |reason| Err(refusal(reason, sha256, "")))
    }

    fn admit(
        &self,
        approval: &Verified<Approval>,
        approval_sha256: Sha256Digest,
        image: &Verified<ImageTarget>,
    ) -> Result<Offered, NoPermit> {
        let proofs = Proofs {
            own: self.own,
            approval,
            approval_sha256,
            signers: &self.signing.signers,
            weakest_allowed: self.signing.weakest_allowed,
            image,
            installed: self.installed,
        };
        let admitted = proofs.admit()?;
        Ok(Offered {
            approval: approval.clone(),
            approval_sha256,
            image: image.clone(),
            installed: self.installed.cloned(),
            admitted,
        })
    }
}

/// Under a standing approval: says something of one image, and nothing of the approval.
fn is_about_the_image(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::StandingNoMatch
            | Reason::NotNewer
            | Reason::BelowFloor
            | Reason::MustPassThrough
            | Reason::OtherHardware
            | Reason::OtherInstaller
            | Reason::ReleaseWithdrawn
            | Reason::ApprovalReplayed
    )
}

fn refusal(reason: Reason, sha256: Sha256Digest, detail: &str) -> Refusal {
    let detail = if detail.is_empty() { reason.en().to_owned() } else { detail.to_owned() };
    Refusal { reason, document_sha256: Some(sha256), detail }
}

impl Offers {
    /// The best of what may be acted on at `at`: what the hospital decided last (the highest serial),
    /// and under a standing approval the highest rank; those whose time is over do not count.
    #[must_use]
    pub fn best(&self, at: Option<Timestamp>) -> Option<&Offered> {
        let alive = self.admitted.iter().filter(|offered| over(&offered.admitted, at).is_none());
        alive.max_by_key(|offered| (offered.admitted.serial, offered.admitted.image.seq))
    }

    /// Refusals of what might have been acted on, had its time not passed by `at`.
    #[must_use]
    pub fn past(&self, at: Option<Timestamp>) -> Vec<Refusal> {
        let past = self.admitted.iter().filter_map(|offered| {
            let reason = over(&offered.admitted, at)?;
            Some(refusal(reason, offered.approval_sha256, ""))
        });
        past.collect()
    }

    /// What may be acted on by this approval, for this very image.
    #[must_use]
    pub fn of(&self, goal: &Goal) -> Option<&Offered> {
        self.admitted.iter().find(|offered| {
            offered.approval_sha256 == goal.approval.sha256 && offered.admitted.image == goal.image
        })
    }

    /// What may be acted on in the wave that the server says is open.
    #[must_use]
    pub fn opened(&self, open: &WaveOpen) -> Option<&Offered> {
        self.admitted.iter().find(|offered| {
            offered.approval_sha256 == open.approval_sha256
                && offered.admitted.wave == open.wave
                && open
                    .image_sha256
                    .is_none_or(|image| image == offered.admitted.image.image_sha256)
        })
    }

    /// Why what was wanted may not be acted on any more.
    #[must_use]
    pub fn why_gone(&self, goal: &Goal) -> Reason {
        let same = |offered: &&Offered| offered.approval_sha256 == goal.approval.sha256;
        if self.admitted.iter().any(|offered| same(&offered)) {
            return Reason::Superseded;
        }
        let refused = self.refused.iter().find(|(id, _)| *id == goal.approval.id);
        refused.map_or(Reason::NoApproval, |(_, refusal)| refusal.reason)
    }
}

/// Why the time of an approval is over, if it is.
#[must_use]
pub fn over(admitted: &Admitted, at: Option<Timestamp>) -> Option<Reason> {
    let at = at?;
    if at >= admitted.valid_until {
        return Some(Reason::ApprovalOver);
    }
    admitted.slots.iter().all(|slot| slot.end() <= at).then_some(Reason::SlotsOver)
}

#[cfg(test)]
mod tests;
