//! Sessions: who a cookie belongs to, and for how long.
//!
//! A session ends after half an hour without a click and after twelve hours in any case; it begins
//! anew, under another cookie, at each step of signing in. Not here: signing in ([`super::enter`]).
//! Invariant: the cookie's secret is stored nowhere, only its digest.

use super::role::Grant;
use super::who::{AccountId, Who};
use crate::app::App;
use crate::config::Config;
use crate::db::{self, Connection, DbError};
use crate::error::ApiError;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::time::Timestamp;
use std::fmt;
use std::sync::Arc;

/// A session ends after so many seconds without a click: half an hour.
pub const IDLE_S: i64 = 30 * 60;
/// A session ends after so many seconds in any case: twelve hours, one long shift.
pub const LIFE_S: i64 = 12 * 3600;
/// Time for the second step of signing in, in seconds: finding the phone, or setting it up.
pub const SECOND_S: i64 = 15 * 60;
/// A clock may be set back by so many seconds without ending sessions: five minutes.
const CLOCK_BACK_S: i64 = 300;
/// That a session was used is written down at most so often, in seconds.
const SEEN_EVERY_S: i64 = 60;
/// Most characters that are kept of what a browser calls itself.
const BROWSER_CHARS_MAX: usize = 200;

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The password was right; the second factor is missing. Opens no page but that.
    Second,
    /// Signed in.
    Full,
}

/// A session as stored.
#[derive(Debug, Clone)]
pub struct Session {
    /// Digest of the cookie's secret.
    pub digest: String,
    /// Whose it is.
    pub account: AccountId,
    /// How far it is.
    pub stage: Stage,
    /// When it began.
    pub created: Timestamp,
    /// When it was last used, to the minute.
    pub seen: Timestamp,
    /// When it ends in any case.
    pub ends: Timestamp,
    /// What the browser called itself.
    pub browser: String,
    /// From which address it began.
    pub address: String,
    /// Sealed: what its next page shows once.
    pub pending: Option<String>,
}

/// A session as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// Names it in a form: the begin of its digest.
    pub id: String,
    /// When it began.
    pub created: Timestamp,
    /// When it was last used, to the minute.
    pub seen: Timestamp,
    /// What the browser called itself.
    pub browser: String,
    /// From which address it began.
    pub address: String,
    /// Whether it is the one that asks.
    pub is_this: bool,
}

/// What a cookie holds.
#[derive(Clone)]
pub struct SessionSecret([u8; 32]);

/// Where a session begins.
#[derive(Debug, Clone, Default)]
pub struct Browser {
    /// What it calls itself.
    pub agent: String,
    /// Its address, as this server sees it.
    pub address: String,
}

/// The name of the cookie: with `__Host-`, which a browser takes over TLS only, for the whole host and
/// from no subdomain, unless plain HTTP is configured.
#[must_use]
pub fn cookie_name(config: &Config) -> &'static str {
    if is_over_tls(config) { "__Host-patchward" } else { "patchward" }
}

/// The name of the cookie of a known browser ([`super::tries`]).
#[must_use]
pub fn known_cookie_name(config: &Config) -> &'static str {
    if is_over_tls(config) { "__Host-patchward-known" } else { "patchward-known" }
}

/// Whether browsers reach this server over TLS.
#[must_use]
pub fn is_over_tls(config: &Config) -> bool {
    let says_so = config.public_url.as_deref().is_some_and(|url| url.starts_with("https://"));
    config.tls.is_some() || says_so
}

/// Who a session's secret belongs to, when it is alive; the session lives on from now.
///
/// # Errors
/// Failures of the database.
pub async fn who(app: &Arc<App>, secret: &str) -> Result<Option<Who>, ApiError> {
    let Some(secret) = SessionSecret::read(secret) else { return Ok(None) };
    let at = app.clock.now();
    let (digest, form_token) = (secret.digest(), secret.form_token());
    let found = app
        .db
        .read(move |conn| {
            let session = find(conn, &digest, Stage::Full, at)?;
            session.map_or(Ok(None), |session| read_who(conn, session, form_token, at))
        })
        .await?;
    let Some((session, who)) = found else { return Ok(None) };
    if at.millis_since(session.seen) >= SEEN_EVERY_S.saturating_mul(1000) {
        let written = app.db.write(move |conn| db::session::see(conn, &session.digest, at)).await;
        // A session that is not written down ends sooner; STOP must not fail for it.
        if let Err(error) = written {
            let chain = crate::error::Chain(&error).to_string();
            tracing::warn!(error = %chain, "That a session was used cannot be written down");
        }
    }
    Ok(Some(who))
}

/// Who a session's secret belongs to, when it is alive, without keeping it alive: for what a page asks
/// by itself.
///
/// # Errors
/// Failures of the database.
pub async fn glance(app: &Arc<App>, secret: &str) -> Result<Option<Who>, ApiError> {
    let Some(secret) = SessionSecret::read(secret) else { return Ok(None) };
    let at = app.clock.now();
    let (digest, form_token) = (secret.digest(), secret.form_token());
    let found = app.db.read(move |conn| {
        let session = find(conn, &digest, Stage::Full, at)?;
        session.map_or(Ok(None), |session| read_who(conn, session, form_token, at))
    });
    Ok(found.await?.map(|(_, who)| who))
}

/// Ends the session of a secret.
///
/// # Errors
/// Failures of the database.
pub async fn end(app: &App, secret: &str) -> Result<(), ApiError> {
    let Some(secret) = SessionSecret::read(secret) else { return Ok(()) };
    app.db.write(move |conn| db::session::delete(conn, &secret.digest())).await?;
    Ok(())
}

/// Ends a session of an account, named as [`SessionView::id`]; `false` when there is none such.
///
/// # Errors
/// Failures of the database.
pub async fn end_named(app: &App, account: AccountId, id: String) -> Result<bool, ApiError> {
    let ended = app.db.write(move |conn| {
        let all = db::session::of(conn, account)?;
        let named = all.iter().find(|session| session.id() == id);
        named.map_or(Ok(false), |session| db::session::delete(conn, &session.digest))
    });
    Ok(ended.await?)
}

/// The living sessions of an account, oldest first.
///
/// # Errors
/// Failures of the database.
pub async fn list(
    app: &App,
    account: AccountId,
    own: Option<&str>,
) -> Result<Vec<SessionView>, ApiError> {
    let at = app.clock.now();
    let own = own.and_then(SessionSecret::read).map(|secret| secret.digest());
    let all = app.db.read(move |conn| db::session::of(conn, account)).await?;
    let alive = all.into_iter().filter(|session| session.is_alive(Stage::Full, at));
    Ok(alive.map(|session| session.view(own.as_deref())).collect())
}

/// Begins a session in a transaction, and takes away what ended by itself.
///
/// # Errors
/// [`DbError`].
pub fn begin(conn: &mut Connection, session: &Session, at: Timestamp) -> Result<(), DbError> {
    db::session::sweep(conn, at, at.plus_seconds(IDLE_S.saturating_neg()))?;
    db::session::insert(conn, session)
}

/// The living session of a digest, when it is at this stage.
///
/// # Errors
/// [`DbError`].
pub fn find(
    conn: &mut Connection,
    digest: &str,
    stage: Stage,
    at: Timestamp,
) -> Result<Option<Session>, DbError> {
    Ok(db::session::find(conn, digest)?.filter(|session| session.is_alive(stage, at)))
}

fn read_who(
    conn: &mut Connection,
    session: Session,
    form_token: String,
    at: Timestamp,
) -> Result<Option<(Session, Who)>, DbError> {
    let account = db::account::find(conn, session.account)?;
    let Some(account) = account.filter(|account| account.disabled.is_none()) else {
        return Ok(None);
    };
    let grants: Vec<Grant> = db::grant::of(conn, account.id)?;
    let who = Who {
        account: account.id,
        login: account.login.to_string(),
        name: account.name.to_string(),
        title: account.title.to_string(),
        language: account.language,
        persons: db::account::persons(conn, account.id)?,
        grants,
        form_token,
        idle_until: at.plus_seconds(IDLE_S).min(session.ends),
    };
    Ok(Some((session, who)))
}

impl Stage {
    /// The word in the database.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Full => "full",
        }
    }

    /// The stage of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Second, Self::Full].into_iter().find(|stage| stage.word() == word)
    }

    const fn life_s(self) -> i64 {
        match self {
            Self::Second => SECOND_S,
            Self::Full => LIFE_S,
        }
    }
}

impl Session {
    /// A new one.
    #[must_use]
    pub fn new(
        account: AccountId,
        stage: Stage,
        secret: &SessionSecret,
        browser: &Browser,
        at: Timestamp,
    ) -> Self {
        let short = |text: &str| {
            let plain = text.chars().filter(|c| !c.is_control());
            plain.take(BROWSER_CHARS_MAX).collect::<String>()
        };
        Self {
            digest: secret.digest(),
            account,
            stage,
            created: at,
            seen: at,
            ends: at.plus_seconds(stage.life_s()),
            browser: short(&browser.agent),
            address: short(&browser.address),
            pending: None,
        }
    }

    /// Whether it is at this stage and has not ended. One that was used in what is now the future ends:
    /// the clock was wrong then or is now, and it would live until that day.
    #[must_use]
    pub fn is_alive(&self, stage: Stage, at: Timestamp) -> bool {
        let is_known = self.seen <= at.plus_seconds(CLOCK_BACK_S);
        self.stage == stage && is_known && at < self.ends && at < self.seen.plus_seconds(IDLE_S)
    }

    fn id(&self) -> String {
        self.digest.chars().take(16).collect()
    }

    fn view(&self, own: Option<&str>) -> SessionView {
        SessionView {
            id: self.id(),
            created: self.created,
            seen: self.seen,
            browser: self.browser.clone(),
            address: self.address.clone(),
            is_this: own == Some(&self.digest),
        }
    }
}

impl SessionSecret {
    /// From 32 random bytes.
    #[must_use]
    pub const fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        let mut bytes = [0; 32];
        (lower && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(Self(bytes))
    }

    /// What the cookie holds.
    #[must_use]
    pub fn reveal(&self) -> String {
        hex::encode(self.0)
    }

    /// What is stored.
    #[must_use]
    pub fn digest(&self) -> String {
        Sha256Digest::of(&self.0).to_string()
    }

    /// What every form of the session carries: drawn from the secret, so that nothing more is stored
    /// and a stolen database opens no form.
    #[must_use]
    pub fn form_token(&self) -> String {
        let mixed = [b"patchward form token v1|".as_slice(), &self.0].concat();
        Sha256Digest::of(&mixed).to_string().chars().take(32).collect()
    }
}

impl fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(stage: Stage) -> Session {
        let secret = SessionSecret::from_random([1; 32]);
        let at = Timestamp::from_millis(1_000_000);
        Session::new(AccountId(1), stage, &secret, &Browser::default(), at)
    }

    #[test]
    fn a_session_ends_when_it_is_idle_and_when_it_is_old() {
        let mut session = session(Stage::Full);
        let after = |seconds| session.created.plus_seconds(seconds);
        assert!(session.is_alive(Stage::Full, after(IDLE_S - 1)));
        assert!(!session.is_alive(Stage::Full, after(IDLE_S)));
        let (last, over) = (after(LIFE_S - 1), after(LIFE_S));
        session.seen = last;
        assert!(session.is_alive(Stage::Full, last));
        assert!(!session.is_alive(Stage::Full, over));
    }

    #[test]
    fn a_session_of_a_clock_that_ran_ahead_ends_when_the_clock_is_right_again() {
        let session = session(Stage::Full);
        let before = |seconds: i64| session.created.plus_seconds(-seconds);
        assert!(session.is_alive(Stage::Full, before(CLOCK_BACK_S)));
        assert!(!session.is_alive(Stage::Full, before(CLOCK_BACK_S + 1)), "a day, or years");
    }

    #[test]
    fn half_signed_in_is_not_signed_in() {
        let half = session(Stage::Second);
        assert!(half.is_alive(Stage::Second, half.created));
        assert!(!half.is_alive(Stage::Full, half.created));
        assert!(!half.is_alive(Stage::Second, half.created.plus_seconds(SECOND_S)));
    }

    #[test]
    fn the_form_token_and_the_digest_tell_nothing_of_each_other() {
        let secret = SessionSecret::from_random([5; 32]);
        assert_eq!(SessionSecret::read(&secret.reveal()).unwrap().digest(), secret.digest());
        assert_eq!(secret.form_token().len(), 32);
        assert!(!secret.digest().contains(&secret.form_token()));
        assert!(!secret.reveal().contains(&secret.form_token()));
        for bad in ["", "00", &"0F".repeat(32), &"0g".repeat(32)] {
            assert!(SessionSecret::read(bad).is_none());
        }
    }

    #[test]
    fn the_cookie_is_bound_to_the_host_unless_plain_http_is_configured() {
        let plain = Config::default();
        assert_eq!(cookie_name(&plain), "patchward");
        let url = Some("https://patchward.example".to_owned());
        let behind = Config { public_url: url, ..Config::default() };
        assert_eq!(cookie_name(&behind), "__Host-patchward");
    }
}
