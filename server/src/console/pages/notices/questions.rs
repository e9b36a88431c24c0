//! Questions of hospitals and what manufacturers answered: the list and the thread, on both sides.
//!
//! Invariant: both sides see the same words, each with the printed name and the time.

use super::{Framed, Here};
use crate::console::answer::Answer;
use crate::console::door::{AtMaker, AtSite, Entry, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::when::When;
use crate::console::words::Words;
use crate::db::{DbError, answer as answers};
use crate::notify::answer::{self, Question, Side};
use crate::notify::said::Names;
use crate::notify::subject::QuestionId;
use crate::people::role::{MakerPower, Place, SitePower};
use crate::publish::current::Snapshot;
use askama::Template;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{FamilyId, RepositoryId};

#[derive(Template)]
#[template(path = "notices/questions.html")]
struct Questions {
    frame: Frame,
    w: Words,
    back: String,
    site: bool,
    lines: Vec<QuestionLine>,
}

struct QuestionLine {
    to: String,
    badge: &'static str,
    state: String,
    title: String,
    other: String,
    asked: When,
}

#[derive(Template)]
#[template(path = "notices/question.html")]
struct Thread {
    frame: Frame,
    w: Words,
    back: String,
    here: String,
    line: QuestionLine,
    words: Vec<WordLine>,
    may_write: bool,
}

struct WordLine {
    side: String,
    name: String,
    title: String,
    at: When,
    text: String,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>("/console/sites/{site}/questions", SitePower::See, list);
    routes.get::<AtMaker, _, _>("/console/makers/{maker}/questions", MakerPower::See, list);
    let at_site = "/console/sites/{site}/questions/{question}";
    let at_maker = "/console/makers/{maker}/questions/{question}";
    routes.get::<AtSite, _, _>(at_site, SitePower::See, show);
    routes.get::<AtMaker, _, _>(at_maker, MakerPower::See, show);
    routes.post::<AtSite, _, _>(at_site, SitePower::Plan, write);
    routes.post::<AtMaker, _, _>(at_maker, MakerPower::Release, write);
}

async fn list<E: Entry + Here>(visit: Visit<E>) -> Result<Answer, Turned>
where
    Visit<E>: Framed,
{
    let (place, snapshot) = (visit.entry.place(), visit.app.snapshot());
    let families = families(&snapshot, &place);
    let of = place.clone();
    let read = visit.app.db.read(move |conn| answer::questions(conn, &of, &families));
    let all: Vec<Question> = read.await?;
    let names = Names(&snapshot);
    let (base, tz) = (visit.entry.base(), visit.entry.tz());
    let line =
        |it: &Question| QuestionLine::of(visit.words, &names, it, (&place, &base, &tz), &snapshot);
    let page = Questions {
        frame: visit.framed(Nav::Inbox, "questions-title"),
        w: visit.words,
        back: format!("{base}/inbox"),
        site: matches!(place, Place::Site(_)),
        lines: all.iter().map(line).collect(),
    };
    Answer::page(&page)
}

async fn show<E: Entry + Here>(visit: Visit<E>) -> Result<Answer, Turned>
where
    Visit<E>: Framed,
{
    let (place, id) = (visit.entry.place(), visit.asked.part::<QuestionId>("question")?);
    let of = place.clone();
    let read = visit.app.db.read(move |conn| {
        let found = answers::question(conn, &id)?;
        Ok::<_, DbError>(found.filter(|question| question.is_of(&of)))
    });
    let question = read.await?.ok_or_else(not_found)?;
    let snapshot = visit.app.snapshot();
    let here = (visit.entry.base(), visit.entry.tz(), visit.entry.may_answer());
    let frame = visit.framed(Nav::Inbox, "questions-one");
    Answer::page(&thread(frame, visit.words, &snapshot, &place, &question, here))
}

async fn write<E: Entry + Here>(visit: Visit<E>) -> Result<Answer, Turned> {
    let (place, id) = (visit.entry.place(), visit.asked.part::<QuestionId>("question")?);
    let words = visit.form.need("words")?.to_owned();
    answer::write(&visit.app, &place, &id, words, visit.entry.visitor()).await?;
    let to = format!("{}/questions/{id}", visit.entry.base());
    Ok(Answer::done(&to, "questions-write-done"))
}

/// The families of a manufacturer.
fn families(snapshot: &Snapshot, place: &Place) -> Vec<FamilyId> {
    let Place::Maker(maker) = place else { return Vec::new() };
    let of = snapshot.all().filter_map(|current| match &current.id {
        RepositoryId::Family(family) if family.maker() == *maker => Some(family.clone()),
        RepositoryId::Family(_) | RepositoryId::Site(_) => None,
    });
    of.collect()
}

fn thread(
    frame: Frame,
    w: Words,
    snapshot: &Snapshot,
    place: &Place,
    question: &Question,
    (base, tz, may_write): (String, String, bool),
) -> Thread {
    let names = Names(snapshot);
    let word = |it: &answer::Word| WordLine {
        side: match it.side {
            Side::Site => names.site(w, &question.site),
            Side::Maker => names.place(w, &Place::Maker(question.maker())),
        },
        name: it.by.name.clone(),
        title: it.by.title.clone(),
        at: w.instant(it.at, &tz),
        text: it.words.clone(),
    };
    Thread {
        line: QuestionLine::of(w, &names, question, (place, &base, &tz), snapshot),
        words: question.words.iter().map(word).collect(),
        back: format!("{base}/questions"),
        here: format!("{base}/questions/{}", question.id),
        may_write,
        frame,
        w,
    }
}

impl QuestionLine {
    fn of(
        w: Words,
        names: &Names<'_>,
        question: &Question,
        (place, base, tz): (&Place, &str, &str),
        snapshot: &Snapshot,
    ) -> Self {
        let family = names.family(w, &question.family);
        let title = match version(snapshot, &question.family, &question.image_sha256) {
            Some(version) => format!("{family} {version}"),
            None => family,
        };
        let other = match place {
            Place::Maker(_) => names.site(w, &question.site),
            Place::Site(_) | Place::Server => question.maker().to_string(),
        };
        let (badge, state) = match question.answered {
            Some(_) => ("good", "questions-answered"),
            None => ("warn", "questions-open"),
        };
        Self {
            to: format!("{base}/questions/{}", question.id),
            badge,
            state: w.t(state),
            title,
            other,
            asked: w.instant(question.asked, tz),
        }
    }
}

/// The version of an image, while its family lists it.
fn version(snapshot: &Snapshot, family: &FamilyId, image: &Sha256Digest) -> Option<String> {
    let current = snapshot.get(&RepositoryId::Family(family.clone()))?;
    Some(current.images.get(image)?.version.to_string())
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, maker_frame, noon, site_frame};
    use crate::notify::answer::{Signature, Word};
    use crate::people::who::AccountId;
    use patchward_protocol::id::SiteId;
    let site = SiteId::new("city-hospital").unwrap();
    let by = |name: &str, title: &str| Signature {
        name: name.to_owned(),
        title: title.to_owned(),
        account: AccountId(1),
    };
    let word = |side, by, text: &str| Word { side, by, at: noon(), words: text.to_owned() };
    let question = Question {
        id: QuestionId::digest("question"),
        site: site.clone(),
        family: "acme.infusion-a".parse().unwrap(),
        image_sha256: Sha256Digest::of(b"image"),
        asked: noon(),
        answered: Some(noon()),
        words: vec![
            word(Side::Site, by("田中 由紀", "臨床工学技士"), "8\n<5>"),
            word(Side::Maker, by("Sato", "PSIRT"), "8"),
        ],
    };
    let open = Question { answered: None, ..question.clone() };
    let snapshot = Snapshot::default();
    let names = Names(&snapshot);
    let place = Place::Site(site);
    let base = "/console/sites/city-hospital";
    let line = |it: &Question| {
        QuestionLine::of(words, &names, it, (&place, base, "Asia/Tokyo"), &snapshot)
    };
    let list = |lines, site| Questions {
        frame: if site {
            site_frame(words, Nav::Inbox, "questions-title")
        } else {
            maker_frame(words, Nav::Inbox, "questions-title")
        },
        w: words,
        back: format!("{base}/inbox"),
        site,
        lines,
    };
    let here = |may| (base.to_owned(), "Asia/Tokyo".to_owned(), may);
    let frame = || site_frame(words, Nav::Inbox, "questions-one");
    let (page, one) = ("notices/questions.html", "notices/question.html");
    vec![
        Sample::of(page, "some", &list(vec![line(&question), line(&open)], true)),
        Sample::of(page, "none", &list(Vec::new(), true)),
        Sample::of(page, "none at a manufacturer", &list(Vec::new(), false)),
        Sample::of(
            one,
            "answered",
            &thread(frame(), words, &snapshot, &place, &question, here(true)),
        ),
        Sample::of(one, "reader", &thread(frame(), words, &snapshot, &place, &open, here(false))),
    ]
}
