//! What this machine has last seen of a site's record, kept beside what it trusts.
//!
//! A server could rewrite a record and sign the new one; whoever keeps the end of the old one notices.
//! What a hospital signs names the end that its signer has seen. Not here: the rule itself
//! (`protocol::record::witness`).
//! Invariant: what is kept is replaced only by a longer record that is proven to continue it.

use super::fetch::Remote;
use crate::disk::{self, Place, Readers};
use crate::error::{Code, Failure, Outcome};
use crate::here::Here;
use crate::limits::SMALL_FILE_BYTES_MAX;
use crate::server::Server;
use patchward_protocol::id::SiteId;
use patchward_protocol::key::PublicKey;
use patchward_protocol::record::checkpoint::Checkpoint;
use patchward_protocol::record::witness::{Seen, continues};
use patchward_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The end of a record as this machine last saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    v: u32,
    site: SiteId,
    /// The key that signs the record's checkpoints.
    pub record_key: PublicKey,
    /// Where the record ended.
    pub seen: Seen,
    /// The signed checkpoint that says so.
    pub checkpoint: String,
    /// When it was seen, by this machine's clock.
    pub at: Timestamp,
}

/// What this machine keeps of a site's record.
///
/// # Errors
/// [`Code::FileUnreadable`] when it is there and does not read: it is never taken for absent.
pub fn last(here: &Here, site: &SiteId) -> Outcome<Option<Kept>> {
    let path = path(here, site);
    let Some(bytes) = disk::read_if_there(&path, SMALL_FILE_BYTES_MAX)? else { return Ok(None) };
    let bad =
        |what: String| Failure::new(Code::FileUnreadable, format!("{}: {what}", path.display()));
    let kept: Kept = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
    if kept.v != 1 || kept.site != *site {
        return Err(bad("of another version or site".to_owned()));
    }
    Ok(Some(kept))
}

/// Looks at a site's record: the signed checkpoint must continue what was seen before; it is kept, and
/// returned for the act that is about to be signed.
///
/// # Errors
/// [`Code::RecordUntrusted`], [`Code::RecordRewritten`], and failures of reaching the server.
pub fn look(here: &Here, server: &Server, site: &SiteId) -> Outcome<Seen> {
    let mut remote = Remote::new(server, site);
    let kept = last(here, site)?;
    let record_key = match &kept {
        Some(kept) => kept.record_key,
        None => remote.view()?.record_key,
    };
    let note = remote.checkpoint()?;
    let shown = opened(site, &record_key, &note)?;
    if let Some(kept) = &kept {
        let proof = if kept.seen.size > 0 && kept.seen.size < shown.size {
            remote.consistency(kept.seen.size, shown.size)?
        } else {
            Vec::new()
        };
        continues(&kept.seen, &shown, &proof).map_err(|_| rewritten(here, kept, &note))?;
    }
    keep(here, site, record_key, shown, note)?;
    Ok(shown)
}

/// What a signed checkpoint says.
///
/// # Errors
/// [`Code::RecordUntrusted`].
pub fn opened(site: &SiteId, record_key: &PublicKey, note: &str) -> Outcome<Seen> {
    let checkpoint = Checkpoint::open(note, site, record_key);
    let checkpoint = checkpoint.map_err(|error| {
        let key = record_key.fingerprint();
        Failure::because(Code::RecordUntrusted, format!("record of {site}, key {key}"), &error)
    })?;
    Ok(Seen::from(&*checkpoint))
}

/// Keeps the end of a record that was checked.
///
/// # Errors
/// Failures of writing.
pub fn keep(
    here: &Here,
    site: &SiteId,
    record_key: PublicKey,
    seen: Seen,
    checkpoint: String,
) -> Outcome<()> {
    let kept = Kept { v: 1, site: site.clone(), record_key, seen, checkpoint, at: here.at };
    let bytes =
        serde_json::to_vec_pretty(&kept).map_err(|error| Failure::new(Code::WriteFailed, error))?;
    disk::make_folder(&folder(here))?;
    disk::write(&path(here, site), &bytes, Readers::Owner, Place::Replace)
}

/// The failure for a record that does not continue what was seen; both checkpoints are kept as the
/// evidence, signed by the same key.
pub fn rewritten(here: &Here, kept: &Kept, shown: &str) -> Failure {
    let name = format!("{}.contradiction-{}.txt", kept.site, here.at.millis());
    let evidence = folder(here).join(name);
    let text = format!("{}\n{shown}", kept.checkpoint);
    let written = disk::write(&evidence, text.as_bytes(), Readers::Owner, Place::Replace);
    let place = match written {
        Ok(()) => format!("both checkpoints are in {}", evidence.display()),
        Err(failure) => format!("both checkpoints could not be written ({failure})"),
    };
    let Seen { size, root } = kept.seen;
    let what = format!("record of {}: it had {size} entries and root {root}", kept.site);
    Failure::new(Code::RecordRewritten, format!("{what}; {place}"))
}

fn folder(here: &Here) -> PathBuf {
    here.config_dir.join("record")
}

fn path(here: &Here, site: &SiteId) -> PathBuf {
    folder(here).join(format!("{site}.json"))
}
