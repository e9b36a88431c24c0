//! Channels are entered, removed and proven: a drill sends a code through each, and whoever types it
//! here has received it.
//!
//! Not here: sending. Invariant: a channel is proven only by a code that left through it.

use super::channel::{Channel, Circle, Health, Kind, Quiet, drill_code};
use super::raise;
use super::subject::{NoticeId, Severity};
use super::webhook::{Reach, check_url};
use crate::app::App;
use crate::clock;
use crate::db::act::{self, Act};
use crate::db::channel::{self as channels, Drill};
use crate::db::outbox::{self, About, Message};
use crate::error::ApiError;
use crate::limits::{
    CHANNEL_ADDRESS_CHARS_MAX, CHANNELS_MAX, DRILL_CODE_CHARS_MAX, DRILL_EVERY_S, DRILL_LIFE_S,
};
use crate::people::role::Place;
use crate::people::who::{AccountId, Language, Who};
use jiff::tz::TimeZoneDatabase;
use patchward_protocol::api::error::ErrorCode;
use serde_json::json;
use std::sync::Arc;
use subtle::ConstantTimeEq as _;

/// What is entered of a channel.
#[derive(Debug, Clone)]
pub struct Entered {
    /// How.
    pub kind: Kind,
    /// A mail address, or a URL.
    pub address: String,
    /// In which language its reader reads.
    pub language: Language,
    /// From which step on it is told.
    pub circle: Circle,
    /// What is less grave is not sent.
    pub least: Severity,
    /// When it is not disturbed by what can wait.
    pub quiet: Option<Quiet>,
    /// IANA zone of its reader.
    pub tz: String,
    /// The person whose it is; absent for one of the whole place.
    pub account: Option<AccountId>,
}

/// Adds a channel to a place.
///
/// # Errors
/// `request_invalid` for an address or a zone that is none or for too many channels, or a failure of ours.
pub async fn add(
    app: &Arc<App>,
    place: &Place,
    entered: Entered,
    who: &Who,
) -> Result<NoticeId, ApiError> {
    check(app, &entered)?;
    let at = app.clock.now();
    let drawn = hex::encode(clock::random::<16>(&*app.rng)?);
    let Entered { kind, address, language, circle, least, quiet, tz, account } = entered;
    let channel = Channel {
        id: NoticeId::digest(&format!("channel|{drawn}")),
        place: place.clone(),
        account,
        kind,
        address,
        language,
        circle,
        least,
        quiet,
        tz,
        created: at,
        created_by: who.name.clone(),
        removed: None,
        health: Health::default(),
    };
    let (id, by) = (channel.id.clone(), who.by());
    let stored = app.db.write(move |conn| {
        if channels::of_place(conn, &channel.place)?.len() >= CHANNELS_MAX {
            return Err(invalid(&format!("at most {CHANNELS_MAX} channels for one place")));
        }
        channels::insert(conn, &channel)?;
        Ok(act::append(conn, &told(&channel, at, by, "channel-added"))?)
    });
    stored.await?;
    Ok(id)
}

/// Removes a channel of a place.
///
/// # Errors
/// `not_found` for a channel of others, or a failure of ours.
pub async fn remove(
    app: &Arc<App>,
    place: &Place,
    id: &NoticeId,
    who: &Who,
) -> Result<(), ApiError> {
    let (at, place, id, by) = (app.clock.now(), place.clone(), id.clone(), who.by());
    let removed = app.db.write(move |conn| {
        let found = channels::find(conn, &id)?.filter(|channel| channel.place == place);
        let channel = found.ok_or_else(|| ApiError::of(ErrorCode::NotFound))?;
        if channels::remove(conn, &id, at)? {
            act::append(conn, &told(&channel, at, by, "channel-removed"))?;
        }
        Ok(())
    });
    removed.await
}

/// Sends a code through every channel of a place.
///
/// # Errors
/// `request_invalid` without a channel or shortly after the last drill, or a failure of ours.
pub async fn start(app: &Arc<App>, place: &Place, who: &Who) -> Result<NoticeId, ApiError> {
    let at = app.clock.now();
    let drawn = hex::encode(clock::random::<16>(&*app.rng)?);
    let drill = Drill {
        id: NoticeId::digest(&format!("drill|{drawn}")),
        place: place.clone(),
        started: at,
        started_by: who.name.clone(),
    };
    let (id, by, give_up_s) = (drill.id.clone(), who.by(), app.config.notify.give_up_s);
    let started = app.db.write(move |conn| {
        let last = channels::last_drill(conn, &drill.place)?;
        if last.is_some_and(|last| last.started.plus_seconds(DRILL_EVERY_S) > at) {
            return Err(invalid("the last drill was less than a minute ago"));
        }
        let living = raise::living(conn, &drill.place)?;
        if living.is_empty() {
            return Err(invalid("there is no channel yet"));
        }
        let names: Vec<NoticeId> = living.into_iter().map(|channel| channel.id).collect();
        channels::insert_drill_of(conn, &drill, &names)?;
        for channel in names {
            let message = Message {
                id: NoticeId::digest(&format!("{}|{channel}", drill.id)),
                channel,
                place: drill.place.clone(),
                about: About::Drill(drill.id.clone()),
                step: 0,
                created: at,
                next_try: at,
                give_up: at.plus_seconds(give_up_s),
                tries: 0,
            };
            outbox::insert(conn, &message)?;
        }
        let (scope, detail) = (drill.place.to_string(), json!({"drill": drill.id.as_str()}));
        Ok(act::append(conn, &Act { at, scope, who: by, act: "drill-started", detail })?)
    });
    started.await?;
    app.notices.ring();
    Ok(id)
}

/// A person types the code that has arrived; the channel that it left through is proven.
///
/// # Errors
/// `drill_code_wrong` for any other code and for a drill that is too old, or a failure of ours.
pub async fn confirm(
    app: &Arc<App>,
    place: &Place,
    code: &str,
    who: &Who,
) -> Result<NoticeId, ApiError> {
    let typed: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    let typed = typed.to_ascii_uppercase().replace('O', "0").replace(['I', 'L'], "1");
    if typed.is_empty() || typed.len() > DRILL_CODE_CHARS_MAX {
        return Err(ApiError::of(ErrorCode::DrillCodeWrong));
    }
    let (at, place, name, by) = (app.clock.now(), place.clone(), who.name.clone(), who.by());
    let world = Arc::clone(app);
    let confirmed = app.db.write(move |conn| {
        let wrong = || ApiError::of(ErrorCode::DrillCodeWrong);
        let drill = channels::last_drill(conn, &place)?.ok_or_else(wrong)?;
        if drill.started.plus_seconds(DRILL_LIFE_S) <= at {
            return Err(wrong());
        }
        let is_it = |channel: &NoticeId| {
            let code = drill_code(world.keys.mac(), &drill.id, channel);
            bool::from(code.as_bytes().ct_eq(typed.as_bytes()))
        };
        let open = channels::drilled(conn, &drill.id)?.into_iter();
        let mut open = open.filter(|drilled| drilled.confirmed.is_none());
        let channel = open.find(|drilled| is_it(&drilled.channel)).ok_or_else(wrong)?.channel;
        channels::confirm(conn, &drill.id, &channel, at, &name)?;
        let detail = json!({"drill": drill.id.as_str(), "channel": channel.as_str()});
        let scope = place.to_string();
        act::append(conn, &Act { at, scope, who: by, act: "channel-proven", detail })?;
        Ok(channel)
    });
    let channel = confirmed.await?;
    app.notices.ring();
    Ok(channel)
}

fn told(
    channel: &Channel,
    at: patchward_protocol::time::Timestamp,
    who: String,
    act: &'static str,
) -> Act {
    let detail = json!({"channel": channel.id.as_str(), "kind": channel.kind.word()});
    Act { at, scope: channel.place.to_string(), who, act, detail }
}

fn check(app: &App, entered: &Entered) -> Result<(), ApiError> {
    let Entered { kind, address, tz, .. } = entered;
    if address.chars().count() > CHANNEL_ADDRESS_CHARS_MAX || address.chars().any(char::is_control)
    {
        return Err(invalid("address: too long, or with control characters"));
    }
    match kind {
        Kind::Mail if address.parse::<lettre::Address>().is_err() => {
            return Err(invalid("address: no mail address"));
        }
        Kind::Mail => {}
        Kind::Webhook => check_url(address, Reach::of(&app.config.notify))
            .map_err(|why| invalid(&format!("address: {why}")))?,
    }
    match TimeZoneDatabase::bundled().get(tz) {
        Ok(_) => Ok(()),
        Err(_) => Err(invalid("tz: no time zone")),
    }
}

fn invalid(rule: &str) -> ApiError {
    ApiError::with(ErrorCode::RequestInvalid, rule)
}
