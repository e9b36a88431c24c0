//! An export of a site's record, made as the command line makes it.
//!
//! Entries, the signed checkpoint, the site's roots, the approvals that entries name, and what
//! manufacturers signed of the images in them. Not here: the form and the check
//! (`protocol::record::export`). Invariant: what is given passes the very check that
//! `patchward record verify` makes.

use super::read;
use crate::app::App;
use crate::blobs::BlobDir;
use crate::db::{DbError, record, repository};
use crate::error::ApiError;
use crate::limits::{EXPORT_BYTES_MAX, EXPORT_ENTRIES_AT_ONCE, EXPORT_ROOTS_MAX};
use crate::publish::current::Snapshot;
use patchward_protocol::act::Subject;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{FamilyId, RepositoryId, SiteId};
use patchward_protocol::key::Signer as _;
use patchward_protocol::limits::APPROVAL_BYTES_MAX;
use patchward_protocol::record::checkpoint::Checkpoint;
use patchward_protocol::record::export::archive;
use patchward_protocol::record::export::audit::{Audited, Checked, Finding, audit};
use patchward_protocol::record::export::contents::{About, Contents};
use patchward_protocol::record::export::keys::People;
use patchward_protocol::record::export::releases::{FamilyFile, families};
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::floors::Floors;
use patchward_protocol::tuf::profile::Profile;
use patchward_protocol::tuf::refresh::{Held, Refresh};
use patchward_protocol::tuf::schema::TopLevel;
use patchward_protocol::tuf::trusted_set::Expiry;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Makes an export; `told` hears how many entries of how many were read.
///
/// # Errors
/// `record_too_long`, or a failure of ours.
pub async fn make(
    app: &Arc<App>,
    site: &SiteId,
    tz: &str,
    told: impl Fn(u64, u64) + Send,
) -> Result<Vec<u8>, ApiError> {
    let given = gather(app, site, tz, told).await?;
    tokio::task::spawn_blocking(move || given.write()).await.map_err(ApiError::failed)?
}

async fn gather(
    app: &Arc<App>,
    site: &SiteId,
    tz: &str,
    told: impl Fn(u64, u64) + Send,
) -> Result<Given, ApiError> {
    let record_key = app.keys.record().public();
    let note = read::checkpoint(app, site).await?;
    let checkpoint = Checkpoint::open(&note, site, &record_key).map_err(ApiError::failed)?;
    let lines = lines(app, site, checkpoint.size, told).await?;
    let about = About {
        v: 1,
        site: site.clone(),
        made_at: app.clock.now(),
        made_by: Contents::this_program(),
        tz: tz.to_owned(),
        seen_before: None,
    };
    let contents = Contents {
        about,
        record_key,
        roots: roots(app, site).await?,
        checkpoint: note.to_string(),
        lines,
        approvals: BTreeMap::new(),
        families: BTreeMap::new(),
    };
    Ok(Given { contents, snapshot: app.snapshot(), blobs: app.blobs.clone() })
}

/// What an export is written from.
struct Given {
    contents: Contents,
    snapshot: Arc<Snapshot>,
    blobs: BlobDir,
}

impl Given {
    /// Checks everything and writes the file. Blocks its thread.
    fn write(self) -> Result<Vec<u8>, ApiError> {
        let (contents, audited) = self.audited()?;
        let files = contents.files(&audited).map_err(broken)?;
        archive::write(&files).map_err(|_| too_long())
    }

    fn audited(self) -> Result<(Contents, Audited), ApiError> {
        let Self { mut contents, snapshot, blobs } = self;
        let site = &contents.about.site;
        let people = People::of(site, &contents.roots).map_err(ApiError::failed)?;
        let audited = audit(site, people, &contents.lines, &|_| None).map_err(broken)?;
        contents.approvals = approvals(&blobs, &audited)?;
        contents.families = signed_families(&snapshot, &audited, contents.about.made_at);
        Ok((contents, audited))
    }
}

async fn lines(
    app: &Arc<App>,
    site: &SiteId,
    size: u64,
    told: impl Fn(u64, u64),
) -> Result<Vec<Vec<u8>>, ApiError> {
    let (mut lines, mut bytes_held) = (Vec::new(), 0_usize);
    let mut n = 0_u64;
    while n < size {
        told(n, size);
        let (of, end) = (site.clone(), n.saturating_add(EXPORT_ENTRIES_AT_ONCE).min(size));
        let some = app.db.read(move |conn| record::entries(conn, &of, n..end)).await?;
        if some.is_empty() {
            let what = format!("entry {n} of {site} is not stored");
            return Err(ApiError::failed(std::io::Error::other(what)));
        }
        n = n.saturating_add(u64::try_from(some.len()).unwrap_or(u64::MAX));
        bytes_held = some.iter().fold(bytes_held, |held, line| held.saturating_add(line.len()));
        if bytes_held > EXPORT_BYTES_MAX {
            return Err(too_long());
        }
        lines.extend(some);
    }
    told(size, size);
    Ok(lines)
}

/// The record does not pass its own check.
pub(super) fn broken(finding: Finding) -> ApiError {
    ApiError::failed(std::io::Error::other(finding.to_string()))
}

pub(super) fn too_long() -> ApiError {
    ApiError::of(ErrorCode::RecordTooLong)
}

/// Every version of the site's root.
pub(super) async fn roots(app: &App, site: &SiteId) -> Result<Vec<Vec<u8>>, ApiError> {
    let id = RepositoryId::Site(site.clone());
    let read = app.db.read(move |conn| {
        let mut roots = Vec::new();
        for version in 1..=EXPORT_ROOTS_MAX {
            match repository::document(conn, &id, TopLevel::Root, version)? {
                Some(root) => roots.push(root.bytes.to_vec()),
                None => break,
            }
        }
        Ok::<_, DbError>(roots)
    });
    Ok(read.await?)
}

/// The approvals that entries name, as far as they are kept.
fn approvals(
    blobs: &BlobDir,
    audited: &Audited,
) -> Result<BTreeMap<Sha256Digest, Vec<u8>>, ApiError> {
    let mut approvals = BTreeMap::new();
    for digest in audited.entries.iter().filter_map(named) {
        if !approvals.contains_key(&digest)
            && let Some(bytes) =
                blobs.read(&digest, APPROVAL_BYTES_MAX).map_err(ApiError::failed)?
        {
            approvals.insert(digest, bytes);
        }
    }
    Ok(approvals)
}

fn named(checked: &Checked) -> Option<Sha256Digest> {
    let by_device = checked.ledger().and_then(|entry| entry.fact.approval.as_ref());
    let by_person = checked.act().and_then(|act| match &act.subject {
        Subject::Approval { approval_sha256, .. } => Some(*approval_sha256),
        Subject::Wave { .. } | Subject::Hold { .. } | Subject::Device { .. } => None,
    });
    by_device.map(|approval| approval.sha256).or(by_person)
}

/// What manufacturers signed of the images that entries name. What does not verify is left out, and
/// the pages say that it is not known.
pub(super) fn signed_families(
    snapshot: &Snapshot,
    audited: &Audited,
    at: Timestamp,
) -> BTreeMap<FamilyId, FamilyFile> {
    let each = families(audited).into_iter();
    let files = each.filter_map(|family| Some((family.clone(), signed(snapshot, family, at)?)));
    files.collect()
}

fn signed(snapshot: &Snapshot, family: &FamilyId, at: Timestamp) -> Option<FamilyFile> {
    let repository = RepositoryId::Family(family.clone());
    let documents = snapshot.get(&repository)?.documents.as_ref()?;
    let held = Held {
        root: documents.root.bytes.to_vec(),
        timestamp: Some(documents.timestamp.bytes.to_vec()),
        snapshot: Some(documents.snapshot.bytes.to_vec()),
        targets: Some(documents.targets.bytes.to_vec()),
        delegated: BTreeMap::new(),
    };
    let profile = Profile::Patchward { repository };
    let set = Refresh::reload(held, Floors::default(), profile, Expiry::AsStaged(at)).ok()?;
    FamilyFile::of(family, &set, at)
}
