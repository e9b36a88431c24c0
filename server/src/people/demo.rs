//! Accounts for demonstrations, with a password and a second factor that everybody knows.
//!
//! The command line makes them, by a verb that says `insecure`; a server that was not started with
//! `--demo` lets none of them in. Invariant: an account whose second factor is the public one is good in
//! demonstrations alone.

use super::account::Account;
use super::invite::Wish;
use super::name::LoginName;
use super::one_time::OneTime;
use super::password::{COST, Password, hash_now};
use super::role::Grant;
use super::roster::{self, Doer};
use super::vault::{Use, Vault};
use crate::app::{App, Mode};
use crate::clock::Rng;
use crate::db::{self, Connection};
use crate::error::ApiError;
use patchward_protocol::api::error::ErrorCode;

/// The password of every such account.
pub const PASSWORD: &str = "only for demonstrations";
/// The secret of their one-time codes, as an authenticator app takes it.
pub const SECRET: &str = "PATCHWARDDEMOPATCHWARDDEMOPATCHW";

/// Makes an account, or gives one that is there a role more.
///
/// # Errors
/// A rule of roles, or a failure of ours.
pub fn make(
    conn: &mut Connection,
    (vault, rng): (&Vault, &dyn Rng),
    doer: &Doer,
    login: &LoginName,
    wish: &Wish,
) -> Result<(), ApiError> {
    let found = db::account::find_login(conn, login)?;
    let account = match found {
        Some(account) => account,
        None => {
            let id = db::account::next_id(conn)?;
            let password = hash_now(vault, COST, &Password::typed(PASSWORD), rng)?;
            let second = vault.seal(rng, (Use::Second, id), SECRET).map_err(ApiError::failed)?;
            let account = Account {
                id,
                login: login.clone(),
                name: wish.name.clone(),
                title: wish.title.clone(),
                language: wish.language,
                password,
                second: Some(second),
                second_step: 0,
                enrol_until: doer.at,
                created: doer.at,
                disabled: None,
            };
            db::account::insert(conn, &account)?;
            account
        }
    };
    let held: Vec<Grant> = db::grant::of(conn, account.id)?;
    if !held.contains(&wish.grant) {
        roster::give_in(conn, doer, &account, &wish.grant)?;
    }
    roster::set_person(conn, account.id, &wish.grant.place(), wish.person.as_ref())
}

/// Refuses an account of a demonstration where this server is not one.
///
/// # Errors
/// `login_failed`, as for one that is not there.
pub(super) fn refuse(app: &App, account: &Account) -> Result<(), ApiError> {
    let Some(sealed) = &account.second else { return Ok(()) };
    let opened = app.people.vault.open((Use::Second, account.id), sealed);
    let text = opened.map_err(ApiError::failed)?;
    if app.mode == Mode::Production && text == SECRET {
        tracing::warn!(account.id = account.id.0, "An account of demonstrations was refused");
        return Err(ApiError::of(ErrorCode::LoginFailed));
    }
    Ok(())
}

/// The code of demonstrations at an instant.
#[must_use]
pub fn code(at: patchward_protocol::time::Timestamp) -> String {
    OneTime::read(SECRET).map(|shared| shared.code(at)).unwrap_or_default()
}
