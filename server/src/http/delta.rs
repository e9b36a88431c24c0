//! Handler of what is known of deltas. Not here: their files (`files`).

use super::mount::{Call, ProofOf, mount};
use crate::delta::status;
use crate::error::ApiError;
use actix_web::web::ServiceConfig;
use patchward_protocol::api::delta::{DeltasView, ListDeltas};

/// Mounts the endpoints of `protocol::api::delta`.
pub fn mount_all(services: &mut ServiceConfig) {
    mount::<ListDeltas, _, _>(services, list_deltas);
}

async fn list_deltas(call: Call<ListDeltas, ProofOf<ListDeltas>>) -> Result<DeltasView, ApiError> {
    status::list(&call.app, call.caller.repository()).await
}
