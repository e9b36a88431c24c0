//! The notice for a ward's board: which devices, when, in type that is read from two metres.
//!
//! Not here: the calendar of everybody. Invariant: it prints on one page of A4 as long as the ward has
//! no more than a page of slots, and says when it was printed.

use super::{events, line, midnight, zone};
use crate::consent::calendar::What;
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::pages::holds::ward_name;
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::when::When;
use crate::console::words::Words;
use crate::people::role::SitePower;
use askama::Template;
use patchward_protocol::id::WardId;
use std::collections::BTreeMap;

/// A notice reaches ahead so many days.
const DAYS: i64 = 28;

/// The page.
#[derive(Template)]
#[template(path = "calendar/ward.html")]
struct WardPage {
    frame: Frame,
    w: Words,
    ward: String,
    lines: Vec<WardLine>,
    printed: When,
    back: String,
}

/// A slot of the ward.
#[derive(Debug, Clone)]
struct WardLine {
    line: super::Line,
    devices: Vec<String>,
    attended: bool,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    let path = "/console/sites/{site}/calendar/ward/{ward}";
    routes.get::<AtSite, _, _>(path, SitePower::See, show);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let ward: WardId = visit.asked.part("ward")?;
    let entry = &visit.entry;
    if !entry.inventory.wards.iter().any(|known| known.id == ward) {
        return Err(not_found());
    }
    let zone = zone(entry.tz())?;
    let today = zone.date(visit.at);
    let until = zone.start(today.plus_days(DAYS), midnight()?);
    let all = events(&visit.app, &entry.site, &entry.inventory, (visit.at, until), visit.at);
    let lines = all.iter().filter_map(|event| match &event.what {
        What::Go(go) if event.ward.as_ref() == Some(&ward) => Some(WardLine {
            line: line(visit.words, entry, &BTreeMap::new(), event),
            devices: go.devices.iter().map(ToString::to_string).collect(),
            attended: go.attended > 0,
        }),
        What::Go(_) | What::Freeze { .. } | What::Window { .. } => None,
    });
    let page = WardPage {
        lines: lines.collect(),
        frame: visit.frame(Nav::Calendar, visit.words.t("calendar-ward-title")),
        w: visit.words,
        ward: ward_name(visit.words, &entry.inventory, &ward),
        printed: visit.words.instant(visit.at, entry.tz()),
        back: entry.path("calendar"),
    };
    Answer::page(&page)
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use super::tests::some;
    use crate::console::sample::{Sample, at_site, noon, site_frame};
    let entry = at_site(words);
    let page = |n: usize| WardPage {
        frame: site_frame(words, Nav::Calendar, "calendar-ward-title"),
        w: words,
        ward: words.pick("5 East", "5階東病棟").to_owned(),
        lines: some()
            .iter()
            .take(n)
            .map(|event| WardLine {
                line: line(words, &entry, &BTreeMap::new(), event),
                devices: vec!["pump-01".to_owned(), "pump-02".to_owned()],
                attended: true,
            })
            .collect(),
        printed: words.instant(noon(), "Asia/Tokyo"),
        back: "#".to_owned(),
    };
    vec![
        Sample::of("calendar/ward.html", "some", &page(2)),
        Sample::of("calendar/ward.html", "none", &page(0)),
    ]
}
