//! A complete draft is published: its files are stored, then the one transaction of publishing, then
//! its acts are filed in the site's record.
//!
//! Not here: counting signatures. Invariant: a draft is forgotten only after its acts are in the record;
//! doing it again after a crash changes nothing that was done.

use super::facts::Facts;
use super::kept::Draft;
use super::make;
use super::status::{self, BaseState, Standing};
use crate::app::App;
use crate::blobs::{BlobDir, BlobError};
use crate::clock;
use crate::consent::act;
use crate::db::{draft, repository};
use crate::error::ApiError;
use crate::publish::commit;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::repository::PublishRequest;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::draft::carried::encode;
use patchward_protocol::id::SiteId;
use std::sync::Arc;

/// Who publishes, in records: nobody in particular, because the signatures say who approved.
const WHO: &str = "console";

/// Publishes a complete draft; gives the version of the targets.
///
/// # Errors
/// `publish_conflict`, `publish_refused`, or a failure of ours; the draft stays then.
pub async fn publish(app: &Arc<App>, draft: &Draft) -> Result<u64, ApiError> {
    for file in &draft.approvals {
        store_file(app, draft, file.text.as_bytes()).await?;
    }
    let targets = Some(encode(&draft.staged.to_bytes()));
    let request = PublishRequest { root: None, targets };
    commit::publish(app, draft.repository(), request, WHO.to_owned()).await?;
    settle(app, draft).await
}

/// Files the acts of a draft that is published, and forgets it.
///
/// # Errors
/// A failure of ours.
pub async fn settle(app: &Arc<App>, draft: &Draft) -> Result<u64, ApiError> {
    for envelope in &draft.acts {
        act::file_as(app, &draft.site, envelope.clone(), WHO).await?;
    }
    let (site, revision) = (draft.site.clone(), draft.revision);
    app.db.write(move |conn| draft::remove(conn, &site, revision)).await?;
    Ok(draft.staged.version())
}

/// The draft of a site as whoever looks finds it.
#[derive(Debug)]
pub enum Found {
    /// There is none.
    Nothing,
    /// It was complete and is published now; the version of the targets.
    Ended(u64),
    /// People still work on it, with what is known around it.
    Open(Arc<Draft>, Box<Facts>),
}

/// Ends what a crash, or another machine, left half done: a complete draft is published, a published one
/// settled. Gives what is there then.
///
/// # Errors
/// As [`publish`].
pub async fn resume(app: &Arc<App>, site: &SiteId) -> Result<Found, ApiError> {
    let Some(draft) = make::find(app, site).await? else { return Ok(Found::Nothing) };
    let facts = Facts::of(app, site).await?;
    let is_complete = match status::base(&draft, &facts) {
        BaseState::Published => return settle(app, &draft).await.map(Found::Ended),
        BaseState::Moved => false,
        BaseState::Current => Standing::of(&draft, &facts)?.is_complete(),
    };
    if is_complete {
        return publish(app, &draft).await.map(Found::Ended);
    }
    Ok(Found::Open(draft, Box::new(facts)))
}

/// Stores an approval's file, counted as an upload of the repository.
async fn store_file(app: &Arc<App>, draft: &Draft, bytes: &[u8]) -> Result<(), ApiError> {
    let sha256 = Sha256Digest::of(bytes);
    let length = u64::try_from(bytes.len()).map_err(ApiError::failed)?;
    let (store, unique) = (app.blobs.clone(), clock::random(&*app.rng)?);
    let owned = bytes.to_vec();
    let write = move || {
        if store.get(&sha256)?.is_some() {
            return Ok(());
        }
        let mut upload = BlobDir::begin(&store, sha256, length, unique)?;
        upload.write(&owned)?;
        upload.finish().map(|_| ())
    };
    let written = tokio::task::spawn_blocking(write).await.map_err(ApiError::failed)?;
    written.map_err(|error| match error {
        BlobError::StorageFull => ApiError::of(ErrorCode::StorageFull),
        other @ (BlobError::TooLong { .. }
        | BlobError::WrongDigest { .. }
        | BlobError::Damaged(_)
        | BlobError::Stalled
        | BlobError::Io { .. }) => ApiError::failed(other),
    })?;
    let (id, at) = (draft.repository(), app.clock.now());
    let add = move |conn: &mut crate::db::Connection| {
        if repository::blob_length(conn, &id, &sha256)?.is_none() {
            repository::add_blob(conn, &id, &sha256, length, at)?;
        }
        Ok::<_, crate::db::DbError>(())
    };
    Ok(app.db.write(add).await?)
}
