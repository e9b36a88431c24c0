//! The first screen of a new hospital, of a busy one, and of a quiet one.

use super::{Known, RunningWave, view};
use crate::consent::week::Group;
use crate::console::frame::Nav;
use crate::console::pages::devices::list::list_samples::{family, hospital, image};
use crate::console::sample::{Sample, noon, site_frame};
use crate::console::words::Words;
use crate::db::notice::Notice;
use crate::fleet::roster::Roster;
use crate::notify::said::Names;
use crate::notify::subject::{NoticeId, Severity, Subject, Trouble};
use crate::people::role::Place;
use crate::publish::current::Snapshot;
use patchward_protocol::approval::{Action, ApprovedRelease};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::gate::{Halt, WaveState};
use patchward_protocol::id::{DeviceId, TargetPath, WardId};
use patchward_protocol::inventory::Inventory;

fn notice(subject: Subject, severity: Severity, due_h: Option<i64>) -> Notice {
    let place = Place::Site(patchward_protocol::id::SiteId::new("city-hospital").unwrap());
    Notice {
        id: NoticeId::of(&place, &subject),
        place,
        subject,
        severity,
        created: noon().plus_seconds(-3600),
        due: due_h.map(|hours| noon().plus_seconds(hours * 3600)),
        step: 0,
        step_due: None,
        acknowledged: None,
        closed: None,
    }
}

fn matters() -> Vec<Notice> {
    let release = |version: &str| Subject::Release {
        family: family(),
        image_sha256: Sha256Digest::of(version.as_bytes()),
        version: patchward_protocol::id::Version::new(version).unwrap(),
        seq: patchward_protocol::id::Seq(12),
        put_off: None,
    };
    let halt = Subject::Halt {
        family: family(),
        approval_sha256: Sha256Digest::of(b"approval"),
        image_sha256: Sha256Digest::of(b"image"),
        wave: 1,
        halts: 1,
        because: "failed".to_owned(),
    };
    let device = Subject::Device {
        family: family(),
        device: DeviceId::new("pump-0042").unwrap(),
        trouble: Trouble::Silent,
        mark: Sha256Digest::of(b"mark"),
    };
    let support = Subject::Support { family: family(), ends: noon().plus_seconds(90 * 86_400) };
    let mut all = vec![
        notice(release("2.4.1"), Severity::Urgent, Some(31)),
        notice(halt, Severity::Urgent, Some(-3)),
        notice(release("2.5.0"), Severity::Important, Some(9 * 24)),
        notice(device, Severity::Important, None),
        notice(support, Severity::Normal, Some(90 * 24)),
    ];
    all.extend((0..20).map(|n| notice(release(&format!("3.{n}.0")), Severity::Normal, None)));
    all
}

fn week() -> Vec<Group> {
    let image = image(1);
    let group = |n: i64, ward: Option<&str>, action: Action| Group {
        start: noon().plus_seconds(n * 86_400),
        end: noon().plus_seconds(n * 86_400 + 7200),
        ward: ward.map(|ward| WardId::new(ward).unwrap()),
        release: ApprovedRelease {
            family: image.family.clone(),
            version: image.version.clone(),
            seq: image.seq,
            image_sha256: image.image_sha256,
            path: TargetPath::new("img/infusion-a-2.4.1.pwd").unwrap(),
            image_length: 1,
            dossier_sha256: Sha256Digest::of(b"dossier"),
        },
        action,
        wave: 0,
        approval_sha256: Sha256Digest::of(b"approval"),
        devices: vec![DeviceId::new("pump-0001").unwrap(); usize::try_from(n).unwrap_or(0) + 1],
        in_service: ward.map(|_| (18, 20)),
    };
    vec![
        group(0, Some("1-east"), Action::Install),
        group(1, Some("5-east"), Action::Install),
        group(3, None, Action::Rollback),
    ]
}

fn waves(w: Words) -> Vec<RunningWave> {
    let wave = |n: u32, state: WaveState| RunningWave {
        what: w.t2("today-release", "family", "acme.infusion-a", "version", "2.4.1"),
        wave: n,
        state,
        updated: 4,
        devices: 12,
        failed: u32::from(matches!(state, WaveState::Halted(_))),
        soak_until: Some(noon().plus_seconds(21 * 3600)),
        link: "/console/sites/city-hospital/rollouts/00".to_owned(),
    };
    vec![
        wave(1, WaveState::Halted(Halt::Failed)),
        wave(0, WaveState::Soaking),
        wave(2, WaveState::Open),
    ]
}

pub(in crate::console) fn samples(words: Words) -> Vec<Sample> {
    let snapshot = Snapshot::default();
    let frame = || site_frame(words, Nav::Today, "today-title");
    let (at, roster) = hospital(words, 400);
    let (matters, week) = (matters(), week());
    let busy = Known {
        matters: &matters,
        week: &week,
        waves: waves(words),
        roster: &roster,
        inventory: &at.inventory,
        names: Names(&snapshot),
        at: noon(),
    };
    let quiet = Known { matters: &[], week: &[], waves: Vec::new(), ..busy };
    let quiet = view(frame(), words, &at, quiet);
    let busy = Known {
        matters: &matters,
        week: &week,
        waves: waves(words),
        roster: &roster,
        inventory: &at.inventory,
        names: Names(&snapshot),
        at: noon(),
    };
    let nothing = Inventory::empty(at.site.clone(), "Asia/Tokyo");
    let nobody = Roster::default();
    let new = Known {
        matters: &[],
        week: &[],
        waves: Vec::new(),
        roster: &nobody,
        inventory: &nothing,
        names: Names(&snapshot),
        at: noon(),
    };
    vec![
        Sample::of("today/today.html", "new", &view(frame(), words, &at, new)),
        Sample::of("today/today.html", "busy", &view(frame(), words, &at, busy)),
        Sample::of("today/today.html", "quiet", &quiet),
    ]
}
