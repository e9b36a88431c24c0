//! 1 freeze, 2 freeze by a clock set back, 3 a clock once far ahead.

use anyhow::Result;
use patchward_protocol::reason::Reason;
use patchward_tests::clock::now;
use patchward_tests::forge::{self, DAY_S};
use patchward_tests::forged::{Forged, head, time_answer};
use patchward_tests::hostile::Answer;
use patchward_tests::scene::Scene;
use patchward_tests::turned_clock::TurnedClock;
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
    scene.approve()?;
    let expired = short_lived(&scene, -40 * DAY_S, -33 * DAY_S)?;
    let (_, online) = scene.steal_online()?;
    // By this clock the recorded timestamp is good for four more days, and the server says the same.
    let clock = TurnedClock::on(&scene.device)?;
    clock.turn(-37 * DAY_S)?;
    scene.line.play(move |request, upstream| {
        let Some(Answer::Reply(reply)) = expired.answer(request, upstream)? else {
            return Ok(None);
        };
        if request.path != "/v1/check-in" || reply.status != 200 {
            return Ok(Some(Answer::Reply(reply)));
        }
        let time = time_answer(request, now().plus_seconds(-37 * DAY_S), &online.timestamp)?;
        reply.with_json(|value| forge::set(value, "time", time)).map(Answer::Reply).map(Some)
    });
    scene.start()?;
    scene.device.refused(Reason::MetadataExpired)?;
    scene.nothing_changes()?;
    scene.recover()?;
    // The server is honest again, the device's own clock is still wrong: nothing starts.
    scene.device.held_for(&[Reason::ClockDisagrees, Reason::ClockNotAttested])?;
    scene.nothing_changes()?;
    clock.turn(0)?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_03_a_clock_once_far_ahead_blocks_nothing_when_it_is_right_again() -> Result<()> {
    let mut scene = Scene::begin("03")?;
    let clock = TurnedClock::on(&scene.device)?;
    clock.turn(8 * 365 * DAY_S)?;
    scene.approve()?;
    scene.start()?;
    scene.nothing_changes()?;
    scene.device.held_for(&[Reason::ClockDisagrees])?;
    clock.turn(0)?;
    scene.device.updated_to(&scene.next)
}
