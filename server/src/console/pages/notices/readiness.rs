//! "Ready for an emergency?": each gap with a word on what to do, and the drill of the channels.
//!
//! Invariant: what is not known is never green.

use super::Here;
use super::channels::{DrillForms, confirm, start};
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::when::When;
use crate::console::words::Words;
use crate::db::DbError;
use crate::db::channel::{self as channels, Drill, Drilled};
use crate::notify::channel::Channel;
use crate::notify::readiness::{self, Check, Checked, Light, Readiness};
use crate::people::role::SitePower;
use askama::Template;
use patchward_protocol::time::Timestamp;

#[derive(Template)]
#[template(path = "notices/readiness.html")]
struct ReadinessPage {
    frame: Frame,
    w: Words,
    note: &'static str,
    verdict: String,
    lines: Vec<CheckLine>,
    drill: DrillForms,
    last: Option<LastDrill>,
    channels: String,
}

struct CheckLine {
    badge: &'static str,
    light: String,
    text: String,
    when: Option<When>,
    advice: Option<String>,
}

struct LastDrill {
    started: When,
    by: String,
    lines: Vec<DrilledLine>,
}

struct DrilledLine {
    channel: String,
    confirmed: Option<(String, When)>,
}

/// What the page is made of.
struct Known<'a> {
    readiness: &'a Readiness,
    channels: &'a [Channel],
    last: Option<(&'a Drill, &'a [Drilled])>,
    base: String,
    tz: String,
    may_start: bool,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>("/console/sites/{site}/readiness", SitePower::See, show);
    let drill = "/console/sites/{site}/readiness/drill";
    routes.post::<AtSite, _, _>(drill, SitePower::Plan, start);
    routes.post::<AtSite, _, _>("/console/sites/{site}/readiness/confirm", SitePower::See, confirm);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (site, place, snapshot) =
        (visit.entry.site.clone(), visit.entry.place(), visit.app.snapshot());
    let read = visit.app.db.read(move |conn| {
        let known = readiness::known(conn, &snapshot, &site)?;
        let last = channels::last_drill(conn, &place)?;
        let drilled = match &last {
            Some(drill) => channels::drilled(conn, &drill.id)?,
            None => Vec::new(),
        };
        Ok::<_, DbError>((known, last, drilled))
    });
    let (known, last, drilled) = read.await?;
    let readiness = readiness::readiness(&known, visit.at);
    let known = Known {
        readiness: &readiness,
        channels: &known.channels,
        last: last.as_ref().map(|drill| (drill, drilled.as_slice())),
        base: visit.entry.base(),
        tz: Here::tz(&visit.entry),
        may_start: visit.entry.may_answer(),
    };
    let frame = visit.frame(Nav::Settings, visit.words.t("readiness-title"));
    Answer::page(&view(frame, visit.words, &known))
}

fn view(frame: Frame, w: Words, known: &Known<'_>) -> ReadinessPage {
    let light = known.readiness.light();
    let when = |at: Timestamp| w.instant(at, &known.tz);
    let name = |drilled: &Drilled| {
        let channel = known.channels.iter().find(|channel| channel.id == drilled.channel);
        channel.map_or_else(|| w.t("readiness-channel-gone"), Channel::masked)
    };
    let drilled = |drilled: &Drilled| DrilledLine {
        channel: name(drilled),
        confirmed: drilled.confirmed.clone().map(|(at, by)| (by, when(at))),
    };
    ReadinessPage {
        frame,
        w,
        note: component(light),
        verdict: w.t(&format!("readiness-verdict-{}", light.word())),
        lines: known.readiness.checks.iter().map(|it| line(w, it, &known.tz)).collect(),
        drill: DrillForms {
            start: format!("{}/readiness/drill", known.base),
            confirm: format!("{}/readiness/confirm", known.base),
            may_start: known.may_start,
        },
        last: known.last.map(|(drill, lines)| LastDrill {
            started: when(drill.started),
            by: drill.started_by.clone(),
            lines: lines.iter().map(drilled).collect(),
        }),
        channels: format!("{}/settings/notifications", known.base),
    }
}

fn line(w: Words, checked: &Checked, tz: &str) -> CheckLine {
    let word = checked.check.word();
    let text = w.t1(&format!("readiness-check-{word}"), "n", checked.count);
    let advice = checked.light != Light::Green;
    CheckLine {
        badge: component(checked.light),
        light: w.t(&format!("readiness-light-{}", checked.light.word())),
        text: match (checked.check, checked.when) {
            (Check::Channel, Some(_)) => w.t("readiness-check-channel-proven"),
            _ => text,
        },
        when: checked.when.map(|at| w.instant(at, tz)),
        advice: advice.then(|| w.t(&format!("readiness-do-{word}"))),
    }
}

/// The class of a light in the style.
pub(in crate::console::pages) const fn component(light: Light) -> &'static str {
    match light {
        Light::Green => "good",
        Light::Amber => "warn",
        Light::Red => "bad",
    }
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use super::channels::tests::channel;
    use crate::console::sample::{Sample, noon, site_frame};
    use crate::notify::channel::{Health, Kind};
    use crate::notify::readiness::readiness;
    use crate::notify::subject::NoticeId;
    let proven = Health { proven: Some(noon()), ..Health::default() };
    let all = [channel(Kind::Mail, "tanaka@hospital.example", proven)];
    let ready = readiness::Known {
        channels: all.to_vec(),
        signers: 2,
        persons: 2,
        wards: 3,
        windows: 1,
        expires: Some(noon().plus_seconds(365 * 86_400)),
    };
    let half = readiness::Known { signers: 1, windows: 0, ..ready.clone() };
    let drill = Drill {
        id: NoticeId::digest("d"),
        place: all[0].place.clone(),
        started: noon(),
        started_by: "田中 由紀".to_owned(),
    };
    let drilled = [
        Drilled { channel: all[0].id.clone(), confirmed: Some((noon(), "佐藤".to_owned())) },
        Drilled { channel: NoticeId::digest("gone"), confirmed: None },
    ];
    let page = |known: &readiness::Known, last| {
        let readiness = readiness(known, noon());
        let known = Known {
            readiness: &readiness,
            channels: &all,
            last,
            base: "/console/sites/city-hospital".to_owned(),
            tz: "Asia/Tokyo".to_owned(),
            may_start: true,
        };
        view(site_frame(words, Nav::Settings, "readiness-title"), words, &known)
    };
    let name = "notices/readiness.html";
    vec![
        Sample::of(name, "ready", &page(&ready, Some((&drill, drilled.as_slice())))),
        Sample::of(name, "nearly", &page(&half, None)),
        Sample::of(name, "not", &page(&readiness::Known::default(), None)),
    ]
}
