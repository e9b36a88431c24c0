//! Name and password, or a passkey; and signing out.
//!
//! Invariant: the page says the same of a wrong name and a wrong password.

use super::{back, back_of, inside, no_session_cookie, session_cookie, with_back, wrong};
use crate::console::answer::Answer;
use crate::console::door::{Anybody, SignedIn, Visit};
use crate::console::frame::Frame;
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::error::ApiError;
use crate::people::enter::{self, Next};
use crate::people::enter_passkey;
use crate::people::passkey::Asserted;
use crate::people::password::Password;
use crate::people::session;
use askama::Template;

/// The page.
#[derive(Template)]
#[template(path = "login/enter.html")]
struct Enter {
    frame: Frame,
    w: Words,
    back: String,
    login: String,
    wrong: Option<String>,
    passkey: Option<Ask>,
}

/// What the script needs to ask for a passkey.
struct Ask {
    challenge: String,
    rp_id: String,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<Anybody, _, _>("/console/login", (), show);
    routes.post::<Anybody, _, _>("/console/login", (), try_password);
    routes.post::<Anybody, _, _>("/console/login/passkey", (), try_passkey);
    routes.post::<SignedIn, _, _>("/console/logout", (), leave);
}

async fn show(visit: Visit<Anybody>) -> Result<Answer, Turned> {
    let back = back_of(&visit.asked);
    if visit.entry.0.is_some() {
        return Ok(Answer::go(back));
    }
    Answer::page(&view(&visit, back, None)?)
}

async fn try_password(visit: Visit<Anybody>) -> Result<Answer, Turned> {
    let back = back(visit.form.get("back"));
    let login = visit.form.get("login").unwrap_or_default();
    let password = Password::typed(visit.form.raw("password").unwrap_or_default());
    match enter::password(&visit.app, &visit.asked.knock, login, password).await {
        Ok(half) => {
            let path = match half.next {
                Next::Code => "/console/login/code",
                Next::Enrol => "/console/login/enrol",
            };
            let cookie = session_cookie(&visit.app.config, &half.secret);
            Ok(Answer::go(with_back(path, &back)).cookie(cookie))
        }
        Err(error) => again(&visit, back, error),
    }
}

async fn try_passkey(visit: Visit<Anybody>) -> Result<Answer, Turned> {
    let back = back(visit.form.get("back"));
    let field = |name| visit.form.raw(name).unwrap_or_default();
    let answer = Asserted {
        id: field("id"),
        client: field("client"),
        authenticator: field("authenticator"),
        signature: field("signature"),
    };
    match enter_passkey::enter(&visit.app, &visit.asked.knock, answer).await {
        Ok(entered) => Ok(inside(&visit.app, entered, &back)),
        Err(error) => again(&visit, back, error),
    }
}

async fn leave(visit: Visit<SignedIn>) -> Result<Answer, Turned> {
    if let Some(held) = &visit.asked.knock.held {
        session::end(&visit.app, held).await?;
    }
    let cookie = no_session_cookie(&visit.app.config);
    Ok(Answer::done("/console/login", "login-out-done").cookie(cookie))
}

fn again(visit: &Visit<Anybody>, back: String, error: ApiError) -> Result<Answer, Turned> {
    let (status, wrong) = wrong(error, visit.words)?;
    Answer::page_as(status, &view(visit, back, Some(wrong))?)
}

fn view(visit: &Visit<Anybody>, back: String, wrong: Option<String>) -> Result<Enter, Turned> {
    let site = enter_passkey::site(&visit.app);
    let ask =
        |rp_id| Ok::<_, ApiError>(Ask { challenge: enter_passkey::ask(&visit.app)?.text(), rp_id });
    let passkey = site.map(|site| ask(site.rp_id)).transpose()?;
    let frame = visit.frame(visit.words.t("login-title"));
    let frame = if passkey.is_some() { frame.script("passkey.js") } else { frame };
    let login = visit.form.get("login").unwrap_or_default().to_owned();
    Ok(Enter { frame, w: visit.words, back, login, wrong, passkey })
}

#[cfg(test)]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, asked};
    use patchward_protocol::api::error::ErrorCode;
    let page = |wrong: Option<ErrorCode>, passkey: Option<Ask>| Enter {
        frame: Frame::bare(&asked(w), None, w, w.t("login-title")),
        w,
        back: "/console".to_owned(),
        login: wrong.map(|_| "tanaka".to_owned()).unwrap_or_default(),
        wrong: wrong.map(|code| w.pick(code.en(), code.ja()).to_owned()),
        passkey,
    };
    let ask = Ask { challenge: "AAECAw".to_owned(), rp_id: "patchward.example".to_owned() };
    vec![
        Sample::of("login/enter.html", "first", &page(None, Some(ask))),
        Sample::of("login/enter.html", "wrong", &page(Some(ErrorCode::LoginFailed), None)),
    ]
}
