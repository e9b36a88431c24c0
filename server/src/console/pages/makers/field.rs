//! Field status: the course of a release over time, which versions run where, and how many failures the
//! numbers still allow; as pictures with a table beside each.
//!
//! Numbers come from counters. Not here: drawing (`crate::console::chart`). Invariant: devices are
//! counted, never named.

use super::{families_of, newest, newest_first, release_of, title, tz};
use crate::console::answer::Answer;
use crate::console::chart::bound::{self, BoundChart};
use crate::console::chart::course::{self, Course, CourseWords, Gate, GateKind};
use crate::console::chart::spread::{self, Bar, Fill, SpreadChart};
use crate::console::chart::{Chart, percent};
use crate::console::door::{AtMaker, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::when::When;
use crate::console::words::Words;
use crate::db::field::{Hour, hours};
use crate::fleet::table::Spread;
use crate::notify::said::Names;
use crate::people::role::MakerPower;
use crate::publish::current::{Current, Snapshot};
use crate::rollout::field::{Flight, flights};
use askama::Template;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::failure_bound::upper_ppm;
use patchward_protocol::gate::Halt;
use patchward_protocol::id::{FamilyId, SiteId};
use patchward_protocol::time::Timestamp;
use std::collections::BTreeMap;

/// Most bars of sites in a picture; the table has them all.
const BARS_MAX: usize = 12;
/// Most rows of a table beside a picture of time: the days that matter are the last ones.
const ROWS_MAX: usize = 60;
/// Most days that an axis names.
const DAYS_MAX: i64 = 6;

/// The failure rate in words.
#[derive(Debug, Clone)]
pub struct BoundLine {
    /// The bound alone, or a dash.
    pub short: String,
    /// The whole sentence.
    pub words: String,
}

/// A link to another release.
#[derive(Debug, Clone)]
struct Choice {
    to: String,
    words: String,
    here: bool,
}

/// A row of the course: a day and its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct DayRow {
    at: When,
    updated: u32,
    troubled: u32,
    bound: String,
}

/// A row of the versions of a site.
#[derive(Debug, Clone)]
struct SiteRow {
    site: String,
    parts: Vec<u32>,
    all: u32,
}

#[derive(Template)]
#[template(path = "makers/field.html")]
struct Page {
    frame: Frame,
    w: Words,
    families: Vec<Choice>,
    releases: Vec<Choice>,
    shown: Option<Shown>,
}

/// What is shown of one release.
#[derive(Debug, Clone)]
struct Shown {
    heading: String,
    to: String,
    bound: BoundLine,
    course: Chart,
    gates: Vec<(When, String)>,
    days: Vec<DayRow>,
    curve: Chart,
    spread: Chart,
    legend: Vec<String>,
    sites: Vec<SiteRow>,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtMaker, _, _>("/console/makers/{maker}/field", MakerPower::See, show);
}

async fn show(visit: Visit<AtMaker>) -> Result<Answer, Turned> {
    let (w, snapshot) = (visit.words, visit.app.snapshot());
    let all = families_of(&snapshot, &visit.entry.maker);
    let wanted: Option<FamilyId> = visit.asked.query_as("family");
    let here = match &wanted {
        Some(wanted) => Some(all.iter().find(|(id, _)| id == wanted).ok_or_else(not_found)?),
        None => all.iter().find(|(_, current)| newest(current).is_some()).or_else(|| all.first()),
    };
    let choice = |id: &FamilyId, current: &Current| Choice {
        to: visit.entry.path(&format!("field?family={id}")),
        words: title(w, current),
        here: here.is_some_and(|(here, _)| here == id),
    };
    let families = all.iter().map(|(id, current)| choice(id, current)).collect();
    let frame = visit.frame(Nav::Field, w.t("field-title"));
    let Some((family, current)) = here else {
        return Answer::page(&Page { frame, w, families, releases: Vec::new(), shown: None });
    };
    let first = newest(current).map(|firmware| firmware.payload.image_sha256);
    let image = visit.asked.query_as::<Sha256Digest>("image").or(first);
    let releases = newest_first(current).into_iter().map(|release| {
        let of = release.firmware.payload.image_sha256;
        Choice {
            to: visit.entry.path(&format!("field?family={family}&image={of}")),
            words: release.firmware.version.to_string(),
            here: Some(of) == image,
        }
    });
    let releases = releases.collect();
    let Some(image) = image else {
        return Answer::page(&Page { frame, w, families, releases, shown: None });
    };
    release_of(current, &image)?;
    let of = family.clone();
    let counted = visit.app.db.read(move |conn| hours(conn, &of, &image)).await?;
    let flight = flights(&visit.app.views.consent(), &visit.entry.maker)
        .into_iter()
        .find(|flight| flight.image.family == *family && flight.image.image_sha256 == image);
    let known = Known {
        snapshot: &snapshot,
        current,
        image,
        hours: &counted,
        flight: flight.as_ref(),
        runs: &visit.app.fleet.spread(family),
        at: visit.at,
    };
    let to = visit.entry.path(&format!("releases/{family}/{image}"));
    Answer::page(&Page { frame, w, families, releases, shown: Some(shown(w, &known, to)) })
}

/// What the pictures are made of.
struct Known<'a> {
    snapshot: &'a Snapshot,
    current: &'a Current,
    image: Sha256Digest,
    hours: &'a [Hour],
    flight: Option<&'a Flight>,
    runs: &'a [Spread],
    at: Timestamp,
}

/// The failure rate of a release in words: what was seen, and what that still allows.
pub(super) fn bound_line(w: Words, troubled: u32, seen: u32) -> BoundLine {
    if seen == 0 {
        return BoundLine { short: "–".to_owned(), words: w.t("field-bound-none") };
    }
    let bound = percent(upper_ppm(troubled, seen));
    let words: [(&str, fluent_bundle::FluentValue<'_>); 3] =
        [("failed", troubled.into()), ("seen", seen.into()), ("bound", bound.clone().into())];
    BoundLine { words: w.say("field-bound", &words), short: bound }
}

fn shown(w: Words, known: &Known<'_>, to: String) -> Shown {
    let version = super::version(known.current, &known.image);
    let totals = running_totals(known.hours);
    let (updated, troubled) = totals.last().map_or((0, 0), |(_, up, down)| (*up, *down));
    let (course, gates) = the_course(w, known, &totals, &version);
    let (spread, legend, sites) = the_spread(w, known, &version);
    Shown {
        heading: format!("{} {version}", title(w, known.current)),
        to,
        bound: bound_line(w, troubled, updated.saturating_add(troubled)),
        course,
        gates,
        days: days(w, &totals),
        curve: the_curve(w, &totals, &version),
        spread,
        legend,
        sites,
    }
}

/// For each hour in which something changed: devices updated, and failed or silent, from then on.
fn running_totals(hours: &[Hour]) -> Vec<(Timestamp, u32, u32)> {
    let (mut updated, mut troubled) = (0_i64, 0_i64);
    let mut totals: Vec<(Timestamp, u32, u32)> = Vec::new();
    let number = |sum: i64| u32::try_from(sum.max(0)).unwrap_or(u32::MAX);
    for hour in hours {
        updated = updated.saturating_add(hour.updated);
        troubled = troubled.saturating_add(hour.failed).saturating_add(hour.silent);
        let next = (hour.at, number(updated), number(troubled));
        match totals.last_mut() {
            Some(last) if last.0 == hour.at => *last = next,
            _ => totals.push(next),
        }
    }
    totals
}

fn the_course(
    w: Words,
    known: &Known<'_>,
    totals: &[(Timestamp, u32, u32)],
    version: &str,
) -> (Chart, Vec<(When, String)>) {
    let waves = known.flight.map(|flight| &flight.waves).into_iter().flatten();
    let opened: Vec<(Timestamp, u32)> =
        waves.filter_map(|(wave, sum)| Some((sum.opened_at?, *wave))).collect();
    let first = totals.first().map(|(at, ..)| *at);
    let begins = opened.iter().map(|(at, _)| *at).chain(first).min().unwrap_or(known.at);
    let minute =
        |at: Timestamp| u32::try_from(at.millis_since(begins).max(0) / 60_000).unwrap_or(u32::MAX);
    let mut gates: Vec<(Timestamp, String, GateKind)> = opened
        .into_iter()
        .map(|(at, wave)| (at, w.t1("field-wave-opened", "n", wave), GateKind::Opened))
        .collect();
    let halted = known.flight.filter(|flight| !flight.halted.is_empty());
    if let Some(flight) = halted {
        let sites = u32::try_from(flight.halted.len()).unwrap_or(u32::MAX);
        gates.push((known.at, w.t1("field-halted-now", "n", sites), GateKind::Halted));
    }
    gates.sort_by_key(|(at, ..)| *at);
    let named = known.flight.map_or(0, |flight| flight.total().devices);
    let (updated, troubled) = totals.last().map_or((0, 0), |(_, up, down)| (*up, *down));
    let picture = Course {
        minutes: minute(known.at).max(60),
        named: named.max(updated),
        updated: totals.iter().map(|(at, up, _)| (minute(*at), *up)).collect(),
        troubled: totals.iter().map(|(at, _, down)| (minute(*at), *down)).collect(),
        gates: gates
            .iter()
            .map(|(at, name, kind)| Gate { at: minute(*at), name: name.clone(), kind: *kind })
            .collect(),
        days: axis_days(w, begins, known.at),
        words: CourseWords {
            name: w.t1("field-course-name", "version", version),
            updated: w.t1("field-line-updated", "n", updated),
            troubled: w.t1("field-line-troubled", "n", troubled),
            named: w.t1("field-line-named", "n", named.max(updated)),
        },
    };
    let rows = gates.into_iter().map(|(at, name, _)| (w.instant(at, tz(w)), name));
    (course::draw(&picture), rows.collect())
}

/// At most so many days with their names, from the first on.
fn axis_days(w: Words, begins: Timestamp, ends: Timestamp) -> Vec<(u32, String)> {
    let days = ends.millis_since(begins).max(0) / 86_400_000;
    // Rounded up: no more than that are named.
    let step = (days / DAYS_MAX + 1).max(1);
    let each = (0..=days).step_by(usize::try_from(step).unwrap_or(1)).map(|day| {
        let at = begins.plus_seconds(day.saturating_mul(86_400));
        let minute = u32::try_from(at.millis_since(begins) / 60_000).unwrap_or(u32::MAX);
        (minute, w.on_axis(at, tz(w)))
    });
    each.collect()
}

/// The last number of each day, the newest first.
fn days(w: Words, totals: &[(Timestamp, u32, u32)]) -> Vec<DayRow> {
    let mut last: BTreeMap<String, (Timestamp, u32, u32)> = BTreeMap::new();
    for total in totals {
        last.insert(w.day(total.0, tz(w)).iso().to_owned(), *total);
    }
    let rows = last.into_values().rev().take(ROWS_MAX).map(|(at, updated, troubled)| DayRow {
        at: w.instant(at, tz(w)),
        updated,
        troubled,
        bound: percent(upper_ppm(troubled, updated.saturating_add(troubled))),
    });
    rows.collect()
}

fn the_curve(w: Words, totals: &[(Timestamp, u32, u32)], version: &str) -> Chart {
    let mut points: Vec<(u32, u32, u32)> = Vec::new();
    for (_, updated, troubled) in totals {
        let seen = updated.saturating_add(*troubled);
        if seen == 0 || points.last().is_some_and(|(before, ..)| *before >= seen) {
            continue;
        }
        let rate = u64::from(*troubled) * 1_000_000 / u64::from(seen);
        let rate = u32::try_from(rate).unwrap_or(1_000_000);
        points.push((seen, upper_ppm(*troubled, seen), rate));
    }
    let (bound, seen) = points.last().map_or((String::new(), String::new()), |(_, bound, seen)| {
        (percent(*bound), percent(*seen))
    });
    bound::draw(&BoundChart {
        name: w.t1("field-curve-name", "version", version),
        devices: w.t("field-curve-devices"),
        bound: w.t1("field-curve-bound", "rate", bound),
        seen: w.t1("field-curve-seen", "rate", seen),
        points,
    })
}

fn the_spread(w: Words, known: &Known<'_>, version: &str) -> (Chart, Vec<String>, Vec<SiteRow>) {
    let offered =
        newest_first(known.current).into_iter().map(|it| it.firmware.payload.image_sha256);
    let before = offered.skip_while(|image| *image != known.image).nth(1);
    let fill = |image: Option<Sha256Digest>| match image {
        None => Fill::Unknown,
        Some(image) if image == known.image => Fill::Newest,
        Some(_) if image == before => Fill::Before,
        Some(_) => Fill::Older,
    };
    let fills = [Fill::Newest, Fill::Before, Fill::Older, Fill::Unknown];
    let mut sites: BTreeMap<&SiteId, [u32; 4]> = BTreeMap::new();
    let mut all = [0_u32; 4];
    for some in known.runs {
        let place = fills.iter().position(|it| *it == fill(some.image)).unwrap_or(3);
        for counts in [sites.entry(&some.site).or_default(), &mut all] {
            if let Some(count) = counts.get_mut(place) {
                *count = count.saturating_add(some.devices);
            }
        }
    }
    let sum = |counts: &[u32; 4]| counts.iter().fold(0_u32, |sum, n| sum.saturating_add(*n));
    let behind =
        |counts: &[u32; 4]| sum(counts).saturating_sub(counts.first().copied().unwrap_or(0));
    let mut rows: Vec<(&SiteId, [u32; 4])> = sites.into_iter().collect();
    // Sites with most devices behind come first.
    rows.sort_by_key(|(site, counts)| (std::cmp::Reverse(behind(counts)), *site));
    let names = Names(known.snapshot);
    let bar = |name: String, counts: &[u32; 4]| Bar {
        name,
        parts: fills.into_iter().zip(counts.iter().copied()).collect(),
    };
    let mut bars = vec![bar(w.t("field-all-sites"), &all)];
    bars.extend(rows.iter().take(BARS_MAX).map(|(site, counts)| bar(names.site(w, site), counts)));
    let before =
        before.map_or_else(|| w.t("field-none-before"), |it| super::version(known.current, &it));
    let legend = vec![version.to_owned(), before, w.t("field-older"), w.t("field-unknown")];
    let chart = spread::draw(&SpreadChart {
        name: w.t("field-spread-name"),
        legend: fills.into_iter().zip(legend.clone()).collect(),
        bars,
        prefix: "spread",
    });
    let table = std::iter::once((w.t("field-all-sites"), all))
        .chain(rows.into_iter().map(|(site, counts)| (names.site(w, site), counts)))
        .map(|(site, counts)| SiteRow { site, parts: counts.to_vec(), all: sum(&counts) });
    (chart, legend, table.collect())
}

/// Why a wave has halted, in words.
pub(super) fn halt_words(w: Words, halt: Halt) -> String {
    w.t(&format!("field-halt-{}", halt.code()))
}

#[cfg(test)]
#[expect(clippy::too_many_lines, reason = "one sample after the other")]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, maker_frame, noon};
    use crate::rollout::field::{HaltedAt, Standing, WaveSum};
    use patchward_protocol::api::repository::Reading;
    use patchward_protocol::id::RepositoryId;
    use std::collections::{BTreeSet, HashMap};
    let family: FamilyId = "acme.infusion-a".parse().unwrap();
    let image = Sha256Digest::of(b"2.4.1");
    let titled = |id, title_en: &str, title_ja: &str| Current {
        id,
        reading: Reading::Public,
        title_en: title_en.to_owned(),
        title_ja: title_ja.to_owned(),
        heads: crate::db::repository::Heads::default(),
        documents: None,
        approvals: crate::publish::approvals::Approvals::default(),
        images: HashMap::new(),
        releases: Vec::new(),
        delegated: false,
    };
    let of_family = RepositoryId::Family(family.clone());
    let current = titled(of_family, "Infusion pump A", "輸液ポンプA");
    let hospital = RepositoryId::Site("hospital-039".parse().unwrap());
    let hospital = titled(hospital, "City Hospital", "市立中央病院");
    let snapshot = Snapshot::default().with(&[std::sync::Arc::new(hospital)]);
    let hour = |n: i64, wave, updated, failed| Hour {
        at: noon().plus_seconds(n * 3_600),
        wave,
        updated,
        failed,
        silent: 0,
    };
    let many: Vec<Hour> = (0..200)
        .map(|n| hour(n - 210, u32::try_from(n / 80).unwrap(), 3 + n % 11, i64::from(n % 67 == 66)))
        .collect();
    let site = |n: u32| format!("hospital-{n:03}").parse::<SiteId>().unwrap();
    let runs: Vec<Spread> = (0..40)
        .flat_map(|n| {
            let other = Sha256Digest::of(b"2.3.9");
            let some = move |image, devices| Spread { site: site(n), image, devices };
            [some(Some(image), 40 + n), some(Some(other), n), some(None, n % 3)]
        })
        .collect();
    let wave = |devices, hours: i64| WaveSum {
        devices,
        opened_at: Some(noon().plus_seconds(hours * 3_600)),
        ..WaveSum::default()
    };
    let image_ref = patchward_protocol::image::ImageRef {
        family: family.clone(),
        version: "2.4.1".parse().unwrap(),
        seq: serde_json::from_str("41").unwrap(),
        image_sha256: image,
    };
    let halted = HaltedAt { site: site(3), wave: 2, halt: Halt::Failed };
    let flight = Flight {
        image: image_ref,
        sites: BTreeSet::from([site(1), site(3)]),
        waves: BTreeMap::from([(0, wave(80, -211)), (1, wave(800, -130)), (2, wave(900, -60))]),
        halted: vec![halted],
        standing: Standing::Going,
    };
    let page = |hours: &[Hour], runs: &[Spread], flight: Option<&Flight>| {
        let (current, snapshot) = (&current, &snapshot);
        let known = Known { snapshot, current, image, hours, flight, runs, at: noon() };
        let choice =
            |words: &str, here| Choice { to: "/console".to_owned(), words: words.to_owned(), here };
        Page {
            frame: maker_frame(w, Nav::Field, "field-title"),
            w,
            families: vec![choice("acme.infusion-a", true), choice("acme.ventilator-y", false)],
            releases: vec![choice("2.4.1", true), choice("2.3.9", false)],
            shown: Some(shown(w, &known, "/console".to_owned())),
        }
    };
    let empty = Page {
        frame: maker_frame(w, Nav::Field, "field-title"),
        w,
        families: Vec::new(),
        releases: Vec::new(),
        shown: None,
    };
    vec![
        Sample::of("makers/field.html", "halted", &page(&many, &runs, Some(&flight))),
        Sample::of("makers/field.html", "nothing-yet", &page(&[], &[], None)),
        Sample::of("makers/field.html", "empty", &empty),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::who::Language;

    #[test]
    fn pictures_say_days_and_hospitals_in_words() {
        for (language, day, hospital) in [
            (Language::En, ">28 Nov<", ">City Hospital<"),
            (Language::Ja, ">11月28日<", ">市立中央病院<"),
        ] {
            let all = samples(Words::of(language));
            let page = all[0].html();
            assert!(page.contains(day) && page.contains(hospital), "{language:?}");
            assert!(page.contains(">hospital-038<"), "without a name, its id");
            assert!(!page.contains(">11-28<") && !page.contains(">hospital-039<"), "{language:?}");
        }
    }

    #[test]
    fn an_axis_names_no_more_days_than_it_has_room_for() {
        let (w, begins) = (Words::of(Language::Ja), Timestamp::EPOCH);
        for days in 0..400 {
            let named = axis_days(w, begins, begins.plus_seconds(days * 86_400));
            assert!((1..=7).contains(&named.len()), "{days} days: {}", named.len());
        }
    }
}
