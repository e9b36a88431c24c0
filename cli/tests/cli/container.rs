//! Releases in containers: made the same every time, and signed only by who unpacked them and found
//! the image that is listed.

use crate::double::Double;
use crate::place::{PREPARE, Place};
use patchward_protocol::delta::apply::{NoBase, whole};
use patchward_protocol::delta::build::{Parameters, full};
use patchward_protocol::delta::format::{HEADER_BYTES, Header};
use patchward_protocol::digest::Sha256Digest;
use serde_json::{Value, json};
use std::io::Cursor;

const FAMILY: &str = "family:acme.infusion-a";
const CONTAINER: &str = "r1/targets/img/infusion-a-2.4.1.pwd";
const STAGED: &str = "r1/targets-v2.stage.json";
const SIGN: &str =
    "stage sign r1/targets-v2.stage.json --key ta.key --passphrase-file pass --yes-version 2";

fn ready() -> (Place, Double) {
    let (place, server) = (Place::new(), Double::start());
    place.login(&server);
    place.publish_first(FAMILY);
    place.release_inputs();
    (place, server)
}

fn firmware(draft: &mut Value) -> &mut Value {
    &mut draft["signed"]["targets"]["img/infusion-a-2.4.1.pwd"]["custom"]["fw"]
}

fn draft(place: &Place) -> Value {
    serde_json::from_slice(&place.read(STAGED)).unwrap()
}

/// A container around other bytes, listed as if it held the image.
fn packed(image: &[u8]) -> (Vec<u8>, Sha256Digest) {
    let mut out = Cursor::new(Vec::new());
    let built = full(image, &mut out, &Parameters::default(), &|_| {}).unwrap();
    (out.into_inner(), built.table_sha256)
}

fn listed_as(place: &Place, bytes: &[u8], change: impl FnOnce(&mut Value)) {
    place.write(CONTAINER, bytes);
    let mut draft = draft(place);
    let target = &mut draft["signed"]["targets"]["img/infusion-a-2.4.1.pwd"];
    target["length"] = json!(bytes.len());
    target["hashes"]["sha256"] = json!(Sha256Digest::of(bytes));
    change(&mut target["custom"]["fw"]["payload"]);
    place.write(STAGED, draft.to_string());
}

#[test]
fn a_release_travels_in_a_container_that_holds_the_archive() {
    let (place, _server) = ready();
    let said = place.json(&format!("{PREPARE} --out r1"));
    place.good(&format!("{PREPARE} --format plain --out plain"));
    let archive = place.read("plain/targets/img/infusion-a-2.4.1.tar");
    let mut image = Vec::new();
    let mut container = Cursor::new(place.read(CONTAINER));
    let head = whole(
        &mut container,
        None,
        &mut NoBase,
        &mut |_, window: &[u8]| {
            image.extend_from_slice(window);
            Ok(())
        },
        &|_| {},
    )
    .unwrap();
    assert_eq!(image, archive);
    let payload = &said["payload"];
    assert_eq!(payload["format"], "pwd1");
    assert_eq!(payload["table_sha256"], json!(head.sha256));
    assert_eq!(payload["image_sha256"], json!(Sha256Digest::of(&archive)));
    assert_eq!(payload["image_length"], archive.len());
    assert_eq!(*payload, firmware(&mut draft(&place))["payload"]);
    let shown = place.good(&format!("stage show {STAGED}"));
    assert!(shown.out.contains("1 containers unpacked here"), "{}", shown.out);
    let image =
        format!("image in it: {} bytes sha256 {}", archive.len(), Sha256Digest::of(&archive));
    assert!(shown.out.contains(&image), "{}", shown.out);
    assert_eq!(place.json(&format!("stage show {STAGED}"))["unpacked"], 1);
}

#[test]
fn a_container_does_not_depend_on_the_number_of_threads() {
    let (place, _server) = ready();
    let words: Vec<u8> = (0..700_000_u32).flat_map(|n| (n / 3).to_le_bytes()).collect();
    place.write("image/big", words);
    place.good(&format!("{PREPARE} --threads 1 --out r1"));
    place.good(&format!("{PREPARE} --threads 3 --out r2"));
    assert_eq!(place.read(CONTAINER), place.read("r2/targets/img/infusion-a-2.4.1.pwd"));
    assert_eq!(place.read(STAGED), place.read("r2/targets-v2.stage.json"));
    assert_eq!(
        crate::place::names(&place.path("r1")),
        ["targets", "targets-v2.stage.json"],
        "nothing of the packing is left"
    );
}

/// Attack: file and listing agree, and the container holds another image than the draft says.
#[test]
fn nobody_signs_for_a_container_with_another_image() {
    let (place, _server) = ready();
    place.good(&format!("{PREPARE} --out r1"));
    let honest = firmware(&mut draft(&place))["payload"].clone();
    let (evil, table) = packed(&[b'e'; 4096]);
    listed_as(&place, &evil, |payload| payload["table_sha256"] = json!(table));
    let run = place.refused("container_differs", SIGN);
    assert!(run.err.contains("holds an image of 4096 bytes"), "{}", run.err);
    place.refused("container_differs", &format!("stage show {STAGED}"));
    // The header lies too: digest and length of the honest image, windows of another one.
    let length = usize::try_from(honest["image_length"].as_u64().unwrap()).unwrap();
    let (evil, _) = packed(&vec![b'e'; length]);
    let mut forged = evil;
    let sha256: Sha256Digest = serde_json::from_value(honest["image_sha256"].clone()).unwrap();
    forged[88..120].copy_from_slice(sha256.as_bytes());
    let header = Header::read(forged.first_chunk().unwrap()).unwrap();
    let (from, until) = (header.table().start, header.table().end);
    let table = &forged[usize::try_from(from).unwrap()..usize::try_from(until).unwrap()];
    let table = Sha256Digest::of(&[&forged[..HEADER_BYTES], table].concat());
    listed_as(&place, &forged, |payload| {
        *payload = honest.clone();
        payload["table_sha256"] = json!(table);
    });
    let run = place.refused("container_differs", SIGN);
    assert!(run.err.contains("do not make the image"), "{}", run.err);
    assert!(!place.path("r1/acts").exists() && draft(&place)["signatures"] == json!([]));
}

#[test]
fn a_container_that_is_cut_or_of_another_table_is_not_signed() {
    let (place, _server) = ready();
    place.good(&format!("{PREPARE} --out r1"));
    let honest = place.read(CONTAINER);
    listed_as(&place, &honest[..honest.len() - 1], |_| {});
    place.refused("container_differs", SIGN);
    listed_as(&place, &honest, |payload| payload["table_sha256"] = json!(Sha256Digest::of(b"x")));
    let run = place.refused("container_differs", SIGN);
    assert!(run.err.contains("not the signed ones"), "{}", run.err);
    listed_as(&place, &[&honest[..], b"x"].concat(), |_| {});
    place.refused("container_differs", SIGN);
}

/// Attack: a published file of which something else is said afterwards, byte for byte the same file.
#[test]
fn another_image_is_never_said_of_a_published_file() {
    let (place, _server) = ready();
    place.good(&format!("{PREPARE} --out r1"));
    for person in ["ta", "tb"] {
        place.sign(STAGED, person, 2, "");
    }
    place.good(&format!("stage publish {STAGED}"));
    let mut changed = draft(&place);
    changed["signed"]["version"] = json!(3);
    changed["signatures"] = json!([]);
    firmware(&mut changed)["payload"]["image_sha256"] = json!(Sha256Digest::of(b"evil"));
    place.write("r1/targets-v3.stage.json", changed.to_string());
    let sign = SIGN.replace("v2", "v3").replace("--yes-version 2", "--yes-version 3");
    place.refused("container_differs", &sign);
}

#[test]
fn fleets_with_older_agents_get_plain_images() {
    let (place, server) = ready();
    place.good(&format!("{PREPARE} --format plain --out r1"));
    let draft: Value = draft(&place);
    let fw = &draft["signed"]["targets"]["img/infusion-a-2.4.1.tar"]["custom"]["fw"];
    assert_eq!(fw["payload"]["format"], "tree");
    assert!(fw["payload"]["table_sha256"].is_null());
    for person in ["ta", "tb"] {
        place.sign(STAGED, person, 2, "");
    }
    place.good(&format!("stage publish {STAGED}"));
    assert!(server.state.lock().unwrap().files.keys().any(|name| name.ends_with("2.4.1.tar")));
}

#[test]
fn nothing_of_progress_is_written_when_nobody_watches() {
    let (place, _server) = ready();
    let run = place.good(&format!("{PREPARE} --out r1"));
    assert_eq!(run.err, "");
    assert!(!run.out.contains('\r'));
}
