//! From an inventory and the server's list to a plan.

use crate::inventories::{device, good};
use crate::windows::at;
use patchward_protocol::api::site::{DeviceView, Management};
use patchward_protocol::approval::Urgency;
use patchward_protocol::check::{WaveOrder, check};
use patchward_protocol::id::{DeviceId, FamilyId, WardId};
use patchward_protocol::inventory::{Attendance, Inventory};
use patchward_protocol::key::{SecretKey, Signer as _};
use patchward_protocol::plan::{
    ALTERNATIVES, Ask, BadAsk, Hours, Reason, Request, WAIT_S, Wanted, plan, plan_standing,
};

fn view(id: &str, n: u8) -> DeviceView {
    let json = serde_json::json!({
        "device": id, "management": "agent", "family": "acme.infusion-a", "hardware": null,
        "device_key": SecretKey::from_seed(&[n; 32]).public(), "fingerprint": null,
        "installed": null, "state": null, "reason": null, "last_seen": null, "ledger_id": null,
        "ledger_seq": 0, "forked": false,
    });
    serde_json::from_value(json).unwrap()
}

fn ask(wanted: Wanted) -> Ask {
    Ask {
        families: vec![FamilyId::new("acme.infusion-a").unwrap()],
        need_s: 1200,
        wait_s: WAIT_S,
        attended: Attendance::Unattended,
        urgency: Urgency::Routine,
        hours: Hours::Usual,
        alternatives: ALTERNATIVES,
        now: at("2026-12-01T00:00:00Z"),
        until: at("2026-12-22T00:00:00Z"),
        wanted,
        out_of_service: Vec::new(),
        busy: Vec::new(),
    }
}

fn hospital() -> (Inventory, Vec<DeviceView>) {
    let mut inventory = good();
    for n in 3..7 {
        inventory.devices.push(device(&format!("pump-0{n}"), Some("5-east"), None));
    }
    inventory.devices.push(device("pump-07", None, None));
    let views = (1..7).map(|n| view(&format!("pump-0{n}"), n));
    (inventory, views.collect())
}

#[test]
fn an_inventory_and_a_list_of_devices_become_a_plan_that_passes_the_check() {
    let (inventory, mut views) = hospital();
    views.push(view("pump-99", 99));
    let request = Request::of(&inventory, &views, &ask(Wanted::All)).unwrap();
    let plan = plan(&request);
    assert_eq!(check(&request, WaveOrder::InTime, &plan.waves, &plan.devices), []);
    assert_eq!(plan.devices.len(), 6, "{plan:#?}");
    // 02:00 in Tokyo.
    assert!(plan.devices.iter().all(|device| device.slots[0].start().to_string().contains("T17:")));
    let reasons: Vec<_> =
        plan.unplaced.iter().map(|one| (one.device.as_str(), one.reason)).collect();
    assert_eq!(reasons, [("pump-99", Reason::NotInInventory)]);
    let standing = plan_standing(&Request { alternatives: 32, ..request.clone() });
    assert_eq!(check(&request, WaveOrder::ByProof, &standing.waves, &standing.devices), []);
    assert_eq!(standing.devices.len(), 6);
}

#[test]
fn who_is_named_gets_slots_or_a_reason_and_who_is_unknown_is_an_error() {
    let (inventory, mut views) = hospital();
    views[3].management = Management::Observed;
    let id = |id: &str| DeviceId::new(id).unwrap();
    let wanted = Wanted::Devices(vec![id("pump-03"), id("pump-04"), id("pump-07")]);
    let request = Request::of(&inventory, &views, &ask(wanted)).unwrap();
    let plan = plan(&request);
    let reasons: Vec<_> =
        plan.unplaced.iter().map(|one| (one.device.as_str(), one.reason)).collect();
    assert_eq!(reasons, [("pump-04", Reason::NoAgent), ("pump-07", Reason::NoAgent)]);
    assert_eq!(plan.devices.len(), 1);
    let nobody = ask(Wanted::Devices(vec![id("pump-55")]));
    let bad = Request::of(&inventory, &views, &nobody).unwrap_err();
    assert_eq!(bad, BadAsk::Device { device: id("pump-55") });
    let ward = WardId::new("6-west").unwrap();
    let bad = Request::of(&inventory, &views, &ask(Wanted::Wards(vec![ward.clone()]))).unwrap_err();
    assert_eq!(bad, BadAsk::Ward { ward });
    let mut late = ask(Wanted::All);
    late.until = late.now;
    assert!(matches!(Request::of(&inventory, &views, &late), Err(BadAsk::Span { .. })));
}
