//! Accounts are disabled, let in again and get another second factor in the console; what ends with them.

use crate::people::{PASSWORD, Person, at, code_of, link, member};
use crate::place::on_both;
use futures_util::future::join;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::time::Timestamp;
use patchward_server::auth::place_token;
use patchward_server::clock::Clock as _;
use patchward_server::console::words::Words;
use patchward_server::db;
use patchward_server::error::ApiError;
use patchward_server::notify::channel::{Channel, Circle, Health, Kind};
use patchward_server::notify::open_matters;
use patchward_server::notify::raise;
use patchward_server::notify::said::{Names, headline};
use patchward_server::notify::subject::{NoticeId, RoleTurn, Severity, Subject};
use patchward_server::people::accept;
use patchward_server::people::closing;
use patchward_server::people::invite::{self, Wish};
use patchward_server::people::name::{Printed, Reason};
use patchward_server::people::password::Password;
use patchward_server::people::role::{Grant, Place as Where, SiteRole};
use patchward_server::people::roster;
use patchward_server::people::second;
use patchward_server::people::who::{AccountId, Language, Who};
use std::sync::Arc;

type App = Arc<patchward_server::app::App>;

fn city() -> Where {
    Where::Site("city".parse().unwrap())
}

fn why() -> Reason {
    Reason::read("left the hospital").unwrap()
}

fn wish(grant: Grant) -> Wish {
    Wish {
        grant,
        person: None,
        name: Printed::read("佐藤").unwrap(),
        title: Printed::read("看護師").unwrap(),
        language: Language::Ja,
    }
}

fn mailbox(account: AccountId) -> Channel {
    Channel {
        id: NoticeId::digest("a mailbox"),
        place: city(),
        account: Some(account),
        kind: Kind::Mail,
        address: "nurse@hospital.example".to_owned(),
        language: Language::Ja,
        circle: Circle::All,
        least: Severity::Normal,
        quiet: None,
        tz: "Asia/Tokyo".to_owned(),
        created: Timestamp::EPOCH,
        created_by: "佐藤".to_owned(),
        removed: None,
        health: Health::default(),
    }
}

async fn token(app: &App, who: &Who) -> String {
    let asked = ("command line".to_owned(), Vec::new(), 30 * 86_400);
    place_token::make(app, who, &city(), asked).await.unwrap().id
}

async fn is_revoked(app: &App, id: &str) -> bool {
    let all = place_token::list(app, &city()).await.unwrap();
    all.iter().find(|token| token.id == id).unwrap().revoked.is_some()
}

async fn acts(app: &App) -> Vec<(String, String, String)> {
    app.db.read(|conn| db::act::about(conn, "site:city")).await.unwrap()
}

#[test]
fn with_a_disabled_account_end_its_sessions_its_tokens_and_its_links() {
    on_both(|place| {
        let place = &place;
        place.with_one(|app| async move {
            let admin = member(place, &app, at("city", SiteRole::Admin), "tanaka").await;
            let mut other = member(place, &app, at("city", SiteRole::Admin), "sato").await;
            let (admin, who) = (admin.who().await.unwrap(), other.who().await.unwrap());
            let (kept, ended) = (token(&app, &admin).await, token(&app, &who).await);
            let invited = invite::make(&app, &who, wish(at("city", SiteRole::Viewer))).await;
            let ticket = invited.unwrap().ticket.reveal();
            let whom = || (city(), who.account);
            closing::disable(&app, &admin, whom(), why()).await.unwrap();
            assert!(other.who().await.is_none());
            assert!(is_revoked(&app, &ended).await && !is_revoked(&app, &kept).await);
            let mut guest = Person::new(place, &app, "192.0.2.3");
            let late = guest.join(&ticket, "guest").await;
            assert_eq!(code_of(late), ErrorCode::InvitationOver);
            place.later(60);
            assert_eq!(code_of(other.enter("sato").await), ErrorCode::LoginFailed);
            // Recorded under the account that did it, with the reason; and everybody there is told.
            let recorded = acts(&app).await;
            let act = recorded.iter().find(|(_, act, _)| act == "disable-account").unwrap();
            assert_eq!(act.0, "account:tanaka");
            for word in ["left the hospital", "\"account\":\"sato\"", "\"tokens\":1"] {
                assert!(act.2.contains(word), "{word} in {}", act.2);
            }
            let open = app.db.read(|conn| open_matters(conn, &city())).await.unwrap();
            assert!(open.iter().any(|notice| notice.subject.kind() == "account"), "{open:?}");
            closing::enable(&app, &admin, whom()).await.unwrap();
            place.later(60);
            other.enter("sato").await.unwrap();
            let again = other.who().await.unwrap();
            assert_eq!(again.grants, who.grants);
            assert!(is_revoked(&app, &ended).await, "a token does not come back");
        });
    });
}

#[test]
fn nobody_closes_the_own_account_the_last_administrators_or_one_of_another_place() {
    on_both(|place| {
        let place = &place;
        place.with_one(|app| async move {
            let admin = member(place, &app, at("city", SiteRole::Admin), "tanaka").await;
            let admin = admin.who().await.unwrap();
            let nurse = member(place, &app, at("city", SiteRole::Ward), "nurse").await;
            let nurse = nurse.who().await.unwrap();
            let far = member(place, &app, at("other", SiteRole::Admin), "kato").await;
            let far = far.who().await.unwrap();
            let close = async |by: &Who, whom: &Who| {
                let disabled = closing::disable(&app, by, (city(), whom.account), why()).await;
                let reset = closing::reset_second(&app, by, (city(), whom.account)).await;
                (code_of(disabled), code_of(reset))
            };
            let own = (ErrorCode::AccountOwn, ErrorCode::AccountOwn);
            assert_eq!(close(&admin, &admin).await, own);
            let nothing = (ErrorCode::NotFound, ErrorCode::NotFound);
            assert_eq!(close(&nurse, &admin).await, nothing, "no administrator");
            assert_eq!(close(&admin, &far).await, nothing, "another place's");
            assert_eq!(close(&far, &nurse).await, nothing, "of another place");
            // Somebody of two places is closed by whoever administers both, and by nobody else.
            let ticket = link(&app, at("other", SiteRole::Viewer), None, place.clock.now()).await;
            let knock = Person::new(place, &app, "192.0.2.9").knock;
            accept::add(&app, &knock, &nurse, &ticket).await.unwrap();
            let both = (ErrorCode::AccountElsewhere, ErrorCode::AccountElsewhere);
            assert_eq!(close(&admin, &nurse).await, both);
            assert!(acts(&app).await.iter().all(|(_, act, _)| act != "disable-account"));
        });
    });
}

#[test]
fn of_two_administrators_who_disable_each_other_at_once_one_stays() {
    on_both(|place| {
        let place = &place;
        place.with_two(|one, two| async move {
            let a = member(place, &one, at("city", SiteRole::Admin), "tanaka").await;
            let b = member(place, &one, at("city", SiteRole::Admin), "sato").await;
            let (who_a, who_b) = (a.who().await.unwrap(), b.who().await.unwrap());
            let told = join(
                closing::disable(&one, &who_a, (city(), who_b.account), why()),
                closing::disable(&two, &who_b, (city(), who_a.account), why()),
            )
            .await;
            let good = [&told.0, &told.1].into_iter().filter(|told| told.is_ok()).count();
            assert_eq!(good, 1, "{told:?}");
            let stay = [a.who().await.is_some(), b.who().await.is_some()];
            assert_eq!(stay.iter().filter(|stays| **stays).count(), 1, "{stay:?}");
        });
    });
}

#[test]
fn an_administrator_resets_a_second_factor_by_a_link_that_one_of_two_may_use() {
    on_both(|place| {
        let place = &place;
        place.with_two(|one, two| async move {
            let admin = member(place, &one, at("city", SiteRole::Admin), "tanaka").await;
            let admin = admin.who().await.unwrap();
            let mut nurse = member(place, &one, at("city", SiteRole::Ward), "nurse").await;
            let id = nurse.who().await.unwrap().account;
            let made = closing::reset_second(&one, &admin, (city(), id)).await.unwrap();
            assert!(nurse.who().await.is_none(), "sessions end");
            let ticket = made.ticket.reveal();
            let (a, b) =
                (Person::new(place, &one, "192.0.2.4"), Person::new(place, &two, "192.0.2.5"));
            let begin = async |person: &Person| {
                accept::begin_second(&person.app, &person.knock, &ticket, Password::typed(PASSWORD))
                    .await
            };
            let (first, second) = join(begin(&a), begin(&b)).await;
            let refused = |told: Result<_, ApiError>| told.err().map(|error| error.code());
            let over = [first.as_ref().err().is_some(), second.as_ref().err().is_some()];
            assert_eq!(over.iter().filter(|over| **over).count(), 1, "one gets in");
            let (half, other) = if over[0] { (second, first) } else { (first, second) };
            assert_eq!(refused(other), Some(ErrorCode::InvitationOver));
            nurse.knock.held = Some(half.unwrap().secret.reveal());
            let offer = second::offer(&one, &nurse.knock, "QR").await.unwrap();
            let secret = patchward_server::people::one_time::OneTime::read(&offer.text).unwrap();
            let code = secret.code(place.clock.now());
            nurse.hold(second::confirm(&one, &nurse.knock, &code).await.unwrap());
            assert!(nurse.who().await.is_some());
            assert!(
                acts(&one)
                    .await
                    .iter()
                    .any(|(by, act, _)| { by == "account:tanaka" && act == "reset-second-factor" })
            );
        });
    });
}

#[test]
fn who_administers_no_more_keeps_no_token_and_no_open_door() {
    on_both(|place| {
        let place = &place;
        place.with_one(|app| async move {
            let admin = member(place, &app, at("city", SiteRole::Admin), "tanaka").await;
            let admin = admin.who().await.unwrap();
            let other = member(place, &app, at("city", SiteRole::Admin), "sato").await;
            let who = other.who().await.unwrap();
            let ended = token(&app, &who).await;
            let invited = invite::make(&app, &who, wish(at("city", SiteRole::Admin))).await;
            let ticket = invited.unwrap().ticket.reveal();
            let role = at("city", SiteRole::Admin);
            roster::take(&app, &admin, who.account, role).await.unwrap();
            assert!(is_revoked(&app, &ended).await);
            let mut guest = Person::new(place, &app, "192.0.2.3");
            let late = guest.join(&ticket, "guest").await;
            assert_eq!(code_of(late), ErrorCode::InvitationOver, "its maker gives nothing now");
            // What is done to a token stands at its place, under the account that does it.
            let recorded = acts(&app).await;
            let by = |name: &str, verb: &str| {
                recorded.iter().any(|(by, act, _)| by == name && act == verb)
            };
            assert!(by("account:sato", "make-token") && by("account:tanaka", "revoke-token"));
        });
    });
}

#[test]
fn a_change_of_roles_comes_up_as_a_notice_for_its_place_and_for_whom_it_concerns() {
    on_both(|place| {
        let place = &place;
        place.with_one(|app| async move {
            let open = async || {
                let all = app.db.read(|conn| open_matters(conn, &city())).await.unwrap();
                let all = all.into_iter().filter(|notice| notice.subject.kind() == "role");
                all.map(|notice| notice.subject).collect::<Vec<_>>()
            };
            let admin = member(place, &app, at("city", SiteRole::Admin), "tanaka").await;
            let admin = admin.who().await.unwrap();
            assert!(open().await.is_empty(), "there is nobody else to tell");
            let made = invite::make(&app, &admin, wish(at("city", SiteRole::Ward))).await.unwrap();
            let mut nurse = Person::new(place, &app, "192.0.2.3");
            nurse.join(&made.ticket.reveal(), "nurse").await.unwrap();
            let joined = open().await;
            let [Subject::Role { account, role, turn: RoleTurn::Given, .. }] = joined.as_slice()
            else {
                panic!("{joined:?}")
            };
            assert_eq!((account.as_str(), role.as_str()), ("nurse", "ward"));
            let id = nurse.who().await.unwrap().account;
            place.later(60);
            roster::give(&app, &admin, id, at("city", SiteRole::Viewer)).await.unwrap();
            roster::take(&app, &admin, id, at("city", SiteRole::Viewer)).await.unwrap();
            roster::take(&app, &admin, id, at("city", SiteRole::Ward)).await.unwrap();
            let all = open().await;
            assert_eq!(all.len(), 4, "{all:?}");
            let taken = |it: &&Subject| matches!(it, Subject::Role { turn: RoleTurn::Taken, .. });
            let taken: Vec<_> = all.iter().filter(taken).collect();
            assert_eq!(taken.len(), 2);
            for (language, role, verb) in
                [(Language::En, "Ward", "taken"), (Language::Ja, "病棟", "解除")]
            {
                let words = Words::of(language);
                let snapshot = app.snapshot();
                let says = taken.iter().map(|it| headline(words, &Names(&snapshot), it));
                let says: Vec<_> = says.collect();
                let whole = |text: &&String| {
                    [role, verb, "nurse", "tanaka"].iter().all(|part| text.contains(part))
                        && !text.contains("account:")
                };
                assert!(says.iter().any(|text| whole(&text)), "{says:?}");
            }
        });
    });
}

#[test]
fn whose_last_role_is_taken_away_hears_of_it_and_of_nothing_else_there() {
    on_both(|place| {
        let place = &place;
        place.with_one(|app| async move {
            let admin = member(place, &app, at("city", SiteRole::Admin), "tanaka").await;
            let admin = admin.who().await.unwrap();
            let nurse = member(place, &app, at("city", SiteRole::Ward), "nurse").await;
            let id = nurse.who().await.unwrap().account;
            roster::take(&app, &admin, id, at("city", SiteRole::Ward)).await.unwrap();
            let channels = app.db.write(move |conn| {
                let concerned = Subject::Role {
                    account: "nurse".to_owned(),
                    role: "ward".to_owned(),
                    turn: RoleTurn::Taken,
                    by: "account:tanaka".to_owned(),
                    at: Timestamp::EPOCH,
                };
                db::channel::insert(conn, &mailbox(id))?;
                let told = raise::hearing(conn, &city(), Some(&concerned))?.len();
                let others = raise::living(conn, &city())?.len();
                Ok::<_, db::DbError>((told, others))
            });
            assert_eq!(channels.await.unwrap(), (1, 0));
        });
    });
}
