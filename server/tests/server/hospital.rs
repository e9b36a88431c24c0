//! A hospital in a test, below HTTP: its repository, devices with their ledgers, approvals, acts; one
//! or two servers on one database.

use crate::http::device::Device;
use crate::owner::Owner;
use crate::place::Place;
use patchward_protocol::act::{Act, Meaning, Subject};
use patchward_protocol::api::device::{CheckInReply, ReportRequest};
use patchward_protocol::api::site::Management;
use patchward_protocol::approval::{
    Action, Approval, ApprovalState, ApprovedDevice, ApprovedRelease, ClinicalCondition,
    Conditions, Gates, Need, NeededTime, RollbackTerms, Urgency, Wave,
};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::directive::Directive;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::gate::WaveCounters;
use patchward_protocol::id::{HardwareId, Seq, SiteId};
use patchward_protocol::image::ImageRef;
use patchward_protocol::key::{SecretKey, Signer as _};
use patchward_protocol::ledger::{
    ApprovalRef, Chain, Entry, Fact, Kind, SealedEntry, SigningMethod,
};
use patchward_protocol::slot::Slot;
use patchward_protocol::time::{TimeQuality, Timestamp};
use patchward_protocol::tuf::custom::{
    Acceptance, Class, Document, Documents, Estimate, Firmware, Format, Kind as Installer, Payload,
    ReleaseState, Severity,
};
use patchward_server::app::App;
use patchward_server::auth::api_token::Holder;
use patchward_server::db::device::{self, Said, StoredAgent, StoredDevice};
use patchward_server::db::rollout::{self, RolloutKey};
use patchward_server::db::{self, act};
use patchward_server::error::ApiError;
use patchward_server::fleet::check_in;
use patchward_server::record::report;
use std::sync::Arc;

/// Key seeds of the owner's targets role, and of its root role.
pub(crate) const TARGETS_SEED: u8 = 20;
pub(crate) const ROOT_SEED: u8 = 10;

pub(crate) fn north() -> SiteId {
    SiteId::new("north").unwrap()
}

/// Devices `pump-0`, `pump-1`, … of the site, stored before a server starts.
pub(crate) fn devices(place: &Place, count: u8) -> Vec<Device> {
    let devices: Vec<Device> =
        (0..count).map(|n| Device::new("north", &format!("pump-{n}"), n + 1)).collect();
    let at: Timestamp = crate::place::START.parse().unwrap();
    let rows: Vec<StoredDevice> = devices.iter().map(stored).collect();
    db::once(&place.url(), |conn| {
        for row in &rows {
            device::insert(conn, row, at)?;
        }
        Ok::<_, db::DbError>(())
    })
    .unwrap();
    devices
}

fn stored(device: &Device) -> StoredDevice {
    StoredDevice {
        site: device.site.clone(),
        device: device.device.clone(),
        management: Management::Agent,
        family: device.family.clone(),
        hardware: Some(HardwareId::new("a.rev2").unwrap()),
        agent: Some(StoredAgent {
            device_key: device.device_key.public(),
            link_key: device.link_key.public(),
            link_n: 1,
            chain: Chain::begin(device.ledger_id),
            forked: false,
        }),
        said: Said::default(),
    }
}

pub(crate) fn holder() -> Holder {
    Holder {
        id: "t1".to_owned(),
        label: "night shift".to_owned(),
        scope: patchward_protocol::api::token::Scope::Administrator,
        expires: "2030-01-01T00:00:00Z".parse().unwrap(),
    }
}

/// The site's repository, published without approvals; and an open family.
pub(crate) async fn site(app: &Arc<App>) -> Owner {
    site_and_family(app).await.0
}

pub(crate) async fn site_and_family(app: &Arc<App>) -> (Owner, Owner) {
    let owner = Owner::open(app, "site:north", app.clock.now()).await;
    owner.publish_first(app).await.unwrap();
    (owner, Owner::open(app, "family:acme.a", app.clock.now()).await)
}

/// Lists approvals and publishes; devices of both servers learn of them.
pub(crate) async fn publish(app: &Arc<App>, owner: &mut Owner, approvals: &[&Approval]) {
    owner.targets.version += 1;
    owner.targets.issued = app.clock.now();
    owner.targets.targets.clear();
    for approval in approvals {
        let bytes = approval.write().unwrap();
        owner.add(app, &format!("approval/{}.json", approval.id), &bytes).await;
    }
    owner.publish_targets(app).await.unwrap();
}

pub(crate) fn image() -> ImageRef {
    ImageRef {
        family: "acme.a".parse().unwrap(),
        version: "2.0.0".parse().unwrap(),
        seq: Seq(2),
        image_sha256: Sha256Digest::of(b"image"),
    }
}

/// An approval of [`image`] for these devices, each with its wave: nothing to soak, one updated device
/// opens the next wave, no failure is allowed.
pub(crate) fn approval(
    id: &str,
    serial: u64,
    at: Timestamp,
    devices: &[(&Device, u32)],
) -> Approval {
    let slot = Slot::new(at.plus_seconds(3600), at.plus_seconds(7200)).unwrap();
    let device = |(device, wave): &(&Device, u32)| ApprovedDevice {
        id: device.device.clone(),
        key: device.device_key.public(),
        wave: *wave,
        slots: vec![slot],
        attended: false,
        pair: None,
    };
    let last = devices.iter().map(|(_, wave)| *wave).max().unwrap();
    let wave = |n: u32| Wave {
        n,
        not_before: at,
        soak_s: 0,
        min_updated: u32::from(n > 0),
        min_clinical_use_h: 0,
    };
    Approval {
        v: 1,
        id: id.parse().unwrap(),
        site: north(),
        serial,
        issued: at,
        valid_until: at.plus_seconds(86_400),
        action: Action::Install,
        urgency: Urgency::Routine,
        state: ApprovalState::Active,
        release: Some(ApprovedRelease {
            family: image().family,
            version: image().version,
            seq: image().seq,
            path: "img/a-2.0.0.tar".parse().unwrap(),
            image_sha256: image().image_sha256,
            image_length: 5,
            dossier_sha256: Sha256Digest::of(b"dossier"),
        }),
        standing: None,
        devices: devices.iter().map(device).collect(),
        conditions: Conditions {
            clinical_state: ClinicalCondition::Idle,
            settle_s: 1,
            mains: Need::Advisory,
            battery_min: 0,
            acceptance: Need::Advisory,
            time: NeededTime::Attested,
            offline_ok: false,
        },
        waves: (0..=last).map(wave).collect(),
        gates: Gates { halt_permille: vec![0], silent_after_s: 3600 },
        rollback: RollbackTerms { automatic: true, to: vec![] },
        tz: "Asia/Tokyo".into(),
        supersedes: None,
        snapshot: None,
    }
}

pub(crate) fn digest(approval: &Approval) -> Sha256Digest {
    Sha256Digest::of(&approval.write().unwrap())
}

/// What a device writes about an approval.
pub(crate) fn fact(kind: Kind, approval: &Approval) -> Fact {
    let mut fact = Fact::new(kind);
    fact.release = Some(image());
    fact.approval = Some(ApprovalRef {
        sha256: digest(approval),
        id: approval.id.clone(),
        weakest_method: SigningMethod::Offline,
    });
    fact
}

/// The next entry of a device's ledger.
pub(crate) fn tell(device: &mut Device, at: Timestamp, fact: Fact) -> SealedEntry {
    let before = device.entries.last();
    let entry = Entry {
        v: 1,
        device: device.device.clone(),
        ledger_id: device.ledger_id,
        seq: before.map_or(1, |before| before.entry.seq + 1),
        prev_sha256: before.map(|before| before.sha256),
        at: Some(at),
        time_quality: TimeQuality::Attested,
        boot_count: 1,
        fact,
    };
    let sealed = SealedEntry::seal(entry, &device.device_key).unwrap();
    device.entries.push(sealed.clone());
    sealed
}

/// A device delivers entries.
pub(crate) async fn deliver(
    app: &App,
    device: &Device,
    entries: &[SealedEntry],
) -> Result<(), ApiError> {
    let (site, id) = (device.site.clone(), device.device.clone());
    let request = ReportRequest { site, device: id, entries: Vec::new(), log_size_seen: None };
    let envelopes = entries.iter().map(|sealed| sealed.envelope.clone()).collect();
    report::report(app, report::verify(&app.fleet, &request, envelopes)?).await.map(drop)
}

/// A device goes through an update up to these kinds and says so.
pub(crate) async fn goes(app: &Arc<App>, device: &mut Device, approval: &Approval, kinds: &[Kind]) {
    let at = app.clock.now();
    let entries: Vec<_> =
        kinds.iter().map(|kind| tell(device, at, fact(*kind, approval))).collect();
    deliver(app, device, &entries).await.unwrap();
    app.reload().await.unwrap();
}

/// A poll; `n` must rise.
pub(crate) async fn ask(app: &App, device: &Device, n: u64) -> CheckInReply {
    let asking = check_in::verify(&app.fleet, &device.sealed(&device.poll(1, n))).unwrap();
    check_in::check_in(app, asking).await.unwrap()
}

pub(crate) async fn told(app: &App, device: &Device, n: u64) -> Directive {
    ask(app, device, n).await.directive
}

/// The waves that a device is told are open.
pub(crate) async fn open(app: &App, device: &Device, n: u64) -> Vec<u32> {
    told(app, device, n).await.open.iter().map(|open| open.wave).collect()
}

pub(crate) fn key(approval: &Approval) -> RolloutKey {
    let image = approval.release.as_ref().map_or(image().image_sha256, |of| of.image_sha256);
    RolloutKey { site: north(), approval: digest(approval), image }
}

pub(crate) async fn waves(app: &App, approval: &Approval) -> Vec<WaveCounters> {
    let key = key(approval);
    let waves = app.db.read(move |conn| rollout::waves(conn, &key)).await.unwrap();
    waves.into_iter().map(|wave| wave.counters).collect()
}

pub(crate) async fn states(app: &App, approval: &Approval) -> Vec<&'static str> {
    waves(app, approval).await.iter().map(|counters| counters.state.code()).collect()
}

/// Acts about the site, by their word.
pub(crate) async fn acts(app: &App) -> Vec<String> {
    let acts = app.db.read(|conn| act::about(conn, "site:north")).await.unwrap();
    acts.into_iter().map(|(_, act, _)| act).collect()
}

/// What the person says whom the root names beside the keys.
pub(crate) fn act(at: Timestamp, subject: Subject, meaning: Meaning) -> Act {
    Act {
        v: 1,
        site: north(),
        subject,
        person: "tanaka".parse().unwrap(),
        name: "Tanaka Hanako".to_owned(),
        role: "clinical engineer".to_owned(),
        meaning,
        reason: "looked at it".to_owned(),
        at,
        tz: "Asia/Tokyo".to_owned(),
        compensating: None,
        log_size: None,
        log_root: None,
    }
}

pub(crate) fn signed(seed: u8, act: &Act) -> Envelope {
    Envelope::seal(PayloadType::Act, act, &SecretKey::from_seed(&[seed; 32])).unwrap()
}

/// A release of `acme.a`: its documents and its image are uploaded and listed; publishing is the
/// caller's.
pub(crate) async fn release(
    app: &Arc<App>,
    family: &mut Owner,
    seq: u64,
    class: Class,
) -> Firmware {
    let mut documents = Vec::new();
    for name in ["dossier", "sbom", "notes-ja", "notes-en"] {
        let (path, bytes) = (format!("doc/{seq}.{name}"), format!("{name} of {seq}").into_bytes());
        family.add(app, &path, &bytes).await;
        let (path, sha256) = (path.parse().unwrap(), Sha256Digest::of(&bytes));
        documents.push(Document { path, sha256 });
    }
    let mut documents = documents.into_iter();
    let mut document = || documents.next().unwrap();
    let bytes = format!("image {seq}").into_bytes();
    let firmware = Firmware {
        v: 1,
        family: "acme.a".parse().unwrap(),
        version: format!("{seq}.0.0").parse().unwrap(),
        seq: Seq(seq),
        hw: vec![HardwareId::new("a.rev2").unwrap()],
        min_seq: Seq(0),
        rollback_ok: vec![],
        class,
        severity: Severity::High,
        cves: vec![],
        known_exploited: false,
        state: ReleaseState::Released,
        payload: Payload {
            format: Format::Raw,
            kind: Installer::Slots,
            image_sha256: Sha256Digest::of(&bytes),
            image_length: u64::try_from(bytes.len()).unwrap(),
            slot_bytes: 1024,
            table_sha256: None,
        },
        est: Estimate { activate_s: 1, boot_s: 1, health_s: 1, rollback_s: 1 },
        therapy: false,
        acceptance: Acceptance::None,
        docs: Documents {
            dossier: document(),
            sbom: document(),
            notes_ja: document(),
            notes_en: document(),
        },
    };
    let path = format!("img/a-{seq}.img");
    family.add(app, &path, &bytes).await;
    family.describe(&path, &firmware);
    firmware
}

/// Publishes what the family lists, its root too the first time.
pub(crate) async fn publish_family(app: &Arc<App>, family: &mut Owner) {
    let first = app.snapshot().get(&family.id).unwrap().documents.is_none();
    family.targets.issued = app.clock.now();
    if first {
        family.publish_first(app).await.unwrap();
    } else {
        family.targets.version += 1;
        family.publish_targets(app).await.unwrap();
    }
}
