//! Recovery codes: shown once, made anew.

use crate::console::answer::Answer;
use crate::console::door::{SignedIn, Visit};
use crate::console::frame::Frame;
use crate::console::pages::login;
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::people::password::Password;
use crate::people::second;
use askama::Template;

/// The page.
#[derive(Template)]
#[template(path = "account/codes.html")]
struct Codes {
    frame: Frame,
    w: Words,
    login: String,
    codes: Vec<String>,
    back: String,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<SignedIn, _, _>("/console/account/codes", (), show);
    routes.post::<SignedIn, _, _>("/console/account/codes", (), renew);
}

async fn show(visit: Visit<SignedIn>) -> Result<Answer, Turned> {
    let back = login::back(visit.asked.query("back"));
    let Some(codes) = second::take_codes(&visit.app, &visit.asked.knock).await? else {
        return Ok(Answer::go(back));
    };
    let frame = visit.frame(visit.words.t("account-codes-title"));
    let login = visit.entry.0.login.clone();
    Answer::page(&Codes { frame, w: visit.words, login, codes, back })
}

async fn renew(visit: Visit<SignedIn>) -> Result<Answer, Turned> {
    let password = Password::typed(visit.form.raw("password").unwrap_or_default());
    second::renew_codes(&visit.app, &visit.asked.knock, &visit.entry.0, password).await?;
    Ok(Answer::go("/console/account/codes?back=/console/account"))
}

#[cfg(test)]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use crate::clock::SeededRng;
    use crate::console::sample::{Sample, asked, engineer};
    let page = Codes {
        frame: Frame::bare(&asked(w), Some(&engineer(w)), w, w.t("account-codes-title")),
        w,
        login: "tanaka".to_owned(),
        codes: crate::people::one_time::recovery_codes(&SeededRng::new(1)).unwrap(),
        back: "/console".to_owned(),
    };
    vec![Sample::of("account/codes.html", "ten", &page)]
}
