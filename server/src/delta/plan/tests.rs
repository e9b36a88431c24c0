//! Laws of planning, and the cases that a person would ask about.

use super::*;
use patchward_protocol::tuf::custom::{
    Acceptance, Class, Document, Documents, Estimate, Kind, Payload, Severity,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn image(seq: u64) -> Sha256Digest {
    Sha256Digest::of(format!("image {seq}").as_bytes())
}

fn release(seq: u64) -> ImageTarget {
    let sha256 = image(seq);
    let document = || Document { path: "doc/a.txt".parse().unwrap(), sha256 };
    let firmware = Firmware {
        v: 1,
        family: "acme.pump".parse().unwrap(),
        version: format!("{seq}.0.0").parse().unwrap(),
        seq: Seq(seq),
        hw: vec!["pump.rev1".parse().unwrap()],
        min_seq: Seq(0),
        rollback_ok: Vec::new(),
        class: Class::Security,
        severity: Severity::High,
        cves: Vec::new(),
        known_exploited: false,
        state: ReleaseState::Released,
        payload: Payload {
            format: Format::Pwd1,
            kind: Kind::Slots,
            image_sha256: sha256,
            image_length: 1024,
            slot_bytes: 4096,
            table_sha256: Some(sha256),
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
    let path = format!("img/pump-{seq}.pwd").parse().unwrap();
    ImageTarget { path, length: 512, sha256, firmware }
}

fn changed(seq: u64, change: impl Fn(&mut Firmware)) -> ImageTarget {
    let mut release = release(seq);
    change(&mut release.firmware);
    release
}

fn fleet(devices: &[(u64, u32)]) -> Fleet {
    devices.iter().map(|(seq, number)| (image(*seq), *number)).collect()
}

fn planned(pairs: &[Pair]) -> Vec<(Rank, u64, u64)> {
    let seq = |digest| (0..100).find(|seq| image(*seq) == digest).unwrap();
    pairs.iter().map(|pair| (pair.rank, seq(pair.from), seq(pair.to))).collect()
}

/// The share of the devices behind `to` that covering bases have, in thousandths, and their number.
fn covered(pairs: &[Pair], fleet: &Fleet, newest: u64) -> (u64, usize) {
    let behind: u64 = fleet
        .iter()
        .filter(|(digest, _)| **digest != image(newest))
        .map(|(_, devices)| u64::from(*devices))
        .sum();
    let covering: Vec<_> = pairs.iter().filter(|pair| pair.rank == Rank::Cover).collect();
    let devices: u64 = covering.iter().map(|pair| u64::from(pair.devices)).sum();
    ((devices * 1000).checked_div(behind).unwrap_or(1000), covering.len())
}

#[test]
fn bases_of_most_devices_come_first_and_then_the_release_before() {
    let releases: Vec<_> = (1..=5).map(release).collect();
    let pairs = plan(&fleet(&[(1, 4), (2, 90), (3, 6), (5, 200)]), &releases, &Known::new());
    assert_eq!(
        planned(&pairs).into_iter().collect::<BTreeSet<_>>(),
        BTreeSet::from([
            (Rank::Cover, 2, 5),
            (Rank::Cover, 3, 5),
            (Rank::Previous, 4, 5),
            (Rank::Reported, 1, 5),
        ])
    );
}

#[test]
fn without_any_device_the_release_before_is_still_a_base() {
    let releases: Vec<_> = (1..=3).map(release).collect();
    let pairs = plan(&Fleet::new(), &releases, &Known::new());
    assert_eq!(planned(&pairs), [(Rank::Previous, 2, 3)]);
}

#[test]
fn a_base_that_is_reported_later_is_added_and_nothing_is_planned_twice() {
    let releases: Vec<_> = (1..=3).map(release).collect();
    let first = plan(&fleet(&[(2, 10)]), &releases, &Known::new());
    let mut known = Known::new();
    known.extend(first.iter().map(|pair| ((pair.from, pair.to), DeltaState::Published)));
    assert!(plan(&fleet(&[(2, 10)]), &releases, &known).is_empty());
    let later = plan(&fleet(&[(1, 1), (2, 100)]), &releases, &known);
    assert_eq!(planned(&later), [(Rank::Reported, 1, 3)]);
}

#[test]
fn only_containers_are_bases_and_targets_and_other_bases_are_told_of() {
    let raw = |firmware: &mut Firmware| firmware.payload.format = Format::Raw;
    let releases = [changed(1, raw), release(2), changed(3, raw)];
    let pairs = plan(&fleet(&[(1, 5), (3, 7), (50, 2)]), &releases, &Known::new());
    // Those on 3 are ahead of every container; nothing is known of 50.
    assert_eq!(
        planned(&pairs).into_iter().collect::<BTreeSet<_>>(),
        BTreeSet::from([(Rank::Unknown, 1, 2), (Rank::Unknown, 50, 2)])
    );
}

#[test]
fn other_hardware_other_installers_withdrawn_images_and_skipped_ranks_are_no_targets() {
    let other_hardware = changed(2, |firmware| firmware.hw = vec!["pump.rev2".parse().unwrap()]);
    let other_installer = changed(2, |firmware| firmware.payload.kind = Kind::Tree);
    let withdrawn = changed(2, |firmware| firmware.state = ReleaseState::Withdrawn);
    for target in [other_hardware, other_installer, withdrawn] {
        let pairs = plan(&fleet(&[(1, 5)]), &[release(1), target], &Known::new());
        assert!(pairs.is_empty(), "{pairs:?}");
    }
    let not_skipped = changed(3, |firmware| firmware.min_seq = Seq(2));
    let releases = [release(1), release(2), not_skipped];
    let pairs = plan(&fleet(&[(1, 5), (2, 5)]), &releases, &Known::new());
    assert_eq!(
        planned(&pairs).into_iter().collect::<BTreeSet<_>>(),
        BTreeSet::from([(Rank::Cover, 1, 2), (Rank::Cover, 2, 3),])
    );
}

#[test]
fn a_withdrawn_image_that_devices_still_run_is_a_base() {
    let withdrawn = changed(1, |firmware| firmware.state = ReleaseState::Withdrawn);
    let pairs = plan(&fleet(&[(1, 5)]), &[withdrawn, release(2)], &Known::new());
    assert_eq!(planned(&pairs), [(Rank::Cover, 1, 2)]);
}

#[test]
fn what_was_retired_or_had_no_container_is_planned_again_when_it_can_be_built() {
    let releases = [release(1), release(2)];
    for state in [DeltaState::Retired, DeltaState::BaseUnknown] {
        let known = Known::from([((image(1), image(2)), state)]);
        assert_eq!(planned(&plan(&fleet(&[(1, 5)]), &releases, &known)), [(Rank::Cover, 1, 2)]);
    }
    let known = Known::from([((image(1), image(2)), DeltaState::TooLarge)]);
    assert!(plan(&fleet(&[(1, 5)]), &releases, &known).is_empty());
}

fn devices() -> impl Strategy<Value = Vec<(u64, u32)>> {
    proptest::collection::vec((1..30_u64, 0..1000_u32), 0..40)
}

proptest! {
    #[test]
    fn five_bases_cover_the_fleet_or_five_are_not_enough(devices in devices(), newest in 2..30_u64) {
        let releases: Vec<_> = (1..=newest).map(release).collect();
        let fleet: Fleet = devices.iter()
            .filter(|(seq, _)| *seq <= newest)
            .map(|(seq, number)| (image(*seq), *number))
            .collect();
        let pairs = plan(&fleet, &releases, &Known::new());
        let (permille, bases) = covered(&pairs, &fleet, newest);
        prop_assert!(bases <= COVER_BASES_MAX);
        prop_assert!(permille >= COVER_PERMILLE || bases == COVER_BASES_MAX);
        // Of all sets of so many bases none covers more.
        let mut largest: Vec<u32> = fleet.iter()
            .filter(|(digest, _)| **digest != image(newest)).map(|(_, devices)| *devices).collect();
        largest.sort_by_key(|devices| Reverse(*devices));
        let best: u64 = largest.iter().take(bases).map(|devices| u64::from(*devices)).sum();
        let chosen: u64 = pairs.iter().filter(|pair| pair.rank == Rank::Cover)
            .map(|pair| u64::from(pair.devices)).sum();
        prop_assert_eq!(chosen, best);
    }

    #[test]
    fn every_pair_leads_forward_once_and_the_plan_is_bounded(devices in devices(), newest in 1..30_u64) {
        let releases: Vec<_> = (1..=newest).map(release).collect();
        let pairs = plan(&fleet(&devices), &releases, &Known::new());
        let distinct: BTreeSet<_> = pairs.iter().map(|pair| (pair.from, pair.to)).collect();
        prop_assert_eq!(distinct.len(), pairs.len());
        prop_assert!(pairs.len() <= BASES_PER_IMAGE_MAX + UNKNOWN_BASES_MAX);
        for pair in &pairs {
            prop_assert_eq!(pair.to, image(newest));
            prop_assert!(pair.from != pair.to);
            let listed = releases.iter().any(|it| it.firmware.payload.image_sha256 == pair.from);
            prop_assert_eq!(listed, pair.rank != Rank::Unknown);
        }
        // Nothing depends on the order in which releases are listed, and nothing is planned twice.
        let mut turned = releases.clone();
        turned.reverse();
        prop_assert_eq!(&plan(&fleet(&devices), &turned, &Known::new()), &pairs);
        let known: Known = pairs.iter()
            .map(|pair| ((pair.from, pair.to), if pair.rank == Rank::Unknown {
                DeltaState::BaseUnknown
            } else {
                DeltaState::Queued
            }))
            .collect();
        prop_assert!(plan(&fleet(&devices), &releases, &known).is_empty());
    }
}
