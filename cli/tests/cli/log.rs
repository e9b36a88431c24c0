//! A hospital's record in memory: two devices, two people, a rollback by itself and one by order.
//!
//! It is served by the double as a server would serve it; a test bends it where it likes.
#![allow(clippy::as_conversions, reason = "a test counts")]

use crate::double::Double;
use base64::Engine as _;
use patchward_protocol::act::{Act, CompensatingControl, Meaning, Subject};
use patchward_protocol::approval::{
    Action, Approval, ApprovalState, ApprovedDevice, ApprovedRelease, ClinicalCondition,
    Conditions, Gates, Need, NeededTime, RollbackTerms, Urgency, Wave,
};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::id::{
    ApprovalId, DeviceId, FamilyId, LedgerId, PersonId, RepositoryId, Seq, SiteId, TargetPath,
    Version,
};
use patchward_protocol::image::ImageRef;
use patchward_protocol::key::{SecretKey, Signer as _};
use patchward_protocol::ledger::{
    ApprovalRef, ClinicalState, Entry, Fact, Kind, SealedEntry, SigningMethod,
};
use patchward_protocol::merkle::memory::Tree;
use patchward_protocol::merkle::tile::{Holds, Tile, write_entries};
use patchward_protocol::reason::Reason;
use patchward_protocol::record::checkpoint::{Checkpoint, verifier_key};
use patchward_protocol::record::entry::{Body, RecordEntry, ServerAct};
use patchward_protocol::slot::Slot;
use patchward_protocol::time::{TimeQuality, Timestamp};
use patchward_protocol::tuf::build::{KeySpec, RoleSpec, RootSpec};
use patchward_protocol::tuf::schema::Method;
use serde_json::{Value, json};
use std::sync::OnceLock;

pub(crate) const SITE: &str = "city-hospital";
/// Text that a person typed, or somebody who would like to run code in the auditor's browser.
pub(crate) const ODD: &str = "=cmd|'/c calc'!A1 <script>alert(1)</script> 再起動\u{202e}";

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

pub(crate) fn site() -> SiteId {
    SiteId::new(SITE).unwrap()
}

#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) lines: Vec<Vec<u8>>,
    /// Ledgers by the seed of the device's key.
    heads: Vec<(u8, SealedEntry)>,
}

impl Log {
    /// Nothing in it.
    pub(crate) fn empty() -> Self {
        Self { lines: Vec::new(), heads: Vec::new() }
    }

    /// A year in a hospital.
    pub(crate) fn year() -> Self {
        let mut log = Self::empty();
        log.server("publish", json!({"targets": 1}));
        log.join("pump-1", 31);
        log.join("pump-2", 32);
        log.server(
            "place-device",
            json!({"device": "pump-1", "kind": "pump", "ward": "5e", "ward_en": "5 East <b>",
                   "ward_ja": "五階東", "udi": "(01)04912345678904(21)7", "serial_number": "SN-7"}),
        );
        log.device(31, "pump-1", Fact::new(Kind::Enrolled));
        log.device(32, "pump-2", Fact::new(Kind::Enrolled));
        log.approve(5, "install-1", Meaning::Approved, None);
        log.approve(6, "install-1", Meaning::Approved, None);
        let update = |kind| about(kind, "2.0.0", 2, Some(("1.0.0", 1)), "install-1");
        for kind in [Kind::Approved, Kind::Staged, Kind::Activating, Kind::Trial] {
            log.device(31, "pump-1", update(kind));
        }
        let mut back = update(Kind::RollingBack).because(Reason::HealthFailed);
        back.detail = Some("probe ended with 3 <i>".to_owned());
        back.clinical_state = Some(ClinicalState::Idle);
        log.device(31, "pump-1", back);
        log.device(31, "pump-1", update(Kind::RolledBack).because(Reason::HealthFailed));
        for kind in [Kind::Approved, Kind::Committed] {
            log.device(32, "pump-2", update(kind));
        }
        log.server("hold", json!({"target": "site", "reason": ODD, "owner": "佐藤"}));
        let control = CompensatingControl {
            cves: vec!["CVE-2026-1111".to_owned()],
            control: "network isolation".to_owned(),
            owner: "情報システム課".to_owned(),
            due: at(90),
        };
        log.approve(5, "back-1", Meaning::RollbackAuthorised, Some(control));
        for kind in [Kind::Approved, Kind::Committed] {
            let mut fact = about(kind, "1.0.0", 1, Some(("2.0.0", 2)), "back-1");
            fact.action = Some(Action::Rollback);
            log.device(32, "pump-2", fact);
        }
        log.add(Body::Note(ServerAct::new("server", "ledger-fork", json!({"device": "pump-2"}))));
        log
    }

    pub(crate) fn add(&mut self, body: Body) {
        let n = self.lines.len() as u64;
        let entry = RecordEntry { v: 1, site: site(), n, at: at(n as i64), body };
        self.lines.push(entry.to_bytes().unwrap());
    }

    pub(crate) fn server(&mut self, word: &str, detail: Value) {
        self.add(Body::Server(ServerAct::new("token-1", word, detail)));
    }

    pub(crate) fn join(&mut self, device: &str, seed: u8) {
        let ledger = LedgerId::from_random([seed; 16]);
        let detail =
            json!({"device": device, "device_key": key(seed).public(), "ledger_id": ledger});
        self.server("enrol", detail);
    }

    /// The next entry of a device's ledger.
    pub(crate) fn device(&mut self, seed: u8, device: &str, fact: Fact) {
        let before = self.heads.iter().rev().find(|(of, _)| *of == seed).map(|(_, sealed)| sealed);
        let entry = Entry {
            v: 1,
            device: DeviceId::new(device).unwrap(),
            ledger_id: LedgerId::from_random([seed; 16]),
            seq: before.map_or(1, |sealed| sealed.entry.seq + 1),
            prev_sha256: before.map(|sealed| sealed.sha256),
            at: Some(at(self.lines.len() as i64)),
            time_quality: TimeQuality::Attested,
            boot_count: 1,
            fact,
        };
        let sealed = SealedEntry::seal(entry, &key(seed)).unwrap();
        self.heads.push((seed, sealed.clone()));
        self.add(Body::Ledger(sealed.envelope));
    }

    /// A person's signed act on an approval, after seeing the record as it is.
    pub(crate) fn approve(
        &mut self,
        seed: u8,
        approval: &str,
        meaning: Meaning,
        compensating: Option<CompensatingControl>,
    ) {
        let tree = self.tree();
        let seen = (tree.size(), tree.root());
        self.approve_after(seed, approval, meaning, compensating, seen);
    }

    pub(crate) fn approve_after(
        &mut self,
        seed: u8,
        approval: &str,
        meaning: Meaning,
        compensating: Option<CompensatingControl>,
        (size, root): (u64, Sha256Digest),
    ) {
        let act = Act {
            v: 1,
            site: site(),
            subject: Subject::Approval {
                approval: ApprovalId::new(approval).unwrap(),
                approval_sha256: Sha256Digest::of(approval.as_bytes()),
                targets_version: 2,
                targets_sha256: Sha256Digest::of(b"targets"),
            },
            person: PersonId::new(&format!("person-{seed}")).unwrap(),
            name: "田中 花子".to_owned(),
            role: "臨床工学技士".to_owned(),
            meaning,
            reason: ODD.to_owned(),
            at: at(size as i64),
            tz: "Asia/Tokyo".to_owned(),
            compensating,
            log_size: Some(size),
            log_root: Some(root),
        };
        self.add(Body::Act(Envelope::seal(PayloadType::Act, &act, &key(seed)).unwrap()));
    }

    pub(crate) fn tree(&self) -> Tree {
        Tree::of(self.lines.iter().map(Vec::as_slice))
    }

    pub(crate) fn checkpoint(&self) -> String {
        let tree = self.tree();
        let end = Checkpoint { site: site(), size: tree.size(), root: tree.root() };
        end.sign(&record_key()).unwrap()
    }

    /// Lets the double show this record and the site's root.
    pub(crate) fn serve(&self, server: &Double) {
        let mut state = server.state.lock().unwrap();
        let (prefix, tree) = (format!("/v1/sites/{SITE}/record"), self.tree());
        let public = record_key().public();
        let view = json!({
            "record_key": public, "verifier_key": verifier_key(&site(), &public),
            "size": tree.size(), "root": tree.root(),
        });
        state.raw.clear();
        state.raw.insert(prefix.clone(), serde_json::to_vec(&view).unwrap());
        state.raw.insert(format!("{prefix}/checkpoint"), self.checkpoint().into_bytes());
        for (tile, bytes) in tree.hash_tiles() {
            state.raw.insert(format!("{prefix}/{tile}"), bytes);
        }
        for tile in Tile::all(tree.size()).filter(|tile| tile.holds() == Holds::Entries) {
            let first = tile.first() as usize;
            let entries = &self.lines[first..first + tile.width() as usize];
            let bytes = write_entries(entries.iter().map(Vec::as_slice)).unwrap();
            state.raw.insert(format!("{prefix}/{tile}"), bytes);
        }
        state.files.insert(format!("site/{SITE}/metadata/1.root.json"), root());
        state.files.insert(
            format!("site/{SITE}/targets/approval/{}.back-1.json", Sha256Digest::of(b"back-1")),
            b"back-1".to_vec(),
        );
    }
}

pub(crate) fn record_key() -> SecretKey {
    key(99)
}

/// The root of the site: who signs, by name.
pub(crate) fn root() -> Vec<u8> {
    let people = |seeds: [u8; 3]| RoleSpec {
        keys: seeds
            .map(|seed| KeySpec {
                public: key(seed).public(),
                person: Some(PersonId::new(&format!("person-{seed}")).unwrap()),
                method: Some(Method::Offline),
            })
            .to_vec(),
        threshold: 2,
    };
    let online = |seed| RoleSpec {
        keys: vec![KeySpec { public: key(seed).public(), person: None, method: None }],
        threshold: 1,
    };
    let spec = RootSpec {
        repository: RepositoryId::Site(site()),
        version: 1,
        issued: at(0),
        expires: at(365),
        root: people([2, 3, 4]),
        targets: people([5, 6, 7]),
        snapshot: online(8),
        timestamp: online(9),
        weakest: None,
        time_keys: vec![],
    };
    let mut staged = spec.staged().unwrap();
    let asked = staged.asked(None).unwrap();
    for seed in [2, 3] {
        staged.sign(&key(seed), &asked).unwrap();
    }
    staged.to_bytes()
}

fn image(version: &str, seq: u64) -> ImageRef {
    ImageRef {
        family: FamilyId::new("acme.infusion-a").unwrap(),
        version: Version::new(version).unwrap(),
        seq: Seq(seq),
        image_sha256: Sha256Digest::of(version.as_bytes()),
    }
}

/// An approval that names one device with this key.
pub(crate) fn approval(device: &str, seed: u8) -> Approval {
    let image = image("2.0.0", 2);
    Approval {
        v: 1,
        id: ApprovalId::new("install-9").unwrap(),
        site: site(),
        serial: 4,
        issued: at(0),
        valid_until: at(9),
        action: Action::Install,
        urgency: Urgency::Routine,
        state: ApprovalState::Active,
        release: Some(ApprovedRelease {
            family: image.family,
            version: image.version,
            seq: image.seq,
            image_sha256: image.image_sha256,
            path: TargetPath::new("img/pump.tar").unwrap(),
            image_length: 9,
            dossier_sha256: Sha256Digest::of(b"dossier"),
        }),
        standing: None,
        devices: vec![ApprovedDevice {
            id: DeviceId::new(device).unwrap(),
            key: key(seed).public(),
            wave: 0,
            slots: vec![Slot::new(at(4), at(4).plus_seconds(7200)).unwrap()],
            attended: false,
            pair: None,
        }],
        conditions: Conditions {
            clinical_state: ClinicalCondition::Idle,
            settle_s: 60,
            mains: Need::Advisory,
            battery_min: 0,
            acceptance: Need::Advisory,
            time: NeededTime::Attested,
            offline_ok: false,
        },
        waves: vec![Wave {
            n: 0,
            not_before: at(3),
            soak_s: 0,
            min_updated: 0,
            min_clinical_use_h: 0,
        }],
        gates: Gates { halt_permille: vec![0], silent_after_s: 3600 },
        rollback: RollbackTerms { automatic: true, to: vec![] },
        tz: "Asia/Tokyo".to_owned(),
        supersedes: None,
        snapshot: None,
    }
}

/// An entry that a device makes under an approval with these bytes.
pub(crate) fn under(kind: Kind, approval: &[u8]) -> Fact {
    let mut fact = about(kind, "2.0.0", 2, Some(("1.0.0", 1)), "install-9");
    if let Some(cited) = &mut fact.approval {
        cited.sha256 = Sha256Digest::of(approval);
    }
    fact
}

fn about(kind: Kind, version: &str, seq: u64, from: Option<(&str, u64)>, approval: &str) -> Fact {
    let mut fact = Fact::new(kind);
    fact.release = Some(image(version, seq));
    fact.from = from.map(|(version, seq)| image(version, seq));
    fact.approval = Some(ApprovalRef {
        sha256: Sha256Digest::of(approval.as_bytes()),
        id: ApprovalId::new(approval).unwrap(),
        weakest_method: SigningMethod::Offline,
    });
    fact
}

/// Days after the record begins, which is yesterday.
pub(crate) fn at(days: i64) -> Timestamp {
    static FIRST: OnceLock<Timestamp> = OnceLock::new();
    let first = FIRST.get_or_init(|| crate::place::yesterday().whole_second());
    first.plus_seconds(days * 24 * 3600)
}

/// An envelope with one character of its signature changed.
pub(crate) fn bent(body: &Value) -> Value {
    let mut body = body.clone();
    let sig = body["signatures"][0]["sig"].as_str().unwrap();
    let mut bytes = base64::engine::general_purpose::STANDARD.decode(sig).unwrap();
    bytes[5] ^= 1;
    body["signatures"][0]["sig"] = json!(base64::engine::general_purpose::STANDARD.encode(bytes));
    body
}
