//! Several people, several machines, one file.

use crate::lookup::image;
use crate::repository::*;
use patchward_protocol::tuf::build::{RootSpec, TargetsSpec};
use patchward_protocol::tuf::difference::{RootDifference, TargetsDifference};
use patchward_protocol::tuf::memory::{MemoryRefusal, SignerMemory};
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::{Root, Targets};
use patchward_protocol::tuf::stage::{StageError, Staged, Standing};
use serde_json::json;

const SITE: &str = "site:city-hospital";

fn root_of(repository: &Repository) -> Root {
    repository.root.staged().unwrap().typed::<Root>().unwrap().signed
}

#[test]
fn two_copies_merge_to_the_union_of_valid_signatures() {
    let repository = Repository::new(SITE);
    let root = root_of(&repository);
    let staged = repository.targets.staged(Role::Targets).unwrap();
    let asked = staged.asked(Some(&root)).unwrap();
    let (mut one, mut two) = (staged.clone(), staged.clone());
    one.sign(&key(11), &asked).unwrap();
    two.sign(&key(12), &asked).unwrap();
    assert!(!one.status(&asked).unwrap()[0].is_met());
    let travelled = Staged::read_any(&two.to_bytes()).unwrap();
    assert_eq!(one.merge(&travelled, &asked).unwrap(), 1);
    assert_eq!(one.merge(&travelled, &asked).unwrap(), 0);
    let status = &one.status(&asked).unwrap()[0];
    assert!(status.is_met());
    assert_eq!(status.missing.len(), 1);
    assert_eq!(status.missing[0].public(), Some(key_spec(13).public));
}

#[test]
fn a_forged_signature_does_not_survive_a_merge() {
    let repository = Repository::new(SITE);
    let root = root_of(&repository);
    let mut staged = repository.targets.staged(Role::Targets).unwrap();
    let asked = staged.asked(Some(&root)).unwrap();
    let mut other = staged.clone();
    other.sign(&key(12), &asked).unwrap();
    let text = String::from_utf8(other.to_bytes()).unwrap();
    let at = text.find("\"sig\":\"").unwrap() + 7;
    let digit = if text.as_bytes()[at] == b'0' { "1" } else { "0" };
    let forged = format!("{}{digit}{}", &text[..at], &text[at + 1..]);
    let forged = Staged::read_any(forged.as_bytes()).unwrap();
    assert_eq!(staged.merge(&forged, &asked).unwrap(), 0);
}

#[test]
fn copies_with_other_content_never_merge() {
    let repository = Repository::new(SITE);
    let root = root_of(&repository);
    let mut one = repository.targets.staged(Role::Targets).unwrap();
    let mut changed = repository.targets.clone();
    changed.targets.insert(path("approval/a.json"), content(b"approval"));
    let two = changed.staged(Role::Targets).unwrap();
    let asked = one.asked(Some(&root)).unwrap();
    let error = one.merge(&two, &asked).unwrap_err();
    assert!(matches!(error, StageError::OtherContent { .. }), "{error}");
}

#[test]
fn only_a_listed_key_signs() {
    let repository = Repository::new(SITE);
    let root = root_of(&repository);
    let mut staged = repository.targets.staged(Role::Targets).unwrap();
    let asked = staged.asked(Some(&root)).unwrap();
    let error = staged.sign(&key(1), &asked).unwrap_err();
    assert!(matches!(error, StageError::NotASigner(..)), "{error}");
}

#[test]
fn a_new_root_asks_old_and_new_keys() {
    let repository = Repository::new(SITE);
    let old = root_of(&repository);
    let mut next = repository.root.clone();
    next.version = 2;
    next.root = role(&[2, 3, 4], 2);
    let mut staged = next.staged().unwrap();
    let asked = staged.asked(Some(&old)).unwrap();
    staged.sign(&key(2), &asked).unwrap();
    staged.sign(&key(4), &asked).unwrap();
    let status = staged.status(&asked).unwrap();
    let met: Vec<_> = status.iter().map(|status| (status.standing, status.is_met())).collect();
    assert_eq!(met, [(Standing::Published, false), (Standing::Own, true)]);
    staged.sign(&key(3), &asked).unwrap();
    assert!(staged.status(&asked).unwrap().iter().all(|status| status.is_met()));
}

#[test]
fn the_difference_names_what_changes() {
    let mut old = Repository::new("family:acme.infusion-a").targets;
    old.targets.insert(path("img/a"), image(b"a", 1));
    old.targets.insert(path("img/b"), image(b"b", 2));
    let mut new = old.clone();
    new.version += 1;
    new.targets.remove(&path("doc/readme.txt"));
    new.targets.insert(path("doc/new.txt"), content(b"new"));
    new.targets.get_mut(&path("img/a")).unwrap().custom["fw"]["state"] = json!("withdrawn");
    let difference = TargetsDifference::between(Some(&old), &new);
    assert!(difference.added.contains_key(&path("doc/new.txt")));
    assert!(difference.removed.contains_key(&path("doc/readme.txt")));
    assert_eq!(difference.changed.keys().collect::<Vec<_>>(), [&path("img/a")]);
    assert_eq!(difference.withdrawn.iter().collect::<Vec<_>>(), [&path("img/a")]);
    assert_eq!((difference.version.from, difference.version.to), (Some(1), 2));
}

#[test]
fn the_difference_of_roots_names_keys_and_thresholds() {
    let old = Repository::new(SITE).root;
    let mut new = old.clone();
    new.targets = role(&[11, 12, 14, 15], 3);
    let difference = RootDifference::between(Some(&old), &new);
    let targets = difference.roles.iter().find(|role| !role.added.is_empty()).unwrap();
    assert_eq!((targets.threshold.from, targets.threshold.to), (Some(2), 3));
    assert_eq!((targets.added.len(), targets.removed.len()), (2, 1));
}

#[test]
fn documents_are_read_back_into_what_was_asked_for() {
    let repository = Repository::with_deltas("family:acme.infusion-a");
    let staged = repository.targets.staged(Role::Targets).unwrap();
    let typed = staged.typed::<Targets>().unwrap().signed;
    assert_eq!(TargetsSpec::of(&Role::Targets, &typed).unwrap(), repository.targets);
    let mut root = RootSpec::of(&root_of(&repository)).unwrap();
    let sort = |role: &mut patchward_protocol::tuf::build::RoleSpec| {
        role.keys.sort_by_key(|key| key.public);
    };
    sort(&mut root.root);
    let mut expected = repository.root.clone();
    sort(&mut expected.root);
    assert_eq!(root, expected);
}

/// Attack 32: a signer is shown a stale base that re-adds a withdrawn approval.
#[test]
fn a_signer_s_machine_refuses_what_contradicts_what_it_has_seen() {
    let mut targets = Repository::new(SITE).targets;
    let approval = path("approval/a.json");
    targets.targets.insert(approval.clone(), content(b"active"));
    let stage = |targets: &TargetsSpec| targets.staged(Role::Targets).unwrap();
    let empty = SignerMemory::default();
    targets.version = 2;
    empty.check(&stage(&targets), 1, Some(&targets)).unwrap();
    let memory = empty.after(&stage(&targets), 1, Some(&targets));

    let mut withdrawn = targets.clone();
    withdrawn.version = 3;
    withdrawn.targets.insert(approval.clone(), content(b"withdrawn"));
    let memory = memory.after(&stage(&withdrawn), 2, Some(&withdrawn));

    let mut again = targets.clone();
    again.version = 4;
    let remarks = memory.check(&stage(&again), 3, Some(&again)).unwrap();
    assert_eq!(remarks.readded.iter().collect::<Vec<_>>(), [&approval]);

    let stale = memory.check(&stage(&again), 1, Some(&again)).unwrap_err();
    assert_eq!(stale, MemoryRefusal::StaleBase { seen: 2, shown: 1 });

    let mut other = withdrawn.clone();
    other.targets.remove(&approval);
    let error = memory.check(&stage(&other), 2, Some(&other)).unwrap_err();
    assert!(matches!(error, MemoryRefusal::OtherContent { version: 3, .. }), "{error}");

    let error = memory.check(&stage(&targets), 2, Some(&targets)).unwrap_err();
    assert_eq!(error, MemoryRefusal::Older { signed: 3, shown: 2 });
}

/// A draft that was given up is never signed again, and makes room for one other of its version.
#[test]
fn a_draft_that_was_given_up_stays_given_up() {
    let mut first = Repository::new(SITE).targets;
    first.version = 2;
    let mut second = first.clone();
    second.targets.insert(path("approval/b.json"), content(b"second"));
    let stage = |targets: &TargetsSpec| targets.staged(Role::Targets).unwrap();
    let none = SignerMemory::default();
    assert_eq!(none.abandoning(0), None, "nothing was signed");
    let signed = none.after(&stage(&first), 1, Some(&first));
    assert_eq!(signed.abandoning(1), None, "another version");
    let given_up = signed.abandoning(2).unwrap();
    given_up.check(&stage(&second), 1, Some(&second)).unwrap();
    let refused =
        |memory: &SignerMemory| memory.check(&stage(&first), 1, Some(&first)).unwrap_err();
    assert!(matches!(refused(&given_up), MemoryRefusal::GivenUp { version: 2, .. }));
    let after = given_up.after(&stage(&second), 1, Some(&second));
    assert!(matches!(refused(&after), MemoryRefusal::GivenUp { version: 2, .. }));
    after.check(&stage(&second), 1, Some(&second)).unwrap();
    let kept: SignerMemory = serde_json::from_str(&serde_json::to_string(&after).unwrap()).unwrap();
    assert_eq!(kept, after);
}
