//! 1 freeze, 2 freeze by a clock set back, 3 a clock once far ahead.

use anyhow::Result;
use patchward_protocol::reason::Reason;
use patchward_tests::clock::now;
use patchward_tests::forge::{self, DAY_S};
use patchward_tests::forged::{short_lived, time_answer};
use patchward_tests::hostile::Answer;
use patchward_tests::scene::Scene;
use patchward_tests::turned_clock::TurnedClock;

#[test]
fn attack_01_the_same_timestamp_for_ever_is_noticed_when_it_expires() -> Result<()> {
    let mut scene = Scene::begin("01")?;
    let (_, online) = scene.steal_online()?;
    let recorded = short_lived(&scene.site, &online, -DAY_S, 4)?;
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
    let (_, online) = scene.steal_online()?;
    let expired = short_lived(&scene.site, &online, -40 * DAY_S, -33 * DAY_S)?;
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
