//! Every endpoint against every wrong caller. An endpoint without a row here fails the test.

use crate::http::device::Device;
use crate::http::house::{House, now};
use crate::http::wire;
use patchward_protocol::api;
use patchward_protocol::digest::Sha256Digest;
use serde_json::json;
use std::collections::BTreeSet;

/// Who comes: without a token; with a random one; with one that has ended; with a revoked one; with
/// the other site's; with the other manufacturer's; with a device's.
const WHO: [&str; 7] =
    ["nobody", "garbage", "expired", "revoked", "other site", "other maker", "device"];

/// What each is told, by endpoint and object. `ok` is an answer without error.
const TABLE: &[(&str, &str, [&str; 7])] = &[
    // Anyone may.
    ("ShowServer", "/v1/server", ALL_OK),
    ("Live", "/health/live", ALL_OK),
    ("Ready", "/health/ready", ALL_OK),
    ("OpenApi", "/v1/openapi.json", ALL_OK),
    // A bearer means nothing for what devices sign: a stranger's statement stays a stranger's.
    ("Enrol", "/v1/enrol", same("enrolment_token")),
    ("CheckIn", "/v1/check-in", same("device_unknown")),
    ("Report", "/v1/reports", same("device_unknown")),
    // Who may not read is told that there is nothing; a site's device may read its site.
    ("Metadata", "/tuf/site/south/metadata/timestamp.json", HIDDEN),
    (
        "Metadata",
        "/tuf/site/north/metadata/timestamp.json",
        ["not_found", "not_found", "not_found", "not_found", "ok", "not_found", "ok"],
    ),
    ("Metadata", "/tuf/family/acme.secret/metadata/timestamp.json", HIDDEN),
    ("Metadata", "/tuf/family/acme.a/metadata/timestamp.json", HIDDEN),
    ("Target", "/tuf/site/south/targets/approval/0.x", HIDDEN),
    ("Target", "/tuf/family/acme.secret/targets/img/0.x", HIDDEN),
    // Publishing needs a token that covers the repository.
    ("Upload", "/v1/repositories/site/south/blobs/DIGEST", PUBLISHER),
    ("Upload", "/v1/repositories/family/acme.a/blobs/DIGEST", PUBLISHER),
    ("ShowRepository", "/v1/repositories/site/south", PUBLISHER),
    ("ShowRepository", "/v1/repositories/family/acme.a", PUBLISHER),
    ("Publish", "/v1/repositories/site/south/publish", PUBLISHER),
    ("Publish", "/v1/repositories/family/acme.a/publish", PUBLISHER),
    ("ListDeltas", "/v1/repositories/site/south/deltas", PUBLISHER),
    ("ListDeltas", "/v1/repositories/family/acme.a/deltas", PUBLISHER),
    // A site's own objects.
    ("MakePack", "/v1/sites/south/packs", PUBLISHER),
    ("ListDevices", "/v1/sites/south/devices", PUBLISHER),
    ("AddDevice", "/v1/sites/south/devices", PUBLISHER),
    ("ReadLedger", "/v1/sites/south/devices/pump-1/ledger/0", PUBLISHER),
    ("ReadRecord", "/v1/sites/south/record", PUBLISHER),
    ("Checkpoint", "/v1/sites/south/record/checkpoint", PUBLISHER),
    ("Tile", "/v1/sites/south/record/tile/0", PUBLISHER),
    ("ReadInventory", "/v1/sites/south/inventory", PUBLISHER),
    ("WriteInventory", "/v1/sites/south/inventory", PUBLISHER),
    ("SetHold", "/v1/sites/south/holds", PUBLISHER),
    ("ListHolds", "/v1/sites/south/holds", PUBLISHER),
    ("FileAct", "/v1/sites/south/acts", PUBLISHER),
    ("ReadDraft", "/v1/sites/south/draft", PUBLISHER),
    ("SignDraft", "/v1/sites/south/draft/signatures", PUBLISHER),
    ("ListRollouts", "/v1/sites/south/rollouts", PUBLISHER),
    ("WhyNot", "/v1/sites/south/devices/pump-1/why", PUBLISHER),
    // A wave's proof is for its own site and devices; which proofs there are, nobody else learns.
    ("ReadWaveProof", "/v1/sites/south/wave-proofs/DIGEST", HIDDEN),
    ("ReadWaveProof", "/v1/sites/north/wave-proofs/DIGEST", HIDDEN),
    // A manufacturer's own; a hospital is none.
    ("SetMakerHold", "/v1/families/acme.a/holds", PUBLISHER),
    ("LiftMakerHold", "/v1/families/acme.a/holds/maker-2026-12-05-1", PUBLISHER),
    ("WriteCampaign", "/v1/families/acme.a/campaigns/DIGEST", PUBLISHER),
    ("ReadCampaign", "/v1/families/acme.a/campaigns/DIGEST", PUBLISHER),
    // An administrator's.
    ("SetOperatorHold", "/v1/holds", ADMINISTRATOR),
    ("LiftOperatorHold", "/v1/holds/operator-2026-12-05-1", ADMINISTRATOR),
    ("OpenRepository", "/v1/repositories/family/acme.new", ADMINISTRATOR),
    ("MakeToken", "/v1/tokens", ADMINISTRATOR),
    ("ListTokens", "/v1/tokens", ADMINISTRATOR),
    ("RevokeToken", "/v1/tokens/abc", ADMINISTRATOR),
    // Any valid token.
    (
        "WhoAmI",
        "/v1/whoami",
        [
            "token_missing",
            "token_invalid",
            "token_invalid",
            "token_invalid",
            "ok",
            "ok",
            "token_invalid",
        ],
    ),
    // The claim is used up: nobody is the first administrator any more.
    (
        "ClaimFirst",
        "/v1/claim",
        [
            "token_missing",
            "token_invalid",
            "token_invalid",
            "token_invalid",
            "token_invalid",
            "token_invalid",
            "token_invalid",
        ],
    ),
];

const ALL_OK: [&str; 7] = same("ok");
const HIDDEN: [&str; 7] = same("not_found");
const PUBLISHER: [&str; 7] = [
    "token_missing",
    "token_invalid",
    "token_invalid",
    "token_invalid",
    "not_found",
    "not_found",
    "token_invalid",
];
const ADMINISTRATOR: [&str; 7] = [
    "token_missing",
    "token_invalid",
    "token_invalid",
    "token_invalid",
    "token_scope",
    "token_scope",
    "token_invalid",
];

const fn same(code: &'static str) -> [&'static str; 7] {
    [code; 7]
}

#[test]
fn every_endpoint_turns_every_wrong_caller_away() {
    let named: BTreeSet<_> = TABLE.iter().map(|(name, ..)| *name).collect();
    let all: BTreeSet<_> = api::all().iter().map(|endpoint| endpoint.name).collect();
    assert_eq!(named, all, "each endpoint stands in the table");

    let house = House::furnished();
    house.open("family/acme.secret", "restricted");
    let callers = wrong_callers(&house);
    let mut wrong = Vec::new();
    for (name, path, expected) in TABLE {
        let endpoint = api::all().into_iter().find(|endpoint| endpoint.name == *name).unwrap();
        let (path, body) =
            (path.replace("DIGEST", &Sha256Digest::of(b"x").to_string()), body(name));
        for ((who, bearer), expected) in callers.iter().zip(expected) {
            let method = endpoint.method.as_str();
            let answer = wire::send(house.address, method, &path, bearer.as_deref(), &body);
            let code = answer.code();
            if code != *expected {
                wrong.push(format!("{name} {path} by {who}: {code}, expected {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_path_of_each_row_is_that_of_its_endpoint() {
    for (name, path, _) in TABLE {
        let endpoint = api::all().into_iter().find(|endpoint| endpoint.name == *name).unwrap();
        let (asked, pattern) = (path.split('/'), endpoint.path.split('/'));
        assert_eq!(asked.clone().count(), pattern.clone().count(), "{path}");
        let fits = asked.zip(pattern).all(|(part, named)| named.starts_with('{') || part == named);
        assert!(fits, "{path} is not {}", endpoint.path);
    }
}

fn wrong_callers(house: &House) -> Vec<(&'static str, Option<String>)> {
    let expired = house.site_token("south");
    let revoked = house.token(json!({ "kind": "site", "site": "south" }));
    let device = Device::joined(house, "north", "pump-9", 9);
    house.clock.set(now().plus_seconds(3601));
    let revoke = format!("/v1/tokens/{}", revoked.id);
    assert_eq!(house.send("DELETE", &revoke, &house.administrator, b"").status, 204);
    let token = device.check_in(house, 1, 1).token;
    let bearers = [
        None,
        Some(format!("pw_{}", "5a".repeat(32))),
        Some(expired),
        Some(revoked.token),
        Some(house.site_token("north")),
        Some(house.maker_token("beta.b")),
        Some(token),
    ];
    WHO.into_iter().zip(bearers).collect()
}

/// A body that would be good from the right caller, or a stranger's statement.
fn body(name: &str) -> Vec<u8> {
    let stranger = Device::new("north", "stranger", 77);
    let value = match name {
        "Enrol" => {
            let token = format!("pw_{}", "00".repeat(32));
            serde_json::to_value(stranger.request(&stranger.enrolment(&token))).unwrap()
        }
        "CheckIn" => serde_json::to_value(stranger.sealed(&stranger.poll(1, 1))).unwrap(),
        "Report" => json!({ "site": "north", "device": "stranger", "entries": [] }),
        "OpenRepository" => json!({ "title_en": "A", "title_ja": "あ", "reading": "public" }),
        "Publish" => json!({ "root": null, "targets": null }),
        "MakePack" => json!({ "families": ["acme.a"], "device": null, "life_s": 600 }),
        "AddDevice" => {
            json!({ "device": "ct-1", "management": "manual", "family": "acme.ct", "hardware": null })
        }
        "MakeToken" => {
            json!({ "label": "x", "scope": { "kind": "administrator" }, "life_s": 600 })
        }
        "WriteInventory" => json!({ "v": 1, "site": "south", "revision": 0, "tz": "Asia/Tokyo" }),
        "SetHold" => {
            json!({ "target": { "scope": "site" }, "reason": "stop", "owner": "night shift" })
        }
        "SetMakerHold" => {
            let image = Sha256Digest::of(b"image");
            let target = json!({ "scope": "release", "family": "acme.a", "image_sha256": image });
            json!({ "target": target, "reason": "stop", "owner": "quality" })
        }
        "SetOperatorHold" => json!({ "site": null, "reason": "stop", "owner": "operations" }),
        "WriteCampaign" => {
            json!({ "revision": 0, "state": "paused", "sites": [], "sites_open": 0, "percent": 0 })
        }
        "SignDraft" => {
            let shown = json!({ "en": [], "ja": [], "fingerprint": "" });
            json!({ "v": 1, "stage": "", "approvals": {}, "shown": shown })
        }
        "FileAct" => serde_json::to_value(stranger.sealed(&stranger.poll(1, 1))).unwrap(),
        "Upload" => return b"x".to_vec(),
        _ => return Vec::new(),
    };
    serde_json::to_vec(&value).unwrap()
}
