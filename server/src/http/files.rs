//! Files of TUF repositories, as any TUF client expects them: metadata from memory, targets from the
//! blob store, in constant memory.
//!
//! `timestamp.json` is always asked for anew; everything else is immutable under its name. Not here:
//! who may read ([`crate::auth::reader`]). Invariant: only what a published document lists is
//! served, and what may not be read is told apart from what is not there by nobody.

use super::problem::problem;
use super::range::{Asked, Send};
use super::request_id::RequestId;
use crate::app::App;
use crate::auth::reader;
use crate::blobs::{self, BlobError};
use crate::db::repository;
use crate::error::ApiError;
use crate::publish::current::{Current, Served};
use actix_web::body::SizedStream;
use actix_web::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH,
    IF_RANGE, RANGE,
};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_util::{StreamExt as _, stream};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::files::{METADATA, TARGET};
use patchward_protocol::api::repository::Reading;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::TargetPath;
use patchward_protocol::tuf::delta_target::DELTAS_ROLE;
use patchward_protocol::tuf::schema::TopLevel;
use std::sync::Arc;

/// When to ask again where too many targets are being sent, in seconds.
const BUSY_S: u32 = 30;

/// Adds the two routes, for GET and HEAD.
pub fn mount(services: &mut ServiceConfig) {
    for method in [Method::GET, Method::HEAD] {
        services
            .route(METADATA.path, web::method(method.clone()).to(metadata))
            .route(TARGET.path, web::method(method).to(target));
    }
}

async fn metadata(
    app: Data<App>,
    request: HttpRequest,
    path: web::Path<(String, String, String)>,
) -> HttpResponse {
    let (kind, name, file) = path.into_inner();
    let answer = find_metadata(&app, &request, &kind, &name, &file).await;
    answer.unwrap_or_else(|error| problem(&error, &RequestId::of(&request)))
}

async fn target(
    app: Data<App>,
    request: HttpRequest,
    path: web::Path<(String, String, String, String)>,
) -> HttpResponse {
    let (kind, name, dir, file) = path.into_inner();
    let answer = find_target(&app, &request, (&kind, &name), (&dir, &file)).await;
    answer.unwrap_or_else(|error| problem(&error, &RequestId::of(&request)))
}

async fn find_metadata(
    app: &App,
    request: &HttpRequest,
    kind: &str,
    name: &str,
    file: &str,
) -> Result<HttpResponse, ApiError> {
    let current = reader::readable(app, request.headers(), kind, name).await?;
    let (role, version) = role_of(file).ok_or_else(not_found)?;
    let documents = current.documents.as_ref().ok_or_else(not_found)?;
    let held = match role {
        Named::Top(role) => Some(documents.of(role)),
        Named::Deltas => documents.deltas.as_ref(),
    };
    let held = held.ok_or_else(not_found)?;
    let served = match version {
        None => held.clone(),
        Some(version) if version == held.version => held.clone(),
        // Beyond the head there is nothing: clients ask for the next root at every refresh.
        Some(version) if version > held.version => return Err(not_found()),
        Some(version) => {
            let id = current.id.clone();
            let find = move |conn: &mut crate::db::Connection| match role {
                Named::Top(role) => repository::document(conn, &id, role, version),
                Named::Deltas => repository::deltas(conn, &id, version),
            };
            Served::from(app.db.read(find).await?.ok_or_else(not_found)?)
        }
    };
    let caching = match version {
        None => "no-cache",
        Some(_) => for_ever(&current),
    };
    let file = Headers { etag: tag(&served.sha256), caching, kind: "application/json" };
    Ok(send_bytes(request, &file, served.bytes))
}

async fn find_target(
    app: &App,
    request: &HttpRequest,
    (kind, name): (&str, &str),
    (dir, file): (&str, &str),
) -> Result<HttpResponse, ApiError> {
    let current = reader::readable(app, request.headers(), kind, name).await?;
    let (sha256, plain) = file.split_once('.').ok_or_else(not_found)?;
    let sha256: Sha256Digest = sha256.parse().map_err(|_| not_found())?;
    let path = TargetPath::new(&format!("{dir}/{plain}")).map_err(|_| not_found())?;
    let id = current.id.clone();
    let length = app
        .db
        .read(move |conn| repository::target_length(conn, &id, path.as_str(), &sha256))
        .await?
        .ok_or_else(not_found)?;
    let file = Headers {
        etag: tag(&sha256),
        caching: for_ever(&current),
        kind: "application/octet-stream",
    };
    let part = match asked(request).decide(&file.etag, length) {
        Send::Nothing => return Ok(file.head(StatusCode::NOT_MODIFIED).finish()),
        Send::Unsatisfiable => return Ok(unsatisfiable(request, length)),
        Send::Whole => None,
        Send::Part(part) => Some(part),
    };
    let mut head = match &part {
        None => file.head(StatusCode::OK),
        Some(part) => {
            let mut head = file.head(StatusCode::PARTIAL_CONTENT);
            let (first, last) = (part.start, part.end.saturating_sub(1));
            head.insert_header((CONTENT_RANGE, format!("bytes {first}-{last}/{length}")));
            head
        }
    };
    let range = part.unwrap_or(0..length);
    let sent = range.end.saturating_sub(range.start);
    if request.method() == Method::HEAD {
        let nothing = stream::empty::<Result<Bytes, BlobError>>();
        return Ok(head.body(SizedStream::new(sent, nothing)));
    }
    // Held until the last byte is sent: what is sent at once is bounded, and so is memory.
    let turn = Arc::clone(&app.downloads).try_acquire_owned();
    let turn = turn.map_err(|_| ApiError::busy(BUSY_S))?;
    let store = app.blobs.clone();
    let blob = web::block(move || store.get(&sha256)).await.map_err(ApiError::failed)?;
    let blob = blob.map_err(ApiError::failed)?;
    let blob = blob.filter(|blob| blob.length() == length);
    let blob = blob.ok_or_else(|| ApiError::failed(BlobError::Damaged(sha256)))?;
    let pieces = blobs::pieces(blob, range).inspect(move |_| {
        let _ = &turn;
    });
    Ok(head.body(SizedStream::new(sent, pieces)))
}

/// Whose document a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Top(TopLevel),
    Deltas,
}

/// `timestamp.json`, or `N.root.json` and its likes without leading zeros.
fn role_of(file: &str) -> Option<(Named, Option<u64>)> {
    if file == "timestamp.json" {
        return Some((Named::Top(TopLevel::Timestamp), None));
    }
    let (version, role) = file.strip_suffix(".json")?.split_once('.')?;
    let number: u64 = version.parse().ok().filter(|number: &u64| number.to_string() == version)?;
    let role = match role {
        "root" => Named::Top(TopLevel::Root),
        "targets" => Named::Top(TopLevel::Targets),
        "snapshot" => Named::Top(TopLevel::Snapshot),
        DELTAS_ROLE => Named::Deltas,
        _ => return None,
    };
    Some((role, Some(number)))
}

struct Headers {
    etag: String,
    caching: &'static str,
    kind: &'static str,
}

impl Headers {
    fn head(&self, status: StatusCode) -> HttpResponseBuilder {
        let mut head = HttpResponse::build(status);
        head.insert_header((ETAG, self.etag.as_str()));
        head.insert_header((CACHE_CONTROL, self.caching));
        head.insert_header((ACCEPT_RANGES, "bytes"));
        if status != StatusCode::NOT_MODIFIED {
            head.insert_header((CONTENT_TYPE, self.kind));
        }
        head
    }
}

fn send_bytes(request: &HttpRequest, file: &Headers, bytes: Bytes) -> HttpResponse {
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    match asked(request).decide(&file.etag, length) {
        Send::Nothing => file.head(StatusCode::NOT_MODIFIED).finish(),
        Send::Unsatisfiable => unsatisfiable(request, length),
        Send::Whole => file.head(StatusCode::OK).body(bytes),
        Send::Part(part) => {
            let mut head = file.head(StatusCode::PARTIAL_CONTENT);
            let last = part.end.saturating_sub(1);
            head.insert_header((CONTENT_RANGE, format!("bytes {}-{last}/{length}", part.start)));
            let at = |at: u64| usize::try_from(at).unwrap_or(bytes.len()).min(bytes.len());
            head.body(bytes.slice(at(part.start)..at(part.end)))
        }
    }
}

fn unsatisfiable(request: &HttpRequest, length: u64) -> HttpResponse {
    let error = ApiError::with(
        ErrorCode::RangeNotSatisfiable,
        format!("one range within the {length} bytes of the file"),
    );
    let mut response = problem(&error, &RequestId::of(request));
    if let Ok(value) = format!("bytes */{length}").parse() {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
    response
}

fn asked(request: &HttpRequest) -> Asked<'_> {
    let text = |name: HeaderName| request.headers().get(name).and_then(|v| v.to_str().ok());
    let is_get = request.method() == Method::GET;
    Asked {
        range: text(RANGE).filter(|_| is_get),
        if_range: text(IF_RANGE),
        if_none_match: text(IF_NONE_MATCH),
    }
}

const fn for_ever(current: &Current) -> &'static str {
    match current.reading {
        Reading::Public => "public, max-age=31536000, immutable",
        Reading::Restricted => "private, max-age=31536000, immutable",
    }
}

fn tag(sha256: &Sha256Digest) -> String {
    format!("\"{sha256}\"")
}

const fn not_found() -> ApiError {
    ApiError::of(ErrorCode::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metadata_file_has_one_name() {
        assert_eq!(role_of("timestamp.json"), Some((Named::Top(TopLevel::Timestamp), None)));
        assert_eq!(role_of("7.root.json"), Some((Named::Top(TopLevel::Root), Some(7))));
        assert_eq!(role_of("7.deltas.json"), Some((Named::Deltas, Some(7))));
        for odd in
            ["07.root.json", "+7.root.json", "root.json", "deltas.json", "7.timestamp.json", ""]
        {
            assert_eq!(role_of(odd), None, "{odd}");
        }
    }
}
