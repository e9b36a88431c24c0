//! What a manufacturer does in the console, on both databases: days of a family's life, staged files
//! through several hands, and the field counted by hours.

use crate::hospital::{approval, devices, fact, goes, north, publish, site};
use crate::owner::Owner;
use crate::place::on_both;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::id::{FamilyId, MakerId, RepositoryId};
use patchward_protocol::ledger::Kind;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::Root;
use patchward_protocol::tuf::stage::Staged;
use patchward_server::app::App;
use patchward_server::db::{field, staged as rows};
use patchward_server::lifecycle::{self, Dates, Lifecycle};
use patchward_server::people::role::{Grant, MakerRole};
use patchward_server::people::who::{AccountId, Language, Who};
use patchward_server::publish::staged::{self, Brought, look};
use patchward_server::rollout::field::{Standing, flights};
use std::sync::Arc;

fn family() -> FamilyId {
    "acme.a".parse().unwrap()
}

fn who(n: i64, role: MakerRole) -> Who {
    Who {
        account: AccountId(n),
        login: format!("person-{n}"),
        name: format!("Person {n}"),
        title: "key holder".to_owned(),
        language: Language::En,
        persons: Vec::new(),
        grants: vec![Grant::Maker(MakerId::new("acme").unwrap(), role)],
        form_token: "0".repeat(32),
        idle_until: "2026-11-22T06:00:00Z".parse().unwrap(),
    }
}

fn dates(end_of_support: &str) -> Lifecycle {
    let end_of_support = end_of_support.parse().unwrap();
    Lifecycle::Dates(Dates {
        supported_until: end_of_support,
        limited_until: end_of_support,
        end_of_support,
        end_of_life: end_of_support,
    })
}

async fn say(app: &Arc<App>, life: Lifecycle, revision: u64) -> Result<u64, ErrorCode> {
    let said = lifecycle::say::say(app, &family(), life, revision, &who(1, MakerRole::Admin)).await;
    said.map(|said| said.revision).map_err(|error| error.code())
}

#[test]
fn every_statement_about_a_life_stays_and_the_newest_counts() {
    on_both(|place| {
        place.with_two(|one, two| async move {
            let undecided = Lifecycle::Undecided { until: "2027-03-31".parse().unwrap() };
            assert_eq!(say(&one, undecided, 0).await, Ok(1));
            assert_eq!(say(&two, dates("2033-03-31"), 0).await, Err(ErrorCode::LifecycleMoved));
            assert_eq!(say(&two, dates("2027-01-31"), 1).await, Err(ErrorCode::LifecycleRefused));
            assert_eq!(say(&two, dates("2033-03-31"), 1).await, Ok(2));
            let read = one.db.read(|conn| {
                let current = lifecycle::current(conn)?;
                Ok::<_, patchward_server::db::DbError>((
                    current,
                    lifecycle::history(conn, &family())?,
                ))
            });
            let (current, history) = read.await.unwrap();
            assert_eq!(current[&family()].lifecycle, dates("2033-03-31"));
            assert_eq!(history.iter().map(|said| said.revision).collect::<Vec<_>>(), [2, 1]);
            assert_eq!(
                (history[0].by.as_str(), history[0].name.as_str()),
                ("account:person-1", "Person 1")
            );
        });
    });
}

async fn bring(app: &Arc<App>, bytes: &[u8], by: &Who) -> Result<Brought, ErrorCode> {
    let brought = staged::bring(app, &family(), bytes, by).await;
    brought.map(|(_, brought)| brought).map_err(|error| error.code())
}

async fn publish_by(app: &Arc<App>, by: &Who) -> Result<(), ErrorCode> {
    staged::publish(app, &family(), by).await.map_err(|error| error.code())
}

/// The targets with the signature of one key only: the other copy of two that travel.
fn second_only(owner: &Owner) -> Vec<u8> {
    let both = owner.targets_signed_by(2);
    let first = owner.targets_signed_by(1);
    let file = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
    let (mut all, one) = (file(&both), file(&first));
    let held = one["signatures"][0].clone();
    all["signatures"].as_array_mut().unwrap().retain(|signature| *signature != held);
    serde_json::to_vec(&all).unwrap()
}

#[test]
fn a_first_release_goes_through_several_hands_and_its_author_does_not_publish_it() {
    on_both(|place| {
        place.with_two(|one, two| async move {
            let mut owner = Owner::open(&one, "family:acme.a", one.clock.now()).await;
            owner.add(&one, "doc/notes.txt", b"notes").await;
            two.reload().await.unwrap();
            let (author, holder) = (who(1, MakerRole::KeyHolder), who(2, MakerRole::KeyHolder));
            // Without a root nobody knows who may sign the targets.
            let alone = bring(&one, &owner.targets_signed_by(1), &author).await;
            assert_eq!(alone, Err(ErrorCode::StagedRefused));
            assert_eq!(bring(&one, &owner.root_file(), &author).await, Ok(Brought::New));
            let first = owner.targets_signed_by(1);
            assert_eq!(bring(&one, &first, &author).await, Ok(Brought::New));
            assert_eq!(bring(&two, &first, &holder).await, Ok(Brought::Added(0)));
            let mut other = Owner::open(&one, "family:acme.b", one.clock.now()).await;
            other.targets.version = 1;
            assert_eq!(
                bring(&one, &other.targets_file(), &holder).await,
                Err(ErrorCode::StagedRefused)
            );
            assert_eq!(bring(&two, &second_only(&owner), &holder).await, Ok(Brought::Added(1)));
            assert_eq!(publish_by(&two, &author).await, Err(ErrorCode::StagedOwn));
            assert_eq!(publish_by(&two, &holder).await, Ok(()));
            let id = RepositoryId::Family(family());
            one.reload().await.unwrap();
            assert_eq!(one.snapshot().get(&id).unwrap().heads.targets, 1);
            let left = one.db.read(move |conn| rows::of(conn, &id)).await.unwrap();
            assert!(left.is_empty(), "what was published is not staged any more");
            // The same version again cannot follow.
            assert_eq!(bring(&one, &first, &author).await, Err(ErrorCode::StagedRefused));
        });
    });
}

#[test]
fn a_staged_file_says_who_is_missing_and_what_changes_and_other_content_is_refused() {
    on_both(|place| {
        place.with_one(|app| async move {
            let mut owner = Owner::open(&app, "family:acme.a", app.clock.now()).await;
            owner.publish_first(&app).await.unwrap();
            owner.targets.version = 2;
            owner.list("doc/late.txt", b"late");
            let (author, holder) = (who(1, MakerRole::Release), who(2, MakerRole::KeyHolder));
            assert_eq!(bring(&app, &owner.targets_signed_by(1), &author).await, Ok(Brought::New));
            let id = RepositoryId::Family(family());
            let current = Arc::clone(app.snapshot().get(&id).unwrap());
            let of = id.clone();
            let looked = app.db.read(move |conn| {
                let looked = look(&current, &rows::of(conn, &of)?);
                let staged::Difference::Targets(change) = &looked[0].change else {
                    panic!("a root")
                };
                let missing = staged::not_uploaded(conn, &of, change)?;
                Ok::<_, patchward_server::db::DbError>((looked, missing))
            });
            let (looked, missing) = looked.await.unwrap();
            assert_eq!(missing, ["doc/late.txt"]);
            let status = &looked[0].status[0];
            assert_eq!((status.signers.count(), status.threshold, status.missing.len()), (1, 2, 2));
            assert!(!looked[0].is_complete() && !looked[0].stale);
            assert_eq!(publish_by(&app, &holder).await, Err(ErrorCode::StagedIncomplete));
            owner.list("doc/other.txt", b"other");
            let other = owner.targets_signed_by(1);
            assert_eq!(bring(&app, &other, &holder).await, Err(ErrorCode::StagedRefused));
            staged::drop_file(&app, &family(), "targets", &holder).await.unwrap();
            assert_eq!(bring(&app, &other, &holder).await, Ok(Brought::New));
            // A signature of nobody's is left out.
            let mut broken: serde_json::Value = serde_json::from_slice(&other).unwrap();
            broken["signatures"][0]["sig"] = serde_json::json!("00".repeat(64));
            let broken = serde_json::to_vec(&broken).unwrap();
            assert_eq!(bring(&app, &broken, &holder).await, Ok(Brought::Added(0)));
            assert!(Staged::read(Role::Root, &owner.root_file()).unwrap().typed::<Root>().is_ok());
        });
    });
}

#[test]
fn what_devices_report_is_counted_by_hours_for_their_manufacturer() {
    const DONE: [Kind; 3] = [Kind::Activating, Kind::Trial, Kind::Committed];
    on_both(|place| {
        let mut devices = devices(&place, 3);
        place.with_one(|app| async move {
            let mut owner = site(&app).await;
            let waves = [(&devices[0], 0), (&devices[1], 1), (&devices[2], 1)];
            let approval = approval("first", 1, app.clock.now(), &waves);
            publish(&app, &mut owner, &[&approval]).await;
            goes(&app, &mut devices[0], &approval, &DONE).await;
            let image = fact(Kind::Committed, &approval).release.unwrap();
            let (family, sha256) = (image.family.clone(), image.image_sha256);
            let of = family.clone();
            let read = app.db.read(move |conn| {
                let hours = field::hours(conn, &of, &sha256)?;
                Ok::<_, patchward_server::db::DbError>((hours, field::totals(conn, &of)?))
            });
            let (hours, totals) = read.await.unwrap();
            assert_eq!(hours.len(), 1, "{hours:?}");
            assert_eq!((hours[0].wave, hours[0].updated, hours[0].failed), (0, 1, 0));
            let total = totals[&sha256];
            assert_eq!((total.updated, total.seen(), total.troubled()), (1, 1, 0));
            app.reload().await.unwrap();
            let flights = flights(&app.views.consent(), &family.maker());
            assert_eq!((flights.len(), flights[0].standing), (1, Standing::Going));
            assert_eq!(flights[0].total().devices, 3);
            assert!(flights[0].sites.contains(&north()));
        });
    });
}
