//! Devices and wards as tables: taken out, and put in whole.
//!
//! Not here: the form of the tables (`protocol::inventory::csv`). Invariant: a table replaces its whole
//! list, or nothing when anything in it is wrong; every bad row is named with its line.

use super::change::{self, Change};
use crate::consent::inventory;
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::people::role::SitePower;
use actix_web::http::StatusCode;
use askama::Template;
use patchward_protocol::inventory::Inventory;
use patchward_protocol::inventory::csv::BadTable;

/// Most problems of a table that are listed.
const PROBLEMS_MAX: usize = 200;

/// The page.
#[derive(Template)]
#[template(path = "settings/tables.html")]
struct TablesPage {
    frame: Frame,
    w: Words,
    to: String,
    revision: u64,
    devices: usize,
    wards: usize,
    devices_table: String,
    wards_table: String,
    wrong: Option<String>,
    problems: Vec<Row>,
    problems_more: usize,
    conflict: bool,
    may: bool,
    back: String,
}

#[derive(Debug, Clone)]
struct Row {
    line: String,
    column: String,
    value: String,
    text: String,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    const PATH: &str = "/console/sites/{site}/settings/tables";
    routes.get::<AtSite, _, _>(PATH, SitePower::See, show);
    routes.post::<AtSite, _, _>(PATH, SitePower::Administer, take);
    let devices = "/console/sites/{site}/settings/devices.csv";
    let wards = "/console/sites/{site}/settings/wards.csv";
    routes.get::<AtSite, _, _>(devices, SitePower::See, devices_table);
    routes.get::<AtSite, _, _>(wards, SitePower::See, wards_table);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let now = inventory::read(&visit.app, &visit.entry.site).await?;
    Answer::page(&view(frame(&visit), visit.words, &visit.entry, &now))
}

async fn devices_table(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let name = format!("inventory-devices-{}.csv", visit.entry.site);
    Ok(Answer::table(&name, visit.entry.inventory.devices_table()))
}

async fn wards_table(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let name = format!("inventory-wards-{}.csv", visit.entry.site);
    Ok(Answer::table(&name, visit.entry.inventory.wards_table()))
}

async fn take(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (entry, form) = (&visit.entry, &visit.form);
    let now = inventory::read(&visit.app, &entry.site).await?;
    let mut page = view(frame(&visit), visit.words, entry, &now);
    page.conflict = change::overtaken(&visit, &now)?;
    match (form.file("table"), page.conflict) {
        (None, _) => page.wrong = Some(visit.words.t("settings-tables-no-file")),
        (Some(_), true) => {}
        (Some(sent), false) => match read(&now, form.get("which"), &sent.bytes) {
            Err(bad) => page = page.with(visit.words, bad),
            Ok(inventory) => {
                let change = change::write(&visit, inventory, &[]).await?;
                if change == Change::Written {
                    let to = entry.path("settings/tables");
                    return Ok(Answer::done(&to, "settings-taken-done"));
                }
                page.conflict = change == Change::Overtaken;
            }
        },
    }
    Answer::page_as(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

fn read(now: &Inventory, which: Option<&str>, bytes: &[u8]) -> Result<Inventory, BadTable> {
    match which {
        Some("wards") => now.with_wards(bytes),
        Some(_) | None => now.with_devices(bytes),
    }
}

fn frame(visit: &Visit<AtSite>) -> Frame {
    visit.frame(Nav::Settings, visit.words.t("settings-tables-title"))
}

fn view(frame: Frame, w: Words, at: &AtSite, now: &Inventory) -> TablesPage {
    TablesPage {
        frame,
        w,
        to: at.path("settings/tables"),
        revision: now.revision,
        devices: now.devices.len(),
        wards: now.wards.len(),
        devices_table: at.path("settings/devices.csv"),
        wards_table: at.path("settings/wards.csv"),
        wrong: None,
        problems: Vec::new(),
        problems_more: 0,
        conflict: false,
        may: at.may(SitePower::Administer),
        back: at.path("settings"),
    }
}

impl TablesPage {
    fn with(mut self, w: Words, bad: BadTable) -> Self {
        let n = bad.problems.len();
        self.wrong = Some(w.t1("settings-tables-wrong", "n", n));
        self.problems_more = n.saturating_sub(PROBLEMS_MAX);
        let row = |problem: patchward_protocol::inventory::csv::Problem| {
            let (en, ja) = problem.words();
            Row {
                line: if problem.line == 0 { String::new() } else { problem.line.to_string() },
                text: w.pick(en, ja).to_owned(),
                column: problem.column,
                value: problem.value,
            }
        };
        self.problems = bad.problems.into_iter().take(PROBLEMS_MAX).map(row).collect();
        self
    }
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::pages::devices::list::list_samples::hospital;
    use crate::console::sample::{Sample, site_frame};
    let (at, _) = hospital(words, 40);
    let page = || {
        let frame = site_frame(words, Nav::Settings, "settings-tables-title");
        view(frame, words, &at, &at.inventory)
    };
    let table = "id,ward,kind,pair,usage,attended,udi,serial_number\r\n".to_owned()
        + &"Pump 7,nowhere,infusion-pump,,inservice,,,\r\n".repeat(150);
    let bad = read(&at.inventory, Some("devices"), table.as_bytes()).unwrap_err();
    let mut changed = page();
    changed.conflict = true;
    vec![
        Sample::of("settings/tables.html", "some", &page()),
        Sample::of("settings/tables.html", "refused", &page().with(words, bad)),
        Sample::of("settings/tables.html", "changed", &changed),
    ]
}
