//! Deltas over HTTP: files for whom they concern, and what devices said of them.

use crate::http::device::Device;
use crate::http::house::House;
use patchward_protocol::api::delta::DeltasView;
use patchward_protocol::api::repository::RepositoryView;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::Seq;
use patchward_protocol::image::ImageRef;
use patchward_protocol::ledger::{Carried, Fact, Kind};
use patchward_protocol::reason::Reason;

fn image(seq: u64) -> ImageRef {
    ImageRef {
        family: "acme.a".parse().unwrap(),
        version: format!("{seq}.0.0").parse().unwrap(),
        seq: Seq(seq),
        image_sha256: Sha256Digest::of(&seq.to_le_bytes()),
    }
}

fn staged(seq: u64, fetched_bytes: u64, reason: Option<Reason>) -> Fact {
    let mut fact = Fact::new(Kind::Staged);
    fact.release = Some(image(seq));
    fact.reason = reason;
    fact.carried = Some(Carried {
        delta_sha256: reason.is_none().then(|| Sha256Digest::of(b"delta")),
        fetched_bytes,
        full_bytes: 1_000,
        windows: 10,
        windows_full: if reason.is_some() { 10 } else { 1 },
    });
    fact
}

fn shown(house: &House) -> DeltasView {
    let token = house.maker_token("acme.a");
    house.get("/v1/repositories/family/acme.a/deltas", &token).read()
}

#[test]
fn how_a_device_got_its_last_image_is_told_from_what_it_signed() {
    let house = House::furnished();
    let mut device = Device::joined(&house, "north", "pump-1", 1);
    device.write(Kind::Enrolled);
    device.write_fact(staged(1, 1_100, Some(Reason::DeltaBaseUnknown)));
    assert_eq!(device.report(&house, &device.entries).code(), "ok");
    let [first] = shown(&house).devices.try_into().unwrap();
    assert_eq!(first.device, device.device);
    assert_eq!(first.image_sha256, image(1).image_sha256);
    assert_eq!(first.reason, Some(Reason::DeltaBaseUnknown));
    assert_eq!((first.carried.delta_sha256, first.carried.windows_full), (None, 10));
    device.write_fact(staged(2, 120, None));
    // Sent twice, and with what came before: what counts is the last one.
    for _ in 0..2 {
        assert_eq!(device.report(&house, &device.entries).code(), "ok");
    }
    let [second] = shown(&house).devices.try_into().unwrap();
    assert_eq!(second.image_sha256, image(2).image_sha256);
    assert_eq!((second.carried.fetched_bytes, second.reason), (120, None));
    assert_eq!(second.carried.delta_sha256, Some(Sha256Digest::of(b"delta")));
}

#[test]
fn a_site_has_no_deltas_and_a_family_that_does_not_delegate_says_so() {
    let house = House::furnished();
    let view: DeltasView =
        house.get("/v1/repositories/site/north/deltas", &house.administrator).read();
    assert!(!view.delegated && view.pairs.is_empty() && view.devices.is_empty());
    assert!(!shown(&house).delegated);
    let of = |path: &str| house.get(path, &house.administrator).read::<RepositoryView>();
    assert!(of("/v1/repositories/family/acme.a").deltas_key.is_some());
    assert!(of("/v1/repositories/site/north").deltas_key.is_none());
}
