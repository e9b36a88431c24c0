//! The key that the server keeps for the visitor: made, handed to the administrators for the root, forgotten.
//!
//! Only where the site's root says `custodial`; the page says what that costs. Not here: signing.
//! Invariant: password and one-time code are asked for whenever the key is touched.

use super::{person, ways};
use crate::consent::draft::custodial;
use crate::consent::draft::facts::Facts;
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::error::ApiError;
use crate::people::enter;
use crate::people::password::Password;
use crate::people::role::SitePower;
use askama::Template;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::tuf::schema::Method;
use serde_json::json;
use zeroize::Zeroizing;

/// The page.
#[derive(Template)]
#[template(path = "approvals/key.html")]
struct Key {
    frame: Frame,
    w: Words,
    base: String,
    weakest: String,
    allowed: bool,
    held: Option<Held>,
}

struct Held {
    fingerprint: String,
    listed: bool,
}

/// Adds the routes.
pub(super) fn routes(routes: &mut Routes) {
    let path = "/console/sites/{site}/approvals/key";
    routes.get::<AtSite, _, _>(path, SitePower::Sign, show);
    routes.post::<AtSite, _, _>(path, SitePower::Sign, make_it);
    routes.get::<AtSite, _, _>("/console/sites/{site}/approvals/key/pub", SitePower::Sign, file);
    routes.post::<AtSite, _, _>(
        "/console/sites/{site}/approvals/key/forget",
        SitePower::Sign,
        forget,
    );
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (app, site, words) = (&visit.app, &visit.entry.site, visit.words);
    let facts = Facts::of(app, site).await?;
    let held = custodial::find(app, site, &person(&visit)?).await?;
    let held = held.map(|held| Held {
        fingerprint: held.public.fingerprint(),
        listed: facts.root_spec.targets.keys.iter().any(|key| key.public == held.public),
    });
    Answer::page(&Key {
        frame: visit.frame(Nav::Approvals, words.t("approvals-custodial-title")),
        w: words,
        base: visit.entry.path("approvals/key"),
        weakest: ways::weakest(words, facts.weakest()),
        allowed: facts.weakest() == Method::Custodial,
        held,
    })
}

async fn make_it(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let password = confirmed(&visit).await?;
    custodial::make(&visit.app, &visit.entry.site, &person(&visit)?, password).await?;
    Ok(Answer::go(visit.entry.path("approvals/key")))
}

async fn forget(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    confirmed(&visit).await?;
    custodial::forget(&visit.app, &visit.entry.site, &person(&visit)?).await?;
    Ok(Answer::go(visit.entry.path("approvals/key")))
}

/// The public half, in the form that the command line reads when it makes a root.
async fn file(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let person = person(&visit)?;
    let held = custodial::find(&visit.app, &visit.entry.site, &person).await?;
    let held = held.ok_or_else(|| ApiError::of(ErrorCode::CustodialUnknown))?;
    let text = json!({
        "v": 1, "public": held.public, "fingerprint": held.public.fingerprint(),
        "x-person": person, "x-method": Method::Custodial,
        "key_file_sha256": Sha256Digest::of(held.sealed.as_bytes()),
    });
    let bytes = serde_json::to_vec_pretty(&text).map_err(ApiError::failed)?;
    Ok(Answer::file(&format!("{person}.pub"), "application/json", bytes))
}

/// The password, after it and the one-time code were found right.
async fn confirmed(visit: &Visit<AtSite>) -> Result<Zeroizing<String>, ApiError> {
    let typed = Zeroizing::new(visit.form.raw("password").unwrap_or_default().to_owned());
    let (code, password) = (visit.form.need("code")?, Password::typed(&typed));
    let (knock, who) = (&visit.asked.knock, &visit.entry.who);
    enter::confirm_both(&visit.app, knock, who, password, code).await?;
    Ok(typed)
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, site_frame};
    let page = |method: Method, held: Option<Held>| Key {
        frame: site_frame(words, Nav::Approvals, "approvals-custodial-title"),
        w: words,
        base: "/console/sites/city-hospital/approvals/key".to_owned(),
        weakest: ways::weakest(words, method),
        allowed: method == Method::Custodial,
        held,
    };
    let held = |listed| Some(Held { fingerprint: "4821 0937 6650".to_owned(), listed });
    vec![
        Sample::of("approvals/key.html", "not-allowed", &page(Method::Offline, None)),
        Sample::of("approvals/key.html", "none", &page(Method::Custodial, None)),
        Sample::of("approvals/key.html", "listed", &page(Method::Custodial, held(true))),
        Sample::of("approvals/key.html", "not-listed", &page(Method::Custodial, held(false))),
    ]
}
