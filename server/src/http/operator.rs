//! Handlers of what whoever runs the server asks. Not here: health (`health`).

use super::mount::{Call, ProofOf, mount};
use crate::error::ApiError;
use crate::openapi;
use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{self, ServiceConfig};
use patchward_protocol::api::operator::{LIVE, OPENAPI, ServerView, ShowServer};
use patchward_protocol::key::Signer as _;
use std::sync::LazyLock;

static OPENAPI_TEXT: LazyLock<String> = LazyLock::new(openapi::text);

/// Mounts the endpoints of `protocol::api::operator`.
pub fn mount_all(services: &mut ServiceConfig) {
    mount::<ShowServer, _, _>(services, show_server);
    services.route(LIVE.path, web::get().to(live));
    services.route(OPENAPI.path, web::get().to(openapi));
}

async fn show_server(call: Call<ShowServer, ProofOf<ShowServer>>) -> Result<ServerView, ApiError> {
    Ok(ServerView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        record_key: call.app.keys.record().public(),
        utc: call.app.clock.now(),
    })
}

async fn live() -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).body("alive\n")
}

async fn openapi() -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, "application/json"));
    response.body(OPENAPI_TEXT.as_str())
}
