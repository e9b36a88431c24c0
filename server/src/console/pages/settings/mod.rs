//! Settings of a hospital: the index, and what it writes down of itself.
//!
//! Not here: people's accounts, tokens, channels of notices; those have areas of their own. Invariant:
//! whoever may only look sees what is written down, without forms.

pub mod change;
pub mod field;
pub mod freeze;
pub mod rules;
pub mod signer;
pub mod tables;
pub mod thing;
pub mod ward;
pub mod window;

use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::people::role::SitePower;
use askama::Template;

/// The index.
#[derive(Template)]
#[template(path = "settings/index.html")]
struct Index {
    frame: Frame,
    groups: Vec<Group>,
}

#[derive(Debug, Clone)]
struct Group {
    title: String,
    links: Vec<Link>,
}

#[derive(Debug, Clone)]
struct Link {
    to: String,
    title: String,
    text: String,
    n: Option<String>,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>("/console/sites/{site}/settings", SitePower::See, show);
    thing::routes::<ward::Wards>(routes);
    thing::routes::<window::Windows>(routes);
    thing::routes::<freeze::Freezes>(routes);
    thing::routes::<signer::Signers>(routes);
    rules::routes(routes);
    tables::routes(routes);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let frame = visit.frame(Nav::Settings, visit.words.t("settings-title"));
    Answer::page(&view(frame, visit.words, &visit.entry))
}

fn view(frame: Frame, w: Words, at: &AtSite) -> Index {
    let inventory = &at.inventory;
    let link = |id: &str, to: &str, n: Option<usize>| Link {
        to: at.path(&format!("settings/{to}")),
        title: w.t(&format!("settings-index-{id}")),
        text: w.t(&format!("settings-index-{id}-text")),
        n: n.map(|n| w.t1("settings-index-count", "n", n)),
    };
    let group = |id: &str, links: Vec<Link>| Group {
        title: w.t(&format!("settings-index-group-{id}")),
        links,
    };
    let mut hospital = vec![
        link("wards", "wards", Some(inventory.wards.len())),
        link("windows", "windows", Some(inventory.windows.len())),
        link("freezes", "freezes", Some(inventory.freezes.len())),
        link("signers", "signers", Some(inventory.people.len())),
        link("tables", "tables", Some(inventory.devices.len())),
    ];
    let mut groups = Vec::new();
    if at.may(SitePower::Administer) {
        hospital.insert(1, link("rules", "rules", None));
        groups.push(group("hospital", hospital));
        let people = vec![link("people", "people", None), link("tokens", "tokens", None)];
        groups.push(group("people", people));
        let notices = link("notifications", "notifications", None);
        let ready = Link { to: at.path("readiness"), ..link("readiness", "readiness", None) };
        groups.push(group("notices", vec![notices, ready]));
    } else {
        groups.push(group("hospital", hospital));
    }
    Index { frame, groups }
}

#[cfg(test)]
pub(in crate::console) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    let mut all = settings_samples::samples(words);
    all.extend(rules::samples(words));
    all.extend(tables::samples(words));
    all
}

#[cfg(test)]
mod settings_samples;
