//! The second step: a code of the phone, or a recovery code.

use super::{back, back_of, inside, with_back, wrong};
use crate::console::answer::Answer;
use crate::console::door::{Anybody, Visit};
use crate::console::frame::Frame;
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::people::enter::{self, Next};
use askama::Template;
use patchward_protocol::api::error::ErrorCode;

/// The page.
#[derive(Template)]
#[template(path = "login/code.html")]
struct Code {
    frame: Frame,
    w: Words,
    back: String,
    wrong: Option<String>,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<Anybody, _, _>("/console/login/code", (), show);
    routes.post::<Anybody, _, _>("/console/login/code", (), try_code);
}

async fn show(visit: Visit<Anybody>) -> Result<Answer, Turned> {
    let back = back_of(&visit.asked);
    match enter::half_of(&visit.app, &visit.asked.knock).await? {
        Some((_, Next::Code)) => Answer::page(&view(&visit, back, None)),
        Some((_, Next::Enrol)) => Ok(Answer::go(with_back("/console/login/enrol", &back))),
        None => Ok(Answer::go(with_back("/console/login", &back))),
    }
}

async fn try_code(visit: Visit<Anybody>) -> Result<Answer, Turned> {
    let back = back(visit.form.get("back"));
    let code = visit.form.get("code").unwrap_or_default();
    match enter::code(&visit.app, &visit.asked.knock, code).await {
        Ok(entered) => Ok(inside(&visit.app, entered, &back)),
        Err(error) if error.code() == ErrorCode::SignInOver => {
            Ok(Answer::go(with_back("/console/login", &back)))
        }
        Err(error) => {
            let (status, wrong) = wrong(error, visit.words)?;
            Answer::page_as(status, &view(&visit, back, Some(wrong)))
        }
    }
}

fn view(visit: &Visit<Anybody>, back: String, wrong: Option<String>) -> Code {
    Code { frame: visit.frame(visit.words.t("login-code-title")), w: visit.words, back, wrong }
}

#[cfg(test)]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, asked};
    let page = |wrong: Option<ErrorCode>| Code {
        frame: Frame::bare(&asked(w), None, w, w.t("login-code-title")),
        w,
        back: "/console".to_owned(),
        wrong: wrong.map(|code| w.pick(code.en(), code.ja()).to_owned()),
    };
    vec![
        Sample::of("login/code.html", "first", &page(None)),
        Sample::of("login/code.html", "wrong", &page(Some(ErrorCode::CodeWrong))),
    ]
}
