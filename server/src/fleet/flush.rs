//! Writes what devices said since the last time into the database, in a few statements.
//!
//! Not here: when (the worker and the end of the program call it). Invariant: marks that could not
//! be written are marked again.

use crate::app::App;
use crate::db::DbError;
use crate::db::device::{Mark, write_marks};
use crate::error::Chain;
use crate::limits::MARKS_AT_ONCE_MAX;
use std::sync::Arc;
use std::time::Duration;

/// Writes all marks now; returns how many.
///
/// # Errors
/// [`DbError`]; what was not written is marked again.
pub async fn flush(app: &App) -> Result<usize, DbError> {
    let marks = app.fleet.take_marks();
    for (number, chunk) in marks.chunks(MARKS_AT_ONCE_MAX).enumerate() {
        let written = chunk.to_vec();
        if let Err(error) = app.db.write(move |conn| write_marks(conn, &written)).await {
            let rest: Vec<Mark> = marks.iter().skip(number * MARKS_AT_ONCE_MAX).cloned().collect();
            app.fleet.mark_again(&rest);
            return Err(error);
        }
    }
    Ok(marks.len())
}

/// Writes marks for ever, as often as the configuration says.
pub async fn keep_flushing(app: Arc<App>) {
    let every = Duration::from_secs(u64::from(app.config.last_seen_flush_s.max(1)));
    loop {
        tokio::time::sleep(every).await;
        if let Err(error) = flush(&app).await {
            tracing::warn!(error = %Chain(&error), "Last-seen times could not be written");
        }
    }
}
