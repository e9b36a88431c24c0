//! Attack 22, the part of the waves: a server that says "open" without the devices having said so.

use crate::rollout::{DAY, Gate, HOUR, approval, device, image, key, start};
use patchward_protocol::approval::{Action, Approval};
use patchward_protocol::decision::{
    Admission, Admitted, ClockAgreement, Decision, Heard, Held, HeldByServer, Interlock,
    LedgerRoom, Moment, Offer, Own, SignedBy, Staging, admit, decide,
};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::gate::count::Rollout;
use patchward_protocol::id::{HardwareId, PersonId, Seq, TargetPath};
use patchward_protocol::key::Signer as _;
use patchward_protocol::ledger::{Entry, Kind, SealedEntry, SigningMethod};
use patchward_protocol::proof::{Partner, Proven, WaveProof, assemble, check};
use patchward_protocol::reason::Reason;
use patchward_protocol::slot::Slot;
use patchward_protocol::time::{TimeQuality, Timestamp};
use patchward_protocol::tuf::custom::{
    Acceptance, Class, Document, Documents, Estimate, Firmware, Format, Kind as Installer, Payload,
    ReleaseState, Severity,
};
use proptest::prelude::*;

fn committed_at() -> Timestamp {
    start().plus_seconds(3 * HOUR)
}

/// Two devices, of which both must be updated, and then two more.
fn gate() -> Gate {
    let mut plan = approval(&[2, 2]);
    plan.waves[1].min_updated = 2;
    Gate::new(plan)
}

fn proof_of(gate: &Gate, wave: u32, entries: &[SealedEntry]) -> WaveProof {
    WaveProof {
        v: 1,
        approval_sha256: gate.rollout.approval_sha256,
        image_sha256: gate.rollout.image_sha256,
        wave,
        entries: entries.iter().map(|sealed| sealed.envelope.clone()).collect(),
        acts: vec![],
    }
}

/// Both canaries committed.
fn good(gate: &Gate) -> Vec<SealedEntry> {
    vec![
        gate.sealed(0, Kind::Committed, committed_at()),
        gate.sealed(1, Kind::Committed, committed_at().plus_seconds(60)),
    ]
}

fn checked(gate: &Gate, proof: &WaveProof, n: u32) -> Result<Proven, Reason> {
    check(proof, &gate.approval, &gate.rollout, &device(n))
}

#[test]
fn enough_devices_of_the_wave_before_prove_a_wave_from_the_end_of_their_soak() {
    let gate = gate();
    let proven = checked(&gate, &proof_of(&gate, 1, &good(&gate)), 2).unwrap();
    assert_eq!(proven.soaked_from(), committed_at().plus_seconds(60 + DAY));
    assert_eq!((proven.wave(), proven.partner()), (1, Partner::None));
    assert_eq!(proven.rollout(), gate.rollout);
}

/// What a lying server may send, with the devices' own true words at hand.
fn lies(gate: &Gate, good: &[SealedEntry]) -> Vec<(&'static str, WaveProof)> {
    let at = committed_at();
    let by_other_key = {
        let entry = gate.entry(1, 20, Kind::Committed, Some(at));
        SealedEntry::seal(entry, &key(99)).unwrap()
    };
    let other = Sha256Digest::of(b"other");
    let changed = |change: fn(&mut Entry)| {
        let twisted = gate.sealed_after(1, Kind::Committed, at, change);
        proof_of(gate, 1, &[good[0].clone(), twisted])
    };
    let and = |sealed: SealedEntry| proof_of(gate, 1, &[good[0].clone(), sealed]);
    vec![
        ("nothing at all", proof_of(gate, 1, &[])),
        ("one too few", proof_of(gate, 1, &good[..1])),
        ("one device twice", and(good[0].clone())),
        ("one device with two commits", and(gate.sealed(0, Kind::Committed, at.plus_seconds(1)))),
        ("a key that is not the device's", and(by_other_key)),
        ("a device that the approval does not name", and(gate.sealed(77, Kind::Committed, at))),
        ("a device of this wave, not of the one before", and(gate.sealed(3, Kind::Committed, at))),
        ("trial instead of committed", and(gate.sealed(1, Kind::Trial, at))),
        ("another image", changed(|entry| entry.fact.release = Some(image(6)))),
        (
            "success under an earlier approval, before a fallback",
            changed(|entry| {
                entry.fact.approval.as_mut().unwrap().sha256 = Sha256Digest::of(b"earlier");
            }),
        ),
        ("a device that did not know when", changed(|entry| entry.at = None)),
        ("for another wave", proof_of(gate, 0, good)),
        ("of another version", WaveProof { v: 2, ..proof_of(gate, 1, good) }),
        ("another approval", WaveProof { approval_sha256: other, ..proof_of(gate, 1, good) }),
        ("another image still", WaveProof { image_sha256: other, ..proof_of(gate, 1, good) }),
    ]
}

#[test]
fn attack_22_a_forged_short_foreign_or_replayed_proof_opens_no_wave() {
    let gate = gate();
    let good = good(&gate);
    let other = Rollout { approval_sha256: Sha256Digest::of(b"other"), ..gate.rollout };
    for (what, proof) in lies(&gate, &good) {
        assert_eq!(checked(&gate, &proof, 2), Err(Reason::WaveUnproven), "{what}");
    }
    let elsewhere = check(&proof_of(&gate, 1, &good), &gate.approval, &other, &device(2));
    assert_eq!(elsewhere, Err(Reason::WaveUnproven), "a replay for another approval");
    let stranger = check(&proof_of(&gate, 1, &good), &gate.approval, &gate.rollout, &device(9));
    assert_eq!(stranger, Err(Reason::WaveUnproven), "a device that is not named");
}

#[test]
fn a_relabelled_statement_of_a_device_is_no_ledger_entry() {
    let gate = gate();
    let mut proof = proof_of(&gate, 1, &good(&gate)[..1]);
    let entry = gate.entry(1, 20, Kind::Committed, Some(committed_at()));
    proof.entries.push(Envelope::seal(PayloadType::Poll, &entry, &key(1)).unwrap());
    assert_eq!(checked(&gate, &proof, 2), Err(Reason::WaveUnproven));
}

#[test]
fn more_than_two_entries_for_each_device_are_refused_before_any_is_looked_at() {
    let gate = gate();
    let mut proof = proof_of(&gate, 1, &good(&gate));
    while proof.entries.len() <= gate.approval.devices.len() * 2 {
        proof.entries.push(proof.entries[0].clone());
    }
    assert_eq!(checked(&gate, &proof, 2), Err(Reason::WaveUnproven));
}

#[test]
fn hours_of_clinical_use_are_proven_by_the_devices_that_committed() {
    let mut plan = approval(&[2, 2]);
    plan.waves[1].min_updated = 1;
    plan.waves[1].min_clinical_use_h = 5;
    let gate = Gate::new(plan);
    let used = |n: u32, hours: u64| {
        gate.sealed_after(n, Kind::Used, committed_at(), |entry| {
            entry.fact.clinical_use_s = Some(hours * 3600);
            entry.fact.approval = None;
        })
    };
    let good = good(&gate);
    let holds = |entries: &[SealedEntry]| checked(&gate, &proof_of(&gate, 1, entries), 2).is_ok();
    assert!(!holds(&good));
    assert!(!holds(&[good[0].clone(), used(0, 4)]));
    assert!(!holds(&[good[0].clone(), used(0, 4), used(1, 4)]), "use without a commit");
    assert!(!holds(&[good[0].clone(), used(0, 4), used(0, 4)]), "the same hours twice");
    assert!(holds(&[good[0].clone(), used(0, 5)]));
    assert!(holds(&[good[0].clone(), used(0, 2), good[1].clone(), used(1, 3)]));
    let all = [good[0].clone(), used(0, 1), used(0, 2), good[1].clone(), used(1, 3)];
    let made = assemble(&gate.approval, &gate.rollout, 1, &all).unwrap();
    assert_eq!(made.entries.len(), 4);
    checked(&gate, &made, 2).unwrap();
    assert_eq!(assemble(&gate.approval, &gate.rollout, 1, &all[..4]), None);
}

#[test]
fn a_proof_is_assembled_of_as_few_entries_as_are_enough_and_read_back() {
    let mut plan = approval(&[40, 2]);
    plan.waves[1].min_updated = 3;
    let gate = Gate::new(plan);
    let sealed = |n: u32| {
        let at = committed_at().plus_seconds(i64::from(40 - n));
        gate.sealed(n, Kind::Committed, at)
    };
    let known: Vec<_> = (0..40).map(sealed).collect();
    let made = assemble(&gate.approval, &gate.rollout, 1, &known).unwrap();
    assert_eq!(made.entries.len(), 3);
    let proven = checked(&gate, &made, 41).unwrap();
    assert_eq!(proven.soaked_from(), committed_at().plus_seconds(3 + DAY), "the earliest three");
    assert_eq!(WaveProof::read(&made.write().unwrap()).unwrap(), made);
    assert_eq!(assemble(&gate.approval, &gate.rollout, 1, &known[..2]), None);
    assert!(assemble(&gate.approval, &gate.rollout, 0, &[]).unwrap().entries.is_empty());
    assert_eq!(assemble(&gate.approval, &gate.rollout, 7, &known), None);
    assert_eq!(WaveProof::read(b"{}"), Err(Reason::WaveUnproven));
}

/// Devices 0 and 1 are a pair; 0 goes first.
fn pair() -> Gate {
    let mut plan = approval(&[2]);
    let slot = plan.devices[1].slots[0];
    plan.devices[1].slots = vec![Slot::new(slot.end(), slot.end().plus_seconds(4 * HOUR)).unwrap()];
    plan.devices[0].pair = Some(device(1));
    plan.devices[1].pair = Some(device(0));
    Gate::new(plan)
}

#[test]
fn of_a_pair_the_second_needs_what_the_first_signed() {
    let gate = pair();
    let first = gate.sealed(0, Kind::Committed, committed_at());
    let with = assemble(&gate.approval, &gate.rollout, 0, &[first]).unwrap();
    let without = assemble(&gate.approval, &gate.rollout, 0, &[]).unwrap();
    assert_eq!(checked(&gate, &without, 0).unwrap().partner(), Partner::None);
    assert_eq!(checked(&gate, &without, 1).unwrap().partner(), Partner::Unproven);
    assert_eq!(checked(&gate, &with, 1).unwrap().partner(), Partner::Committed);
    let going = |proof: &WaveProof, n: u32| {
        let admitted = admitted(&gate, n);
        let at = admitted.slots[0].start();
        let proof = checked(&gate, proof, n).ok();
        decide(&admitted, &Moment { proof, ..moment(&admitted, at) })
    };
    assert!(matches!(going(&without, 0), Decision::Go { .. }));
    assert_eq!(going(&without, 1), Decision::Wait(vec![Reason::PartnerUnproven]));
    assert!(matches!(going(&with, 1), Decision::Go { .. }));
    let admitted = admitted(&gate, 1);
    let bare = moment(&admitted, admitted.slots[0].start());
    assert_eq!(decide(&admitted, &bare), Decision::Wait(vec![Reason::PartnerUnproven]));
}

#[test]
fn of_a_pair_that_starts_together_only_one_goes_without_the_other() {
    let mut plan = approval(&[2]);
    plan.devices[0].pair = Some(device(1));
    plan.devices[1].pair = Some(device(0));
    let gate = Gate::new(plan);
    let proof = assemble(&gate.approval, &gate.rollout, 0, &[]).unwrap();
    assert_eq!(checked(&gate, &proof, 0).unwrap().partner(), Partner::None);
    assert_eq!(checked(&gate, &proof, 1).unwrap().partner(), Partner::Unproven);
}

#[test]
fn a_wave_opens_at_the_end_of_the_soak_and_not_before() {
    let gate = gate();
    let proof = checked(&gate, &proof_of(&gate, 1, &good(&gate)), 2).unwrap();
    let mut admitted = admitted(&gate, 2);
    let from = proof.soaked_from();
    admitted.not_before = start();
    admitted.slots =
        vec![Slot::new(from.plus_seconds(-HOUR), from.plus_seconds(2 * HOUR)).unwrap()];
    let going = |at| decide(&admitted, &Moment { proof: Some(proof), ..moment(&admitted, at) });
    assert_eq!(going(from.plus_millis(-1)), Decision::Wait(vec![Reason::WaveNotOpen]));
    assert!(matches!(going(from), Decision::Go { .. }));
    let unproven = decide(&admitted, &moment(&admitted, from));
    assert_eq!(unproven, Decision::Wait(vec![Reason::WaveUnproven]));
}

#[test]
fn working_offline_is_waived_for_the_first_wave_only() {
    let mut gate = gate();
    gate.approval.conditions.offline_ok = true;
    let gate = Gate::new(gate.approval);
    let alone = |n: u32, proof: Option<Proven>| {
        let admitted = admitted(&gate, n);
        let at = admitted.slots[0].start();
        decide(&admitted, &Moment { open: None, proof, ..moment(&admitted, at) })
    };
    assert!(matches!(alone(0, None), Decision::Go { .. }));
    let proof = checked(&gate, &proof_of(&gate, 1, &good(&gate)), 2).unwrap();
    assert_eq!(alone(2, Some(proof)), Decision::Wait(vec![Reason::WaveNotOpen]));
}

fn firmware(seq: u64) -> Firmware {
    let release = image(seq);
    let document = |name: &str| Document {
        path: TargetPath::new(&format!("doc/{name}")).unwrap(),
        sha256: Sha256Digest::of(name.as_bytes()),
    };
    Firmware {
        v: 1,
        family: release.family,
        version: release.version,
        seq: release.seq,
        hw: vec![HardwareId::new("rev2").unwrap()],
        min_seq: Seq(1),
        rollback_ok: vec![Seq(seq.saturating_sub(1).max(1))],
        class: Class::Security,
        severity: Severity::High,
        cves: vec![],
        known_exploited: false,
        state: ReleaseState::Released,
        payload: Payload {
            format: Format::Tree,
            kind: Installer::Tree,
            image_sha256: release.image_sha256,
            image_length: 5,
            slot_bytes: 5,
            table_sha256: None,
        },
        est: Estimate { activate_s: 10, boot_s: 20, health_s: 30, rollback_s: 40 },
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

fn own(n: u32) -> Own {
    Own {
        site: approval(&[1]).site,
        device: device(n),
        key: key(n).public(),
        family: image(6).family,
        hardware: HardwareId::new("rev2").unwrap(),
        kind: Installer::Tree,
        installed: Some(image(6)),
        image_floor: Seq(5),
        serial_floor: 4,
        withdrawn: vec![],
        spent: vec![],
    }
}

fn offered(own: &Own, plan: &Approval, to: &Firmware, running: Option<&Firmware>) -> Admission {
    let signers = [
        SignedBy { person: PersonId::new("tanaka").unwrap(), method: SigningMethod::Offline },
        SignedBy { person: PersonId::new("suzuki").unwrap(), method: SigningMethod::Offline },
    ];
    let offer = Offer {
        approval: plan,
        approval_sha256: Sha256Digest::of(&plan.write().unwrap()),
        signers: &signers,
        weakest_allowed: SigningMethod::Offline,
        path: &TargetPath::new("img/infusion-a-2.7.tar").unwrap(),
        firmware: to,
        installed: running,
    };
    admit(own, &offer)
}

fn admitted(gate: &Gate, n: u32) -> Admitted {
    match offered(&own(n), &gate.approval, &firmware(7), None) {
        Admission::Admitted(admitted) => *admitted,
        other @ (Admission::Installed | Admission::Refused(_)) => panic!("{other:?}"),
    }
}

fn moment(admitted: &Admitted, at: Timestamp) -> Moment {
    Moment {
        at: Some(at),
        quality: TimeQuality::Attested,
        clock: ClockAgreement::Agree,
        open: Some(Heard {
            approval_sha256: admitted.approval_sha256,
            image_sha256: Some(admitted.image.image_sha256),
            wave: admitted.wave,
            age_s: 3,
        }),
        proof: None,
        held_by_server: HeldByServer::No,
        held_here: Held::No,
        interlock: Interlock::Free { for_s: 60 },
        own_worst_s: 0,
        reserve_s: 120,
        mains: None,
        battery_percent: None,
        staging: Staging::Ready,
        ledger: LedgerRoom::Enough,
        person: None,
    }
}

/// An order to go back from 2.7 to 2.6.
fn way_back() -> Approval {
    let mut plan = approval(&[1]);
    plan.action = Action::Rollback;
    let release = plan.release.as_mut().unwrap();
    let to = image(6);
    (release.version, release.seq, release.image_sha256) = (to.version, to.seq, to.image_sha256);
    plan
}

#[test]
fn a_rollback_is_admitted_where_the_running_image_still_permits_it() {
    let plan = way_back();
    let mut device = own(0);
    device.installed = Some(image(7));
    let refused = |own: &Own, to: &Firmware, running: Option<&Firmware>| match offered(
        own, &plan, to, running,
    ) {
        Admission::Admitted(_) => None,
        Admission::Installed => panic!("installed"),
        Admission::Refused(reason) => Some(reason),
    };
    let (six, seven) = (fw_under_approval(6), firmware(7));
    assert_eq!(refused(&device, &six, Some(&seven)), None);
    let not_permitted = Some(Reason::RollbackNotPermitted);
    assert_eq!(refused(&device, &six, None), not_permitted, "what runs is not listed any more");
    let mut strict = seven.clone();
    strict.rollback_ok = vec![Seq(5)];
    assert_eq!(refused(&device, &six, Some(&strict)), not_permitted);
    assert_eq!(refused(&device, &six, Some(&firmware(8))), not_permitted, "another image's word");
    let mut floor = device.clone();
    floor.image_floor = Seq(7);
    assert_eq!(refused(&floor, &six, Some(&seven)), Some(Reason::BelowFloor));
    let mut lost = device.clone();
    lost.installed = None;
    assert_eq!(refused(&lost, &six, Some(&seven)), not_permitted);
    let mut older = device.clone();
    older.installed = Some(image(5));
    assert_eq!(refused(&older, &six, Some(&firmware(5))), not_permitted, "that would be forward");
    let mut withdrawn = six;
    withdrawn.state = ReleaseState::Withdrawn;
    assert_eq!(refused(&device, &withdrawn, Some(&seven)), Some(Reason::ReleaseWithdrawn));
}

/// The firmware of another rank under the path that the approval names.
fn fw_under_approval(seq: u64) -> Firmware {
    firmware(seq)
}

#[test]
fn holds_of_manufacturer_and_operator_do_not_block_a_rollback() {
    let mut device = own(0);
    device.installed = Some(image(7));
    let back = match offered(&device, &way_back(), &firmware(6), Some(&firmware(7))) {
        Admission::Admitted(admitted) => *admitted,
        other @ (Admission::Installed | Admission::Refused(_)) => panic!("{other:?}"),
    };
    let forward = admitted(&Gate::new(approval(&[1])), 0);
    let at = back.slots[0].start();
    let held = |admitted: &Admitted, held_by_server| {
        let moment = Moment { held_by_server, ..moment(admitted, at) };
        decide(admitted, &moment) == Decision::Wait(vec![Reason::HeldByServer])
    };
    use HeldByServer::{ByOthers, BySite, No};
    assert!(!held(&back, No) && !held(&back, ByOthers) && held(&back, BySite));
    assert!(!held(&forward, No) && held(&forward, ByOthers) && held(&forward, BySite));
    use patchward_protocol::directive::HoldBy;
    assert_eq!(HeldByServer::of([]), No);
    assert_eq!(HeldByServer::of([HoldBy::Maker, HoldBy::Operator]), ByOthers);
    assert_eq!(HeldByServer::of([HoldBy::Maker, HoldBy::Freeze]), BySite);
    assert_eq!(HeldByServer::of([HoldBy::Site, HoldBy::Operator]), BySite);
}

/// A policy: security releases of high severity.
fn standing() -> Approval {
    use patchward_protocol::approval::{KnownExploited, StandingPolicy};
    let mut plan = approval(&[1]);
    plan.action = Action::Standing;
    plan.release = None;
    plan.standing = Some(StandingPolicy {
        families: vec![image(7).family],
        classes: vec![Class::Security],
        severity_min: Severity::High,
        known_exploited: KnownExploited::Always,
    });
    plan
}

#[test]
fn a_standing_approval_admits_what_its_policy_permits_and_each_release_once() {
    let plan = standing();
    let of = |own: &Own, to: &Firmware| offered(own, &plan, to, None);
    let Admission::Admitted(seven) = of(&own(0), &firmware(7)) else { panic!() };
    let Admission::Admitted(eight) = of(&own(0), &firmware(8)) else { panic!() };
    assert_ne!(seven.spent_key, eight.spent_key);
    assert_ne!(seven.spent_key, seven.approval_sha256);
    let mut spent = own(0);
    spent.spent = vec![seven.spent_key];
    assert_eq!(of(&spent, &firmware(7)), Admission::Refused(Reason::ApprovalReplayed));
    assert!(matches!(of(&spent, &firmware(8)), Admission::Admitted(_)));
    let mut feature = firmware(8);
    feature.class = Class::Feature;
    assert_eq!(of(&own(0), &feature), Admission::Refused(Reason::StandingNoMatch));
    let mut low = firmware(8);
    low.severity = Severity::Low;
    assert_eq!(of(&own(0), &low), Admission::Refused(Reason::StandingNoMatch));
    low.known_exploited = true;
    assert!(matches!(of(&own(0), &low), Admission::Admitted(_)));
    assert_eq!(of(&own(0), &firmware(5)), Admission::Refused(Reason::NotNewer));
}

#[test]
fn a_word_about_a_standing_approval_must_name_the_release() {
    let Admission::Admitted(admitted) = offered(&own(0), &standing(), &firmware(7), None) else {
        panic!()
    };
    let at = admitted.slots[0].start();
    let with = |image_sha256: Option<Sha256Digest>| {
        let mut moment = moment(&admitted, at);
        moment.open.as_mut().unwrap().image_sha256 = image_sha256;
        matches!(decide(&admitted, &moment), Decision::Go { .. })
    };
    assert!(with(Some(image(7).image_sha256)));
    assert!(!with(Some(image(8).image_sha256)));
    assert!(!with(None));
}

/// What a lying server may do to a proof: any of these, in any number, never more than the truth.
#[derive(Debug, Clone)]
enum Twist {
    Drop(usize),
    Double(usize),
    Swap(usize, usize),
    Resign(usize, u32),
    Later(usize, i64),
}

fn any_twist() -> impl Strategy<Value = Twist> {
    prop_oneof![
        (0_usize..6).prop_map(Twist::Drop),
        (0_usize..6).prop_map(Twist::Double),
        (0_usize..6, 0_usize..6).prop_map(|(a, b)| Twist::Swap(a, b)),
        (0_usize..6, 90_u32..94).prop_map(|(n, by)| Twist::Resign(n, by)),
        (0_usize..6, -DAY..DAY).prop_map(|(n, by)| Twist::Later(n, by)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn a_proof_holds_only_what_devices_of_the_wave_before_really_signed(
        truly in 0_u32..=4,
        twists in prop::collection::vec(any_twist(), 0..5),
        asked in 1_u32..=4,
    ) {
        let mut plan = approval(&[4, 1]);
        plan.waves[1].min_updated = asked;
        let gate = Gate::new(plan);
        let mut entries: Vec<SealedEntry> =
            (0..truly).map(|n| gate.sealed(n, Kind::Committed, committed_at())).collect();
        for twist in &twists {
            let len = entries.len();
            match *twist {
                Twist::Drop(n) if n < len => { entries.remove(n); }
                Twist::Double(n) if n < len => entries.push(entries[n].clone()),
                Twist::Swap(a, b) if a < len && b < len => entries.swap(a, b),
                Twist::Resign(n, by) if n < len => {
                    let entry = gate.entry(n as u32, 20, Kind::Committed, Some(committed_at()));
                    entries[n] = SealedEntry::seal(entry, &key(by)).unwrap();
                }
                Twist::Later(n, by) if n < len => {
                    // Another time, signed with a key that the attacker has: not a device's.
                    let mut entry: Entry = entries[n].entry.clone();
                    entry.at = entry.at.map(|at| at.plus_seconds(by));
                    entries[n] = SealedEntry::seal(entry, &key(95)).unwrap();
                }
                Twist::Drop(_) | Twist::Double(_) | Twist::Swap(..) | Twist::Resign(..) | Twist::Later(..) => {}
            }
        }
        match checked(&gate, &proof_of(&gate, 1, &entries), 4) {
            Ok(proven) => {
                prop_assert!(truly >= asked);
                prop_assert_eq!(proven.soaked_from(), committed_at().plus_seconds(DAY));
            }
            Err(reason) => prop_assert_eq!(reason, Reason::WaveUnproven),
        }
        if twists.is_empty() {
            prop_assert_eq!(checked(&gate, &proof_of(&gate, 1, &entries), 4).is_ok(), truly >= asked);
        }
    }
}

#[test]
fn nothing_that_a_later_wave_rests_on_can_be_left_out() {
    let gate = gate();
    let proof = checked(&gate, &proof_of(&gate, 1, &good(&gate)), 2).unwrap();
    let admitted = admitted(&gate, 2);
    let going = |change: fn(&mut Moment)| {
        let mut moment = moment(&admitted, admitted.slots[0].start());
        moment.proof = Some(proof);
        change(&mut moment);
        decide(&admitted, &moment)
    };
    assert!(matches!(going(|_| ()), Decision::Go { .. }));
    type Lack = fn(&mut Moment);
    let lacks: [(Lack, Reason); 8] = [
        (|m| m.proof = None, Reason::WaveUnproven),
        (|m| m.open = None, Reason::WaveNotOpen),
        (|m| m.open.as_mut().unwrap().wave = 0, Reason::WaveNotOpen),
        (|m| m.open.as_mut().unwrap().age_s = 121, Reason::WaveNotOpen),
        (|m| m.at = None, Reason::ClockUnknown),
        (|m| m.quality = TimeQuality::Plausible, Reason::ClockNotAttested),
        (|m| m.interlock = Interlock::Silent, Reason::InterlockSilent),
        (|m| m.held_by_server = HeldByServer::BySite, Reason::HeldByServer),
    ];
    for (change, reason) in lacks {
        let Decision::Wait(reasons) = going(change) else { panic!("{reason:?} does not hold") };
        assert_eq!(reasons[0], reason);
    }
}
