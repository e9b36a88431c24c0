//! A repository is opened: its online keys are made, and its owner learns their public halves.
//!
//! Not here: what is published in it. Invariant: a repository is opened once; a site's is never
//! public.

use super::current::Current;
use super::deltas::DeltasKey;
use crate::app::App;
use crate::db::act::{self, Act};
use crate::db::repository::{self, Repository};
use crate::error::ApiError;
use crate::keys::OnlineRole;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::repository::{Head, OpenRepositoryRequest, Reading, RepositoryView};
use patchward_protocol::id::RepositoryId;
use patchward_protocol::key::Signer as _;
use patchward_protocol::tuf::delta_target::DELTAS_ROLE;
use serde_json::json;
use std::sync::Arc;

/// Most characters of a title.
const TITLE_CHARS_MAX: usize = 200;

/// Opens a repository; `who` is the name of the caller's token.
///
/// # Errors
/// `request_invalid`, `repository_exists`, or a failure of ours.
pub async fn open(
    app: &Arc<App>,
    id: RepositoryId,
    request: OpenRepositoryRequest,
    who: String,
) -> Result<RepositoryView, ApiError> {
    let OpenRepositoryRequest { title_en, title_ja, reading } = request;
    for (field, title) in [("title_en", &title_en), ("title_ja", &title_ja)] {
        let fits = (1..=TITLE_CHARS_MAX).contains(&title.trim().chars().count());
        if !fits || title.chars().any(char::is_control) {
            let rule = format!("{field}: 1 to {TITLE_CHARS_MAX} characters, no control characters");
            return Err(ApiError::with(ErrorCode::RequestInvalid, rule));
        }
    }
    let (reading, quota_bytes) = match &id {
        RepositoryId::Family(_) => (reading, app.config.quota.family_bytes),
        RepositoryId::Site(_) => (Reading::Restricted, app.config.quota.site_bytes),
    };
    let opened = app.clock.now();
    // The keys come first: a row without keys would be a repository that nobody can publish in.
    let (keys_of, maker) = (id.clone(), Arc::clone(app));
    tokio::task::spawn_blocking(move || maker.keys.make_online(&keys_of, &*maker.rng))
        .await
        .map_err(ApiError::failed)??;
    let row = Repository { id: id.clone(), title_en, title_ja, reading, quota_bytes, opened };
    app.db
        .write(move |conn| {
            if !repository::open(conn, &row)? {
                return Err(ApiError::of(ErrorCode::RepositoryExists));
            }
            let detail = json!({ "reading": row.reading });
            let scope = row.id.to_string();
            Ok(act::append(conn, &Act { at: opened, scope, who, act: "open-repository", detail })?)
        })
        .await?;
    app.reload().await.map_err(ApiError::failed)?;
    tracing::info!(repository.id = %id, "A repository was opened");
    show(app, &id)
}

/// A repository as its owner sees it.
///
/// # Errors
/// `not_found`, or a failure of ours.
pub fn show(app: &App, id: &RepositoryId) -> Result<RepositoryView, ApiError> {
    let snapshot = app.snapshot();
    let current = snapshot.get(id).ok_or_else(|| ApiError::of(ErrorCode::NotFound))?;
    DeltasKey::make(&app.keys, id, &current.heads, &*app.rng)?;
    let deltas_key = DeltasKey::held(&app.keys, id).map(|key| key.public());
    Ok(RepositoryView {
        repository: id.clone(),
        reading: current.reading,
        snapshot_key: app.keys.online(id, OnlineRole::Snapshot)?.public(),
        timestamp_key: app.keys.online(id, OnlineRole::Timestamp)?.public(),
        deltas_key,
        heads: heads(current),
    })
}

fn heads(current: &Current) -> Vec<Head> {
    let Some(documents) = &current.documents else { return Vec::new() };
    let deltas = documents.deltas.as_ref().map(|deltas| (DELTAS_ROLE, deltas));
    let each = [
        ("root", &documents.root),
        ("targets", &documents.targets),
        ("snapshot", &documents.snapshot),
        ("timestamp", &documents.timestamp),
    ];
    let head = |(role, served): (&str, &super::current::Served)| Head {
        role: role.to_owned(),
        version: served.version,
        sha256: served.sha256,
        expires: served.expires,
    };
    each.into_iter().chain(deltas).map(head).collect()
}
