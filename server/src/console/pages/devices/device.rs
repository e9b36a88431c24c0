//! One device: why it waits, what runs on it, its slots, holds, and what it wrote down itself.
//!
//! Not here: deciding why ([`crate::consent::why`]). Invariant: the sentence is the device's own, word
//! for word, where it has one.

use super::entry::{self, Line};
use super::{Badge, badges};
use crate::app::App;
use crate::consent::reach::{Reached, target_reaches};
use crate::consent::{hold, why};
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::pages::holds::{self, ward_name};
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::when::When;
use crate::console::words::Words;
use crate::db::by_hand::{self, ByHand};
use crate::db::device::{self, StoredDevice};
use crate::db::{DbError, ledger};
use crate::fleet::roster::{Member, Roster};
use crate::notify::said::Names;
use crate::people::role::SitePower;
use crate::publish::approvals::Published;
use askama::Template;
use patchward_protocol::api::consent::{HoldView, WhyView};
use patchward_protocol::api::site::Management;
use patchward_protocol::approval::ApprovedDevice;
use patchward_protocol::id::{DeviceId, RepositoryId};
use patchward_protocol::inventory::Usage;
use patchward_protocol::ledger::Entry;

/// Entries of the ledger on one page.
const ENTRIES: u64 = 50;

/// The page.
#[derive(Template)]
#[template(path = "devices/device.html")]
struct DevicePage {
    frame: Frame,
    w: Words,
    badges: Vec<Badge>,
    why: Option<Why>,
    is_forked: bool,
    accept: Option<String>,
    stop: Option<String>,
    facts: Vec<(String, String, &'static str)>,
    is_listed: bool,
    edit: Option<String>,
    installed: Vec<(String, String, &'static str)>,
    seen: Option<When>,
    slots: Vec<SlotLine>,
    holds: Vec<holds::Line>,
    has_agent: bool,
    entries: Vec<Line>,
    older: Option<String>,
    by_hand: Vec<HandLine>,
    write: Option<String>,
    back: String,
}

#[derive(Debug, Clone)]
struct Why {
    text: String,
    release: Option<String>,
}

#[derive(Debug, Clone)]
struct SlotLine {
    from: When,
    to: When,
    what: String,
    attended: bool,
}

#[derive(Debug, Clone)]
struct HandLine {
    at: When,
    what: String,
    by: String,
    verified: String,
    other: bool,
}

/// What the page is made of.
struct Known<'a> {
    member: Member,
    fingerprint: Option<String>,
    why: Option<WhyView>,
    approvals: Vec<(&'a Published, &'a ApprovedDevice)>,
    holds: Vec<HoldView>,
    entries: Vec<Entry>,
    by_hand: Vec<ByHand>,
    names: Names<'a>,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>("/console/sites/{site}/devices/{device}", SitePower::See, show);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (app, entry) = (&visit.app, &visit.entry);
    let id: DeviceId = visit.asked.part("device")?;
    let before = visit.asked.query_as::<u64>("before");
    let (stored, by_hand, entries) = read(app, entry, &id, before).await?;
    let member = Roster::member(app, &entry.site, &entry.inventory, &id).await?;
    let member = member.ok_or_else(not_found)?;
    let has_agent = stored.agent.is_some();
    let why = if has_agent { Some(why::why(app, &entry.site, id.as_str()).await?) } else { None };
    let holds = reaching(app, entry, &member).await?;
    let snapshot = app.snapshot();
    let key = stored.agent.as_ref().map(|agent| agent.device_key);
    let site = snapshot.get(&RepositoryId::Site(entry.site.clone()));
    let approvals = site
        .zip(key.as_ref())
        .map(|(site, key)| site.approvals.active(&id, key, visit.at).collect::<Vec<_>>());
    let known = Known {
        member,
        fingerprint: key.map(|key| key.fingerprint()),
        why,
        approvals: approvals.unwrap_or_default(),
        holds,
        entries,
        by_hand,
        names: Names(&snapshot),
    };
    let title = visit.words.t1("devices-page-title", "device", id.as_str());
    let frame = visit.frame(Nav::Devices, title);
    Answer::page(&view(frame, visit.words, entry, known))
}

async fn read(
    app: &App,
    at: &AtSite,
    id: &DeviceId,
    before: Option<u64>,
) -> Result<(StoredDevice, Vec<ByHand>, Vec<Entry>), Turned> {
    let (site, id) = (at.site.clone(), id.clone());
    let read = app.db.read(move |conn| {
        let Some(stored) = device::find(conn, &site, &id)? else { return Ok(None) };
        let by_hand = by_hand::of_device(conn, &site, &id)?;
        let mut entries = Vec::new();
        if let Some(agent) = &stored.agent {
            let end = before.map_or(agent.chain.seq, |before| before.saturating_sub(1));
            let end = end.min(agent.chain.seq);
            let after = end.saturating_sub(ENTRIES);
            let most = i64::try_from(end.saturating_sub(after)).unwrap_or_default();
            let ledger_id = agent.chain.ledger_id;
            for envelope in ledger::after(conn, &site, &id, ledger_id, after, most)? {
                entries.extend(envelope.insecure_peek::<Entry>().ok());
            }
            entries.reverse();
        }
        Ok::<_, DbError>(Some((stored, by_hand, entries)))
    });
    read.await?.ok_or_else(not_found)
}

/// The standing holds that reach the device.
async fn reaching(app: &App, at: &AtSite, member: &Member) -> Result<Vec<HoldView>, Turned> {
    let consent = app.views.consent();
    let site = consent.site(&at.site);
    let outline = &member.outline;
    let reached = Reached {
        device: &outline.device,
        family: &outline.family,
        place: site.and_then(|site| site.layout.place(&outline.device)),
    };
    let all = hold::list(app, &at.site).await?.into_iter();
    let standing = all.filter(|hold| hold.lifted_at.is_none());
    Ok(standing.filter(|hold| target_reaches(&hold.target, reached)).collect())
}

fn view(frame: Frame, w: Words, at: &AtSite, known: Known<'_>) -> DevicePage {
    let member = &known.member;
    let id = &member.outline.device;
    let has_agent = member.outline.management == Management::Agent;
    let awaits = member.outline.state.as_deref() == Some("awaiting-acceptance");
    let oldest = known.entries.last().map_or(0, |entry| entry.seq);
    let names = holds::Names { w, inventory: &at.inventory, snapshot: known.names.0 };
    let tz = at.tz();
    DevicePage {
        badges: badges(w, member),
        why: why_words(w, at, &known),
        is_forked: member.outline.forked,
        accept: (awaits && at.may(SitePower::Accept))
            .then(|| at.path(&format!("act?do=accept&device={id}"))),
        stop: at.may(SitePower::Stop).then(|| at.path(&format!("stop?device={id}"))),
        facts: facts(w, at, &known),
        is_listed: member.listed.is_some(),
        edit: at.may(SitePower::Administer).then(|| at.path(&format!("devices/{id}/inventory"))),
        installed: installed(w, member),
        seen: member.outline.last_seen.map(|seen| w.instant(seen, tz)),
        slots: slots(w, at, &known),
        entries: known.entries.iter().map(|entry| entry::line(w, entry, tz)).collect(),
        older: (oldest > 1).then(|| at.path(&format!("devices/{id}?before={oldest}#ledger"))),
        by_hand: known.by_hand.iter().map(|update| hand_line(w, at, update)).collect(),
        write: (!has_agent && at.may(SitePower::Accept))
            .then(|| at.path(&format!("devices/{id}/by-hand"))),
        back: at.path("devices"),
        holds: known.holds.into_iter().map(|hold| holds::line(names, at, hold)).collect(),
        has_agent,
        frame,
        w,
    }
}

fn why_words(w: Words, at: &AtSite, known: &Known<'_>) -> Option<Why> {
    let why = known.why.as_ref()?;
    let link = |family: &patchward_protocol::id::FamilyId| {
        let offered = known.names.0.get(&RepositoryId::Family(family.clone()))?;
        let newest = crate::notify::survey::newest(offered)?;
        Some(at.path(&format!("releases/{family}/{}", newest.version)))
    };
    let release = why.unapproved.first().and_then(link);
    Some(Why { text: w.pick(&why.en, &why.ja).to_owned(), release })
}

fn facts(w: Words, at: &AtSite, known: &Known<'_>) -> Vec<(String, String, &'static str)> {
    let outline = &known.member.outline;
    let listed = known.member.listed.as_ref();
    let ward = listed.and_then(|it| it.ward.as_ref()).map(|it| ward_name(w, &at.inventory, it));
    let usage = listed.map(|it| match it.usage {
        Usage::InService => w.t("devices-usage-in-service"),
        Usage::Spare => w.t("devices-usage-spare"),
        Usage::Bench => w.t("devices-usage-bench"),
    });
    let management = match outline.management {
        Management::Agent => "agent",
        Management::Manual => "manual",
        Management::Observed => "observed",
    };
    let management = w.t(&format!("devices-management-{management}"));
    let rows = [
        ("devices-ward", ward, ""),
        ("devices-kind", listed.map(|it| it.kind.to_string()), ""),
        ("devices-usage", usage, ""),
        ("devices-pair", listed.and_then(|it| it.pair.as_ref()).map(ToString::to_string), "mono"),
        ("devices-family", Some(known.names.family(w, &outline.family)), ""),
        ("devices-hardware", outline.hardware.as_ref().map(ToString::to_string), "mono"),
        ("devices-udi", listed.and_then(|it| it.udi.clone()), "mono"),
        ("devices-serial", listed.and_then(|it| it.serial_number.clone()), "mono"),
        ("devices-fingerprint", known.fingerprint.clone(), "fingerprint"),
        ("devices-management", Some(management), ""),
    ];
    let row = |(id, value, class): (&str, Option<String>, &'static str)| {
        Some((w.t(id), value.filter(|value| !value.is_empty())?, class))
    };
    rows.into_iter().filter_map(row).collect()
}

fn installed(w: Words, member: &Member) -> Vec<(String, String, &'static str)> {
    let Some(image) = &member.outline.installed else { return Vec::new() };
    vec![
        (w.t("devices-version"), image.version.to_string(), ""),
        (w.t("devices-seq"), image.seq.to_string(), ""),
        (w.t("devices-image"), image.image_sha256.to_string(), "mono"),
    ]
}

fn slots(w: Words, at: &AtSite, known: &Known<'_>) -> Vec<SlotLine> {
    let mut slots = Vec::new();
    for (published, named) in &known.approvals {
        let approval = &published.approval;
        let what = match &approval.release {
            Some(release) => {
                format!("{} {}", known.names.family(w, &release.family), release.version)
            }
            None => approval.id.to_string(),
        };
        let what = w.t2("devices-slot-wave", "what", what, "wave", named.wave);
        for slot in &named.slots {
            let (from, to) = (w.instant(slot.start(), at.tz()), w.instant(slot.end(), at.tz()));
            slots.push(SlotLine { from, to, what: what.clone(), attended: named.attended });
        }
    }
    slots
}

fn hand_line(w: Words, at: &AtSite, update: &ByHand) -> HandLine {
    let from = update.from_version.clone().unwrap_or_else(|| w.t("devices-hand-unknown"));
    let (by, writer) = (update.performed_by.as_str(), update.printed_name.as_str());
    HandLine {
        at: w.instant(update.performed, at.tz()),
        what: w.t2("devices-hand-line", "from", from, "to", update.to_version.as_str()),
        by: w.t2("devices-hand-by", "by", by, "writer", writer),
        verified: update.verified.clone(),
        other: update.image.is_none(),
    }
}

#[cfg(test)]
#[path = "device_samples.rs"]
mod device_samples;
#[cfg(test)]
pub(super) use device_samples::samples;
