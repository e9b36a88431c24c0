//! The zones in which manufacturers and accounts without a hospital read hours.
//!
//! Not here: hospitals, whose zone stands in their inventory. Invariant: what nobody entered, or does not
//! read, is UTC.

use super::role::{Grant, MakerPower, Place};
use super::who::{AccountId, Who};
use crate::app::App;
use crate::console::zone::ZoneName;
use crate::db::act::{self, Act};
use crate::db::{self, DbError};
use crate::error::ApiError;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::id::MakerId;
use serde_json::json;

/// The zone of a manufacturer.
///
/// # Errors
/// A failure of ours.
pub async fn of_maker(app: &App, maker: &MakerId) -> Result<ZoneName, ApiError> {
    let holder = Place::Maker(maker.clone()).to_string();
    let found: Option<String> = app.db.read(move |conn| db::zone::find(conn, &holder)).await?;
    Ok(found.and_then(|tz| ZoneName::of(&tz)).unwrap_or(ZoneName::UTC))
}

/// The zone that an account entered, else that of its first manufacturer, else UTC.
///
/// # Errors
/// A failure of ours.
pub async fn of_account(app: &App, who: &Who) -> Result<ZoneName, ApiError> {
    let mut holders = vec![holder(who.account)];
    holders.extend(who.grants.iter().filter_map(|grant| match grant {
        Grant::Maker(maker, _) => Some(Place::Maker(maker.clone()).to_string()),
        Grant::Site(..) | Grant::Operator => None,
    }));
    let found: Result<Vec<String>, DbError> = app
        .db
        .read(move |conn| {
            let mut found = Vec::new();
            for holder in holders {
                found.extend(db::zone::find(conn, &holder)?);
            }
            Ok(found)
        })
        .await;
    Ok(found?.iter().find_map(|tz| ZoneName::of(tz)).unwrap_or(ZoneName::UTC))
}

/// Enters the zone of a manufacturer.
///
/// # Errors
/// `zone_unknown`, `not_permitted`, or a failure of ours.
pub async fn set_maker(app: &App, who: &Who, maker: MakerId, tz: &str) -> Result<(), ApiError> {
    if !who.may_for(&maker, MakerPower::Administer) {
        return Err(ApiError::of(ErrorCode::NotPermitted));
    }
    let zone = read(tz)?;
    let scope = Place::Maker(maker).to_string();
    let detail = json!({ "tz": zone.as_str() });
    let act = Act { at: app.clock.now(), scope, who: who.by(), act: "set-zone", detail };
    let stored = app.db.write(move |conn| {
        db::zone::put(conn, &act.scope, zone.as_str())?;
        act::append(conn, &act)
    });
    Ok(stored.await?)
}

/// Enters the own zone.
///
/// # Errors
/// `zone_unknown`, or a failure of ours.
pub async fn set_own(app: &App, who: &Who, tz: &str) -> Result<(), ApiError> {
    let (zone, holder) = (read(tz)?, holder(who.account));
    Ok(app.db.write(move |conn| db::zone::put(conn, &holder, zone.as_str())).await?)
}

fn read(tz: &str) -> Result<ZoneName, ApiError> {
    ZoneName::of(tz).ok_or_else(|| ApiError::of(ErrorCode::ZoneUnknown))
}

fn holder(account: AccountId) -> String {
    format!("account:{}", account.0)
}
