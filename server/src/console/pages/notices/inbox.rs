//! The inbox of a hospital or a manufacturer: what is open, by how grave it is, with its clocks.
//!
//! Invariant: what is open is always shown, whatever was sent.

use super::{Framed, Here, badge, left};
use crate::console::answer::Answer;
use crate::console::door::{AtMaker, AtServer, AtSite, Entry, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::when::When;
use crate::console::words::Words;
use crate::db::DbError;
use crate::db::notice::{self, Closed, Notice};
use crate::limits::NOTICES_CLOSED_LISTED_MAX;
use crate::notify::open_matters;
use crate::notify::said::{Names, headline};
use crate::notify::subject::Severity;
use crate::people::role::{MakerPower, SitePower};
use crate::publish::current::Snapshot;
use askama::Template;
use patchward_protocol::time::Timestamp;

#[derive(Template)]
#[template(path = "notices/inbox.html")]
struct Inbox {
    frame: Frame,
    w: Words,
    groups: Vec<Group>,
    closed: Vec<Line>,
    channels: String,
    questions: Option<String>,
    readiness: Option<String>,
}

/// Notices of one severity.
struct Group {
    title: String,
    lines: Vec<Line>,
}

/// A notice in a list.
pub(super) struct Line {
    pub(super) to: String,
    pub(super) text: String,
    pub(super) badge: &'static str,
    pub(super) severity: String,
    pub(super) urgent: bool,
    pub(super) since: When,
    pub(super) due: Option<(When, String)>,
    pub(super) passed: Option<String>,
    pub(super) next: Option<String>,
    pub(super) read: Option<String>,
    pub(super) closed: Option<String>,
}

/// What an inbox is made of.
struct Known<'a> {
    open: &'a [Notice],
    closed: &'a [Notice],
    names: Names<'a>,
    base: String,
    tz: String,
    at: Timestamp,
    site: bool,
    /// Whether the place asks or answers questions.
    asks: bool,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>("/console/sites/{site}/inbox", SitePower::See, show);
    routes.get::<AtMaker, _, _>("/console/makers/{maker}/inbox", MakerPower::See, show);
    routes.get::<AtServer, _, _>("/console/server/inbox", (), show);
}

async fn show<E: Entry + Here>(visit: Visit<E>) -> Result<Answer, Turned>
where
    Visit<E>: Framed,
{
    let place = visit.entry.place();
    let read = visit.app.db.read(move |conn| {
        let open = open_matters(conn, &place)?;
        Ok::<_, DbError>((open, notice::closed(conn, &place, NOTICES_CLOSED_LISTED_MAX)?))
    });
    let (open, closed) = read.await?;
    let snapshot: std::sync::Arc<Snapshot> = visit.app.snapshot();
    let known = Known {
        open: &open,
        closed: &closed,
        names: Names(&snapshot),
        base: visit.entry.base(),
        tz: visit.entry.tz(),
        at: visit.at,
        site: E::KIND == AtSite::KIND,
        asks: E::KIND != AtServer::KIND,
    };
    Answer::page(&view(visit.framed(Nav::Inbox, "notices-title"), visit.words, &known))
}

fn view(frame: Frame, w: Words, known: &Known<'_>) -> Inbox {
    let line =
        |notice: &Notice| Line::of(w, &known.names, notice, (&known.base, &known.tz, known.at));
    let group = |severity: Severity| {
        let of = known.open.iter().filter(|notice| notice.severity == severity);
        let title = w.t(&format!("notices-group-{}", severity.word()));
        Group { title, lines: of.map(line).collect() }
    };
    let groups = Severity::ALL.map(group).into_iter().filter(|group| !group.lines.is_empty());
    Inbox {
        frame,
        w,
        groups: groups.collect(),
        closed: known.closed.iter().map(line).collect(),
        channels: format!("{}/settings/notifications", known.base),
        questions: known.asks.then(|| format!("{}/questions", known.base)),
        readiness: known.site.then(|| format!("{}/readiness", known.base)),
    }
}

impl Line {
    pub(super) fn of(
        w: Words,
        names: &Names<'_>,
        notice: &Notice,
        (base, tz, at): (&str, &str, Timestamp),
    ) -> Self {
        let closed = notice.closed.map(|(when, why)| {
            let why = match why {
                Closed::Over => "notices-closed-over",
                Closed::Answered => "notices-closed-answered",
                Closed::LookedAt => "notices-closed-looked-at",
            };
            format!("{} · {}", w.t(why), w.instant(when, tz).words())
        });
        let open = notice.closed.is_none();
        let due = notice.due.filter(|_| open);
        let unread = open && notice.acknowledged.is_none();
        let next = notice.step_due.filter(|_| unread).map(|due| {
            let seconds = due.millis().saturating_sub(at.millis()) / 1000;
            let id = if notice.step == 0 { "notices-step-due" } else { "notices-step-due-maker" };
            w.t2(id, "at", w.instant(due, tz), "left", w.span(seconds))
        });
        let step = notice.step.min(crate::notify::raise::LAST_STEP);
        Self {
            to: format!("{base}/inbox/{}", notice.id),
            text: headline(w, names, &notice.subject),
            badge: badge(notice.severity),
            severity: w.t(&format!("notices-severity-{}", notice.severity.word())),
            urgent: open && notice.severity == Severity::Urgent,
            since: w.instant(notice.created, tz),
            due: due.map(|due| (w.instant(due, tz), left(w, at, due))),
            passed: (unread && step > 0).then(|| w.t(&format!("notices-step-{step}"))),
            next,
            read: notice
                .acknowledged
                .as_ref()
                .map(|(_, name)| w.t1("notices-acknowledged", "name", name.as_str())),
            closed,
        }
    }
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use super::sample::{device, hold, notice, question, release};
    use crate::console::sample::{Sample, maker_frame, noon, site_frame};
    let snapshot = Snapshot::default();
    let mut over = notice(device(), Severity::Important);
    over.acknowledged = Some((noon().plus_seconds(-60), "田中 由紀".to_owned()));
    over.closed = Some((noon(), Closed::LookedAt));
    let mut read = notice(hold(), Severity::Important);
    read.acknowledged = Some((noon(), "田中 由紀".to_owned()));
    read.due = Some(noon().plus_seconds(-7200));
    let open = [notice(release(), Severity::Urgent), read, notice(device(), Severity::Normal)];
    let known = |open, closed, site| Known {
        open,
        closed,
        names: Names(&snapshot),
        base: "/console/sites/city-hospital".to_owned(),
        tz: "Asia/Tokyo".to_owned(),
        at: noon(),
        site,
        asks: true,
    };
    let runs = Known { asks: false, ..known(&[], &[], false) };
    let frame = || site_frame(words, Nav::Inbox, "notices-title");
    let asked = [notice(question(), Severity::Important)];
    let maker = maker_frame(words, Nav::Inbox, "notices-title");
    let page = "notices/inbox.html";
    vec![
        Sample::of(page, "open", &view(frame(), words, &known(&open, &[over], true))),
        Sample::of(page, "empty", &view(frame(), words, &known(&[], &[], true))),
        Sample::of(page, "maker", &view(maker, words, &known(&asked, &[], false))),
        Sample::of(page, "server", &view(frame(), words, &runs)),
    ]
}
