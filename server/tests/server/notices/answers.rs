//! What hospitals answer to a release, and what comes of it: recorded, shown to the manufacturer, and
//! back when its day has come.

use super::{Grave, acme, looked, north, noticed, of_kind, sato, tanaka, with_device};
use crate::hospital::{acts, approval, devices, publish};
use crate::place::on_both;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::repository::Reading;
use patchward_protocol::id::SiteId;
use patchward_server::app::App;
use patchward_server::db::answer as answers;
use patchward_server::db::notice::{self, Closed};
use patchward_server::notify::answer::{self, Answer, Side};
use patchward_server::notify::subject::{NoticeId, Subject};
use std::sync::Arc;

fn site() -> SiteId {
    SiteId::new("north").unwrap()
}

async fn give(app: &Arc<App>, id: &NoticeId, answer: Answer) -> Result<(), ErrorCode> {
    let (site, who, reason) = (site(), tanaka(), "pumps are in use".to_owned());
    answer::give(app, &site, id, answer, reason, &who).await.map_err(|error| error.code())
}

#[test]
fn a_release_that_is_put_off_comes_back_on_its_day_as_another_notice() {
    on_both(|place| {
        with_device(&place);
        let clock = Arc::clone(&place.clock);
        place.with_one(|app| async move {
            noticed(&app, Reading::Public, Grave::Important).await;
            let first = of_kind(&app, north(), "release").await.remove(0);
            let (now, control) = (app.clock.now(), "isolated".to_owned());
            let past = Answer::Deferred { until: now, control: control.clone() };
            assert_eq!(give(&app, &first.id, past).await, Err(ErrorCode::RequestInvalid));
            let until = now.plus_seconds(30 * 86_400);
            give(&app, &first.id, Answer::Deferred { until, control }).await.unwrap();
            looked(&app).await;
            assert!(of_kind(&app, north(), "release").await.is_empty());
            assert!(acts(&app).await.contains(&"release-deferred".to_owned()));
            clock.set(until);
            looked(&app).await;
            let second = of_kind(&app, north(), "release").await.remove(0);
            assert_ne!(second.id, first.id);
            assert!(
                matches!(second.subject, Subject::Release { put_off, .. } if put_off == Some(until))
            );
            let again = give(&app, &first.id, Answer::Declined).await;
            assert_eq!(again, Err(ErrorCode::NotFound), "that one is closed");
        });
    });
}

#[test]
fn a_declined_release_does_not_come_back_and_its_maker_sees_why() {
    on_both(|place| {
        with_device(&place);
        let clock = Arc::clone(&place.clock);
        place.with_one(|app| async move {
            noticed(&app, Reading::Public, Grave::Important).await;
            let notice = of_kind(&app, north(), "release").await.remove(0);
            give(&app, &notice.id, Answer::Declined).await.unwrap();
            clock.set(app.clock.now().plus_seconds(200 * 86_400));
            looked(&app).await;
            assert!(of_kind(&app, north(), "release").await.is_empty());
            let family = "acme.a".parse().unwrap();
            let given = app.db.read(move |conn| answers::of_family(conn, &family)).await.unwrap();
            assert_eq!(given.len(), 1);
            assert_eq!(
                (given[0].reason.as_str(), given[0].by.name.as_str()),
                ("pumps are in use", "Tanaka")
            );
        });
    });
}

#[test]
fn an_acknowledged_release_stays_open_and_an_approval_closes_it() {
    on_both(|place| {
        let device = devices(&place, 1).remove(0);
        place.with_one(|app| async move {
            let mut owners = noticed(&app, Reading::Public, Grave::KnownExploited).await;
            let notice = of_kind(&app, north(), "release").await.remove(0);
            give(&app, &notice.id, Answer::Acknowledged).await.unwrap();
            let still = of_kind(&app, north(), "release").await.remove(0);
            assert_eq!((still.step_due, still.acknowledged.is_some()), (None, true));
            assert!(acts(&app).await.contains(&"release-acknowledged".to_owned()));
            // An approval of that very image.
            let snapshot = app.snapshot();
            let image = snapshot.get(&owners.family.id).unwrap().images.values().next().unwrap();
            let mut approval = approval("first", 1, app.clock.now(), &[(&device, 0)]);
            let named = approval.release.as_mut().unwrap();
            named.image_sha256 = image.payload.image_sha256;
            named.version = image.version.clone();
            publish(&app, &mut owners.site, &[&approval]).await;
            looked(&app).await;
            assert!(of_kind(&app, north(), "release").await.is_empty());
            let id = notice.id.clone();
            let closed = app.db.read(move |conn| notice::get(conn, &id)).await.unwrap().unwrap();
            assert_eq!(closed.closed.unwrap().1, Closed::Over);
        });
    });
}

#[test]
fn a_question_is_answered_on_the_other_side_and_both_see_the_same_thread() {
    on_both(|place| {
        with_device(&place);
        place.with_one(|app| async move {
            noticed(&app, Reading::Public, Grave::Important).await;
            let notice = of_kind(&app, north(), "release").await.remove(0);
            let empty = answer::ask(&app, &site(), &notice.id, " ".to_owned(), &tanaka()).await;
            assert_eq!(empty.unwrap_err().code(), ErrorCode::RequestInvalid);
            let words = "Does it keep the alarm limits?".to_owned();
            let id = answer::ask(&app, &site(), &notice.id, words, &tanaka()).await.unwrap();
            assert_eq!(of_kind(&app, acme(), "question").await.len(), 1);
            answer::write(&app, &acme(), &id, "Yes.".to_owned(), &sato()).await.unwrap();
            assert!(of_kind(&app, acme(), "question").await.is_empty(), "answered");
            assert_eq!(of_kind(&app, north(), "answered").await.len(), 1);
            let other = patchward_server::people::role::Place::Site(SiteId::new("south").unwrap());
            let stranger = answer::write(&app, &other, &id, "me too".to_owned(), &tanaka()).await;
            assert_eq!(stranger.unwrap_err().code(), ErrorCode::NotFound);
            let of = id.clone();
            let thread =
                app.db.read(move |conn| answers::question(conn, &of)).await.unwrap().unwrap();
            let sides: Vec<_> = thread.words.iter().map(|word| word.side).collect();
            assert_eq!(sides, [Side::Site, Side::Maker]);
            assert!(thread.answered.is_some());
            let acts = acts(&app).await;
            assert!(acts.contains(&"question-asked".to_owned()));
            assert!(acts.contains(&"question-answered".to_owned()));
            looked(&app).await;
            assert_eq!(
                of_kind(&app, north(), "answered").await.len(),
                1,
                "not called over by a look"
            );
        });
    });
}
