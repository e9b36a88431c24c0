//! Following a one-time link: who is invited makes an account, adds a role to the own one, chooses a new
//! password, or sets up another second factor.
//!
//! Invariant: looking changes nothing; the link is used by the form.

use super::{session_cookie, with_back, wrong};
use crate::console::answer::Answer;
use crate::console::asked::language_cookie;
use crate::console::door::{Anybody, SignedIn, Visit};
use crate::console::frame::{Frame, home_of};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::error::ApiError;
use crate::people::accept::{self, Newcomer};
use crate::people::invitation::{Invitation, Purpose};
use crate::people::name::{LoginName, Printed};
use crate::people::password::Password;
use crate::people::who::Language;
use askama::Template;

/// The page.
#[derive(Template)]
#[template(path = "login/claim.html")]
struct Claim {
    frame: Frame,
    w: Words,
    path: String,
    /// Role and place; absent where the link is for an account that is there.
    joins: Option<(String, String)>,
    /// Whether the link sets up a second factor.
    is_second: bool,
    name: String,
    title: String,
    login: String,
    /// Printed name of whoever is signed in.
    own: Option<String>,
    sign_in: String,
    wrong: Option<String>,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<Anybody, _, _>("/console/claim/{ticket}", (), show);
    routes.post::<Anybody, _, _>("/console/claim/{ticket}", (), take);
    routes.post::<SignedIn, _, _>("/console/claim/{ticket}/add", (), add);
}

async fn show(visit: Visit<Anybody>) -> Result<Answer, Turned> {
    let ticket: String = visit.asked.part("ticket")?;
    let invitation = accept::look(&visit.app, &visit.asked.knock, &ticket).await?;
    let (said, language) = (visit.asked.wanted, invitation.language);
    if said.is_none() && language != visit.words.language() {
        // Whoever invited knows in which language the person reads; the browser may not.
        return Ok(Answer::go(visit.asked.in_language(language)));
    }
    Answer::page(&view(&visit, &ticket, &invitation, None))
}

async fn take(visit: Visit<Anybody>) -> Result<Answer, Turned> {
    let ticket: String = visit.asked.part("ticket")?;
    let invitation = accept::look(&visit.app, &visit.asked.knock, &ticket).await?;
    let taken = match &invitation.purpose {
        Purpose::Join { .. } => join(&visit, &ticket).await,
        Purpose::Password(_) => choose(&visit, &ticket).await,
        Purpose::Second(_) => begin_second(&visit, &ticket).await,
    };
    match taken {
        Ok(answer) => Ok(answer),
        Err(error) => {
            let (status, wrong) = wrong(error, visit.words)?;
            Answer::page_as(status, &view(&visit, &ticket, &invitation, Some(wrong)))
        }
    }
}

async fn join(visit: &Visit<Anybody>, ticket: &str) -> Result<Answer, ApiError> {
    let text = |name| visit.form.get(name).unwrap_or_default();
    let newcomer = Newcomer {
        login: LoginName::read(text("login")).map_err(ApiError::of)?,
        name: Printed::read(text("name")).map_err(ApiError::of)?,
        title: Printed::read(text("title")).map_err(ApiError::of)?,
        language: Language::of(text("language")).unwrap_or_else(|| visit.words.language()),
        password: Password::typed(visit.form.raw("password").unwrap_or_default()),
    };
    let language = language_cookie(newcomer.language, &visit.app.config);
    let half = accept::join(&visit.app, &visit.asked.knock, ticket, newcomer).await?;
    let cookie = session_cookie(&visit.app.config, &half.secret);
    Ok(Answer::go("/console/login/enrol").cookie(cookie).cookie(language))
}

async fn choose(visit: &Visit<Anybody>, ticket: &str) -> Result<Answer, ApiError> {
    let password = Password::typed(visit.form.raw("password").unwrap_or_default());
    accept::choose_password(&visit.app, &visit.asked.knock, ticket, password).await?;
    Ok(Answer::done("/console/login", "login-password-done"))
}

async fn begin_second(visit: &Visit<Anybody>, ticket: &str) -> Result<Answer, ApiError> {
    let password = Password::typed(visit.form.raw("password").unwrap_or_default());
    let half = accept::begin_second(&visit.app, &visit.asked.knock, ticket, password).await?;
    let cookie = session_cookie(&visit.app.config, &half.secret);
    Ok(Answer::go("/console/login/enrol").cookie(cookie))
}

async fn add(visit: Visit<SignedIn>) -> Result<Answer, Turned> {
    let ticket: String = visit.asked.part("ticket")?;
    let who = &visit.entry.0;
    let grant = accept::add(&visit.app, &visit.asked.knock, who, &ticket).await?;
    Ok(Answer::done(&home_of(&grant.place()), "login-added-done"))
}

fn view(
    visit: &Visit<Anybody>,
    ticket: &str,
    invitation: &Invitation,
    wrong: Option<String>,
) -> Claim {
    let w = visit.words;
    let typed = |name: &str, else_: &str| {
        visit.form.get(name).map_or_else(|| else_.to_owned(), ToOwned::to_owned)
    };
    let joins = match &invitation.purpose {
        Purpose::Join { grant, .. } => {
            let place = super::place::name_of(&grant.place(), &visit.app.snapshot(), w);
            Some((w.t(&super::place::role_id(grant)), place))
        }
        Purpose::Password(_) | Purpose::Second(_) => None,
    };
    let is_second = matches!(invitation.purpose, Purpose::Second(_));
    let title = match &invitation.purpose {
        Purpose::Join { .. } => "login-claim-title",
        Purpose::Password(_) => "login-new-password-title",
        Purpose::Second(_) => "login-new-second-title",
    };
    let path = format!("/console/claim/{ticket}");
    Claim {
        frame: visit.frame(w.t(title)),
        w,
        sign_in: with_back("/console/login", &path),
        path,
        joins,
        is_second,
        name: typed("name", &invitation.name),
        title: typed("title", &invitation.title),
        login: typed("login", ""),
        own: visit.entry.0.as_ref().map(|who| who.name.clone()),
        wrong,
    }
}

#[cfg(test)]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, asked};
    use patchward_protocol::api::error::ErrorCode;
    let page = |joins: bool, own: Option<&str>, wrong: Option<ErrorCode>| Claim {
        frame: Frame::bare(&asked(w), None, w, w.t("login-claim-title")),
        w,
        path: "/console/claim/x".to_owned(),
        joins: joins.then(|| (w.t("role-site-approver"), "City Hospital".to_owned())),
        is_second: false,
        name: w.pick("Tanaka Yuki", "田中 由紀").to_owned(),
        title: w.pick("clinical engineer", "臨床工学技士").to_owned(),
        login: String::new(),
        own: own.map(ToOwned::to_owned),
        sign_in: "/console/login?back=x".to_owned(),
        wrong: wrong.map(|code| w.pick(code.en(), code.ja()).to_owned()),
    };
    vec![
        Sample::of("login/claim.html", "join", &page(true, None, None)),
        Sample::of("login/claim.html", "add", &page(true, Some("Sato"), None)),
        Sample::of("login/claim.html", "wrong", &page(true, None, Some(ErrorCode::LoginTaken))),
        Sample::of("login/claim.html", "password", &page(false, None, None)),
        Sample::of(
            "login/claim.html",
            "second",
            &Claim {
                frame: Frame::bare(&asked(w), None, w, w.t("login-new-second-title")),
                is_second: true,
                ..page(false, None, None)
            },
        ),
    ]
}
