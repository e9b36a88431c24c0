//! The first page of whoever runs the server: which places there are, and who administers each.
//!
//! Invariant: whoever runs the server gives a place its administrator, and nothing else there.

use super::members::{keep_link, wish};
use crate::console::answer::Answer;
use crate::console::door::{AtServer, Visit};
use crate::console::frame::Frame;
use crate::console::pages::login::place::name_of;
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::words::Words;
use crate::db::{self, Connection, DbError};
use crate::people::invite;
use crate::people::role::{Grant, Place};
use crate::publish::current::Snapshot;
use askama::Template;
use patchward_protocol::id::RepositoryId;
use std::collections::BTreeSet;

/// The page.
#[derive(Template)]
#[template(path = "people/server.html")]
struct Server {
    frame: Frame,
    w: Words,
    places: Vec<PlaceLine>,
}

/// A place with its administrators.
struct PlaceLine {
    place: String,
    name: String,
    admins: Vec<String>,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtServer, _, _>("/console/server", (), show);
    routes.post::<AtServer, _, _>("/console/server/invite", (), invite);
}

async fn show(visit: Visit<AtServer>) -> Result<Answer, Turned> {
    let snapshot = visit.app.snapshot();
    let places = places(&snapshot);
    let admins = visit.app.db.read(move |conn| admins(conn, places)).await?;
    let frame = visit.frame(visit.words.t("people-server-title"));
    Answer::page(&view((frame, visit.words), &snapshot, admins))
}

async fn invite(visit: Visit<AtServer>) -> Result<Answer, Turned> {
    let place = Place::of(visit.form.need("place")?).ok_or_else(not_found)?;
    if !places(&visit.app.snapshot()).contains(&place) {
        return Err(not_found());
    }
    let wish = wish(&visit, place)?;
    let made = invite::make(&visit.app, &visit.entry.who, wish).await?;
    keep_link(&visit, &made).await?;
    Ok(Answer::go("/console/server/people/link"))
}

/// Hospitals and manufacturers with a repository here.
fn places(snapshot: &Snapshot) -> BTreeSet<Place> {
    let place = |id: &RepositoryId| match id {
        RepositoryId::Site(site) => Place::Site(site.clone()),
        RepositoryId::Family(family) => Place::Maker(family.maker()),
    };
    snapshot.all().map(|current| place(&current.id)).collect()
}

fn admins(
    conn: &mut Connection,
    places: BTreeSet<Place>,
) -> Result<Vec<(Place, Vec<String>)>, DbError> {
    let mut all = Vec::new();
    for place in places {
        let held = db::grant::at(conn, &place)?;
        let ids = held.iter().filter(|(_, grant)| grant.administers()).map(|(id, _)| *id);
        let ids: Vec<_> = ids.collect();
        let accounts = db::account::some(conn, &ids)?;
        let enabled = accounts.iter().filter(|account| account.disabled.is_none());
        all.push((place, enabled.map(|account| account.name.to_string()).collect()));
    }
    Ok(all)
}

fn view(
    (frame, w): (Frame, Words),
    snapshot: &Snapshot,
    admins: Vec<(Place, Vec<String>)>,
) -> Server {
    let line = |(place, admins): (Place, Vec<String>)| PlaceLine {
        name: name_of(&place, snapshot, w),
        place: place.to_string(),
        admins,
    };
    Server { frame, w, places: admins.into_iter().map(line).collect() }
}

/// The word of the role that this page gives.
impl PlaceLine {
    fn role(&self) -> &'static str {
        let admin = Place::of(&self.place).and_then(|place| Grant::of(&place, "admin"));
        admin.map_or("", |grant| grant.word())
    }
}

#[cfg(test)]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, asked, engineer};
    let frame = || Frame::bare(&asked(w), Some(&engineer(w)), w, w.t("people-server-title"));
    let place = |text: &str| Place::of(text).unwrap();
    let admins = vec![
        (place("site:city-hospital"), vec![w.pick("Tanaka Yuki", "田中 由紀").to_owned()]),
        (place("maker:acme"), Vec::new()),
    ];
    vec![
        Sample::of("people/server.html", "two", &view((frame(), w), &Snapshot::default(), admins)),
        Sample::of("people/server.html", "none", &view((frame(), w), &Snapshot::default(), vec![])),
    ]
}
