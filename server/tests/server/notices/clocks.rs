//! What comes up by the days that are left, what contradicts itself, and what a wrong clock does.

use super::{
    Grave, acme, add, entered, looked, north, of_kind, open, pass, released, taken, with_device,
};
use crate::hospital::{deliver, devices, tell};
use crate::place::on_both;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::repository::Reading;
use patchward_protocol::id::{MakerId, RepositoryId, SiteId};
use patchward_protocol::ledger::{Fact, Kind as Entry};
use patchward_protocol::time::Timestamp;
use patchward_server::app::App;
use patchward_server::db::outbox;
use patchward_server::lifecycle::{self, Dates, Lifecycle};
use patchward_server::notify::channel::{Circle, Kind};
use patchward_server::notify::subject::{Part, Severity};
use patchward_server::people::role::{Grant, MakerRole, Place as At};
use patchward_server::tls::expiry::Expiry;
use std::sync::Arc;

const DAY_S: i64 = 86_400;

async fn severity(app: &Arc<App>, place: At, kind: &str) -> Option<Severity> {
    let found = of_kind(app, place, kind).await;
    assert!(found.len() <= 1, "{found:?}");
    found.first().map(|notice| notice.severity)
}

#[test]
fn a_certificate_that_runs_out_is_told_to_whoever_runs_the_server_at_30_14_and_7_days() {
    on_both(|place| {
        let clock = Arc::clone(&place.clock);
        place.with_one(|app| async move {
            let end = app.clock.now().plus_seconds(100 * DAY_S);
            let expiry = Expiry { part: Part::Server, name: "server.pem".to_owned(), at: end };
            app.certificates.set(vec![expiry]).unwrap();
            let steps = [
                (31, None),
                (30, Some(Severity::Normal)),
                (14, Some(Severity::Important)),
                (7, Some(Severity::Urgent)),
                (-1, Some(Severity::Urgent)),
            ];
            for (days, expected) in steps {
                clock.set(end.plus_seconds(-days * DAY_S));
                looked(&app).await;
                assert_eq!(severity(&app, At::Server, "certificate").await, expected, "{days}");
            }
            assert!(open(&app, north()).await.is_empty(), "nobody else is told");
        });
    });
}

#[test]
fn what_people_sign_is_told_at_60_30_and_7_days_before_it_runs_out() {
    on_both(|place| {
        with_device(&place);
        let clock = Arc::clone(&place.clock);
        place.with_one(|app| async move {
            let _owners = released(&app, Reading::Public, Grave::Important).await;
            let site = RepositoryId::Site(SiteId::new("north").unwrap());
            let current = app.snapshot().get(&site).unwrap().clone();
            let end = current.documents.as_ref().unwrap().targets.expires;
            let steps = [(61, None), (60, Some(Severity::Normal)), (30, Some(Severity::Important))];
            for (days, expected) in steps.into_iter().chain([(7, Some(Severity::Urgent))]) {
                clock.set(end.plus_seconds(-days * DAY_S));
                looked(&app).await;
                let found = of_kind(&app, north(), "metadata").await;
                let of = found.iter().filter(|notice| notice.due == Some(end));
                let told: Vec<_> = of.map(|notice| notice.severity).collect();
                assert_eq!(told, Vec::from_iter(expected), "{days} days before");
            }
        });
    });
}

#[test]
fn an_end_of_support_is_told_ahead_and_over_when_it_is_put_off() {
    on_both(|place| {
        with_device(&place);
        let clock = Arc::clone(&place.clock);
        place.with_one(|app| async move {
            let _owners = released(&app, Reading::Public, Grave::Important).await;
            let maker = Grant::Maker(MakerId::new("acme").unwrap(), MakerRole::Admin);
            let who = super::who("Sato", vec![maker]);
            let family = "acme.a".parse().unwrap();
            let say = async |day: &str, revision: u64| {
                let day = day.parse().unwrap();
                let life = Lifecycle::Dates(Dates {
                    supported_until: day,
                    limited_until: day,
                    end_of_support: day,
                    end_of_life: day,
                });
                lifecycle::say::say(&app, &family, life, revision, &who).await.unwrap();
                looked(&app).await;
            };
            say("2029-03-31", 0).await;
            assert_eq!(severity(&app, north(), "support").await, None, "years ahead");
            clock.set("2028-06-01T00:00:00Z".parse().unwrap());
            looked(&app).await;
            assert_eq!(severity(&app, north(), "support").await, Some(Severity::Normal));
            clock.set("2029-02-01T00:00:00Z".parse().unwrap());
            looked(&app).await;
            assert_eq!(severity(&app, north(), "support").await, Some(Severity::Important));
            say("2033-03-31", 1).await;
            assert_eq!(severity(&app, north(), "support").await, None, "put off");
        });
    });
}

#[test]
fn a_ledger_that_contradicts_itself_is_urgent_and_told_once() {
    on_both(|place| {
        let mut devices = devices(&place, 1);
        place.with_one(|app| async move {
            let _owners = released(&app, Reading::Public, Grave::Important).await;
            let (at, device) = (app.clock.now(), &mut devices[0]);
            let first = tell(device, at, Fact::new(Entry::Enrolled));
            deliver(&app, device, &[first]).await.unwrap();
            device.entries.clear();
            let other = tell(device, at, Fact::new(Entry::Held));
            let told = deliver(&app, device, &[other]).await;
            assert_eq!(told.unwrap_err().code(), ErrorCode::LedgerFork);
            for _ in 0..2 {
                looked(&app).await;
                assert_eq!(severity(&app, north(), "device").await, Some(Severity::Urgent));
            }
            assert!(of_kind(&app, acme(), "device").await.is_empty(), "the site's own");
        });
    });
}

#[test]
fn what_came_up_while_the_clock_ran_ahead_is_sent_and_passed_on_by_the_right_clock() {
    on_both(|place| {
        with_device(&place);
        let clock = Arc::clone(&place.clock);
        place.with_one(|app| async move {
            add(&app, north(), entered(Kind::Mail, "first@hospital.example", Circle::First)).await;
            let _owners = released(&app, Reading::Public, Grave::KnownExploited).await;
            let right: Timestamp = app.clock.now();
            clock.set(right.plus_seconds(3650 * DAY_S));
            looked(&app).await;
            assert!(taken(&app).await > 0, "claimed while the clock ran ahead");
            clock.set(right);
            assert!(taken(&app).await > 0, "neither claim nor hour stand in its way");
            assert_eq!(pass(&app).await, 0, "its day begins now");
            let notice = of_kind(&app, north(), "release").await.remove(0);
            assert_eq!(notice.created, right);
            clock.set(right.plus_seconds(DAY_S));
            assert!(pass(&app).await > 0);
            let notice = of_kind(&app, north(), "release").await.remove(0);
            assert_eq!(notice.step, 1, "a day later");
        });
    });
}

#[test]
fn a_manufacturer_passes_on_what_nobody_there_acknowledges_to_its_second_circle() {
    on_both(|place| {
        with_device(&place);
        let clock = Arc::clone(&place.clock);
        place.with_one(|app| async move {
            add(&app, acme(), entered(Kind::Mail, "psirt@maker.example", Circle::First)).await;
            add(&app, acme(), entered(Kind::Mail, "boss@maker.example", Circle::Second)).await;
            let _owners = released(&app, Reading::Public, Grave::KnownExploited).await;
            looked(&app).await;
            let begun = app.clock.now();
            for days in [1, 2] {
                clock.set(begun.plus_seconds(days * DAY_S));
                assert_eq!(pass(&app).await, 1, "at the hospital");
                looked(&app).await;
            }
            let told = of_kind(&app, acme(), "unacknowledged").await.remove(0);
            assert_eq!((told.severity, told.step), (Severity::Urgent, 0));
            let sent = async || {
                let about = told.id.clone();
                let read = app.db.read(move |conn| outbox::about(conn, &acme(), &about));
                let sent: Vec<outbox::Told> = read.await.unwrap();
                sent.len()
            };
            assert_eq!(sent().await, 1, "the first circle");
            clock.set(told.created.plus_seconds(DAY_S));
            assert_eq!(pass(&app).await, 1);
            assert_eq!(sent().await, 3, "both circles, a day later");
        });
    });
}

#[test]
fn a_disabled_person_hears_of_that_and_of_nothing_more() {
    use crate::people::{at, member};
    use patchward_server::notify::raise::{hearing, living};
    use patchward_server::people::closing;
    use patchward_server::people::name::Reason;
    use patchward_server::people::role::SiteRole;
    on_both(|place| {
        with_device(&place);
        let place = &place;
        place.with_one(|app| async move {
            let admin = member(place, &app, at("north", SiteRole::Admin), "tanaka").await;
            let admin = admin.who().await.unwrap();
            let nurse = member(place, &app, at("north", SiteRole::Ward), "nurse").await;
            let nurse = nurse.who().await.unwrap();
            let mut own = entered(Kind::Mail, "nurse@hospital.example", Circle::First);
            own.account = Some(nurse.account);
            let own = add(&app, north(), own).await;
            let why = Reason::read("left the hospital").unwrap();
            closing::disable(&app, &admin, (north(), nurse.account), why).await.unwrap();
            let notice = of_kind(&app, north(), "account").await.remove(0);
            let heard = app.db.read(move |conn| {
                let all = living(conn, &north())?;
                Ok::<_, patchward_server::db::DbError>((
                    all,
                    hearing(conn, &north(), Some(&notice.subject))?,
                ))
            });
            let (living, hearing) = heard.await.unwrap();
            assert!(living.is_empty(), "{living:?}");
            assert_eq!(hearing.iter().map(|channel| &channel.id).collect::<Vec<_>>(), [&own]);
            assert_eq!(taken(&app).await, 1, "the one word that it is so");
        });
    });
}
