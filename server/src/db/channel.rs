//! Rows of channels, of drills through them, and of how they do.
//!
//! Not here: who gets what ([`crate::notify`]). Invariant: a removed channel keeps its row, so
//! that what was sent through it can still be told; the secret of a webhook is in no row.

use super::column::{from_name, instant, to_name};
use super::notice::{read_id, read_place};
use super::schema::notice::{channels, drill_channels, drills};
use super::{Connection, DbError, queries};
use crate::notify::channel::{Channel, Circle, Health, Kind, Quiet};
use crate::notify::subject::{NoticeId, Severity};
use crate::people::role::Place;
use crate::people::who::{AccountId, Language};
use diesel::prelude::*;
use patchward_protocol::time::Timestamp;

/// A drill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drill {
    /// Its name.
    pub id: NoticeId,
    /// Where.
    pub place: Place,
    /// When it was started.
    pub started: Timestamp,
    /// By whom: the printed name.
    pub started_by: String,
}

/// How a drill went in one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drilled {
    /// The channel.
    pub channel: NoticeId,
    /// When somebody confirmed that the message has arrived, and the printed name.
    pub confirmed: Option<(Timestamp, String)>,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = channels)]
struct Row {
    id: String,
    place: String,
    account: Option<i64>,
    kind: String,
    address: String,
    language: String,
    circle: String,
    least: String,
    quiet_from: Option<i64>,
    quiet_to: Option<i64>,
    tz: String,
    created: i64,
    created_by: String,
    removed: Option<i64>,
    proven: Option<i64>,
    sent: Option<i64>,
    failing_since: Option<i64>,
    failure: Option<String>,
}

type DrillRow = (String, String, i64, String);
type DrilledRow = (String, Option<i64>, Option<String>);

queries! {
    fn insert_row(conn, row: &Row) -> Result<(), DbError> {
        diesel::insert_into(channels::table).values(row).execute(conn)?;
        Ok(())
    }

    fn row(conn, id: &str) -> Result<Option<Row>, DbError> {
        Ok(channels::table.find(id).first::<Row>(conn).optional()?)
    }

    fn place_rows(conn, place: &str) -> Result<Vec<Row>, DbError> {
        let rows =
            channels::table.filter(channels::place.eq(place)).filter(channels::removed.is_null());
        Ok(rows.order((channels::created, channels::id)).load(conn)?)
    }

    fn all_rows(conn) -> Result<Vec<Row>, DbError> {
        let rows = channels::table.filter(channels::removed.is_null());
        Ok(rows.order((channels::created, channels::id)).load(conn)?)
    }

    fn remove_row(conn, id: &str, at: i64) -> Result<usize, DbError> {
        let here = channels::table.find(id).filter(channels::removed.is_null());
        Ok(diesel::update(here).set(channels::removed.eq(Some(at))).execute(conn)?)
    }

    fn sent_row(conn, id: &str, at: i64) -> Result<(), DbError> {
        let well = (
            channels::sent.eq(Some(at)),
            channels::failing_since.eq(None::<i64>),
            channels::failure.eq(None::<String>),
        );
        diesel::update(channels::table.find(id)).set(well).execute(conn)?;
        Ok(())
    }

    fn failing_row(conn, id: &str, at: i64, why: &str) -> Result<usize, DbError> {
        let well = channels::table.find(id).filter(channels::failing_since.is_null());
        let failing = (
            channels::failing_since.eq(Some(at)),
            channels::failure.eq(Some(why.to_owned())),
        );
        Ok(diesel::update(well).set(failing).execute(conn)?)
    }

    fn proven_row(conn, id: &str, at: i64) -> Result<(), DbError> {
        diesel::update(channels::table.find(id)).set(channels::proven.eq(Some(at))).execute(conn)?;
        Ok(())
    }

    fn insert_drill(conn, row: &DrillRow) -> Result<(), DbError> {
        let (id, place, started, by) = row;
        let row = (
            drills::id.eq(id),
            drills::place.eq(place),
            drills::started.eq(started),
            drills::started_by.eq(by),
        );
        diesel::insert_into(drills::table).values(row).execute(conn)?;
        Ok(())
    }

    fn insert_drilled(conn, drill: &str, channel: &str) -> Result<(), DbError> {
        let row = (drill_channels::drill.eq(drill), drill_channels::channel.eq(channel));
        diesel::insert_into(drill_channels::table).values(row).execute(conn)?;
        Ok(())
    }

    fn drill_row(conn, id: &str) -> Result<Option<DrillRow>, DbError> {
        Ok(drills::table.find(id).first::<DrillRow>(conn).optional()?)
    }

    fn last_drill_row(conn, place: &str) -> Result<Option<DrillRow>, DbError> {
        let rows = drills::table.filter(drills::place.eq(place));
        Ok(rows.order((drills::started.desc(), drills::id)).first::<DrillRow>(conn).optional()?)
    }

    fn drilled_rows(conn, drill: &str) -> Result<Vec<DrilledRow>, DbError> {
        let rows = drill_channels::table.filter(drill_channels::drill.eq(drill));
        let columns =
            (drill_channels::channel, drill_channels::confirmed, drill_channels::confirmed_by);
        Ok(rows.order(drill_channels::channel).select(columns).load(conn)?)
    }

    fn confirm_row(conn, drill: &str, channel: &str, at: i64, by: &str) -> Result<usize, DbError> {
        let open = drill_channels::table
            .find((drill, channel))
            .filter(drill_channels::confirmed.is_null());
        let said = (
            drill_channels::confirmed.eq(Some(at)),
            drill_channels::confirmed_by.eq(Some(by.to_owned())),
        );
        Ok(diesel::update(open).set(said).execute(conn)?)
    }
}

/// Stores a new channel.
///
/// # Errors
/// [`DbError`].
pub fn insert(conn: &mut Connection, channel: &Channel) -> Result<(), DbError> {
    insert_row(conn, &Row::of(channel)?)
}

/// A channel, removed ones too.
///
/// # Errors
/// [`DbError`].
pub fn find(conn: &mut Connection, id: &NoticeId) -> Result<Option<Channel>, DbError> {
    row(conn, id.as_str())?.map(Row::channel).transpose()
}

/// The channels of a place, oldest first.
///
/// # Errors
/// [`DbError`].
pub fn of_place(conn: &mut Connection, place: &Place) -> Result<Vec<Channel>, DbError> {
    place_rows(conn, &place.to_string())?.into_iter().map(Row::channel).collect()
}

/// Every channel that is not removed.
///
/// # Errors
/// [`DbError`].
pub fn all(conn: &mut Connection) -> Result<Vec<Channel>, DbError> {
    all_rows(conn)?.into_iter().map(Row::channel).collect()
}

/// Removes a channel; `false` when it was removed before.
///
/// # Errors
/// [`DbError`].
pub fn remove(conn: &mut Connection, id: &NoticeId, at: Timestamp) -> Result<bool, DbError> {
    Ok(remove_row(conn, id.as_str(), at.millis())? == 1)
}

/// A message went through.
///
/// # Errors
/// [`DbError`].
pub fn note_sent(conn: &mut Connection, id: &NoticeId, at: Timestamp) -> Result<(), DbError> {
    sent_row(conn, id.as_str(), at.millis())
}

/// Messages do not go through; `false` when that was noted before.
///
/// # Errors
/// [`DbError`].
pub fn note_failing(
    conn: &mut Connection,
    id: &NoticeId,
    at: Timestamp,
    why: &str,
) -> Result<bool, DbError> {
    Ok(failing_row(conn, id.as_str(), at.millis(), why)? == 1)
}

/// Stores a drill with the channels that it goes through.
///
/// # Errors
/// [`DbError`].
pub fn insert_drill_of(
    conn: &mut Connection,
    drill: &Drill,
    channels: &[NoticeId],
) -> Result<(), DbError> {
    let Drill { id, place, started, started_by } = drill;
    insert_drill(conn, &(id.to_string(), place.to_string(), started.millis(), started_by.clone()))?;
    channels.iter().try_for_each(|channel| insert_drilled(conn, id.as_str(), channel.as_str()))
}

/// A drill.
///
/// # Errors
/// [`DbError`].
pub fn drill(conn: &mut Connection, id: &NoticeId) -> Result<Option<Drill>, DbError> {
    drill_row(conn, id.as_str())?.map(read_drill).transpose()
}

/// The last drill of a place.
///
/// # Errors
/// [`DbError`].
pub fn last_drill(conn: &mut Connection, place: &Place) -> Result<Option<Drill>, DbError> {
    last_drill_row(conn, &place.to_string())?.map(read_drill).transpose()
}

/// How a drill went, by channel.
///
/// # Errors
/// [`DbError`].
pub fn drilled(conn: &mut Connection, drill: &NoticeId) -> Result<Vec<Drilled>, DbError> {
    let read = |(channel, at, by): DrilledRow| {
        let channel = read_id("drill_channels.channel", &channel)?;
        Ok(Drilled { channel, confirmed: instant(at).zip(by) })
    };
    drilled_rows(conn, drill.as_str())?.into_iter().map(read).collect()
}

/// Somebody confirms that a drill's message has arrived: the channel is proven. `false` when that was
/// confirmed before, or the drill does not go through this channel.
///
/// # Errors
/// [`DbError`].
pub fn confirm(
    conn: &mut Connection,
    drill: &NoticeId,
    channel: &NoticeId,
    at: Timestamp,
    by: &str,
) -> Result<bool, DbError> {
    if confirm_row(conn, drill.as_str(), channel.as_str(), at.millis(), by)? == 0 {
        return Ok(false);
    }
    proven_row(conn, channel.as_str(), at.millis())?;
    Ok(true)
}

fn read_drill((id, place, started, started_by): DrillRow) -> Result<Drill, DbError> {
    Ok(Drill {
        id: read_id("drills.id", &id)?,
        place: read_place("drills.place", &place)?,
        started: Timestamp::from_millis(started),
        started_by,
    })
}

impl Row {
    fn of(channel: &Channel) -> Result<Self, DbError> {
        let (quiet_from, quiet_to) =
            channel.quiet.map(|quiet| (i64::from(quiet.from_min), i64::from(quiet.to_min))).unzip();
        let Health { proven, sent, failing } = channel.health.clone();
        let (failing_since, failure) = failing.unzip();
        Ok(Self {
            id: channel.id.to_string(),
            place: channel.place.to_string(),
            account: channel.account.map(|account| account.0),
            kind: to_name("channels.kind", &channel.kind)?,
            address: channel.address.clone(),
            language: channel.language.tag().to_owned(),
            circle: to_name("channels.circle", &channel.circle)?,
            least: to_name("channels.least", &channel.least)?,
            quiet_from,
            quiet_to,
            tz: channel.tz.clone(),
            created: channel.created.millis(),
            created_by: channel.created_by.clone(),
            removed: channel.removed.map(Timestamp::millis),
            proven: proven.map(Timestamp::millis),
            sent: sent.map(Timestamp::millis),
            failing_since: failing_since.map(Timestamp::millis),
            failure,
        })
    }

    fn channel(self) -> Result<Channel, DbError> {
        let minute = |value: i64| u16::try_from(value).unwrap_or(0);
        let quiet = self.quiet_from.zip(self.quiet_to);
        let kind: Kind = from_name("channels.kind", &self.kind)?;
        let circle: Circle = from_name("channels.circle", &self.circle)?;
        let least: Severity = from_name("channels.least", &self.least)?;
        let language = Language::of(&self.language).ok_or_else(|| DbError::Column {
            column: "channels.language",
            kind: "language",
            value: self.language.clone(),
        })?;
        Ok(Channel {
            id: read_id("channels.id", &self.id)?,
            place: read_place("channels.place", &self.place)?,
            account: self.account.map(AccountId),
            kind,
            address: self.address,
            language,
            circle,
            least,
            quiet: quiet.map(|(from, to)| Quiet { from_min: minute(from), to_min: minute(to) }),
            tz: self.tz,
            created: Timestamp::from_millis(self.created),
            created_by: self.created_by,
            removed: instant(self.removed),
            health: Health {
                proven: instant(self.proven),
                sent: instant(self.sent),
                failing: instant(self.failing_since).zip(self.failure),
            },
        })
    }
}
