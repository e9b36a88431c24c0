//! One-time links are made, listed, taken back.
//!
//! Whoever makes one hands it over, on paper, by telephone or by mail; it is shown once. Not here: what
//! happens when it is followed ([`super::accept`]). Invariant: a link gives one role at one place, and
//! whoever makes it could give that role there.

use super::account::Account;
use super::duty::Hand;
use super::invitation::{FIRST_S, INVITATION_S, Invitation, Purpose, Ticket};
use super::name::Printed;
use super::role::{Grant, Place};
use super::roster::{self, Doer};
use super::who::{Language, Who};
use crate::app::App;
use crate::clock::{NoChance, Rng, random};
use crate::db::{self, Connection, DbError, act};
use crate::error::ApiError;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::id::PersonId;
use patchward_protocol::time::Timestamp;
use serde_json::json;

/// Whom to invite, as what.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The role and its place.
    pub grant: Grant,
    /// Which person of the site's root it will be.
    pub person: Option<PersonId>,
    /// Printed name.
    pub name: Printed,
    /// Role in words.
    pub title: Printed,
    /// In which language they are addressed.
    pub language: Language,
}

/// A link that was made; its secret is shown this once.
#[derive(Debug)]
pub struct NewLink {
    /// The secret.
    pub ticket: Ticket,
    /// When it ends.
    pub expires: Timestamp,
}

/// Invites somebody.
///
/// # Errors
/// `not_found` where the inviter gives no such role, or a failure of ours.
pub async fn make(app: &App, who: &Who, wish: Wish) -> Result<NewLink, ApiError> {
    if !roster::may_change(who, &wish.grant) {
        return Err(ApiError::of(ErrorCode::NotFound));
    }
    let doer = Doer::person(who, app.clock.now());
    let (ticket, id) = draw(app.rng.as_ref())?;
    let expires = doer.at.plus_seconds(INVITATION_S);
    let digest = ticket.digest();
    app.db.write(move |conn| store(conn, &doer, wish, (id, digest))).await?;
    Ok(NewLink { ticket, expires })
}

/// The links to a place that still can be used.
///
/// # Errors
/// A failure of ours.
pub async fn list(app: &App, place: Place) -> Result<Vec<Invitation>, ApiError> {
    let at = app.clock.now();
    Ok(app.db.read(move |conn| db::invitation::open(conn, &place, at)).await?)
}

/// Takes a link back.
///
/// # Errors
/// `not_found`, or a failure of ours.
pub async fn revoke(app: &App, who: &Who, place: Place, id: String) -> Result<(), ApiError> {
    let doer = Doer::person(who, app.clock.now());
    app.db
        .write(move |conn| {
            if !db::invitation::revoke(conn, &id, &place, doer.at)? {
                return Err(ApiError::of(ErrorCode::NotFound));
            }
            let detail = json!({ "invitation": id });
            Ok(act::append(conn, &doer.act(&place, "revoke-invitation", detail))?)
        })
        .await
}

/// A secret and a name for a link.
///
/// # Errors
/// [`NoChance`].
pub fn draw(rng: &dyn Rng) -> Result<(Ticket, String), NoChance> {
    Ok((Ticket::draw(rng)?, hex::encode(random::<6>(rng)?)))
}

/// Stores an invitation, in a transaction.
///
/// # Errors
/// [`DbError`].
pub fn store(
    conn: &mut Connection,
    doer: &Doer,
    wish: Wish,
    (id, digest): (String, String),
) -> Result<(), DbError> {
    let place = wish.grant.place();
    let detail = json!({ "invitation": id, "role": wish.grant.word(), "person": wish.person });
    let purpose = Purpose::Join { grant: wish.grant, person: wish.person };
    let named = (wish.name.to_string(), wish.title.to_string(), wish.language);
    let invitation = new(doer, (id, purpose), named, INVITATION_S);
    db::invitation::insert(conn, &invitation, &digest)?;
    act::append(conn, &doer.act(&place, "invite", detail))
}

/// Stores the link of the first person, who runs the server, in a transaction.
///
/// # Errors
/// [`DbError`].
pub fn store_first(
    conn: &mut Connection,
    at: Timestamp,
    (id, digest): (String, String),
) -> Result<(), DbError> {
    let doer = Doer::operator(at);
    let detail = json!({ "invitation": id, "role": Grant::Operator.word() });
    let purpose = Purpose::Join { grant: Grant::Operator, person: None };
    let named = (String::new(), String::new(), Language::En);
    let invitation = new(&doer, (id, purpose), named, FIRST_S);
    db::invitation::insert(conn, &invitation, &digest)?;
    act::append(conn, &doer.act(&Place::Server, "invite", detail))
}

/// Stores a link by which an account chooses a new password, in a transaction; the second factor stays.
///
/// # Errors
/// [`DbError`].
pub fn store_password(
    conn: &mut Connection,
    doer: &Doer,
    account: &Account,
    (id, digest): (String, String),
) -> Result<(), DbError> {
    let detail = json!({ "invitation": id, "account": account.login.as_str() });
    let purpose = Purpose::Password(account.id);
    db::invitation::insert(conn, &to_account(doer, account, purpose, id), &digest)?;
    act::append(conn, &doer.act(&Place::Server, "reset-password", detail))
}

/// Stores a link by which an account sets up a second factor, in a transaction of
/// [`super::closing::reset_second_in`], which writes it down.
///
/// # Errors
/// [`DbError`].
pub(super) fn store_second(
    conn: &mut Connection,
    doer: &Doer,
    account: &Account,
    (id, digest): (String, String),
) -> Result<(), DbError> {
    let purpose = Purpose::Second(account.id);
    db::invitation::insert(conn, &to_account(doer, account, purpose, id), &digest)
}

fn to_account(doer: &Doer, account: &Account, purpose: Purpose, id: String) -> Invitation {
    let named = (account.name.to_string(), account.title.to_string(), account.language);
    new(doer, (id, purpose), named, INVITATION_S)
}

/// A link that nobody has used yet, for somebody with this name and title, who reads this language.
fn new(
    doer: &Doer,
    (id, purpose): (String, Purpose),
    (name, title, language): (String, String, Language),
    life_s: i64,
) -> Invitation {
    let inviter = match doer.hand {
        Hand::Account(account) => Some(account),
        Hand::CommandLine => None,
    };
    Invitation {
        id,
        purpose,
        name,
        title,
        language,
        inviter,
        invited_by: doer.by.clone(),
        created: doer.at,
        expires: doer.at.plus_seconds(life_s),
        used: None,
        revoked: None,
    }
}
