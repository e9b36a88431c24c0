//! The draft as a value: what was asked for, what is to be signed, and what came so far.
//!
//! Not here: making and changing it. Invariant: the staged file and the approvals belong together; each
//! approval's bytes are those that the staged targets list.

use super::ready::ReadOnce;
use crate::error::ApiError;
use crate::limits::PREPARED_S_MAX;
use patchward_protocol::act::Act;
use patchward_protocol::api::site::DeviceView;
use patchward_protocol::approval::Approval;
use patchward_protocol::canonical::{self, Charset};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::draft::carried::Shown;
use patchward_protocol::draft::draw::Terms;
use patchward_protocol::draft::left_out::Left;
use patchward_protocol::draft::planned::Wishes;
use patchward_protocol::draft::standing::Wanting;
use patchward_protocol::draft::statement::{Stated, Statement, targets_of};
use patchward_protocol::envelope::Envelope;
use patchward_protocol::id::{
    ApprovalId, FamilyId, PersonId, RepositoryId, SiteId, TargetPath, Version,
};
use patchward_protocol::inventory::Inventory;
use patchward_protocol::language::Language;
use patchward_protocol::limits::PAYLOAD_BYTES_MAX;
use patchward_protocol::plan::Unplaced;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::build::TargetsSpec;
use patchward_protocol::tuf::custom::Firmware;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::stage::Staged;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// An open draft of a site.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Draft {
    /// The site.
    pub site: SiteId,
    /// How often it was stored; 0 before the first time.
    #[serde(skip)]
    pub revision: u64,
    /// What was asked for.
    pub wanted: Wanted,
    /// The targets that are signed, with the signatures so far.
    #[serde(with = "staged_text")]
    pub staged: Staged,
    /// Digest of what was signed of the published targets on which it stands.
    pub base_sha256: Sha256Digest,
    /// The new approvals, in the order of their names.
    pub approvals: Vec<File>,
    /// What the hospital said of itself when it was planned.
    pub inventory: Inventory,
    /// Its devices as the planner saw them.
    pub devices: Vec<DeviceView>,
    /// Devices without a slot.
    pub unplaced: Vec<Unplaced>,
    /// Devices that were not planned.
    pub left: Vec<Left>,
    /// What people said beside their signatures; filed when it is published.
    pub acts: Vec<Envelope>,
    /// Acts that wait for a signature made in the page.
    pub prepared: Vec<Prepared>,
    /// When it was made.
    pub made: Timestamp,
    /// Printed name of who made it.
    pub made_by: String,
    /// When it was made again, and whose signatures were lost by that.
    pub rebuilt: Option<Rebuilt>,
    /// The approvals once they were read.
    #[serde(skip)]
    pub read: ReadOnce,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Wanted {
    /// One release for devices of its family, or back to it.
    Release(Box<WantedRelease>),
    /// A policy.
    Standing(Box<Wanting>),
    /// Taking approvals back.
    Withdraw {
        /// Which.
        approvals: Vec<ApprovalId>,
    },
}

/// One release for devices of its family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedRelease {
    /// The family.
    pub family: FamilyId,
    /// The version.
    pub version: Version,
    /// Which devices and hours.
    pub wishes: Wishes,
    /// What must hold.
    pub terms: Terms,
    /// The approval that it replaces.
    pub supersedes: Option<ApprovalId>,
}

/// The file of a new approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name among the targets.
    pub path: TargetPath,
    /// Its text: canonical JSON, ASCII.
    pub text: String,
}

/// Acts that a person is about to sign in the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// Whose key signs them.
    pub person: PersonId,
    /// The payloads: canonical JSON.
    pub payloads: Vec<String>,
}

impl Prepared {
    /// What they say; none when one does not read.
    #[must_use]
    pub fn acts(&self) -> Option<Vec<Act>> {
        let read = |payload: &String| {
            canonical::read(payload.as_bytes(), PAYLOAD_BYTES_MAX, Charset::Unicode).ok()
        };
        self.payloads.iter().map(read).collect()
    }

    /// Whether they were said so short a time before `at` that they may be signed now: the hour in an
    /// act is when it was signed.
    #[must_use]
    pub fn is_fresh(&self, at: Timestamp) -> bool {
        let fresh = |act: &Act| act.at.plus_seconds(PREPARED_S_MAX) > at;
        self.acts().is_some_and(|acts| acts.iter().all(fresh))
    }

    /// Names them: what was shown is what is signed.
    #[must_use]
    pub fn sha256(&self) -> Sha256Digest {
        Sha256Digest::of(self.payloads.join("\n").as_bytes())
    }
}

/// A draft that was made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuilt {
    /// When.
    pub at: Timestamp,
    /// Whose signatures were lost.
    pub lost: Vec<PersonId>,
}

impl Draft {
    /// The repository.
    #[must_use]
    pub fn repository(&self) -> RepositoryId {
        RepositoryId::Site(self.site.clone())
    }

    /// What the targets say.
    ///
    /// # Errors
    /// A failure of ours.
    pub fn targets(&self) -> Result<TargetsSpec, ApiError> {
        targets_of(&self.staged).map_err(ApiError::failed)
    }

    /// The new approvals.
    ///
    /// # Errors
    /// A failure of ours.
    pub fn read_approvals(&self) -> Result<Vec<Approval>, ApiError> {
        let read = |file: &File| Approval::read(file.text.as_bytes()).map_err(ApiError::failed);
        self.read.of(&self.approvals, || self.approvals.iter().map(read).collect())
    }

    /// The new approvals with what is known of their releases.
    ///
    /// # Errors
    /// A failure of ours.
    pub fn stated(
        &self,
        release: impl Fn(&Approval) -> Option<Firmware>,
        reexposed: impl Fn(&Approval) -> BTreeSet<String>,
    ) -> Result<Vec<Stated>, ApiError> {
        let read = |approval: Approval, file: &File| Stated {
            sha256: Sha256Digest::of(file.text.as_bytes()),
            release: release(&approval),
            cves: reexposed(&approval),
            approval,
        };
        let approvals = self.read_approvals()?.into_iter().zip(&self.approvals);
        Ok(approvals.map(|(approval, file)| read(approval, file)).collect())
    }

    /// The text that is shown, in both languages.
    ///
    /// # Errors
    /// A failure of ours.
    pub fn shown(
        &self,
        published: Option<&TargetsSpec>,
        stated: &[Stated],
    ) -> Result<Shown, ApiError> {
        let (repository, targets) = (self.repository(), self.targets()?);
        let signed_sha256 = self.staged.message_sha256();
        let statement = Statement {
            repository: &repository,
            targets: &targets,
            published,
            approvals: stated,
            signed_sha256,
        };
        Ok(Shown {
            en: statement.lines(Language::En),
            ja: statement.lines(Language::Ja),
            fingerprint: signed_sha256.fingerprint(),
        })
    }
}

/// A staged file as text: canonical JSON, ASCII.
mod staged_text {
    use super::{Role, Staged};
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(staged: &Staged, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&String::from_utf8_lossy(&staged.to_bytes()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Staged, D::Error> {
        let text = String::deserialize(from)?;
        Staged::read(Role::Targets, text.as_bytes()).map_err(D::Error::custom)
    }
}
