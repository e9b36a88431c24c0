//! Approvals of the site, each beside the release that it names, and what of them concerns this
//! device.
//!
//! Approvals are fetched once, kept by digest and verified again from those bytes at every look.
//! Not here: whether the moment is right.
//! Invariant: an [`Offered`] holds an approval and an image that were both verified in this run.

use crate::journal::{sync_dir, write_durably};
use crate::ledger::refusals::Refusal;
use crate::link::http::Client;
use crate::permit::{NoPermit, Proofs};
use hyper::header::{self, HeaderName};
use patchward_protocol::approval::{Approval, ApprovalState};
use patchward_protocol::decision::{Admitted, Own, SignedBy};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{ApprovalId, PersonId, RepositoryId};
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
    let (mut offers, signing) = (Offers::default(), signing(site));
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
            Ok(approval) => one(&mut offers, family, &signing, own, approval, sha256),
        }
    }
    offers
}

fn one(
    offers: &mut Offers,
    family: &TrustedSet,
    signing: &Signing,
    own: &Own,
    approval: Verified<Approval>,
    sha256: Sha256Digest,
) {
    if approval.state == ApprovalState::Withdrawn {
        offers.withdrawn.push((approval.id.clone(), approval.valid_until));
    }
    if !approval.devices.iter().any(|device| device.id == own.device) {
        return;
    }
    let mut refuse = |reason, detail: &str| {
        offers.refused.push((approval.id.clone(), refusal(reason, sha256, detail)));
    };
    if !approval.families().contains(&&own.family) {
        return refuse(Reason::OtherFamily, "");
    }
    let Some(release) = &approval.release else { return refuse(Reason::ActionUnknown, "") };
    let image = match family.image(&release.path) {
        Ok(Some(image)) => image,
        Ok(None) => return refuse(Reason::ApprovalOtherImage, "no such release is signed"),
        Err(error) => return refuse(Reason::ReleaseMalformed, &error.source.to_string()),
    };
    let proofs = Proofs {
        own,
        approval: &approval,
        approval_sha256: sha256,
        signers: &signing.signers,
        weakest_allowed: signing.weakest_allowed,
        image: &image,
    };
    match proofs.admit() {
        Ok(admitted) => {
            offers.admitted.push(Offered { approval, approval_sha256: sha256, image, admitted });
        }
        Err(NoPermit::Installed | NoPermit::NotNow(_)) => {}
        Err(NoPermit::Never(reason)) => refuse(reason, ""),
    }
}

fn refusal(reason: Reason, sha256: Sha256Digest, detail: &str) -> Refusal {
    let detail = if detail.is_empty() { reason.en().to_owned() } else { detail.to_owned() };
    Refusal { reason, document_sha256: Some(sha256), detail }
}

impl Offers {
    /// The best of what may be acted on at `at`: the highest rank, then the newest approval; those
    /// whose time is over do not count.
    #[must_use]
    pub fn best(&self, at: Option<Timestamp>) -> Option<&Offered> {
        let alive = self.admitted.iter().filter(|offered| over(&offered.admitted, at).is_none());
        alive.max_by_key(|offered| (offered.admitted.image.seq, offered.admitted.serial))
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

    /// What may be acted on by this approval.
    #[must_use]
    pub fn by(&self, approval_sha256: Sha256Digest) -> Option<&Offered> {
        self.admitted.iter().find(|offered| offered.approval_sha256 == approval_sha256)
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
