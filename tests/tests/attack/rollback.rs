//! 4 rollback of each role, 5 rollback after a torn state, 6 an old approval for an older image.

use anyhow::Result;
use patchward_protocol::reason::Reason;
use patchward_tests::forge;
use patchward_tests::forged::{Forged, head};
use patchward_tests::image::{Recipe, put};
use patchward_tests::owner::version_of;
use patchward_tests::plan::Plan;
use patchward_tests::scene::Scene;
use std::fs;

#[test]
fn attack_04_an_older_timestamp_changes_no_device() -> Result<()> {
    let mut scene = Scene::begin("04a")?;
    let old = scene.site.published("timestamp.json")?;
    scene.start()?;
    scene.site.publish()?;
    scene.site.publish()?;
    scene.asks_again(3)?;
    scene.show(vec![Forged::of(&scene.site).with("metadata/timestamp.json", &old)]);
    scene.approve()?;
    scene.device.refused(Reason::MetadataRollback)?;
    scene.nothing_changes()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_04_an_older_snapshot_under_a_newer_timestamp_changes_no_device() -> Result<()> {
    let mut scene = Scene::begin("04b")?;
    let version = head(&scene.site.view, "snapshot")?;
    let old = scene.site.published(&format!("{version}.snapshot.json"))?;
    scene.site.publish()?;
    scene.start()?;
    scene.asks_again(3)?;
    let (_, online) = scene.steal_online()?;
    let newer = head(&scene.site.view, "timestamp")? + 1;
    let timestamp = forge::timestamp(&scene.site.id.to_string(), newer, (version, &old));
    let timestamp = forge::sign(&timestamp, &[&online.timestamp])?;
    scene.show(vec![Forged::of(&scene.site).with("metadata/timestamp.json", &timestamp)]);
    scene.device.refused(Reason::MetadataRollback)?;
    scene.approve()?;
    scene.nothing_changes()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_04_older_targets_under_a_newer_snapshot_change_no_device() -> Result<()> {
    let mut scene = Scene::begin("04c")?;
    let (version, old) = (version_of(&scene.site.targets)?, scene.site.targets_file()?);
    scene.site.publish()?;
    scene.start()?;
    scene.asks_again(3)?;
    let (_, online) = scene.steal_online()?;
    scene.show(vec![Forged::chain(&scene.site, &online, (version, &old))?]);
    scene.device.refused(Reason::MetadataRollback)?;
    scene.approve()?;
    scene.nothing_changes()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_04_an_older_root_in_place_of_the_next_changes_no_device() -> Result<()> {
    let mut scene = Scene::begin("04d")?;
    let first = scene.site.root_file()?;
    scene.start()?;
    scene.asks_again(1)?;
    scene.show(vec![Forged::of(&scene.site).with("metadata/2.root.json", &first)]);
    scene.approve()?;
    scene.device.refused(Reason::RootChain)?;
    scene.nothing_changes()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_05_a_torn_or_empty_state_file_does_not_let_old_metadata_in() -> Result<()> {
    let mut scene = Scene::begin("05")?;
    let old = scene.site.published("timestamp.json")?;
    scene.site.publish()?;
    scene.site.publish()?;
    scene.start()?;
    scene.asks_again(3)?;
    scene.kill()?;
    let torn = tear_trust_files(&scene)?;
    assert!(torn > 0, "no trust state was found to tear");
    scene.show(vec![Forged::of(&scene.site).with("metadata/timestamp.json", &old)]);
    scene.approve()?;
    scene.start()?;
    scene.device.refused_for(&[Reason::MetadataRollback, Reason::HeldStateUnreadable])?;
    scene.nothing_changes()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}

/// Empties or halves every newest file of the trusted metadata of the site.
fn tear_trust_files(scene: &Scene) -> Result<usize> {
    let mut torn = 0;
    let mut folders = vec![scene.device.folder.join("state")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read(&path)?;
            let is_trust = path.to_string_lossy().contains("trust");
            if is_trust && text.len() > 2 {
                let keep = if torn % 2 == 0 { 0 } else { text.len() / 2 };
                put(&path, &text[..keep])?;
                torn += 1;
            }
        }
    }
    Ok(torn)
}

#[test]
fn attack_06_an_old_valid_approval_does_not_bring_an_older_image_back() -> Result<()> {
    let mut scene = Scene::begin("06")?;
    let family = scene.device.family.clone();
    let newest = Recipe::small(&family, scene.device.kind, "3.0.0", 3).release()?;
    scene.family.add_release(&newest)?;
    scene.family.publish()?;
    // Both are valid at once; the older one names the older image.
    scene.approve_as(&Plan::open_now("older", 1))?;
    scene.approve_release(&Plan::open_now("newer", 2), &newest)?;
    scene.start()?;
    scene.device.updated_to(&newest)?;
    scene.device.refused(Reason::ApprovalReplayed)?;
    scene.asks_again(3)?;
    scene.device.still_runs(newest.firmware.payload.image_sha256)
}
