//! A family with containers whose one release may become the other by a delta, for tests.

use crate::deltas::{a_device_trusts, delegate};
use crate::owner::Owner;
use patchward_protocol::api::delta::{DeltaState, DeltasView};
use patchward_protocol::api::repository::Reading;
use patchward_protocol::api::site::Management;
use patchward_protocol::delta::apply;
use patchward_protocol::delta::build::{self, Parameters};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{DeviceId, LedgerId, Seq};
use patchward_protocol::image::ImageRef;
use patchward_protocol::key::{SecretKey, Signer as _};
use patchward_protocol::ledger::Chain;
use patchward_protocol::tuf::custom::{
    Acceptance, Class, Document, Documents, Estimate, Firmware, Format, Kind, Payload,
    ReleaseState, Severity,
};
use patchward_server::app::App;
use patchward_server::db::device::{Said, StoredAgent, StoredDevice};
use patchward_server::delta::build::Builder;
use patchward_server::delta::child::Program;
use patchward_server::delta::{status, survey};
use patchward_server::fleet::table::Words;
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) const FAMILY: &str = "family:acme.pump";
/// Length of the images of these tests.
pub(crate) const LENGTH: usize = 300_000;

pub(crate) fn real() -> Program {
    Program::at(Path::new(env!("CARGO_BIN_EXE_patchward-server")))
}

pub(crate) fn builder(app: &Arc<App>, name: &str) -> Builder {
    Builder::named(app, real(), name.to_owned())
}

/// Images of which one is the other with some changes.
pub(crate) fn image(seq: u64) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u64;
    let mut bytes: Vec<u8> = (0..LENGTH)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_le_bytes()[7]
        })
        .collect();
    for n in 1..seq as usize {
        bytes[n * 10_000..n * 10_000 + 500].fill(n as u8);
    }
    bytes
}

pub(crate) fn container(image: &[u8]) -> (Vec<u8>, Sha256Digest) {
    let mut file = Cursor::new(Vec::new());
    let parameters = Parameters { window: 64 * 1024, level: 3, ..Parameters::default() };
    let built = build::full(image, &mut file, &parameters, &|_| {}).unwrap();
    (file.into_inner(), built.table_sha256)
}

/// Puts an image in its container among the targets; nothing is published yet.
pub(crate) async fn release(app: &Arc<App>, owner: &mut Owner, seq: u64, image: &[u8]) -> String {
    let mut documents = Vec::new();
    for name in ["dossier", "sbom", "notes-ja", "notes-en"] {
        let (path, bytes) = (format!("doc/{seq}.{name}"), format!("{name} of {seq}").into_bytes());
        owner.add(app, &path, &bytes).await;
        documents.push(Document { path: path.parse().unwrap(), sha256: Sha256Digest::of(&bytes) });
    }
    let mut documents = documents.into_iter();
    let mut document = || documents.next().unwrap();
    let (file, table_sha256) = container(image);
    let firmware = Firmware {
        v: 1,
        family: "acme.pump".parse().unwrap(),
        version: format!("{seq}.0.0").parse().unwrap(),
        seq: Seq(seq),
        hw: vec!["pump.rev1".parse().unwrap()],
        min_seq: Seq(0),
        rollback_ok: vec![],
        class: Class::Security,
        severity: Severity::High,
        cves: vec![],
        known_exploited: false,
        state: ReleaseState::Released,
        payload: Payload {
            format: Format::Pwd1,
            kind: Kind::Slots,
            image_sha256: Sha256Digest::of(image),
            image_length: image.len() as u64,
            slot_bytes: image.len() as u64,
            table_sha256: Some(table_sha256),
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
    let path = format!("img/pump-{seq}.pwd");
    owner.add(app, &path, &file).await;
    owner.describe(&path, &firmware);
    path
}

/// A family with two releases, of which one may become the other by a delta.
pub(crate) async fn family(app: &Arc<App>) -> Owner {
    family_for(app, Reading::Public).await
}

pub(crate) async fn family_for(app: &Arc<App>, reading: Reading) -> Owner {
    let mut owner = Owner::open_for(app, FAMILY, reading, app.clock.now()).await;
    delegate(app, &mut owner);
    release(app, &mut owner, 1, &image(1)).await;
    owner.publish_first(app).await.unwrap();
    release(app, &mut owner, 2, &image(2)).await;
    owner.targets.version = 2;
    owner.publish_targets(app).await.unwrap();
    owner
}

pub(crate) async fn plan(app: &Arc<App>) -> usize {
    survey::survey(app, &mut survey::Seen::default()).await.unwrap()
}

pub(crate) async fn shown(app: &App) -> DeltasView {
    status::list(app, &FAMILY.parse().unwrap()).await.unwrap()
}

pub(crate) async fn states(app: &App) -> Vec<DeltaState> {
    shown(app).await.pairs.into_iter().map(|pair| pair.state).collect()
}

/// Takes the one delta as a device does; returns the image that it makes.
pub(crate) fn taken(app: &App, owner: &Owner) -> Vec<u8> {
    let set = a_device_trusts(app, owner);
    let deltas = set.deltas().unwrap();
    let [delta] = deltas.as_slice() else { panic!("{} deltas", deltas.len()) };
    let target = set.image(&delta.facts.to.path).unwrap().unwrap();
    assert!(delta.leads_to(&target));
    let blob = app.blobs.get(&delta.file.sha256).unwrap().unwrap();
    assert_eq!(blob.length(), delta.file.length);
    let file = blob.read_at(0, delta.file.length as usize).unwrap();
    assert_eq!(Sha256Digest::of(&file), delta.file.sha256);
    let (mut made, table) = (Vec::new(), Some(delta.facts.table_sha256));
    let write = &mut |_: u64, window: &[u8]| {
        made.extend_from_slice(window);
        Ok(())
    };
    let old = image(delta.facts.from.seq.0);
    let head =
        apply::whole(&mut Cursor::new(file), table, &mut old.as_slice(), write, &|_| {}).unwrap();
    assert_eq!(head.header.memory_bytes(), delta.facts.mem_bytes);
    made
}

/// A program that does `first` when it is first called and then is the worker.
pub(crate) fn script(place: &Path, first: &str) -> PathBuf {
    let (path, called) = (place.join("worker.sh"), place.join("called"));
    let (real, called) = (env!("CARGO_BIN_EXE_patchward-server"), called.display());
    let text = format!(
        "#!/bin/sh\nif [ ! -e {called} ]; then\n: > {called}\n{first}\nfi\nexec {real} \"$@\"\n"
    );
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A device that says that it runs this image.
pub(crate) fn says(app: &App, n: u64, image: &[u8], seq: u64) {
    let device: DeviceId = "pump-1".parse().unwrap();
    let (site, family) = ("north".parse().unwrap(), "acme.pump".parse().unwrap());
    let key = |seed| SecretKey::from_seed(&[seed; 32]).public();
    if app.fleet.count() == 0 {
        app.fleet.put(&StoredDevice {
            site,
            device: device.clone(),
            management: Management::Agent,
            family,
            hardware: None,
            agent: Some(StoredAgent {
                device_key: key(1),
                link_key: key(2),
                link_n: 1,
                chain: Chain::begin(LedgerId::from_random([7; 16])),
                forked: false,
            }),
            said: Said::default(),
        });
    }
    let known = app.fleet.known(&"north".parse().unwrap(), &device).unwrap();
    let installed = ImageRef {
        family: known.family,
        version: format!("{seq}.0.0").parse().unwrap(),
        seq: Seq(seq),
        image_sha256: Sha256Digest::of(image),
    };
    let words = Words { installed: Some(installed), ..Words::default() };
    app.fleet.accept(known.row, (1, n), words, app.clock.now()).unwrap();
}
