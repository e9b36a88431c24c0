//! Polls that stand: answered when the device would be told something else, by whichever server.

use crate::hospital::{approval, devices, holder, north, publish, site, told};
use crate::http::device::Device;
use crate::place::{Place, block_on, on_both};
use patchward_protocol::api::consent::SetHoldRequest;
use patchward_protocol::api::device::{CheckInReply, Poll};
use patchward_protocol::canonical;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::directive::{Directive, HoldTarget};
use patchward_server::app::{App, Mode};
use patchward_server::consent::hold;
use patchward_server::fleet::check_in;
use std::sync::Arc;
use std::time::Duration;

/// Longer than any machine needs, shorter than a poll stands.
const SOON: Duration = Duration::from_secs(40);

fn digest(directive: &Directive) -> Sha256Digest {
    Sha256Digest::of(&canonical::write(directive).unwrap())
}

/// A poll that may stand a minute, of a device that holds everything that is published.
fn standing(app: &App, device: &Device, n: u64, heard: &Directive) -> Poll {
    let mut poll = device.poll(1, n);
    let snapshot = app.snapshot();
    let held = |id: &str| {
        let current = snapshot.get(&id.parse().unwrap()).unwrap();
        current.documents.as_ref().map_or(0, |documents| documents.timestamp.version)
    };
    poll.site_timestamp = held("site:north");
    poll.family_timestamp = held("family:acme.a");
    poll.wait_s = Some(60);
    poll.directive_sha256 = Some(digest(heard));
    poll
}

fn ask(
    app: &Arc<App>,
    device: &Device,
    poll: &Poll,
) -> actix_web::rt::task::JoinHandle<CheckInReply> {
    let asking = check_in::verify(&app.fleet, &device.sealed(poll)).unwrap();
    let app = Arc::clone(app);
    actix_web::rt::spawn(async move { check_in::check_in(&app, asking).await.unwrap() })
}

async fn until_standing(app: &App, free: usize) {
    while app.standing.available_permits() != free {
        tokio::task::yield_now().await;
    }
}

async fn answered(poll: actix_web::rt::task::JoinHandle<CheckInReply>) -> CheckInReply {
    tokio::time::timeout(SOON, poll).await.expect("it was answered").unwrap()
}

fn stop() -> SetHoldRequest {
    SetHoldRequest {
        target: HoldTarget::Site,
        reason: "water in the basement".to_owned(),
        owner: "night shift".to_owned(),
        review_at: None,
    }
}

#[test]
fn a_stop_reaches_standing_polls_at_every_server() {
    on_both(|place| {
        let devices = devices(&place, 2);
        place.with_two(|one, two| async move {
            site(&one).await;
            two.reload().await.unwrap();
            let most = two.standing.available_permits();
            let nothing = Directive::default();
            let here = ask(&one, &devices[0], &standing(&one, &devices[0], 1, &nothing));
            let there = ask(&two, &devices[1], &standing(&two, &devices[1], 1, &nothing));
            until_standing(&one, most - 1).await;
            until_standing(&two, most - 1).await;
            hold::set_at_site(&one, &north(), stop(), &holder()).await.unwrap();
            assert_eq!(answered(here).await.directive.holds.len(), 1);
            assert!(!there.is_finished(), "the other server has not looked yet");
            // What its watcher does every second: a stop arrives everywhere within two.
            assert!(two.config.watch_ms <= 1_000);
            assert_eq!(two.change_seq().await.unwrap(), one.change_seq().await.unwrap());
            two.reload().await.unwrap();
            let reply = answered(there).await;
            assert_eq!(reply.directive.holds[0].reason, "water in the basement");
            assert_eq!(two.standing.available_permits(), most);
        });
    });
}

#[test]
fn a_standing_poll_costs_no_database_statement() {
    on_both(|place| {
        let devices = devices(&place, 1);
        place.with_one(|app| async move {
            site(&app).await;
            let most = app.standing.available_permits();
            let before = app.db.asked();
            let mut stood = Vec::new();
            for n in 1..=50 {
                stood.push(ask(
                    &app,
                    &devices[0],
                    &standing(&app, &devices[0], n, &Directive::default()),
                ));
                until_standing(&app, most - usize::try_from(n).unwrap()).await;
            }
            for _ in 0..5 {
                // Woken without anything new: they go on standing.
                app.views.ring();
                tokio::task::yield_now().await;
            }
            assert_eq!(app.standing.available_permits(), most - 50);
            app.views.end();
            for poll in stood {
                answered(poll).await;
            }
            assert_eq!(app.db.asked(), before);
        });
    });
}

#[test]
fn a_poll_that_would_be_told_something_new_does_not_stand() {
    on_both(|place| {
        let devices = devices(&place, 1);
        place.with_one(|app| async move {
            let mut owner = site(&app).await;
            let approval = approval("first", 1, app.clock.now(), &[(&devices[0], 0)]);
            publish(&app, &mut owner, &[&approval]).await;
            let poll = standing(&app, &devices[0], 1, &Directive::default());
            assert_eq!(answered(ask(&app, &devices[0], &poll)).await.directive.open.len(), 1);
            let heard = told(&app, &devices[0], 2).await;
            let mut behind = standing(&app, &devices[0], 3, &heard);
            behind.site_timestamp = 1;
            assert!(answered(ask(&app, &devices[0], &behind)).await.site_timestamp.is_some());
            let mut unheard = standing(&app, &devices[0], 4, &heard);
            unheard.directive_sha256 = None;
            answered(ask(&app, &devices[0], &unheard)).await;
        });
    });
}

#[test]
fn one_poll_more_than_may_stand_is_answered_at_once() {
    let mut place = Place::sqlite();
    place.config.limits.standing_polls = 1;
    let devices = devices(&place, 2);
    let parts = place.parts(Mode::Production);
    block_on(async {
        let app = App::start(parts).await.unwrap();
        site(&app).await;
        let nothing = Directive::default();
        let first = ask(&app, &devices[0], &standing(&app, &devices[0], 1, &nothing));
        until_standing(&app, 0).await;
        answered(ask(&app, &devices[1], &standing(&app, &devices[1], 1, &nothing))).await;
        assert!(!first.is_finished());
        app.views.end();
        answered(first).await;
        // Nobody begins to stand once the server is ending.
        answered(ask(&app, &devices[0], &standing(&app, &devices[0], 2, &nothing))).await;
    });
}
