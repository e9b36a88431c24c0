//! Every release for a hospital's devices: what is new, approved, on its way, done, replaced, withdrawn.
//!
//! Not here: one release ([`super::view`]). Invariant: what needs a decision stands first, and a release
//! of a family that the hospital has no device of is not there.

use super::parts::severity_word;
use crate::app::App;
use crate::console::answer::Answer;
use crate::console::asked::Asked;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::pages::rollouts::State;
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::words::Words;
use crate::fleet::roster::{Member, Roster};
use crate::notify::said::Names;
use crate::people::role::SitePower;
use crate::publish::approvals::is_in_force;
use crate::publish::current::Snapshot;
use askama::Template;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{FamilyId, HardwareId, RepositoryId, Seq};
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::custom::{Class, Firmware, ReleaseState};
use std::collections::{BTreeMap, BTreeSet};

/// Releases on the page; the filter finds the others.
const LINES_MAX: usize = 200;

/// Where a release stands at a hospital.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Devices should get it and nobody has approved it.
    New,
    /// Devices are on their way to it.
    Running,
    /// It is approved and nothing has begun.
    Approved,
    /// Devices lack it, and a newer release replaces it.
    Replaced,
    /// No device needs it any more.
    Done,
    /// The manufacturer took it back.
    Withdrawn,
}

/// The page.
#[derive(Template)]
#[template(path = "dossier/list.html")]
struct ListPage {
    frame: Frame,
    w: Words,
    list: String,
    state: Option<&'static str>,
    states: Vec<(String, String, bool)>,
    families: Vec<(String, String, bool)>,
    lines: Vec<Line>,
    more: usize,
    all: usize,
    enrol: Option<String>,
}

#[derive(Debug, Clone)]
struct Line {
    standing: Standing,
    to: String,
    family: String,
    version: String,
    class: &'static str,
    state: String,
    kind: String,
    severity: String,
    exploited: bool,
    affected: usize,
    fitting: usize,
    seq: Seq,
    of: FamilyId,
}

/// The devices of a family that are alike: hardware and rank of what runs, with their number.
type Alike = BTreeMap<(Option<HardwareId>, Option<Seq>), usize>;

/// What is signed and on its way at the hospital.
#[derive(Debug, Default)]
struct Going {
    approved: BTreeSet<Sha256Digest>,
    running: BTreeSet<Sha256Digest>,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>("/console/sites/{site}/releases", SitePower::See, show);
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (app, entry) = (&visit.app, &visit.entry);
    let roster = Roster::of(app, &entry.site, &entry.inventory).await?;
    let snapshot = app.snapshot();
    let going = Going::of(app, entry, &snapshot, visit.at);
    let lines = lines(visit.words, entry, &snapshot, &roster, &going);
    let frame = visit.frame(Nav::Releases, visit.words.t("dossier-list-title"));
    Answer::page(&view(frame, visit.words, entry, &visit.asked, lines))
}

impl Going {
    fn of(app: &App, entry: &AtSite, snapshot: &Snapshot, at: Timestamp) -> Self {
        let mut going = Self::default();
        let published = snapshot.get(&entry.repository()).map(|site| site.approvals.all());
        for published in published.unwrap_or_default() {
            let approval = &published.approval;
            let image = approval.release.as_ref().map(|release| release.image_sha256);
            going.approved.extend(image.filter(|_| is_in_force(approval, at)));
        }
        let consent = app.views.consent();
        let rollouts = consent.site(&entry.site);
        for running in rollouts.iter().flat_map(|site| site.all_rollouts()) {
            let begun = match State::of(&running.waves) {
                State::Halted | State::Held | State::Running | State::Soaking => true,
                State::Planned | State::Done | State::Cancelled => false,
            };
            going.running.extend(begun.then_some(running.image.image_sha256));
        }
        going
    }
}

impl Standing {
    const ALL: [Self; 6] =
        [Self::New, Self::Running, Self::Approved, Self::Replaced, Self::Done, Self::Withdrawn];

    /// Of a release of which so many devices lack it; `newest` is the rank of the newest one offered.
    fn of(firmware: &Firmware, newest: Option<Seq>, affected: usize, going: &Going) -> Self {
        let image = &firmware.payload.image_sha256;
        if firmware.state == ReleaseState::Withdrawn {
            Self::Withdrawn
        } else if going.running.contains(image) {
            Self::Running
        } else if affected == 0 {
            Self::Done
        } else if going.approved.contains(image) {
            Self::Approved
        } else if newest.is_some_and(|newest| newest > firmware.seq) {
            Self::Replaced
        } else {
            Self::New
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Running => "running",
            Self::Approved => "approved",
            Self::Replaced => "replaced",
            Self::Done => "done",
            Self::Withdrawn => "withdrawn",
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::New => "warn",
            Self::Running | Self::Approved => "info",
            Self::Replaced => "",
            Self::Done => "good",
            Self::Withdrawn => "bad",
        }
    }
}

fn lines(w: Words, at: &AtSite, snapshot: &Snapshot, roster: &Roster, going: &Going) -> Vec<Line> {
    let mut lines = Vec::new();
    for (family, alike) in alike(&roster.members) {
        let Some(current) = snapshot.get(&RepositoryId::Family(family.clone())) else { continue };
        let offered = current.images.values().filter(|it| it.state == ReleaseState::Released);
        let newest = offered.map(|it| it.seq).max();
        let title = Names(snapshot).family(w, &family);
        let each = current.images.values();
        lines.extend(each.map(|it| line(w, at, &title, it, (&alike, newest, going))));
    }
    lines.sort_by(|a, b| {
        let key = |line: &Line| (line.standing, !line.exploited, line.family.clone());
        key(a).cmp(&key(b)).then_with(|| b.seq.cmp(&a.seq))
    });
    lines
}

fn alike(members: &[Member]) -> BTreeMap<FamilyId, Alike> {
    let mut families: BTreeMap<FamilyId, Alike> = BTreeMap::new();
    for member in members {
        let outline = &member.outline;
        let seq = outline.installed.as_ref().map(|image| image.seq);
        let alike = families.entry(outline.family.clone()).or_default();
        let count = alike.entry((outline.hardware.clone(), seq)).or_default();
        *count = count.saturating_add(1);
    }
    families
}

fn line(
    w: Words,
    at: &AtSite,
    title: &str,
    firmware: &Firmware,
    (alike, newest, going): (&Alike, Option<Seq>, &Going),
) -> Line {
    let fits = |hardware: &Option<HardwareId>| {
        hardware.as_ref().is_none_or(|own| firmware.hw.contains(own))
    };
    let fitting = alike.iter().filter(|((hardware, _), _)| fits(hardware));
    let lacks = |seq: Option<Seq>| seq.is_none_or(|seq| seq < firmware.seq);
    let affected = fitting.clone().filter(|((_, seq), _)| lacks(*seq));
    let affected = affected.map(|(_, count)| *count).sum();
    let standing = Standing::of(firmware, newest, affected, going);
    let class = match firmware.class {
        Class::Security => "security",
        Class::SecurityAndFix => "security-fix",
        Class::Feature => "feature",
    };
    let severity = w.t(&format!("dossier-severity-{}", severity_word(firmware.severity)));
    Line {
        standing,
        to: at.path(&format!("releases/{}/{}", firmware.family, firmware.version)),
        family: title.to_owned(),
        version: firmware.version.to_string(),
        class: standing.class(),
        state: w.t(&format!("dossier-list-state-{}", standing.word())),
        kind: w.t(&format!("dossier-class-{class}")),
        severity: w.t1("dossier-severity-badge", "word", severity),
        exploited: firmware.known_exploited,
        affected,
        fitting: fitting.map(|(_, count)| *count).sum(),
        seq: firmware.seq,
        of: firmware.family.clone(),
    }
}

fn view(frame: Frame, w: Words, at: &AtSite, asked: &Asked, mut lines: Vec<Line>) -> ListPage {
    let family: Option<FamilyId> = asked.query_as("family");
    let wanted = asked.query("state");
    let wanted = wanted.and_then(|word| Standing::ALL.into_iter().find(|it| it.word() == word));
    let all = lines.len();
    let list = at.path("releases");
    let families: BTreeMap<String, FamilyId> =
        lines.iter().map(|line| (line.family.clone(), line.of.clone())).collect();
    let families = families.into_iter();
    let families =
        families.map(|(name, id)| (id.to_string(), name, family.as_ref() == Some(&id))).collect();
    lines.retain(|line| family.as_ref().is_none_or(|family| line.of == *family));
    let to = |state: Option<Standing>| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(family.as_ref().map(|family| ("family", family.as_str())));
        query.extend_pairs(state.map(|state| ("state", state.word())));
        format!("{list}?{}", query.finish())
    };
    let chip = |state: Standing| {
        let n = lines.iter().filter(|line| line.standing == state).count();
        let text = w.t1(&format!("dossier-list-chip-{}", state.word()), "n", n);
        (n > 0 || wanted == Some(state)).then(|| (to(Some(state)), text, wanted == Some(state)))
    };
    let whole = (to(None), w.t1("dossier-list-chip-all", "n", lines.len()), wanted.is_none());
    let states = std::iter::once(whole).chain(Standing::ALL.into_iter().filter_map(chip)).collect();
    lines.retain(|line| wanted.is_none_or(|wanted| line.standing == wanted));
    let more = lines.len().saturating_sub(LINES_MAX);
    lines.truncate(LINES_MAX);
    ListPage {
        state: wanted.map(Standing::word),
        enrol: (all == 0 && at.may(SitePower::Administer)).then(|| at.path("enrol")),
        frame,
        w,
        list,
        states,
        families,
        lines,
        more,
        all,
    }
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use super::dossier_samples::firmware;
    use crate::console::sample::{Sample, asked, at_site, site_frame};
    let at = at_site(words);
    let frame = || site_frame(words, Nav::Releases, "dossier-list-title");
    let hw = || Some(HardwareId::new("infusion-a.rev2").unwrap());
    let alike = Alike::from([((hw(), Some(Seq(11))), 42), ((hw(), Some(Seq(12))), 3)]);
    let title = words.pick("Infusion pump X", "輸液ポンプX");
    let release = |seq: u64| {
        let state = match seq {
            5 => ReleaseState::Withdrawn,
            _ => ReleaseState::Released,
        };
        firmware(&format!("2.4.{seq}"), seq, state)
    };
    let mut going = Going::default();
    going.running.insert(release(12).payload.image_sha256);
    let known = (&alike, Some(Seq(13)), &going);
    let lines: Vec<Line> =
        (1..14).map(|seq| line(words, &at, title, &release(seq), known)).collect();
    let of = |n: Standing| lines.iter().filter(|line| line.standing == n).count();
    let counts = Standing::ALL.map(of);
    assert_eq!(counts, [1, 1, 0, 0, 10, 1], "new, running, approved, replaced, done, withdrawn");
    let page = |lines: Vec<Line>| view(frame(), words, &at, &asked(words), lines);
    let many = lines.iter().cycle().take(250).cloned().collect();
    vec![
        Sample::of("dossier/list.html", "some", &page(lines.clone())),
        Sample::of("dossier/list.html", "many", &page(many)),
        Sample::of("dossier/list.html", "none", &page(Vec::new())),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::dossier_samples::firmware;
    use super::*;

    #[test]
    fn a_release_stands_where_its_devices_and_approvals_put_it() {
        let release = |state| firmware("2.4.0", 10, state);
        let it = release(ReleaseState::Released);
        let image = it.payload.image_sha256;
        let none = Going::default();
        let approved = Going { approved: BTreeSet::from([image]), ..Going::default() };
        let running = Going { running: BTreeSet::from([image]), approved: BTreeSet::new() };
        let of = |newest: u64, affected, going: &Going| {
            Standing::of(&it, Some(Seq(newest)), affected, going)
        };
        assert_eq!(of(10, 3, &none), Standing::New);
        assert_eq!(of(11, 3, &none), Standing::Replaced);
        assert_eq!(of(10, 0, &none), Standing::Done);
        assert_eq!(of(11, 3, &approved), Standing::Approved);
        assert_eq!(of(10, 0, &approved), Standing::Done);
        assert_eq!(of(11, 0, &running), Standing::Running, "soaking is not done");
        let taken = release(ReleaseState::Withdrawn);
        assert_eq!(Standing::of(&taken, None, 3, &running), Standing::Withdrawn);
    }
}
