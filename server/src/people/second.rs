//! The second factor is set up, changed and shown once: the shared secret, then the recovery codes.
//!
//! Mandatory: who has none gets no further than here, and only for a while after the account was made
//! or the factor was reset ([`Account::enrol_until`]). Not here: trying codes ([`super::enter`]).
//! Invariant: a factor counts from the moment in which a code of it was typed back.

use super::account::Account;
use super::enter::{self, Entrance, In, Method};
use super::one_time::{self, OneTime, qr_svg};
use super::password::Password;
use super::session::{self, Stage};
use super::tries::{self, Knock};
use super::vault::Use;
use super::who::{AccountId, Who};
use crate::app::App;
use crate::db::act;
use crate::db::{self, Connection, DbError};
use crate::error::ApiError;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::time::Timestamp;
use serde_json::json;

/// Begins what is kept for the page of a new secret.
const SECRET: &str = "secret:";
/// Begins what is kept for the page of new recovery codes.
const CODES: &str = "codes:";
/// Begins a one-time value of another page, e.g. an API token.
const SHOWN: &str = "shown:";

/// A shared secret that is offered, as text and as a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// For typing: groups of four.
    pub text: String,
    /// `otpauth://…`
    pub uri: String,
    /// The same as a QR code: SVG.
    pub qr: String,
}

/// What is offered to somebody who has given the password and has no second factor yet.
///
/// # Errors
/// `sign_in_over`, `enrolment_over`, or a failure of ours.
pub async fn offer(app: &App, knock: &Knock, label: &str) -> Result<Offer, ApiError> {
    let at = app.clock.now();
    let (account, digest) = holder(app, knock, Stage::Second, at).await?;
    if account.second.is_some() {
        return Err(ApiError::of(ErrorCode::SignInOver));
    }
    // Who came by a link after a reset has the secret in this session already.
    let kept = pending(app, account.id, digest.clone()).await?;
    let is_offered = kept.is_some_and(|text| text.starts_with(SECRET));
    if account.enrol_until <= at && !is_offered {
        return Err(ApiError::of(ErrorCode::EnrolmentOver));
    }
    offer_to(app, &account, digest, label).await
}

/// A new secret, sealed for the session that offers it.
pub(super) fn draw_offer(app: &App, account: AccountId) -> Result<String, ApiError> {
    let text = format!("{SECRET}{}", OneTime::draw(app.rng.as_ref())?.text());
    let sealed = app.people.vault.seal(app.rng.as_ref(), (Use::Pending, account), &text);
    sealed.map_err(ApiError::failed)
}

/// What is offered to somebody signed in who changes phones, after [`begin_change`].
///
/// # Errors
/// `sign_in_over` where nothing was begun, or a failure of ours.
pub async fn offer_change(app: &App, knock: &Knock, label: &str) -> Result<Offer, ApiError> {
    let (account, digest) = holder(app, knock, Stage::Full, app.clock.now()).await?;
    let pending = pending(app, account.id, digest.clone()).await?;
    if !pending.is_some_and(|text| text.starts_with(SECRET)) {
        return Err(ApiError::of(ErrorCode::SignInOver));
    }
    offer_to(app, &account, digest, label).await
}

/// Begins the change of phones of somebody signed in, who gives the password again.
///
/// # Errors
/// `login_failed`, `login_delayed`, or a failure of ours.
pub async fn begin_change(
    app: &App,
    knock: &Knock,
    who: &Who,
    password: Password,
) -> Result<(), ApiError> {
    let account = enter::confirm(app, knock, who, password).await?;
    let secret = OneTime::draw(app.rng.as_ref())?.text();
    keep(app, knock, account.id, format!("{SECRET}{secret}")).await
}

/// The code of the offered secret is typed back by somebody who is not in yet: they are then, and the
/// recovery codes wait for the next page.
///
/// # Errors
/// `code_wrong`, `login_delayed`, `sign_in_over`, or a failure of ours.
pub async fn confirm(app: &App, knock: &Knock, code: &str) -> Result<In, ApiError> {
    let at = app.clock.now();
    let (account, buckets, half) = enter::half(app, knock, at).await?;
    let over = || ApiError::of(ErrorCode::SignInOver);
    if account.second.is_some() {
        return Err(over());
    }
    let (shared, step) =
        offered(app, account.id, &half.digest, code, at).await?.ok_or_else(over)?;
    let change = Change::new(app, &account, &shared, step)?;
    let mut entrance = Entrance::new(app, knock, account, at)?;
    entrance.session.pending = Some(change.pending.clone());
    app.db
        .write(move |conn| {
            tries::forgive(conn, &buckets)?;
            // Of two half sessions that set up a factor at once one does.
            let now = db::account::find(conn, entrance.account.id)?;
            if now.is_none_or(|now| now.second.is_some()) {
                return Err(ApiError::of(ErrorCode::SignInOver));
            }
            change.store(conn, &entrance.account, at)?;
            db::session::delete(conn, &half.digest)?;
            entrance.open(conn, Method::Enrolment)
        })
        .await
}

/// The code of the offered secret is typed back by somebody signed in: it is the new factor, and the
/// other sessions end.
///
/// # Errors
/// `code_wrong`, `sign_in_over`, or a failure of ours.
pub async fn confirm_change(app: &App, knock: &Knock, code: &str) -> Result<(), ApiError> {
    let at = app.clock.now();
    let (account, digest) = holder(app, knock, Stage::Full, at).await?;
    let over = || ApiError::of(ErrorCode::SignInOver);
    let (shared, step) = offered(app, account.id, &digest, code, at).await?.ok_or_else(over)?;
    let change = Change::new(app, &account, &shared, step)?;
    app.db
        .write(move |conn| {
            change.store(conn, &account, at)?;
            db::session::delete_others(conn, account.id, &digest)?;
            db::session::set_pending(conn, &digest, Some(change.pending))
        })
        .await?;
    Ok(())
}

/// New recovery codes for somebody who gives the password again; the old ones end.
///
/// # Errors
/// `login_failed`, `login_delayed`, or a failure of ours.
pub async fn renew_codes(
    app: &App,
    knock: &Knock,
    who: &Who,
    password: Password,
) -> Result<(), ApiError> {
    let at = app.clock.now();
    let account = enter::confirm(app, knock, who, password).await?;
    let (digests, pending) = draw_codes(app, account.id)?;
    let digest = enter::held(knock).ok_or_else(|| ApiError::of(ErrorCode::SignInOver))?;
    app.db
        .write(move |conn| {
            db::account::set_codes(conn, account.id, &digests)?;
            act::append(conn, &enter::about(&account.login, "new-recovery-codes", json!({}), at))?;
            db::session::set_pending(conn, &digest, Some(pending))
        })
        .await?;
    Ok(())
}

/// The recovery codes that wait to be shown; once.
///
/// # Errors
/// A failure of ours.
pub async fn take_codes(app: &App, knock: &Knock) -> Result<Option<Vec<String>>, ApiError> {
    let taken = take(app, knock, CODES).await?;
    Ok(taken.map(|text| text.split(' ').map(ToOwned::to_owned).collect()))
}

/// Keeps a value for the next page of a session, which shows it once.
///
/// # Errors
/// A failure of ours.
pub async fn keep_shown(app: &App, knock: &Knock, who: &Who, text: &str) -> Result<(), ApiError> {
    keep(app, knock, who.account, format!("{SHOWN}{text}")).await
}

/// The value that [`keep_shown`] kept; once.
///
/// # Errors
/// A failure of ours.
pub async fn take_shown(app: &App, knock: &Knock) -> Result<Option<String>, ApiError> {
    take(app, knock, SHOWN).await
}

async fn take(app: &App, knock: &Knock, begin: &str) -> Result<Option<String>, ApiError> {
    let Ok((account, digest)) = holder(app, knock, Stage::Full, app.clock.now()).await else {
        return Ok(None);
    };
    let found = pending(app, account.id, digest.clone()).await?;
    let Some(text) = found.and_then(|text| text.strip_prefix(begin).map(ToOwned::to_owned)) else {
        return Ok(None);
    };
    app.db.write(move |conn| db::session::set_pending(conn, &digest, None)).await?;
    Ok(Some(text))
}

async fn keep(app: &App, knock: &Knock, account: AccountId, text: String) -> Result<(), ApiError> {
    let digest = enter::held(knock).ok_or_else(|| ApiError::of(ErrorCode::SignInOver))?;
    let sealed = app.people.vault.seal(app.rng.as_ref(), (Use::Pending, account), &text);
    let sealed = sealed.map_err(ApiError::failed)?;
    Ok(app.db.write(move |conn| db::session::set_pending(conn, &digest, Some(sealed))).await?)
}

/// What is kept for the next page of a session.
async fn pending(
    app: &App,
    account: AccountId,
    digest: String,
) -> Result<Option<String>, ApiError> {
    let session = app.db.read(move |conn| db::session::find(conn, &digest)).await?;
    let sealed = session.and_then(|session| session.pending);
    let open = |sealed: String| app.people.vault.open((Use::Pending, account), &sealed);
    sealed.map(open).transpose().map_err(ApiError::failed)
}

/// The account of the session that the browser holds, at this stage.
async fn holder(
    app: &App,
    knock: &Knock,
    stage: Stage,
    at: Timestamp,
) -> Result<(Account, String), ApiError> {
    let over = || ApiError::of(ErrorCode::SignInOver);
    let digest = enter::held(knock).ok_or_else(over)?;
    let named = digest.clone();
    let found = app.db.read(move |conn| {
        let session = session::find(conn, &named, stage, at)?;
        session.map_or(Ok(None), |session| db::account::find(conn, session.account))
    });
    let account = found.await?.filter(|account| account.disabled.is_none());
    Ok((account.ok_or_else(over)?, digest))
}

/// The secret that is offered, when `code` is one of it.
async fn offered(
    app: &App,
    account: AccountId,
    digest: &str,
    code: &str,
    at: Timestamp,
) -> Result<Option<(OneTime, u64)>, ApiError> {
    let kept = pending(app, account, digest.to_owned()).await?;
    let Some(text) = kept.and_then(|text| text.strip_prefix(SECRET).map(ToOwned::to_owned)) else {
        return Ok(None);
    };
    let shared = OneTime::read(&text).map_err(ApiError::failed)?;
    let step = shared.step(code, at, 0).ok_or_else(|| ApiError::of(ErrorCode::CodeWrong))?;
    Ok(Some((shared, step)))
}

/// Offers the secret that is kept, or a new one: a page that is loaded twice shows one secret.
async fn offer_to(
    app: &App,
    account: &Account,
    digest: String,
    label: &str,
) -> Result<Offer, ApiError> {
    let kept = pending(app, account.id, digest.clone()).await?;
    let kept = kept.as_deref().and_then(|text| text.strip_prefix(SECRET)).map(OneTime::read);
    let shared = match kept.transpose().map_err(ApiError::failed)? {
        Some(shared) => shared,
        None => {
            let shared = OneTime::draw(app.rng.as_ref())?;
            let text = format!("{SECRET}{}", shared.text());
            let sealed = app.people.vault.seal(app.rng.as_ref(), (Use::Pending, account.id), &text);
            let sealed = sealed.map_err(ApiError::failed)?;
            app.db.write(move |conn| db::session::set_pending(conn, &digest, Some(sealed))).await?;
            shared
        }
    };
    let uri = shared.uri(account.login.as_str());
    let qr = qr_svg(&uri, label).unwrap_or_default();
    Ok(Offer { text: in_fours(&shared.text()), uri, qr })
}

fn in_fours(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join(" ")
}

fn draw_codes(app: &App, account: AccountId) -> Result<(Vec<String>, String), ApiError> {
    let codes = one_time::recovery_codes(app.rng.as_ref())?;
    let vault = &app.people.vault;
    let digests = codes.iter().map(|code| vault.code(account, code)).collect();
    let text = format!("{CODES}{}", codes.join(" "));
    let sealed = vault.seal(app.rng.as_ref(), (Use::Pending, account), &text);
    Ok((digests, sealed.map_err(ApiError::failed)?))
}

/// A new factor with its recovery codes, drawn before the transaction.
struct Change {
    sealed: String,
    step: u64,
    digests: Vec<String>,
    pending: String,
}

impl Change {
    fn new(app: &App, account: &Account, shared: &OneTime, step: u64) -> Result<Self, ApiError> {
        let (rng, mine) = (app.rng.as_ref(), (Use::Second, account.id));
        let sealed = app.people.vault.seal(rng, mine, &shared.text()).map_err(ApiError::failed)?;
        let (digests, pending) = draw_codes(app, account.id)?;
        Ok(Self { sealed, step, digests, pending })
    }

    fn store(
        &self,
        conn: &mut Connection,
        account: &Account,
        at: Timestamp,
    ) -> Result<(), DbError> {
        db::account::set_second(conn, account.id, Some(self.sealed.clone()), self.step)?;
        db::account::set_codes(conn, account.id, &self.digests)?;
        act::append(conn, &enter::about(&account.login, "second-factor", json!({}), at))
    }
}
