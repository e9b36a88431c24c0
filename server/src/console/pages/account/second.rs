//! Another phone: the second factor of somebody signed in is changed.

use crate::console::answer::Answer;
use crate::console::door::{SignedIn, Visit};
use crate::console::pages::login::{self, enrol::Enrol};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::people::password::Password;
use crate::people::second::{self, Offer};
use patchward_protocol::api::error::ErrorCode;

/// Where the page is.
const PATH: &str = "/console/account/second";

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.post::<SignedIn, _, _>("/console/account/second/begin", (), begin);
    routes.get::<SignedIn, _, _>("/console/account/second", (), show);
    routes.post::<SignedIn, _, _>("/console/account/second", (), confirm);
}

async fn begin(visit: Visit<SignedIn>) -> Result<Answer, Turned> {
    let password = Password::typed(visit.form.raw("password").unwrap_or_default());
    second::begin_change(&visit.app, &visit.asked.knock, &visit.entry.0, password).await?;
    Ok(Answer::go(PATH))
}

async fn show(visit: Visit<SignedIn>) -> Result<Answer, Turned> {
    let label = visit.words.t("login-qr");
    match second::offer_change(&visit.app, &visit.asked.knock, &label).await {
        Ok(offer) => Answer::page(&view(&visit, offer, None)),
        Err(error) if error.code() == ErrorCode::SignInOver => Ok(Answer::go("/console/account")),
        Err(error) => Err(error.into()),
    }
}

async fn confirm(visit: Visit<SignedIn>) -> Result<Answer, Turned> {
    let code = visit.form.get("code").unwrap_or_default();
    match second::confirm_change(&visit.app, &visit.asked.knock, code).await {
        Ok(()) => Ok(Answer::go("/console/account/codes?back=/console/account")),
        Err(error) => {
            let (status, wrong) = login::wrong(error, visit.words)?;
            let label = visit.words.t("login-qr");
            let offer = second::offer_change(&visit.app, &visit.asked.knock, &label).await?;
            Answer::page_as(status, &view(&visit, offer, Some(wrong)))
        }
    }
}

/// The page of the first sign-in.
fn view(visit: &Visit<SignedIn>, offer: Offer, wrong: Option<String>) -> Enrol {
    let frame = visit.frame(visit.words.t("account-second-change"));
    let back = "/console/account".to_owned();
    Enrol { frame, w: visit.words, action: PATH, back, offer, wrong }
}

#[cfg(test)]
pub(super) fn samples(w: crate::console::words::Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::frame::Frame;
    use crate::console::sample::{Sample, asked, engineer};
    let offer = Offer { text: "GEZD GNBV".to_owned(), uri: String::new(), qr: String::new() };
    let page = Enrol {
        frame: Frame::bare(&asked(w), Some(&engineer(w)), w, w.t("account-second-change")),
        w,
        action: PATH,
        back: "/console/account".to_owned(),
        offer,
        wrong: None,
    };
    vec![Sample::of("login/enrol.html", "change", &page)]
}
