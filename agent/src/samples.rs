//! Real signed repositories for the tests of this crate: one maker, one hospital, one device.
//!
//! Nothing is trusted here that was not verified as on a device.

use crate::config::{Config, EXAMPLE, InterlockSource};
use crate::edge::Clock;
use crate::permit::{Interlock, Permit, Proofs};
use crate::storage;
use patchward_protocol::approval::{
    Action, Approval, ApprovalState, ApprovedDevice, ApprovedRelease, ClinicalCondition,
    Conditions, Gates, Need, NeededTime, RollbackTerms, Urgency, Wave,
};
use patchward_protocol::decision::{
    ClockAgreement, Heard, Held, HeldByServer, Interlock as Said, LedgerRoom, Moment, Own,
    SignedBy, Staging,
};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{
    ApprovalId, DeviceId, FamilyId, HardwareId, PersonId, RepositoryId, Seq, SiteId, TargetPath,
    Version,
};
use patchward_protocol::key::{SecretKey, Signer as _};
use patchward_protocol::ledger::SigningMethod;
use patchward_protocol::slot::Slot;
use patchward_protocol::time::{TimeQuality, Timestamp};
use patchward_protocol::tuf::build::{
    DelegationSpec, FileSpec, KeySpec, RoleSpec, RootSpec, SnapshotSpec, TargetSpec, TargetsSpec,
    TimestampSpec,
};
use patchward_protocol::tuf::custom::{
    Acceptance, Class, Document, Documents, Estimate, Firmware, Format, Kind, Payload,
    ReleaseState, Severity,
};
use patchward_protocol::tuf::delta_target::{DELTAS_ROLE, DeltaFacts, DeltaFrom, DeltaTo};
use patchward_protocol::tuf::floors::Floors;
use patchward_protocol::tuf::lookup::{ImageTarget, check_bytes};
use patchward_protocol::tuf::profile::Profile;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::{Method, Root, Targets, delegated_authority};
use patchward_protocol::tuf::stage::Staged;
use patchward_protocol::tuf::trusted_set::{Expiry, TrustedSet};
use patchward_protocol::verified::Verified;
use serde_json::{Map, json};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// A boot clock that is moved by hand.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hand(Rc<Cell<u64>>);

impl Hand {
    pub(crate) fn forward(&self, ms: u64) {
        self.0.set(self.0.get() + ms);
    }
}

impl Clock for Hand {
    fn boot_ms(&self) -> u64 {
        self.0.get()
    }

    fn wall(&self) -> Timestamp {
        now()
    }
}

/// The instant at which these documents are looked at.
pub(crate) fn now() -> Timestamp {
    at("2026-12-05T04:10:00Z")
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed(&[n; 32])
}

fn family() -> FamilyId {
    FamilyId::new("acme.infusion-a").unwrap()
}

fn site() -> SiteId {
    SiteId::new("city-hospital").unwrap()
}

/// An image as the maker's trusted targets list it.
pub(crate) fn image(kind: Kind, seq: u64, file: &[u8], slot_bytes: u64) -> Verified<ImageTarget> {
    let (path, target) = image_target(kind, seq, file, slot_bytes);
    let targets = BTreeMap::from([(path.clone(), target)]);
    trusted(RepositoryId::Family(family()), targets).image(&path).unwrap().unwrap()
}

fn image_target(kind: Kind, seq: u64, file: &[u8], slot_bytes: u64) -> (TargetPath, TargetSpec) {
    let (sha256, length) = (Sha256Digest::of(file), storage::length(file));
    let firmware = firmware(kind, seq, sha256, length, slot_bytes);
    let path = TargetPath::new(&format!("img/infusion-a-{seq}.img")).unwrap();
    let mut custom = Map::new();
    custom.insert("fw".to_owned(), json!(firmware));
    (path, TargetSpec { length, sha256, custom })
}

/// A container, and the digest of its head.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    /// The file.
    pub(crate) file: Vec<u8>,
    /// Digest of header and table.
    pub(crate) table_sha256: Sha256Digest,
}

/// An image that comes in a container, as the maker's trusted targets list it.
pub(crate) fn contained(
    kind: Kind,
    seq: u64,
    image: &[u8],
    container: &Container,
) -> Verified<ImageTarget> {
    let (path, target) = contained_target(kind, seq, image, container);
    let targets = BTreeMap::from([(path.clone(), target)]);
    trusted(RepositoryId::Family(family()), targets).image(&path).unwrap().unwrap()
}

fn contained_target(
    kind: Kind,
    seq: u64,
    image: &[u8],
    container: &Container,
) -> (TargetPath, TargetSpec) {
    let (sha256, length) = (Sha256Digest::of(image), storage::length(image));
    let mut firmware = firmware(kind, seq, sha256, length, length);
    firmware.payload.format = Format::Pwd1;
    firmware.payload.table_sha256 = Some(container.table_sha256);
    let path = TargetPath::new(&format!("img/infusion-a-{seq}.pwd")).unwrap();
    let mut custom = Map::new();
    custom.insert("fw".to_owned(), json!(firmware));
    let (length, sha256) = (storage::length(&container.file), Sha256Digest::of(&container.file));
    (path, TargetSpec { length, sha256, custom })
}

/// What the server's list says of a delta.
pub(crate) fn delta_facts(
    from: &[u8],
    to: &Verified<ImageTarget>,
    delta: &Container,
) -> DeltaFacts {
    let payload = &to.firmware.payload;
    DeltaFacts {
        v: 1,
        from: DeltaFrom {
            image_sha256: Sha256Digest::of(from),
            length: storage::length(from),
            seq: Seq(1),
        },
        to: DeltaTo {
            path: to.path.clone(),
            image_sha256: payload.image_sha256,
            length: payload.image_length,
            seq: to.firmware.seq,
        },
        format: Format::Pwd1,
        mem_bytes: 1024 * 1024,
        table_sha256: delta.table_sha256,
    }
}

/// The family of one image in a container, with a list of deltas, and all its metadata as files.
pub(crate) fn family_with_deltas(
    image: &[u8],
    container: &Container,
    deltas: &[(DeltaFacts, &Container)],
) -> (TrustedSet, Published) {
    let target = |(n, (facts, delta)): (usize, &(DeltaFacts, &Container))| {
        let path = TargetPath::new(&format!("delta/{n}.pwd")).unwrap();
        let mut custom = Map::new();
        custom.insert("delta".to_owned(), json!(facts));
        let (length, sha256) = (storage::length(&delta.file), Sha256Digest::of(&delta.file));
        (path, TargetSpec { length, sha256, custom })
    };
    let deltas = deltas.iter().enumerate().map(target).collect();
    let targets = BTreeMap::from([contained_target(Kind::Slots, 2, image, container)]);
    let repository = RepositoryId::Family(family());
    let published = publish(repository.clone(), targets, Some(deltas));
    (published.verified(repository), published)
}

/// An approval of that image for this device, as the hospital's trusted targets list it.
pub(crate) fn approval(image: &ImageTarget) -> (Verified<Approval>, Sha256Digest) {
    let bytes = plan(image).write().unwrap();
    let path = TargetPath::new("approval/plan-1.json").unwrap();
    let sha256 = Sha256Digest::of(&bytes);
    let spec = TargetSpec::plain(storage::length(&bytes), sha256);
    let set = trusted(RepositoryId::Site(site()), BTreeMap::from([(path.clone(), spec)]));
    let bytes = check_bytes(&set.target(&path).unwrap(), bytes).unwrap();
    (Approval::read_verified(bytes).unwrap(), sha256)
}

/// A family whose maker released these ranks, each permitting to go back to the one before.
pub(crate) fn family_of(seqs: &[u64]) -> TrustedSet {
    let target = |seq: &u64| {
        let file = format!("image {seq}").into_bytes();
        let (sha256, length) = (Sha256Digest::of(&file), storage::length(&file));
        let mut firmware = firmware(Kind::Tree, *seq, sha256, length, length);
        firmware.rollback_ok = vec![Seq(*seq - 1)];
        let mut custom = Map::new();
        custom.insert("fw".to_owned(), json!(firmware));
        let path = TargetPath::new(&format!("img/infusion-a-{seq}.img")).unwrap();
        (path, TargetSpec { length, sha256, custom })
    };
    trusted(RepositoryId::Family(family()), seqs.iter().map(target).collect())
}

/// A site that lists these approvals, each by its name.
pub(crate) fn site_of(approvals: &[Approval]) -> TrustedSet {
    let target = |approval: &Approval| {
        let bytes = approval.write().unwrap();
        let path = TargetPath::new(&format!("approval/{}.json", approval.id)).unwrap();
        (path, TargetSpec::plain(storage::length(&bytes), Sha256Digest::of(&bytes)))
    };
    trusted(RepositoryId::Site(site()), approvals.iter().map(target).collect())
}

/// This device, with nothing known to be installed.
pub(crate) fn own(kind: Kind) -> Own {
    Own {
        site: site(),
        device: DeviceId::new("pump-07").unwrap(),
        key: key(9).public(),
        family: family(),
        hardware: HardwareId::new("infusion-a.rev2").unwrap(),
        kind,
        installed: None,
        image_floor: Seq(0),
        serial_floor: 0,
        withdrawn: vec![],
        spent: vec![],
    }
}

/// A moment at which nothing stands against the update but what the interlock may say.
pub(crate) fn moment(approval_sha256: Sha256Digest) -> Moment {
    Moment {
        at: Some(now()),
        quality: TimeQuality::Attested,
        clock: ClockAgreement::Agree,
        open: Some(Heard { approval_sha256, image_sha256: None, wave: 0, age_s: 1 }),
        proof: None,
        held_by_server: HeldByServer::No,
        held_here: Held::No,
        interlock: Said::Missing,
        own_worst_s: 0,
        reserve_s: 120,
        mains: None,
        battery_percent: None,
        staging: Staging::Ready,
        ledger: LedgerRoom::Enough,
        person: None,
    }
}

/// Who signed the approval.
pub(crate) fn signers() -> [SignedBy; 1] {
    let person = PersonId::new("tanaka").unwrap();
    [SignedBy { person, method: SigningMethod::Offline }]
}

/// A permit for an image, as the gate would give it now.
pub(crate) async fn permit(kind: Kind, image: &Verified<ImageTarget>, clock: &Hand) -> Permit {
    let (approval, approval_sha256) = approval(image);
    let mut clinical = Config::parse(EXAMPLE).unwrap().clinical;
    clinical.interlock = InterlockSource::NoneBecause("bench device".into());
    let answer = Interlock::new(&clinical, Duration::ZERO, clock.clone()).ask(None).await;
    let proofs = Proofs {
        own: &own(kind),
        approval: &approval,
        approval_sha256,
        signers: &signers(),
        weakest_allowed: SigningMethod::Offline,
        image,
        installed: None,
    };
    Permit::issue(&proofs, &moment(approval_sha256), &answer, clock.boot_ms()).unwrap()
}

fn firmware(
    kind: Kind,
    seq: u64,
    image_sha256: Sha256Digest,
    image_length: u64,
    slot_bytes: u64,
) -> Firmware {
    let document = |name: &str| Document {
        path: TargetPath::new(&format!("doc/{name}")).unwrap(),
        sha256: Sha256Digest::of(name.as_bytes()),
    };
    let format = match kind {
        Kind::Slots => Format::Raw,
        Kind::Tree => Format::Tree,
    };
    Firmware {
        v: 1,
        family: family(),
        version: Version::new(&format!("2.{seq}")).unwrap(),
        seq: Seq(seq),
        hw: vec![HardwareId::new("infusion-a.rev2").unwrap()],
        min_seq: Seq(0),
        rollback_ok: vec![],
        class: Class::Security,
        severity: Severity::High,
        cves: vec![],
        known_exploited: false,
        state: ReleaseState::Released,
        payload: Payload {
            format,
            kind,
            image_sha256,
            image_length,
            slot_bytes,
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

/// An approval that installs this image on this device.
pub(crate) fn plan(image: &ImageTarget) -> Approval {
    let firmware = &image.firmware;
    let slot = Slot::new(at("2026-12-05T04:00:00Z"), at("2026-12-05T06:00:00Z")).unwrap();
    Approval {
        v: 1,
        id: ApprovalId::new("plan-1").unwrap(),
        site: site(),
        serial: 1,
        issued: at("2026-12-01T00:00:00Z"),
        valid_until: at("2026-12-10T00:00:00Z"),
        action: Action::Install,
        urgency: Urgency::Routine,
        state: ApprovalState::Active,
        release: Some(ApprovedRelease {
            family: family(),
            version: firmware.version.clone(),
            seq: firmware.seq,
            image_sha256: firmware.payload.image_sha256,
            path: image.path.clone(),
            image_length: firmware.payload.image_length,
            dossier_sha256: firmware.docs.dossier.sha256,
        }),
        standing: None,
        devices: vec![ApprovedDevice {
            id: DeviceId::new("pump-07").unwrap(),
            key: key(9).public(),
            wave: 0,
            slots: vec![slot],
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
            not_before: at("2026-12-01T00:00:00Z"),
            soak_s: 3600,
            min_updated: 1,
            min_clinical_use_h: 0,
        }],
        gates: Gates { halt_permille: vec![0], silent_after_s: 3600 },
        rollback: RollbackTerms { automatic: true, to: vec![] },
        tz: "Asia/Tokyo".into(),
        supersedes: None,
        snapshot: None,
    }
}

/// Publishes targets with fresh keys and verifies everything as a device does.
fn trusted(repository: RepositoryId, targets: BTreeMap<TargetPath, TargetSpec>) -> TrustedSet {
    publish(repository.clone(), targets, None).verified(repository)
}

/// Signed metadata.
pub(crate) struct Published {
    pub(crate) root: Vec<u8>,
    pub(crate) timestamp: Vec<u8>,
    pub(crate) snapshot: Vec<u8>,
    pub(crate) targets: Vec<u8>,
    /// The list of deltas.
    pub(crate) deltas: Option<Vec<u8>>,
}

impl Published {
    fn verified(&self, repository: RepositoryId) -> TrustedSet {
        let (floors, profile) = (Floors::default(), Profile::Patchward { repository });
        let mut set = TrustedSet::new(&self.root, floors, profile, Expiry::Enforce(now())).unwrap();
        set.end_roots(None, None).unwrap();
        set.update_timestamp(&self.timestamp).unwrap();
        set.update_snapshot(&self.snapshot).unwrap();
        set.update_targets(&self.targets).unwrap();
        set
    }
}

fn publish(
    repository: RepositoryId,
    targets: BTreeMap<TargetPath, TargetSpec>,
    deltas: Option<BTreeMap<TargetPath, TargetSpec>>,
) -> Published {
    let (issued, expires) = (at("2026-12-01T00:00:00Z"), at("2027-12-01T00:00:00Z"));
    let role = |n: u8| {
        let person = Some(PersonId::new("tanaka").unwrap());
        let keys = vec![KeySpec { public: key(n).public(), person, method: Some(Method::Offline) }];
        RoleSpec { keys, threshold: 1 }
    };
    let root = RootSpec {
        repository: repository.clone(),
        version: 1,
        issued,
        expires,
        root: role(1),
        targets: role(2),
        snapshot: role(3),
        timestamp: role(4),
        weakest: None,
        time_keys: vec![],
    };
    let root = signed(root.staged().unwrap(), None, 1);
    let named: Root = Staged::read(Role::Root, &root).unwrap().typed().unwrap().signed;
    let delegation = DelegationSpec {
        name: DELTAS_ROLE.to_owned(),
        keys: RoleSpec {
            keys: vec![KeySpec { public: key(5).public(), person: None, method: None }],
            threshold: 1,
        },
        paths: vec!["delta/*".to_owned()],
    };
    let spec = |targets, delegations| TargetsSpec {
        repository: repository.clone(),
        version: 1,
        issued,
        expires,
        targets,
        delegations,
    };
    let of_deltas = deltas.as_ref().map(|_| delegation).into_iter().collect();
    let targets = spec(targets, of_deltas).staged(Role::Targets).unwrap();
    let targets = signed(targets, Some(&named), 2);
    let mut files = BTreeMap::from([("targets".to_owned(), listed(&targets))]);
    let deltas = deltas.map(|deltas| {
        let role = Role::Delegated(DELTAS_ROLE.to_owned());
        let mut staged = spec(deltas, vec![]).staged(role).unwrap();
        let targets: Targets =
            Staged::read(Role::Targets, &targets).unwrap().typed().unwrap().signed;
        let delegations = targets.delegations.unwrap();
        let authority = delegated_authority(&delegations, DELTAS_ROLE).unwrap();
        staged.sign_for(&key(5), authority).unwrap();
        staged.to_bytes()
    });
    files.extend(deltas.as_ref().map(|bytes| (DELTAS_ROLE.to_owned(), listed(bytes))));
    let spec = SnapshotSpec { repository: repository.clone(), version: 1, expires, files };
    let snapshot = signed(spec.staged().unwrap(), Some(&named), 3);
    let spec = TimestampSpec {
        repository: repository.clone(),
        version: 1,
        issued,
        expires,
        snapshot: listed(&snapshot),
    };
    let timestamp = signed(spec.staged().unwrap(), Some(&named), 4);
    Published { root, timestamp, snapshot, targets, deltas }
}

fn signed(mut staged: Staged, root: Option<&Root>, n: u8) -> Vec<u8> {
    let asked = staged.asked(root).unwrap();
    staged.sign(&key(n), &asked).unwrap();
    staged.to_bytes()
}

fn listed(bytes: &[u8]) -> FileSpec {
    FileSpec { version: 1, length: storage::length(bytes), sha256: Sha256Digest::of(bytes) }
}
