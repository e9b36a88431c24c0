//! What an export holds, and how the rest follows from it.
//!
//! Four things are given: what the export says of itself, the entries, the signed checkpoint, and the
//! keys with the approvals that entries name. Hash tiles, proofs, key histories and the readable pages
//! are made from them, so that checking an export is making them again. Not here: the archive.
//! Invariant: the same given things always make the same files, byte for byte.

use super::archive::File;
use super::audit::{Audited, Finding, Spot};
use super::releases::{FAMILIES, FamilyFile, Releases};
use super::{csv, html};
use crate::digest::Sha256Digest;
use crate::id::{DeviceId, FamilyId, LedgerId, PersonId, SiteId};
use crate::key::PublicKey;
use crate::language::Language;
use crate::record::checkpoint::verifier_key;
use crate::record::witness::Seen;
use crate::time::Timestamp;
use crate::tuf::schema::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the export says of itself.
pub const ABOUT: &str = "about.json";
/// The entries, a line each.
pub const ENTRIES: &str = "entries.jsonl";
/// The signed checkpoint.
pub const CHECKPOINT: &str = "checkpoint.txt";
/// Proofs of inclusion and consistency.
pub const PROOFS: &str = "proofs.json";
/// Keys and their history.
pub const KEYS: &str = "keys.json";
/// Where approvals stand.
pub const APPROVALS: &str = "approvals/";

/// What is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// What the export says of itself.
    pub about: About,
    /// The key that signed the checkpoint.
    pub record_key: PublicKey,
    /// Every version of the site's root, as signed.
    pub roots: Vec<Vec<u8>>,
    /// The signed checkpoint.
    pub checkpoint: String,
    /// The entries: the leaves of the tree.
    pub lines: Vec<Vec<u8>>,
    /// Approvals that entries name, by the digest of their bytes.
    pub approvals: BTreeMap<Sha256Digest, Vec<u8>>,
    /// What manufacturers signed of the images that entries name.
    pub families: BTreeMap<FamilyId, FamilyFile>,
}

/// `about.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Version of the form; this code writes 1.
    pub v: u32,
    /// Whose record it is.
    pub site: SiteId,
    /// When it was exported, by the clock of the exporting machine.
    pub made_at: Timestamp,
    /// By which program.
    pub made_by: String,
    /// IANA zone in which the pages show times.
    pub tz: String,
    /// Where the record ended when that machine had last seen it.
    pub seen_before: Option<Seen>,
}

/// `keys.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    v: u32,
    site: SiteId,
    record_key: PublicKey,
    verifier_key: String,
    /// Base64 of every version of the site's root.
    site_root: Vec<String>,
    people: Vec<PersonKey>,
    devices: Vec<DeviceKey>,
}

/// The key of a person, with the versions of the root that list it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonKey {
    /// Whose.
    pub person: PersonId,
    /// The key.
    pub key: PublicKey,
    /// Twelve digits of it.
    pub fingerprint: String,
    /// How it signs.
    pub method: Option<Method>,
    /// First version of the root that lists it.
    pub first_root: u64,
    /// Last one.
    pub last_root: u64,
}

/// The key of a device, from the entry that says it joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceKey {
    /// Whose.
    pub device: DeviceId,
    /// The key.
    pub key: PublicKey,
    /// Twelve digits of it.
    pub fingerprint: String,
    /// The ledger that it signs.
    pub ledger_id: LedgerId,
    /// The entry that says so.
    pub since_n: u64,
}

/// `proofs.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Proofs {
    v: u32,
    size: u64,
    root: Sha256Digest,
    /// Of every signed act and of the last entry.
    inclusion: Vec<Inclusion>,
    consistency: Option<Consistency>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inclusion {
    n: u64,
    leaf: Sha256Digest,
    proof: Vec<Sha256Digest>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Consistency {
    from: Seen,
    proof: Vec<Sha256Digest>,
}

impl Contents {
    /// The program that writes now.
    #[must_use]
    pub fn this_program() -> String {
        format!("patchward {}", env!("CARGO_PKG_VERSION"))
    }

    /// Takes the given things out of an archive's files.
    ///
    /// # Errors
    /// [`Finding`] names the file that is missing or does not read.
    pub fn read(files: &[File]) -> Result<Self, Finding> {
        let about: About = json(files, ABOUT)?;
        if about.v != 1 {
            return Err(Finding::file(ABOUT, "another version of the form"));
        }
        let keys: Keys = json(files, KEYS)?;
        let decode = |text: &String| STANDARD.decode(text);
        let roots = keys.site_root.iter().map(decode).collect::<Result<_, _>>();
        let roots = roots.map_err(|_| Finding::file(KEYS, "a site root is not base64"))?;
        let checkpoint = String::from_utf8(file(files, CHECKPOINT)?.to_vec())
            .map_err(|_| Finding::file(CHECKPOINT, "not UTF-8"))?;
        let mut approvals = BTreeMap::new();
        for (name, bytes) in files {
            let Some(rest) = name.strip_prefix(APPROVALS) else { continue };
            let digest: Option<Sha256Digest> =
                rest.strip_suffix(".json").and_then(|digest| digest.parse().ok());
            match digest.filter(|digest| *digest == Sha256Digest::of(bytes)) {
                Some(digest) => approvals.insert(digest, bytes.clone()),
                None => return Err(Finding::file(name, "its name is not the digest of its bytes")),
            };
        }
        let record_key = keys.record_key;
        let families = files.iter().filter(|(name, _)| name.starts_with(FAMILIES));
        let families = families.map(FamilyFile::read).collect::<Result<_, Finding>>()?;
        let lines = lines(file(files, ENTRIES)?)?;
        Ok(Self { about, record_key, roots, checkpoint, lines, approvals, families })
    }

    /// Every file, the given and the made ones.
    ///
    /// # Errors
    /// [`Finding`] when the earlier end is none of this record, or a value cannot be written.
    pub fn files(&self, audited: &Audited) -> Result<Vec<File>, Finding> {
        let mut files = vec![
            (ABOUT.to_owned(), pretty(ABOUT, &self.about)?),
            (ENTRIES.to_owned(), self.lines.iter().flat_map(|line| with_end(line)).collect()),
            (CHECKPOINT.to_owned(), self.checkpoint.clone().into_bytes()),
            (PROOFS.to_owned(), pretty(PROOFS, &self.proofs(audited)?)?),
            (KEYS.to_owned(), pretty(KEYS, &self.keys(audited))?),
        ];
        let tiles = audited.tree.hash_tiles().into_iter();
        files.extend(tiles.map(|(tile, bytes)| (tile.to_string(), bytes)));
        let approvals = self.approvals.iter();
        files.extend(
            approvals.map(|(digest, bytes)| (format!("{APPROVALS}{digest}.json"), bytes.clone())),
        );
        for family in self.families.values() {
            files.push((family.name(), pretty(&family.name(), family)?));
        }
        files.extend(self.pages(audited, &Releases::of(self.families.values())?));
        Ok(files)
    }

    /// The pages for people: made by another version of the program they may look different.
    #[must_use]
    pub fn pages(&self, audited: &Audited, releases: &Releases) -> [File; 3] {
        let page = |language| html::page(self, audited, releases, language).into_bytes();
        [
            ("record-ja.html".to_owned(), page(Language::Ja)),
            ("record-en.html".to_owned(), page(Language::En)),
            ("record.csv".to_owned(), csv::table(self, audited).into_bytes()),
        ]
    }

    fn keys(&self, audited: &Audited) -> Keys {
        Keys {
            v: 1,
            site: self.about.site.clone(),
            record_key: self.record_key,
            verifier_key: verifier_key(&self.about.site, &self.record_key),
            site_root: self.roots.iter().map(|root| STANDARD.encode(root)).collect(),
            people: audited.people.all().to_vec(),
            devices: audited.devices.clone(),
        }
    }

    fn proofs(&self, audited: &Audited) -> Result<Proofs, Finding> {
        let tree = &audited.tree;
        let last = tree.size().checked_sub(1);
        let proven = audited.entries.iter().filter(|entry| entry.is_act() || Some(entry.n) == last);
        let inclusion = proven.map(|entry| {
            let proof = tree.inclusion(entry.n);
            let proof = proof.map_err(|_| Finding::entry(entry.n, "it is not in the tree"))?;
            Ok(Inclusion { n: entry.n, leaf: entry.leaf, proof })
        });
        let consistency = self.about.seen_before.map(|from| {
            if tree.root_at(from.size) != Some(from.root) {
                return Err(Finding::file(ABOUT, "seen_before is no earlier end of this record"));
            }
            let proof = tree.consistency(from.size);
            let proof = proof.map_err(|_| Finding::file(ABOUT, "seen_before is not earlier"))?;
            Ok(Consistency { from, proof })
        });
        Ok(Proofs {
            v: 1,
            size: tree.size(),
            root: tree.root(),
            inclusion: inclusion.collect::<Result<_, Finding>>()?,
            consistency: consistency.transpose()?,
        })
    }
}

/// A file of the archive.
///
/// # Errors
/// [`Finding`] when it is missing.
pub fn file<'a>(files: &'a [File], name: &str) -> Result<&'a [u8], Finding> {
    let found = files.iter().find(|(known, _)| known == name);
    found.map(|(_, bytes)| bytes.as_slice()).ok_or_else(|| Finding::file(name, "it is missing"))
}

fn json<T: serde::de::DeserializeOwned>(files: &[File], name: &str) -> Result<T, Finding> {
    let bytes = file(files, name)?;
    serde_json::from_slice(bytes).map_err(|error| Finding::file(name, error.to_string()))
}

fn pretty<T: Serialize>(name: &str, value: &T) -> Result<Vec<u8>, Finding> {
    let mut bytes =
        serde_json::to_vec_pretty(value).map_err(|error| Finding::file(name, error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn with_end(line: &[u8]) -> impl Iterator<Item = u8> + '_ {
    line.iter().copied().chain([b'\n'])
}

/// The lines of a file in which every line ends.
fn lines(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Finding> {
    let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    match lines.pop() {
        Some(rest) if rest.is_empty() => Ok(lines),
        Some(_) | None => {
            let spot =
                u64::try_from(lines.len()).map_or(Spot::File(ENTRIES.to_owned()), Spot::Entry);
            Err(Finding { spot, what: "the line does not end".to_owned() })
        }
    }
}
