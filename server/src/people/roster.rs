//! Who belongs to a place with which roles: listed, given, taken away.
//!
//! The same functions serve pages and the operator's command line: they work in a transaction, ask the
//! rules of [`super::duty`], and write down what was done, for a site in its record too. A role that is
//! given or taken in the console comes up as a notice.
//! Not here: invitations ([`super::invite`]), disabling accounts ([`super::closing`]). Invariant: a change
//! of roles that breaks a rule leaves no trace, and who administers a place no more keeps no API token.

use super::account::Account;
use super::duty::{self, Hand, Notice};
use super::role::{Grant, Place, SitePower};
use super::who::{AccountId, Who};
use crate::app::App;
use crate::auth::place_token;
use crate::db::act::{self, Act};
use crate::db::{self, Connection, DbError};
use crate::error::ApiError;
use crate::notify::raise::{self, Matter, Rules};
use crate::notify::subject::{RoleTurn, Severity, Subject};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::token::Scope;
use patchward_protocol::id::PersonId;
use patchward_protocol::time::Timestamp;
use serde_json::{Value, json};

/// Who does it, as rules and records need it.
#[derive(Debug, Clone)]
pub struct Doer {
    /// For the rules.
    pub hand: Hand,
    /// For the record.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Somebody with their roles at a place.
#[derive(Debug, Clone)]
pub struct Member {
    /// The account.
    pub account: Account,
    /// Which person of the site's root it is.
    pub person: Option<PersonId>,
    /// Roles at this place, sorted.
    pub grants: Vec<Grant>,
}

/// Everybody at a place.
#[derive(Debug, Clone)]
pub struct Roster {
    /// By login name.
    pub members: Vec<Member>,
    /// What everybody there must know.
    pub notices: Vec<Notice>,
}

impl Doer {
    /// A person in the console.
    #[must_use]
    pub fn person(who: &Who, at: Timestamp) -> Self {
        Self { hand: Hand::Account(who.account), by: who.by(), at }
    }

    /// Whoever runs the server, at its command line.
    #[must_use]
    pub fn operator(at: Timestamp) -> Self {
        Self { hand: Hand::CommandLine, by: "operator".to_owned(), at }
    }

    pub(super) fn act(&self, place: &Place, act: &'static str, detail: Value) -> Act {
        Act { at: self.at, scope: place.to_string(), who: self.by.clone(), act, detail }
    }
}

/// Whether somebody changes people at a place. Who runs the server may give a hospital and a
/// manufacturer an administrator, and nothing else there.
#[must_use]
pub fn may_change(who: &Who, grant: &Grant) -> bool {
    gives(&who.grants, grant)
}

/// [`may_change`] for somebody with these roles.
#[must_use]
pub fn gives(held: &[Grant], grant: &Grant) -> bool {
    let runs = held.contains(&Grant::Operator);
    let place = grant.place();
    let administers = held.iter().any(|own| own.administers() && own.place() == place);
    administers || (runs && grant.administers())
}

/// Everybody at a place.
///
/// # Errors
/// A failure of ours.
pub async fn list(app: &App, place: Place) -> Result<Roster, ApiError> {
    Ok(app.db.read(move |conn| read(conn, &place)).await?)
}

/// Gives a role to an account that belongs to the place already.
///
/// # Errors
/// `not_found`, a rule of [`duty`], or a failure of ours.
pub async fn give(app: &App, who: &Who, account: AccountId, grant: Grant) -> Result<(), ApiError> {
    change(app, who, (account, grant), RoleTurn::Given).await
}

/// Takes a role away.
///
/// # Errors
/// `not_found`, a rule of [`duty`], or a failure of ours.
pub async fn take(app: &App, who: &Who, account: AccountId, grant: Grant) -> Result<(), ApiError> {
    change(app, who, (account, grant), RoleTurn::Taken).await
}

/// Changes a role of an account that belongs to the place, when `who` may.
async fn change(
    app: &App,
    who: &Who,
    (account, grant): (AccountId, Grant),
    turn: RoleTurn,
) -> Result<(), ApiError> {
    let (doer, rules) = (Doer::person(who, app.clock.now()), Rules::of(&app.config.notify));
    if !may_change(who, &grant) {
        return Err(ApiError::of(ErrorCode::NotFound));
    }
    let changed = app.db.write(move |conn| {
        let account = member(conn, account, &grant.place())?;
        match turn {
            RoleTurn::Given => give_in(conn, &doer, &account, &grant)?,
            RoleTurn::Taken => take_in(conn, &doer, &account, &grant)?,
        }
        raise_role(conn, &rules, &doer, (&account, &grant, turn))
    });
    changed.await?;
    app.notices.ring();
    Ok(())
}

/// Says which person of a site's root a member is.
///
/// # Errors
/// `not_found`, `grant_own`, `person_taken`, or a failure of ours.
pub async fn name_person(
    app: &App,
    who: &Who,
    (account, place): (AccountId, Place),
    person: Option<PersonId>,
) -> Result<(), ApiError> {
    let doer = Doer::person(who, app.clock.now());
    let Place::Site(site) = place.clone() else { return Err(ApiError::of(ErrorCode::NotFound)) };
    if !who.may_at(&site, SitePower::Administer) {
        return Err(ApiError::of(ErrorCode::NotFound));
    }
    if who.account == account {
        return Err(ApiError::of(ErrorCode::GrantOwn));
    }
    app.db
        .write(move |conn| {
            let account = member(conn, account, &place)?;
            set_person(conn, account.id, &place, person.as_ref())?;
            let detail = json!({ "account": account.login.as_str(), "person": person });
            Ok(act::append(conn, &doer.act(&place, "name-person", detail))?)
        })
        .await
}

/// Everybody at a place, in a transaction.
///
/// # Errors
/// [`DbError`].
pub fn read(conn: &mut Connection, place: &Place) -> Result<Roster, DbError> {
    let held = db::grant::at(conn, place)?;
    let ids: Vec<_> = held.iter().map(|(account, _)| *account).collect();
    let mut members = Vec::new();
    for account in db::account::some(conn, &ids)? {
        let mine = held.iter().filter(|(id, _)| *id == account.id);
        let mut grants: Vec<_> = mine.map(|(_, grant)| grant.clone()).collect();
        grants.sort();
        let persons = db::account::persons(conn, account.id)?;
        let person = persons.into_iter().find(|(at, _)| *place == Place::Site(at.clone()));
        members.push(Member { person: person.map(|(_, person)| person), account, grants });
    }
    let enabled = enabled(&members);
    Ok(Roster { notices: duty::notices(&enabled), members })
}

/// Gives a role, in a transaction.
///
/// # Errors
/// A rule of [`duty`], or a failure of ours.
pub fn give_in(
    conn: &mut Connection,
    doer: &Doer,
    account: &Account,
    grant: &Grant,
) -> Result<(), ApiError> {
    let held = db::grant::of(conn, account.id)?;
    duty::may_give(doer.hand, account.id, &held, grant).map_err(ApiError::of)?;
    db::grant::insert(conn, account.id, grant, &doer.by, doer.at)?;
    told(conn, doer, account, (grant, RoleTurn::Given))
}

/// Takes a role away, in a transaction.
///
/// # Errors
/// `not_found`, a rule of [`duty`], or a failure of ours.
pub fn take_in(
    conn: &mut Connection,
    doer: &Doer,
    account: &Account,
    grant: &Grant,
) -> Result<(), ApiError> {
    let place = grant.place();
    let members = enabled(&read(conn, &place)?.members);
    duty::may_take(doer.hand, account.id, grant, &members).map_err(ApiError::of)?;
    if !db::grant::delete(conn, account.id, grant)? {
        return Err(ApiError::of(ErrorCode::NotFound));
    }
    let stays = db::grant::of(conn, account.id)?;
    let here = || stays.iter().filter(|held| held.place() == place);
    if here().next().is_none() {
        set_person(conn, account.id, &place, None)?;
    }
    if !here().any(Grant::administers) {
        tokens_end(conn, doer, account.id, |scope| place_token::is_of(scope, &place))?;
    }
    told(conn, doer, account, (grant, RoleTurn::Taken))
}

/// Says which person of a site an account is, in a transaction.
pub(super) fn set_person(
    conn: &mut Connection,
    account: AccountId,
    place: &Place,
    person: Option<&PersonId>,
) -> Result<(), ApiError> {
    let Place::Site(site) = place else { return Ok(()) };
    let holder = person.map_or(Ok(None), |person| db::account::of_person(conn, site, person))?;
    if holder.is_some_and(|holder| holder != account) {
        return Err(ApiError::of(ErrorCode::PersonTaken));
    }
    Ok(db::account::set_person(conn, account, site, person)?)
}

/// Revokes the API tokens that an account made and that `ended` names: who may not make one any more
/// keeps none. Each is written down at its place.
pub(super) fn tokens_end(
    conn: &mut Connection,
    doer: &Doer,
    account: AccountId,
    ended: impl Fn(&Scope) -> bool,
) -> Result<usize, DbError> {
    let mut count = 0_usize;
    for token in db::token::of_account(conn, account)? {
        if !ended(&token.scope) {
            continue;
        }
        db::token::revoke_api(conn, &token.id, doer.at)?;
        let place = place_token::place_of(&token.scope);
        let detail = json!({ "token": token.id, "because": "its maker administers no more" });
        act::append(conn, &doer.act(&place, "revoke-token", detail))?;
        count = count.saturating_add(1);
    }
    Ok(count)
}

/// An account, when it belongs to the place: who does not is not there.
pub(super) fn member(
    conn: &mut Connection,
    id: AccountId,
    place: &Place,
) -> Result<Account, ApiError> {
    let belongs = db::grant::of(conn, id)?.iter().any(|grant| grant.place() == *place);
    let account = db::account::find(conn, id)?.filter(|_| belongs);
    account.ok_or_else(|| ApiError::of(ErrorCode::NotFound))
}

pub(super) fn enabled(members: &[Member]) -> Vec<(AccountId, Grant)> {
    let enabled = members.iter().filter(|member| member.account.disabled.is_none());
    enabled
        .flat_map(|member| member.grants.iter().map(|grant| (member.account.id, grant.clone())))
        .collect()
}

/// Writes down a change of one role, with what everybody must know now.
fn told(
    conn: &mut Connection,
    doer: &Doer,
    account: &Account,
    (grant, turn): (&Grant, RoleTurn),
) -> Result<(), ApiError> {
    let place = grant.place();
    let notices = read(conn, &place)?.notices;
    let words: Vec<_> = notices.iter().map(|notice| notice.word()).collect();
    let detail = json!({
        "account": account.login.as_str(), "role": grant.word(), "notices": words,
    });
    Ok(act::append(conn, &doer.act(&place, turn.act(), detail))?)
}

/// Raises a notice at the place about a change of one role, for everybody there and for whom it
/// concerns; nothing where there is nobody else to tell.
pub(super) fn raise_role(
    conn: &mut Connection,
    rules: &Rules,
    doer: &Doer,
    (account, grant, turn): (&Account, &Grant, RoleTurn),
) -> Result<(), ApiError> {
    let place = grant.place();
    let held = db::grant::at(conn, &place)?;
    if held.iter().all(|(member, _)| *member == account.id) {
        return Ok(());
    }
    let (account, role) = (account.login.to_string(), grant.word().to_owned());
    let subject = Subject::Role { account, role, turn, by: doer.by.clone(), at: doer.at };
    let matter = Matter { place, subject, severity: Severity::Important, due: None };
    raise::raise(conn, rules, &matter, doer.at)?;
    Ok(())
}
