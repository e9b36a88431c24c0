//! API tokens of a place: for the command line and for programs.
//!
//! Invariant: a secret is shown once; a token of another place is not there.

use super::Keeper;
use crate::auth::place_token;
use crate::console::answer::Answer;
use crate::console::door::Visit;
use crate::console::frame::Frame;
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::when::When;
use crate::console::words::Words;
use crate::people::second;
use askama::Template;
use patchward_protocol::api::token::{Scope, TokenView};
use patchward_protocol::id::FamilyId;
use patchward_protocol::time::Timestamp;
use std::collections::HashMap;

/// Lives that can be chosen, in days.
const LIVES_DAYS: [u32; 4] = [1, 30, 90, 365];
const DAY_S: u32 = 24 * 3600;

/// Paths of the pages and forms, since routes are written out.
pub(super) struct Paths {
    show: &'static str,
    make: &'static str,
    made: &'static str,
    revoke: &'static str,
}

macro_rules! paths {
    ($base:literal) => {
        Paths {
            show: $base,
            make: concat!($base, "/make"),
            made: concat!($base, "/made"),
            revoke: concat!($base, "/revoke"),
        }
    };
}

pub(super) const SITE: Paths = paths!("/console/sites/{site}/settings/tokens");
pub(super) const MAKER: Paths = paths!("/console/makers/{maker}/settings/tokens");

/// The page.
#[derive(Template)]
#[template(path = "people/tokens.html")]
struct Tokens {
    frame: Frame,
    w: Words,
    path: String,
    tokens: Vec<TokenLine>,
    families: Vec<FamilyId>,
    is_maker: bool,
    lives: [u32; 4],
}

/// A token in the list.
struct TokenLine {
    id: String,
    label: String,
    covers: String,
    by: String,
    expires: When,
    revoked: Option<When>,
    is_good: bool,
}

/// The page with a token that was made.
#[derive(Template)]
#[template(path = "people/token.html")]
struct TokenPage {
    frame: Frame,
    w: Words,
    token: String,
    back: String,
}

/// Adds the routes of one kind of place.
pub(super) fn routes<E: Keeper>(routes: &mut Routes, paths: &Paths, power: E::Power) {
    routes.get::<E, _, _>(paths.show, power, show);
    routes.post::<E, _, _>(paths.make, power, make);
    routes.get::<E, _, _>(paths.made, power, made);
    routes.post::<E, _, _>(paths.revoke, power, revoke);
}

async fn show<E: Keeper>(visit: Visit<E>) -> Result<Answer, Turned> {
    let place = visit.entry.place();
    let tokens = place_token::list(&visit.app, &place).await?;
    let families = place_token::families(&visit.app, &place);
    let makers = place_token::makers(&visit.app).await?;
    let frame = E::framed(&visit, "people-tokens-title");
    let path = visit.entry.settings("tokens");
    let here = (path, Keeper::tz(&visit.entry));
    Answer::page(&view((frame, visit.words), here, (&tokens, families, &makers), visit.at))
}

async fn make<E: Keeper>(visit: Visit<E>) -> Result<Answer, Turned> {
    let label = visit.form.need("label")?.to_owned();
    let days: u32 = visit.form.read("days")?;
    let life_s = days.saturating_mul(DAY_S);
    let mut families = Vec::new();
    for name in visit.form.all("family") {
        families.push(name.parse().map_err(|_| crate::console::turned::not_found())?);
    }
    let (who, place) = (visit.entry.keeper(), visit.entry.place());
    let made = place_token::make(&visit.app, who, &place, (label, families, life_s)).await?;
    second::keep_shown(&visit.app, &visit.asked.knock, who, &made.token).await?;
    Ok(Answer::go(format!("{}/made", visit.entry.settings("tokens"))))
}

async fn made<E: Keeper>(visit: Visit<E>) -> Result<Answer, Turned> {
    let back = visit.entry.settings("tokens");
    let Some(token) = second::take_shown(&visit.app, &visit.asked.knock).await? else {
        return Ok(Answer::go(back));
    };
    let frame = E::framed(&visit, "people-token-title");
    Answer::page(&TokenPage { frame, w: visit.words, token, back })
}

async fn revoke<E: Keeper>(visit: Visit<E>) -> Result<Answer, Turned> {
    let id = visit.form.need("id")?.to_owned();
    let (who, place) = (visit.entry.keeper(), visit.entry.place());
    place_token::revoke(&visit.app, who, &place, id).await?;
    Ok(Answer::done(&visit.entry.settings("tokens"), "people-token-revoked-done"))
}

fn view(
    (frame, w): (Frame, Words),
    (path, tz): (String, String),
    (tokens, families, makers): (&[TokenView], Option<Vec<FamilyId>>, &HashMap<String, String>),
    at: Timestamp,
) -> Tokens {
    let covers = |scope: &Scope| match scope {
        Scope::Administrator => w.t("people-token-everything"),
        Scope::Site { site } => site.to_string(),
        Scope::Maker { families } => {
            let names: Vec<_> = families.iter().map(ToString::to_string).collect();
            names.join(", ")
        }
    };
    let line = |token: &TokenView| TokenLine {
        id: token.id.clone(),
        label: token.label.clone(),
        covers: covers(&token.scope),
        by: makers.get(&token.id).cloned().unwrap_or_default(),
        expires: w.instant(token.expires, &tz),
        revoked: token.revoked.map(|at| w.instant(at, &tz)),
        is_good: token.revoked.is_none() && at < token.expires,
    };
    Tokens {
        frame,
        w,
        path,
        tokens: tokens.iter().map(line).collect(),
        is_maker: families.is_some(),
        families: families.unwrap_or_default(),
        lives: LIVES_DAYS,
    }
}

#[cfg(test)]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::frame::Nav;
    use crate::console::sample::{Sample, at_site, maker_frame, noon, site_frame};
    let site = at_site(w).site;
    let token = |label: &str, revoked: Option<Timestamp>| TokenView {
        id: "0a1b2c3d4e5f".to_owned(),
        label: label.to_owned(),
        scope: Scope::Site { site: site.clone() },
        expires: noon().plus_seconds(90 * 86_400),
        revoked,
    };
    let tokens = [token("command line, 5F", None), token("old laptop", Some(noon()))];
    let path = || "/console/sites/city-hospital/settings/tokens".to_owned();
    let here = || (path(), "Asia/Tokyo".to_owned());
    let frame = site_frame(w, Nav::Settings, "people-tokens-title");
    let makers = HashMap::from([("0a1b2c3d4e5f".to_owned(), "tanaka".to_owned())]);
    let site = view((frame, w), here(), (&tokens, None, &makers), noon());
    let families = vec![FamilyId::new("acme.pump").unwrap()];
    let frame = maker_frame(w, Nav::Settings, "people-tokens-title");
    let maker = view((frame, w), here(), (&[], Some(families), &makers), noon());
    let made = TokenPage {
        frame: site_frame(w, Nav::Settings, "people-token-title"),
        w,
        token: format!("pw_{}", "0f".repeat(32)),
        back: path(),
    };
    vec![
        Sample::of("people/tokens.html", "site", &site),
        Sample::of("people/tokens.html", "maker", &maker),
        Sample::of("people/token.html", "made", &made),
    ]
}
