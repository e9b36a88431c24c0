//! What the tools refuse before anything is signed or published.

use crate::lookup::{documents, image};
use crate::repository::*;
use patchward_protocol::id::PersonId;
use patchward_protocol::tuf::build::{KeySpec, RootSpec, TargetsSpec};
use patchward_protocol::tuf::publish::{check_root, check_targets, next_online_version};
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::rules::{self, Exception};
use patchward_protocol::tuf::schema::{Method, Root, Targets};
use serde_json::json;
use std::collections::BTreeSet;

const FAMILY: &str = "family:acme.infusion-a";
const SITE: &str = "site:city-hospital";

type Change = fn(&mut RootSpec);

fn broken(root: &RootSpec, exceptions: &[Exception]) -> Vec<&'static str> {
    let exceptions = exceptions.iter().copied().collect();
    let mut codes: Vec<_> =
        rules::check_root(root, &exceptions).iter().map(|rule| rule.code()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn family_root(change: impl FnOnce(&mut RootSpec)) -> RootSpec {
    let mut root = Repository::new(FAMILY).root;
    change(&mut root);
    root
}

#[test]
fn a_root_that_one_lost_or_stolen_key_would_break_is_refused() {
    assert_eq!(broken(&family_root(|_| {}), &[]), [""; 0]);
    let cases: [(&str, Change); 6] = [
        ("rule_threshold_below_two", |root| root.root = role(&[1], 1)),
        ("rule_half_or_less", |root| root.targets = role(&[11, 12, 13, 14], 2)),
        ("rule_all_keys_needed", |root| root.targets = role(&[11, 12], 2)),
        ("rule_key_in_two_roles", |root| root.targets = role(&[1, 12, 13], 2)),
        ("rule_key_in_two_roles", |root| root.timestamp = role(&[SNAPSHOT], 1)),
        ("rule_time_key_online", |root| root.time_keys = vec![key_spec(TIMESTAMP).public]),
    ];
    for (code, change) in cases {
        let codes = broken(&family_root(change), &[]);
        assert!(codes.contains(&code), "{code} in {codes:?}");
    }
    let twin = KeySpec { person: Some(PersonId::new("twin").unwrap()), ..key_spec(11) };
    assert_eq!(broken(&family_root(|root| root.targets.keys.push(twin)), &[]), ["rule_key_twice"]);
}

#[test]
fn site_keys_say_whose_they_are_and_how_they_sign() {
    let mut root = Repository::new(SITE).root;
    assert_eq!(broken(&root, &[]), ["rule_method_missing", "rule_person_missing"]);
    for (n, key) in root.targets.keys.iter_mut().enumerate() {
        key.person = Some(PersonId::new(&format!("p{n}")).unwrap());
        key.method = Some(Method::Offline);
    }
    assert_eq!(broken(&root, &[]), [""; 0]);
    root.targets.keys[0].method = Some(Method::Custodial);
    assert_eq!(broken(&root, &[]), ["rule_online_key"]);
    let custodial = KeySpec { method: Some(Method::Custodial), ..key_spec(11) };
    root.targets.keys = vec![custodial];
    root.targets.threshold = 1;
    assert!(broken(&root, &[]).contains(&"rule_online_key"));
    assert_eq!(broken(&root, &[Exception::CustodialSite]), [""; 0]);
}

#[test]
fn a_delta_key_is_a_key_of_its_own() {
    let repository = Repository::with_deltas(FAMILY);
    let none = BTreeSet::new();
    assert!(rules::check_targets(&repository.root, &repository.targets, &none).is_empty());
    let mut targets = repository.targets.clone();
    targets.delegations[0].keys = role(&[TARGETS[0]], 1);
    let broken = rules::check_targets(&repository.root, &targets, &none);
    assert_eq!(
        broken.iter().map(|rule| rule.code()).collect::<Vec<_>>(),
        ["rule_key_in_two_roles"]
    );
}

fn typed_root(root: &RootSpec) -> Root {
    root.staged().unwrap().typed::<Root>().unwrap().signed
}

fn typed(targets: &TargetsSpec) -> Targets {
    targets.staged(Role::Targets).unwrap().typed::<Targets>().unwrap().signed
}

/// Targets with one image and its documents.
fn published() -> (Repository, TargetsSpec) {
    let repository = Repository::new(FAMILY);
    let mut targets = repository.targets.clone();
    for (name, document) in documents() {
        targets.targets.insert(path(&name), document);
    }
    targets.targets.insert(path("img/a"), image(b"a", 5));
    (repository, targets)
}

fn violations(change: impl FnOnce(&mut TargetsSpec)) -> Vec<&'static str> {
    let (repository, before) = published();
    let mut next = before.clone();
    next.version += 1;
    change(&mut next);
    let bytes = signed(next.staged(Role::Targets).unwrap(), &TARGETS[..2], &repository.root);
    let root = typed_root(&repository.root);
    let found = check_targets(&root, Some(&typed(&before)), &bytes, day(0));
    found.iter().map(|violation| violation.code()).collect()
}

#[test]
fn targets_are_published_only_in_order_in_time_and_with_sound_images() {
    assert_eq!(violations(|_| {}), [""; 0]);
    assert_eq!(violations(|next| next.version += 1), ["publish_not_next"]);
    assert_eq!(violations(|next| next.expires = day(0)), ["publish_expired"]);
    assert_eq!(violations(|next| next.expires = day(500)), ["publish_expires_late"]);
    assert_eq!(violations(|next| next.issued = day(1)), ["publish_issued_ahead"]);
    let add = |name: &'static str, seq| {
        move |next: &mut TargetsSpec| {
            next.targets.insert(path(name), image(name.as_bytes(), seq));
        }
    };
    assert_eq!(violations(add("img/b", 6)), [""; 0]);
    assert_eq!(violations(add("img/b", 4)), ["publish_seq_not_rising"]);
    assert!(violations(add("img/b", 5)).contains(&"publish_seq_twice"));
    assert_eq!(violations(add("img/a", 6)), ["publish_image_replaced"]);
    let said_otherwise = |next: &mut TargetsSpec| {
        let target = next.targets.get_mut(&path("img/a")).unwrap();
        target.custom["fw"]["payload"]["slot_bytes"] = json!(1_048_576);
    };
    assert_eq!(violations(said_otherwise), ["publish_image_replaced"]);
    let broken = |next: &mut TargetsSpec| {
        let target = next.targets.get_mut(&path("img/a")).unwrap();
        target.custom["fw"]["hw"] = json!([]);
    };
    assert_eq!(violations(broken), ["publish_image"]);
    let undocumented = |next: &mut TargetsSpec| drop(next.targets.remove(&path("doc/sbom")));
    assert_eq!(violations(undocumented), ["publish_document_not_listed"]);
}

#[test]
fn a_withdrawn_image_is_not_released_again() {
    let (repository, before) = published();
    let mut withdrawn = before.clone();
    withdrawn.targets.get_mut(&path("img/a")).unwrap().custom["fw"]["state"] = json!("withdrawn");
    let mut next = before;
    next.version = withdrawn.version + 1;
    let bytes = signed(next.staged(Role::Targets).unwrap(), &TARGETS[..2], &repository.root);
    let root = typed_root(&repository.root);
    let found = check_targets(&root, Some(&typed(&withdrawn)), &bytes, day(0));
    let codes: Vec<_> = found.iter().map(|violation| violation.code()).collect();
    assert_eq!(codes, ["publish_withdrawn_again_released"]);
}

#[test]
fn targets_signed_by_too_few_are_not_published() {
    let repository = Repository::new(FAMILY);
    let root = typed_root(&repository.root);
    let staged = repository.targets.staged(Role::Targets).unwrap();
    let found = check_targets(&root, None, &signed(staged, &[11], &repository.root), day(0));
    assert_eq!(found[0].code(), "tuf_signature_threshold");
}

#[test]
fn a_root_is_published_only_with_old_and_new_signatures_and_in_order() {
    let mut repository = Repository::new(FAMILY);
    let first = repository.files["1.root.json"].clone();
    let id = repository.id();
    let old = typed_root(&repository.root);
    let codes = |published: Option<&Root>, bytes: &[u8]| {
        let found = check_root(&id, published, bytes, day(0));
        found.iter().map(|violation| violation.code()).collect::<Vec<_>>()
    };
    assert_eq!(codes(None, &first), [""; 0]);
    assert_eq!(codes(Some(&old), &first), ["publish_not_next"]);
    for one_side in [[1, 2], [4, 5]] {
        repository.next_root(&one_side, |root| root.root = role(&[4, 5, 6], 2));
        let code = codes(Some(&old), &repository.files["2.root.json"]);
        assert_eq!(code, ["tuf_signature_threshold"], "{one_side:?}");
        repository.root.version = 1;
        repository.root.root = role(&ROOT, 2);
    }
    repository.root.root = role(&[4, 5, 6], 2);
    repository.next_root(&[1, 2, 4, 5], |root| root.expires = day(2000));
    assert_eq!(codes(Some(&old), &repository.files["2.root.json"]), ["publish_expires_late"]);
}

#[test]
fn online_versions_rise_after_a_restore() {
    let minutes = u64::try_from(day(0).seconds() / 60).unwrap();
    assert_eq!(next_online_version(7, day(0)), minutes);
    assert_eq!(next_online_version(minutes, day(0)), minutes + 1);
}
