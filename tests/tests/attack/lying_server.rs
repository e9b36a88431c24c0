//! 22 the server forges every directive and every time answer, differently each time.

use anyhow::Result;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::reason::Reason;
use patchward_tests::clock::now;
use patchward_tests::forge;
use patchward_tests::forged::time_answer;
use patchward_tests::plan::Plan;
use patchward_tests::scene::Scene;
use patchward_tests::wire::{Reply, Request};
use serde_json::{Value, json};

/// Rewrites every good answer to a check-in.
fn lie(scene: &Scene, change: impl Fn(&Request, &mut Value) -> Result<()> + Send + Sync + 'static) {
    scene.line.play(move |request, upstream| {
        if request.path != "/v1/check-in" {
            return Ok(None);
        }
        let reply: Reply = upstream.ask(request)?;
        if reply.status != 200 {
            return Ok(Some(patchward_tests::hostile::Answer::Reply(reply)));
        }
        let mut value: Value = serde_json::from_slice(&reply.body)?;
        change(request, &mut value)?;
        let body = forge::write(&value)?;
        Ok(Some(patchward_tests::hostile::Answer::Reply(Reply { body, ..reply })))
    });
}

#[test]
fn attack_22_no_directive_installs_what_nobody_approved() -> Result<()> {
    let mut scene = Scene::begin("22a")?;
    let image = scene.next.firmware.payload.image_sha256;
    lie(&scene, move |_, reply| {
        // Everything a careless device might obey.
        reply["directive"] = json!({
            "open": [{ "approval_sha256": image, "wave": 0 }], "holds": [],
        });
        reply["install_now"] = json!({ "image_sha256": image, "force": true });
        reply["skip_approval"] = json!(true);
        reply["skip_permit"] = json!(true);
        Ok(())
    });
    scene.start()?;
    scene.asks_again(4)?;
    assert_eq!(scene.line.asked_for("/targets/img/"), 0, "fetched without approval");
    scene.device.is_unchanged()?;
    scene.recover()?;
    scene.approve()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_22_no_lie_about_the_time_opens_a_slot_of_tomorrow() -> Result<()> {
    let mut scene = Scene::begin("22b")?;
    let tomorrow = 24 * 3600;
    let plan = Plan { start_s: tomorrow, ..Plan::open_now("tomorrow", 1) };
    let digest = scene.approve_as(&plan)?;
    // Whoever owns the server signs any time with the true key, and says that the wave is open.
    let (_, online) = scene.steal_online()?;
    lie(&scene, move |request, reply| {
        let utc = now().plus_seconds(tomorrow + 60);
        reply["time"] = time_answer(request, utc, &online.timestamp)?;
        reply["directive"] = json!({
            "open": [{ "approval_sha256": digest, "wave": 0 }], "holds": [],
        });
        Ok(())
    });
    scene.start()?;
    scene.device.held(Reason::ClockDisagrees)?;
    scene.nothing_changes()?;
    scene.line.rest();
    // Once the server is honest again the device waits for its slot, and for nothing else.
    scene.device.held(Reason::SlotNotOpen)?;
    scene.nothing_changes()?;
    scene.approve_as(&Plan::open_now("today", 2))?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_22_a_time_answer_by_another_key_or_to_another_question_is_refused() -> Result<()> {
    let mut scene = Scene::begin("22c")?;
    scene.approve()?;
    let (family, _) = scene.steal_online()?;
    lie(&scene, move |request, reply| {
        reply["time"] = time_answer(request, now(), &family.timestamp)?;
        Ok(())
    });
    scene.start()?;
    scene.device.refused(Reason::TimeAnswerWrong)?;
    scene.nothing_changes()?;
    let (_, online) = scene.steal_online()?;
    lie(&scene, move |_, reply| {
        let answer = json!({ "v": 1, "nonce": "00".repeat(16), "utc": now() });
        let sealed = Envelope::seal(PayloadType::TimeAnswer, &answer, online.timestamp.secret())?;
        reply["time"] = serde_json::to_value(sealed)?;
        Ok(())
    });
    scene.nothing_changes()?;
    scene.recover()?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_22_no_word_of_the_server_starts_a_device_that_is_in_use() -> Result<()> {
    let mut scene = Scene::begin("22d")?;
    scene.device.set_in_use(patchward_tests::device::InUse::Yes)?;
    let digest = scene.approve()?;
    lie(&scene, move |_, reply| {
        reply["directive"] = json!({
            "open": [{ "approval_sha256": digest, "wave": 0 }], "holds": [],
            "clinical_state": "idle", "skip_permit": true,
        });
        Ok(())
    });
    scene.start()?;
    scene.device.held(Reason::InUse)?;
    scene.nothing_changes()?;
    scene.line.rest();
    scene.device.set_in_use(patchward_tests::device::InUse::No)?;
    scene.device.updated_to(&scene.next)
}

#[test]
fn attack_22_a_wave_that_was_not_opened_stays_closed_whatever_else_is_said() -> Result<()> {
    let mut scene = Scene::begin("22e")?;
    scene.approve()?;
    lie(&scene, |_, reply| {
        // Open for something else, and for a wave that is not this device's.
        reply["directive"] = json!({
            "open": [
                { "approval_sha256": "11".repeat(32), "wave": 0 },
                { "approval_sha256": "22".repeat(32), "wave": 7 },
            ],
            "holds": [],
        });
        Ok(())
    });
    scene.start()?;
    scene.device.held(Reason::WaveNotOpen)?;
    scene.nothing_changes()?;
    scene.line.rest();
    scene.device.updated_to(&scene.next)
}
