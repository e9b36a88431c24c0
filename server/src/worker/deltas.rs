//! Plans deltas when something is published and when devices run something new.
//!
//! Building is [`crate::delta::build`]. Invariant: a look without news costs
//! the statements that count, once in `delta.check_s`.

use crate::app::App;
use crate::delta::survey::{self, Seen};
use crate::error::Chain;
use std::sync::Arc;
use std::time::Duration;

/// Plans for ever.
pub(super) async fn keep_planning(app: Arc<App>) {
    let every = Duration::from_secs(app.config.delta.check_s);
    let mut seen = Seen::default();
    let mut news = app.views.listen();
    loop {
        if let Err(error) = survey::survey(&app, &mut seen).await {
            tracing::error!(error = %Chain(&error), "Deltas cannot be planned");
        }
        if let Err(error) = survey::count(&app).await {
            tracing::warn!(error = %Chain(&error), "Deltas cannot be counted");
        }
        let round = tokio::time::sleep(every);
        tokio::pin!(round);
        // What is published is planned at once; devices are looked at now and then.
        loop {
            tokio::select! {
                () = &mut round => break,
                changed = news.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    if survey::is_due(&app, &seen) {
                        break;
                    }
                }
            }
        }
    }
}
