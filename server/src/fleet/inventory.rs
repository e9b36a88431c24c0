//! The devices of a site, with and without an agent, and their stored ledgers.
//!
//! Not here: who may see them (the caller's proof names the site). Invariant: every look-up is by
//! the site of the proof.

use super::{known_keys, roster};
use crate::app::App;
use crate::db::act::{self, Act};
use crate::db::device::{Said, StoredDevice};
use crate::db::outline::{self, Keyed};
use crate::db::{DbError, device, ledger};
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
    let inventory = app.inventories.of(app, site).await?;
    let read = app.db.read(move |conn| outline::keyed_of_site(conn, &named, known_keys::read));
    let listed: HashMap<_, _> =
        inventory.devices.iter().map(|device| (&device.id, device)).collect();
    let views = read.await?.into_iter().map(|Keyed { mut outline, agent }| {
        let words = roster::overlay(&app.fleet, site, &mut outline);
        let slot = words.and_then(|words| words.slot);
        let listed = listed.get(&outline.device).copied();
        DeviceView { slot, ..view(Keyed { outline, agent }, listed) }
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
    let outline = app.db.write(move |conn| {
        if !device::insert(conn, &added, at)? {
            return Ok::<_, DbError>(None);
        }
        let scope = RepositoryId::Site(added.site.clone()).to_string();
        let detail = json!({
            "device": added.device, "family": added.family, "management": added.management,
        });
        act::append(conn, &Act { at, scope, who, act: "add-device", detail })?;
        outline::find(conn, &added.site, &added.device)
    });
    let outline = outline.await?.ok_or_else(|| ApiError::of(ErrorCode::DeviceTaken))?;
    Ok(view(Keyed { outline, agent: None }, None))
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

fn view(keyed: Keyed, listed: Option<&InventoryDevice>) -> DeviceView {
    let Keyed { outline, agent } = keyed;
    let (device_key, ledger_id, ledger_seq) = match agent {
        Some((key, ledger_id, seq)) => (Some(key), Some(ledger_id), seq),
        None => (None, None, 0),
    };
    DeviceView {
        device: outline.device,
        management: outline.management,
        family: outline.family,
        hardware: outline.hardware,
        device_key,
        fingerprint: device_key.map(|key| key.fingerprint()),
        installed: outline.installed,
        state: outline.state,
        reason: outline.reason,
        last_seen: outline.last_seen,
        ledger_id,
        ledger_seq,
        forked: outline.forked,
        ward: listed.and_then(|listed| listed.ward.clone()),
        kind: listed.map(|listed| listed.kind.clone()),
        pair: listed.and_then(|listed| listed.pair.clone()),
        usage: listed.map(|listed| listed.usage),
        slot: None,
    }
}
