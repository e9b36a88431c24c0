//! Attacks by whoever has some of the keys.

use crate::repository::*;
use patchward_protocol::canonical;
use patchward_protocol::id::PersonId;
use patchward_protocol::key::Signer as _;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::build::{FileSpec, KeySpec, TimestampSpec};
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::TopLevel;
use patchward_protocol::tuf::trusted_set::Expiry;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const FAMILY: &str = "family:acme.infusion-a";

/// Publishes targets signed by these keys and says what a device thinks of them.
fn verdict_on_targets(signers: &[u8]) -> &'static str {
    let mut repository = Repository::new(FAMILY);
    let mut device = Device::of(&repository);
    device.refresh(&repository.files).unwrap();
    repository.publish(signers);
    device.refused(&repository.files)
}

/// Attack 11 and 18: too few keys, or keys of another role.
#[test]
fn targets_signed_by_too_few_of_their_own_keys_are_refused() {
    assert_eq!(verdict_on_targets(&[11, 12]), "accepted");
    assert_eq!(verdict_on_targets(&[12, 13]), "accepted");
    for signers in [&[11][..], &[11, 11], &[11, 1], &[1, 2], &[SNAPSHOT, TIMESTAMP], &[11, 99]] {
        assert_eq!(verdict_on_targets(signers), "tuf_signature_threshold", "{signers:?}");
    }
}

/// Attack 11: one key twice.
#[test]
fn one_key_id_twice_among_the_signatures_is_refused() {
    let mut repository = Repository::new(FAMILY);
    let mut value: Value = serde_json::from_slice(&repository.files["timestamp.json"]).unwrap();
    let one = value["signatures"][0].clone();
    value["signatures"] = json!([one.clone(), one]);
    repository.files.insert("timestamp.json".into(), serde_json::to_vec(&value).unwrap());
    let code = Device::of(&repository).refused(&repository.files);
    assert_eq!(code, "tuf_duplicate_signature");
}

/// Attack 11: one public key under two ids counts once.
#[test]
fn one_public_key_under_two_ids_counts_once() {
    let mut repository = Repository::new(FAMILY);
    let twin = KeySpec { person: Some(PersonId::new("twin").unwrap()), ..key_spec(11) };
    repository.next_root(&ROOT[..2], |root| root.targets.keys.push(twin));
    repository.publish(&[11]);
    let value: Value = serde_json::from_slice(&repository.files["2.targets.json"]).unwrap();
    assert_eq!(value["signatures"].as_array().unwrap().len(), 2, "signed under both ids");
    let code = Device::of(&repository).refused(&repository.files);
    assert_eq!(code, "tuf_signature_threshold");
    repository.publish(&[11, 12]);
    let set = Device::of(&repository).refresh(&repository.files).unwrap();
    assert_eq!(set.targets_signers().unwrap().count(), 2);
}

#[test]
fn a_threshold_above_the_number_of_distinct_keys_is_refused() {
    let twin = KeySpec { person: Some(PersonId::new("twin").unwrap()), ..key_spec(11) };
    let mut root = Repository::new(FAMILY).root;
    root.targets.keys = vec![key_spec(11), twin];
    assert_eq!(root.staged().unwrap_err().code(), "tuf_house_rule");
    root.targets.threshold = 1;
    assert!(root.staged().is_ok());
}

/// Attack 13 and 20: a root that one side did not sign.
#[test]
fn a_root_must_be_signed_by_old_and_new_keys() {
    let new = [4, 5, 6];
    let cases: [(&[u8], &str); 5] = [
        (&[1, 2, 4, 5], "accepted"),
        (&[1, 2], "tuf_signature_threshold"),
        (&[4, 5], "tuf_signature_threshold"),
        (&[1, 4, 5], "tuf_signature_threshold"),
        (&[1, 2, 4], "tuf_signature_threshold"),
    ];
    for (signers, expected) in cases {
        let mut repository = Repository::new(FAMILY);
        let mut device = Device::of(&repository);
        repository.next_root(signers, |root| root.root = role(&new, 2));
        assert_eq!(device.refused(&repository.files), expected, "{signers:?}");
        assert_eq!(device.versions()[0], if expected == "accepted" { 2 } else { 1 });
    }
}

/// Attack 13: a version jump.
#[test]
fn a_root_with_a_gap_is_refused() {
    let mut repository = Repository::new(FAMILY);
    repository.next_root(&ROOT[..2], |root| root.version = 2);
    let jumped = repository.files["3.root.json"].clone();
    repository.files.insert("2.root.json".into(), jumped);
    assert_eq!(Device::of(&repository).refused(&repository.files), "tuf_root_gap");
}

/// Attack 14: the timestamp key is stolen; fast-forward, then recovery by a new root.
#[test]
fn a_new_root_recovers_from_a_stolen_timestamp_key() {
    let mut repository = Repository::new(FAMILY);
    let mut device = Device::of(&repository);
    device.refresh(&repository.files).unwrap();

    let far: Timestamp = "2099-01-01T00:00:00Z".parse().unwrap();
    let stolen = TimestampSpec {
        repository: repository.id(),
        version: 1 << 40,
        issued: far.plus_seconds(-3600),
        expires: far,
        snapshot: repository.snapshot_file(),
    };
    let mut files = repository.files.clone();
    let bytes = signed(stolen.staged().unwrap(), &[TIMESTAMP], &repository.root);
    files.insert("timestamp.json".into(), bytes);
    // The thief can stop this device: the snapshot has "expired".
    assert_eq!(device.refused(&files), "tuf_expired");
    assert_eq!(device.floors.timestamp_version(), 1 << 40);
    assert_eq!(device.refused(&repository.files), "tuf_expired");

    repository.next_root(&ROOT[..2], |root| root.timestamp = role(&[32], 1));
    repository.publish(&TARGETS[..2]);
    assert_eq!(targets_version(&device.refresh(&repository.files).unwrap()), 2);
    assert_eq!(device.floors.timestamp_version(), 2);
    assert!(device.floors.newest_time() < day(2));
}

/// Attack 14: a thief of the timestamp key signs a time far ahead, so that everything else expires.
#[test]
fn a_timestamp_from_the_future_freezes_no_device_that_knows_the_time() {
    let mut repository = Repository::new(FAMILY);
    let mut device = Device::of(&repository);
    device.refresh(&repository.files).unwrap();
    let honest = repository.files.clone();
    let stolen = TimestampSpec {
        repository: repository.id(),
        version: 2,
        issued: day(600),
        expires: day(604),
        snapshot: repository.snapshot_file(),
    };
    let bytes = signed(stolen.staged().unwrap(), &[TIMESTAMP], &repository.root);
    repository.files.insert("timestamp.json".into(), bytes);
    let attested = Expiry::Attested(day(1));
    let refused = device.refresh_at(attested, &repository.files).unwrap_err();
    assert_eq!(refused.code(), "tuf_ahead_of_time");
    assert!(device.refresh_at(attested, &honest).is_ok(), "nothing of it stuck");

    // A device with one source only takes it, and is frozen until it knows the time better.
    assert_eq!(device.refused(&repository.files), "tuf_expired");
    repository.timestamp_version = 5;
    repository.publish(&TARGETS[..2]);
    assert_eq!(device.refused(&repository.files), "tuf_expired");
    let set = device.refresh_at(attested, &repository.files).unwrap();
    assert_eq!(targets_version(&set), 2);
}

/// Attack 15: snapshot and timestamp keys are stolen.
#[test]
fn online_keys_alone_bring_no_targets_and_take_none_back() {
    let mut repository = Repository::with_deltas(FAMILY);
    let mut device = Device::of(&repository);
    device.refresh(&repository.files).unwrap();

    // Targets of the thief's own.
    let mut thief = Repository::with_deltas(FAMILY);
    thief.snapshot_version = 10;
    thief.timestamp_version = 10;
    thief.targets.targets.insert(path("img/evil.bin"), content(b"evil"));
    thief.publish(&[SNAPSHOT, TIMESTAMP]);
    assert_eq!(device.refused(&thief.files), "tuf_signature_threshold");

    // The snapshot that was seen now lists targets that nobody made: honest ones are "older".
    repository.snapshot_version = 11;
    repository.timestamp_version = 11;
    let both = BTreeMap::from([
        ("targets".to_owned(), repository.targets_file()),
        ("deltas".to_owned(), FileSpec::of(1, &repository.files["1.deltas.json"])),
    ]);
    repository.publish_snapshot(both);
    assert_eq!(device.refused(&repository.files), "tuf_rollback");

    // A role hidden from a device that knows it.
    let mut other = Device::of(&repository);
    other.refresh(&repository.files).unwrap();
    let only = BTreeMap::from([("targets".to_owned(), repository.targets_file())]);
    repository.publish_snapshot(only);
    assert_eq!(other.refused(&repository.files), "tuf_role_removed");

    // After rotating both keys all is well, and the thief's versions are forgotten.
    repository.next_root(&ROOT[..2], |root| {
        root.timestamp = role(&[32], 1);
        root.snapshot = role(&[22], 1);
    });
    repository.snapshot_version = 2;
    repository.timestamp_version = 2;
    repository.publish(&TARGETS[..2]);
    assert_eq!(targets_version(&device.refresh(&repository.files).unwrap()), 3);
    assert_eq!(device.floors.snapshot_version(), 3);
}

/// Attack 15: hard floors stand when the snapshot's keys are replaced.
#[test]
fn targets_do_not_go_back_even_when_the_snapshot_key_is_replaced() {
    let mut repository = Repository::new(FAMILY);
    let first = repository.targets_file();
    repository.publish(&TARGETS[..2]);
    let mut device = Device::of(&repository);
    device.refresh(&repository.files).unwrap();
    repository.next_root(&ROOT[..2], |root| root.snapshot = role(&[22], 1));
    repository.publish_snapshot(BTreeMap::from([("targets".to_owned(), first)]));
    assert_eq!(device.refused(&repository.files), "tuf_rollback");
}

/// Attack 16: the deltas key is stolen.
#[test]
fn a_delegated_role_speaks_only_of_its_own_files_and_fails_alone() {
    let mut repository = Repository::with_deltas(FAMILY);
    repository.deltas.as_mut().unwrap().targets.insert(path("img/evil.bin"), content(b"evil"));
    repository.publish(&TARGETS[..2]);
    let mut set = Device::of(&repository).refresh(&repository.files).unwrap();
    let (file, _) = set.delegated_file("deltas").unwrap();
    assert_eq!(file, "2.deltas.json");
    assert_eq!(set.delegated_files("deltas").unwrap_err().code(), "tuf_out_of_turn");
    let old = repository.files["1.deltas.json"].clone();
    assert_eq!(set.take_delegated("deltas", &old).unwrap_err().code(), "tuf_length_mismatch");
    set.take_delegated("deltas", &repository.files[&file]).unwrap();
    let files = set.delegated_files("deltas").unwrap();
    let names: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names, ["delta/a-b"]);
    assert!(set.target(&path("img/evil.bin")).is_none());
    assert_eq!(set.files("doc").len(), 1);
}

/// Attack 16: the deltas role may not be given more than `delta/`.
#[test]
fn a_delegation_beyond_deltas_is_refused() {
    let mut repository = Repository::with_deltas(FAMILY);
    for paths in ["img/*", "*", "delta*", "*/*"] {
        repository.targets.delegations[0].paths = vec![paths.to_owned()];
        let code = repository.targets.staged(Role::Targets).unwrap_err().code();
        assert_eq!(code, "tuf_house_rule", "{paths}");
    }
}

/// Attack 19: targets at threshold stolen; after the keys are replaced their work is refused.
#[test]
fn targets_signed_by_replaced_keys_are_refused() {
    let mut repository = Repository::new(FAMILY);
    let mut device = Device::of(&repository);
    repository.next_root(&ROOT[..2], |root| root.targets = role(&[14, 15, 16], 2));
    repository.publish(&TARGETS[..2]);
    assert_eq!(device.refused(&repository.files), "tuf_signature_threshold");
    repository.publish(&[14, 15]);
    assert_eq!(targets_version(&device.refresh(&repository.files).unwrap()), 3);
}

/// Held targets of replaced keys are fetched anew, not trusted.
#[test]
fn held_targets_of_replaced_keys_are_not_used() {
    let mut repository = Repository::new(FAMILY);
    let mut device = Device::of(&repository);
    device.refresh(&repository.files).unwrap();
    repository.next_root(&ROOT[..2], |root| root.targets = role(&[14, 15, 16], 2));
    assert_eq!(device.refused(&repository.files), "tuf_signature_threshold");
}

#[test]
fn other_key_kinds_and_weak_points_are_refused_by_the_house_rules() {
    let repository = Repository::new(FAMILY);
    let root: Value = serde_json::from_slice(&repository.files["1.root.json"]).unwrap();
    let weak = json!({
        "keytype": "ed25519", "scheme": "ed25519",
        "keyval": {"public": "01".to_owned() + &"00".repeat(31)},
    });
    let id = patchward_protocol::digest::Sha256Digest::of(&canonical::write(&weak).unwrap());
    let mut part = root["signed"].clone();
    part["keys"][id.to_string()] = weak;
    let staged = patchward_protocol::tuf::stage::Staged::unsigned(Role::Root, part).unwrap();
    let mut device = Device::of(&repository);
    device.held.root = signed(staged, &ROOT[..2], &repository.root);
    assert_eq!(device.refused(&repository.files), "tuf_house_rule");
}

#[test]
fn the_timestamp_s_keys_are_named_for_time_answers() {
    let repository = Repository::new("site:city-hospital");
    let set = Device::of(&repository).refresh(&repository.files).unwrap();
    assert!(set.timestamp_keys().contains(&key(TIMESTAMP).public()));
    assert_eq!(set.authority(TopLevel::Targets).unwrap().threshold, 2);
    assert_eq!(FileSpec::of(1, b"").length, 0);
}
