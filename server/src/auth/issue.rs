//! API tokens are made, listed and revoked; the first one comes for the claim that `init` printed.
//!
//! There is no default secret anywhere. Not here: HTTP. Invariant: a token ends within a year; the
//! claim is used up in the transaction that stores the token it buys.

use super::api_token::{Holder, TokenDigest, TokenSecret};
use super::place_token;
use crate::app::App;
use crate::clock::random;
use crate::db::act::{self, Act};
use crate::db::{DbError, token};
use crate::error::ApiError;
use crate::limits::{
    FIRST_TOKEN_LIFE_S, LABEL_CHARS_MAX, SCOPE_FAMILIES_MAX, TOKEN_LIFE_S_MAX, TOKEN_LIFE_S_MIN,
};
use crate::people::role::Place;
use crate::people::who::AccountId;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::token::{MakeTokenRequest, NewToken, Scope, TokenView};
use patchward_protocol::time::Timestamp;
use serde_json::json;

/// Makes a token, written down at its place under the name of whoever makes it; the account where a
/// person does so in the console: the token ends with it.
///
/// # Errors
/// `request_invalid`, or a failure of ours.
pub async fn make(
    app: &App,
    request: MakeTokenRequest,
    (who, account): (String, Option<AccountId>),
) -> Result<NewToken, ApiError> {
    let MakeTokenRequest { label, scope, life_s } = request;
    let families = match &scope {
        Scope::Maker { families } => families.len(),
        Scope::Administrator | Scope::Site { .. } => 1,
    };
    let rule = if label.trim().is_empty() || label.chars().count() > LABEL_CHARS_MAX {
        Some(format!("label: 1 to {LABEL_CHARS_MAX} characters"))
    } else if label.chars().any(char::is_control) {
        Some("label: no control characters".to_owned())
    } else if !(TOKEN_LIFE_S_MIN..=TOKEN_LIFE_S_MAX).contains(&life_s) {
        Some(format!("life_s: {TOKEN_LIFE_S_MIN} to {TOKEN_LIFE_S_MAX} seconds"))
    } else if !(1..=SCOPE_FAMILIES_MAX).contains(&families) {
        Some(format!("scope.families: 1 to {SCOPE_FAMILIES_MAX}"))
    } else {
        None
    };
    if let Some(rule) = rule {
        return Err(ApiError::with(ErrorCode::RequestInvalid, rule));
    }
    let at = app.clock.now();
    let (view, secret) = draw(app, label, scope, life_s, at)?;
    let (stored, digest) = (view.clone(), secret.digest());
    app.db
        .write(move |conn| {
            token::insert_api(conn, &stored, (digest, account), at)?;
            act::append(conn, &made(&stored, (who, account), at))
        })
        .await?;
    Ok(NewToken { id: view.id, token: secret.reveal(), expires: view.expires })
}

/// Exchanges the claim that `init` printed for an administrator's token; once.
///
/// # Errors
/// `token_invalid`, or a failure of ours.
pub async fn claim(app: &App, claim: TokenDigest) -> Result<NewToken, ApiError> {
    let at = app.clock.now();
    let label = "first administrator".to_owned();
    let (view, secret) = draw(app, label, Scope::Administrator, FIRST_TOKEN_LIFE_S, at)?;
    let (stored, digest) = (view.clone(), secret.digest());
    let bought = app.db.write(move |conn| {
        let good = token::take_claim(conn, claim, at)?;
        if good {
            token::insert_api(conn, &stored, (digest, None), at)?;
            act::append(conn, &made(&stored, ("claim".to_owned(), None), at))?;
        }
        Ok::<_, DbError>(good)
    });
    if bought.await? {
        tracing::info!("The first administrator's token was claimed");
        Ok(NewToken { id: view.id, token: secret.reveal(), expires: view.expires })
    } else {
        Err(ApiError::of(ErrorCode::TokenInvalid))
    }
}

/// Every token, without its secret.
///
/// # Errors
/// A failure of ours.
pub async fn list(app: &App) -> Result<Vec<TokenView>, ApiError> {
    Ok(app.db.read(token::list_api).await?)
}

/// Revokes a token, at once, under the name of whoever does it; the account where a person does so in
/// the console.
///
/// # Errors
/// `not_found`, or a failure of ours.
pub async fn revoke(
    app: &App,
    id: String,
    (who, account): (String, Option<AccountId>),
) -> Result<(), ApiError> {
    let at = app.clock.now();
    let is_there = app.db.write(move |conn| {
        let known = token::named(conn, &id)?;
        let is_there = token::revoke_api(conn, &id, at)?;
        if let Some(known) = known {
            let scope = scope_of(&known.scope, account);
            let detail = json!({ "token": id, "label": known.label });
            act::append(conn, &Act { at, scope, who, act: "revoke-token", detail })?;
        }
        Ok::<_, DbError>(is_there)
    });
    if is_there.await? { Ok(()) } else { Err(ApiError::of(ErrorCode::NotFound)) }
}

/// What a holder may know of the own token.
#[must_use]
pub fn whoami(holder: &Holder) -> TokenView {
    TokenView {
        id: holder.id.clone(),
        label: holder.label.clone(),
        scope: holder.scope.clone(),
        expires: holder.expires,
        revoked: None,
    }
}

/// What an act about a token is about: its place, where a person of the place does it in the console,
/// so that it stands in the place's record; else the server.
fn scope_of(scope: &Scope, account: Option<AccountId>) -> String {
    account.map_or(Place::Server, |_| place_token::place_of(scope)).to_string()
}

fn made(view: &TokenView, (who, account): (String, Option<AccountId>), at: Timestamp) -> Act {
    let TokenView { id, label, scope, expires, .. } = view;
    let detail = json!({ "token": id, "label": label, "covers": scope, "expires": expires });
    let scope = scope_of(scope, account);
    Act { at, scope, who, act: "make-token", detail }
}

fn draw(
    app: &App,
    label: String,
    scope: Scope,
    life_s: u32,
    at: Timestamp,
) -> Result<(TokenView, TokenSecret), ApiError> {
    let secret = TokenSecret::from_random(random(app.rng.as_ref())?);
    let id = hex::encode(random::<6>(app.rng.as_ref())?);
    let expires = at.plus_seconds(i64::from(life_s)).whole_second();
    Ok((TokenView { id, label, scope, expires, revoked: None }, secret))
}
