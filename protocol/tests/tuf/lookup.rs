//! What trusted targets say of images and files.

use crate::repository::*;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::tuf::build::TargetSpec;
use patchward_protocol::tuf::lookup::check_bytes;
use serde_json::{Value, json};

const FAMILY: &str = "family:acme.infusion-a";

/// An image target with a `custom.fw` that keeps every rule.
pub fn image(bytes: &[u8], seq: u64) -> TargetSpec {
    let mut target = content(bytes);
    let document = |name: &str| json!({"path": format!("doc/{name}"), "sha256": Sha256Digest::of(name.as_bytes())});
    let fw = json!({
        "v": 1, "family": "acme.infusion-a", "version": "2.4.1", "seq": seq, "hw": ["infusion-a.rev2"],
        "min_seq": 0, "rollback_ok": [], "class": "security", "severity": "high",
        "cves": ["CVE-2026-1234"], "known_exploited": false, "state": "released",
        "payload": {"format": "raw", "kind": "slots", "image_sha256": Sha256Digest::of(bytes),
            "image_length": bytes.len(), "slot_bytes": 4096},
        "est": {"activate_s": 1, "boot_s": 2, "health_s": 3, "rollback_s": 4},
        "therapy": true, "acceptance": "none",
        "docs": {"dossier": document("dossier"), "sbom": document("sbom"),
            "notes_ja": document("notes_ja"), "notes_en": document("notes_en")},
    });
    target.custom.insert("fw".to_owned(), fw);
    target
}

pub fn documents() -> impl Iterator<Item = (String, TargetSpec)> {
    ["dossier", "sbom", "notes_ja", "notes_en"]
        .into_iter()
        .map(|name| (format!("doc/{name}"), content(name.as_bytes())))
}

fn with_fw(change: impl FnOnce(&mut Value)) -> TargetSpec {
    let mut target = image(b"image", 7);
    change(&mut target.custom["fw"]);
    target
}

#[test]
fn a_broken_image_is_refused_by_itself_with_its_reason() {
    let mut repository = Repository::new(FAMILY);
    let bad = [
        ("img/family", with_fw(|fw| fw["family"] = json!("acme.infusion-b"))),
        ("img/format", with_fw(|fw| fw["payload"]["format"] = json!("zip"))),
        ("img/length", with_fw(|fw| fw["payload"]["image_length"] = json!(6))),
        ("img/sha", with_fw(|fw| fw["payload"]["image_sha256"] = json!(Sha256Digest::of(b"x")))),
        ("img/unknown", with_fw(|fw| fw["new"] = json!(1))),
        ("img/none", content(b"image")),
    ];
    for (name, target) in &bad {
        repository.targets.targets.insert(path(name), target.clone());
    }
    repository.targets.targets.insert(path("img/good"), image(b"image", 7));
    repository.publish(&TARGETS[..2]);
    let set = Device::of(&repository).refresh(&repository.files).unwrap();
    let images = set.images();
    let good: Vec<_> = images.iter().flatten().map(|image| image.path.as_str()).collect();
    assert_eq!(good, ["img/good"]);
    let refused: Vec<String> = images
        .iter()
        .filter_map(|image| image.as_ref().err())
        .map(|refused| format!("{} {}", refused.path, refused.source.field))
        .collect();
    let expected = [
        "img/family family",
        "img/format fw",
        "img/length payload.image_length",
        "img/none fw",
        "img/sha payload.image_sha256",
        "img/unknown fw",
    ];
    assert_eq!(refused, expected);
    assert!(set.image(&path("doc/readme.txt")).unwrap().is_none());
}

#[test]
fn bytes_are_checked_against_what_is_listed() {
    let repository = Repository::new("site:city-hospital");
    let set = Device::of(&repository).refresh(&repository.files).unwrap();
    let target = set.target(&path("doc/readme.txt")).unwrap();
    assert_eq!(*check_bytes(&target, b"read me".to_vec()).unwrap(), b"read me".to_vec());
    let code = |bytes: &[u8]| check_bytes(&target, bytes.to_vec()).unwrap_err().code();
    assert_eq!(code(b"read mE"), "tuf_hash_mismatch");
    assert_eq!(code(b"read"), "tuf_length_mismatch");
    assert_eq!(set.file_of(&target), format!("doc/{}.readme.txt", target.sha256));
}

#[test]
fn a_site_lists_no_images() {
    let mut repository = Repository::new("site:city-hospital");
    repository.targets.targets.insert(path("img/a"), image(b"image", 1));
    repository.publish(&TARGETS[..2]);
    let set = Device::of(&repository).refresh(&repository.files).unwrap();
    assert!(set.images().iter().all(Result::is_err));
}
