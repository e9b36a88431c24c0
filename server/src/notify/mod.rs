//! Notices: what needs a person at a site or a manufacturer, who is told, on which way, and what they
//! answer.
//!
//! A worker looks at what is current ([`look`]), raises what came up, passes on what nobody acknowledges
//! ([`raise`]) and carries messages ([`send`]). Not here: pages. Invariant: nothing waits for a notice;
//! a matter is raised once and a message goes out at least once under one id, however many servers
//! there are.

pub mod answer;
pub mod channel;
pub mod drill;
pub mod look;
pub mod mail;
pub mod raise;
pub mod readiness;
pub mod said;
pub mod send;
pub mod subject;
pub mod survey;
pub mod webhook;

use crate::app::App;
use crate::db::notice::{self, Closed, Notice};
use crate::db::{Connection, DbError};
use crate::error::ApiError;
use crate::people::role::Place;
use crate::people::who::Who;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::time::Timestamp;
use std::sync::Arc;
use subject::NoticeId;
use tokio::sync::Notify;

/// What the worker is woken by.
#[derive(Debug, Default)]
pub struct Bell(Notify);

impl Bell {
    /// Something is to be sent.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    /// Returns when somebody rang.
    pub async fn rung(&self) {
        self.0.notified().await;
    }
}

/// What is open at a place: the gravest first, then what is due first, then the newest.
///
/// # Errors
/// [`DbError`].
pub fn open_matters(conn: &mut Connection, place: &Place) -> Result<Vec<Notice>, DbError> {
    let mut open = notice::open(conn, place)?;
    let when = |notice: &Notice| notice.due.map_or(i64::MAX, |due| due.millis());
    open.sort_by_key(|notice| {
        (std::cmp::Reverse(notice.severity), when(notice), -notice.created.millis())
    });
    Ok(open)
}

/// Somebody says that a notice has arrived.
///
/// # Errors
/// `not_found` for a notice of others, or a failure of ours.
pub async fn acknowledge(
    app: &Arc<App>,
    place: &Place,
    id: &NoticeId,
    who: &Who,
) -> Result<(), ApiError> {
    let (at, place, id, name) = (app.clock.now(), place.clone(), id.clone(), who.name.clone());
    app.db.write(move |conn| acknowledge_in(conn, (&place, &id), &name, at)).await
}

/// Somebody has looked at a matter that does not end by itself, or need not stay.
///
/// # Errors
/// `not_found` for a notice of others, or a failure of ours.
pub async fn close(
    app: &Arc<App>,
    place: &Place,
    id: &NoticeId,
    who: &Who,
) -> Result<(), ApiError> {
    let (at, place, id, name) = (app.clock.now(), place.clone(), id.clone(), who.name.clone());
    let closed = app.db.write(move |conn| {
        acknowledge_in(conn, (&place, &id), &name, at)?;
        notice::close(conn, &id, at, Closed::LookedAt)?;
        Ok(())
    });
    closed.await
}

fn acknowledge_in(
    conn: &mut Connection,
    (place, id): (&Place, &NoticeId),
    name: &str,
    at: Timestamp,
) -> Result<(), ApiError> {
    notice::find(conn, place, id)?.ok_or_else(|| ApiError::of(ErrorCode::NotFound))?;
    notice::acknowledge(conn, id, at, name)?;
    Ok(())
}
