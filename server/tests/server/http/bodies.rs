//! Bad input: each is told with a code, a hint and a request id; nothing panics, nothing is lost.

use crate::http::device::Device;
use crate::http::house::House;
use crate::http::wire::{self, raw};
use patchward_protocol::api;
use patchward_protocol::api::endpoint::Method;
use patchward_protocol::ledger::Kind;
use proptest::prelude::*;
use std::sync::LazyLock;

static HOUSE: LazyLock<House> = LazyLock::new(House::furnished);

fn path_of(pattern: &str) -> String {
    let part = |part: &str| match part {
        "{kind}" => "site".to_owned(),
        "{name}" | "{site}" => "north".to_owned(),
        "{after_seq}" => "0".to_owned(),
        "{sha256}" => "0".repeat(64),
        part if part.starts_with('{') => "pump-1".to_owned(),
        part => part.to_owned(),
    };
    pattern.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[test]
fn broken_json_is_told_where_it_is_broken() {
    let house = &*HOUSE;
    let bodies: [&[u8]; 12] = [
        b"",
        b"null",
        b"{",
        b"[]",
        b"\"x\"",
        b"{\"label\":\"a\",\"label\":\"a\",\"scope\":{\"kind\":\"administrator\"},\"life_s\":60}",
        b"{\"label\":\"a\",\"scope\":{\"kind\":\"administrator\"},\"life_s\":60.0}",
        b"{\"label\":\"a\",\"scope\":{\"kind\":\"administrator\"},\"life_s\":-1}",
        b"{\"label\":\"a\",\"scope\":{\"kind\":\"administrator\"},\"life_s\":60,\"more\":1}",
        b"{\"label\":\"a\",\"scope\":{\"kind\":\"administrator\"},\"life_s\":60} {}",
        b"\xff\xfe",
        b"{\"label\":\"\\ud800\"}",
    ];
    for body in bodies {
        let answer = house.send("POST", "/v1/tokens", &house.administrator, body);
        let text = String::from_utf8_lossy(body).into_owned();
        assert_eq!((answer.status, answer.code().as_str()), (400, "body_malformed"), "{text}");
        assert!(String::from_utf8(answer.body).unwrap().contains("\"detail\""), "{text}");
    }
    let deep = "[".repeat(60_000);
    let answer = house.send("POST", "/v1/tokens", &house.administrator, deep.as_bytes());
    assert_eq!(answer.code(), "body_malformed");
}

#[test]
fn a_body_over_the_limit_is_not_read() {
    let house = &*HOUSE;
    let long = vec![b' '; 64 * 1024 + 1];
    assert_eq!(
        house.send("POST", "/v1/tokens", &house.administrator, &long).code(),
        "body_too_long"
    );
    assert_eq!(wire::send(house.address, "POST", "/v1/enrol", None, &long).code(), "body_too_long");
    // Announced and never sent: answered from the head alone.
    let announced = format!(
        "POST /v1/reports HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        1_u64 << 40
    );
    let answer = raw(house.address, announced.as_bytes()).unwrap();
    assert_eq!(answer.code(), "body_too_long");
    // In pieces, without a length and without an end: answered as soon as it is too much.
    let mut chunked = b"POST /v1/check-in HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
        Transfer-Encoding: chunked\r\n\r\n"
        .to_vec();
    for _ in 0..20 {
        chunked.extend_from_slice(b"1000\r\n");
        chunked.extend_from_slice(&[b' '; 0x1000]);
        chunked.extend_from_slice(b"\r\n");
    }
    assert_eq!(raw(house.address, &chunked).unwrap().code(), "body_too_long");
}

#[test]
fn an_empty_body_and_null_are_the_same_nothing() {
    let house = &*HOUSE;
    let whoami = |body: &[u8]| house.send("GET", "/v1/whoami", &house.administrator, body).code();
    assert_eq!(whoami(b""), "ok");
    assert_eq!(whoami(b"null"), "ok");
    assert_eq!(whoami(b"{}"), "body_malformed");
}

#[test]
fn a_token_is_looked_at_before_the_body() {
    let house = &*HOUSE;
    let long = vec![b' '; 64 * 1024 + 1];
    let answer = wire::send(house.address, "POST", "/v1/tokens", None, &long);
    assert_eq!(answer.code(), "token_missing");
}

#[test]
fn odd_paths_and_methods_are_told_apart_from_faults() {
    let house = &*HOUSE;
    let ask = |method: &str, path: &str| house.send(method, path, &house.administrator, b"").code();
    for path in
        ["/", "/v1", "/v1/", "/v1/nothing", "/v1/tokens/", "/v1/sites//devices", "/%00", "/..%2f"]
    {
        assert_eq!(ask("GET", path), "not_found", "{path}");
    }
    assert_eq!(ask("PATCH", "/v1/tokens"), "not_found");
    assert_eq!(ask("GET", "/v1/sites/N%20/devices"), "path_malformed");
    assert_eq!(ask("GET", "/v1/sites/north/devices/pump-1/ledger/-1"), "path_malformed");
    assert_eq!(ask("GET", "/v1/sites/north/devices/%F0%9F%92%A9/ledger/1"), "path_malformed");
    assert_eq!(ask("GET", "/v1/repositories/ward/x"), "path_malformed");
    assert_eq!(ask("GET", "/v1/sites/north/devices/none/ledger/1"), "not_found");
}

#[test]
fn a_broken_envelope_is_malformed_and_not_a_fault() {
    let house = &*HOUSE;
    let device = Device::joined(house, "north", "pump-broken", 50);
    let good = serde_json::to_value(device.sealed(&device.poll(1, 1))).unwrap();
    let with = |field: &str, value: serde_json::Value| {
        let mut body = good.clone();
        body[field] = value;
        house.say("/v1/check-in", &body).code()
    };
    assert_eq!(with("payload", "!".into()), "body_malformed");
    assert_eq!(with("payload", "e30=".into()), "body_malformed");
    assert_eq!(with("payload", "A".repeat(40_000).into()), "body_malformed");
    assert_eq!(with("payloadType", "text/plain".into()), "body_malformed");
    assert_eq!(with("signatures", serde_json::json!([])), "body_malformed");
    let mut flipped = good.clone();
    flipped["signatures"][0]["sig"] = "AAAA".into();
    assert_eq!(house.say("/v1/check-in", &flipped).code(), "body_malformed");
    assert_eq!(house.say("/v1/check-in", &good).code(), "ok");
    let detail = "x".repeat(2000);
    let entry = device.entry_after(None, Kind::Held, &detail);
    assert_eq!(device.report(house, &[entry]).code(), "request_invalid");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_bytes_make_an_endpoint_fail(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        which in any::<prop::sample::Index>(),
    ) {
        let house = &*HOUSE;
        let all: Vec<_> =
            api::all().into_iter().filter(|endpoint| endpoint.method == Method::Post).collect();
        let endpoint = which.get(&all);
        let path = path_of(endpoint.path);
        let answer = house.send("POST", &path, &house.administrator, &bytes);
        prop_assert!(answer.status < 500, "{} {path}", answer.status);
        answer.code();
    }
}
