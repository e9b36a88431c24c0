//! Handlers of drafts that people sign on their own machines. Not here: rules.

use super::mount::{Call, ProofOf, mount};
use crate::consent::draft::carry;
use crate::consent::draft::sign::After;
use crate::error::ApiError;
use actix_web::web::ServiceConfig;
use patchward_protocol::api::draft::{DraftSigned, ReadDraft, SignDraft};
use patchward_protocol::draft::carried::CarriedDraft;

/// Mounts the endpoints of `protocol::api::draft`.
pub fn mount_all(services: &mut ServiceConfig) {
    mount::<ReadDraft, _, _>(services, read);
    mount::<SignDraft, _, _>(services, sign);
}

async fn read(call: Call<ReadDraft, ProofOf<ReadDraft>>) -> Result<CarriedDraft, ApiError> {
    carry::give(&call.app, call.caller.site()).await
}

async fn sign(call: Call<SignDraft, ProofOf<SignDraft>>) -> Result<DraftSigned, ApiError> {
    let published = match carry::take(&call.app, call.caller.site(), call.body).await? {
        After::Published(version) => Some(version),
        After::Open(_) => None,
    };
    Ok(DraftSigned { published })
}
