//! The one text of what a person signs for a site: what changes, every approval with its devices and
//! hours, which holes open again, and the digest of the bytes.
//!
//! The console shows it, the command line prints it, paper carries it: the same lines from the same
//! bytes. Not here: what a signer's own machine found out besides.
//! Invariant: the text is made from the bytes that are signed and from nothing that is shown instead.

use super::error::BadDraft;
use super::{approval_text, back, changes, next};
use crate::approval::{Approval, BadApproval};
use crate::digest::Sha256Digest;
use crate::id::{RepositoryId, TargetPath};
use crate::language::Language;
use crate::tuf::build::TargetsSpec;
use crate::tuf::custom::Firmware;
use crate::tuf::role::Role;
use crate::tuf::stage::Staged;
use std::collections::BTreeSet;

/// What is signed for a site.
#[derive(Debug, Clone)]
pub struct Statement<'a> {
    /// The site's repository.
    pub repository: &'a RepositoryId,
    /// The targets that are signed.
    pub targets: &'a TargetsSpec,
    /// The targets that are published.
    pub published: Option<&'a TargetsSpec>,
    /// The new approvals, in the order of their files.
    pub approvals: &'a [Stated],
    /// Digest of the bytes that are signed.
    pub signed_sha256: Sha256Digest,
}

/// A new approval, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    /// The approval.
    pub approval: Approval,
    /// Digest of its file.
    pub sha256: Sha256Digest,
    /// What the manufacturer says of the release, where that is verified.
    pub release: Option<Firmware>,
    /// Holes that open again.
    pub cves: BTreeSet<String>,
}

/// Why the approvals of targets are not those that the targets name.
#[derive(Debug, thiserror::Error)]
pub enum BadStatement {
    /// Not an approval.
    #[error("{path} is no approval that a device would take")]
    Approval {
        /// Its path.
        path: TargetPath,
        /// Why.
        source: BadApproval,
    },
    /// Its bytes are not those that the targets list.
    #[error("{0} is not the file that is listed")]
    OtherBytes(TargetPath),
    /// It is another site's, or stands under another name.
    #[error("{path} holds {id} of {site}")]
    Misplaced {
        /// Its path.
        path: TargetPath,
        /// What it says that it is.
        id: String,
        /// Whose it says that it is.
        site: String,
    },
}

impl Statement<'_> {
    /// The text, line by line.
    #[must_use]
    pub fn lines(&self, language: Language) -> Vec<String> {
        let mut lines = vec![head(language, self.repository, self.targets.version)];
        lines.extend(changes::lines(language, self.published, self.targets));
        lines.extend(self.approvals.iter().flat_map(|stated| stated.lines(language)));
        lines.extend(signed(language, self.signed_sha256));
        lines
    }
}

impl Stated {
    /// Reads an approval's file and holds it against what the targets list.
    ///
    /// # Errors
    /// [`BadStatement`].
    pub fn read(
        repository: &RepositoryId,
        path: &TargetPath,
        listed: Sha256Digest,
        bytes: &[u8],
    ) -> Result<Self, BadStatement> {
        if Sha256Digest::of(bytes) != listed {
            return Err(BadStatement::OtherBytes(path.clone()));
        }
        let approval = Approval::read(bytes)
            .map_err(|source| BadStatement::Approval { path: path.clone(), source })?;
        let own = RepositoryId::Site(approval.site.clone());
        let named = next::path_of(&approval.id).is_ok_and(|named| named == *path);
        if own != *repository || !named {
            let (id, site) = (approval.id.to_string(), approval.site.to_string());
            return Err(BadStatement::Misplaced { path: path.clone(), id, site });
        }
        Ok(Self { approval, sha256: listed, release: None, cves: BTreeSet::new() })
    }

    /// The approval, what the manufacturer says of its release, and what opens again.
    #[must_use]
    pub fn lines(&self, language: Language) -> Vec<String> {
        let mut lines = approval_text::lines(language, &self.approval, self.sha256);
        if self.approval.release.is_some() {
            lines.extend(approval_text::release_lines(language, self.release.as_ref()));
        }
        lines.extend(back::opens_again(language, &self.cves));
        lines
    }
}

/// What is signed, in one line.
#[must_use]
pub fn head(language: Language, repository: &RepositoryId, version: u64) -> String {
    format!("{repository} {} {} {version}", Role::Targets, language.pick("version", "版"))
}

/// The digest of the bytes and its fingerprint: twelve digits in groups of four.
#[must_use]
pub fn signed(language: Language, sha256: Sha256Digest) -> Vec<String> {
    vec![
        format!("{} {sha256}", language.pick("signed bytes, SHA-256:", "署名対象 SHA-256:")),
        format!("{} {}", language.pick("fingerprint:", "照合コード:"), sha256.fingerprint()),
    ]
}

/// The targets that a staged file says.
///
/// # Errors
/// [`BadDraft::Tuf`].
pub fn targets_of(staged: &Staged) -> Result<TargetsSpec, BadDraft> {
    let document = staged.typed::<crate::tuf::schema::Targets>()?;
    Ok(TargetsSpec::of(&Role::Targets, &document.signed)?)
}
