//! Several devices of the list stand in another ward from now on.
//!
//! One change of the inventory, with its checks. Not here: anything else of a device
//! ([`super::listed`]). Invariant: a device that nobody has written down is not placed.

use crate::consent::inventory;
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::form::Form;
use crate::console::pages::settings::change::overtaken;
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::error::ApiError;
use crate::people::role::SitePower;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::id::{DeviceId, WardId};
use patchward_protocol::inventory::Inventory;
use std::collections::BTreeSet;

/// What the form sends for no ward: an empty field would be one that nobody filled in.
pub(super) const NO_WARD: &str = "-";

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    const PATH: &str = "/console/sites/{site}/devices/place";
    routes.post::<AtSite, _, _>(PATH, SitePower::Administer, place);
}

async fn place(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (app, entry) = (&visit.app, &visit.entry);
    let (devices, ward) = wanted(&visit.form)?;
    let before = inventory::read(app, &entry.site).await?;
    if overtaken(&visit, &before)? {
        return Err(ApiError::of(ErrorCode::InventoryConflict).into());
    }
    let mut now = before.clone();
    put(&mut now, &devices, ward.as_ref());
    if now != before {
        inventory::write_by(app, &entry.site, now, entry.who.by()).await?;
    }
    let to = ward.map(|ward| format!("devices?ward={ward}"));
    Ok(Answer::done(&entry.path(to.as_deref().unwrap_or("devices")), "devices-placed-done"))
}

/// Which devices, and where to.
fn wanted(form: &Form) -> Result<(BTreeSet<DeviceId>, Option<WardId>), ApiError> {
    let bad = |what: &str| ApiError::with(ErrorCode::RequestInvalid, what);
    let devices = form.all("device").map(|id| id.parse().map_err(|_| bad("device: no id")));
    let devices: BTreeSet<DeviceId> = devices.collect::<Result<_, _>>()?;
    if devices.is_empty() {
        return Err(bad("device: choose at least one"));
    }
    let ward = match form.need("to_ward")? {
        NO_WARD => None,
        ward => Some(ward.parse().map_err(|_| bad("to_ward: no id"))?),
    };
    Ok((devices, ward))
}

fn put(inventory: &mut Inventory, devices: &BTreeSet<DeviceId>, ward: Option<&WardId>) {
    for device in inventory.devices.iter_mut().filter(|device| devices.contains(&device.id)) {
        device.ward = ward.cloned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ticked_devices_move_and_nobody_moves_by_an_empty_field() {
        let text = r#"{"v":1,"site":"north","revision":1,"tz":"Asia/Tokyo",
            "wards":[{"id":"e5","name_en":"East 5","name_ja":"5階東"}],
            "devices":[{"id":"a","kind":"pump"},{"id":"b","kind":"pump","ward":"e5"}]}"#;
        let mut inventory = Inventory::read(text.as_bytes()).unwrap();
        let form = |fields: &[(&str, &str)]| wanted(&Form::of(fields.iter().copied()));
        let (devices, ward) = form(&[("device", "a"), ("to_ward", "e5")]).unwrap();
        put(&mut inventory, &devices, ward.as_ref());
        let wards = |inventory: &Inventory| {
            let ward = |it: &patchward_protocol::inventory::InventoryDevice| it.ward.is_some();
            inventory.devices.iter().map(ward).collect::<Vec<_>>()
        };
        assert_eq!(wards(&inventory), [true, true]);
        let (devices, ward) = form(&[("device", "b"), ("to_ward", NO_WARD)]).unwrap();
        put(&mut inventory, &devices, ward.as_ref());
        assert_eq!(wards(&inventory), [true, false]);
        assert!(form(&[("device", "a"), ("to_ward", "")]).is_err());
        assert!(form(&[("to_ward", "e5")]).is_err());
        assert!(form(&[("device", "!"), ("to_ward", "e5")]).is_err());
    }
}
