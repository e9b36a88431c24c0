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
use crate::people::zone;
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
    here: String,
    tz: &'static str,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtMaker, _, _>("/console/makers/{maker}/settings", MakerPower::See, show);
    let zone = "/console/makers/{maker}/settings/zone";
    routes.post::<AtMaker, _, _>(zone, MakerPower::Administer, set_zone);
}

async fn show(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let frame = visit.frame(Nav::Settings, visit.words.t("makers-settings-title"));
    let may = visit.entry.may(MakerPower::Administer);
    Answer::page(&view(frame, visit.words, |rest| visit.entry.path(rest), may))
}

async fn set_zone(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let (who, maker) = (&visit.entry.who, visit.entry.maker.clone());
    zone::set_maker(&visit.app, who, maker, visit.form.need("tz")?).await?;
    Ok(Answer::done(&visit.entry.path("settings"), "makers-settings-zone-done"))
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
    let places = places.collect();
    Page { frame, w, places, may, here: path("settings"), tz: w.zone() }
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
