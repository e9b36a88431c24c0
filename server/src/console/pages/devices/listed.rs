//! What a hospital writes down of one device: where it stands, what it counts as, its partner, whether
//! somebody must be there, what is printed on it.
//!
//! Not here: many devices at once (a table, `settings::tables`). Invariant: a device reads from the form
//! exactly as from a row of a table, and partners always name each other.

use crate::consent::inventory;
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::form::Form;
use crate::console::frame::{Frame, Nav};
use crate::console::pages::settings::change::{self, Change};
use crate::console::pages::settings::field::{Field, Fields, Kind, Wrong};
use crate::console::pages::settings::thing::problems;
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::words::Words;
use crate::db::device;
use crate::fleet;
use crate::people::role::SitePower;
use actix_web::http::StatusCode;
use askama::Template;
use patchward_protocol::api::site::Management;
use patchward_protocol::id::{DeviceId, KindId};
use patchward_protocol::inventory::csv::DEVICE_COLUMNS;
use patchward_protocol::inventory::{Inventory, InventoryDevice};
use std::collections::BTreeSet;

/// The form.
#[derive(Template)]
#[template(path = "devices/listed.html")]
struct ListedPage {
    frame: Frame,
    w: Words,
    to: String,
    back: (String, String),
    revision: u64,
    fields: Vec<Field>,
    elsewhere: Vec<String>,
    conflict: bool,
    is_new: bool,
    remove: Option<String>,
}

/// A device that the server or the hospital knows.
struct Known {
    id: DeviceId,
    inventory: Inventory,
    /// How it is looked after, where the server knows it.
    management: Option<Management>,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    const PATH: &str = "/console/sites/{site}/devices/{device}/inventory";
    const REMOVE: &str = "/console/sites/{site}/devices/{device}/inventory/remove";
    routes.get::<AtSite, _, _>(PATH, SitePower::Administer, show);
    routes.post::<AtSite, _, _>(PATH, SitePower::Administer, save);
    routes.post::<AtSite, _, _>(REMOVE, SitePower::Administer, remove);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let known = known(&visit).await?;
    let page = view(frame(&visit, &known), visit.words, &visit.entry, (&known, &known.form(), &[]));
    Answer::page(&page)
}

async fn save(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let known = known(&visit).await?;
    let (w, mut now) = (visit.words, known.inventory.clone());
    let read = read(w, &known.id, &visit.form).and_then(|device| put(w, &mut now, device));
    let wrong = match read {
        Ok(at) => problems(w, &now, "devices", at),
        Err(wrong) => wrong,
    };
    let change = match now == known.inventory && wrong.is_empty() {
        true => Change::Written,
        false => change::write(&visit, now, &wrong).await?,
    };
    if change == Change::Written {
        manage(&visit, &known).await?;
        return Ok(Answer::done(&known.home(&visit.entry), "devices-listed-done"));
    }
    answer(&visit, &known, &wrong, change)
}

async fn remove(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let known = known(&visit).await?;
    let mut now = known.inventory.clone();
    part(&mut now, &known.id);
    now.devices.retain(|device| device.id != known.id);
    let wrong = problems(visit.words, &now, "", 0);
    let change = change::write(&visit, now, &wrong).await?;
    if change == Change::Written {
        let to = match known.management {
            Some(_) => known.home(&visit.entry),
            None => visit.entry.path("devices"),
        };
        return Ok(Answer::done(&to, "devices-listed-removed-done"));
    }
    answer(&visit, &known, &wrong, change)
}

/// How a device without an agent is looked after, when that was changed.
async fn manage(visit: &Visit<AtSite>, known: &Known) -> Result<(), Turned> {
    let wanted = match visit.form.get("management") {
        Some("manual") => Management::Manual,
        Some("observed") => Management::Observed,
        Some(_) | None => return Ok(()),
    };
    let by_hand = known.management.filter(|now| *now != Management::Agent);
    if by_hand.is_some_and(|now| now != wanted) {
        let (site, who) = (&visit.entry.site, visit.entry.who.by());
        fleet::inventory::manage(&visit.app, site, &known.id, wanted, who).await?;
    }
    Ok(())
}

async fn known(visit: &Visit<AtSite>) -> Result<Known, Turned> {
    let id: DeviceId = visit.asked.part("device")?;
    let (site, named) = (visit.entry.site.clone(), id.clone());
    let stored = visit.app.db.read(move |conn| device::find(conn, &site, &named)).await?;
    let inventory = inventory::read(&visit.app, &visit.entry.site).await?;
    let management = stored.map(|stored| stored.management);
    if management.is_none() && inventory.device(&id).is_none() {
        return Err(not_found());
    }
    Ok(Known { id, inventory, management })
}

/// The form again, with what was typed and what is wrong.
fn answer(
    visit: &Visit<AtSite>,
    known: &Known,
    wrong: &[Wrong],
    change: Change,
) -> Result<Answer, Turned> {
    let frame = frame(visit, known);
    let mut page = view(frame, visit.words, &visit.entry, (known, &visit.form, wrong));
    page.conflict = change == Change::Overtaken;
    Answer::page_as(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

fn frame(visit: &Visit<AtSite>, known: &Known) -> Frame {
    visit.frame(Nav::Devices, visit.words.t1("devices-listed-title", "device", known.id.as_str()))
}

impl Known {
    /// What stands in the form: what is written down, or nothing yet.
    fn form(&self) -> Form {
        let cells = self.inventory.device(&self.id).map(InventoryDevice::cells);
        let columns = DEVICE_COLUMNS.iter().map(|name| (*name).to_owned());
        let mut fields: Vec<(String, String)> = columns.zip(cells.unwrap_or_default()).collect();
        let management = self.management.and_then(management_word);
        fields.extend(management.map(|word| ("management".to_owned(), word.to_owned())));
        Form::of(fields)
    }

    /// The page that comes next.
    fn home(&self, at: &AtSite) -> String {
        match self.management {
            Some(_) => at.path(&format!("devices/{}", self.id)),
            None => at.path(&format!("devices/{}/inventory", self.id)),
        }
    }
}

/// The word of a device without an agent.
const fn management_word(management: Management) -> Option<&'static str> {
    match management {
        Management::Agent => None,
        Management::Manual => Some("manual"),
        Management::Observed => Some("observed"),
    }
}

/// What the form says of a device, read as a row of a table is.
fn read(w: Words, id: &DeviceId, form: &Form) -> Result<InventoryDevice, Vec<Wrong>> {
    let cell = |name: &&str| match *name {
        "id" => id.to_string(),
        name => form.get(name).unwrap_or_default().to_owned(),
    };
    let read = InventoryDevice::of_cells(DEVICE_COLUMNS.iter().map(cell).collect());
    read.map_err(|bad| {
        let wrong = bad.problems.iter().map(|problem| {
            let (en, ja) = problem.words();
            (problem.column.clone(), w.pick(en, ja).to_owned())
        });
        wrong.collect()
    })
}

/// Puts a device into the inventory; its partner names it from now on, and an earlier one no more.
/// Returns its position.
fn put(w: Words, inventory: &mut Inventory, device: InventoryDevice) -> Result<usize, Vec<Wrong>> {
    let before = inventory.device(&device.id).and_then(|held| held.pair.clone());
    if before != device.pair {
        part(inventory, &device.id);
    }
    let partner = device.pair.clone().filter(|pair| *pair != device.id);
    let partner = inventory.devices.iter_mut().find(|it| Some(&it.id) == partner.as_ref());
    if let Some(partner) = partner {
        match &partner.pair {
            Some(other) if *other != device.id => {
                let text = w.t2(
                    "devices-listed-pair-taken",
                    "partner",
                    partner.id.as_str(),
                    "other",
                    other.as_str(),
                );
                return Err(vec![("pair".to_owned(), text)]);
            }
            Some(_) => {}
            None => partner.pair = Some(device.id.clone()),
        }
    }
    let held = inventory.devices.iter().position(|held| held.id == device.id);
    match held.and_then(|at| Some((at, inventory.devices.get_mut(at)?))) {
        Some((at, held)) => {
            *held = device;
            Ok(at)
        }
        None => {
            inventory.devices.push(device);
            Ok(inventory.devices.len().saturating_sub(1))
        }
    }
}

/// Nobody names this device as a partner any more.
fn part(inventory: &mut Inventory, id: &DeviceId) {
    for device in &mut inventory.devices {
        if device.pair.as_ref() == Some(id) {
            device.pair = None;
        }
    }
}

fn view(
    frame: Frame,
    w: Words,
    at: &AtSite,
    (known, form, wrong): (&Known, &Form, &[Wrong]),
) -> ListedPage {
    let fields = fields(w, known, form, wrong);
    let stands = |name: &str| fields.iter().any(|field| field.name == name);
    let elsewhere = wrong.iter().filter(|(field, _)| !stands(field));
    let elsewhere = elsewhere.map(|(_, text)| text.clone()).collect();
    let path = |rest: &str| at.path(&format!("devices/{}/{rest}", known.id));
    let is_new = known.inventory.device(&known.id).is_none();
    let back = match known.management {
        Some(_) => (known.home(at), w.t1("devices-page-title", "device", known.id.as_str())),
        None => (at.path("devices"), w.t("devices-title")),
    };
    ListedPage {
        to: path("inventory"),
        back,
        revision: known.inventory.revision,
        fields,
        elsewhere,
        conflict: false,
        is_new,
        remove: (!is_new).then(|| path("inventory/remove")),
        frame,
        w,
    }
}

fn fields(w: Words, known: &Known, form: &Form, wrong: &[Wrong]) -> Vec<Field> {
    let fields = Fields { w, form, texts: "devices-listed", wrong };
    let none = (String::new(), w.t("devices-listed-no-ward"));
    let wards = known.inventory.wards.iter();
    let wards = wards.map(|it| (it.id.to_string(), w.pick(&it.name_en, &it.name_ja).to_owned()));
    let words = |texts: &str, words: &[&str]| {
        let text = |word: &&str| ((*word).to_owned(), w.t(&format!("{texts}-{word}")));
        words.iter().map(text).collect::<Vec<_>>()
    };
    let kinds: BTreeSet<&KindId> = known.inventory.devices.iter().map(|it| &it.kind).collect();
    let kinds = kinds.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let kind_hint = match kinds.as_str() {
        "" => w.t("devices-listed-kinds-none"),
        kinds => w.t1("devices-listed-kinds", "kinds", kinds),
    };
    let usages = words("devices-usage", &["in-service", "spare", "bench"]);
    let attended = words("devices-listed-attended", &["unattended", "attended"]);
    let mut all = vec![
        fields.of("ward", Kind::Select, std::iter::once(none).chain(wards)),
        Field { hint: Some(kind_hint), ..fields.one("kind", Kind::Text) },
        fields.of("usage", Kind::Select, usages),
        fields.of("attended", Kind::Select, attended),
        fields.one("pair", Kind::Text),
        fields.one("udi", Kind::Text),
        fields.one("serial_number", Kind::Text),
    ];
    if known.management.and_then(management_word).is_some() {
        let ways = words("devices-management", &["manual", "observed"]);
        all.push(fields.of("management", Kind::Select, ways));
    }
    all
}

#[cfg(test)]
fn sample_known(id: &str, management: Option<Management>) -> Known {
    let text = r#"{"v":1,"site":"city-hospital","revision":7,"tz":"Asia/Tokyo",
        "wards":[{"id":"e5","name_en":"East 5","name_ja":"5階東病棟"}],
        "devices":[{"id":"pump-01","ward":"e5","kind":"pump","pair":"pump-02"},
                   {"id":"pump-02","ward":"e5","kind":"pump","pair":"pump-01"},
                   {"id":"pump-03","kind":"pump","usage":"spare"}]}"#;
    let inventory = Inventory::read(text.as_bytes()).unwrap_or_else(|bad| panic!("{bad:?}"));
    Known { id: DeviceId::new(id).unwrap(), inventory, management }
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, at_site, site_frame};
    let at = at_site(words);
    let frame = |id: &str| Frame {
        title: words.t1("devices-listed-title", "device", id),
        ..site_frame(words, Nav::Devices, "devices-title")
    };
    let page = |known: &Known, form: &Form, wrong: &[Wrong]| {
        view(frame(known.id.as_str()), words, &at, (known, form, wrong))
    };
    let paired = sample_known("pump-01", Some(Management::Agent));
    let new = sample_known("ecg-04", Some(Management::Manual));
    let alone = sample_known("pump-03", None);
    let typed = Form::of([("ward", "e5"), ("kind", "Infusion Pump!"), ("pair", "pump-01")]);
    let wrong = read(words, &alone.id, &typed).unwrap_err();
    let mut refused = page(&alone, &typed, &wrong);
    refused.conflict = true;
    let template = "devices/listed.html";
    vec![
        Sample::of(template, "change", &page(&paired, &paired.form(), &[])),
        Sample::of(template, "new", &page(&new, &new.form(), &[])),
        Sample::of(template, "refused", &refused),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::who::Language;

    const W: Words = Words::of(Language::En);

    fn pair_of(inventory: &Inventory, id: &str) -> Option<String> {
        let device = inventory.device(&DeviceId::new(id).unwrap()).unwrap();
        device.pair.as_ref().map(ToString::to_string)
    }

    fn saved(id: &str, form: &Form) -> Result<Inventory, Vec<Wrong>> {
        let known = sample_known(id, None);
        let mut inventory = known.inventory.clone();
        let device = read(W, &known.id, form)?;
        let at = put(W, &mut inventory, device)?;
        let wrong = problems(W, &inventory, "devices", at);
        if wrong.is_empty() { Ok(inventory) } else { Err(wrong) }
    }

    #[test]
    fn partners_always_name_each_other() {
        let form = |pair: &str| Form::of([("ward", "e5"), ("kind", "pump"), ("pair", pair)]);
        let parted = saved("pump-01", &form("")).unwrap();
        assert_eq!((pair_of(&parted, "pump-01"), pair_of(&parted, "pump-02")), (None, None));
        let other = saved("pump-01", &form("pump-03")).unwrap();
        assert_eq!(pair_of(&other, "pump-03").as_deref(), Some("pump-01"));
        assert_eq!(pair_of(&other, "pump-02"), None);
        let taken = saved("pump-03", &form("pump-01")).unwrap_err();
        assert_eq!(taken.first().map(|(field, _)| field.as_str()), Some("pair"));
    }

    #[test]
    fn what_a_table_would_refuse_is_refused_at_its_field() {
        for (field, value) in
            [("kind", "Pump!"), ("ward", "nowhere"), ("pair", "pump-99"), ("pair", "pump-03")]
        {
            let mut fields = vec![("kind", "pump")];
            fields.retain(|(name, _)| *name != field);
            fields.push((field, value));
            let wrong = saved("pump-03", &Form::of(fields)).unwrap_err();
            assert_eq!(wrong.first().map(|(at, _)| at.as_str()), Some(field), "{value}: {wrong:?}");
        }
    }

    #[test]
    fn an_unchanged_form_changes_nothing() {
        for id in ["pump-01", "pump-02", "pump-03"] {
            let known = sample_known(id, None);
            assert_eq!(saved(id, &known.form()).unwrap(), known.inventory, "{id}");
        }
    }
}
