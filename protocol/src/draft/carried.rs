//! A site's draft as one file that a person carries to the machine that signs, and back.
//!
//! The staged file, the approvals that it lists, what the planner saw, and the text that the console
//! showed: the signing machine makes that text again from the bytes, and refuses where it differs. Not
//! here: writing files. Invariant: canonical JSON, so that the same draft is the same bytes.

use super::statement::{BadStatement, Stated, Statement};
use crate::api::site::DeviceView;
use crate::canonical::{self, Charset, ReadJson};
use crate::digest::Sha256Digest;
use crate::envelope::Envelope;
use crate::id::{ApprovalId, RepositoryId, TargetPath};
use crate::inventory::Inventory;
use crate::language::Language;
use crate::limits::CARRIED_DRAFT_BYTES_MAX;
use crate::tuf::build::TargetsSpec;
use crate::tuf::custom::Firmware;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How such a file is called: `site-v42.draft.json`.
pub const SUFFIX: &str = ".draft.json";

/// A draft that travels.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CarriedDraft {
    /// Schema version; this code knows 1.
    pub v: u32,
    /// The staged file with the signatures that it has, in base64.
    pub stage: String,
    /// The new approvals by their names among the targets, in base64.
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, String>"))]
    pub approvals: BTreeMap<TargetPath, String>,
    /// The published `targets.json` on which it stands, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// What the hospital said of itself when it was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Inventory>,
    /// Its devices, as the planner saw them.
    #[serde(default)]
    pub devices: Vec<DeviceView>,
    /// What the console said of each approval's release, and of holes that open again. Nobody rests on
    /// it but the comparison with what was shown.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, serde_json::Value>"))]
    pub told: BTreeMap<ApprovalId, Told>,
    /// What the console showed.
    pub shown: Shown,
    /// What people signed beside it: acts that wait to be filed.
    #[serde(default)]
    pub acts: Vec<Envelope>,
}

/// The text that the console showed for signing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// In English, line by line.
    pub en: Vec<String>,
    /// In Japanese.
    pub ja: Vec<String>,
    /// Twelve digits, in groups of four.
    pub fingerprint: String,
}

/// What the console said of an approval.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// What the manufacturer says of the release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Firmware>,
    /// Holes that open again.
    #[serde(default)]
    pub cves: BTreeSet<String>,
}

/// Why a carried draft is none.
#[derive(Debug, thiserror::Error)]
pub enum BadCarried {
    /// Not this kind of file.
    #[error("it is no draft that a console handed out")]
    Read(#[source] ReadJson),
    /// Of a later version of this software.
    #[error("version {0} of the file, this software knows 1")]
    Version(u32),
    /// Broken base64.
    #[error("{0} is not base64")]
    Base64(&'static str),
    /// An approval that the targets list is not in it.
    #[error("{0} is listed and not in the file")]
    Missing(TargetPath),
    /// Something is in it that the targets do not list.
    #[error("{0} is in the file and not listed")]
    NotListed(TargetPath),
    /// An approval is another than the listed one.
    #[error(transparent)]
    Statement(#[from] BadStatement),
}

impl Shown {
    /// The lines of a language.
    #[must_use]
    pub fn lines(&self, language: Language) -> &[String] {
        match language {
            Language::En => &self.en,
            Language::Ja => &self.ja,
        }
    }

    /// Where what was shown differs from what is signed: lines shown and not signed (`-`), signed and
    /// not shown (`+`), in their order; none where both are the same.
    #[must_use]
    pub fn against(&self, language: Language, signed: &[String]) -> Vec<String> {
        let shown = self.lines(language);
        if shown == signed {
            return Vec::new();
        }
        let only = |sign: &str, here: &[String], there: &[String]| {
            let absent = here.iter().filter(|line| !there.contains(line));
            absent.map(|line| format!("{sign} {line}")).collect::<Vec<_>>()
        };
        let mut lines = only("-", shown, signed);
        lines.extend(only("+", signed, shown));
        if lines.is_empty() {
            lines.push("~".to_owned());
        }
        lines
    }
}

impl CarriedDraft {
    /// Reads one.
    ///
    /// # Errors
    /// [`BadCarried::Read`], [`BadCarried::Version`].
    pub fn read(bytes: &[u8]) -> Result<Self, BadCarried> {
        let carried: Self = canonical::read(bytes, CARRIED_DRAFT_BYTES_MAX, Charset::Unicode)
            .map_err(BadCarried::Read)?;
        if carried.v == 1 { Ok(carried) } else { Err(BadCarried::Version(carried.v)) }
    }

    /// Its bytes.
    ///
    /// # Errors
    /// [`BadCarried::Read`].
    pub fn write(&self) -> Result<Vec<u8>, BadCarried> {
        canonical::write(self).map_err(|error| BadCarried::Read(ReadJson::Shape(error)))
    }

    /// The staged file.
    ///
    /// # Errors
    /// [`BadCarried::Base64`].
    pub fn stage_bytes(&self) -> Result<Vec<u8>, BadCarried> {
        STANDARD.decode(&self.stage).map_err(|_| BadCarried::Base64("stage"))
    }

    /// The published targets on which it stands.
    ///
    /// # Errors
    /// [`BadCarried::Base64`].
    pub fn base_bytes(&self) -> Result<Option<Vec<u8>>, BadCarried> {
        let base = self.base.as_ref().map(|base| STANDARD.decode(base));
        base.transpose().map_err(|_| BadCarried::Base64("base"))
    }

    /// The files of the new approvals.
    ///
    /// # Errors
    /// [`BadCarried::Base64`].
    pub fn approval_bytes(&self) -> Result<BTreeMap<TargetPath, Vec<u8>>, BadCarried> {
        let decode = |(path, text): (&TargetPath, &String)| {
            let bytes = STANDARD.decode(text).map_err(|_| BadCarried::Base64("approvals"))?;
            Ok((path.clone(), bytes))
        };
        self.approvals.iter().map(decode).collect()
    }

    /// The new approvals of these targets, each held against what is listed.
    ///
    /// # Errors
    /// [`BadCarried`].
    pub fn stated(
        &self,
        repository: &RepositoryId,
        published: Option<&TargetsSpec>,
        targets: &TargetsSpec,
    ) -> Result<Vec<Stated>, BadCarried> {
        let files = self.approval_bytes()?;
        let new = super::changes::new_approvals(published, targets);
        let extra = files.keys().find(|path| !new.iter().any(|(listed, _)| listed == *path));
        if let Some(path) = extra {
            return Err(BadCarried::NotListed(path.clone()));
        }
        let read = |(path, listed): &(TargetPath, crate::tuf::build::TargetSpec)| {
            let bytes = files.get(path).ok_or_else(|| BadCarried::Missing(path.clone()))?;
            Ok(Stated::read(repository, path, listed.sha256, bytes)?)
        };
        new.iter().map(read).collect()
    }

    /// Where what the console showed differs from the bytes in this file, in both languages; none when it
    /// showed what is signed.
    ///
    /// # Errors
    /// [`BadCarried`].
    pub fn differences(
        &self,
        repository: &RepositoryId,
        published: Option<&TargetsSpec>,
        targets: &TargetsSpec,
        signed_sha256: Sha256Digest,
    ) -> Result<Vec<String>, BadCarried> {
        let mut approvals = self.stated(repository, published, targets)?;
        for stated in &mut approvals {
            let told = self.told.get(&stated.approval.id).cloned().unwrap_or_default();
            (stated.release, stated.cves) = (told.release, told.cves);
        }
        let approvals = approvals.as_slice();
        let statement = Statement { repository, targets, published, approvals, signed_sha256 };
        let mut lines = Vec::new();
        for language in Language::ALL {
            lines.extend(self.shown.against(language, &statement.lines(language)));
        }
        let fingerprint = signed_sha256.fingerprint();
        if self.shown.fingerprint != fingerprint {
            lines.push(format!("- {}", self.shown.fingerprint));
            lines.push(format!("+ {fingerprint}"));
        }
        Ok(lines)
    }
}

/// Bytes as they stand in such a file.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
