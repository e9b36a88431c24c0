//! Settings of notifications: channels, who gets what, quiet hours; and the drill of a manufacturer.
//!
//! Invariant: a channel of the whole place is changed by those who administer it; one's own by oneself.

use super::{Framed, Here};
use crate::console::answer::Answer;
use crate::console::door::{AtMaker, AtServer, AtSite, Entry, Visit};
use crate::console::form::Form;
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::when::When;
use crate::console::words::Words;
use crate::db::{DbError, channel as channels};
use crate::error::ApiError;
use crate::keys::MacSecret;
use crate::notify::channel::{Channel, Circle, Kind, Quiet, webhook_secret};
use crate::notify::drill::{self, Entered};
use crate::notify::readiness::PROVEN_S;
use crate::notify::subject::{NoticeId, Severity};
use crate::people::role::{MakerPower, Place, SitePower};
use crate::people::who::{AccountId, Language};
use askama::Template;
use jiff::civil::Time;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::time::Timestamp;

#[derive(Template)]
#[template(path = "notices/channels.html")]
struct Channels {
    frame: Frame,
    w: Words,
    back: String,
    here: String,
    lines: Vec<ChannelLine>,
    administers: bool,
    mail: bool,
    tz: String,
    drill: Option<DrillForms>,
}

/// A channel in the list.
struct ChannelLine {
    kind: String,
    address: String,
    whose: String,
    circle: String,
    least: String,
    language: String,
    quiet: Option<String>,
    proven: (&'static str, String, Option<When>),
    failing: Option<(String, When)>,
    secret: Option<String>,
    remove: Option<String>,
}

/// Where a drill is started and its code typed.
pub(super) struct DrillForms {
    pub(super) start: String,
    pub(super) confirm: String,
    pub(super) may_start: bool,
}

/// What the page is made of.
struct Known<'a> {
    channels: &'a [Channel],
    mac: &'a MacSecret,
    account: AccountId,
    administers: bool,
    mail: bool,
    base: String,
    tz: String,
    at: Timestamp,
    drill: Option<DrillForms>,
}

const AT_SITE: &str = "/console/sites/{site}/settings/notifications";
const AT_MAKER: &str = "/console/makers/{maker}/settings/notifications";
const AT_SERVER: &str = "/console/server/settings/notifications";

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>(AT_SITE, SitePower::See, show);
    routes.get::<AtMaker, _, _>(AT_MAKER, MakerPower::See, show);
    routes.post::<AtSite, _, _>(AT_SITE, SitePower::See, add);
    routes.post::<AtMaker, _, _>(AT_MAKER, MakerPower::See, add);
    at_server(routes);
    let remove_at_site = "/console/sites/{site}/settings/notifications/{channel}/remove";
    let remove_at_maker = "/console/makers/{maker}/settings/notifications/{channel}/remove";
    routes.post::<AtSite, _, _>(remove_at_site, SitePower::See, remove);
    routes.post::<AtMaker, _, _>(remove_at_maker, MakerPower::See, remove);
    routes.post::<AtMaker, _, _>(
        "/console/makers/{maker}/settings/notifications/drill",
        MakerPower::Stop,
        start,
    );
    routes.post::<AtMaker, _, _>(
        "/console/makers/{maker}/settings/notifications/confirm",
        MakerPower::See,
        confirm,
    );
}

fn at_server(routes: &mut Routes) {
    routes.get::<AtServer, _, _>(AT_SERVER, (), show);
    routes.post::<AtServer, _, _>(AT_SERVER, (), add);
    let remove_there = "/console/server/settings/notifications/{channel}/remove";
    routes.post::<AtServer, _, _>(remove_there, (), remove);
    routes.post::<AtServer, _, _>("/console/server/settings/notifications/drill", (), start);
    routes.post::<AtServer, _, _>("/console/server/settings/notifications/confirm", (), confirm);
}

async fn show<E: Entry + Here>(visit: Visit<E>) -> Result<Answer, Turned>
where
    Visit<E>: Framed,
{
    let place = visit.entry.place();
    let of = place.clone();
    let read = visit.app.db.read(move |conn| channels::of_place(conn, &of));
    let all: Vec<Channel> = read.await?;
    let base = visit.entry.base();
    let drill = matches!(place, Place::Maker(_) | Place::Server).then(|| DrillForms {
        start: format!("{base}/settings/notifications/drill"),
        confirm: format!("{base}/settings/notifications/confirm"),
        may_start: visit.entry.may_answer() || visit.entry.may_administer(),
    });
    let known = Known {
        channels: &all,
        mac: visit.app.keys.mac(),
        account: visit.entry.visitor().account,
        administers: visit.entry.may_administer(),
        mail: visit.app.config.notify.mail.is_some(),
        base,
        tz: visit.entry.tz(),
        at: visit.at,
        drill,
    };
    Answer::page(&view(visit.framed(Nav::Settings, "channels-title"), visit.words, &known))
}

async fn add<E: Entry + Here>(visit: Visit<E>) -> Result<Answer, Turned> {
    let own = visit.form.need("whose")? == "mine";
    if !own && !visit.entry.may_administer() {
        return Err(ApiError::of(ErrorCode::NotPermitted).into());
    }
    let account = own.then_some(visit.entry.visitor().account);
    let entered = entered(&visit.form, account)?;
    drill::add(&visit.app, &visit.entry.place(), entered, visit.entry.visitor()).await?;
    let back = format!("{}/settings/notifications", visit.entry.base());
    Ok(Answer::done(&back, "channels-add-done"))
}

async fn remove<E: Entry + Here>(visit: Visit<E>) -> Result<Answer, Turned> {
    let (place, id) = (visit.entry.place(), visit.asked.part::<NoticeId>("channel")?);
    let (of, name) = (place.clone(), id.clone());
    let read = visit.app.db.read(move |conn| {
        let found = channels::find(conn, &name)?;
        Ok::<_, DbError>(found.filter(|channel| channel.place == of))
    });
    let channel: Channel = read.await?.ok_or_else(not_found)?;
    let own = channel.account == Some(visit.entry.visitor().account);
    if !own && !visit.entry.may_administer() {
        return Err(ApiError::of(ErrorCode::NotPermitted).into());
    }
    drill::remove(&visit.app, &place, &id, visit.entry.visitor()).await?;
    let back = format!("{}/settings/notifications", visit.entry.base());
    Ok(Answer::done(&back, "channels-remove-done"))
}

pub(super) async fn start<E: Entry + Here>(visit: Visit<E>) -> Result<Answer, Turned> {
    let place = visit.entry.place();
    drill::start(&visit.app, &place, visit.entry.visitor()).await?;
    Ok(Answer::done(&crate::notify::said::drill_path(&place), "readiness-drill-done"))
}

pub(super) async fn confirm<E: Entry + Here>(visit: Visit<E>) -> Result<Answer, Turned> {
    let place = visit.entry.place();
    let code = visit.form.need("code")?;
    drill::confirm(&visit.app, &place, code, visit.entry.visitor()).await?;
    Ok(Answer::done(&crate::notify::said::drill_path(&place), "readiness-confirm-done"))
}

fn entered(form: &Form, account: Option<AccountId>) -> Result<Entered, ApiError> {
    let unknown = |name: &str| ApiError::with(ErrorCode::RequestInvalid, name);
    let quiet = form.maybe::<Time>("quiet_from")?.zip(form.maybe::<Time>("quiet_to")?);
    Ok(Entered {
        kind: Kind::of(form.need("kind")?).ok_or_else(|| unknown("kind"))?,
        address: form.need("address")?.to_owned(),
        language: Language::of(form.need("language")?).ok_or_else(|| unknown("language"))?,
        circle: Circle::of(form.need("circle")?).ok_or_else(|| unknown("circle"))?,
        least: Severity::of(form.need("least")?).ok_or_else(|| unknown("least"))?,
        quiet: quiet.map(|(from, to)| Quiet { from_min: minute(from), to_min: minute(to) }),
        tz: form.need("tz")?.to_owned(),
        account,
    })
}

fn minute(time: Time) -> u16 {
    let [hour, minute] = [time.hour(), time.minute()].map(|n| u16::try_from(n).unwrap_or(0));
    hour.saturating_mul(60).saturating_add(minute)
}

fn view(frame: Frame, w: Words, known: &Known<'_>) -> Channels {
    let here = format!("{}/settings/notifications", known.base);
    Channels {
        frame,
        w,
        back: format!("{}/inbox", known.base),
        lines: known.channels.iter().map(|channel| line(w, known, channel, &here)).collect(),
        here,
        administers: known.administers,
        mail: known.mail,
        tz: known.tz.clone(),
        drill: known.drill.as_ref().map(|forms| DrillForms {
            start: forms.start.clone(),
            confirm: forms.confirm.clone(),
            may_start: forms.may_start,
        }),
    }
}

fn line(w: Words, known: &Known<'_>, channel: &Channel, here: &str) -> ChannelLine {
    let own = channel.account == Some(known.account);
    let may = own || known.administers;
    let proven = channel.health.proven;
    let fresh = proven.is_some_and(|proven| proven.plus_seconds(PROVEN_S) > known.at);
    let (badge, id) = match (proven, fresh) {
        (Some(_), true) => ("good", "channels-proven"),
        (Some(_), false) => ("warn", "channels-proven-old"),
        (None, _) => ("bad", "channels-proven-never"),
    };
    let when = |at: Timestamp| w.instant(at, &known.tz);
    let hours = |quiet: Quiet| {
        let clock = |min: u16| format!("{:02}:{:02}", min / 60, min % 60);
        let (from, to) = (clock(quiet.from_min), clock(quiet.to_min));
        w.say(
            "channels-quiet-hours",
            &[("from", from.into()), ("to", to.into()), ("tz", channel.tz.clone().into())],
        )
    };
    ChannelLine {
        kind: w.t(&format!("channels-kind-{}", channel.kind.word())),
        address: if may { channel.address.clone() } else { channel.masked() },
        whose: w.t(if channel.account.is_some() {
            "channels-whose-person"
        } else {
            "channels-whose-place"
        }),
        circle: w.t(&format!("channels-circle-{}", channel.circle.word())),
        least: w.t(&format!("channels-least-{}", channel.least.word())),
        language: w.t(channel.language.pick("channels-language-en", "channels-language-ja")),
        quiet: channel.quiet.map(hours),
        proven: (badge, w.t(id), proven.map(when)),
        failing: channel.health.failing.clone().map(|(since, why)| (why, when(since))),
        secret: (may && channel.kind == Kind::Webhook)
            .then(|| webhook_secret(known.mac, &channel.id).to_string()),
        remove: may.then(|| format!("{here}/{}/remove", channel.id)),
    }
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, maker_frame, noon, site_frame};
    use crate::notify::channel::Health;
    use tests::channel;
    let folder = tempfile::tempdir().unwrap();
    let keys = crate::keys::Keyring::create(folder.path(), &crate::clock::SeededRng::new(1));
    let keys = keys.unwrap();
    let proven = Health { proven: Some(noon()), ..Health::default() };
    let failing = Health {
        proven: Some(noon().plus_seconds(-PROVEN_S)),
        failing: Some((noon(), "connection refused".to_owned())),
        ..Health::default()
    };
    let all = [
        channel(Kind::Mail, "tanaka@hospital.example", proven),
        channel(Kind::Webhook, "https://chat.hospital.example/hook/1", failing),
        channel(Kind::Mail, "night@hospital.example", Health::default()),
    ];
    let known = |channels, administers, drill| Known {
        channels,
        mac: keys.mac(),
        account: AccountId(7),
        administers,
        mail: administers,
        base: "/console/sites/city-hospital".to_owned(),
        tz: "Asia/Tokyo".to_owned(),
        at: noon(),
        drill,
    };
    let forms = DrillForms { start: "/x".to_owned(), confirm: "/y".to_owned(), may_start: true };
    let frame = || site_frame(words, Nav::Settings, "channels-title");
    let maker = maker_frame(words, Nav::Settings, "channels-title");
    let page = "notices/channels.html";
    vec![
        Sample::of(page, "some", &view(frame(), words, &known(&all, true, None))),
        Sample::of(page, "others", &view(frame(), words, &known(&all, false, None))),
        Sample::of(page, "none", &view(frame(), words, &known(&[], true, None))),
        Sample::of(page, "maker", &view(maker, words, &known(&all, true, Some(forms)))),
    ]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::console::sample::noon;
    use crate::notify::channel::Health;

    pub(in crate::console) fn channel(kind: Kind, address: &str, health: Health) -> Channel {
        Channel {
            id: NoticeId::digest(address),
            place: Place::Site("city-hospital".parse().unwrap()),
            account: (kind == Kind::Mail).then_some(AccountId(7)),
            kind,
            address: address.to_owned(),
            language: Language::Ja,
            circle: Circle::First,
            least: Severity::Important,
            quiet: (kind == Kind::Mail).then_some(Quiet { from_min: 1260, to_min: 420 }),
            tz: "Asia/Tokyo".to_owned(),
            created: noon(),
            created_by: "田中 由紀".to_owned(),
            removed: None,
            health,
        }
    }

    #[test]
    fn hours_of_a_day_are_minutes() {
        assert_eq!(minute("21:30".parse().unwrap()), 1290);
        assert_eq!(minute("00:00".parse().unwrap()), 0);
    }

    #[test]
    fn an_entry_without_an_address_is_refused() {
        assert!(entered(&Form::default(), None).is_err());
    }
}
