//! Hospitals with devices of this manufacturer: whether a message would reach them, what they have not
//! answered, whom to call, when a device was last heard.
//!
//! Not here: their devices one by one, their wards, their rules. Invariant: what is shown of people is
//! what the hospital entered as its contacts.

use super::{families_of, tz};
use crate::app::App;
use crate::console::answer::Answer;
use crate::console::door::{AtMaker, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::pages::notices::readiness::component;
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::when::When;
use crate::console::words::Words;
use crate::db::notice::{self, Notice};
use crate::db::{DbError, answer, device};
use crate::error::ApiError;
use crate::notify::answer::{Answer as Said, Given};
use crate::notify::readiness::{self, Light, Readiness};
use crate::notify::said::Names;
use crate::notify::subject::Subject;
use crate::people::role::{MakerPower, Place};
use askama::Template;
use patchward_protocol::id::{FamilyId, MakerId, SiteId};
use patchward_protocol::inventory::Inventory;
use patchward_protocol::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Somebody to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Printed name.
    pub name: String,
    /// Role in words.
    pub role: String,
    /// Work e-mail address, where the hospital gave one.
    pub mail: Option<String>,
}

/// A hospital in the list.
#[derive(Debug, Clone)]
struct Row {
    site: String,
    id: SiteId,
    to: String,
    devices: u32,
    by_hand: u32,
    heard: Option<When>,
    light: &'static str,
    class: &'static str,
    proven: Option<When>,
    waiting: usize,
}

#[derive(Template)]
#[template(path = "makers/sites.html")]
struct ListPage {
    frame: Frame,
    w: Words,
    rows: Vec<Row>,
}

/// A release that the hospital has been told of.
#[derive(Debug, Clone)]
struct Told {
    release: String,
    since: When,
    answer: String,
    class: &'static str,
    reason: String,
}

#[derive(Template)]
#[template(path = "makers/site.html")]
struct SitePage {
    frame: Frame,
    w: Words,
    id: SiteId,
    checks: Vec<(String, String, &'static str, Option<When>)>,
    contacts: Vec<Contact>,
    told: Vec<Told>,
    devices: Vec<(String, u32, u32)>,
    heard: Option<When>,
    back: String,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtMaker, _, _>("/console/makers/{maker}/sites", MakerPower::See, list);
    routes.get::<AtMaker, _, _>("/console/makers/{maker}/sites/{site}", MakerPower::See, show);
}

async fn list(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let (w, at) = (visit.words, visit.at);
    let field = Field::read(&visit.app, &visit.entry.maker).await?;
    let heard = visit.app.fleet.heard();
    let mut waiting: HashMap<&SiteId, usize> = HashMap::new();
    for of in &field.waiting {
        let count = waiting.entry(&of.site).or_default();
        *count = count.saturating_add(1);
    }
    let snapshot = visit.app.snapshot();
    let rows = field.sites.iter().map(|(site, count)| {
        let proven = field.proven.get(site).copied().flatten();
        let light = readiness::proof(proven, at);
        Row {
            site: Names(&snapshot).site(w, site),
            id: site.clone(),
            to: visit.entry.path(&format!("sites/{site}")),
            devices: count.agents,
            by_hand: count.by_hand,
            heard: heard.get(site).map(|at| w.instant(*at, tz(w))),
            light: light_id(light),
            class: component(light),
            proven: proven.map(|at| w.instant(at, tz(w))),
            waiting: waiting.get(site).copied().unwrap_or_default(),
        }
    });
    let mut rows: Vec<Row> = rows.collect();
    rows.sort_by_key(|row| (std::cmp::Reverse(row.waiting), row.class == "good", row.site.clone()));
    let frame = visit.frame(Nav::Sites, w.t("makers-sites-title"));
    Answer::page(&ListPage { frame, w, rows })
}

async fn show(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let (w, at) = (visit.words, visit.at);
    let site: SiteId = visit.asked.part("site")?;
    let field = Field::read(&visit.app, &visit.entry.maker).await?;
    let count = field.sites.get(&site).ok_or_else(not_found)?;
    let snapshot = visit.app.snapshot();
    let (shared, of) = (snapshot.clone(), site.clone());
    let read = visit.app.db.read(move |conn| {
        let known = readiness::known(conn, &shared, &of)?;
        Ok::<_, DbError>((known, answer::of_site(conn, &of)?))
    });
    let (known, given) = read.await?;
    let inventory = visit.app.inventories.of(&visit.app, &site).await?;
    let names = Names(&snapshot);
    let maker = &visit.entry.maker;
    let mut told: Vec<Told> = field
        .waiting
        .iter()
        .filter(|waiting| waiting.site == site)
        .map(|waiting| Told {
            release: format!("{} {}", names.family(w, &waiting.family), waiting.version),
            since: w.instant(waiting.since, tz(w)),
            answer: w.t("makers-answer-none"),
            class: "bad",
            reason: String::new(),
        })
        .collect();
    let ours = given.iter().rev().filter(|given| given.family.maker() == *maker);
    told.extend(ours.map(|given| answered(w, names, given)));
    let families = count
        .families
        .iter()
        .map(|(family, (agents, by_hand))| (names.family(w, family), *agents, *by_hand));
    let frame = visit.frame(Nav::Sites, names.site(w, &site));
    Answer::page(&SitePage {
        frame,
        w,
        checks: checks(w, &readiness::readiness(&known, at)),
        contacts: contacts(&inventory),
        told,
        devices: families.collect(),
        heard: visit.app.fleet.heard().get(&site).map(|at| w.instant(*at, tz(w))),
        back: visit.entry.path("sites"),
        id: site,
    })
}

/// How many devices of the manufacturer a site has.
#[derive(Debug, Clone, Default)]
pub(super) struct Count {
    pub(super) agents: u32,
    pub(super) by_hand: u32,
    pub(super) families: BTreeMap<FamilyId, (u32, u32)>,
}

/// A site that has not answered a release.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) site: SiteId,
    pub(super) family: FamilyId,
    pub(super) version: String,
    pub(super) since: Timestamp,
    pub(super) due: Option<Timestamp>,
}

/// What is known of a manufacturer's hospitals.
#[derive(Debug, Default)]
pub(super) struct Field {
    pub(super) sites: BTreeMap<SiteId, Count>,
    pub(super) proven: HashMap<SiteId, Option<Timestamp>>,
    pub(super) waiting: Vec<Waiting>,
}

impl Field {
    /// Reads it: numbers of devices from counters, notices and channels from their tables.
    pub(super) async fn read(app: &App, maker: &MakerId) -> Result<Self, ApiError> {
        let mut sites: BTreeMap<SiteId, Count> = BTreeMap::new();
        let ours = families_of(&app.snapshot(), maker).into_iter();
        let families: Vec<FamilyId> = ours.map(|(family, _)| family).collect();
        for family in &families {
            for some in app.fleet.spread(family) {
                let count = sites.entry(some.site).or_default();
                count.agents = count.agents.saturating_add(some.devices);
                let of = count.families.entry(family.clone()).or_default();
                of.0 = of.0.saturating_add(some.devices);
            }
        }
        let read = app.db.read(move |conn| {
            let by_hand = device::by_hand_counts(conn)?;
            let proven = readiness::proven_of_all(conn)?;
            Ok::<_, DbError>((by_hand, proven, notice::unanswered(conn, &families)?))
        });
        let (by_hand, proven, open) = read.await?;
        for (site, family, devices) in by_hand {
            if family.maker() == *maker {
                let count = sites.entry(site).or_default();
                count.by_hand = count.by_hand.saturating_add(devices);
                let of = count.families.entry(family).or_default();
                of.1 = of.1.saturating_add(devices);
            }
        }
        let mut waiting: Vec<Waiting> =
            open.iter().filter_map(|notice| Waiting::of(notice, maker)).collect();
        waiting.sort_by_key(|waiting| (waiting.due.is_none(), waiting.due, waiting.since));
        Ok(Self { sites, proven, waiting })
    }

    /// Sites that no message could reach for certain.
    pub(super) fn unready(&self, at: Timestamp) -> BTreeSet<SiteId> {
        let reached = |site: &SiteId| {
            readiness::proof(self.proven.get(site).copied().flatten(), at) == Light::Green
        };
        self.sites.keys().filter(|site| !reached(site)).cloned().collect()
    }
}

impl Waiting {
    fn of(notice: &Notice, maker: &MakerId) -> Option<Self> {
        let (Place::Site(site), Subject::Release { family, version, .. }) =
            (&notice.place, &notice.subject)
        else {
            return None;
        };
        (family.maker() == *maker && notice.acknowledged.is_none()).then(|| Self {
            site: site.clone(),
            family: family.clone(),
            version: version.to_string(),
            since: notice.created,
            due: notice.due,
        })
    }
}

/// Who is to be called, as the hospital entered them.
pub(super) fn contacts(inventory: &Inventory) -> Vec<Contact> {
    let each = inventory.people.iter().map(|person| Contact {
        name: person.name.clone(),
        role: person.role.clone(),
        mail: person.notices_to.clone(),
    });
    each.collect()
}

const fn light_id(light: Light) -> &'static str {
    match light {
        Light::Green => "makers-ready",
        Light::Amber => "makers-ready-old",
        Light::Red => "makers-ready-never",
    }
}

fn checks(w: Words, readiness: &Readiness) -> Vec<(String, String, &'static str, Option<When>)> {
    let each = readiness.checks.iter().map(|checked| {
        (
            w.t(&format!("makers-check-{}", checked.check.word())),
            w.t(&format!("makers-light-{}", checked.light.word())),
            component(checked.light),
            checked.when.map(|at| w.instant(at, tz(w))),
        )
    });
    each.collect()
}

fn answered(w: Words, names: Names<'_>, given: &Given) -> Told {
    let (id, class) = match given.answer {
        Said::Acknowledged => ("makers-answer-acknowledged", "good"),
        Said::Deferred { .. } => ("makers-answer-deferred", "warn"),
        Said::Declined => ("makers-answer-declined", "bad"),
    };
    let image: String = given.image_sha256.to_string().chars().take(12).collect();
    let id_of = patchward_protocol::id::RepositoryId::Family(given.family.clone());
    let version = names.0.get(&id_of).map_or(image, |of| super::version(of, &given.image_sha256));
    Told {
        release: format!("{} {version}", names.family(w, &given.family)),
        since: w.instant(given.at, tz(w)),
        answer: w.t(id),
        class,
        reason: given.reason.clone(),
    }
}

#[cfg(test)]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, maker_frame, noon};
    let site: SiteId = "city-hospital".parse().unwrap();
    let row = |n: u32| {
        let light = [Light::Red, Light::Amber, Light::Green][usize::try_from(n % 3).unwrap()];
        Row {
            site: format!("{} {n}", w.pick("City Hospital", "市立中央病院")),
            id: site.clone(),
            to: "/console".to_owned(),
            devices: 42 * n,
            by_hand: n % 4,
            heard: (n > 0).then(|| w.instant(noon(), tz(w))),
            light: light_id(light),
            class: component(light),
            proven: (light != Light::Red).then(|| w.instant(noon(), tz(w))),
            waiting: usize::try_from(n / 10).unwrap(),
        }
    };
    let list = |rows: Vec<Row>| ListPage {
        frame: maker_frame(w, Nav::Sites, "makers-sites-title"),
        w,
        rows,
    };
    let told = |id: &str, class, reason: &str| Told {
        release: format!("{} 2.4.1", w.pick("Infusion pump A", "輸液ポンプA")),
        since: w.instant(noon(), tz(w)),
        answer: w.t(id),
        class,
        reason: reason.to_owned(),
    };
    let full = |some: bool| SitePage {
        frame: maker_frame(w, Nav::Sites, "makers-sites-title"),
        w,
        id: site.clone(),
        checks: checks(w, &readiness::readiness(&readiness::Known::default(), noon())),
        contacts: if some { sample_contacts(w) } else { Vec::new() },
        told: if some {
            vec![
                told("makers-answer-none", "bad", ""),
                told(
                    "makers-answer-deferred",
                    "warn",
                    w.pick("Loan devices arrive in May", "代替機が5月に届くため"),
                ),
            ]
        } else {
            Vec::new()
        },
        devices: vec![(w.pick("Infusion pump A", "輸液ポンプA").to_owned(), 42, 3)],
        heard: some.then(|| w.instant(noon(), tz(w))),
        back: "/console".to_owned(),
    };
    vec![
        Sample::of("makers/sites.html", "many", &list((0..40).map(row).collect())),
        Sample::of("makers/sites.html", "empty", &list(Vec::new())),
        Sample::of("makers/site.html", "known", &full(true)),
        Sample::of("makers/site.html", "bare", &full(false)),
    ]
}

#[cfg(test)]
pub(super) fn sample_contacts(w: Words) -> Vec<Contact> {
    vec![Contact {
        name: w.pick("Tanaka Yuki", "田中 由紀").to_owned(),
        role: w.pick("clinical engineer", "臨床工学技士").to_owned(),
        mail: Some("tanaka@hospital.example".to_owned()),
    }]
}
