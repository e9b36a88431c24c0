//! Setting up the second factor at the first sign-in.

use super::{back, back_of, inside, with_back, wrong};
use crate::console::answer::Answer;
use crate::console::door::{Anybody, Visit};
use crate::console::frame::Frame;
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::people::second::{self, Offer};
use askama::Template;
use patchward_protocol::api::error::ErrorCode;

/// The page; whoever changes the phone later sees it too.
#[derive(Template)]
#[template(path = "login/enrol.html")]
pub struct Enrol {
    /// Around it.
    pub frame: Frame,
    /// The texts.
    pub w: Words,
    /// Where the code is sent.
    pub action: &'static str,
    /// Where it goes on.
    pub back: String,
    /// The secret.
    pub offer: Offer,
    /// What was wrong with the code.
    pub wrong: Option<String>,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<Anybody, _, _>("/console/login/enrol", (), show);
    routes.post::<Anybody, _, _>("/console/login/enrol", (), confirm);
}

async fn show(visit: Visit<Anybody>) -> Result<Answer, Turned> {
    let back = back_of(&visit.asked);
    let label = visit.words.t("login-qr");
    match second::offer(&visit.app, &visit.asked.knock, &label).await {
        Ok(offer) => Answer::page(&view(&visit, back, offer, None)),
        Err(error) if error.code() == ErrorCode::SignInOver => {
            Ok(Answer::go(with_back("/console/login", &back)))
        }
        Err(error) => Err(error.into()),
    }
}

async fn confirm(visit: Visit<Anybody>) -> Result<Answer, Turned> {
    let back = back(visit.form.get("back"));
    let code = visit.form.get("code").unwrap_or_default();
    match second::confirm(&visit.app, &visit.asked.knock, code).await {
        Ok(entered) => Ok(inside(&visit.app, entered, &with_back("/console/account/codes", &back))),
        Err(error) if error.code() == ErrorCode::SignInOver => {
            Ok(Answer::go(with_back("/console/login", &back)))
        }
        Err(error) => {
            let (status, wrong) = wrong(error, visit.words)?;
            let label = visit.words.t("login-qr");
            let offer = second::offer(&visit.app, &visit.asked.knock, &label).await?;
            Answer::page_as(status, &view(&visit, back, offer, Some(wrong)))
        }
    }
}

fn view(visit: &Visit<Anybody>, back: String, offer: Offer, wrong: Option<String>) -> Enrol {
    let frame = visit.frame(visit.words.t("login-enrol-title"));
    Enrol { frame, w: visit.words, action: "/console/login/enrol", back, offer, wrong }
}

#[cfg(test)]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, asked};
    use crate::people::one_time::{OneTime, qr_svg};
    let shared = OneTime::of(*b"12345678901234567890");
    let uri = shared.uri("tanaka");
    let offer = Offer {
        text: "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ".to_owned(),
        qr: qr_svg(&uri, &w.t("login-qr")).unwrap(),
        uri,
    };
    let page = |wrong: Option<ErrorCode>| Enrol {
        frame: Frame::bare(&asked(w), None, w, w.t("login-enrol-title")),
        w,
        action: "/console/login/enrol",
        back: "/console".to_owned(),
        offer: offer.clone(),
        wrong: wrong.map(|code| w.pick(code.en(), code.ja()).to_owned()),
    };
    vec![
        Sample::of("login/enrol.html", "first", &page(None)),
        Sample::of("login/enrol.html", "wrong", &page(Some(ErrorCode::CodeWrong))),
    ]
}
