//! The devices of a site, with and without an agent, and their stored ledgers.
//!
//! Not here: who may see them (the caller's proof names the site). Invariant: every look-up is by
//! the site of the proof.

use crate::app::App;
use crate::db::act::{self, Act};
use crate::db::device::{Said, StoredDevice};
use crate::db::{DbError, device, inventory, ledger};
use crate::error::ApiError;
use crate::limits::LEDGER_PAGE_ENTRIES_MAX;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::site::{AddDeviceRequest, DeviceView, LedgerPage, Management};
use patchward_protocol::id::{DeviceId, RepositoryId, SiteId};
use patchward_protocol::inventory::InventoryDevice;
use serde_json::json;
use std::collections::HashMap;

/// Every device of the site.
///
/// # Errors
/// A failure of ours.
pub async fn list(app: &App, site: &SiteId) -> Result<Vec<DeviceView>, ApiError> {
    let named = site.clone();
    let read = app.db.read(move |conn| {
        Ok::<_, DbError>((device::list(conn, &named)?, inventory::find(conn, &named)?))
    });
    let (mut devices, stored) = read.await?;
    app.fleet.overlay(&mut devices);
    let listed =
        stored.as_ref().map(|stored| stored.inventory.devices.as_slice()).unwrap_or_default();
    let listed: HashMap<_, _> = listed.iter().map(|device| (&device.id, device)).collect();
    let views = devices.into_iter().map(|stored| {
        let words = app.fleet.said(site, &stored.device).map(|(words, _)| words);
        let slot = words.and_then(|words| words.slot);
        let listed = listed.get(&stored.device);
        DeviceView { slot, ..view(stored, listed.copied()) }
    });
    Ok(views.collect())
}

/// Changes how a device without an agent is looked after; `who` is whoever asks.
///
/// # Errors
/// `not_found` when there is no such device without an agent, `request_invalid` for `agent`, or a
/// failure of ours.
pub async fn manage(
    app: &App,
    site: &SiteId,
    id: &DeviceId,
    management: Management,
    who: String,
) -> Result<(), ApiError> {
    if management == Management::Agent {
        let rule = "management: manual or observed; a device with an agent enrols itself";
        return Err(ApiError::with(ErrorCode::RequestInvalid, rule));
    }
    let (at, site, id) = (app.clock.now(), site.clone(), id.clone());
    let changed = app.db.write(move |conn| {
        let found = device::find(conn, &site, &id)?;
        let Some(stored) = found.filter(|stored| stored.management != Management::Agent) else {
            return Ok(false);
        };
        if stored.management != management {
            device::manage(conn, &site, &id, management)?;
            let scope = RepositoryId::Site(stored.site).to_string();
            let detail = json!({"device": stored.device, "management": management});
            act::append(conn, &Act { at, scope, who, act: "change-device", detail })?;
        }
        Ok::<_, DbError>(true)
    });
    if changed.await? { Ok(()) } else { Err(ApiError::of(ErrorCode::NotFound)) }
}

/// Adds a device without an agent; `who` is the name of the caller's token.
///
/// # Errors
/// `request_invalid` for one with an agent, `device_taken`, or a failure of ours.
pub async fn add(
    app: &App,
    site: &SiteId,
    request: AddDeviceRequest,
    who: String,
) -> Result<DeviceView, ApiError> {
    match request.management {
        Management::Manual | Management::Observed => {}
        Management::Agent => {
            let rule = "management: manual or observed; a device with an agent enrols itself";
            return Err(ApiError::with(ErrorCode::RequestInvalid, rule));
        }
    }
    let at = app.clock.now();
    let added = StoredDevice {
        site: site.clone(),
        device: request.device,
        management: request.management,
        family: request.family,
        hardware: request.hardware,
        agent: None,
        said: Said::default(),
    };
    let stored = added.clone();
    let is_new = app.db.write(move |conn| {
        let is_new = device::insert(conn, &stored, at)?;
        if is_new {
            let scope = RepositoryId::Site(stored.site).to_string();
            let detail = json!({
                "device": stored.device, "family": stored.family, "management": stored.management,
            });
            act::append(conn, &Act { at, scope, who, act: "add-device", detail })?;
        }
        Ok::<_, DbError>(is_new)
    });
    if is_new.await? { Ok(view(added, None)) } else { Err(ApiError::of(ErrorCode::DeviceTaken)) }
}

/// Stored entries of a device's ledger after a position.
///
/// # Errors
/// `not_found`, or a failure of ours.
pub async fn read_ledger(
    app: &App,
    site: &SiteId,
    device: DeviceId,
    after_seq: u64,
) -> Result<LedgerPage, ApiError> {
    let site = site.clone();
    let page = app.db.read(move |conn| {
        let Some(stored) = device::find(conn, &site, &device)? else { return Ok(None) };
        let Some(agent) = stored.agent else {
            return Ok(Some(LedgerPage { device_key: None, entries: Vec::new() }));
        };
        let ledger_id = agent.chain.ledger_id;
        let entries =
            ledger::after(conn, &site, &device, ledger_id, after_seq, LEDGER_PAGE_ENTRIES_MAX)?;
        Ok::<_, DbError>(Some(LedgerPage { device_key: Some(agent.device_key), entries }))
    });
    page.await?.ok_or_else(|| ApiError::of(ErrorCode::NotFound))
}

fn view(stored: StoredDevice, listed: Option<&InventoryDevice>) -> DeviceView {
    let agent = stored.agent.as_ref();
    DeviceView {
        device: stored.device,
        management: stored.management,
        family: stored.family,
        hardware: stored.hardware,
        device_key: agent.map(|agent| agent.device_key),
        fingerprint: agent.map(|agent| agent.device_key.fingerprint()),
        installed: stored.said.installed,
        state: stored.said.state,
        reason: stored.said.reason,
        last_seen: stored.said.last_seen,
        ledger_id: agent.map(|agent| agent.chain.ledger_id),
        ledger_seq: agent.map_or(0, |agent| agent.chain.seq),
        forked: agent.is_some_and(|agent| agent.forked),
        ward: listed.and_then(|listed| listed.ward.clone()),
        kind: listed.map(|listed| listed.kind.clone()),
        pair: listed.and_then(|listed| listed.pair.clone()),
        usage: listed.map(|listed| listed.usage),
        slot: None,
    }
}
