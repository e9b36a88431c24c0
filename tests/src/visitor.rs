//! A visitor of the console without a browser: pages and forms over HTTP, with the cookies kept.
//!
//! For the demonstration and for benches. Not here: scripts; a visitor has them switched off.
//! Invariant: a form carries the token of the page that it stands on.

use crate::person::Person;
use anyhow::{Context as _, Result, bail, ensure};
use std::collections::BTreeMap;
use std::time::Duration;

/// Most bytes of a page.
const PAGE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The field with the session's token.
const TOKEN: &str = "name=\"_token\" value=\"";

/// A visitor.
#[derive(Debug)]
pub struct Visitor {
    base: String,
    agent: ureq::Agent,
    cookies: BTreeMap<String, String>,
    token: String,
}

/// What was answered.
#[derive(Debug)]
pub struct Seen {
    /// Status.
    pub status: u16,
    /// Where it leads, for a redirect.
    pub to: Option<String>,
    /// What it is, e.g. `text/html; charset=utf-8`.
    pub kind: String,
    /// The page.
    pub body: Vec<u8>,
}

impl Seen {
    /// The page as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Visitor {
    /// Somebody whom the server does not know.
    #[must_use]
    pub fn new(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        let (base, token) = (base.to_owned(), String::new());
        Self { base, agent: config.into(), cookies: BTreeMap::new(), token }
    }

    /// Signs in with password and code.
    ///
    /// # Errors
    /// When the server does not let the person in.
    pub fn sign_in(&mut self, person: &Person) -> Result<()> {
        self.get("/console/login")?;
        let fields = [("login", person.login.as_str()), ("password", person.password.as_str())];
        let seen = self.post("/console/login", &fields)?;
        let to = seen.to.clone().unwrap_or_default();
        ensure!(to.starts_with("/console/login/code"), "{} {}", seen.status, seen.text());
        self.get(&to)?;
        let seen = self.post("/console/login/code", &[("code", &person.code()?)])?;
        ensure!(seen.to.as_deref() == Some("/console"), "{} {}", seen.status, seen.text());
        Ok(())
    }

    /// A page, whatever comes.
    ///
    /// # Errors
    /// When there is no connection.
    pub fn get(&mut self, path: &str) -> Result<Seen> {
        let request = self.asking("GET", path).body(()).context("build the request")?;
        let answer = self.agent.run(request).with_context(|| format!("GET {path}"))?;
        self.seen(path, answer)
    }

    /// A page that must be there; redirects are followed.
    ///
    /// # Errors
    /// When it is not.
    pub fn page(&mut self, path: &str) -> Result<Seen> {
        let mut path = path.to_owned();
        for _ in 0..5 {
            let seen = self.get(&path)?;
            match (seen.status, &seen.to) {
                (200, _) => return Ok(seen),
                (303, Some(to)) => to.clone_into(&mut path),
                _ => bail!("{path}: {} {}", seen.status, seen.text()),
            }
        }
        bail!("{path} leads on and on")
    }

    /// Sends a form of the last page.
    ///
    /// # Errors
    /// When there is no connection.
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Seen> {
        let token = [("_token", self.token.as_str())];
        let fields = token.iter().chain(fields);
        let pair = |(name, value): &(&str, &str)| format!("{}={}", escaped(name), escaped(value));
        let body = fields.map(pair).collect::<Vec<_>>().join("&");
        let request = self
            .asking("POST", path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .body(body)
            .context("build the request")?;
        let answer = self.agent.run(request).with_context(|| format!("POST {path}"))?;
        self.seen(path, answer)
    }

    fn asking(&self, method: &str, path: &str) -> ureq::http::request::Builder {
        let uri = format!("{}{path}", self.base);
        let cookies: Vec<_> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = ureq::http::Request::builder().method(method).uri(uri);
        if cookies.is_empty() { request } else { request.header("cookie", cookies.join("; ")) }
    }

    fn seen(&mut self, path: &str, mut answer: ureq::http::Response<ureq::Body>) -> Result<Seen> {
        for cookie in answer.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().context("a cookie")?;
            let pair = cookie.split(';').next().and_then(|pair| pair.split_once('='));
            let (name, value) = pair.context("a cookie has name and value")?;
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let header = |name: &str| {
            answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let (to, kind) = (header("location"), header("content-type").unwrap_or_default());
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(PAGE_BYTES_MAX).read_to_vec();
        let seen = Seen { status, to, kind, body: body.with_context(|| format!("read {path}"))? };
        if let Some((_, rest)) = seen.text().split_once(TOKEN) {
            self.token = rest.split('"').next().unwrap_or_default().to_owned();
        }
        Ok(seen)
    }
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let each = text.bytes().map(|byte| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    });
    each.collect()
}
