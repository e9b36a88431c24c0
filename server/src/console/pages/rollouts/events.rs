//! The wave board while it is open: what changed is told as server-sent events.
//!
//! A stream ends after a minute and the script asks again with what it shows, so that every minute
//! goes through the door: a session that has ended, or a role that was taken, ends it. How many
//! streams stand is bounded ([`crate::console::streams`]). Not here: what stands on the board
//! ([`super::board`]). Invariant: a stream never outlives the program's end, and without anything new it
//! costs no more than one look each half minute.

use super::board::{Cells, Scene, changed, digest, same_elements, view};
use super::known;
use crate::app::App;
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::streams::Stands;
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::error::ApiError;
use crate::people::role::{Place, SitePower};
use crate::views::News;
use bytes::Bytes;
use patchward_protocol::time::Timestamp;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// A stream ends after so many seconds.
const LIFE_S: i64 = 60;
/// Between two looks, in seconds: a busy hospital does not make them follow each other closely.
const LOOK_EVERY_S: u64 = 2;
/// Without news somebody looks all the same, in seconds: clocks go on. It is a heartbeat too.
const BEAT_S: i64 = 25;

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    let path = "/console/sites/{site}/rollouts/{approval}/events";
    routes.get::<AtSite, _, _>(path, SitePower::See, listen);
}

async fn listen(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let name: String = visit.asked.part("approval")?;
    let frame = visit.frame(Nav::Rollouts, visit.words.t("rollouts-board-title"));
    let seen = visit.asked.query("seen").unwrap_or_default().to_owned();
    let watcher =
        Watcher { app: visit.app, entry: visit.entry, words: visit.words, frame, approval: name };
    // First the bell, then the look: what changes in between rings.
    let bell = watcher.app.views.listen();
    let now = watcher.look().await?;
    let place = Place::Site(watcher.entry.site.clone());
    let stands = watcher.app.streams.stand(place, &watcher.entry.who.form_token);
    let Some(stands) = stands else { return Ok(busy()) };
    let first = (digest(&now) != seen).then(|| event("change", &changes(&Cells::new(), &now)));
    let beat = || Bytes::from_static(b": open\n\n");
    let end = visit.at.plus_seconds(LIFE_S);
    let stream = Stream { watcher, bell, shown: now, end, _stands: stands };
    let first = first.unwrap_or_else(beat);
    let pieces = futures_util::stream::unfold((Some(first), Some(stream)), next);
    Ok(Answer::events(Box::pin(pieces)))
}

/// Who watches what.
struct Watcher {
    app: Arc<App>,
    entry: AtSite,
    words: Words,
    frame: Frame,
    approval: String,
}

/// A stream that stands.
struct Stream {
    watcher: Watcher,
    bell: watch::Receiver<News>,
    shown: Cells,
    end: Timestamp,
    // Held while it stands.
    _stands: Stands,
}

impl Watcher {
    async fn look(&self) -> Result<Cells, ApiError> {
        let known = known::read(&self.app, &self.entry.site, &self.approval).await?;
        let (snapshot, at) = (self.app.snapshot(), self.app.clock.now());
        let scene = Scene { w: self.words, entry: &self.entry, snapshot: &snapshot, at };
        Ok(view(self.frame.clone(), &scene, &known).cells())
    }
}

type Piece = Result<Bytes, Infallible>;

async fn next(
    (first, stream): (Option<Bytes>, Option<Stream>),
) -> Option<(Piece, (Option<Bytes>, Option<Stream>))> {
    if let Some(first) = first {
        return Some((Ok(first), (None, stream)));
    }
    let mut stream = stream?;
    let (piece, goes_on) = stream.piece().await;
    Some((Ok(piece), (None, goes_on.then_some(stream))))
}

impl Stream {
    /// The next piece, and whether more follow.
    async fn piece(&mut self) -> (Bytes, bool) {
        tokio::time::sleep(Duration::from_secs(LOOK_EVERY_S)).await;
        let rest_s = self.end.millis_since(self.watcher.app.clock.now()) / 1000;
        let rest_s = u64::try_from(rest_s.clamp(0, BEAT_S)).unwrap_or(0);
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(rest_s)) => {}
            changed = self.bell.changed() => {
                if changed.is_err() {
                    return (self.again(), false);
                }
            }
        }
        if *self.bell.borrow_and_update() == News::Ending
            || self.watcher.app.clock.now() >= self.end
        {
            return (self.again(), false);
        }
        let Ok(now) = self.watcher.look().await else { return (self.again(), false) };
        if !same_elements(&self.shown, &now) {
            return (event("load", "{}"), false);
        }
        let told = if now == self.shown {
            Bytes::from_static(b": beat\n\n")
        } else {
            event("change", &changes(&self.shown, &now))
        };
        self.shown = now;
        (told, true)
    }

    /// The script asks again, with what it shows.
    fn again(&self) -> Bytes {
        event("again", &digest(&self.shown))
    }
}

fn changes(before: &Cells, now: &Cells) -> String {
    serde_json::to_string(&changed(before, now)).unwrap_or_default()
}

/// An event (WHATWG HTML 9.2.5); what is said holds no line break.
fn event(name: &str, said: &str) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {said}\n\n"))
}

/// A stream of one event: too many stand. The script says so, and loads the page again after a minute.
pub(in crate::console::pages) fn busy() -> Answer {
    let only = event("busy", "");
    Answer::events(Box::pin(futures_util::stream::once(async move { Ok(only) })))
}

#[cfg(test)]
mod tests {
    use super::super::board::sample;
    use super::super::known::tests::{halted, soaking};
    use super::*;
    use crate::people::who::Language;

    #[test]
    fn an_event_is_one_line_whatever_it_says() {
        let page = |known| sample(Words::of(Language::Ja), &[known]).cells();
        let told = changes(&page(soaking()), &page(halted()));
        let event = event("change", &told);
        let text = std::str::from_utf8(&event).unwrap();
        assert!(text.starts_with("event: change\ndata: [["), "{text}");
        assert_eq!(text.lines().count(), 3, "{text}");
    }
}
