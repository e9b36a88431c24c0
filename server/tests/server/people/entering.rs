//! Coming in: both factors, sessions, guesses, accounts of demonstrations.

use super::{PASSWORD, Person, at, code_of, member};
use crate::place::{Place, block_on, on_both};
use patchward_protocol::api::error::ErrorCode;
use patchward_server::app::{App, Mode};
use patchward_server::clock::{Clock as _, SystemRng};
use patchward_server::db;
use patchward_server::people::accept;
use patchward_server::people::demo;
use patchward_server::people::enter::{self, Next};
use patchward_server::people::invite::Wish;
use patchward_server::people::name::{LoginName, Printed};
use patchward_server::people::password::Password;
use patchward_server::people::role::SiteRole;
use patchward_server::people::roster::Doer;
use patchward_server::people::session::{self, IDLE_S, LIFE_S, SessionSecret};
use patchward_server::people::who::Language;

#[test]
fn two_factors_let_somebody_in_and_a_code_counts_once() {
    on_both(|place| {
        let place = &place;
        place.with_one(|app| async move {
            let mut tanaka = member(place, &app, at("city", SiteRole::Approver), "tanaka").await;
            let mut other = tanaka.elsewhere("192.0.2.9");
            other.password("tanaka", PASSWORD).await.unwrap();
            assert!(other.who().await.is_none(), "a password alone opens nothing");
            let replayed = enter::code(&app, &other.knock, &other.code()).await;
            assert_eq!(code_of(replayed), ErrorCode::CodeWrong, "the code that enrolled the phone");
            place.later(30);
            let code = other.code();
            let entered = enter::code(&app, &other.knock, &code).await.unwrap();
            other.hold(entered);
            assert_eq!(other.who().await.unwrap().login, "tanaka");
            let mut third = tanaka.elsewhere("192.0.2.9");
            third.password("tanaka", PASSWORD).await.unwrap();
            let replayed = enter::code(&app, &third.knock, &code).await;
            assert_eq!(code_of(replayed), ErrorCode::CodeWrong);
            let recovery = third.codes[3].to_lowercase();
            let entered = enter::code(&app, &third.knock, &recovery).await.unwrap();
            third.hold(entered);
            third.password("tanaka", PASSWORD).await.unwrap();
            let replayed = enter::code(&app, &third.knock, &recovery).await;
            assert_eq!(code_of(replayed), ErrorCode::CodeWrong, "a recovery code counts once");
            let id = tanaka.who().await.unwrap().account;
            let left = app.db.read(move |conn| db::account::codes_left(conn, id)).await.unwrap();
            assert_eq!(left, 9);
            tanaka.knock.known = None;
        });
    });
}

#[test]
fn a_session_ends_when_nobody_clicks_and_after_a_shift_in_any_case() {
    let place = Place::sqlite();
    let place = &place;
    place.with_one(|app| async move {
        let person = member(place, &app, at("city", SiteRole::Viewer), "sato").await;
        for _ in 0..LIFE_S / (IDLE_S - 60) {
            place.later(IDLE_S - 60);
            assert!(person.who().await.is_some(), "a click within half an hour keeps it");
        }
        place.later(IDLE_S - 60);
        assert!(person.who().await.is_none(), "twelve hours are over");
        let mut again = person.elsewhere("192.0.2.1");
        again.enter("sato").await.unwrap();
        place.later(IDLE_S);
        assert!(again.who().await.is_none(), "half an hour without a click");
    });
}

#[test]
fn every_step_begins_another_session_and_nobody_chooses_its_name() {
    let place = Place::sqlite();
    let place = &place;
    place.with_one(|app| async move {
        let person = member(place, &app, at("city", SiteRole::Viewer), "sato").await;
        let planted = SessionSecret::from_random([9; 32]).reveal();
        let mut victim = person.elsewhere("192.0.2.7");
        victim.knock.held = Some(planted.clone());
        place.later(60);
        victim.password("sato", PASSWORD).await.unwrap();
        let half = victim.knock.held.clone().unwrap();
        assert_ne!(half, planted, "what an attacker planted is not taken over");
        let entered = enter::code(&app, &victim.knock, &victim.code()).await.unwrap();
        victim.hold(entered);
        assert_ne!(victim.knock.held.as_ref(), Some(&half));
        for old in [half, planted] {
            assert!(session::who(&app, &old).await.unwrap().is_none(), "the old cookie is dead");
        }
        let before = victim.knock.held.clone().unwrap();
        let words = (Password::typed(PASSWORD), Password::typed("another quiet sentence"));
        let who = victim.who().await.unwrap();
        let secret = accept::change_password(&app, &victim.knock, &who, words).await.unwrap();
        assert!(session::who(&app, &before).await.unwrap().is_none());
        assert!(person.who().await.is_none(), "a new password ends all other sessions");
        assert!(session::who(&app, &secret.reveal()).await.unwrap().is_some());
    });
}

#[test]
fn guessing_makes_the_next_guess_slower_and_keeps_nobody_out_of_a_known_browser() {
    on_both(|place| {
        let place = &place;
        place.with_one(|app| async move {
            let mut nurse = member(place, &app, at("city", SiteRole::Ward), "nurse").await;
            let mut outcomes = Vec::new();
            for login in ["nurse", "nobody-has-this-name"] {
                let mut guesser = Person::new(place, &app, "198.51.100.1");
                let mut told = Vec::new();
                for _ in 0..8 {
                    told.push(code_of(guesser.password(login, "a wrong password").await));
                }
                outcomes.push(told);
            }
            let [known, unknown] = outcomes.try_into().unwrap();
            assert_eq!(known, unknown, "a name that nobody has gives the same answers");
            assert_eq!(known[..5], [ErrorCode::LoginFailed; 5]);
            assert_eq!(known[5..], [ErrorCode::LoginDelayed; 3]);
            place.later(30);
            nurse.enter("nurse").await.expect("her own browser is not slowed by anybody");
            let mut fresh = nurse.elsewhere("192.0.2.50");
            place.later(900);
            fresh.enter("nurse").await.expect("and another one opens after a quarter of an hour");
        });
    });
}

#[test]
fn a_thousand_guesses_at_once_are_counted_before_they_are_looked_at() {
    let place = Place::sqlite();
    let place = &place;
    place.with_one(|app| async move {
        let _nurse = member(place, &app, at("city", SiteRole::Ward), "nurse").await;
        let guess = |n: u8| {
            let mut guesser = Person::new(place, &app, &format!("203.0.113.{n}"));
            async move { code_of(guesser.password("nurse", "a wrong password").await) }
        };
        let told = futures_util::future::join_all((0..30).map(guess)).await;
        let looked_at = told.iter().filter(|code| **code == ErrorCode::LoginFailed).count();
        assert_eq!(looked_at, 5);
        assert_eq!(told.iter().filter(|code| **code == ErrorCode::LoginDelayed).count(), 25);
    });
}

#[test]
fn codes_cannot_be_guessed_behind_a_stolen_password() {
    let place = Place::sqlite();
    let place = &place;
    place.with_one(|app| async move {
        let person = member(place, &app, at("city", SiteRole::Ward), "nurse").await;
        let mut thief = Person::new(place, &app, "198.51.100.1");
        let mut tried = 0;
        for _ in 0..10 {
            thief.password("nurse", PASSWORD).await.unwrap();
            let refused = code_of(enter::code(&app, &thief.knock, "123456").await);
            if refused == ErrorCode::CodeWrong {
                tried += 1;
            } else {
                assert_eq!(refused, ErrorCode::LoginDelayed);
            }
        }
        assert_eq!(tried, 5);
        assert!(person.who().await.is_some());
    });
}

#[test]
fn an_account_of_demonstrations_opens_demonstrations_alone() {
    let place = Place::sqlite();
    let wish = Wish {
        grant: at("city", SiteRole::Admin),
        person: None,
        name: Printed::read("Demo").unwrap(),
        title: Printed::read("Demo").unwrap(),
        language: Language::En,
    };
    let (vault, doer) = (place.data().vault().unwrap(), Doer::operator(place.clock.now()));
    let login = LoginName::read("demo").unwrap();
    let made =
        db::once(&place.url(), |conn| demo::make(conn, (&vault, &SystemRng), &doer, &login, &wish));
    made.unwrap();
    for (mode, expected) in
        [(Mode::Production, Err(ErrorCode::LoginFailed)), (Mode::InsecureDemo, Ok(Next::Code))]
    {
        let parts = place.parts(mode);
        block_on(async {
            let app = App::start(parts).await.unwrap();
            let mut person = Person::new(&place, &app, "192.0.2.1");
            let told = person.password("demo", demo::PASSWORD).await;
            assert_eq!(told.map_err(|error| error.code()), expected, "{mode:?}");
        });
    }
}
