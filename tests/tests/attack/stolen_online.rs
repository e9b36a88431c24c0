//! 14 the timestamp key is stolen (fast-forward, then recovery), 15 snapshot and timestamp keys are.

use anyhow::Result;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::reason::Reason;
use patchward_tests::forge::{self, Key};
use patchward_tests::forged::{Forged, head};
use patchward_tests::image::put;
use patchward_tests::owner::version_of;
use patchward_tests::scene::{Cast, Scene, Stage};
use patchward_tests::server::AT_ONCE;
use serde_json::{Map, Value};
use std::sync::Arc;

/// A number that no honest server reaches.
const FAR: u64 = 1 << 40;

#[test]
fn attack_14_a_fast_forward_ends_with_the_root_that_takes_the_stolen_key_away() -> Result<()> {
    let mut scene = Scene::on(Stage::own(AT_ONCE)?, Cast::tree("14"))?;
    let (_, online) = scene.steal_online()?;
    let (id, version) = (scene.site.id.to_string(), head(&scene.site.view, "snapshot")?);
    let file = scene.site.metadata(&format!("{version}.snapshot.json"));
    let snapshot = scene.stage.server.administrator()?.get(&file)?.body;
    let forward = forge::timestamp(&id, FAR, (version, &snapshot));
    let forward = forge::sign(&forward, &[&online.timestamp])?;
    scene.show(vec![Forged::of(&scene.site).with("metadata/timestamp.json", &forward)]);
    scene.start()?;
    scene.asks_again(2)?;
    scene.line.rest();
    // The device has seen version 2^40 and takes no honest timestamp of this key any more.
    scene.approve()?;
    scene.device.refused(Reason::MetadataRollback)?;
    scene.nothing_changes()?;
    rotate_timestamp_key(&mut scene)?;
    scene.device.updated_to(&scene.next)
}

/// The owner of the server makes a new timestamp key; the hospital signs it into its next root.
fn rotate_timestamp_key(scene: &mut Scene) -> Result<()> {
    let new = Key::named("the new timestamp key of 14");
    let path = scene.stage.server.key_file(&scene.site.id, "timestamp");
    scene.site.set_role("timestamp", &[forge::listed(new.public(), &Map::new())], 1);
    let address = scene.stage.server.address()?.to_owned();
    let stage = Arc::get_mut(&mut scene.stage).expect("this stage is not shared");
    stage.server.stop()?;
    put(&path, format!("{}\n", hex::encode(*new.secret().seed())).as_bytes())?;
    stage.server.start_on(&address)?;
    let old = scene.site.root_keys.clone();
    scene.site.publish_root(&old)?;
    scene.site.publish()
}

#[test]
fn attack_15_the_keys_of_snapshot_and_timestamp_install_nothing() -> Result<()> {
    let mut scene = Scene::begin("15a")?;
    let (family, site) = scene.steal_online()?;
    // The thief lists targets of his own making, signed with the keys that he has.
    let bytes = {
        let mut targets = scene.site.targets.clone();
        let next = version_of(&targets)? + 1;
        forge::set(&mut targets, "version", next);
        forge::sign(&targets, &[&site.snapshot, &site.timestamp])?
    };
    let version = version_of(&scene.site.targets)? + 1;
    scene.show(vec![
        Forged::chain(&scene.site, &site, (version, &bytes))?,
        Forged::chain(
            &scene.family,
            &family,
            (version_of(&scene.family.targets)?, &scene.family.targets_file()?),
        )?,
    ]);
    scene.start()?;
    scene.device.refused(Reason::MetadataSignature)?;
    scene.approve()?;
    scene.nothing_changes()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_15_a_snapshot_that_lists_no_targets_changes_no_device() -> Result<()> {
    let mut scene = Scene::begin("15b")?;
    let (_, online) = scene.steal_online()?;
    let id: &RepositoryId = &scene.site.id;
    let version = head(&scene.site.view, "snapshot")? + 1;
    let mut snapshot = forge::snapshot(&id.to_string(), version, (1, b"x"));
    forge::set(&mut snapshot, "meta", Value::Object(Map::new()));
    let shown = Forged::of(&scene.site).under(&scene.site, &online, &snapshot)?;
    scene.show(vec![shown]);
    scene.approve()?;
    scene.start()?;
    let reasons = [Reason::MetadataMismatch, Reason::MetadataMalformed, Reason::MetadataRollback];
    scene.device.refused_for(&reasons)?;
    scene.nothing_changes()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}
