//! The list of deltas that a family's targets delegate to the server, on both databases.

use crate::owner::{Owner, version};
use crate::place::{Place, on_both};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::repository::RepositoryView;
use patchward_protocol::key::{PublicKey, SecretKey, Signer as _};
use patchward_protocol::tuf::build::{DelegationSpec, KeySpec, RoleSpec};
use patchward_protocol::tuf::delta_target::DELTAS_ROLE;
use patchward_protocol::tuf::floors::Floors;
use patchward_protocol::tuf::profile::Profile;
use patchward_protocol::tuf::trusted_set::{Expiry, TrustedSet};
use patchward_server::app::App;
use patchward_server::publish::open;
use patchward_server::publish::refresh::{Due, refresh};
use std::sync::Arc;

const FAMILY: &str = "family:acme.pump";
const DAY_S: i64 = 86_400;

pub(crate) fn view(app: &App, owner: &Owner) -> RepositoryView {
    open::show(app, &owner.id).unwrap()
}

/// The delegation that the server expects.
pub(crate) fn delegation(key: PublicKey) -> DelegationSpec {
    let keys = vec![KeySpec { public: key, person: None, method: None }];
    DelegationSpec {
        name: DELTAS_ROLE.to_owned(),
        keys: RoleSpec { keys, threshold: 1 },
        paths: vec!["delta/*".to_owned()],
    }
}

pub(crate) fn delegate(app: &App, owner: &mut Owner) {
    let key = view(app, owner).deltas_key.unwrap();
    owner.targets.delegations = vec![delegation(key)];
}

/// A device that knows nothing but the first root reads everything that is served, deltas too where
/// they are delegated.
pub(crate) fn a_device_trusts(app: &App, owner: &Owner) -> TrustedSet {
    let snapshot = app.snapshot();
    let documents = snapshot.get(&owner.id).unwrap().documents.clone().unwrap();
    let profile = Profile::Patchward { repository: owner.id.clone() };
    let expiry = Expiry::Enforce(app.clock.now());
    let root = owner.root_file();
    let mut set = TrustedSet::new(&root, Floors::default(), profile, expiry).unwrap();
    set.end_roots(None, None).unwrap();
    set.update_timestamp(&documents.timestamp.bytes).unwrap();
    set.update_snapshot(&documents.snapshot.bytes).unwrap();
    set.update_targets(&documents.targets.bytes).unwrap();
    if set.has_deltas() {
        let deltas = documents.deltas.unwrap();
        let (file, bytes_max) = set.delegated_file(DELTAS_ROLE).unwrap();
        assert_eq!(file, format!("{}.deltas.json", deltas.version));
        assert!(deltas.bytes.len() <= bytes_max);
        set.take_delegated(DELTAS_ROLE, &deltas.bytes).unwrap();
    }
    set
}

#[test]
fn a_family_has_a_key_for_deltas_and_a_site_has_none() {
    Place::sqlite().with_one(|app| async move {
        let family = Owner::open(&app, FAMILY, app.clock.now()).await;
        let site = Owner::open(&app, "site:north", app.clock.now()).await;
        let shown = view(&app, &family);
        let key = shown.deltas_key.unwrap();
        assert!(key != shown.snapshot_key && key != shown.timestamp_key);
        assert_eq!(view(&app, &site).deltas_key, None);
    });
}

#[test]
fn a_family_of_an_earlier_version_gets_its_key_for_deltas_when_it_is_shown_or_at_the_next_start() {
    let place = Place::sqlite();
    let key_file = place.path().join("keys").join("family.acme.pump.deltas.key");
    place.with_one(|app| async move {
        Owner::open(&app, FAMILY, app.clock.now()).await;
    });
    std::fs::remove_file(&key_file).unwrap();
    let first = place.with_one(|app| async move {
        open::show(&app, &FAMILY.parse().unwrap()).unwrap().deltas_key
    });
    assert!(first.is_some() && key_file.is_file());
    let again = place.with_one(|app| async move {
        open::show(&app, &FAMILY.parse().unwrap()).unwrap().deltas_key
    });
    assert_eq!(again, first);
}

#[test]
fn where_targets_delegate_to_the_server_a_list_of_deltas_stands_in_every_snapshot() {
    on_both(|place| {
        place.with_one(|app| async move {
            let mut owner = Owner::open(&app, FAMILY, app.clock.now()).await;
            let first = owner.publish_first(&app).await.unwrap();
            assert!(first.heads.iter().all(|head| head.role != DELTAS_ROLE));
            assert!(!a_device_trusts(&app, &owner).has_deltas());
            delegate(&app, &mut owner);
            owner.targets.version = 2;
            let second = owner.publish_targets(&app).await.unwrap();
            let set = a_device_trusts(&app, &owner);
            assert!(set.has_deltas() && set.deltas().unwrap().is_empty());
            owner.add(&app, "doc/note.txt", b"note").await;
            owner.targets.version = 3;
            let third = owner.publish_targets(&app).await.unwrap();
            assert_eq!(version(&third, DELTAS_ROLE), version(&second, DELTAS_ROLE));
            assert!(version(&third, "snapshot") > version(&second, "snapshot"));
            assert!(a_device_trusts(&app, &owner).has_deltas());
        });
    });
}

#[test]
fn targets_may_stop_delegating_and_begin_again_and_stay_valid_for_devices() {
    on_both(|place| {
        place.with_one(|app| async move {
            let mut owner = Owner::open(&app, FAMILY, app.clock.now()).await;
            delegate(&app, &mut owner);
            let first = owner.publish_first(&app).await.unwrap();
            let delegations = std::mem::take(&mut owner.targets.delegations);
            owner.targets.version = 2;
            let second = owner.publish_targets(&app).await.unwrap();
            // Listed once, listed for ever: a snapshot that drops a role is refused by devices.
            assert_eq!(version(&second, DELTAS_ROLE), version(&first, DELTAS_ROLE));
            assert!(!a_device_trusts(&app, &owner).has_deltas());
            owner.targets.delegations = delegations;
            owner.targets.version = 3;
            owner.publish_targets(&app).await.unwrap();
            assert!(a_device_trusts(&app, &owner).deltas().unwrap().is_empty());
        });
    });
}

#[test]
fn another_delegation_to_deltas_is_refused_and_told_what_is_expected() {
    Place::sqlite().with_one(|app| async move {
        let mut owner = Owner::open(&app, FAMILY, app.clock.now()).await;
        let ours = view(&app, &owner).deltas_key.unwrap();
        let stranger = SecretKey::from_seed(&[99; 32]).public();
        let mut two_keys = delegation(ours);
        two_keys.keys.keys.push(KeySpec { public: stranger, person: None, method: None });
        let mut both_sign = two_keys.clone();
        both_sign.keys.threshold = 2;
        let narrow = DelegationSpec { paths: vec!["delta/a*".to_owned()], ..delegation(ours) };
        let mut more = delegation(ours);
        more.paths.push("delta/*.pwd".to_owned());
        for wrong in [delegation(stranger), two_keys, both_sign, narrow, more] {
            owner.targets.delegations = vec![wrong];
            let error = owner.publish_first(&app).await.unwrap_err();
            assert_eq!(error.code(), ErrorCode::PublishRefused);
            let told = error.to_string();
            let expected = format!(
                "must name this server's deltas key {ours} alone, threshold 1, paths delta/*"
            );
            assert!(told.contains(&expected), "{told}");
        }
        assert!(app.snapshot().get(&owner.id).unwrap().documents.is_none());
    });
}

#[test]
fn a_lost_key_for_deltas_is_told_and_holds_up_nothing_else() {
    let place = Place::sqlite();
    let owner = place.with_one(|app| async move {
        let mut owner = Owner::open(&app, FAMILY, app.clock.now()).await;
        delegate(&app, &mut owner);
        owner.publish_first(&app).await.unwrap();
        owner
    });
    let key_file = place.path().join("keys").join("family.acme.pump.deltas.key");
    std::fs::remove_file(&key_file).unwrap();
    place.later(DAY_S);
    place.with_one(|app| async move {
        let mut owner = owner;
        assert!(!key_file.exists(), "a key that has signed is not replaced in silence");
        assert_eq!(view(&app, &owner).deltas_key, None);
        assert_eq!(refresh(&app, owner.id.clone()).await.unwrap(), Due::Timestamp);
        owner.targets.version = 2;
        let told = owner.publish_targets(&app).await.unwrap_err().to_string();
        assert!(told.contains("has lost its deltas key"), "{told}");
        owner.targets.delegations.clear();
        owner.publish_targets(&app).await.unwrap();
        assert!(!a_device_trusts(&app, &owner).has_deltas());
    });
}

#[test]
fn of_two_servers_one_signs_the_list_of_deltas_again_before_it_runs_out() {
    on_both(|place| {
        let clock = Arc::clone(&place.clock);
        place.with_two(|one, two| async move {
            let mut owner = Owner::open(&one, FAMILY, one.clock.now()).await;
            delegate(&one, &mut owner);
            owner.publish_first(&one).await.unwrap();
            let before = one.snapshot().get(&owner.id).unwrap().heads;
            clock.set(one.clock.now().plus_seconds(11 * DAY_S));
            let (a, b) = (refresh(&one, owner.id.clone()), refresh(&two, owner.id.clone()));
            assert_eq!((a.await.unwrap(), b.await.unwrap()), (Due::All, Due::Nothing));
            one.reload().await.unwrap();
            let after = one.snapshot().get(&owner.id).unwrap().heads;
            assert!(after.deltas > before.deltas && after.targets == before.targets);
            assert!(a_device_trusts(&one, &owner).has_deltas());
        });
    });
}

#[test]
fn a_list_that_ran_out_while_the_server_was_off_is_signed_again_with_the_next_targets() {
    let place = Place::sqlite();
    let clock = Arc::clone(&place.clock);
    place.with_one(|app| async move {
        let mut owner = Owner::open(&app, FAMILY, app.clock.now()).await;
        delegate(&app, &mut owner);
        owner.publish_first(&app).await.unwrap();
        clock.set(app.clock.now().plus_seconds(40 * DAY_S));
        owner.targets.version = 2;
        owner.targets.issued = app.clock.now();
        owner.publish_targets(&app).await.unwrap();
        assert!(a_device_trusts(&app, &owner).has_deltas());
    });
}
