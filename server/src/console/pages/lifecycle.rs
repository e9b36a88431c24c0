//! Until when the families of a hospital are supported: what the manufacturer said, and the releases
//! that run.
//!
//! Not here: what a manufacturer may say ([`crate::lifecycle`]). Invariant: what nobody has said is shown
//! as not said, never as supported.

use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::when::Day;
use crate::console::words::Words;
use crate::fleet::roster::Roster;
use crate::lifecycle::{self, Lifecycle, Said, Stage};
use crate::notify::said::Names;
use crate::notify::survey;
use crate::people::role::SitePower;
use askama::Template;
use patchward_protocol::civil::CivilDate;
use patchward_protocol::id::{FamilyId, RepositoryId};
use patchward_protocol::time::Timestamp;
use std::collections::BTreeMap;

const DAY_S: i64 = 86_400;

/// The page.
#[derive(Template)]
#[template(path = "lifecycle/lifecycle.html")]
struct LifecyclePage {
    frame: Frame,
    w: Words,
    lines: Vec<Line>,
    devices: String,
}

#[derive(Debug, Clone)]
struct Line {
    family: String,
    id: String,
    n: String,
    to: String,
    class: &'static str,
    stage: String,
    dates: Option<[Day; 4]>,
    left: Option<String>,
    release: Option<(String, String)>,
    said_by: Option<String>,
    order: (u8, i64),
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>("/console/sites/{site}/lifecycle", SitePower::See, show);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let entry = &visit.entry;
    let said = visit.app.db.read(lifecycle::current).await?;
    let roster = Roster::of(&visit.app, &entry.site, &entry.inventory).await?;
    let snapshot = visit.app.snapshot();
    let newest = |family: &FamilyId| {
        let current = snapshot.get(&RepositoryId::Family(family.clone()))?;
        survey::newest(current).map(|firmware| firmware.version.to_string())
    };
    let frame = visit.frame(Nav::Lifecycle, visit.words.t("lifecycle-title"));
    let known = Known { families: roster.families(), said, names: Names(&snapshot), at: visit.at };
    Answer::page(&view(frame, visit.words, entry, &known, newest))
}

/// What the page is made of.
struct Known<'a> {
    families: BTreeMap<FamilyId, usize>,
    said: BTreeMap<FamilyId, Said>,
    names: Names<'a>,
    at: Timestamp,
}

fn view(
    frame: Frame,
    w: Words,
    at: &AtSite,
    known: &Known<'_>,
    newest: impl Fn(&FamilyId) -> Option<String>,
) -> LifecyclePage {
    let each = known.families.iter();
    let mut lines: Vec<Line> =
        each.map(|(family, n)| line(w, at, known, (family, *n), newest(family))).collect();
    lines.sort_by(|a, b| a.order.cmp(&b.order).then_with(|| a.family.cmp(&b.family)));
    LifecyclePage { frame, w, lines, devices: at.path("devices") }
}

fn line(
    w: Words,
    at: &AtSite,
    known: &Known<'_>,
    (family, n): (&FamilyId, usize),
    newest: Option<String>,
) -> Line {
    let said = known.said.get(family);
    let stage = said.map_or(Stage::Unsaid, |said| said.lifecycle.stage(known.at));
    let ends = said.and_then(|said| said.lifecycle.support_ends());
    let days = ends.map(|ends| ends.millis_since(known.at) / (DAY_S * 1000));
    // What has ended stands first, then what ends.
    let (rank, class, word) = match stage {
        Stage::Ended => (0, "bad", "ended"),
        Stage::Limited => (1, "warn", "limited"),
        Stage::Unsaid => (2, "warn", "unsaid"),
        Stage::Undecided => (3, "info", "undecided"),
        Stage::Supported => (4, "good", "supported"),
    };
    // Days of a life cycle belong to no zone.
    let day = |date: CivilDate| w.day(date.end_utc().plus_seconds(-1), "Etc/UTC");
    let dates = match said.map(|said| &said.lifecycle) {
        Some(Lifecycle::Dates(dates)) => Some([
            day(dates.supported_until),
            day(dates.limited_until),
            day(dates.end_of_support),
            day(dates.end_of_life),
        ]),
        Some(Lifecycle::Undecided { .. }) | None => None,
    };
    let undecided = match said.map(|said| &said.lifecycle) {
        Some(Lifecycle::Undecided { until }) => {
            Some(w.t1("lifecycle-undecided-until", "until", day(*until)))
        }
        Some(Lifecycle::Dates(_)) | None => None,
    };
    let left = days.filter(|days| *days >= 0).map(|days| w.t1("lifecycle-left", "n", days));
    Line {
        family: known.names.family(w, family),
        id: family.to_string(),
        n: w.t1("lifecycle-devices", "n", n),
        to: at.path(&format!("devices?family={family}")),
        class,
        stage: w.t(&format!("lifecycle-stage-{word}")),
        dates,
        left: left.or(undecided),
        release: newest.map(|version| (at.path(&format!("releases/{family}/{version}")), version)),
        said_by: said.map(|said| {
            let day = w.day(said.at, at.tz());
            w.t2("lifecycle-said", "name", said.name.as_str(), "day", day)
        }),
        order: (rank, days.unwrap_or(i64::MAX)),
    }
}

#[cfg(test)]
pub(in crate::console) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, at_site, noon, site_frame};
    use crate::lifecycle::Dates;
    use crate::publish::current::Snapshot;
    let snapshot = Snapshot::default();
    let day = |n: i64| CivilDate::of_utc(noon()).plus_days(n);
    let dates = |end: i64| {
        Lifecycle::Dates(Dates {
            supported_until: day(end - 400),
            limited_until: day(end - 100),
            end_of_support: day(end),
            end_of_life: day(end - 200),
        })
    };
    let said = |lifecycle: Lifecycle| Said {
        revision: 1,
        lifecycle,
        at: noon(),
        by: "account:sato".to_owned(),
        name: words.pick("Sato Ken", "佐藤 健").to_owned(),
    };
    let each = [
        Some(dates(-30)),
        Some(dates(50)),
        Some(dates(2_000)),
        Some(Lifecycle::Undecided { until: day(100) }),
        None,
    ];
    let page = |n: usize| {
        let family = |n: usize| FamilyId::new(&format!("acme.family-{n}")).unwrap();
        let families = (0..n).map(|n| (family(n), n * 7 + 1)).collect();
        let of = |n: usize| Some((family(n), said(each[n % 5].clone()?)));
        let known = Known {
            families,
            said: (0..n).filter_map(of).collect(),
            names: Names(&snapshot),
            at: noon(),
        };
        let frame = site_frame(words, Nav::Lifecycle, "lifecycle-title");
        let newest = |_: &FamilyId| Some("2.4.1".to_owned());
        view(frame, words, &at_site(words), &known, newest)
    };
    vec![
        Sample::of("lifecycle/lifecycle.html", "none", &page(0)),
        Sample::of("lifecycle/lifecycle.html", "five", &page(5)),
        Sample::of("lifecycle/lifecycle.html", "many", &page(200)),
    ]
}
