//! Rows of API tokens, enrolment tokens and the one-time claim. Digests only, never a secret.
//!
//! Not here: who may have one. Invariant: a one-time token is used by compare-and-swap, so that of
//! two that come at once one wins.

use super::column::{from_json, from_name, instant, to_json};
use super::connection::queries;
use super::schema::{api_tokens, enrolment_tokens, server_state};
use super::{Connection, DbError};
use crate::auth::api_token::TokenDigest;
use crate::limits::TOKENS_LISTED_MAX;
use crate::people::who::AccountId;
use diesel::prelude::*;
use patchward_protocol::api::token::{Scope, TokenView};
use patchward_protocol::id::{DeviceId, FamilyId, SiteId};
use patchward_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Row of the claim in `server_state`.
const CLAIM: &str = "claim";

#[derive(Queryable, Insertable, Debug, Clone)]
#[diesel(table_name = api_tokens)]
struct ApiTokenRow {
    id: String,
    sha256: String,
    label: String,
    scope: String,
    created: i64,
    expires: i64,
    revoked: Option<i64>,
    account: Option<i64>,
}

#[derive(Queryable, Insertable, Debug, Clone)]
#[diesel(table_name = enrolment_tokens)]
struct EnrolmentTokenRow {
    sha256: String,
    site: String,
    families: String,
    device: Option<String>,
    created: i64,
    expires: i64,
    used_at: Option<i64>,
    used_by: Option<String>,
}

/// What an enrolment token is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentToken {
    /// The site.
    pub site: SiteId,
    /// Families that may enrol with it.
    pub families: Vec<FamilyId>,
    /// The one device it is for; any when absent.
    pub device: Option<DeviceId>,
    /// When it ends.
    pub expires: Timestamp,
    /// The device that used it.
    pub used_by: Option<DeviceId>,
}

/// The one-time token that `init` printed, as stored.
#[derive(Debug, Serialize, Deserialize)]
struct Claim {
    sha256: String,
    expires: Timestamp,
}

queries! {
    fn insert_api_row(conn, row: &ApiTokenRow) -> Result<(), DbError> {
        diesel::insert_into(api_tokens::table).values(row).execute(conn)?;
        Ok(())
    }

    fn api_row(conn, sha256: &str) -> Result<Option<ApiTokenRow>, DbError> {
        let row = api_tokens::table.filter(api_tokens::sha256.eq(sha256));
        Ok(row.first::<ApiTokenRow>(conn).optional()?)
    }

    fn named_row(conn, id: &str) -> Result<Option<ApiTokenRow>, DbError> {
        Ok(api_tokens::table.find(id).first::<ApiTokenRow>(conn).optional()?)
    }

    fn api_rows(conn) -> Result<Vec<ApiTokenRow>, DbError> {
        let rows = api_tokens::table.order((api_tokens::created, api_tokens::id));
        Ok(rows.limit(TOKENS_LISTED_MAX).load(conn)?)
    }

    fn revoke_row(conn, id: &str, at: i64) -> Result<usize, DbError> {
        let open = api_tokens::table
            .filter(api_tokens::id.eq(id))
            .filter(api_tokens::revoked.is_null());
        Ok(diesel::update(open).set(api_tokens::revoked.eq(Some(at))).execute(conn)?)
    }

    fn rows_of(conn, account: i64) -> Result<Vec<ApiTokenRow>, DbError> {
        let open = api_tokens::table
            .filter(api_tokens::account.eq(Some(account)))
            .filter(api_tokens::revoked.is_null());
        Ok(open.order(api_tokens::id).load(conn)?)
    }

    fn maker_rows(conn) -> Result<Vec<(String, Option<i64>)>, DbError> {
        let rows = api_tokens::table
            .filter(api_tokens::account.is_not_null())
            .order((api_tokens::created, api_tokens::id))
            .select((api_tokens::id, api_tokens::account));
        Ok(rows.limit(TOKENS_LISTED_MAX).load(conn)?)
    }

    fn count_api_rows(conn, id: &str) -> Result<i64, DbError> {
        Ok(api_tokens::table.filter(api_tokens::id.eq(id)).count().get_result(conn)?)
    }

    fn insert_enrolment_row(conn, row: &EnrolmentTokenRow) -> Result<(), DbError> {
        diesel::insert_into(enrolment_tokens::table).values(row).execute(conn)?;
        Ok(())
    }

    fn enrolment_row(conn, sha256: &str) -> Result<Option<EnrolmentTokenRow>, DbError> {
        let row = enrolment_tokens::table.filter(enrolment_tokens::sha256.eq(sha256));
        Ok(row.first::<EnrolmentTokenRow>(conn).optional()?)
    }

    fn use_enrolment_row(conn, sha256: &str, device: &str, at: i64) -> Result<usize, DbError> {
        let open = enrolment_tokens::table
            .filter(enrolment_tokens::sha256.eq(sha256))
            .filter(enrolment_tokens::used_at.is_null());
        let used = (
            enrolment_tokens::used_at.eq(Some(at)),
            enrolment_tokens::used_by.eq(Some(device.to_owned())),
        );
        Ok(diesel::update(open).set(used).execute(conn)?)
    }

    fn state_row(conn, key: &str) -> Result<Option<String>, DbError> {
        let row = server_state::table.filter(server_state::key.eq(key));
        Ok(row.select(server_state::value).first::<String>(conn).optional()?)
    }

    fn put_state_row(conn, key: &str, value: &str) -> Result<(), DbError> {
        let row = (server_state::key.eq(key), server_state::value.eq(value));
        diesel::insert_into(server_state::table)
            .values(row)
            .on_conflict(server_state::key)
            .do_update()
            .set(server_state::value.eq(value))
            .execute(conn)?;
        Ok(())
    }

    fn delete_state_row(conn, key: &str, value: &str) -> Result<usize, DbError> {
        let row = server_state::table
            .filter(server_state::key.eq(key))
            .filter(server_state::value.eq(value));
        Ok(diesel::delete(row).execute(conn)?)
    }
}

/// Stores a new API token, with the account that made it in the console.
///
/// # Errors
/// [`DbError`].
pub fn insert_api(
    conn: &mut Connection,
    view: &TokenView,
    (digest, account): (TokenDigest, Option<AccountId>),
    at: Timestamp,
) -> Result<(), DbError> {
    let row = ApiTokenRow {
        id: view.id.clone(),
        sha256: digest.text(),
        label: view.label.clone(),
        scope: to_json("api_tokens.scope", &view.scope)?,
        created: at.millis(),
        expires: view.expires.millis(),
        revoked: view.revoked.map(Timestamp::millis),
        account: account.map(|account| account.0),
    };
    insert_api_row(conn, &row)
}

/// The API token with this digest, whatever its state.
///
/// # Errors
/// [`DbError`].
pub fn find_api(conn: &mut Connection, digest: TokenDigest) -> Result<Option<TokenView>, DbError> {
    // The index finds it; the comparison that counts takes the same time for every difference.
    let row = api_row(conn, &digest.text())?.filter(|row| digest.is(&row.sha256));
    row.map(ApiTokenRow::view).transpose()
}

/// The API token of this name, whatever its state.
///
/// # Errors
/// [`DbError`].
pub fn named(conn: &mut Connection, id: &str) -> Result<Option<TokenView>, DbError> {
    named_row(conn, id)?.map(ApiTokenRow::view).transpose()
}

/// Every API token, oldest first.
///
/// # Errors
/// [`DbError`].
pub fn list_api(conn: &mut Connection) -> Result<Vec<TokenView>, DbError> {
    api_rows(conn)?.into_iter().map(ApiTokenRow::view).collect()
}

/// The tokens that an account made in the console and that are not revoked.
///
/// # Errors
/// [`DbError`].
pub fn of_account(conn: &mut Connection, account: AccountId) -> Result<Vec<TokenView>, DbError> {
    rows_of(conn, account.0)?.into_iter().map(ApiTokenRow::view).collect()
}

/// The login names of those who made tokens in the console, by the tokens' names.
///
/// # Errors
/// [`DbError`].
pub fn makers(conn: &mut Connection) -> Result<HashMap<String, String>, DbError> {
    let made = maker_rows(conn)?;
    let ids: Vec<_> = made.iter().filter_map(|(_, account)| account.map(AccountId)).collect();
    let logins: HashMap<i64, String> = super::account::some(conn, &ids)?
        .into_iter()
        .map(|account| (account.id.0, account.login.to_string()))
        .collect();
    let named = made
        .into_iter()
        .filter_map(|(token, account)| Some((token, logins.get(&account?)?.clone())));
    Ok(named.collect())
}

/// Revokes an API token; `false` when there is none of this name. Doing it again is harmless.
///
/// # Errors
/// [`DbError`].
pub fn revoke_api(conn: &mut Connection, id: &str, at: Timestamp) -> Result<bool, DbError> {
    Ok(revoke_row(conn, id, at.millis())? > 0 || count_api_rows(conn, id)? > 0)
}

/// Stores a new enrolment token.
///
/// # Errors
/// [`DbError`].
pub fn insert_enrolment(
    conn: &mut Connection,
    token: &EnrolmentToken,
    digest: TokenDigest,
    at: Timestamp,
) -> Result<(), DbError> {
    let row = EnrolmentTokenRow {
        sha256: digest.text(),
        site: token.site.to_string(),
        families: to_json("enrolment_tokens.families", &token.families)?,
        device: token.device.as_ref().map(ToString::to_string),
        created: at.millis(),
        expires: token.expires.millis(),
        used_at: None,
        used_by: None,
    };
    insert_enrolment_row(conn, &row)
}

/// The enrolment token with this digest, whatever its state.
///
/// # Errors
/// [`DbError`].
pub fn find_enrolment(
    conn: &mut Connection,
    digest: TokenDigest,
) -> Result<Option<EnrolmentToken>, DbError> {
    let row = enrolment_row(conn, &digest.text())?.filter(|row| digest.is(&row.sha256));
    row.map(EnrolmentTokenRow::token).transpose()
}

/// Uses an enrolment token up; `false` when it was used before.
///
/// # Errors
/// [`DbError`].
pub fn use_enrolment(
    conn: &mut Connection,
    digest: TokenDigest,
    device: &DeviceId,
    at: Timestamp,
) -> Result<bool, DbError> {
    Ok(use_enrolment_row(conn, &digest.text(), device.as_str(), at.millis())? == 1)
}

/// Stores the one-time token of the first administrator; an earlier one ends.
///
/// # Errors
/// [`DbError`].
pub fn put_claim(
    conn: &mut Connection,
    digest: TokenDigest,
    expires: Timestamp,
) -> Result<(), DbError> {
    let claim = Claim { sha256: digest.text(), expires };
    put_state_row(conn, CLAIM, &to_json("server_state.claim", &claim)?)
}

/// Uses the one-time token of the first administrator up; `false` when it is another, has ended or
/// was used.
///
/// # Errors
/// [`DbError`].
pub fn take_claim(
    conn: &mut Connection,
    digest: TokenDigest,
    at: Timestamp,
) -> Result<bool, DbError> {
    let Some(text) = state_row(conn, CLAIM)? else { return Ok(false) };
    let claim: Claim = from_json("server_state.claim", &text)?;
    if !digest.is(&claim.sha256) || claim.expires <= at {
        return Ok(false);
    }
    Ok(delete_state_row(conn, CLAIM, &text)? == 1)
}

impl ApiTokenRow {
    fn view(self) -> Result<TokenView, DbError> {
        let scope: Scope = from_json("api_tokens.scope", &self.scope)?;
        Ok(TokenView {
            id: self.id,
            label: self.label,
            scope,
            expires: Timestamp::from_millis(self.expires),
            revoked: instant(self.revoked),
        })
    }
}

impl EnrolmentTokenRow {
    fn token(self) -> Result<EnrolmentToken, DbError> {
        let device = |text: Option<String>| {
            text.map(|text| from_name("enrolment_tokens.device", &text)).transpose()
        };
        Ok(EnrolmentToken {
            site: from_name("enrolment_tokens.site", &self.site)?,
            families: from_json("enrolment_tokens.families", &self.families)?,
            device: device(self.device)?,
            expires: Timestamp::from_millis(self.expires),
            used_by: device(self.used_by)?,
        })
    }
}
