//! Who belongs where: invitations, roles, and what is reset for somebody.

use super::{PASSWORD, Person, at, code_of, link, member, site};
use crate::place::{Place, on_both};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::id::FamilyId;
use patchward_protocol::time::Timestamp;
use patchward_server::auth::place_token;
use patchward_server::clock::{Clock as _, SystemRng};
use patchward_server::db;
use patchward_server::notify::raise::Rules;
use patchward_server::people::accept::{self, Newcomer};
use patchward_server::people::closing;
use patchward_server::people::duty::Notice;
use patchward_server::people::invite::{self, Wish};
use patchward_server::people::name::{LoginName, Printed, Reason};
use patchward_server::people::one_time::OneTime;
use patchward_server::people::password::Password;
use patchward_server::people::role::{Grant, Place as Where, SiteRole};
use patchward_server::people::roster::{self, Doer};
use patchward_server::people::second;
use patchward_server::people::tries::Knock;
use patchward_server::people::who::Language;

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
