//! Signing in by a passkey, and passkeys of one's own: made, listed, removed.
//!
//! A passkey with the person verified by their device stands for both factors. Not here: what an answer
//! must be ([`super::passkey`]). Invariant: an answer is taken once, and moves the passkey's counter.

use super::demo;
use super::enter::{self, Entrance, In, Method};
use super::passkey::challenge::Purpose;
use super::passkey::{Asserted, BadAnswer, Challenge, CredentialId, Made, Passkey, Site};
use super::password::Password;
use super::tries::{self, Buckets, Knock};
use super::who::Who;
use crate::app::App;
use crate::db::act;
use crate::db::{self, DbError};
use crate::error::ApiError;
use patchward_protocol::api::error::ErrorCode;
use serde_json::json;

/// Most passkeys of an account.
const PASSKEYS_MAX: usize = 20;
/// Most characters of what its owner calls a passkey.
const LABEL_CHARS_MAX: usize = 60;

/// For which address passkeys are; nothing where they cannot work.
#[must_use]
pub fn site(app: &App) -> Option<Site> {
    app.address.get().and_then(|address| Site::of(&address.url))
}

/// A challenge for signing in.
///
/// # Errors
/// A failure of ours.
pub fn ask(app: &App) -> Result<Challenge, ApiError> {
    let at = app.clock.now();
    Ok(Challenge::draw(&app.people.vault, app.rng.as_ref(), Purpose::SignIn, at)?)
}

/// A challenge for a new passkey of a session.
///
/// # Errors
/// A failure of ours.
pub fn ask_to_make(app: &App, who: &Who) -> Result<Challenge, ApiError> {
    let (at, purpose) = (app.clock.now(), Purpose::Register(&who.form_token));
    Ok(Challenge::draw(&app.people.vault, app.rng.as_ref(), purpose, at)?)
}

/// Somebody signs in by a passkey.
///
/// # Errors
/// `passkey_refused`, `login_delayed`, or a failure of ours.
pub async fn enter(app: &App, knock: &Knock, answer: Asserted<'_>) -> Result<In, ApiError> {
    let at = app.clock.now();
    let buckets = Buckets::address(knock);
    let site = site(app).ok_or_else(|| ApiError::of(ErrorCode::PasskeyRefused))?;
    let id = answer.credential().map_err(refused)?;
    let counting = buckets.clone();
    let (counted, found) = app
        .db
        .write(move |conn| {
            let counted = tries::count(conn, &counting, at)?;
            let passkey = db::passkey::find(conn, &id)?;
            let account = match &passkey {
                Some(passkey) => db::account::find(conn, passkey.account)?,
                None => None,
            };
            Ok::<_, DbError>((counted, passkey.zip(account)))
        })
        .await?;
    counted.map_err(tries::delayed)?;
    let found = found.filter(|(_, account)| account.disabled.is_none());
    let (passkey, account) = found.ok_or_else(|| ApiError::of(ErrorCode::PasskeyRefused))?;
    demo::refuse(app, &account)?;
    let text = answer.challenge(&site).map_err(refused)?;
    let vault = &app.people.vault;
    let challenge = Challenge::read(vault, Purpose::SignIn, &text, at);
    let challenge = challenge.ok_or_else(|| ApiError::of(ErrorCode::PasskeyRefused))?;
    let counter = answer.check(&site, &text, &passkey).map_err(|bad| {
        if bad == BadAnswer::Counter {
            tracing::warn!(account.id = passkey.account.0, "A passkey's counter did not rise");
        }
        refused(bad)
    })?;
    let entrance = Entrance::new(app, knock, account, at)?;
    app.db
        .write(move |conn| {
            let (digest, ends) = (challenge.digest(), challenge.ends());
            let taken = db::passkey::take_challenge(conn, &digest, ends, at)?
                && db::passkey::see(conn, &passkey, counter, at)?;
            if !taken {
                return Err(ApiError::of(ErrorCode::PasskeyRefused));
            }
            tries::forgive(conn, &buckets)?;
            entrance.open(conn, Method::Passkey)
        })
        .await
}

/// Adds a passkey to the account of somebody who gives the password again.
///
/// # Errors
/// `passkey_refused`, `login_failed`, `login_delayed`, or a failure of ours.
pub async fn add(
    app: &App,
    knock: &Knock,
    who: &Who,
    (label, password): (&str, Password),
    made: Made<'_>,
) -> Result<(), ApiError> {
    let at = app.clock.now();
    let account = enter::confirm(app, knock, who, password).await?;
    let site = site(app).ok_or_else(|| ApiError::of(ErrorCode::PasskeyRefused))?;
    let text = made.challenge(&site).map_err(refused)?;
    let purpose = Purpose::Register(&who.form_token);
    let challenge = Challenge::read(&app.people.vault, purpose, &text, at);
    let challenge = challenge.ok_or_else(|| ApiError::of(ErrorCode::PasskeyRefused))?;
    let (id, key, counter) = made.check(&site, &text).map_err(refused)?;
    let label: String = label.trim().chars().filter(|c| !c.is_control()).collect();
    let label: String = label.chars().take(LABEL_CHARS_MAX).collect();
    let label = if label.is_empty() { key.algorithm().word().to_owned() } else { label };
    let passkey = Passkey { id, account: account.id, label, key, counter, created: at, used: None };
    app.db
        .write(move |conn| {
            let (digest, ends) = (challenge.digest(), challenge.ends());
            let good = db::passkey::take_challenge(conn, &digest, ends, at)?
                && db::passkey::find(conn, &passkey.id)?.is_none()
                && db::passkey::of(conn, account.id)?.len() < PASSKEYS_MAX;
            if !good {
                return Err(ApiError::of(ErrorCode::PasskeyRefused));
            }
            db::passkey::insert(conn, &passkey)?;
            let detail = json!({ "passkey": passkey.label });
            Ok(act::append(conn, &enter::about(&account.login, "add-passkey", detail, at))?)
        })
        .await
}

/// The passkeys of somebody.
///
/// # Errors
/// A failure of ours.
pub async fn list(app: &App, who: &Who) -> Result<Vec<Passkey>, ApiError> {
    let account = who.account;
    Ok(app.db.read(move |conn| db::passkey::of(conn, account)).await?)
}

/// Removes a passkey of one's own.
///
/// # Errors
/// `not_found`, or a failure of ours.
pub async fn remove(app: &App, who: &Who, id: &str) -> Result<(), ApiError> {
    let at = app.clock.now();
    let missing = || ApiError::of(ErrorCode::NotFound);
    let id: CredentialId = id.parse().map_err(|_| missing())?;
    let (account, by) = (who.account, who.by());
    app.db
        .write(move |conn| {
            if !db::passkey::delete(conn, account, &id)? {
                return Err(missing());
            }
            let detail = json!({});
            let act = act::Act {
                at,
                scope: enter::SCOPE.to_owned(),
                who: by,
                act: "remove-passkey",
                detail,
            };
            Ok(act::append(conn, &act)?)
        })
        .await
}

/// The reason goes to the log; whoever knocks is told one thing only.
fn refused(bad: BadAnswer) -> ApiError {
    tracing::info!(reason = %crate::error::Chain(&bad), "A passkey's answer was refused");
    ApiError::of(ErrorCode::PasskeyRefused)
}
