//! HTTP: endpoints of `protocol::api` mounted on handlers, and the files of repositories.
//!
//! A handler is at most 25 lines: caller, path, body, one call into the domain, reply. It knows no
//! SQL, and the domain knows no HTTP. Invariant: every JSON endpoint goes through [`mount`].

pub mod consent;
pub mod delta;
pub mod device;
pub mod draft;
pub mod files;
pub mod health;
pub mod mount;
pub mod operator;
pub mod problem;
pub mod range;
pub mod record;
pub mod repository;
pub mod request_id;
pub mod site;
pub mod token;
pub mod upload;
pub mod wave_proof;

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use patchward_protocol::api::error::ErrorCode;

/// Mounts everything.
pub fn configure(services: &mut ServiceConfig) {
    crate::console::mount(services);
    consent::mount_all(services);
    delta::mount_all(services);
    device::mount_all(services);
    draft::mount_all(services);
    files::mount(services);
    health::mount(services);
    operator::mount_all(services);
    record::mount_all(services);
    repository::mount_all(services);
    site::mount_all(services);
    token::mount_all(services);
    upload::mount(services);
    wave_proof::mount(services);
}

/// What is mounted nowhere.
pub async fn not_found(request: HttpRequest) -> HttpResponse {
    let error = crate::error::ApiError::of(ErrorCode::NotFound);
    problem::problem(&error, &request_id::RequestId::of(&request))
}

/// Mounts the answer to everything that is mounted nowhere; last.
pub fn configure_rest(services: &mut ServiceConfig) {
    services.default_service(web::to(not_found));
}
