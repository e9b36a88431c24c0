//! A family's repository in the double, published by documents made here: one image, its holes and
//! its way back.

use crate::double::Double;
use crate::log::{at, key};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{
    FamilyId, HardwareId, PersonId, RepositoryId, Seq, TargetPath, Version,
};
use patchward_protocol::key::Signer as _;
use patchward_protocol::tuf::build::{
    FileSpec, KeySpec, RoleSpec, RootSpec, SnapshotSpec, TargetSpec, TargetsSpec, TimestampSpec,
};
use patchward_protocol::tuf::custom::{
    Acceptance, Class, Document, Documents, Estimate, Firmware, Format, Kind, Payload,
    ReleaseState, Severity,
};
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::Root;
use patchward_protocol::tuf::stage::Staged;
use std::collections::BTreeMap;

pub(crate) const FAMILY: &str = "acme.infusion-a";
pub(crate) const CVE: &str = "CVE-2026-2222";

fn repository() -> RepositoryId {
    RepositoryId::Family(FamilyId::new(FAMILY).unwrap())
}

/// Publishes release 2.0.0 in the double; returns the family's root.
pub(crate) fn serve(server: &Double) -> Vec<u8> {
    let root = root();
    let named: Root = Staged::read(Role::Root, &root).unwrap().typed().unwrap().signed;
    let sign = |mut staged: Staged, seeds: &[u8]| {
        let asked = staged.asked(Some(&named)).unwrap();
        seeds.iter().for_each(|seed| staged.sign(&key(*seed), &asked).unwrap());
        staged.to_bytes()
    };
    let firmware = serde_json::to_value(firmware()).unwrap();
    let target = TargetSpec {
        length: 9,
        sha256: Sha256Digest::of(b"2.0.0"),
        custom: [("fw".to_owned(), firmware)].into_iter().collect(),
    };
    let name = TargetPath::new("img/pump.pwt").unwrap();
    let targets = TargetsSpec {
        repository: repository(),
        version: 1,
        issued: at(0),
        expires: at(300),
        targets: BTreeMap::from([(name, target)]),
        delegations: vec![],
    };
    let targets = sign(targets.staged(Role::Targets).unwrap(), &[45, 46]);
    let files = BTreeMap::from([("targets".to_owned(), FileSpec::of(1, &targets))]);
    let snapshot = SnapshotSpec { repository: repository(), version: 1, expires: at(20), files };
    let snapshot = sign(snapshot.staged().unwrap(), &[48]);
    let listed = FileSpec::of(1, &snapshot);
    let (issued, expires) = (at(0), at(6));
    let timestamp =
        TimestampSpec { repository: repository(), version: 1, issued, expires, snapshot: listed };
    let timestamp = sign(timestamp.staged().unwrap(), &[49]);
    let mut state = server.state.lock().unwrap();
    let named = [
        ("1.root.json", root.clone()),
        ("1.targets.json", targets),
        ("1.snapshot.json", snapshot),
        ("timestamp.json", timestamp),
    ];
    for (file, bytes) in named {
        state.files.insert(format!("family/{FAMILY}/metadata/{file}"), bytes);
    }
    root
}

fn root() -> Vec<u8> {
    let people = |seeds: [u8; 3]| RoleSpec {
        keys: seeds
            .map(|seed| KeySpec {
                public: key(seed).public(),
                person: Some(PersonId::new(&format!("maker-{seed}")).unwrap()),
                method: None,
            })
            .to_vec(),
        threshold: 2,
    };
    let online = |seed| RoleSpec {
        keys: vec![KeySpec { public: key(seed).public(), person: None, method: None }],
        threshold: 1,
    };
    let spec = RootSpec {
        repository: repository(),
        version: 1,
        issued: at(0),
        expires: at(365),
        root: people([42, 43, 44]),
        targets: people([45, 46, 47]),
        snapshot: online(48),
        timestamp: online(49),
        weakest: None,
        time_keys: vec![],
    };
    let mut staged = spec.staged().unwrap();
    let asked = staged.asked(None).unwrap();
    [42, 43].iter().for_each(|seed| staged.sign(&key(*seed), &asked).unwrap());
    staged.to_bytes()
}

fn firmware() -> Firmware {
    let document = |name: &str| Document {
        path: TargetPath::new(&format!("doc/{name}")).unwrap(),
        sha256: Sha256Digest::of(name.as_bytes()),
    };
    Firmware {
        v: 1,
        family: FamilyId::new(FAMILY).unwrap(),
        version: Version::new("2.0.0").unwrap(),
        seq: Seq(2),
        hw: vec![HardwareId::new("rev2").unwrap()],
        min_seq: Seq(1),
        rollback_ok: vec![Seq(1)],
        class: Class::Security,
        severity: Severity::High,
        cves: vec![CVE.to_owned()],
        known_exploited: false,
        state: ReleaseState::Released,
        payload: Payload {
            format: Format::Tree,
            kind: Kind::Tree,
            image_sha256: Sha256Digest::of(b"2.0.0"),
            image_length: 9,
            slot_bytes: 9,
            table_sha256: None,
        },
        est: Estimate { activate_s: 2, boot_s: 60, health_s: 60, rollback_s: 60 },
        therapy: false,
        acceptance: Acceptance::None,
        docs: Documents {
            dossier: document("dossier"),
            sbom: document("sbom"),
            notes_ja: document("ja"),
            notes_en: document("en"),
        },
    }
}
