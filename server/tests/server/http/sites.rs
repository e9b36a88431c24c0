//! Two hospitals on one server cannot see each other; a manufacturer sees its own families.

use crate::http::device::Device;
use crate::http::house::House;
use crate::http::wire;
use patchward_protocol::api::site::{DeviceView, Management};
use patchward_protocol::api::token::TokenView;
use serde_json::json;

#[test]
fn two_hospitals_with_the_same_device_names_do_not_meet() {
    let house = House::furnished();
    Device::joined(&house, "north", "pump-1", 1);
    Device::joined(&house, "south", "pump-1", 2);
    Device::joined(&house, "south", "pump-2", 3);
    let (north, south) = (house.site_token("north"), house.site_token("south"));
    let list = |site: &str, token: &str| house.get(&format!("/v1/sites/{site}/devices"), token);
    let of_north: Vec<DeviceView> = list("north", &north).read();
    let of_south: Vec<DeviceView> = list("south", &south).read();
    assert_eq!((of_north.len(), of_south.len()), (1, 2));
    assert_ne!(of_north[0].device_key, of_south[0].device_key);
    // What is another's and what is not there look the same.
    for site in ["south", "nowhere"] {
        assert_eq!(list(site, &north).code(), "not_found");
        let ledger = format!("/v1/sites/{site}/devices/pump-1/ledger/0");
        assert_eq!(house.get(&ledger, &north).code(), "not_found");
        assert_eq!(house.get(&format!("/v1/repositories/site/{site}"), &north).code(), "not_found");
        let timestamp = format!("/tuf/site/{site}/metadata/timestamp.json");
        assert_eq!(house.get(&timestamp, &north).code(), "not_found");
    }
}

#[test]
fn devices_without_an_agent_stand_in_the_inventory() {
    let house = House::furnished();
    let token = house.site_token("north");
    let add = |device: &str, management: &str| {
        let body = json!({
            "device": device, "management": management, "family": "legacy.ct", "hardware": null,
        });
        house.post("/v1/sites/north/devices", &token, &body)
    };
    let added: DeviceView = add("ct-1", "manual").read();
    assert_eq!((added.management, added.device_key), (Management::Manual, None));
    assert_eq!(add("ct-1", "observed").code(), "device_taken");
    assert_eq!(add("ct-2", "agent").code(), "request_invalid");
    assert_eq!(add("CT 2", "manual").code(), "body_malformed");
    let devices: Vec<DeviceView> = house.get("/v1/sites/north/devices", &token).read();
    assert_eq!(devices, [added]);
}

#[test]
fn a_restricted_family_is_for_its_maker_its_devices_and_their_hospitals() {
    let house = House::furnished();
    house.open("family/acme.secret", "restricted");
    house.publish(&"family:acme.secret".parse().unwrap(), 1, &[]);
    let maker = house.maker_token("acme.secret");
    let (north, south) = (house.site_token("north"), house.site_token("south"));
    let timestamp = "/tuf/family/acme.secret/metadata/timestamp.json";
    let read = |token: &str| house.get(timestamp, token).status;
    assert_eq!(read(&north), 404, "no such device yet");
    let mut device = Device::new("north", "pump-1", 1);
    device.family = "acme.secret".parse().unwrap();
    let pack = house.pack_for("north", "acme.secret");
    assert_eq!(device.enrol(&house, &pack.token).code(), "ok");
    let reply = device.check_in(&house, 1, 1);
    assert!(reply.family_timestamp.is_some());
    let stranger = Device::joined(&house, "north", "pump-2", 2).check_in(&house, 1, 1).token;
    let may = [&maker, &north, &house.administrator, &reply.token].map(|token| read(token));
    assert_eq!(may, [200; 4]);
    let other_maker = house.maker_token("acme.a");
    assert_eq!([&south, &stranger, &other_maker].map(|token| read(token)), [404; 3]);
    assert_eq!(wire::send(house.address, "GET", timestamp, None, b"").status, 404);
    let show = "/v1/repositories/family/acme.secret";
    assert_eq!(house.get(show, &maker).code(), "ok");
    assert_eq!(house.get(show, &house.maker_token("acme.a")).code(), "not_found");
    let public = wire::send(house.address, "GET", "/v1/repositories/family/acme.a", None, b"");
    assert_eq!(public.code(), "token_missing");
}

#[test]
fn whoami_says_the_token_and_no_secret() {
    let house = House::furnished();
    let token = house.token(json!({ "kind": "site", "site": "north" }));
    let answer = house.get("/v1/whoami", &token.token);
    let text = String::from_utf8(answer.body.clone()).unwrap();
    assert!(!text.contains(&token.token[3..]));
    let view: TokenView = answer.read();
    assert_eq!((view.id, view.expires), (token.id, token.expires));
}
