//! Asking for an export of the record, seeing how far it is, fetching it.
//!
//! Not here: making it (`crate::record::exports`). Invariant: the file is given to whoever may read
//! the record, as long as it is kept.

use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::pages::rollouts::events::busy;
use crate::console::route::Routes;
use crate::console::streams::Stands;
use crate::console::turned::{Turned, not_found};
use crate::console::when::When;
use crate::console::words::Words;
use crate::db::act::{self, Act};
use crate::people::role::{Place, SitePower};
use crate::record::exports::{Export, Progress};
use askama::Template;
use bytes::Bytes;
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// A short export is ready before the page comes back; so long it waits, in milliseconds.
const PATIENCE_MS: u64 = 2_000;
/// How often a long one is looked at, in milliseconds.
const LOOK_EVERY_MS: u64 = 500;
/// An open page looks so many times before it asks again.
const LOOKS_MAX: u32 = 100;

/// The page.
#[derive(Template)]
#[template(path = "records/export.html")]
struct ExportPage {
    frame: Frame,
    w: Words,
    begun: When,
    state: State,
    to: String,
    file: String,
    name: String,
    events: String,
    back: String,
}

/// How far it is, in words.
#[derive(Debug, Clone)]
enum State {
    Reading { done: u64, total: u64, words: String },
    Ready { bytes: usize },
    Failed { hint: String },
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    let path = "/console/sites/{site}/records/export";
    routes.get::<AtSite, _, _>(path, SitePower::Records, show);
    routes.post::<AtSite, _, _>(path, SitePower::Records, begin);
    let path = "/console/sites/{site}/records/export/file";
    routes.get::<AtSite, _, _>(path, SitePower::Records, fetch);
    let path = "/console/sites/{site}/records/export/events";
    routes.get::<AtSite, _, _>(path, SitePower::Records, listen);
}

async fn begin(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (entry, at) = (&visit.entry, visit.at);
    let (scope, who) = (entry.repository().to_string(), entry.who.by());
    let asked = Act { at, scope, who, act: "record-exported", detail: json!({}) };
    visit.app.db.write(move |conn| act::append(conn, &asked)).await?;
    let export = visit.app.exports.begin(&visit.app, &entry.site, entry.tz());
    for _ in 0..PATIENCE_MS / 100 {
        if !matches!(export.progress(), Progress::Reading(..)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(Answer::go(entry.path("records/export")))
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let Some(export) = visit.app.exports.of(&visit.entry.site, visit.at) else {
        return Ok(Answer::go(visit.entry.path("records")));
    };
    let frame = visit.frame(Nav::Records, visit.words.t("records-export-title"));
    let begun = visit.words.instant(export.begun, visit.entry.tz());
    Answer::page(&view(frame, visit.words, &visit.entry, begun, export.progress()))
}

async fn fetch(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let export = visit.app.exports.of(&visit.entry.site, visit.at).ok_or_else(not_found)?;
    match export.progress() {
        Progress::Ready(bytes) => Ok(Answer::file(
            &file_name(&visit.entry, &visit.words.day(export.begun, visit.entry.tz())),
            "application/zip",
            bytes,
        )),
        Progress::Reading(..) | Progress::Failed(_) => Err(not_found()),
    }
}

async fn listen(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let export = visit.app.exports.of(&visit.entry.site, visit.at).ok_or_else(not_found)?;
    let place = Place::Site(visit.entry.site.clone());
    let stands = visit.app.streams.stand(place, &visit.entry.who.form_token);
    let Some(stands) = stands else { return Ok(busy()) };
    let pieces = futures_util::stream::unfold((Some((export, stands)), visit.words, 0), next);
    Ok(Answer::events(Box::pin(pieces)))
}

type Watched = (Option<(Arc<Export>, Stands)>, Words, u32);

async fn next((export, w, looks): Watched) -> Option<(Result<Bytes, Infallible>, Watched)> {
    let (export, stands) = export?;
    tokio::time::sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
    let (event, goes_on) = match export.progress() {
        Progress::Reading(..) if looks >= LOOKS_MAX => {
            ("event: again\ndata: \n\n".to_owned(), false)
        }
        Progress::Reading(done, total) => {
            let cells = json!([
                ["export-bar", "value", done],
                ["export-bar", "max", total.max(1)],
                ["export-words", "text", reading(w, done, total)],
            ]);
            (format!("event: change\ndata: {cells}\n\n"), true)
        }
        Progress::Ready(_) | Progress::Failed(_) => ("event: load\ndata: {}\n\n".to_owned(), false),
    };
    let looks = looks.saturating_add(1);
    Some((Ok(Bytes::from(event)), (goes_on.then_some((export, stands)), w, looks)))
}

fn reading(w: Words, done: u64, total: u64) -> String {
    if done >= total && total > 0 {
        w.t("records-export-checking")
    } else {
        w.t2("records-export-reading", "done", done, "total", total)
    }
}

fn file_name(at: &AtSite, day: &crate::console::when::Day) -> String {
    format!("record-{}-{}.zip", at.site, day.iso())
}

fn view(frame: Frame, w: Words, at: &AtSite, begun: When, progress: Progress) -> ExportPage {
    let state = match progress {
        Progress::Reading(done, total) => {
            State::Reading { done, total: total.max(1), words: reading(w, done, total) }
        }
        Progress::Ready(bytes) => State::Ready { bytes: bytes.len().div_ceil(1024) },
        Progress::Failed(code) => State::Failed { hint: w.pick(code.en(), code.ja()).to_owned() },
    };
    let frame = match &state {
        State::Reading { .. } => frame.script("live.js"),
        State::Ready { .. } | State::Failed { .. } => frame,
    };
    ExportPage {
        frame,
        w,
        begun,
        state,
        to: at.path("records/export"),
        file: at.path("records/export/file"),
        name: format!("record-{}.zip", at.site),
        events: at.path("records/export/events"),
        back: at.path("records"),
    }
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, at_site, noon, site_frame};
    use patchward_protocol::api::error::ErrorCode;
    let at = at_site(words);
    let page = |progress| {
        let frame = site_frame(words, Nav::Records, "records-export-title");
        view(frame, words, &at, words.instant(noon(), "Asia/Tokyo"), progress)
    };
    let ready = Progress::Ready(Bytes::from_static(&[0; 4096]));
    vec![
        Sample::of("records/export.html", "reading", &page(Progress::Reading(2048, 9000))),
        Sample::of("records/export.html", "ready", &page(ready)),
        Sample::of(
            "records/export.html",
            "failed",
            &page(Progress::Failed(ErrorCode::RecordTooLong)),
        ),
    ]
}
