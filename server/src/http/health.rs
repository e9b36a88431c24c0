//! Can it do its work: for whoever runs it, and for load balancers.
//!
//! Names of families and sites stay out; the log has them. Invariant: ready means that a check-in, a
//! report and a download would be answered now.

use crate::app::App;
use crate::delta::tally::Tally;
use crate::keys::OnlineRole;
use crate::publish::current::Current;
use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Data, ServiceConfig};
use patchward_protocol::api::operator::READY;
use patchward_protocol::time::Timestamp;
use serde::Serialize;

/// Adds the route.
pub fn mount(services: &mut ServiceConfig) {
    services.route(READY.path, web::get().to(ready));
}

/// What stands in the way, and what soon will.
#[derive(Debug, Default, Serialize)]
struct Readiness {
    ready: bool,
    problems: Vec<String>,
    warnings: Vec<String>,
    deltas: Tally,
}

async fn ready(app: Data<App>) -> HttpResponse {
    let mut found = Readiness::default();
    if let Err(error) = app.change_seq().await {
        tracing::error!(error = %crate::error::Chain(&error), "The database does not answer");
        found.problems.push("the database does not answer".to_owned());
    }
    let store = app.blobs.clone();
    match web::block(move || store.check()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(error = %crate::error::Chain(&error), "The blob store cannot be used");
            found.problems.push(error.to_string());
        }
        Err(_) => found.problems.push("the server is ending".to_owned()),
    }
    found.look_at_repositories(&app);
    found.look_at_deltas(&app);
    found.ready = found.problems.is_empty();
    let head = if found.ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    say(head, &found)
}

impl Readiness {
    /// Numbers as of the last count; what is missing costs bandwidth and stops nothing.
    fn look_at_deltas(&mut self, app: &App) {
        self.deltas = *app.desk.tally();
        if self.deltas.failed > 0 {
            let failed = self.deltas.failed;
            self.warnings
                .push(format!("{failed} deltas could not be built: devices take full images"));
        }
    }

    fn look_at_repositories(&mut self, app: &App) {
        let (at, snapshot) = (app.clock.now(), app.snapshot());
        let published = || snapshot.all().filter(|current| current.documents.is_some());
        let without_keys = published().filter(|current| !has_keys(app, current)).count();
        let stale = published().filter(|current| current.is_stale(at)).count();
        let ageing = published().filter(|current| current.is_ageing(at)).count();
        count(&mut self.problems, without_keys, "without their online keys");
        count(&mut self.problems, stale, "with an expired snapshot or timestamp");
        count(&mut self.warnings, ageing, "whose root or targets have little of their life left");
    }
}

fn count(list: &mut Vec<String>, number: usize, what: &str) {
    if number > 0 {
        list.push(format!("{number} repositories {what}"));
    }
}

fn has_keys(app: &App, current: &Current) -> bool {
    let roles = [OnlineRole::Snapshot, OnlineRole::Timestamp];
    roles.into_iter().all(|role| app.keys.online(&current.id, role).is_ok())
}

impl Current {
    /// Whether an online role has expired: devices do not trust what they get.
    #[must_use]
    pub fn is_stale(&self, at: Timestamp) -> bool {
        let online = |documents: &crate::publish::current::Documents| {
            documents.snapshot.expires <= at || documents.timestamp.expires <= at
        };
        self.documents.as_ref().is_some_and(online)
    }

    /// Whether less than half of the life of an offline role is left: its owner must sign.
    #[must_use]
    pub fn is_ageing(&self, at: Timestamp) -> bool {
        let ageing = |served: &crate::publish::current::Served| {
            served.expires.millis_since(at) < at.millis_since(served.published)
        };
        let offline = |documents: &crate::publish::current::Documents| {
            ageing(&documents.root) || ageing(&documents.targets)
        };
        self.documents.as_ref().is_some_and(offline)
    }
}

fn say(mut head: actix_web::HttpResponseBuilder, body: impl Serialize) -> HttpResponse {
    head.insert_header((CACHE_CONTROL, "no-store")).json(body)
}
