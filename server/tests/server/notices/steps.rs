//! What nobody acknowledges is passed on, and a drill proves what works; by the clock of the test.

use super::{
    Grave, acme, add, entered, first, looked, north, noticed, of_kind, open, pass, released, sato,
    taken, tanaka, with_device,
};
use crate::place::on_both;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::repository::Reading;
use patchward_server::app::App;
use patchward_server::notify::channel::{Circle, Kind, drill_code};
use patchward_server::notify::raise::living;
use patchward_server::notify::readiness::{self, Check, Light, PROVEN_S};
use patchward_server::notify::subject::{NoticeId, Severity};
use patchward_server::notify::{acknowledge, drill};
use std::sync::Arc;

#[test]
fn what_is_urgent_and_unread_goes_to_admins_after_a_day_and_to_the_manufacturer_after_two() {
    on_both(|place| {
        with_device(&place);
        let clock = Arc::clone(&place.clock);
        place.with_two(|one, two| async move {
            first(&one, Kind::Mail, "first@hospital.example").await;
            add(&one, north(), entered(Kind::Mail, "admin@hospital.example", Circle::Second)).await;
            noticed(&one, Reading::Public, Grave::KnownExploited).await;
            let notice = of_kind(&one, north(), "release").await.remove(0);
            assert_eq!((notice.severity, notice.step), (Severity::Urgent, 0));
            assert_eq!(notice.due, Some(one.clock.now().plus_seconds(3 * 86_400)));
            assert_eq!(taken(&one).await, 1, "the first circle");
            clock.set(notice.created.plus_seconds(86_399));
            assert_eq!(pass(&one).await, 0);
            clock.set(notice.created.plus_seconds(86_400));
            two.reload().await.unwrap();
            let (a, b) = futures_util::future::join(pass(&one), pass(&two)).await;
            assert_eq!(a + b, 1, "passed on once");
            // The first message was never settled: it is due again, beside two new ones.
            assert_eq!(taken(&one).await, 3, "both circles");
            let before = of_kind(&one, acme(), "unacknowledged").await;
            assert!(before.is_empty(), "the manufacturer is not told yet");
            clock.set(notice.created.plus_seconds(2 * 86_400));
            assert_eq!(pass(&two).await, 1);
            looked(&two).await;
            let told = of_kind(&one, acme(), "unacknowledged").await;
            assert_eq!((told.len(), told[0].severity), (1, Severity::Urgent));
            assert_eq!(told[0].due, notice.due, "the clock of the site");
            assert_eq!(pass(&one).await, 0, "nobody is left at the site");
            // Acknowledged: the manufacturer's matter is over, the site's stays until it is answered.
            acknowledge(&one, &north(), &notice.id, &tanaka()).await.unwrap();
            looked(&one).await;
            assert!(of_kind(&one, acme(), "unacknowledged").await.is_empty());
            let notice = of_kind(&one, north(), "release").await.remove(0);
            let (_, by) = notice.acknowledged.unwrap();
            assert_eq!(by, "Tanaka");
        });
    });
}

#[test]
fn what_somebody_acknowledges_is_not_passed_on() {
    on_both(|place| {
        with_device(&place);
        let clock = Arc::clone(&place.clock);
        place.with_one(|app| async move {
            noticed(&app, Reading::Public, Grave::KnownExploited).await;
            let notice = of_kind(&app, north(), "release").await.remove(0);
            let stranger = acknowledge(&app, &acme(), &notice.id, &sato()).await;
            assert_eq!(stranger.unwrap_err().code(), ErrorCode::NotFound, "another place's");
            acknowledge(&app, &north(), &notice.id, &tanaka()).await.unwrap();
            clock.set(notice.created.plus_seconds(10 * 86_400));
            assert_eq!(pass(&app).await, 0);
        });
    });
}

#[test]
fn a_channel_is_proven_by_the_code_that_left_through_it_and_by_no_other() {
    on_both(|place| {
        with_device(&place);
        let clock = Arc::clone(&place.clock);
        place.with_one(|app| async move {
            let none = drill::start(&app, &north(), &tanaka()).await;
            assert_eq!(none.unwrap_err().code(), ErrorCode::RequestInvalid, "no channel yet");
            let a = first(&app, Kind::Mail, "a@hospital.example").await;
            let b =
                add(&app, north(), entered(Kind::Mail, "b@hospital.example", Circle::Second)).await;
            assert_eq!(light(&app).await, Light::Red);
            let drill = drill::start(&app, &north(), &tanaka()).await.unwrap();
            assert_eq!(taken(&app).await, 2, "every circle is drilled");
            let code = |channel: &NoticeId| drill_code(app.keys.mac(), &drill, channel);
            assert_ne!(code(&a), code(&b));
            let wrong = drill::confirm(&app, &north(), "00000000", &tanaka()).await;
            assert_eq!(wrong.unwrap_err().code(), ErrorCode::DrillCodeWrong);
            let elsewhere = drill::confirm(&app, &acme(), &code(&a), &sato()).await;
            assert_eq!(elsewhere.unwrap_err().code(), ErrorCode::DrillCodeWrong);
            let typed = format!(" {}-{} ", &code(&a)[..4], code(&a)[4..].to_lowercase());
            assert_eq!(drill::confirm(&app, &north(), &typed, &tanaka()).await.unwrap(), a);
            let again = drill::confirm(&app, &north(), &code(&a), &tanaka()).await;
            assert_eq!(again.unwrap_err().code(), ErrorCode::DrillCodeWrong, "once");
            assert_eq!(light(&app).await, Light::Green);
            let place = north();
            let all = app.db.read(move |conn| living(conn, &place)).await.unwrap();
            let proven: Vec<_> =
                all.iter().filter(|it| it.health.proven.is_some()).map(|it| &it.id).collect();
            assert_eq!(proven, [&a]);
            clock.set(app.clock.now().plus_seconds(PROVEN_S));
            assert_eq!(light(&app).await, Light::Amber, "ninety days later");
            let old = drill::confirm(&app, &north(), &code(&b), &tanaka()).await;
            assert_eq!(old.unwrap_err().code(), ErrorCode::DrillCodeWrong, "too late");
        });
    });
}

async fn light(app: &Arc<App>) -> Light {
    let (snapshot, at) = (app.snapshot(), app.clock.now());
    let known =
        app.db.read(move |conn| readiness::known(conn, &snapshot, &"north".parse().unwrap()));
    let readiness = readiness::readiness(&known.await.unwrap(), at);
    readiness.checks.iter().find(|it| it.check == Check::Channel).unwrap().light
}

#[test]
fn a_release_that_becomes_urgent_is_told_again() {
    on_both(|place| {
        with_device(&place);
        place.with_one(|app| async move {
            first(&app, Kind::Mail, "a@hospital.example").await;
            let mut family = released(&app, Reading::Public, Grave::Important).await.family;
            looked(&app).await;
            assert_eq!(taken(&app).await, 1);
            let calm = of_kind(&app, north(), "release").await.remove(0);
            assert_eq!((calm.severity, calm.step_due), (Severity::Important, None));
            // Known to be exploited now: the manufacturer signs its targets again.
            let current = app.snapshot();
            let current = current.get(&family.id).unwrap();
            let mut firmware = current.images.values().next().unwrap().clone();
            firmware.known_exploited = true;
            firmware.cves = vec!["CVE-2026-12345".to_owned()];
            family.describe("img/a-2.img", &firmware);
            crate::hospital::publish_family(&app, &mut family).await;
            looked(&app).await;
            let now = of_kind(&app, north(), "release").await;
            assert_eq!((now.len(), now[0].severity), (1, Severity::Urgent));
            assert_eq!(now[0].id, calm.id);
            assert!(now[0].step_due.is_some());
            assert_eq!(taken(&app).await, 1, "told again");
            assert!(open(&app, north()).await[0].severity == Severity::Urgent, "first in the list");
        });
    });
}
