//! One notice: what is known, its clock, what was sent, and the answer of the hospital.
//!
//! Invariant: an answer is a form that says what follows; approving is not here, because it needs a key.

use super::inbox::Line;
use super::{Framed, Here, badge};
use crate::console::answer::Answer;
use crate::console::door::{AtMaker, AtServer, AtSite, Entry, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::when::When;
use crate::console::words::Words;
use crate::db::DbError;
use crate::db::notice::{self, Notice};
use crate::db::outbox::{self, State, Told};
use crate::error::ApiError;
use crate::notify::answer::{self, Answer as Given};
use crate::notify::channel::Channel;
use crate::notify::said::{Names, advice};
use crate::notify::subject::{NoticeId, Subject};
use crate::people::role::{MakerPower, Place, SitePower};
use askama::Template;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::time::Timestamp;

#[derive(Template)]
#[template(path = "notices/notice.html")]
struct NoticePage {
    frame: Frame,
    w: Words,
    line: Line,
    badge: &'static str,
    advice: String,
    see: Option<String>,
    back: String,
    here: String,
    read_at: Option<When>,
    sent: Vec<SentLine>,
    open: bool,
    may_acknowledge: bool,
    may_close: bool,
    answers: Option<Answers>,
}

/// The forms of a hospital's answer.
struct Answers {
    may: bool,
    signed: String,
    acknowledged: bool,
    today: String,
}

/// A message in the list of what was sent.
struct SentLine {
    channel: String,
    badge: &'static str,
    state: String,
    when: When,
    tries: u32,
    failure: Option<String>,
}

/// What the page is made of.
struct Known<'a> {
    notice: &'a Notice,
    sent: &'a [(Told, Option<Channel>)],
    names: Names<'a>,
    base: String,
    tz: String,
    at: Timestamp,
    may_answer: bool,
    may_administer: bool,
    signer: (String, String),
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>("/console/sites/{site}/inbox/{notice}", SitePower::See, show);
    routes.get::<AtMaker, _, _>("/console/makers/{maker}/inbox/{notice}", MakerPower::See, show);
    routes.get::<AtServer, _, _>("/console/server/inbox/{notice}", (), show);
    routes.post::<AtServer, _, _>("/console/server/inbox/{notice}/acknowledge", (), acknowledge);
    routes.post::<AtServer, _, _>("/console/server/inbox/{notice}/close", (), close);
    let acknowledge_there = "/console/sites/{site}/inbox/{notice}/acknowledge";
    routes.post::<AtSite, _, _>(acknowledge_there, SitePower::Plan, acknowledge);
    routes.post::<AtMaker, _, _>(
        "/console/makers/{maker}/inbox/{notice}/acknowledge",
        MakerPower::Stop,
        acknowledge,
    );
    routes.post::<AtSite, _, _>(
        "/console/sites/{site}/inbox/{notice}/close",
        SitePower::Plan,
        close,
    );
    routes.post::<AtMaker, _, _>(
        "/console/makers/{maker}/inbox/{notice}/close",
        MakerPower::Stop,
        close,
    );
    routes.post::<AtSite, _, _>(
        "/console/sites/{site}/inbox/{notice}/answer",
        SitePower::Plan,
        give,
    );
    routes.post::<AtSite, _, _>("/console/sites/{site}/inbox/{notice}/ask", SitePower::Plan, ask);
}

async fn show<E: Entry + Here>(visit: Visit<E>) -> Result<Answer, Turned>
where
    Visit<E>: Framed,
{
    let (place, id) = (visit.entry.place(), visit.asked.part::<NoticeId>("notice")?);
    let read = visit.app.db.read(move |conn| {
        let Some(found) = notice::find(conn, &place, &id)? else { return Ok(None) };
        let mut sent = Vec::new();
        for told in outbox::about(conn, &place, &id)? {
            let channel = crate::db::channel::find(conn, &told.message.channel)?;
            sent.push((told, channel));
        }
        Ok::<_, DbError>(Some((found, sent)))
    });
    let (notice, sent) = read.await?.ok_or_else(not_found)?;
    let snapshot = visit.app.snapshot();
    let who = visit.entry.visitor();
    let known = Known {
        notice: &notice,
        sent: &sent,
        names: Names(&snapshot),
        base: visit.entry.base(),
        tz: visit.entry.tz(),
        at: visit.at,
        may_answer: visit.entry.may_answer(),
        may_administer: visit.entry.may_administer(),
        signer: (who.name.clone(), who.title.clone()),
    };
    Answer::page(&view(visit.framed(Nav::Inbox, "notices-title"), visit.words, &known))
}

async fn acknowledge<E: Entry + Here>(visit: Visit<E>) -> Result<Answer, Turned> {
    let (place, id) = (visit.entry.place(), visit.asked.part::<NoticeId>("notice")?);
    crate::notify::acknowledge(&visit.app, &place, &id, visit.entry.visitor()).await?;
    let back = format!("{}/inbox/{id}", visit.entry.base());
    Ok(Answer::done(&back, "notices-acknowledged-done"))
}

async fn close<E: Entry + Here>(visit: Visit<E>) -> Result<Answer, Turned> {
    let (place, id) = (visit.entry.place(), visit.asked.part::<NoticeId>("notice")?);
    crate::notify::close(&visit.app, &place, &id, visit.entry.visitor()).await?;
    Ok(Answer::done(&format!("{}/inbox", visit.entry.base()), "notices-close-done"))
}

async fn give(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let id = visit.asked.part::<NoticeId>("notice")?;
    let form = &visit.form;
    let (given, done) = match form.need("answer")? {
        "acknowledge" => (Given::Acknowledged, "notices-answer-acknowledge-done"),
        "decline" => (Given::Declined, "notices-answer-decline-done"),
        "defer" => {
            let until = end_of(form.read("until")?, visit.entry.tz())?;
            let control = form.need("control")?.to_owned();
            (Given::Deferred { until, control }, "notices-answer-defer-done")
        }
        other => return Err(ApiError::with(ErrorCode::RequestInvalid, other).into()),
    };
    let (reason, who) = (form.need("reason")?.to_owned(), &visit.entry.who);
    answer::give(&visit.app, &visit.entry.site, &id, given, reason, who).await?;
    Ok(Answer::done(&visit.entry.path("inbox"), done))
}

async fn ask(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let id = visit.asked.part::<NoticeId>("notice")?;
    let (words, who) = (visit.form.need("words")?.to_owned(), &visit.entry.who);
    let question = answer::ask(&visit.app, &visit.entry.site, &id, words, who).await?;
    let to = visit.entry.path(&format!("questions/{question}"));
    Ok(Answer::done(&to, "notices-answer-ask-done"))
}

/// The last instant of a day in a zone: the beginning of the next.
fn end_of(day: Date, tz: &str) -> Result<Timestamp, ApiError> {
    let zone = TimeZoneDatabase::bundled().get(tz).unwrap_or(TimeZone::UTC);
    let invalid = |_| ApiError::with(ErrorCode::RequestInvalid, "until: no such day");
    let next = day.tomorrow().map_err(invalid)?;
    next.to_zoned(zone).map(|at| Timestamp::from_jiff(at.timestamp())).map_err(invalid)
}

fn view(frame: Frame, w: Words, known: &Known<'_>) -> NoticePage {
    let Known { notice, names, base, tz, at, .. } = known;
    let open = notice.closed.is_none();
    let answers = matches!(notice.subject, Subject::Release { .. }) && open;
    let answers = answers.then(|| Answers {
        may: known.may_answer,
        signed: {
            let (name, title) = &known.signer;
            w.t2("notices-answer-signed", "name", name, "title", title)
        },
        acknowledged: notice.acknowledged.is_some(),
        today: w.day(*at, tz).iso().to_owned(),
    });
    let unread = open && notice.acknowledged.is_none();
    NoticePage {
        line: Line::of(w, names, notice, (base.as_str(), tz.as_str(), *at)),
        badge: badge(notice.severity),
        advice: advice(w, &notice.subject),
        see: see(base, notice, known.may_administer),
        back: format!("{base}/inbox"),
        here: format!("{base}/inbox/{}", notice.id),
        read_at: notice.acknowledged.as_ref().map(|(when, _)| w.instant(*when, tz)),
        sent: known.sent.iter().map(|(told, channel)| sent_line(w, told, channel, tz)).collect(),
        open,
        may_acknowledge: unread && known.may_answer && answers.is_none(),
        may_close: open && known.may_answer && is_closed_by_hand(&notice.subject),
        answers,
        frame,
        w,
    }
}

/// What no look of the server will ever call over, or what a person may put aside.
const fn is_closed_by_hand(subject: &Subject) -> bool {
    matches!(
        subject,
        Subject::Device { .. }
            | Subject::Answered { .. }
            | Subject::Question { .. }
            | Subject::Support { .. }
            | Subject::NotReady { .. }
            | Subject::FieldHalt { .. }
            | Subject::Account { .. }
            | Subject::Role { .. }
    )
}

/// The page about it, where whoever reads may open it.
fn see(base: &str, notice: &Notice, may_administer: bool) -> Option<String> {
    let place = &notice.place;
    Some(match &notice.subject {
        Subject::Release { family, version, .. } => {
            format!("{base}/releases/{family}/{version}")
        }
        Subject::Halt { .. } => format!("{base}/rollouts"),
        Subject::Device { device, .. } => format!("{base}/devices/{device}"),
        Subject::Hold { .. } if matches!(place, Place::Site(_)) => format!("{base}/holds"),
        Subject::Hold { .. } => format!("{base}/field"),
        Subject::Draft { .. } => format!("{base}/approvals/draft"),
        Subject::Metadata { repository: RepositoryId::Family(_), .. } => {
            format!("{base}/repositories")
        }
        Subject::Metadata { .. } => format!("{base}/settings"),
        Subject::Support { .. } => format!("{base}/lifecycle"),
        Subject::Delivery { .. } => format!("{base}/settings/notifications"),
        Subject::Answered { question, .. } | Subject::Question { question, .. } => {
            format!("{base}/questions/{question}")
        }
        Subject::Unacknowledged { .. } | Subject::NotReady { .. } => format!("{base}/sites"),
        Subject::FieldHalt { .. } => format!("{base}/field"),
        Subject::Account { .. } | Subject::Role { .. } => match place {
            Place::Server => format!("{base}/people"),
            Place::Site(_) | Place::Maker(_) if may_administer => format!("{base}/settings/people"),
            Place::Site(_) | Place::Maker(_) => return None,
        },
        Subject::Certificate { .. } => return None,
    })
}

fn sent_line(w: Words, told: &Told, channel: &Option<Channel>, tz: &str) -> SentLine {
    let (badge, state) = match told.state {
        State::Waiting => ("", "notices-state-waiting"),
        State::Sending => ("info", "notices-state-sending"),
        State::Sent => ("good", "notices-state-sent"),
        State::Failed => ("bad", "notices-state-failed"),
        State::Dropped => ("", "notices-state-dropped"),
    };
    SentLine {
        channel: channel.as_ref().map(Channel::masked).unwrap_or_default(),
        badge,
        state: w.t(state),
        when: w.instant(told.ended.unwrap_or(told.message.created), tz),
        tries: told.message.tries,
        failure: told.failure.clone(),
    }
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use super::sample::{device, notice, release};
    use crate::console::sample::{Sample, noon, site_frame};
    use crate::db::notice::Closed;
    use crate::db::outbox::{About, Message};
    use crate::notify::subject::Severity;
    let snapshot = crate::publish::current::Snapshot::default();
    let urgent = notice(release(), Severity::Urgent);
    let mut closed = notice(device(), Severity::Important);
    closed.closed = Some((noon(), Closed::LookedAt));
    closed.acknowledged = Some((noon(), "田中 由紀".to_owned()));
    let told = Told {
        message: Message {
            id: NoticeId::digest("m"),
            channel: NoticeId::digest("c"),
            place: urgent.place.clone(),
            about: About::Notice(urgent.id.clone()),
            step: 0,
            created: noon(),
            next_try: noon(),
            give_up: noon(),
            tries: 4,
        },
        state: State::Failed,
        ended: Some(noon()),
        failure: Some("connection refused".to_owned()),
    };
    let sent = [(told, None)];
    let known = |notice, sent, may_answer| Known {
        notice,
        sent,
        names: Names(&snapshot),
        base: "/console/sites/city-hospital".to_owned(),
        tz: "Asia/Tokyo".to_owned(),
        at: noon(),
        may_answer,
        may_administer: may_answer,
        signer: ("田中 由紀".to_owned(), "臨床工学技士".to_owned()),
    };
    let page = "notices/notice.html";
    let frame = || site_frame(words, Nav::Inbox, "notices-title");
    vec![
        Sample::of(page, "release", &view(frame(), words, &known(&urgent, &sent, true))),
        Sample::of(page, "reader", &view(frame(), words, &known(&urgent, &[], false))),
        Sample::of(page, "closed", &view(frame(), words, &known(&closed, &[], true))),
        Sample::of(
            page,
            "device",
            &view(frame(), words, &known(&notice(device(), Severity::Important), &[], true)),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_people_is_named_to_whoever_may_open_it_only() {
        use crate::console::sample::noon;
        use crate::notify::subject::{Severity, Turn};
        let account = Subject::Account {
            account: "tanaka".to_owned(),
            turn: Turn::Disabled,
            by: "sato".to_owned(),
            at: noon(),
        };
        let notice = super::super::sample::notice(account, Severity::Important);
        let base = "/console/sites/city-hospital";
        assert_eq!(see(base, &notice, true), Some(format!("{base}/settings/people")));
        assert_eq!(see(base, &notice, false), None);
    }

    #[test]
    fn a_day_ends_where_the_next_begins_in_the_zone_of_the_site() {
        let day: Date = "2026-12-05".parse().unwrap();
        let end = end_of(day, "Asia/Tokyo").unwrap();
        assert_eq!(end, "2026-12-05T15:00:00Z".parse().unwrap());
    }
}
