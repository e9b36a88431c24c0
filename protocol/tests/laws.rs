//! Laws of the pure rules, over random cases.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may stop at the first surprise"
)]

use patchward_protocol::approval::{
    Action, Approval, ApprovalState, ApprovedDevice, ApprovedRelease, ClinicalCondition,
    Conditions, Gates, Need, NeededTime, RollbackTerms, Urgency, Wave,
};
use patchward_protocol::decision::{
    Admission, Admitted, ClockAgreement, Decision, Heard, Held, HeldByServer, Interlock,
    LedgerRoom, Moment, Offer, Own, SignedBy, Staging, admit, decide,
};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{
    ApprovalId, DeviceId, FamilyId, HardwareId, PersonId, Seq, SiteId, TargetPath, Version,
};
use patchward_protocol::image::ImageRef;
use patchward_protocol::key::{SecretKey, Signer};
use patchward_protocol::ledger::SigningMethod;
use patchward_protocol::reason::Reason;
use patchward_protocol::slot::Slot;
use patchward_protocol::time::{TimeQuality, Timestamp};
use patchward_protocol::tuf::custom::{
    Acceptance, Class, Document, Documents, Estimate, Firmware, Format, Kind, Payload,
    ReleaseState, Severity,
};
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn firmware() -> Firmware {
    let document = |name: &str| Document {
        path: TargetPath::new(&format!("doc/{name}")).unwrap(),
        sha256: Sha256Digest::of(name.as_bytes()),
    };
    Firmware {
        v: 1,
        family: FamilyId::new("acme.infusion-a").unwrap(),
        version: Version::new("2.4.1").unwrap(),
        seq: Seq(7),
        hw: vec![HardwareId::new("rev2").unwrap()],
        min_seq: Seq(3),
        rollback_ok: vec![Seq(6)],
        class: Class::Security,
        severity: Severity::High,
        cves: vec!["CVE-2026-1234".into()],
        known_exploited: false,
        state: ReleaseState::Released,
        payload: Payload {
            format: Format::Tree,
            kind: Kind::Tree,
            image_sha256: Sha256Digest::of(b"image"),
            image_length: 5,
            slot_bytes: 5,
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

fn approval() -> Approval {
    let firmware = firmware();
    let slot = Slot::new(at("2026-12-05T04:00:00Z"), at("2026-12-05T06:00:00Z")).unwrap();
    Approval {
        v: 1,
        id: ApprovalId::new("a-1").unwrap(),
        site: SiteId::new("city").unwrap(),
        serial: 4,
        issued: at("2026-12-01T00:00:00Z"),
        valid_until: at("2026-12-10T00:00:00Z"),
        action: Action::Install,
        urgency: Urgency::Routine,
        state: ApprovalState::Active,
        release: Some(ApprovedRelease {
            family: firmware.family.clone(),
            version: firmware.version.clone(),
            seq: firmware.seq,
            image_sha256: firmware.payload.image_sha256,
            path: path(),
            image_length: firmware.payload.image_length,
            dossier_sha256: firmware.docs.dossier.sha256,
        }),
        standing: None,
        devices: vec![ApprovedDevice {
            id: DeviceId::new("pump-07").unwrap(),
            key: SecretKey::from_seed(&[1; 32]).public(),
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
            not_before: at("2026-12-05T00:00:00Z"),
            soak_s: 0,
            min_updated: 0,
            min_clinical_use_h: 0,
        }],
        gates: Gates { halt_permille: vec![0], silent_after_s: 3600 },
        rollback: RollbackTerms { automatic: true, to: vec![] },
        tz: "Asia/Tokyo".into(),
        supersedes: None,
        snapshot: None,
    }
}

fn path() -> TargetPath {
    TargetPath::new("img/infusion-a-2.4.1.tar").unwrap()
}

fn own() -> Own {
    Own {
        site: SiteId::new("city").unwrap(),
        device: DeviceId::new("pump-07").unwrap(),
        key: SecretKey::from_seed(&[1; 32]).public(),
        family: FamilyId::new("acme.infusion-a").unwrap(),
        hardware: HardwareId::new("rev2").unwrap(),
        kind: Kind::Tree,
        installed: Some(ImageRef {
            family: FamilyId::new("acme.infusion-a").unwrap(),
            version: Version::new("2.4.0").unwrap(),
            seq: Seq(6),
            image_sha256: Sha256Digest::of(b"old"),
        }),
        image_floor: Seq(5),
        serial_floor: 4,
        withdrawn: vec![],
        spent: vec![],
    }
}

fn signers() -> Vec<SignedBy> {
    let by = |name: &str, method| SignedBy { person: PersonId::new(name).unwrap(), method };
    vec![by("tanaka", SigningMethod::Offline), by("suzuki", SigningMethod::Console)]
}

/// A change to one of the parts of a sound offer.
type Change = fn(&mut Own, &mut Approval, &mut Firmware, &mut Vec<SignedBy>);

/// Admits after a change to any of the parts.
fn admitted_after(
    change: impl FnOnce(&mut Own, &mut Approval, &mut Firmware, &mut Vec<SignedBy>),
) -> Admission {
    let (mut own, mut approval, mut firmware, mut signers) =
        (own(), approval(), firmware(), signers());
    change(&mut own, &mut approval, &mut firmware, &mut signers);
    admit(
        &own,
        &Offer {
            approval: &approval,
            approval_sha256: Sha256Digest::of(&approval.write().unwrap_or_default()),
            signers: &signers,
            weakest_allowed: SigningMethod::Offline,
            path: &path(),
            firmware: &firmware,
            installed: None,
        },
    )
}

fn admitted() -> Admitted {
    match admitted_after(|_, _, _, _| ()) {
        Admission::Admitted(admitted) => *admitted,
        other @ (Admission::Installed | Admission::Refused(_)) => panic!("{other:?}"),
    }
}

fn moment() -> Moment {
    Moment {
        at: Some(at("2026-12-05T04:30:00Z")),
        quality: TimeQuality::Attested,
        clock: ClockAgreement::Agree,
        open: Some(Heard {
            approval_sha256: admitted().approval_sha256,
            image_sha256: None,
            wave: 0,
            age_s: 3,
        }),
        proof: None,
        held_by_server: HeldByServer::No,
        held_here: Held::No,
        interlock: Interlock::Free { for_s: 60 },
        own_worst_s: 0,
        reserve_s: Slot::RESERVE_S,
        mains: None,
        battery_percent: None,
        staging: Staging::Ready,
        ledger: LedgerRoom::Enough,
        person: None,
    }
}

fn first_reason(change: impl FnOnce(&mut Moment)) -> Option<Reason> {
    let mut moment = moment();
    change(&mut moment);
    match decide(&admitted(), &moment) {
        Decision::Go { .. } => None,
        Decision::Wait(reasons) => Some(reasons[0]),
    }
}

#[test]
fn everything_right_starts() {
    assert_eq!(first_reason(|_| ()), None);
}

#[test]
fn each_missing_thing_holds_with_its_own_reason() {
    let end = at("2026-12-05T06:00:00Z");
    assert_eq!(first_reason(|m| m.held_here = Held::Yes), Some(Reason::HeldHere));
    assert_eq!(
        first_reason(|m| m.held_by_server = HeldByServer::ByOthers),
        Some(Reason::HeldByServer)
    );
    assert_eq!(first_reason(|m| m.staging = Staging::Underway), Some(Reason::NotStagedYet));
    assert_eq!(first_reason(|m| m.ledger = LedgerRoom::Full), Some(Reason::LedgerFull));
    assert_eq!(first_reason(|m| m.at = None), Some(Reason::ClockUnknown));
    assert_eq!(first_reason(|m| m.quality = TimeQuality::Unknown), Some(Reason::ClockUnknown));
    assert_eq!(
        first_reason(|m| m.quality = TimeQuality::Plausible),
        Some(Reason::ClockNotAttested)
    );
    assert_eq!(first_reason(|m| m.clock = ClockAgreement::Disagree), Some(Reason::ClockDisagrees));
    assert_eq!(
        first_reason(|m| m.at = Some(end.plus_seconds(-7200 - 1))),
        Some(Reason::SlotNotOpen)
    );
    assert_eq!(first_reason(|m| m.at = Some(end)), Some(Reason::SlotsOver));
    assert_eq!(first_reason(|m| m.at = Some(end.plus_seconds(-120))), Some(Reason::SlotTooShort));
    assert_eq!(
        first_reason(|m| m.at = Some(end.plus_seconds(86_400 * 9))),
        Some(Reason::ApprovalOver)
    );
    assert_eq!(first_reason(|m| m.open = None), Some(Reason::WaveNotOpen));
    assert_eq!(first_reason(|m| m.interlock = Interlock::InUse), Some(Reason::InUse));
    assert_eq!(first_reason(|m| m.interlock = Interlock::Silent), Some(Reason::InterlockSilent));
    assert_eq!(first_reason(|m| m.interlock = Interlock::Missing), Some(Reason::InterlockMissing));
    assert_eq!(
        first_reason(|m| m.interlock = Interlock::Free { for_s: 59 }),
        Some(Reason::Settling)
    );
    let stale = |m: &mut Moment| m.open.as_mut().unwrap().age_s = 121;
    assert_eq!(first_reason(stale), Some(Reason::WaveNotOpen));
    let other = |m: &mut Moment| m.open.as_mut().unwrap().approval_sha256 = Sha256Digest::of(b"x");
    assert_eq!(first_reason(other), Some(Reason::WaveNotOpen));
}

#[test]
fn own_measured_worst_case_counts_when_it_is_longer_than_the_signed_one() {
    let late = at("2026-12-05T05:40:00Z");
    assert_eq!(first_reason(|m| m.at = Some(late)), None);
    let slow = |m: &mut Moment| {
        m.at = Some(late);
        m.own_worst_s = 1081;
    };
    assert_eq!(first_reason(slow), Some(Reason::SlotTooShort));
}

#[test]
fn attended_therapy_and_power_conditions_hold_when_unknown() {
    let mut admitted = admitted();
    admitted.attended = true;
    admitted.conditions.mains = Need::Required;
    admitted.conditions.battery_min = 30;
    let Decision::Wait(reasons) = decide(&admitted, &moment()) else { panic!() };
    assert_eq!(reasons, [Reason::NeedsPerson, Reason::MainsUnknown, Reason::BatteryLow]);
    let mut met = moment();
    met.person = Some(PersonId::new("sato").unwrap());
    met.mains = Some(true);
    met.battery_percent = Some(30);
    assert!(matches!(decide(&admitted, &met), Decision::Go { .. }));
}

#[test]
fn later_waves_wait_for_a_proof_whatever_the_server_says() {
    let mut admitted = admitted();
    admitted.wave = 1;
    admitted.conditions.offline_ok = true;
    let mut moment = moment();
    moment.open.as_mut().unwrap().wave = 1;
    assert_eq!(decide(&admitted, &moment), Decision::Wait(vec![Reason::WaveUnproven]));
}

#[test]
fn an_offer_for_somebody_or_something_else_is_refused() {
    let refused = |change: Change| match admitted_after(change) {
        Admission::Refused(reason) => Some(reason),
        Admission::Installed | Admission::Admitted(_) => None,
    };
    let cases: &[(Change, Reason)] = &[
        (|_, a, _, _| a.site = SiteId::new("other").unwrap(), Reason::ApprovalOtherSite),
        (|o, _, _, _| o.device = DeviceId::new("pump-08").unwrap(), Reason::NoApproval),
        (|o, _, _, _| o.key = SecretKey::from_seed(&[2; 32]).public(), Reason::ApprovalOtherDevice),
        (|_, _, f, _| f.payload.image_sha256 = Sha256Digest::of(b"x"), Reason::ApprovalOtherImage),
        (|_, _, f, _| f.payload.image_length = 6, Reason::ApprovalOtherImage),
        (|_, _, f, _| f.docs.dossier.sha256 = Sha256Digest::of(b"x"), Reason::ApprovalOtherImage),
        (|_, a, _, _| a.release.as_mut().unwrap().seq = Seq(8), Reason::ApprovalOtherImage),
        (|o, _, _, _| o.family = FamilyId::new("acme.other").unwrap(), Reason::OtherFamily),
        (|o, _, _, _| o.hardware = HardwareId::new("rev1").unwrap(), Reason::OtherHardware),
        (|o, _, _, _| o.kind = Kind::Slots, Reason::OtherInstaller),
        (|_, a, _, _| a.state = ApprovalState::Withdrawn, Reason::ApprovalWithdrawn),
        (|_, _, f, _| f.state = ReleaseState::Withdrawn, Reason::ReleaseWithdrawn),
        (|o, a, _, _| o.withdrawn.push(a.id.clone()), Reason::ApprovalReplayed),
        (|o, _, _, _| o.serial_floor = 5, Reason::ApprovalReplayed),
        (|o, _, _, _| o.image_floor = Seq(8), Reason::BelowFloor),
        (|o, _, _, _| o.installed.as_mut().unwrap().seq = Seq(7), Reason::NotNewer),
        (|o, _, _, _| o.installed.as_mut().unwrap().seq = Seq(2), Reason::MustPassThrough),
        (|o, _, _, _| o.installed = None, Reason::MustPassThrough),
        (|_, a, _, _| a.action = Action::Standing, Reason::ApprovalMalformed),
        (
            |_, a, _, _| a.valid_until = a.issued.plus_seconds(31 * 86_400),
            Reason::ApprovalMalformed,
        ),
        (|_, _, _, s| s.clear(), Reason::ApprovalTooWeak),
        (|_, _, _, s| s.retain(|by| by.method == SigningMethod::Console), Reason::ApprovalTooWeak),
        (
            |_, a, _, s| {
                a.urgency = Urgency::Emergency;
                a.valid_until = a.issued.plus_seconds(86_400);
                a.devices[0].slots = vec![
                    Slot::new(a.issued.plus_seconds(60), a.issued.plus_seconds(7200)).unwrap(),
                ];
                s.truncate(1);
            },
            Reason::ApprovalTooWeak,
        ),
    ];
    for (position, (change, reason)) in cases.iter().enumerate() {
        assert_eq!(refused(*change), Some(*reason), "case {position}");
    }
}

#[test]
fn the_installed_image_is_not_installed_again() {
    let same = |o: &mut Own, a: &mut Approval, _: &mut Firmware, _: &mut Vec<SignedBy>| {
        o.installed.as_mut().unwrap().image_sha256 = a.release.as_ref().unwrap().image_sha256;
    };
    assert_eq!(admitted_after(same), Admission::Installed);
}

#[test]
fn an_approval_that_was_used_is_refused_a_second_time() {
    let sha256 = Sha256Digest::of(&approval().write().unwrap());
    let used = |o: &mut Own, _: &mut Approval, _: &mut Firmware, _: &mut Vec<SignedBy>| {
        o.spent.push(sha256)
    };
    assert_eq!(admitted_after(used), Admission::Refused(Reason::ApprovalReplayed));
}

#[test]
fn an_approval_is_read_back_and_unknown_fields_are_refused() {
    let approval = approval();
    let bytes = approval.write().unwrap();
    assert_eq!(Approval::read(&bytes).unwrap(), approval);
    let text = String::from_utf8(bytes).unwrap();
    for (from, to) in [
        (r#""v":1"#, r#""v":2"#),
        (r#""action":"install""#, r#""action":"reboot""#),
        (r#""conditions":{"#, r#""conditions":{"bed_empty":true,"#),
        (r#""serial":4"#, r#""serial":4,"serial":5"#),
        (r#""wave":0"#, r#""wave":1"#),
        ("2026-12-05T06:00:00Z", "2026-12-07T06:00:00Z"),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(Approval::read(text.replace(from, to).as_bytes()).is_err(), "{from} -> {to}");
    }
}

prop_compose! {
    fn any_moment()(
        at_s in proptest::option::of(-4000_i64..12_000),
        quality in prop::sample::select(vec![TimeQuality::Unknown, TimeQuality::Plausible, TimeQuality::Attested]),
        agree in any::<bool>(),
        open in proptest::option::of((any::<bool>(), 0_u32..2, 0_u64..240)),
        holds in any::<(bool, bool, bool, bool)>(),
        interlock in prop_oneof![
            (0_u64..120).prop_map(|for_s| Interlock::Free { for_s }),
            Just(Interlock::InUse), Just(Interlock::Silent), Just(Interlock::Missing), Just(Interlock::NotNeeded),
        ],
        own_worst_s in 0_u64..9000,
    ) -> Moment {
        let held = |yes: bool| if yes { Held::Yes } else { Held::No };
        Moment {
            at: at_s.map(|s| at("2026-12-05T04:00:00Z").plus_seconds(s)),
            quality,
            clock: if agree { ClockAgreement::Agree } else { ClockAgreement::Disagree },
            open: open.map(|(same, wave, age_s)| Heard {
                approval_sha256: if same { admitted().approval_sha256 } else { Sha256Digest::of(b"other") },
                image_sha256: None,
                wave,
                age_s,
            }),
            proof: None,
            held_by_server: if holds.0 { HeldByServer::BySite } else { HeldByServer::No },
            held_here: held(holds.1),
            interlock,
            own_worst_s,
            reserve_s: 120,
            mains: None,
            battery_percent: None,
            staging: if holds.2 { Staging::Ready } else { Staging::Underway },
            ledger: if holds.3 { LedgerRoom::Enough } else { LedgerRoom::Full },
            person: None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn going_implies_every_consent_at_that_instant(moment in any_moment()) {
        let admitted = admitted();
        match decide(&admitted, &moment) {
            Decision::Go { slot } => {
                let at = moment.at.unwrap();
                prop_assert!(admitted.slots.contains(&slot) && slot.contains(at));
                let need_s = admitted.worst_s.max(moment.own_worst_s) + 120;
                prop_assert!(at.plus_seconds(need_s.try_into().unwrap()) <= slot.end());
                prop_assert!(at < admitted.valid_until);
                prop_assert_eq!(moment.quality, TimeQuality::Attested);
                prop_assert_eq!(moment.clock, ClockAgreement::Agree);
                let free = matches!(moment.interlock, Interlock::Free { for_s: 60.. } | Interlock::NotNeeded);
                prop_assert!(free);
                let open = moment.open.unwrap();
                prop_assert!(open.age_s <= 120 && open.approval_sha256 == admitted.approval_sha256);
                prop_assert!(moment.held_here == Held::No && moment.held_by_server == HeldByServer::No);
            }
            Decision::Wait(reasons) => prop_assert!(!reasons.is_empty()),
        }
    }

    #[test]
    fn taking_knowledge_away_never_starts_anything(moment in any_moment(), what in 0_usize..5) {
        let waits = |moment: &Moment| matches!(decide(&admitted(), moment), Decision::Wait(_));
        if waits(&moment) {
            let mut less = moment;
            match what {
                0 => less.at = None,
                1 => less.open = None,
                2 => less.interlock = Interlock::Silent,
                3 => less.quality = TimeQuality::Unknown,
                _ => less.held_here = Held::Yes,
            }
            prop_assert!(waits(&less));
        }
    }
}

#[test]
fn a_later_wave_that_asks_no_proof_is_refused() {
    let mut approval = approval();
    let wave = Wave { n: 1, ..approval.waves[0].clone() };
    approval.waves.push(wave);
    assert!(approval.check().is_err());
    approval.waves[1].min_updated = 1;
    approval.check().unwrap();
}
