//! 18 targets keys stolen below the threshold, 19 at the threshold, 20 root keys below the threshold.

use anyhow::Result;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::reason::Reason;
use patchward_tests::forge::{self, Key};
use patchward_tests::forged::Forged;
use patchward_tests::image::{Recipe, Release};
use patchward_tests::owner::{next_version, version_of};
use patchward_tests::plan::Plan;
use patchward_tests::scene::Scene;
use patchward_tests::wire::Reply;
use serde_json::{Value, json};

/// The family's targets with an evil release in them, signed by these keys; and the release.
fn evil_targets(scene: &Scene, signers: &[&Key]) -> Result<(u64, Vec<u8>, Release)> {
    let evil = Recipe::small(&scene.device.family, scene.device.kind, "9.9.9", 9).release()?;
    let mut targets = scene.family.targets.clone();
    next_version(&mut targets)?;
    let listed = targets.get_mut("targets").and_then(Value::as_object_mut).unwrap();
    let custom = Some(json!({ "fw": evil.firmware }));
    listed.insert(evil.path.to_string(), forge::target_entry(&evil.file, custom));
    for (path, bytes) in &evil.documents {
        listed.insert(path.to_string(), forge::target_entry(bytes, None));
    }
    Ok((version_of(&targets)?, forge::sign(&targets, signers)?, evil))
}

/// The attacker's family repository: evil targets, the evil image.
fn shown(scene: &Scene, targets: (u64, &[u8]), evil: &Release) -> Result<Forged> {
    let (online, _) = scene.steal_online()?;
    let (dir, name) = evil.path.parts();
    let file = format!("targets/{dir}/{}.{name}", Sha256Digest::of(&evil.file));
    Ok(Forged::chain(&scene.family, &online, targets)?.with(&file, &evil.file))
}

#[test]
fn attack_18_one_stolen_targets_key_releases_nothing() -> Result<()> {
    let mut scene = Scene::begin("18")?;
    let (version, targets, evil) = evil_targets(&scene, &[&scene.family.targets_keys[0]])?;
    scene.show(vec![shown(&scene, (version, &targets), &evil)?]);
    scene.approve()?;
    scene.start()?;
    scene.device.refused(Reason::MetadataSignature)?;
    scene.nothing_changes()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_19_a_release_by_stolen_keys_without_approval_is_not_installed() -> Result<()> {
    let mut scene = Scene::begin("19a")?;
    let keys = scene.family.targets_keys.clone();
    let (version, targets, evil) = evil_targets(&scene, &[&keys[0], &keys[1]])?;
    scene.show(vec![shown(&scene, (version, &targets), &evil)?]);
    scene.start()?;
    // It verifies; nobody in the hospital approved it.
    scene.asks_again(4)?;
    assert_eq!(scene.line.asked_for("/targets/img/"), 0, "fetched without approval");
    scene.device.is_unchanged()
}

#[test]
fn attack_19_after_the_rotation_what_the_stolen_keys_sign_is_refused() -> Result<()> {
    let mut scene = Scene::begin("19b")?;
    let stolen = scene.family.targets_keys.clone();
    let fresh = patchward_tests::owner::keys_of("acme fresh", "targets");
    let listed: Vec<Value> = fresh.iter().map(Key::object).collect();
    scene.family.set_role("targets", &listed, 2);
    scene.family.targets_keys = fresh;
    let old = scene.family.root_keys.clone();
    let root = scene.family.next_root_file(&old)?;
    next_version(&mut scene.family.targets)?;
    let honest = scene.family.targets_file()?;
    scene.family.send(Some(&root), Some(&honest))?;
    let (version, targets, evil) = evil_targets(&scene, &[&stolen[0], &stolen[1]])?;
    scene.show(vec![shown(&scene, (version, &targets), &evil)?]);
    // The hospital was deceived too: it approved the evil release.
    scene.approve_release(&Plan::open_now("deceived", 1), &evil)?;
    scene.start()?;
    scene.device.refused(Reason::MetadataSignature)?;
    scene.nothing_changes()?;
    scene.recover()?;
    scene.approve_as(&Plan::open_now("honest", 2))?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_20_one_stolen_root_key_changes_no_key() -> Result<()> {
    let mut scene = Scene::begin("20")?;
    let own = patchward_tests::owner::keys_of("thief", "targets");
    let mut owner = scene.family.clone();
    let listed: Vec<Value> = own.iter().map(Key::object).collect();
    owner.set_role("targets", &listed, 2);
    next_version(&mut owner.root)?;
    let root = forge::sign(&owner.root, &[&scene.family.root_keys[0]])?;
    let (version, targets, evil) = evil_targets(&scene, &[&own[0], &own[1]])?;
    let shown = shown(&scene, (version, &targets), &evil)?;
    let shown = shown.with_reply("metadata/2.root.json", Reply::new(200, root));
    scene.show(vec![shown]);
    scene.approve()?;
    scene.start()?;
    scene.device.refused_for(&[Reason::MetadataSignature, Reason::RootChain])?;
    scene.nothing_changes()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}
