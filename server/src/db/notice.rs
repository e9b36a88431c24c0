//! Rows of notices: what needs a person at a place. A row stays when it is closed.
//!
//! Not here: what comes up ([`crate::notify::survey`]). Invariant: a notice is inserted once,
//! acknowledged once and closed once, each by compare-and-swap, so that of two servers one tells people.

use super::column::{from_json, from_name, instant, store_count, to_json, to_name};
use super::schema::notice::notices;
use super::{Connection, DbError, queries};
use crate::notify::raise::CLOCK_BACK_S;
use crate::notify::subject::{NoticeId, Severity, Subject};
use crate::people::role::Place;
use diesel::prelude::*;
use patchward_protocol::id::{FamilyId, MakerId, SiteId};
use patchward_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Kind of a notice of a release.
const RELEASE: &str = "release";

/// A notice as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its name.
    pub id: NoticeId,
    /// Whose it is.
    pub place: Place,
    /// What it is about.
    pub subject: Subject,
    /// How grave it is.
    pub severity: Severity,
    /// When it came up.
    pub created: Timestamp,
    /// By when something should be done.
    pub due: Option<Timestamp>,
    /// How far it was passed on: 0 is the first circle.
    pub step: u32,
    /// When it is passed on next, unless somebody acknowledges it.
    pub step_due: Option<Timestamp>,
    /// When somebody said that it has arrived, and the printed name.
    pub acknowledged: Option<(Timestamp, String)>,
    /// When it was closed, and why.
    pub closed: Option<(Timestamp, Closed)>,
}

/// Why a notice is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Closed {
    /// What it was about is no more so.
    Over,
    /// The site answered.
    Answered,
    /// A person looked at it.
    LookedAt,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = notices)]
struct Row {
    id: String,
    place: String,
    kind: String,
    severity: String,
    subject: String,
    family: Option<String>,
    site: Option<String>,
    created: i64,
    due: Option<i64>,
    step: i64,
    step_due: Option<i64>,
    acknowledged: Option<i64>,
    acknowledged_by: Option<String>,
    closed: Option<i64>,
    closed_why: Option<String>,
}

/// What was created later than so many milliseconds from now was created while the clock ran ahead.
const CLOCK_BACK_MS: i64 = CLOCK_BACK_S * 1000;

queries! {
    fn insert_row(conn, row: &Row) -> Result<usize, DbError> {
        let insert = diesel::insert_into(notices::table).values(row);
        Ok(insert.on_conflict_do_nothing().execute(conn)?)
    }

    fn row(conn, id: &str) -> Result<Option<Row>, DbError> {
        Ok(notices::table.find(id).first::<Row>(conn).optional()?)
    }

    fn open_rows(conn, place: &str) -> Result<Vec<Row>, DbError> {
        let rows = notices::table.filter(notices::place.eq(place)).filter(notices::closed.is_null());
        Ok(rows.order((notices::created.desc(), notices::id)).load(conn)?)
    }

    fn all_open_rows(conn) -> Result<Vec<Row>, DbError> {
        Ok(notices::table.filter(notices::closed.is_null()).order(notices::id).load(conn)?)
    }

    fn unanswered_rows(conn, families: &[String]) -> Result<Vec<Row>, DbError> {
        let rows = notices::table
            .filter(notices::closed.is_null())
            .filter(notices::kind.eq(RELEASE))
            .filter(notices::family.eq_any(families))
            .filter(notices::acknowledged.is_null());
        Ok(rows.order(notices::id).load(conn)?)
    }

    fn closed_rows(conn, place: &str, limit: i64) -> Result<Vec<Row>, DbError> {
        let rows =
            notices::table.filter(notices::place.eq(place)).filter(notices::closed.is_not_null());
        Ok(rows.order((notices::closed.desc(), notices::id)).limit(limit).load(conn)?)
    }

    fn known_ids(conn, ids: &[String]) -> Result<Vec<String>, DbError> {
        let rows = notices::table.filter(notices::id.eq_any(ids));
        Ok(rows.select(notices::id).load(conn)?)
    }

    fn acknowledge_row(conn, id: &str, at: i64, by: &str) -> Result<usize, DbError> {
        let open = notices::table
            .find(id)
            .filter(notices::acknowledged.is_null())
            .filter(notices::closed.is_null());
        let said = (
            notices::acknowledged.eq(Some(at)),
            notices::acknowledged_by.eq(Some(by.to_owned())),
            notices::step_due.eq(None::<i64>),
        );
        Ok(diesel::update(open).set(said).execute(conn)?)
    }

    fn close_row(conn, id: &str, at: i64, why: &str) -> Result<usize, DbError> {
        let open = notices::table.find(id).filter(notices::closed.is_null());
        let closed = (
            notices::closed.eq(Some(at)),
            notices::closed_why.eq(Some(why.to_owned())),
            notices::step_due.eq(None::<i64>),
        );
        Ok(diesel::update(open).set(closed).execute(conn)?)
    }

    fn due_rows(conn, at: i64, limit: i64) -> Result<Vec<Row>, DbError> {
        let ahead = notices::created.gt(at.saturating_add(CLOCK_BACK_MS));
        let waits = notices::table.filter(notices::step_due.is_not_null());
        let rows = waits.filter(notices::step_due.le(at).assume_not_null().or(ahead));
        Ok(rows.order((notices::step_due, notices::id)).limit(limit).load(conn)?)
    }

    fn step_row(conn, id: &str, from: i64, to: i64, next: Option<i64>) -> Result<usize, DbError> {
        let here = notices::table
            .find(id)
            .filter(notices::step.eq(from))
            .filter(notices::acknowledged.is_null())
            .filter(notices::closed.is_null());
        let passed = (notices::step.eq(to), notices::step_due.eq(next));
        Ok(diesel::update(here).set(passed).execute(conn)?)
    }

    fn restart_row(conn, id: &str, step: i64, at: i64, due: Option<i64>) -> Result<usize, DbError> {
        let here = notices::table.find(id).filter(notices::step.eq(step));
        let now = (notices::created.eq(at), notices::step_due.eq(due));
        Ok(diesel::update(here.filter(notices::closed.is_null())).set(now).execute(conn)?)
    }

    fn graver_row(conn, id: &str, severity: &str, due: Option<i64>, step_due: Option<i64>)
        -> Result<usize, DbError>
    {
        let open = notices::table.find(id).filter(notices::closed.is_null());
        let now = (
            notices::severity.eq(severity),
            notices::due.eq(due),
            notices::step_due.eq(step_due),
        );
        Ok(diesel::update(open.filter(notices::severity.ne(severity))).set(now).execute(conn)?)
    }
}

/// Stores a new notice; `false` when the same matter is stored already.
///
/// # Errors
/// [`DbError`].
pub fn insert(conn: &mut Connection, notice: &Notice) -> Result<bool, DbError> {
    Ok(insert_row(conn, &Row::of(notice)?)? == 1)
}

/// A notice of a place; one of another place is none.
///
/// # Errors
/// [`DbError`].
pub fn find(
    conn: &mut Connection,
    place: &Place,
    id: &NoticeId,
) -> Result<Option<Notice>, DbError> {
    let found = row(conn, id.as_str())?.map(Row::notice).transpose()?;
    Ok(found.filter(|notice| notice.place == *place))
}

/// A notice, wherever it is.
///
/// # Errors
/// [`DbError`].
pub fn get(conn: &mut Connection, id: &NoticeId) -> Result<Option<Notice>, DbError> {
    row(conn, id.as_str())?.map(Row::notice).transpose()
}

/// What is open at a place, newest first.
///
/// # Errors
/// [`DbError`].
pub fn open(conn: &mut Connection, place: &Place) -> Result<Vec<Notice>, DbError> {
    open_rows(conn, &place.to_string())?.into_iter().map(Row::notice).collect()
}

/// What is open anywhere.
///
/// # Errors
/// [`DbError`].
pub fn all_open(conn: &mut Connection) -> Result<Vec<Notice>, DbError> {
    all_open_rows(conn)?.into_iter().map(Row::notice).collect()
}

/// Open notices of releases of these families that nobody has acknowledged, wherever they are.
///
/// # Errors
/// [`DbError`].
pub fn unanswered(conn: &mut Connection, families: &[FamilyId]) -> Result<Vec<Notice>, DbError> {
    let mut all = Vec::new();
    for some in families.chunks(500) {
        let some: Vec<String> = some.iter().map(ToString::to_string).collect();
        for row in unanswered_rows(conn, &some)? {
            all.push(row.notice()?);
        }
    }
    Ok(all)
}

/// What was closed last at a place, at most `limit`.
///
/// # Errors
/// [`DbError`].
pub fn closed(conn: &mut Connection, place: &Place, limit: i64) -> Result<Vec<Notice>, DbError> {
    closed_rows(conn, &place.to_string(), limit)?.into_iter().map(Row::notice).collect()
}

/// Which of these are stored, open or closed.
///
/// # Errors
/// [`DbError`].
pub fn known(conn: &mut Connection, ids: &[NoticeId]) -> Result<HashSet<NoticeId>, DbError> {
    let mut known = HashSet::new();
    for some in ids.chunks(500) {
        let some: Vec<String> = some.iter().map(ToString::to_string).collect();
        for id in known_ids(conn, &some)? {
            known.insert(read_id("notices.id", &id)?);
        }
    }
    Ok(known)
}

/// Somebody says that it has arrived; `false` when somebody did before, or it is closed.
///
/// # Errors
/// [`DbError`].
pub fn acknowledge(
    conn: &mut Connection,
    id: &NoticeId,
    at: Timestamp,
    by: &str,
) -> Result<bool, DbError> {
    Ok(acknowledge_row(conn, id.as_str(), at.millis(), by)? == 1)
}

/// Closes a notice; `false` when it is closed.
///
/// # Errors
/// [`DbError`].
pub fn close(
    conn: &mut Connection,
    id: &NoticeId,
    at: Timestamp,
    why: Closed,
) -> Result<bool, DbError> {
    let why = to_name("notices.closed_why", &why)?;
    Ok(close_row(conn, id.as_str(), at.millis(), &why)? == 1)
}

/// What must be passed on by now, the longest waiting first.
///
/// # Errors
/// [`DbError`].
pub fn steps_due(conn: &mut Connection, at: Timestamp, limit: i64) -> Result<Vec<Notice>, DbError> {
    due_rows(conn, at.millis(), limit)?.into_iter().map(Row::notice).collect()
}

/// Passes a notice on; `false` when another server did, or it is acknowledged or closed.
///
/// # Errors
/// [`DbError`].
pub fn pass_on(
    conn: &mut Connection,
    notice: &Notice,
    next: Option<Timestamp>,
) -> Result<bool, DbError> {
    let (from, to) = (i64::from(notice.step), i64::from(notice.step.saturating_add(1)));
    Ok(step_row(conn, notice.id.as_str(), from, to, next.map(Timestamp::millis))? == 1)
}

/// The clock of an open notice begins now: it came up while the server's clock ran ahead.
///
/// # Errors
/// [`DbError`].
pub fn restart(
    conn: &mut Connection,
    notice: &Notice,
    at: Timestamp,
    step_due: Option<Timestamp>,
) -> Result<(), DbError> {
    let due = step_due.map(Timestamp::millis);
    restart_row(conn, notice.id.as_str(), i64::from(notice.step), at.millis(), due)?;
    Ok(())
}

/// An open notice has become graver; `false` when it is closed, or was so already.
///
/// # Errors
/// [`DbError`].
pub fn make_graver(
    conn: &mut Connection,
    id: &NoticeId,
    severity: Severity,
    due: Option<Timestamp>,
    step_due: Option<Timestamp>,
) -> Result<bool, DbError> {
    let (due, step_due) = (due.map(Timestamp::millis), step_due.map(Timestamp::millis));
    Ok(graver_row(conn, id.as_str(), severity.word(), due, step_due)? == 1)
}

impl Row {
    fn of(notice: &Notice) -> Result<Self, DbError> {
        let (acknowledged, acknowledged_by) = notice.acknowledged.clone().unzip();
        let (closed, why) = notice.closed.unzip();
        Ok(Self {
            id: notice.id.to_string(),
            place: notice.place.to_string(),
            kind: notice.subject.kind().to_owned(),
            severity: notice.severity.word().to_owned(),
            subject: to_json("notices.subject", &notice.subject)?,
            family: notice.subject.family().map(|family| family.to_string()),
            site: notice.subject.site().map(ToString::to_string),
            created: notice.created.millis(),
            due: notice.due.map(Timestamp::millis),
            step: i64::from(notice.step),
            step_due: notice.step_due.map(Timestamp::millis),
            acknowledged: acknowledged.map(Timestamp::millis),
            acknowledged_by,
            closed: closed.map(Timestamp::millis),
            closed_why: why.map(|why| to_name("notices.closed_why", &why)).transpose()?,
        })
    }

    fn notice(self) -> Result<Notice, DbError> {
        let why = self.closed_why.as_deref();
        let why = why.map(|why| from_name("notices.closed_why", why)).transpose()?;
        let step = super::column::count("notices.step", self.step)?;
        Ok(Notice {
            id: read_id("notices.id", &self.id)?,
            place: read_place("notices.place", &self.place)?,
            subject: from_json("notices.subject", &self.subject)?,
            severity: from_name("notices.severity", &self.severity)?,
            created: Timestamp::from_millis(self.created),
            due: instant(self.due),
            step: u32::try_from(step).unwrap_or(u32::MAX),
            step_due: instant(self.step_due),
            acknowledged: instant(self.acknowledged).zip(self.acknowledged_by),
            closed: instant(self.closed).zip(why),
        })
    }
}

/// Reads a place as [`Place`] writes it.
///
/// # Errors
/// [`DbError::Column`].
pub(super) fn read_place(column: &'static str, text: &str) -> Result<Place, DbError> {
    let place = match text.split_once(':') {
        Some(("site", site)) => SiteId::new(site).ok().map(Place::Site),
        Some(("maker", maker)) => MakerId::new(maker).ok().map(Place::Maker),
        _ => (text == "server").then_some(Place::Server),
    };
    place.ok_or_else(|| DbError::Column { column, kind: "place", value: text.to_owned() })
}

/// Reads a name of 32 hex digits.
///
/// # Errors
/// [`DbError::Column`].
pub(super) fn read_id(column: &'static str, text: &str) -> Result<NoticeId, DbError> {
    let id = NoticeId::read(text);
    id.ok_or_else(|| DbError::Column { column, kind: "notice id", value: text.to_owned() })
}

/// Writes a step.
///
/// # Errors
/// [`DbError::Column`].
pub(super) fn store_step(column: &'static str, step: u32) -> Result<i64, DbError> {
    store_count(column, u64::from(step))
}
