//! A target's bytes come in, before the document that lists them is published.
//!
//! The digest in the path is the only name; sending the same bytes again is harmless. Not here:
//! publishing. Invariant: 204 means the bytes are durable, are those that were announced, and count
//! against the repository's quota.

use super::problem::problem;
use super::request_id::RequestId;
use crate::app::App;
use crate::auth::caller;
use crate::blobs::{self, BlobDir, BlobError};
use crate::clock;
use crate::db::repository;
use crate::error::ApiError;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::StreamExt as _;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::files::UPLOAD;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::RepositoryId;
use std::time::Duration;

/// Adds the route.
pub fn mount(services: &mut ServiceConfig) {
    services.route(UPLOAD.path, web::put().to(upload));
}

async fn upload(
    app: Data<App>,
    request: HttpRequest,
    path: web::Path<(String, String, String)>,
    body: Payload,
) -> HttpResponse {
    let (kind, name, sha256) = path.into_inner();
    match take(&app, &request, (&kind, &name, &sha256), body).await {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(error) => problem(&error, &RequestId::of(&request)),
    }
}

async fn take(
    app: &App,
    request: &HttpRequest,
    (kind, name, sha256): (&str, &str, &str),
    mut body: Payload,
) -> Result<(), ApiError> {
    let publisher = caller::publisher(app, request.headers(), kind, name).await?;
    let id = publisher.repository().clone();
    let sha256: Sha256Digest =
        sha256.parse().map_err(|error| ApiError::because(ErrorCode::PathMalformed, &error))?;
    let room = room(app, &id, sha256).await?;
    let told = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let told: Option<u64> = told.and_then(|text| text.parse().ok());
    let Room::Bytes { limit, because } = room else {
        // It is here. The body is read to its end so that the client is not cut off while it sends.
        while let Some(Ok(_)) = body.next().await {}
        return Ok(());
    };
    if told.is_some_and(|length| length > limit) {
        return Err(because.refuse(limit));
    }
    let store = app.blobs.clone();
    let unique = clock::random(&*app.rng)?;
    let begun = web::block(move || BlobDir::begin(&store, sha256, limit, unique));
    let upload = begun.await.map_err(ApiError::failed)?.map_err(|error| refuse(error, because))?;
    let idle = Duration::from_secs(app.config.limits.upload_idle_s);
    let length =
        blobs::receive(upload, body, idle).await.map_err(|error| refuse(error, because))?;
    keep(app, id, sha256, length).await
}

/// Why no more than so many bytes are taken.
#[derive(Debug, Clone, Copy)]
enum Because {
    Quota,
    Longest,
}

enum Room {
    Known,
    Bytes { limit: u64, because: Because },
}

async fn room(app: &App, id: &RepositoryId, sha256: Sha256Digest) -> Result<Room, ApiError> {
    let longest = app.config.quota.upload_bytes;
    let id = id.clone();
    let find = move |conn: &mut crate::db::Connection| {
        let Some((repository, _)) = repository::find(conn, &id)? else { return Ok(None) };
        let known = repository::blob_length(conn, &id, &sha256)?;
        let stored = repository::stored_bytes(conn, &id)?;
        Ok::<_, crate::db::DbError>(Some((repository, known, stored)))
    };
    let found = app.db.read(find).await?;
    let (repository, known, stored) = found.ok_or_else(|| ApiError::of(ErrorCode::NotFound))?;
    let store = app.blobs.clone();
    let held = web::block(move || store.get(&sha256)).await.map_err(ApiError::failed)?;
    // A row without its file (a restored database) does not count as known: the bytes mend it.
    if known.is_some() && held.map_err(ApiError::failed)?.is_some() {
        return Ok(Room::Known);
    }
    let left = repository.quota_bytes.saturating_sub(stored);
    Ok(match left < longest {
        true => Room::Bytes { limit: left, because: Because::Quota },
        false => Room::Bytes { limit: longest, because: Because::Longest },
    })
}

/// Remembers the upload, if the quota still allows it: others may have come meanwhile.
async fn keep(
    app: &App,
    id: RepositoryId,
    sha256: Sha256Digest,
    length: u64,
) -> Result<(), ApiError> {
    let at = app.clock.now();
    app.db
        .write(move |conn| {
            let found = repository::find(conn, &id)?;
            let (repository, _) = found.ok_or_else(|| ApiError::of(ErrorCode::NotFound))?;
            let known = repository::blob_length(conn, &id, &sha256)?.is_some();
            let stored = repository::stored_bytes(conn, &id)?;
            if !known && stored.saturating_add(length) > repository.quota_bytes {
                return Err(Because::Quota.refuse(repository.quota_bytes.saturating_sub(stored)));
            }
            Ok(repository::add_blob(conn, &id, &sha256, length, at)?)
        })
        .await
}

impl Because {
    fn refuse(self, limit: u64) -> ApiError {
        match self {
            Self::Quota => {
                ApiError::with(ErrorCode::QuotaExceeded, format!("{limit} bytes are left"))
            }
            Self::Longest => {
                ApiError::with(ErrorCode::BodyTooLong, format!("at most {limit} bytes"))
            }
        }
    }
}

fn refuse(error: BlobError, because: Because) -> ApiError {
    match error {
        BlobError::StorageFull => ApiError::of(ErrorCode::StorageFull),
        BlobError::TooLong { bytes_max } => because.refuse(bytes_max),
        BlobError::WrongDigest { found, .. } => {
            ApiError::with(ErrorCode::DigestMismatch, format!("the bytes have digest {found}"))
        }
        BlobError::Stalled => {
            ApiError::with(ErrorCode::BodyMalformed, "the body ended early or stood still")
        }
        error @ (BlobError::Damaged(_) | BlobError::Io { .. }) => ApiError::failed(error),
    }
}
