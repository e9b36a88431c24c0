//! Handlers of a hospital's own objects. Not here: rules.

use super::mount::{Call, ProofOf, mount};
use crate::error::ApiError;
use crate::fleet::{inventory, pack};
use actix_web::web::ServiceConfig;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::site::{
    AddDevice, DeviceView, LedgerPage, ListDevices, MakePack, ReadLedger,
};
use patchward_protocol::id::DeviceId;
use patchward_protocol::pack::EnrolmentPack;

/// Mounts the endpoints of `protocol::api::site`.
pub fn mount_all(services: &mut ServiceConfig) {
    mount::<MakePack, _, _>(services, make_pack);
    mount::<ListDevices, _, _>(services, list_devices);
    mount::<AddDevice, _, _>(services, add_device);
    mount::<ReadLedger, _, _>(services, read_ledger);
}

async fn make_pack(call: Call<MakePack, ProofOf<MakePack>>) -> Result<EnrolmentPack, ApiError> {
    let who = call.caller.holder().id.clone();
    pack::make(&call.app, call.caller.site(), call.body, who).await
}

async fn list_devices(
    call: Call<ListDevices, ProofOf<ListDevices>>,
) -> Result<Vec<DeviceView>, ApiError> {
    inventory::list(&call.app, call.caller.site()).await
}

async fn add_device(call: Call<AddDevice, ProofOf<AddDevice>>) -> Result<DeviceView, ApiError> {
    let who = call.caller.holder().id.clone();
    inventory::add(&call.app, call.caller.site(), call.body, who).await
}

async fn read_ledger(call: Call<ReadLedger, ProofOf<ReadLedger>>) -> Result<LedgerPage, ApiError> {
    let (_, device, after_seq) = call.path;
    let device = DeviceId::new(&device)
        .map_err(|error| ApiError::because(ErrorCode::PathMalformed, &error))?;
    inventory::read_ledger(&call.app, call.caller.site(), device, after_seq).await
}
