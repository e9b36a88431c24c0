//! Settings of a manufacturer: where its people and its channels are changed.
//!
//! Not here: changing them. Invariant: what the visitor may not change is said, not hidden.

use crate::console::answer::Answer;
use crate::console::door::{AtMaker, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::people::role::MakerPower;
use askama::Template;

/// A page of the settings.
#[derive(Debug, Clone)]
struct Place {
    to: String,
    title: String,
    what: String,
}

#[derive(Template)]
#[template(path = "makers/settings.html")]
struct Page {
    frame: Frame,
    w: Words,
    places: Vec<Place>,
    may: bool,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtMaker, _, _>("/console/makers/{maker}/settings", MakerPower::See, show);
}

async fn show(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let frame = visit.frame(Nav::Settings, visit.words.t("makers-settings-title"));
    let may = visit.entry.may(MakerPower::Administer);
    Answer::page(&view(frame, visit.words, |rest| visit.entry.path(rest), may))
}

fn view(frame: Frame, w: Words, path: impl Fn(&str) -> String, may: bool) -> Page {
    // People and tokens are an administrator's; nobody else is led to a page that turns them away.
    let mine = ["people", "notifications", "tokens"];
    let mine = mine.into_iter().filter(|name| may || *name == "notifications");
    let places = mine.map(|name| Place {
        to: path(&format!("settings/{name}")),
        title: w.t(&format!("makers-settings-{name}")),
        what: w.t(&format!("makers-settings-{name}-what")),
    });
    Page { frame, w, places: places.collect(), may }
}

#[cfg(test)]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, maker_frame};
    let page = |may| {
        let frame = maker_frame(w, Nav::Settings, "makers-settings-title");
        view(frame, w, |_| "/console".to_owned(), may)
    };
    vec![
        Sample::of("makers/settings.html", "admin", &page(true)),
        Sample::of("makers/settings.html", "reading", &page(false)),
    ]
}
