//! A notice comes up: it is stored once and its messages are queued, in the transaction of whoever
//! raises it; and it is passed on when nobody acknowledges it.
//!
//! Not here: what comes up, and sending. Invariant: any number of servers may raise the same matter; it
//! is stored once, and for each channel and step there is one message.

use super::channel::Channel;
use super::subject::{NoticeId, Severity, Subject};
use crate::config::Notify;
use crate::db::notice::{self, Notice};
use crate::db::outbox::{self, About, Message};
use crate::db::{Connection, DbError, account, channel, grant};
use crate::limits::{CHANNEL_WAITING_MAX, STEPS_AT_ONCE_MAX};
use crate::people::name::LoginName;
use crate::people::role::Place;
use patchward_protocol::time::Timestamp;
use std::collections::HashSet;

/// Something that needs a person at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matter {
    /// Whose it is.
    pub place: Place,
    /// What it is about.
    pub subject: Subject,
    /// How grave it is.
    pub severity: Severity,
    /// By when something should be done.
    pub due: Option<Timestamp>,
}

/// When what is not acknowledged is passed on, and when what does not go through is given up.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// To the second circle after so many seconds.
    pub second_s: i64,
    /// To the manufacturer's contacts after so many seconds.
    pub third_s: i64,
    /// A message is tried for so many seconds.
    pub give_up_s: i64,
}

/// A notice that came up later than so many seconds from now came up while the clock ran ahead.
pub const CLOCK_BACK_S: i64 = 300;
/// At this step the manufacturer is told too.
pub const LAST_STEP: u32 = 2;

impl Rules {
    /// Of the configuration.
    #[must_use]
    pub const fn of(config: &Notify) -> Self {
        Self {
            second_s: config.second_circle_s,
            third_s: config.third_circle_s,
            give_up_s: config.give_up_s,
        }
    }

    /// When a notice that nobody has acknowledged is passed on from this step.
    #[must_use]
    pub fn step_due(&self, severity: Severity, created: Timestamp, step: u32) -> Option<Timestamp> {
        match (severity, step) {
            (Severity::Urgent, 0) => Some(created.plus_seconds(self.second_s)),
            (Severity::Urgent, 1) => Some(created.plus_seconds(self.third_s)),
            (Severity::Urgent | Severity::Important | Severity::Normal, _) => None,
        }
    }
}

/// Stores a matter and queues its messages; `false` when it was raised before.
///
/// # Errors
/// [`DbError`]; the transaction must not be committed then.
pub fn raise(
    conn: &mut Connection,
    rules: &Rules,
    matter: &Matter,
    at: Timestamp,
) -> Result<bool, DbError> {
    let Matter { place, subject, severity, due } = matter.clone();
    let notice = Notice {
        id: NoticeId::of(&place, &subject),
        place,
        subject,
        severity,
        created: at,
        due,
        step: 0,
        step_due: rules.step_due(severity, at, 0),
        acknowledged: None,
        closed: None,
    };
    if !notice::insert(conn, &notice)? {
        return Ok(false);
    }
    queue(conn, rules, &notice, at)?;
    Ok(true)
}

/// An open notice has become graver: it is told again, and passed on from now.
///
/// # Errors
/// [`DbError`]; the transaction must not be committed then.
pub fn make_graver(
    conn: &mut Connection,
    rules: &Rules,
    open: &Notice,
    matter: &Matter,
    at: Timestamp,
) -> Result<bool, DbError> {
    let unread = open.acknowledged.is_none();
    let step_due = unread.then(|| rules.step_due(matter.severity, at, open.step)).flatten();
    let (severity, due) = (matter.severity, matter.due);
    if !notice::make_graver(conn, &open.id, severity, due, step_due)? {
        return Ok(false);
    }
    queue(conn, rules, &Notice { severity, due, step_due, ..open.clone() }, at)?;
    Ok(true)
}

/// Passes on what was not acknowledged in time; returns how many notices.
///
/// # Errors
/// [`DbError`]; the transaction must not be committed then.
pub fn pass_on(conn: &mut Connection, rules: &Rules, at: Timestamp) -> Result<usize, DbError> {
    let mut passed = 0_usize;
    for due in notice::steps_due(conn, at, STEPS_AT_ONCE_MAX)? {
        if due.created > at.plus_seconds(CLOCK_BACK_S) {
            let next = rules.step_due(due.severity, at, due.step);
            notice::restart(conn, &due, at, next)?;
            continue;
        }
        let step = due.step.saturating_add(1);
        let next = rules.step_due(due.severity, due.created, step);
        if notice::pass_on(conn, &due, next)? {
            passed = passed.saturating_add(1);
            queue(conn, rules, &Notice { step, step_due: next, ..due }, at)?;
        }
    }
    Ok(passed)
}

/// The channels of a place whose people still belong there and may sign in.
///
/// # Errors
/// [`DbError`].
pub fn living(conn: &mut Connection, place: &Place) -> Result<Vec<Channel>, DbError> {
    hearing(conn, place, None)
}

/// The channels that hear of a matter: the living ones, and of what was done to an account those of
/// that account too, although it is disabled or has no role there any more.
///
/// # Errors
/// [`DbError`].
pub fn hearing(
    conn: &mut Connection,
    place: &Place,
    subject: Option<&Subject>,
) -> Result<Vec<Channel>, DbError> {
    let mut channels = channel::of_place(conn, place)?;
    if channels.iter().any(|channel| channel.account.is_some()) {
        let ids: Vec<_> = grant::at(conn, place)?.into_iter().map(|(account, _)| account).collect();
        let here = account::some(conn, &ids)?.into_iter();
        let here = here.filter(|account| account.disabled.is_none()).map(|account| account.id);
        let mut here: HashSet<_> = here.collect();
        let concerned = subject.and_then(Subject::account).map(LoginName::read);
        if let Some(Ok(login)) = concerned {
            here.extend(account::find_login(conn, &login)?.map(|account| account.id));
        }
        channels.retain(|channel| channel.account.is_none_or(|account| here.contains(&account)));
    }
    Ok(channels)
}

/// One message for each channel that carries the notice at its step.
fn queue(
    conn: &mut Connection,
    rules: &Rules,
    notice: &Notice,
    at: Timestamp,
) -> Result<(), DbError> {
    for channel in hearing(conn, &notice.place, Some(&notice.subject))? {
        if !channel.carries(notice.severity, notice.step)
            || notice.subject.is_of_channel(&channel.id)
        {
            continue;
        }
        let full = outbox::waiting(conn, &channel.id)? >= CHANNEL_WAITING_MAX;
        if full && notice.severity < Severity::Urgent {
            tracing::warn!(channel.id = %channel.id, "A channel is full: a notice is on the page only");
            continue;
        }
        let next_try = channel.not_before(notice.severity, at);
        let name =
            format!("{}|{}|{}|{}", notice.id, channel.id, notice.step, notice.severity.word());
        let message = Message {
            id: NoticeId::digest(&name),
            channel: channel.id,
            place: notice.place.clone(),
            about: About::Notice(notice.id.clone()),
            step: notice.step,
            created: at,
            next_try,
            give_up: next_try.plus_seconds(rules.give_up_s),
            tries: 0,
        };
        outbox::insert(conn, &message)?;
    }
    Ok(())
}
