//! Handlers of repositories: opened, shown, published in. Not here: files (`files`, `upload`).

use super::mount::{Call, ProofOf, mount};
use crate::error::ApiError;
use crate::publish::{commit, open};
use actix_web::web::ServiceConfig;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::repository::{
    OpenRepository, Publish, RepositoryView, ShowRepository,
};
use patchward_protocol::id::RepositoryId;

/// Mounts the endpoints of `protocol::api::repository`.
pub fn mount_all(services: &mut ServiceConfig) {
    mount::<OpenRepository, _, _>(services, open_repository);
    mount::<ShowRepository, _, _>(services, show_repository);
    mount::<Publish, _, _>(services, publish);
}

async fn open_repository(
    call: Call<OpenRepository, ProofOf<OpenRepository>>,
) -> Result<RepositoryView, ApiError> {
    let (kind, name) = &call.path;
    let id = RepositoryId::from_parts(kind, name);
    let id = id.map_err(|error| ApiError::because(ErrorCode::PathMalformed, &error))?;
    open::open(&call.app, id, call.body, call.caller.holder().id.clone()).await
}

async fn show_repository(
    call: Call<ShowRepository, ProofOf<ShowRepository>>,
) -> Result<RepositoryView, ApiError> {
    open::show(&call.app, call.caller.repository())
}

async fn publish(call: Call<Publish, ProofOf<Publish>>) -> Result<RepositoryView, ApiError> {
    let (id, who) = (call.caller.repository().clone(), call.caller.holder().id.clone());
    commit::publish(&call.app, id, call.body, who).await
}
