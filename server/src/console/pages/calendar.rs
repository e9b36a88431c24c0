//! The calendar of a hospital: slots by ward, freezes and windows, as days and as a table of the same.
//!
//! Not here: what lies ahead (`crate::consent::calendar`). Invariant: everything that stands in a day
//! stands in the table too, in the same words.

pub mod feed;
pub mod ward;

use super::approvals::family_name;
use super::holds::ward_name;
use crate::app::App;
use crate::consent::calendar::{self, Event, Go, What};
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::when::{Day, When};
use crate::console::words::Words;
use crate::error::ApiError;
use crate::people::role::SitePower;
use askama::Template;
use patchward_protocol::approval::Action;
use patchward_protocol::civil::{CivilDate, CivilTime};
use patchward_protocol::id::{FamilyId, SiteId};
use patchward_protocol::inventory::Inventory;
use patchward_protocol::time::Timestamp;
use patchward_protocol::window::{self, Zone};
use std::collections::BTreeMap;

/// The page.
#[derive(Template)]
#[template(path = "calendar/calendar.html")]
pub(super) struct CalendarPage {
    frame: Frame,
    w: Words,
    title: String,
    days: Vec<DayView>,
    rows: Vec<Line>,
    before: String,
    after: String,
    other: String,
    other_words: String,
    wards: Vec<(String, String)>,
    holds: u32,
    holds_to: String,
    feed: feed::FeedView,
}

/// What is shown at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Span {
    Week,
    Month,
}

/// A day.
#[derive(Debug, Clone)]
struct DayView {
    day: Day,
    today: bool,
    outside: bool,
    lines: Vec<Line>,
}

/// Something on a day.
#[derive(Debug, Clone)]
pub(super) struct Line {
    day: Day,
    from: When,
    to: When,
    kind_words: String,
    class: &'static str,
    ward: String,
    text: String,
    conflict: Option<String>,
    link: Option<String>,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>("/console/sites/{site}/calendar", SitePower::See, show);
    feed::routes(routes);
    ward::routes(routes);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (site, account) = (visit.entry.site.clone(), visit.entry.who.account);
    let made =
        visit.app.db.read(move |conn| crate::db::calendar::made(conn, account, &site)).await?;
    let feed = feed::FeedView::of(visit.words, &visit.entry, made, None);
    page(&visit, feed).map(|page| Answer::page(&page))?
}

/// The page for what was asked.
pub(super) fn page(visit: &Visit<AtSite>, feed: feed::FeedView) -> Result<CalendarPage, ApiError> {
    let (entry, asked) = (&visit.entry, &visit.asked);
    let zone = zone(entry.tz())?;
    let today = zone.date(visit.at);
    let day: CivilDate = asked.query_as("day").unwrap_or(today);
    let span = if asked.query("view") == Some("week") { Span::Week } else { Span::Month };
    let dates = span.dates(day);
    let (first, last) = match (dates.first(), dates.last()) {
        (Some(first), Some(last)) => (*first, *last),
        _ => (day, day),
    };
    let midnight = midnight()?;
    let between = (zone.start(first, midnight), zone.start(last.plus_days(1), midnight));
    let events = events(&visit.app, &entry.site, &entry.inventory, between, visit.at);
    let consent = visit.app.views.consent();
    let holds = consent.site(&entry.site).map_or(0, |site| site.holds.len());
    let frame = visit.frame(Nav::Calendar, visit.words.t("calendar-title"));
    let names = names(visit, &events);
    let shown = Shown { w: visit.words, entry, zone: &zone, names, today, day, span };
    Ok(view(frame, &shown, &dates, &events, (u32::try_from(holds).unwrap_or(u32::MAX), feed)))
}

pub(super) fn zone(tz: &str) -> Result<Zone, ApiError> {
    window::zone(tz).or_else(|_| window::zone("Etc/UTC")).map_err(ApiError::failed)
}

pub(super) fn midnight() -> Result<CivilTime, ApiError> {
    CivilTime::new(0, 0).map_err(ApiError::failed)
}

/// What lies between two instants at a site.
pub(super) fn events(
    app: &App,
    site: &SiteId,
    inventory: &Inventory,
    between: (Timestamp, Timestamp),
    at: Timestamp,
) -> Vec<Event> {
    let snapshot = app.snapshot();
    let id = patchward_protocol::id::RepositoryId::Site(site.clone());
    let approvals = snapshot.get(&id).map(|current| current.approvals.all()).unwrap_or_default();
    calendar::between(approvals, inventory, between, at)
}

/// What the families are called that the events are about.
fn names(visit: &Visit<AtSite>, events: &[Event]) -> BTreeMap<FamilyId, String> {
    let snapshot = visit.app.snapshot();
    let of = |event: &Event| match &event.what {
        What::Go(go) => go.release.as_ref().map(|(family, _)| family.clone()),
        What::Freeze { .. } | What::Window { .. } => None,
    };
    let named = |family| (FamilyId::clone(&family), family_name(&snapshot, visit.words, &family));
    events.iter().filter_map(of).map(named).collect()
}

/// Whose calendar is shown, and which part of it.
struct Shown<'a> {
    w: Words,
    entry: &'a AtSite,
    zone: &'a Zone,
    names: BTreeMap<FamilyId, String>,
    today: CivilDate,
    day: CivilDate,
    span: Span,
}

impl Span {
    /// The dates, from a Monday to a Sunday.
    fn dates(self, day: CivilDate) -> Vec<CivilDate> {
        let (first, count) = match self {
            Self::Week => (day.monday(), 7),
            Self::Month => (first_of_month(day).monday(), 42),
        };
        (0..count).map(|n| first.plus_days(n)).collect()
    }
}

/// How far the zone is ahead of UTC on a date, in seconds.
fn offset_s(zone: &Zone, date: CivilDate) -> i64 {
    let start = midnight().map(|midnight| zone.start(date, midnight));
    start.map_or(0, |start| date.end_utc().plus_seconds(-86_400).millis_since(start) / 1000)
}

fn first_of_month(day: CivilDate) -> CivilDate {
    let of_month: i64 = day.to_string().get(8..10).and_then(|day| day.parse().ok()).unwrap_or(1);
    day.plus_days(1 - of_month)
}

fn same_month(a: CivilDate, b: CivilDate) -> bool {
    a.to_string().get(..7) == b.to_string().get(..7)
}

fn view(
    frame: Frame,
    shown: &Shown<'_>,
    dates: &[CivilDate],
    events: &[Event],
    (holds, feed): (u32, feed::FeedView),
) -> CalendarPage {
    let (w, entry) = (shown.w, shown.entry);
    // In the middle of the day, in whatever zone.
    let noon =
        |date: CivilDate| date.end_utc().plus_seconds(-12 * 3600 - offset_s(shown.zone, date));
    let named = |event: &Event| line(w, entry, &shown.names, event);
    let of_day = |date: CivilDate| {
        let on = |event: &&Event| {
            let last = shown.zone.date(event.to.plus_seconds(-1));
            shown.zone.date(event.from) <= date && date <= last
        };
        events.iter().filter(on).map(&named).collect::<Vec<_>>()
    };
    let day = |date: &CivilDate| DayView {
        day: w.day_of_year(noon(*date), entry.tz()),
        today: *date == shown.today,
        outside: shown.span == Span::Month && !same_month(*date, shown.day),
        lines: of_day(*date),
    };
    let step = |forward: bool| match (shown.span, forward) {
        (Span::Week, true) => shown.day.plus_days(7),
        (Span::Week, false) => shown.day.plus_days(-7),
        (Span::Month, true) => first_of_month(first_of_month(shown.day).plus_days(31)),
        (Span::Month, false) => first_of_month(first_of_month(shown.day).plus_days(-1)),
    };
    let to = |day: CivilDate, span: Span| {
        let view = if span == Span::Week { "week" } else { "month" };
        entry.path(&format!("calendar?view={view}&day={day}"))
    };
    let (other, other_id) = match shown.span {
        Span::Week => (Span::Month, "calendar-month"),
        Span::Month => (Span::Week, "calendar-week"),
    };
    let wards = entry.inventory.wards.iter().map(|ward| {
        let name = w.pick(&ward.name_en, &ward.name_ja).to_owned();
        (name, entry.path(&format!("calendar/ward/{}", ward.id)))
    });
    let said = |date: CivilDate| w.day(noon(date), entry.tz()).words().to_owned();
    let title = match (shown.span, dates.first(), dates.last()) {
        (Span::Week, Some(first), Some(last)) => format!("{} – {}", said(*first), said(*last)),
        (Span::Week | Span::Month, _, _) => w.month(noon(shown.day), entry.tz()),
    };
    CalendarPage {
        title,
        days: dates.iter().map(day).collect(),
        rows: events.iter().map(&named).collect(),
        before: to(step(false), shown.span),
        after: to(step(true), shown.span),
        other: to(shown.day, other),
        other_words: w.t(other_id),
        wards: wards.collect(),
        holds,
        holds_to: entry.path("holds"),
        feed,
        frame,
        w,
    }
}

/// An event in words.
pub(super) fn line(
    w: Words,
    entry: &AtSite,
    names: &BTreeMap<FamilyId, String>,
    event: &Event,
) -> Line {
    let tz = entry.tz();
    let (kind_id, class) = match &event.what {
        What::Go(go) if go.action == Action::Rollback => ("calendar-kind-rollback", "badge warn"),
        What::Go(_) => ("calendar-kind-slot", "badge info"),
        What::Freeze { .. } => ("calendar-kind-freeze", "badge bad"),
        What::Window { .. } => ("calendar-kind-window", "badge"),
    };
    let ward = event.ward.as_ref().map(|ward| ward_name(w, &entry.inventory, ward));
    let (text, conflict, link) = match &event.what {
        What::Go(go) => (
            go_words(w, names, go),
            go.frozen.then(|| w.t("calendar-conflict")),
            Some(entry.path(&format!("rollouts/{}", go.approval_sha256))),
        ),
        What::Freeze { why } => (why.clone(), None, None),
        What::Window { en, ja } => (w.pick(en, ja).to_owned(), None, None),
    };
    Line {
        day: w.day(event.from, tz),
        from: w.clock(event.from, tz),
        to: w.end(event.from, event.to, tz),
        kind_words: w.t(kind_id),
        class,
        ward: ward.unwrap_or_default(),
        text,
        conflict,
        link,
    }
}

fn go_words(w: Words, names: &BTreeMap<FamilyId, String>, go: &Go) -> String {
    let name = |family| names.get(family).map_or_else(|| family.to_string(), Clone::clone);
    let release =
        go.release.as_ref().map(|(family, version)| format!("{} {version}", name(family)));
    w.say(
        "calendar-go",
        &[
            ("n", go.devices.len().into()),
            ("wave", go.wave.into()),
            ("release", release.unwrap_or_default().into()),
            ("attended", go.attended.into()),
        ],
    )
}

#[cfg(test)]
pub(in crate::console) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, at_site, noon, site_frame};
    let entry = at_site(words);
    let zone = zone("Asia/Tokyo").unwrap();
    let today = zone.date(noon());
    let page = |span: Span, events: &[Event], holds: u32, secret: Option<&str>| {
        let frame = site_frame(words, Nav::Calendar, "calendar-title");
        let pump = (FamilyId::new("acme.pump-x").unwrap(), words.pick("Pump X", "輸液ポンプX"));
        let names = BTreeMap::from([pump].map(|(id, name)| (id, name.to_owned())));
        let shown = Shown { w: words, entry: &entry, zone: &zone, names, today, day: today, span };
        let made = secret.map(|_| noon());
        let feed = feed::FeedView::of(words, &entry, made, secret.map(str::to_owned));
        view(frame, &shown, &span.dates(today), events, (holds, feed))
    };
    let some = tests::some();
    let address = Some("https://patchward.example/console/calendar/0011.ics");
    let mut samples = vec![
        Sample::of("calendar/calendar.html", "month", &page(Span::Month, &some, 1, None)),
        Sample::of("calendar/calendar.html", "week", &page(Span::Week, &some, 0, address)),
        Sample::of("calendar/calendar.html", "none", &page(Span::Month, &[], 0, None)),
    ];
    samples.extend(ward::samples(words));
    samples
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::console::sample::noon;
    use patchward_protocol::digest::Sha256Digest;

    /// A slot, a freeze over another slot, a window.
    pub(super) fn some() -> Vec<Event> {
        let event = |hours: i64, ward: Option<&str>, what: What| Event {
            from: noon().plus_seconds(hours * 3600),
            to: noon().plus_seconds((hours + 2) * 3600),
            ward: ward.map(|ward| ward.parse().unwrap()),
            what,
        };
        let go = |n: usize, frozen: bool| {
            What::Go(Box::new(Go {
                approval: "2026-12-05-pump-1".parse().unwrap(),
                approval_sha256: Sha256Digest::of(b"approval"),
                release: Some(("acme.pump-x".parse().unwrap(), "2.4.1".parse().unwrap())),
                action: Action::Install,
                wave: 1,
                devices: (0..n).map(|n| format!("pump-{n:02}").parse().unwrap()).collect(),
                attended: 1,
                frozen,
            }))
        };
        vec![
            event(1, Some("ward-5e"), go(2, false)),
            event(49, Some("ward-icu"), go(1, true)),
            event(48, None, What::Freeze { why: "Year-end".to_owned() }),
            event(72, None, What::Window { en: "Night".to_owned(), ja: "夜間".to_owned() }),
        ]
    }

    #[test]
    fn a_month_is_headed_by_its_name_and_a_slot_by_the_name_of_its_family() {
        use crate::people::who::Language;
        for (language, month, week, family) in [
            (
                Language::En,
                "<b>December 2026</b>",
                "<b>Mon 30 Nov 2026 – Sun 6 Dec 2026</b>",
                "Pump X 2.4.1",
            ),
            (
                Language::Ja,
                "<b>2026年12月</b>",
                "<b>2026年11月30日(月) – 2026年12月6日(日)</b>",
                "輸液ポンプX 2.4.1",
            ),
        ] {
            let all = samples(Words::of(language));
            let (of_month, of_week) = (all[0].html(), all[1].html());
            assert!(of_month.contains(month) && of_week.contains(week), "{language:?}");
            assert!(of_month.contains(family) && !of_month.contains("acme.pump-x"), "{language:?}");
        }
    }

    #[test]
    fn a_month_begins_on_a_monday_and_has_the_whole_month() {
        let day: CivilDate = "2026-12-05".parse().unwrap();
        let dates = Span::Month.dates(day);
        assert_eq!((dates[0].to_string(), dates.len()), ("2026-11-30".to_owned(), 42));
        assert!(dates.iter().any(|date| date.to_string() == "2026-12-31"));
        assert_eq!(Span::Week.dates(day)[0].to_string(), "2026-11-30");
        assert_eq!(first_of_month(day).to_string(), "2026-12-01");
    }
}
