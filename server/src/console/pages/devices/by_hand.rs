//! The form in which an update made by hand is written down.
//!
//! Not here: what becomes of it ([`crate::fleet::by_hand`]). Invariant: what was typed stays when it is
//! refused, with what is wrong beside the field.

use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::form::Form;
use crate::console::frame::{Frame, Nav};
use crate::console::local;
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::words::Words;
use crate::db::device;
use crate::fleet::by_hand::{self, Note};
use crate::people::role::SitePower;
use actix_web::http::StatusCode;
use askama::Template;
use patchward_protocol::api::site::Management;
use patchward_protocol::id::{DeviceId, RepositoryId};
use patchward_protocol::time::Timestamp;

/// The form.
#[derive(Template)]
#[template(path = "devices/by_hand.html")]
struct HandPage {
    frame: Frame,
    w: Words,
    to: String,
    tz: String,
    fields: Fields,
    versions: Vec<String>,
    wrong: Vec<(&'static str, String)>,
}

/// What stands in the fields.
#[derive(Debug, Clone, Default)]
struct Fields {
    performed: String,
    performed_by: String,
    from_version: String,
    to_version: String,
    verified: String,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    const PATH: &str = "/console/sites/{site}/devices/{device}/by-hand";
    routes.get::<AtSite, _, _>(PATH, SitePower::Accept, show);
    routes.post::<AtSite, _, _>(PATH, SitePower::Accept, write);
}

impl HandPage {
    fn wrong(&self, field: &str) -> Option<&str> {
        self.wrong.iter().find(|(name, _)| *name == field).map(|(_, text)| text.as_str())
    }
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (device, from, versions) = known(&visit).await?;
    let fields = Fields {
        performed: local::write(visit.at, visit.entry.tz()),
        performed_by: visit.entry.who.name.clone(),
        from_version: from.unwrap_or_default(),
        ..Fields::default()
    };
    let frame = frame(&visit, &device);
    Answer::page(&view(frame, visit.words, &visit.entry, (&device, versions), fields, Vec::new()))
}

async fn write(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (device, _, versions) = known(&visit).await?;
    let fields = Fields::of(&visit.form);
    let (note, wrong) = fields.note(visit.words, visit.entry.tz(), visit.at);
    if let Some(note) = note {
        let (site, who) = (&visit.entry.site, &visit.entry.who);
        by_hand::write(&visit.app, site, &device, note, who).await?;
        let to = visit.entry.path(&format!("devices/{device}"));
        return Ok(Answer::done(&to, "devices-hand-done"));
    }
    let frame = frame(&visit, &device);
    let page = view(frame, visit.words, &visit.entry, (&device, versions), fields, wrong);
    Answer::page_as(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

fn frame(visit: &Visit<AtSite>, device: &DeviceId) -> Frame {
    visit.frame(Nav::Devices, visit.words.t1("devices-hand-title", "device", device.as_str()))
}

/// The device, what runs on it as far as is known, and the versions that its family has.
async fn known(visit: &Visit<AtSite>) -> Result<(DeviceId, Option<String>, Vec<String>), Turned> {
    let id: DeviceId = visit.asked.part("device")?;
    let (site, named) = (visit.entry.site.clone(), id.clone());
    let found = visit.app.db.read(move |conn| device::find(conn, &site, &named)).await?;
    let stored = found.filter(|stored| stored.management != Management::Agent);
    let stored = stored.ok_or_else(not_found)?;
    let from = stored.said.installed.map(|image| image.version.to_string());
    let snapshot = visit.app.snapshot();
    let current = snapshot.get(&RepositoryId::Family(stored.family));
    let mut images: Vec<_> =
        current.map(|current| current.images.values().collect()).unwrap_or_default();
    images.sort_by_key(|image: &&patchward_protocol::tuf::custom::Firmware| {
        std::cmp::Reverse(image.seq)
    });
    Ok((id, from, images.into_iter().map(|image| image.version.to_string()).collect()))
}

impl Fields {
    fn of(form: &Form) -> Self {
        let text = |name: &str| form.get(name).unwrap_or_default().to_owned();
        Self {
            performed: text("performed"),
            performed_by: text("performed_by"),
            from_version: text("from_version"),
            to_version: text("to_version"),
            verified: text("verified"),
        }
    }

    fn note(
        &self,
        w: Words,
        tz: &str,
        at: Timestamp,
    ) -> (Option<Note>, Vec<(&'static str, String)>) {
        let performed = local::read(&self.performed, tz);
        let note = Note {
            performed: performed.unwrap_or(at),
            performed_by: self.performed_by.clone(),
            from_version: Some(self.from_version.clone()).filter(|text| !text.is_empty()),
            to_version: self.to_version.clone(),
            verified: self.verified.clone(),
        };
        let say = |rule: &str| w.t(&format!("devices-hand-wrong-{rule}"));
        let mut wrong: Vec<_> =
            note.check(at).iter().map(|wrong| (wrong.field, say(wrong.rule))).collect();
        if performed.is_none() {
            wrong.insert(0, ("performed", say("date")));
        }
        (wrong.is_empty().then_some(note), wrong)
    }
}

fn view(
    frame: Frame,
    w: Words,
    at: &AtSite,
    (device, versions): (&DeviceId, Vec<String>),
    fields: Fields,
    wrong: Vec<(&'static str, String)>,
) -> HandPage {
    let to = at.path(&format!("devices/{device}/by-hand"));
    HandPage { frame, w, to, tz: at.tz().to_owned(), fields, versions, wrong }
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, at_site, noon, site_frame};
    let frame = || Frame {
        title: words.t1("devices-hand-title", "device", "ecg-04"),
        ..site_frame(words, Nav::Devices, "devices-title")
    };
    let device = DeviceId::new("ecg-04").unwrap();
    let versions = || vec!["2.4.1".to_owned(), "2.4.0".to_owned()];
    let at = at_site(words);
    let filled = Fields {
        performed: local::write(noon(), "Asia/Tokyo"),
        performed_by: words.pick("Sato Ken, service engineer", "佐藤 健(保守担当)").to_owned(),
        from_version: "2.3.9".to_owned(),
        ..Fields::default()
    };
    let wrong = filled.note(words, "Asia/Tokyo", noon()).1;
    let page = |fields: &Fields, wrong: Vec<(&'static str, String)>| {
        view(frame(), words, &at, (&device, versions()), fields.clone(), wrong)
    };
    assert_eq!(wrong.len(), 2);
    vec![
        Sample::of("devices/by_hand.html", "new", &page(&filled, Vec::new())),
        Sample::of("devices/by_hand.html", "refused", &page(&filled, wrong)),
    ]
}
