//! What trusted targets say: files, images, keys.
//!
//! Only the top-level targets of a Patchward repository speak here; delegated roles are asked by
//! name ([`TrustedSet::delegated_files`]) or searched ([`super::search`]). Not here: what an approval
//! or a release permits.
//! Invariant: everything comes as [`Verified`], and an image with a fault is refused by itself.

use super::custom::{BadFirmware, Firmware, Format, Payload};
use super::error::TufError;
use super::profile;
use super::role::{Naming, Role};
use super::schema::{self, Delegations, Method, Part, Target, Targets, TopLevel};
use super::search;
use super::trusted_set::TrustedSet;
use crate::digest::Sha256Digest;
use crate::id::{RepositoryId, TargetPath};
use crate::key::PublicKey;
use crate::time::Timestamp;
use crate::verified::Verified;
use serde_json::Value;
use std::collections::BTreeSet;

/// A file that trusted targets list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetFile {
    /// Its name.
    pub path: TargetPath,
    /// Its length in bytes.
    pub length: u64,
    /// Its digest.
    pub sha256: Sha256Digest,
}

/// An image that trusted targets list, with what the manufacturer says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageTarget {
    /// The name of the transported file.
    pub path: TargetPath,
    /// Its length in bytes.
    pub length: u64,
    /// Its digest.
    pub sha256: Sha256Digest,
    /// `custom.fw`.
    pub firmware: Firmware,
}

/// An image that is listed and not used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("image {path} is not used")]
pub struct RefusedImage {
    /// Its name.
    pub path: TargetPath,
    /// Why.
    pub source: BadFirmware,
}

/// Directory of images.
pub const IMAGE_DIR: &str = "img";
/// Directory of documents.
pub const DOCUMENT_DIR: &str = "doc";
/// Directory of approvals.
pub const APPROVAL_DIR: &str = "approval";

impl TrustedSet {
    /// What the targets say of a file.
    #[must_use]
    pub fn target(&self, path: &TargetPath) -> Option<Verified<TargetFile>> {
        let entry = schema::entry(self.listed()?, path.as_str())?;
        file(path.clone(), entry).map(Verified::new)
    }

    /// What the targets say of an image.
    ///
    /// # Errors
    /// [`RefusedImage`] when its `custom.fw` breaks a rule.
    pub fn image(&self, path: &TargetPath) -> Result<Option<Verified<ImageTarget>>, RefusedImage> {
        let entry = self.listed().and_then(|targets| schema::entry(targets, path.as_str()));
        let listed = entry.filter(|_| path.parts().0 == IMAGE_DIR);
        listed.map(|entry| self.read_image(path.clone(), entry)).transpose()
    }

    /// All files of a directory, by name: `approval`, `doc`, `img`.
    #[must_use]
    pub fn files(&self, dir: &str) -> Vec<Verified<TargetFile>> {
        self.in_dir(dir)
            .into_iter()
            .filter_map(|(path, entry)| file(path, entry))
            .map(Verified::new)
            .collect()
    }

    /// All images, by name; those with a fault with their reason.
    #[must_use]
    pub fn images(&self) -> Vec<Result<Verified<ImageTarget>, RefusedImage>> {
        let images = self.in_dir(IMAGE_DIR).into_iter();
        images.map(|(path, entry)| self.read_image(path, entry)).collect()
    }

    /// A field of `custom` beside a target.
    #[must_use]
    pub fn custom(&self, path: &TargetPath, field: &str) -> Option<&Value> {
        schema::entry(self.listed()?, path.as_str())?.custom.get(field)
    }

    /// All files of a delegated role that the top-level targets let it list, by name.
    ///
    /// # Errors
    /// [`TufError::OutOfTurn`] before it was taken; any reason not to trust it.
    pub fn delegated_files(&self, role: &str) -> Result<Vec<Verified<TargetFile>>, TufError> {
        let delegations = self.top_delegations();
        let out_of_turn = || TufError::OutOfTurn { role: Role::Delegated(role.to_owned()) };
        let document = self.delegated(delegations, role)?.ok_or_else(out_of_turn)?;
        let named = delegations.roles.iter().find(|delegated| delegated.name == role);
        let paths = &named.ok_or_else(out_of_turn)?.paths;
        let mut files: Vec<_> = entries(&document.signed)
            .filter(|(path, _)| search::covers(paths, path.as_str()))
            .filter_map(|(path, entry)| file(path, entry))
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files.into_iter().map(Verified::new).collect())
    }

    /// A file's `custom` field in a delegated role.
    pub(super) fn delegated_custom(
        &self,
        role: &str,
        path: &TargetPath,
        field: &str,
    ) -> Option<&Value> {
        let document = self.delegated(self.top_delegations(), role).ok()??;
        schema::entry(&document.signed, path.as_str())?.custom.get(field)
    }

    /// Whether the top-level targets name this role.
    pub(super) fn delegates_to(&self, role: &str) -> bool {
        self.top_delegations().roles.iter().any(|delegated| delegated.name == role)
    }

    /// Takes a role that the top-level targets delegate to; its file is named by
    /// [`TrustedSet::delegated_file`].
    ///
    /// # Errors
    /// Any reason not to trust it; the rest of the set stays trusted.
    pub fn take_delegated(&mut self, role: &str, bytes: &[u8]) -> Result<(), TufError> {
        let delegations = self.top_delegations().clone();
        self.update_delegated(&delegations, role, bytes)
    }

    /// The file of a delegated role, percent-encoded below the metadata URL, and its most bytes.
    ///
    /// # Errors
    /// [`TufError::NotListed`] when the snapshot does not list it.
    pub fn delegated_file(&self, role: &str) -> Result<(String, usize), TufError> {
        let role = Role::Delegated(role.to_owned());
        let listing = self.listing(&role)?;
        let listed = listing.length.and_then(|length| usize::try_from(length).ok());
        let bytes_max = listed.unwrap_or(usize::MAX).min(role.bytes_max());
        Ok((role.file(listing.version.get(), self.naming()), bytes_max))
    }

    /// The name of a target's file below the targets URL: `img/{sha256}.{name}`.
    #[must_use]
    pub fn file_of(&self, target: &TargetFile) -> String {
        target_file_name(target.path.as_str(), target.sha256, self.naming())
    }

    /// The weakest method that this site lets its approvals be signed with (`x-weakest`).
    #[must_use]
    pub fn weakest(&self) -> Method {
        profile::weakest(&self.root().signed)
    }

    /// Keys whose signed time counts as a source of its own (`x-time-keys`).
    #[must_use]
    pub fn time_keys(&self) -> Vec<PublicKey> {
        profile::time_keys(&self.root().signed)
    }

    /// The timestamp's keys; they sign time answers too.
    #[must_use]
    pub fn timestamp_keys(&self) -> BTreeSet<PublicKey> {
        self.authority(TopLevel::Timestamp).map(|keys| keys.public_keys()).unwrap_or_default()
    }

    /// When the trusted targets were signed, as they say (`x-issued`).
    #[must_use]
    pub fn targets_issued(&self) -> Option<Timestamp> {
        self.listed().and_then(profile::issued)
    }

    /// When the first of the trusted documents expires.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        let parts = [
            Some(self.root().signed.expires()),
            self.timestamp().map(|document| document.signed.expires()),
            self.snapshot().map(|document| document.signed.expires()),
            self.targets().map(|document| document.signed.expires()),
        ];
        parts.into_iter().flatten().min().unwrap_or(Timestamp::EPOCH)
    }

    fn listed(&self) -> Option<&Targets> {
        self.targets().map(|document| &document.signed)
    }

    fn top_delegations(&self) -> &Delegations {
        static NONE: std::sync::LazyLock<Delegations> =
            std::sync::LazyLock::new(Delegations::default);
        self.listed().and_then(|targets| targets.delegations.as_ref()).unwrap_or(&NONE)
    }

    fn in_dir(&self, dir: &str) -> Vec<(TargetPath, &Target)> {
        let all = self.listed().into_iter().flat_map(entries);
        let mut found: Vec<_> = all.filter(|(path, _)| path.parts().0 == dir).collect();
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        found
    }

    fn read_image(
        &self,
        path: TargetPath,
        entry: &Target,
    ) -> Result<Verified<ImageTarget>, RefusedImage> {
        read_image(self.profile().repository(), path, entry).map(Verified::new)
    }
}

/// What an entry says of an image, with every rule that concerns it alone.
pub(super) fn read_image(
    repository: Option<&RepositoryId>,
    path: TargetPath,
    entry: &Target,
) -> Result<ImageTarget, RefusedImage> {
    let refuse = |source| RefusedImage { path: path.clone(), source };
    let rule = |field, rule| refuse(BadFirmware { field, rule });
    let missing = || rule("fw", "every image says what it is");
    let fw = entry.custom.get("fw").ok_or_else(missing)?;
    let firmware = Firmware::from_custom(fw).map_err(refuse)?;
    let Some(RepositoryId::Family(family)) = repository else {
        return Err(rule("family", "images stand in family repositories only"));
    };
    if firmware.family != *family {
        return Err(rule("family", "the family of the repository"));
    }
    let no_digest = || rule("payload", "a target with a SHA-256 digest");
    let TargetFile { length, sha256, .. } = file(path.clone(), entry).ok_or_else(no_digest)?;
    carries_itself(&firmware.payload, length, sha256).map_err(refuse)?;
    Ok(ImageTarget { path: path.clone(), length, sha256, firmware })
}

/// Checks bytes against what trusted targets say of them.
///
/// # Errors
/// [`TufError::LengthMismatch`] or [`TufError::HashMismatch`].
pub fn check_bytes(
    target: &Verified<TargetFile>,
    bytes: Vec<u8>,
) -> Result<Verified<Vec<u8>>, TufError> {
    let found = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    check_sum(target, found, Sha256Digest::of(&bytes))?;
    Ok(Verified::new(bytes))
}

/// Checks length and digest, computed piece by piece, against what trusted targets say.
///
/// # Errors
/// [`TufError::LengthMismatch`] or [`TufError::HashMismatch`].
pub fn check_sum(
    target: &Verified<TargetFile>,
    length: u64,
    sha256: Sha256Digest,
) -> Result<(), TufError> {
    let name = || target.path.to_string();
    if length != target.length {
        let (expected, found) = (target.length, length);
        return Err(TufError::LengthMismatch { name: name(), expected, found });
    }
    if sha256 != target.sha256 {
        let (expected, found) = (target.sha256, sha256);
        return Err(TufError::HashMismatch { name: name(), expected, found });
    }
    Ok(())
}

/// The name of a target's file below the targets URL.
#[must_use]
pub fn target_file_name(name: &str, sha256: Sha256Digest, naming: Naming) -> String {
    match (naming, name.rsplit_once('/')) {
        (Naming::Plain, _) => name.to_owned(),
        (Naming::Consistent, Some((dir, file))) => format!("{dir}/{sha256}.{file}"),
        (Naming::Consistent, None) => format!("{sha256}.{name}"),
    }
}

/// In all formats but the container the transported file is the image.
fn carries_itself(payload: &Payload, length: u64, sha256: Sha256Digest) -> Result<(), BadFirmware> {
    let bad = |field, rule| Err(BadFirmware { field, rule });
    if payload.format == Format::Pwd1 {
        return Ok(());
    }
    if payload.image_length != length {
        return bad("payload.image_length", "the length of the target, which is the image");
    }
    if payload.image_sha256 != sha256 {
        return bad("payload.image_sha256", "the digest of the target, which is the image");
    }
    Ok(())
}

/// All entries with a sound name. In a Patchward repository that is all entries.
pub(super) fn entries(targets: &Targets) -> impl Iterator<Item = (TargetPath, &Target)> {
    targets
        .targets
        .iter()
        .filter_map(|(name, entry)| TargetPath::new(name.raw()).ok().map(|path| (path, entry)))
}

pub(super) fn file(path: TargetPath, entry: &Target) -> Option<TargetFile> {
    let sha256 = schema::listed_sha256(&entry.hashes)?;
    Some(TargetFile { path, length: entry.length, sha256 })
}
