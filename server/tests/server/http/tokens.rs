//! API tokens: made within limits, ended by time or by hand; the claim is used once.

use crate::http::house::{House, now, put_claim};
use patchward_protocol::api::token::{NewToken, TokenView};
use serde_json::{Value, json};

fn make(house: &House, label: &str, scope: Value, life_s: u64) -> String {
    let body = json!({ "label": label, "scope": scope, "life_s": life_s });
    house.post("/v1/tokens", &house.administrator, &body).code()
}

#[test]
fn a_token_is_made_within_its_limits() {
    let house = House::empty();
    let site = || json!({ "kind": "site", "site": "north" });
    assert_eq!(make(&house, "夜勤", site(), 60), "ok");
    assert_eq!(make(&house, "x", site(), 59), "request_invalid");
    assert_eq!(make(&house, "x", site(), 366 * 86_400 + 1), "request_invalid");
    assert_eq!(make(&house, " ", site(), 60), "request_invalid");
    assert_eq!(make(&house, "a\u{7}b", site(), 60), "request_invalid");
    assert_eq!(make(&house, &"x".repeat(101), site(), 60), "request_invalid");
    assert_eq!(
        make(&house, "x", json!({ "kind": "maker", "families": [] }), 60),
        "request_invalid"
    );
    assert_eq!(make(&house, "x", json!({ "kind": "everything" }), 60), "body_malformed");
    assert_eq!(make(&house, "x", json!({ "kind": "site", "site": "No" }), 60), "body_malformed");
}

#[test]
fn a_token_ends_by_time_and_by_hand_at_once() {
    let house = House::empty();
    let token = house.token(json!({ "kind": "site", "site": "north" }));
    let works = || house.get("/v1/whoami", &token.token).code();
    assert_eq!(works(), "ok");
    house.clock.set(now().plus_seconds(3599));
    assert_eq!(works(), "ok");
    house.clock.set(now().plus_seconds(3600));
    assert_eq!(works(), "token_invalid");
    house.clock.set(now());
    assert_eq!(works(), "ok");
    let path = format!("/v1/tokens/{}", token.id);
    assert_eq!(house.send("DELETE", &path, &house.administrator, b"").status, 204);
    assert_eq!(works(), "token_invalid");
    assert_eq!(house.send("DELETE", &path, &house.administrator, b"").status, 204);
    let listed: Vec<TokenView> = house.get("/v1/tokens", &house.administrator).read();
    let view = listed.iter().find(|view| view.id == token.id).unwrap();
    assert_eq!(view.revoked, Some(now()));
    assert_eq!(
        house.send("DELETE", "/v1/tokens/none", &house.administrator, b"").code(),
        "not_found"
    );
}

#[test]
fn of_many_who_claim_at_once_one_is_first() {
    // The claim of a house is used up when it stands; a second one is put in its place here.
    let house = House::empty();
    let claim = put_claim(&house.db);
    let answers: Vec<String> = std::thread::scope(|scope| {
        let ask = || house.send("POST", "/v1/claim", &claim, b"").code();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|code| *code == "ok").count(), 1);
    assert_eq!(answers.iter().filter(|code| *code == "token_invalid").count(), 7);
}

#[test]
fn a_claim_that_has_ended_makes_nobody_administrator() {
    let house = House::empty();
    let claim = put_claim(&house.db);
    house.clock.set(now().plus_seconds(60));
    assert_eq!(house.send("POST", "/v1/claim", &claim, b"").code(), "token_invalid");
    house.clock.set(now().plus_seconds(59));
    let first: NewToken = house.send("POST", "/v1/claim", &claim, b"").read();
    assert_eq!(house.get("/v1/tokens", &first.token).code(), "ok");
}
