//! Deltas from publish to device, on both databases: planned, built by the real worker process, checked,
//! listed, taken, retired.

use crate::delta_family::{
    FAMILY, builder, container, family, family_for, image, plan, release, says, shown, states,
    taken,
};
use crate::deltas::{a_device_trusts, delegate};
use crate::files::{get, token};
use crate::owner::Owner;
use crate::place::{Place, on_both};
use actix_web::http::StatusCode;
use patchward_protocol::api::delta::DeltaState;
use patchward_protocol::api::repository::Reading;
use patchward_protocol::api::token::Scope;
use patchward_protocol::id::Seq;
use patchward_protocol::tuf::delta_target::DELTAS_ROLE;
use patchward_server::app::App;
use patchward_server::db::{Connection, repository};
use patchward_server::delta::build::Round;
use patchward_server::delta::survey;

#[test]
fn a_delta_goes_from_publish_to_a_device() {
    on_both(|place| {
        place.with_one(|app| async move {
            let owner = family(&app).await;
            assert_eq!(plan(&app).await, 1);
            assert_eq!(plan(&app).await, 0);
            let builder = builder(&app, "one");
            assert_eq!(builder.round().await.unwrap(), Round::Moved(DeltaState::Published));
            assert_eq!(builder.round().await.unwrap(), Round::Idle);
            assert_eq!(taken(&app, &owner), image(2));
            let view = shown(&app).await;
            let [pair] = view.pairs.as_slice() else { panic!("one pair") };
            assert!(view.delegated && pair.bytes.unwrap() * 2 < pair.full_bytes);
            assert_eq!((pair.from.seq, pair.to.seq), (Some(Seq(1)), Some(Seq(2))));
            assert_eq!(pair.index.as_deref(), Some("suffix-array"));
            assert!(pair.memory_kib.unwrap() > 0 && pair.detail.is_none());
            // A later list still has it, and a later snapshot still names the list.
            let mut owner = owner;
            owner.add(&app, "doc/more.txt", b"more").await;
            owner.targets.version = 3;
            owner.publish_targets(&app).await.unwrap();
            assert_eq!(taken(&app, &owner), image(2));
        });
    });
}

#[test]
fn deltas_are_served_like_images_to_those_whom_the_family_concerns() {
    let place = Place::sqlite();
    place.with_one(|app| async move {
        let owner = family_for(&app, Reading::Restricted).await;
        plan(&app).await;
        builder(&app, "one").round().await.unwrap();
        let set = a_device_trusts(&app, &owner);
        let (file, _) = set.delegated_file(DELTAS_ROLE).unwrap();
        let delta = set.deltas().unwrap().remove(0);
        let list = format!("/tuf/family/acme.pump/metadata/{file}");
        let target = format!("/tuf/family/acme.pump/targets/{}", set.file_of(&delta.file));
        let families = vec!["acme.pump".parse().unwrap()];
        let token = token(&app, Scope::Maker { families }).await;
        for url in [&list, &target] {
            assert_eq!(get(&app, url, &[]).await.status, StatusCode::NOT_FOUND);
            let read = get(&app, url, &[("authorization", &token)]).await;
            assert_eq!(read.status, StatusCode::OK);
        }
        let part = [("authorization", token.as_str()), ("range", "bytes=0-7")];
        let part = get(&app, &target, &part).await;
        assert_eq!(
            (part.status, part.body.as_ref()),
            (StatusCode::PARTIAL_CONTENT, &b"PWDELTA1"[..])
        );
        // The list before this one stays readable, as every document does.
        let before =
            format!("/tuf/family/acme.pump/metadata/{}.deltas.json", first_list(&app).await);
        let read = get(&app, &before, &[("authorization", &token)]).await;
        assert_eq!(read.status, StatusCode::OK);
    });
}

/// The version of the first list, which was empty.
async fn first_list(app: &App) -> u64 {
    let now = app.snapshot().get(&FAMILY.parse().unwrap()).unwrap().heads.deltas;
    for version in (now - 10..now).rev() {
        let id = FAMILY.parse().unwrap();
        let find = move |conn: &mut Connection| repository::deltas(conn, &id, version);
        if app.db.read(find).await.unwrap().is_some() {
            return version;
        }
    }
    panic!("no list before {now}");
}

#[test]
fn a_base_that_a_device_reports_later_is_built_too_and_one_without_a_container_is_told_of() {
    let place = Place::sqlite();
    place.with_one(|app| async move {
        let mut owner = family(&app).await;
        release(&app, &mut owner, 3, &image(3)).await;
        owner.targets.version = 3;
        owner.publish_targets(&app).await.unwrap();
        let mut seen = survey::Seen::default();
        assert_eq!(survey::survey(&app, &mut seen).await.unwrap(), 1, "the release before");
        let asked = app.db.asked();
        assert_eq!(survey::survey(&app, &mut seen).await.unwrap(), 0);
        assert_eq!(app.db.asked(), asked, "a look without news costs no statement");
        says(&app, 1, &image(1), 1);
        assert_eq!(survey::survey(&app, &mut seen).await.unwrap(), 1);
        says(&app, 2, b"of another time", 9);
        assert_eq!(survey::survey(&app, &mut seen).await.unwrap(), 0);
        let builder = builder(&app, "one");
        while builder.round().await.unwrap() != Round::Idle {}
        let told: Vec<_> = shown(&app)
            .await
            .pairs
            .into_iter()
            .map(|pair| (pair.from.seq.map(|seq| seq.0), pair.state, pair.devices))
            .collect();
        assert_eq!(told.len(), 3);
        assert!(told.contains(&(Some(1), DeltaState::Published, 0)), "{told:?}");
        assert!(told.contains(&(Some(2), DeltaState::Published, 0)), "{told:?}");
        assert!(told.contains(&(None, DeltaState::BaseUnknown, 1)), "{told:?}");
        assert_eq!(a_device_trusts(&app, &owner).deltas().unwrap().len(), 2);
    });
}

#[test]
fn of_two_servers_one_builds() {
    on_both(|place| {
        place.with_two(|one, two| async move {
            let owner = family(&one).await;
            two.reload().await.unwrap();
            plan(&one).await;
            // The other has planned from the same: nothing is stored twice.
            plan(&two).await;
            assert_eq!(states(&one).await, [DeltaState::Queued]);
            let (here, there) = (builder(&one, "one"), builder(&two, "two"));
            let there = actix_web::rt::spawn(async move { there.round().await.unwrap() });
            let rounds = [here.round().await.unwrap(), there.await.unwrap()];
            assert!(rounds.contains(&Round::Idle), "{rounds:?}");
            assert!(rounds.contains(&Round::Moved(DeltaState::Published)), "{rounds:?}");
            one.reload().await.unwrap();
            assert_eq!(taken(&one, &owner), image(2));
        });
    });
}

#[test]
fn a_delta_that_is_hardly_shorter_is_not_offered() {
    let place = Place::sqlite();
    place.with_one(|app| async move {
        let mut owner = Owner::open(&app, FAMILY, app.clock.now()).await;
        delegate(&app, &mut owner);
        release(&app, &mut owner, 1, &image(1)).await;
        let unrelated: Vec<u8> = image(1).iter().rev().map(|byte| byte.wrapping_mul(7)).collect();
        release(&app, &mut owner, 2, &unrelated).await;
        owner.publish_first(&app).await.unwrap();
        plan(&app).await;
        let builder = builder(&app, "one");
        assert_eq!(builder.round().await.unwrap(), Round::Moved(DeltaState::TooLarge));
        assert!(a_device_trusts(&app, &owner).deltas().unwrap().is_empty());
    });
}

#[test]
fn a_withdrawn_image_takes_its_deltas_out_of_the_list_with_it() {
    on_both(|place| {
        place.with_one(|app| async move {
            let mut owner = family(&app).await;
            plan(&app).await;
            let builder = builder(&app, "one");
            builder.round().await.unwrap();
            assert_eq!(a_device_trusts(&app, &owner).deltas().unwrap().len(), 1);
            let path = "img/pump-2.pwd".parse().unwrap();
            let custom = &mut owner.targets.targets.get_mut(&path).unwrap().custom;
            custom.get_mut("fw").unwrap()["state"] = serde_json::json!("withdrawn");
            owner.targets.version = 3;
            owner.publish_targets(&app).await.unwrap();
            assert!(a_device_trusts(&app, &owner).deltas().unwrap().is_empty());
            assert_eq!(states(&app).await, [DeltaState::Retired]);
            assert_eq!(plan(&app).await, 0);
            assert_eq!(builder.round().await.unwrap(), Round::Idle);
        });
    });
}

#[test]
fn a_family_that_does_not_delegate_has_nothing_planned_until_it_does() {
    let place = Place::sqlite();
    place.with_one(|app| async move {
        let mut owner = Owner::open(&app, FAMILY, app.clock.now()).await;
        release(&app, &mut owner, 1, &image(1)).await;
        release(&app, &mut owner, 2, &image(2)).await;
        owner.publish_first(&app).await.unwrap();
        assert_eq!(plan(&app).await, 0);
        assert!(!shown(&app).await.delegated);
        delegate(&app, &mut owner);
        owner.targets.version = 2;
        owner.publish_targets(&app).await.unwrap();
        assert_eq!(plan(&app).await, 1);
        // And stops: what waits is retired when its turn comes.
        owner.targets.delegations.clear();
        owner.targets.version = 3;
        owner.publish_targets(&app).await.unwrap();
        let builder = builder(&app, "one");
        assert_eq!(builder.round().await.unwrap(), Round::Moved(DeltaState::Retired));
    });
}

#[test]
fn a_delta_that_would_go_beyond_the_quota_of_its_family_is_told_as_such() {
    let mut place = Place::sqlite();
    let (one, two) = (container(&image(1)).0.len(), container(&image(2)).0.len());
    place.config.quota.family_bytes = (one + two + 200) as u64;
    place.with_one(|app| async move {
        family(&app).await;
        plan(&app).await;
        let builder = builder(&app, "one");
        assert_eq!(builder.round().await.unwrap(), Round::Moved(DeltaState::OverBudget));
        assert!(shown(&app).await.pairs[0].detail.as_deref().unwrap().contains("quota"));
    });
}
