//! A new approval: which release, which devices, under which conditions.
//!
//! All affected devices are chosen by default. Not here: slots (the planner proposes them next).
//! Invariant: what cannot be approved is not offered.

use super::{family_name, reasons, refused, steps};
use crate::consent::draft::facts::Facts;
use crate::consent::draft::kept::WantedRelease;
use crate::consent::draft::{Wanted, make};
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::form::Form;
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::error::ApiError;
use crate::people::role::SitePower;
use askama::Template;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::approval::{Need, Urgency};
use patchward_protocol::civil::{CivilDate, CivilTime};
use patchward_protocol::draft::draw::{SETTLE_S, Terms};
use patchward_protocol::draft::planned::{Direction, Named, Wishes};
use patchward_protocol::draft::{BadDraft, back};
use patchward_protocol::id::{DeviceId, FamilyId, Version, WardId};
use patchward_protocol::inventory::Attendance;
use patchward_protocol::plan::Hours;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::custom::{Firmware, ReleaseState};
use patchward_protocol::window;
use std::collections::BTreeMap;

/// Longest time that a device is asked to have been free for, in seconds: a shift.
const SETTLE_S_MAX: u64 = 8 * 3600;

/// The page that asks for a release.
#[derive(Template)]
#[template(path = "approvals/choose.html")]
struct Choose {
    frame: Frame,
    w: Words,
    steps: Vec<(String, &'static str)>,
    releases: Vec<Offered>,
}

struct Offered {
    what: String,
    newer: usize,
    older: usize,
    link: String,
}

/// The page that asks for devices and conditions.
#[derive(Template)]
#[template(path = "approvals/new.html")]
struct New {
    frame: Frame,
    w: Words,
    steps: Vec<(String, &'static str)>,
    what: String,
    family: String,
    version: String,
    kind: Kind,
    kinds: Vec<(Kind, String, String)>,
    wards: Vec<Ward>,
    count: usize,
    cves: Vec<String>,
    downtime: String,
    acceptance: bool,
    therapy: bool,
    settle_s: u64,
    settle_s_max: u64,
}

/// What kind of approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Routine,
    Emergency,
    Rollback,
}

struct Ward {
    name: String,
    devices: Vec<Device>,
}

struct Device {
    id: String,
    runs: String,
    chosen: bool,
    why_not: Option<String>,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Routine => "routine",
            Self::Emergency => "emergency",
            Self::Rollback => "rollback",
        }
    }

    fn of(word: Option<&str>) -> Self {
        match word {
            Some("emergency") => Self::Emergency,
            Some("rollback") => Self::Rollback,
            _ => Self::Routine,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Routine => "approvals-kind-routine",
            Self::Emergency => "approvals-kind-emergency",
            Self::Rollback => "approvals-kind-rollback",
        }
    }
}

/// Adds the routes.
pub(super) fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>("/console/sites/{site}/approvals/new", SitePower::Plan, show);
    routes.post::<AtSite, _, _>("/console/sites/{site}/approvals/new", SitePower::Plan, make_it);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let facts = Facts::of(&visit.app, &visit.entry.site).await?;
    let frame = visit.frame(Nav::Approvals, visit.words.t("approvals-new"));
    let (family, version) = (visit.asked.query_as("family"), visit.asked.query_as("version"));
    let (Some(family), Some(version)) = (family, version) else {
        let (w, steps) = (visit.words, steps(visit.words, 0));
        return Answer::page(&Choose { frame, w, steps, releases: offered(&visit, &facts) });
    };
    let family: FamilyId = family;
    let version: Version = version;
    let image = make::released(&facts, &family, &version)?;
    let kind = Kind::of(visit.asked.query("kind"));
    Answer::page(&view(&visit, frame, &facts, (&image.firmware, kind)))
}

async fn make_it(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    if visit.form.all("device").next().is_none() {
        let (family, version): (FamilyId, Version) =
            (visit.form.read("family")?, visit.form.read("version")?);
        let why = BadDraft::NobodyWanted { site: visit.entry.site.clone(), left: Vec::new() };
        let again = visit.entry.path(&format!("approvals/new?family={family}&version={version}"));
        return refused::page(&visit, why.into(), Some(again));
    }
    let wanted = wanted(&visit.form, visit.entry.tz())?;
    let (app, site, who) = (&visit.app, &visit.entry.site, &visit.entry.who);
    let (family, version) = (wanted.family.clone(), wanted.version.clone());
    let kind = Kind::of(visit.form.get("kind")).word();
    match make::make(app, site, Wanted::Release(Box::new(wanted)), who.name.clone()).await {
        Ok(_) => Ok(Answer::go(visit.entry.path("approvals/draft"))),
        Err(error) => {
            let again = format!("approvals/new?family={family}&version={version}&kind={kind}");
            refused::page(&visit, error, Some(visit.entry.path(&again)))
        }
    }
}

fn wanted(form: &Form, tz: &str) -> Result<WantedRelease, ApiError> {
    let kind = Kind::of(form.get("kind"));
    let devices: Vec<DeviceId> = form.all("device").filter_map(|id| id.parse().ok()).collect();
    if devices.is_empty() {
        return Err(ApiError::with(ErrorCode::RequestInvalid, "device: choose at least one"));
    }
    let ticked = |name: &str| form.get(name).is_some();
    let need = |name: &str| if ticked(name) { Need::Required } else { Need::Advisory };
    let any = kind == Kind::Emergency && ticked("any_hours");
    let not_before = form.maybe::<CivilDate>("not_before")?;
    Ok(WantedRelease {
        family: form.read("family")?,
        version: form.read("version")?,
        wishes: Wishes {
            horizon_days: form.maybe("horizon_days")?.map(|days: i64| days.clamp(1, 30)),
            not_before: not_before.map(|day| midnight(day, tz)).transpose()?,
            devices: Some(devices),
            hours: if any { Hours::Any } else { Hours::Usual },
            named: if ticked("again") { Named::PlannedAgain } else { Named::LeftOut },
            ..Wishes::default()
        },
        terms: Terms {
            urgency: match kind {
                Kind::Emergency => Urgency::Emergency,
                Kind::Routine | Kind::Rollback => Urgency::Routine,
            },
            direction: match kind {
                Kind::Rollback => Direction::Back,
                Kind::Routine | Kind::Emergency => Direction::Forward,
            },
            attended: match ticked("attended") {
                true => Attendance::Attended,
                false => Attendance::Unattended,
            },
            mains: need("mains"),
            acceptance: need("acceptance"),
            settle_s: form.maybe("settle_s")?.map_or(SETTLE_S, |s: u64| s.min(SETTLE_S_MAX)),
            ..Terms::default()
        },
        supersedes: form.maybe("supersedes")?,
    })
}

/// The first instant of a day in the site's zone.
///
/// # Errors
/// `request_invalid`.
pub(super) fn midnight(day: CivilDate, tz: &str) -> Result<Timestamp, ApiError> {
    let bad = |error: &dyn std::error::Error| ApiError::because(ErrorCode::RequestInvalid, error);
    let zone = window::zone(tz).map_err(|error| bad(&error))?;
    let midnight = CivilTime::new(0, 0).map_err(|error| bad(&error))?;
    Ok(zone.start(day, midnight))
}

fn offered(visit: &Visit<AtSite>, facts: &Facts) -> Vec<Offered> {
    let snapshot = visit.app.snapshot();
    let path = visit.entry.path("approvals/new");
    let mut offered = Vec::new();
    for (family, releases) in &facts.releases {
        let name = family_name(&snapshot, visit.words, family);
        let mut releases: Vec<_> =
            releases.iter().filter(|it| it.state == ReleaseState::Released).collect();
        releases.sort_by_key(|firmware| std::cmp::Reverse(firmware.seq));
        for firmware in releases {
            let of_family = facts.known.views.iter().filter(|view| view.family == *family);
            let with_agent = of_family.filter(|view| view.device_key.is_some());
            let seqs: Vec<_> =
                with_agent.map(|view| view.installed.as_ref().map(|image| image.seq)).collect();
            let newer = seqs.iter().filter(|seq| seq.is_none_or(|seq| seq < firmware.seq)).count();
            let older = seqs.iter().filter(|seq| seq.is_some_and(|seq| seq > firmware.seq)).count();
            let version = firmware.version.as_str();
            offered.push(Offered {
                what: visit.words.t2(
                    "approvals-of-release",
                    "family",
                    name.as_str(),
                    "version",
                    version,
                ),
                newer,
                older,
                link: format!("{path}?family={family}&version={version}"),
            });
        }
    }
    offered
}

fn view(
    visit: &Visit<AtSite>,
    frame: Frame,
    facts: &Facts,
    (firmware, kind): (&Firmware, Kind),
) -> New {
    let (words, family) = (visit.words, &firmware.family);
    let name = family_name(&visit.app.snapshot(), words, family);
    let version = firmware.version.as_str();
    let mut wards: BTreeMap<Option<WardId>, Vec<Device>> = BTreeMap::new();
    for view in facts.known.views.iter().filter(|view| view.family == *family) {
        let device = device(words, facts, firmware, kind, view);
        wards.entry(view.ward.clone()).or_default().push(device);
    }
    let path = visit.entry.path("approvals/new");
    let kinds = [Kind::Routine, Kind::Emergency, Kind::Rollback].map(|kind| {
        let word = kind.word();
        let link = format!("{path}?family={family}&version={version}&kind={word}");
        (kind, words.t(kind.text()), link)
    });
    let wards = wards.into_iter().map(|(id, devices)| {
        let known = facts.known.inventory.as_ref();
        let ward = id.as_ref().and_then(|id| known.and_then(|inventory| inventory.ward(id)));
        let name = ward.map(|ward| words.pick(&ward.name_en, &ward.name_ja).to_owned());
        let name = name.or_else(|| id.map(|id| id.to_string()));
        Ward { name: name.unwrap_or_else(|| words.t("approvals-no-ward")), devices }
    });
    let wards: Vec<Ward> = wards.collect();
    let count = wards.iter().flat_map(|ward| &ward.devices).filter(|it| it.chosen).count();
    let cves = match kind {
        Kind::Rollback => {
            let releases = facts.releases_of(family);
            let of_family = facts.known.views.iter().filter(|view| view.family == *family);
            back::reexposed(releases, firmware.seq, back::newest(of_family)).into_iter().collect()
        }
        Kind::Routine | Kind::Emergency => firmware.cves.clone(),
    };
    let worst = i64::try_from(firmware.est.worst_s()).unwrap_or(i64::MAX);
    New {
        frame,
        w: words,
        steps: steps(words, 0),
        what: words.t2("approvals-of-release", "family", name, "version", version),
        family: family.to_string(),
        version: version.to_owned(),
        kind,
        kinds: kinds.into_iter().collect(),
        wards,
        count,
        cves,
        downtime: words.span(worst),
        acceptance: firmware.acceptance != patchward_protocol::tuf::custom::Acceptance::None,
        therapy: firmware.therapy,
        settle_s: SETTLE_S,
        settle_s_max: SETTLE_S_MAX,
    }
}

fn device(
    words: Words,
    facts: &Facts,
    firmware: &Firmware,
    kind: Kind,
    view: &patchward_protocol::api::site::DeviceView,
) -> Device {
    let installed = view.installed.as_ref();
    let why_not = if view.device_key.is_none() {
        Some(words.t("approvals-without-agent"))
    } else if kind == Kind::Rollback {
        let refused = back::not_permitted(facts.releases_of(&firmware.family), firmware, view);
        refused.map(|left| reasons::left(words, &left))
    } else if installed.is_some_and(|image| image.seq >= firmware.seq) {
        Some(words.t("approvals-runs-it"))
    } else {
        None
    };
    let unknown = || words.t("approvals-runs-unknown");
    Device {
        id: view.device.to_string(),
        runs: installed.map_or_else(unknown, |image| image.version.to_string()),
        chosen: why_not.is_none(),
        why_not,
    }
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, site_frame};
    let frame = || site_frame(words, Nav::Approvals, "approvals-new");
    let what = || words.t2("approvals-of-release", "family", "Infusor A", "version", "2.4.1");
    let choose = |some: bool| Choose {
        frame: frame(),
        w: words,
        steps: steps(words, 0),
        releases: if some {
            vec![Offered { what: what(), newer: 42, older: 3, link: "#".to_owned() }]
        } else {
            Vec::new()
        },
    };
    let page = |kind: Kind| New {
        frame: frame(),
        w: words,
        steps: steps(words, 0),
        what: what(),
        family: "acme.infusor-a".to_owned(),
        version: "2.4.1".to_owned(),
        kind,
        kinds: [Kind::Routine, Kind::Emergency, Kind::Rollback]
            .map(|kind| (kind, words.t(kind.text()), "#".to_owned()))
            .into_iter()
            .collect(),
        wards: vec![Ward {
            name: words.pick("East 5", "5階東病棟").to_owned(),
            devices: vec![
                Device {
                    id: "pump-01".to_owned(),
                    runs: "2.4.0".to_owned(),
                    chosen: true,
                    why_not: None,
                },
                Device {
                    id: "pump-02".to_owned(),
                    runs: "2.4.1".to_owned(),
                    chosen: false,
                    why_not: Some(words.t("approvals-runs-it")),
                },
            ],
        }],
        count: 1,
        cves: vec!["CVE-2026-1234".to_owned()],
        downtime: words.span(480),
        acceptance: kind == Kind::Rollback,
        therapy: kind == Kind::Emergency,
        settle_s: SETTLE_S,
        settle_s_max: SETTLE_S_MAX,
    };
    vec![
        Sample::of("approvals/choose.html", "some", &choose(true)),
        Sample::of("approvals/choose.html", "none", &choose(false)),
        Sample::of("approvals/new.html", "routine", &page(Kind::Routine)),
        Sample::of("approvals/new.html", "emergency", &page(Kind::Emergency)),
        Sample::of("approvals/new.html", "rollback", &page(Kind::Rollback)),
    ]
}
