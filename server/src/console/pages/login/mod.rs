//! Signing in, signing out, following a one-time link, choosing a place.
//!
//! Not here: what is right ([`crate::people`]). Invariant: a page that is shown again says what was wrong
//! in words, and gives no password back.

pub mod claim;
pub mod code;
pub mod enrol;
pub mod enter;
pub mod place;

use crate::app::App;
use crate::config::Config;
use crate::console::answer::Answer;
use crate::console::asked::Asked;
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::error::ApiError;
use crate::people::enter::In;
use crate::people::session::{self, SessionSecret};
use crate::people::tries::KNOWN_S;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    claim::routes(routes);
    code::routes(routes);
    enrol::routes(routes);
    enter::routes(routes);
    place::routes(routes);
}

/// The cookie of a session: no script reads it, no other site sends it with a form, and it goes with
/// the browser.
pub(super) fn session_cookie(config: &Config, secret: &SessionSecret) -> Cookie<'static> {
    Cookie::build(session::cookie_name(config), secret.reveal())
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(session::is_over_tls(config))
        .finish()
}

/// Takes the cookie of a session away.
pub(super) fn no_session_cookie(config: &Config) -> Cookie<'static> {
    Cookie::build(session::cookie_name(config), "")
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(session::is_over_tls(config))
        .max_age(Duration::ZERO)
        .finish()
}

/// The way on for somebody who is in.
fn inside(app: &App, entered: In, to: &str) -> Answer {
    let known = Cookie::build(session::known_cookie_name(&app.config), entered.known)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(session::is_over_tls(&app.config))
        .max_age(Duration::seconds(KNOWN_S))
        .finish();
    Answer::go(to).cookie(session_cookie(&app.config, &entered.secret)).cookie(known)
}

/// Where to go afterwards: a page of the console, never another host.
pub(super) fn back(text: Option<&str>) -> String {
    let own = |text: &&str| {
        let path = text.split(['?', '#']).next().unwrap_or_default();
        (path == "/console" || path.starts_with("/console/"))
            && !path.starts_with("/console/log")
            && !text.contains(['\\', '\r', '\n'])
            && text.is_ascii()
    };
    text.filter(own).unwrap_or("/console").to_owned()
}

/// A path with the way back.
fn with_back(path: &str, back: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    format!("{path}?{}", query.append_pair("back", back).finish())
}

/// The way back as the query says it.
fn back_of(asked: &Asked) -> String {
    back(asked.query("back"))
}

/// A refusal for the form that is shown again, with the status of that page and in words; a failure of
/// ours goes on.
pub(super) fn wrong(error: ApiError, w: Words) -> Result<(StatusCode, String), Turned> {
    match error {
        ApiError::Refused { code, retry_after_s, .. } => {
            let status = StatusCode::from_u16(code.status());
            let hint = w.pick(code.en(), code.ja()).to_owned();
            let wait = retry_after_s.map(|s| w.t1("login-wait", "span", w.span(i64::from(s))));
            let text = wait.map_or_else(|| hint.clone(), |wait| format!("{hint} {wait}"));
            Ok((status.unwrap_or(StatusCode::UNPROCESSABLE_ENTITY), text))
        }
        error @ (ApiError::NotDrafted(_) | ApiError::Failed(_)) => Err(error.into()),
    }
}

/// Every page with its samples.
#[cfg(test)]
pub(in crate::console) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    let mut all = claim::samples(words);
    all.extend(code::samples(words));
    all.extend(enrol::samples(words));
    all.extend(enter::samples(words));
    all.extend(place::samples(words));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_never_leaves_the_console() {
        let page = "/console/sites/city/devices?state=held";
        assert_eq!(back(Some(page)), page);
        for bad in [
            "https://evil.example/console",
            "//evil.example",
            "/\\evil.example",
            "/consolex",
            "/console/login",
            "/console/logout",
            "/console\r\nLocation: x",
            "",
        ] {
            assert_eq!(back(Some(bad)), "/console", "{bad:?}");
        }
    }

    #[test]
    fn the_cookie_of_a_session_is_out_of_reach_of_scripts_and_other_sites() {
        let secret = SessionSecret::from_random([1; 32]);
        let url = Some("https://patchward.example".to_owned());
        let config = Config { public_url: url, ..Config::default() };
        let text = session_cookie(&config, &secret).to_string();
        assert!(text.starts_with("__Host-patchward=0101"), "{text}");
        for flag in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
            assert!(text.contains(flag), "{flag} is missing in {text}");
        }
        assert!(!text.contains("Domain") && !text.contains("Max-Age"), "{text}");
        let plain = session_cookie(&Config::default(), &secret).to_string();
        assert!(plain.starts_with("patchward=") && !plain.contains("Secure"), "{plain}");
    }
}
