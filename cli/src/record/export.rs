//! `record export`: the whole record of a site, fetched, checked and written to one file.
//!
//! It is checked against the signed checkpoint and against what this machine has seen before; an
//! inconsistent one is refused and nothing is written but the two checkpoints as evidence. Not here:
//! the checks ([`super::audit`]) and the form ([`super::contents`]).
//! Invariant: the file appears only when everything in it holds, and what was seen is kept after that.

use super::audit::{Audited, Checked, audit};
use super::contents::{About, Contents};
use super::fetch::Remote;
use super::keys::People;
use super::{archive, kept, releases, rollback, verify};
use crate::disk::{self, Place, Readers};
use crate::error::{Code, Failure, Outcome};
use crate::here::Here;
use crate::limits::{RECORD_ROOTS_MAX, STATE_BYTES_MAX};
use crate::said::Said;
use crate::server::{Reach, Server, is_absent};
use crate::{login, repository};
use patchward_protocol::act::Subject;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{ApprovalId, RepositoryId, SiteId};
use patchward_protocol::key::PublicKey;
use patchward_protocol::limits::{APPROVAL_BYTES_MAX, ROOT_BYTES_MAX};
use patchward_protocol::merkle::memory::Tree;
use patchward_protocol::record::witness::Seen;
use patchward_protocol::tuf::refresh::Answer;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Write the whole record of a site, checked, to one file for an auditor
#[derive(Debug, clap::Args)]
pub struct Export {
    /// The site
    #[arg(long)]
    pub site: SiteId,
    /// The file to write, e.g. record-2026-12.zip
    #[arg(long, value_name = "FILE.zip")]
    pub out: PathBuf,
    /// The record key that must have signed, as the enrolment pack names it
    #[arg(long, value_name = "HEX")]
    pub record_key: Option<PublicKey>,
    /// A root of the site that must be in the chain (default: the one that this machine trusts)
    #[arg(long, value_name = "FILE")]
    pub site_root: Option<PathBuf>,
    /// Zone in which the pages show times
    #[arg(long, value_name = "ZONE", default_value = "Asia/Tokyo")]
    pub tz: String,
    /// How to reach the server
    #[command(flatten)]
    pub reach: Reach,
}

/// `record export`.
///
/// # Errors
/// [`Code::RecordUntrusted`], [`Code::RecordRewritten`], [`Code::RecordBad`], [`Code::RootUnknown`],
/// and failures of reaching the server and of writing.
pub fn export(here: &Here, export: &Export) -> Outcome<Said> {
    let site = &export.site;
    if jiff::tz::TimeZone::get(&export.tz).is_err() {
        return Err(Failure::new(Code::ValueBad, format!("--tz {}: no IANA zone", export.tz)));
    }
    if std::fs::symlink_metadata(&export.out).is_ok() {
        return Err(Failure::new(Code::FileExists, format!("{} exists", export.out.display())));
    }
    let server = login::connect(here, &export.reach)?;
    let remote = Remote::new(&server, site);
    let before = kept::last(here, site)?;
    let record_key = key(export, before.as_ref(), &remote)?;
    let checkpoint = remote.checkpoint()?;
    let shown = kept::opened(site, &record_key, &checkpoint)?;
    let lines = remote.entries(shown.size)?;
    let tree = Tree::of(lines.iter().map(Vec::as_slice));
    if (tree.size(), tree.root()) != (shown.size, shown.root) {
        let what = format!("record of {site}: the entries are not those of the signed checkpoint");
        return Err(Failure::new(Code::RecordUntrusted, what));
    }
    if let Some(kept) = &before
        && tree.root_at(kept.seen.size) != Some(kept.seen.root)
    {
        return Err(kept::rewritten(here, kept, &checkpoint));
    }
    let roots = roots(here, export, &server)?;
    let people = people(site, &roots)?;
    let audited = audit(site, people, &lines, &|_| None).map_err(|finding| bad(site, &finding))?;
    let about = About {
        v: 1,
        site: site.clone(),
        made_at: here.at,
        made_by: Contents::this_program(),
        tz: export.tz.clone(),
        seen_before: before.map(|kept| kept.seen),
    };
    let approvals = approvals(&server, site, &audited)?;
    let (families, remarks) = releases::fetch(here, &server, &audited)?;
    let contents = Contents { about, record_key, roots, checkpoint, lines, approvals, families };
    let files = contents.files(&audited).map_err(|finding| bad(site, &finding))?;
    let bytes = archive::write(&files)
        .map_err(|error| Failure::because(Code::RecordTooLong, site, &error))?;
    // The very check that everybody else can make.
    verify::check(&bytes)?;
    disk::write(&export.out, &bytes, Readers::Owner, Place::New)?;
    kept::keep(here, site, record_key, shown, contents.checkpoint.clone())?;
    Ok(said(here, export, &contents, &audited, &shown).lines(remarks))
}

/// The failure for a record in which something is wrong.
pub(super) fn bad(site: &SiteId, finding: &super::audit::Finding) -> Failure {
    Failure::new(Code::RecordBad, format!("record of {site}: {finding}"))
}

/// The people of a site's roots.
pub(super) fn people(site: &SiteId, roots: &[Vec<u8>]) -> Outcome<People> {
    let id = RepositoryId::Site(site.clone());
    People::of(site, roots).map_err(|error| repository::untrusted(&id, &error))
}

/// The record key: as given, as kept, or as the server says; they must be the same.
fn key(export: &Export, kept: Option<&kept::Kept>, remote: &Remote<'_>) -> Outcome<PublicKey> {
    let told = remote.view()?.record_key;
    let known = kept.map(|kept| kept.record_key);
    for wanted in [export.record_key, known].into_iter().flatten() {
        if wanted != told {
            let (told, wanted) = (told.fingerprint(), wanted.fingerprint());
            let what = format!("the server names record key {told}, expected {wanted}");
            return Err(Failure::new(Code::RecordUntrusted, what));
        }
    }
    Ok(told)
}

/// Every version of the site's root; one that this machine trusts must be among them.
fn roots(here: &Here, export: &Export, server: &Server) -> Outcome<Vec<Vec<u8>>> {
    let id = RepositoryId::Site(export.site.clone());
    let mut roots = Vec::new();
    for version in 1..=RECORD_ROOTS_MAX {
        match server.metadata(&id, &format!("{version}.root.json"), ROOT_BYTES_MAX)? {
            Answer::Bytes(root) => roots.push(root),
            Answer::NotFound => break,
        }
    }
    let given = export.site_root.as_ref();
    let given = given.map(|path| disk::read(path, STATE_BYTES_MAX)).transpose()?;
    let pinned = match given {
        Some(root) => root,
        None => repository::root(here, &id)?.ok_or_else(|| repository::unknown(&id))?,
    };
    if !roots.contains(&pinned) {
        let what =
            format!("{id}: the trusted root is none of the {} that are published", roots.len());
        return Err(Failure::new(Code::RootDiffers, what));
    }
    Ok(roots)
}

/// The approvals that entries name, as far as the server still has them.
fn approvals(
    server: &Server,
    site: &SiteId,
    audited: &Audited,
) -> Outcome<BTreeMap<Sha256Digest, Vec<u8>>> {
    let id = RepositoryId::Site(site.clone());
    let bytes_max = u64::try_from(APPROVAL_BYTES_MAX).unwrap_or(u64::MAX);
    let mut approvals = BTreeMap::new();
    for (digest, name) in audited.entries.iter().filter_map(named) {
        if approvals.contains_key(&digest) {
            continue;
        }
        match server.target(&id, &format!("approval/{digest}.{name}.json"), bytes_max) {
            Ok(bytes) if Sha256Digest::of(&bytes) == digest => {
                approvals.insert(digest, bytes);
            }
            Ok(_) => {
                let what = format!("approval {name}: the server sent other bytes");
                return Err(Failure::new(Code::TargetDiffers, what));
            }
            Err(failure) if is_absent(&failure) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(approvals)
}

fn named(checked: &Checked) -> Option<(Sha256Digest, &ApprovalId)> {
    let by_device = checked.ledger().and_then(|entry| entry.fact.approval.as_ref());
    let by_device = by_device.map(|approval| (approval.sha256, &approval.id));
    let by_person = checked.act().and_then(|act| match &act.subject {
        Subject::Approval { approval, approval_sha256, .. } => Some((*approval_sha256, approval)),
        Subject::Wave { .. } | Subject::Hold { .. } | Subject::Device { .. } => None,
    });
    by_device.or(by_person)
}

fn said(
    here: &Here,
    export: &Export,
    contents: &Contents,
    audited: &Audited,
    shown: &Seen,
) -> Said {
    let pick = |en, ja| here.language.pick(en, ja);
    let wrote = pick("wrote the record of", "監査記録を出力しました:");
    let acts = audited.entries.iter().filter(|entry| entry.is_act()).count();
    let rollbacks = rollback::all(audited).len();
    let value = json!({
        "site": export.site, "file": export.out, "size": shown.size, "root": shown.root,
        "acts": acts, "rollbacks": rollbacks, "devices": audited.devices.len(),
        "record_key": contents.record_key,
        "record_key_fingerprint": contents.record_key.fingerprint(),
        "site_root_fingerprint": contents.roots.last().map(|root| Sha256Digest::of(root).fingerprint()),
        "seen_before": contents.about.seen_before,
    });
    Said::new(value)
        .line(format!("{wrote} {}: {}", export.site, export.out.display()))
        .line(format!(
            "{} {}, {} {acts}, {} {rollbacks}",
            pick("entries", "件数"),
            shown.size,
            pick("signed acts", "署名"),
            pick("rollbacks", "ロールバック"),
        ))
        .lines(verify::anchors(here, contents))
}
