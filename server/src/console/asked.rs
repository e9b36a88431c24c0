//! What was asked: path, query, language, and where it came from.
//!
//! Not here: who asks. Invariant: nothing of it is trusted; a page escapes what it shows.

use super::done;
use super::words::Words;
use crate::config::Config;
use crate::error::ApiError;
use crate::keys::MacSecret;
use crate::limits::FORM_FIELDS_MAX;
use crate::people::session::{self, Browser};
use crate::people::tries::Knock;
use crate::people::who::Language;
use actix_web::HttpRequest;
use actix_web::cookie::{self, Cookie, SameSite};
use actix_web::http::header::{ACCEPT_LANGUAGE, HOST, HeaderName, ORIGIN, USER_AGENT};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::time::Timestamp;
use std::str::FromStr;

/// Cookie that keeps the language of somebody who is not signed in, and of one who switched.
const LANGUAGE_COOKIE: &str = "pw_language";
/// Says whether a request comes from a page of ours (W3C Fetch Metadata).
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A request.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Parts of the path by their names.
    path: Vec<(String, String)>,
    /// Fields of the query.
    query: Vec<(String, String)>,
    /// Path and query as they were asked, for coming back.
    pub here: String,
    /// Language that was asked for, in the query or by the cookie.
    pub wanted: Option<Language>,
    /// Language that the query switches to, from now on.
    pub switched: Option<Language>,
    /// Language that the browser prefers.
    pub preferred: Option<Language>,
    /// The Fluent id of what was just done, where this server led here after doing it.
    pub done: Option<String>,
    /// Whether a page of another origin sent it.
    pub origin: Origin,
    /// For signing in: the browser, its address and its cookies.
    pub knock: Knock,
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// A page of ours, as the browser says.
    Ours,
    /// Somebody else's page.
    Foreign,
    /// Nothing is said: a link that was typed, a bookmark, a program.
    #[default]
    Unsaid,
}

impl Asked {
    /// Of a request.
    #[must_use]
    pub fn of(request: &HttpRequest) -> Self {
        let query = url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned();
        let query: Vec<_> = query.take(FORM_FIELDS_MAX).collect();
        let path = request.match_info().iter();
        let from_query = query.iter().find(|(name, _)| name == "lang").map(|(_, tag)| tag.clone());
        let cookie = request.cookie(LANGUAGE_COOKIE).map(|cookie| cookie.value().to_owned());
        let switched = from_query.and_then(|tag| Language::of(&tag));
        let wanted = switched.or_else(|| cookie.and_then(|tag| Language::of(&tag)));
        Self {
            switched,
            path: path.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            query,
            here: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
            wanted,
            preferred: preferred(request),
            done: None,
            origin: origin(request),
            knock: Knock::default(),
        }
    }

    /// With what signing in needs to know of the request.
    #[must_use]
    pub fn knocking(mut self, request: &HttpRequest, config: &Config) -> Self {
        let cookie = |name: &str| request.cookie(name).map(|cookie| cookie.value().to_owned());
        let agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok());
        let name = config.proxy.header.name();
        let said: Vec<_> =
            request.headers().get_all(name).map(|line| line.to_str().unwrap_or_default()).collect();
        let address = request
            .peer_addr()
            .map(|peer| config.proxy.visitor(peer.ip(), said.iter().copied()).to_string());
        self.knock = Knock {
            browser: Browser {
                agent: agent.unwrap_or_default().to_owned(),
                address: address.unwrap_or_default(),
            },
            known: cookie(session::known_cookie_name(config)),
            held: cookie(session::cookie_name(config)),
        };
        self
    }

    /// With the word about what was done, where the server's seal is on it.
    #[must_use]
    pub fn sealed(mut self, secret: &MacSecret, at: Timestamp) -> Self {
        self.done = done::read(secret, &self.here, at);
        self
    }

    /// A part of the path.
    ///
    /// # Errors
    /// `not_found` when it is no name of its kind: there can be no such thing.
    pub fn part<T: FromStr>(&self, name: &str) -> Result<T, ApiError> {
        let found = self.path.iter().find(|(part, _)| part == name);
        let read = found.and_then(|(_, value)| value.parse().ok());
        read.ok_or_else(|| ApiError::of(ErrorCode::NotFound))
    }

    /// A field of the query, trimmed; nothing when it is empty or missing.
    #[must_use]
    pub fn query<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.queries(name).map(str::trim).find(|value| !value.is_empty())
    }

    /// A field of the query, when it is there and reads.
    #[must_use]
    pub fn query_as<T: FromStr>(&self, name: &str) -> Option<T> {
        self.query(name)?.parse().ok()
    }

    /// Every value of a field of the query.
    pub fn queries<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The texts for somebody whose account says `own`.
    #[must_use]
    pub fn words(&self, own: Option<Language>) -> Words {
        Words::of(self.wanted.or(own).or(self.preferred).unwrap_or(Language::En))
    }

    /// The same page in another language.
    #[must_use]
    pub fn in_language(&self, language: Language) -> String {
        let path = self.here.split_once('?').map_or(self.here.as_str(), |(path, _)| path);
        let kept = self.query.iter().filter(|(name, _)| name != "lang" && name != done::FIELD);
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let query = query.extend_pairs(kept).append_pair("lang", language.tag());
        format!("{path}?{}", query.finish())
    }
}

/// The cookie that keeps a language for a year.
#[must_use]
pub fn language_cookie(language: Language, config: &Config) -> Cookie<'static> {
    Cookie::build(LANGUAGE_COOKIE, language.tag())
        .path("/console")
        .max_age(cookie::time::Duration::days(365))
        .same_site(SameSite::Lax)
        .http_only(true)
        .secure(session::is_over_tls(config))
        .finish()
}

fn preferred(request: &HttpRequest) -> Option<Language> {
    let header = request.headers().get(ACCEPT_LANGUAGE)?.to_str().ok()?;
    let tags = header.split(',').filter_map(|part| part.split(';').next());
    tags.filter_map(|tag| tag.trim().split('-').next()).find_map(Language::of)
}

fn origin(request: &HttpRequest) -> Origin {
    let text = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    match text(FETCH_SITE) {
        Some("same-origin") => return Origin::Ours,
        Some("none") | None => {}
        Some(_) => return Origin::Foreign,
    }
    match (text(ORIGIN), text(HOST)) {
        (Some(origin), Some(host)) => {
            let ours = origin.split_once("://").is_some_and(|(_, at)| at == host);
            if ours { Origin::Ours } else { Origin::Foreign }
        }
        (Some(_), None) => Origin::Foreign,
        (None, _) => Origin::Unsaid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Proxy;
    use actix_web::test::TestRequest;

    fn address(peer: &str, config: &Config) -> String {
        let request = TestRequest::default()
            .peer_addr(peer.parse().unwrap())
            .append_header(("X-Forwarded-For", "203.0.113.9, 198.51.100.1"))
            .append_header(("X-Forwarded-For", "192.0.2.5"))
            .append_header(("Forwarded", "for=203.0.113.77"))
            .to_http_request();
        Asked::of(&request).knocking(&request, config).knock.browser.address
    }

    #[test]
    fn a_visitor_behind_a_named_proxy_has_an_address_and_nobody_else_chooses_one() {
        let trusted = vec!["10.1.2.3/32".parse().unwrap()];
        let config = Config { proxy: Proxy { trusted, ..Proxy::default() }, ..Config::default() };
        assert_eq!(address("10.1.2.3:4000", &config), "192.0.2.5");
        assert_eq!(address("10.1.2.4:4000", &config), "10.1.2.4", "said from elsewhere");
        assert_eq!(address("10.1.2.3:4000", &Config::default()), "10.1.2.3", "nobody is named");
    }
}
