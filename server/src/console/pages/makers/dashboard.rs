//! The manufacturer's first page: what needs somebody, releases in flight with their halts and the
//! failures that the numbers still allow, sites that have not answered with whom to call, what runs
//! out, ends of support that are due, sites that no message would reach.
//!
//! Lists first; every number is a link. Not here: pictures ([`super::field`]). Invariant: the gravest
//! stands first, and an empty list says so.

use super::field::{bound_line, halt_words};
use super::lifecycle::day_words;
use super::repositories::{self, Left};
use super::sites::{Contact, Field, contacts};
use super::{families_of, title, tz};
use crate::console::answer::Answer;
use crate::console::door::{AtMaker, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::when::When;
use crate::console::words::Words;
use crate::db::field::{Total, totals};
use crate::db::notice::Notice;
use crate::db::{DbError, staged};
use crate::lifecycle::dates::SUPPORT_NOTICE_DAYS;
use crate::lifecycle::{self, Lifecycle, Said};
use crate::notify::said::{self, Names};
use crate::notify::subject::Severity;
use crate::notify::{self};
use crate::people::role::{MakerPower, Place};
use crate::publish::current::{Current, Snapshot};
use crate::publish::staged::look;
use crate::rollout::field::{Flight, Standing, flights};
use askama::Template;
use patchward_protocol::api::consent::CampaignState;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{FamilyId, RepositoryId};
use patchward_protocol::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most lines of each list; the rest is behind its link.
const LINES_MAX: usize = 8;
/// Families are named whose end of support is nearer than so many days beyond the notice time.
const SUPPORT_AHEAD_DAYS: i64 = 180;

/// What needs somebody.
#[derive(Debug, Clone)]
struct Matter {
    class: &'static str,
    badge: String,
    text: String,
    advice: String,
    since: When,
    to: String,
}

/// A release in flight.
#[derive(Debug, Clone)]
struct InFlight {
    title: String,
    to: String,
    sites: usize,
    updated: u32,
    named: u32,
    troubled: u32,
    bound: String,
    stops: Vec<String>,
}

/// A site that has not answered.
#[derive(Debug, Clone)]
struct Unanswered {
    site: String,
    to: String,
    release: String,
    due: Option<String>,
    late: bool,
    contacts: Vec<Contact>,
}

/// A document that runs out.
#[derive(Debug, Clone)]
struct RunsOut {
    title: String,
    left: Option<String>,
    class: &'static str,
    expires: When,
    advice: String,
}

/// A family whose life needs a word.
#[derive(Debug, Clone)]
struct Ending {
    title: String,
    to: String,
    words: String,
    class: &'static str,
}

#[derive(Template)]
#[template(path = "makers/dashboard.html")]
struct Page {
    frame: Frame,
    w: Words,
    matters: Vec<Matter>,
    open: usize,
    inbox: String,
    flights: Vec<InFlight>,
    staged: usize,
    releases: String,
    waiting: Vec<Unanswered>,
    waiting_all: usize,
    unready: usize,
    sites_all: usize,
    sites: String,
    runs_out: Vec<RunsOut>,
    repositories: String,
    endings: Vec<Ending>,
    families_all: usize,
    families: String,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtMaker, _, _>("/console/makers/{maker}", MakerPower::See, show);
}

async fn show(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let (w, at, maker) = (visit.words, visit.at, visit.entry.maker.clone());
    let snapshot = visit.app.snapshot();
    let all = families_of(&snapshot, &maker);
    let (staged, counted, matters, said) = stored(&visit, &all, &snapshot).await?;
    let field = Field::read(&visit.app, &maker).await?;
    let waiting = unanswered(&visit, &field, &snapshot).await?;
    let consent = visit.app.views.consent();
    let path = |rest: &str| visit.entry.path(rest);
    let going = flights(&consent, &maker).into_iter();
    let in_flight = going.filter(|flight| flight.standing == Standing::Going).map(|flight| {
        let family = &flight.image.family;
        let total = counted.get(family).and_then(|of| of.get(&flight.image.image_sha256));
        let stops = stops(w, &consent, &snapshot, &flight);
        let to = path(&format!("releases/{family}/{}", flight.image.image_sha256));
        in_flight(w, &snapshot, &flight, total.copied().unwrap_or_default(), stops, to)
    });
    let endings = all.iter().filter_map(|(family, current)| {
        let to = path(&format!("families/{family}/lifecycle"));
        ending(w, title(w, current), to, said.get(family), at)
    });
    let open = matters.len();
    let frame = visit.frame(Nav::Dashboard, w.t("makers-title"));
    Answer::page(&Page {
        frame,
        w,
        open,
        matters: matters.iter().take(LINES_MAX).map(|it| matter(w, &snapshot, it)).collect(),
        inbox: path("inbox"),
        flights: in_flight.collect(),
        staged,
        releases: path("releases"),
        waiting,
        waiting_all: field.waiting.len(),
        unready: field.unready(at).len(),
        sites_all: field.sites.len(),
        sites: path("sites"),
        runs_out: runs_out(w, &all, at),
        repositories: path("repositories"),
        endings: endings.collect(),
        families_all: all.len(),
        families: path("families"),
    })
}

/// What the dashboard reads: staged files on their way, the numbers of every release, open matters, and
/// what is said of lives.
type Stored = (
    usize,
    BTreeMap<FamilyId, BTreeMap<Sha256Digest, Total>>,
    Vec<Notice>,
    BTreeMap<FamilyId, Said>,
);

async fn stored(
    visit: &Visit<AtMaker>,
    all: &[(FamilyId, Arc<Current>)],
    snapshot: &Arc<Snapshot>,
) -> Result<Stored, Turned> {
    let maker = visit.entry.maker.clone();
    let ids: Vec<FamilyId> = all.iter().map(|(family, _)| family.clone()).collect();
    let place = Place::Maker(maker);
    let shared = Arc::clone(snapshot);
    let read = visit.app.db.read(move |conn| {
        let repositories: Vec<RepositoryId> =
            ids.iter().cloned().map(RepositoryId::Family).collect();
        let files = staged::of_all(conn, &repositories)?;
        let open = repositories.iter().filter_map(|id| shared.get(id)).map(|current| {
            let ours: Vec<_> =
                files.iter().filter(|file| file.repository == current.id).cloned().collect();
            look(current, &ours).len()
        });
        let staged: usize = open.sum();
        let mut counted = BTreeMap::new();
        for family in &ids {
            counted.insert(family.clone(), totals(conn, family)?);
        }
        let matters = notify::open_matters(conn, &place)?;
        Ok::<_, DbError>((staged, counted, matters, lifecycle::current(conn)?))
    });
    Ok(read.await?)
}

/// The sites that have not acknowledged, the most urgent first, with whom to call.
async fn unanswered(
    visit: &Visit<AtMaker>,
    field: &Field,
    snapshot: &Snapshot,
) -> Result<Vec<Unanswered>, Turned> {
    let w = visit.words;
    let names = Names(snapshot);
    let mut waiting = Vec::new();
    for late in field.waiting.iter().take(LINES_MAX) {
        let inventory = visit.app.inventories.of(&visit.app, &late.site).await?;
        let left = late.due.map(|due| due.millis_since(visit.at) / 1000);
        waiting.push(Unanswered {
            site: names.site(w, &late.site),
            to: visit.entry.path(&format!("sites/{}", late.site)),
            release: format!("{} {}", names.family(w, &late.family), late.version),
            late: left.is_some_and(|left| left <= 0),
            due: left.map(|left| match left {
                1.. => w.t1("makers-left", "left", w.span(left)),
                _ => w.t1("makers-late", "late", w.span(-left)),
            }),
            contacts: contacts(&inventory).into_iter().take(2).collect(),
        });
    }
    Ok(waiting)
}

/// Documents with less than half of their life left, the nearest end first.
fn runs_out(w: Words, all: &[(FamilyId, Arc<Current>)], at: Timestamp) -> Vec<RunsOut> {
    let mut runs_out = Vec::new();
    for (family, current) in all {
        let line = repositories::line(w, family, current, String::new(), at);
        let roles = line.roles.into_iter().filter(|role| role.light != Left::Plenty);
        runs_out.extend(roles.map(|role| {
            (
                role.light,
                RunsOut {
                    title: format!("{} · {}", line.title, role.role),
                    left: role.left,
                    class: role.light.class(),
                    expires: role.expires,
                    advice: role.advice.unwrap_or_default(),
                },
            )
        }));
    }
    runs_out.sort_by_key(|(light, _)| std::cmp::Reverse(*light));
    runs_out.into_iter().map(|(_, line)| line).collect()
}

fn matter(w: Words, snapshot: &Snapshot, notice: &Notice) -> Matter {
    Matter {
        class: match notice.severity {
            Severity::Urgent => "bad",
            Severity::Important => "warn",
            Severity::Normal => "info",
        },
        badge: w.t(&format!("notices-severity-{}", notice.severity.word())),
        text: said::headline(w, &Names(snapshot), &notice.subject),
        advice: said::advice(w, &notice.subject),
        since: w.instant(notice.created, tz(w)),
        to: said::path(notice),
    }
}

fn in_flight(
    w: Words,
    snapshot: &Snapshot,
    flight: &Flight,
    total: Total,
    stops: Vec<String>,
    to: String,
) -> InFlight {
    let names = Names(snapshot);
    let sum = flight.total();
    InFlight {
        title: format!("{} {}", names.family(w, &flight.image.family), flight.image.version),
        to,
        sites: flight.sites.len(),
        updated: sum.updated,
        named: sum.devices,
        troubled: sum.troubled(),
        bound: bound_line(w, total.troubled(), total.seen()).short,
        stops,
    }
}

/// What stops a release now: halts at sites, the manufacturer's own hold or pause.
fn stops(
    w: Words,
    consent: &crate::consent::state::Consent,
    snapshot: &Snapshot,
    flight: &Flight,
) -> Vec<String> {
    use patchward_protocol::directive::HoldTarget;
    let names = Names(snapshot);
    let image: &Sha256Digest = &flight.image.image_sha256;
    let mut stops = Vec::new();
    if let Some(family) = consent.family(&flight.image.family) {
        let held = |target: &HoldTarget| matches!(target, HoldTarget::Release { image_sha256, .. } if image_sha256 == image);
        if family.holds.iter().any(|hold| held(&hold.target)) {
            stops.push(w.t("makers-held"));
        }
        let paused = family.campaigns.get(image).map(|campaign| campaign.state);
        if paused == Some(CampaignState::Paused) {
            stops.push(w.t("makers-paused"));
        }
    }
    let halts = flight.halted.iter().map(|halted| {
        let words: [(&str, fluent_bundle::FluentValue<'_>); 3] = [
            ("site", names.site(w, &halted.site).into()),
            ("n", halted.wave.into()),
            ("because", halt_words(w, halted.halt).into()),
        ];
        w.say("makers-halted", &words)
    });
    stops.extend(halts);
    stops
}

/// A family of which something must be said, or whose support ends soon.
fn ending(
    w: Words,
    title: String,
    to: String,
    said: Option<&Said>,
    at: Timestamp,
) -> Option<Ending> {
    let (words, class) = match said.map(|said| &said.lifecycle) {
        None => (w.t("makers-life-unsaid"), "bad"),
        Some(life @ Lifecycle::Undecided { until }) => {
            let class = if life.is_overdue(at) { "bad" } else { "warn" };
            (w.t1("makers-life-undecided", "day", day_words(w, *until)), class)
        }
        Some(life @ Lifecycle::Dates(dates)) => {
            let left = life.support_ends()?.millis_since(at) / 86_400_000;
            if left > SUPPORT_NOTICE_DAYS.saturating_add(SUPPORT_AHEAD_DAYS) {
                return None;
            }
            let day = day_words(w, dates.end_of_support);
            if left <= 0 {
                (w.t1("makers-life-ended", "day", day), "bad")
            } else {
                (w.t1("makers-life-ends", "day", day), "warn")
            }
        }
    };
    Some(Ending { title, to, words, class })
}

#[cfg(test)]
#[expect(clippy::too_many_lines, reason = "one sample after the other")]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use super::sites::sample_contacts;
    use crate::console::sample::{Sample, maker_frame, noon};
    let pump = w.pick("Infusion pump A", "輸液ポンプA");
    let flight = |n: u32, stops: Vec<String>| InFlight {
        title: format!("{pump} 2.4.{n}"),
        to: "/console".to_owned(),
        sites: 12,
        updated: 298 * n,
        named: 312 * n,
        troubled: n - 1,
        bound: "1.0 %".to_owned(),
        stops,
    };
    let words: [(&str, fluent_bundle::FluentValue<'_>); 3] = [
        ("site", w.pick("City Hospital", "市立中央病院").into()),
        ("n", 1.into()),
        ("because", w.t("field-halt-failed").into()),
    ];
    let halted = w.say("makers-halted", &words);
    let matter = Matter {
        class: "bad",
        badge: w.t("notices-severity-urgent"),
        text: halted.clone(),
        advice: w.t("makers-held"),
        since: w.instant(noon(), tz(w)),
        to: "/console".to_owned(),
    };
    let late = |n: i64| Unanswered {
        site: format!("{} {n}", w.pick("City Hospital", "市立中央病院")),
        to: "/console".to_owned(),
        release: format!("{pump} 2.4.1"),
        due: Some(w.t1("makers-late", "late", w.span(n * 3_600))),
        late: n > 5,
        contacts: sample_contacts(w),
    };
    let runs_out = RunsOut {
        title: format!("{pump} · root"),
        left: Some(w.span(41 * 86_400)),
        class: "bad",
        expires: w.instant(noon(), tz(w)),
        advice: w.t("repositories-do-root"),
    };
    let page = |n: usize, flights: Vec<InFlight>| Page {
        frame: maker_frame(w, Nav::Dashboard, "makers-title"),
        w,
        matters: vec![matter.clone(); n.min(3)],
        open: n,
        inbox: "/console".to_owned(),
        flights,
        staged: n,
        releases: "/console".to_owned(),
        waiting: (1..).take(n.min(LINES_MAX)).map(late).collect(),
        waiting_all: n,
        unready: n,
        sites_all: n * 5,
        sites: "/console".to_owned(),
        runs_out: vec![runs_out.clone(); n.min(2)],
        repositories: "/console".to_owned(),
        endings: ending(w, pump.to_owned(), "/console".to_owned(), None, noon())
            .into_iter()
            .take(n)
            .collect(),
        families_all: n,
        families: "/console".to_owned(),
    };
    let many: Vec<InFlight> = (1..9).map(|n| flight(n, Vec::new())).collect();
    let template = "makers/dashboard.html";
    vec![
        Sample::of(
            template,
            "halted",
            &page(3, vec![flight(1, vec![halted]), flight(2, Vec::new())]),
        ),
        Sample::of(template, "many", &page(40, many)),
        Sample::of(template, "empty", &page(0, Vec::new())),
    ]
}
