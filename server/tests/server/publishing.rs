//! What may be published, on both databases.

use crate::owner::{Owner, version};
use crate::place::{Place, on_both};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::key::SecretKey;
use patchward_protocol::key::Signer as _;
use patchward_protocol::tuf::build::KeySpec;
use patchward_protocol::tuf::floors::Floors;
use patchward_protocol::tuf::profile::Profile;
use patchward_protocol::tuf::trusted_set::{Expiry, TrustedSet};
use patchward_server::app::App;
use patchward_server::error::ApiError;
use patchward_server::publish::refresh::{Due, refresh};
use std::sync::Arc;

const FAMILY: &str = "family:acme.pump";

fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> ErrorCode {
    result.unwrap_err().code()
}

/// A device that knows nothing but the first root reads everything that is served.
fn a_device_trusts(app: &App, id: &RepositoryId, first_root: &[u8]) -> TrustedSet {
    let snapshot = app.snapshot();
    let documents = snapshot.get(id).unwrap().documents.as_ref().unwrap();
    let profile = Profile::Patchward { repository: id.clone() };
    let expiry = Expiry::Enforce(app.clock.now());
    let mut set = TrustedSet::new(first_root, Floors::default(), profile, expiry).unwrap();
    if documents.root.version > 1 {
        set.update_root(&documents.root.bytes).unwrap();
    }
    set.end_roots(None, None).unwrap();
    set.update_timestamp(&documents.timestamp.bytes).unwrap();
    set.update_snapshot(&documents.snapshot.bytes).unwrap();
    set.update_targets(&documents.targets.bytes).unwrap();
    set
}

#[test]
fn what_is_published_is_what_a_device_verifies() {
    on_both(|place| {
        place.with_one(|app| async move {
            let mut owner = Owner::open(&app, FAMILY, app.clock.now()).await;
            owner.add(&app, "doc/note.txt", b"note").await;
            let first = owner.publish_first(&app).await.unwrap();
            assert_eq!((version(&first, "root"), version(&first, "targets")), (1, 1));
            owner.add(&app, "doc/more.txt", b"more").await;
            owner.targets.version = 2;
            let second = owner.publish_targets(&app).await.unwrap();
            assert!(version(&second, "timestamp") > version(&first, "timestamp"));
            assert!(version(&second, "snapshot") > version(&first, "snapshot"));
            let set = a_device_trusts(&app, &owner.id, &owner.root_file());
            assert_eq!(set.files("doc").len(), 2);
        });
    });
}

#[test]
fn publishing_the_same_again_changes_nothing() {
    on_both(|place| {
        place.with_one(|app| async move {
            let owner = Owner::open(&app, FAMILY, app.clock.now()).await;
            let first = owner.publish_first(&app).await.unwrap();
            assert_eq!(owner.publish_first(&app).await.unwrap(), first);
            assert_eq!(owner.publish_targets(&app).await.unwrap(), first);
        });
    });
}

#[test]
fn targets_below_threshold_are_refused_and_nothing_changes() {
    on_both(|place| {
        place.with_one(|app| async move {
            let mut owner = Owner::open(&app, FAMILY, app.clock.now()).await;
            let alone = owner.targets_signed_by(1);
            let root = Some(owner.root_file());
            let refused = owner.publish(&app, root, Some(alone)).await;
            assert_eq!(code(refused), ErrorCode::PublishRefused);
            assert!(app.snapshot().get(&owner.id).unwrap().documents.is_none());
            owner.publish_first(&app).await.unwrap();
            let before = app.snapshot().get(&owner.id).unwrap().heads;
            owner.targets.version = 2;
            let refused = owner.publish(&app, None, Some(owner.targets_signed_by(1))).await;
            assert_eq!(code(refused), ErrorCode::PublishRefused);
            assert_eq!(app.snapshot().get(&owner.id).unwrap().heads, before);
        });
    });
}

#[test]
fn targets_that_were_not_uploaded_are_named() {
    on_both(|place| {
        place.with_one(|app| async move {
            let mut owner = Owner::open(&app, FAMILY, app.clock.now()).await;
            owner.list("doc/forgotten.txt", b"forgotten");
            let error = owner.publish_first(&app).await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::TargetMissing);
            assert!(error.to_string().contains("doc/forgotten.txt"), "{error}");
        });
    });
}

#[test]
fn the_first_publish_carries_root_and_targets() {
    let place = Place::sqlite();
    place.with_one(|app| async move {
        let owner = Owner::open(&app, FAMILY, app.clock.now()).await;
        let alone = owner.publish_targets(&app).await;
        assert_eq!(code(alone), ErrorCode::RepositoryEmpty);
        let alone = owner.publish(&app, Some(owner.root_file()), None).await;
        assert_eq!(code(alone), ErrorCode::RepositoryEmpty);
    });
}

#[test]
fn a_root_without_this_servers_keys_is_refused() {
    let place = Place::sqlite();
    place.with_one(|app| async move {
        let mut owner = Owner::open(&app, FAMILY, app.clock.now()).await;
        let other = SecretKey::from_seed(&[99; 32]).public();
        owner.root.timestamp.keys = vec![KeySpec { public: other, person: None, method: None }];
        let error = owner.publish_first(&app).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::PublishRefused);
        assert!(error.to_string().contains("timestamp must list"), "{error}");
    });
}

#[test]
fn weak_key_rules_are_refused_all_at_once() {
    let place = Place::sqlite();
    place.with_one(|app| async move {
        let mut owner = Owner::open(&app, FAMILY, app.clock.now()).await;
        owner.root.targets.threshold = 1;
        owner.root.root.threshold = 3;
        let error = owner.publish_first(&app).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::PublishRefused);
        let told = error.to_string();
        assert!(told.contains("rule_threshold_below_two"), "{told}");
        assert!(told.contains("rule_all_keys_needed"), "{told}");
    });
}

#[test]
fn documents_dated_far_ahead_are_refused() {
    let place = Place::sqlite();
    place.with_one(|app| async move {
        let mut owner = Owner::open(&app, FAMILY, app.clock.now()).await;
        owner.targets.issued = app.clock.now().plus_seconds(3600);
        assert_eq!(code(owner.publish_first(&app).await), ErrorCode::PublishRefused);
    });
}

#[test]
fn documents_of_another_repository_with_the_same_keys_are_refused() {
    let place = Place::sqlite();
    place.with_one(|app| async move {
        let one = Owner::open(&app, FAMILY, app.clock.now()).await;
        let two = Owner::open(&app, "family:acme.other", app.clock.now()).await;
        one.publish_first(&app).await.unwrap();
        let theirs = two.publish(&app, Some(one.root_file()), Some(one.targets_file())).await;
        assert_eq!(code(theirs), ErrorCode::PublishRefused);
    });
}

#[test]
fn two_servers_publishing_at_once_leave_one_history() {
    on_both(|place| {
        place.with_two(|one, two| async move {
            let mut owner = Owner::open(&one, FAMILY, one.clock.now()).await;
            owner.publish_first(&one).await.unwrap();
            two.reload().await.unwrap();
            owner.add(&one, "doc/a.txt", b"a").await;
            owner.targets.version = 2;
            let here = owner.targets_file();
            owner.add(&one, "doc/b.txt", b"b").await;
            let there = owner.targets_file();
            let (here, there) = actix_web::rt::spawn({
                let (one, two, owner) = (one.clone(), two.clone(), Arc::new(owner));
                async move {
                    let other = Arc::clone(&owner);
                    let there = actix_web::rt::spawn(async move {
                        other.publish(&two, None, Some(there)).await.map_err(|e| e.code())
                    });
                    let here = owner.publish(&one, None, Some(here)).await.map_err(|e| e.code());
                    (here, there.await.unwrap())
                }
            })
            .await
            .unwrap();
            let codes = [here.as_ref().err(), there.as_ref().err()];
            assert_eq!(codes.iter().flatten().count(), 1, "{codes:?}");
            assert!(codes.contains(&Some(&ErrorCode::PublishConflict)), "{codes:?}");
            one.reload().await.unwrap();
            two.reload().await.unwrap();
            let id: RepositoryId = FAMILY.parse().unwrap();
            let of = |app: &App| app.snapshot().get(&id).unwrap().heads;
            assert_eq!(of(&one), of(&two));
        });
    });
}

#[test]
fn of_two_servers_one_refreshes() {
    on_both(|place| {
        let clock = Arc::clone(&place.clock);
        place.with_two(|one, two| async move {
            let owner = Owner::open(&one, FAMILY, one.clock.now()).await;
            owner.publish_first(&one).await.unwrap();
            assert_eq!(refresh(&one, owner.id.clone()).await.unwrap(), Due::Nothing);
            clock.set(one.clock.now().plus_seconds(86_400));
            let (a, b) = (refresh(&one, owner.id.clone()), refresh(&two, owner.id.clone()));
            let (a, b) = (a.await.unwrap(), b.await.unwrap());
            assert_eq!((a, b), (Due::Timestamp, Due::Nothing));
            clock.set(one.clock.now().plus_seconds(11 * 86_400));
            assert_eq!(refresh(&two, owner.id.clone()).await.unwrap(), Due::Both);
            one.reload().await.unwrap();
            a_device_trusts(&one, &owner.id, &owner.root_file());
        });
    });
}

#[test]
fn versions_rise_beyond_what_was_served_before_a_backup_was_restored() {
    let place = Place::sqlite();
    place.with_one(|app| async move {
        let owner = Owner::open(&app, FAMILY, app.clock.now()).await;
        owner.publish_first(&app).await.unwrap();
    });
    let backup = place.backup();
    let clock = Arc::clone(&place.clock);
    let served = place.with_one(|app| async move {
        for _ in 0..3 {
            clock.set(app.clock.now().plus_seconds(86_400));
            refresh(&app, FAMILY.parse().unwrap()).await.unwrap();
        }
        app.reload().await.unwrap();
        app.snapshot().get(&FAMILY.parse().unwrap()).unwrap().heads.timestamp
    });
    backup.later(4 * 86_400);
    backup.with_one(|app| async move {
        let id: RepositoryId = FAMILY.parse().unwrap();
        assert_eq!(refresh(&app, id.clone()).await.unwrap(), Due::Timestamp);
        app.reload().await.unwrap();
        let now = app.snapshot().get(&id).unwrap().heads.timestamp;
        assert!(now > served, "{now} after {served}");
    });
}

#[test]
fn a_published_repository_is_there_after_a_restart() {
    on_both(|place| {
        let before = place.with_one(|app| async move {
            let owner = Owner::open(&app, FAMILY, app.clock.now()).await;
            owner.publish_first(&app).await.unwrap();
            app.snapshot().get(&owner.id).unwrap().heads
        });
        let after = place.with_one(|app| async move {
            app.snapshot().get(&FAMILY.parse().unwrap()).unwrap().heads
        });
        assert_eq!(after, before);
    });
}

mod approvals {
    use super::*;
    use serde_json::{Value, json};

    const SITE: &str = "site:north";

    /// An approval as it is signed, with what a test wants changed.
    fn approval(id: &str, serial: u64, change: impl Fn(&mut Value)) -> Vec<u8> {
        let digest = "ab".repeat(32);
        let key = SecretKey::from_seed(&[77; 32]).public();
        let mut approval = json!({
            "v": 1, "id": id, "site": "north", "serial": serial,
            "issued": "2026-11-22T04:00:00Z", "valid_until": "2026-11-23T04:00:00Z",
            "action": "install", "urgency": "routine", "state": "active",
            "release": {
                "family": "acme.pump", "version": "2.0", "seq": 2, "image_sha256": digest,
                "path": "img/pump.tar", "image_length": 9, "dossier_sha256": digest,
            },
            "devices": [{
                "id": "pump-01", "key": key, "wave": 0, "attended": false,
                "slots": [["2026-11-22T06:00:00Z", "2026-11-22T08:00:00Z"]],
            }],
            "conditions": {
                "clinical_state": "idle", "settle_s": 0, "mains": "advisory", "battery_min": 0,
                "acceptance": "advisory", "time": "attested", "offline_ok": false,
            },
            "waves": [{
                "n": 0, "not_before": "2026-11-22T04:00:00Z", "soak_s": 0, "min_updated": 0,
                "min_clinical_use_h": 0,
            }],
            "gates": { "halt_permille": [0], "silent_after_s": 3600 },
            "rollback": { "automatic": true, "to": [1] },
            "tz": "Asia/Tokyo", "supersedes": null, "snapshot": null,
        });
        change(&mut approval);
        patchward_protocol::canonical::write(&approval).unwrap()
    }

    async fn opened(app: &Arc<App>) -> Owner {
        let owner = Owner::open(app, SITE, app.clock.now()).await;
        owner.publish_first(app).await.unwrap();
        owner
    }

    async fn publish(
        app: &Arc<App>,
        owner: &mut Owner,
        path: &str,
        bytes: &[u8],
    ) -> Result<(), ApiError> {
        let before = owner.targets.clone();
        owner.add(app, path, bytes).await;
        owner.targets.version += 1;
        let published = owner.publish_targets(app).await;
        if published.is_err() {
            owner.targets = before;
        }
        published.map(drop)
    }

    /// The ids of the approvals in force for the one device.
    fn in_force(app: &App) -> Vec<String> {
        let snapshot = app.snapshot();
        let current = snapshot.get(&SITE.parse().unwrap()).unwrap();
        let key = SecretKey::from_seed(&[77; 32]).public();
        let device = "pump-01".parse().unwrap();
        let active = current.approvals.active(&device, &key, app.clock.now());
        active.map(|(published, _)| published.approval.id.to_string()).collect()
    }

    #[test]
    fn an_approval_is_in_force_from_publishing_until_it_ends_or_is_withdrawn() {
        let place = Place::sqlite();
        let clock = Arc::clone(&place.clock);
        place.with_one(|app| async move {
            let mut owner = opened(&app).await;
            let one = approval("one", 1, |_| {});
            publish(&app, &mut owner, "approval/one.json", &one).await.unwrap();
            let two = approval("two", 2, |_| {});
            publish(&app, &mut owner, "approval/two.json", &two).await.unwrap();
            assert_eq!(in_force(&app), ["one", "two"]);
            let withdrawn = approval("one", 3, |it| it["state"] = json!("withdrawn"));
            publish(&app, &mut owner, "approval/one.json", &withdrawn).await.unwrap();
            assert_eq!(in_force(&app), ["two"]);
            clock.set("2026-11-23T04:00:00Z".parse().unwrap());
            assert!(in_force(&app).is_empty());
        });
    }

    #[test]
    fn what_no_device_would_obey_is_not_published_as_an_approval() {
        Place::sqlite().with_one(|app| async move {
            let mut owner = opened(&app).await;
            let first = approval("first", 5, |_| {});
            publish(&app, &mut owner, "approval/first.json", &first).await.unwrap();
            let other_site = approval("next", 6, |it| it["site"] = json!("south"));
            let unknown_field = approval("next", 6, |it| it["force"] = json!(true));
            let too_long =
                approval("next", 6, |it| it["valid_until"] = json!("2027-11-23T04:00:00Z"));
            let low_serial = approval("next", 5, |_| {});
            let lower_serial = approval("next", 4, |_| {});
            for bytes in [other_site, unknown_field, too_long, low_serial, lower_serial] {
                let refused = publish(&app, &mut owner, "approval/next.json", &bytes).await;
                assert_eq!(code(refused), ErrorCode::PublishRefused);
            }
            let misnamed = approval("next", 6, |_| {});
            let refused = publish(&app, &mut owner, "approval/other.json", &misnamed).await;
            assert_eq!(code(refused), ErrorCode::PublishRefused);
            assert_eq!(in_force(&app), ["first"]);
            owner.list("approval/next.json", &misnamed[1..]);
            owner.targets.version += 1;
            assert_eq!(code(owner.publish_targets(&app).await), ErrorCode::TargetMissing);
        });
    }

    #[test]
    fn approvals_are_in_force_again_after_a_restart() {
        let place = Place::sqlite();
        place.with_one(|app| async move {
            let mut owner = opened(&app).await;
            let one = approval("one", 1, |_| {});
            publish(&app, &mut owner, "approval/one.json", &one).await.unwrap();
        });
        place.with_one(|app| async move { assert_eq!(in_force(&app), ["one"]) });
    }
}
