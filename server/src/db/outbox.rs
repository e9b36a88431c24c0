//! Rows of messages on their way out.
//!
//! A message is stored in the transaction that causes it and leaves the table never. Not here: what it
//! says, and sending. Invariant: a message is claimed by compare-and-swap; only who holds the claim
//! ends it; an ended claim is taken over under the same id, so that a receiver can tell a repetition.

use super::column::{count, from_name, instant, to_name};
use super::notice::{read_id, read_place, store_step};
use super::schema::notice::outbox;
use super::{Connection, DbError, queries};
use crate::notify::raise::CLOCK_BACK_S;
use crate::notify::subject::NoticeId;
use crate::people::role::Place;
use diesel::prelude::*;
use patchward_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A message as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its name: what a receiver tells repetitions by.
    pub id: NoticeId,
    /// Through which channel.
    pub channel: NoticeId,
    /// Of which place.
    pub place: Place,
    /// What it is about.
    pub about: About,
    /// The step at which it was written.
    pub step: u32,
    /// When it was written.
    pub created: Timestamp,
    /// When it is tried next.
    pub next_try: Timestamp,
    /// When it is given up.
    pub give_up: Timestamp,
    /// How often it was tried.
    pub tries: u32,
}

/// What a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A notice.
    Notice(NoticeId),
    /// A drill.
    Drill(NoticeId),
}

/// How a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// To be sent.
    Waiting,
    /// Somebody is sending it.
    Sending,
    /// Taken by the other side.
    Sent,
    /// Given up.
    Failed,
    /// Not needed any more.
    Dropped,
}

/// A message as it is told to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The message.
    pub message: Message,
    /// How it stands.
    pub state: State,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Why the last try failed.
    pub failure: Option<String>,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = outbox)]
struct Row {
    id: String,
    channel: String,
    place: String,
    topic: String,
    about: String,
    step: i64,
    state: String,
    created: i64,
    next_try: Option<i64>,
    give_up: i64,
    tries: i64,
    claimed_by: Option<String>,
    claimed_until: Option<i64>,
    ended: Option<i64>,
    failure: Option<String>,
}

/// No claim lasts so many milliseconds: one that says so was made while the clock ran ahead.
const CLAIM_MS_MAX: i64 = 600_000;
/// A clock may be set back by so many milliseconds; what was created later than that in the future is
/// due now.
const CLOCK_BACK_MS: i64 = CLOCK_BACK_S * 1000;

queries! {
    fn insert_row(conn, row: &Row) -> Result<usize, DbError> {
        let insert = diesel::insert_into(outbox::table).values(row);
        Ok(insert.on_conflict_do_nothing().execute(conn)?)
    }

    fn row(conn, id: &str) -> Result<Option<Row>, DbError> {
        Ok(outbox::table.find(id).first::<Row>(conn).optional()?)
    }

    fn due_rows(conn, at: i64, limit: i64) -> Result<Vec<Row>, DbError> {
        let ahead = outbox::claimed_until.gt(at.saturating_add(CLAIM_MS_MAX));
        let free = outbox::claimed_until.is_null().or(outbox::claimed_until.le(at)).or(ahead);
        let born_ahead = outbox::created.gt(at.saturating_add(CLOCK_BACK_MS));
        let waits = outbox::table.filter(outbox::next_try.is_not_null());
        let rows = waits.filter(outbox::next_try.le(at).assume_not_null().or(born_ahead)).filter(free);
        Ok(rows.order((outbox::next_try, outbox::id)).limit(limit).load(conn)?)
    }

    fn claim_row(conn, id: &str, tries: i64, by: &str, at: i64, until: i64) -> Result<usize, DbError> {
        let ahead = outbox::claimed_until.gt(at.saturating_add(CLAIM_MS_MAX));
        let free = outbox::claimed_until.is_null().or(outbox::claimed_until.le(at)).or(ahead);
        let free = outbox::table
            .find(id)
            .filter(outbox::tries.eq(tries))
            .filter(outbox::next_try.is_not_null())
            .filter(free);
        let claimed = (
            outbox::state.eq("sending"),
            outbox::tries.eq(tries + 1),
            outbox::claimed_by.eq(Some(by.to_owned())),
            outbox::claimed_until.eq(Some(until)),
        );
        Ok(diesel::update(free).set(claimed).execute(conn)?)
    }

    fn end_row(conn, id: &str, by: &str, state: &str, at: i64, failure: Option<String>)
        -> Result<usize, DbError>
    {
        let mine = outbox::table.find(id).filter(outbox::claimed_by.eq(by));
        let ended = (
            outbox::state.eq(state),
            outbox::ended.eq(Some(at)),
            outbox::failure.eq(failure),
            outbox::next_try.eq(None::<i64>),
            outbox::claimed_by.eq(None::<String>),
            outbox::claimed_until.eq(None::<i64>),
        );
        Ok(diesel::update(mine).set(ended).execute(conn)?)
    }

    fn later_row(conn, id: &str, by: &str, next: i64, failure: &str) -> Result<usize, DbError> {
        let mine = outbox::table.find(id).filter(outbox::claimed_by.eq(by));
        let later = (
            outbox::state.eq("waiting"),
            outbox::next_try.eq(Some(next)),
            outbox::failure.eq(Some(failure.to_owned())),
            outbox::claimed_by.eq(None::<String>),
            outbox::claimed_until.eq(None::<i64>),
        );
        Ok(diesel::update(mine).set(later).execute(conn)?)
    }

    fn waiting_of(conn, channel: &str) -> Result<i64, DbError> {
        let rows = outbox::table.filter(outbox::channel.eq(channel)).filter(outbox::next_try.is_not_null());
        Ok(rows.count().get_result(conn)?)
    }

    fn about_rows(conn, place: &str, about: &str) -> Result<Vec<Row>, DbError> {
        let rows = outbox::table.filter(outbox::place.eq(place)).filter(outbox::about.eq(about));
        Ok(rows.order((outbox::created, outbox::id)).load(conn)?)
    }

    fn channel_rows(conn, channel: &str, limit: i64) -> Result<Vec<Row>, DbError> {
        let rows = outbox::table.filter(outbox::channel.eq(channel));
        Ok(rows.order((outbox::created.desc(), outbox::id)).limit(limit).load(conn)?)
    }
}

/// Stores a message; `false` when it is stored already.
///
/// # Errors
/// [`DbError`].
pub fn insert(conn: &mut Connection, message: &Message) -> Result<bool, DbError> {
    Ok(insert_row(conn, &Row::of(message)?)? == 1)
}

/// A message.
///
/// # Errors
/// [`DbError`].
pub fn find(conn: &mut Connection, id: &NoticeId) -> Result<Option<Told>, DbError> {
    row(conn, id.as_str())?.map(Row::told).transpose()
}

/// What can be sent now, the longest waiting first.
///
/// # Errors
/// [`DbError`].
pub fn due(conn: &mut Connection, at: Timestamp, limit: i64) -> Result<Vec<Message>, DbError> {
    let rows = due_rows(conn, at.millis(), limit)?;
    rows.into_iter().map(|row| row.told().map(|told| told.message)).collect()
}

/// Takes a message until `until`; `false` when somebody else did.
///
/// # Errors
/// [`DbError`].
pub fn claim(
    conn: &mut Connection,
    message: &Message,
    by: &str,
    at: Timestamp,
    until: Timestamp,
) -> Result<bool, DbError> {
    let tries = store_step("outbox.tries", message.tries)?;
    Ok(claim_row(conn, message.id.as_str(), tries, by, at.millis(), until.millis())? == 1)
}

/// Ends a claimed message; `false` when the claim was taken over.
///
/// # Errors
/// [`DbError`].
pub fn end(
    conn: &mut Connection,
    id: &NoticeId,
    by: &str,
    state: State,
    at: Timestamp,
    failure: Option<String>,
) -> Result<bool, DbError> {
    let state = to_name("outbox.state", &state)?;
    Ok(end_row(conn, id.as_str(), by, &state, at.millis(), failure)? == 1)
}

/// A claimed message waits for its next try; `false` when the claim was taken over.
///
/// # Errors
/// [`DbError`].
pub fn later(
    conn: &mut Connection,
    id: &NoticeId,
    by: &str,
    next: Timestamp,
    failure: &str,
) -> Result<bool, DbError> {
    Ok(later_row(conn, id.as_str(), by, next.millis(), failure)? == 1)
}

/// How many messages wait for a channel.
///
/// # Errors
/// [`DbError`].
pub fn waiting(conn: &mut Connection, channel: &NoticeId) -> Result<u64, DbError> {
    count("outbox.id", waiting_of(conn, channel.as_str())?)
}

/// The messages about a notice or a drill, oldest first.
///
/// # Errors
/// [`DbError`].
pub fn about(conn: &mut Connection, place: &Place, id: &NoticeId) -> Result<Vec<Told>, DbError> {
    about_rows(conn, &place.to_string(), id.as_str())?.into_iter().map(Row::told).collect()
}

/// The last messages of a channel, newest first.
///
/// # Errors
/// [`DbError`].
pub fn of_channel(
    conn: &mut Connection,
    channel: &NoticeId,
    limit: i64,
) -> Result<Vec<Told>, DbError> {
    channel_rows(conn, channel.as_str(), limit)?.into_iter().map(Row::told).collect()
}

impl Row {
    fn of(message: &Message) -> Result<Self, DbError> {
        let (topic, about) = match &message.about {
            About::Notice(id) => ("notice", id),
            About::Drill(id) => ("drill", id),
        };
        Ok(Self {
            id: message.id.to_string(),
            channel: message.channel.to_string(),
            place: message.place.to_string(),
            topic: topic.to_owned(),
            about: about.to_string(),
            step: store_step("outbox.step", message.step)?,
            state: to_name("outbox.state", &State::Waiting)?,
            created: message.created.millis(),
            next_try: Some(message.next_try.millis()),
            give_up: message.give_up.millis(),
            tries: store_step("outbox.tries", message.tries)?,
            claimed_by: None,
            claimed_until: None,
            ended: None,
            failure: None,
        })
    }

    fn told(self) -> Result<Told, DbError> {
        let about = read_id("outbox.about", &self.about)?;
        let about = if self.topic == "drill" { About::Drill(about) } else { About::Notice(about) };
        let small = |column, value| {
            count(column, value).map(|value| u32::try_from(value).unwrap_or(u32::MAX))
        };
        Ok(Told {
            message: Message {
                id: read_id("outbox.id", &self.id)?,
                channel: read_id("outbox.channel", &self.channel)?,
                place: read_place("outbox.place", &self.place)?,
                about,
                step: small("outbox.step", self.step)?,
                created: Timestamp::from_millis(self.created),
                next_try: Timestamp::from_millis(self.next_try.unwrap_or(self.created)),
                give_up: Timestamp::from_millis(self.give_up),
                tries: small("outbox.tries", self.tries)?,
            },
            state: from_name("outbox.state", &self.state)?,
            ended: instant(self.ended),
            failure: self.failure,
        })
    }
}
