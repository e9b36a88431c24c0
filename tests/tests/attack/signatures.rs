//! 11 threshold, 12 unsigned, tampered, type confusion, 13 the chain of roots.

use anyhow::Result;
use patchward_protocol::reason::Reason;
use patchward_tests::forge::{self, Key};
use patchward_tests::forged::Forged;
use patchward_tests::owner::{Owner, next_version, version_of};
use patchward_tests::plan::Plan;
use patchward_tests::scene::Scene;
use patchward_tests::wire::Reply;
use serde_json::{Value, json};

/// Targets of the site that approve the update for the device, as a forger would draw them up.
fn approving_targets(scene: &Scene) -> Result<(Value, String, Vec<u8>)> {
    let device = (scene.device.name.clone(), scene.key);
    let approval = Plan::open_now("forged", 9).approval(&scene.site_id, &scene.next, &[device])?;
    let bytes = approval.write()?;
    let mut targets = scene.site.targets.clone();
    next_version(&mut targets)?;
    let listed = targets.get_mut("targets").and_then(Value::as_object_mut).unwrap();
    listed.insert("approval/forged.json".into(), forge::target_entry(&bytes, None));
    let digest = patchward_protocol::digest::Sha256Digest::of(&bytes);
    Ok((targets, format!("targets/approval/{digest}.forged.json"), bytes))
}

/// Shows forged targets under stolen online keys; the device must refuse them and stay as it is.
fn refused(
    name: &str,
    reason: Reason,
    sign: impl Fn(&Scene, &Value) -> Result<Vec<u8>>,
) -> Result<()> {
    let mut scene = Scene::begin(name)?;
    let (targets, file, approval) = approving_targets(&scene)?;
    let bytes = sign(&scene, &targets)?;
    let (_, online) = scene.steal_online()?;
    let version = version_of(&targets)?;
    let shown = Forged::chain(&scene.site, &online, (version, &bytes))?.with(&file, &approval);
    scene.show(vec![shown]);
    scene.start()?;
    scene.device.refused(reason)?;
    scene.nothing_changes()?;
    scene.recover()?;
    scene.approve()?;
    scene.device.updated_to(&scene.next)
}

fn keys(scene: &Scene) -> &[Key] {
    &scene.site.targets_keys
}

#[test]
fn attack_11_one_of_two_signatures_is_not_enough() -> Result<()> {
    refused("11a", Reason::MetadataSignature, |scene, targets| {
        forge::sign(targets, &[&keys(scene)[0]])
    })
}

#[test]
fn attack_11_one_key_twice_counts_once() -> Result<()> {
    refused("11b", Reason::MetadataMalformed, |scene, targets| {
        forge::sign(targets, &[&keys(scene)[0], &keys(scene)[0]])
    })
}

#[test]
fn attack_11_a_key_of_another_role_does_not_count() -> Result<()> {
    refused("11c", Reason::MetadataSignature, |scene, targets| {
        forge::sign(targets, &[&keys(scene)[0], &scene.site.root_keys[0]])
    })
}

#[test]
fn attack_11_one_public_key_under_two_ids_counts_once() -> Result<()> {
    let mut scene = Scene::begin("11d")?;
    // A root that lists one key twice, the second time with a note beside it, well signed.
    let twin = scene.site.targets_keys[0].clone().with("note", json!("the same again"));
    let listed = [scene.site.targets_keys[0].object(), twin.object(), keys(&scene)[1].object()];
    let mut owner: Owner = scene.site.clone();
    owner.set_role("targets", &listed, 2);
    let root = owner.next_root_file(&scene.site.root_keys)?;
    let (targets, file, approval) = approving_targets(&scene)?;
    let bytes = forge::sign(&targets, &[&scene.site.targets_keys[0], &twin])?;
    let (_, online) = scene.steal_online()?;
    let version = version_of(&targets)?;
    let shown = Forged::chain(&scene.site, &online, (version, &bytes))?
        .with(&file, &approval)
        .with("metadata/2.root.json", &root);
    scene.show(vec![shown]);
    scene.start()?;
    scene.device.refused(Reason::MetadataSignature)?;
    scene.nothing_changes()
}

#[test]
fn attack_12_unsigned_targets_change_no_device() -> Result<()> {
    refused("12a", Reason::MetadataSignature, |_, targets| forge::sign(targets, &[]))
}

#[test]
fn attack_12_tampered_targets_change_no_device() -> Result<()> {
    refused("12b", Reason::MetadataSignature, |scene, targets| {
        let mut honest = targets.clone();
        forge::set(&mut honest, "targets", json!({}));
        let signed = forge::sign(&honest, &scene.site.two(keys(scene)))?;
        let mut file: Value = serde_json::from_slice(&signed)?;
        file["signed"] = targets.clone();
        forge::write(&file)
    })
}

#[test]
fn attack_12_a_document_of_another_type_changes_no_device() -> Result<()> {
    refused("12c", Reason::MetadataMalformed, |scene, targets| {
        let mut confused = targets.clone();
        forge::set(&mut confused, "_type", "snapshot");
        forge::sign(&confused, &scene.site.two(keys(scene)))
    })
}

#[test]
fn attack_12_a_snapshot_in_place_of_targets_changes_no_device() -> Result<()> {
    refused("12d", Reason::MetadataSignature, |scene, targets| {
        let (_, online) = scene.steal_online()?;
        let version = version_of(targets)?;
        let id = scene.site.id.to_string();
        forge::sign(&forge::snapshot(&id, version, (1, b"x")), &[&online.snapshot])
    })
}

/// Shows a next root of the site; the device must refuse it, stay as it is, and go on afterwards.
fn root_refused(name: &str, reason: Reason, make: impl Fn(&Scene) -> Result<Reply>) -> Result<()> {
    let mut scene = Scene::begin(name)?;
    scene.approve()?;
    let reply = make(&scene)?;
    scene.show(vec![Forged::of(&scene.site).with_reply("metadata/2.root.json", reply)]);
    scene.start()?;
    let reasons = [reason, Reason::RootChain];
    scene.device.refused_for(&reasons)?;
    scene.nothing_changes()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}

/// The site's next root with root keys of the attacker, signed by these.
fn foreign_root(scene: &Scene, version: u64, signers: &[&Key]) -> Result<Reply> {
    let mut owner = scene.site.clone();
    let own = attacker_keys();
    let listed: Vec<Value> = own.iter().map(Key::object).collect();
    owner.set_role("root", &listed, 2);
    forge::set(&mut owner.root, "version", version);
    Ok(Reply::new(200, forge::sign(&owner.root, signers)?))
}

fn attacker_keys() -> Vec<Key> {
    patchward_tests::owner::keys_of("attacker", "root")
}

#[test]
fn attack_13_a_root_signed_only_by_the_old_keys_changes_no_device() -> Result<()> {
    root_refused("13a", Reason::MetadataSignature, |scene| {
        foreign_root(scene, 2, &scene.site.two(&scene.site.root_keys))
    })
}

#[test]
fn attack_13_a_root_signed_only_by_the_new_keys_changes_no_device() -> Result<()> {
    root_refused("13b", Reason::MetadataSignature, |scene| {
        let own = attacker_keys();
        foreign_root(scene, 2, &[&own[0], &own[1]])
    })
}

#[test]
fn attack_13_a_root_that_jumps_a_version_changes_no_device() -> Result<()> {
    root_refused("13c", Reason::RootChain, |scene| {
        let own = attacker_keys();
        let mut signers = scene.site.two(&scene.site.root_keys);
        signers.extend([&own[0], &own[1]]);
        foreign_root(scene, 3, &signers)
    })
}

#[test]
fn attack_13_an_error_in_place_of_the_next_root_is_not_taken_for_its_absence() -> Result<()> {
    let mut scene = Scene::begin("13d")?;
    scene.approve()?;
    let busy = Reply::new(503, "busy");
    scene.show(vec![Forged::of(&scene.site).with_reply("metadata/2.root.json", busy)]);
    scene.start()?;
    scene.device.refused(Reason::ServerUnreachable)?;
    scene.nothing_changes()?;
    // The walk ended there: nothing below the root was asked for.
    let asked = scene.line.asked();
    let snapshots = asked.iter().filter(|request| {
        request.path.starts_with(&scene.site.metadata("")) && request.path.contains("snapshot")
    });
    assert_eq!(snapshots.count(), 0);
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}
