//! Attacks by whoever sits between repository and device, or replays what was valid once.

use crate::repository::*;
use patchward_protocol::tuf::build::FileSpec;
use patchward_protocol::tuf::floors::Floors;
use patchward_protocol::tuf::profile::Profile;
use patchward_protocol::tuf::refresh::{Answer, Held, Refresh, Step};
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::stage::Staged;
use patchward_protocol::tuf::trusted_set::Expiry;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const FAMILY: &str = "family:acme.infusion-a";

#[test]
fn a_clean_repository_is_trusted_and_not_fetched_twice() {
    let repository = Repository::new(FAMILY);
    let mut device = Device::of(&repository);
    assert_eq!(targets_version(&device.refresh(&repository.files).unwrap()), 1);
    assert_eq!(device.versions(), [1, 1, 1, 1]);

    let expiry = Expiry::Enforce(day(1));
    let (held, floors) = (device.held.clone(), device.floors.clone());
    let mut refresh = Refresh::begin(held, floors, device.profile.clone(), expiry).unwrap();
    refresh.supply(Answer::NotFound).unwrap();
    let timestamp = repository.files["timestamp.json"].clone();
    refresh.supply(Answer::Bytes(timestamp)).unwrap();
    assert_eq!(refresh.next(), Step::Done);
}

#[test]
fn a_timestamp_from_a_check_in_takes_the_place_of_a_fetched_one() {
    let mut repository = Repository::new(FAMILY);
    let mut device = Device::of(&repository);
    device.refresh(&repository.files).unwrap();
    repository.publish(&TARGETS[..2]);
    let expiry = Expiry::Enforce(day(1));
    let (held, floors) = (device.held.clone(), device.floors.clone());
    let mut refresh = Refresh::begin(held, floors, device.profile.clone(), expiry).unwrap();
    refresh.offer_timestamp(repository.files["timestamp.json"].clone());
    refresh.supply(Answer::NotFound).unwrap();
    let next = refresh.next();
    assert!(matches!(&next, Step::Fetch { file, .. } if file == "2.snapshot.json"), "{next:?}");
}

/// Attack 1: the same timestamp for ever.
#[test]
fn frozen_metadata_expires() {
    let repository = Repository::new(FAMILY);
    let mut device = Device::of(&repository);
    device.refresh(&repository.files).unwrap();
    device.clock = day(8);
    assert_eq!(device.refused(&repository.files), "tuf_expired");
}

/// Attack 2: freeze, with the device's clock set back.
#[test]
fn a_clock_set_back_does_not_revive_what_signed_time_has_passed() {
    let mut repository = Repository::new(FAMILY);
    let old_timestamp = repository.files["timestamp.json"].clone();
    repository.at = day(20);
    repository.next_root(&ROOT[..2], |_| {});
    let mut files = repository.files.clone();
    files.insert("timestamp.json".into(), old_timestamp);
    let mut device = Device::of(&repository);
    device.clock = "1970-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(device.refused(&files), "tuf_expired");
    assert_eq!(device.floors.issued(), day(20));
}

/// Attack 3: the clock was once far ahead, then is right again.
#[test]
fn a_clock_once_far_ahead_does_no_lasting_harm() {
    let mut repository = Repository::new(FAMILY);
    let mut device = Device::of(&repository);
    device.clock = "2034-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(device.refused(&repository.files), "tuf_expired");
    device.clock = day(1);
    repository.publish(&TARGETS[..2]);
    assert_eq!(targets_version(&device.refresh(&repository.files).unwrap()), 2);
}

/// Attack 4: rollback of each role.
#[test]
fn older_timestamp_snapshot_and_targets_are_refused() {
    let mut repository = Repository::new(FAMILY);
    let old = repository.files.clone();
    let old_targets = repository.targets_file();
    repository.publish(&TARGETS[..2]);
    let mut device = Device::of(&repository);
    device.refresh(&repository.files).unwrap();

    assert_eq!(device.refused(&old), "tuf_rollback", "timestamp");

    let mut older_snapshot = repository.files.clone();
    let first = FileSpec::of(1, &old["1.snapshot.json"]);
    older_snapshot.insert("timestamp.json".into(), repository.timestamp(9, first));
    assert_eq!(device.refused(&older_snapshot), "tuf_rollback", "snapshot");

    repository.publish_snapshot(BTreeMap::from([("targets".to_owned(), old_targets)]));
    assert_eq!(device.refused(&repository.files), "tuf_rollback", "targets");
    assert_eq!(device.versions()[3], 2);
}

/// Attack 4, after the held files are gone: the floors stand alone.
#[test]
fn floors_refuse_a_rollback_when_the_held_files_are_lost() {
    let mut repository = Repository::new(FAMILY);
    let old = repository.files.clone();
    repository.next_root(&ROOT[..2], |_| {});
    repository.publish(&TARGETS[..2]);
    let mut device = Device::of(&repository);
    device.refresh(&repository.files).unwrap();
    let floors = device.floors.clone();

    let mut wiped = Device::of(&repository);
    wiped.floors = floors.clone();
    assert_eq!(wiped.refused(&repository.files), "tuf_rollback", "the pinned root is below");

    let mut wiped = Device::of(&repository);
    wiped.held.root = repository.files["2.root.json"].clone();
    wiped.floors = floors;
    assert_eq!(wiped.refused(&old), "tuf_rollback", "the timestamp is below");
    assert_eq!(targets_version(&wiped.refresh(&repository.files).unwrap()), 2);
}

/// Attack 4: held files and floors each refuse a rollback without the other.
#[test]
fn held_files_and_floors_each_refuse_an_older_timestamp_and_snapshot() {
    let mut repository = Repository::new(FAMILY);
    let old_timestamp = repository.files["timestamp.json"].clone();
    let old_snapshot = repository.snapshot_file();
    repository.publish_timestamp(repository.snapshot_file());
    let mut device = Device::of(&repository);
    device.refresh(&repository.files).unwrap();
    let forget_floors = |device: &Device| Device {
        held: device.held.clone(),
        floors: Floors::default(),
        profile: device.profile.clone(),
        clock: device.clock,
    };
    let forget_held = |device: &Device| Device {
        held: Held::pinned(device.held.root.clone()),
        floors: device.floors.clone(),
        profile: device.profile.clone(),
        clock: device.clock,
    };
    let mut files = repository.files.clone();
    files.insert("timestamp.json".into(), old_timestamp);
    assert_eq!(forget_floors(&device).refused(&files), "tuf_rollback");
    assert_eq!(forget_held(&device).refused(&files), "tuf_rollback");

    repository.publish_snapshot(BTreeMap::from([("targets".into(), repository.targets_file())]));
    device.refresh(&repository.files).unwrap();
    let mut files = repository.files.clone();
    files.insert("timestamp.json".into(), repository.timestamp(9, old_snapshot));
    assert_eq!(forget_floors(&device).refused(&files), "tuf_rollback");
    assert_eq!(forget_held(&device).refused(&files), "tuf_rollback");
}

/// Attack 5: a torn or empty state file is never "absent".
#[test]
fn a_torn_held_file_is_an_error_and_not_absent() {
    let repository = Repository::with_deltas(FAMILY);
    let mut device = Device::of(&repository);
    device.refresh(&repository.files).unwrap();
    let whole = device.held.clone();
    for length in [0, 1, 40, 200] {
        let cut = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| bytes[..length].to_vec());
        for role in 0..4 {
            device.held = whole.clone();
            match role {
                0 => device.held.root.truncate(length),
                1 => device.held.timestamp = cut(&whole.timestamp),
                2 => device.held.snapshot = cut(&whole.snapshot),
                _ => device.held.targets = cut(&whole.targets),
            }
            assert_eq!(device.refused(&repository.files), "tuf_held_unreadable", "{role} {length}");
        }
    }
}

/// Attack 6: old but valid targets.
#[test]
fn targets_once_replaced_do_not_come_back_under_a_new_snapshot() {
    let mut repository = Repository::new(FAMILY);
    let mut device = Device::of(&repository);
    repository.publish(&TARGETS[..2]);
    device.refresh(&repository.files).unwrap();
    let mut files = repository.files.clone();
    let old = files["1.targets.json"].clone();
    repository.publish_snapshot(BTreeMap::from([("targets".into(), FileSpec::of(2, &old))]));
    files.extend(repository.files.clone());
    files.insert("2.targets.json".into(), old);
    assert_eq!(device.refused(&files), "tuf_version_mismatch");
}

/// Attack 7: files of different versions together.
#[test]
fn files_that_do_not_belong_together_are_refused() {
    let mut repository = Repository::new(FAMILY);
    repository.publish(&TARGETS[..2]);
    let mut files = repository.files.clone();
    files.insert("2.targets.json".into(), files["1.targets.json"].clone());
    assert_eq!(Device::of(&repository).refused(&files), "tuf_hash_mismatch");
    let mut files = repository.files.clone();
    files.insert("2.snapshot.json".into(), files["1.snapshot.json"].clone());
    assert_eq!(Device::of(&repository).refused(&files), "tuf_hash_mismatch");
}

/// Attack 8: another family's, or a site's, metadata signed with the same keys.
#[test]
fn metadata_of_another_repository_is_refused_though_the_keys_are_the_same() {
    for other in ["family:acme.infusion-b", "site:city-hospital"] {
        let (ours, theirs) = (Repository::new(FAMILY), Repository::new(other));
        let mut device = Device::of(&ours);
        device.held.root = theirs.files["1.root.json"].clone();
        assert_eq!(device.refused(&theirs.files), "tuf_wrong_repository");
        for first in 1..4 {
            let mut files = ours.files.clone();
            if first == 1 {
                files.insert("timestamp.json".into(), theirs.files["timestamp.json"].clone());
            }
            if first == 2 {
                let bytes = theirs.files["1.snapshot.json"].clone();
                files.insert("timestamp.json".into(), ours.timestamp(1, FileSpec::of(1, &bytes)));
                files.insert("1.snapshot.json".into(), bytes);
            }
            if first == 3 {
                let mut mixed = Repository::new(FAMILY);
                let listed = theirs.targets_file();
                mixed.publish_snapshot(BTreeMap::from([("targets".to_owned(), listed)]));
                files = mixed.files;
                files.insert("1.targets.json".into(), theirs.files["1.targets.json"].clone());
            }
            assert_eq!(Device::of(&ours).refused(&files), "tuf_wrong_repository", "{first}");
        }
    }
}

/// Attack 9: endless data.
#[test]
fn what_is_longer_than_its_limit_is_refused_before_it_is_parsed() {
    let repository = Repository::new(FAMILY);
    for name in ["timestamp.json", "1.snapshot.json", "1.targets.json", "2.root.json"] {
        let mut files = repository.files.clone();
        files.insert(name.into(), vec![b' '; 3 << 20]);
        assert_eq!(Device::of(&repository).refused(&files), "tuf_too_long", "{name}");
    }
    let begun = |device: &Device| {
        let expiry = Expiry::Enforce(day(1));
        let held = device.held.clone();
        Refresh::begin(held, Floors::default(), device.profile.clone(), expiry).unwrap()
    };
    let mut refresh = begun(&Device::of(&repository));
    let error = refresh.supply(Answer::Bytes(vec![b' '; 1 << 20])).unwrap_err();
    assert_eq!(error.code(), "tuf_too_long");
}

/// Attack 10: an endless root chain.
#[test]
fn a_long_root_chain_is_walked_in_portions() {
    let mut repository = Repository::new(FAMILY);
    for _ in 0..70 {
        repository.next_root(&ROOT[..2], |_| {});
    }
    let mut device = Device::of(&repository);
    assert_eq!(device.refused(&repository.files), "tuf_endless_root");
    assert_eq!(device.versions()[0], 65);
    assert_eq!(targets_version(&device.refresh(&repository.files).unwrap()), 1);
    assert_eq!(device.versions()[0], 71);
}

/// Attack 10: a thousand delegations.
#[test]
fn a_thousand_delegations_are_refused() {
    let mut repository = Repository::with_deltas(FAMILY);
    let mut targets: Value = serde_json::from_slice(&repository.files["2.targets.json"]).unwrap();
    let one = targets["signed"]["delegations"]["roles"][0].clone();
    let many = (0..1000).map(|n| {
        let mut role = one.clone();
        role["name"] = json!(format!("deltas-{n}"));
        role
    });
    targets["signed"]["delegations"]["roles"] = many.collect();
    let staged = Staged::unsigned(Role::Targets, targets["signed"].take()).unwrap();
    let bytes = signed(staged, &TARGETS[..2], &repository.root);
    let listed = FileSpec::of(2, &bytes);
    repository.files.insert("2.targets.json".into(), bytes);
    repository.publish_snapshot(BTreeMap::from([("targets".to_owned(), listed)]));
    assert_eq!(Device::of(&repository).refused(&repository.files), "tuf_house_rule");
}

/// Attack 12: unsigned, tampered.
#[test]
fn unsigned_and_tampered_metadata_is_refused() {
    let mut repository = Repository::new(FAMILY);
    repository.next_root(&ROOT[..2], |_| {});
    for name in ["2.root.json", "timestamp.json"] {
        let mut files = repository.files.clone();
        tamper(&mut files, name, "\"version\":", "\"x\":1,\"version\":");
        let code = Device::of(&repository).refused(&files);
        assert_eq!(code, "tuf_signature_threshold", "{name}");

        let mut value: Value = serde_json::from_slice(&repository.files[name]).unwrap();
        value["signatures"] = json!([]);
        files.insert(name.into(), serde_json::to_vec(&value).unwrap());
        let code = Device::of(&repository).refused(&files);
        assert_eq!(code, "tuf_signature_threshold", "{name}");
    }
    for name in ["1.snapshot.json", "1.targets.json"] {
        let mut files = repository.files.clone();
        tamper(&mut files, name, "2026", "2027");
        assert_eq!(Device::of(&repository).refused(&files), "tuf_hash_mismatch", "{name}");
    }
}

/// Attack 12: type confusion, with one key in both roles.
#[test]
fn a_snapshot_does_not_pass_for_a_timestamp() {
    let mut repository = Repository::new(FAMILY);
    repository.next_root(&ROOT[..2], |root| root.timestamp = role(&[SNAPSHOT], 1));
    let snapshot: Value = serde_json::from_slice(&repository.files["1.snapshot.json"]).unwrap();
    let mut part = snapshot["signed"].clone();
    part["meta"] = json!({"snapshot.json": part["meta"]["targets.json"]});
    part["x-issued"] = json!(day(0));
    let staged = Staged::unsigned(Role::Timestamp, part).unwrap();
    let bytes = signed(staged, &[SNAPSHOT], &repository.root);
    repository.files.insert("timestamp.json".into(), bytes);
    assert_eq!(Device::of(&repository).refused(&repository.files), "tuf_shape");
}

/// Attack 13: a missing or failing server ends the refresh and changes nothing.
#[test]
fn only_not_found_ends_the_root_walk() {
    let repository = Repository::new(FAMILY);
    let device = Device::of(&repository);
    let expiry = Expiry::Enforce(day(1));
    let (held, profile) = (device.held.clone(), device.profile.clone());
    let refresh = Refresh::begin(held, Floors::default(), profile, expiry).unwrap();
    // A 5xx is not an answer: nothing can be supplied, so the walk cannot end.
    let next = refresh.next();
    assert!(matches!(&next, Step::Fetch { file, .. } if file == "2.root.json"), "{next:?}");
    assert_eq!(refresh.held(), &device.held);
    assert_eq!(refresh.finish().unwrap_err().code(), "tuf_out_of_turn");
}

/// Attack 27: odd names.
#[test]
fn targets_with_odd_names_are_refused() {
    for odd in ["../x", "img/../../etc/passwd", "img/A", "img//a", "/etc/passwd", "a", "img/.x"] {
        let mut repository = Repository::new(FAMILY);
        let mut targets: Value =
            serde_json::from_slice(&repository.files["1.targets.json"]).unwrap();
        let entry = targets["signed"]["targets"]["doc/readme.txt"].clone();
        targets["signed"]["targets"][odd] = entry;
        let staged = Staged::unsigned(Role::Targets, targets["signed"].take()).unwrap();
        let bytes = signed(staged, &TARGETS[..2], &repository.root);
        let listed = FileSpec::of(1, &bytes);
        repository.files.insert("1.targets.json".into(), bytes);
        repository.publish_snapshot(BTreeMap::from([("targets".to_owned(), listed)]));
        assert_eq!(Device::of(&repository).refused(&repository.files), "tuf_house_rule", "{odd}");
    }
}

/// Attack 28: duplicate keys, floats, decomposed Unicode.
#[test]
fn what_readers_could_read_differently_is_refused() {
    let repository = Repository::new(FAMILY);
    let cases = [
        ("\"version\":1", "\"version\":1,\"version\":1"),
        ("\"version\":1", "\"version\":1.0"),
        ("\"version\":1", "\"version\":1e0"),
        ("\"_type\":", "\"e\u{301}\":1,\"_type\":"),
        ("\"_type\":", "\"\\u0065\\u0301\":1,\"_type\":"),
        ("\"signatures\":[", "\"signatures\":[],\"signatures\":["),
    ];
    for (from, to) in cases {
        let mut files = repository.files.clone();
        tamper(&mut files, "timestamp.json", from, to);
        assert_eq!(Device::of(&repository).refused(&files), "tuf_not_strict_json", "{to}");
    }
}

#[test]
fn metadata_of_a_later_specification_is_refused() {
    let mut repository = Repository::new(FAMILY);
    let mut value: Value = serde_json::from_slice(&repository.files["timestamp.json"]).unwrap();
    value["signed"]["spec_version"] = json!("2.0.0");
    let staged = Staged::unsigned(Role::Timestamp, value["signed"].take()).unwrap();
    let bytes = signed(staged, &[TIMESTAMP], &repository.root);
    repository.files.insert("timestamp.json".into(), bytes);
    assert_eq!(Device::of(&repository).refused(&repository.files), "tuf_shape");
}

/// Stage-then-wait: what was staged is verified again after a restart, though it has expired since.
#[test]
fn what_was_staged_in_time_is_verified_again_after_it_expired() {
    let mut repository = Repository::new(FAMILY);
    let mut device = Device::of(&repository);
    device.refresh(&repository.files).unwrap();
    let staged = device.held.clone();
    let profile = Profile::Patchward { repository: repository.id() };
    let again = |floors: &Floors, expiry| {
        Refresh::reload(staged.clone(), floors.clone(), profile.clone(), expiry)
    };
    assert!(again(&device.floors, Expiry::AsStaged(device.clock)).is_ok());
    let late = again(&device.floors, Expiry::Enforce(day(60))).unwrap_err();
    assert_eq!(late.code(), "tuf_expired");
    // News that overtakes it is not hidden by that.
    repository.publish(&TARGETS[..2]);
    device.refresh(&repository.files).unwrap();
    let old = again(&device.floors, Expiry::AsStaged(device.clock)).unwrap_err();
    assert_eq!(old.code(), "tuf_rollback");
}
