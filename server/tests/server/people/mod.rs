//! People: the first one, invitations, both factors, sessions, lockout, roles; on both databases.

mod entering;
mod members;
mod passkeys;

use crate::place::Place;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::id::{PersonId, SiteId};
use patchward_protocol::time::Timestamp;
use patchward_server::app::App;
use patchward_server::clock::{Clock as _, SystemRng};
use patchward_server::error::ApiError;
use patchward_server::people::accept::{self, Newcomer};
use patchward_server::people::enter::{self, In, Next};
use patchward_server::people::invite::{self, Wish};
use patchward_server::people::name::{LoginName, Printed};
use patchward_server::people::one_time::OneTime;
use patchward_server::people::password::Password;
use patchward_server::people::role::{Grant, SiteRole};
use patchward_server::people::roster::Doer;
use patchward_server::people::second;
use patchward_server::people::session::{self, Browser};
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
