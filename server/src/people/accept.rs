//! Following a one-time link: a new account, one role more for an account, a new password, or another
//! second factor.
//!
//! Looking at a link changes nothing, because mail programs look at links too. Not here: making links
//! ([`super::invite`]). Invariant: a link is used in the transaction that gives what it is for, and whoever
//! made it cannot take it for their own account.

use super::account::Account;
use super::duty::Hand;
use super::enter::{self, Half, Next};
use super::invitation::{Invitation, Purpose, Ticket};
use super::name::{LoginName, Printed};
use super::password::Password;
use super::role::Grant;
use super::roster::{self, Doer};
use super::second;
use super::session::{self, Session, SessionSecret, Stage};
use super::tries::{self, Buckets, Knock};
use super::who::{AccountId, Language, Who};
use crate::app::App;
use crate::clock::random;
use crate::db::{self, Connection, DbError, act};
use crate::error::ApiError;
use crate::notify::raise::Rules;
use crate::notify::subject::RoleTurn;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::id::PersonId;
use patchward_protocol::time::Timestamp;
use serde_json::json;

/// For so many seconds after an account was made its second factor may be set up: an hour. Who comes
/// later asks for a reset.
const ENROL_S: i64 = 3600;

/// What somebody new says of themselves.
#[derive(Debug)]
pub struct Newcomer {
    /// The name to sign in with.
    pub login: LoginName,
    /// Printed name.
    pub name: Printed,
    /// Role in words.
    pub title: Printed,
    /// In which language they read.
    pub language: Language,
    /// The password they chose.
    pub password: Password,
}

/// Looks at a link; the try counts for the address.
///
/// # Errors
/// `invitation_over`, `login_delayed`, or a failure of ours.
pub async fn look(app: &App, knock: &Knock, ticket: &str) -> Result<Invitation, ApiError> {
    let at = app.clock.now();
    let ticket = Ticket::read(ticket).ok_or_else(over)?;
    let buckets = Buckets::address(knock);
    let (counted, found) = app
        .db
        .write(move |conn| {
            let counted = tries::count(conn, &buckets, at)?;
            let found = db::invitation::find(conn, &ticket.digest())?;
            let found = found.filter(|invitation| invitation.is_open(at));
            if found.is_some() {
                tries::forgive(conn, &buckets)?;
            }
            Ok::<_, DbError>((counted, found))
        })
        .await?;
    counted.map_err(tries::delayed)?;
    found.ok_or_else(over)
}

/// Makes an account with the link's role. Its second factor is set up next.
///
/// # Errors
/// `invitation_over`, `login_taken`, `password_…`, a rule of [`super::duty`], or a failure of ours.
pub async fn join(
    app: &App,
    knock: &Knock,
    ticket: &str,
    newcomer: Newcomer,
) -> Result<Half, ApiError> {
    let invitation = look(app, knock, ticket).await?;
    let Purpose::Join { grant, person } = invitation.purpose.clone() else { return Err(over()) };
    newcomer.password.check(&newcomer.login).map_err(ApiError::of)?;
    let Newcomer { login, name, title, language, password } = newcomer;
    let password = app.people.hasher.hash(password, app.rng.as_ref()).await?;
    let (at, secret) = (app.clock.now(), SessionSecret::from_random(random(app.rng.as_ref())?));
    let (session_secret, browser, held) =
        (secret.clone(), knock.browser.clone(), enter::held(knock));
    let rules = Rules::of(&app.config.notify);
    app.db
        .write(move |conn| {
            if db::account::find_login(conn, &login)?.is_some() {
                return Err(ApiError::of(ErrorCode::LoginTaken));
            }
            let account = Account {
                id: db::account::next_id(conn)?,
                login,
                name,
                title,
                language,
                password,
                second: None,
                second_step: 0,
                enrol_until: at.plus_seconds(ENROL_S),
                created: at,
                disabled: None,
            };
            db::account::insert(conn, &account)?;
            let doer = Doer { by: invitation.invited_by.clone(), ..Doer::operator(at) };
            let doer = Doer { hand: hand(&invitation), ..doer };
            join_in(conn, &rules, &doer, &account, (&invitation, &grant, person.as_ref()))?;
            held.map_or(Ok(false), |digest| db::session::delete(conn, &digest))?;
            let session = Session::new(account.id, Stage::Second, &session_secret, &browser, at);
            Ok(session::begin(conn, &session, at)?)
        })
        .await?;
    app.notices.ring();
    Ok(Half { secret, next: Next::Enrol })
}

/// Adds the link's role to the account of somebody who is signed in; never to that of whoever made it.
///
/// # Errors
/// `invitation_over`, a rule of [`super::duty`], or a failure of ours.
pub async fn add(app: &App, knock: &Knock, who: &Who, ticket: &str) -> Result<Grant, ApiError> {
    let invitation = look(app, knock, ticket).await?;
    let Purpose::Join { grant, person } = invitation.purpose.clone() else { return Err(over()) };
    let (at, id, given) = (app.clock.now(), who.account, grant.clone());
    let rules = Rules::of(&app.config.notify);
    app.db
        .write(move |conn| {
            let account = db::account::find(conn, id)?.ok_or_else(over)?;
            let doer = Doer { hand: hand(&invitation), by: invitation.invited_by.clone(), at };
            join_in(conn, &rules, &doer, &account, (&invitation, &grant, person.as_ref()))
        })
        .await?;
    app.notices.ring();
    Ok(given)
}

/// Chooses a new password by a link; every session of the account ends.
///
/// # Errors
/// `invitation_over`, `password_…`, or a failure of ours.
pub async fn choose_password(
    app: &App,
    knock: &Knock,
    ticket: &str,
    password: Password,
) -> Result<(), ApiError> {
    let invitation = look(app, knock, ticket).await?;
    let Purpose::Password(id) = invitation.purpose else { return Err(over()) };
    let account = app.db.read(move |conn| db::account::find(conn, id)).await?.ok_or_else(over)?;
    password.check(&account.login).map_err(ApiError::of)?;
    let hash = app.people.hasher.hash(password, app.rng.as_ref()).await?;
    let at = app.clock.now();
    app.db
        .write(move |conn| {
            use_up(conn, &invitation, account.id, at)?;
            set_password(conn, &account, (&hash, ""), at)
        })
        .await
}

/// Begins to set up another second factor, by a link and the password: neither does so alone.
///
/// # Errors
/// `invitation_over`, `login_failed`, `login_delayed`, `busy`, or a failure of ours.
pub async fn begin_second(
    app: &App,
    knock: &Knock,
    ticket: &str,
    password: Password,
) -> Result<Half, ApiError> {
    let invitation = look(app, knock, ticket).await?;
    let Purpose::Second(id) = invitation.purpose else { return Err(over()) };
    let account = enter::verify(app, knock, id, password).await?;
    let at = app.clock.now();
    let secret = SessionSecret::from_random(random(app.rng.as_ref())?);
    let mut session = Session::new(id, Stage::Second, &secret, &knock.browser, at);
    session.pending = Some(second::draw_offer(app, id)?);
    let held = enter::held(knock);
    app.db
        .write(move |conn| {
            let now = db::account::find(conn, id)?;
            let good = |now: &Account| now.disabled.is_none() && now.second.is_none();
            if !now.is_some_and(|now| good(&now) && now.password == account.password) {
                return Err(over());
            }
            use_up(conn, &invitation, id, at)?;
            held.map_or(Ok(false), |digest| db::session::delete(conn, &digest))?;
            Ok(session::begin(conn, &session, at)?)
        })
        .await?;
    Ok(Half { secret, next: Next::Enrol })
}

/// Changes the password of somebody signed in, who gives the old one; other sessions end, and this one
/// goes on under another cookie.
///
/// # Errors
/// `login_failed`, `login_delayed`, `password_…`, or a failure of ours.
pub async fn change_password(
    app: &App,
    knock: &Knock,
    who: &Who,
    (old, new): (Password, Password),
) -> Result<SessionSecret, ApiError> {
    let account = enter::confirm(app, knock, who, old).await?;
    new.check(&account.login).map_err(ApiError::of)?;
    let hash = app.people.hasher.hash(new, app.rng.as_ref()).await?;
    let (at, secret) = (app.clock.now(), SessionSecret::from_random(random(app.rng.as_ref())?));
    let session = Session::new(account.id, Stage::Full, &secret, &knock.browser, at);
    app.db
        .write(move |conn| {
            session::begin(conn, &session, at)?;
            set_password(conn, &account, (&hash, &session.digest), at)
        })
        .await?;
    Ok(secret)
}

/// Changes how somebody is printed and in which language they read.
///
/// # Errors
/// A failure of ours.
pub async fn change_words(
    app: &App,
    who: &Who,
    (name, title): (Printed, Printed),
    language: Language,
) -> Result<(), ApiError> {
    let (at, id, by) = (app.clock.now(), who.account, who.by());
    app.db
        .write(move |conn| {
            db::account::set_words(conn, id, &name, &title, language)?;
            let detail = json!({ "name": name.as_str(), "title": title.as_str() });
            let scope = enter::SCOPE.to_owned();
            act::append(conn, &act::Act { at, scope, who: by, act: "rename-account", detail })
        })
        .await?;
    Ok(())
}

/// Uses the link up and gives its role; whoever is at the place already hears of it.
fn join_in(
    conn: &mut Connection,
    rules: &Rules,
    doer: &Doer,
    account: &Account,
    (invitation, grant, person): (&Invitation, &Grant, Option<&PersonId>),
) -> Result<(), ApiError> {
    still_gives(conn, invitation, grant)?;
    use_up(conn, invitation, account.id, doer.at)?;
    roster::give_in(conn, doer, account, grant)?;
    roster::raise_role(conn, rules, doer, (account, grant, RoleTurn::Given))?;
    if person.is_some() {
        roster::set_person(conn, account.id, &grant.place(), person)?;
    }
    let detail = json!({
        "invitation": invitation.id, "account": account.login.as_str(), "role": grant.word(),
        "person": person,
    });
    let by = Doer { by: format!("account:{}", account.login), ..doer.clone() };
    Ok(act::append(conn, &by.act(&grant.place(), "accept-invitation", detail))?)
}

/// A link is worth what its maker could give now: who administers no more has no door left open.
fn still_gives(
    conn: &mut Connection,
    invitation: &Invitation,
    grant: &Grant,
) -> Result<(), ApiError> {
    let Some(inviter) = invitation.inviter else { return Ok(()) };
    let account = db::account::find(conn, inviter)?;
    let enabled = account.is_some_and(|account| account.disabled.is_none());
    let held = db::grant::of(conn, inviter)?;
    if enabled && roster::gives(&held, grant) { Ok(()) } else { Err(over()) }
}

fn use_up(
    conn: &mut Connection,
    invitation: &Invitation,
    by: AccountId,
    at: Timestamp,
) -> Result<(), ApiError> {
    if db::invitation::take(conn, &invitation.id, by, at)? { Ok(()) } else { Err(over()) }
}

fn set_password(
    conn: &mut Connection,
    account: &Account,
    (hash, kept): (&str, &str),
    at: Timestamp,
) -> Result<(), ApiError> {
    db::account::set_password(conn, account.id, hash)?;
    db::session::delete_others(conn, account.id, kept)?;
    Ok(act::append(conn, &enter::about(&account.login, "change-password", json!({}), at))?)
}

fn hand(invitation: &Invitation) -> Hand {
    invitation.inviter.map_or(Hand::CommandLine, Hand::Account)
}

const fn over() -> ApiError {
    ApiError::of(ErrorCode::InvitationOver)
}
