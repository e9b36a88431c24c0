//! A hospital and its devices, its maker's releases, and what it signs.

use patchward_protocol::approval::{
    Action, Approval, ApprovalState, ApprovedRelease, ClinicalCondition, Conditions,
    KnownExploited, Need, NeededTime, RollbackTerms, StandingPolicy, Urgency,
};
use patchward_protocol::check::{WaveOrder, check};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{
    ApprovalId, DeviceId, FamilyId, HardwareId, KindId, Seq, SiteId, TargetPath, Version, WardId,
};
use patchward_protocol::inventory::{Attendance, MinInService, SiteRules, Usage};
use patchward_protocol::key::{PublicKey, SecretKey, Signer as _};
use patchward_protocol::plan::{
    Availability, Candidate, Hours, Management, Plan, Request, WardRules, Wish, plan, plan_standing,
};
use patchward_protocol::slot::Slot;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::custom::{
    Acceptance, Class, Document, Documents, Estimate, Firmware, Format, Kind as Installer, Payload,
    ReleaseState, Severity,
};
use patchward_tests::chance::Chance;

pub const MINUTE: i64 = 60;
pub const HOUR: i64 = 3600;
pub const DAY: i64 = 24 * HOUR;

/// The first instant of every simulation: a Monday.
pub fn begin() -> Timestamp {
    "2027-01-04T00:00:00Z".parse().unwrap()
}

pub fn family() -> FamilyId {
    FamilyId::new("acme.pump").unwrap()
}

pub fn hardware() -> HardwareId {
    HardwareId::new("rev2").unwrap()
}

/// A bed side device, as its hospital knows it.
#[derive(Debug, Clone)]
pub struct Bedside {
    pub id: DeviceId,
    pub key: PublicKey,
    pub ward: usize,
    pub usage: Usage,
    pub pair: Option<usize>,
}

/// What does not change in a hospital.
#[derive(Debug, Clone)]
pub struct Hospital {
    pub site: SiteId,
    pub wards: Vec<WardId>,
    /// How many devices each ward needs at every instant.
    pub min_in_service: Vec<u32>,
    pub devices: Vec<Bedside>,
    pub time: NeededTime,
    pub rules: SiteRules,
}

/// How a hospital is laid out.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    pub wards: usize,
    pub devices: usize,
    /// The last ones stand on the bench.
    pub bench: usize,
    /// The first ones are pairs.
    pub pairs: usize,
    pub time: NeededTime,
    pub clinical_use_h: u32,
}

pub fn key_of(site: usize, device: usize) -> SecretKey {
    let mut seed = [3; 32];
    seed[..8].copy_from_slice(&(site as u64).to_be_bytes());
    seed[8..16].copy_from_slice(&(device as u64).to_be_bytes());
    SecretKey::from_seed(&seed)
}

impl Hospital {
    pub fn new(n: usize, name: &str, layout: Layout) -> Self {
        let wards: Vec<_> =
            (0..layout.wards).map(|w| WardId::new(&format!("ward-{w}")).unwrap()).collect();
        let mut devices: Vec<_> = (0..layout.devices)
            .map(|d| Bedside {
                id: DeviceId::new(&format!("pump-{d:03}")).unwrap(),
                key: key_of(n, d).public(),
                // Partners stand in the same ward.
                ward: if d < layout.pairs * 2 { d / 2 % layout.wards } else { d % layout.wards },
                usage: if d + layout.bench >= layout.devices {
                    Usage::Bench
                } else {
                    Usage::InService
                },
                pair: None,
            })
            .collect();
        for p in 0..layout.pairs {
            devices[2 * p].pair = Some(2 * p + 1);
            devices[2 * p + 1].pair = Some(2 * p);
        }
        let serving = |ward: usize| {
            let of_ward = devices.iter().filter(|d| d.ward == ward && d.usage != Usage::Bench);
            u32::try_from(of_ward.count()).unwrap()
        };
        let min_in_service = (0..layout.wards).map(|w| serving(w) * 7 / 10).collect();
        let rules = SiteRules {
            soak_s: vec![24 * 3600],
            min_clinical_use_h: vec![0, 0, layout.clinical_use_h],
            silent_after_s: 6 * 3600,
            ..SiteRules::default()
        };
        Self {
            site: SiteId::new(name).unwrap(),
            wards,
            min_in_service,
            devices,
            time: layout.time,
            rules,
        }
    }

    /// What the planner is asked for those devices.
    pub fn request(&self, now: Timestamp, days: i64, wanted: &dyn Fn(usize) -> bool) -> Request {
        let midnight = now.plus_seconds(-(now.seconds() % DAY));
        let until = now.plus_seconds(days * DAY);
        let windows: Vec<_> = (0..=days)
            .map(|day| midnight.plus_seconds(day * DAY + HOUR))
            .filter(|start| *start >= now && start.plus_seconds(4 * HOUR) <= until)
            .map(|start| Slot::new(start, start.plus_seconds(4 * HOUR)).unwrap())
            .collect();
        let kind = KindId::new("pump").unwrap();
        let candidate = |(n, device): (usize, &Bedside)| Candidate {
            id: device.id.clone(),
            key: Some(device.key),
            ward: Some(self.wards[device.ward].clone()),
            kind: kind.clone(),
            pair: device.pair.map(|pair| self.devices[pair].id.clone()),
            usage: device.usage,
            attended: Attendance::Unattended,
            management: Management::Agent,
            family: Some(family()),
            availability: Availability::Working,
            wish: if wanted(n) { Wish::Update } else { Wish::Leave },
        };
        let ward = |(n, id): (usize, &WardId)| WardRules {
            id: Some(id.clone()),
            min_in_service: vec![MinInService {
                kind: kind.clone(),
                count: self.min_in_service[n],
            }],
            max_parallel: None,
            windows: windows.clone(),
            staff: vec![],
        };
        Request {
            families: vec![family()],
            need_s: firmware(2, &[]).est.worst_s() + Slot::RESERVE_S,
            wait_s: 30 * 60,
            attended: Attendance::Unattended,
            urgency: Urgency::Routine,
            hours: Hours::Usual,
            alternatives: 3,
            now,
            until,
            devices: self.devices.iter().enumerate().map(candidate).collect(),
            strangers: vec![],
            wards: self.wards.iter().enumerate().map(ward).collect(),
            rules: self.rules.clone(),
            freezes: vec![],
            busy: vec![],
        }
    }

    /// Plans, checks as the signing tool does, and signs. None when no device got a slot.
    pub fn sign(&self, what: &Order<'_>, now: Timestamp, serial: u64) -> Option<Approval> {
        let days = if what.action == Action::Standing { 60 } else { 28 };
        let mut request = self.request(now, days, what.wanted);
        let (plan, order) = if what.action == Action::Standing {
            request.alternatives = 16;
            (plan_standing(&request), WaveOrder::ByProof)
        } else {
            (plan(&request), WaveOrder::InTime)
        };
        if plan.devices.is_empty() {
            return None;
        }
        let violations = check(&request, order, &plan.waves, &plan.devices);
        assert_eq!(violations, [], "what is planned passes the check");
        Some(self.approval(what, plan, now, now.plus_seconds(days * DAY), serial))
    }

    fn approval(
        &self,
        what: &Order<'_>,
        plan: Plan,
        issued: Timestamp,
        valid_until: Timestamp,
        serial: u64,
    ) -> Approval {
        let release = (what.action != Action::Standing).then(|| ApprovedRelease {
            family: what.to.family.clone(),
            version: what.to.version.clone(),
            seq: what.to.seq,
            image_sha256: what.to.payload.image_sha256,
            path: path_of(what.to),
            image_length: what.to.payload.image_length,
            dossier_sha256: what.to.docs.dossier.sha256,
        });
        let standing = (what.action == Action::Standing).then(|| StandingPolicy {
            families: vec![family()],
            classes: vec![Class::Security],
            severity_min: Severity::High,
            known_exploited: KnownExploited::Always,
        });
        Approval {
            v: 1,
            id: ApprovalId::new(&format!("plan-{serial}")).unwrap(),
            site: self.site.clone(),
            serial,
            issued,
            valid_until,
            action: what.action,
            urgency: Urgency::Routine,
            state: ApprovalState::Active,
            release,
            standing,
            devices: plan.devices,
            conditions: Conditions {
                clinical_state: ClinicalCondition::Idle,
                settle_s: 120,
                mains: Need::Advisory,
                battery_min: 0,
                acceptance: Need::Advisory,
                time: self.time,
                offline_ok: false,
            },
            waves: plan.waves,
            gates: plan.gates,
            rollback: RollbackTerms { automatic: true, to: vec![] },
            tz: "Asia/Tokyo".into(),
            supersedes: None,
            snapshot: None,
        }
    }
}

/// What a hospital wants signed.
pub struct Order<'a> {
    pub action: Action,
    pub to: &'a Firmware,
    pub wanted: &'a dyn Fn(usize) -> bool,
}

pub fn path_of(firmware: &Firmware) -> TargetPath {
    TargetPath::new(&format!("img/pump-{}.tar", firmware.seq.0)).unwrap()
}

/// Release `seq`, from which one may go back to those.
pub fn firmware(seq: u64, rollback_ok: &[u64]) -> Firmware {
    let document = |name: &str| Document {
        path: TargetPath::new(&format!("doc/{name}-{seq}")).unwrap(),
        sha256: Sha256Digest::of(format!("{name}-{seq}").as_bytes()),
    };
    Firmware {
        v: 1,
        family: family(),
        version: Version::new(&format!("2.{seq}")).unwrap(),
        seq: Seq(seq),
        hw: vec![hardware()],
        min_seq: Seq(0),
        rollback_ok: rollback_ok.iter().map(|seq| Seq(*seq)).collect(),
        class: Class::Security,
        severity: Severity::High,
        cves: vec![],
        known_exploited: false,
        state: ReleaseState::Released,
        payload: Payload {
            format: Format::Raw,
            kind: Installer::Slots,
            image_sha256: Sha256Digest::of(format!("image-{seq}").as_bytes()),
            image_length: 1000,
            slot_bytes: 1000,
            table_sha256: None,
        },
        est: Estimate { activate_s: 30, boot_s: 60, health_s: 60, rollback_s: 120 },
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

/// A hospital nobody thought of, with so many devices.
pub fn random(n: usize, devices: usize, chance: &mut Chance) -> Hospital {
    let layout = Layout {
        wards: 2 + chance.below(5) as usize,
        devices,
        bench: 1 + chance.below(2) as usize,
        pairs: chance.below(4) as usize,
        time: if one_in(chance, 8) { NeededTime::Plausible } else { NeededTime::Attested },
        clinical_use_h: if one_in(chance, 3) { 20 } else { 0 },
    };
    Hospital::new(n, &format!("hospital-{n:02}"), layout)
}

/// True once in so many times; never for 0.
pub fn one_in(chance: &mut Chance, count: u64) -> bool {
    count > 0 && chance.below(count) == 0
}
