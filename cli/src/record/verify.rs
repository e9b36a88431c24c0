//! `record verify`: an exported record, checked by whoever holds the file.
//!
//! Without server and without database. What is trusted are two keys, whose fingerprints are printed
//! and can be given: the record key and a root of the site. Not here: the checks of entries
//! ([`super::audit`]).
//! Invariant: a file passes only when every byte of it follows from entries, checkpoint, keys and
//! approvals that hold.

use super::archive::{self, File};
use super::audit::{Audited, Finding, audit};
use super::contents::{CHECKPOINT, Contents, KEYS};
use super::keys::People;
use super::{consent, kept, rollback};
use crate::disk;
use crate::error::{Code, Failure, Outcome, chain};
use crate::here::Here;
use crate::limits::{RECORD_FILE_BYTES_MAX, SMALL_FILE_BYTES_MAX, STATE_BYTES_MAX};
use crate::said::Said;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::key::PublicKey;
use patchward_protocol::merkle::memory::Tree;
use patchward_protocol::merkle::tile::Tile;
use patchward_protocol::record::checkpoint::Checkpoint;
use patchward_protocol::record::witness::Seen;
use serde_json::json;
use std::path::PathBuf;

/// Check an exported record: offline, without server or database
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// The file that `record export` wrote
    pub file: PathBuf,
    /// The record key that must have signed, as the enrolment pack names it
    #[arg(long, value_name = "HEX")]
    pub record_key: Option<PublicKey>,
    /// A root of the site that must be in the chain
    #[arg(long, value_name = "FILE")]
    pub site_root: Option<PathBuf>,
    /// A checkpoint that somebody else was shown: the record must continue it (repeat for more)
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Vec<PathBuf>,
}

/// `record verify`.
///
/// # Errors
/// [`Code::RecordFile`], [`Code::RecordBad`] with the first bad entry, [`Code::RecordUntrusted`],
/// [`Code::RecordRewritten`] and [`Code::RootDiffers`].
pub fn verify(here: &Here, verify: &Verify) -> Outcome<Said> {
    let bytes = disk::read(&verify.file, RECORD_FILE_BYTES_MAX)?;
    let (contents, audited) = check(&bytes)?;
    pinned(here, verify, &contents)?;
    compared(here, verify, &contents, &audited)?;
    let pick = |en, ja| here.language.pick(en, ja);
    let count = |which: &dyn Fn(&super::audit::Checked) -> bool| {
        audited.entries.iter().filter(|entry| which(entry)).count()
    };
    let (acts, ledger) = (count(&|entry| entry.is_act()), count(&|entry| entry.ledger().is_some()));
    let rollbacks = rollback::all(&audited).len();
    let (size, root) = (audited.tree.size(), audited.tree.root());
    let value = json!({
        "site": contents.about.site, "size": size, "root": root, "acts": acts, "ledger": ledger,
        "rollbacks": rollbacks, "record_key": contents.record_key,
        "record_key_fingerprint": contents.record_key.fingerprint(),
        "site_root_fingerprint": contents.roots.last().map(|root| Sha256Digest::of(root).fingerprint()),
        "pages": if made_here(&contents) { "checked" } else { "made by another version" },
    });
    let holds = pick("the record holds together:", "監査記録は整合しています:");
    let mut said = Said::new(value)
        .line(format!("{holds} {}", contents.about.site))
        .line(format!(
            "{} {size} ({} {ledger}, {} {acts}, {} {rollbacks})",
            pick("entries", "件数"),
            pick("of devices", "機器"),
            pick("signed acts", "署名"),
            pick("rollbacks", "ロールバック"),
        ))
        .line(format!("{} {root}", pick("root", "ルート")))
        .lines(anchors(here, &contents));
    if !made_here(&contents) {
        said = said.line(pick(
            "the readable pages were made by another version of the program and were not compared",
            "閲覧用ページは別の版のプログラムで作成されたため照合していません",
        ));
    }
    Ok(said)
}

/// Checks the bytes of an export by themselves; returns what is in them.
///
/// # Errors
/// [`Code::RecordFile`] when it is no export, [`Code::RecordBad`] with the first thing that is wrong.
pub fn check(bytes: &[u8]) -> Outcome<(Contents, Audited)> {
    let files =
        archive::read(bytes).map_err(|error| Failure::new(Code::RecordFile, error.to_string()))?;
    let contents = Contents::read(&files).map_err(|finding| bad(&finding))?;
    let audited = hold(&contents, &files).map_err(|finding| bad(&finding))?;
    Ok((contents, audited))
}

fn bad(finding: &Finding) -> Failure {
    Failure::new(Code::RecordBad, finding)
}

/// Everything, in an order in which the first bad entry is found before what follows from it.
fn hold(contents: &Contents, files: &[File]) -> Result<Audited, Finding> {
    let site = &contents.about.site;
    let people = People::of(site, &contents.roots)
        .map_err(|error| Finding::file(KEYS, format!("site root: {}", chain(&error))))?;
    let checkpoint = Checkpoint::open(&contents.checkpoint, site, &contents.record_key)
        .map_err(|error| Finding::file(CHECKPOINT, error))?;
    let leaves = leaves(files, &Seen::from(&*checkpoint));
    let known = |n| leaves.as_ref().ok().and_then(|tree| tree.leaf(n));
    let audited = audit(site, people, &contents.lines, &known)?;
    let (have, size) = (audited.tree.size(), checkpoint.size);
    if have < size {
        return Err(Finding::entry(have, format!("it is missing: {size} entries are signed for")));
    }
    if have > size {
        return Err(Finding::entry(size, format!("it is one too many: {size} are signed for")));
    }
    leaves?;
    if audited.tree.root() != checkpoint.root {
        return Err(Finding::file(CHECKPOINT, "its root is not that of the entries"));
    }
    consent::check(&audited, &contents.approvals)?;
    same(files, &contents.files(&audited)?, contents)?;
    Ok(audited)
}

/// The leaf hashes that the signed root vouches for, from the hash tiles in the file.
fn leaves(files: &[File], end: &Seen) -> Result<Tree, Finding> {
    let mut tree = Tree::default();
    for tile in Tile::leaves(end.size) {
        let name = tile.to_string();
        let hashes = tile.read_hashes(super::contents::file(files, &name)?);
        let hashes = hashes.map_err(|error| Finding::file(&name, error))?;
        hashes.into_iter().for_each(|hash| tree.append(hash));
    }
    if tree.root() == end.root {
        Ok(tree)
    } else {
        Err(Finding::file("tile/0", "the hashes do not lead to the signed root"))
    }
}

/// The files that there are must be those that follow from what is given.
fn same(files: &[File], made: &[File], contents: &Contents) -> Result<(), Finding> {
    let pages: Vec<&str> = ["record-ja.html", "record-en.html", "record.csv"].into();
    for ((name, bytes), (made_name, made_bytes)) in files.iter().zip(made) {
        if name != made_name {
            return Err(Finding::file(name, format!("{made_name} should stand here")));
        }
        let skipped = pages.contains(&name.as_str()) && !made_here(contents);
        if bytes != made_bytes && !skipped {
            return Err(Finding::file(name, "it does not follow from the entries"));
        }
    }
    match (files.get(made.len()), made.get(files.len())) {
        (Some((name, _)), _) => Err(Finding::file(name, "it does not belong here")),
        (None, Some((name, _))) => Err(Finding::file(name, "it is missing")),
        (None, None) => Ok(()),
    }
}

fn made_here(contents: &Contents) -> bool {
    contents.about.made_by == Contents::this_program()
}

/// The keys that were given must be those of the file.
fn pinned(here: &Here, verify: &Verify, contents: &Contents) -> Outcome<()> {
    let kept = kept::last(here, &contents.about.site)?;
    let known = [verify.record_key, kept.map(|kept| kept.record_key)];
    for wanted in known.into_iter().flatten() {
        if wanted != contents.record_key {
            let (have, wanted) = (contents.record_key.fingerprint(), wanted.fingerprint());
            let what = format!("signed by record key {have}, expected {wanted}");
            return Err(Failure::new(Code::RecordUntrusted, what));
        }
    }
    let Some(path) = &verify.site_root else { return Ok(()) };
    let root = disk::read(path, STATE_BYTES_MAX)?;
    if contents.roots.contains(&root) {
        return Ok(());
    }
    let what = format!("{} is no root of the chain in the file", path.display());
    Err(Failure::new(Code::RootDiffers, what))
}

/// What this machine and others were shown must be earlier ends of this record.
fn compared(here: &Here, verify: &Verify, contents: &Contents, audited: &Audited) -> Outcome<()> {
    let site = &contents.about.site;
    if let Some(kept) = kept::last(here, site)?
        && !is_earlier(audited, &kept.seen)
    {
        return Err(kept::rewritten(here, &kept, &contents.checkpoint));
    }
    for path in &verify.checkpoint {
        let bytes = disk::read(path, SMALL_FILE_BYTES_MAX)?;
        let note = String::from_utf8_lossy(&bytes);
        let shown = kept::opened(site, &contents.record_key, &note)?;
        if !is_earlier(audited, &shown) {
            let what = format!(
                "{}: somebody was shown {} entries with root {}, which is not this record",
                path.display(),
                shown.size,
                shown.root
            );
            return Err(Failure::new(Code::RecordRewritten, what));
        }
    }
    Ok(())
}

/// Whether the record has this earlier end; a later one than its own cannot be judged from the file.
fn is_earlier(audited: &Audited, seen: &Seen) -> bool {
    seen.size > audited.tree.size() || audited.tree.root_at(seen.size) == Some(seen.root)
}

/// What the check rests on, for people to compare.
pub(super) fn anchors(here: &Here, contents: &Contents) -> Vec<String> {
    let pick = |en, ja| here.language.pick(en, ja);
    let root = |root: Option<&Vec<u8>>| {
        root.map(|root| Sha256Digest::of(root).fingerprint()).unwrap_or_default()
    };
    vec![
        format!(
            "{} {} ({})",
            pick("record key", "記録鍵"),
            contents.record_key.fingerprint(),
            contents.record_key
        ),
        format!(
            "{} {} … {}",
            pick("site roots, first and last", "施設ルート(最初・最新)"),
            root(contents.roots.first()),
            root(contents.roots.last())
        ),
        pick(
            "compare both with what the hospital holds on paper, or give them with --record-key and --site-root",
            "医療機関が紙で保管する照合コードと比較するか、--record-key と --site-root で指定してください",
        )
        .to_owned(),
    ]
}
