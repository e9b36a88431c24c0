//! Laws that hold for every input, tried with many.

use crate::repository::*;
use patchward_protocol::id::{ApprovalId, PersonId, Seq};
use patchward_protocol::key::Signer as _;
use patchward_protocol::tuf::build::KeySpec;
use patchward_protocol::tuf::floors::Floors;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::{Root, SignatureEntry, TopLevel, authority};
use patchward_protocol::tuf::threshold;
use patchward_protocol::tuf::trusted_set::TrustedSet;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::LazyLock;

static REPOSITORY: LazyLock<Repository> = LazyLock::new(|| {
    let mut repository = Repository::with_deltas("family:acme.infusion-a");
    repository.next_root(&ROOT[..2], |_| {});
    repository.publish(&TARGETS[..2]);
    repository
});

/// Everything that a device would act on.
fn content_of(set: &TrustedSet) -> Vec<Vec<u8>> {
    vec![
        set.root().message().to_vec(),
        set.timestamp().unwrap().message().to_vec(),
        set.snapshot().unwrap().message().to_vec(),
        set.targets().unwrap().message().to_vec(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever keys are listed under whatever ids, and whoever signs: distinct public keys count.
    #[test]
    fn the_threshold_counts_distinct_listed_public_keys(
        listed in prop::collection::vec((1_u8..6, 0_u8..3), 1..8),
        signing in prop::collection::vec(1_u8..8, 0..8),
        threshold in 1_u64..5,
        broken in any::<bool>(),
    ) {
        let name = |n: u8| (n > 0).then(|| PersonId::new(&format!("p{n}")).unwrap());
        let keys: BTreeSet<(u8, u8)> = listed.iter().copied().collect();
        let specs: Vec<KeySpec> = keys
            .iter()
            .map(|(seed, person)| KeySpec { person: name(*person), ..key_spec(*seed) })
            .collect();
        let distinct: BTreeSet<u8> = keys.iter().map(|(seed, _)| *seed).collect();
        let mut root = REPOSITORY.root.clone();
        root.targets.keys = specs.clone();
        root.targets.threshold = 1;
        let typed = root.staged().unwrap().typed::<Root>().unwrap().signed;
        let mut under = authority(&typed, TopLevel::Targets).unwrap();
        under.threshold = threshold;

        let message = b"message";
        let signers: BTreeSet<u8> = signing.iter().copied().collect();
        let mut entries = Vec::new();
        for seed in &signers {
            let text: &[u8] = if broken { b"massage" } else { message };
            let sig = key(*seed).sign(text).unwrap().to_string();
            let ids: Vec<String> = specs
                .iter()
                .filter(|spec| spec.public == key(*seed).public())
                .map(KeySpec::id)
                .collect();
            let ids = if ids.is_empty() { vec![key(*seed).public().key_id().to_string()] } else { ids };
            entries.extend(ids.into_iter().map(|keyid| SignatureEntry { keyid, sig: sig.clone() }));
        }
        let expected = if broken { 0 } else { distinct.intersection(&signers).count() };
        let counted = threshold::count(&under, message, &entries).unwrap();
        prop_assert_eq!(counted.count(), u64::try_from(expected).unwrap());
        let enough = u64::try_from(expected).unwrap() >= threshold;
        prop_assert_eq!(threshold::verify(&under, message, &entries).is_ok(), enough);
    }

    /// Hard floors never fall, whatever is seen in whatever order and whichever keys are replaced.
    #[test]
    fn hard_floors_never_fall(steps in prop::collection::vec((0_u8..7, 0_u64..50), 0..60)) {
        let typed = REPOSITORY.root.staged().unwrap().typed::<Root>().unwrap().signed;
        let of = |role| authority(&typed, role).unwrap();
        let mut floors = Floors::default();
        for (what, value) in steps {
            let before = floors.clone();
            let at = day(i64::try_from(value).unwrap());
            match what {
                0 => floors.raise_root(value, Some(at)),
                1 => floors.raise_targets(value, Some(at)),
                2 => floors.raise_image_seq(Seq(value)),
                3 => floors.raise_approval_serial(value),
                4 => floors.withdraw(ApprovalId::new(&format!("a-{value}")).unwrap(), day(400)),
                5 => {
                    let text = serde_json::to_string(&floors).unwrap();
                    floors = serde_json::from_str(&text).unwrap();
                }
                _ => floors.keep_under(&of(TopLevel::Root), &of(TopLevel::Targets)),
            }
            prop_assert!(floors.root_version() >= before.root_version());
            prop_assert!(floors.targets_version() >= before.targets_version());
            prop_assert!(floors.image_seq() >= before.image_seq());
            prop_assert!(floors.approval_serial() >= before.approval_serial());
            prop_assert!(floors.issued() >= before.issued());
            for n in 0..50 {
                let id = ApprovalId::new(&format!("a-{n}")).unwrap();
                prop_assert!(floors.is_withdrawn(&id) || !before.is_withdrawn(&id));
            }
        }
    }

    /// Any byte changed in any file: refused, or the same content is trusted.
    #[test]
    fn a_changed_byte_changes_nothing_that_is_trusted(
        which in 0_usize..4,
        at in any::<prop::sample::Index>(),
        xor in 1_u8..,
    ) {
        let names = ["2.root.json", "timestamp.json", "3.snapshot.json", "3.targets.json"];
        let clean = content_of(&Device::of(&REPOSITORY).refresh(&REPOSITORY.files).unwrap());
        let mut files = REPOSITORY.files.clone();
        let file = files.get_mut(names[which]).unwrap();
        let at = at.index(file.len());
        file[at] ^= xor;
        if let Ok(set) = Device::of(&REPOSITORY).refresh(&files) {
            prop_assert_eq!(content_of(&set), clean);
        }
    }

    /// Any byte changed in what is held: refused, or the same content is trusted.
    #[test]
    fn a_changed_byte_in_held_files_changes_nothing_that_is_trusted(
        which in 0_usize..4,
        at in any::<prop::sample::Index>(),
        xor in 1_u8..,
    ) {
        let mut device = Device::of(&REPOSITORY);
        let clean = content_of(&device.refresh(&REPOSITORY.files).unwrap());
        let held = &mut device.held;
        let files = [
            Some(&mut held.root),
            held.timestamp.as_mut(),
            held.snapshot.as_mut(),
            held.targets.as_mut(),
        ];
        let file = files.into_iter().nth(which).flatten().unwrap();
        let at = at.index(file.len());
        file[at] ^= xor;
        if let Ok(set) = device.refresh(&REPOSITORY.files) {
            prop_assert_eq!(content_of(&set), clean);
        }
    }

    /// No bytes make the reader panic.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut files = REPOSITORY.files.clone();
        files.insert("timestamp.json".to_owned(), bytes);
        prop_assert!(Device::of(&REPOSITORY).refresh(&files).is_err());
    }
}

#[test]
fn equal_content_has_equal_bytes() {
    let one = REPOSITORY.targets.staged(Role::Targets).unwrap();
    let two = REPOSITORY.targets.staged(Role::Targets).unwrap();
    assert_eq!(one.to_bytes(), two.to_bytes());
}
