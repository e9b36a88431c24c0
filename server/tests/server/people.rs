//! People: the first one, invitations, both factors, sessions, lockout, roles; on both databases.

use crate::place::{Place, block_on, on_both};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{FamilyId, PersonId, SiteId};
use patchward_protocol::time::Timestamp;
use patchward_server::app::{App, Mode};
use patchward_server::auth::place_token;
use patchward_server::clock::{Clock as _, SystemRng};
use patchward_server::db;
use patchward_server::error::ApiError;
use patchward_server::fleet::pack::Address;
use patchward_server::notify::raise::Rules;
use patchward_server::people::accept::{self, Newcomer};
use patchward_server::people::closing;
use patchward_server::people::demo;
use patchward_server::people::duty::Notice;
use patchward_server::people::enter::{self, In, Next};
use patchward_server::people::enter_passkey;
use patchward_server::people::invite::{self, Wish};
use patchward_server::people::name::{LoginName, Printed, Reason};
use patchward_server::people::one_time::OneTime;
use patchward_server::people::passkey::{Asserted, Made};
use patchward_server::people::password::Password;
use patchward_server::people::role::{Grant, Place as Where, SiteRole};
use patchward_server::people::roster::{self, Doer};
use patchward_server::people::second;
use patchward_server::people::session::{self, Browser, IDLE_S, LIFE_S, SessionSecret};
use patchward_server::people::tries::Knock;
use patchward_server::people::who::{Language, Who};
use std::sync::Arc;

pub(crate) const PASSWORD: &str = "green pump quiet night";

/// Somebody at a browser.
pub(crate) struct Person {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<patchward_server::clock::SetClock>,
    pub(crate) knock: Knock,
    pub(crate) secret: Option<OneTime>,
    pub(crate) codes: Vec<String>,
}

pub(crate) fn site(name: &str) -> SiteId {
    name.parse().unwrap()
}

pub(crate) fn at(name: &str, role: SiteRole) -> Grant {
    Grant::Site(site(name), role)
}

pub(crate) fn code_of<T: std::fmt::Debug>(result: Result<T, ApiError>) -> ErrorCode {
    result.unwrap_err().code()
}

impl Person {
    pub(crate) fn new(place: &Place, app: &Arc<App>, address: &str) -> Self {
        let browser = Browser { agent: "a browser".to_owned(), address: address.to_owned() };
        let knock = Knock { browser, known: None, held: None };
        let (app, clock) = (Arc::clone(app), Arc::clone(&place.clock));
        Self { app, clock, knock, secret: None, codes: Vec::new() }
    }

    /// Another browser of the same person.
    pub(crate) fn elsewhere(&self, address: &str) -> Self {
        let browser = Browser { agent: "another".to_owned(), address: address.to_owned() };
        let secret = self.secret.as_ref().map(|secret| OneTime::read(&secret.text()).unwrap());
        let knock = Knock { browser, known: None, held: None };
        let (app, clock) = (Arc::clone(&self.app), Arc::clone(&self.clock));
        Self { app, clock, knock, secret, codes: self.codes.clone() }
    }

    pub(crate) fn hold(&mut self, entered: In) {
        self.knock.held = Some(entered.secret.reveal());
        self.knock.known = Some(entered.known);
    }

    /// Follows a link as somebody new, to the end.
    pub(crate) async fn join(&mut self, ticket: &str, login: &str) -> Result<(), ApiError> {
        let newcomer = Newcomer {
            login: LoginName::read(login).unwrap(),
            name: Printed::read("田中 由紀").unwrap(),
            title: Printed::read("臨床工学技士").unwrap(),
            language: Language::Ja,
            password: Password::typed(PASSWORD),
        };
        let half = accept::join(&self.app, &self.knock, ticket, newcomer).await?;
        assert_eq!(half.next, Next::Enrol);
        self.knock.held = Some(half.secret.reveal());
        let offer = second::offer(&self.app, &self.knock, "QR").await?;
        let again = second::offer(&self.app, &self.knock, "QR").await?;
        assert_eq!(offer, again, "a page that is loaded twice shows one secret");
        let secret = OneTime::read(&offer.text).unwrap();
        let wrong = second::confirm(&self.app, &self.knock, "000000").await;
        assert_eq!(code_of(wrong), ErrorCode::CodeWrong);
        let code = secret.code(self.clock.now());
        let entered = second::confirm(&self.app, &self.knock, &code).await?;
        self.secret = Some(secret);
        self.hold(entered);
        self.codes = second::take_codes(&self.app, &self.knock).await?.unwrap();
        assert_eq!(second::take_codes(&self.app, &self.knock).await?, None, "shown once");
        Ok(())
    }

    fn code(&self) -> String {
        self.secret.as_ref().unwrap().code(self.clock.now())
    }

    pub(crate) async fn password(&mut self, login: &str, password: &str) -> Result<Next, ApiError> {
        let password = Password::typed(password);
        let half = enter::password(&self.app, &self.knock, login, password).await?;
        self.knock.held = Some(half.secret.reveal());
        Ok(half.next)
    }

    pub(crate) async fn enter(&mut self, login: &str) -> Result<(), ApiError> {
        self.password(login, PASSWORD).await?;
        let code = self.code();
        let entered = enter::code(&self.app, &self.knock, &code).await?;
        self.hold(entered);
        Ok(())
    }

    pub(crate) async fn who(&self) -> Option<Who> {
        session::who(&self.app, self.knock.held.as_deref().unwrap()).await.unwrap()
    }
}

/// A link with a role, made by whoever runs the server.
pub(crate) async fn link(app: &App, grant: Grant, person: Option<&str>, at: Timestamp) -> String {
    let wish = Wish {
        grant,
        person: person.map(|name| PersonId::new(name).unwrap()),
        name: Printed::read("田中").unwrap(),
        title: Printed::read("臨床工学技士").unwrap(),
        language: Language::Ja,
    };
    let (ticket, id) = invite::draw(&SystemRng).unwrap();
    let (digest, doer) = (ticket.digest(), Doer::operator(at));
    app.db.write(move |conn| invite::store(conn, &doer, wish, (id, digest))).await.unwrap();
    ticket.reveal()
}

pub(crate) async fn member(place: &Place, app: &Arc<App>, grant: Grant, login: &str) -> Person {
    let ticket = link(app, grant, None, place.clock.now()).await;
    let mut person = Person::new(place, app, "192.0.2.1");
    person.join(&ticket, login).await.unwrap();
    person
}

#[test]
fn the_first_person_comes_by_the_link_of_init_and_nobody_comes_by_it_again() {
    on_both(|place| {
        let folder = tempfile::tempdir().unwrap();
        let fresh = Place { folder, config: place.config.clone(), clock: place.clock.clone() };
        let fresh = Place { config: patchward_server::config::Config::default(), ..fresh };
        let (_, ticket) = fresh.data().init(&fresh.config, &*fresh.clock, &SystemRng).unwrap();
        fresh.with_one(|app| async move {
            let mut first = Person::new(&place, &app, "192.0.2.1");
            first.join(&ticket.reveal(), "first").await.unwrap();
            assert_eq!(first.who().await.unwrap().grants, [Grant::Operator]);
            let mut second = Person::new(&place, &app, "192.0.2.2");
            let told = second.join(&ticket.reveal(), "second").await;
            assert_eq!(code_of(told), ErrorCode::InvitationOver);
        });
    });
}

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
fn a_disabled_person_is_out_at_once_and_comes_in_no_more() {
    on_both(|place| {
        let place = &place;
        place.with_one(|app| async move {
            let mut person = member(place, &app, at("city", SiteRole::Ward), "nurse").await;
            let who = person.who().await.unwrap();
            let wish = link(&app, at("city", SiteRole::Viewer), None, place.clock.now()).await;
            let doer = Doer::operator(place.clock.now());
            let rules = Rules::of(&app.config.notify);
            app.db
                .write(move |conn| {
                    let account = db::account::find(conn, who.account)?.unwrap();
                    let why = Reason::read("left the hospital").unwrap();
                    closing::disable_in(conn, &rules, &doer, (&account, &why))
                })
                .await
                .unwrap();
            assert!(person.who().await.is_none());
            place.later(60);
            assert_eq!(code_of(person.enter("nurse").await), ErrorCode::LoginFailed);
            let mut guest = Person::new(place, &app, "192.0.2.3");
            guest.join(&wish, "guest").await.expect("somebody else's invitation stands");
            let acts = app.db.read(|conn| db::act::about(conn, "site:city")).await.unwrap();
            assert!(acts.iter().any(|(by, act, _)| by == "operator" && act == "disable-account"));
        });
    });
}

#[test]
fn nobody_changes_their_own_roles_by_a_form_or_by_their_own_link() {
    on_both(|place| {
        let place = &place;
        place.with_one(|app| async move {
            let admin = member(place, &app, at("city", SiteRole::Admin), "admin").await;
            let who = admin.who().await.unwrap();
            let own = roster::give(&app, &who, who.account, at("city", SiteRole::Ward)).await;
            assert_eq!(code_of(own), ErrorCode::GrantOwn);
            let wish = Wish {
                grant: at("city", SiteRole::Ward),
                person: None,
                name: Printed::read("x").unwrap(),
                title: Printed::read("x").unwrap(),
                language: Language::En,
            };
            let made = invite::make(&app, &who, wish.clone()).await.unwrap();
            let own = accept::add(&app, &admin.knock, &who, &made.ticket.reveal()).await;
            assert_eq!(code_of(own), ErrorCode::GrantOwn);
            let list = invite::list(&app, Where::Site(site("city"))).await.unwrap();
            assert_eq!(list.len(), 1, "a refused use leaves the link as it was");
            let mut ward = Person::new(place, &app, "192.0.2.4");
            ward.join(&made.ticket.reveal(), "ward").await.unwrap();
            let elsewhere = Wish { grant: at("other", SiteRole::Ward), ..wish };
            let told = invite::make(&app, &who, elsewhere).await;
            assert_eq!(code_of(told), ErrorCode::NotFound);
        });
    });
}

#[test]
fn another_place_is_not_there_for_an_administrator() {
    let place = Place::sqlite();
    let place = &place;
    place.with_one(|app| async move {
        let city = member(place, &app, at("city", SiteRole::Admin), "city").await;
        let other = member(place, &app, at("other", SiteRole::Ward), "other").await;
        let (who, victim) = (city.who().await.unwrap(), other.who().await.unwrap().account);
        let told = roster::give(&app, &who, victim, at("other", SiteRole::Admin)).await;
        assert_eq!(code_of(told), ErrorCode::NotFound);
        let told = roster::take(&app, &who, victim, at("other", SiteRole::Ward)).await;
        assert_eq!(code_of(told), ErrorCode::NotFound);
        let told = roster::give(&app, &who, victim, at("city", SiteRole::Admin)).await;
        assert_eq!(
            code_of(told),
            ErrorCode::NotFound,
            "who belongs elsewhere is invited, not taken"
        );
        let whom = (victim, Where::Site(site("other")));
        let told = roster::name_person(&app, &who, whom, None).await;
        assert_eq!(code_of(told), ErrorCode::NotFound);
        let there = Where::Site(site("other"));
        let label = ("x".to_owned(), Vec::<FamilyId>::new(), 3600);
        let made = place_token::make(&app, &who, &there, label).await.unwrap();
        let here = Where::Site(site("city"));
        let told = place_token::revoke(&app, &who, &here, made.id.clone()).await;
        assert_eq!(code_of(told), ErrorCode::NotFound, "another place's token");
        place_token::revoke(&app, &who, &there, made.id).await.unwrap();
    });
}

#[test]
fn an_administrator_who_alone_approves_stands_in_the_record() {
    on_both(|place| {
        let place = &place;
        place.with_one(|app| async move {
            let admin = member(place, &app, at("city", SiteRole::Admin), "admin").await;
            let who = admin.who().await.unwrap();
            let here = Where::Site(site("city"));
            let roster = roster::list(&app, here.clone()).await.unwrap();
            assert!(roster.notices.contains(&Notice::SoleApprover(who.account)));
            let acts = app.db.read(|conn| db::act::about(conn, "site:city")).await.unwrap();
            let told = acts.iter().find(|(_, act, _)| act == "grant-role").unwrap();
            assert!(told.2.contains("sole-approver"), "{}", told.2);
            let approver = member(place, &app, at("city", SiteRole::Approver), "second").await;
            let roster = roster::list(&app, here).await.unwrap();
            assert!(!roster.notices.contains(&Notice::SoleApprover(who.account)));
            let second = approver.who().await.unwrap();
            let told = roster::take(&app, &second, who.account, at("city", SiteRole::Admin)).await;
            assert_eq!(code_of(told), ErrorCode::NotFound, "an approver changes nobody's roles");
            let words: String = acts.iter().map(|(_, _, detail)| detail.as_str()).collect();
            assert!(!words.contains(PASSWORD) && !words.contains("argon2"), "no secret in acts");
        });
    });
}

#[test]
fn of_two_who_follow_one_link_at_once_one_gets_in_and_an_old_link_is_of_no_use() {
    on_both(|place| {
        let place = &place;
        place.with_one(|app| async move {
            let ticket =
                link(&app, at("city", SiteRole::Ward), Some("tanaka"), place.clock.now()).await;
            let newcomer = |login: &str| Newcomer {
                login: LoginName::read(login).unwrap(),
                name: Printed::read("x").unwrap(),
                title: Printed::read("x").unwrap(),
                language: Language::En,
                password: Password::typed(PASSWORD),
            };
            let knock = Knock::default();
            let both = futures_util::future::join(
                accept::join(&app, &knock, &ticket, newcomer("one")),
                accept::join(&app, &knock, &ticket, newcomer("two")),
            );
            let (one, two) = both.await;
            assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|ok| **ok).count(), 1);
            let taken =
                link(&app, at("city", SiteRole::Ward), Some("tanaka"), place.clock.now()).await;
            let told = accept::join(&app, &knock, &taken, newcomer("three")).await;
            assert_eq!(code_of(told), ErrorCode::PersonTaken);
            let old = link(&app, at("city", SiteRole::Ward), None, place.clock.now()).await;
            place.later(72 * 3600);
            let told = accept::join(&app, &knock, &old, newcomer("four")).await;
            assert_eq!(code_of(told), ErrorCode::InvitationOver);
        });
    });
}

#[test]
fn a_lost_phone_is_replaced_by_a_link_and_the_password_and_a_lost_password_by_a_link() {
    on_both(|place| {
        let place = &place;
        place.with_one(|app| async move {
            let mut person = member(place, &app, at("city", SiteRole::Ward), "nurse").await;
            let id = person.who().await.unwrap().account;
            let reset = async |at: Timestamp| {
                let (doer, rules) = (Doer::operator(at), Rules::of(&app.config.notify));
                let (ticket, name) = invite::draw(&SystemRng).unwrap();
                let digest = ticket.digest();
                let reset = app.db.write(move |conn| {
                    let account = db::account::find(conn, id)?.unwrap();
                    closing::reset_second_in(conn, &rules, &doer, &account, (name, digest))
                });
                reset.await.unwrap();
                ticket.reveal()
            };
            let first = reset(place.clock.now()).await;
            assert!(person.who().await.is_none());
            let alone = person.password("nurse", PASSWORD).await;
            assert_eq!(code_of(alone), ErrorCode::EnrolmentOver, "the password alone");
            let link = reset(place.clock.now()).await;
            let second = async |person: &Person, link: &str, password: &str| {
                accept::begin_second(&app, &person.knock, link, Password::typed(password)).await
            };
            let early = second(&person, &first, PASSWORD).await;
            assert_eq!(code_of(early), ErrorCode::InvitationOver, "another reset took it back");
            let thief = second(&person, &link, "a password that is wrong").await;
            assert_eq!(code_of(thief), ErrorCode::LoginFailed, "the link alone");
            let half = second(&person, &link, PASSWORD).await.unwrap();
            person.knock.held = Some(half.secret.reveal());
            let offer = second::offer(&app, &person.knock, "QR").await.unwrap();
            let secret = OneTime::read(&offer.text).unwrap();
            let code = secret.code(place.clock.now());
            let entered = second::confirm(&app, &person.knock, &code).await.unwrap();
            person.secret = Some(secret);
            person.hold(entered);
            assert!(person.who().await.is_some());
            let again = second(&person, &link, PASSWORD).await;
            assert_eq!(code_of(again), ErrorCode::InvitationOver, "once");
            place.later(60);
            person.enter("nurse").await.unwrap();
            let (ticket, name) = invite::draw(&SystemRng).unwrap();
            let (digest, doer) = (ticket.digest(), Doer::operator(place.clock.now()));
            app.db
                .write(move |conn| {
                    let account = db::account::find(conn, id)?.unwrap();
                    invite::store_password(conn, &doer, &account, (name, digest))
                })
                .await
                .unwrap();
            let new = || Password::typed("a new and quiet sentence");
            let ticket = ticket.reveal();
            accept::choose_password(&app, &person.knock, &ticket, new()).await.unwrap();
            let again = accept::choose_password(&app, &person.knock, &ticket, new()).await;
            assert_eq!(code_of(again), ErrorCode::InvitationOver);
            let old = person.password("nurse", PASSWORD).await;
            assert_eq!(code_of(old), ErrorCode::LoginFailed);
            assert!(person.password("nurse", "a new and quiet sentence").await.is_ok());
        });
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

#[test]
fn a_passkey_signs_in_once_for_each_challenge() {
    on_both(|mut place| {
        place.config.public_url = Some("https://patchward.example".to_owned());
        let place = &place;
        place.with_one(|app| async move {
            app.address.set(Address::of(&app.config)).unwrap();
            let person = member(place, &app, at("city", SiteRole::Ward), "nurse").await;
            let who = person.who().await.unwrap();
            let phone = Phone(SigningKey::from_bytes(&[3; 32]));
            let challenge = enter_passkey::ask_to_make(&app, &who).unwrap().text();
            let made = phone.makes(&challenge);
            let words = ("phone", Password::typed(PASSWORD));
            enter_passkey::add(&app, &person.knock, &who, words, made.as_made()).await.unwrap();
            let words = ("phone", Password::typed(PASSWORD));
            let again = enter_passkey::add(&app, &person.knock, &who, words, made.as_made()).await;
            assert_eq!(code_of(again), ErrorCode::PasskeyRefused, "a challenge counts once");
            place.later(60);
            let mut fresh = person.elsewhere("192.0.2.8");
            let challenge = enter_passkey::ask(&app).unwrap().text();
            let answer = phone.asserts(&challenge, 1);
            let entered = enter_passkey::enter(&app, &fresh.knock, answer.as_asserted()).await;
            fresh.hold(entered.unwrap());
            assert_eq!(fresh.who().await.unwrap().login, "nurse");
            let again = enter_passkey::enter(&app, &fresh.knock, answer.as_asserted()).await;
            assert_eq!(code_of(again), ErrorCode::PasskeyRefused, "so does its answer");
            let challenge = enter_passkey::ask(&app).unwrap().text();
            let copied = phone.asserts(&challenge, 1);
            let told = enter_passkey::enter(&app, &fresh.knock, copied.as_asserted()).await;
            assert_eq!(code_of(told), ErrorCode::PasskeyRefused, "the counter stood still");
            let challenge = enter_passkey::ask(&app).unwrap().text();
            place.later(600);
            let late = phone.asserts(&challenge, 9);
            let told = enter_passkey::enter(&app, &fresh.knock, late.as_asserted()).await;
            assert_eq!(code_of(told), ErrorCode::PasskeyRefused, "ten minutes are over");
            let who = fresh.who().await.unwrap();
            let own = enter_passkey::list(&app, &who).await.unwrap();
            enter_passkey::remove(&app, &who, &own[0].id.to_string()).await.unwrap();
            let challenge = enter_passkey::ask(&app).unwrap().text();
            let gone = phone.asserts(&challenge, 10);
            let told = enter_passkey::enter(&app, &fresh.knock, gone.as_asserted()).await;
            assert_eq!(code_of(told), ErrorCode::PasskeyRefused);
        });
    });
}

/// An authenticator in software.
struct Phone(SigningKey);

/// An answer, base64url: id, client data, authenticator data, and key or signature.
struct Answered([String; 4]);

impl Phone {
    fn makes(&self, challenge: &str) -> Answered {
        let prefix = hex::decode("302a300506032b6570032100").unwrap();
        let spki = [prefix.as_slice(), self.0.verifying_key().as_bytes()].concat();
        let mut authenticator = head(0x45, 0);
        authenticator.extend_from_slice(&[0; 16]);
        authenticator.extend_from_slice(&[0, 4]);
        authenticator.extend_from_slice(b"name");
        Answered::of(&client("webauthn.create", challenge), &authenticator, &spki)
    }

    fn asserts(&self, challenge: &str, counter: u32) -> Answered {
        let (client, authenticator) = (client("webauthn.get", challenge), head(0x05, counter));
        let digest = Sha256Digest::of(&client);
        let signed = [authenticator.as_slice(), digest.as_bytes()].concat();
        Answered::of(&client, &authenticator, &self.0.sign(&signed).to_bytes())
    }
}

fn client(kind: &str, challenge: &str) -> Vec<u8> {
    let origin = "https://patchward.example";
    format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":"{origin}"}}"#).into_bytes()
}

fn head(flags: u8, counter: u32) -> Vec<u8> {
    let rp = Sha256Digest::of(b"patchward.example");
    [rp.as_bytes().as_slice(), &[flags], &counter.to_be_bytes()].concat()
}

impl Answered {
    fn of(client: &[u8], authenticator: &[u8], last: &[u8]) -> Self {
        Self(
            [b"name".as_slice(), client, authenticator, last]
                .map(|bytes| URL_SAFE_NO_PAD.encode(bytes)),
        )
    }

    fn as_made(&self) -> Made<'_> {
        let [id, client, authenticator, public_key] = &self.0;
        Made { id, client, authenticator, public_key }
    }

    fn as_asserted(&self) -> Asserted<'_> {
        let [id, client, authenticator, signature] = &self.0;
        Asserted { id, client, authenticator, signature }
    }
}
