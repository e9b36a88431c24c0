//! Accounts are disabled, let in again, and get another second factor, by those who administer them.
//!
//! The same functions serve pages and the operator's command line. Everybody at the account's places
//! gets a notice, and the account too. Not here: rules ([`super::duty`]), following the link
//! ([`super::accept`]). Invariant: whoever is disabled has no session, no API token and no open link from
//! the same transaction on; nobody does it to themselves; a place keeps an administrator.

use super::account::Account;
use super::duty;
use super::invite::{self, NewLink};
use super::name::Reason;
use super::role::{Grant, Place};
use super::roster::{self, Doer, Roster, enabled, member, read};
use super::who::{AccountId, Who};
use crate::app::App;
use crate::db::{self, Connection, DbError, act};
use crate::error::ApiError;
use crate::notify::raise::{self, Matter, Rules};
use crate::notify::subject::{Severity, Subject, Turn};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::id::{PersonId, SiteId};
use patchward_protocol::time::Timestamp;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Somebody at a site whose account is disabled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// Printed name.
    pub name: String,
    /// Which person of the site's root it is.
    pub person: Option<PersonId>,
    /// Since when.
    pub since: Timestamp,
}

/// Who disabled an account, and why.
pub type Reasons = HashMap<AccountId, (String, String)>;

/// By whom and why the disabled ones among these people are.
///
/// # Errors
/// A failure of ours.
pub async fn reasons(app: &App, roster: &Roster) -> Result<Reasons, ApiError> {
    let disabled = roster.members.iter().filter(|member| member.account.disabled.is_some());
    let ids: Vec<_> = disabled.map(|member| member.account.id).collect();
    let read = app.db.read(move |conn| {
        let mut all = Reasons::new();
        for id in ids {
            all.extend(db::account::disabled_by(conn, id)?.map(|said| (id, said)));
        }
        Ok::<_, DbError>(all)
    });
    Ok(read.await?)
}

/// Disables an account of a place, for a reason.
///
/// # Errors
/// `not_found`, `account_own`, `account_elsewhere`, `grant_last`, or a failure of ours.
pub async fn disable(
    app: &App,
    who: &Who,
    (place, account): (Place, AccountId),
    why: Reason,
) -> Result<(), ApiError> {
    let (doer, rules) = hands(app, who, &place)?;
    let own = who.grants.clone();
    let disabled = app.db.write(move |conn| {
        let account = closable(conn, &doer, &own, (account, &place))?;
        disable_in(conn, &rules, &doer, (&account, &why))
    });
    disabled.await?;
    app.notices.ring();
    Ok(())
}

/// Lets a disabled account of a place in again, with the roles that it had.
///
/// # Errors
/// `not_found`, `account_own`, `account_elsewhere`, or a failure of ours.
pub async fn enable(
    app: &App,
    who: &Who,
    (place, account): (Place, AccountId),
) -> Result<(), ApiError> {
    let (doer, rules) = hands(app, who, &place)?;
    let own = who.grants.clone();
    let enabled = app.db.write(move |conn| {
        let account = closable(conn, &doer, &own, (account, &place))?;
        enable_in(conn, &rules, &doer, &account)
    });
    enabled.await?;
    app.notices.ring();
    Ok(())
}

/// Takes the second factor of an account of a place away; the link sets up another one, together with
/// the password.
///
/// # Errors
/// `not_found`, also for a disabled account, `account_own`, `account_elsewhere`, or a failure of ours.
pub async fn reset_second(
    app: &App,
    who: &Who,
    (place, account): (Place, AccountId),
) -> Result<NewLink, ApiError> {
    let (doer, rules) = hands(app, who, &place)?;
    let own = who.grants.clone();
    let (ticket, id) = invite::draw(app.rng.as_ref())?;
    let expires = doer.at.plus_seconds(super::invitation::INVITATION_S);
    let digest = ticket.digest();
    let reset = app.db.write(move |conn| {
        let account = closable(conn, &doer, &own, (account, &place))?;
        if account.disabled.is_some() {
            return Err(ApiError::of(ErrorCode::NotFound));
        }
        reset_second_in(conn, &rules, &doer, &account, (id, digest))
    });
    reset.await?;
    app.notices.ring();
    Ok(NewLink { ticket, expires })
}

/// Who of a site is disabled, for pages that show what they did.
///
/// # Errors
/// A failure of ours.
pub async fn gone(app: &App, site: SiteId) -> Result<Vec<Gone>, ApiError> {
    let members = app.db.read(move |conn| read(conn, &Place::Site(site))).await?.members;
    let gone = members.into_iter().filter_map(|member| {
        let since = member.account.disabled?;
        Some(Gone { name: member.account.name.to_string(), person: member.person, since })
    });
    Ok(gone.collect())
}

/// Disables an account, in a transaction: its sessions, its open links and its API tokens end. Each
/// place learns of it.
///
/// # Errors
/// `grant_own`, `grant_last`, or a failure of ours.
pub fn disable_in(
    conn: &mut Connection,
    rules: &Rules,
    doer: &Doer,
    (account, why): (&Account, &Reason),
) -> Result<(), ApiError> {
    let grants = db::grant::of(conn, account.id)?;
    for grant in &grants {
        let members = enabled(&read(conn, &grant.place())?.members);
        duty::may_take(doer.hand, account.id, grant, &members).map_err(ApiError::of)?;
    }
    db::account::disable(conn, account.id, doer.at, (&doer.by, why.as_str()))?;
    db::session::delete_others(conn, account.id, "")?;
    db::invitation::revoke_all(conn, account.id, doer.at)?;
    let tokens = roster::tokens_end(conn, doer, account.id, |_| true)?;
    let more = [("reason", Value::from(why.as_str())), ("tokens", Value::from(tokens))];
    tell(conn, rules, doer, (account, &grants, Turn::Disabled), &more)
}

/// Lets a disabled account in again, in a transaction.
///
/// # Errors
/// A failure of ours.
pub fn enable_in(
    conn: &mut Connection,
    rules: &Rules,
    doer: &Doer,
    account: &Account,
) -> Result<(), ApiError> {
    let grants = db::grant::of(conn, account.id)?;
    db::account::enable(conn, account.id)?;
    tell(conn, rules, doer, (account, &grants, Turn::Enabled), &[])
}

/// Takes the second factor, the recovery codes and the passkeys away, in a transaction, and stores the
/// link by which another one is set up. Sessions end.
///
/// # Errors
/// A failure of ours.
pub fn reset_second_in(
    conn: &mut Connection,
    rules: &Rules,
    doer: &Doer,
    account: &Account,
    (id, digest): (String, String),
) -> Result<(), ApiError> {
    let grants = db::grant::of(conn, account.id)?;
    db::account::set_second(conn, account.id, None, account.second_step)?;
    // From now on the password alone sets up nothing.
    db::account::set_enrol_until(conn, account.id, doer.at)?;
    db::account::set_codes(conn, account.id, &[])?;
    db::passkey::delete_all(conn, account.id)?;
    db::session::delete_others(conn, account.id, "")?;
    db::invitation::revoke_second(conn, account.id, doer.at)?;
    invite::store_second(conn, doer, account, (id.clone(), digest))?;
    let more = [("invitation", Value::from(id))];
    tell(conn, rules, doer, (account, &grants, Turn::SecondReset), &more)
}

fn hands(app: &App, who: &Who, place: &Place) -> Result<(Doer, Rules), ApiError> {
    let administers = |grant: &Grant| grant.administers() && grant.place() == *place;
    if !who.grants.iter().any(administers) {
        return Err(ApiError::of(ErrorCode::NotFound));
    }
    Ok((Doer::person(who, app.clock.now()), Rules::of(&app.config.notify)))
}

/// An account of the place that the doer may close.
fn closable(
    conn: &mut Connection,
    doer: &Doer,
    own: &[Grant],
    (account, place): (AccountId, &Place),
) -> Result<Account, ApiError> {
    let account = member(conn, account, place)?;
    let held = db::grant::of(conn, account.id)?;
    duty::may_close(doer.hand, own, account.id, &held).map_err(ApiError::of)?;
    Ok(account)
}

/// Writes a change of an account down at each of its places, or at the server when it has none, and
/// raises a notice there.
fn tell(
    conn: &mut Connection,
    rules: &Rules,
    doer: &Doer,
    (account, grants, turn): (&Account, &[Grant], Turn),
    more: &[(&str, Value)],
) -> Result<(), ApiError> {
    let mut places: Vec<_> = grants.iter().map(Grant::place).collect();
    places.sort();
    places.dedup();
    if places.is_empty() {
        places.push(Place::Server);
    }
    for place in places {
        let words = read(conn, &place)?.notices;
        let words: Vec<_> = words.iter().map(|notice| notice.word()).collect();
        let mut detail: Map<String, Value> =
            more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        detail.insert("account".to_owned(), Value::from(account.login.as_str()));
        detail.insert("notices".to_owned(), Value::from(words));
        act::append(conn, &doer.act(&place, turn.act(), Value::Object(detail)))?;
        let subject = Subject::Account {
            account: account.login.to_string(),
            turn,
            by: doer.by.clone(),
            at: doer.at,
        };
        let matter = Matter { place, subject, severity: Severity::Important, due: None };
        raise::raise(conn, rules, &matter, doer.at)?;
    }
    Ok(())
}
