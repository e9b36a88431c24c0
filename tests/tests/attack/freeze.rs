//! 1 freeze, 2 freeze by a clock set back, 3 a clock once far ahead.

use anyhow::Result;
use patchward_protocol::reason::Reason;
use patchward_tests::forge::{self, DAY_S};
use patchward_tests::forged::{Forged, head};
use patchward_tests::scene::Scene;
use patchward_tests::shim::TurnedClock;
use serde_json::json;

/// A timestamp as the server signed it, but with this life.
fn short_lived(scene: &Scene, issued_s: i64, expires_s: i64) -> Result<Forged> {
    let (_, site) = scene.steal_online()?;
    let (id, view) = (scene.site.id.to_string(), &scene.site.view);
    let snapshot = scene.stage.server.administrator()?;
    let version = head(view, "snapshot")?;
    let snapshot = snapshot.get(&scene.site.metadata(&format!("{version}.snapshot.json")))?.body;
    let newer = head(view, "timestamp")?;
    let mut timestamp = forge::timestamp(&id, newer, (version, &snapshot));
    forge::set(&mut timestamp, "x-issued", json!(forge::instant(issued_s)));
    forge::set(&mut timestamp, "expires", json!(forge::instant(expires_s)));
    let timestamp = forge::sign(&timestamp, &[&site.timestamp])?;
    Ok(Forged::of(&scene.site).with("metadata/timestamp.json", &timestamp))
}

#[test]
fn attack_01_the_same_timestamp_for_ever_is_noticed_when_it_expires() -> Result<()> {
    let mut scene = Scene::begin("01")?;
    let recorded = short_lived(&scene, -DAY_S, 4)?;
    scene.show(vec![recorded]);
    scene.start()?;
    scene.asks_again(1)?;
    // Approved now, but the attacker goes on showing the world of before.
    scene.approve()?;
    scene.device.refused(Reason::MetadataExpired)?;
    scene.nothing_changes()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_02_a_clock_set_back_does_not_bring_expired_metadata_to_life() -> Result<()> {
    let mut scene = Scene::begin("02")?;
    let expired = short_lived(&scene, -40 * DAY_S, -33 * DAY_S)?;
    let clock = TurnedClock::in_folder(&scene.device.folder)?;
    scene.device.clock = Some(clock.clone());
    scene.start()?;
    scene.asks_again(2)?;
    scene.approve()?;
    scene.show(vec![expired]);
    // Four days before the recorded timestamp expired: by this clock it is good.
    clock.turn(-37 * DAY_S)?;
    let noted = scene.device.refused(Reason::MetadataExpired)?;
    assert!(noted.fact.document_sha256.is_some() || noted.fact.detail.is_some());
    scene.nothing_changes()?;
    scene.recover()?;
    // The server's honest time and the device's own clock contradict each other: nothing starts.
    scene.device.held(Reason::ClockDisagrees)?;
    scene.nothing_changes()?;
    clock.turn(0)?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_03_a_clock_once_far_ahead_blocks_nothing_when_it_is_right_again() -> Result<()> {
    let mut scene = Scene::begin("03")?;
    let clock = TurnedClock::in_folder(&scene.device.folder)?;
    scene.device.clock = Some(clock.clone());
    clock.turn(8 * 365 * DAY_S)?;
    scene.approve()?;
    scene.start()?;
    scene.nothing_changes()?;
    let told = scene.device.ledger()?.into_iter().filter_map(|entry| entry.fact.reason);
    let told: Vec<Reason> = told.collect();
    let noticed = [Reason::MetadataExpired, Reason::ClockDisagrees];
    assert!(told.iter().any(|reason| noticed.contains(reason)), "{told:?}");
    clock.turn(0)?;
    scene.device.updated_to(&scene.next)
}
