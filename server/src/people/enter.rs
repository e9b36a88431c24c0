//! Signing in: the password, then the second factor; each step begins another session.
//!
//! A name that nobody has, a wrong password and a disabled account get one answer after the same work.
//! Not here: setting up the second factor ([`super::second`]), passkeys ([`super::enter_passkey`]).
//! Invariant: nobody is signed in by a password alone.

use super::account::Account;
use super::demo;
use super::name::LoginName;
use super::one_time::{self, OneTime};
use super::password::Password;
use super::session::{self, Session, SessionSecret, Stage};
use super::tries::{self, Buckets, Knock};
use super::vault::Use;
use super::who::{AccountId, Language, Who};
use crate::app::App;
use crate::clock::random;
use crate::db::act::{self, Act};
use crate::db::{self, Connection, DbError};
use crate::error::ApiError;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::time::Timestamp;
use serde_json::json;

/// What acts about accounts themselves are about.
pub(super) const SCOPE: &str = "server";

/// The password was right.
#[derive(Debug)]
pub struct Half {
    /// For the cookie: opens the second step and nothing else.
    pub secret: SessionSecret,
    /// Whether a second factor must be set up first.
    pub next: Next,
}

/// What comes after the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A code.
    Code,
    /// Setting up the second factor.
    Enrol,
}

/// Somebody is in.
#[derive(Debug)]
pub struct In {
    /// For the session's cookie.
    pub secret: SessionSecret,
    /// For the cookie of a known browser.
    pub known: String,
    /// In which language they read.
    pub language: Language,
}

/// How somebody proved who they are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Method {
    Code,
    Recovery,
    Passkey,
    Enrolment,
}

/// Tries name and password.
///
/// # Errors
/// `login_failed`, `login_delayed`, `busy`, or a failure of ours.
pub async fn password(
    app: &App,
    knock: &Knock,
    login: &str,
    password: Password,
) -> Result<Half, ApiError> {
    let at = app.clock.now();
    let name = LoginName::read(login).ok();
    let typed: String = login.trim().chars().take(100).collect();
    let (vault, knocked) = (std::sync::Arc::clone(&app.people.vault), knock.clone());
    let (found, buckets, counted) = app
        .db
        .write(move |conn| {
            let found = name.map_or(Ok(None), |name| db::account::find_login(conn, &name))?;
            let whose = (typed.as_str(), found.as_ref().map(|account| account.id));
            let buckets = Buckets::password(&vault, &knocked, whose, at);
            let counted = tries::count(conn, &buckets, at)?;
            Ok::<_, DbError>((found, buckets, counted))
        })
        .await?;
    counted.map_err(tries::delayed)?;
    let stored = found.as_ref().map(|account| account.password.clone());
    let is_right = app.people.hasher.verify(password, stored).await?;
    let account = found.filter(|account| is_right && account.disabled.is_none());
    let account = account.ok_or_else(|| ApiError::of(ErrorCode::LoginFailed))?;
    demo::refuse(app, &account)?;
    let next = if account.second.is_some() { Next::Code } else { Next::Enrol };
    if next == Next::Enrol && account.enrol_until <= at {
        return Err(ApiError::of(ErrorCode::EnrolmentOver));
    }
    let secret = SessionSecret::from_random(random(app.rng.as_ref())?);
    let session = Session::new(account.id, Stage::Second, &secret, &knock.browser, at);
    let held = held(knock);
    app.db
        .write(move |conn| {
            let now = db::account::find(conn, account.id)?;
            let same = |now: &Account| now.disabled.is_none() && now.password == account.password;
            if !now.as_ref().is_some_and(same) {
                return Err(ApiError::of(ErrorCode::LoginFailed));
            }
            tries::forgive(conn, &buckets)?;
            held.map_or(Ok(false), |digest| db::session::delete(conn, &digest))?;
            Ok(session::begin(conn, &session, at)?)
        })
        .await?;
    Ok(Half { secret, next })
}

/// Tries the code of the second factor, or a recovery code.
///
/// # Errors
/// `code_wrong`, `login_delayed`, `sign_in_over`, or a failure of ours.
pub async fn code(app: &App, knock: &Knock, code: &str) -> Result<In, ApiError> {
    let at = app.clock.now();
    let (account, buckets, half) = half(app, knock, at).await?;
    let sealed = account.second.clone().ok_or_else(|| ApiError::of(ErrorCode::SignInOver))?;
    let vault = &app.people.vault;
    let text = vault.open((Use::Second, account.id), &sealed).map_err(ApiError::failed)?;
    let shared = OneTime::read(&text).map_err(ApiError::failed)?;
    let step = shared.step(code, at, account.second_step);
    let recovery = one_time::recovery_code(code).map(|code| vault.code(account.id, &code));
    let entrance = Entrance::new(app, knock, account, at)?;
    app.db
        .write(move |conn| {
            let id = entrance.account.id;
            let method = match (step, recovery) {
                (Some(step), _) if db::account::take_step(conn, id, step)? => Method::Code,
                (None, Some(digest)) if db::account::use_code(conn, id, &digest, at)? => {
                    Method::Recovery
                }
                _ => return Err(ApiError::of(ErrorCode::CodeWrong)),
            };
            tries::forgive(conn, &buckets)?;
            db::session::delete(conn, &half.digest)?;
            entrance.open(conn, method)
        })
        .await
}

/// The account of a half session whose code is tried now: the try is counted.
pub(super) async fn half(
    app: &App,
    knock: &Knock,
    at: Timestamp,
) -> Result<(Account, Buckets, Session), ApiError> {
    let over = || ApiError::of(ErrorCode::SignInOver);
    let digest = held(knock).ok_or_else(over)?;
    let (vault, knocked) = (std::sync::Arc::clone(&app.people.vault), knock.clone());
    let found = app.db.write(move |conn| {
        let Some(session) = session::find(conn, &digest, Stage::Second, at)? else {
            return Ok(None);
        };
        let account = db::account::find(conn, session.account)?;
        let Some(account) = account.filter(|account| account.disabled.is_none()) else {
            return Ok(None);
        };
        let buckets = Buckets::second(&vault, &knocked, account.id, at);
        let counted = tries::count(conn, &buckets, at)?;
        Ok::<_, DbError>(Some((account, buckets, session, counted)))
    });
    let (account, buckets, session, counted) = found.await?.ok_or_else(over)?;
    counted.map_err(tries::delayed)?;
    Ok((account, buckets, session))
}

/// Asks again for the password of somebody who is signed in, before something that a stolen session
/// must not do.
///
/// # Errors
/// `login_failed`, `login_delayed`, `busy`, or a failure of ours.
pub async fn confirm(
    app: &App,
    knock: &Knock,
    who: &Who,
    password: Password,
) -> Result<Account, ApiError> {
    verify(app, knock, who.account, password).await
}

/// Tries the password of an account that is known already.
pub(super) async fn verify(
    app: &App,
    knock: &Knock,
    id: AccountId,
    password: Password,
) -> Result<Account, ApiError> {
    let at = app.clock.now();
    let (vault, knocked) = (std::sync::Arc::clone(&app.people.vault), knock.clone());
    let (found, buckets, counted) = app
        .db
        .write(move |conn| {
            let buckets = Buckets::password(&vault, &knocked, ("", Some(id)), at);
            let counted = tries::count(conn, &buckets, at)?;
            Ok::<_, DbError>((db::account::find(conn, id)?, buckets, counted))
        })
        .await?;
    counted.map_err(tries::delayed)?;
    let stored = found.as_ref().map(|account| account.password.clone());
    let is_right = app.people.hasher.verify(password, stored).await?;
    let account = found.filter(|account| is_right && account.disabled.is_none());
    let account = account.ok_or_else(|| ApiError::of(ErrorCode::LoginFailed))?;
    demo::refuse(app, &account)?;
    app.db.write(move |conn| tries::forgive(conn, &buckets)).await?;
    Ok(account)
}

/// Asks again for the password and a one-time code of somebody who is signed in, before the server
/// signs with a key of theirs. A recovery code is not taken: it would be spent on a signature.
///
/// # Errors
/// `login_failed`, `code_wrong`, `login_delayed`, `busy`, or a failure of ours.
pub async fn confirm_both(
    app: &App,
    knock: &Knock,
    who: &Who,
    password: Password,
    code: &str,
) -> Result<Account, ApiError> {
    let account = confirm(app, knock, who, password).await?;
    let (at, id) = (app.clock.now(), account.id);
    let (vault, knocked) = (std::sync::Arc::clone(&app.people.vault), knock.clone());
    let (buckets, counted) = app
        .db
        .write(move |conn| {
            let buckets = Buckets::second(&vault, &knocked, id, at);
            let counted = tries::count(conn, &buckets, at)?;
            Ok::<_, DbError>((buckets, counted))
        })
        .await?;
    counted.map_err(tries::delayed)?;
    let wrong = || ApiError::of(ErrorCode::CodeWrong);
    let sealed = account.second.as_ref().ok_or_else(wrong)?;
    let text = app.people.vault.open((Use::Second, id), sealed).map_err(ApiError::failed)?;
    let shared = OneTime::read(&text).map_err(ApiError::failed)?;
    let step = shared.step(code, at, account.second_step).ok_or_else(wrong)?;
    let taken = app.db.write(move |conn| {
        let taken = db::account::take_step(conn, id, step)?;
        if taken {
            tries::forgive(conn, &buckets)?;
        }
        Ok::<_, DbError>(taken)
    });
    if taken.await? { Ok(account) } else { Err(wrong()) }
}

/// Everything that is needed to let somebody in, drawn before the transaction.
pub(super) struct Entrance {
    pub(super) account: Account,
    pub(super) session: Session,
    secret: SessionSecret,
    known: String,
    held: Option<String>,
    at: Timestamp,
}

impl Entrance {
    pub(super) fn new(
        app: &App,
        knock: &Knock,
        account: Account,
        at: Timestamp,
    ) -> Result<Self, ApiError> {
        let secret = SessionSecret::from_random(random(app.rng.as_ref())?);
        let session = Session::new(account.id, Stage::Full, &secret, &knock.browser, at);
        let known = tries::known(&app.people.vault, app.rng.as_ref(), account.id, at)?;
        Ok(Self { account, session, secret, known, held: held(knock), at })
    }

    /// Begins the session; the one of before ends. What was read of the account before must still be
    /// so: who was disabled, or whose password or second factor was changed meanwhile, begins again.
    pub(super) fn open(self, conn: &mut Connection, method: Method) -> Result<In, ApiError> {
        let Self { account, session, secret, known, held, at } = self;
        let now = db::account::find(conn, account.id)?;
        let unchanged = |now: &Account| {
            let kept = match method {
                Method::Code | Method::Recovery => now.second == account.second,
                Method::Passkey | Method::Enrolment => true,
            };
            now.disabled.is_none() && now.password == account.password && kept
        };
        if !now.as_ref().is_some_and(unchanged) {
            return Err(ApiError::of(ErrorCode::SignInOver));
        }
        held.map_or(Ok(false), |digest| db::session::delete(conn, &digest))?;
        session::begin(conn, &session, at)?;
        let detail = json!({ "method": method.word() });
        act::append(conn, &about(&account.login, "sign-in", detail, at))?;
        Ok(In { secret, known, language: account.language })
    }
}

/// An act of an account about itself.
pub(super) fn about(
    login: &LoginName,
    act: &'static str,
    detail: serde_json::Value,
    at: Timestamp,
) -> Act {
    Act { at, scope: SCOPE.to_owned(), who: format!("account:{login}"), act, detail }
}

/// Digest of the session that the browser holds.
pub(super) fn held(knock: &Knock) -> Option<String> {
    knock.held.as_deref().and_then(SessionSecret::read).map(|secret| secret.digest())
}

/// The account of a half session, for the page of the second step; nothing is counted.
///
/// # Errors
/// Failures of the database.
pub async fn half_of(app: &App, knock: &Knock) -> Result<Option<(AccountId, Next)>, ApiError> {
    let (at, Some(digest)) = (app.clock.now(), held(knock)) else { return Ok(None) };
    let found = app.db.read(move |conn| {
        let Some(session) = session::find(conn, &digest, Stage::Second, at)? else {
            return Ok(None);
        };
        let account = db::account::find(conn, session.account)?;
        Ok::<_, DbError>(account.filter(|account| account.disabled.is_none()))
    });
    let next = |account: Account| {
        let next = if account.second.is_some() { Next::Code } else { Next::Enrol };
        (account.id, next)
    };
    Ok(found.await?.map(next))
}

impl Method {
    const fn word(self) -> &'static str {
        match self {
            Self::Code => "password and code",
            Self::Recovery => "password and recovery code",
            Self::Passkey => "passkey",
            Self::Enrolment => "password, second factor set up",
        }
    }
}
