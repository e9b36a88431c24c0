//! Wave proofs: bytes named by their digest, for the devices and people of their site.
//!
//! Served as they are stored, because a device checks the digest of the very bytes. Not here: what is
//! in a proof. Invariant: who may not read is told that there is nothing.

use super::problem::problem;
use super::request_id::RequestId;
use crate::app::App;
use crate::auth::reader;
use crate::error::ApiError;
use crate::rollout::proof;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use patchward_protocol::api::device::ReadWaveProof;
use patchward_protocol::api::endpoint::Endpoint as _;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::SiteId;

/// Adds the route.
pub fn mount(services: &mut ServiceConfig) {
    services.route(ReadWaveProof::PATH, web::get().to(wave_proof));
}

async fn wave_proof(
    app: Data<App>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> HttpResponse {
    let (site, sha256) = path.into_inner();
    let answer = find(&app, &request, &site, &sha256).await;
    answer.unwrap_or_else(|error| problem(&error, &RequestId::of(&request)))
}

async fn find(
    app: &App,
    request: &HttpRequest,
    site: &str,
    sha256: &str,
) -> Result<HttpResponse, ApiError> {
    reader::readable(app, request.headers(), "site", site).await?;
    let not_found = || ApiError::of(ErrorCode::NotFound);
    let site = SiteId::new(site).map_err(|_| not_found())?;
    let sha256: Sha256Digest = sha256.parse().map_err(|_| not_found())?;
    let bytes = proof::read(app, &site, sha256).await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((ETAG, format!("\"{sha256}\"")));
    response.insert_header((CACHE_CONTROL, "private, max-age=31536000, immutable"));
    response.insert_header((CONTENT_TYPE, "application/json"));
    Ok(response.body(bytes))
}
