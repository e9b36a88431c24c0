//! Choosing a place, for somebody who has several; and the first page for somebody who has none.

use crate::console::answer::Answer;
use crate::console::door::{SignedIn, Visit};
use crate::console::frame::{Frame, home_for};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::people::role::{Grant, Place};
use crate::people::who::Who;
use crate::publish::current::Snapshot;
use askama::Template;
use patchward_protocol::id::RepositoryId;

/// The page.
#[derive(Template)]
#[template(path = "login/place.html")]
struct Places {
    frame: Frame,
    w: Words,
    places: Vec<PlaceLine>,
}

/// A place with the roles there.
struct PlaceLine {
    to: String,
    name: String,
    roles: String,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<SignedIn, _, _>("/console", (), show);
}

async fn show(visit: Visit<SignedIn>) -> Result<Answer, Turned> {
    let places = visit.entry.0.places();
    if let [only] = places.as_slice() {
        return Ok(Answer::go(home_for(&visit.entry.0, only)));
    }
    let frame = visit.frame(visit.words.t("login-place-title"));
    let lines = lines(&visit.entry.0, &visit.app.snapshot(), visit.words);
    Answer::page(&Places { frame, w: visit.words, places: lines })
}

fn lines(who: &Who, snapshot: &Snapshot, w: Words) -> Vec<PlaceLine> {
    let line = |place: Place| {
        let roles = who.grants.iter().filter(|grant| grant.place() == place);
        let roles: Vec<_> = roles.map(|grant| w.t(&role_id(grant))).collect();
        let roles = roles.join(w.pick(", ", "、"));
        PlaceLine { to: home_for(who, &place), name: name_of(&place, snapshot, w), roles }
    };
    who.places().into_iter().map(line).collect()
}

/// How a place is called.
pub(in crate::console) fn name_of(place: &Place, snapshot: &Snapshot, w: Words) -> String {
    match place {
        Place::Site(site) => {
            let current = snapshot.get(&RepositoryId::Site(site.clone()));
            let title = current.map(|at| w.pick(&at.title_en, &at.title_ja));
            title.unwrap_or(site.as_str()).to_owned()
        }
        Place::Maker(maker) => maker.to_string(),
        Place::Server => w.t("login-place-server"),
    }
}

/// The text of a role.
pub(in crate::console) fn role_id(grant: &Grant) -> String {
    match grant {
        Grant::Site(_, role) => format!("role-site-{}", role.word()),
        Grant::Maker(_, role) => format!("role-maker-{}", role.word()),
        Grant::Operator => "role-operator".to_owned(),
    }
}

#[cfg(test)]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, asked, engineer};
    let mut who = engineer(w);
    who.grants.push(Grant::Operator);
    let page = |who: &Who| Places {
        frame: Frame::bare(&asked(w), Some(who), w, w.t("login-place-title")),
        w,
        places: lines(who, &Snapshot::default(), w),
    };
    let nowhere = Who { grants: Vec::new(), ..who.clone() };
    vec![
        Sample::of("login/place.html", "two", &page(&who)),
        Sample::of("login/place.html", "none", &page(&nowhere)),
    ]
}
