//! Releases as a manufacturer builds them: an image, a dossier, an SBOM and notes.
//!
//! Small by default, of any size on request, never compressible; versions of a family have three of four
//! parts in common, so that there is something to take from the old one.
//! Invariant: the same version, seed and size give the same bytes.

use crate::bin::workspace;
use crate::chance::Chance;
use crate::container::{Container, WINDOW_BYTES};
use anyhow::{Context as _, Result};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::dossier::Dossier;
use patchward_protocol::id::{FamilyId, Seq, TargetPath};
use patchward_protocol::tree::{FileMode, TreePath, TreeWriter};
use patchward_protocol::tuf::custom::{
    Class, Document, Documents, Firmware, Format, Kind, Payload, ReleaseState,
};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

/// The hardware that all test devices are.
pub const HARDWARE: &str = "bench.rev1";

/// Bytes that a version has in common with others of its family, or not.
const PART_BYTES: usize = WINDOW_BYTES;
/// Of so many parts, one is a version's own, unless a recipe says otherwise.
const OWN_EVERY: usize = 4;

/// A file's mode and bytes; a folder has neither.
pub type Content = Option<(FileMode, Vec<u8>)>;

/// How the transported file carries the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// The file is the image.
    Plain,
    /// The file is a full container around it.
    Container,
}

/// What a release is made of.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Family.
    pub family: FamilyId,
    /// Version for people.
    pub version: String,
    /// Rank.
    pub seq: u64,
    /// Which installer it is for.
    pub kind: Kind,
    /// Bytes of incompressible content; most of it is that of every version.
    pub size_bytes: usize,
    /// Ranks that may be gone back to.
    pub rollback_ok: Vec<u64>,
    /// What kind of change it is.
    pub class: Class,
    /// How the transported file carries the image.
    pub carrier: Carrier,
    /// Of so many parts of 64 KiB, one is this version's own; the rest is that of every version.
    pub own_every: usize,
}

/// A release with all its bytes.
#[derive(Debug, Clone)]
pub struct Release {
    /// What the manufacturer says of it.
    pub firmware: Firmware,
    /// Where the image stands.
    pub path: TargetPath,
    /// What stands in the slot; for a tree its archive.
    pub image: Vec<u8>,
    /// The transported file.
    pub file: Vec<u8>,
    /// Documents by path.
    pub documents: Vec<(TargetPath, Vec<u8>)>,
}

impl Recipe {
    /// A small release.
    #[must_use]
    pub fn small(family: &FamilyId, kind: Kind, version: &str, seq: u64) -> Self {
        let (version, rollback_ok) = (version.to_owned(), (1..seq).collect());
        let (family, class, carrier) = (family.clone(), Class::Security, Carrier::Container);
        let (size_bytes, own_every) = (20_000, OWN_EVERY);
        Self { family, version, seq, kind, size_bytes, rollback_ok, class, carrier, own_every }
    }

    /// The files of the tree, in the order of the archive; a folder has no bytes.
    #[must_use]
    pub fn files(&self) -> Vec<(&'static str, Content)> {
        let app = format!("#!/bin/sh\necho {}\n", self.version);
        vec![
            ("bin", None),
            ("bin/app", Some((FileMode::Executable, app.into_bytes()))),
            ("content.bin", Some((FileMode::Plain, self.content()))),
            ("version", Some((FileMode::Plain, format!("{}\n", self.version).into_bytes()))),
        ]
    }

    /// Writes what a manufacturer hands to `release prepare`: a folder, or an image file.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write_to(&self, path: &Path) -> Result<()> {
        match self.kind {
            Kind::Slots => put(path, &self.content()),
            Kind::Tree => {
                fs::create_dir_all(path).with_context(|| format!("make {}", path.display()))?;
                for (name, file) in self.files() {
                    let place = path.join(name);
                    let Some((mode, bytes)) = file else {
                        fs::create_dir_all(&place).context("make a folder")?;
                        continue;
                    };
                    put(&place, &bytes)?;
                    let mode = fs::Permissions::from_mode(mode.bits());
                    fs::set_permissions(&place, mode).context("set the mode")?;
                }
                Ok(())
            }
        }
    }

    /// What stands in the slot: the tree archive, or the raw image.
    ///
    /// # Errors
    /// When the archive cannot be written.
    pub fn image(&self) -> Result<Vec<u8>> {
        if self.kind == Kind::Slots {
            return Ok(self.content());
        }
        let mut writer = TreeWriter::new(Vec::new());
        for (name, file) in self.files() {
            let path = TreePath::new(name).context("a path in the tree")?;
            match file {
                None => writer.dir(&path)?,
                Some((mode, bytes)) => {
                    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    writer.file(&path, mode, size, &mut bytes.as_slice())?;
                }
            }
        }
        Ok(writer.finish()?.0)
    }

    /// The dossier as TOML, from the annotated example.
    ///
    /// # Errors
    /// When the example is not what it should be.
    pub fn dossier(&self) -> Result<Vec<u8>> {
        let example = workspace()?.join("keys-example/dossier.toml");
        let text = fs::read_to_string(&example).context("read the annotated example")?;
        let mut table: toml::Table = text.parse().context("the example is TOML")?;
        let ranks = |ranks: &[u64]| {
            let ranks = ranks.iter().filter_map(|rank| i64::try_from(*rank).ok());
            toml::Value::Array(ranks.map(toml::Value::Integer).collect())
        };
        let kind = if self.kind == Kind::Tree { "tree" } else { "slots" };
        let seq = i64::try_from(self.seq).context("a rank fits")?;
        let mut set = |key: &str, value: toml::Value| table.insert(key.to_owned(), value);
        set("family", self.family.as_str().into());
        set("version", self.version.as_str().into());
        set("seq", seq.into());
        set("kind", kind.into());
        set("hardware", toml::Value::Array(vec![HARDWARE.into()]));
        set("rollback_ok", ranks(&self.rollback_ok));
        set("therapy", false.into());
        let class = match self.class {
            Class::Security => "security",
            Class::SecurityAndFix => "security+fix",
            Class::Feature => "feature",
        };
        set("class", class.into());
        set("acceptance", "none".into());
        // Each release closes a hole of its own, which a rollback opens again.
        let holes = table.get_mut("cve").and_then(toml::Value::as_array_mut);
        let hole = holes.and_then(|holes| holes.first_mut()).and_then(toml::Value::as_table_mut);
        let id = format!("CVE-2026-{}", 1233_u64.saturating_add(self.seq));
        hole.context("the example closes a hole")?.insert("id".to_owned(), id.into());
        if let Some(downtime) = table.get_mut("downtime").and_then(toml::Value::as_table_mut) {
            for part in ["activate_s", "boot_s", "health_s", "rollback_s"] {
                downtime.insert(part.to_owned(), 1.into());
            }
        }
        Ok(table.to_string().into_bytes())
    }

    /// The release with all its bytes, as `release prepare` would make it.
    ///
    /// # Errors
    /// When a part cannot be made.
    pub fn release(&self) -> Result<Release> {
        let image = self.image()?;
        let name = format!("{}-{}", self.family.as_str().replace('.', "-"), self.version);
        let path = |dir: &str, tail: &str| {
            TargetPath::new(&format!("{dir}/{name}{tail}")).context("a target path")
        };
        let dossier = self.dossier()?;
        let facts = Dossier::read(&dossier).map_err(|bad| anyhow::anyhow!("{:?}", bad.problems))?;
        let facts = facts.facts().clone();
        let notes = |text: &str| text.as_bytes().to_vec();
        let sbom = br#"{"bomFormat":"CycloneDX","specVersion":"1.6","version":1}"#.to_vec();
        let documents = vec![
            (path("doc", ".dossier.toml")?, dossier),
            (path("doc", ".sbom.json")?, sbom),
            (path("doc", ".notes.ja.txt")?, notes("通信処理を修正しました。\n")),
            (path("doc", ".notes.en.txt")?, notes("Corrects the network code.\n")),
        ];
        let docs: Vec<Document> = documents
            .iter()
            .map(|(path, bytes)| Document { path: path.clone(), sha256: Sha256Digest::of(bytes) })
            .collect();
        let [dossier, sbom, notes_ja, notes_en] = docs.try_into().ok().context("four documents")?;
        let (payload, file) = self.carried(&image)?;
        let tail = match payload.format {
            Format::Tree => ".tar",
            Format::Raw => ".img",
            Format::Pwd1 => ".pwd",
        };
        let firmware = Firmware {
            v: 1,
            family: facts.family,
            version: facts.version,
            seq: Seq(self.seq),
            hw: facts.hardware,
            min_seq: facts.min_seq,
            rollback_ok: facts.rollback_ok,
            class: facts.class,
            severity: facts.severity,
            cves: facts.cves,
            known_exploited: facts.known_exploited,
            state: ReleaseState::Released,
            payload,
            est: facts.estimate,
            therapy: facts.therapy,
            acceptance: facts.acceptance,
            docs: Documents { dossier, sbom, notes_ja, notes_en },
        };
        Ok(Release { firmware, path: path("img", tail)?, image, file, documents })
    }

    /// The release with another image in it, described truly.
    ///
    /// # Errors
    /// When a part cannot be made.
    pub fn release_of(&self, image: Vec<u8>) -> Result<Release> {
        let mut release = self.release()?;
        (release.firmware.payload, release.file) = self.carried(&image)?;
        release.image = image;
        Ok(release)
    }

    /// What the manufacturer says of an image and the file that carries it; and that file.
    fn carried(&self, image: &[u8]) -> Result<(Payload, Vec<u8>)> {
        let length = u64::try_from(image.len()).context("the image is not that long")?;
        let mut payload = Payload {
            format: if self.kind == Kind::Tree { Format::Tree } else { Format::Raw },
            kind: self.kind,
            image_sha256: Sha256Digest::of(image),
            image_length: length,
            slot_bytes: length,
            table_sha256: None,
        };
        if self.carrier == Carrier::Plain {
            return Ok((payload, image.to_owned()));
        }
        let container = Container::full(image, WINDOW_BYTES)?;
        payload.format = Format::Pwd1;
        payload.table_sha256 = Some(container.table_sha256());
        Ok((payload, container.write()))
    }

    /// What releases of a family have in common, and between it what is this version's own.
    fn content(&self) -> Vec<u8> {
        let mut content = stream_of(self.family.as_str()).bytes(self.size_bytes);
        let mut own = stream_of(&format!("{} {}", self.family, self.version));
        for part in content.chunks_mut(PART_BYTES).step_by(self.own_every.max(1)) {
            let bytes = own.bytes(part.len());
            part.copy_from_slice(&bytes);
        }
        content
    }
}

/// Bytes that come from a name.
fn stream_of(name: &str) -> Chance {
    let name = Sha256Digest::of(name.as_bytes());
    let seed = name.as_bytes().iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte));
    Chance::seeded(seed)
}

/// Writes a file of the harness; nothing of it must survive a power cut.
///
/// # Errors
/// When the disk refuses.
pub fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    #[expect(clippy::disallowed_methods, reason = "the harness's files need not be durable")]
    fs::write(path, bytes).with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_describes_its_own_bytes() {
        let family = FamilyId::new("acme.bench").unwrap();
        for kind in [Kind::Tree, Kind::Slots] {
            let release = Recipe::small(&family, kind, "2.0.0", 2).release().unwrap();
            release.firmware.check().unwrap();
            assert_eq!(release.firmware.payload.image_sha256, Sha256Digest::of(&release.image));
        }
    }
}
