//! `custom.fw`: what a manufacturer says, offline-signed, about one image target.
//!
//! Approvals, reports and ledgers name an image by `image_sha256`; the transported file may be
//! another (a compressed container). ASCII and integers only, because this stands in signed
//! metadata. Unknown fields and unknown formats are refused: unknown means no.
//! Invariant: a value of [`Firmware`] has passed [`Firmware::check`].

use crate::digest::Sha256Digest;
use crate::id::{FamilyId, HardwareId, Seq, TargetPath, Version};
use crate::image::ImageRef;
use crate::limits::IMAGE_BYTES_MAX;
use serde::{Deserialize, Serialize};

/// The `fw` object of an image target's `custom`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Firmware {
    /// Schema version; this code knows 1.
    pub v: u32,
    /// The family; must be that of the repository.
    pub family: FamilyId,
    /// Version as people read it.
    pub version: Version,
    /// Rank; rises with every release of the family.
    pub seq: Seq,
    /// Hardware that the image fits; at least one.
    pub hw: Vec<HardwareId>,
    /// The installed image must have at least this rank (a release that must not be skipped).
    pub min_seq: Seq,
    /// Ranks that a device with this image may be rolled back to.
    pub rollback_ok: Vec<Seq>,
    /// What kind of change it is.
    pub class: Class,
    /// Worst severity of what it closes.
    pub severity: Severity,
    /// CVE ids that it closes, e.g. `CVE-2026-1234`.
    pub cves: Vec<String>,
    /// One of them is known to be exploited.
    pub known_exploited: bool,
    /// Offered, or taken back by the manufacturer.
    pub state: ReleaseState,
    /// The transported file and the image inside it.
    pub payload: Payload,
    /// How long each disruptive part takes, in seconds.
    pub est: Estimate,
    /// The device gives therapy: it is never activated without a person.
    pub therapy: bool,
    /// What must happen after the restart before clinical use.
    pub acceptance: Acceptance,
    /// Documents of the release.
    pub docs: Documents,
}

/// What kind of change a release is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Class {
    /// Closes security holes and changes nothing else.
    #[serde(rename = "security")]
    Security,
    /// Closes security holes and corrects faults.
    #[serde(rename = "security+fix")]
    SecurityAndFix,
    /// Brings something new.
    #[serde(rename = "feature")]
    Feature,
}

/// CVSS qualitative severity (CVSS v3.1, section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Severity {
    None,
    Low,
    Medium,
    High,
    Critical,
}

/// Whether the manufacturer still offers a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseState {
    /// May be installed where a hospital approves it.
    Released,
    /// Taken back: not installed any more, whatever was approved.
    Withdrawn,
}

/// What a device must pass after the restart before it is used on patients again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acceptance {
    /// Health checks alone.
    None,
    /// Health checks with the device's own self-test.
    SelfTest,
    /// A named person releases it.
    Human,
}

/// The transported file and what stands on the device afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payload {
    /// How the file carries the image.
    pub format: Format,
    /// Which installer it is for.
    pub kind: Kind,
    /// Digest of what stands in the slot (for a tree: of the archive).
    pub image_sha256: Sha256Digest,
    /// Length of that, in bytes.
    pub image_length: u64,
    /// Room the slot must have, in bytes; for a tree the unpacked size.
    pub slot_bytes: u64,
    /// Digest of header and table of the container ([`crate::delta`]); in the format `pwd1` only.
    /// It binds the digest of every window of the image to the offline signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_sha256: Option<Sha256Digest>,
}

/// How the transported file carries the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// The file is the image, byte for byte.
    Raw,
    /// The file is a tree archive ([`crate::tree`]).
    Tree,
    /// The file is a full delta container ([`crate::delta`]) around a slot image or a tree archive.
    Pwd1,
}

/// Which installer an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Written to the inactive one of two slots.
    Slots,
    /// Unpacked to a folder beside the running one.
    Tree,
}

/// Signed estimates, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// From the activation write to the restart.
    pub activate_s: u64,
    /// From the restart to the agent running again.
    pub boot_s: u64,
    /// Until all health checks have answered.
    pub health_s: u64,
    /// Going back, should it be needed.
    pub rollback_s: u64,
}

/// Documents of a release, each a target of the same repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Documents {
    /// The dossier (TOML).
    pub dossier: Document,
    /// The software bill of materials.
    pub sbom: Document,
    /// Release notes in Japanese.
    pub notes_ja: Document,
    /// Release notes in English.
    pub notes_en: Document,
}

/// One document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Where it stands among the targets (`doc/…`).
    pub path: TargetPath,
    /// Its digest.
    pub sha256: Sha256Digest,
}

/// Which rule of `custom.fw` is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("custom.fw.{field}: {rule}")]
pub struct BadFirmware {
    /// Dotted name of the field.
    pub field: &'static str,
    /// What the field must be.
    pub rule: &'static str,
}

impl Firmware {
    /// Reads and checks the `fw` object of a target's `custom`.
    ///
    /// # Errors
    /// [`BadFirmware`] with the first field that breaks a rule.
    pub fn from_custom(fw: &serde_json::Value) -> Result<Self, BadFirmware> {
        let shape = |_| BadFirmware { field: "fw", rule: "not of this version's shape" };
        let firmware = Self::deserialize(fw).map_err(shape)?;
        firmware.check()?;
        Ok(firmware)
    }

    /// The image, as ledgers and reports name it.
    #[must_use]
    pub fn image(&self) -> ImageRef {
        ImageRef {
            family: self.family.clone(),
            version: self.version.clone(),
            seq: self.seq,
            image_sha256: self.payload.image_sha256,
        }
    }

    /// Checks what types cannot say.
    ///
    /// # Errors
    /// [`BadFirmware`] with the first field that breaks a rule.
    pub fn check(&self) -> Result<(), BadFirmware> {
        let must = |holds: bool, field, rule| {
            if holds { Ok(()) } else { Err(BadFirmware { field, rule }) }
        };
        let payload = &self.payload;
        let matches = matches!(
            (payload.format, payload.kind),
            (Format::Raw, Kind::Slots) | (Format::Tree, Kind::Tree) | (Format::Pwd1, _)
        );
        let has_table = payload.table_sha256.is_some();
        must(self.v == 1, "v", "this software knows version 1 only")?;
        must(self.seq.0 > 0, "seq", "at least 1")?;
        must(!self.hw.is_empty() && self.hw.len() <= 64, "hw", "1 to 64 hardware ids")?;
        must(self.min_seq < self.seq, "min_seq", "below seq")?;
        must(self.rollback_ok.len() <= 64, "rollback_ok", "at most 64 ranks")?;
        must(self.rollback_ok.iter().all(|seq| *seq < self.seq), "rollback_ok", "all below seq")?;
        must(self.cves.len() <= 256, "cves", "at most 256")?;
        must(self.cves.iter().all(|cve| is_cve(cve)), "cves", "each like CVE-2026-1234")?;
        must(matches, "payload.format", "raw goes with kind slots, tree with kind tree")?;
        must(
            (1..=IMAGE_BYTES_MAX).contains(&payload.image_length),
            "payload.image_length",
            "1 byte to 64 GiB",
        )?;
        must(
            has_table == (payload.format == Format::Pwd1),
            "payload.table_sha256",
            "there in format pwd1, and only there",
        )?;
        must(payload.slot_bytes > 0, "payload.slot_bytes", "at least 1")?;
        let est = [self.est.activate_s, self.est.boot_s, self.est.health_s, self.est.rollback_s];
        must(est.iter().all(|s| *s <= 24 * 3600), "est", "each at most a day")?;
        must(self.docs.all_in_doc(), "docs", "every path starts with doc/")
    }
}

impl Documents {
    /// The four documents, each with its name.
    #[must_use]
    pub fn each(&self) -> [(&'static str, &Document); 4] {
        [
            ("dossier", &self.dossier),
            ("sbom", &self.sbom),
            ("notes_ja", &self.notes_ja),
            ("notes_en", &self.notes_en),
        ]
    }

    fn all_in_doc(&self) -> bool {
        self.each().iter().all(|(_, document)| document.path.parts().0 == "doc")
    }
}

impl Estimate {
    /// The worst case of the disruptive part with the way back: each part times 1.5, in seconds.
    #[must_use]
    pub fn worst_s(&self) -> u64 {
        let parts = [self.activate_s, self.boot_s, self.health_s, self.rollback_s];
        parts.iter().map(|s| s.saturating_mul(3).div_ceil(2)).sum()
    }
}

pub(crate) fn is_cve(text: &str) -> bool {
    let digits = |part: &str, range: std::ops::RangeInclusive<usize>| {
        range.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    text.strip_prefix("CVE-")
        .and_then(|rest| rest.split_once('-'))
        .is_some_and(|(year, number)| digits(year, 4..=4) && digits(number, 4..=10))
}
