//! A site's record over HTTP: where it ends as JSON, checkpoint and tiles as files. Not here: rules.
//!
//! Invariant: the checkpoint is always asked for anew; a tile is immutable under its name.

use super::mount::{Call, ProofOf, mount};
use super::problem::problem;
use super::request_id::RequestId;
use crate::app::App;
use crate::auth::{caller, covers};
use crate::error::ApiError;
use crate::record::read;
use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::record::{CHECKPOINT, ReadRecord, RecordView, TILE};
use patchward_protocol::id::SiteId;
use patchward_protocol::merkle::tile::Tile;

/// Mounts the endpoints of `protocol::api::record`.
pub fn mount_all(services: &mut ServiceConfig) {
    mount::<ReadRecord, _, _>(services, read_record);
    // The name of a tile goes over several parts of the path.
    let tiles = TILE.path.replace("{tile}", "{tile:.+}");
    for method in [Method::GET, Method::HEAD] {
        services
            .route(CHECKPOINT.path, web::method(method.clone()).to(checkpoint))
            .route(&tiles, web::method(method).to(tile));
    }
}

async fn read_record(call: Call<ReadRecord, ProofOf<ReadRecord>>) -> Result<RecordView, ApiError> {
    read::view(&call.app, call.caller.site()).await
}

async fn checkpoint(app: Data<App>, request: HttpRequest, site: web::Path<String>) -> HttpResponse {
    let answer = find_checkpoint(&app, &request, &site).await;
    answer.unwrap_or_else(|error| problem(&error, &RequestId::of(&request)))
}

async fn tile(
    app: Data<App>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> HttpResponse {
    let (site, tile) = path.into_inner();
    let answer = find_tile(&app, &request, &site, &tile).await;
    answer.unwrap_or_else(|error| problem(&error, &RequestId::of(&request)))
}

async fn find_checkpoint(
    app: &App,
    request: &HttpRequest,
    site: &str,
) -> Result<HttpResponse, ApiError> {
    let site = readable(app, request, site).await?;
    let note = read::checkpoint(app, &site).await?;
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CACHE_CONTROL, "private, no-cache"));
    answer.insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"));
    Ok(answer.body(note.to_string()))
}

async fn find_tile(
    app: &App,
    request: &HttpRequest,
    site: &str,
    name: &str,
) -> Result<HttpResponse, ApiError> {
    let site = readable(app, request, site).await?;
    let tile: Tile =
        format!("tile/{name}").parse().map_err(|_| ApiError::of(ErrorCode::NotFound))?;
    let bytes = read::tile(app, &site, tile).await?;
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CACHE_CONTROL, "private, max-age=31536000, immutable"));
    answer.insert_header((CONTENT_TYPE, "application/octet-stream"));
    Ok(answer.body(bytes))
}

/// The site, for a holder of an API token that covers it.
async fn readable(app: &App, request: &HttpRequest, site: &str) -> Result<SiteId, ApiError> {
    let holder = caller::holder(app, request.headers()).await?;
    let site =
        SiteId::new(site).map_err(|error| ApiError::because(ErrorCode::PathMalformed, &error))?;
    if covers::site(&holder.scope, &site) {
        Ok(site)
    } else {
        Err(ApiError::of(ErrorCode::NotFound))
    }
}
