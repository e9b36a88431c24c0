//! The page that shows every component of the console once: for those who build pages, and for eyes.
//!
//! Invariant: a component that is not shown here does not exist.

use crate::console::answer::Answer;
use crate::console::door::{Anybody, Visit};
use crate::console::frame::Frame;
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::when::When;
use crate::console::words::Words;
use askama::Template;
use patchward_protocol::time::Timestamp;

/// The page.
#[derive(Template)]
#[template(path = "design.html")]
struct Design {
    frame: Frame,
    w: Words,
    at: When,
    left: String,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<Anybody, _, _>("/console/design", (), show);
}

async fn show(visit: Visit<Anybody>) -> Result<Answer, Turned> {
    let frame = visit.frame(visit.words.t("design-title"));
    Answer::page(&view(frame, visit.words, visit.at))
}

fn view(frame: Frame, w: Words, at: Timestamp) -> Design {
    Design { frame, w, at: w.instant(at, "Asia/Tokyo"), left: w.span(31 * 3600) }
}

#[cfg(test)]
pub(in crate::console) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::frame::Nav;
    use crate::console::sample::{Sample, noon, site_frame};
    let frame = site_frame(words, Nav::Today, "design-title");
    vec![Sample::of("design.html", "all", &view(frame, words, noon()))]
}
